"""BITFIELD and BITFIELD_RO: integers of any width at any bit, with a choice of what happens on overflow."""
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport free, malloc
from gapless.engine.base cimport parse_int64
from gapless.engine.call cimport Call
from gapless.engine.dispatch cimport (
    arg_int64, arg_is, find_read, find_string, handler_register, reply_syntax_error, widen_string,
)
from gapless.engine.keyspace cimport FIND_WRITE, Value, keyspace_recorded, keyspace_touched_at
from gapless.engine.reply cimport reply_array, reply_error, reply_int, reply_null

cdef enum Verb:
    VERB_GET
    VERB_SET
    VERB_INCRBY

cdef enum Overflow:
    OVERFLOW_WRAP
    OVERFLOW_SAT
    OVERFLOW_FAIL

cdef struct Step:
    int verb
    int overflow
    bint is_signed
    int bits
    int64_t offset
    int64_t operand


cdef bint parse_type(Call* call, int i, Step* step) noexcept nogil:
    cdef const uint8_t* text = call.argv[i].data
    cdef size_t n = call.argv[i].size
    cdef int64_t bits
    if n >= 2 and (text[0] == c'i' or text[0] == c'u') and parse_int64(text + 1, n - 1, &bits):
        step.is_signed = text[0] == c'i'
        if 1 <= bits <= (64 if step.is_signed else 63):
            step.bits = <int>bits
            return True
    reply_error(call.reply, b"ERR Invalid bitfield type. Use something like i16 u8. Note that u64 is not supported but i64 is.")
    return False


cdef bint parse_offset(Call* call, int i, Step* step) noexcept nogil:
    cdef const uint8_t* text = call.argv[i].data
    cdef size_t n = call.argv[i].size
    cdef int64_t offset, scale = 1
    if n > 0 and text[0] == c'#':
        text += 1
        n -= 1
        scale = step.bits
    if parse_int64(text, n, &offset):
        # The product may wrap around, as it does in Redis: #4611686018427387904 of u8 is bit 0.
        step.offset = <int64_t>(<uint64_t>offset * <uint64_t>scale)
        if step.offset >= 0 and <uint64_t>step.offset >> 3 < call.dispatch.bulk_bytes_max:
            return True
    reply_error(call.reply, b"ERR bit offset is not an integer or out of range")
    return False


cdef uint64_t read_bits(const uint8_t* p, uint64_t n, int64_t offset, int bits) noexcept nogil:
    """Unsigned; beyond the value's end lie zeros."""
    cdef uint64_t v = 0
    cdef uint64_t at = <uint64_t>offset >> 3
    cdef int skip = <int>(offset & 7), taken, left = bits
    while left > 0:
        taken = min(8 - skip, left)
        v <<= taken
        if at < n:
            v |= ((p[at] << skip & 0xff) >> (8 - taken))
        left -= taken
        skip = 0
        at += 1
    return v


cdef void write_bits(uint8_t* p, int64_t offset, int bits, uint64_t v) noexcept nogil:
    cdef uint8_t* at = p + (offset >> 3)
    cdef int skip = <int>(offset & 7), taken, left = bits, shift
    cdef uint32_t mask
    while left > 0:
        taken = min(8 - skip, left)
        shift = 8 - skip - taken
        mask = ((<uint32_t>1 << taken) - 1) << shift
        left -= taken
        at[0] = <uint8_t>((at[0] & ~mask) | ((<uint32_t>(v >> left) << shift) & mask))
        skip = 0
        at += 1


cdef inline int64_t as_signed(uint64_t v, int bits) noexcept nogil:
    if bits < 64 and (v >> (bits - 1)) & 1:
        v |= <uint64_t>0xffffffffffffffff << bits
    return <int64_t>v


cdef inline uint64_t mask_of(int bits) noexcept nogil:
    return <uint64_t>0xffffffffffffffff if bits == 64 else ((<uint64_t>1 << bits) - 1)


cdef bint fit(const Step* step, uint64_t old, bint adding, uint64_t* result) noexcept nogil:
    """The value to store, by the overflow mode. False: FAIL, store nothing. __int128 is not Cython's: bounds are compared apart."""
    cdef int64_t low, high, value, delta
    cdef uint64_t most, sum
    cdef int beyond = 0
    delta = step.operand
    if step.is_signed:
        high = <int64_t>(mask_of(step.bits) >> 1)
        low = -high - 1
        value = as_signed(old, step.bits) if adding else 0
        if (delta > 0 and value > 0 and delta > high - value) or (delta > high and value <= 0 and value > high - delta):
            beyond = 1
        elif delta < 0 and value < 0 and delta < low - value:
            beyond = -1
        elif delta < low and value >= 0 and value < low - delta:
            beyond = -1
        sum = <uint64_t>value + <uint64_t>delta
        if beyond and step.overflow == OVERFLOW_SAT:
            sum = <uint64_t>(high if beyond > 0 else low)
    else:
        most = mask_of(step.bits)
        if not adding:
            sum = <uint64_t>delta
            if sum > most:
                beyond = 1
        else:
            sum = old + <uint64_t>delta
            if delta > 0 and <uint64_t>delta > most - old:
                beyond = 1
            elif delta < 0 and (<uint64_t>0 - <uint64_t>delta) > old:
                beyond = -1
        if beyond and step.overflow == OVERFLOW_SAT:
            sum = most if beyond > 0 else 0
    if beyond and step.overflow == OVERFLOW_FAIL:
        return False
    result[0] = sum & mask_of(step.bits)
    return True


cdef int parse_steps(Call* call, Step* steps, int64_t* last_bit, bint* writes) noexcept nogil:
    """How many; -1 after replying an error."""
    cdef int n = 0, i = 2, overflow = OVERFLOW_WRAP, left
    cdef Step* step
    while i < call.argc:
        left = call.argc - i - 1
        step = &steps[n]
        if arg_is(call, i, b"GET") and left >= 2:
            step.verb = VERB_GET
        elif arg_is(call, i, b"SET") and left >= 3:
            step.verb = VERB_SET
        elif arg_is(call, i, b"INCRBY") and left >= 3:
            step.verb = VERB_INCRBY
        elif arg_is(call, i, b"OVERFLOW") and left >= 1:
            i += 1
            if arg_is(call, i, b"WRAP"):
                overflow = OVERFLOW_WRAP
            elif arg_is(call, i, b"SAT"):
                overflow = OVERFLOW_SAT
            elif arg_is(call, i, b"FAIL"):
                overflow = OVERFLOW_FAIL
            else:
                reply_error(call.reply, b"ERR Invalid OVERFLOW type specified")
                return -1
            i += 1
            continue
        else:
            reply_syntax_error(call)
            return -1
        if not parse_type(call, i + 1, step) or not parse_offset(call, i + 2, step):
            return -1
        step.overflow = overflow
        if step.verb != VERB_GET:
            writes[0] = True
            last_bit[0] = max(last_bit[0], step.offset + step.bits - 1)
            if not arg_int64(call, i + 3, &step.operand):
                return -1
            i += 1
        i += 3
        n += 1
    return n


cdef bint run_steps(Call* call, Value* v, Step* steps, int n, bint grew) noexcept nogil:
    """Replies. Whether the value changed: a step wrote other bits, or any when it has grown for that."""
    cdef bint changed = False
    cdef int i
    cdef Step* step
    cdef uint64_t old, new
    cdef const uint8_t* data = v.data
    reply_array(call.reply, n)
    for i in range(n):
        step = &steps[i]
        old = read_bits(data, v.size, step.offset, step.bits)
        if step.verb == VERB_GET:
            reply_int(call.reply, as_signed(old, step.bits) if step.is_signed else <int64_t>old)
            continue
        new = 0
        if not fit(step, old, step.verb == VERB_INCRBY, &new):
            reply_null(call.reply)
            continue
        if step.verb == VERB_SET:
            reply_int(call.reply, as_signed(old, step.bits) if step.is_signed else <int64_t>old)
        else:
            reply_int(call.reply, as_signed(new, step.bits) if step.is_signed else <int64_t>new)
        write_bits(v.data, step.offset, step.bits, new)
        changed = changed or grew or new != old
    return changed


cdef void bitfield(Call* call, bint readonly) noexcept nogil:
    cdef Value v
    cdef Step* steps = <Step*>malloc((call.argc + 1) * sizeof(Step))
    cdef int64_t last_bit = -1
    cdef bint writes = False, grew
    cdef uint64_t old, first_bit = ~<uint64_t>0
    cdef int n, i
    if steps == NULL:
        reply_error(call.reply, b"OOM command not allowed when used memory > 'maxmemory'.")
        return
    n = parse_steps(call, steps, &last_bit, &writes)
    if n >= 0 and writes and readonly:
        reply_error(call.reply, b"ERR BITFIELD_RO only supports the GET subcommand")
        n = -1
    if n < 0:
        free(steps)
        return
    if not find_string(call, FIND_WRITE if writes else find_read(call), &v):
        free(steps)
        return
    old = v.size
    grew = old < <uint64_t>(last_bit + 8) >> 3
    for i in range(n):
        if steps[i].verb != VERB_GET:
            first_bit = min(first_bit, <uint64_t>steps[i].offset)
    if writes and not widen_string(call, &v, <uint64_t>(last_bit + 8) >> 3):
        free(steps)
        return
    if run_steps(call, &v, steps, n, grew):
        keyspace_touched_at(call.keys, &v, call.argv[1].data, call.argv[1].size, old, first_bit >> 3,
                            (<uint64_t>(last_bit + 8) >> 3) - (first_bit >> 3))
    elif grew:
        keyspace_recorded(call.keys, &v, call.argv[1].data, call.argv[1].size)
    free(steps)


cdef void cmd_bitfield(Call* call) noexcept nogil:
    bitfield(call, False)


cdef void cmd_bitfield_ro(Call* call) noexcept nogil:
    bitfield(call, True)


handler_register(b"bitmaps.bitfield", cmd_bitfield)
handler_register(b"bitmaps.bitfield_ro", cmd_bitfield_ro)
