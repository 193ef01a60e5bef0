"""Frames of a journal. See frames.pxd."""
from collections import namedtuple

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memchr, memcpy
from gapless.engine.base cimport INVARIANT, load_u32, load_u64, store_u16, store_u32, store_u64
from gapless.engine.crc32c cimport crc32c

cdef uint32_t FRAME_SYNC = 0x464a5047      # "GPJF"

EFFECTS = FRAME_EFFECTS
IMAGES = FRAME_IMAGES
SEALED = FRAME_SEALED
CLOSED = FRAME_CLOSED
CLEANED = FRAME_CLEANED
GOES_ON = FRAME_GOES_ON
AFTER_SYNC = FRAME_AFTER_SYNC

Extent = namedtuple("Extent", "end good_end frames last_kind last_ms cleaned cleaned_end after_sync")
FrameAt = namedtuple("FrameAt", "offset kind flags time_ms start end")


cdef uint32_t frame_seed(const uint8_t* store_id, uint32_t file_number) noexcept nogil:
    return crc32c(crc32c(0, store_id, STORE_ID_BYTES), <uint8_t*>&file_number, sizeof(file_number))


cdef inline uint32_t checksum_of(const uint8_t* frame, uint64_t body_bytes, uint32_t seed, uint64_t offset) noexcept nogil:
    cdef uint32_t crc = crc32c(seed, <uint8_t*>&offset, sizeof(offset))
    crc = crc32c(crc, frame + 4, 4)
    return crc32c(crc, frame + 12, FRAME_HEAD - 12 + body_bytes)


cdef void frame_finish(uint8_t* frame, uint64_t body_bytes, int kind, int flags, int64_t time_ms, uint32_t seed, uint64_t offset) noexcept nogil:
    INVARIANT(body_bytes >> 32 == 0)
    store_u32(frame, FRAME_SYNC)
    store_u32(frame + 4, <uint32_t>body_bytes)
    frame[12] = <uint8_t>kind
    frame[13] = <uint8_t>flags
    store_u16(frame + 14, 0)
    store_u64(frame + 16, <uint64_t>time_ms)
    store_u32(frame + 8, checksum_of(frame, body_bytes, seed, offset))


cdef FrameState frame_read(const uint8_t* file, uint64_t n, uint64_t offset, uint32_t seed, bint verify, Frame* out) noexcept nogil:
    cdef const uint8_t* at = file + offset
    if offset >= n:
        return FRAME_END
    if n - offset < FRAME_HEAD or load_u32(at) != FRAME_SYNC:
        return FRAME_BAD
    out.body_bytes = load_u32(at + 4)
    if out.body_bytes > n - offset - FRAME_HEAD:
        return FRAME_BAD
    if verify and checksum_of(at, out.body_bytes, seed, offset) != load_u32(at + 8):
        return FRAME_BAD
    out.body = at + FRAME_HEAD
    out.kind = at[12]
    out.flags = at[13]
    out.time_ms = <int64_t>load_u64(at + 16)
    out.next = offset + FRAME_HEAD + out.body_bytes
    return FRAME_GOOD


cdef const uint8_t* id_of(bytes store_id) except NULL:
    if len(store_id) != STORE_ID_BYTES:
        raise ValueError(f"a store's id has {STORE_ID_BYTES} bytes, not {len(store_id)}")
    return <const uint8_t*>PyBytes_AS_STRING(store_id)


def frame(int kind, int flags, int64_t time_ms, bytes body not None, bytes store_id not None, uint32_t number, uint64_t offset):
    """The bytes of one frame."""
    cdef bytes made = PyBytes_FromStringAndSize(NULL, FRAME_HEAD + len(body))
    cdef uint8_t* at = <uint8_t*>PyBytes_AS_STRING(made)
    memcpy(at + FRAME_HEAD, PyBytes_AS_STRING(body), len(body))
    frame_finish(at, len(body), kind, flags, time_ms, frame_seed(id_of(store_id), number), offset)
    return made


cdef class Frames:
    """The frames of one journal file. `data`: the whole file, header included; it is kept while this lives."""

    def __init__(self, data, bytes store_id not None, uint32_t number):
        self.view = data if len(data) else b"\0"
        self.size = <uint64_t>len(data)
        self.data = &self.view[0]
        self.seed = frame_seed(id_of(store_id), number)
        self.number = number

    def survey(self, uint64_t start):
        """How far good frames reach from `start` on. O(bytes), without the GIL.

        `end`: behind the last batch that is whole, `good_end`: behind the last good frame; `frames`: their number; `last_kind` and `last_ms`
        of the last one, 0 when there is none; `cleaned`: up to which file nothing is needed any more, and `cleaned_end` behind the frame that
        says so last; `after_sync`: whether any says that the file before was on disk.
        """
        cdef Frame f
        cdef uint64_t at = start, end = start, count = 0, whole = 0, cleaned_end = 0
        cdef uint32_t cleaned = 0
        cdef int last_kind = 0
        cdef int64_t last_ms = 0
        cdef bint after_sync = False
        with nogil:
            while frame_read(self.data, self.size, at, self.seed, True, &f) == FRAME_GOOD:
                at = f.next
                count += 1
                after_sync |= f.flags & FRAME_AFTER_SYNC != 0
                if f.flags & FRAME_GOES_ON:
                    continue
                end = at
                whole = count
                last_kind = f.kind
                last_ms = f.time_ms
                if f.kind == FRAME_CLEANED and f.body_bytes == 4:
                    cleaned = load_u32(f.body)
                    cleaned_end = end
        return Extent(end, at, whole, last_kind, last_ms, cleaned, cleaned_end, after_sync)

    def find(self, uint64_t start):
        """The offset of the first good frame at `start` or behind; -1: there is none. O(bytes)."""
        cdef Frame f
        cdef const uint8_t* at
        cdef uint64_t offset = start
        cdef bint found = False
        with nogil:
            while not found and offset + FRAME_HEAD <= self.size:
                at = <const uint8_t*>memchr(self.data + offset, FRAME_SYNC & 0xff, self.size - offset)
                if at == NULL:
                    break
                offset = <uint64_t>(at - self.data)
                found = frame_read(self.data, self.size, offset, self.seed, True, &f) == FRAME_GOOD
                offset += not found
        return offset if found else -1

    def at(self, uint64_t offset):
        """The frame that begins there, where its body starts and ends; None: no good one does."""
        cdef Frame f
        if frame_read(self.data, self.size, offset, self.seed, True, &f) != FRAME_GOOD:
            return None
        return FrameAt(offset, f.kind, f.flags, f.time_ms, offset + FRAME_HEAD, f.next)
