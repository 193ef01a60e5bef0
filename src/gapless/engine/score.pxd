"""Scores: doubles as texts, and as numbers that compare as they do.

    code      bits of the double, all turned when it is negative, else the sign: an unsigned number in the doubles' order
    key       the same, -0 as 0: for the order of elements they are one score

Nothing else has to know how a double lies. A code is stored big-endian, so that its bytes compare likewise.
"""
from libc.stdint cimport uint8_t, uint64_t
from libc.string cimport memcpy
from gapless.engine.base cimport load_u64, store_u64

cdef extern from * nogil:
    """
    #include <ctype.h>
    #include <errno.h>
    #include <math.h>
    #include <stdlib.h>
    #include <string.h>

    static const double gapless_tens[] = {1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15};

    /* Up to 15 digits, with a point or not: number and power of ten are exact doubles, so the quotient is rounded once. */
    static inline int parse_short_double(const unsigned char *text, size_t n, double *out) {
        uint64_t v = 0;
        size_t i = 0;
        int digits = 0, decimals = -1;
        if (n > 0 && text[0] == '-') i = 1;
        if (n - i > 16) return 0;
        for (; i < n; i++) {
            unsigned digit = text[i] - '0';
            if (digit <= 9) {
                v = v * 10 + digit;
                digits++;
                if (decimals >= 0) decimals++;
            } else if (text[i] == '.' && decimals < 0) {
                decimals = 0;
            } else {
                return 0;
            }
        }
        if (digits == 0 || digits > 15) return 0;
        *out = decimals > 0 ? (double)v / gapless_tens[decimals] : (double)v;
        if (text[0] == '-') *out = -*out;
        return 1;
    }

    static int parse_long_text(const unsigned char *text, size_t n, double *out) {
        char copy[256], *room = n < sizeof(copy) ? copy : (char *)malloc(n + 1), *end;
        int whole;
        if (room == NULL) return 0;
        memcpy(room, text, n);
        room[n] = 0;
        errno = 0;
        *out = strtod(room, &end);
        whole = (size_t)(end - room) == n;
        if (room != copy) free(room);
        return whole && !isnan(*out);
    }

    /* What ZADD takes: all that strtod() does, but no spaces, no NaN, and nothing a double can't hold. */
    static inline int parse_score(const unsigned char *text, size_t n, double *out) {
        if (parse_short_double(text, n, out)) return 1;
        if (n == 0 || isspace(text[0]) || !parse_long_text(text, n, out)) return 0;
        return !(errno == ERANGE && (*out == HUGE_VAL || *out == -HUGE_VAL || *out == 0));
    }

    /* An end of a range: no hexadecimal, too large is infinite, nothing is 0; what follows a zero byte is not read. */
    static inline int parse_score_bound(const unsigned char *text, size_t n, double *out) {
        const void *zero = memchr(text, 0, n);
        if (zero != NULL) n = (size_t)((const unsigned char *)zero - text);
        if (parse_short_double(text, n, out)) return 1;
        *out = 0;
        if (n == 0) return 1;
        return !isspace(text[0]) && memchr(text, 'x', n) == NULL && memchr(text, 'X', n) == NULL && parse_long_text(text, n, out);
    }
    """
    bint parse_score(const uint8_t* text, size_t n, double* out)
    bint parse_score_bound(const uint8_t* text, size_t n, double* out)
    uint64_t __builtin_bswap64(uint64_t v)


cdef inline uint64_t score_code(double score) noexcept nogil:
    cdef uint64_t bits
    memcpy(&bits, &score, 8)
    return ~bits if bits >> 63 else bits | <uint64_t>1 << 63


cdef inline double score_of_code(uint64_t code) noexcept nogil:
    cdef double score
    code = code ^ <uint64_t>1 << 63 if code >> 63 else ~code
    memcpy(&score, &code, 8)
    return score


cdef inline uint64_t score_key(double score) noexcept nogil:
    return score_code(0.0 if score == 0 else score)


cdef inline void score_store(uint8_t* p, uint64_t code) noexcept nogil:
    store_u64(p, __builtin_bswap64(code))


cdef inline uint64_t score_load(const uint8_t* p) noexcept nogil:
    return __builtin_bswap64(load_u64(p))


cdef inline uint64_t score_load_key(const uint8_t* p) noexcept nogil:
    cdef uint64_t code = score_load(p)
    return <uint64_t>1 << 63 if code == <uint64_t>0x7fffffffffffffff else code
