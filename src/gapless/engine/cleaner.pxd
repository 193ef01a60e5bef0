"""The cleaner: everything that happens to memory between commands, in slices of bounded time.

In this order: take away fields of hashes that are due, evict when maxmemory was lowered, give back dead extents, free the pages of retired
trees, free empty segments, reap expired ones, un-count flushed databases, give freed segments back to the system, shrink the index (idle),
move what is live out of the segments with the most holes. Cleaning follows "Log-structured Memory for
DRAM-based Storage" (Rumble et al., FAST'14): cost-benefit, survivors apart from fresh records. Eviction is the same pass over a
segment: what is cold is dropped instead of moved.
"""
from libc.stdint cimport int64_t, uint64_t
from gapless.engine.arena cimport arena_keep
from gapless.engine.field_expiry cimport fields_are_due
from gapless.engine.keyspace cimport ORDERED_BUILDING, POLICY_EVICTING, Keyspace, keyspace_committed
from gapless.engine.log cimport USE_EMPTY
from gapless.engine.pages cimport pages_cached_max


# Works for at most budget_ns (and the end of the step begun); ns used, 0 when nothing was to do. May move records.
cdef int64_t cleaner_background(Keyspace* ks, int64_t budget_ns, bint idle) noexcept nogil
# Thousandths of the log that are holes; 0 below what is worth any work.
cdef inline uint64_t holes_thousandths(const Keyspace* ks) noexcept nogil:
    cdef uint64_t dead = ks.log.bytes_written - ks.log.bytes_live
    if dead < ks.cleaner.holes_bytes_min:
        return 0
    return dead * 1000 // ks.log.bytes_written

cdef inline uint64_t memory_used(const Keyspace* ks) noexcept nogil:
    return ks.memory_base + keyspace_committed(ks)

cdef enum:
    FAR_OVER_BYTES = 8 << 20

# Over maxmemory by more than writes ever go, or one command could free at once: it was lowered. Only with a policy that lets keys go.
cdef inline bint cleaner_is_far_over(const Keyspace* ks) noexcept nogil:
    return ks.maxmemory != 0 and ks.policy & POLICY_EVICTING != 0 and memory_used(ks) > ks.maxmemory + (ks.maxmemory >> 6) + FAR_OVER_BYTES

# Whether a slice would find something to do: fields that are due, memory to give back, dead extents and trees, empty or expired
# segments, flushed databases, an ordered index to build, holes to clean.
cdef inline bint cleaner_has_work(const Keyspace* ks) noexcept nogil:
    return (ks.extents.bytes_dead != 0 or ks.log.use_first[0][USE_EMPTY] != 0 or ks.log.use_first[1][USE_EMPTY] != 0
            or ks.arena.cached_count > arena_keep(ks.arena) or ks.log.expired_first != 0 or ks.retired_count != 0 or ks.cleaner.victim != 0
            or ks.ordered.state == ORDERED_BUILDING or fields_are_due(ks)
            or ks.forest.retired_first != 0 or ks.forest.pages.cached_count > pages_cached_max(ks.forest.pages)
            or cleaner_is_far_over(ks) or (ks.active_defrag and holes_thousandths(ks) > ks.cleaner.holes_idle))

# See keyspace_make_room().
cdef bint cleaner_make_room(Keyspace* ks, uint64_t n) noexcept nogil
# Un-counts the oldest flushed database to its end.
cdef void cleaner_finish_retired(Keyspace* ks) noexcept nogil
