"""The cleaner: everything that happens to memory between commands, in slices of bounded time.

In this order: give back dead extents, free empty segments, reap expired ones, un-count flushed databases, move what is live out of
the segments with the most holes, shrink the index. Cleaning follows "Log-structured Memory for DRAM-based Storage" (Rumble et al.,
FAST'14): cost-benefit, survivors apart from fresh records. Eviction is the same pass over a segment: what is cold is dropped
instead of moved.
"""
from libc.stdint cimport int64_t, uint64_t
from gapless.engine.keyspace cimport Keyspace


# Works for at most budget_ns (and the end of the step begun); ns used, 0 when nothing was to do. May move records.
cdef int64_t cleaner_background(Keyspace* ks, int64_t budget_ns, bint idle) noexcept nogil
# See keyspace_make_room().
cdef bint cleaner_make_room(Keyspace* ks, uint64_t n) noexcept nogil
# Un-counts the oldest flushed database to its end.
cdef void cleaner_finish_retired(Keyspace* ks) noexcept nogil
