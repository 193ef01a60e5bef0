"""Commands of one sorted set: members added, scored, ranked, removed, drawn at random, walked. Ranges are in sorted_sets_range, those of
several sets in sorted_sets_algebra, what pops in sorted_sets_pop.
"""
from libc.math cimport isnan
from libc.stdint cimport INT64_MAX, INT64_MIN, int64_t, uint8_t, uint32_t, uint64_t
from libc.stdio cimport snprintf
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy
from gapless.engine.base cimport INVARIANT, STATUS_OK, Status, unlikely
from gapless.engine.call cimport Arg, Call
from gapless.engine.collection cimport (
    collection_count, collection_finish, collection_marks, collection_next, random_below,
)
from gapless.engine.collection_scan cimport (
    CollectionScan, collection_scan_begin, collection_scan_end, collection_scan_goes_on, collection_scan_matches,
    collection_scan_open,
)
from gapless.engine.dispatch cimport (
    arg_int64, arg_is, call_room, find_read, handler_register, reply_syntax_error,
)
from gapless.engine.keyspace cimport FIND_WRITE
from gapless.engine.record cimport ZSET_TABLE
from gapless.engine.reply cimport (
    format_double, reply_array, reply_bulk, reply_double, reply_error, reply_int, reply_null, reply_null_array,
)
from gapless.engine.sample cimport Sample, sample_begin, sample_end, sample_next
from gapless.engine.score cimport parse_score
from gapless.engine.sorted_set_value cimport (
    SCORE_BYTES, Member, SortedSet, SortedWalk, sorted_set_at, sorted_set_expect, sorted_set_find, sorted_set_next, sorted_set_open,
    sorted_set_put, sorted_set_rank, sorted_set_remove, sorted_set_walk,
)


cdef enum:
    SCORES_ON_STACK = 64
    SAMPLED_OF_MEMBERS = 16    # ZRANDMEMBER of more than one in so many walks them all
    LARGE_BYTES = 64 << 10     # a member of such a size is in two trees

cdef enum Outcome:
    OUTCOME_NONE = 0
    OUTCOME_ADDED = 1
    OUTCOME_UPDATED = 2
    OUTCOME_KEPT = 3           # it has this score already
    OUTCOME_NAN = 4


# ---- writing

cdef Status add(SortedSet* s, const uint8_t* name, uint64_t n, int options, double* score, int* outcome) noexcept nogil:
    """One member of ZADD; `score` becomes what it has afterwards."""
    cdef Status status
    outcome[0] = OUTCOME_NONE
    if not sorted_set_find(s, name, n):
        if options & ADD_XX:
            return STATUS_OK
        status = sorted_set_put(s, name, n, score[0])
        outcome[0] = OUTCOME_ADDED
        return status
    if options & ADD_NX:
        return STATUS_OK
    if options & ADD_INCR:
        score[0] += s.score
        if isnan(score[0]):
            outcome[0] = OUTCOME_NAN
            return STATUS_OK
    if (options & ADD_LT and score[0] >= s.score) or (options & ADD_GT and score[0] <= s.score):
        return STATUS_OK
    if score[0] == s.score:
        outcome[0] = OUTCOME_KEPT
        return STATUS_OK
    outcome[0] = OUTCOME_UPDATED
    return sorted_set_put(s, name, n, score[0])


cdef bint add_options(Call* call, int* options, int* first) noexcept nogil:
    """What stands before the first score; False after an error reply."""
    cdef int i = 2, found = 0
    while i < call.argc:
        if arg_is(call, i, b"NX"):
            found |= ADD_NX
        elif arg_is(call, i, b"XX"):
            found |= ADD_XX
        elif arg_is(call, i, b"CH"):
            found |= ADD_CH
        elif arg_is(call, i, b"INCR"):
            found |= ADD_INCR
        elif arg_is(call, i, b"GT"):
            found |= ADD_GT
        elif arg_is(call, i, b"LT"):
            found |= ADD_LT
        else:
            break
        i += 1
    options[0] = found
    first[0] = i
    if i == call.argc or (call.argc - i) % 2:
        reply_syntax_error(call)
        return False
    if found & ADD_NX and found & ADD_XX:
        reply_error(call.reply, b"ERR XX and NX options at the same time are not compatible")
        return False
    if (found & (ADD_GT | ADD_NX)) == ADD_GT | ADD_NX or (found & (ADD_LT | ADD_NX)) == ADD_LT | ADD_NX or (
            found & (ADD_GT | ADD_LT)) == ADD_GT | ADD_LT:
        reply_error(call.reply, b"ERR GT, LT, and/or NX options at the same time are not compatible")
        return False
    if found & ADD_INCR and call.argc - i > 2:
        reply_error(call.reply, b"ERR INCR option supports a single increment-element pair")
        return False
    return True


cdef void sorted_set_add_all(Call* call, int first, int step, int members, int options, double* scores) noexcept nogil:
    cdef SortedSet s
    cdef const Arg* name = &call.argv[first]
    cdef int i, outcome = OUTCOME_NONE
    cdef int64_t added = 0, updated = 0
    cdef Status status = STATUS_OK
    if unlikely(call.size > LARGE_BYTES) and not call_room(call, call.size):
        return
    if not sorted_set_open(call, &call.argv[1], call.hash, FIND_WRITE, &s):
        return
    if not s.c.there and options & ADD_XX:
        members = 0
    else:
        sorted_set_expect(&s, <uint64_t>members, name.size)
    for i in range(members):
        status = add(&s, name.data, name.size, options, &scores[i], &outcome)
        name += step
        if status != STATUS_OK:
            break
        added += outcome == OUTCOME_ADDED
        updated += outcome == OUTCOME_UPDATED
    if not collection_finish(call, &s.c, status):
        return
    if not options & ADD_INCR:
        reply_int(call.reply, added + updated if options & ADD_CH else added)
    elif outcome == OUTCOME_NAN:
        reply_error(call.reply, b"ERR resulting score is not a number (NaN)")
    elif outcome == OUTCOME_NONE:
        reply_null(call.reply)
    else:
        reply_double(call.reply, scores[0])


cdef bint read_scores(Call* call, int first, double* scores) noexcept nogil:
    cdef int i
    for i in range((call.argc - first) // 2):
        if not parse_score(call.argv[first + 2 * i].data, call.argv[first + 2 * i].size, &scores[i]):
            reply_error(call.reply, b"ERR value is not a valid float")
            return False
    return True


cdef void add_pairs(Call* call, int first, int options) noexcept nogil:
    cdef double[SCORES_ON_STACK] room
    cdef double* scores = room
    cdef int pairs = (call.argc - first) // 2
    if pairs > SCORES_ON_STACK:
        scores = <double*>malloc(<size_t>pairs * sizeof(double))
        INVARIANT(scores != NULL)
    if read_scores(call, first, scores):
        sorted_set_add_all(call, first + 1, 2, pairs, options, scores)
    if scores != room:
        free(scores)


cdef void cmd_zadd(Call* call) noexcept nogil:
    cdef int options, first
    if add_options(call, &options, &first):
        add_pairs(call, first, options)


cdef void cmd_zincrby(Call* call) noexcept nogil:
    add_pairs(call, 2, ADD_INCR)


cdef void cmd_zrem(Call* call) noexcept nogil:
    cdef SortedSet s
    cdef int i
    cdef int64_t count = 0
    if not sorted_set_open(call, &call.argv[1], call.hash, FIND_WRITE, &s):
        return
    for i in range(2, call.argc):
        if sorted_set_find(&s, call.argv[i].data, call.argv[i].size):
            sorted_set_remove(&s, call.argv[i].data, call.argv[i].size)
            count += 1
    if collection_finish(call, &s.c, STATUS_OK):
        reply_int(call.reply, count)


# ---- reading

cdef void cmd_zcard(Call* call) noexcept nogil:
    cdef SortedSet s
    if sorted_set_open(call, &call.argv[1], call.hash, find_read(call), &s):
        reply_int(call.reply, <int64_t>collection_count(&s.c))


cdef inline void reply_score(Call* call, SortedSet* s, int i) noexcept nogil:
    if sorted_set_find(s, call.argv[i].data, call.argv[i].size):
        reply_double(call.reply, s.score)
    else:
        reply_null(call.reply)


cdef void cmd_zscore(Call* call) noexcept nogil:
    cdef SortedSet s
    if sorted_set_open(call, &call.argv[1], call.hash, find_read(call), &s):
        reply_score(call, &s, 2)


cdef void cmd_zmscore(Call* call) noexcept nogil:
    cdef SortedSet s
    cdef int i
    if not sorted_set_open(call, &call.argv[1], call.hash, find_read(call), &s):
        return
    reply_array(call.reply, call.argc - 2)
    for i in range(2, call.argc):
        reply_score(call, &s, i)


cdef void reply_rank(Call* call, bint backwards) noexcept nogil:
    cdef SortedSet s
    cdef bint with_score = call.argc == 4
    cdef uint64_t rank
    cdef double score
    if call.argc > 4:
        reply_error(call.reply, b"ERR wrong number of arguments for 'zrevrank' command" if backwards
                    else b"ERR wrong number of arguments for 'zrank' command")
        return
    if with_score and not arg_is(call, 3, b"WITHSCORE"):
        reply_syntax_error(call)
        return
    if not sorted_set_open(call, &call.argv[1], call.hash, find_read(call), &s):
        return
    if not sorted_set_find(&s, call.argv[2].data, call.argv[2].size):
        if with_score:
            reply_null_array(call.reply)
        else:
            reply_null(call.reply)
        return
    score = s.score
    rank = sorted_set_rank(&s, call.argv[2].data, call.argv[2].size)
    if backwards:
        rank = collection_count(&s.c) - 1 - rank
    if with_score:
        reply_array(call.reply, 2)
    reply_int(call.reply, <int64_t>rank)
    if with_score:
        reply_double(call.reply, score)


cdef void cmd_zrank(Call* call) noexcept nogil:
    reply_rank(call, False)


cdef void cmd_zrevrank(Call* call) noexcept nogil:
    reply_rank(call, True)


# ---- walking in steps

cdef void reply_scanned(Call* call, CollectionScan* scan, const uint8_t* name, uint32_t n, double score, bint table) noexcept nogil:
    cdef char[48] text
    if collection_scan_matches(scan, name, n):
        reply_bulk(call.reply, name, n)
        # As Redis writes what it does not keep as a text.
        reply_bulk(call.reply, text, <size_t>(snprintf(text, sizeof(text), b"%.17Lg", <long double>score) if table
                                              else format_double(text, score)))
        scan.shown += 2


cdef void cmd_zscan(Call* call) noexcept nogil:
    cdef SortedSet s
    cdef CollectionScan scan
    cdef SortedWalk w
    cdef Member member
    cdef const uint8_t* element
    cdef uint32_t n = 0
    cdef double score
    cdef bint table
    if not collection_scan_begin(call, &scan) or not sorted_set_open(call, &call.argv[1], call.hash, find_read(call), &s):
        return
    table = (collection_marks(&s.c) & ZSET_TABLE) != 0
    if table and s.c.tree != NULL:
        # Steps follow the hash.
        s.c.tree += 1
    if not collection_scan_open(call, &scan, &s.c, table, False):
        return
    if scan.steps:
        while True:
            element = collection_next(&scan.walk, &n)
            if element == NULL or not collection_scan_goes_on(&scan, element, n - SCORE_BYTES):
                break
            memcpy(&score, element + n - SCORE_BYTES, SCORE_BYTES)
            reply_scanned(call, &scan, element, n - SCORE_BYTES, score, True)
    else:
        sorted_set_walk(&s, 0, collection_count(&s.c), False, &w)
        while sorted_set_next(&w, &member):
            reply_scanned(call, &scan, member.name, member.bytes, member.score, table)
    collection_scan_end(call, &scan)


# ---- at random

cdef inline void reply_drawn(Call* call, const Member* member, bint scores) noexcept nogil:
    if scores and call.reply.protocol > 2:
        reply_array(call.reply, 2)
    reply_bulk(call.reply, member.name, member.bytes)
    if scores:
        reply_double(call.reply, member.score)


cdef void reply_repeated(Call* call, SortedSet* s, int64_t count, bint scores) noexcept nogil:
    cdef Member member
    cdef int64_t _i
    for _i in range(count):
        sorted_set_at(s, random_below(s.c.keys, collection_count(&s.c)), &member)
        reply_drawn(call, &member, scores)


cdef void reply_sampled(Call* call, SortedSet* s, int64_t count, bint scores) noexcept nogil:
    cdef Sample ranks
    cdef Member member
    cdef int64_t _i
    sample_begin(&ranks, s.c.keys, <uint64_t>count, collection_count(&s.c))
    for _i in range(count):
        sorted_set_at(s, sample_next(&ranks), &member)
        reply_drawn(call, &member, scores)
    sample_end(&ranks)


cdef void reply_walked(Call* call, SortedSet* s, int64_t count, bint scores) noexcept nogil:
    """Different members, each set of them as likely: a walk that takes each with the chance that is left."""
    cdef SortedWalk w
    cdef Member member
    cdef uint64_t left = collection_count(&s.c)
    sorted_set_walk(s, 0, left, False, &w)
    while count > 0 and sorted_set_next(&w, &member):
        if random_below(s.c.keys, left) < <uint64_t>count:
            reply_drawn(call, &member, scores)
            count -= 1
        left -= 1


cdef void cmd_zrandmember(Call* call) noexcept nogil:
    cdef SortedSet s
    cdef Member member
    cdef int64_t count = 1, drawn
    cdef uint64_t members
    cdef bint scores = False
    if call.argc >= 3:
        if not arg_int64(call, 2, &count):
            return
        if count == INT64_MIN:
            reply_error(call.reply, b"ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807")
            return
        if call.argc > 4 or (call.argc == 4 and not arg_is(call, 3, b"WITHSCORES")):
            reply_syntax_error(call)
            return
        scores = call.argc == 4
        if scores and (count < -(INT64_MAX // 2) or count > INT64_MAX // 2):
            reply_error(call.reply, b"ERR value is out of range")
            return
    if not sorted_set_open(call, &call.argv[1], call.hash, find_read(call), &s):
        return
    members = collection_count(&s.c)
    if call.argc == 2:
        if members > 0:
            sorted_set_at(&s, random_below(s.c.keys, members), &member)
            reply_bulk(call.reply, member.name, member.bytes)
        else:
            reply_null(call.reply)
        return
    drawn = -count if count < 0 else <int64_t>min(<uint64_t>count, members)
    if members == 0:
        drawn = 0
    reply_array(call.reply, drawn * 2 if scores and call.reply.protocol == 2 else drawn)
    if drawn == 0:
        return
    if count < 0:
        reply_repeated(call, &s, drawn, scores)
    elif s.c.tree != NULL and <uint64_t>drawn < members // SAMPLED_OF_MEMBERS:
        reply_sampled(call, &s, drawn, scores)
    else:
        reply_walked(call, &s, drawn, scores)


handler_register(b"sorted_sets.zadd", cmd_zadd)
handler_register(b"sorted_sets.zcard", cmd_zcard)
handler_register(b"sorted_sets.zincrby", cmd_zincrby)
handler_register(b"sorted_sets.zmscore", cmd_zmscore)
handler_register(b"sorted_sets.zrandmember", cmd_zrandmember)
handler_register(b"sorted_sets.zrank", cmd_zrank)
handler_register(b"sorted_sets.zrem", cmd_zrem)
handler_register(b"sorted_sets.zrevrank", cmd_zrevrank)
handler_register(b"sorted_sets.zscan", cmd_zscan)
handler_register(b"sorted_sets.zscore", cmd_zscore)
