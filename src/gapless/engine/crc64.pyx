"""CRC-64 by eight tables. See crc64.pxd."""
from gapless.engine.crc_tables cimport CrcTables, crc_by_tables, crc_fill_tables

cdef uint64_t POLYNOMIAL = 0x95ac9329ac4bc9b5   # 0xad93d23594c935a9 with its bits in reverse

cdef CrcTables tables
crc_fill_tables(&tables, POLYNOMIAL)


cdef uint64_t crc64(uint64_t crc, const uint8_t* data, size_t n) noexcept nogil:
    return crc_by_tables(&tables, crc, data, n)


cdef uint64_t times(const uint64_t* matrix, uint64_t vector) noexcept nogil:
    """Over GF(2): the columns of the bits that are set, added up."""
    cdef uint64_t sum = 0
    cdef int i = 0
    while vector:
        if vector & 1:
            sum ^= matrix[i]
        vector >>= 1
        i += 1
    return sum


cdef uint64_t crc64_zeros(uint64_t crc, uint64_t n) noexcept nogil:
    # What 1, 2, 4... zeros make of a CRC is linear in it: a matrix, and the next one is its square.
    cdef uint64_t[64] step, square
    cdef uint8_t zero = 0
    cdef int i
    for i in range(64):
        step[i] = crc64(<uint64_t>1 << i, &zero, 1)
    while n:
        if n & 1:
            crc = times(step, crc)
        n >>= 1
        for i in range(64):
            square[i] = times(step, step[i])
        for i in range(64):
            step[i] = square[i]
    return crc
