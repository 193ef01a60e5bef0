"""Commands every client sends and that touch no key: PING, ECHO, SELECT, and DBSIZE."""
from libc.limits cimport INT_MAX, INT_MIN
from libc.stdint cimport int64_t
from gapless.engine.call cimport Call
from gapless.engine.dispatch cimport arg_int64, handler_register
from gapless.engine.keyspace cimport keyspace_size
from gapless.engine.reply cimport reply_bulk, reply_error, reply_int, reply_ok, reply_raw


cdef void cmd_ping(Call* call) noexcept nogil:
    if call.argc > 2:
        reply_error(call.reply, b"ERR wrong number of arguments for 'ping' command")
    elif call.argc == 2:
        reply_bulk(call.reply, call.argv[1].data, call.argv[1].size)
    else:
        reply_raw(call.reply, b"+PONG\r\n", 7)


cdef void cmd_echo(Call* call) noexcept nogil:
    reply_bulk(call.reply, call.argv[1].data, call.argv[1].size)


cdef void cmd_select(Call* call) noexcept nogil:
    cdef int64_t db
    if not arg_int64(call, 1, &db):
        return
    if db < INT_MIN or db > INT_MAX:
        reply_error(call.reply, b"ERR value is out of range, value must between -2147483648 and 2147483647")
    elif db < 0 or db >= call.keys.databases:
        reply_error(call.reply, b"ERR DB index is out of range")
    else:
        call.session.db = <int>db
        reply_ok(call.reply)


cdef void cmd_dbsize(Call* call) noexcept nogil:
    reply_int(call.reply, <int64_t>keyspace_size(call.keys, call.session.db))


handler_register(b"connection.ping", cmd_ping)
handler_register(b"connection.echo", cmd_echo)
handler_register(b"connection.select", cmd_select)
handler_register(b"server.dbsize", cmd_dbsize)
