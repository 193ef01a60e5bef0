"""Ranges of a sorted set, by rank, by score or by member: replied, stored, counted, removed.

Every range is a span of ranks, found first; what is done with it does not know how it was asked for.
"""
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memcmp
from gapless.engine.base cimport STATUS_OK, Status
from gapless.engine.call cimport Call
from gapless.engine.collection cimport (
    collection_abandon, collection_count, collection_finish, collection_store,
)
from gapless.engine.dispatch cimport arg_int64, arg_is, call_status, find_read, handler_register, reply_syntax_error
from gapless.engine.keyspace cimport EXPIRE_NEVER, FIND_WRITE, keyspace_delete_found, keyspace_hash
from gapless.engine.reply cimport reply_array, reply_bulk, reply_double, reply_error, reply_int
from gapless.engine.score cimport parse_score_bound, score_key
from gapless.engine.sorted_set_value cimport (
    Member, SortedSet, SortedWalk, Span, sorted_set_at, sorted_set_begin, sorted_set_expect, sorted_set_find, sorted_set_next,
    sorted_set_open, sorted_set_put, sorted_set_remove_ranks, sorted_set_span, sorted_set_walk,
)
from gapless.engine.tree cimport Place, tree_find, tree_rank
from gapless.engine.tree_key cimport Key

cdef enum By:
    BY_RANK = 1
    BY_SCORE = 2
    BY_MEMBER = 3
    BY_OPTION = 4              # as the options say

cdef enum End:
    END_FIRST = -1             # less than any member
    END_MEMBER = 0
    END_LAST = 1


cdef struct MemberEnd:
    int kind                   # End
    bint open                  # the member itself is not meant
    const uint8_t* name
    uint64_t n


cdef struct Range:
    int by
    bint backwards
    bint scores
    bint limited
    int64_t offset
    int64_t limit              # < 0: none
    int64_t start
    int64_t stop
    double low
    double high
    bint low_open
    bint high_open
    MemberEnd least
    MemberEnd most


# ---- what the arguments say; all functions reply an error and return False when they say nothing

cdef bint arg_score(Call* call, int i, double* score, bint* open) noexcept nogil:
    cdef const uint8_t* text = call.argv[i].data
    cdef size_t n = call.argv[i].size
    open[0] = n > 0 and text[0] == c'('
    if open[0]:
        text += 1
        n -= 1
    if parse_score_bound(text, n, score):
        return True
    reply_error(call.reply, b"ERR min or max is not a float")
    return False


cdef bint arg_member(Call* call, int i, MemberEnd* end) noexcept nogil:
    cdef const uint8_t* text = call.argv[i].data
    cdef size_t n = call.argv[i].size
    end.kind = END_MEMBER
    end.open = False
    if n > 0 and (text[0] == c'[' or text[0] == c'('):
        end.open = text[0] == c'('
        end.name = text + 1
        end.n = n - 1
        return True
    if n > 0 and (text[0] == c'-' or text[0] == c'+') and (n == 1 or text[1] == 0):
        end.kind = END_FIRST if text[0] == c'-' else END_LAST
        return True
    reply_error(call.reply, b"ERR min or max not valid string range item")
    return False


cdef bint read_ends(Call* call, int i, Range* r) noexcept nogil:
    """The two ends, in argv[i] and the next."""
    cdef int low = i, high = i + 1
    if r.by == BY_RANK:
        return arg_int64(call, i, &r.start) and arg_int64(call, i + 1, &r.stop)
    if r.backwards:
        low, high = high, low
    if r.by == BY_SCORE:
        return arg_score(call, low, &r.low, &r.low_open) and arg_score(call, high, &r.high, &r.high_open)
    return arg_member(call, low, &r.least) and arg_member(call, high, &r.most)


cdef bint read_range(Call* call, int i, int by, bint backwards, bint storing, Range* r) noexcept nogil:
    """Ends and options from argv[i] on."""
    cdef int at = i + 2
    cdef bint directed = by != BY_OPTION
    r.by = by
    r.backwards = backwards
    r.scores = False
    r.offset = 0
    r.limit = -1
    while at < call.argc:
        if not storing and arg_is(call, at, b"WITHSCORES"):
            r.scores = True
        elif arg_is(call, at, b"LIMIT") and at + 2 < call.argc:
            if not arg_int64(call, at + 1, &r.offset) or not arg_int64(call, at + 2, &r.limit):
                return False
            at += 2
        elif not directed and arg_is(call, at, b"REV"):
            directed = True
            r.backwards = True
        elif r.by == BY_OPTION and arg_is(call, at, b"BYLEX"):
            r.by = BY_MEMBER
        elif r.by == BY_OPTION and arg_is(call, at, b"BYSCORE"):
            r.by = BY_SCORE
        else:
            reply_syntax_error(call)
            return False
        at += 1
    if r.by == BY_OPTION:
        r.by = BY_RANK
    if r.limit != -1 and r.by == BY_RANK:
        reply_error(call.reply, b"ERR syntax error, LIMIT is only supported in combination with either BYSCORE or BYLEX")
        return False
    if r.scores and r.by == BY_MEMBER:
        reply_error(call.reply, b"ERR syntax error, WITHSCORES not supported in combination with BYLEX")
        return False
    return read_ends(call, i, r)


# ---- spans

cdef void rank_span(const Range* r, uint64_t members, Span* out) noexcept nogil:
    cdef int64_t count = <int64_t>members
    cdef int64_t start = r.start + count if r.start < 0 else r.start
    cdef int64_t stop = r.stop + count if r.stop < 0 else r.stop
    start = max(start, 0)
    stop = min(stop, count - 1)
    out.first = 0
    out.count = 0
    if start <= stop:
        out.first = <uint64_t>(count - 1 - stop if r.backwards else start)
        out.count = <uint64_t>(stop - start + 1)


cdef int member_against(const uint8_t* name, uint64_t n, const MemberEnd* end) noexcept nogil:
    cdef int difference
    if end.kind != END_MEMBER:
        return -end.kind
    difference = memcmp(name, end.name, min(n, end.n))
    return difference if difference else (n > end.n) - (n < end.n)


cdef inline bint is_above(const Member* m, const MemberEnd* least) noexcept nogil:
    cdef int difference = member_against(m.name, m.bytes, least)
    return difference > 0 or (difference == 0 and not least.open)


cdef inline bint is_below(const Member* m, const MemberEnd* most) noexcept nogil:
    cdef int difference = member_against(m.name, m.bytes, most)
    return difference < 0 or (difference == 0 and not most.open)


cdef bint says_nothing(const Range* r) noexcept nogil:
    """The ends leave nothing between them."""
    cdef int difference
    if r.least.kind != END_MEMBER or r.most.kind != END_MEMBER:
        return r.least.kind > r.most.kind or (r.least.kind == r.most.kind and r.least.kind != END_MEMBER)
    difference = member_against(r.least.name, r.least.n, &r.most)
    return difference > 0 or (difference == 0 and (r.least.open or r.most.open))


cdef uint64_t rank_of_end(SortedSet* s, double score, const MemberEnd* end, bint behind) noexcept nogil:
    """How many of a tree, all of this score, are before the end; `behind`: the member itself counts."""
    cdef Key key
    cdef Place place
    cdef bint found
    if end.kind != END_MEMBER:
        return 0 if end.kind == END_FIRST else collection_count(&s.c)
    key.head = score_key(score)
    key.tail = end.name
    key.tail_bytes = <uint32_t>end.n
    key.length = 8 + <uint32_t>end.n
    found = tree_find(s.c.keys.forest, s.c.tree, &key, &place)
    return tree_rank(s.c.keys.forest, s.c.tree, &place) + (1 if found and behind else 0)


cdef void walked_span(SortedSet* s, const Range* r, uint64_t members, Span* out) noexcept nogil:
    """Looks at one member after the other: few, or of several scores, where members do not ascend and Redis goes on as far as they fit."""
    cdef SortedWalk w
    cdef Member m
    cdef uint64_t at = 0, begin = 0
    cdef bint inside = False
    sorted_set_walk(s, 0, members, r.backwards, &w)
    while sorted_set_next(&w, &m):
        if inside and not (is_above(&m, &r.least) if r.backwards else is_below(&m, &r.most)):
            break
        if not inside and (is_below(&m, &r.most) if r.backwards else is_above(&m, &r.least)):
            if not (is_above(&m, &r.least) if r.backwards else is_below(&m, &r.most)):
                return
            inside = True
            begin = at
        at += 1
    if inside:
        out.count = at - begin
        out.first = members - at if r.backwards else begin


cdef void member_span(SortedSet* s, const Range* r, uint64_t members, Span* out) noexcept nogil:
    cdef Member first, last
    cdef uint64_t end
    out.first = 0
    out.count = 0
    if members == 0 or says_nothing(r):
        return
    sorted_set_at(s, 0, &first)
    sorted_set_at(s, members - 1, &last)
    if s.c.tree != NULL and first.score == last.score:
        out.first = rank_of_end(s, first.score, &r.least, r.least.open)
        end = rank_of_end(s, first.score, &r.most, not r.most.open)
        out.count = end - out.first if end > out.first else 0
    elif is_below(&first, &r.most) and is_above(&last, &r.least):
        walked_span(s, r, members, out)


cdef void find_span(SortedSet* s, const Range* r, Span* out) noexcept nogil:
    cdef uint64_t members = collection_count(&s.c)
    if r.by == BY_RANK:
        rank_span(r, members, out)
    elif r.by == BY_SCORE:
        sorted_set_span(s, r.low, r.low_open, r.high, r.high_open, out)
    else:
        member_span(s, r, members, out)


cdef void limit_span(const Range* r, Span* span) noexcept nogil:
    """What LIMIT leaves of it."""
    cdef uint64_t left
    if r.offset < 0 or <uint64_t>r.offset >= span.count:
        span.count = 0
        return
    left = span.count - <uint64_t>r.offset
    span.count = min(left, <uint64_t>r.limit) if r.limit >= 0 else left
    span.first += left - span.count if r.backwards else <uint64_t>r.offset


# ---- commands

cdef void reply_span(Call* call, SortedSet* s, const Span* span, const Range* r) noexcept nogil:
    cdef SortedWalk w
    cdef Member m
    cdef bint pairs = r.scores and call.reply.protocol > 2
    reply_array(call.reply, <int64_t>(span.count * 2 if r.scores and not pairs else span.count))
    sorted_set_walk(s, span.first, span.count, r.backwards, &w)
    while sorted_set_next(&w, &m):
        if pairs:
            reply_array(call.reply, 2)
        reply_bulk(call.reply, m.name, m.bytes)
        if r.scores:
            reply_double(call.reply, m.score)


cdef void show(Call* call, int by, bint backwards) noexcept nogil:
    cdef SortedSet s
    cdef Range r
    cdef Span span
    if not read_range(call, 2, by, backwards, False, &r) or not sorted_set_open(call, &call.argv[1], call.hash, find_read(call), &s):
        return
    find_span(&s, &r, &span)
    limit_span(&r, &span)
    reply_span(call, &s, &span, &r)


cdef void cmd_zrange(Call* call) noexcept nogil:
    show(call, BY_OPTION, False)


cdef void cmd_zrevrange(Call* call) noexcept nogil:
    show(call, BY_RANK, True)


cdef void cmd_zrangebyscore(Call* call) noexcept nogil:
    show(call, BY_SCORE, False)


cdef void cmd_zrevrangebyscore(Call* call) noexcept nogil:
    show(call, BY_SCORE, True)


cdef void cmd_zrangebylex(Call* call) noexcept nogil:
    show(call, BY_MEMBER, False)


cdef void cmd_zrevrangebylex(Call* call) noexcept nogil:
    show(call, BY_MEMBER, True)


cdef Status copy_span(SortedSet* source, const Span* span, const Range* r, SortedSet* target) noexcept nogil:
    cdef SortedWalk w
    cdef Member m
    cdef Status status = STATUS_OK
    if r.by == BY_RANK:
        sorted_set_expect(target, span.count, 0)
    sorted_set_walk(source, span.first, span.count, r.backwards, &w)
    while status == STATUS_OK and sorted_set_next(&w, &m):
        sorted_set_find(target, m.name, m.bytes)
        status = sorted_set_put(target, m.name, m.bytes, m.score)
    return status


cdef void cmd_zrangestore(Call* call) noexcept nogil:
    cdef SortedSet source, target
    cdef Range r
    cdef Span span
    cdef Status status
    if not read_range(call, 3, BY_OPTION, False, True, &r) or not sorted_set_open(
            call, &call.argv[2], keyspace_hash(call.keys, call.argv[2].data, call.argv[2].size), find_read(call), &source):
        return
    find_span(&source, &r, &span)
    limit_span(&r, &span)
    sorted_set_begin(call, &call.argv[1], call.hash, &target)
    status = copy_span(&source, &span, &r, &target)
    if status != STATUS_OK:
        collection_abandon(&target.c)
    else:
        status = collection_store(&target.c, EXPIRE_NEVER)
    if call_status(call, status):
        reply_int(call.reply, <int64_t>span.count)


cdef void count(Call* call, int by) noexcept nogil:
    cdef SortedSet s
    cdef Range r
    cdef Span span
    r.by = by
    r.backwards = False
    if read_ends(call, 2, &r) and sorted_set_open(call, &call.argv[1], call.hash, find_read(call), &s):
        find_span(&s, &r, &span)
        reply_int(call.reply, <int64_t>span.count)


cdef void cmd_zcount(Call* call) noexcept nogil:
    count(call, BY_SCORE)


cdef void cmd_zlexcount(Call* call) noexcept nogil:
    count(call, BY_MEMBER)


cdef void remove(Call* call, int by) noexcept nogil:
    cdef SortedSet s
    cdef Range r
    cdef Span span
    r.by = by
    r.backwards = False
    if not read_ends(call, 2, &r) or not sorted_set_open(call, &call.argv[1], call.hash, FIND_WRITE, &s):
        return
    find_span(&s, &r, &span)
    if span.count > 0 and span.count == collection_count(&s.c):
        keyspace_delete_found(call.keys, &s.c.v, s.c.key.data, s.c.key.size)
    elif span.count > 0:
        sorted_set_remove_ranks(&s, span.first, span.count)
    if collection_finish(call, &s.c, STATUS_OK):
        reply_int(call.reply, <int64_t>span.count)


cdef void cmd_zremrangebyrank(Call* call) noexcept nogil:
    remove(call, BY_RANK)


cdef void cmd_zremrangebyscore(Call* call) noexcept nogil:
    remove(call, BY_SCORE)


cdef void cmd_zremrangebylex(Call* call) noexcept nogil:
    remove(call, BY_MEMBER)


handler_register(b"sorted_sets_range.zcount", cmd_zcount)
handler_register(b"sorted_sets_range.zlexcount", cmd_zlexcount)
handler_register(b"sorted_sets_range.zrange", cmd_zrange)
handler_register(b"sorted_sets_range.zrangebylex", cmd_zrangebylex)
handler_register(b"sorted_sets_range.zrangebyscore", cmd_zrangebyscore)
handler_register(b"sorted_sets_range.zrangestore", cmd_zrangestore)
handler_register(b"sorted_sets_range.zremrangebylex", cmd_zremrangebylex)
handler_register(b"sorted_sets_range.zremrangebyrank", cmd_zremrangebyrank)
handler_register(b"sorted_sets_range.zremrangebyscore", cmd_zremrangebyscore)
handler_register(b"sorted_sets_range.zrevrange", cmd_zrevrange)
handler_register(b"sorted_sets_range.zrevrangebylex", cmd_zrevrangebylex)
handler_register(b"sorted_sets_range.zrevrangebyscore", cmd_zrevrangebyscore)
