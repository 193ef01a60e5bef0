"""SHA-1 of bytes in memory. See sha1.pxd."""
from libc.stdint cimport uint32_t, uint64_t
from libc.string cimport memcpy, memset

cdef enum:
    BLOCK_BYTES = 64


cdef inline uint32_t rotate(uint32_t v, int n) noexcept nogil:
    return (v << n) | (v >> (32 - n))


cdef void take_block(uint32_t* state, const uint8_t* block) noexcept nogil:
    cdef uint32_t[80] w
    cdef uint32_t a = state[0], b = state[1], c = state[2], d = state[3], e = state[4]
    cdef uint32_t f, k, t
    cdef int i
    for i in range(16):
        w[i] = (<uint32_t>block[4 * i] << 24) | (<uint32_t>block[4 * i + 1] << 16) | (
            <uint32_t>block[4 * i + 2] << 8) | block[4 * i + 3]
    for i in range(16, 80):
        w[i] = rotate(w[i - 3] ^ w[i - 8] ^ w[i - 14] ^ w[i - 16], 1)
    for i in range(80):
        if i < 20:
            f = (b & c) | (~b & d)
            k = 0x5a827999
        elif i < 40:
            f = b ^ c ^ d
            k = 0x6ed9eba1
        elif i < 60:
            f = (b & c) | (b & d) | (c & d)
            k = <uint32_t>0x8f1bbcdc
        else:
            f = b ^ c ^ d
            k = <uint32_t>0xca62c1d6
        t = rotate(a, 5) + f + e + k + w[i]
        e = d
        d = c
        c = rotate(b, 30)
        b = a
        a = t
    state[0] += a
    state[1] += b
    state[2] += c
    state[3] += d
    state[4] += e


cdef void sha1(const uint8_t* data, size_t n, uint8_t* out) noexcept nogil:
    cdef uint32_t[5] state
    cdef uint8_t[2 * BLOCK_BYTES] last
    cdef uint64_t bits = <uint64_t>n * 8
    cdef size_t used, i
    state[0] = 0x67452301
    state[1] = <uint32_t>0xefcdab89
    state[2] = <uint32_t>0x98badcfe
    state[3] = 0x10325476
    state[4] = <uint32_t>0xc3d2e1f0
    while n >= BLOCK_BYTES:
        take_block(state, data)
        data += BLOCK_BYTES
        n -= BLOCK_BYTES
    memset(last, 0, sizeof(last))
    memcpy(last, data, n)
    last[n] = 0x80
    used = BLOCK_BYTES if n + 9 <= BLOCK_BYTES else 2 * BLOCK_BYTES
    for i in range(8):
        last[used - 1 - i] = <uint8_t>(bits >> (8 * i))
    take_block(state, last)
    if used > BLOCK_BYTES:
        take_block(state, last + BLOCK_BYTES)
    for i in range(5):
        out[4 * i] = <uint8_t>(state[i] >> 24)
        out[4 * i + 1] = <uint8_t>(state[i] >> 16)
        out[4 * i + 2] = <uint8_t>(state[i] >> 8)
        out[4 * i + 3] = <uint8_t>state[i]
