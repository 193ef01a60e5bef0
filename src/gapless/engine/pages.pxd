"""Pages: one reserved address range, handed out in equal pages, for the nodes of trees.

    base                                                             base + pages_max * page_bytes
    | page 0 (never used) | page 1 | page 2 | ... | page high_water - 1 |   never touched   |

    free_stack   | given back ................ | cached .................. |
                 0                             free_count - cached_count   free_count

A page is used or free, and never moved: equal units can't fragment. A page number has 32 bits, 0 means "none". Free pages are on a
stack in a mapping of its own; the last one freed is the first one taken. The topmost cached_count still have their memory; how many
may is a share of the pages in use, the others are given back by pages_trim() in slices, in runs of neighbours.

Invariants: used + free_count + 1 == high_water; cached_count <= free_count; bytes with memory == (used + cached_count) * page_bytes
(exact with pages of the system's own size; smaller ones, for tests, share a page of the system).
"""
from libc.stdint cimport uint8_t, uint32_t, uint64_t


cdef enum:
    PAGE_BYTES = 4096
    PAGE_BYTES_MIN = 256       # tests


cdef struct Pages:
    uint8_t* base
    uint32_t page_bytes
    uint32_t page_shift
    uint32_t pages_max         # that fit the range, page 0 counted
    uint32_t high_water        # pages ever handed out, page 0 counted
    uint32_t used
    uint32_t* free_stack       # page numbers
    uint32_t free_count
    uint32_t cached_count
    uint64_t bytes_given_back  # total, for INFO


cdef Pages* pages_new(uint32_t page_bytes, uint64_t address_bytes) noexcept nogil
cdef void pages_free(Pages* pages) noexcept nogil
# The addresses, which pages_take() reserves for the first page. False: the system refuses them, though pages_left() counts them.
cdef bint pages_reserve(Pages* pages) noexcept nogil
# A page's number; 0 when the range is used up. Its bytes are what they were: not zeroed.
cdef uint32_t pages_take(Pages* pages) noexcept nogil
cdef void pages_give(Pages* pages, uint32_t page) noexcept nogil
# Gives the memory of at most `most` cached pages beyond `keep` back to the system. Returns how many. O(most log most).
cdef uint32_t pages_trim(Pages* pages, uint32_t keep, uint32_t most) noexcept nogil


cdef inline uint8_t* page_at(const Pages* pages, uint32_t page) noexcept nogil:
    return pages.base + (<uint64_t>page << pages.page_shift)


cdef inline uint32_t pages_left(const Pages* pages) noexcept nogil:
    """How many can still be taken."""
    return pages.free_count + (pages.pages_max - pages.high_water)


cdef inline uint32_t pages_cached_max(const Pages* pages) noexcept nogil:
    """Free pages that may keep their memory."""
    return 64 + pages.used // 64


cdef inline uint64_t pages_committed(const Pages* pages) noexcept nogil:
    return (<uint64_t>pages.used + pages.cached_count) << pages.page_shift
