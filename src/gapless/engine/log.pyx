from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free
from gapless.engine.arena cimport Arena, arena_give, arena_take, arena_take_bare, range_populate, range_release, range_reserve
from gapless.engine.base cimport INVARIANT, likely, unlikely

cdef extern from * nogil:
    int __builtin_clzll(unsigned long long v)

cdef enum:
    POPULATE_BYTES = 64 << 10
    POPULATE_WINDOW_BYTES = 16 << 10
    POPULATE_FAST_FROM = 256 << 10  # a window's segment that has grown so large is one of few
    DUE_SEGMENTS = 256         # become expired at a time, about 10 us


cdef Log* log_new(Arena* arena) noexcept nogil:
    cdef Log* log = <Log*>calloc(1, sizeof(Log))
    if log == NULL:
        return NULL
    log.arena = arena
    log.segment_bytes = arena.unit_bytes
    log.record_bytes_max = arena.unit_bytes // 8
    log.segments = <Segment*>range_reserve(<uint64_t>arena.units * sizeof(Segment))
    log.windows = <Window*>calloc(WINDOW_LEVELS * WINDOW_RING, sizeof(Window))
    log.reserve = 4
    if log.segments == NULL or log.windows == NULL:
        log_free(log)
        return NULL
    return log


cdef void log_free(Log* log) noexcept nogil:
    if log == NULL:
        return
    range_release(<uint8_t*>log.segments, <uint64_t>log.arena.units * sizeof(Segment))
    free(log.windows)
    free(log)


# ---- lists of sealed segments by use

cdef inline int side_of(const Segment* s) noexcept nogil:
    return 1 if s.window != 0 else 0


cdef void unlist_use(Log* log, uint32_t unit) noexcept nogil:
    cdef Segment* s = &log.segments[unit]
    if s.use_class == USE_NONE:
        return
    if s.previous:
        log.segments[s.previous].next = s.next
    else:
        log.use_first[side_of(s)][s.use_class] = s.next
    if s.next:
        log.segments[s.next].previous = s.previous
    else:
        log.use_last[side_of(s)][s.use_class] = s.previous
    s.next = 0
    s.previous = 0
    s.use_class = USE_NONE


cdef void list_use(Log* log, uint32_t unit) noexcept nogil:
    """Puts a sealed segment into the list of its use, at the end: the first is the one longest there."""
    cdef Segment* s = &log.segments[unit]
    cdef uint32_t use = USE_EMPTY
    if s.records_live > 0:
        use = <uint32_t>(<uint64_t>s.bytes_live * (USE_CLASSES - 1) // s.write_offset)
    if use == s.use_class:
        return
    unlist_use(log, unit)
    s.use_class = <uint16_t>use
    s.previous = log.use_last[side_of(s)][use]
    if s.previous:
        log.segments[s.previous].next = unit
    else:
        log.use_first[side_of(s)][use] = unit
    log.use_last[side_of(s)][use] = unit


# ---- windows

cdef inline uint32_t level_of(int64_t left_ms) noexcept nogil:
    """The level whose windows are at most 1/32 of the time left."""
    cdef int bits
    if left_ms < (1 << (WINDOW_LEVEL_MIN + 6)):
        return 0
    bits = 63 - __builtin_clzll(<unsigned long long>left_ms)
    return <uint32_t>min(bits - 5 - WINDOW_LEVEL_MIN, WINDOW_LEVELS - 1)


cdef Window* window_for(Log* log, int64_t expire_ms, uint32_t* level, uint64_t* end) noexcept nogil:
    cdef uint32_t k = level_of(expire_ms - log.now_ms)
    cdef uint64_t number
    cdef Window* window
    while k < WINDOW_LEVELS - 1:
        # A record that is expired already (born so, or moved while nothing is reaped) goes with the next window that will be reaped.
        number = max(<uint64_t>expire_ms >> (k + WINDOW_LEVEL_MIN), log.window_due[k])
        window = &log.windows[k * WINDOW_RING + (number & (WINDOW_RING - 1))]
        if likely(window.number == number + 1 or window.number == 0):
            window.number = number + 1
            end[0] = (number + 1) << (k + WINDOW_LEVEL_MIN)
            level[0] = k
            if k >= log.levels_used:
                log.levels_used = k + 1
            return window
        # The place is taken by another window: the clock was set back. A coarser one does.
        k += 1
    window = &log.windows[k * WINDOW_RING]
    window.number = 1
    end[0] = <uint64_t>1 << 63         # one more than the latest expiry there is
    level[0] = k
    return window


cdef bint log_window_has(const Log* log, uint64_t position, int64_t expire_ms) noexcept nogil:
    cdef const Segment* s = &log.segments[log_unit(log, position)]
    cdef uint64_t width = <uint64_t>1 << (s.level + WINDOW_LEVEL_MIN)
    INVARIANT(s.window != 0)
    # A level above that of the time left would keep it, dead, for longer than a record of that time may be kept.
    return (s.state != SEGMENT_EXPIRED and s.level < WINDOW_LEVELS - 1 and s.level <= level_of(expire_ms - log.now_ms)
            and s.window - width <= <uint64_t>expire_ms < s.window)


cdef Window* window_of(Log* log, const Segment* s) noexcept nogil:
    """REQUIRED: the segment is one of its window's: it has one, and that has not passed."""
    cdef Window* window
    cdef uint64_t number
    if s.level == WINDOW_LEVELS - 1:
        return &log.windows[s.level * WINDOW_RING]
    number = (s.window >> (s.level + WINDOW_LEVEL_MIN)) - 1
    window = &log.windows[s.level * WINDOW_RING + (number & (WINDOW_RING - 1))]
    INVARIANT(window.number == number + 1)
    return window


cdef void unlist_window(Log* log, uint32_t unit) noexcept nogil:
    cdef Segment* s = &log.segments[unit]
    cdef Window* window
    if s.window == 0 or s.state == SEGMENT_EXPIRED:
        return
    window = window_of(log, s)
    if s.window_previous:
        log.segments[s.window_previous].window_next = s.window_next
    else:
        INVARIANT(window.first == unit)
        window.first = s.window_next
    if s.window_next:
        log.segments[s.window_next].window_previous = s.window_previous
    if window.open == unit:
        window.open = 0
    if window.first == 0:
        window.number = 0
    s.window_next = 0
    s.window_previous = 0


cdef bint expire_window(Log* log, Window* window, uint32_t* most) noexcept nogil:
    """Its segments, from the first on, become expired; False when that were more than `most`: the rest is still the window's."""
    cdef uint32_t unit
    cdef Segment* s
    window.open = 0
    while window.first:
        if most[0] == 0:
            log.segments[window.first].window_previous = 0
            return False
        most[0] -= 1
        unit = window.first
        s = &log.segments[unit]
        window.first = s.window_next
        unlist_use(log, unit)
        if s.state == SEGMENT_OPEN:
            log.segments_open -= 1
        s.state = SEGMENT_EXPIRED
        s.window_next = 0
        s.window_previous = 0
        s.reap_offset = 0
        s.next = 0
        s.previous = log.expired_last
        if log.expired_last:
            log.segments[log.expired_last].next = unit
        else:
            log.expired_first = unit
        log.expired_last = unit
    window.number = 0
    return True


cdef void log_due(Log* log) noexcept nogil:
    cdef uint32_t level, i, most = DUE_SEGMENTS
    cdef uint64_t current, n
    cdef Window* window
    log.due_left = True
    for level in range(min(log.levels_used, WINDOW_LEVELS - 1)):
        current = <uint64_t>log.now_ms >> (level + WINDOW_LEVEL_MIN)
        if current <= log.window_due[level]:
            # Less: the clock was set back, and the windows of that time come once more.
            log.window_due[level] = current
            continue
        if current - log.window_due[level] < WINDOW_RING:
            for n in range(log.window_due[level], current):
                window = &log.windows[level * WINDOW_RING + (n & (WINDOW_RING - 1))]
                if window.number == n + 1 and not expire_window(log, window, &most):
                    log.window_due[level] = n
                    return
        else:
            for i in range(WINDOW_RING):
                window = &log.windows[level * WINDOW_RING + i]
                if window.number != 0 and window.number <= current and not expire_window(log, window, &most):
                    return
        log.window_due[level] = current
    log.due_left = False


# ---- segments

cdef uint32_t segment_open(Log* log, uint64_t end, uint32_t level, bint moving) noexcept nogil:
    cdef Arena* arena = log.arena
    cdef Segment* s
    cdef uint32_t unit
    cdef bint warm = False
    if not moving and arena.free_count + (arena.units - arena.high_water) <= log.reserve:
        return 0
    # A window ends with a segment half full on average: of that only what was written may be resident.
    unit = arena_take_bare(arena) if end else arena_take(arena, &warm)
    if unit == 0:
        return 0
    s = &log.segments[unit]
    INVARIANT(s.state == SEGMENT_FREE)
    log.sequence += 1
    s.state = SEGMENT_OPEN
    s.write_offset = 0
    s.populated = log.segment_bytes if warm else 0
    s.bytes_live = 0
    s.records_live = 0
    s.sequence = log.sequence
    s.window = end
    s.level = <uint16_t>level
    s.next = 0
    s.previous = 0
    s.window_next = 0
    s.window_previous = 0
    s.use_class = USE_NONE
    s.reap_offset = 0
    log.segments_used += 1
    log.segments_open += 1
    return unit


cdef void log_seal(Log* log, uint32_t unit) noexcept nogil:
    cdef Segment* s = &log.segments[unit]
    INVARIANT(s.state == SEGMENT_OPEN)
    s.state = SEGMENT_SEALED
    log.segments_open -= 1
    if s.window:
        window_of(log, s).open = 0
    elif log.open[GROUP_FRESH] == unit:
        log.open[GROUP_FRESH] = 0
    elif log.open[GROUP_SURVIVORS] == unit:
        log.open[GROUP_SURVIVORS] = 0
    list_use(log, unit)


cdef void populate(Log* log, uint32_t unit) noexcept nogil:
    """Memory for a step ahead of the write offset; a small one where a slice of the cleaner waits for it."""
    cdef Segment* s = &log.segments[unit]
    cdef bint small = log.open[GROUP_SURVIVORS] == unit or s.window != 0 and s.write_offset < POPULATE_FAST_FROM
    cdef uint32_t step = POPULATE_WINDOW_BYTES if small else POPULATE_BYTES
    cdef uint32_t to = min((s.write_offset + step - 1) & ~(step - 1), log.segment_bytes)
    range_populate(log.arena.base + (<uint64_t>unit << log.arena.unit_shift) + s.populated, to - s.populated)
    s.populated = to


cdef uint64_t log_append(Log* log, uint32_t n, int64_t expire_ms, bint moving) noexcept nogil:
    cdef Segment* s
    cdef Window* window = NULL
    cdef uint32_t unit, level = 0
    cdef uint64_t end = 0, position
    if expire_ms < 0:
        unit = log.open[GROUP_SURVIVORS if moving else GROUP_FRESH]
    else:
        window = window_for(log, expire_ms, &level, &end)
        unit = window.open
    if unlikely(unit == 0 or log.segments[unit].write_offset + n > log.segment_bytes):
        INVARIANT(n <= log.segment_bytes)
        if unit:
            log_seal(log, unit)
        unit = segment_open(log, end, level, moving)
        if unit == 0:
            if window != NULL and window.first == 0:
                window.number = 0
            return 0
        s = &log.segments[unit]
        if window == NULL:
            log.open[GROUP_SURVIVORS if moving else GROUP_FRESH] = unit
        else:
            s.window_next = window.first
            if window.first:
                log.segments[window.first].window_previous = unit
            window.first = unit
            window.open = unit
    s = &log.segments[unit]
    position = (<uint64_t>unit << log.arena.unit_shift) + s.write_offset
    s.write_offset += n
    if unlikely(s.write_offset > s.populated):
        populate(log, unit)
    s.bytes_live += n
    s.records_live += 1
    log.bytes_written += n
    log.bytes_live += n
    log.records_live += 1
    if moving:
        log.bytes_moved += n
    else:
        log.bytes_appended += n
    return position


cdef void log_kill(Log* log, uint64_t position, uint32_t n) noexcept nogil:
    cdef uint32_t unit = log_unit(log, position)
    cdef Segment* s = &log.segments[unit]
    INVARIANT(s.state != SEGMENT_FREE and s.bytes_live >= n and s.records_live > 0)
    s.bytes_live -= n
    s.records_live -= 1
    log.bytes_live -= n
    log.records_live -= 1
    if s.state == SEGMENT_SEALED:
        list_use(log, unit)


cdef void log_unlist(Log* log, uint32_t unit) noexcept nogil:
    cdef Segment* s = &log.segments[unit]
    INVARIANT(s.state == SEGMENT_SEALED or s.state == SEGMENT_EXPIRED)
    if s.state == SEGMENT_SEALED:
        unlist_use(log, unit)
        unlist_window(log, unit)
        s.state = SEGMENT_CLEANING
        return
    if s.previous:
        log.segments[s.previous].next = s.next
    else:
        log.expired_first = s.next
    if s.next:
        log.segments[s.next].previous = s.previous
    else:
        log.expired_last = s.previous
    s.next = 0
    s.previous = 0


cdef void log_release(Log* log, uint32_t unit) noexcept nogil:
    cdef Segment* s = &log.segments[unit]
    INVARIANT(s.records_live == 0 and s.bytes_live == 0 and s.use_class == USE_NONE)
    log.bytes_written -= s.write_offset
    log.segments_used -= 1
    s.state = SEGMENT_FREE
    s.write_offset = 0
    arena_give(log.arena, unit)
