"""SHA-1 (FIPS 180-4), for DEBUG DIGEST only: it has to run without the GIL and to agree with Redis."""
from libc.stdint cimport uint8_t

cdef enum:
    SHA1_BYTES = 20


cdef void sha1(const uint8_t* data, size_t n, uint8_t* out) noexcept nogil
