/* Random numbers and key distributions for the load generator. */
#ifndef BENCH_RANDOM_H
#define BENCH_RANDOM_H

#include <math.h>
#include <stdint.h>
#include <stdlib.h>

static inline uint64_t mix64(uint64_t x) {
    x ^= x >> 30;
    x *= 0xbf58476d1ce4e5b9ULL;
    x ^= x >> 27;
    x *= 0x94d049bb133111ebULL;
    return x ^ (x >> 31);
}

static inline uint64_t xorshift64(uint64_t *state) {
    uint64_t x = *state;
    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
    return *state = x;
}

/* Uniform in [0, n) by multiply-shift; the bias of n / 2^64 is far below what a benchmark can see. */
static inline uint64_t random_below(uint64_t *state, uint64_t n) {
    return (uint64_t)(((unsigned __int128)(xorshift64(state) * 0x2545f4914f6cdd1dULL) * n) >> 64);
}

/* Walker's alias table: one draw from any discrete distribution in O(1), 12 bytes an item. */
struct alias_table {
    uint64_t n;
    double *keep;
    uint32_t *other;
};

/* Zipf: item of rank r (from 1) has weight 1 / r^theta. */
static inline int alias_zipf(struct alias_table *table, uint64_t n, double theta) {
    double *weight = malloc(n * sizeof *weight);
    uint32_t *stack = malloc(n * sizeof *stack);
    table->n = n;
    table->keep = malloc(n * sizeof *table->keep);
    table->other = malloc(n * sizeof *table->other);
    if (!weight || !stack || !table->keep || !table->other) return -1;
    double sum = 0;
    for (uint64_t i = 0; i < n; i++) sum += weight[i] = pow((double)(i + 1), -theta);
    /* Small items grow from the left of the stack, large ones from the right. */
    uint64_t small = 0, large = n;
    for (uint64_t i = 0; i < n; i++) {
        weight[i] *= (double)n / sum;
        if (weight[i] < 1.0) stack[small++] = (uint32_t)i;
        else stack[--large] = (uint32_t)i;
    }
    while (small > 0 && large < n) {
        uint32_t s = stack[--small], l = stack[large];
        table->keep[s] = weight[s];
        table->other[s] = l;
        weight[l] -= 1.0 - weight[s];
        if (weight[l] < 1.0) {
            large++;
            stack[small++] = l;
        }
    }
    while (small > 0) table->keep[stack[--small]] = 1.0;
    while (large < n) table->keep[stack[large++]] = 1.0;
    free(weight);
    free(stack);
    return 0;
}

static inline uint64_t alias_draw(const struct alias_table *table, uint64_t *state) {
    uint64_t i = random_below(state, table->n);
    double u = (double)(xorshift64(state) >> 11) * 0x1p-53;
    return u < table->keep[i] ? i : table->other[i];
}

#endif
