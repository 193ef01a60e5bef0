"""Few different ranks of many, each set of them as likely: Floyd's way to draw without drawing one twice."""
from libc.stdint cimport uint64_t
from libc.stdlib cimport calloc, free
from gapless.engine.base cimport INVARIANT
from gapless.engine.collection cimport random_below
from gapless.engine.keyspace cimport Keyspace


cdef struct Sample:
    Keyspace* keys
    uint64_t* taken            # a hash table of ranks + 1
    uint64_t mask
    uint64_t last


cdef inline void sample_begin(Sample* s, Keyspace* ks, uint64_t count, uint64_t ranks) noexcept nogil:
    """REQUIRED: count <= ranks. sample_end() must follow."""
    cdef uint64_t slots = 16
    while slots < 2 * count:
        slots *= 2
    s.keys = ks
    s.taken = <uint64_t*>calloc(slots, sizeof(uint64_t))
    INVARIANT(s.taken != NULL)
    s.mask = slots - 1
    s.last = ranks - count


cdef inline bint sample_take(Sample* s, uint64_t rank) noexcept nogil:
    """False: it is taken already."""
    cdef uint64_t slot = rank * <uint64_t>0x9e3779b97f4a7c15 >> 20 & s.mask
    while s.taken[slot]:
        if s.taken[slot] == rank + 1:
            return False
        slot = (slot + 1) & s.mask
    s.taken[slot] = rank + 1
    return True


cdef inline uint64_t sample_next(Sample* s) noexcept nogil:
    cdef uint64_t rank = random_below(s.keys, s.last + 1)
    if not sample_take(s, rank):
        rank = s.last
        sample_take(s, rank)
    s.last += 1
    return rank


cdef inline void sample_end(Sample* s) noexcept nogil:
    free(s.taken)
