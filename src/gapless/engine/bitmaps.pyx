"""The commands of bitmaps: https://redis.io/docs/latest/commands/?group=bitmap. Bit 0 is the most significant bit of byte 0."""
from libc.stdint cimport int64_t, uint8_t, uint64_t
from libc.stdlib cimport free, malloc
from gapless.engine.base cimport load_u64, parse_int64
from gapless.engine.call cimport Call
from gapless.engine.dispatch cimport (
    arg_int64, arg_is, call_room, call_status, find_read, find_string, handler_register, reply_syntax_error, reply_wrong_type,
    widen_string,
)
from gapless.engine.keyspace cimport (
    EXPIRE_NEVER, FIND_WRITE, Value, keyspace_delete, keyspace_find, keyspace_hash, keyspace_set, keyspace_touched_at,
)
from gapless.engine.record cimport RECORD_RAW, TYPE_STRING
from gapless.engine.reply cimport reply_error, reply_int

cdef extern from * nogil:
    """
    /* The instruction when the processor has it: the baseline of x86-64 does not, and gcc's own is a table. */
    #define COUNT_BITS_BODY \\
        uint64_t total = 0, last = 0; \\
        for (; n >= 32; p += 32, n -= 32) \\
            total += (uint64_t)__builtin_popcountll(load_u64(p)) + (uint64_t)__builtin_popcountll(load_u64(p + 8)) \\
                + (uint64_t)__builtin_popcountll(load_u64(p + 16)) + (uint64_t)__builtin_popcountll(load_u64(p + 24)); \\
        for (; n >= 8; p += 8, n -= 8) total += (uint64_t)__builtin_popcountll(load_u64(p)); \\
        if (n) { memcpy(&last, p, n); total += (uint64_t)__builtin_popcountll(last); } \\
        return (int64_t)total;
    static int64_t count_bits_portable(const uint8_t *p, uint64_t n) { COUNT_BITS_BODY }
    #if defined(__x86_64__)
    __attribute__((target("popcnt"))) static int64_t count_bits_popcnt(const uint8_t *p, uint64_t n) { COUNT_BITS_BODY }
    static int64_t count_bits(const uint8_t *p, uint64_t n) {
        return __builtin_cpu_supports("popcnt") ? count_bits_popcnt(p, n) : count_bits_portable(p, n);
    }
    #else
    static int64_t count_bits(const uint8_t *p, uint64_t n) { return count_bits_portable(p, n); }
    #endif
    """
    int64_t count_bits(const uint8_t* p, uint64_t n)

cdef enum:
    BLOCK_WORDS = 512          # of 8 bytes: BITOP works on blocks that stay in the first-level cache

cdef extern from "<string.h>" nogil:
    void* copy_bytes "memcpy"(void* to, const void* source, size_t n)
    void* fill_bytes "memset"(void* to, int c, size_t n)

cdef enum Operation:
    OP_AND
    OP_OR
    OP_XOR
    OP_NOT
    OP_DIFF
    OP_DIFF1
    OP_ANDOR
    OP_ONE


cdef bint bit_offset(Call* call, int i, int64_t* offset) noexcept nogil:
    if (not parse_int64(call.argv[i].data, call.argv[i].size, offset) or offset[0] < 0
            or <uint64_t>offset[0] >> 3 >= call.dispatch.bulk_bytes_max):
        reply_error(call.reply, b"ERR bit offset is not an integer or out of range")
        return False
    return True


cdef void cmd_setbit(Call* call) noexcept nogil:
    cdef int64_t offset, bit, at
    cdef Value v
    cdef bint grew
    cdef int shift, before
    cdef uint64_t old
    if not bit_offset(call, 2, &offset):
        return
    if not parse_int64(call.argv[3].data, call.argv[3].size, &bit) or bit < 0 or bit > 1:
        reply_error(call.reply, b"ERR bit is not an integer or out of range")
        return
    if not find_string(call, FIND_WRITE, &v):
        return
    at = offset >> 3
    old = v.size
    grew = old <= <uint64_t>at
    if not widen_string(call, &v, <uint64_t>at + 1):
        return
    shift = 7 - <int>(offset & 7)
    before = (v.data[at] >> shift) & 1
    v.data[at] = <uint8_t>((v.data[at] & ~(1 << shift)) | (bit << shift))
    # A bit that had the value already is no change: who watches the key is not told.
    if grew or before != bit:
        keyspace_touched_at(call.keys, &v, call.argv[1].data, call.argv[1].size, old, <uint64_t>at, 1)
    reply_int(call.reply, before)


cdef void cmd_getbit(Call* call) noexcept nogil:
    cdef int64_t offset
    cdef Value v
    if not bit_offset(call, 2, &offset) or not find_string(call, find_read(call), &v):
        return
    if <uint64_t>(offset >> 3) < v.size:
        reply_int(call.reply, (v.data[offset >> 3] >> (7 - (offset & 7))) & 1)
    else:
        reply_int(call.reply, 0)


# ---- BITCOUNT, BITPOS

cdef bint unit_of(Call* call, int i, bint* is_bit) noexcept nogil:
    if arg_is(call, i, b"BIT"):
        is_bit[0] = True
    elif not arg_is(call, i, b"BYTE"):
        reply_syntax_error(call)
        return False
    return True


cdef bint clip(int64_t* first, int64_t* last, int64_t n) noexcept nogil:
    """Negative positions count from the end; both end up in [0, n). False: the range is empty."""
    if first[0] < 0 and last[0] < 0 and first[0] > last[0]:
        return False
    if first[0] < 0:
        first[0] = max(first[0] + n, 0)
    if last[0] < 0:
        last[0] = max(last[0] + n, 0)
    if last[0] >= n:
        last[0] = n - 1
    return first[0] <= last[0]


cdef void cmd_bitcount(Call* call) noexcept nogil:
    cdef Value v
    cdef bint is_bit = False
    cdef int64_t first = 0, last = -1, n, total
    cdef int head, tail
    cdef uint8_t outside
    if call.argc == 4 or call.argc == 5:
        if not arg_int64(call, 2, &first) or not arg_int64(call, 3, &last):
            return
        if call.argc == 5 and not unit_of(call, 4, &is_bit):
            return
    elif call.argc != 2:
        reply_syntax_error(call)
        return
    if not find_string(call, find_read(call), &v):
        return
    n = <int64_t>v.size * (8 if is_bit else 1)
    if n == 0 or not clip(&first, &last, n):
        reply_int(call.reply, 0)
        return
    if not is_bit:
        reply_int(call.reply, count_bits(v.data + first, <uint64_t>(last - first + 1)))
        return
    head = <int>(first & 7)
    tail = 7 - <int>(last & 7)
    total = count_bits(v.data + (first >> 3), <uint64_t>((last >> 3) - (first >> 3) + 1))
    outside = <uint8_t>(v.data[first >> 3] & (0xff << (8 - head) & 0xff))
    total -= count_bits(&outside, 1)
    outside = <uint8_t>(v.data[last >> 3] & ((1 << tail) - 1))
    total -= count_bits(&outside, 1)
    reply_int(call.reply, total)


cdef int64_t find_bit(const uint8_t* p, int64_t first, int64_t last, int bit) noexcept nogil:
    """The first position in bits [first, last] that is `bit`; -1: none."""
    cdef int64_t at = first
    cdef uint64_t skip = 0 if bit else <uint64_t>0xffffffffffffffff
    while at <= last:
        if (at & 7) == 0 and at + 63 <= last and load_u64(p + (at >> 3)) == skip:
            at += 64
            continue
        if (at & 7) == 0 and at + 7 <= last and p[at >> 3] == <uint8_t>skip:
            at += 8
            continue
        if ((p[at >> 3] >> (7 - (at & 7))) & 1) == bit:
            return at
        at += 1
    return -1


cdef void cmd_bitpos(Call* call) noexcept nogil:
    cdef Value v
    cdef bint is_bit = False, end_given = False
    cdef int64_t bit, first = 0, last = -1, n, found
    if not arg_int64(call, 2, &bit):
        return
    if bit != 0 and bit != 1:
        reply_error(call.reply, b"ERR The bit argument must be 1 or 0.")
        return
    if call.argc > 6:
        reply_syntax_error(call)
        return
    if call.argc >= 4:
        if not arg_int64(call, 3, &first):
            return
        if call.argc == 6 and not unit_of(call, 5, &is_bit):
            return
        if call.argc >= 5:
            if not arg_int64(call, 4, &last):
                return
            end_given = True
    if not find_string(call, find_read(call), &v):
        return
    if v.data == NULL:
        reply_int(call.reply, -1 if bit else 0)
        return
    n = <int64_t>v.size * (8 if is_bit else 1)
    if first < 0:
        first = max(first + n, 0)
    if last < 0:
        last = max(last + n, 0)
    if last >= n:
        last = n - 1
    if first > last:
        reply_int(call.reply, -1)
        return
    if not is_bit:
        first *= 8
        last = last * 8 + 7
    found = find_bit(v.data, first, last, <int>bit)
    if found < 0 and bit == 0 and not end_given:
        # Without an end the value counts as followed by zeros.
        found = <int64_t>v.size * 8
    reply_int(call.reply, found)


# ---- BITOP

cdef void block_of(const Value* source, uint64_t at, uint64_t n, uint64_t* out) noexcept nogil:
    """Bytes [at, at + n) of a source, as words; it is followed by zeros."""
    cdef uint64_t there = min(source.size - at, n) if source.size > at else 0
    if there:
        copy_bytes(out, source.data + at, there)
    if there < n:
        fill_bytes(<uint8_t*>out + there, 0, n - there)


cdef void add_to(int op, uint64_t* result, uint64_t* others, const uint64_t* word, uint64_t words) noexcept nogil:
    """One more source into the block: `others` is what the rest has (DIFF, DIFF1, ANDOR), or what several have (ONE)."""
    cdef uint64_t i
    if op == OP_AND:
        for i in range(words):
            result[i] &= word[i]
    elif op == OP_OR:
        for i in range(words):
            result[i] |= word[i]
    elif op == OP_XOR:
        for i in range(words):
            result[i] ^= word[i]
    elif op == OP_ONE:
        for i in range(words):
            others[i] |= result[i] & word[i]
            result[i] |= word[i]
    else:
        for i in range(words):
            others[i] |= word[i]


cdef void finish(int op, uint64_t* result, const uint64_t* others, uint64_t words) noexcept nogil:
    cdef uint64_t i
    if op == OP_NOT:
        for i in range(words):
            result[i] = ~result[i]
    elif op == OP_DIFF or op == OP_ONE:
        for i in range(words):
            result[i] &= ~others[i]
    elif op == OP_DIFF1:
        for i in range(words):
            result[i] = ~result[i] & others[i]
    elif op == OP_ANDOR:
        for i in range(words):
            result[i] &= others[i]


cdef void operate(int op, const Value* sources, int count, uint8_t* out, uint64_t n) noexcept nogil:
    cdef uint64_t[BLOCK_WORDS] result
    cdef uint64_t[BLOCK_WORDS] others
    cdef uint64_t[BLOCK_WORDS] word
    cdef uint64_t at = 0, part, words
    cdef int i
    while at < n:
        part = min(n - at, <uint64_t>sizeof(result))
        words = (part + 7) // 8
        result[words - 1] = word[words - 1] = 0
        block_of(&sources[0], at, part, result)
        fill_bytes(others, 0, words * 8)
        for i in range(1, count):
            block_of(&sources[i], at, part, word)
            add_to(op, result, others, word, words)
        finish(op, result, others, words)
        copy_bytes(out + at, result, part)
        at += part


cdef int operation_of(Call* call) noexcept nogil:
    if arg_is(call, 1, b"AND"):
        return OP_AND
    if arg_is(call, 1, b"OR"):
        return OP_OR
    if arg_is(call, 1, b"XOR"):
        return OP_XOR
    if arg_is(call, 1, b"NOT"):
        return OP_NOT
    if arg_is(call, 1, b"DIFF"):
        return OP_DIFF
    if arg_is(call, 1, b"DIFF1"):
        return OP_DIFF1
    if arg_is(call, 1, b"ANDOR"):
        return OP_ANDOR
    if arg_is(call, 1, b"ONE"):
        return OP_ONE
    return -1


cdef void cmd_bitop(Call* call) noexcept nogil:
    cdef int op = operation_of(call)
    cdef int count = call.argc - 3, i
    cdef Value* sources
    cdef uint64_t n = 0
    cdef uint8_t* out
    cdef uint64_t to_hash = keyspace_hash(call.keys, call.argv[2].data, call.argv[2].size)
    if op < 0:
        reply_syntax_error(call)
        return
    if op == OP_NOT and count != 1:
        reply_error(call.reply, b"ERR BITOP NOT must be called with a single source key.")
        return
    if count < 2 and op == OP_DIFF:
        reply_error(call.reply, b"ERR BITOP DIFF must be called with at least two source keys.")
        return
    if count < 2 and op == OP_DIFF1:
        reply_error(call.reply, b"ERR BITOP DIFF1 must be called with at least two source keys.")
        return
    if count < 2 and op == OP_ANDOR:
        reply_error(call.reply, b"ERR BITOP ANDOR must be called with at least two source keys.")
        return
    sources = <Value*>malloc(count * sizeof(Value))
    if sources == NULL:
        reply_error(call.reply, b"OOM command not allowed when used memory > 'maxmemory'.")
        return
    for i in range(count):
        if keyspace_find(call.keys, call.session.db, call.argv[3 + i].data, call.argv[3 + i].size,
                         keyspace_hash(call.keys, call.argv[3 + i].data, call.argv[3 + i].size), find_read(call), &sources[i]):
            if sources[i].type != TYPE_STRING:
                free(sources)
                reply_wrong_type(call)
                return
            n = max(n, sources[i].size)
        else:
            sources[i].size = 0
            sources[i].data = NULL
    if n == 0:
        free(sources)
        keyspace_delete(call.keys, call.session.db, call.argv[2].data, call.argv[2].size, to_hash)
        reply_int(call.reply, 0)
        return
    # Into a buffer of its own first: the target may be one of the sources.
    out = <uint8_t*>malloc(n)
    if out == NULL:
        free(sources)
        reply_error(call.reply, b"OOM command not allowed when used memory > 'maxmemory'.")
        return
    operate(op, sources, count, out, n)
    if call_room(call, n) and call_status(call, keyspace_set(call.keys, call.session.db, call.argv[2].data, call.argv[2].size, to_hash,
                                      TYPE_STRING | RECORD_RAW, out, n, EXPIRE_NEVER)):
        reply_int(call.reply, <int64_t>n)
    free(out)
    free(sources)


handler_register(b"bitmaps.setbit", cmd_setbit)
handler_register(b"bitmaps.getbit", cmd_getbit)
handler_register(b"bitmaps.bitcount", cmd_bitcount)
handler_register(b"bitmaps.bitpos", cmd_bitpos)
handler_register(b"bitmaps.bitop", cmd_bitop)
