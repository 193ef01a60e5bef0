/* A histogram of nanoseconds: 32 steps per power of two, so a percentile is within 3 % of the truth. */
#ifndef BENCH_HISTOGRAM_H
#define BENCH_HISTOGRAM_H

#include <stdint.h>

#define HISTOGRAM_STEPS 32
#define HISTOGRAM_SIZE (HISTOGRAM_STEPS * 60)

struct histogram {
    uint64_t count;
    uint64_t max;
    uint64_t bucket[HISTOGRAM_SIZE];
};

static inline unsigned histogram_bucket(uint64_t ns) {
    if (ns < HISTOGRAM_STEPS) return (unsigned)ns;
    unsigned shift = 63 - (unsigned)__builtin_clzll(ns) - 5;
    return (shift + 1) * HISTOGRAM_STEPS + (unsigned)((ns >> shift) - HISTOGRAM_STEPS);
}

static inline void histogram_add(struct histogram *h, uint64_t ns) {
    h->bucket[histogram_bucket(ns)]++;
    h->count++;
    if (ns > h->max) h->max = ns;
}

static inline double histogram_percentile_us(const struct histogram *h, double percent) {
    uint64_t seen = 0, wanted = (uint64_t)((double)h->count * percent / 100.0);
    for (unsigned i = 0; i < HISTOGRAM_SIZE; i++) {
        seen += h->bucket[i];
        if (seen > wanted) {
            if (i < HISTOGRAM_STEPS) return i / 1000.0;
            unsigned shift = i / HISTOGRAM_STEPS - 1;
            return (double)((uint64_t)(i % HISTOGRAM_STEPS + HISTOGRAM_STEPS) << shift) / 1000.0;
        }
    }
    return (double)h->max / 1000.0;
}

#endif
