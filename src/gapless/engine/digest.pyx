"""DEBUG DIGEST and DEBUG DIGEST-VALUE: one number for what a store holds, the same as Redis's for the same data.

    take(D, x)    D ^= SHA-1(x)                    order does not matter
    mix(D, x)     D ^= SHA-1(x); D = SHA-1(D)      order matters
    a value       D = 0; mix type (u32, big-endian); what it holds; with a TTL take "!!expire!!"
    a string      mix bytes
    a list        mix each element
    a set         take each member
    a sorted set  of each member take E: E = 0; mix member; mix the text of its score
    a hash        of each field take E: E = 0; mix field; mix value; with an expiry take "!!hexpire!!"
    a stream      of each entry in order: mix its ID as ms.seq; of each field mix name; mix value
    a key         the same, begun with mix key
    the store     D = 0; for every database that is not empty: mix its number (u32, big-endian), take the D of each key
"""
from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.string cimport memset
from gapless.engine.call cimport Arg, Call
from gapless.engine.collection cimport (
    Collection, CollectionWalk, collection_count, collection_next, collection_of_value, collection_walk,
)
from gapless.engine.dispatch cimport handler_register, reply_wrong_subcommand
from gapless.engine.forest cimport ORDER_MEMBER, ORDER_POSITION
from gapless.engine.hash_value cimport Field, Hash, hash_next, hash_of_value
from gapless.engine.keyspace cimport (
    FIND_PEEK, Keyspace, Value, keyspace_find, keyspace_hash, keyspace_record_key, keyspace_size, keyspace_value_of,
)
from gapless.engine.keyspace_walk cimport keyspace_scan
from gapless.engine.record cimport TYPE_HASH, TYPE_LIST, TYPE_SET, TYPE_SORTED_SET, TYPE_STREAM, Record
from gapless.engine.reply cimport format_shortest, reply_array, reply_status
from gapless.engine.sha1 cimport SHA1_BYTES, sha1
from gapless.engine.sorted_set_value cimport Member, SortedSet, SortedWalk, sorted_set_next, sorted_set_of_value, sorted_set_walk
from gapless.engine.stream_block cimport Entry, FieldWalk, entry_fields, field_next
from gapless.engine.stream_id cimport ID_TEXT_BYTES, id_format, id_max, id_of
from gapless.engine.stream_value cimport Stream, StreamWalk, stream_next, stream_of_value, stream_walk

cdef enum:
    REDIS_TYPE_STRING = 0
    REDIS_TYPE_LIST = 1
    REDIS_TYPE_SET = 2
    REDIS_TYPE_SORTED_SET = 3
    REDIS_TYPE_HASH = 4
    REDIS_TYPE_STREAM = 6


cdef struct Digest:
    uint8_t bytes[SHA1_BYTES]


cdef struct Walk:
    Keyspace* keys
    Digest* total


cdef void take(Digest* d, const void* data, size_t n) noexcept nogil:
    cdef Digest hashed
    cdef int i
    sha1(<const uint8_t*>data, n, hashed.bytes)
    for i in range(SHA1_BYTES):
        d.bytes[i] ^= hashed.bytes[i]


cdef void take_digest(Digest* d, const Digest* other) noexcept nogil:
    take(d, other.bytes, SHA1_BYTES)


cdef void mix(Digest* d, const void* data, size_t n) noexcept nogil:
    cdef Digest before
    take(d, data, n)
    before = d[0]
    sha1(before.bytes, SHA1_BYTES, d.bytes)


cdef void mix_number(Digest* d, uint32_t n) noexcept nogil:
    cdef uint8_t[4] text
    cdef int i
    for i in range(4):
        text[i] = <uint8_t>(n >> (24 - 8 * i))
    mix(d, text, 4)


cdef void mix_hash(Digest* d, Keyspace* ks, const Value* v) noexcept nogil:
    cdef Hash h
    cdef CollectionWalk w
    cdef Field field
    cdef Digest part
    hash_of_value(ks, v, &h)
    collection_walk(&h.c, &w)
    while hash_next(&w, &field):
        memset(&part, 0, sizeof(Digest))
        mix(&part, field.name, field.name_bytes)
        mix(&part, field.value, field.value_bytes)
        if field.expire_ms >= 0:
            take(&part, b"!!hexpire!!", 11)
        take_digest(d, &part)


cdef void mix_set(Digest* d, Keyspace* ks, const Value* v) noexcept nogil:
    cdef Collection c
    cdef CollectionWalk w
    cdef const uint8_t* member
    cdef uint32_t n = 0
    collection_of_value(ks, TYPE_SET, ORDER_MEMBER, v, &c)
    collection_walk(&c, &w)
    while True:
        member = collection_next(&w, &n)
        if member == NULL:
            break
        take(d, member, n)


cdef void mix_list(Digest* d, Keyspace* ks, const Value* v) noexcept nogil:
    cdef Collection c
    cdef CollectionWalk w
    cdef const uint8_t* element
    cdef uint32_t n = 0
    collection_of_value(ks, TYPE_LIST, ORDER_POSITION, v, &c)
    collection_walk(&c, &w)
    while True:
        element = collection_next(&w, &n)
        if element == NULL:
            break
        mix(d, element, n)


cdef void mix_stream(Digest* d, Keyspace* ks, const Value* v) noexcept nogil:
    cdef Stream s
    cdef StreamWalk w
    cdef Entry entry
    cdef FieldWalk fields
    cdef Arg name, value
    cdef char[ID_TEXT_BYTES] text
    stream_of_value(ks, v, &s)
    stream_walk(&s, id_of(0, 0), id_max(), False, &w)
    while stream_next(&w, &entry):
        mix(d, text, <size_t>id_format(text, entry.id, c'.'))
        entry_fields(&entry, &fields)
        while field_next(&fields, &name, &value):
            mix(d, name.data, name.size)
            mix(d, value.data, value.size)


cdef void mix_sorted_set(Digest* d, Keyspace* ks, const Value* v) noexcept nogil:
    cdef SortedSet s
    cdef SortedWalk w
    cdef Member m
    cdef Digest part
    cdef char[40] text
    sorted_set_of_value(ks, v, &s)
    sorted_set_walk(&s, 0, collection_count(&s.c), False, &w)
    while sorted_set_next(&w, &m):
        memset(&part, 0, sizeof(Digest))
        mix(&part, m.name, m.bytes)
        mix(&part, text, <size_t>format_shortest(text, m.score))
        take_digest(d, &part)


cdef void mix_value(Digest* d, Keyspace* ks, const Value* v) noexcept nogil:
    if v.type == TYPE_HASH:
        mix_number(d, REDIS_TYPE_HASH)
        mix_hash(d, ks, v)
    elif v.type == TYPE_SET:
        mix_number(d, REDIS_TYPE_SET)
        mix_set(d, ks, v)
    elif v.type == TYPE_LIST:
        mix_number(d, REDIS_TYPE_LIST)
        mix_list(d, ks, v)
    elif v.type == TYPE_STREAM:
        mix_number(d, REDIS_TYPE_STREAM)
        mix_stream(d, ks, v)
    elif v.type == TYPE_SORTED_SET:
        mix_number(d, REDIS_TYPE_SORTED_SET)
        mix_sorted_set(d, ks, v)
    else:
        mix_number(d, REDIS_TYPE_STRING)
        mix(d, v.data, v.size)
    if v.expire_ms >= 0:
        take(d, b"!!expire!!", 10)


cdef void digest_record(void* context, const Record* r) noexcept nogil:
    cdef Walk* walk = <Walk*>context
    cdef Digest d
    cdef Value v
    memset(&d, 0, sizeof(Digest))
    mix(&d, keyspace_record_key(walk.keys, r), r.key_bytes)
    keyspace_value_of(walk.keys, r, &v)
    mix_value(&d, walk.keys, &v)
    take_digest(walk.total, &d)


cdef void reply_digest(Call* call, const Digest* d) noexcept nogil:
    cdef char text[2 * SHA1_BYTES + 1]
    cdef const char* digits = b"0123456789abcdef"
    cdef int i
    for i in range(SHA1_BYTES):
        text[2 * i] = digits[d.bytes[i] >> 4]
        text[2 * i + 1] = digits[d.bytes[i] & 15]
    text[2 * SHA1_BYTES] = 0
    reply_status(call.reply, text)


cdef void cmd_debug_digest(Call* call) noexcept nogil:
    cdef Digest total
    cdef Walk walk
    cdef uint64_t cursor
    cdef int db
    if call.argc != 2:
        reply_wrong_subcommand(call)
        return
    memset(&total, 0, sizeof(Digest))
    walk.keys = call.keys
    walk.total = &total
    for db in range(call.keys.databases):
        if keyspace_size(call.keys, db) == 0:
            continue
        mix_number(&total, db)
        cursor = 0
        while True:
            cursor = keyspace_scan(call.keys, db, cursor, False, digest_record, &walk)
            if cursor == 0:
                break
    reply_digest(call, &total)


cdef void cmd_debug_digest_value(Call* call) noexcept nogil:
    cdef Digest d
    cdef Value v
    cdef const Arg* key
    cdef int i
    reply_array(call.reply, call.argc - 2)
    for i in range(2, call.argc):
        key = &call.argv[i]
        memset(&d, 0, sizeof(Digest))
        if keyspace_find(call.keys, call.session.db, key.data, key.size, keyspace_hash(call.keys, key.data, key.size),
                         FIND_PEEK, &v):
            mix_value(&d, call.keys, &v)
        reply_digest(call, &d)


handler_register(b"generic.debug_digest", cmd_debug_digest)
handler_register(b"generic.debug_digest_value", cmd_debug_digest_value)
