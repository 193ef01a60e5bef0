"""What developers and operators ask about keys: MEMORY USAGE; DEBUG CHECK, OBJECT, POPULATE, GLOB.

argv is the whole command as it was sent: argv[0] MEMORY or DEBUG, argv[1] the subcommand.
"""
from libc.stdint cimport int64_t, uint8_t, uint64_t
from libc.stdio cimport snprintf
from libc.string cimport memcpy, strlen
from gapless.engine.base cimport STATUS_FULL, parse_int64
from gapless.engine.call cimport Arg, Call
from gapless.engine.dispatch cimport (
    arg_int64, arg_is, call_status, handler_register, reply_syntax_error, reply_wrong_subcommand,
)
from gapless.engine.encoding cimport encoding_name
from gapless.engine.glob cimport glob_match
from gapless.engine.keyspace cimport (
    EXPIRE_NEVER, FIND_PEEK, FIND_WRITE, Value, keyspace_check, keyspace_create, keyspace_find, keyspace_hash, keyspace_make_room,
    keyspace_memory_usage, keyspace_touched,
)
from gapless.engine.keyspace_access cimport keyspace_idle_seconds
from gapless.engine.rdb cimport rdb_string_bytes
from gapless.engine.record cimport TYPE_STRING
from gapless.engine.reply cimport (
    Reply, reply_error, reply_error_bytes, reply_free, reply_init, reply_int, reply_null, reply_raw, reply_status,
)

cdef enum:
    LRU_CLOCK_MASK = 0xffffff      # the clock of seconds that Redis keeps has 24 bits
    NUMBER_BYTES_MAX = 21


cdef bint find_third(Call* call, Value* v) noexcept nogil:
    """The key in argv[2], looked at without a trace."""
    cdef const Arg* key = &call.argv[2]
    return keyspace_find(call.keys, call.session.db, key.data, key.size, keyspace_hash(call.keys, key.data, key.size),
                         FIND_PEEK, v)


cdef void cmd_memory_usage(Call* call) noexcept nogil:
    cdef Value v
    cdef int64_t samples
    cdef int i = 3
    while i < call.argc:
        if not arg_is(call, i, b"SAMPLES") or i + 1 == call.argc:
            reply_syntax_error(call)
            return
        if not arg_int64(call, i + 1, &samples):
            return
        if samples < 0:
            reply_syntax_error(call)
            return
        i += 2
    if find_third(call, &v):
        reply_int(call.reply, <int64_t>keyspace_memory_usage(call.keys, &v))
    else:
        reply_null(call.reply)


cdef void cmd_debug_check(Call* call) noexcept nogil:
    cdef const char* wrong = keyspace_check(call.keys)
    cdef Reply text
    if wrong == NULL:
        reply_status(call.reply, b"OK")
        return
    reply_init(&text)
    reply_raw(&text, b"ERR ", 4)
    reply_raw(&text, wrong, strlen(wrong))
    reply_error_bytes(call.reply, text.data, text.length)
    reply_free(&text)


cdef void cmd_debug_object(Call* call) noexcept nogil:
    cdef Value v
    cdef char text[192]
    cdef uint64_t idle
    if call.argc != 3:
        reply_wrong_subcommand(call)
        return
    if not find_third(call, &v):
        reply_error(call.reply, b"ERR no such key")
        return
    idle = keyspace_idle_seconds(call.keys, &v)
    snprintf(text, sizeof(text), b"Value at:%p refcount:1 encoding:%s serializedlength:%lld lru:%lld lru_seconds_idle:%llu",
             <void*>v.data, encoding_name(&v.record, v.data), <long long>rdb_string_bytes(v.data, v.size),
             <long long>((call.keys.now_ms // 1000 - <int64_t>idle) & LRU_CLOCK_MASK), <unsigned long long>idle)
    reply_status(call.reply, text)


cdef void cmd_debug_sdslen(Call* call) noexcept nogil:
    """DEBUG SDSLEN key: the bytes of key and value. They lie in a record, which has no allocation for each."""
    cdef Value v
    cdef char text[192]
    if call.argc != 3:
        reply_wrong_subcommand(call)
        return
    if not find_third(call, &v):
        reply_error(call.reply, b"ERR no such key")
        return
    snprintf(text, sizeof(text), b"key_sds_len:%llu, key_sds_avail:0, key_zmalloc: %llu, val_sds_len:%llu, val_sds_avail:0, "
             b"val_zmalloc: %llu", <unsigned long long>call.argv[2].size, <unsigned long long>call.argv[2].size,
             <unsigned long long>v.size, <unsigned long long>v.size)
    reply_status(call.reply, text)


cdef bint arg_positive(Call* call, int i, int64_t* out) noexcept nogil:
    if parse_int64(call.argv[i].data, call.argv[i].size, out) and out[0] >= 0:
        return True
    reply_error(call.reply, b"ERR value is out of range, must be positive")
    return False


cdef void cmd_debug_populate(Call* call) noexcept nogil:
    """DEBUG POPULATE count [prefix [size]]: keys prefix:0 ..., values value:0 ... cut or filled up with zeros to size.

    Keys that are there already are left alone.
    """
    cdef int64_t count, j, size = 0
    cdef Arg prefix
    cdef Reply key                   # a growing buffer, nothing more
    cdef char text[NUMBER_BYTES_MAX + 8]
    cdef uint64_t n, hash
    cdef Value v
    if call.argc < 3 or call.argc > 5:
        reply_wrong_subcommand(call)
        return
    if not arg_positive(call, 2, &count) or (call.argc == 5 and not arg_positive(call, 4, &size)):
        return
    prefix.data = <const uint8_t*>b"key"
    prefix.size = 3
    if call.argc > 3:
        prefix = call.argv[3]
    reply_init(&key)
    for j in range(count):
        key.length = 0
        reply_raw(&key, prefix.data, prefix.size)
        reply_raw(&key, text, snprintf(text, sizeof(text), b":%lld", <long long>j))
        hash = keyspace_hash(call.keys, key.data, key.length)
        if keyspace_find(call.keys, call.session.db, key.data, key.length, hash, FIND_WRITE, &v):
            continue
        n = snprintf(text, sizeof(text), b"value:%lld", <long long>j)
        if not keyspace_make_room(call.keys, key.length + (size if size else <int64_t>n)):
            call_status(call, STATUS_FULL)
            break
        if not call_status(call, keyspace_create(call.keys, call.session.db, key.data, key.length, hash, TYPE_STRING,
                                                 size if size else n, EXPIRE_NEVER, &v)):
            break
        memcpy(v.data, text, min(n, v.size))
        keyspace_touched(call.keys, &v, key.data, key.length)
    else:
        reply_status(call.reply, b"OK")
    reply_free(&key)


cdef void cmd_debug_glob(Call* call) noexcept nogil:
    """DEBUG GLOB pattern text: 1 when the glob pattern matches, else 0."""
    if call.argc != 4:
        reply_wrong_subcommand(call)
        return
    reply_int(call.reply, glob_match(call.argv[2].data, call.argv[2].size, call.argv[3].data, call.argv[3].size))


handler_register(b"generic.memory_usage", cmd_memory_usage)
handler_register(b"generic.debug_check", cmd_debug_check)
handler_register(b"generic.debug_object", cmd_debug_object)
handler_register(b"generic.debug_populate", cmd_debug_populate)
handler_register(b"generic.debug_sdslen", cmd_debug_sdslen)
handler_register(b"generic.debug_glob", cmd_debug_glob)
