"""Commands about the expiry of a hash's fields: HEXPIRE and HTTL with their kin, HPERSIST, HGETEX, HSETEX, HGETDEL."""
from libc.stdint cimport int64_t, uint32_t
from libc.string cimport strlen
from gapless.engine.base cimport STATUS_OK, Status, parse_int64
from gapless.engine.call cimport Call
from gapless.engine.collection cimport collection_close, collection_finish_reply, collection_mark, collection_remove, collection_room
from gapless.engine.dispatch cimport arg_int64, arg_is, find_read, handler_register
from gapless.engine.hash_value cimport FIELD_NO_EXPIRY, Field, Hash, hash_find, hash_open, hash_put
from gapless.engine.keyspace cimport FIND_WRITE
from gapless.engine.record cimport HASH_EXPIRIES
from gapless.engine.reply cimport (
    Reply, reply_array, reply_bulk, reply_error, reply_error_bytes, reply_free, reply_init, reply_int, reply_null, reply_raw,
)

# The latest time that Redis takes for a field.
cdef int64_t EXPIRE_MS_MAX = (<int64_t>1 << 46) - 1

cdef enum Condition:
    ONLY_ALWAYS = 0
    ONLY_WITHOUT = 1           # NX
    ONLY_WITH = 2              # XX
    ONLY_LATER = 3             # GT
    ONLY_EARLIER = 4           # LT
    ONLY_NEW = 5               # FNX
    ONLY_KNOWN = 6             # FXX

cdef enum Lifetime:
    LIFETIME_NONE = 0          # nothing is said of it
    LIFETIME_SET = 1
    LIFETIME_PERSIST = 2
    LIFETIME_KEEP = 3

cdef enum Outcome:             # what is replied for a field
    FIELD_MISSING = -2
    FIELD_HAS_NONE = -1
    FIELD_REFUSED = 0
    FIELD_DONE = 1
    FIELD_DELETED = 2


# ---- arguments

cdef bint reply_quoting(Call* call, const char* before, const char* text, size_t n, const char* after) noexcept nogil:
    cdef Reply whole
    reply_init(&whole)
    reply_raw(&whole, before, strlen(before))
    reply_raw(&whole, text, n)
    reply_raw(&whole, after, strlen(after))
    reply_error_bytes(call.reply, whole.data, whole.length)
    reply_free(&whole)
    return False


cdef bint read_expiry(Call* call, int i, int64_t unit_ms, int64_t base_ms, int64_t* expire_ms) noexcept nogil:
    """argv[i] as an absolute time in ms."""
    cdef int64_t n
    if not arg_int64(call, i, &n):
        return False
    if n < 0:
        reply_error(call.reply, b"ERR invalid expire time, must be >= 0")
        return False
    if n > EXPIRE_MS_MAX // unit_ms or n * unit_ms > EXPIRE_MS_MAX - base_ms:
        return reply_quoting(call, b"ERR invalid expire time in '", call.command.name, strlen(call.command.name), b"' command")
    expire_ms[0] = n * unit_ms + base_ms
    return True


cdef bint read_fields(Call* call, int i, const char* no_number, int* first) noexcept nogil:
    """FIELDS number field...: where the fields begin; they take all the rest."""
    cdef int64_t n
    if not arg_is(call, i, b"FIELDS"):
        reply_error(call.reply, b"ERR Mandatory argument FIELDS is missing or not at the right position")
        return False
    if i + 1 >= call.argc or not parse_int64(call.argv[i + 1].data, call.argv[i + 1].size, &n) or n < 1:
        reply_error(call.reply, no_number)
        return False
    if n != call.argc - i - 2:
        reply_error(call.reply, b"ERR The `numfields` parameter must match the number of arguments")
        return False
    first[0] = i + 2
    return True


cdef int read_lifetime(Call* call, int i, int64_t* expire_ms) noexcept nogil:
    """EX, PX, EXAT or PXAT in argv[i] with its number: LIFETIME_SET; LIFETIME_NONE: it is none of them; -1 after an error reply."""
    cdef int64_t unit_ms, base_ms
    if arg_is(call, i, b"EX"):
        unit_ms, base_ms = 1000, call.keys.now_ms
    elif arg_is(call, i, b"PX"):
        unit_ms, base_ms = 1, call.keys.now_ms
    elif arg_is(call, i, b"EXAT"):
        unit_ms, base_ms = 1000, 0
    elif arg_is(call, i, b"PXAT"):
        unit_ms, base_ms = 1, 0
    else:
        return LIFETIME_NONE
    if i + 1 >= call.argc:
        reply_error(call.reply, b"ERR missing expire time")
        return -1
    return LIFETIME_SET if read_expiry(call, i + 1, unit_ms, base_ms, expire_ms) else -1


cdef inline bint find(Call* call, Hash* h, int i, Field* field) noexcept nogil:
    return hash_find(h, call.argv[i].data, call.argv[i].size, field)


cdef Status set_expiry(Hash* h, Field* field, int64_t expire_ms) noexcept nogil:
    """Of the field just found; one in the past deletes it."""
    if expire_ms >= 0 and expire_ms <= h.c.keys.now_ms:
        collection_remove(&h.c)
        return STATUS_OK
    if field.expire_ms == expire_ms:
        return STATUS_OK
    field.expire_ms = expire_ms
    return hash_put(h, field)


# ---- setting

cdef bint condition_holds(int only, int64_t before, int64_t after) noexcept nogil:
    if only == ONLY_WITHOUT:
        return before < 0
    if only == ONLY_WITH:
        return before >= 0
    if only == ONLY_LATER:
        return before >= 0 and after > before
    if only == ONLY_EARLIER:
        return before < 0 or after < before
    return True


cdef void expire(Call* call, int64_t unit_ms, int64_t base_ms) noexcept nogil:
    cdef Hash h
    cdef Field field
    cdef int64_t expire_ms
    cdef int only = ONLY_ALWAYS, first = 3, i
    cdef size_t front = call.reply.length
    cdef Status status = STATUS_OK
    if not hash_open(call, 1, FIND_WRITE, &h):
        return
    if arg_is(call, 3, b"NX"):
        only = ONLY_WITHOUT
    elif arg_is(call, 3, b"XX"):
        only = ONLY_WITH
    elif arg_is(call, 3, b"GT"):
        only = ONLY_LATER
    elif arg_is(call, 3, b"LT"):
        only = ONLY_EARLIER
    if (not read_expiry(call, 2, unit_ms, base_ms, &expire_ms)
            or not read_fields(call, 3 if only == ONLY_ALWAYS else 4, b"ERR Parameter `numFields` should be greater than 0", &first)):
        collection_close(&h.c)
        return
    collection_mark(&h.c, HASH_EXPIRIES)
    reply_array(call.reply, call.argc - first)
    for i in range(first, call.argc):
        if not find(call, &h, i, &field):
            reply_int(call.reply, FIELD_MISSING)
        elif not condition_holds(only, field.expire_ms, expire_ms):
            reply_int(call.reply, FIELD_REFUSED)
        else:
            if status == STATUS_OK:
                status = set_expiry(&h, &field, expire_ms)
            reply_int(call.reply, FIELD_DELETED if expire_ms <= call.keys.now_ms else FIELD_DONE)
    collection_finish_reply(call, &h.c, front, status)


cdef void cmd_hexpire(Call* call) noexcept nogil:
    expire(call, 1000, call.keys.now_ms)


cdef void cmd_hpexpire(Call* call) noexcept nogil:
    expire(call, 1, call.keys.now_ms)


cdef void cmd_hexpireat(Call* call) noexcept nogil:
    expire(call, 1000, 0)


cdef void cmd_hpexpireat(Call* call) noexcept nogil:
    expire(call, 1, 0)


cdef void cmd_hpersist(Call* call) noexcept nogil:
    cdef Hash h
    cdef Field field
    cdef int first = 2, i
    cdef size_t front = call.reply.length
    cdef Status status = STATUS_OK
    if not hash_open(call, 1, FIND_WRITE, &h):
        return
    if not read_fields(call, 2, b"ERR Number of fields must be a positive integer", &first):
        collection_close(&h.c)
        return
    reply_array(call.reply, call.argc - first)
    for i in range(first, call.argc):
        if not find(call, &h, i, &field):
            reply_int(call.reply, FIELD_MISSING)
        elif field.expire_ms < 0:
            reply_int(call.reply, FIELD_HAS_NONE)
        else:
            if status == STATUS_OK:
                status = set_expiry(&h, &field, FIELD_NO_EXPIRY)
            reply_int(call.reply, FIELD_DONE)
    collection_finish_reply(call, &h.c, front, status)


# ---- asking

cdef void reply_times(Call* call, int64_t unit_ms, bint absolute) noexcept nogil:
    cdef Hash h
    cdef Field field
    cdef int first = 2, i
    cdef int64_t ms
    if not hash_open(call, 1, find_read(call), &h):
        return
    if not read_fields(call, 2, b"ERR Number of fields must be a positive integer", &first):
        collection_close(&h.c)
        return
    reply_array(call.reply, call.argc - first)
    for i in range(first, call.argc):
        if not find(call, &h, i, &field):
            reply_int(call.reply, FIELD_MISSING)
        elif field.expire_ms < 0:
            reply_int(call.reply, FIELD_HAS_NONE)
        else:
            ms = field.expire_ms - (0 if absolute else call.keys.now_ms)
            # A part of a second counts as one.
            reply_int(call.reply, (ms + unit_ms - 1) // unit_ms)
    collection_close(&h.c)


cdef void cmd_httl(Call* call) noexcept nogil:
    reply_times(call, 1000, False)


cdef void cmd_hpttl(Call* call) noexcept nogil:
    reply_times(call, 1, False)


cdef void cmd_hexpiretime(Call* call) noexcept nogil:
    reply_times(call, 1000, True)


cdef void cmd_hpexpiretime(Call* call) noexcept nogil:
    reply_times(call, 1, True)


# ---- reading or writing, and the expiry in one

cdef void cmd_hgetdel(Call* call) noexcept nogil:
    cdef Hash h
    cdef Field field
    cdef int first = 2, i
    cdef size_t front = call.reply.length
    if not hash_open(call, 1, FIND_WRITE, &h):
        return
    if not read_fields(call, 2, b"ERR Number of fields must be a positive integer", &first):
        collection_close(&h.c)
        return
    reply_array(call.reply, call.argc - first)
    for i in range(first, call.argc):
        if find(call, &h, i, &field):
            reply_bulk(call.reply, field.value, field.value_bytes)
            collection_remove(&h.c)
        else:
            reply_null(call.reply)
    collection_finish_reply(call, &h.c, front, STATUS_OK)


cdef void cmd_hgetex(Call* call) noexcept nogil:
    cdef Hash h
    cdef Field field
    cdef int first = 2, i, lifetime
    cdef int64_t expire_ms = FIELD_NO_EXPIRY
    cdef size_t front = call.reply.length
    cdef Status status = STATUS_OK
    if not hash_open(call, 1, FIND_WRITE, &h):
        return
    lifetime = read_lifetime(call, 2, &expire_ms)
    if lifetime == LIFETIME_SET:
        first = 4
    elif lifetime == LIFETIME_NONE and arg_is(call, 2, b"PERSIST"):
        lifetime = LIFETIME_PERSIST
        first = 3
    if lifetime < 0 or not read_fields(call, first, b"ERR Number of fields must be a positive integer", &first):
        collection_close(&h.c)
        return
    if lifetime != LIFETIME_NONE:
        collection_mark(&h.c, HASH_EXPIRIES)
    reply_array(call.reply, call.argc - first)
    for i in range(first, call.argc):
        if not find(call, &h, i, &field):
            reply_null(call.reply)
            continue
        reply_bulk(call.reply, field.value, field.value_bytes)
        if lifetime != LIFETIME_NONE and status == STATUS_OK:
            status = set_expiry(&h, &field, expire_ms)
    collection_finish_reply(call, &h.c, front, status)


cdef bint hsetex_options(Call* call, int* only, int* lifetime, int64_t* expire_ms, int* first) noexcept nogil:
    cdef int i = 2, found
    cdef int64_t n
    while i < call.argc:
        if arg_is(call, i, b"FIELDS") and i + 1 < call.argc:
            if not parse_int64(call.argv[i + 1].data, call.argv[i + 1].size, &n) or n < 1 or n > 0x7fffffff:
                reply_error(call.reply, b"ERR invalid number of fields")
                return False
            if n * 2 != call.argc - i - 2:
                return reply_quoting(call, b"ERR wrong number of arguments for '", b"hsetex", 6, b"' command")
            first[0] = i + 2
            return True
        if arg_is(call, i, b"FNX") or arg_is(call, i, b"FXX"):
            if only[0] != ONLY_ALWAYS:
                reply_error(call.reply, b"ERR Only one of FXX or FNX arguments can be specified")
                return False
            only[0] = ONLY_NEW if arg_is(call, i, b"FNX") else ONLY_KNOWN
            i += 1
            continue
        if lifetime[0] != LIFETIME_NONE and (arg_is(call, i, b"KEEPTTL") or arg_is(call, i, b"EX") or arg_is(call, i, b"PX")
                                             or arg_is(call, i, b"EXAT") or arg_is(call, i, b"PXAT")):
            reply_error(call.reply, b"ERR Only one of EX, PX, EXAT, PXAT or KEEPTTL arguments can be specified")
            return False
        if arg_is(call, i, b"KEEPTTL"):
            lifetime[0] = LIFETIME_KEEP
            i += 1
            continue
        found = read_lifetime(call, i, expire_ms)
        if found < 0:
            return False
        if found == LIFETIME_NONE:
            return reply_quoting(call, b"ERR unknown argument: ", <const char*>call.argv[i].data, call.argv[i].size, b"")
        lifetime[0] = found
        i += 2
    return reply_quoting(call, b"ERR wrong number of arguments for '", b"hsetex", 6, b"' command")


cdef bint condition_of_all(Call* call, Hash* h, int only, int first) noexcept nogil:
    cdef Field field
    cdef int i = first
    while only != ONLY_ALWAYS and i < call.argc:
        if find(call, h, i, &field) != (only == ONLY_KNOWN):
            return False
        i += 2
    return True


cdef void cmd_hsetex(Call* call) noexcept nogil:
    cdef Hash h
    cdef Field field, old
    cdef int only = ONLY_ALWAYS, lifetime = LIFETIME_NONE, first = 0, i
    cdef int64_t expire_ms = FIELD_NO_EXPIRY
    cdef size_t front = call.reply.length
    cdef Status status = STATUS_OK
    cdef bint found
    if not hsetex_options(call, &only, &lifetime, &expire_ms, &first) or not hash_open(call, 1, FIND_WRITE, &h):
        return
    if not condition_of_all(call, &h, only, first):
        collection_close(&h.c)
        reply_int(call.reply, 0)
        return
    if lifetime == LIFETIME_SET:
        collection_mark(&h.c, HASH_EXPIRIES)
    i = first
    status = collection_room(&h.c, call.argv, call.argc, first, 2)
    while i < call.argc and status == STATUS_OK:
        found = find(call, &h, i, &old)
        if lifetime == LIFETIME_SET and expire_ms <= call.keys.now_ms:
            if found:
                collection_remove(&h.c)
        else:
            field.name = call.argv[i].data
            field.name_bytes = <uint32_t>call.argv[i].size
            field.value = call.argv[i + 1].data
            field.value_bytes = <uint32_t>call.argv[i + 1].size
            field.expire_ms = old.expire_ms if found and lifetime == LIFETIME_KEEP else expire_ms
            status = hash_put(&h, &field)
        i += 2
    reply_int(call.reply, 1)
    collection_finish_reply(call, &h.c, front, status)


handler_register(b"hashes_expiry.hexpire", cmd_hexpire)
handler_register(b"hashes_expiry.hexpireat", cmd_hexpireat)
handler_register(b"hashes_expiry.hexpiretime", cmd_hexpiretime)
handler_register(b"hashes_expiry.hgetdel", cmd_hgetdel)
handler_register(b"hashes_expiry.hgetex", cmd_hgetex)
handler_register(b"hashes_expiry.hpersist", cmd_hpersist)
handler_register(b"hashes_expiry.hpexpire", cmd_hpexpire)
handler_register(b"hashes_expiry.hpexpireat", cmd_hpexpireat)
handler_register(b"hashes_expiry.hpexpiretime", cmd_hpexpiretime)
handler_register(b"hashes_expiry.hpttl", cmd_hpttl)
handler_register(b"hashes_expiry.hsetex", cmd_hsetex)
handler_register(b"hashes_expiry.httl", cmd_httl)
