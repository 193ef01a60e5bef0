"""CRC-32C. See crc32c.pxd."""
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from libc.stdint cimport uint8_t, uint32_t
from gapless.engine.crc_tables cimport CrcTables, crc_by_tables, crc_fill_tables


cdef extern from * nogil:
    """
    #if defined(__x86_64__)
    #include <nmmintrin.h>
    #define GAPLESS_CRC_TARGET __attribute__((target("sse4.2")))
    #define GAPLESS_CRC_STEP8(crc, v) ((uint32_t)_mm_crc32_u64((crc), (v)))
    #define GAPLESS_CRC_STEP1(crc, v) _mm_crc32_u8((crc), (v))
    static int gapless_crc_instruction(void) { __builtin_cpu_init(); return __builtin_cpu_supports("sse4.2"); }
    #elif defined(__aarch64__) && defined(__linux__)
    #include <arm_acle.h>
    #include <sys/auxv.h>
    #define GAPLESS_CRC_TARGET __attribute__((target("+crc")))
    #define GAPLESS_CRC_STEP8(crc, v) __crc32cd((crc), (v))
    #define GAPLESS_CRC_STEP1(crc, v) __crc32cb((crc), (v))
    static int gapless_crc_instruction(void) { return (getauxval(AT_HWCAP) >> 7) & 1; }
    #else
    static int gapless_crc_instruction(void) { return 0; }
    #endif

    #if defined(GAPLESS_CRC_TARGET)
    GAPLESS_CRC_TARGET static uint32_t gapless_crc_by_instruction(uint32_t crc, const uint8_t *p, size_t n) {
        for (; n >= 8; n -= 8, p += 8) crc = GAPLESS_CRC_STEP8(crc, load_u64(p));
        for (; n > 0; n--, p++) crc = GAPLESS_CRC_STEP1(crc, *p);
        return crc;
    }
    #else
    static uint32_t gapless_crc_by_instruction(uint32_t crc, const uint8_t *p, size_t n) { return crc; }
    #endif
    """
    bint gapless_crc_instruction()
    uint32_t gapless_crc_by_instruction(uint32_t crc, const uint8_t* p, size_t n)


cdef uint32_t POLYNOMIAL = 0x82f63b78    # 0x1edc6f41 with its bits in reverse
cdef bint has_instruction = gapless_crc_instruction()

cdef CrcTables tables
crc_fill_tables(&tables, POLYNOMIAL)


cdef uint32_t by_tables(uint32_t crc, const uint8_t* data, size_t n) noexcept nogil:
    return <uint32_t>crc_by_tables(&tables, crc, data, n)


cdef uint32_t crc32c(uint32_t crc, const uint8_t* data, size_t n) noexcept nogil:
    if has_instruction:
        return ~gapless_crc_by_instruction(~crc, data, n)
    return ~by_tables(~crc, data, n)


def checksum(bytes data not None, uint32_t crc=0):
    """The CRC of what came before (0 at the start) and of `data`."""
    return crc32c(crc, <const uint8_t*>PyBytes_AS_STRING(data), <size_t>PyBytes_GET_SIZE(data))


def checksum_by_tables(bytes data not None, uint32_t crc=0):
    """The same without the processor's instruction: for the test that compares them."""
    return ~by_tables(~crc, <const uint8_t*>PyBytes_AS_STRING(data), <size_t>PyBytes_GET_SIZE(data)) & 0xffffffff
