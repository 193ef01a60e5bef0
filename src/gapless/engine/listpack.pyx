from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from gapless.engine.base cimport load_u16, load_u32, load_u64, store_u16, store_u32, store_u64, parse_int64
from gapless.engine.reply cimport format_int64, reply_raw, reply_reserve

cdef enum:
    HEADER_BYTES = 6
    END = 0xff
    ENTRIES_UNKNOWN = 0xffff
    NUMBER_TEXT_BYTES_MAX = 20


# ---- writing

cdef size_t listpack_begin(Reply* out) noexcept nogil:
    cdef size_t begin = out.length
    reply_reserve(out, HEADER_BYTES)
    out.length += HEADER_BYTES
    return begin


cdef void listpack_end(Reply* out, size_t begin, uint64_t entries) noexcept nogil:
    cdef uint8_t last = END
    reply_raw(out, &last, 1)
    store_u32(out.data + begin, <uint32_t>(out.length - begin))
    store_u16(out.data + begin + 4, <uint32_t>min(entries, <uint64_t>ENTRIES_UNKNOWN) & 0xffff)


cdef inline uint32_t backwards_bytes(uint64_t n) noexcept nogil:
    """Redis takes a byte more for the highest lengths of two, three and four bytes than they need."""
    return 1 if n < 128 else 2 if n < 0x3fff else 3 if n < 0x1fffff else 4 if n < 0xfffffff else 5


cdef inline uint32_t number_bytes(int64_t number) noexcept nogil:
    if 0 <= number <= 127:
        return 1
    if -4096 <= number <= 4095:
        return 2
    if -0x8000 <= number <= 0x7fff:
        return 3
    if -0x800000 <= number <= 0x7fffff:
        return 4
    return 5 if -<int64_t>0x80000000 <= number <= 0x7fffffff else 9


cdef uint32_t listpack_entry_bytes(const uint8_t* data, uint32_t n) noexcept nogil:
    cdef int64_t number
    if n <= NUMBER_TEXT_BYTES_MAX and n > 0 and data[0] <= c'9' and parse_int64(data, n, &number):
        return number_bytes(number) + 1
    n += 1 if n < 64 else 2 if n < 4096 else 5
    return n + backwards_bytes(n)


cdef uint32_t listpack_number_bytes(int64_t number) noexcept nogil:
    return number_bytes(number) + 1


cdef void add_length_backwards(Reply* out, uint64_t n) noexcept nogil:
    cdef uint8_t[8] bytes
    cdef int i, count = <int>backwards_bytes(n)
    # The highest 7 bits come first; all but they are marked, for a reader that comes from the right.
    for i in range(count):
        bytes[i] = <uint8_t>((n >> (7 * (count - 1 - i))) & 0x7f) | (0x80 if i else 0)
    reply_raw(out, bytes, count)


cdef void listpack_add_number(Reply* out, int64_t number) noexcept nogil:
    cdef uint8_t[9] entry
    cdef uint32_t n = number_bytes(number)
    if n == 1:
        entry[0] = <uint8_t>number
    elif n == 2:
        entry[0] = <uint8_t>(0xc0 | ((number >> 8) & 0x1f))
        entry[1] = <uint8_t>number
    else:
        store_u64(entry + 1, <uint64_t>number)
        entry[0] = <uint8_t>(0xf4 if n == 9 else 0xee + n)
    reply_raw(out, entry, n)
    add_length_backwards(out, n)


cdef void listpack_add(Reply* out, const uint8_t* data, uint32_t n) noexcept nogil:
    cdef int64_t number
    cdef uint8_t[5] head
    cdef int head_bytes
    if n <= NUMBER_TEXT_BYTES_MAX and parse_int64(data, n, &number):
        listpack_add_number(out, number)
        return
    if n < 64:
        head[0] = <uint8_t>(0x80 | n)
        head_bytes = 1
    elif n < 4096:
        head[0] = <uint8_t>(0xe0 | (n >> 8))
        head[1] = <uint8_t>n
        head_bytes = 2
    else:
        head[0] = 0xf0
        store_u32(head + 1, n)
        head_bytes = 5
    reply_raw(out, head, head_bytes)
    reply_raw(out, data, n)
    add_length_backwards(out, <uint64_t>head_bytes + n)


# ---- reading

cdef bint measure(const uint8_t* at, const uint8_t* end, uint64_t* head, uint64_t* bytes) noexcept nogil:
    """How long the entry's head is and what follows it; False when it leads beyond the end or is of no known kind."""
    cdef uint8_t first = at[0]
    cdef uint64_t left = <uint64_t>(end - at)
    head[0] = 1
    bytes[0] = 0
    if first < 0x80:
        return True
    if first < 0xc0:
        bytes[0] = first & 0x3f
    elif first < 0xe0:
        bytes[0] = 1
    elif first < 0xf0:
        if left < 2:
            return False
        head[0] = 2
        bytes[0] = (<uint64_t>(first & 0x0f) << 8) | at[1]
    elif first == 0xf0:
        if left < 5:
            return False
        head[0] = 5
        bytes[0] = load_u32(at + 1)
    elif first <= 0xf4:
        bytes[0] = 8 if first == 0xf4 else first - 0xef
    else:
        return False
    return head[0] + bytes[0] <= left


cdef bint length_is(const uint8_t* at, uint64_t n, uint32_t count) noexcept nogil:
    """Whether the `count` bytes there are this length backwards."""
    cdef uint32_t i
    for i in range(count):
        if at[i] != (<uint8_t>((n >> (7 * (count - 1 - i))) & 0x7f) | (0x80 if i else 0)):
            return False
    return True


cdef bint listpack_open(const uint8_t* data, uint64_t n, Listpack* out) noexcept nogil:
    cdef const uint8_t* at = data + HEADER_BYTES
    cdef uint64_t head, bytes
    cdef uint32_t behind, count = 0
    if n < HEADER_BYTES + 1 or load_u32(data) != n or data[n - 1] != END:
        return False
    out.at = at
    out.end = data + n - 1
    while at < out.end:
        if not measure(at, out.end, &head, &bytes):
            return False
        behind = backwards_bytes(head + bytes)
        if head + bytes + behind > <uint64_t>(out.end - at) or not length_is(at + head + bytes, head + bytes, behind):
            return False
        at += head + bytes + behind
        count += 1
    out.entries = count
    return load_u16(data + 4) == ENTRIES_UNKNOWN or load_u16(data + 4) == count


cdef bint listpack_next(Listpack* list, ListpackEntry* out) noexcept nogil:
    cdef const uint8_t* at = list.at
    cdef uint8_t first
    cdef uint64_t head, bytes
    cdef int64_t number
    if at >= list.end:
        return False
    measure(at, list.end, &head, &bytes)
    list.at = at + head + bytes + backwards_bytes(head + bytes)
    first = at[0]
    if 0x80 <= first < 0xc0 or 0xe0 <= first <= 0xf0:
        out.data = at + head
        out.size = <uint32_t>bytes
        return True
    if first < 0x80:
        number = first
    elif first < 0xe0:
        number = ((<int64_t>(first & 0x1f) << 8) | at[1])
        number -= 0x2000 if number & 0x1000 else 0
    elif first == 0xf1:
        number = <short>load_u16(at + 1)
    elif first == 0xf2:
        number = <int>((<uint32_t>load_u16(at + 1) << 8) | (<uint32_t>at[3] << 24)) >> 8
    elif first == 0xf3:
        number = <int>load_u32(at + 1)
    else:
        number = <int64_t>load_u64(at + 1)
    out.size = <uint32_t>format_int64(out.digits, number)
    out.data = <const uint8_t*>out.digits
    return True
