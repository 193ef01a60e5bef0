"""CRC-32C of journal frames: polynomial 0x1edc6f41 (Castagnoli), reflected, inverted before and after.

The check value, the CRC of "123456789" from 0, is 0xe3069283. By the processor's own instruction where it has one, else by tables; both are
told by tests to agree.
"""
from libc.stdint cimport uint8_t, uint32_t


# The CRC of what came before (0 at the start) and n bytes more. Eight bytes a step.
cdef uint32_t crc32c(uint32_t crc, const uint8_t* data, size_t n) noexcept nogil
