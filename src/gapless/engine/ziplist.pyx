from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from gapless.engine.base cimport load_u16, load_u32, load_u64
from gapless.engine.reply cimport format_int64

cdef enum:
    HEADER_BYTES = 10
    END = 0xff
    ENTRIES_UNKNOWN = 0xffff
    LONG_BEFORE = 254


cdef struct Head:
    uint64_t before            # bytes of the entry before
    uint64_t head              # bytes of both heads
    uint64_t bytes             # that follow
    bint number


cdef bint read_head(const uint8_t* at, uint64_t left, Head* out) noexcept nogil:
    """False when the entry leads beyond the end or is of no known kind."""
    cdef uint8_t first
    cdef uint64_t behind
    if at[0] >= LONG_BEFORE and (at[0] == END or left < 6):
        return False
    out.before = load_u32(at + 1) if at[0] == LONG_BEFORE else at[0]
    behind = 5 if at[0] == LONG_BEFORE else 1
    if left < behind + 1:
        return False
    first = at[behind]
    at += behind
    left -= behind
    out.number = first >= 0xc0
    if first < 0x40:
        out.head = 1
        out.bytes = first
    elif first < 0x80:
        if left < 2:
            return False
        out.head = 2
        out.bytes = (<uint64_t>(first & 0x3f) << 8) | at[1]
    elif first < 0xc0:
        if left < 5:
            return False
        out.head = 5
        out.bytes = (<uint64_t>at[1] << 24) | (<uint64_t>at[2] << 16) | (<uint64_t>at[3] << 8) | at[4]
    else:
        out.head = 1
        out.bytes = (2 if first == 0xc0 else 4 if first == 0xd0 else 8 if first == 0xe0 else 3 if first == 0xf0 else
                     1 if first == 0xfe else 0)
        if out.bytes == 0 and not 0xf1 <= first <= 0xfd:
            return False
    if out.head + out.bytes > left:
        return False
    out.head += behind
    return True


cdef bint ziplist_open(const uint8_t* data, uint64_t n, Ziplist* out) noexcept nogil:
    cdef const uint8_t* at = data + HEADER_BYTES
    cdef const uint8_t* last = at
    cdef uint64_t before = 0
    cdef uint32_t count = 0
    cdef Head head
    if n < HEADER_BYTES + 1 or load_u32(data) != n or data[n - 1] != END:
        return False
    out.at = at
    out.end = data + n - 1
    while at < out.end:
        if not read_head(at, <uint64_t>(out.end - at), &head) or head.before != before:
            return False
        last = at
        before = head.head + head.bytes
        at += before
        count += 1
    out.entries = count
    return load_u32(data + 4) == <uint64_t>(last - data) and (
        load_u16(data + 8) == ENTRIES_UNKNOWN or load_u16(data + 8) == count)


cdef bint ziplist_next(Ziplist* list, ListpackEntry* out) noexcept nogil:
    cdef Head head
    cdef const uint8_t* bytes
    cdef uint8_t kind
    cdef int64_t number
    if list.at >= list.end:
        return False
    read_head(list.at, <uint64_t>(list.end - list.at), &head)
    bytes = list.at + head.head
    list.at = bytes + head.bytes
    if not head.number:
        out.data = bytes
        out.size = <uint32_t>head.bytes
        return True
    kind = bytes[-1]
    if kind == 0xc0:
        number = <short>load_u16(bytes)
    elif kind == 0xd0:
        number = <int>load_u32(bytes)
    elif kind == 0xe0:
        number = <int64_t>load_u64(bytes)
    elif kind == 0xf0:
        number = <int>((<uint32_t>load_u16(bytes) << 8) | (<uint32_t>bytes[2] << 24)) >> 8
    elif kind == 0xfe:
        number = <signed char>bytes[0]
    else:
        number = (kind & 15) - 1
    out.size = <uint32_t>format_int64(out.digits, number)
    out.data = <const uint8_t*>out.digits
    return True
