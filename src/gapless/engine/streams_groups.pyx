"""XGROUP: consumer groups and consumers, made, changed and deleted."""
from libc.stdint cimport int64_t, uint64_t
from gapless.engine.base cimport STATUS_OK, Status
from gapless.engine.blocked cimport blocked_signal
from gapless.engine.call cimport Call
from gapless.engine.dispatch cimport arg_int64, arg_is, call_status, handler_register, reply_wrong_subcommand
from gapless.engine.keyspace cimport FIND_WRITE, keyspace_delete_found, keyspace_hash
from gapless.engine.reply cimport reply_array, reply_error, reply_int, reply_status
from gapless.engine.stream_groups cimport (
    ENTRIES_READ_UNKNOWN, Consumer, Group, consumer_delete, consumer_find, consumer_see, group_create, group_destroy, group_find,
    group_write,
)
from gapless.engine.stream_id cimport StreamId, id_of, parse_id, reply_invalid_id
from gapless.engine.stream_reply cimport reply_error_naming
from gapless.engine.stream_value cimport Stream, stream_counted, stream_create, stream_head, stream_open, stream_touched


cdef bint open_for(Call* call, Stream* s) noexcept nogil:
    return stream_open(call, &call.argv[2], keyspace_hash(call.keys, call.argv[2].data, call.argv[2].size), FIND_WRITE, s)


cdef bint open_there(Call* call, Stream* s) noexcept nogil:
    """The stream, which must be there; False after an error reply."""
    if not open_for(call, s):
        return False
    if not s.there:
        reply_error(call.reply, b"ERR The XGROUP subcommand requires the key to exist. Note that for CREATE you may want to use the "
                                b"MKSTREAM option to create an empty stream automatically.")
    return s.there


cdef bint open_group(Call* call, Stream* s, Group* g) noexcept nogil:
    if not open_there(call, s):
        return False
    if not group_find(s, &call.argv[3], g):
        return reply_error_naming(call, b"NOGROUP No such consumer group '", &call.argv[3], b"' for key name '", &call.argv[2], b"'")
    return True


cdef bint arg_entries_read(Call* call, int i, int64_t* entries_read) noexcept nogil:
    if not arg_int64(call, i, entries_read):
        return False
    if entries_read[0] < 0 and entries_read[0] != ENTRIES_READ_UNKNOWN:
        reply_error(call.reply, b"ERR value for ENTRIESREAD must be positive or -1")
        return False
    return True


cdef int64_t entries_read_within(const Stream* s, int64_t entries_read) noexcept nogil:
    """A group has read no more than was ever added."""
    cdef uint64_t added = stream_head(s).added
    return <int64_t>added if entries_read > 0 and <uint64_t>entries_read > added else entries_read


cdef bint arg_last(Call* call, const Stream* s, bint strict, StreamId* id) noexcept nogil:
    """The ID in argv[4], or `$`."""
    if call.argv[4].size == 1 and call.argv[4].data[0] == c'$':
        id[0] = stream_head(s).last if s.there else id_of(0, 0)
        return True
    return parse_id(&call.argv[4], 0, strict, id, NULL) or reply_invalid_id(call)


cdef void cmd_xgroup_create(Call* call) noexcept nogil:
    cdef Stream s
    cdef Group g
    cdef StreamId id
    cdef int64_t entries_read = ENTRIES_READ_UNKNOWN
    cdef bint make = False, made = False
    cdef int i = 5
    cdef Status status = STATUS_OK
    while i < call.argc:
        if arg_is(call, i, b"MKSTREAM"):
            make = True
            i += 1
        elif arg_is(call, i, b"ENTRIESREAD") and i + 1 < call.argc:
            if not arg_entries_read(call, i + 1, &entries_read):
                return
            i += 2
        else:
            reply_wrong_subcommand(call)
            return
    if not (open_for(call, &s) if make else open_there(call, &s)) or not arg_last(call, &s, True, &id):
        return
    if not s.there:
        status = stream_create(&s)
        made = status == STATUS_OK
    if status == STATUS_OK and group_find(&s, &call.argv[3], &g):
        reply_error(call.reply, b"BUSYGROUP Consumer Group name already exists")
        return
    if status == STATUS_OK:
        status = group_create(&s, &call.argv[3], id, entries_read_within(&s, entries_read), &g)
    if status == STATUS_OK:
        if made:
            stream_touched(&s)
        else:
            stream_counted(&s)
        reply_status(call.reply, b"OK")
        return
    if made:
        keyspace_delete_found(call.keys, &s.v, s.key.data, s.key.size)
    call_status(call, status)


cdef void cmd_xgroup_setid(Call* call) noexcept nogil:
    cdef Stream s
    cdef Group g
    cdef StreamId id
    cdef int64_t entries_read = ENTRIES_READ_UNKNOWN
    if call.argc > 5:
        if call.argc != 7 or not arg_is(call, 5, b"ENTRIESREAD"):
            reply_wrong_subcommand(call)
            return
        if not arg_entries_read(call, 6, &entries_read):
            return
    if not open_group(call, &s, &g) or not arg_last(call, &s, False, &id):
        return
    g.state.last = id
    g.state.entries_read = entries_read_within(&s, entries_read)
    group_write(&s, &g)
    stream_counted(&s)
    reply_status(call.reply, b"OK")


cdef void cmd_xgroup_destroy(Call* call) noexcept nogil:
    cdef Stream s
    cdef Group g
    if not open_there(call, &s):
        return
    if not group_find(&s, &call.argv[3], &g):
        reply_int(call.reply, 0)
        return
    group_destroy(&s, &g)
    stream_counted(&s)
    # Who waits for it is told that it is gone.
    blocked_signal(call, s.key, s.key_hash)
    reply_int(call.reply, 1)


cdef void cmd_xgroup_createconsumer(Call* call) noexcept nogil:
    cdef Stream s
    cdef Group g
    cdef Consumer c
    cdef bint made
    if not open_group(call, &s, &g):
        return
    if consumer_find(&s, &g, &call.argv[4], &c):
        reply_int(call.reply, 0)
        return
    if call_status(call, consumer_see(&s, &g, &call.argv[4], &c, &made)):
        group_write(&s, &g)
        stream_counted(&s)
        reply_int(call.reply, 1)


cdef void cmd_xgroup_delconsumer(Call* call) noexcept nogil:
    cdef Stream s
    cdef Group g
    cdef Consumer c
    if not open_group(call, &s, &g):
        return
    if not consumer_find(&s, &g, &call.argv[4], &c):
        reply_int(call.reply, 0)
        return
    reply_int(call.reply, <int64_t>consumer_delete(&s, &g, &c))
    stream_counted(&s)


cdef void cmd_xgroup(Call* call) noexcept nogil:
    """XGROUP HELP: what is no subcommand dispatch refuses."""
    reply_array(call.reply, 17)
    reply_status(call.reply, b"XGROUP <subcommand> [<arg> [value] [opt] ...]. Subcommands are:")
    reply_status(call.reply, b"CREATE <key> <group> <id|$> [MKSTREAM] [ENTRIESREAD <n>]")
    reply_status(call.reply, b"    Make a consumer group that is given what comes behind <id>, or from now on.")
    reply_status(call.reply, b"    MKSTREAM makes the stream, too; ENTRIESREAD tells how many entries there were up to <id>.")
    reply_status(call.reply, b"CREATECONSUMER <key> <group> <consumer>")
    reply_status(call.reply, b"    Make a consumer: 1, or 0 if it is there.")
    reply_status(call.reply, b"DELCONSUMER <key> <group> <consumer>")
    reply_status(call.reply, b"    Delete a consumer and what is pending for it: how much that was.")
    reply_status(call.reply, b"DESTROY <key> <group>")
    reply_status(call.reply, b"    Delete a consumer group: 1, or 0 if it was not there.")
    reply_status(call.reply, b"SETID <key> <group> <id|$> [ENTRIESREAD <n>]")
    reply_status(call.reply, b"    Set what the group was given last.")
    reply_status(call.reply, b"    Entries up to <id> are not given again,")
    reply_status(call.reply, b"    those behind it are, though they were before.")
    reply_status(call.reply, b"    What is pending stays so.")
    reply_status(call.reply, b"HELP")
    reply_status(call.reply, b"    Print this help.")


handler_register(b"streams_groups.xgroup", cmd_xgroup)
handler_register(b"streams_groups.xgroup_create", cmd_xgroup_create)
handler_register(b"streams_groups.xgroup_createconsumer", cmd_xgroup_createconsumer)
handler_register(b"streams_groups.xgroup_delconsumer", cmd_xgroup_delconsumer)
handler_register(b"streams_groups.xgroup_destroy", cmd_xgroup_destroy)
handler_register(b"streams_groups.xgroup_setid", cmd_xgroup_setid)
