"""CRC-64 by eight tables. See crc64.pxd."""
from gapless.engine.base cimport load_u64

cdef uint64_t POLYNOMIAL = 0x95ac9329ac4bc9b5   # 0xad93d23594c935a9 with its bits in reverse

# tables[k][b]: what byte b adds when k more bytes follow it in the same step.
cdef uint64_t[8][256] tables


cdef void fill_tables() noexcept:
    cdef int b, _bit, k
    cdef uint64_t crc
    for b in range(256):
        crc = b
        for _bit in range(8):
            crc = (crc >> 1) ^ (POLYNOMIAL if crc & 1 else 0)
        tables[0][b] = crc
    for b in range(256):
        for k in range(1, 8):
            tables[k][b] = (tables[k - 1][b] >> 8) ^ tables[0][tables[k - 1][b] & 0xff]


fill_tables()


cdef uint64_t crc64(uint64_t crc, const uint8_t* data, size_t n) noexcept nogil:
    cdef uint64_t word
    while n >= 8:
        word = crc ^ load_u64(data)
        crc = (tables[7][word & 0xff] ^ tables[6][(word >> 8) & 0xff] ^ tables[5][(word >> 16) & 0xff]
               ^ tables[4][(word >> 24) & 0xff] ^ tables[3][(word >> 32) & 0xff] ^ tables[2][(word >> 40) & 0xff]
               ^ tables[1][(word >> 48) & 0xff] ^ tables[0][word >> 56])
        data += 8
        n -= 8
    while n > 0:
        crc = (crc >> 8) ^ tables[0][(crc ^ data[0]) & 0xff]
        data += 1
        n -= 1
    return crc


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
