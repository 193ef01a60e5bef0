"""LZF, the compression of strings in RDB.

    000lllll  <l + 1 bytes>           literals: 1 to 32 bytes as they are
    lllooooo  oooooooo                copy l + 2 bytes (3 to 8) from o + 1 bytes back, o of 13 bits
    111ooooo  llllllll oooooooo       copy l + 9 bytes (9 to 264)

The encoder finds the matches that Redis's finds (a table of 2^16 places, the two bytes before the end of a match entered
again), so that payloads are the same byte for byte.
"""
from libc.stdint cimport int64_t, uint8_t, uint32_t

cdef enum:
    LZF_TABLE_SLOTS = 1 << 16


# Compresses n bytes into at most `room` bytes. Returns the length, 0 when it does not fit. table: LZF_TABLE_SLOTS zeros.
cdef size_t lzf_compress(const uint8_t* data, size_t n, uint8_t* out, size_t room, uint32_t* table) noexcept nogil
# Zeros again in what lzf_compress() has used of the table. O(min(n, slots)).
cdef void lzf_clear(const uint8_t* data, size_t n, uint32_t* table) noexcept nogil
# Length of what n compressed bytes hold; -1 when they are corrupt. After that lzf_decompress() can't fail.
cdef int64_t lzf_measure(const uint8_t* data, size_t n) noexcept nogil
cdef void lzf_decompress(const uint8_t* data, size_t n, uint8_t* out) noexcept nogil
