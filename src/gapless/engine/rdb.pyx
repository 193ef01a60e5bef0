"""DUMP and RESTORE. See rdb.pxd."""
from libc.stdint cimport INT64_MAX, uint32_t
from libc.stdio cimport snprintf
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy, memmove
from gapless.engine.base cimport (
    INVARIANT, STATUS_FULL, STATUS_MISSING, STATUS_OK, Status, load_u16, load_u32, load_u64, parse_int64, store_u16, store_u64,
)
from gapless.engine.blocked cimport blocked_signal
from gapless.engine.call cimport Arg, Call
from gapless.engine.collection cimport Collection, collection_abandon, collection_of_value, collection_store
from gapless.engine.crc64 cimport crc64
from gapless.engine.dispatch cimport (
    arg_int64, arg_is, call_status, find_read, handler_register, reply_syntax_error,
)
from gapless.engine.forest cimport ORDER_MEMBER
from gapless.engine.hash_value cimport Hash, hash_begin, hash_of_value
from gapless.engine.keyspace cimport (
    EXPIRE_NEVER, FIND_PEEK, POLICY_LFU, Keyspace, Value, keyspace_delete, keyspace_find, keyspace_make_room, keyspace_set,
)
from gapless.engine.keyspace_access cimport keyspace_set_frequency, keyspace_set_idle
from gapless.engine.list_value cimport List, list_begin, list_of_value
from gapless.engine.lzf cimport LZF_TABLE_SLOTS, lzf_clear, lzf_compress, lzf_decompress, lzf_measure
from gapless.engine.rdb_hash cimport rdb_dump_hash, rdb_is_hash, rdb_restore_hash
from gapless.engine.rdb_list cimport rdb_dump_list, rdb_is_list, rdb_restore_list
from gapless.engine.rdb_set cimport rdb_dump_set, rdb_is_set, rdb_restore_set
from gapless.engine.rdb_sorted_set cimport rdb_dump_sorted_set, rdb_is_sorted_set, rdb_restore_sorted_set
from gapless.engine.rdb_stream cimport rdb_dump_stream, rdb_is_stream, rdb_restore_stream
from gapless.engine.record cimport TYPE_HASH, TYPE_LIST, TYPE_SET, TYPE_SORTED_SET, TYPE_STREAM, TYPE_STRING
from gapless.engine.reply cimport (
    reply_bulk, reply_error, reply_free, reply_init, reply_null, reply_raw, reply_reserve, reply_status,
)
from gapless.engine.set_value cimport Set, set_begin
from gapless.engine.sorted_set_value cimport SortedSet, sorted_set_begin, sorted_set_of_value
from gapless.engine.stream_value cimport Stream, stream_begin, stream_discard, stream_of_value, stream_store

cdef enum:
    ENCODED_INT8 = 0xc0
    ENCODED_INT16 = 0xc1
    ENCODED_INT32 = 0xc2
    ENCODED_LZF = 0xc3
    INTEGER_TEXT_BYTES_MAX = 11
    COMPRESS_BYTES_MIN = 21
    COMPRESS_SAVES_BYTES_MIN = 4
    STRING_BYTES_MAX = 512 << 20

# Zeros but while a string is compressed: one at a time, under the engine's lock.
cdef uint32_t[LZF_TABLE_SLOTS] lzf_table
# rdbcompression, of all engines of the process.
cdef bint compressing = True


def set_compression(bint on):
    """Whether DUMP compresses what is long enough, in all engines of the process."""
    global compressing
    compressing = on


# ---- writing

cdef uint8_t* rdb_write_length(uint8_t* p, uint64_t n) noexcept nogil:
    cdef int i, width
    if n < 64:
        p[0] = <uint8_t>n
        return p + 1
    if n < 16384:
        p[0] = <uint8_t>(0x40 | (n >> 8))
        p[1] = <uint8_t>n
        return p + 2
    width = 4 if n >> 32 == 0 else 8
    p[0] = 0x80 if width == 4 else 0x81
    for i in range(width):
        p[width - i] = <uint8_t>(n >> (8 * i))
    return p + 1 + width


cdef uint8_t* write_integer(uint8_t* p, int64_t value) noexcept nogil:
    """The value in 1, 2 or 4 bytes; NULL when it takes more."""
    cdef int i, width
    if -0x80 <= value <= 0x7f:
        width = 1
        p[0] = ENCODED_INT8
    elif -0x8000 <= value <= 0x7fff:
        width = 2
        p[0] = ENCODED_INT16
    elif -<int64_t>0x80000000 <= value <= 0x7fffffff:
        width = 4
        p[0] = ENCODED_INT32
    else:
        return NULL
    for i in range(width):
        p[1 + i] = <uint8_t>(<uint64_t>value >> (8 * i))
    return p + 1 + width


cdef uint8_t* rdb_write_string(uint8_t* p, const uint8_t* data, uint64_t n) noexcept nogil:
    cdef int64_t value
    cdef uint8_t* end
    cdef uint8_t* compressed
    cdef size_t size
    if n <= INTEGER_TEXT_BYTES_MAX and parse_int64(data, n, &value):
        end = write_integer(p, value)
        if end != NULL:
            return end
    if compressing and n >= COMPRESS_BYTES_MIN:
        # Where it would lie behind the longest lengths there are; moved to its place afterwards.
        compressed = p + 1 + 2 * RDB_LENGTH_BYTES_MAX
        size = lzf_compress(data, n, compressed, n - COMPRESS_SAVES_BYTES_MIN, lzf_table)
        lzf_clear(data, n, lzf_table)
        if size:
            p[0] = ENCODED_LZF
            end = rdb_write_length(rdb_write_length(p + 1, size), n)
            memmove(end, compressed, size)
            return end + size
    end = rdb_write_length(p, n)
    memcpy(end, data, n)
    return end + n


cdef int64_t rdb_string_bytes(const uint8_t* data, uint64_t n) noexcept nogil:
    cdef uint8_t* room = <uint8_t*>malloc(rdb_string_room(n))
    cdef int64_t size
    INVARIANT(room != NULL)
    size = rdb_write_string(room, data, n) - room
    free(room)
    return size


cdef void rdb_dump_value(Keyspace* ks, const Value* v, int version, Reply* out) noexcept nogil:
    cdef Hash h
    cdef Collection c
    cdef List l
    cdef Stream s
    cdef SortedSet sorted_set
    cdef uint8_t type = RDB_TYPE_STRING
    if v.type == TYPE_HASH:
        hash_of_value(ks, v, &h)
        rdb_dump_hash(&h, out)
    elif v.type == TYPE_SET:
        collection_of_value(ks, TYPE_SET, ORDER_MEMBER, v, &c)
        rdb_dump_set(&c, version, out)
    elif v.type == TYPE_LIST:
        list_of_value(ks, v, &l)
        rdb_dump_list(&l, out)
    elif v.type == TYPE_STREAM:
        stream_of_value(ks, v, &s)
        rdb_dump_stream(&s, version, out)
    elif v.type == TYPE_SORTED_SET:
        sorted_set_of_value(ks, v, &sorted_set)
        rdb_dump_sorted_set(&sorted_set, out)
    else:
        reply_raw(out, &type, 1)
        rdb_add_string(out, v.data, v.size)


cdef void cmd_dump(Call* call) noexcept nogil:
    cdef Value v
    cdef Reply payload
    cdef uint8_t* at
    if not keyspace_find(call.keys, call.session.db, call.argv[1].data, call.argv[1].size, call.hash, find_read(call), &v):
        reply_null(call.reply)
        return
    reply_init(&payload)
    rdb_dump_value(call.keys, &v, RDB_VERSION, &payload)
    at = reply_reserve(&payload, RDB_FOOTER_BYTES)
    store_u16(at, RDB_VERSION)
    store_u64(at + 2, crc64(0, payload.data, payload.length + 2))
    reply_bulk(call.reply, payload.data, payload.length + RDB_FOOTER_BYTES)
    reply_free(&payload)


# ---- reading

cdef bint rdb_read_length(Reader* reader, uint64_t* n, bint* encoded) noexcept nogil:
    cdef uint8_t first
    cdef int i, width
    if reader.at >= reader.end:
        return False
    first = reader.at[0]
    encoded[0] = (first >> 6) == 3
    width = 0
    if first >> 6 == 0 or encoded[0]:
        n[0] = first & 0x3f
    elif first >> 6 == 1:
        width = 1
        n[0] = first & 0x3f
    elif first == 0x80 or first == 0x81:
        width = 4 if first == 0x80 else 8
        n[0] = 0
    else:
        return False
    if reader.end - reader.at < 1 + width:
        return False
    for i in range(width):
        n[0] = (n[0] << 8) | reader.at[1 + i]
    reader.at += 1 + width
    return True


cdef bint rdb_read_string(Reader* reader, RdbText* text) noexcept nogil:
    cdef uint64_t n, compressed
    cdef bint encoded
    cdef int width
    cdef int value
    text.owned = NULL
    if not rdb_read_length(reader, &n, &encoded):
        return False
    if not encoded:
        if n > <uint64_t>(reader.end - reader.at) or n > STRING_BYTES_MAX:
            return False
        text.data = reader.at
        text.size = n
        reader.at += n
        return True
    if n <= 2:
        width = 1 << n
        if reader.end - reader.at < width:
            return False
        if n == 0:
            value = <signed char>reader.at[0]
        elif n == 1:
            value = <short>load_u16(reader.at)
        else:
            value = <int>load_u32(reader.at)
        reader.at += width
        text.size = snprintf(text.digits, sizeof(text.digits), b"%d", value)
        text.data = <uint8_t*>text.digits
        return True
    if n != 3:
        return False
    if not rdb_read_length(reader, &compressed, &encoded) or encoded or not rdb_read_length(reader, &n, &encoded) or encoded:
        return False
    if compressed > <uint64_t>(reader.end - reader.at) or n > STRING_BYTES_MAX:
        return False
    if lzf_measure(reader.at, compressed) != <int64_t>n:
        return False
    text.owned = <uint8_t*>malloc(n + 1)
    if text.owned == NULL:
        return False
    lzf_decompress(reader.at, compressed, text.owned)
    reader.at += compressed
    text.data = text.owned
    text.size = n
    return True


cdef bint payload_is_sound(const uint8_t* payload, size_t n) noexcept nogil:
    cdef const uint8_t* footer
    if n < RDB_FOOTER_BYTES:
        return False
    footer = payload + n - RDB_FOOTER_BYTES
    return load_u16(footer) <= RDB_VERSION and load_u64(footer + 2) == crc64(0, payload, n - 8)


cdef struct RestoreOptions:
    bint replace
    bint absolute
    int64_t idle_seconds       # -1: not given
    int64_t frequency


cdef bint restore_options(Call* call, RestoreOptions* o) noexcept nogil:
    cdef int i = 4
    o.replace = o.absolute = False
    o.idle_seconds = o.frequency = -1
    while i < call.argc:
        if arg_is(call, i, b"REPLACE"):
            o.replace = True
        elif arg_is(call, i, b"ABSTTL"):
            o.absolute = True
        elif arg_is(call, i, b"IDLETIME") and i + 1 < call.argc and o.frequency == -1:
            i += 1
            if not arg_int64(call, i, &o.idle_seconds):
                return False
            if o.idle_seconds < 0:
                reply_error(call.reply, b"ERR Invalid IDLETIME value, must be >= 0")
                return False
        elif arg_is(call, i, b"FREQ") and i + 1 < call.argc and o.idle_seconds == -1:
            i += 1
            if not arg_int64(call, i, &o.frequency):
                return False
            if o.frequency < 0 or o.frequency > 255:
                reply_error(call.reply, b"ERR Invalid FREQ value, must be >= 0 and <= 255")
                return False
        else:
            reply_syntax_error(call)
            return False
        i += 1
    return True


cdef void set_access(Call* call, const RestoreOptions* o) noexcept nogil:
    cdef Keyspace* ks = call.keys
    cdef Value v
    if keyspace_find(ks, call.session.db, call.argv[1].data, call.argv[1].size, call.hash, FIND_PEEK, &v):
        if ks.policy & POLICY_LFU:
            if o.frequency >= 0:
                keyspace_set_frequency(ks, &v, <uint32_t>o.frequency)
        elif o.idle_seconds >= 0:
            keyspace_set_idle(ks, &v, <uint64_t>o.idle_seconds)


# `dead`: the value is read to its end and forgotten; likewise the others.
cdef Status restore_string(Call* call, const Arg* key, uint64_t hash, Reader* reader, int64_t expire_ms, bint dead) noexcept nogil:
    cdef RdbText text
    cdef Status status = STATUS_OK
    if not rdb_read_string(reader, &text):
        return STATUS_MISSING
    if not dead:
        # Compressed, it may be larger than what was asked for when the command came.
        status = STATUS_FULL
        if text.owned == NULL or keyspace_make_room(call.keys, text.size):
            status = keyspace_set(call.keys, call.session.db, key.data, key.size, hash, TYPE_STRING, text.data, text.size, expire_ms)
    free(text.owned)
    return status


cdef Status restore_collection(Collection* c, Status read, int64_t expire_ms, bint dead) noexcept nogil:
    """What was read goes under the key, if it was read."""
    if read != STATUS_OK or dead:
        collection_abandon(c)
        return read
    return collection_store(c, expire_ms)


cdef Status restore_hash(Call* call, const Arg* key, uint64_t hash, Reader* reader, uint8_t type, int64_t expire_ms, bint dead) noexcept nogil:
    cdef Hash h
    hash_begin(call, key, hash, &h)
    return restore_collection(&h.c, rdb_restore_hash(reader, type, &h), expire_ms, dead)


cdef Status restore_set(Call* call, const Arg* key, uint64_t hash, Reader* reader, uint8_t type, int64_t expire_ms, bint dead) noexcept nogil:
    cdef Set s
    set_begin(call, key, hash, &s)
    return restore_collection(&s.c, rdb_restore_set(reader, type, &s), expire_ms, dead)


cdef Status restore_list(Call* call, const Arg* key, uint64_t hash, Reader* reader, uint8_t type, int64_t expire_ms, bint dead) noexcept nogil:
    cdef List l
    list_begin(call, key, hash, &l)
    return restore_collection(&l.c, rdb_restore_list(reader, type, &l), expire_ms, dead)


cdef Status restore_stream(Call* call, const Arg* key, uint64_t hash, Reader* reader, uint8_t type, int64_t expire_ms,
                           bint dead) noexcept nogil:
    cdef Stream s
    cdef Status status
    stream_begin(call, key, hash, &s)
    status = rdb_restore_stream(reader, type, &s)
    if status != STATUS_OK or dead:
        stream_discard(&s)
        return status
    return stream_store(&s, expire_ms)


cdef Status restore_sorted_set(Call* call, const Arg* key, uint64_t hash, Reader* reader, uint8_t type, int64_t expire_ms,
                               bint dead) noexcept nogil:
    cdef SortedSet s
    sorted_set_begin(call, key, hash, &s)
    return restore_collection(&s.c, rdb_restore_sorted_set(reader, type, &s), expire_ms, dead)


cdef Status rdb_restore_value(Call* call, const Arg* key, uint64_t hash, Reader* reader, uint8_t type, int64_t expire_ms,
                              bint dead) noexcept nogil:
    if type == RDB_TYPE_STRING:
        return restore_string(call, key, hash, reader, expire_ms, dead)
    if rdb_is_hash(type):
        return restore_hash(call, key, hash, reader, type, expire_ms, dead)
    if rdb_is_set(type):
        return restore_set(call, key, hash, reader, type, expire_ms, dead)
    if rdb_is_list(type):
        return restore_list(call, key, hash, reader, type, expire_ms, dead)
    if rdb_is_stream(type):
        return restore_stream(call, key, hash, reader, type, expire_ms, dead)
    if rdb_is_sorted_set(type):
        return restore_sorted_set(call, key, hash, reader, type, expire_ms, dead)
    return STATUS_MISSING


cdef void cmd_restore(Call* call) noexcept nogil:
    cdef RestoreOptions options
    cdef Value v
    cdef int64_t ttl_ms
    cdef Reader reader
    cdef Status status
    cdef bint dead
    if not restore_options(call, &options):
        return
    if not options.replace and keyspace_find(call.keys, call.session.db, call.argv[1].data, call.argv[1].size, call.hash,
                                             FIND_PEEK, &v):
        reply_error(call.reply, b"BUSYKEY Target key name already exists.")
        return
    if not arg_int64(call, 2, &ttl_ms):
        return
    if ttl_ms < 0:
        reply_error(call.reply, b"ERR Invalid TTL value, must be >= 0")
        return
    if not payload_is_sound(call.argv[3].data, call.argv[3].size):
        reply_error(call.reply, b"ERR DUMP payload version or checksum are wrong")
        return
    # The footer counts as readable, as it does in Redis: a string may not lead beyond it, that is all.
    reader.at = call.argv[3].data + 1
    reader.end = call.argv[3].data + call.argv[3].size
    reader.valkey = False
    if ttl_ms == 0:
        ttl_ms = EXPIRE_NEVER
    elif not options.absolute:
        # Beyond the end of time is long ago, as it is in Redis.
        ttl_ms = 0 if ttl_ms > INT64_MAX - call.keys.now_ms else ttl_ms + call.keys.now_ms
    dead = ttl_ms >= 0 and ttl_ms <= call.keys.now_ms
    status = rdb_restore_value(call, &call.argv[1], call.hash, &reader, call.argv[3].data[0], ttl_ms, dead)
    if status == STATUS_MISSING:
        reply_error(call.reply, b"ERR Bad data format")
        return
    if not call_status(call, status):
        return
    if dead:
        # All that is left to do is to replace what was there by nothing.
        keyspace_delete(call.keys, call.session.db, call.argv[1].data, call.argv[1].size, call.hash)
    # To who waits a stream in another's place is as good as a new one.
    blocked_signal(call, &call.argv[1], call.hash)
    set_access(call, &options)
    reply_status(call.reply, b"OK")


handler_register(b"generic.dump", cmd_dump)
handler_register(b"generic.restore", cmd_restore)
