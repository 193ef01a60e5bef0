"""Frames: what a journal file consists of behind its header. A frame is a batch, whole or not there.

    offset  bytes
    0       4      "GPJF"
    4       4      length of the body
    8       4      CRC-32C of the frame's place, of its length, of kind to time, and of the body
    12      1      kind
    13      1      flags
    14      2      0
    16      8      time, ms since the epoch
    24      n      the body

A frame's place, its offset in the file after the store's id and the file's number, is not written but counted in its checksum: so the bytes of a
frame are no frame anywhere else, neither left over from an earlier attempt, nor in a value that somebody stored, nor in another store.
"""
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t


cdef enum:
    STORE_ID_BYTES = 16
    FRAME_HEAD = 24                # bytes before the body

cdef enum FrameKind:
    FRAME_EFFECTS = 1
    FRAME_IMAGES = 2               # written anew by cleaning
    FRAME_SEALED = 3               # the last of a file that has a successor
    FRAME_CLOSED = 4               # the store was closed after it
    FRAME_CLEANED = 5              # body: u32 number; files up to this one are needed no more

cdef enum FrameFlag:
    FRAME_GOES_ON = 1              # the next frame's body belongs to the same batch
    FRAME_AFTER_SYNC = 2           # when it was written, the file before was on disk whole

cdef enum FrameState:
    FRAME_GOOD = 0
    FRAME_END = 1                  # nothing is there
    FRAME_BAD = 2

cdef struct Frame:
    const uint8_t* body
    uint64_t body_bytes
    int64_t time_ms
    uint64_t next                  # offset behind it
    uint8_t kind
    uint8_t flags


# What the checksums of a file's frames begin with.
cdef uint32_t frame_seed(const uint8_t* store_id, uint32_t file_number) noexcept nogil
# Fills in the head of a frame that will stand at `offset`; its body lies behind the head already. body_bytes < 2^32.
cdef void frame_finish(uint8_t* frame, uint64_t body_bytes, int kind, int flags, int64_t time_ms, uint32_t seed, uint64_t offset) noexcept nogil
# The frame at `offset` of a file of n bytes; `verify`: by its checksum too. O(its bytes).
cdef FrameState frame_read(const uint8_t* file, uint64_t n, uint64_t offset, uint32_t seed, bint verify, Frame* out) noexcept nogil


cdef class Frames:
    # The frames of one file, in memory (a mapping of it).
    cdef const uint8_t[::1] view
    cdef const uint8_t* data
    cdef readonly uint64_t size
    cdef uint32_t seed
    cdef readonly uint32_t number
