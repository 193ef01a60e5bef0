"""The parser of requests. See resp.pxd."""
from libc.limits cimport INT_MAX
from libc.stdint cimport int64_t, uint8_t, uint32_t
from libc.stdio cimport snprintf
from libc.stdlib cimport free, malloc, realloc
from libc.string cimport memchr, memcpy
from gapless.engine.base cimport INVARIANT, likely, parse_int64, unlikely
from gapless.engine.call cimport Arg


cdef enum:
    FAST_ARGS_MAX = 1024
    POOL_KEPT = 1 << 16
    UNAUTHENTICATED_ARGS_MAX = 10
    UNAUTHENTICATED_BULK_MAX = 16384


cdef void _pool_room(ArgPool* pool, size_t n) noexcept nogil:
    if pool.room - pool.length < n:
        pool.room = pool.room * 2 + n + 256
        pool.args = <Arg*>realloc(pool.args, pool.room * sizeof(Arg))
        INVARIANT(pool.args != NULL)


cdef void pool_reset(ArgPool* pool) noexcept nogil:
    cdef Line* following
    pool.length = 0
    while pool.lines != NULL:
        following = pool.lines.next
        free(pool.lines)
        pool.lines = following
    if unlikely(pool.room > POOL_KEPT):
        free(pool.args)
        pool.args = NULL
        pool.room = 0


cdef void partial_free(Partial* partial) noexcept nogil:
    free(partial.spans)
    partial.spans = NULL
    partial.room = 0
    partial.args_total = 0
    partial.need = 0


cdef int _error(Request* out, const char* text) noexcept nogil:
    snprintf(out.error, sizeof(out.error), "ERR Protocol error: %s", text)
    return PARSE_ERROR


# ---- inline commands

cdef inline int _hex(uint8_t c) noexcept nogil:
    if c'0' <= c <= c'9':
        return c - c'0'
    if c'a' <= c <= c'f':
        return c - c'a' + 10
    if c'A' <= c <= c'F':
        return c - c'A' + 10
    return -1


cdef inline bint _space(uint8_t c) noexcept nogil:
    return c == c' ' or 9 <= c <= 13


cdef bint _split(const uint8_t* p, size_t n, uint8_t* to, ArgPool* pool, Request* out) noexcept nogil:
    """Splits a line as a shell would, roughly; False when quotes don't match."""
    cdef size_t i = 0
    cdef uint8_t* start
    cdef uint8_t quote, c
    while True:
        while i < n and _space(p[i]):
            i += 1
        if i >= n or p[i] == 0:
            return True
        start = to
        quote = 0
        while True:
            c = p[i] if i < n else 0
            if quote:
                if c == 0:
                    return False
                if quote == c'"' and c == c'\\' and i + 3 < n and p[i + 1] == c'x' and _hex(p[i + 2]) >= 0 and _hex(p[i + 3]) >= 0:
                    to[0] = <uint8_t>(_hex(p[i + 2]) * 16 + _hex(p[i + 3]))
                    to += 1
                    i += 3
                elif quote == c'"' and c == c'\\' and i + 1 < n:
                    i += 1
                    c = p[i]
                    to[0] = (c'\n' if c == c'n' else c'\r' if c == c'r' else c'\t' if c == c't' else 8 if c == c'b'
                             else 7 if c == c'a' else c)
                    to += 1
                elif quote == c"'" and c == c'\\' and i + 1 < n and p[i + 1] == c"'":
                    i += 1
                    to[0] = c"'"
                    to += 1
                elif c == quote:
                    # The closing quote must be followed by a space or nothing at all.
                    if i + 1 < n and p[i + 1] != 0 and not _space(p[i + 1]):
                        return False
                    i += 1
                    break
                else:
                    to[0] = c
                    to += 1
            elif c == 0 or c == c' ' or c == c'\n' or c == c'\r' or c == c'\t':
                break
            elif c == c'"' or c == c"'":
                quote = c
            else:
                to[0] = c
                to += 1
            i += 1
        _pool_room(pool, 1)
        pool.args[pool.length].data = start
        pool.args[pool.length].size = <size_t>(to - start)
        out.size += <size_t>(to - start)
        pool.length += 1
        out.argc += 1


cdef int _parse_inline(const uint8_t* data, size_t n, ArgPool* pool, Request* out) noexcept nogil:
    cdef const uint8_t* end = <const uint8_t*>memchr(data, c'\n', n)
    cdef size_t length
    cdef Line* line
    # Redis looks for the end of a line in a C string: behind a NUL byte there is none.
    if end == NULL or memchr(data, 0, <size_t>(end - data)) != NULL:
        if n > RESP_LINE_MAX:
            return _error(out, b"too big inline request")
        return PARSE_MORE
    length = <size_t>(end - data)
    out.used = length + 1
    if length and data[length - 1] == c'\r':
        length -= 1
    line = <Line*>malloc(sizeof(Line) + length + 1)
    INVARIANT(line != NULL)
    line.next = pool.lines
    pool.lines = line
    if not _split(data, length, <uint8_t*>(line + 1), pool, out):
        return _error(out, b"unbalanced quotes in request")
    return PARSE_REQUEST if out.argc else PARSE_NOTHING


# ---- arrays

cdef inline const uint8_t* _header(const uint8_t* p, int64_t* out) noexcept nogil:
    """The digits at p and CR: where the line ends (after LF), or NULL when it is anything but a plain short number."""
    cdef uint32_t digit = <uint32_t>p[0] - c'0'
    cdef int64_t v
    cdef int i
    if unlikely(digit > 9):
        return NULL
    v = digit
    if likely(p[1] == c'\r'):
        out[0] = v
        return p + 3
    if unlikely(digit == 0):
        return NULL
    for i in range(1, 11):
        digit = <uint32_t>p[i] - c'0'
        if digit > 9:
            if p[i] != c'\r':
                return NULL
            out[0] = v
            return p + i + 2
        v = v * 10 + digit
    return NULL


cdef int _parse_slowly(const Limits* limits, Partial* partial, const uint8_t* data, size_t n, ArgPool* pool,
                       Request* out) noexcept nogil:
    """Goes on where the request was left, with every check and error."""
    cdef const uint8_t* end
    cdef int64_t value
    cdef size_t i
    if partial.args_total == 0:
        end = <const uint8_t*>memchr(data, c'\r', n)
        if end == NULL:
            if n > RESP_LINE_MAX:
                return _error(out, b"too big mbulk count string")
            return PARSE_MORE
        if <size_t>(end - data) + 2 > n:
            return PARSE_MORE
        if not parse_int64(data + 1, <size_t>(end - data) - 1, &value) or value > INT_MAX or value > limits.args_max:
            return _error(out, b"invalid multibulk length")
        if value > UNAUTHENTICATED_ARGS_MAX and not limits.authenticated:
            return _error(out, b"unauthenticated multibulk length")
        partial.at = <size_t>(end - data) + 2
        if value <= 0:
            out.used = partial.at
            return PARSE_NOTHING
        partial.args_total = value
        partial.args_seen = 0
        partial.bulk_bytes = -1
    while partial.args_seen < partial.args_total:
        if partial.bulk_bytes < 0:
            if partial.at >= n:
                return PARSE_MORE
            end = <const uint8_t*>memchr(data + partial.at, c'\r', n - partial.at)
            if end == NULL:
                if n - partial.at > RESP_LINE_MAX:
                    return _error(out, b"too big bulk count string")
                return PARSE_MORE
            if <size_t>(end - data) + 2 > n:
                return PARSE_MORE
            if data[partial.at] != c'$':
                snprintf(out.error, sizeof(out.error), "ERR Protocol error: expected '$', got '%c'", <int>data[partial.at])
                return PARSE_ERROR
            if not parse_int64(data + partial.at + 1, <size_t>(end - data) - partial.at - 1, &value) or (
                    value < 0 or value > limits.bulk_bytes_max):
                return _error(out, b"invalid bulk length")
            if value > UNAUTHENTICATED_BULK_MAX and not limits.authenticated:
                return _error(out, b"unauthenticated bulk length")
            partial.at = <size_t>(end - data) + 2
            partial.bulk_bytes = value
        partial.need = partial.at + <size_t>partial.bulk_bytes + 2
        if partial.need > n:
            return PARSE_MORE
        if <size_t>partial.args_seen * 2 + 2 > partial.room:
            partial.room = partial.room * 2 + 32
            partial.spans = <size_t*>realloc(partial.spans, partial.room * sizeof(size_t))
            INVARIANT(partial.spans != NULL)
        partial.spans[partial.args_seen * 2] = partial.at
        partial.spans[partial.args_seen * 2 + 1] = <size_t>partial.bulk_bytes
        partial.args_seen += 1
        partial.at = partial.need
        partial.bulk_bytes = -1
    _pool_room(pool, <size_t>partial.args_total)
    for i in range(<size_t>partial.args_total):
        pool.args[pool.length + i].data = data + partial.spans[i * 2]
        pool.args[pool.length + i].size = partial.spans[i * 2 + 1]
        out.size += partial.spans[i * 2 + 1]
    out.argc = <int>partial.args_total
    pool.length += <size_t>partial.args_total
    out.used = partial.at
    partial_free(partial)
    return PARSE_REQUEST


cdef int resp_parse(const Limits* limits, Partial* partial, const uint8_t* data, size_t n, ArgPool* pool, Request* out) noexcept nogil:
    cdef const uint8_t* p
    cdef const uint8_t* end = data + n
    cdef int64_t count, size
    cdef size_t total = 0
    cdef Arg* arg
    cdef Arg* last
    out.args = pool.length
    out.argc = 0
    out.size = 0
    if unlikely(partial.args_total != 0):
        return _parse_slowly(limits, partial, data, n, pool, out)
    if n == 0:
        return PARSE_MORE
    if unlikely(data[0] != c'*'):
        return _parse_inline(data, n, pool, out)
    p = _header(data + 1, &count)
    if unlikely(p == NULL or count == 0 or count > FAST_ARGS_MAX or p > end or not limits.authenticated):
        return _parse_slowly(limits, partial, data, n, pool, out)
    if unlikely(pool.room - pool.length < <size_t>count):
        _pool_room(pool, <size_t>count)
    arg = pool.args + pool.length
    last = arg + count
    while arg != last:
        if unlikely(p >= end or p[0] != c'$'):
            return _parse_slowly(limits, partial, data, n, pool, out)
        p = _header(p + 1, &size)
        if unlikely(p == NULL or end - p < size + 2 or size > limits.bulk_bytes_max):
            return _parse_slowly(limits, partial, data, n, pool, out)
        arg.data = p
        arg.size = <size_t>size
        total += <size_t>size
        p += size + 2
        arg += 1
    out.argc = <int>count
    out.size = total
    out.used = <size_t>(p - data)
    pool.length += <size_t>count
    return PARSE_REQUEST


def parse_pieces(pieces: list[bytes], bulk_bytes_max: int = 512 << 20, authenticated: bool = True):
    """Feeds the pieces one after the other to a parser, as a socket would deliver them.

    Returns (requests, error, unused): the lists of arguments, the error's text or None, and how many bytes are left of a
    request that has not arrived in full. For tests and fuzzing.
    """
    cdef Limits limits
    cdef Partial partial
    cdef ArgPool pool
    cdef Request request
    cdef list requests = []
    cdef object error = None
    cdef size_t at = 0, n = 0, i
    cdef uint8_t* data = NULL
    cdef const char* source
    cdef int what
    limits.args_max = INT_MAX
    limits.bulk_bytes_max = bulk_bytes_max
    limits.authenticated = authenticated
    partial.args_total = 0
    partial.spans = NULL
    partial.room = partial.need = 0
    pool.args = NULL
    pool.length = pool.room = 0
    pool.lines = NULL
    try:
        for piece in pieces:
            data = <uint8_t*>realloc(data, n + len(piece) + RESP_PADDING)
            INVARIANT(data != NULL)
            source = piece
            memcpy(data + n, source, len(piece))
            n += len(piece)
            while at < n and error is None:
                what = resp_parse(&limits, &partial, data + at, n - at, &pool, &request)
                if what == PARSE_MORE:
                    break
                if what == PARSE_ERROR:
                    error = (<bytes>request.error).decode("latin-1")
                    break
                if what == PARSE_REQUEST:
                    requests.append([pool.args[request.args + i].data[:pool.args[request.args + i].size]
                                     for i in range(request.argc)])
                at += request.used
                pool_reset(&pool)
        return requests, error, n - at
    finally:
        pool_reset(&pool)
        free(pool.args)
        partial_free(&partial)
        free(data)
