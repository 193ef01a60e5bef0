"""The commands of strings: https://redis.io/docs/latest/commands/?group=string."""
from libc.stdint cimport INT64_MAX, int64_t, uint64_t
from gapless.engine.base cimport STATUS_OK, Status, likely, unlikely
from gapless.engine.call cimport Arg, Call
from gapless.engine.dispatch cimport (
    arg_int64, arg_is, call_status, find_read, find_string, handler_register, reply_syntax_error, reply_wrong_arity,
    reply_wrong_type, widen_string,
)
from gapless.engine.keyspace cimport (
    EXPIRE_KEEP, EXPIRE_NEVER, FIND_WRITE, Value, keyspace_delete_found,
    keyspace_expire, keyspace_find, keyspace_hash, keyspace_prefetch_bucket, keyspace_prefetch_record, keyspace_resize,
    keyspace_set, keyspace_touched_at,
)
from gapless.engine.record cimport TYPE_STRING
from gapless.engine.reply cimport (
    reply_array, reply_bulk, reply_error, reply_int, reply_null, reply_ok,
)

cdef extern from "<stdio.h>" nogil:
    int snprintf(char* out, size_t n, const char* form, ...)

cdef extern from "<string.h>" nogil:
    void* copy_bytes "memcpy"(void* to, const void* source, size_t n)

cdef enum:
    LOOK_AHEAD = 16            # keys of one command that are brought into the cache together

cdef enum SetOption:
    SET_NX = 1
    SET_XX = 2
    SET_GET = 4
    SET_KEEPTTL = 8
    SET_EX = 16
    SET_PX = 32
    SET_EXAT = 64
    SET_PXAT = 128
    SET_PERSIST = 256
    SET_EXPIRES = 16 | 32 | 64 | 128


# ---- what several commands share

cdef inline void reply_value(Call* call, const Value* v) noexcept nogil:
    """What find_string() found."""
    if v.data == NULL:
        reply_null(call.reply)
    else:
        reply_bulk(call.reply, v.data, v.size)


cdef bint expire_time(Call* call, int i, int unit, int64_t* expire_ms) noexcept nogil:
    """argv[i] as an absolute expiry in ms; unit one of SET_EX, PX, EXAT, PXAT. False after replying an error."""
    cdef int64_t n
    cdef bint relative = unit == SET_EX or unit == SET_PX
    if not arg_int64(call, i, &n):
        return False
    if n <= 0 or ((unit == SET_EX or unit == SET_EXAT) and n > INT64_MAX // 1000):
        invalid_expire(call)
        return False
    if unit == SET_EX or unit == SET_EXAT:
        n *= 1000
    if relative:
        if n > INT64_MAX - call.keys.now_ms:
            invalid_expire(call)
            return False
        n += call.keys.now_ms
    expire_ms[0] = n
    return True


cdef void invalid_expire(Call* call) noexcept nogil:
    cdef char[96] text
    snprintf(text, sizeof(text), "ERR invalid expire time in '%s' command", call.command.name)
    reply_error(call.reply, text)


cdef inline bint size_allowed(Call* call, uint64_t size) noexcept nogil:
    if likely(size <= call.dispatch.bulk_bytes_max):
        return True
    reply_error(call.reply, b"ERR string exceeds maximum allowed size (proto-max-bulk-len)")
    return False


cdef bint set_key(Call* call, int i, uint64_t hash, const Arg* value, int64_t expire_ms) noexcept nogil:
    return call_status(call, keyspace_set(call.keys, call.session.db, call.argv[i].data, call.argv[i].size, hash, TYPE_STRING,
                                          value.data, value.size, expire_ms))


cdef bint set_after_reply(Call* call, int i, uint64_t hash, const Arg* value, int64_t expire_ms, size_t before) noexcept nogil:
    """set_key() for a command that has answered with the old value already, because writing may overwrite it where it lies. An
    error takes the place of that answer, which starts at `before`."""
    cdef Status status = keyspace_set(call.keys, call.session.db, call.argv[i].data, call.argv[i].size, hash, TYPE_STRING,
                                      value.data, value.size, expire_ms)
    if likely(status == STATUS_OK):
        return True
    call.reply.length = before
    return call_status(call, status)


cdef bint option_of_expiry(Call* call, int i, int* flags) noexcept nogil:
    """argv[i] names a unit of expiry, the one given before if there was one (the last time given counts), and a time follows."""
    cdef int unit
    if i + 1 >= call.argc:
        return False
    if arg_is(call, i, b"EX"):
        unit = SET_EX
    elif arg_is(call, i, b"PX"):
        unit = SET_PX
    elif arg_is(call, i, b"EXAT"):
        unit = SET_EXAT
    elif arg_is(call, i, b"PXAT"):
        unit = SET_PXAT
    else:
        return False
    if flags[0] & (SET_EXPIRES | SET_KEEPTTL | SET_PERSIST) & ~unit:
        return False
    flags[0] |= unit
    return True


# ---- SET and its kin

cdef void cmd_get(Call* call) noexcept nogil:
    cdef Value v
    if unlikely(not keyspace_find(call.keys, call.session.db, call.argv[1].data, call.argv[1].size, call.hash,
                                  find_read(call), &v)):
        reply_null(call.reply)
    elif unlikely(v.type != TYPE_STRING):
        reply_wrong_type(call)
    else:
        reply_bulk(call.reply, v.data, v.size)


cdef void cmd_set(Call* call) noexcept nogil:
    if likely(call.argc == 3):
        if set_key(call, 1, call.hash, &call.argv[2], EXPIRE_NEVER):
            reply_ok(call.reply)
        return
    set_with_options(call)


cdef void set_with_options(Call* call) noexcept nogil:
    cdef int flags = 0, i = 3, expire_at = 0
    cdef size_t before = call.reply.length
    cdef int64_t expire_ms = EXPIRE_NEVER
    cdef Value v
    cdef bint there
    while i < call.argc:
        if arg_is(call, i, b"NX") and not flags & SET_XX:
            flags |= SET_NX
        elif arg_is(call, i, b"XX") and not flags & SET_NX:
            flags |= SET_XX
        elif arg_is(call, i, b"GET"):
            flags |= SET_GET
        elif arg_is(call, i, b"KEEPTTL") and not flags & SET_EXPIRES:
            flags |= SET_KEEPTTL
        elif option_of_expiry(call, i, &flags):
            i += 1
            expire_at = i
        else:
            reply_syntax_error(call)
            return
        i += 1
    if expire_at and not expire_time(call, expire_at, flags & SET_EXPIRES, &expire_ms):
        return
    if flags & SET_KEEPTTL:
        expire_ms = EXPIRE_KEEP
    if not flags & (SET_NX | SET_XX | SET_GET):
        if set_key(call, 1, call.hash, &call.argv[2], expire_ms):
            reply_ok(call.reply)
        return
    if flags & SET_GET:
        if not find_string(call, find_read(call), &v):
            return
        there = v.data != NULL
        reply_value(call, &v)
    else:
        there = keyspace_find(call.keys, call.session.db, call.argv[1].data, call.argv[1].size, call.hash, FIND_WRITE, &v)
    if (flags & SET_NX and there) or (flags & SET_XX and not there):
        if not flags & SET_GET:
            reply_null(call.reply)
        return
    if set_after_reply(call, 1, call.hash, &call.argv[2], expire_ms, before) and not flags & SET_GET:
        reply_ok(call.reply)


cdef void cmd_setnx(Call* call) noexcept nogil:
    cdef Value v
    if keyspace_find(call.keys, call.session.db, call.argv[1].data, call.argv[1].size, call.hash, FIND_WRITE, &v):
        reply_int(call.reply, 0)
    elif set_key(call, 1, call.hash, &call.argv[2], EXPIRE_NEVER):
        reply_int(call.reply, 1)


cdef void set_expiring(Call* call, int unit) noexcept nogil:
    cdef int64_t expire_ms
    if expire_time(call, 2, unit, &expire_ms) and set_key(call, 1, call.hash, &call.argv[3], expire_ms):
        reply_ok(call.reply)


cdef void cmd_setex(Call* call) noexcept nogil:
    set_expiring(call, SET_EX)


cdef void cmd_psetex(Call* call) noexcept nogil:
    set_expiring(call, SET_PX)


cdef void cmd_getset(Call* call) noexcept nogil:
    cdef Value v
    cdef size_t before = call.reply.length
    if not find_string(call, find_read(call), &v):
        return
    reply_value(call, &v)
    set_after_reply(call, 1, call.hash, &call.argv[2], EXPIRE_NEVER, before)


cdef void cmd_getdel(Call* call) noexcept nogil:
    cdef Value v
    if not find_string(call, find_read(call), &v):
        return
    reply_value(call, &v)
    if v.data != NULL:
        keyspace_delete_found(call.keys, &v, call.argv[1].data, call.argv[1].size)


cdef void cmd_getex(Call* call) noexcept nogil:
    cdef Value v
    cdef int flags = 0, i = 2, expire_at = 0
    cdef int64_t expire_ms = EXPIRE_NEVER
    while i < call.argc:
        if arg_is(call, i, b"PERSIST") and not flags & SET_EXPIRES:
            flags |= SET_PERSIST
        elif option_of_expiry(call, i, &flags):
            i += 1
            expire_at = i
        else:
            reply_syntax_error(call)
            return
        i += 1
    if not find_string(call, find_read(call), &v):
        return
    if v.data == NULL:
        reply_null(call.reply)
        return
    if expire_at and not expire_time(call, expire_at, flags & SET_EXPIRES, &expire_ms):
        return
    if expire_at and expire_ms <= call.keys.now_ms:
        keyspace_delete_found(call.keys, &v, call.argv[1].data, call.argv[1].size)
    elif (expire_at or (flags & SET_PERSIST and v.expire_ms >= 0)) and not call_status(
            call, keyspace_expire(call.keys, &v, call.argv[1].data, call.argv[1].size, expire_ms)):
        return
    reply_bulk(call.reply, v.data, v.size)


# ---- several keys

cdef int look_ahead(Call* call, int first, int step, uint64_t* hashes) noexcept nogil:
    """The hashes of the next keys from argv[first] on; brings what finding them needs into the cache. How many."""
    cdef int n = 0, i = first
    while i < call.argc and n < LOOK_AHEAD:
        hashes[n] = keyspace_hash(call.keys, call.argv[i].data, call.argv[i].size)
        keyspace_prefetch_bucket(call.keys, call.session.db, hashes[n])
        n += 1
        i += step
    for i in range(n):
        keyspace_prefetch_record(call.keys, call.session.db, hashes[i])
    return n


cdef void cmd_mget(Call* call) noexcept nogil:
    cdef Value v
    cdef uint64_t[LOOK_AHEAD] hashes
    cdef int i, how = find_read(call)
    reply_array(call.reply, call.argc - 1)
    for i in range(1, call.argc):
        if (i - 1) % LOOK_AHEAD == 0:
            look_ahead(call, i, 1, hashes)
        if (keyspace_find(call.keys, call.session.db, call.argv[i].data, call.argv[i].size, hashes[(i - 1) % LOOK_AHEAD],
                          how, &v) and v.type == TYPE_STRING):
            reply_bulk(call.reply, v.data, v.size)
        else:
            reply_null(call.reply)


cdef bint set_pairs(Call* call) noexcept nogil:
    cdef uint64_t[LOOK_AHEAD] hashes
    cdef int i = 1, n, at
    while i < call.argc:
        n = look_ahead(call, i, 2, hashes)
        for at in range(n):
            if not set_key(call, i, hashes[at], &call.argv[i + 1], EXPIRE_NEVER):
                return False
            i += 2
    return True


cdef bint pairs_given(Call* call) noexcept nogil:
    if call.argc % 2:
        return True
    reply_wrong_arity(call)
    return False


cdef void cmd_mset(Call* call) noexcept nogil:
    if pairs_given(call) and set_pairs(call):
        reply_ok(call.reply)


cdef void cmd_msetnx(Call* call) noexcept nogil:
    cdef Value v
    cdef int i
    if not pairs_given(call):
        return
    for i in range(1, call.argc, 2):
        if keyspace_find(call.keys, call.session.db, call.argv[i].data, call.argv[i].size,
                         keyspace_hash(call.keys, call.argv[i].data, call.argv[i].size), FIND_WRITE, &v):
            reply_int(call.reply, 0)
            return
    if set_pairs(call):
        reply_int(call.reply, 1)


# ---- parts of a value

cdef void cmd_strlen(Call* call) noexcept nogil:
    cdef Value v
    if find_string(call, find_read(call), &v):
        reply_int(call.reply, <int64_t>v.size)


cdef void cmd_append(Call* call) noexcept nogil:
    cdef Value v
    cdef uint64_t old
    cdef const Arg* more = &call.argv[2]
    if not find_string(call, FIND_WRITE, &v):
        return
    if v.data == NULL:
        if set_key(call, 1, call.hash, more, EXPIRE_NEVER):
            reply_int(call.reply, <int64_t>more.size)
        return
    old = v.size
    if not size_allowed(call, old + more.size):
        return
    if not call_status(call, keyspace_resize(call.keys, &v, call.argv[1].data, call.argv[1].size, old + more.size)):
        return
    copy_bytes(v.data + old, more.data, more.size)
    keyspace_touched_at(call.keys, &v, call.argv[1].data, call.argv[1].size, old, old, more.size)
    reply_int(call.reply, <int64_t>v.size)


cdef void cmd_setrange(Call* call) noexcept nogil:
    cdef Value v
    cdef int64_t offset
    cdef uint64_t old
    cdef const Arg* part = &call.argv[3]
    if not arg_int64(call, 2, &offset):
        return
    if offset < 0:
        reply_error(call.reply, b"ERR offset is out of range")
        return
    if not find_string(call, FIND_WRITE, &v):
        return
    if part.size == 0:
        reply_int(call.reply, <int64_t>v.size)
        return
    if not size_allowed(call, <uint64_t>offset + part.size):
        return
    old = v.size
    if not widen_string(call, &v, <uint64_t>offset + part.size):
        return
    copy_bytes(v.data + offset, part.data, part.size)
    keyspace_touched_at(call.keys, &v, call.argv[1].data, call.argv[1].size, old, <uint64_t>offset, part.size)
    reply_int(call.reply, <int64_t>v.size)


cdef void cmd_getrange(Call* call) noexcept nogil:
    cdef Value v
    cdef int64_t first, last, n
    if not arg_int64(call, 2, &first) or not arg_int64(call, 3, &last):
        return
    if not find_string(call, find_read(call), &v):
        return
    n = <int64_t>v.size
    if first < 0 and last < 0 and first > last:
        reply_bulk(call.reply, b"", 0)
        return
    if first < 0:
        first = first + n if first + n > 0 else 0
    if last < 0:
        last = last + n if last + n > 0 else 0
    if last >= n:
        last = n - 1
    if first > last or n == 0:
        reply_bulk(call.reply, b"", 0)
    else:
        reply_bulk(call.reply, v.data + first, <size_t>(last - first + 1))


handler_register(b"strings.get", cmd_get)
handler_register(b"strings.set", cmd_set)
handler_register(b"strings.setnx", cmd_setnx)
handler_register(b"strings.setex", cmd_setex)
handler_register(b"strings.psetex", cmd_psetex)
handler_register(b"strings.getset", cmd_getset)
handler_register(b"strings.getdel", cmd_getdel)
handler_register(b"strings.getex", cmd_getex)
handler_register(b"strings.mget", cmd_mget)
handler_register(b"strings.mset", cmd_mset)
handler_register(b"strings.msetnx", cmd_msetnx)
handler_register(b"strings.strlen", cmd_strlen)
handler_register(b"strings.append", cmd_append)
handler_register(b"strings.setrange", cmd_setrange)
handler_register(b"strings.getrange", cmd_getrange)
handler_register(b"strings.substr", cmd_getrange)
