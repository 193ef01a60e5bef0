"""The digits of a double, few enough to be read and enough to read back as the same: by Grisu2 (Loitsch 2010), as Redis has it.

A double stands for all that is nearer to it than to its neighbours. That interval, as 64-bit significands, is multiplied by a power of ten
from a table, so that its ends have a whole part of up to 32 bits and a fraction; digits of the upper end are written until they lie within the
interval, and the last one is then brought as near to the double as it goes. The product is off by at most a unit of the last of 64 bits,
for which the interval is narrowed by one at either end: so, of about one double in a thousand, a digit more is written than would be needed. That
one is Redis's, too, which is why the shortest text is not looked for in any other way.
"""

cdef extern from * nogil:
    """
    #include <stdint.h>
    #include <string.h>

    typedef struct { uint64_t significand; int exponent; } gapless_scaled;

    /* 10^(-348 + 8 i), rounded to 64 bits. */
    static const gapless_scaled gapless_powers_of_ten[87] = {
        {0xfa8fd5a0081c0288ULL, -1220}, {0xbaaee17fa23ebf76ULL, -1193}, {0x8b16fb203055ac76ULL, -1166}, {0xcf42894a5dce35eaULL, -1140},
        {0x9a6bb0aa55653b2dULL, -1113}, {0xe61acf033d1a45dfULL, -1087}, {0xab70fe17c79ac6caULL, -1060}, {0xff77b1fcbebcdc4fULL, -1034},
        {0xbe5691ef416bd60cULL, -1007}, {0x8dd01fad907ffc3cULL, -980}, {0xd3515c2831559a83ULL, -954}, {0x9d71ac8fada6c9b5ULL, -927},
        {0xea9c227723ee8bcbULL, -901}, {0xaecc49914078536dULL, -874}, {0x823c12795db6ce57ULL, -847}, {0xc21094364dfb5637ULL, -821},
        {0x9096ea6f3848984fULL, -794}, {0xd77485cb25823ac7ULL, -768}, {0xa086cfcd97bf97f4ULL, -741}, {0xef340a98172aace5ULL, -715},
        {0xb23867fb2a35b28eULL, -688}, {0x84c8d4dfd2c63f3bULL, -661}, {0xc5dd44271ad3cdbaULL, -635}, {0x936b9fcebb25c996ULL, -608},
        {0xdbac6c247d62a584ULL, -582}, {0xa3ab66580d5fdaf6ULL, -555}, {0xf3e2f893dec3f126ULL, -529}, {0xb5b5ada8aaff80b8ULL, -502},
        {0x87625f056c7c4a8bULL, -475}, {0xc9bcff6034c13053ULL, -449}, {0x964e858c91ba2655ULL, -422}, {0xdff9772470297ebdULL, -396},
        {0xa6dfbd9fb8e5b88fULL, -369}, {0xf8a95fcf88747d94ULL, -343}, {0xb94470938fa89bcfULL, -316}, {0x8a08f0f8bf0f156bULL, -289},
        {0xcdb02555653131b6ULL, -263}, {0x993fe2c6d07b7facULL, -236}, {0xe45c10c42a2b3b06ULL, -210}, {0xaa242499697392d3ULL, -183},
        {0xfd87b5f28300ca0eULL, -157}, {0xbce5086492111aebULL, -130}, {0x8cbccc096f5088ccULL, -103}, {0xd1b71758e219652cULL, -77},
        {0x9c40000000000000ULL, -50}, {0xe8d4a51000000000ULL, -24}, {0xad78ebc5ac620000ULL, 3}, {0x813f3978f8940984ULL, 30},
        {0xc097ce7bc90715b3ULL, 56}, {0x8f7e32ce7bea5c70ULL, 83}, {0xd5d238a4abe98068ULL, 109}, {0x9f4f2726179a2245ULL, 136},
        {0xed63a231d4c4fb27ULL, 162}, {0xb0de65388cc8ada8ULL, 189}, {0x83c7088e1aab65dbULL, 216}, {0xc45d1df942711d9aULL, 242},
        {0x924d692ca61be758ULL, 269}, {0xda01ee641a708deaULL, 295}, {0xa26da3999aef774aULL, 322}, {0xf209787bb47d6b85ULL, 348},
        {0xb454e4a179dd1877ULL, 375}, {0x865b86925b9bc5c2ULL, 402}, {0xc83553c5c8965d3dULL, 428}, {0x952ab45cfa97a0b3ULL, 455},
        {0xde469fbd99a05fe3ULL, 481}, {0xa59bc234db398c25ULL, 508}, {0xf6c69a72a3989f5cULL, 534}, {0xb7dcbf5354e9beceULL, 561},
        {0x88fcf317f22241e2ULL, 588}, {0xcc20ce9bd35c78a5ULL, 614}, {0x98165af37b2153dfULL, 641}, {0xe2a0b5dc971f303aULL, 667},
        {0xa8d9d1535ce3b396ULL, 694}, {0xfb9b7cd9a4a7443cULL, 720}, {0xbb764c4ca7a44410ULL, 747}, {0x8bab8eefb6409c1aULL, 774},
        {0xd01fef10a657842cULL, 800}, {0x9b10a4e5e9913129ULL, 827}, {0xe7109bfba19c0c9dULL, 853}, {0xac2820d9623bf429ULL, 880},
        {0x80444b5e7aa7cf85ULL, 907}, {0xbf21e44003acdd2dULL, 933}, {0x8e679c2f5e44ff8fULL, 960}, {0xd433179d9c8cb841ULL, 986},
        {0x9e19db92b4e31ba9ULL, 1013}, {0xeb96bf6ebadf77d9ULL, 1039}, {0xaf87023b9bf0ee6bULL, 1066}
    };

    static const uint64_t gapless_ten_to[20] = {
        1ULL, 10ULL, 100ULL, 1000ULL, 10000ULL, 100000ULL, 1000000ULL, 10000000ULL, 100000000ULL, 1000000000ULL, 10000000000ULL,
        100000000000ULL, 1000000000000ULL, 10000000000000ULL, 100000000000000ULL, 1000000000000000ULL, 10000000000000000ULL,
        100000000000000000ULL, 1000000000000000000ULL, 10000000000000000000ULL};

    static inline uint64_t gapless_upper_product(uint64_t a, uint64_t b) {
        return (uint64_t)(((__uint128_t)a * b + ((__uint128_t)1 << 63)) >> 64);
    }

    static inline void gapless_nearest_digit(char *last, uint64_t interval, uint64_t rest, uint64_t unit, uint64_t wanted) {
        while (rest < wanted && interval - rest >= unit && (rest + unit < wanted || wanted - rest > rest + unit - wanted)) {
            --*last;
            rest += unit;
        }
    }

    /* Of a finite number above 0: writes up to 18 digits, returns how many; the number is these times 10^*power. */
    static int double_digits(double v, char *digits, int *power) {
        uint64_t bits, w, upper, lower, wanted, interval, whole, fraction, mask, rest;
        int exponent, shift, near, i, count = 0, places;
        const gapless_scaled *ten;
        memcpy(&bits, &v, 8);
        w = bits & ((1ULL << 52) - 1);
        exponent = (int)(bits >> 52 & 0x7ff);
        if (exponent) w |= 1ULL << 52;
        exponent = (exponent ? exponent : 1) - 1075;
        near = w == 1ULL << 52 ? 2 : 1;         /* the next double below is only half as far away */
        lower = (w << near) - 1;
        upper = (w << 1) + 1;
        shift = __builtin_clzll(upper);
        exponent -= 1 + shift;
        upper <<= shift;
        lower <<= shift + 1 - near;
        w <<= shift + 1;
        i = (-(int)((exponent + 87) * 0.30102999566398114) + 348) / 8;
        while (exponent + gapless_powers_of_ten[i].exponent + 64 < -60) i++;
        while (exponent + gapless_powers_of_ten[i].exponent + 64 > -32) i--;
        ten = &gapless_powers_of_ten[i];
        w = gapless_upper_product(w, ten->significand);
        upper = gapless_upper_product(upper, ten->significand) - 1;
        lower = gapless_upper_product(lower, ten->significand) + 1;
        shift = -(exponent + ten->exponent + 64);
        *power = 348 - 8 * i;
        wanted = upper - w;
        interval = upper - lower;
        mask = (1ULL << shift) - 1;
        whole = upper >> shift;
        fraction = upper & mask;
        for (places = 9; places >= 0; places--) {
            unsigned digit = (unsigned)(whole / gapless_ten_to[places]);
            if (digit || count) digits[count++] = (char)('0' + digit);
            whole -= digit * gapless_ten_to[places];
            rest = (whole << shift) + fraction;
            if (rest <= interval) {
                *power += places;
                gapless_nearest_digit(&digits[count - 1], interval, rest, gapless_ten_to[places] << shift, wanted);
                return count;
            }
        }
        for (places = 1;; places++) {
            unsigned digit;
            fraction *= 10;
            interval *= 10;
            digit = (unsigned)(fraction >> shift);
            if (digit || count) digits[count++] = (char)('0' + digit);
            fraction &= mask;
            if (fraction < interval) {
                *power -= places;
                gapless_nearest_digit(&digits[count - 1], interval, fraction, 1ULL << shift, wanted * gapless_ten_to[places]);
                return count;
            }
        }
    }
    """
    int double_digits(double v, char* digits, int* power)
