"""Extents: values too large for a segment, each in whole pages of its own, growing in place.

An extent owns a stretch of *addresses* large enough for what its class may grow to; only the pages that were touched have
memory, so the length of the stretch costs nothing and no extent is ever moved to make room for another.

    class  addresses each  for values of
    0      1 MiB           EXTENT_BYTES_MIN .. 1 MiB
    1      64 MiB          .. 64 MiB
    2      1 GiB + 2 MiB   .. 1 GiB (a key and a value of 512 MiB each)

A value that outgrows its class moves to the next: class 0 is copied (1 MiB), above that the page tables move, not the bytes.
A handle is (class + 1) << 56 | slot number; 0 means "none".
"""
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t


cdef enum:
    EXTENT_CLASSES = 3
    EXTENT_PAGE = 4096


cdef struct ExtentClass:
    uint8_t* base              # NULL: it has had no extent yet
    uint64_t slot_bytes
    uint64_t slots
    uint64_t high_water
    uint32_t* free_stack
    uint64_t free_count
    uint64_t* pages            # bytes that may be committed in each slot, a mapping of its own


cdef struct Extents:
    ExtentClass classes[EXTENT_CLASSES]
    uint64_t bytes_committed   # pages of extents in use, in bytes (an upper bound where holes were never touched)
    uint64_t count
    # Dead extents whose pages are given back in slices: handles, first in first out.
    uint64_t* dead
    uint64_t dead_head
    uint64_t dead_tail
    uint64_t dead_room
    uint64_t dead_progress     # bytes of the first one given back already
    uint64_t bytes_dead


cdef Extents* extents_new() noexcept nogil
cdef void extents_free(Extents* e) noexcept nogil
# A new extent for n bytes, all zero; 0 when addresses are used up.
cdef uint64_t extent_take(Extents* e, uint64_t n) noexcept nogil
# How many more of n bytes there are addresses for.
cdef uint64_t extents_left(Extents* e, uint64_t n) noexcept nogil
cdef uint8_t* extent_bytes(Extents* e, uint64_t handle) noexcept nogil
cdef uint64_t extent_committed(Extents* e, uint64_t handle) noexcept nogil
# Makes it n bytes long: new bytes are zero, pages beyond are given back. May return another handle (the old one is gone then); 0: no
# addresses left, nothing changed.
cdef uint64_t extent_resize(Extents* e, uint64_t handle, uint64_t old_n, uint64_t n) noexcept nogil
# O(1): queued; extents_reclaim() gives the pages back. Its bytes stay readable until the end of the command.
cdef void extent_give(Extents* e, uint64_t handle) noexcept nogil
# Gives back at most n bytes of dead extents; returns how many it did.
cdef uint64_t extents_reclaim(Extents* e, uint64_t n) noexcept nogil
