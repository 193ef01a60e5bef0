from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free, qsort
from gapless.engine.arena cimport range_discard, range_release, range_reserve
from gapless.engine.base cimport INVARIANT, likely


cdef Pages* pages_new(uint32_t page_bytes, uint64_t address_bytes) noexcept nogil:
    INVARIANT(page_bytes >= PAGE_BYTES_MIN and page_bytes <= PAGE_BYTES and (page_bytes & (page_bytes - 1)) == 0)
    INVARIANT(address_bytes >= 4 * <uint64_t>page_bytes)
    cdef Pages* pages = <Pages*>calloc(1, sizeof(Pages))
    if pages == NULL:
        return NULL
    pages.page_bytes = page_bytes
    while (<uint32_t>1 << pages.page_shift) < page_bytes:
        pages.page_shift += 1
    pages.pages_max = <uint32_t>min(address_bytes >> pages.page_shift, <uint64_t>0xffffffff)
    pages.high_water = 1
    return pages


cdef bint pages_reserve(Pages* pages) noexcept nogil:
    """The addresses, when the first page is taken: most stores have no trees, and a process has room for few such ranges."""
    if pages.base == NULL:
        pages.base = range_reserve(<uint64_t>pages.pages_max << pages.page_shift)
    if pages.free_stack == NULL:
        pages.free_stack = <uint32_t*>range_reserve(<uint64_t>pages.pages_max * sizeof(uint32_t))
    return pages.base != NULL and pages.free_stack != NULL


cdef void pages_free(Pages* pages) noexcept nogil:
    if pages == NULL:
        return
    range_release(pages.base, <uint64_t>pages.pages_max << pages.page_shift)
    range_release(<uint8_t*>pages.free_stack, <uint64_t>pages.pages_max * sizeof(uint32_t))
    free(pages)


cdef uint32_t pages_take(Pages* pages) noexcept nogil:
    cdef uint32_t page
    if pages.free_count > 0:
        pages.free_count -= 1
        page = pages.free_stack[pages.free_count]
        if pages.cached_count > 0:
            pages.cached_count -= 1
    elif pages.high_water < pages.pages_max and (likely(pages.high_water > 1) or pages_reserve(pages)):
        page = pages.high_water
        pages.high_water += 1
    else:
        return 0
    pages.used += 1
    return page


cdef void pages_give(Pages* pages, uint32_t page) noexcept nogil:
    INVARIANT(page > 0 and page < pages.high_water and pages.used > 0)
    pages.used -= 1
    pages.free_stack[pages.free_count] = page
    pages.free_count += 1
    pages.cached_count += 1


cdef int ascending(const void* a, const void* b) noexcept nogil:
    cdef uint32_t first = (<const uint32_t*>a)[0], second = (<const uint32_t*>b)[0]
    return (first > second) - (first < second)


cdef uint32_t pages_trim(Pages* pages, uint32_t keep, uint32_t most) noexcept nogil:
    cdef uint32_t n, i = 0, run
    cdef uint32_t* victims
    if pages.cached_count <= keep:
        return 0
    n = min(pages.cached_count - keep, most)
    # The longest free go first; neighbours in one call each. Their order on the stack means nothing.
    victims = pages.free_stack + (pages.free_count - pages.cached_count)
    qsort(victims, n, sizeof(uint32_t), ascending)
    while i < n:
        run = 1
        while i + run < n and victims[i + run] == victims[i] + run:
            run += 1
        range_discard(page_at(pages, victims[i]), <uint64_t>run << pages.page_shift)
        i += run
    pages.cached_count -= n
    pages.bytes_given_back += <uint64_t>n << pages.page_shift
    return n
