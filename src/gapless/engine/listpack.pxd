"""Listpacks: how RDB holds small collections, written and read. Nothing in the store has this form.

    listpack  total bytes u32 | entries u16, 65535: unknown | entry ... | 255
    entry     head, bytes | its length backwards: 7 bits a byte, the lowest byte last

    head      0nnnnnnn                7-bit number
              10nnnnnn                string of n bytes
              110nnnnn n              13-bit number, signed
              1110nnnn n              string of n bytes
              f0 n n n n              string of n bytes
              f1 i16, f2 i24, f3 i32, f4 i64

Little-endian but for the 12-bit length and the 13-bit number. A text that is a number in its canonical form is stored as one.
"""
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from gapless.engine.reply cimport Reply


cdef struct Listpack:
    const uint8_t* at          # the next entry
    const uint8_t* end         # its final byte
    uint32_t entries


cdef struct ListpackEntry:
    const uint8_t* data        # in the listpack, or in `digits`
    uint32_t size
    char digits[24]


# Bytes that an element takes in a listpack, its length backwards counted.
cdef uint32_t listpack_entry_bytes(const uint8_t* data, uint32_t n) noexcept nogil
cdef uint32_t listpack_number_bytes(int64_t number) noexcept nogil
# Begins a listpack at the end of `out`; where it begins, for listpack_end().
cdef size_t listpack_begin(Reply* out) noexcept nogil
cdef void listpack_add(Reply* out, const uint8_t* data, uint32_t n) noexcept nogil
cdef void listpack_add_number(Reply* out, int64_t number) noexcept nogil
cdef void listpack_end(Reply* out, size_t begin, uint64_t entries) noexcept nogil

# Checks all of n bytes; False: they are no listpack. O(n).
cdef bint listpack_open(const uint8_t* data, uint64_t n, Listpack* out) noexcept nogil
# The next entry of one that was opened; False at the end.
cdef bint listpack_next(Listpack* list, ListpackEntry* out) noexcept nogil
