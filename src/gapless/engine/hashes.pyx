"""Commands of hashes: fields read, written, counted, walked. Those about the expiry of fields are in hashes_expiry."""
from libc.stdint cimport INT64_MAX, INT64_MIN, int64_t, uint8_t, uint32_t, uint64_t
from gapless.engine.base cimport STATUS_OK, Status, parse_int64, unlikely
from gapless.engine.call cimport Call
from gapless.engine.collection cimport (
    CollectionWalk, collection_close, collection_count, collection_finish, collection_mark, collection_marks,
    collection_remove, collection_room, collection_walk, random_below,
)
from gapless.engine.collection_scan cimport (
    CollectionScan, collection_scan_begin, collection_scan_end, collection_scan_goes_on, collection_scan_matches,
    collection_scan_open,
)
from gapless.engine.dispatch cimport arg_int64, arg_is, find_read, handler_register, reply_syntax_error
from gapless.engine.hash_value cimport FIELD_NO_EXPIRY, Field, Hash, hash_at, hash_find, hash_next, hash_open, hash_put
from gapless.engine.keyspace cimport FIND_WRITE
from gapless.engine.long_double cimport add_long_double, format_long_double, is_finite, parse_long_double
from gapless.engine.record cimport HASH_EXPIRIES, HASH_TABLE
from gapless.engine.reply cimport (
    format_int64, reply_array, reply_bulk, reply_error, reply_int, reply_map, reply_null, reply_ok,
)

cdef enum:
    SHOW_NAMES = 1
    SHOW_VALUES = 2


# ---- writing

cdef inline void field_of(Call* call, int i, Field* field) noexcept nogil:
    field.name = call.argv[i].data
    field.name_bytes = <uint32_t>call.argv[i].size
    field.value = call.argv[i + 1].data
    field.value_bytes = <uint32_t>call.argv[i + 1].size
    field.expire_ms = FIELD_NO_EXPIRY


cdef bint write_pairs(Call* call, int64_t* created) noexcept nogil:
    cdef Hash h
    cdef Field field, old
    cdef int i = 2
    cdef Status status = STATUS_OK
    created[0] = 0
    if not hash_open(call, 1, FIND_WRITE, &h):
        return False
    status = collection_room(&h.c, call.argv, call.argc, 2, 2)
    if unlikely(<uint64_t>(call.argc - 2) // 2 > h.packed_fields_max):
        collection_mark(&h.c, HASH_TABLE)
    while i < call.argc and status == STATUS_OK:
        created[0] += not hash_find(&h, call.argv[i].data, call.argv[i].size, &old)
        field_of(call, i, &field)
        status = hash_put(&h, &field)
        i += 2
    return collection_finish(call, &h.c, status)


cdef bint reply_odd_pairs(Call* call) noexcept nogil:
    if call.argc % 2 == 0:
        return False
    reply_error(call.reply, b"ERR wrong number of arguments for 'hmset' command" if call.command.name[1] == c'm'
                else b"ERR wrong number of arguments for 'hset' command")
    return True


cdef void cmd_hset(Call* call) noexcept nogil:
    cdef int64_t created
    if not reply_odd_pairs(call) and write_pairs(call, &created):
        reply_int(call.reply, created)


cdef void cmd_hmset(Call* call) noexcept nogil:
    cdef int64_t created
    if not reply_odd_pairs(call) and write_pairs(call, &created):
        reply_ok(call.reply)


cdef void cmd_hsetnx(Call* call) noexcept nogil:
    cdef Hash h
    cdef Field field
    cdef bint there
    cdef Status status = STATUS_OK
    if not hash_open(call, 1, FIND_WRITE, &h):
        return
    there = hash_find(&h, call.argv[2].data, call.argv[2].size, &field)
    if not there:
        field_of(call, 2, &field)
        status = hash_put(&h, &field)
    if collection_finish(call, &h.c, status):
        reply_int(call.reply, not there)


cdef void cmd_hdel(Call* call) noexcept nogil:
    cdef Hash h
    cdef Field field
    cdef int i
    cdef int64_t removed = 0
    if not hash_open(call, 1, FIND_WRITE, &h):
        return
    for i in range(2, call.argc):
        if hash_find(&h, call.argv[i].data, call.argv[i].size, &field):
            collection_remove(&h.c)
            removed += 1
    if collection_finish(call, &h.c, STATUS_OK):
        reply_int(call.reply, removed)


cdef void cmd_hincrby(Call* call) noexcept nogil:
    cdef Hash h
    cdef Field field
    cdef int64_t delta, number = 0
    cdef char[24] text
    cdef const char* wrong = NULL
    if not arg_int64(call, 3, &delta) or not hash_open(call, 1, FIND_WRITE, &h):
        return
    if not hash_find(&h, call.argv[2].data, call.argv[2].size, &field):
        field_of(call, 2, &field)
    elif not parse_int64(field.value, field.value_bytes, &number):
        wrong = b"ERR hash value is not an integer"
    if wrong == NULL and ((delta < 0 and number < INT64_MIN - delta) or (delta > 0 and number > INT64_MAX - delta)):
        wrong = b"ERR increment or decrement would overflow"
    if wrong != NULL:
        collection_close(&h.c)
        reply_error(call.reply, wrong)
        return
    number += delta
    field.value_bytes = <uint32_t>format_int64(text, number)
    field.value = <const uint8_t*>text
    if collection_finish(call, &h.c, hash_put(&h, &field)):
        reply_int(call.reply, number)


cdef void cmd_hincrbyfloat(Call* call) noexcept nogil:
    cdef Hash h
    cdef Field field
    cdef long double delta, number = 0
    cdef char[5200] text
    cdef const char* wrong = NULL
    if not parse_long_double(call.argv[3].data, call.argv[3].size, &delta):
        reply_error(call.reply, b"ERR value is not a valid float")
        return
    if not is_finite(delta):
        reply_error(call.reply, b"ERR value is NaN or Infinity")
        return
    if not hash_open(call, 1, FIND_WRITE, &h):
        return
    if not hash_find(&h, call.argv[2].data, call.argv[2].size, &field):
        field_of(call, 2, &field)
    elif not parse_long_double(field.value, field.value_bytes, &number):
        wrong = b"ERR hash value is not a float"
    if wrong == NULL and not add_long_double(number, delta, &number):
        wrong = b"ERR increment would produce NaN or Infinity"
    if wrong != NULL:
        collection_close(&h.c)
        reply_error(call.reply, wrong)
        return
    field.value_bytes = <uint32_t>format_long_double(number, text, sizeof(text))
    field.value = <const uint8_t*>text
    if collection_finish(call, &h.c, hash_put(&h, &field)):
        reply_bulk(call.reply, text, field.value_bytes)


# ---- reading

cdef void cmd_hget(Call* call) noexcept nogil:
    cdef Hash h
    cdef Field field
    if not hash_open(call, 1, find_read(call), &h):
        return
    if hash_find(&h, call.argv[2].data, call.argv[2].size, &field):
        reply_bulk(call.reply, field.value, field.value_bytes)
    else:
        reply_null(call.reply)
    collection_close(&h.c)


cdef void cmd_hmget(Call* call) noexcept nogil:
    cdef Hash h
    cdef Field field
    cdef int i
    if not hash_open(call, 1, find_read(call), &h):
        return
    reply_array(call.reply, call.argc - 2)
    for i in range(2, call.argc):
        if hash_find(&h, call.argv[i].data, call.argv[i].size, &field):
            reply_bulk(call.reply, field.value, field.value_bytes)
        else:
            reply_null(call.reply)
    collection_close(&h.c)


cdef void cmd_hexists(Call* call) noexcept nogil:
    cdef Hash h
    cdef Field field
    if not hash_open(call, 1, find_read(call), &h):
        return
    reply_int(call.reply, hash_find(&h, call.argv[2].data, call.argv[2].size, &field))
    collection_close(&h.c)


cdef void cmd_hstrlen(Call* call) noexcept nogil:
    cdef Hash h
    cdef Field field
    if not hash_open(call, 1, find_read(call), &h):
        return
    reply_int(call.reply, field.value_bytes if hash_find(&h, call.argv[2].data, call.argv[2].size, &field) else 0)
    collection_close(&h.c)


cdef void cmd_hlen(Call* call) noexcept nogil:
    cdef Hash h
    if not hash_open(call, 1, find_read(call), &h):
        return
    reply_int(call.reply, <int64_t>collection_count(&h.c))
    collection_close(&h.c)


cdef int64_t count_live(Hash* h) noexcept nogil:
    """Fields that a walk will meet. O(1) where none has an expiry."""
    cdef CollectionWalk w
    cdef Field field
    cdef int64_t n = 0
    if not collection_marks(&h.c) & HASH_EXPIRIES:
        return <int64_t>collection_count(&h.c)
    collection_walk(&h.c, &w)
    while hash_next(&w, &field):
        n += 1
    return n


cdef inline void reply_field(Call* call, const Field* field, int show) noexcept nogil:
    if show & SHOW_NAMES:
        reply_bulk(call.reply, field.name, field.name_bytes)
    if show & SHOW_VALUES:
        reply_bulk(call.reply, field.value, field.value_bytes)


cdef void reply_all(Call* call, int show) noexcept nogil:
    cdef Hash h
    cdef CollectionWalk w
    cdef Field field
    if not hash_open(call, 1, find_read(call), &h):
        return
    if show == SHOW_NAMES | SHOW_VALUES:
        reply_map(call.reply, count_live(&h))
    else:
        reply_array(call.reply, count_live(&h))
    collection_walk(&h.c, &w)
    while hash_next(&w, &field):
        reply_field(call, &field, show)
    collection_close(&h.c)


cdef void cmd_hgetall(Call* call) noexcept nogil:
    reply_all(call, SHOW_NAMES | SHOW_VALUES)


cdef void cmd_hkeys(Call* call) noexcept nogil:
    reply_all(call, SHOW_NAMES)


cdef void cmd_hvals(Call* call) noexcept nogil:
    reply_all(call, SHOW_VALUES)


# ---- walking in steps

cdef void cmd_hscan(Call* call) noexcept nogil:
    cdef Hash h
    cdef Field field
    cdef CollectionScan s
    cdef int show
    if not collection_scan_begin(call, &s) or not hash_open(call, 1, find_read(call), &h):
        return
    if collection_scan_open(call, &s, &h.c, (collection_marks(&h.c) & HASH_TABLE) != 0, True):
        show = SHOW_NAMES if s.novalues else SHOW_NAMES | SHOW_VALUES
        while hash_next(&s.walk, &field) and collection_scan_goes_on(&s, field.name, field.name_bytes):
            if collection_scan_matches(&s, field.name, field.name_bytes):
                reply_field(call, &field, show)
                s.shown += 1 if show == SHOW_NAMES else 2
        collection_scan_end(call, &s)
    collection_close(&h.c)


# ---- at random

cdef bint random_field(Hash* h, Field* out) noexcept nogil:
    """One that is there; False when all have expired."""
    cdef CollectionWalk w
    cdef int _try
    for _try in range(64):
        if not hash_at(h, random_below(h.c.keys, collection_count(&h.c)), out):
            return False
        if out.expire_ms < 0 or out.expire_ms > h.c.keys.now_ms:
            return True
    collection_walk(&h.c, &w)
    return hash_next(&w, out)


cdef void reply_pair(Call* call, const Field* field, bint values) noexcept nogil:
    if values and call.reply.protocol > 2:
        reply_array(call.reply, 2)
    reply_field(call, field, SHOW_NAMES | SHOW_VALUES if values else SHOW_NAMES)


cdef void reply_repeated(Call* call, Hash* h, int64_t count, bint values) noexcept nogil:
    cdef Field field
    cdef int64_t _i
    if count_live(h) == 0:
        reply_array(call.reply, 0)
        return
    reply_array(call.reply, count * 2 if values and call.reply.protocol == 2 else count)
    for _i in range(count):
        random_field(h, &field)
        reply_pair(call, &field, values)


cdef void reply_distinct(Call* call, Hash* h, int64_t count, bint values) noexcept nogil:
    """As many different fields, each set of them as likely: a walk that takes each with the chance that is left."""
    cdef CollectionWalk w
    cdef Field field
    cdef int64_t left = count_live(h)
    count = min(count, left)
    reply_array(call.reply, count * 2 if values and call.reply.protocol == 2 else count)
    collection_walk(&h.c, &w)
    while count > 0 and hash_next(&w, &field):
        if random_below(h.c.keys, <uint64_t>left) < <uint64_t>count:
            reply_pair(call, &field, values)
            count -= 1
        left -= 1


cdef void cmd_hrandfield(Call* call) noexcept nogil:
    cdef Hash h
    cdef Field field
    cdef int64_t count = 1
    cdef bint values = False
    if call.argc >= 3:
        if not arg_int64(call, 2, &count):
            return
        if count == INT64_MIN:
            reply_error(call.reply, b"ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807")
            return
        if call.argc > 4 or (call.argc == 4 and not arg_is(call, 3, b"WITHVALUES")):
            reply_syntax_error(call)
            return
        values = call.argc == 4
        if values and (count < -(INT64_MAX // 2) or count > INT64_MAX // 2):
            reply_error(call.reply, b"ERR value is out of range")
            return
    if not hash_open(call, 1, find_read(call), &h):
        return
    if call.argc == 2:
        if collection_count(&h.c) > 0 and random_field(&h, &field):
            reply_bulk(call.reply, field.name, field.name_bytes)
        else:
            reply_null(call.reply)
    elif count < 0:
        reply_repeated(call, &h, -count, values)
    else:
        reply_distinct(call, &h, count, values)
    collection_close(&h.c)


handler_register(b"hashes.hdel", cmd_hdel)
handler_register(b"hashes.hexists", cmd_hexists)
handler_register(b"hashes.hget", cmd_hget)
handler_register(b"hashes.hgetall", cmd_hgetall)
handler_register(b"hashes.hincrby", cmd_hincrby)
handler_register(b"hashes.hincrbyfloat", cmd_hincrbyfloat)
handler_register(b"hashes.hkeys", cmd_hkeys)
handler_register(b"hashes.hlen", cmd_hlen)
handler_register(b"hashes.hmget", cmd_hmget)
handler_register(b"hashes.hmset", cmd_hmset)
handler_register(b"hashes.hrandfield", cmd_hrandfield)
handler_register(b"hashes.hscan", cmd_hscan)
handler_register(b"hashes.hset", cmd_hset)
handler_register(b"hashes.hsetnx", cmd_hsetnx)
handler_register(b"hashes.hstrlen", cmd_hstrlen)
handler_register(b"hashes.hvals", cmd_hvals)
