"""Members taken off either end of a sorted set: ZPOPMIN, ZPOPMAX, ZMPOP, and what the blocking commands need of it."""
from libc.stdint cimport int64_t, uint64_t
from gapless.engine.call cimport Arg, Call
from gapless.engine.pop_from cimport PopFrom


cdef enum PopReply:
    POP_PAIRS = 0              # member, score, member, score...
    POP_NESTED = 1             # an array of arrays of two
    POP_KEY_AND_PAIR = 2       # key, member, score: BZPOPMIN, BZPOPMAX
    POP_KEY_AND_NESTED = 3     # key, then as POP_NESTED: ZMPOP, BZMPOP


cdef enum Pop:
    POP_MISSING = 0            # no such key: nothing was replied
    POP_REPLIED = 1            # what was popped, or an error: another type, no memory


# Takes up to `count` members, more than 0, off the end with the lowest or highest scores, and replies them. O(count log members).
cdef int sorted_set_pop(Call* call, const Arg* key, uint64_t key_hash, bint highest, int64_t count, int form) noexcept nogil
# As sorted_set_pop(), from the first of several keys that is there.
cdef int sorted_set_pop_first(Call* call, const PopFrom* what, int form) noexcept nogil
