"""Long doubles as texts, read and written as Redis does: INCRBYFLOAT, HINCRBYFLOAT."""
from libc.stdint cimport uint8_t

cdef extern from * nogil:
    """
    #include <errno.h>
    #include <math.h>
    #include <stdio.h>
    #include <stdlib.h>
    #include <string.h>
    #include <ctype.h>

    /* Reads a finite or infinite long double that takes all n bytes; 0 when it is none, too long, or NaN. */
    static int parse_long_double(const unsigned char *text, size_t n, long double *out) {
        char copy[5 * 1024 + 1];
        char *end;
        if (n == 0 || n >= sizeof(copy)) return 0;
        memcpy(copy, text, n);
        copy[n] = 0;
        errno = 0;
        *out = strtold(copy, &end);
        if (isspace((unsigned char)copy[0]) || (size_t)(end - copy) != n) return 0;
        if (errno == ERANGE && (*out == HUGE_VALL || *out == -HUGE_VALL || fpclassify(*out) == FP_ZERO)) return 0;
        if (errno == EINVAL || isnan(*out)) return 0;
        return 1;
    }

    /* Fixed notation, 17 decimals, trailing zeros cut. */
    static int format_long_double(long double v, char *out, size_t room) {
        int n = snprintf(out, room, "%.17Lf", v);
        if (n <= 0 || (size_t)n >= room) return 0;
        if (memchr(out, '.', (size_t)n)) {
            while (out[n - 1] == '0') n--;
            if (out[n - 1] == '.') n--;
        }
        if (n == 2 && out[0] == '-' && out[1] == '0') { out[0] = '0'; n = 1; }
        return n;
    }
    static int is_finite(long double v) { return !isnan(v) && !isinf(v); }
    static int add_long_double(long double a, long double b, long double *sum) {
        *sum = a + b;
        return !isnan(*sum) && !isinf(*sum);
    }
    """
    bint parse_long_double(const uint8_t* text, size_t n, long double* out)
    int format_long_double(long double v, char* out, size_t room)
    bint add_long_double(long double a, long double b, long double* sum)
    bint is_finite(long double v)
