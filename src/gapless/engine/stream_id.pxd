"""IDs of stream entries: milliseconds and a sequence number, 64 bits each, in this order. As text `ms-seq`; in keys of trees 16 bytes,
big-endian, so that they compare as bytes.
"""
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy, strchr, strlen
from gapless.engine.base cimport load_u64, parse_int64, store_u64
from gapless.engine.call cimport Arg, Call
from gapless.engine.reply cimport Reply, reply_bulk, reply_error
from gapless.engine.tree_key cimport __builtin_bswap64


cdef enum:
    ID_BYTES = 16              # as a key
    ID_TEXT_BYTES = 42         # room for its text
    ID_ARG_BYTES_MAX = 127     # of an argument


cdef packed struct StreamId:
    uint64_t ms
    uint64_t seq


cdef inline StreamId id_of(uint64_t ms, uint64_t seq) noexcept nogil:
    cdef StreamId id
    id.ms = ms
    id.seq = seq
    return id


cdef inline StreamId id_max() noexcept nogil:
    return id_of(~<uint64_t>0, ~<uint64_t>0)


cdef inline bint id_is_zero(StreamId id) noexcept nogil:
    return id.ms == 0 and id.seq == 0


cdef inline int id_compare(StreamId a, StreamId b) noexcept nogil:
    if a.ms != b.ms:
        return -1 if a.ms < b.ms else 1
    return (a.seq > b.seq) - (a.seq < b.seq)


cdef inline bint id_increment(StreamId* id) noexcept nogil:
    """False: it was the last there is, and is now the first."""
    id.seq += 1
    if id.seq == 0:
        id.ms += 1
        return id.ms != 0
    return True


cdef inline bint id_decrement(StreamId* id) noexcept nogil:
    """False: it was the first there is, and is now the last."""
    id.seq -= 1
    if id.seq == ~<uint64_t>0:
        id.ms -= 1
        return id.ms != ~<uint64_t>0
    return True


cdef inline void id_store(uint8_t* p, StreamId id) noexcept nogil:
    store_u64(p, __builtin_bswap64(id.ms))
    store_u64(p + 8, __builtin_bswap64(id.seq))


cdef inline StreamId id_load(const uint8_t* p) noexcept nogil:
    return id_of(__builtin_bswap64(load_u64(p)), __builtin_bswap64(load_u64(p + 8)))


cdef inline int format_uint64(char* out, uint64_t value) noexcept nogil:
    cdef char[20] digits
    cdef int n = 0, i
    while True:
        digits[n] = <char>(c'0' + value % 10)
        n += 1
        value //= 10
        if value == 0:
            break
    for i in range(n):
        out[i] = digits[n - 1 - i]
    return n


cdef inline int id_format(char* out, StreamId id, char between) noexcept nogil:
    """The text, no terminator; `out` has room for ID_TEXT_BYTES. Its length."""
    cdef int n = format_uint64(out, id.ms)
    out[n] = between
    return n + 1 + format_uint64(out + n + 1, id.seq)


cdef inline void reply_id(Reply* reply, StreamId id) noexcept nogil:
    cdef char[ID_TEXT_BYTES] text
    reply_bulk(reply, text, <size_t>id_format(text, id, c'-'))


cdef inline bint parse_uint64(const char* text, uint64_t* out) noexcept nogil:
    """As Redis reads one: strictly, or else as strtoull() does, which takes white space before it, a sign and leading zeros."""
    cdef int64_t number
    cdef uint64_t v = 0
    cdef uint32_t digit
    cdef bint negative
    if parse_int64(<const uint8_t*>text, strlen(text), &number):
        out[0] = <uint64_t>number
        return number >= 0
    while text[0] == c' ' or c'\t' <= text[0] <= c'\r':
        text += 1
    negative = text[0] == c'-'
    if negative or text[0] == c'+':
        text += 1
    if text[0] == 0:
        return False
    while text[0]:
        digit = <uint32_t>text[0] - c'0'
        if digit > 9 or v > <uint64_t>0xffffffffffffffff // 10 or v * 10 > <uint64_t>0xffffffffffffffff - digit:
            return False
        v = v * 10 + digit
        text += 1
    out[0] = <uint64_t>0 - v if negative else v
    return True


cdef inline bint parse_id(const Arg* arg, uint64_t missing_seq, bint strict, StreamId* out, bint* seq_given) noexcept nogil:
    """`ms-seq`, or `ms` with this sequence number. strict: not `-` and `+`, the ends of the range. seq_given: when not NULL, `ms-*` is
    allowed and leaves it False."""
    cdef char[ID_ARG_BYTES_MAX + 1] text
    cdef char* dash
    # Members of a packed struct have no alignment a pointer may rely on.
    cdef uint64_t ms, seq = missing_seq
    if seq_given != NULL:
        seq_given[0] = True
    if arg.size > ID_ARG_BYTES_MAX:
        return False
    memcpy(text, arg.data, arg.size)
    text[arg.size] = 0
    if (text[0] == c'-' or text[0] == c'+') and text[1] == 0:
        out[0] = id_of(0, 0) if text[0] == c'-' else id_max()
        return not strict
    dash = strchr(text, c'-')
    if dash != NULL:
        dash[0] = 0
    if not parse_uint64(text, &ms):
        return False
    if dash != NULL and seq_given != NULL and dash[1] == c'*' and dash[2] == 0:
        seq_given[0] = False
        seq = 0
    elif dash != NULL and not parse_uint64(dash + 1, &seq):
        return False
    out[0] = id_of(ms, seq)
    return True


cdef inline bint reply_invalid_id(Call* call) noexcept nogil:
    reply_error(call.reply, b"ERR Invalid stream ID specified as stream command argument")
    return False


# The ID in argv[i]; False after an error reply. Likewise the others.
cdef inline bint arg_id(Call* call, int i, uint64_t missing_seq, StreamId* out) noexcept nogil:
    return parse_id(&call.argv[i], missing_seq, True, out, NULL) or reply_invalid_id(call)


cdef inline bint arg_interval_start(Call* call, int i, StreamId* out) noexcept nogil:
    """The first ID of an interval: `-`, an ID, or `(` and an ID that is not part of it."""
    cdef Arg arg = call.argv[i]
    if arg.size > 1 and arg.data[0] == c'(':
        arg.data += 1
        arg.size -= 1
        if not parse_id(&arg, 0, True, out, NULL):
            return reply_invalid_id(call)
        if not id_increment(out):
            reply_error(call.reply, b"ERR invalid start ID for the interval")
            return False
        return True
    return parse_id(&arg, 0, False, out, NULL) or reply_invalid_id(call)


cdef inline bint arg_interval_end(Call* call, int i, StreamId* out) noexcept nogil:
    cdef Arg arg = call.argv[i]
    if arg.size > 1 and arg.data[0] == c'(':
        arg.data += 1
        arg.size -= 1
        if not parse_id(&arg, ~<uint64_t>0, True, out, NULL):
            return reply_invalid_id(call)
        if not id_decrement(out):
            reply_error(call.reply, b"ERR invalid end ID for the interval")
            return False
        return True
    return parse_id(&arg, ~<uint64_t>0, False, out, NULL) or reply_invalid_id(call)
