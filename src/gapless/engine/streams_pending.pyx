"""What is pending of a consumer group: acknowledged and told of; and entries deleted with a view to it. XACK, XPENDING, XACKDEL, XDELEX."""
from libc.stddef cimport size_t
from libc.stdint cimport int64_t
from gapless.engine.base cimport STATUS_OK, Status, parse_int64
from gapless.engine.call cimport Arg, Call
from gapless.engine.dispatch cimport arg_int64, arg_is, call_status, find_read, handler_register, reply_syntax_error
from gapless.engine.keyspace cimport FIND_WRITE
from gapless.engine.reply cimport reply_array, reply_bulk, reply_bulk_int, reply_error, reply_int, reply_null, reply_null_array
from gapless.engine.scan cimport move_to_front
from gapless.engine.stream_groups cimport (
    Consumer, Group, PendingState, consumer_find, consumer_name, consumer_next, group_find, group_write, pending_drop, pending_find,
    pending_from, pending_last,
)
from gapless.engine.stream_id cimport (
    StreamId, arg_id, arg_interval_end, arg_interval_start, id_compare, id_increment, id_of, parse_id, reply_id,
)
from gapless.engine.stream_reply cimport reply_no_group
from gapless.engine.stream_trim cimport REFERENCES_KEEP, arg_references, stream_delete_as
from gapless.engine.stream_value cimport Stream, stream_counted, stream_open, stream_recorded, stream_touched


# ---- XACK

cdef void cmd_xack(Call* call) noexcept nogil:
    cdef Stream s
    cdef Group g
    cdef StreamId id
    cdef int64_t count = 0
    cdef int i
    if not stream_open(call, &call.argv[1], call.hash, FIND_WRITE, &s):
        return
    if not s.there or not group_find(&s, &call.argv[2], &g):
        reply_int(call.reply, 0)
        return
    for i in range(3, call.argc):
        if not arg_id(call, i, 0, &id):
            return
    for i in range(3, call.argc):
        parse_id(&call.argv[i], 0, True, &id, NULL)
        count += pending_drop(&s, &g, id)
    if count:
        group_write(&s, &g)
        stream_counted(&s)
    reply_int(call.reply, count)


# ---- XDELEX, XACKDEL

cdef struct DeleteOptions:
    int references
    int ids_at
    int ids


cdef bint delete_options(Call* call, int i, DeleteOptions* o) noexcept nogil:
    cdef int64_t ids
    cdef bint given = False
    o.references = REFERENCES_KEEP
    o.ids_at = 0
    while i < call.argc:
        if arg_references(call, i, &o.references, &given):
            i += 1
        elif arg_is(call, i, b"IDS") and i + 1 < call.argc:
            if not parse_int64(call.argv[i + 1].data, call.argv[i + 1].size, &ids) or ids < 1:
                reply_error(call.reply, b"ERR Number of IDs must be a positive integer")
                return False
            if ids > call.argc - i - 2:
                reply_error(call.reply, b"ERR The `numids` parameter must match the number of arguments")
                return False
            o.ids_at = i + 2
            o.ids = <int>ids
            i = o.ids_at + o.ids
        else:
            reply_syntax_error(call)
            return False
    if o.ids_at == 0:
        reply_error(call.reply, b"ERR IDS option is required")
        return False
    return True


cdef void delete_entries(Call* call, Stream* s, Group* g, const DeleteOptions* o) noexcept nogil:
    """Those that are pending of the group; of any, where it is NULL."""
    cdef StreamId id
    cdef int i, result
    cdef size_t front
    cdef bint acknowledged = False, deleted = False
    cdef Status status = STATUS_OK
    for i in range(o.ids_at, o.ids_at + o.ids):
        if not arg_id(call, i, 0, &id):
            return
    front = call.reply.length
    reply_array(call.reply, o.ids)
    for i in range(o.ids_at, o.ids_at + o.ids):
        parse_id(&call.argv[i], 0, True, &id, NULL)
        if g != NULL:
            if not pending_drop(s, g, id):
                reply_int(call.reply, -1)
                continue
            # Before others look at the group again.
            group_write(s, g)
        status = stream_delete_as(s, id, o.references, &result)
        if status != STATUS_OK:
            call.reply.length = front
            break
        # What was pending counts as deleted, though the entry was gone before.
        reply_int(call.reply, 1 if g != NULL and result == -1 else result)
        acknowledged = acknowledged or g != NULL
        deleted = deleted or result == 1
    if deleted:
        stream_touched(s)
    elif acknowledged:
        stream_counted(s)
    else:
        stream_recorded(s)
    call_status(call, status)


cdef void reply_none_deleted(Call* call, int ids) noexcept nogil:
    cdef int _i
    reply_array(call.reply, ids)
    for _i in range(ids):
        reply_int(call.reply, -1)


cdef void cmd_xdelex(Call* call) noexcept nogil:
    cdef Stream s
    cdef DeleteOptions o
    if not stream_open(call, &call.argv[1], call.hash, FIND_WRITE, &s) or not delete_options(call, 2, &o):
        return
    if s.there:
        delete_entries(call, &s, NULL, &o)
    else:
        reply_none_deleted(call, o.ids)


cdef void cmd_xackdel(Call* call) noexcept nogil:
    cdef Stream s
    cdef Group g
    cdef DeleteOptions o
    if not stream_open(call, &call.argv[1], call.hash, FIND_WRITE, &s) or not delete_options(call, 3, &o):
        return
    if s.there and group_find(&s, &call.argv[2], &g):
        delete_entries(call, &s, &g, &o)
    else:
        reply_none_deleted(call, o.ids)


# ---- XPENDING

cdef void reply_summary(Call* call, Stream* s, const Group* g) noexcept nogil:
    cdef StreamId first, last
    cdef Consumer c
    cdef Arg name
    cdef size_t front, middle
    cdef int64_t shown = 0
    reply_array(call.reply, 4)
    reply_int(call.reply, <int64_t>g.state.pending)
    if g.state.pending == 0:
        reply_null(call.reply)
        reply_null(call.reply)
        reply_null_array(call.reply)
        return
    first = id_of(0, 0)
    last = first
    pending_from(s, g, 0, &first)
    pending_last(s, g, &last)
    reply_id(call.reply, first)
    reply_id(call.reply, last)
    front = call.reply.length
    c.key_bytes = 0
    while consumer_next(s, g, &c):
        if c.state.pending == 0:
            continue
        consumer_name(s, g, c.number, &name)
        reply_array(call.reply, 2)
        reply_bulk(call.reply, name.data, name.size)
        reply_bulk_int(call.reply, <int64_t>c.state.pending)
        shown += 1
    middle = call.reply.length
    reply_array(call.reply, shown)
    move_to_front(call.reply, front, middle)


cdef void cmd_xpending(Call* call) noexcept nogil:
    cdef Stream s
    cdef Group g
    cdef Consumer c
    cdef PendingState state
    cdef StreamId low, high
    cdef Arg name
    cdef int64_t idle_min = 0, count = 0, idle, shown = 0
    cdef int at = 3
    cdef bint summary = call.argc == 3
    cdef size_t front, middle
    c.number = 0
    if not summary:
        if call.argc < 6 or call.argc > 9:
            reply_syntax_error(call)
            return
        if arg_is(call, 3, b"IDLE"):
            if not arg_int64(call, 4, &idle_min):
                return
            if call.argc < 8:
                reply_syntax_error(call)
                return
            at = 5
        if not arg_int64(call, at + 2, &count) or not arg_interval_start(call, at, &low) or not arg_interval_end(call, at + 1, &high):
            return
    if not stream_open(call, &call.argv[1], call.hash, find_read(call), &s):
        return
    if not s.there or not group_find(&s, &call.argv[2], &g):
        reply_no_group(call, &call.argv[1], &call.argv[2])
        return
    if summary:
        reply_summary(call, &s, &g)
        return
    if at + 3 < call.argc and not consumer_find(&s, &g, &call.argv[at + 3], &c):
        reply_array(call.reply, 0)
        return
    front = call.reply.length
    while shown < count and pending_from(&s, &g, c.number, &low) and id_compare(low, high) <= 0:
        pending_find(&s, &g, low, &state)
        idle = max(call.keys.now_ms - state.delivered_ms, <int64_t>0)
        if idle_min <= 0 or idle >= idle_min:
            consumer_name(&s, &g, state.consumer, &name)
            reply_array(call.reply, 4)
            reply_id(call.reply, low)
            reply_bulk(call.reply, name.data, name.size)
            reply_int(call.reply, idle)
            reply_int(call.reply, <int64_t>state.deliveries)
            shown += 1
        if not id_increment(&low):
            break
    middle = call.reply.length
    reply_array(call.reply, shown)
    move_to_front(call.reply, front, middle)


handler_register(b"streams_pending.xack", cmd_xack)
handler_register(b"streams_pending.xackdel", cmd_xackdel)
handler_register(b"streams_pending.xdelex", cmd_xdelex)
handler_register(b"streams_pending.xpending", cmd_xpending)
