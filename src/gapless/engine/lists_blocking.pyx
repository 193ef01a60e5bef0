"""Commands that wait for an element of a list: BLMOVE, BLMPOP, BLPOP, BRPOP, BRPOPLPUSH."""
from libc.stdint cimport int64_t, uint64_t
from gapless.engine.blocked cimport TIMEOUT_SECONDS, arg_deadline, blocked_wait
from gapless.engine.call cimport Call
from gapless.engine.dispatch cimport handler_register
from gapless.engine.keyspace cimport FIND_WRITE
from gapless.engine.list_value cimport List, list_open
from gapless.engine.lists cimport (
    arg_list_end, list_move_reply, list_open_first, list_pop_reply_named, list_pop_reply_pair,
)
from gapless.engine.pop_from cimport PopFrom, arg_pop_from
from gapless.engine.record cimport TYPE_LIST
from gapless.engine.reply cimport reply_null, reply_null_array


cdef void pop(Call* call, bint left) noexcept nogil:
    cdef List l
    cdef int64_t deadline_ms
    cdef bint failed
    if not arg_deadline(call, call.argc - 1, TIMEOUT_SECONDS, &deadline_ms):
        return
    if list_open_first(call, 1, call.argc - 1, &l, &failed):
        list_pop_reply_pair(call, &l, left)
    elif not failed and not blocked_wait(call, TYPE_LIST, 1, call.argc - 2, deadline_ms, False, reply_null_array):
        reply_null_array(call.reply)


cdef void cmd_blpop(Call* call) noexcept nogil:
    pop(call, True)


cdef void cmd_brpop(Call* call) noexcept nogil:
    pop(call, False)


cdef void cmd_blmpop(Call* call) noexcept nogil:
    cdef List l
    cdef PopFrom what
    cdef int64_t deadline_ms
    cdef bint failed
    if not arg_pop_from(call, 2, b"LEFT", b"RIGHT", &what) or not arg_deadline(call, 1, TIMEOUT_SECONDS, &deadline_ms):
        return
    if list_open_first(call, what.first, what.end, &l, &failed):
        list_pop_reply_named(call, &l, not what.back, <uint64_t>what.count)
    elif not failed and not blocked_wait(call, TYPE_LIST, what.first, what.end - what.first, deadline_ms, False, reply_null_array):
        reply_null_array(call.reply)


cdef void move(Call* call, bint from_left, bint to_left) noexcept nogil:
    cdef List source
    cdef int64_t deadline_ms
    if not arg_deadline(call, call.argc - 1, TIMEOUT_SECONDS, &deadline_ms):
        return
    if not list_open(call, &call.argv[1], call.hash, FIND_WRITE, &source):
        return
    if source.c.there:
        list_move_reply(call, &source, &call.argv[2], from_left, to_left)
    elif not blocked_wait(call, TYPE_LIST, 1, 1, deadline_ms, False, reply_null_array):
        reply_null(call.reply)


cdef void cmd_blmove(Call* call) noexcept nogil:
    cdef bint from_left, to_left
    if arg_list_end(call, 3, &from_left) and arg_list_end(call, 4, &to_left):
        move(call, from_left, to_left)


cdef void cmd_brpoplpush(Call* call) noexcept nogil:
    move(call, False, True)


handler_register(b"lists.blmove", cmd_blmove)
handler_register(b"lists.blmpop", cmd_blmpop)
handler_register(b"lists.blpop", cmd_blpop)
handler_register(b"lists.brpop", cmd_brpop)
handler_register(b"lists.brpoplpush", cmd_brpoplpush)
