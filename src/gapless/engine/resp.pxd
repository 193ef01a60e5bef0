"""The parser of requests: RESP arrays of bulk strings, and inline commands.

Nothing is copied: arguments point into the query buffer. A request that is there in full is parsed in one go; only when it is not is what
has been seen of it kept in a Partial, so that a large request costs no more for arriving in pieces.
"""
from libc.stdint cimport int64_t, uint8_t, uint32_t
from gapless.engine.call cimport Arg


cdef enum:
    RESP_PADDING = 32          # REQUIRED readable bytes behind the end of what is parsed; their values don't matter
    RESP_LINE_MAX = 65536      # of an inline command, or a header without its CR


cdef enum Parse:
    PARSE_MORE = 0             # the request has not arrived in full
    PARSE_REQUEST = 1
    PARSE_NOTHING = 2          # an empty line or array: nothing to do, nothing to reply
    PARSE_ERROR = 3            # the connection is to be closed after the error is replied


cdef struct Line:
    Line* next                 # the bytes follow


cdef struct ArgPool:
    # Arguments of all requests of a batch, by number, since the pool may move while it fills.
    Arg* args
    size_t length
    size_t room
    Line* lines                # unescaped inline commands


cdef struct Limits:
    int64_t args_max
    int64_t bulk_bytes_max
    bint authenticated         # before that, the limits are Redis's 10 and 16384, with errors of their own


cdef struct Partial:
    int64_t args_total         # 0: no request has begun
    int64_t args_seen
    int64_t bulk_bytes         # of the argument whose header has been seen; -1: none
    size_t at                  # next byte to look at, from the request's start
    size_t need                # the request is at least this long
    size_t* spans              # offset and length of every argument seen
    size_t room


cdef struct Request:
    size_t args                # of its first argument in the pool
    int argc
    size_t used                # bytes of input it took; those to skip for PARSE_NOTHING
    size_t size                # of all arguments together
    char error[64]             # for PARSE_ERROR: the text, "ERR " included


cdef int resp_parse(const Limits* limits, Partial* partial, const uint8_t* data, size_t n, ArgPool* pool, Request* out) noexcept nogil
cdef void partial_free(Partial* partial) noexcept nogil
# Ends a batch: forgets the arguments.
cdef void pool_reset(ArgPool* pool) noexcept nogil
