"""The commands of HyperLogLogs: https://redis.io/docs/latest/commands/?group=hyperloglog

They are strings, see hll_registers.pxd; what they estimate is kept in the value until it changes. The estimate is Ertl's "improved raw" one
(arXiv:1702.01284): from how many registers hold each value, without tables and thresholds.
"""
from libc.math cimport llround, sqrt
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memcmp, memcpy, memset
from gapless.engine.base cimport load_u64, store_u64
from gapless.engine.call cimport Arg, Call
from gapless.engine.dispatch cimport arg_is, call_status, find_read, handler_register, reply_wrong_type
from gapless.engine.hll_registers cimport (
    HLL_CARDINALITY_AT, HLL_DENSE, HLL_DENSE_BYTES, HLL_FORM_AT, HLL_HEADER_BYTES, HLL_REGISTERS, HLL_SPARSE, HLL_VALUE_MAX, HLL_VALUES,
    hll_get, hll_has_avx2, hll_hash, hll_histogram, hll_merge, hll_pack, hll_put, hll_register, hll_value,
)
from gapless.engine.hll_sparse cimport (
    SKETCH_CHANGED, SKETCH_CORRUPT, Sketch, SparseRun, sketch_begin, sketch_is_dense, sketch_open, sketch_set, sketch_set_next,
    sketch_to_dense, sparse_histogram, sparse_merge, sparse_run,
)
from gapless.engine.keyspace cimport (
    EXPIRE_NEVER, FIND_WRITE, Value, keyspace_create, keyspace_find, keyspace_hash, keyspace_resize, keyspace_touched,
    keyspace_touched_at, keyspace_touched_since,
)
from gapless.engine.record cimport RECORD_RAW, TYPE_STRING
from gapless.engine.reply cimport (
    Reply, format_int64, reply_array, reply_bulk, reply_error, reply_error_bytes, reply_free, reply_init, reply_int, reply_ok, reply_raw,
    reply_status,
)

cdef uint64_t STALE = <uint64_t>1 << 63
# 1 / (2 ln 2)
cdef double ALPHA = 0.721347520444481703680

# PFDEBUG SIMD, of all engines of the process.
cdef bint simd = True

cdef enum:
    SELF_TEST_ADDED = 200000


# ---- the estimate

cdef double sigma(double x) noexcept nogil:
    """The registers that are 0: x + the sum of x^(2^k) 2^(k - 1); x: their share, not 1."""
    cdef double sum = x, before = -1, weight = 1
    while sum != before:
        before = sum
        x *= x
        sum += x * weight
        weight += weight
    return sum


cdef double tau(double x) noexcept nogil:
    """The registers that are full: (1 - x - the sum of (1 - x^(2^-k))^2 2^-k) / 3; x: the share of the others."""
    cdef double sum = 1 - x, before = -1, weight = 1
    if x == 0 or x == 1:
        return 0
    while sum != before:
        before = sum
        x = sqrt(x)
        weight *= 0.5
        sum -= (1 - x) * (1 - x) * weight
    return sum / 3


cdef uint64_t estimate(const uint32_t* histogram) noexcept nogil:
    cdef double m = HLL_REGISTERS
    cdef double z = m * tau((m - histogram[HLL_VALUE_MAX]) / m)
    cdef int j
    if histogram[0] == HLL_REGISTERS:
        return 0
    for j in range(HLL_VALUE_MAX - 1, 0, -1):
        z += histogram[j]
        z *= 0.5
    z += m * sigma(histogram[0] / m)
    return <uint64_t>llround(ALPHA * m * m / z)


cdef bint merge_value(const uint8_t* data, uint64_t size, uint8_t* unpacked) noexcept nogil:
    """Raises what is unpacked to a value with a sound header. False: its body is not."""
    if data[HLL_FORM_AT] == HLL_SPARSE:
        return sparse_merge(data + HLL_HEADER_BYTES, size - HLL_HEADER_BYTES, unpacked)
    hll_merge(unpacked, data + HLL_HEADER_BYTES, simd)
    return True


cdef bint count_value(const uint8_t* data, uint64_t size, uint64_t* count) noexcept nogil:
    """What it estimates, counted afresh. False: its body is not sound."""
    cdef uint32_t[HLL_VALUES] histogram
    cdef uint8_t[HLL_REGISTERS] unpacked
    if data[HLL_FORM_AT] == HLL_SPARSE:
        if not sparse_histogram(data + HLL_HEADER_BYTES, size - HLL_HEADER_BYTES, histogram):
            return False
    else:
        memset(unpacked, 0, HLL_REGISTERS)
        hll_merge(unpacked, data + HLL_HEADER_BYTES, simd)
        hll_histogram(unpacked, histogram)
    count[0] = estimate(histogram)
    return True


# ---- values

cdef bint reply_corrupt(Call* call) noexcept nogil:
    reply_error(call.reply, b"INVALIDOBJ Corrupted HLL object detected")
    return False


cdef bint is_hyperloglog(Call* call, const Value* v) noexcept nogil:
    """False after replying WRONGTYPE."""
    if v.type != TYPE_STRING:
        reply_wrong_type(call)
        return False
    if (v.size < HLL_HEADER_BYTES or memcmp(v.data, b"HYLL", 4) != 0 or v.data[HLL_FORM_AT] > HLL_SPARSE
            or (v.data[HLL_FORM_AT] == HLL_DENSE and v.size != HLL_DENSE_BYTES)):
        reply_error(call.reply, b"WRONGTYPE Key is not a valid HyperLogLog string value.")
        return False
    return True


cdef bint find(Call* call, int i, int how, Value* v) noexcept nogil:
    """The HyperLogLog in argv[i]; v.data NULL: there is none. False after an error reply."""
    cdef const Arg* key = &call.argv[i]
    if keyspace_find(call.keys, call.session.db, key.data, key.size, keyspace_hash(call.keys, key.data, key.size), how, v):
        return is_hyperloglog(call, v)
    v.data = NULL
    return True


cdef bint find_to_change(Call* call, int i, Value* v) noexcept nogil:
    """The same for those that may change it: of the same size it stays where it is, and is raw from now on, as it is in Redis."""
    if not find(call, i, FIND_WRITE, v):
        return False
    return v.data == NULL or call_status(call, keyspace_resize(call.keys, v, call.argv[i].data, call.argv[i].size, v.size))


cdef inline void make_stale(uint8_t* data) noexcept nogil:
    data[HLL_CARDINALITY_AT + 7] |= 0x80


cdef bint write_sketch(Call* call, const Arg* key, Value* v, Sketch* s) noexcept nogil:
    """What was changed goes under its key. False after an error reply: it is as it was."""
    make_stale(s.data)
    if v.data == NULL:
        if not call_status(call, keyspace_create(call.keys, call.session.db, key.data, key.size,
                                                 keyspace_hash(call.keys, key.data, key.size), TYPE_STRING | RECORD_RAW, s.size,
                                                 EXPIRE_NEVER, v)):
            return False
    elif not call_status(call, keyspace_resize(call.keys, v, key.data, key.size, s.size)):
        return False
    if s.data != s.buffer:
        # What it was: see open_sketch().
        keyspace_touched_since(call.keys, v, key.data, key.size, s.buffer)
        return True
    memcpy(v.data, s.buffer, s.size)
    keyspace_touched(call.keys, v, key.data, key.size)
    return True


cdef bint open_sketch(Call* call, Value* v, Sketch* s) noexcept nogil:
    """What find() found, to be changed. False after an error reply."""
    if v.data == NULL:
        sketch_begin(s, call.dispatch.hll_sparse_bytes)
    elif not sketch_open(s, v.data, v.size, call.dispatch.hll_sparse_bytes):
        return reply_corrupt(call)
    if s.data != s.buffer and call.keys.effects != NULL:
        # A dense one is changed where it lies, and has no use for the buffer.
        memcpy(s.buffer, s.data, s.size)
    return True


# ---- commands

cdef void cmd_pfadd(Call* call) noexcept nogil:
    cdef Value v
    cdef Sketch s
    cdef uint64_t hash
    cdef int i, done
    cdef bint changed
    if not find_to_change(call, 1, &v) or not open_sketch(call, &v, &s):
        return
    changed = v.data == NULL
    for i in range(2, call.argc):
        hash = hll_hash(call.argv[i].data, call.argv[i].size)
        done = sketch_set(&s, hll_register(hash), hll_value(hash))
        if done == SKETCH_CORRUPT:
            reply_corrupt(call)
            return
        changed |= done == SKETCH_CHANGED
    if not changed or write_sketch(call, &call.argv[1], &v, &s):
        reply_int(call.reply, changed)


cdef void count_one(Call* call) noexcept nogil:
    cdef Value v
    cdef uint64_t count
    if not find(call, 1, find_read(call), &v):
        return
    if v.data == NULL:
        reply_int(call.reply, 0)
        return
    # See find_to_change().
    keyspace_resize(call.keys, &v, call.argv[1].data, call.argv[1].size, v.size)
    count = load_u64(v.data + HLL_CARDINALITY_AT)
    if count & STALE:
        if not count_value(v.data, v.size, &count):
            reply_corrupt(call)
            return
        store_u64(v.data + HLL_CARDINALITY_AT, count)
        keyspace_touched_at(call.keys, &v, call.argv[1].data, call.argv[1].size, v.size, HLL_CARDINALITY_AT, 8)
    reply_int(call.reply, <int64_t>count)


cdef void cmd_pfcount(Call* call) noexcept nogil:
    cdef Value v
    cdef uint8_t[HLL_REGISTERS] unpacked
    cdef uint32_t[HLL_VALUES] histogram
    cdef int i
    if call.argc == 2:
        count_one(call)
        return
    memset(unpacked, 0, HLL_REGISTERS)
    for i in range(1, call.argc):
        if not find(call, i, find_read(call), &v):
            return
        if v.data != NULL and not merge_value(v.data, v.size, unpacked):
            reply_corrupt(call)
            return
    hll_histogram(unpacked, histogram)
    reply_int(call.reply, <int64_t>estimate(histogram))


cdef void cmd_pfmerge(Call* call) noexcept nogil:
    cdef Value v
    cdef Sketch s
    cdef uint8_t[HLL_REGISTERS] unpacked
    cdef uint32_t register
    cdef bint dense = False
    cdef int i
    memset(unpacked, 0, HLL_REGISTERS)
    for i in range(1, call.argc):
        if not find(call, i, find_read(call), &v):
            return
        if v.data != NULL:
            dense |= v.data[HLL_FORM_AT] == HLL_DENSE
            if not merge_value(v.data, v.size, unpacked):
                reply_corrupt(call)
                return
    if not find_to_change(call, 1, &v) or not open_sketch(call, &v, &s):
        return
    if dense:
        if not sketch_is_dense(&s):
            sketch_to_dense(&s)
        hll_pack(s.data + HLL_HEADER_BYTES, unpacked, simd)
    else:
        for register in range(HLL_REGISTERS):
            if unpacked[register]:
                sketch_set_next(&s, register, unpacked[register])
    if write_sketch(call, &call.argv[1], &v, &s):
        reply_ok(call.reply)


# ---- PFDEBUG

cdef void debug_simd(Call* call) noexcept nogil:
    global simd
    if arg_is(call, 2, b"ON"):
        simd = True
    elif arg_is(call, 2, b"OFF"):
        simd = False
    else:
        reply_error(call.reply, b"ERR Argument must be ON or OFF")
        return
    reply_status(call.reply, b"enabled" if simd and hll_has_avx2() else b"disabled")


cdef bint debug_to_dense(Call* call, Value* v, bint* converted) noexcept nogil:
    cdef Sketch s
    converted[0] = v.data[HLL_FORM_AT] == HLL_SPARSE
    if not converted[0]:
        return True
    if not open_sketch(call, v, &s):
        return False
    if not sketch_to_dense(&s):
        return reply_corrupt(call)
    if not call_status(call, keyspace_resize(call.keys, v, call.argv[2].data, call.argv[2].size, s.size)):
        return False
    memcpy(v.data, s.data, s.size)
    keyspace_touched(call.keys, v, call.argv[2].data, call.argv[2].size)
    return True


cdef void debug_registers(Call* call, Value* v) noexcept nogil:
    cdef bint converted
    cdef uint32_t i
    if not debug_to_dense(call, v, &converted):
        return
    reply_array(call.reply, HLL_REGISTERS)
    for i in range(HLL_REGISTERS):
        reply_int(call.reply, hll_get(v.data + HLL_HEADER_BYTES, i))


cdef void add_number(Reply* out, const char* before, size_t n, uint32_t number) noexcept nogil:
    cdef char[24] digits
    reply_raw(out, before, n)
    reply_raw(out, digits, <size_t>format_int64(digits, number))


cdef void debug_runs(Call* call, const Value* v) noexcept nogil:
    """z: or Z: and how many registers are 0, in one byte or two; v: value, how many."""
    cdef const uint8_t* p = v.data + HLL_HEADER_BYTES
    cdef const uint8_t* end = v.data + v.size
    cdef SparseRun run
    cdef Reply text
    if v.data[HLL_FORM_AT] == HLL_DENSE:
        reply_error(call.reply, b"ERR HLL encoding is not sparse")
        return
    reply_init(&text)
    while p < end and sparse_run(p, end, &run):
        if text.length:
            reply_raw(&text, b" ", 1)
        if run.value:
            add_number(&text, b"v:", 2, run.value)
            add_number(&text, b",", 1, run.count)
        else:
            add_number(&text, b"Z:" if run.bytes == 2 else b"z:", 2, run.count)
        p += run.bytes
    reply_bulk(call.reply, text.data, text.length)
    reply_free(&text)


cdef void cmd_pfdebug(Call* call) noexcept nogil:
    cdef Value v
    cdef Reply text
    cdef bint converted
    if arg_is(call, 1, b"SIMD"):
        debug_simd(call)
        return
    if not find_to_change(call, 2, &v):
        return
    if v.data == NULL:
        reply_error(call.reply, b"ERR The specified key does not exist")
    elif arg_is(call, 1, b"GETREG"):
        debug_registers(call, &v)
    elif arg_is(call, 1, b"DECODE"):
        debug_runs(call, &v)
    elif arg_is(call, 1, b"ENCODING"):
        reply_status(call.reply, b"dense" if v.data[HLL_FORM_AT] == HLL_DENSE else b"sparse")
    elif arg_is(call, 1, b"TODENSE"):
        if debug_to_dense(call, &v, &converted):
            reply_int(call.reply, converted)
    else:
        reply_init(&text)
        reply_raw(&text, b"ERR Unknown PFDEBUG subcommand '", 32)
        reply_raw(&text, call.argv[1].data, call.argv[1].size)
        reply_raw(&text, b"'", 1)
        reply_error_bytes(call.reply, text.data, text.length)
        reply_free(&text)


# ---- PFSELFTEST

cdef const char* test_packing() noexcept nogil:
    """Registers written one by one, packed and unpacked in both ways, are what they were."""
    cdef uint8_t[HLL_REGISTERS] wanted
    cdef uint8_t[HLL_REGISTERS] found
    cdef uint8_t[HLL_DENSE_BYTES] packed
    cdef uint8_t[HLL_DENSE_BYTES] again
    cdef uint32_t i
    cdef int way
    memset(packed, 0xff, HLL_DENSE_BYTES)
    for i in range(HLL_REGISTERS):
        wanted[i] = hll_hash(<const uint8_t*>&i, 4) & (HLL_VALUES - 1)
        hll_put(packed, i, wanted[i])
    for way in range(2):
        memset(found, 0, HLL_REGISTERS)
        hll_merge(found, packed, way)
        hll_pack(again, found, way)
        if memcmp(found, wanted, HLL_REGISTERS) != 0 or memcmp(packed, again, HLL_DENSE_BYTES - HLL_HEADER_BYTES) != 0:
            return b"ERR TESTFAILED registers are not what was packed"
    for i in range(HLL_REGISTERS):
        if hll_get(packed, i) != wanted[i]:
            return b"ERR TESTFAILED a register is not what was written"
    return NULL


cdef const char* test_estimates() noexcept nogil:
    """The estimate is near, and the same of a sparse one and a dense one."""
    cdef Sketch one, other
    cdef uint64_t i, hash, count = 0, count_other = 0, checked = 1
    sketch_begin(&one, HLL_DENSE_BYTES)
    sketch_begin(&other, 0)
    for i in range(1, SELF_TEST_ADDED + 1):
        hash = hll_hash(<const uint8_t*>&i, 8)
        if sketch_set(&one, hll_register(hash), hll_value(hash)) != sketch_set(&other, hll_register(hash), hll_value(hash)):
            return b"ERR TESTFAILED sparse and dense do not change alike"
        if i != checked:
            continue
        checked *= 10
        if (not count_value(one.data, one.size, &count) or not count_value(other.data, other.size, &count_other)
                or count != count_other):
            return b"ERR TESTFAILED sparse and dense do not count alike"
        # Six times the standard error of 1.04 / sqrt(registers), and 1 of rounding.
        if <double>count < i * 0.951 - 1 or <double>count > i * 1.049 + 1:
            return b"ERR TESTFAILED the estimate is too far off"
    return NULL


cdef void cmd_pfselftest(Call* call) noexcept nogil:
    cdef const char* wrong = test_packing()
    if wrong == NULL:
        wrong = test_estimates()
    if wrong == NULL:
        reply_ok(call.reply)
    else:
        reply_error(call.reply, wrong)


handler_register(b"hyperloglog.pfadd", cmd_pfadd)
handler_register(b"hyperloglog.pfcount", cmd_pfcount)
handler_register(b"hyperloglog.pfmerge", cmd_pfmerge)
handler_register(b"hyperloglog.pfdebug", cmd_pfdebug)
handler_register(b"hyperloglog.pfselftest", cmd_pfselftest)
