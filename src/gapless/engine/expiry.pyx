"""Commands about a key's time to live: EXPIRE and its kin, PERSIST, TTL and its kin."""
from libc.stdint cimport INT64_MAX, INT64_MIN, int64_t
from libc.string cimport strlen
from gapless.engine.call cimport Call
from gapless.engine.dispatch cimport arg_int64, arg_is, call_status, handler_register
from gapless.engine.keyspace cimport (
    EXPIRE_NEVER, FIND_COUNT, FIND_WRITE, Value, keyspace_delete_found, keyspace_expire, keyspace_find,
)
from gapless.engine.reply cimport (
    Reply, reply_error, reply_error_bytes, reply_free, reply_init, reply_int, reply_raw,
)

cdef extern from "<string.h>" nogil:
    size_t strnlen(const char* text, size_t most)


cdef enum Condition:
    ONLY_WITHOUT = 1      # NX
    ONLY_WITH = 2         # XX
    ONLY_LATER = 4        # GT
    ONLY_EARLIER = 8      # LT


# ---- setting

cdef bint read_conditions(Call* call, int* conditions) noexcept nogil:
    cdef int i
    cdef Reply text
    conditions[0] = 0
    for i in range(3, call.argc):
        if arg_is(call, i, b"NX"):
            conditions[0] |= ONLY_WITHOUT
        elif arg_is(call, i, b"XX"):
            conditions[0] |= ONLY_WITH
        elif arg_is(call, i, b"GT"):
            conditions[0] |= ONLY_LATER
        elif arg_is(call, i, b"LT"):
            conditions[0] |= ONLY_EARLIER
        else:
            reply_init(&text)
            reply_raw(&text, b"ERR Unsupported option ", 23)
            # As C prints a string: up to a NUL byte.
            reply_raw(&text, call.argv[i].data, strnlen(<const char*>call.argv[i].data, call.argv[i].size))
            reply_error_bytes(call.reply, text.data, text.length)
            reply_free(&text)
            return False
    if conditions[0] & ONLY_WITHOUT and conditions[0] != ONLY_WITHOUT:
        reply_error(call.reply, b"ERR NX and XX, GT or LT options at the same time are not compatible")
        return False
    if conditions[0] & ONLY_LATER and conditions[0] & ONLY_EARLIER:
        reply_error(call.reply, b"ERR GT and LT options at the same time are not compatible")
        return False
    return True


cdef bint reply_invalid_time(Call* call) noexcept nogil:
    cdef Reply text
    reply_init(&text)
    reply_raw(&text, b"ERR invalid expire time in '", 28)
    reply_raw(&text, call.command.name, strlen(call.command.name))
    reply_raw(&text, b"' command", 9)
    reply_error_bytes(call.reply, text.data, text.length)
    reply_free(&text)
    return False


cdef bint read_time(Call* call, int64_t unit_ms, int64_t base_ms, int64_t* expire_ms) noexcept nogil:
    """argv[2] as an absolute time in ms; it may be negative, which is long ago."""
    cdef int64_t n
    if not arg_int64(call, 2, &n):
        return False
    if n > INT64_MAX // unit_ms or n < INT64_MIN // unit_ms:
        return reply_invalid_time(call)
    n *= unit_ms
    if n > INT64_MAX - base_ms:
        return reply_invalid_time(call)
    expire_ms[0] = n + base_ms
    return True


cdef bint condition_holds(int conditions, int64_t before, int64_t after) noexcept nogil:
    if conditions & ONLY_WITHOUT and before != EXPIRE_NEVER:
        return False
    if conditions & ONLY_WITH and before == EXPIRE_NEVER:
        return False
    if conditions & ONLY_LATER and (before == EXPIRE_NEVER or after <= before):
        return False
    if conditions & ONLY_EARLIER and before != EXPIRE_NEVER and after >= before:
        return False
    return True


cdef void expire(Call* call, int64_t unit_ms, int64_t base_ms) noexcept nogil:
    cdef Value v
    cdef int conditions
    cdef int64_t expire_ms
    if not read_conditions(call, &conditions) or not read_time(call, unit_ms, base_ms, &expire_ms):
        return
    if (not keyspace_find(call.keys, call.session.db, call.argv[1].data, call.argv[1].size, call.hash, FIND_WRITE, &v)
            or not condition_holds(conditions, v.expire_ms, expire_ms)):
        reply_int(call.reply, 0)
        return
    if expire_ms <= call.keys.now_ms:
        keyspace_delete_found(call.keys, &v, call.argv[1].data, call.argv[1].size)
    elif not call_status(call, keyspace_expire(call.keys, &v, call.argv[1].data, call.argv[1].size, expire_ms)):
        return
    reply_int(call.reply, 1)


cdef void cmd_expire(Call* call) noexcept nogil:
    expire(call, 1000, call.keys.now_ms)


cdef void cmd_pexpire(Call* call) noexcept nogil:
    expire(call, 1, call.keys.now_ms)


cdef void cmd_expireat(Call* call) noexcept nogil:
    expire(call, 1000, 0)


cdef void cmd_pexpireat(Call* call) noexcept nogil:
    expire(call, 1, 0)


cdef void cmd_persist(Call* call) noexcept nogil:
    cdef Value v
    if (not keyspace_find(call.keys, call.session.db, call.argv[1].data, call.argv[1].size, call.hash, FIND_WRITE, &v)
            or v.expire_ms == EXPIRE_NEVER):
        reply_int(call.reply, 0)
    elif call_status(call, keyspace_expire(call.keys, &v, call.argv[1].data, call.argv[1].size, EXPIRE_NEVER)):
        reply_int(call.reply, 1)


# ---- asking

cdef void ttl(Call* call, bint absolute, bint seconds) noexcept nogil:
    cdef Value v
    cdef int64_t n
    # Asking for a TTL is a look-up that does not make the key any warmer.
    if not keyspace_find(call.keys, call.session.db, call.argv[1].data, call.argv[1].size, call.hash, FIND_COUNT, &v):
        reply_int(call.reply, -2)
        return
    n = v.expire_ms
    if n != EXPIRE_NEVER:
        if not absolute:
            n = max(n - call.keys.now_ms, 0)
        if seconds:
            # To the nearest second, without the sum that could overflow.
            n = n // 1000 + (1 if n % 1000 >= 500 else 0)
    reply_int(call.reply, n)


cdef void cmd_ttl(Call* call) noexcept nogil:
    ttl(call, False, True)


cdef void cmd_pttl(Call* call) noexcept nogil:
    ttl(call, False, False)


cdef void cmd_expiretime(Call* call) noexcept nogil:
    ttl(call, True, True)


cdef void cmd_pexpiretime(Call* call) noexcept nogil:
    ttl(call, True, False)


handler_register(b"generic.expire", cmd_expire)
handler_register(b"generic.pexpire", cmd_pexpire)
handler_register(b"generic.expireat", cmd_expireat)
handler_register(b"generic.pexpireat", cmd_pexpireat)
handler_register(b"generic.persist", cmd_persist)
handler_register(b"generic.ttl", cmd_ttl)
handler_register(b"generic.pttl", cmd_pttl)
handler_register(b"generic.expiretime", cmd_expiretime)
handler_register(b"generic.pexpiretime", cmd_pexpiretime)
