"""What every compiled part stands on: invariants, hints, the hash, the clock, integers in bytes and in text.

Nothing here knows of records. All of it is inline: these are the operations that run per byte or several times a
command, and a call across extension modules goes through a pointer and is never inlined.
"""
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t


cdef enum Status:
    # What a core function answers. A command turns it into a reply, the embedded API into an exception, once each.
    STATUS_OK = 0
    STATUS_MISSING = 1       # no such key
    STATUS_FULL = 2          # no memory left within maxmemory or the reserved range; nothing was changed
    STATUS_TOO_LARGE = 3     # a key or value over VALUE_BYTES_MAX; nothing was changed
    STATUS_EXISTS = 4        # the destination is there already; nothing was changed


cdef extern from * nogil:
    """
    #ifndef GAPLESS_BASE_H
    #define GAPLESS_BASE_H
    #include <stdint.h>
    #include <stdio.h>
    #include <stdlib.h>
    #include <string.h>
    #include <time.h>
    #if defined(__x86_64__)
    #include <x86intrin.h>
    #endif

    static inline void gapless_invariant_failed(const char *expr, const char *file, int line) {
        fprintf(stderr, "gapless: invariant failed: %s (%s:%d)\\n", expr, file, line);
        fflush(stderr);
        abort();
    }
    /* Stays on in release builds: a broken invariant must stop the process before it spreads. */
    #define INVARIANT(expr) do { if (__builtin_expect(!(expr), 0)) \\
        gapless_invariant_failed(#expr, __FILE__, __LINE__); } while (0)

    static inline int likely(int c) { return __builtin_expect(!!c, 1); }
    static inline int unlikely(int c) { return __builtin_expect(!!c, 0); }
    /* The empty asm keeps gcc from dropping a loop that does nothing but prefetch as a loop without effects. */
    static inline void prefetch(const void *p) { __builtin_prefetch(p, 0, 3); __asm__ volatile("" : : "r"(p)); }
    static inline void prefetch_write(const void *p) { __builtin_prefetch(p, 1, 3); __asm__ volatile("" : : "r"(p)); }

    #ifndef GAPLESS_DEBUG
    #define GAPLESS_DEBUG 0
    #endif

    static inline uint64_t load_u64(const void *p) { uint64_t v; memcpy(&v, p, 8); return v; }
    static inline uint32_t load_u32(const void *p) { uint32_t v; memcpy(&v, p, 4); return v; }
    static inline uint64_t load_u48(const void *p) { uint64_t v = 0; memcpy(&v, p, 6); return v; }
    static inline uint16_t load_u16(const void *p) { uint16_t v; memcpy(&v, p, 2); return v; }
    static inline void store_u64(void *p, uint64_t v) { memcpy(p, &v, 8); }
    static inline void store_u48(void *p, uint64_t v) { memcpy(p, &v, 6); }
    static inline void store_u32(void *p, uint32_t v) { memcpy(p, &v, 4); }
    static inline void store_u16(void *p, uint16_t v) { memcpy(p, &v, 2); }

    static inline uint64_t fold_multiply(uint64_t a, uint64_t b) {
        __uint128_t r = (__uint128_t)a * b;
        return (uint64_t)r ^ (uint64_t)(r >> 64);
    }

    /* Keyed 64-bit hash by folded multiplication (the construction of wyhash and aHash): 16 bytes a step. The seed
       is random per store, so that keys can't be chosen to collide; it is in both factors, because a key that makes one
       of them zero makes the product zero whatever the other is. */
    static inline uint64_t hash_bytes(const uint8_t *p, size_t n, uint64_t seed) {
        uint64_t state = seed ^ 0x9e3779b97f4a7c15ULL, a, b;
        if (n <= 16) {
            if (n >= 8) { a = load_u64(p); b = load_u64(p + n - 8); }
            else if (n >= 4) { a = load_u32(p); b = load_u32(p + n - 4); }
            else if (n > 0) { a = ((uint64_t)p[0] << 16) | ((uint64_t)p[n >> 1] << 8) | p[n - 1]; b = 0; }
            else { a = 0; b = 0; }
        } else {
            size_t left = n;
            while (left > 16) {
                state = fold_multiply(load_u64(p) ^ 0xa0761d6478bd642fULL ^ seed, load_u64(p + 8) ^ state);
                p += 16; left -= 16;
            }
            a = load_u64(p + left - 16); b = load_u64(p + left - 8);
        }
        return fold_multiply(0xe7037ed1a0b428dbULL ^ n,
                             fold_multiply(a ^ 0x8ebc6af09c88c6e3ULL ^ seed, b ^ state));
    }

    static inline int64_t clock_realtime_ms(void) {
        struct timespec t; clock_gettime(CLOCK_REALTIME, &t);
        return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
    }
    /* The time at the last tick of the kernel's timer: some ms behind, at a fifth of the price. */
    static inline int64_t clock_coarse_ms(void) {
        struct timespec t; clock_gettime(CLOCK_REALTIME_COARSE, &t);
        return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
    }
    static inline int64_t clock_monotonic_ns(void) {
        struct timespec t; clock_gettime(CLOCK_MONOTONIC, &t);
        return (int64_t)t.tv_sec * 1000000000LL + t.tv_nsec;
    }
    /* CPU time of this thread: what other programs take meanwhile is not in it. A system call. */
    static inline int64_t clock_thread_ns(void) {
        struct timespec t; clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
        return (int64_t)t.tv_sec * 1000000000LL + t.tv_nsec;
    }
    /* The cheapest clock there is: ticks of unspecified length; the loop calibrates it against the monotonic clock. */
    static inline uint64_t clock_ticks(void) {
    #if defined(__x86_64__)
        return __rdtsc();
    #elif defined(__aarch64__)
        uint64_t v; __asm__ volatile("mrs %0, cntvct_el0" : "=r"(v)); return v;
    #else
        return (uint64_t)clock_monotonic_ns();
    #endif
    }
    #endif
    """
    void INVARIANT(bint expr)
    bint GAPLESS_DEBUG          # whether what is too dear for release is checked
    bint likely(bint condition)
    bint unlikely(bint condition)
    void prefetch(const void* address)
    void prefetch_write(const void* address)
    uint64_t load_u64(const void* p)
    uint64_t load_u48(const void* p)
    uint32_t load_u32(const void* p)
    uint16_t load_u16(const void* p)
    void store_u64(void* p, uint64_t v)
    void store_u48(void* p, uint64_t v)
    void store_u32(void* p, uint32_t v)
    void store_u16(void* p, uint16_t v)
    uint64_t hash_bytes(const uint8_t* p, size_t n, uint64_t seed)
    int64_t clock_realtime_ms()
    int64_t clock_coarse_ms()
    int64_t clock_monotonic_ns()
    int64_t clock_thread_ns()
    uint64_t clock_ticks()


# Strictly as Redis reads a number: optional '-', no leading zeros, no spaces, in range. False otherwise.
cdef inline bint parse_int64(const uint8_t* text, size_t n, int64_t* out) noexcept nogil:
    cdef uint64_t v
    cdef size_t i = 0
    cdef uint32_t digit
    cdef bint negative = False
    if n == 0 or n > 20:
        return False
    if n == 1 and text[0] == c'0':
        out[0] = 0
        return True
    if text[0] == c'-':
        negative = True
        i = 1
        if n == 1:
            return False
    digit = <uint32_t>text[i] - c'0'
    if digit - 1 > 8:
        return False
    v = digit
    i += 1
    while i < n:
        digit = <uint32_t>text[i] - c'0'
        if digit > 9 or v > <uint64_t>0xffffffffffffffff // 10:
            return False
        v *= 10
        if v > <uint64_t>0xffffffffffffffff - digit:
            return False
        v += digit
        i += 1
    if negative:
        if v > <uint64_t>0x8000000000000000:
            return False
        out[0] = <int64_t>(<uint64_t>0 - v)
    else:
        if v > <uint64_t>0x7fffffffffffffff:
            return False
        out[0] = <int64_t>v
    return True
