from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free
from gapless.engine.base cimport INVARIANT

cdef extern from * nogil:
    """
    #include <sys/mman.h>
    #ifndef MADV_POPULATE_WRITE
    #define MADV_POPULATE_WRITE 23
    #endif
    """
    int MADV_POPULATE_WRITE

cdef extern from "sys/mman.h" nogil:
    void* mmap(void* at, size_t n, int protection, int flags, int fd, long offset)
    int munmap(void* at, size_t n)
    int madvise(void* at, size_t n, int advice)
    int PROT_READ, PROT_WRITE, MAP_PRIVATE, MAP_ANONYMOUS, MAP_NORESERVE, MADV_DONTNEED
    void* MAP_FAILED


cdef uint8_t* range_reserve(uint64_t n) noexcept nogil:
    cdef void* at = mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0)
    return NULL if at == MAP_FAILED else <uint8_t*>at


cdef void range_release(uint8_t* at, uint64_t n) noexcept nogil:
    if at != NULL:
        INVARIANT(munmap(at, n) == 0)


cdef void range_discard(uint8_t* at, uint64_t n) noexcept nogil:
    cdef uint64_t first = (<uint64_t>at + 4095) & ~<uint64_t>4095
    cdef uint64_t last = (<uint64_t>at + n) & ~<uint64_t>4095
    if last > first:
        INVARIANT(madvise(<void*>first, last - first, MADV_DONTNEED) == 0)


cdef void range_populate(uint8_t* at, uint64_t n) noexcept nogil:
    cdef uint64_t first = <uint64_t>at & ~<uint64_t>4095
    madvise(<void*>first, (<uint64_t>at + n + 4095 & ~<uint64_t>4095) - first, MADV_POPULATE_WRITE)


cdef Arena* arena_new(uint32_t unit_bytes, uint64_t address_bytes) noexcept nogil:
    INVARIANT(unit_bytes >= 1024 and (unit_bytes & (unit_bytes - 1)) == 0)
    INVARIANT(address_bytes <= (<uint64_t>1 << 40) and address_bytes >= 4 * <uint64_t>unit_bytes)
    cdef Arena* arena = <Arena*>calloc(1, sizeof(Arena))
    if arena == NULL:
        return NULL
    arena.unit_bytes = unit_bytes
    while (<uint32_t>1 << arena.unit_shift) < unit_bytes:
        arena.unit_shift += 1
    arena.address_bytes = address_bytes & ~<uint64_t>(unit_bytes - 1)
    arena.units = <uint32_t>(arena.address_bytes >> arena.unit_shift)
    arena.base = range_reserve(arena.address_bytes)
    arena.free_stack = <uint32_t*>range_reserve(<uint64_t>arena.units * sizeof(uint32_t))
    if arena.base == NULL or arena.free_stack == NULL:
        arena_free(arena)
        return NULL
    arena.high_water = 1
    return arena


cdef void arena_free(Arena* arena) noexcept nogil:
    if arena == NULL:
        return
    range_release(arena.base, arena.address_bytes)
    range_release(<uint8_t*>arena.free_stack, <uint64_t>arena.units * sizeof(uint32_t))
    free(arena)


cdef uint32_t arena_take(Arena* arena, bint* warm) noexcept nogil:
    cdef uint32_t unit
    warm[0] = arena.cached_count > 0
    if arena.free_count > 0:
        arena.free_count -= 1
        unit = arena.free_stack[arena.free_count]
        if arena.cached_count > 0:
            arena.cached_count -= 1
        if unit == arena.trimming:
            arena.trimming = 0
    elif arena.high_water < arena.units:
        unit = arena.high_water
        arena.high_water += 1
    else:
        return 0
    arena.units_used += 1
    return unit


cdef uint32_t arena_take_bare(Arena* arena) noexcept nogil:
    cdef uint32_t bare = arena.free_count - arena.cached_count
    cdef uint32_t unit
    cdef bint warm
    if bare > 0:
        # The last one without memory; the topmost with memory takes its place, where those begin from now on.
        unit = arena.free_stack[bare - 1]
        arena.free_count -= 1
        arena.free_stack[bare - 1] = arena.free_stack[arena.free_count]
        arena.units_used += 1
        return unit
    if arena.high_water < arena.units:
        unit = arena.high_water
        arena.high_water += 1
        arena.units_used += 1
        return unit
    unit = arena_take(arena, &warm)
    if unit:
        range_discard(arena.base + (<uint64_t>unit << arena.unit_shift), arena.unit_bytes)
    return unit


cdef void arena_give(Arena* arena, uint32_t unit) noexcept nogil:
    INVARIANT(unit > 0 and unit < arena.high_water and arena.units_used > 0)
    arena.units_used -= 1
    arena.free_stack[arena.free_count] = unit
    arena.free_count += 1
    arena.cached_count += 1


cdef uint64_t arena_trim(Arena* arena, uint32_t keep, uint64_t most) noexcept nogil:
    cdef uint64_t done = 0, step
    cdef uint32_t unit
    while arena.cached_count > keep and done < most:
        unit = arena.free_stack[arena.free_count - arena.cached_count]
        if unit != arena.trimming:
            # Another has come to its place since the last time.
            arena.trimming = unit
            arena.trimmed = 0
        step = min(most - done, <uint64_t>(arena.unit_bytes - arena.trimmed))
        range_discard(arena.base + (<uint64_t>unit << arena.unit_shift) + arena.trimmed, step)
        done += step
        arena.trimmed += <uint32_t>step
        if arena.trimmed == arena.unit_bytes:
            arena.cached_count -= 1
            arena.trimming = 0
    arena.bytes_given_back += done
    return done
