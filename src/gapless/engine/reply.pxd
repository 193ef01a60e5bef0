"""The reply: RESP2 and RESP3 written into a growable buffer, which is the client's output buffer.

Handlers call these and never see the protocol's version: where RESP2 and RESP3 differ, the function decides. The buffer is
contiguous: what is not sent yet lies at data[sent:length]. CLIENT REPLY OFF is none of its business: dispatch cuts off what a
muted session's command has written.
"""
from libc.stdint cimport int64_t, uint8_t, uint64_t
from libc.string cimport memcpy
from gapless.engine.base cimport unlikely


cdef struct Reply:
    uint8_t* data
    size_t length         # bytes written
    size_t room           # bytes allocated
    size_t sent           # bytes the socket has taken
    size_t error_at       # where the last error reply starts, its '-' included: valid when errors has grown
    uint64_t errors       # error replies written so far (command statistics, MULTI)
    int protocol          # 2 or 3


cdef void reply_init(Reply* reply) noexcept nogil
cdef void reply_free(Reply* reply) noexcept nogil
cdef void reply_grow(Reply* reply, size_t n) noexcept nogil


# Room for n more bytes; aborts the process when the system has no memory at all. Returns where to write; the caller moves length.
cdef inline uint8_t* reply_reserve(Reply* reply, size_t n) noexcept nogil:
    if unlikely(reply.room - reply.length < n):
        reply_grow(reply, n)
    return reply.data + reply.length


cdef inline void reply_raw(Reply* reply, const void* data, size_t n) noexcept nogil:
    memcpy(reply_reserve(reply, n), data, n)
    reply.length += n


cdef inline void reply_ok(Reply* reply) noexcept nogil:                        # +OK, the commonest
    memcpy(reply_reserve(reply, 8), b"+OK\r\n\0\0\0", 8)
    reply.length += 5


cdef void reply_status(Reply* reply, const char* text) noexcept nogil          # +OK
cdef void reply_error(Reply* reply, const char* text) noexcept nogil           # -ERR ...; CR and LF become spaces
cdef void reply_error_bytes(Reply* reply, const uint8_t* text, size_t n) noexcept nogil
cdef void reply_int(Reply* reply, int64_t value) noexcept nogil                # :1
cdef void reply_bulk(Reply* reply, const void* data, size_t n) noexcept nogil  # $3 foo
cdef inline void reply_bulk_short(Reply* reply, const void* data, size_t n) noexcept nogil:
    """reply_bulk() without the call, where one follows the other."""
    cdef uint8_t* at
    if unlikely(n >= 100):
        reply_bulk(reply, data, n)
        return
    at = reply_reserve(reply, n + 8)
    at[0] = c'$'
    at += 1
    if n >= 10:
        at[0] = <uint8_t>(c'0' + <int>n // 10)
        at += 1
    at[0] = <uint8_t>(c'0' + <int>n % 10)
    at[1] = c'\r'
    at[2] = c'\n'
    memcpy(at + 3, data, n)
    at += 3 + n
    at[0] = c'\r'
    at[1] = c'\n'
    reply.length += <size_t>(at + 2 - (reply.data + reply.length))


cdef void reply_bulk_int(Reply* reply, int64_t value) noexcept nogil           # the number as a bulk string
cdef void reply_null(Reply* reply) noexcept nogil                              # RESP2 $-1, RESP3 _
cdef void reply_null_array(Reply* reply) noexcept nogil                        # RESP2 *-1, RESP3 _
cdef void reply_array(Reply* reply, int64_t n) noexcept nogil                  # header of n elements
cdef void reply_map(Reply* reply, int64_t n) noexcept nogil                    # header of n pairs: RESP2 an array of 2n
cdef void reply_set(Reply* reply, int64_t n) noexcept nogil
cdef void reply_push(Reply* reply, int64_t n) noexcept nogil
cdef void reply_bool(Reply* reply, bint value) noexcept nogil                  # RESP2 :1 / :0
cdef void reply_double(Reply* reply, double value) noexcept nogil              # RESP2 a bulk string; shortest text that reads back the same
cdef void reply_bignum(Reply* reply, const void* text, size_t n) noexcept nogil
cdef void reply_verbatim(Reply* reply, const void* text, size_t n, const char* form) noexcept nogil  # form: "txt"

# The decimal digits of a number, no terminator; returns how many (at most 20).
cdef int format_int64(char* out, int64_t value) noexcept nogil
# The shortest text that reads back as the same double, in Redis's notation; out has room for 40; returns its length.
cdef int format_double(char* out, double value) noexcept nogil
# The same where whole numbers have an exponent, too, when that is shorter: "1e+15". For DEBUG DIGEST.
cdef int format_shortest(char* out, double value) noexcept nogil

# A Python object as a reply: None null, bytes/str bulk, int, bool, float double, list/tuple array, dict map, set/frozenset set,
# and the classes of gapless.commands.replies (Status, Error, NullArray, Verbatim, Push). Needs the GIL.
cdef int reply_object(Reply* reply, object value) except -1
