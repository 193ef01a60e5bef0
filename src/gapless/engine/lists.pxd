"""What the commands that pop and move elements share with those that wait for one."""
from libc.stdint cimport uint64_t
from gapless.engine.call cimport Arg, Call
from gapless.engine.list_value cimport List


# Replies the name of a list, opened to be written and not empty, and the element at an end of it, and takes that away.
cdef void list_pop_reply_pair(Call* call, List* l, bint left) noexcept nogil
# The same for an array of at most `count` elements, at least one: what LMPOP replies of the first list that is not empty.
cdef void list_pop_reply_named(Call* call, List* l, bint left, uint64_t count) noexcept nogil
# Moves an element from one end of the source, opened to be written and not empty, to an end of the list under another key or the same,
# and replies it.
cdef void list_move_reply(Call* call, List* source, const Arg* target, bint from_left, bint to_left) noexcept nogil
# LEFT or RIGHT in argv[i]; False after an error reply.
cdef bint arg_list_end(Call* call, int i, bint* left) noexcept nogil
# Opens the first of the lists named by argv[first] to argv[end - 1] that is not empty. False: none is, or (failed) an error has been replied.
cdef bint list_open_first(Call* call, int first, int end, List* l, bint* failed) noexcept nogil
