"""XINFO: what there is to know about a stream, its groups and their consumers."""
from libc.stddef cimport size_t
from libc.stdint cimport int64_t, uint64_t
from libc.string cimport strlen
from gapless.engine.call cimport Arg, Call
from gapless.engine.dispatch cimport arg_int64, arg_is, handler_register, reply_wrong_subcommand
from gapless.engine.keyspace cimport FIND_COUNT, keyspace_hash
from gapless.engine.reply cimport Reply, reply_array, reply_bulk, reply_error, reply_int, reply_map, reply_null, reply_status
from gapless.engine.scan cimport move_to_front
from gapless.engine.stream_block cimport Entry
from gapless.engine.stream_groups cimport (
    ENTRIES_READ_UNKNOWN, NEVER_ACTIVE, Consumer, Group, PendingState, consumer_name, consumer_next, group_find, group_lag, group_name,
    group_next, pending_find, pending_from,
)
from gapless.engine.stream_id cimport StreamId, id_increment, id_max, id_of, reply_id
from gapless.engine.stream_reply cimport reply_entry, reply_error_naming, reply_range
from gapless.engine.stream_value cimport (
    STREAM_TREE_BLOCKS, Stream, StreamHead, StreamWalk, stream_head, stream_next, stream_open, stream_tree, stream_walk,
)

cdef enum:
    FULL_COUNT_DEFAULT = 10


cdef inline void word(Reply* reply, const char* text) noexcept nogil:
    reply_bulk(reply, text, strlen(text))


cdef inline void number(Reply* reply, const char* name, int64_t value) noexcept nogil:
    word(reply, name)
    reply_int(reply, value)


cdef inline void named_id(Reply* reply, const char* name, StreamId id) noexcept nogil:
    word(reply, name)
    reply_id(reply, id)


cdef bint open_there(Call* call, Stream* s) noexcept nogil:
    if not stream_open(call, &call.argv[2], keyspace_hash(call.keys, call.argv[2].data, call.argv[2].size), FIND_COUNT, s):
        return False
    if not s.there:
        reply_error(call.reply, b"ERR no such key")
    return s.there


# ---- of a group

cdef void reply_counters(Call* call, const Stream* s, const Group* g) noexcept nogil:
    """What a group has read and what it has still before it."""
    cdef int64_t lag = 0
    word(call.reply, b"entries-read")
    if g.state.entries_read == ENTRIES_READ_UNKNOWN:
        reply_null(call.reply)
    else:
        reply_int(call.reply, g.state.entries_read)
    word(call.reply, b"lag")
    if group_lag(s, g, &lag):
        reply_int(call.reply, lag)
    else:
        reply_null(call.reply)


cdef void reply_pending(Call* call, Stream* s, const Group* g, const Consumer* c, int64_t count) noexcept nogil:
    """The first so many (0: all); of a consumer, or with their consumers of the whole group."""
    cdef PendingState state
    cdef StreamId id
    cdef Arg name
    cdef int64_t shown = 0
    cdef size_t front = call.reply.length, middle
    id = id_of(0, 0)
    while (count == 0 or shown < count) and pending_from(s, g, c.number if c != NULL else 0, &id):
        pending_find(s, g, id, &state)
        reply_array(call.reply, 3 if c != NULL else 4)
        reply_id(call.reply, id)
        if c == NULL:
            consumer_name(s, g, state.consumer, &name)
            reply_bulk(call.reply, name.data, name.size)
        reply_int(call.reply, state.delivered_ms)
        reply_int(call.reply, <int64_t>state.deliveries)
        shown += 1
        if not id_increment(&id):
            break
    middle = call.reply.length
    reply_array(call.reply, shown)
    move_to_front(call.reply, front, middle)


cdef void reply_consumer_full(Call* call, Stream* s, const Group* g, const Consumer* c, int64_t count) noexcept nogil:
    cdef Arg name
    consumer_name(s, g, c.number, &name)
    reply_map(call.reply, 5)
    word(call.reply, b"name")
    reply_bulk(call.reply, name.data, name.size)
    number(call.reply, b"seen-time", c.state.seen_ms)
    number(call.reply, b"active-time", c.state.active_ms)
    number(call.reply, b"pel-count", <int64_t>c.state.pending)
    word(call.reply, b"pending")
    reply_pending(call, s, g, c, count)


cdef void reply_group_full(Call* call, Stream* s, const Group* g, int64_t count) noexcept nogil:
    cdef Consumer c
    cdef Arg name
    group_name(s, g, &name)
    reply_map(call.reply, 7)
    word(call.reply, b"name")
    reply_bulk(call.reply, name.data, name.size)
    named_id(call.reply, b"last-delivered-id", g.state.last)
    reply_counters(call, s, g)
    number(call.reply, b"pel-count", <int64_t>g.state.pending)
    word(call.reply, b"pending")
    reply_pending(call, s, g, NULL, count)
    word(call.reply, b"consumers")
    reply_array(call.reply, g.state.consumers)
    c.key_bytes = 0
    while consumer_next(s, g, &c):
        reply_consumer_full(call, s, g, &c, count)


# ---- commands

cdef void reply_head(Call* call, Stream* s) noexcept nogil:
    cdef StreamHead* head = stream_head(s)
    number(call.reply, b"length", <int64_t>head.length)
    number(call.reply, b"radix-tree-keys", head.nodes)
    number(call.reply, b"radix-tree-nodes", 1 + <int64_t>stream_tree(s, STREAM_TREE_BLOCKS).pages)
    named_id(call.reply, b"last-generated-id", head.last)
    named_id(call.reply, b"max-deleted-entry-id", head.deleted_max)
    number(call.reply, b"entries-added", <int64_t>head.added)
    named_id(call.reply, b"recorded-first-entry-id", head.first)


cdef void reply_edge(Call* call, Stream* s, const char* name, bint back) noexcept nogil:
    cdef StreamWalk w
    cdef Entry entry
    word(call.reply, name)
    stream_walk(s, id_of(0, 0), id_max(), back, &w)
    if stream_next(&w, &entry):
        reply_entry(call.reply, &entry)
    else:
        reply_null(call.reply)


cdef void cmd_xinfo_stream(Call* call) noexcept nogil:
    cdef Stream s
    cdef Group g
    cdef int64_t count = FULL_COUNT_DEFAULT
    if not open_there(call, &s):
        return
    if call.argc > 3 and (not arg_is(call, 3, b"FULL") or call.argc == 5 or call.argc > 6
                          or call.argc == 6 and not arg_is(call, 4, b"COUNT")):
        reply_wrong_subcommand(call)
        return
    if call.argc == 3:
        reply_map(call.reply, 10)
        reply_head(call, &s)
        number(call.reply, b"groups", stream_head(&s).groups)
        reply_edge(call, &s, b"first-entry", False)
        reply_edge(call, &s, b"last-entry", True)
        return
    if call.argc == 6:
        if not arg_int64(call, 5, &count):
            return
        if count < 0:
            count = FULL_COUNT_DEFAULT
    reply_map(call.reply, 9)
    reply_head(call, &s)
    word(call.reply, b"entries")
    reply_range(call.reply, &s, id_of(0, 0), id_max(), False, <uint64_t>count if count else ~<uint64_t>0)
    word(call.reply, b"groups")
    reply_array(call.reply, stream_head(&s).groups)
    g.key_bytes = 0
    while group_next(&s, &g):
        reply_group_full(call, &s, &g, count)


cdef void cmd_xinfo_groups(Call* call) noexcept nogil:
    cdef Stream s
    cdef Group g
    cdef Arg name
    if not open_there(call, &s):
        return
    reply_array(call.reply, stream_head(&s).groups)
    g.key_bytes = 0
    while group_next(&s, &g):
        group_name(&s, &g, &name)
        reply_map(call.reply, 6)
        word(call.reply, b"name")
        reply_bulk(call.reply, name.data, name.size)
        number(call.reply, b"consumers", g.state.consumers)
        number(call.reply, b"pending", <int64_t>g.state.pending)
        named_id(call.reply, b"last-delivered-id", g.state.last)
        reply_counters(call, &s, &g)


cdef void cmd_xinfo_consumers(Call* call) noexcept nogil:
    cdef Stream s
    cdef Group g
    cdef Consumer c
    cdef Arg name
    cdef int64_t now = call.keys.now_ms
    if not open_there(call, &s):
        return
    if not group_find(&s, &call.argv[3], &g):
        reply_error_naming(call, b"NOGROUP No such consumer group '", &call.argv[3], b"' for key name '", &call.argv[2], b"'")
        return
    reply_array(call.reply, g.state.consumers)
    c.key_bytes = 0
    while consumer_next(&s, &g, &c):
        consumer_name(&s, &g, c.number, &name)
        reply_map(call.reply, 4)
        word(call.reply, b"name")
        reply_bulk(call.reply, name.data, name.size)
        number(call.reply, b"pending", <int64_t>c.state.pending)
        number(call.reply, b"idle", max(now - c.state.seen_ms, <int64_t>0))
        number(call.reply, b"inactive", max(now - c.state.active_ms, <int64_t>0) if c.state.active_ms != NEVER_ACTIVE else -1)


cdef void cmd_xinfo(Call* call) noexcept nogil:
    """XINFO HELP: what is no subcommand dispatch refuses."""
    reply_array(call.reply, 9)
    reply_status(call.reply, b"XINFO <subcommand> [<arg> [value] [opt] ...]. Subcommands are:")
    reply_status(call.reply, b"CONSUMERS <key> <group>")
    reply_status(call.reply, b"    The consumers of <group>: what is pending for them, when they were seen.")
    reply_status(call.reply, b"GROUPS <key>")
    reply_status(call.reply, b"    The consumer groups of a stream: what they were given, what is before them.")
    reply_status(call.reply, b"STREAM <key> [FULL [COUNT <count>]]")
    reply_status(call.reply, b"    The stream; with FULL its entries, groups and consumers, the first <count> of each.")
    reply_status(call.reply, b"HELP")
    reply_status(call.reply, b"    Print this help.")


handler_register(b"streams_info.xinfo", cmd_xinfo)
handler_register(b"streams_info.xinfo_consumers", cmd_xinfo_consumers)
handler_register(b"streams_info.xinfo_groups", cmd_xinfo_groups)
handler_register(b"streams_info.xinfo_stream", cmd_xinfo_stream)
