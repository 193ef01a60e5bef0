"""Commands about whole databases, and the time: DBSIZE, FLUSHALL, FLUSHDB, SWAPDB, TIME."""
from libc.stdint cimport int64_t
from libc.stdio cimport snprintf
from posix.time cimport CLOCK_REALTIME, clock_gettime, timespec
from gapless.engine.base cimport parse_int64
from gapless.engine.call cimport Call
from gapless.engine.dispatch cimport arg_is, handler_register, reply_syntax_error
from gapless.engine.keyspace cimport keyspace_size
from gapless.engine.keyspace_flush cimport keyspace_flush, keyspace_flush_all, keyspace_swap
from gapless.engine.reply cimport reply_array, reply_bulk, reply_error, reply_int, reply_status
from gapless.engine.transactions cimport transactions_flushing


cdef void cmd_dbsize(Call* call) noexcept nogil:
    reply_int(call.reply, <int64_t>keyspace_size(call.keys, call.session.db))


cdef bint flush_options(Call* call) noexcept nogil:
    """SYNC and ASYNC are taken and make no difference: a flush is O(1), its slices come later."""
    if call.argc == 1 or (call.argc == 2 and (arg_is(call, 1, b"SYNC") or arg_is(call, 1, b"ASYNC"))):
        return True
    reply_syntax_error(call)
    return False


cdef void cmd_flushdb(Call* call) noexcept nogil:
    if flush_options(call):
        transactions_flushing(call.dispatch, call.session.db, -1)
        keyspace_flush(call.keys, call.session.db)
        reply_status(call.reply, b"OK")


cdef void cmd_flushall(Call* call) noexcept nogil:
    if flush_options(call):
        transactions_flushing(call.dispatch, -1, -1)
        keyspace_flush_all(call.keys)
        reply_status(call.reply, b"OK")


cdef void cmd_swapdb(Call* call) noexcept nogil:
    cdef int64_t a, b
    if not parse_int64(call.argv[1].data, call.argv[1].size, &a) or a < -2147483648 or a > 2147483647:
        reply_error(call.reply, b"ERR invalid first DB index")
    elif not parse_int64(call.argv[2].data, call.argv[2].size, &b) or b < -2147483648 or b > 2147483647:
        reply_error(call.reply, b"ERR invalid second DB index")
    elif a < 0 or a >= call.keys.databases or b < 0 or b >= call.keys.databases:
        reply_error(call.reply, b"ERR DB index is out of range")
    else:
        transactions_flushing(call.dispatch, <int>a, <int>b)
        keyspace_swap(call.keys, <int>a, <int>b)
        reply_status(call.reply, b"OK")


cdef void cmd_time(Call* call) noexcept nogil:
    cdef timespec now
    cdef char text[24]
    clock_gettime(CLOCK_REALTIME, &now)
    reply_array(call.reply, 2)
    reply_bulk(call.reply, text, <size_t>snprintf(text, sizeof(text), b"%lld", <long long>now.tv_sec))
    reply_bulk(call.reply, text, <size_t>snprintf(text, sizeof(text), b"%ld", <long>(now.tv_nsec // 1000)))


handler_register(b"generic.dbsize", cmd_dbsize)
handler_register(b"generic.flushdb", cmd_flushdb)
handler_register(b"generic.flushall", cmd_flushall)
handler_register(b"generic.swapdb", cmd_swapdb)
handler_register(b"generic.time", cmd_time)
