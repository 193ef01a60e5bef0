"""The sparse form of a HyperLogLog: runs of registers that are alike.

    00nnnnnn            n + 1 registers are 0
    01nnnnnn nnnnnnnn   n + 1 registers are 0, up to 16,384
    1vvvvvnn            n + 1 registers are v + 1

A sound one covers 16,384 registers. Bytes are the same as Redis's after the same writes, which says where runs are split and joined: a
register is set by splitting its run in up to three, and what was made is joined with its neighbours, as far as they are among the five
runs from the one before on. What outgrows hll-sparse-max-bytes, or a value of 32, makes it dense, for good.
"""
from libc.stdint cimport uint8_t, uint32_t, uint64_t
from gapless.engine.hll_registers cimport HLL_DENSE, HLL_FORM_AT


cdef enum:
    SPARSE_VALUE_MAX = 32
    SPARSE_SPLIT_BYTES = 5                       # the most that one run is split into
    SKETCH_BYTES = 16 + 2 * 16384 + 5            # the longest sound value, each of its registers a run of two bytes, and room to split one


cdef enum SketchSet:
    SKETCH_CORRUPT = -1
    SKETCH_SAME = 0            # the register holds as much already
    SKETCH_CHANGED = 1


cdef struct SparseRun:
    uint32_t value             # of its registers
    uint32_t count             # of registers
    uint32_t bytes             # of its own


cdef struct Sketch:
    # A HyperLogLog that is being changed: a sparse one is copied first, a dense one is changed where it lies.
    uint8_t* data              # the whole value
    uint32_t size
    uint32_t bytes_max         # of the sparse form
    # Where the walk through the runs goes on, for registers that are set in ascending order.
    uint32_t at
    uint32_t first             # register of the run there
    uint32_t before            # the run before it; 0: none, or not known
    uint8_t[SKETCH_BYTES] buffer


# The run at p; False: cut short.
cdef inline bint sparse_run(const uint8_t* p, const uint8_t* end, SparseRun* out) noexcept nogil:
    out.bytes = 1
    out.value = 0
    if p[0] & 0x80:
        out.value = ((p[0] >> 2) & 31) + 1
        out.count = (p[0] & 3) + 1
    elif p[0] & 0x40:
        if end - p < 2:
            return False
        out.bytes = 2
        out.count = ((<uint32_t>p[0] & 63) << 8 | p[1]) + 1
    else:
        out.count = (p[0] & 63) + 1
    return True


# Takes a value with a sound header; it may lie in the store. False: longer than any sound one.
cdef bint sketch_open(Sketch* s, uint8_t* data, uint64_t size, uint64_t sparse_bytes_max) noexcept nogil
# An empty one.
cdef void sketch_begin(Sketch* s, uint64_t sparse_bytes_max) noexcept nogil
# Raises a register. O(bytes) while sparse. SKETCH_CORRUPT: the runs do not say what it holds.
cdef int sketch_set(Sketch* s, uint32_t register, uint32_t value) noexcept nogil
# The same for a register beyond the last one set: goes on from there.
cdef int sketch_set_next(Sketch* s, uint32_t register, uint32_t value) noexcept nogil
# False: the runs do not cover all registers, once each; it stays sparse.
cdef bint sketch_to_dense(Sketch* s) noexcept nogil

# unpacked[i] = max(unpacked[i], register i of the runs). False as above; what was done is of no use then.
cdef bint sparse_merge(const uint8_t* runs, uint64_t n, uint8_t* unpacked) noexcept nogil
# How many registers hold each value. False as above.
cdef bint sparse_histogram(const uint8_t* runs, uint64_t n, uint32_t* histogram) noexcept nogil


cdef inline bint sketch_is_dense(const Sketch* s) noexcept nogil:
    return s.data[HLL_FORM_AT] == HLL_DENSE
