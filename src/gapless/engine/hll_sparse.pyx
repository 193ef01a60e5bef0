from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy, memmove, memset
from gapless.engine.base cimport INVARIANT
from gapless.engine.hll_registers cimport (
    HLL_DENSE, HLL_DENSE_BYTES, HLL_FORM_AT, HLL_HEADER_BYTES, HLL_REGISTERS, HLL_SPARSE, HLL_VALUES, hll_get, hll_put,
)

cdef enum:
    SHORT_ZEROS_MAX = 64       # that one byte covers
    VALUES_MAX = 4             # registers that one run of a value covers
    JOIN_RUNS = 5              # looked at after a change


# ---- reading

cdef bint sparse_merge(const uint8_t* runs, uint64_t n, uint8_t* unpacked) noexcept nogil:
    cdef const uint8_t* end = runs + n
    cdef uint32_t at = 0, i
    cdef SparseRun run
    while runs < end:
        if not sparse_run(runs, end, &run) or run.count > HLL_REGISTERS - at:
            return False
        if run.value:
            for i in range(at, at + run.count):
                unpacked[i] = max(unpacked[i], <uint8_t>run.value)
        at += run.count
        runs += run.bytes
    return at == HLL_REGISTERS


cdef bint sparse_histogram(const uint8_t* runs, uint64_t n, uint32_t* histogram) noexcept nogil:
    cdef const uint8_t* end = runs + n
    cdef uint32_t at = 0
    cdef SparseRun run
    memset(histogram, 0, HLL_VALUES * sizeof(uint32_t))
    while runs < end:
        if not sparse_run(runs, end, &run) or run.count > HLL_REGISTERS - at:
            return False
        histogram[run.value] += run.count
        at += run.count
        runs += run.bytes
    return at == HLL_REGISTERS


# ---- a value to be changed

cdef inline void go_on_from(Sketch* s, uint32_t at, uint32_t first, uint32_t before) noexcept nogil:
    s.at = at
    s.first = first
    s.before = before


cdef bint sketch_open(Sketch* s, uint8_t* data, uint64_t size, uint64_t sparse_bytes_max) noexcept nogil:
    if size > SKETCH_BYTES - SPARSE_SPLIT_BYTES:
        return False
    s.data = data
    s.size = <uint32_t>size
    # Beyond the longest there is it limits nothing.
    s.bytes_max = <uint32_t>min(sparse_bytes_max, <uint64_t>SKETCH_BYTES)
    go_on_from(s, HLL_HEADER_BYTES, 0, 0)
    return True


cdef void sketch_begin(Sketch* s, uint64_t sparse_bytes_max) noexcept nogil:
    memset(s.buffer, 0, HLL_HEADER_BYTES)
    memcpy(s.buffer, b"HYLL", 4)
    s.buffer[HLL_FORM_AT] = HLL_SPARSE
    s.buffer[HLL_HEADER_BYTES] = 0x7f
    s.buffer[HLL_HEADER_BYTES + 1] = 0xff
    sketch_open(s, s.buffer, HLL_HEADER_BYTES + 2, sparse_bytes_max)


cdef inline void make_own(Sketch* s) noexcept nogil:
    if s.data != s.buffer:
        memcpy(s.buffer, s.data, s.size)
        s.data = s.buffer


cdef bint sketch_to_dense(Sketch* s) noexcept nogil:
    cdef uint8_t[HLL_DENSE_BYTES] dense
    cdef uint8_t* packed = dense + HLL_HEADER_BYTES
    cdef const uint8_t* p = s.data + HLL_HEADER_BYTES
    cdef const uint8_t* end = s.data + s.size
    cdef uint32_t at = 0, i
    cdef SparseRun run
    memcpy(dense, s.data, HLL_HEADER_BYTES)
    memset(packed, 0, HLL_DENSE_BYTES - HLL_HEADER_BYTES)
    dense[HLL_FORM_AT] = HLL_DENSE
    while p < end:
        if not sparse_run(p, end, &run) or run.count > HLL_REGISTERS - at:
            return False
        if run.value:
            for i in range(at, at + run.count):
                hll_put(packed, i, run.value)
        at += run.count
        p += run.bytes
    if at != HLL_REGISTERS:
        return False
    memcpy(s.buffer, dense, HLL_DENSE_BYTES)
    s.data = s.buffer
    s.size = HLL_DENSE_BYTES
    return True


cdef int dense_set(Sketch* s, uint32_t register, uint32_t value) noexcept nogil:
    if hll_get(s.data + HLL_HEADER_BYTES, register) >= value:
        return SKETCH_SAME
    hll_put(s.data + HLL_HEADER_BYTES, register, value)
    return SKETCH_CHANGED


cdef inline uint8_t* put_zeros(uint8_t* p, uint32_t count) noexcept nogil:
    """No registers: no bytes; likewise put_values()."""
    if count == 0:
        return p
    if count <= SHORT_ZEROS_MAX:
        p[0] = <uint8_t>(count - 1)
        return p + 1
    p[0] = <uint8_t>(0x40 | (count - 1) >> 8)
    p[1] = <uint8_t>(count - 1)
    return p + 2


cdef inline uint8_t* put_values(uint8_t* p, uint32_t value, uint32_t count) noexcept nogil:
    if count == 0:
        return p
    p[0] = <uint8_t>(0x80 | (value - 1) << 2 | (count - 1))
    return p + 1


cdef inline uint32_t split(uint8_t* p, const SparseRun* run, uint32_t left, uint32_t value) noexcept nogil:
    """The run with one register of it, behind `left` others, of another value. Returns its bytes."""
    cdef uint32_t right = run.count - left - 1
    cdef uint8_t* at = p
    if run.value == 0:
        at = put_zeros(put_values(put_zeros(at, left), value, 1), right)
    else:
        at = put_values(put_values(put_values(at, run.value, left), value, 1), run.value, right)
    return <uint32_t>(at - p)


cdef void join(Sketch* s, uint32_t at) noexcept nogil:
    """Runs of the same value that fit one become one: among the five from here on."""
    cdef uint8_t* p = s.data + at
    cdef uint8_t* end = s.data + s.size
    cdef uint32_t count
    cdef int left = JOIN_RUNS
    while p < end and left > 0:
        left -= 1
        if not p[0] & 0x80:
            p += 2 if p[0] & 0x40 else 1
            continue
        if p + 1 < end and (p[0] ^ p[1]) & 0xfc == 0:
            count = (p[0] & 3) + (p[1] & 3) + 2
            if count <= VALUES_MAX:
                p[0] = <uint8_t>((p[0] & 0xfc) | (count - 1))
                end -= 1
                memmove(p + 1, p + 2, end - p - 1)
                s.size -= 1
                continue
        p += 1


cdef int sparse_set(Sketch* s, uint32_t register, uint32_t value) noexcept nogil:
    cdef uint8_t[SPARSE_SPLIT_BYTES] made
    cdef uint32_t at = s.at, first = s.first, previous = s.before, previous_first = 0, before = 0, n
    cdef bint known = False    # what was before `previous`
    cdef SparseRun run
    if value > SPARSE_VALUE_MAX:
        return dense_set(s, register, value) if sketch_to_dense(s) else SKETCH_CORRUPT
    while True:
        if at >= s.size or not sparse_run(s.data + at, s.data + s.size, &run):
            return SKETCH_CORRUPT
        if register < first + run.count:
            break
        before = previous
        previous_first = first
        known = True
        previous = at
        at += run.bytes
        first += run.count
    if run.value >= value:
        if known:
            go_on_from(s, previous, previous_first, before)
        return SKETCH_SAME
    n = split(made, &run, register - first, value)
    if n > run.bytes and s.size + n - run.bytes > s.bytes_max:
        return dense_set(s, register, value) if sketch_to_dense(s) else SKETCH_CORRUPT
    make_own(s)
    INVARIANT(s.size + n - run.bytes <= SKETCH_BYTES)
    memmove(s.data + at + n, s.data + at + run.bytes, s.size - at - run.bytes)
    memcpy(s.data + at, made, n)
    s.size = s.size + n - run.bytes
    join(s, previous if previous else HLL_HEADER_BYTES)
    if known:
        # Joining leaves what is before the one before as it was.
        go_on_from(s, previous, previous_first, before)
    else:
        go_on_from(s, HLL_HEADER_BYTES, 0, 0)
    return SKETCH_CHANGED


cdef int sketch_set(Sketch* s, uint32_t register, uint32_t value) noexcept nogil:
    go_on_from(s, HLL_HEADER_BYTES, 0, 0)
    return sketch_set_next(s, register, value)


cdef int sketch_set_next(Sketch* s, uint32_t register, uint32_t value) noexcept nogil:
    return dense_set(s, register, value) if sketch_is_dense(s) else sparse_set(s, register, value)
