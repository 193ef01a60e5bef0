from libc.stdint cimport uint8_t, uint32_t, uint64_t
from gapless.engine.base cimport load_u32

cdef enum:
    LENGTH_LONG = 254
    END = 255


cdef inline bint read_length(Zipmap* map, uint32_t* n) noexcept nogil:
    if map.at >= map.end or map.at[0] > LENGTH_LONG:
        return False
    if map.at[0] < LENGTH_LONG:
        n[0] = map.at[0]
        map.at += 1
        return True
    if map.end - map.at < 5:
        return False
    n[0] = load_u32(map.at + 1)
    map.at += 5
    return True


cdef bint read_field(Zipmap* map, ZipmapField* out) noexcept nogil:
    cdef uint32_t unused
    if not read_length(map, &out.name_bytes) or out.name_bytes > <uint64_t>(map.end - map.at):
        return False
    out.name = map.at
    map.at += out.name_bytes
    if not read_length(map, &out.value_bytes) or map.at >= map.end:
        return False
    unused = map.at[0]
    map.at += 1
    if <uint64_t>out.value_bytes + unused > <uint64_t>(map.end - map.at):
        return False
    out.value = map.at
    map.at += out.value_bytes + unused
    return True


cdef bint zipmap_open(const uint8_t* data, uint64_t n, Zipmap* out) noexcept nogil:
    cdef ZipmapField field
    cdef uint32_t count = 0
    if n < 2 or data[n - 1] != END:
        return False
    out.at = data + 1
    out.end = data + n - 1
    while out.at < out.end:
        if not read_field(out, &field):
            return False
        count += 1
    out.at = data + 1
    return data[0] == LENGTH_LONG or data[0] == count


cdef bint zipmap_next(Zipmap* map, ZipmapField* out) noexcept nogil:
    return map.at < map.end and read_field(map, out)
