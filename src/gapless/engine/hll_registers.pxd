"""The registers of a HyperLogLog and its dense form: https://redis.io/docs/latest/develop/data-types/probabilistic/hyperloglogs/

    value     "HYLL" | form u8: 0 dense, 1 sparse | 3 bytes unused | cardinality u64, little-endian; its top bit: stale | body
    dense     16,384 registers of 6 bits, 12,288 bytes: register i at bits [6 i, 6 i + 6), from the lowest bit of byte 0 upwards
    sparse    see hll_sparse.pxd
    unpacked  a byte a register: what several are merged in, and counted

An element's MurmurHash64A says its register, by its lowest 14 bits, and by how many zeros follow what the register may become: 1 to 51.
Three bytes hold four registers, so they are unpacked and packed as words of 24 and 32 bits, eight at a time where the processor has AVX2.
"""
from libc.stddef cimport size_t
from libc.stdint cimport uint8_t, uint32_t, uint64_t


cdef enum:
    HLL_REGISTERS = 16384
    HLL_HEADER_BYTES = 16
    HLL_DENSE_BYTES = 16 + 12288
    HLL_FORM_AT = 4
    HLL_CARDINALITY_AT = 8
    HLL_DENSE = 0
    HLL_SPARSE = 1
    HLL_VALUES = 64            # that a register of 6 bits can hold
    HLL_VALUE_MAX = 51         # that an element can bring about


cdef extern from * nogil:
    """
    #ifndef GAPLESS_HLL_H
    #define GAPLESS_HLL_H
    #include <stdint.h>
    #include <string.h>
    #if defined(__x86_64__)
    #include <immintrin.h>
    #endif

    #define HLL_ALL 16384

    static inline uint64_t hll_hash(const uint8_t *p, size_t n) {
        const uint64_t m = 0xc6a4a7935bd1e995ULL;
        uint64_t h = 0xadc83b19ULL ^ (n * m), k;
        const uint8_t *end = p + (n & ~(size_t)7);
        for (; p < end; p += 8) {
            memcpy(&k, p, 8);
            k *= m; k ^= k >> 47; k *= m;
            h ^= k; h *= m;
        }
        if (n & 7) {
            for (k = 0, n &= 7; n > 0; n--) k = (k << 8) | p[n - 1];
            h ^= k; h *= m;
        }
        h ^= h >> 47; h *= m; h ^= h >> 47;
        return h;
    }

    /* What an element may make of its register; the bit beyond the hash ends the zeros. */
    static inline uint32_t hll_value(uint64_t hash) {
        return (uint32_t)__builtin_ctzll((hash >> 14) | (1ULL << 50)) + 1;
    }

    static inline uint32_t hll_get(const uint8_t *packed, uint32_t i) {
        uint32_t at = i * 6 >> 3, shift = i * 6 & 7, v = packed[at] >> shift;
        if (shift > 2) v |= (uint32_t)packed[at + 1] << (8 - shift);
        return v & 63;
    }

    static inline void hll_put(uint8_t *packed, uint32_t i, uint32_t value) {
        uint32_t at = i * 6 >> 3, shift = i * 6 & 7;
        packed[at] = (uint8_t)((packed[at] & ~(63u << shift)) | value << shift);
        if (shift > 2) packed[at + 1] = (uint8_t)((packed[at + 1] & ~(63u >> (8 - shift))) | value >> (8 - shift));
    }

    /* unpacked[i] = max(unpacked[i], packed register i) */
    static void hll_merge_portable(uint8_t *unpacked, const uint8_t *packed) {
        uint32_t i, x;
        for (i = 0; i < HLL_ALL; i += 4, packed += 3) {
            uint8_t r[4];
            x = packed[0] | (uint32_t)packed[1] << 8 | (uint32_t)packed[2] << 16;
            r[0] = x & 63; r[1] = x >> 6 & 63; r[2] = x >> 12 & 63; r[3] = x >> 18;
            for (x = 0; x < 4; x++) if (r[x] > unpacked[i + x]) unpacked[i + x] = r[x];
        }
    }

    static void hll_pack_portable(uint8_t *packed, const uint8_t *unpacked) {
        uint32_t i, x;
        for (i = 0; i < HLL_ALL; i += 4, packed += 3) {
            x = unpacked[i] | (uint32_t)unpacked[i + 1] << 6 | (uint32_t)unpacked[i + 2] << 12 | (uint32_t)unpacked[i + 3] << 18;
            packed[0] = (uint8_t)x; packed[1] = (uint8_t)(x >> 8); packed[2] = (uint8_t)(x >> 16);
        }
    }

    #if defined(__x86_64__)
    /* 24 bytes hold 32 registers. They are read as bytes 0-15 and 8-23, so that nothing beyond the last is touched. */
    __attribute__((target("avx2"))) static void hll_merge_avx2(uint8_t *unpacked, const uint8_t *packed) {
        const __m256i spread = _mm256_setr_epi8(
            0, 1, 2, -1, 3, 4, 5, -1, 6, 7, 8, -1, 9, 10, 11, -1,
            4, 5, 6, -1, 7, 8, 9, -1, 10, 11, 12, -1, 13, 14, 15, -1);
        const __m256i first = _mm256_set1_epi32(0x3f), second = _mm256_set1_epi32(0x3f00);
        const __m256i third = _mm256_set1_epi32(0x3f0000), fourth = _mm256_set1_epi32(0x3f000000);
        uint32_t i;
        for (i = 0; i < HLL_ALL; i += 32, packed += 24) {
            __m256i x = _mm256_inserti128_si256(_mm256_castsi128_si256(_mm_loadu_si128((const __m128i *)packed)),
                                                _mm_loadu_si128((const __m128i *)(packed + 8)), 1);
            __m256i *to = (__m256i *)(unpacked + i);
            x = _mm256_shuffle_epi8(x, spread);
            x = _mm256_or_si256(
                _mm256_or_si256(_mm256_and_si256(x, first), _mm256_and_si256(_mm256_slli_epi32(x, 2), second)),
                _mm256_or_si256(_mm256_and_si256(_mm256_slli_epi32(x, 4), third),
                                _mm256_and_si256(_mm256_slli_epi32(x, 6), fourth)));
            _mm256_storeu_si256(to, _mm256_max_epu8(_mm256_loadu_si256(to), x));
        }
    }

    __attribute__((target("avx2"))) static void hll_pack_avx2(uint8_t *packed, const uint8_t *unpacked) {
        const __m256i first = _mm256_set1_epi32(0x3f), second = _mm256_set1_epi32(0xfc0);
        const __m256i third = _mm256_set1_epi32(0x3f000), fourth = _mm256_set1_epi32(0xfc0000);
        const __m256i gather = _mm256_setr_epi8(
            0, 1, 2, 4, 5, 6, 8, 9, 10, 12, 13, 14, -1, -1, -1, -1,
            0, 1, 2, 4, 5, 6, 8, 9, 10, 12, 13, 14, -1, -1, -1, -1);
        uint32_t i;
        for (i = 0; i < HLL_ALL; i += 32, packed += 24) {
            __m256i x = _mm256_loadu_si256((const __m256i *)(unpacked + i));
            uint8_t half[16];
            x = _mm256_or_si256(
                _mm256_or_si256(_mm256_and_si256(x, first), _mm256_and_si256(_mm256_srli_epi32(x, 2), second)),
                _mm256_or_si256(_mm256_and_si256(_mm256_srli_epi32(x, 4), third),
                                _mm256_and_si256(_mm256_srli_epi32(x, 6), fourth)));
            x = _mm256_shuffle_epi8(x, gather);
            _mm_storeu_si128((__m128i *)packed, _mm256_castsi256_si128(x));
            _mm_storeu_si128((__m128i *)half, _mm256_extracti128_si256(x, 1));
            memcpy(packed + 12, half, 12);
        }
    }
    #endif

    static inline int hll_has_avx2(void) {
    #if defined(__x86_64__)
        return __builtin_cpu_supports("avx2");
    #else
        return 0;
    #endif
    }

    static inline void hll_merge(uint8_t *unpacked, const uint8_t *packed, int simd) {
    #if defined(__x86_64__)
        if (simd && hll_has_avx2()) { hll_merge_avx2(unpacked, packed); return; }
    #endif
        hll_merge_portable(unpacked, packed);
    }

    static inline void hll_pack(uint8_t *packed, const uint8_t *unpacked, int simd) {
    #if defined(__x86_64__)
        if (simd && hll_has_avx2()) { hll_pack_avx2(packed, unpacked); return; }
    #endif
        hll_pack_portable(packed, unpacked);
    }

    /* How many registers hold each value. By turns of four tables: most are of a few values, and each increment would wait for the last. */
    static void hll_histogram(const uint8_t *unpacked, uint32_t *histogram) {
        uint32_t part[4][64], i;
        uint64_t word;
        memset(part, 0, sizeof part);
        for (i = 0; i < HLL_ALL; i += 8) {
            memcpy(&word, unpacked + i, 8);
            part[0][word & 63]++; part[1][word >> 8 & 63]++; part[2][word >> 16 & 63]++; part[3][word >> 24 & 63]++;
            part[0][word >> 32 & 63]++; part[1][word >> 40 & 63]++; part[2][word >> 48 & 63]++; part[3][word >> 56 & 63]++;
        }
        for (i = 0; i < 64; i++) histogram[i] = part[0][i] + part[1][i] + part[2][i] + part[3][i];
    }
    #endif
    """
    uint64_t hll_hash(const uint8_t* p, size_t n)
    uint32_t hll_value(uint64_t hash)
    uint32_t hll_get(const uint8_t* packed, uint32_t i)
    void hll_put(uint8_t* packed, uint32_t i, uint32_t value)
    void hll_merge(uint8_t* unpacked, const uint8_t* packed, bint simd)
    void hll_pack(uint8_t* packed, const uint8_t* unpacked, bint simd)
    void hll_histogram(const uint8_t* unpacked, uint32_t* histogram)
    bint hll_has_avx2()


cdef inline uint32_t hll_register(uint64_t hash) noexcept nogil:
    return <uint32_t>hash & (HLL_REGISTERS - 1)
