from libc.stddef cimport size_t
from gapless.engine.base cimport STATUS_OK, parse_int64
from gapless.engine.collection cimport collection_count, collection_finish_reply
from gapless.engine.dispatch cimport handler_register, reply_syntax_error, reply_wrong_type
from gapless.engine.keyspace cimport FIND_WRITE, Value, keyspace_delete_found, keyspace_find, keyspace_hash
from gapless.engine.pop_from cimport PopFrom, arg_pop_from
from gapless.engine.record cimport TYPE_SORTED_SET
from gapless.engine.reply cimport (
    reply_array, reply_bulk, reply_double, reply_error, reply_null_array,
)
from gapless.engine.sorted_set_value cimport (
    Member, SortedSet, SortedWalk, sorted_set_next, sorted_set_open, sorted_set_remove_ranks, sorted_set_walk,
)


cdef void reply_popped(Call* call, const Arg* key, SortedWalk* w, int64_t count, int form) noexcept nogil:
    cdef Member member
    if form == POP_KEY_AND_PAIR:
        reply_array(call.reply, 3)
        reply_bulk(call.reply, key.data, key.size)
    elif form == POP_PAIRS:
        reply_array(call.reply, count * 2)
    else:
        if form == POP_KEY_AND_NESTED:
            reply_array(call.reply, 2)
            reply_bulk(call.reply, key.data, key.size)
        reply_array(call.reply, count)
    while sorted_set_next(w, &member):
        if form == POP_NESTED or form == POP_KEY_AND_NESTED:
            reply_array(call.reply, 2)
        reply_bulk(call.reply, member.name, member.bytes)
        reply_double(call.reply, member.score)


cdef int sorted_set_pop(Call* call, const Arg* key, uint64_t key_hash, bint highest, int64_t count, int form) noexcept nogil:
    cdef SortedSet s
    cdef SortedWalk w
    cdef size_t front = call.reply.length
    cdef uint64_t members, first
    if not sorted_set_open(call, key, key_hash, FIND_WRITE, &s):
        return POP_REPLIED
    if not s.c.there:
        return POP_MISSING
    members = collection_count(&s.c)
    count = <int64_t>min(<uint64_t>count, members)
    first = members - <uint64_t>count if highest else 0
    sorted_set_walk(&s, first, <uint64_t>count, highest, &w)
    reply_popped(call, key, &w, count, form)
    if <uint64_t>count == members:
        keyspace_delete_found(call.keys, &s.c.v, key.data, key.size)
        return POP_REPLIED
    sorted_set_remove_ranks(&s, first, <uint64_t>count)
    collection_finish_reply(call, &s.c, front, STATUS_OK)
    return POP_REPLIED


cdef int sorted_set_pop_first(Call* call, const PopFrom* what, int form) noexcept nogil:
    cdef int i
    cdef const Arg* key
    for i in range(what.first, what.end):
        key = &call.argv[i]
        if sorted_set_pop(call, key, keyspace_hash(call.keys, key.data, key.size), what.back, what.count, form) == POP_REPLIED:
            return POP_REPLIED
    return POP_MISSING


cdef void pop(Call* call, bint highest) noexcept nogil:
    cdef Value v
    cdef int64_t count = 1
    if call.argc > 3:
        reply_syntax_error(call)
        return
    if call.argc == 3 and (not parse_int64(call.argv[2].data, call.argv[2].size, &count) or count < 0):
        reply_error(call.reply, b"ERR value is out of range, must be positive")
        return
    if count == 0:
        if keyspace_find(call.keys, call.session.db, call.argv[1].data, call.argv[1].size, call.hash, FIND_WRITE, &v) and (
                v.type != TYPE_SORTED_SET):
            reply_wrong_type(call)
        else:
            reply_array(call.reply, 0)
        return
    if sorted_set_pop(call, &call.argv[1], call.hash, highest, count,
                      POP_NESTED if call.argc == 3 and call.reply.protocol > 2 else POP_PAIRS) == POP_MISSING:
        reply_array(call.reply, 0)


cdef void cmd_zpopmin(Call* call) noexcept nogil:
    pop(call, False)


cdef void cmd_zpopmax(Call* call) noexcept nogil:
    pop(call, True)


cdef void cmd_zmpop(Call* call) noexcept nogil:
    cdef PopFrom what
    if arg_pop_from(call, 1, b"MIN", b"MAX", &what) and sorted_set_pop_first(call, &what, POP_KEY_AND_NESTED) == POP_MISSING:
        reply_null_array(call.reply)


handler_register(b"sorted_sets_pop.zmpop", cmd_zmpop)
handler_register(b"sorted_sets_pop.zpopmax", cmd_zpopmax)
handler_register(b"sorted_sets_pop.zpopmin", cmd_zpopmin)
