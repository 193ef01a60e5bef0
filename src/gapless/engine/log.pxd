"""The log: segments of records, their table, and which segment a record is appended to.

Segments are arena units. The table has one entry a unit, in a mapping of its own:

    FREE --append--> OPEN --full, or its window begins--> SEALED --cleaned, or all dead--> FREE
                  `--its window has passed--> EXPIRED --reaped--> FREE

Grouping. A record without a TTL goes to the open segment for fresh records, or, when the cleaner moves it, to the one for survivors. A
record with a TTL goes to the open segment of its *window*: expiry times [n * 2^k, (n + 1) * 2^k) ms, where 2^k is at most 1/32 of the
time it has left, 64 ms at least. All records of a window die within 2^k ms, so its segments die whole. An open segment has memory a
step ahead of its write offset: 64 KiB, or 16 KiB for survivors and in the first 256 KiB of a window's, of which there are many.
"""
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from gapless.engine.arena cimport Arena


cdef enum SegmentState:
    SEGMENT_FREE = 0
    SEGMENT_OPEN = 1
    SEGMENT_SEALED = 2
    SEGMENT_EXPIRED = 3        # its window has passed: waits for the reaper
    SEGMENT_CLEANING = 4       # in no list; the cleaner is moving what is live


cdef enum:
    WINDOW_LEVEL_MIN = 6       # 2^6 ms
    WINDOW_LEVELS = 40         # the last has one window without an end
    WINDOW_RING = 128          # windows of one level that can be in use at a time: up to 64, doubled
    USE_CLASSES = 64           # lists of sealed segments by share of live bytes
    USE_EMPTY = 64             # the list of those where nothing is live
    USE_NONE = 65              # in no list
    GROUP_FRESH = 0
    GROUP_SURVIVORS = 1


cdef struct Segment:           # 64 bytes
    uint32_t state
    uint32_t write_offset
    uint32_t bytes_live
    uint32_t records_live
    uint64_t sequence          # order of birth: its age, for cost-benefit
    uint64_t window            # end of its window, ms; 0: holds records without a TTL
    uint32_t next              # in its list (use class or expired), unit numbers; 0: none
    uint32_t previous
    uint32_t window_next       # segments of the same window
    uint16_t level             # of the window, from 0
    uint16_t use_class
    uint32_t reap_offset       # how far an expired segment has been reaped
    uint32_t window_previous
    uint32_t populated         # bytes from its start that have memory


cdef struct Window:
    uint64_t number            # n + 1; 0: empty
    uint32_t open              # its open segment, 0: none
    uint32_t first             # all its segments, linked by window_next


cdef struct Log:
    Arena* arena
    Segment* segments
    uint32_t segment_bytes
    uint32_t record_bytes_max  # a record larger than this keeps its value in an extent
    uint32_t open[2]           # GROUP_FRESH, GROUP_SURVIVORS
    Window* windows            # WINDOW_LEVELS * WINDOW_RING
    uint64_t window_due[WINDOW_LEVELS]   # first window of the level that may not have been reaped yet
    bint due_left              # log_due() did not come to its end
    uint32_t levels_used       # levels above this were never used
    uint32_t use_first[2][USE_CLASSES + 1]  # by (has TTL, class): oldest first
    uint32_t use_last[2][USE_CLASSES + 1]
    uint32_t expired_first     # segments whose window has passed, to be reaped
    uint32_t expired_last
    uint64_t sequence
    uint64_t bytes_live
    uint64_t bytes_written     # sum of write offsets of segments in use: live + dead
    uint64_t records_live
    uint32_t segments_used
    uint32_t segments_open
    uint64_t bytes_appended    # total ever, without what the cleaner moved
    uint64_t bytes_moved       # by the cleaner
    uint32_t reserve           # free units that only the cleaner may take
    int64_t now_ms


cdef inline uint32_t log_unit(const Log* log, uint64_t position) noexcept nogil:
    return <uint32_t>(position >> log.arena.unit_shift)

cdef inline uint8_t* log_at(const Log* log, uint64_t position) noexcept nogil:
    return log.arena.base + position

cdef Log* log_new(Arena* arena) noexcept nogil
cdef void log_free(Log* log) noexcept nogil
# Room for a record of n bytes: its position, counted as live; 0 when the arena is full. moving: by the cleaner.
cdef uint64_t log_append(Log* log, uint32_t n, int64_t expire_ms, bint moving) noexcept nogil
# Whether the record at this position, which has a TTL, would stay in its window with this expiry: then it need not move.
cdef bint log_window_has(const Log* log, uint64_t position, int64_t expire_ms) noexcept nogil
# n bytes of the record at this position are dead from now on. The segment is freed by the cleaner when nothing in it is live.
cdef void log_kill(Log* log, uint64_t position, uint32_t n) noexcept nogil
# Segments whose window has passed become expired, so many a call; call before looking at expired_first.
cdef void log_due(Log* log) noexcept nogil
# Takes the segment out of its lists; log_release() then frees it.
cdef void log_unlist(Log* log, uint32_t unit) noexcept nogil
cdef void log_release(Log* log, uint32_t unit) noexcept nogil
cdef void log_seal(Log* log, uint32_t unit) noexcept nogil
