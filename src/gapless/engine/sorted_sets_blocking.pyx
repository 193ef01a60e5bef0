"""Commands that wait for a member of a sorted set: BZMPOP, BZPOPMAX, BZPOPMIN."""
from libc.stdint cimport int64_t
from gapless.engine.blocked cimport TIMEOUT_SECONDS, arg_deadline, blocked_wait
from gapless.engine.call cimport Call
from gapless.engine.dispatch cimport handler_register
from gapless.engine.pop_from cimport PopFrom, arg_pop_from
from gapless.engine.record cimport TYPE_SORTED_SET
from gapless.engine.reply cimport reply_null_array
from gapless.engine.sorted_sets_pop cimport (
    POP_KEY_AND_NESTED, POP_KEY_AND_PAIR, POP_REPLIED, sorted_set_pop_first,
)


cdef void pop_or_wait(Call* call, const PopFrom* what, int64_t deadline_ms, int form) noexcept nogil:
    if sorted_set_pop_first(call, what, form) == POP_REPLIED:
        return
    if not blocked_wait(call, TYPE_SORTED_SET, what.first, what.end - what.first, deadline_ms, False, reply_null_array):
        reply_null_array(call.reply)


cdef void pop(Call* call, bint highest) noexcept nogil:
    cdef PopFrom what = PopFrom(1, call.argc - 1, highest, 1)
    cdef int64_t deadline_ms
    if arg_deadline(call, call.argc - 1, TIMEOUT_SECONDS, &deadline_ms):
        pop_or_wait(call, &what, deadline_ms, POP_KEY_AND_PAIR)


cdef void cmd_bzpopmin(Call* call) noexcept nogil:
    pop(call, False)


cdef void cmd_bzpopmax(Call* call) noexcept nogil:
    pop(call, True)


cdef void cmd_bzmpop(Call* call) noexcept nogil:
    cdef PopFrom what
    cdef int64_t deadline_ms
    if arg_pop_from(call, 2, b"MIN", b"MAX", &what) and arg_deadline(call, 1, TIMEOUT_SECONDS, &deadline_ms):
        pop_or_wait(call, &what, deadline_ms, POP_KEY_AND_NESTED)


handler_register(b"sorted_sets.bzmpop", cmd_bzmpop)
handler_register(b"sorted_sets.bzpopmax", cmd_bzpopmax)
handler_register(b"sorted_sets.bzpopmin", cmd_bzpopmin)
