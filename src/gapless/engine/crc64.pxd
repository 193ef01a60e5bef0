"""CRC-64 of RDB files and DUMP payloads: polynomial 0xad93d23594c935a9 (Jones), reflected, no inversion.

The check value, the CRC of "123456789" from 0, is 0xe9c6d914c4b8d9ca.
"""
from libc.stdint cimport uint8_t, uint64_t


# The CRC of what came before (0 at the start) and n bytes more. Eight bytes a step.
cdef uint64_t crc64(uint64_t crc, const uint8_t* data, size_t n) noexcept nogil
# The CRC of what came before and n zeros more. O(log n).
cdef uint64_t crc64_zeros(uint64_t crc, uint64_t n) noexcept nogil
