from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free, realloc
from libc.string cimport memcpy, memset
from gapless.engine.arena cimport range_discard, range_release, range_reserve
from gapless.engine.base cimport INVARIANT, unlikely

cdef extern from "sys/mman.h" nogil:
    """
    #ifndef _GNU_SOURCE
    #define _GNU_SOURCE
    #endif
    #include <sys/mman.h>
    #include <linux/mman.h>
    /* Moves page tables, not bytes; the old addresses stay reserved and read as zeros. */
    static int range_move(void *from, size_t n, void *to) {
    #ifdef MREMAP_DONTUNMAP
        return mremap(from, n, n, MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP, to) == to ? 0 : -1;
    #else
        (void)from; (void)n; (void)to; return -1;
    #endif
    }
    """
    int range_move(void* source, size_t n, void* target)


cdef inline uint64_t slot_of(uint64_t handle) noexcept nogil:
    return handle & ((<uint64_t>1 << 56) - 1)


cdef inline int class_of(uint64_t handle) noexcept nogil:
    return <int>(handle >> 56) - 1


cdef inline uint64_t whole_pages(uint64_t n) noexcept nogil:
    return (n + EXTENT_PAGE - 1) & ~<uint64_t>(EXTENT_PAGE - 1)


cdef Extents* extents_new() noexcept nogil:
    cdef Extents* e = <Extents*>calloc(1, sizeof(Extents))
    if e == NULL:
        return NULL
    e.classes[0].slot_bytes = <uint64_t>1 << 20
    e.classes[1].slot_bytes = <uint64_t>64 << 20
    e.classes[2].slot_bytes = (<uint64_t>1 << 30) + (<uint64_t>2 << 20)
    e.classes[0].slots = <uint64_t>1 << 20
    e.classes[1].slots = <uint64_t>1 << 16
    e.classes[2].slots = <uint64_t>1 << 12
    return e


cdef bint class_reserve(ExtentClass* c) noexcept nogil:
    """The addresses of a class, at its first extent: many small stores have room in one process."""
    cdef uint64_t slots = c.slots
    cdef uint8_t* base = NULL
    # A system that refuses large reservations gets fewer extents, not none.
    while slots >= 64 and base == NULL:
        base = range_reserve(c.slot_bytes * slots)
        if base == NULL:
            slots //= 2
    if base == NULL:
        return False
    c.free_stack = <uint32_t*>range_reserve(slots * sizeof(uint32_t))
    c.pages = <uint64_t*>range_reserve(slots * sizeof(uint64_t))
    if c.free_stack == NULL or c.pages == NULL:
        range_release(base, c.slot_bytes * slots)
        range_release(<uint8_t*>c.free_stack, slots * sizeof(uint32_t))
        range_release(<uint8_t*>c.pages, slots * sizeof(uint64_t))
        c.free_stack = NULL
        c.pages = NULL
        return False
    c.slots = slots
    c.base = base
    return True


cdef void extents_free(Extents* e) noexcept nogil:
    cdef int i
    cdef ExtentClass* c
    if e == NULL:
        return
    for i in range(EXTENT_CLASSES):
        c = &e.classes[i]
        range_release(c.base, c.slot_bytes * c.slots)
        range_release(<uint8_t*>c.free_stack, c.slots * sizeof(uint32_t))
        range_release(<uint8_t*>c.pages, c.slots * sizeof(uint64_t))
    free(e.dead)
    free(e)


cdef uint64_t extent_take(Extents* e, uint64_t n) noexcept nogil:
    cdef int i = 0
    cdef uint64_t slot
    cdef ExtentClass* c
    while i < EXTENT_CLASSES and e.classes[i].slot_bytes < n:
        i += 1
    if i == EXTENT_CLASSES:
        return 0
    c = &e.classes[i]
    if unlikely(c.base == NULL) and not class_reserve(c):
        return 0
    if c.free_count > 0:
        c.free_count -= 1
        slot = c.free_stack[c.free_count]
    elif c.high_water < c.slots:
        slot = c.high_water
        c.high_water += 1
    else:
        return 0
    c.pages[slot] = whole_pages(n)
    e.bytes_committed += c.pages[slot]
    e.count += 1
    return (<uint64_t>(i + 1) << 56) | slot


cdef uint64_t extents_left(Extents* e, uint64_t n) noexcept nogil:
    cdef ExtentClass* c
    cdef int i = 0
    while i < EXTENT_CLASSES and e.classes[i].slot_bytes < n:
        i += 1
    if i == EXTENT_CLASSES:
        return 0
    c = &e.classes[i]
    if c.base == NULL and not class_reserve(c):
        return 0
    return c.free_count + c.slots - c.high_water


cdef uint8_t* extent_bytes(Extents* e, uint64_t handle) noexcept nogil:
    cdef int i = class_of(handle)
    INVARIANT(i >= 0 and i < EXTENT_CLASSES and slot_of(handle) < e.classes[i].high_water)
    return e.classes[i].base + slot_of(handle) * e.classes[i].slot_bytes


cdef uint64_t extent_committed(Extents* e, uint64_t handle) noexcept nogil:
    return e.classes[class_of(handle)].pages[slot_of(handle)]


cdef uint64_t extent_resize(Extents* e, uint64_t handle, uint64_t old_n, uint64_t n) noexcept nogil:
    cdef ExtentClass* c = &e.classes[class_of(handle)]
    cdef uint64_t slot = slot_of(handle)
    cdef uint8_t* at = extent_bytes(e, handle)
    cdef uint64_t before = c.pages[slot]
    cdef uint64_t after = whole_pages(n)
    cdef uint64_t fresh
    if n <= c.slot_bytes:
        if n < old_n:
            memset(at + n, 0, min(after, old_n) - n)
            if after < before:
                range_discard(at + after, before - after)
        c.pages[slot] = after
        e.bytes_committed += after - before
        return handle
    fresh = extent_take(e, n)
    if fresh == 0:
        return 0
    if class_of(handle) == 0 or range_move(at, before, extent_bytes(e, fresh)) != 0:
        memcpy(extent_bytes(e, fresh), at, old_n)
    extent_give(e, handle)
    return fresh


cdef void extent_give(Extents* e, uint64_t handle) noexcept nogil:
    cdef uint64_t room
    cdef uint64_t i
    cdef uint64_t* grown
    cdef uint64_t pages = extent_committed(e, handle)
    INVARIANT(pages > 0 and e.count > 0)
    if e.dead_tail - e.dead_head == e.dead_room:
        room = max(64, e.dead_room * 2)
        grown = <uint64_t*>realloc(NULL, room * sizeof(uint64_t))
        INVARIANT(grown != NULL)
        for i in range(e.dead_head, e.dead_tail):
            grown[i - e.dead_head] = e.dead[i % e.dead_room]
        e.dead_tail -= e.dead_head
        e.dead_head = 0
        free(e.dead)
        e.dead = grown
        e.dead_room = room
    e.dead[e.dead_tail % e.dead_room] = handle
    e.dead_tail += 1
    e.count -= 1
    e.bytes_committed -= pages
    e.bytes_dead += pages


cdef uint64_t extents_reclaim(Extents* e, uint64_t n) noexcept nogil:
    cdef uint64_t done = 0, step, handle
    cdef ExtentClass* c
    while done < n and e.dead_head < e.dead_tail:
        handle = e.dead[e.dead_head % e.dead_room]
        c = &e.classes[class_of(handle)]
        step = min(n - done, c.pages[slot_of(handle)] - e.dead_progress)
        step = whole_pages(step)
        range_discard(extent_bytes(e, handle) + e.dead_progress, step)
        e.dead_progress += step
        e.bytes_dead -= step
        done += step
        if e.dead_progress >= c.pages[slot_of(handle)]:
            c.pages[slot_of(handle)] = 0
            c.free_stack[c.free_count] = <uint32_t>slot_of(handle)
            c.free_count += 1
            e.dead_head += 1
            e.dead_progress = 0
    return done
