"""Commands of a stream's entries: added, read, taken away. Those of consumer groups are in streams_groups."""
from libc.stdint cimport int64_t, uint32_t, uint64_t
from gapless.engine.base cimport STATUS_OK, STATUS_TOO_LARGE, Status
from gapless.engine.blocked cimport blocked_signal
from gapless.engine.call cimport Call
from gapless.engine.dispatch cimport (
    arg_int64, arg_is, call_status, find_read, handler_register, reply_syntax_error,
)
from gapless.engine.keyspace cimport FIND_WRITE, keyspace_delete_found
from gapless.engine.reply cimport reply_array, reply_error, reply_int, reply_null, reply_null_array, reply_status
from gapless.engine.stream_id cimport (
    StreamId, arg_id, arg_interval_end, arg_interval_start, id_compare, id_increment, id_is_zero, id_max, id_of, parse_id, reply_id,
    reply_invalid_id,
)
from gapless.engine.stream_reply cimport reply_range
from gapless.engine.stream_trim cimport TrimOptions, arg_trim, stream_delete, stream_trim_as, trim_begin, trim_complete
from gapless.engine.stream_value cimport (
    TRIM_NONE, Stream, StreamHead, stream_append, stream_counted, stream_create, stream_head, stream_last_entry, stream_open,
    stream_recorded, stream_touched,
)


# ---- XADD

cdef struct AddOptions:
    TrimOptions trim
    bint make                  # a stream that is not there
    bint id_given
    bint seq_given
    StreamId id
    int fields_at


cdef bint add_options(Call* call, AddOptions* o) noexcept nogil:
    cdef int i = 2, read
    trim_begin(&o.trim)
    o.make = True
    o.id_given = False
    while True:
        if i < call.argc and call.argv[i].size == 1 and call.argv[i].data[0] == c'*':
            break
        if i >= call.argc:
            break
        if arg_is(call, i, b"NOMKSTREAM"):
            o.make = False
            i += 1
            continue
        read = arg_trim(call, i, &o.trim)
        if read < 0:
            return False
        if read == 0:
            o.id_given = True
            if not parse_id(&call.argv[i], 0, True, &o.id, &o.seq_given):
                return reply_invalid_id(call)
            break
        i += read
    o.fields_at = i + 1
    return trim_complete(call, &o.trim)


cdef bint next_id(Call* call, const StreamHead* head, AddOptions* o) noexcept nogil:
    """The entry's ID, given or made; False after an error reply."""
    cdef StreamId last
    last = head.last
    if id_compare(last, id_max()) == 0:
        reply_error(call.reply, b"ERR The stream has exhausted the last possible ID, unable to add more items")
        return False
    if not o.id_given:
        o.id = id_of(<uint64_t>call.keys.now_ms, 0)
        if o.id.ms <= last.ms:
            o.id = last
            id_increment(&o.id)
        return True
    if not o.seq_given and o.id.ms == last.ms:
        o.id.seq = last.seq + 1
    if id_compare(o.id, last) <= 0:
        reply_error(call.reply, b"ERR The ID specified in XADD is equal or smaller than the target stream top item")
        return False
    return True


cdef void cmd_xadd(Call* call) noexcept nogil:
    cdef Stream s
    cdef AddOptions o
    cdef Status status
    cdef bint made = False
    if not add_options(call, &o):
        return
    if call.argc - o.fields_at < 2 or (call.argc - o.fields_at) % 2:
        reply_error(call.reply, b"ERR wrong number of arguments for 'xadd' command")
        return
    if o.id_given and o.seq_given and id_is_zero(o.id):
        reply_error(call.reply, b"ERR The ID specified in XADD must be greater than 0-0")
        return
    if not stream_open(call, &call.argv[1], call.hash, FIND_WRITE, &s):
        return
    if not s.there:
        if not o.make:
            reply_null(call.reply)
            return
        if not call_status(call, stream_create(&s)):
            return
        made = True
    status = STATUS_OK
    if next_id(call, stream_head(&s), &o):
        status = stream_append(&s, o.id, &call.argv[o.fields_at], <uint32_t>(call.argc - o.fields_at) // 2)
        if status == STATUS_OK:
            stream_trim_as(&s, &o.trim)
            stream_touched(&s)
            # That a key was made the keyspace tells.
            if not made:
                blocked_signal(call, s.key, s.key_hash)
            reply_id(call.reply, o.id)
            return
    if made:
        keyspace_delete_found(call.keys, &s.v, s.key.data, s.key.size)
    else:
        stream_recorded(&s)
    if status == STATUS_TOO_LARGE:
        reply_error(call.reply, b"ERR Elements are too large to be stored")
    else:
        call_status(call, status)


# ---- reading

cdef void cmd_xlen(Call* call) noexcept nogil:
    cdef Stream s
    if stream_open(call, &call.argv[1], call.hash, find_read(call), &s):
        reply_int(call.reply, <int64_t>stream_head(&s).length if s.there else 0)


cdef void range_of(Call* call, bint back) noexcept nogil:
    cdef Stream s
    cdef StreamId low, high
    cdef int64_t count = -1
    cdef int i = 4
    if not arg_interval_start(call, 3 if back else 2, &low) or not arg_interval_end(call, 2 if back else 3, &high):
        return
    while i < call.argc:
        if arg_is(call, i, b"COUNT") and i + 1 < call.argc:
            if not arg_int64(call, i + 1, &count):
                return
            count = max(count, <int64_t>0)
            i += 2
        else:
            reply_syntax_error(call)
            return
    if not stream_open(call, &call.argv[1], call.hash, find_read(call), &s):
        return
    if not s.there:
        reply_array(call.reply, 0)
    elif count == 0:
        reply_null_array(call.reply)
    else:
        reply_range(call.reply, &s, low, high, back, <uint64_t>count)


cdef void cmd_xrange(Call* call) noexcept nogil:
    range_of(call, False)


cdef void cmd_xrevrange(Call* call) noexcept nogil:
    range_of(call, True)


# ---- taking away

cdef void cmd_xdel(Call* call) noexcept nogil:
    cdef Stream s
    cdef StreamId id
    cdef int i
    cdef int64_t count = 0
    cdef bint found
    cdef Status status = STATUS_OK
    if not stream_open(call, &call.argv[1], call.hash, FIND_WRITE, &s):
        return
    if not s.there:
        reply_int(call.reply, 0)
        return
    for i in range(2, call.argc):
        if not arg_id(call, i, 0, &id):
            return
    for i in range(2, call.argc):
        parse_id(&call.argv[i], 0, True, &id, NULL)
        status = stream_delete(&s, id, &found)
        if status != STATUS_OK:
            break
        count += found
    if count:
        stream_touched(&s)
    if call_status(call, status):
        reply_int(call.reply, count)


cdef void cmd_xtrim(Call* call) noexcept nogil:
    cdef Stream s
    cdef TrimOptions o
    cdef int i = 2, read
    cdef uint64_t count
    trim_begin(&o)
    while i < call.argc:
        read = arg_trim(call, i, &o)
        if read == 0:
            reply_syntax_error(call)
        if read <= 0:
            return
        i += read
    if not trim_complete(call, &o):
        return
    if o.by == TRIM_NONE:
        reply_error(call.reply, b"ERR syntax error, XTRIM must be called with a trimming strategy")
        return
    if not stream_open(call, &call.argv[1], call.hash, FIND_WRITE, &s):
        return
    count = stream_trim_as(&s, &o) if s.there else 0
    if count:
        stream_touched(&s)
    reply_int(call.reply, <int64_t>count)


# ---- XSETID

cdef void cmd_xsetid(Call* call) noexcept nogil:
    cdef Stream s
    cdef StreamHead* head
    cdef StreamId id, deleted_max
    cdef int64_t added = -1
    cdef bint deleted_given = False
    cdef int i = 3
    if not arg_id(call, 2, 0, &id):
        return
    while i < call.argc:
        if arg_is(call, i, b"ENTRIESADDED") and i + 1 < call.argc:
            if not arg_int64(call, i + 1, &added):
                return
            if added < 0:
                reply_error(call.reply, b"ERR entries_added must be positive")
                return
        elif arg_is(call, i, b"MAXDELETEDID") and i + 1 < call.argc:
            if not arg_id(call, i + 1, 0, &deleted_max):
                return
            if id_compare(id, deleted_max) < 0:
                reply_error(call.reply, b"ERR The ID specified in XSETID is smaller than the provided max_deleted_entry_id")
                return
            deleted_given = not id_is_zero(deleted_max)
        else:
            reply_syntax_error(call)
            return
        i += 2
    if not stream_open(call, &call.argv[1], call.hash, FIND_WRITE, &s):
        return
    if not s.there:
        reply_error(call.reply, b"ERR no such key")
        return
    head = stream_head(&s)
    if id_compare(id, head.deleted_max) < 0:
        reply_error(call.reply, b"ERR The ID specified in XSETID is smaller than current max_deleted_entry_id")
        return
    if head.length > 0:
        if id_compare(id, stream_last_entry(&s)) < 0:
            reply_error(call.reply, b"ERR The ID specified in XSETID is smaller than the target stream top item")
            return
        if added != -1 and head.length > <uint64_t>added:
            reply_error(call.reply, b"ERR The entries_added specified in XSETID is smaller than the target stream length")
            return
    head.last = id
    if added != -1:
        head.added = <uint64_t>added
    if deleted_given:
        head.deleted_max = deleted_max
    stream_counted(&s)
    reply_status(call.reply, b"OK")


handler_register(b"streams.xadd", cmd_xadd)
handler_register(b"streams.xdel", cmd_xdel)
handler_register(b"streams.xlen", cmd_xlen)
handler_register(b"streams.xrange", cmd_xrange)
handler_register(b"streams.xrevrange", cmd_xrevrange)
handler_register(b"streams.xsetid", cmd_xsetid)
handler_register(b"streams.xtrim", cmd_xtrim)
