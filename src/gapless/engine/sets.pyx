"""Commands of one set, and SMOVE: members added, removed, looked for, drawn at random, walked. Those of several are in sets_algebra."""
from libc.stdint cimport INT64_MIN, int64_t, uint8_t, uint32_t, uint64_t
from gapless.engine.base cimport STATUS_OK, Status, parse_int64
from gapless.engine.call cimport Call
from gapless.engine.collection cimport (
    Collection, CollectionWalk, collection_abandon, collection_at, collection_close, collection_count, collection_finish,
    collection_finish_reply, collection_mark_anew, collection_marks, collection_next, collection_remove, collection_walk,
    random_below,
)
from gapless.engine.collection_scan cimport (
    CollectionScan, collection_scan_begin, collection_scan_end, collection_scan_goes_on, collection_scan_matches,
    collection_scan_open,
)
from gapless.engine.dispatch cimport arg_int64, call_status, find_read, handler_register, reply_syntax_error
from gapless.engine.keyspace cimport FIND_WRITE, keyspace_delete_found, keyspace_hash
from gapless.engine.record cimport SET_LISTPACK, SET_TABLE
from gapless.engine.reply cimport reply_array, reply_bulk, reply_error, reply_int, reply_null, reply_set
from gapless.engine.sample cimport Sample, sample_begin, sample_end, sample_next
from gapless.engine.set_value cimport Set, set_add, set_expect, set_find, set_longest, set_open

cdef enum:
    REDIS_POP_RATIO = 5        # SPOP of more than so many parts of what is left makes a new set of that
    SAMPLED_OF_MEMBERS = 16    # SRANDMEMBER of more than one in so many walks them all


# ---- writing

cdef void cmd_sadd(Call* call) noexcept nogil:
    cdef Set s
    cdef int i = 2
    cdef int64_t count = 0
    cdef bint added
    cdef Status status = STATUS_OK
    if not set_open(call, &call.argv[1], call.hash, FIND_WRITE, &s):
        return
    set_expect(&s, &call.argv[2], <uint64_t>(call.argc - 2))
    while i < call.argc and status == STATUS_OK:
        status = set_add(&s, call.argv[i].data, call.argv[i].size, &added)
        count += added
        i += 1
    if collection_finish(call, &s.c, status):
        reply_int(call.reply, count)


cdef void cmd_srem(Call* call) noexcept nogil:
    cdef Set s
    cdef int i
    cdef int64_t count = 0
    if not set_open(call, &call.argv[1], call.hash, FIND_WRITE, &s):
        return
    for i in range(2, call.argc):
        if set_find(&s, call.argv[i].data, call.argv[i].size):
            collection_remove(&s.c)
            count += 1
    if collection_finish(call, &s.c, STATUS_OK):
        reply_int(call.reply, count)


cdef Status move_member(Call* call, Set* source, Set* target) noexcept nogil:
    """REQUIRED: the source has the member."""
    cdef const uint8_t* member = call.argv[3].data
    cdef uint64_t n = call.argv[3].size
    cdef bint added
    cdef Status status
    if not target.c.there:
        set_expect(target, &call.argv[3], 1)
    status = set_add(target, member, n, &added)
    if status != STATUS_OK:
        collection_abandon(&target.c)
        return status
    status = collection_close(&target.c)
    if status != STATUS_OK:
        return status
    # A new key may have moved the source's slot: it is looked up again.
    set_open(call, &call.argv[1], call.hash, FIND_WRITE, source)
    set_find(source, member, n)
    collection_remove(&source.c)
    status = collection_close(&source.c)
    if status != STATUS_OK and added:
        # It stays where it was; what has just grown shrinks in place.
        set_open(call, &call.argv[2], target.c.key_hash, FIND_WRITE, target)
        set_find(target, member, n)
        collection_remove(&target.c)
        collection_close(&target.c)
    return status


cdef void cmd_smove(Call* call) noexcept nogil:
    cdef Set source, target
    cdef uint64_t target_hash = keyspace_hash(call.keys, call.argv[2].data, call.argv[2].size)
    if not set_open(call, &call.argv[1], call.hash, FIND_WRITE, &source):
        return
    if not source.c.there:
        reply_int(call.reply, 0)
        return
    if not set_open(call, &call.argv[2], target_hash, FIND_WRITE, &target):
        return
    if not set_find(&source, call.argv[3].data, call.argv[3].size):
        reply_int(call.reply, 0)
    elif target.c.packed == source.c.packed:
        # One and the same set.
        reply_int(call.reply, 1)
    elif call_status(call, move_member(call, &source, &target)):
        reply_int(call.reply, 1)


# ---- reading

cdef void cmd_sismember(Call* call) noexcept nogil:
    cdef Set s
    if set_open(call, &call.argv[1], call.hash, find_read(call), &s):
        reply_int(call.reply, set_find(&s, call.argv[2].data, call.argv[2].size))


cdef void cmd_smismember(Call* call) noexcept nogil:
    cdef Set s
    cdef int i
    if not set_open(call, &call.argv[1], call.hash, find_read(call), &s):
        return
    reply_array(call.reply, call.argc - 2)
    for i in range(2, call.argc):
        reply_int(call.reply, set_find(&s, call.argv[i].data, call.argv[i].size))


cdef void cmd_scard(Call* call) noexcept nogil:
    cdef Set s
    if set_open(call, &call.argv[1], call.hash, find_read(call), &s):
        reply_int(call.reply, <int64_t>collection_count(&s.c))


cdef void reply_members(Call* call, Collection* c) noexcept nogil:
    cdef CollectionWalk w
    cdef const uint8_t* member
    cdef uint32_t n = 0
    collection_walk(c, &w)
    while True:
        member = collection_next(&w, &n)
        if member == NULL:
            break
        reply_bulk(call.reply, member, n)


cdef void cmd_smembers(Call* call) noexcept nogil:
    cdef Set s
    if set_open(call, &call.argv[1], call.hash, find_read(call), &s):
        reply_set(call.reply, <int64_t>collection_count(&s.c))
        reply_members(call, &s.c)


cdef void cmd_sscan(Call* call) noexcept nogil:
    cdef Set s
    cdef CollectionScan scan
    cdef const uint8_t* member
    cdef uint32_t n = 0
    if not collection_scan_begin(call, &scan) or not set_open(call, &call.argv[1], call.hash, find_read(call), &s):
        return
    if not collection_scan_open(call, &scan, &s.c, (collection_marks(&s.c) & SET_TABLE) != 0, False):
        return
    while True:
        member = collection_next(&scan.walk, &n)
        if member == NULL or not collection_scan_goes_on(&scan, member, n):
            break
        if collection_scan_matches(&scan, member, n):
            reply_bulk(call.reply, member, n)
            scan.shown += 1
    collection_scan_end(call, &scan)


# ---- at random

cdef inline const uint8_t* random_member(Set* s, uint32_t* n) noexcept nogil:
    return collection_at(&s.c, random_below(s.c.keys, collection_count(&s.c)), n)


cdef void pop_one(Set* s, Call* call) noexcept nogil:
    cdef uint32_t n = 0
    cdef const uint8_t* member = random_member(s, &n)
    reply_bulk(call.reply, member, n)
    set_find(s, member, n)
    collection_remove(&s.c)


cdef void mark_as_popped(Set* s, uint64_t popped) noexcept nogil:
    """Where little is left Redis puts that into a new set, whose encoding forgets the past of the old one."""
    cdef uint64_t left = collection_count(&s.c)
    cdef uint32_t marks = collection_marks(&s.c)
    if left * REDIS_POP_RATIO > popped:
        return
    if marks & SET_TABLE:
        if left <= s.listpack_members_max and set_longest(s) <= s.listpack_value_max:
            collection_mark_anew(&s.c, SET_LISTPACK)
    elif not marks & SET_LISTPACK and left > s.intset_members_max:
        collection_mark_anew(&s.c, SET_TABLE)


cdef void cmd_spop(Call* call) noexcept nogil:
    cdef Set s
    cdef int64_t count = 1, _i
    cdef uint64_t members
    cdef size_t front = call.reply.length
    if call.argc > 3:
        reply_syntax_error(call)
        return
    if call.argc == 3 and (not parse_int64(call.argv[2].data, call.argv[2].size, &count) or count < 0):
        reply_error(call.reply, b"ERR value is out of range, must be positive")
        return
    if not set_open(call, &call.argv[1], call.hash, FIND_WRITE, &s):
        return
    members = collection_count(&s.c)
    if call.argc == 2:
        if members == 0:
            reply_null(call.reply)
            return
        pop_one(&s, call)
        collection_finish_reply(call, &s.c, front, STATUS_OK)
        return
    count = <int64_t>min(<uint64_t>count, members)
    reply_set(call.reply, count)
    if count == 0:
        return
    if <uint64_t>count == members:
        reply_members(call, &s.c)
        keyspace_delete_found(call.keys, &s.c.v, s.c.key.data, s.c.key.size)
        return
    for _i in range(count):
        pop_one(&s, call)
    mark_as_popped(&s, <uint64_t>count)
    collection_finish_reply(call, &s.c, front, STATUS_OK)


cdef void reply_repeated(Call* call, Set* s, int64_t count) noexcept nogil:
    cdef const uint8_t* member
    cdef uint32_t n = 0
    cdef int64_t _i
    reply_array(call.reply, count)
    for _i in range(count):
        member = random_member(s, &n)
        reply_bulk(call.reply, member, n)


cdef void reply_walked(Call* call, Set* s, int64_t count) noexcept nogil:
    """Different members, each set of them as likely: a walk that takes each with the chance that is left."""
    cdef CollectionWalk w
    cdef const uint8_t* member
    cdef uint32_t n = 0
    cdef uint64_t left = collection_count(&s.c)
    collection_walk(&s.c, &w)
    while count > 0:
        member = collection_next(&w, &n)
        if random_below(s.c.keys, left) < <uint64_t>count:
            reply_bulk(call.reply, member, n)
            count -= 1
        left -= 1


cdef void reply_sampled(Call* call, Set* s, int64_t count) noexcept nogil:
    """The same for few of many, in O(count log members)."""
    cdef Sample ranks
    cdef const uint8_t* member
    cdef uint32_t n = 0
    cdef int64_t _i
    sample_begin(&ranks, s.c.keys, <uint64_t>count, collection_count(&s.c))
    for _i in range(count):
        member = collection_at(&s.c, sample_next(&ranks), &n)
        reply_bulk(call.reply, member, n)
    sample_end(&ranks)


cdef void reply_distinct(Call* call, Set* s, int64_t count) noexcept nogil:
    cdef uint64_t members = collection_count(&s.c)
    count = <int64_t>min(<uint64_t>count, members)
    reply_array(call.reply, count)
    if s.c.tree != NULL and <uint64_t>count < members // SAMPLED_OF_MEMBERS:
        reply_sampled(call, s, count)
    else:
        reply_walked(call, s, count)


cdef void cmd_srandmember(Call* call) noexcept nogil:
    cdef Set s
    cdef const uint8_t* member
    cdef uint32_t n = 0
    cdef int64_t count = 1
    if call.argc > 3:
        reply_syntax_error(call)
        return
    if call.argc == 3:
        if not arg_int64(call, 2, &count):
            return
        if count == INT64_MIN:
            reply_error(call.reply, b"ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807")
            return
    if not set_open(call, &call.argv[1], call.hash, find_read(call), &s):
        return
    if call.argc == 2:
        if s.c.there:
            member = random_member(&s, &n)
            reply_bulk(call.reply, member, n)
        else:
            reply_null(call.reply)
    elif count == 0 or not s.c.there:
        reply_array(call.reply, 0)
    elif count < 0:
        reply_repeated(call, &s, -count)
    else:
        reply_distinct(call, &s, count)


handler_register(b"sets.sadd", cmd_sadd)
handler_register(b"sets.scard", cmd_scard)
handler_register(b"sets.sismember", cmd_sismember)
handler_register(b"sets.smembers", cmd_smembers)
handler_register(b"sets.smismember", cmd_smismember)
handler_register(b"sets.smove", cmd_smove)
handler_register(b"sets.spop", cmd_spop)
handler_register(b"sets.srandmember", cmd_srandmember)
handler_register(b"sets.srem", cmd_srem)
handler_register(b"sets.sscan", cmd_sscan)
