"""Ziplists: how RDB held small collections before there were listpacks. Read only.

    ziplist   total bytes u32 | offset of the last entry u32 | entries u16, 65535: unknown | entry ... | 255
    entry     bytes of the entry before: one, or 254 and u32 | head, bytes

    head      00nnnnnn                string of n bytes
              01nnnnnn n              string of n bytes, the length big-endian
              10...... n n n n        string of n bytes, the length big-endian
              c0 i16, d0 i32, e0 i64, f0 i24, fe i8; f1 to fd: the numbers 0 to 12

Little-endian but for the lengths.
"""
from libc.stdint cimport uint8_t, uint32_t, uint64_t
from gapless.engine.listpack cimport ListpackEntry


cdef struct Ziplist:
    const uint8_t* at          # the next entry
    const uint8_t* end         # its final byte
    uint32_t entries


# Checks all of n bytes; False: they are no ziplist. O(n).
cdef bint ziplist_open(const uint8_t* data, uint64_t n, Ziplist* out) noexcept nogil
# The next entry of one that was opened; False at the end.
cdef bint ziplist_next(Ziplist* list, ListpackEntry* out) noexcept nogil
