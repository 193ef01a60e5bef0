"""The writers of replies. See reply.pxd."""
from libc.math cimport isinf, isnan
from libc.stdint cimport int64_t, uint8_t, uint64_t
from libc.stdio cimport snprintf
from libc.stdlib cimport free, realloc
from libc.string cimport memcpy, memset, strlen
from gapless.engine.base cimport INVARIANT, likely
from gapless.engine.double_digits cimport double_digits


cdef enum:
    REPLY_BYTES_FIRST = 1024
    HEADER_BYTES_MAX = 24      # a type byte, an int64, CR LF

cdef double INTEGER_MAX = 4611686018427387904.0     # up to here a whole number is written as one


cdef extern from *:
    """
    static const char gapless_digit_pairs[] =
        "00010203040506070809101112131415161718192021222324252627282930313233343536373839404142434445464748495051"
        "52535455565758596061626364656667686970717273747576777879808182838485868788899091929394959697989900";
    """
    const char* gapless_digit_pairs


cdef void reply_init(Reply* reply) noexcept nogil:
    memset(reply, 0, sizeof(Reply))
    reply.protocol = 2


cdef void reply_free(Reply* reply) noexcept nogil:
    free(reply.data)
    reply.data = NULL
    reply.length = reply.room = reply.sent = 0


cdef void reply_grow(Reply* reply, size_t n) noexcept nogil:
    cdef size_t need = reply.length + n
    cdef size_t room = reply.room * 2 if reply.room else REPLY_BYTES_FIRST
    if room > (<size_t>64 << 20) and room > need:
        room = need + (need >> 3)
    if room < need:
        room = need + 64
    reply.data = <uint8_t*>realloc(reply.data, room)
    INVARIANT(reply.data != NULL)
    reply.room = room


cdef int format_int64(char* out, int64_t value) noexcept nogil:
    cdef uint64_t v
    cdef int n = 0, digits, at
    cdef uint64_t limit
    if value < 0:
        out[0] = c'-'
        n = 1
        v = <uint64_t>0 - <uint64_t>value
    else:
        v = <uint64_t>value
    if v < 10:
        out[n] = <char>(c'0' + <int>v)
        return n + 1
    digits = 2
    limit = 100
    while digits < 20 and v >= limit:
        digits += 1
        if digits == 20:
            break
        limit *= 10
    at = n + digits
    while v >= 100:
        at -= 2
        memcpy(out + at, gapless_digit_pairs + (v % 100) * 2, 2)
        v //= 100
    if v >= 10:
        memcpy(out + at - 2, gapless_digit_pairs + v * 2, 2)
    else:
        out[at - 1] = <char>(c'0' + <int>v)
    return n + digits


cdef int format_double(char* out, double value) noexcept nogil:
    if -INTEGER_MAX <= value <= INTEGER_MAX and <double><int64_t>value == value and value != 0:
        return format_int64(out, <int64_t>value)
    return format_shortest(out, value)


cdef int format_shortest(char* out, double value) noexcept nogil:
    cdef char text[40]
    cdef char digits[24]
    cdef int n = 0, count, exponent, i, k = 0, magnitude
    if isnan(value):
        memcpy(out, b"nan", 3)
        return 3
    if isinf(value):
        memcpy(out, b"-inf" if value < 0 else b"inf", 4 if value < 0 else 3)
        return 4 if value < 0 else 3
    if value == 0:
        snprintf(text, sizeof(text), "%g", value)
        n = <int>strlen(text)
        memcpy(out, text, n)
        return n
    if value < 0:
        out[0] = c'-'
        n = 1
        value = -value
    # value = digits * 10^k
    count = double_digits(value, digits, &k)
    exponent = k + count - 1
    magnitude = exponent if exponent >= 0 else -exponent
    if k >= 0 and magnitude < count + 7:
        memcpy(out + n, digits, count)
        memset(out + n + count, c'0', k)
        return n + count + k
    if k < 0 and (k > -7 or magnitude < 4):
        if exponent < 0:
            out[n] = c'0'
            out[n + 1] = c'.'
            memset(out + n + 2, c'0', -exponent - 1)
            memcpy(out + n + 1 - exponent, digits, count)
            return n + 1 - exponent + count
        memcpy(out + n, digits, exponent + 1)
        out[n + exponent + 1] = c'.'
        memcpy(out + n + exponent + 2, digits + exponent + 1, count - exponent - 1)
        return n + count + 1
    out[n] = digits[0]
    n += 1
    if count > 1:
        out[n] = c'.'
        memcpy(out + n + 1, digits + 1, count - 1)
        n += count
    out[n] = c'e'
    out[n + 1] = c'+' if exponent >= 0 else c'-'
    i = format_int64(out + n + 2, magnitude)
    return n + 2 + i


cdef inline void write_header(Reply* reply, char kind, int64_t value) noexcept nogil:
    cdef char* at = <char*>reply_reserve(reply, HEADER_BYTES_MAX)
    cdef int n
    at[0] = kind
    if likely(0 <= value < 10):
        at[1] = <char>(c'0' + <int>value)
        n = 2
    else:
        n = 1 + format_int64(at + 1, value)
    at[n] = c'\r'
    at[n + 1] = c'\n'
    reply.length += n + 2


cdef void reply_status(Reply* reply, const char* text) noexcept nogil:
    cdef size_t n = strlen(text)
    cdef uint8_t* at = reply_reserve(reply, n + 3)
    at[0] = c'+'
    memcpy(at + 1, text, n)
    at[n + 1] = c'\r'
    at[n + 2] = c'\n'
    reply.length += n + 3


cdef void reply_error(Reply* reply, const char* text) noexcept nogil:
    reply_error_bytes(reply, <const uint8_t*>text, strlen(text))


cdef void reply_error_bytes(Reply* reply, const uint8_t* text, size_t n) noexcept nogil:
    cdef uint8_t* at
    cdef size_t i
    while n > 0 and (text[n - 1] == c'\r' or text[n - 1] == c'\n'):
        n -= 1
    at = reply_reserve(reply, n + 3)
    reply.error_at = reply.length
    reply.errors += 1
    at[0] = c'-'
    memcpy(at + 1, text, n)
    for i in range(1, n + 1):
        if at[i] == c'\r' or at[i] == c'\n':
            at[i] = c' '
    at[n + 1] = c'\r'
    at[n + 2] = c'\n'
    reply.length += n + 3


cdef void reply_int(Reply* reply, int64_t value) noexcept nogil:
    write_header(reply, c':', value)


cdef void reply_bulk(Reply* reply, const void* data, size_t n) noexcept nogil:
    cdef uint8_t* at = reply_reserve(reply, n + HEADER_BYTES_MAX + 2)
    cdef size_t head
    at[0] = c'$'
    if n < 10:
        at[1] = <uint8_t>(c'0' + <int>n)
        head = 2
    elif n < 100:
        memcpy(at + 1, gapless_digit_pairs + n * 2, 2)
        head = 3
    else:
        head = 1 + <size_t>format_int64(<char*>at + 1, <int64_t>n)
    at[head] = c'\r'
    at[head + 1] = c'\n'
    # Nothing may come from nowhere, which memcpy() must not be given.
    if likely(n > 0):
        memcpy(at + head + 2, data, n)
    at += head + 2 + n
    at[0] = c'\r'
    at[1] = c'\n'
    reply.length += head + n + 4


cdef void reply_bulk_int(Reply* reply, int64_t value) noexcept nogil:
    cdef char digits[24]
    cdef int n = format_int64(digits, value)
    reply_bulk(reply, digits, n)


cdef void reply_null(Reply* reply) noexcept nogil:
    if reply.protocol >= 3:
        reply_raw(reply, b"_\r\n", 3)
    else:
        reply_raw(reply, b"$-1\r\n", 5)


cdef void reply_null_array(Reply* reply) noexcept nogil:
    if reply.protocol >= 3:
        reply_raw(reply, b"_\r\n", 3)
    else:
        reply_raw(reply, b"*-1\r\n", 5)


cdef void reply_array(Reply* reply, int64_t n) noexcept nogil:
    write_header(reply, c'*', n)


cdef void reply_map(Reply* reply, int64_t n) noexcept nogil:
    if reply.protocol >= 3:
        write_header(reply, c'%', n)
    else:
        write_header(reply, c'*', n * 2)


cdef void reply_set(Reply* reply, int64_t n) noexcept nogil:
    write_header(reply, c'~' if reply.protocol >= 3 else c'*', n)


cdef void reply_push(Reply* reply, int64_t n) noexcept nogil:
    write_header(reply, c'>' if reply.protocol >= 3 else c'*', n)


cdef void reply_bool(Reply* reply, bint value) noexcept nogil:
    if reply.protocol >= 3:
        reply_raw(reply, b"#t\r\n" if value else b"#f\r\n", 4)
    else:
        reply_raw(reply, b":1\r\n" if value else b":0\r\n", 4)


cdef void reply_double(Reply* reply, double value) noexcept nogil:
    cdef char text[40]
    cdef int n = format_double(text, value)
    if reply.protocol >= 3:
        reply_raw(reply, b",", 1)
        reply_raw(reply, text, n)
        reply_raw(reply, b"\r\n", 2)
    else:
        reply_bulk(reply, text, n)


cdef void reply_bignum(Reply* reply, const void* text, size_t n) noexcept nogil:
    if reply.protocol >= 3:
        reply_raw(reply, b"(", 1)
        reply_raw(reply, text, n)
        reply_raw(reply, b"\r\n", 2)
    else:
        reply_bulk(reply, text, n)


cdef void reply_verbatim(Reply* reply, const void* text, size_t n, const char* form) noexcept nogil:
    if reply.protocol < 3:
        reply_bulk(reply, text, n)
        return
    write_header(reply, c'=', <int64_t>n + 4)
    reply_raw(reply, form, 3)
    reply_raw(reply, b":", 1)
    reply_raw(reply, text, n)
    reply_raw(reply, b"\r\n", 2)


cdef object _kinds = None


cdef object _load_kinds():
    global _kinds
    from gapless.commands import replies
    _kinds = (replies.Status, replies.Error, replies.NullArray, replies.Verbatim, replies.Push, replies.NO_REPLY,
              replies.OrderedSet, replies.Attribute, replies.Several)
    return _kinds


cdef bytes _as_bytes(object text):
    if isinstance(text, bytes):
        return <bytes>text
    return (<str>text).encode("utf-8", "surrogateescape")


cdef int _reply_special(Reply* reply, object value) except -1:
    cdef object kinds = _kinds if _kinds is not None else _load_kinds()
    cdef bytes text
    if value is kinds[5]:
        return 0
    if isinstance(value, kinds[0]):
        text = _as_bytes(value.text)
        reply_raw(reply, b"+", 1)
        reply_raw(reply, <const char*>text, len(text))
        reply_raw(reply, b"\r\n", 2)
    elif isinstance(value, kinds[1]):
        text = _as_bytes(value.text)
        reply_error_bytes(reply, <const uint8_t*>text, len(text))
    elif isinstance(value, kinds[2]):
        reply_null_array(reply)
    elif isinstance(value, kinds[3]):
        text = _as_bytes(value.text)
        reply_verbatim(reply, <const char*>text, len(text), _as_bytes(value.form))
    elif isinstance(value, kinds[4]):
        reply_push(reply, len(value.items))
        for item in value.items:
            reply_object(reply, item)
    elif isinstance(value, kinds[6]):
        reply_set(reply, len(value.items))
        for item in value.items:
            reply_object(reply, item)
    elif isinstance(value, kinds[7]):
        if reply.protocol >= 3:
            write_header(reply, c'|', len(value.pairs))
            for name, item in value.pairs.items():
                reply_object(reply, name)
                reply_object(reply, item)
    elif isinstance(value, kinds[8]):
        for item in value.items:
            reply_object(reply, item)
    else:
        raise TypeError(f"no reply can be made of {type(value).__name__}")
    return 0


cdef int reply_object(Reply* reply, object value) except -1:
    cdef bytes text
    if value is None:
        reply_null(reply)
    elif type(value) is bytes:
        reply_bulk(reply, <const char*>value, len(value))
    elif type(value) is str:
        text = _as_bytes(value)
        reply_bulk(reply, <const char*>text, len(text))
    elif type(value) is bool:
        reply_bool(reply, value)
    elif type(value) is int:
        if -0x8000000000000000 <= value <= 0x7fffffffffffffff:
            reply_int(reply, value)
        else:
            text = str(value).encode()
            reply_bignum(reply, <const char*>text, len(text))
    elif type(value) is float:
        reply_double(reply, value)
    elif type(value) is list or type(value) is tuple:
        reply_array(reply, len(value))
        for item in value:
            reply_object(reply, item)
    elif type(value) is dict:
        reply_map(reply, len(value))
        for name, item in value.items():
            reply_object(reply, name)
            reply_object(reply, item)
    elif type(value) is set or type(value) is frozenset:
        reply_set(reply, len(value))
        for item in value:
            reply_object(reply, item)
    else:
        _reply_special(reply, value)
    return 0
