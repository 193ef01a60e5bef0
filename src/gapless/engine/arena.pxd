"""The arena: one reserved address range, handed out in equal units, given back to the system unit by unit.

    base                                                             base + address_bytes
    | unit 0 (never used) | unit 1 | unit 2 | ... | unit high_water - 1 |   never touched   |

A unit is a segment's size (1 MiB). It is free (on the stack of free units) or in use. A unit that was freed keeps its memory
until arena_trim() gives it back, in steps, the one freed longest ago first; some are kept for the next that are taken. A position in
the arena is a byte offset from base of 40 bits: 1 TiB. Position 0 means "none", therefore unit 0 is never handed out.
"""
from libc.stdint cimport uint8_t, uint32_t, uint64_t


cdef struct Arena:
    uint8_t* base
    uint64_t address_bytes
    uint32_t unit_bytes
    uint32_t unit_shift
    uint32_t units             # that fit the range
    uint32_t high_water        # units ever handed out, unit 0 counted
    uint32_t units_used
    uint32_t* free_stack       # unit numbers; a mapping of its own, one entry a unit
    uint32_t free_count        # of which the topmost cached_count still have their memory
    uint32_t cached_count
    uint32_t trimming          # the unit of which arena_trim() has given back the first `trimmed` bytes; 0: none
    uint32_t trimmed
    uint64_t bytes_given_back  # total, for INFO


cdef Arena* arena_new(uint32_t unit_bytes, uint64_t address_bytes) noexcept nogil
cdef void arena_free(Arena* arena) noexcept nogil
# A unit's number; 0 when the range is used up. Its bytes are what they were: not zeroed. warm: its memory is still there.
cdef uint32_t arena_take(Arena* arena, bint* warm) noexcept nogil
# The same, but a unit without memory: for what may never be filled, and costs only the pages it touches.
cdef uint32_t arena_take_bare(Arena* arena) noexcept nogil
cdef void arena_give(Arena* arena, uint32_t unit) noexcept nogil
# Free units that may keep their memory: taken again, they cost no faults.
cdef inline uint32_t arena_keep(const Arena* arena) noexcept nogil:
    return 2 + arena.units_used // 256
# Gives the memory of free units beyond `keep` back to the system, at most `most` bytes and a step. Returns how many bytes.
cdef uint64_t arena_trim(Arena* arena, uint32_t keep, uint64_t most) noexcept nogil

# Anonymous memory, reserved but not committed; NULL when refused. For the ranges of the index, the extents and the tables.
cdef uint8_t* range_reserve(uint64_t n) noexcept nogil
cdef void range_release(uint8_t* at, uint64_t n) noexcept nogil
# Has the system give memory to the pages from `at` up to `at + n` now: one call instead of a fault for each page. A system
# that knows no such call does it page by page when they are written.
cdef void range_populate(uint8_t* at, uint64_t n) noexcept nogil
# Gives the whole pages inside [at, at + n) back to the system; they read as zeros afterwards.
cdef void range_discard(uint8_t* at, uint64_t n) noexcept nogil
