"""Strings as numbers: INCR and its kin, INCRBYFLOAT."""
from libc.stdint cimport INT64_MAX, INT64_MIN, int64_t, uint8_t, uint32_t, uint64_t
from gapless.engine.base cimport parse_int64
from gapless.engine.call cimport Call
from gapless.engine.dispatch cimport arg_int64, call_status, find_string, handler_register
from gapless.engine.keyspace cimport (
    EXPIRE_KEEP, EXPIRE_NEVER, FIND_WRITE, Value, keyspace_replace, keyspace_set,
)
from gapless.engine.long_double cimport add_long_double, format_long_double, parse_long_double
from gapless.engine.record cimport RECORD_TEXT, TYPE_STRING
from gapless.engine.reply cimport format_int64, reply_bulk, reply_error, reply_int


cdef bint store(Call* call, Value* v, uint32_t type, const char* text, int n) noexcept nogil:
    if v.data != NULL:
        return call_status(call, keyspace_replace(call.keys, v, call.argv[1].data, call.argv[1].size, type,
                                                  <const uint8_t*>text, <uint64_t>n, EXPIRE_KEEP))
    return call_status(call, keyspace_set(call.keys, call.session.db, call.argv[1].data, call.argv[1].size, call.hash,
                                          type, <const uint8_t*>text, <uint64_t>n, EXPIRE_NEVER))


cdef void add(Call* call, int64_t delta) noexcept nogil:
    cdef Value v
    cdef int64_t number = 0
    cdef char[24] text
    cdef int n
    if not find_string(call, FIND_WRITE, &v):
        return
    if v.data != NULL and not parse_int64(v.data, v.size, &number):
        reply_error(call.reply, b"ERR value is not an integer or out of range")
        return
    if (delta < 0 and number < INT64_MIN - delta) or (delta > 0 and number > INT64_MAX - delta):
        reply_error(call.reply, b"ERR increment or decrement would overflow")
        return
    number += delta
    n = format_int64(text, number)
    if store(call, &v, TYPE_STRING, text, n):
        reply_int(call.reply, number)


cdef void cmd_incr(Call* call) noexcept nogil:
    add(call, 1)


cdef void cmd_decr(Call* call) noexcept nogil:
    add(call, -1)


cdef void cmd_incrby(Call* call) noexcept nogil:
    cdef int64_t delta
    if arg_int64(call, 2, &delta):
        add(call, delta)


cdef void cmd_decrby(Call* call) noexcept nogil:
    cdef int64_t delta
    if not arg_int64(call, 2, &delta):
        return
    if delta == INT64_MIN:
        reply_error(call.reply, b"ERR decrement would overflow")
        return
    add(call, -delta)


cdef void cmd_incrbyfloat(Call* call) noexcept nogil:
    cdef Value v
    cdef long double number = 0
    cdef long double delta
    cdef char[5200] text
    cdef int n
    if not find_string(call, FIND_WRITE, &v):
        return
    if (v.data != NULL and not parse_long_double(v.data, v.size, &number)) or not parse_long_double(
            call.argv[2].data, call.argv[2].size, &delta):
        reply_error(call.reply, b"ERR value is not a valid float")
        return
    if not add_long_double(number, delta, &number):
        reply_error(call.reply, b"ERR increment would produce NaN or Infinity")
        return
    n = format_long_double(number, text, sizeof(text))
    if store(call, &v, TYPE_STRING | RECORD_TEXT, text, n):
        reply_bulk(call.reply, text, n)


handler_register(b"strings.incr", cmd_incr)
handler_register(b"strings.decr", cmd_decr)
handler_register(b"strings.incrby", cmd_incrby)
handler_register(b"strings.decrby", cmd_decrby)
handler_register(b"strings.incrbyfloat", cmd_incrbyfloat)
