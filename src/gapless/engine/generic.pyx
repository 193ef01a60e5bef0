"""Commands about keys of any type: COPY, DEL, EXISTS, MOVE, OBJECT, RENAME, TOUCH, TYPE, UNLINK, WAIT.

The rest of the group has modules of its own: expiry, scan, rdb.
"""
from libc.stdint cimport int64_t, uint64_t
from libc.string cimport memcmp, strlen
from gapless.engine.base cimport parse_int64
from gapless.engine.blocked cimport TIMEOUT_MS, arg_deadline, blocked_wait
from gapless.engine.call cimport Arg, Call
from gapless.engine.dispatch cimport (
    arg_int64, arg_is, call_room, call_status, find_read, handler_register, reply_syntax_error,
)
from gapless.engine.encoding cimport encoding_name
from gapless.engine.keyspace cimport (
    FIND_COUNT, FIND_PEEK, FIND_READ, FIND_WRITE, POLICY_LFU, Value, keyspace_copy, keyspace_delete, keyspace_find, keyspace_hash,
    keyspace_memory_usage,
)
from gapless.engine.keyspace_access cimport keyspace_frequency, keyspace_idle_seconds
from gapless.engine.record cimport (
    TYPE_HASH, TYPE_LIST, TYPE_NONE, TYPE_SET, TYPE_SORTED_SET, TYPE_STREAM, TYPE_STRING,
)
from gapless.engine.reply cimport (
    Reply, reply_array, reply_bulk, reply_error, reply_int, reply_null, reply_status,
)

# They register their handlers.
import gapless.engine.databases
import gapless.engine.diagnostics
import gapless.engine.digest
import gapless.engine.expiry
import gapless.engine.rdb
import gapless.engine.scan  # noqa: F401


cdef inline bint find(Call* call, int i, int how, Value* v) noexcept nogil:
    """The key in argv[i] of the session's database."""
    cdef const Arg* key = &call.argv[i]
    cdef uint64_t hash = call.hash if i == call.command.key_first else keyspace_hash(call.keys, key.data, key.size)
    return keyspace_find(call.keys, call.session.db, key.data, key.size, hash, how, v)


cdef inline bint same_key(const Arg* a, const Arg* b) noexcept nogil:
    return a.size == b.size and memcmp(a.data, b.data, a.size) == 0


# ---- many keys

cdef void cmd_del(Call* call) noexcept nogil:
    cdef int i
    cdef int64_t deleted = 0
    cdef const Arg* key
    for i in range(1, call.argc):
        key = &call.argv[i]
        if keyspace_delete(call.keys, call.session.db, key.data, key.size,
                           call.hash if i == 1 else keyspace_hash(call.keys, key.data, key.size)):
            deleted += 1
    reply_int(call.reply, deleted)


cdef void count_keys(Call* call, int how) noexcept nogil:
    cdef Value v
    cdef int i
    cdef int64_t there = 0
    for i in range(1, call.argc):
        if find(call, i, how, &v):
            there += 1
    reply_int(call.reply, there)


cdef void cmd_exists(Call* call) noexcept nogil:
    count_keys(call, FIND_COUNT)


cdef void cmd_touch(Call* call) noexcept nogil:
    # The one command whose effect CLIENT NO-TOUCH leaves alone.
    count_keys(call, FIND_READ)


cdef void cmd_type(Call* call) noexcept nogil:
    cdef Value v
    cdef const char* name = b"none"
    if find(call, 1, FIND_COUNT, &v):
        if v.type == TYPE_STRING:
            name = b"string"
        elif v.type == TYPE_LIST:
            name = b"list"
        elif v.type == TYPE_SET:
            name = b"set"
        elif v.type == TYPE_SORTED_SET:
            name = b"zset"
        elif v.type == TYPE_HASH:
            name = b"hash"
        elif v.type == TYPE_STREAM:
            name = b"stream"
    reply_status(call.reply, name)


# ---- from key to key, from database to database

cdef bint arg_database(Call* call, int i, int* db) noexcept nogil:
    """The number of a database in argv[i]; False after an error reply."""
    cdef int64_t n
    if not arg_int64(call, i, &n):
        return False
    if n < -2147483648 or n > 2147483647:
        reply_error(call.reply, b"ERR value is out of range, value must between -2147483648 and 2147483647")
        return False
    if n < 0 or n >= call.keys.databases:
        reply_error(call.reply, b"ERR DB index is out of range")
        return False
    db[0] = <int>n
    return True


cdef bint there_already(Call* call, int db, const Arg* key) noexcept nogil:
    cdef Value v
    return keyspace_find(call.keys, db, key.data, key.size, keyspace_hash(call.keys, key.data, key.size), FIND_PEEK, &v)


cdef void cmd_copy(Call* call) noexcept nogil:
    cdef Value v
    cdef const Arg* source = &call.argv[1]
    cdef const Arg* target = &call.argv[2]
    cdef int db = call.session.db
    cdef bint replace = False, taken
    cdef int i = 3
    while i < call.argc:
        if arg_is(call, i, b"REPLACE"):
            replace = True
        elif arg_is(call, i, b"DB") and i + 1 < call.argc:
            i += 1
            if not arg_database(call, i, &db):
                return
        else:
            reply_syntax_error(call)
            return
        i += 1
    if db == call.session.db and same_key(source, target):
        reply_error(call.reply, b"ERR source and destination objects are the same")
        return
    # The target is looked up first: a look-up deletes what has expired, and what was found before it would be void.
    taken = there_already(call, db, target)
    if not find(call, 1, find_read(call), &v) or (taken and not replace):
        reply_int(call.reply, 0)
        return
    if not call_room(call, keyspace_memory_usage(call.keys, &v)):
        return
    if not keyspace_find(call.keys, call.session.db, source.data, source.size, call.hash, FIND_PEEK, &v):
        # Making room for the copy has cost the original.
        reply_int(call.reply, 0)
        return
    if call_status(call, keyspace_copy(call.keys, &v, source.data, source.size, db, target.data, target.size, False)):
        reply_int(call.reply, 1)


cdef void cmd_move(Call* call) noexcept nogil:
    cdef Value v
    cdef const Arg* key = &call.argv[1]
    cdef int db
    if not arg_database(call, 2, &db):
        return
    if db == call.session.db:
        reply_error(call.reply, b"ERR source and destination objects are the same")
        return
    if there_already(call, db, key) or not find(call, 1, FIND_WRITE, &v):
        reply_int(call.reply, 0)
        return
    if call_status(call, keyspace_copy(call.keys, &v, key.data, key.size, db, key.data, key.size, True)):
        reply_int(call.reply, 1)


cdef void rename(Call* call, bint only_new) noexcept nogil:
    cdef Value v
    cdef const Arg* source = &call.argv[1]
    cdef const Arg* target = &call.argv[2]
    cdef bint same = same_key(source, target)
    cdef bint taken = there_already(call, call.session.db, target)
    if not find(call, 1, FIND_WRITE, &v):
        reply_error(call.reply, b"ERR no such key")
        return
    if only_new and taken:
        reply_int(call.reply, 0)
        return
    if not same and not call_status(call, keyspace_copy(call.keys, &v, source.data, source.size, call.session.db,
                                                        target.data, target.size, True)):
        return
    if only_new:
        reply_int(call.reply, 1)
    else:
        reply_status(call.reply, b"OK")


cdef void cmd_rename(Call* call) noexcept nogil:
    rename(call, False)


cdef void cmd_renamenx(Call* call) noexcept nogil:
    rename(call, True)


# ---- OBJECT

cdef void object_encoding(Call* call, const Value* v) noexcept nogil:
    cdef const char* name = encoding_name(&v.record, v.data)
    reply_bulk(call.reply, name, strlen(name))


cdef void object_freq(Call* call, const Value* v) noexcept nogil:
    if call.keys.policy & POLICY_LFU:
        reply_int(call.reply, keyspace_frequency(call.keys, v))
        return
    reply_error(call.reply, b"ERR An LFU maxmemory policy is not selected, access frequency not tracked. Please note that when "
                            b"switching between policies at runtime LRU and LFU data will take some time to adjust.")


cdef void object_idletime(Call* call, const Value* v) noexcept nogil:
    if not call.keys.policy & POLICY_LFU:
        reply_int(call.reply, <int64_t>keyspace_idle_seconds(call.keys, v))
        return
    reply_error(call.reply, b"ERR An LFU maxmemory policy is selected, idle time not tracked. Please note that when switching "
                            b"between policies at runtime LRU and LFU data will take some time to adjust.")


cdef void object_help(Reply* reply) noexcept nogil:
    reply_array(reply, 11)
    reply_status(reply, b"OBJECT <subcommand> [<arg> [value] [opt] ...]. Subcommands are:")
    reply_status(reply, b"ENCODING <key>")
    reply_status(reply, b"    How the value of <key> is held: int, embstr or raw for a string.")
    reply_status(reply, b"FREQ <key>")
    reply_status(reply, b"    How often <key> is used, 0 to 255 on a logarithmic scale (LFU policies only).")
    reply_status(reply, b"IDLETIME <key>")
    reply_status(reply, b"    Seconds since <key> was last used (other policies than LFU).")
    reply_status(reply, b"REFCOUNT <key>")
    reply_status(reply, b"    References to the value of <key>: always 1.")
    reply_status(reply, b"HELP")
    reply_status(reply, b"    Print this help.")


cdef void cmd_object(Call* call) noexcept nogil:
    """OBJECT and its subcommands; that there is such a one, with so many arguments, dispatch has seen to."""
    cdef Value v
    if arg_is(call, 1, b"HELP"):
        object_help(call.reply)
    elif not keyspace_find(call.keys, call.session.db, call.argv[2].data, call.argv[2].size,
                           keyspace_hash(call.keys, call.argv[2].data, call.argv[2].size), FIND_COUNT, &v):
        reply_null(call.reply)
    elif arg_is(call, 1, b"ENCODING"):
        object_encoding(call, &v)
    elif arg_is(call, 1, b"FREQ"):
        object_freq(call, &v)
    elif arg_is(call, 1, b"IDLETIME"):
        object_idletime(call, &v)
    else:
        # REFCOUNT. Nothing is shared: every value belongs to its key.
        reply_int(call.reply, 1)


# ---- WAIT: there are no replicas, so that who wants any waits until his time is up

cdef void reply_no_replicas(Reply* reply) noexcept nogil:
    reply_int(reply, 0)


cdef void reply_no_copies(Reply* reply) noexcept nogil:
    reply_array(reply, 2)
    reply_int(reply, 0)
    reply_int(reply, 0)


cdef void cmd_wait(Call* call) noexcept nogil:
    cdef int64_t replicas, deadline_ms
    if not arg_int64(call, 1, &replicas) or not arg_deadline(call, 2, TIMEOUT_MS, &deadline_ms):
        return
    if replicas <= 0 or not blocked_wait(call, TYPE_NONE, 0, 0, deadline_ms, False, reply_no_replicas):
        reply_no_replicas(call.reply)


cdef void cmd_waitaof(Call* call) noexcept nogil:
    cdef int64_t local, replicas, deadline_ms
    if not arg_int64(call, 1, &local):
        return
    if local < 0 or local > 1:
        reply_error(call.reply, b"ERR value is out of range, value must between 0 and 1")
        return
    if not parse_int64(call.argv[2].data, call.argv[2].size, &replicas) or replicas < 0:
        reply_error(call.reply, b"ERR value is out of range, must be positive")
        return
    if not arg_deadline(call, 3, TIMEOUT_MS, &deadline_ms):
        return
    if local:
        reply_error(call.reply, b"ERR WAITAOF cannot be used when numlocal is set but appendonly is disabled.")
    elif replicas == 0 or not blocked_wait(call, TYPE_NONE, 0, 0, deadline_ms, False, reply_no_copies):
        reply_no_copies(call.reply)


handler_register(b"generic.copy", cmd_copy)
handler_register(b"generic.del", cmd_del)
handler_register(b"generic.exists", cmd_exists)
handler_register(b"generic.move", cmd_move)
handler_register(b"generic.object", cmd_object)
handler_register(b"generic.rename", cmd_rename)
handler_register(b"generic.renamenx", cmd_renamenx)
handler_register(b"generic.touch", cmd_touch)
handler_register(b"generic.type", cmd_type)
handler_register(b"generic.unlink", cmd_del)
handler_register(b"generic.wait", cmd_wait)
handler_register(b"generic.waitaof", cmd_waitaof)
