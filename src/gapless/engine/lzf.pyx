"""The encoder and decoder of LZF. See lzf.pxd."""
from libc.string cimport memcpy, memset

cdef enum:
    LITERALS_MAX = 32
    OFFSET_MAX = 1 << 13
    MATCH_MAX = 264


cdef inline uint32_t place(const uint8_t* p) noexcept nogil:
    """Where the three bytes at p are entered in the table."""
    cdef uint32_t three = (<uint32_t>p[0] << 16) | (<uint32_t>p[1] << 8) | p[2]
    return ((three >> 8) - three * 5) & (LZF_TABLE_SLOTS - 1)


cdef size_t lzf_compress(const uint8_t* data, size_t n, uint8_t* out, size_t room, uint32_t* table) noexcept nogil:
    cdef size_t i = 0, written = 1, literals = 0, back, length, most
    cdef size_t candidate
    cdef uint32_t* slot
    if n < 4 or room < 4:
        return 0
    # out[written - literals - 1] is kept free for the count of the literals being written.
    while i + 2 < n:
        slot = &table[place(data + i)]
        candidate = slot[0]
        slot[0] = <uint32_t>i
        if (candidate != 0 and candidate < i and i - candidate - 1 < OFFSET_MAX and data[candidate] == data[i]
                and data[candidate + 1] == data[i + 1] and data[candidate + 2] == data[i + 2]):
            back = i - candidate - 1
            if written + 4 >= room and written - (literals == 0) + 4 >= room:
                return 0
            if literals:
                out[written - literals - 1] = <uint8_t>(literals - 1)
                literals = 0
            else:
                written -= 1
            # Redis's encoder leaves the last two bytes out of a match, but looks at 16 bytes at a time at first.
            most = min(n - i - 2, <size_t>MATCH_MAX)
            if most == 17 or most == 18:
                most = 19
            length = 3
            while length < most and data[candidate + length] == data[i + length]:
                length += 1
            if length < 9:
                out[written] = <uint8_t>((back >> 8) + ((length - 2) << 5))
                written += 1
            else:
                out[written] = <uint8_t>((back >> 8) + (7 << 5))
                out[written + 1] = <uint8_t>(length - 9)
                written += 2
            out[written] = <uint8_t>back
            written += 2
            i += length
            if i + 2 >= n:
                break
            table[place(data + i - 2)] = <uint32_t>(i - 2)
            table[place(data + i - 1)] = <uint32_t>(i - 1)
        else:
            if written >= room:
                return 0
            out[written] = data[i]
            written += 1
            i += 1
            literals += 1
            if literals == LITERALS_MAX:
                out[written - literals - 1] = LITERALS_MAX - 1
                literals = 0
                written += 1
    if written + 3 > room:
        return 0
    while i < n:
        out[written] = data[i]
        written += 1
        i += 1
        literals += 1
        if literals == LITERALS_MAX:
            out[written - literals - 1] = LITERALS_MAX - 1
            literals = 0
            written += 1
    if literals:
        out[written - literals - 1] = <uint8_t>(literals - 1)
        return written
    return written - 1


cdef void lzf_clear(const uint8_t* data, size_t n, uint32_t* table) noexcept nogil:
    cdef size_t i
    if n > LZF_TABLE_SLOTS // 4:
        memset(table, 0, LZF_TABLE_SLOTS * sizeof(uint32_t))
        return
    for i in range(n - 2 if n > 2 else 0):
        table[place(data + i)] = 0


cdef int64_t lzf_measure(const uint8_t* data, size_t n) noexcept nogil:
    cdef size_t i = 0, total = 0, length, back
    cdef uint8_t control
    while i < n:
        control = data[i]
        i += 1
        if control < LITERALS_MAX:
            length = control + 1
            if n - i < length:
                return -1
            i += length
            total += length
            continue
        length = (control >> 5) + 2
        if length == 9:
            if i >= n:
                return -1
            length += data[i]
            i += 1
        if i >= n:
            return -1
        back = ((<size_t>(control & 0x1f) << 8) | data[i]) + 1
        i += 1
        if back > total:
            return -1
        total += length
    return <int64_t>total


cdef void lzf_decompress(const uint8_t* data, size_t n, uint8_t* out) noexcept nogil:
    cdef size_t i = 0, written = 0, length, from_
    cdef uint8_t control
    while i < n:
        control = data[i]
        i += 1
        if control < LITERALS_MAX:
            length = control + 1
            memcpy(out + written, data + i, length)
            i += length
            written += length
            continue
        length = (control >> 5) + 2
        if length == 9:
            length += data[i]
            i += 1
        from_ = written - (((<size_t>(control & 0x1f) << 8) | data[i]) + 1)
        i += 1
        # Byte by byte: a copy may overlap what it writes.
        while length > 0:
            out[written] = out[from_]
            written += 1
            from_ += 1
            length -= 1
