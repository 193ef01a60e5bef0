"""Zipmaps: how RDB held small hashes before there were ziplists. Read only.

    zipmap    fields u8, 254: unknown | field ... | 255
    field     length, name | length, unused u8, value, unused bytes
    length    one byte, or 254 and u32, little-endian
"""
from libc.stdint cimport uint8_t, uint32_t, uint64_t


cdef struct Zipmap:
    const uint8_t* at          # the next field
    const uint8_t* end         # its final byte


cdef struct ZipmapField:
    const uint8_t* name
    const uint8_t* value
    uint32_t name_bytes
    uint32_t value_bytes


# Checks all of n bytes; False: they are no zipmap. O(n).
cdef bint zipmap_open(const uint8_t* data, uint64_t n, Zipmap* out) noexcept nogil
# The next field of one that was opened; False at the end.
cdef bint zipmap_next(Zipmap* map, ZipmapField* out) noexcept nogil
