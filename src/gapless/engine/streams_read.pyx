"""Entries read behind an ID, of several streams at once: XREAD, and for a consumer of a group XREADGROUP."""
from libc.stddef cimport size_t
from libc.stdint cimport int64_t, uint8_t, uint64_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy
from gapless.engine.base cimport INVARIANT, STATUS_OK, Status
from gapless.engine.blocked cimport TIMEOUT_MS, arg_deadline, blocked_wait
from gapless.engine.call cimport Arg, Call
from gapless.engine.dispatch cimport arg_int64, arg_is, call_status, find_read, handler_register, reply_syntax_error
from gapless.engine.keyspace cimport FIND_WRITE, keyspace_hash
from gapless.engine.record cimport TYPE_STREAM
from gapless.engine.reply cimport reply_array, reply_bulk, reply_error, reply_map, reply_null_array
from gapless.engine.scan cimport move_to_front
from gapless.engine.stream_block cimport Entry
from gapless.engine.stream_groups cimport (
    Consumer, Group, PendingState, consumer_see, group_find, group_reads, group_write, pending_find, pending_from, pending_give,
)
from gapless.engine.stream_id cimport (
    ID_TEXT_BYTES, StreamId, arg_id, id_compare, id_decrement, id_format, id_increment, id_max, id_of, reply_id,
)
from gapless.engine.stream_reply cimport reply_entry, reply_error_naming, reply_range
from gapless.engine.stream_value cimport (
    Stream, StreamWalk, stream_counted, stream_head, stream_last_entry, stream_next, stream_open,
    stream_recorded, stream_walk,
)


cdef struct ReadOptions:
    bint block
    int64_t deadline_ms        # 0: none
    uint64_t count             # of entries; 2^64 - 1: all
    bint noack
    int group_at               # argument of the group's name, the consumer's follows; 0: XREAD
    int keys_at                # argument of the first key
    int keys                   # how many; as many IDs follow
    StreamId* ids              # each stream's: what has been read; id_max(): what the group has not been given yet. To be freed


# ---- options

cdef bint reply_unbalanced(Call* call, bint group) noexcept nogil:
    if group:
        reply_error(call.reply, b"ERR Unbalanced 'xreadgroup' list of streams: for each stream key an ID or '>' must be specified.")
    else:
        reply_error(call.reply, b"ERR Unbalanced 'xread' list of streams: for each stream key an ID, '+', or '$' must be specified.")
    return False


cdef bint read_options(Call* call, ReadOptions* o) noexcept nogil:
    cdef bint group = call.command.name_size > 5
    cdef int64_t count
    cdef int i = 1
    while i < call.argc:
        if arg_is(call, i, b"BLOCK") and i + 1 < call.argc:
            if not arg_deadline(call, i + 1, TIMEOUT_MS, &o.deadline_ms):
                return False
            o.block = True
            i += 2
        elif arg_is(call, i, b"COUNT") and i + 1 < call.argc:
            if not arg_int64(call, i + 1, &count):
                return False
            o.count = <uint64_t>count if count > 0 else ~<uint64_t>0
            i += 2
        elif arg_is(call, i, b"STREAMS") and i + 1 < call.argc:
            o.keys_at = i + 1
            o.keys = (call.argc - o.keys_at) // 2
            if (call.argc - o.keys_at) % 2:
                return reply_unbalanced(call, group)
            break
        elif arg_is(call, i, b"GROUP") and i + 2 < call.argc:
            if not group:
                reply_error(call.reply, b"ERR The GROUP option is only supported by XREADGROUP. You called XREAD instead.")
                return False
            o.group_at = i + 1
            i += 3
        elif arg_is(call, i, b"NOACK"):
            if not group:
                reply_error(call.reply, b"ERR The NOACK option is only supported by XREADGROUP. You called XREAD instead.")
                return False
            o.noack = True
            i += 1
        else:
            reply_syntax_error(call)
            return False
    if o.keys_at == 0:
        reply_syntax_error(call)
        return False
    if group and o.group_at == 0:
        reply_error(call.reply, b"ERR Missing GROUP option for XREADGROUP")
        return False
    return True


cdef bint open_stream(Call* call, const ReadOptions* o, int at, int how, Stream* s) noexcept nogil:
    cdef const Arg* key = &call.argv[o.keys_at + at]
    return stream_open(call, key, keyspace_hash(call.keys, key.data, key.size), how, s)


cdef bint reply_no_such_group(Call* call, const ReadOptions* o, int at) noexcept nogil:
    return reply_error_naming(call, b"NOGROUP No such key '", &call.argv[o.keys_at + at], b"' or consumer group '",
                              &call.argv[o.group_at], b"' in XREADGROUP with GROUP option")


cdef bint read_id(Call* call, ReadOptions* o, int at) noexcept nogil:
    """The ID of one stream. Of all streams it is looked at now: `$` is what it is when the command begins."""
    cdef Stream s
    cdef Group g
    cdef int i = o.keys_at + o.keys + at
    cdef const Arg* arg = &call.argv[i]
    cdef char special = <char>arg.data[0] if arg.size == 1 else 0
    o.ids[at] = id_of(0, 0)
    if not open_stream(call, o, at, find_read(call), &s):
        return False
    if o.group_at and (not s.there or not group_find(&s, &call.argv[o.group_at], &g)):
        return reply_no_such_group(call, o, at)
    if special == c'$':
        if o.group_at:
            reply_error(call.reply, b"ERR The $ ID is meaningless in the context of XREADGROUP: you want to read the history of this "
                                    b"consumer by specifying a proper ID, or use the > ID to get new messages. The $ ID would just "
                                    b"return an empty result set.")
            return False
        if s.there:
            o.ids[at] = stream_head(&s).last
    elif special == c'+':
        if o.group_at:
            reply_error(call.reply, b"ERR The + ID is meaningless in the context of XREADGROUP: you want to read the history of this "
                                    b"consumer by specifying a proper ID, or use the > ID to get new messages. The + ID would just "
                                    b"return an empty result set.")
            return False
        if s.there and stream_head(&s).length:
            o.ids[at] = stream_last_entry(&s)
            id_decrement(&o.ids[at])
        elif s.there:
            o.ids[at] = stream_head(&s).last
    elif special == c'>':
        if not o.group_at:
            reply_error(call.reply, b"ERR The > ID can be specified only when calling XREADGROUP using the GROUP <group> <consumer> option.")
            return False
        o.ids[at] = id_max()
    else:
        return arg_id(call, i, 0, &o.ids[at])
    return True


cdef bint read_begin(Call* call, ReadOptions* o) noexcept nogil:
    """All options and IDs; `$` and `+` become what they are at this moment. False after an error reply; the IDs are to be freed either way."""
    cdef int at
    o.block = False
    o.count = ~<uint64_t>0
    o.noack = False
    o.group_at = 0
    o.keys_at = 0
    o.keys = 0
    o.ids = NULL
    if not read_options(call, o):
        return False
    o.ids = <StreamId*>malloc(<size_t>o.keys * sizeof(StreamId))
    INVARIANT(o.ids != NULL)
    for at in range(o.keys):
        if not read_id(call, o, at):
            return False
    return True


# ---- serving

cdef inline void reply_key(Call* call, const Stream* s) noexcept nogil:
    if call.reply.protocol == 2:
        reply_array(call.reply, 2)
    reply_bulk(call.reply, s.key.data, s.key.size)


cdef bint serve_entries(Call* call, Stream* s, const ReadOptions* o, int at) noexcept nogil:
    """XREAD of one stream; False: it has nothing."""
    cdef StreamId low
    low = o.ids[at]
    if stream_head(s).length == 0 or id_compare(stream_last_entry(s), low) <= 0:
        return False
    id_increment(&low)
    reply_key(call, s)
    reply_range(call.reply, s, low, id_max(), False, o.count)
    return True


cdef Status serve_new(Call* call, Stream* s, const ReadOptions* o, Group* g, Consumer* c) noexcept nogil:
    """What the group has not been given yet. REQUIRED: there is such an entry."""
    cdef StreamWalk w
    cdef Entry entry
    cdef PendingState state
    cdef StreamId low
    cdef size_t front = call.reply.length, middle
    cdef uint64_t shown = 0
    cdef Status status = STATUS_OK
    state.consumer = c.number
    state.delivered_ms = s.keys.now_ms
    state.deliveries = 1
    low = g.state.last
    id_increment(&low)
    stream_walk(s, low, id_max(), False, &w)
    while shown < o.count and stream_next(&w, &entry):
        if not o.noack:
            status = pending_give(s, g, entry.id, &state)
            if status != STATUS_OK:
                return status
        group_reads(s, g, entry.id)
        reply_entry(call.reply, &entry)
        shown += 1
    if not o.noack:
        c.state.active_ms = s.keys.now_ms
    middle = call.reply.length
    reply_array(call.reply, <int64_t>shown)
    move_to_front(call.reply, front, middle)
    return STATUS_OK


cdef Status serve_history(Call* call, Stream* s, const ReadOptions* o, StreamId last, Group* g, const Consumer* c) noexcept nogil:
    """What is pending for the consumer behind an ID; of deleted entries only their IDs."""
    cdef StreamWalk w
    cdef Entry entry
    cdef PendingState state
    cdef StreamId id
    cdef size_t front = call.reply.length, middle
    cdef uint64_t shown = 0
    id = last
    while shown < o.count and id_increment(&id) and pending_from(s, g, c.number, &id):
        stream_walk(s, id, id, False, &w)
        if stream_next(&w, &entry):
            reply_entry(call.reply, &entry)
            pending_find(s, g, id, &state)
            state.delivered_ms = s.keys.now_ms
            state.deliveries += 1
            pending_give(s, g, id, &state)
        else:
            reply_array(call.reply, 2)
            reply_id(call.reply, id)
            reply_null_array(call.reply)
        shown += 1
    middle = call.reply.length
    reply_array(call.reply, <int64_t>shown)
    move_to_front(call.reply, front, middle)
    return STATUS_OK


cdef bint serve_group(Call* call, Stream* s, const ReadOptions* o, int at, Status* status) noexcept nogil:
    """XREADGROUP of one stream; False: it has nothing."""
    cdef Group g
    cdef Consumer c
    cdef bint history = id_compare(o.ids[at], id_max()) != 0, made
    cdef bint there = group_find(s, &call.argv[o.group_at], &g)
    INVARIANT(there)
    status[0] = consumer_see(s, &g, &call.argv[o.group_at + 1], &c, &made)
    if status[0] != STATUS_OK:
        return True
    if not history and (stream_head(s).length == 0 or id_compare(stream_last_entry(s), g.state.last) <= 0):
        group_write(s, &g)
        if made:
            stream_counted(s)
        else:
            stream_recorded(s)
        return False
    reply_key(call, s)
    status[0] = serve_history(call, s, o, o.ids[at], &g, &c) if history else serve_new(call, s, o, &g, &c)
    group_write(s, &g)
    if made or not history:
        stream_counted(s)
    else:
        stream_recorded(s)
    return True


cdef bint read_serve(Call* call, const ReadOptions* o) noexcept nogil:
    """Replies with what there is of all streams. False: there is nothing, and nothing was replied."""
    cdef Stream s
    cdef size_t front = call.reply.length, middle
    cdef int at, served = 0
    cdef Status status = STATUS_OK
    for at in range(o.keys):
        open_stream(call, o, at, FIND_WRITE if o.group_at else find_read(call), &s)
        if o.group_at:
            served += serve_group(call, &s, o, at, &status)
        elif s.there:
            served += serve_entries(call, &s, o, at)
        if status != STATUS_OK:
            call.reply.length = front
            call_status(call, status)
            return True
    if served == 0:
        return False
    middle = call.reply.length
    if call.reply.protocol == 3:
        reply_map(call.reply, served)
    else:
        reply_array(call.reply, served)
    move_to_front(call.reply, front, middle)
    return True


# ---- waiting

cdef bint wait(Call* call, ReadOptions* o) noexcept nogil:
    """False where nobody may wait. What `$` is now it is when the command is executed again."""
    cdef Call again = call[0]
    cdef size_t argv_bytes = call.argc * sizeof(Arg)
    cdef char* texts
    cdef Arg* arg
    cdef int at
    cdef bint waits
    again.argv = <Arg*>malloc(argv_bytes + <size_t>o.keys * ID_TEXT_BYTES)
    INVARIANT(again.argv != NULL)
    memcpy(again.argv, call.argv, argv_bytes)
    texts = <char*>again.argv + argv_bytes
    for at in range(o.keys):
        arg = &again.argv[o.keys_at + o.keys + at]
        if arg.size == 1 and arg.data[0] == c'$':
            arg.size = <size_t>id_format(texts, o.ids[at], c'-')
            arg.data = <const uint8_t*>texts
            texts += ID_TEXT_BYTES
    waits = blocked_wait(&again, TYPE_STREAM, o.keys_at, o.keys, o.deadline_ms, o.group_at != 0, reply_null_array)
    free(again.argv)
    return waits


cdef void cmd_xread(Call* call) noexcept nogil:
    cdef ReadOptions o
    if read_begin(call, &o) and not read_serve(call, &o) and not (o.block and wait(call, &o)):
        reply_null_array(call.reply)
    free(o.ids)


handler_register(b"streams_read.xread", cmd_xread)
handler_register(b"streams_read.xreadgroup", cmd_xread)
