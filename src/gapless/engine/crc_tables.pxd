"""Reflected CRCs of up to 64 bits by eight tables, for those that differ in their polynomial only. Eight bytes a step."""
from libc.stdint cimport uint8_t, uint64_t
from gapless.engine.base cimport load_u64


cdef struct CrcTables:
    uint64_t[8][256] of        # of[k][b]: what byte b adds when k more bytes follow it in the same step


# polynomial: with its bits in reverse.
cdef inline void crc_fill_tables(CrcTables* tables, uint64_t polynomial) noexcept nogil:
    cdef int b, _bit, k
    cdef uint64_t crc
    for b in range(256):
        crc = <uint64_t>b
        for _bit in range(8):
            crc = (crc >> 1) ^ (polynomial if crc & 1 else 0)
        tables.of[0][b] = crc
    for b in range(256):
        for k in range(1, 8):
            tables.of[k][b] = (tables.of[k - 1][b] >> 8) ^ tables.of[0][tables.of[k - 1][b] & 0xff]


cdef inline uint64_t crc_by_tables(const CrcTables* tables, uint64_t crc, const uint8_t* data, size_t n) noexcept nogil:
    cdef uint64_t word
    while n >= 8:
        word = crc ^ load_u64(data)
        crc = (tables.of[7][word & 0xff] ^ tables.of[6][(word >> 8) & 0xff] ^ tables.of[5][(word >> 16) & 0xff]
               ^ tables.of[4][(word >> 24) & 0xff] ^ tables.of[3][(word >> 32) & 0xff] ^ tables.of[2][(word >> 40) & 0xff]
               ^ tables.of[1][(word >> 48) & 0xff] ^ tables.of[0][word >> 56])
        data += 8
        n -= 8
    while n > 0:
        crc = (crc >> 8) ^ tables.of[0][(crc ^ data[0]) & 0xff]
        data += 1
        n -= 1
    return crc
