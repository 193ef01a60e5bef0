"""The record: header, key, value; the unit of the log. This file owns its layout.

    offset  size  field
    0       1     bits 0-3 type, bit 4 TTL, bit 5 EXTENT, bit 6 ROOM, bit 7 DEAD
    1       1     bits 0-3 database index, bit 4 WIDE_TTL, bit 5 KEY_IN_EXTENT; strings: bit 6 RAW, bit 7 TEXT; collections: bit 6 TREES
    2       1     base: bits 0-6 the journal file in which the last whole image of the key lies (base_of_file); bit 7 the snapshot's epoch
    3       0|6|8 TTL: absolute expiry in ms since the epoch, 48 bits; 64 bits with WIDE_TTL
    .       1-5   key length, LEB128
    .       1-5   value length, LEB128            (neither ROOM nor EXTENT)
            8     value length u32, room u32      (ROOM: `room` bytes follow the key, the first `length` are the value)
            16    extent handle u64, length u64   (EXTENT: no value bytes follow the key)
    .       n     key bytes                       (KEY_IN_EXTENT: none here; the extent starts with the key)
    .       n     value bytes

Little-endian, no alignment, no padding: a record of a 16-byte key and a 64-byte value takes 85 bytes. Rejected: the key's
hash in the record (4 bytes a key, and splitting a bucket has to touch the record's line anyway to mend nothing else);
a fixed header (8 bytes more for the commonest record).

RAW and TEXT are what a string remembers of its making, for OBJECT ENCODING: see encoding.pxd. They go wherever the record goes, and
cost nothing: the byte is there anyway. With TREES the value of a collection is its Trees (forest.pxd), 16 bytes each, and of a hash, list or
stream what it keeps behind them: the record owns their pages, as it owns an extent.

The base is 0 while there is no journal. What writes the whole of a key sets it (Keyspace.record_base), what changes a part of one leaves it: see
"Effects" in docs/design-notes.md.

DEAD is set where the record lies when its slot is taken away or points elsewhere, so that the cleaner need not
look up the dead. A record without DEAD may still be dead: see "Flushing" in docs/design-notes.md.
"""
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from gapless.engine.base cimport load_u32, load_u48, load_u64, store_u32, store_u48, store_u64, unlikely


cdef enum:
    RECORD_TTL = 0x10
    RECORD_EXTENT = 0x20
    RECORD_ROOM = 0x40
    RECORD_DEAD = 0x80
    RECORD_TYPE_MASK = 0x0f
    RECORD_DB_MASK = 0x0f        # of byte 1
    RECORD_WIDE_TTL = 0x10       # of byte 1
    RECORD_KEY_IN_EXTENT = 0x20  # of byte 1
    RECORD_RAW = 0x40            # of byte 1
    RECORD_TEXT = 0x80           # of byte 1
    RECORD_TREES = 0x40          # of byte 1, of collections
    RECORD_MAKING_MASK = 0xc0    # of byte 1: RAW, TEXT, TREES
    RECORD_BASE_FILE = 0x7f      # of byte 2
    RECORD_BASE_EPOCH = 0x80     # of byte 2
    RECORD_HEAD_BYTES_MIN = 3    # before the TTL
    TREE_BYTES = 16              # sizeof(Tree)
    STREAM_TREES = 2             # that a stream's value begins with
    LIST_NODES_BYTES = 24        # sizeof(ListNodes), see list_nodes.pxd
    # Behind the Tree of a hash: when its fields are due, see field_expiry.pxd.
    FIELDS_DUE_AT = 16
    FIELDS_DUE_BYTES = 8


cdef enum RecordType:
    # The order is gapless's own; OBJECT and TYPE print names. Later types add themselves here.
    TYPE_NONE = 0
    TYPE_STRING = 1
    TYPE_LIST = 2
    TYPE_SET = 3
    TYPE_SORTED_SET = 4
    TYPE_HASH = 5
    TYPE_STREAM = 6


cdef enum:
    # What a hash remembers for OBJECT ENCODING: see hash_value.pxd.
    HASH_TABLE = 1
    HASH_EXPIRIES = 2
    # The same of a set: see set_value.pxd.
    SET_LISTPACK = 1
    SET_TABLE = 2
    # And of a list: see list_value.pxd.
    LIST_QUICKLIST = 1
    # The same of a sorted set: see sorted_set_value.pxd.
    ZSET_TABLE = 1
    ZSET_MINUS = 2


cdef struct Record:
    # A record's header, decoded. Pointers lead into the log or an extent: valid until the end of the command.
    uint8_t* at             # its first byte
    uint8_t flags           # byte 0
    uint8_t marks           # byte 1
    uint8_t base            # byte 2
    uint32_t header_bytes   # up to the key
    uint32_t key_bytes      # length of the key
    uint64_t value_bytes    # length of the value
    uint64_t room_bytes     # bytes the value may take where it lies; == value_bytes without ROOM
    uint64_t extent         # handle; 0 without EXTENT
    int64_t expire_ms       # -1: never
    uint8_t* key            # NULL with KEY_IN_EXTENT (the extents know)
    uint8_t* value          # NULL with EXTENT
    uint32_t size           # bytes it takes in its segment


cdef inline uint8_t base_of_file(uint32_t number) noexcept nogil:
    """What a base says of the journal file with this number; 0 says that there is none. Far fewer files than 127 are kept at a time."""
    return <uint8_t>(1 + (number - 1) % 127) if number else 0


cdef inline const uint8_t* read_varint(const uint8_t* p, uint32_t* out) noexcept nogil:
    cdef uint32_t v = p[0]
    if v < 0x80:
        out[0] = v
        return p + 1
    cdef uint32_t shift = 7
    v &= 0x7f
    while True:
        p += 1
        v |= <uint32_t>(p[0] & 0x7f) << shift
        if p[0] < 0x80:
            break
        shift += 7
    out[0] = v
    return p + 1


cdef inline const uint8_t* read_varint_within(const uint8_t* p, const uint8_t* end, uint32_t* out) noexcept nogil:
    """NULL: it does not end before `end`, or is larger than 32 bits."""
    cdef const uint8_t* last = p
    while last < end and last - p < 5:
        if last[0] < 0x80:
            return NULL if last - p == 4 and last[0] > 0x0f else read_varint(p, out)
        last += 1
    return NULL


cdef inline uint8_t* write_varint(uint8_t* p, uint32_t v) noexcept nogil:
    while v >= 0x80:
        p[0] = <uint8_t>(v | 0x80)
        p += 1
        v >>= 7
    p[0] = <uint8_t>v
    return p + 1


cdef inline uint32_t varint_bytes(uint32_t v) noexcept nogil:
    return 1 if v < 0x80 else 2 if v < 0x4000 else 3 if v < 0x200000 else 4 if v < 0x10000000 else 5


cdef inline int64_t record_expire(const uint8_t* at) noexcept nogil:
    """Absolute expiry in ms; -1: never."""
    if not at[0] & RECORD_TTL:
        return -1
    if unlikely(at[1] & RECORD_WIDE_TTL):
        return <int64_t>load_u64(at + 3)
    return <int64_t>load_u48(at + 3)


cdef inline void record_set_expire(Record* r, int64_t expire_ms) noexcept nogil:
    """REQUIRED: it has a TTL, and neither is wide."""
    store_u48(r.at + 3, <uint64_t>expire_ms)
    r.expire_ms = expire_ms


cdef inline uint32_t record_expire_bytes(const uint8_t* at) noexcept nogil:
    if not at[0] & RECORD_TTL:
        return 0
    return 8 if at[1] & RECORD_WIDE_TTL else 6


cdef inline bint record_has_trees(const Record* r) noexcept nogil:
    return (r.marks & RECORD_TREES) != 0 and (r.flags & RECORD_TYPE_MASK) != TYPE_STRING


cdef inline uint32_t record_trees(const Record* r) noexcept nogil:
    """How many Trees its value begins with, if it has any."""
    if (r.flags & RECORD_TYPE_MASK) == TYPE_STREAM:
        return STREAM_TREES
    return 1 if (r.flags & RECORD_TYPE_MASK) == TYPE_LIST else <uint32_t>(r.value_bytes // TREE_BYTES)


cdef inline uint32_t record_trees_bytes(const Record* r) noexcept nogil:
    """How long the value of so many Trees is; a stream's as long as it likes."""
    if (r.flags & RECORD_TYPE_MASK) == TYPE_STREAM:
        return max(<uint32_t>r.value_bytes, STREAM_TREES * TREE_BYTES)
    if (r.flags & RECORD_TYPE_MASK) == TYPE_HASH:
        return FIELDS_DUE_AT + FIELDS_DUE_BYTES
    return record_trees(r) * TREE_BYTES + (LIST_NODES_BYTES if (r.flags & RECORD_TYPE_MASK) == TYPE_LIST else 0)


cdef inline void record_decode(uint8_t* at, Record* r) noexcept nogil:
    cdef const uint8_t* p = at + RECORD_HEAD_BYTES_MIN + record_expire_bytes(at)
    cdef uint32_t short_length
    r.at = at
    r.flags = at[0]
    r.marks = at[1]
    r.base = at[2]
    r.expire_ms = record_expire(at)
    p = read_varint(p, &r.key_bytes)
    r.extent = 0
    if at[0] & (RECORD_EXTENT | RECORD_ROOM):
        if at[0] & RECORD_EXTENT:
            r.extent = load_u64(p)
            r.value_bytes = load_u64(p + 8)
            r.room_bytes = r.value_bytes
            p += 16
            r.header_bytes = <uint32_t>(p - at)
            r.value = NULL
            if at[1] & RECORD_KEY_IN_EXTENT:
                r.key = NULL
                r.size = r.header_bytes
            else:
                r.key = <uint8_t*>p
                r.size = r.header_bytes + r.key_bytes
            return
        r.value_bytes = load_u32(p)
        r.room_bytes = load_u32(p + 4)
        p += 8
    else:
        p = read_varint(p, &short_length)
        r.value_bytes = short_length
        r.room_bytes = short_length
    r.header_bytes = <uint32_t>(p - at)
    r.key = <uint8_t*>p
    r.value = r.key + r.key_bytes
    r.size = r.header_bytes + r.key_bytes + <uint32_t>r.room_bytes


cdef inline uint32_t record_head_bytes(uint32_t flags, uint32_t marks, uint32_t key_bytes, uint64_t value_bytes) noexcept nogil:
    """Bytes of the header that record_encode() writes for these."""
    cdef uint32_t n = RECORD_HEAD_BYTES_MIN + varint_bytes(key_bytes)
    if flags & RECORD_TTL:
        n += 8 if marks & RECORD_WIDE_TTL else 6
    if flags & RECORD_EXTENT:
        return n + 16
    if flags & RECORD_ROOM:
        return n + 8
    return n + varint_bytes(<uint32_t>value_bytes)


cdef inline uint8_t* record_encode(uint8_t* at, uint32_t flags, uint32_t marks, uint32_t base, int64_t expire_ms, uint32_t key_bytes,
                                   uint64_t value_bytes, uint64_t room_bytes, uint64_t extent) noexcept nogil:
    """Writes a header; returns where the key goes."""
    cdef uint8_t* p = at + RECORD_HEAD_BYTES_MIN
    at[0] = <uint8_t>flags
    at[1] = <uint8_t>marks
    at[2] = <uint8_t>base
    if flags & RECORD_TTL:
        if marks & RECORD_WIDE_TTL:
            store_u64(p, <uint64_t>expire_ms)
            p += 8
        else:
            store_u48(p, <uint64_t>expire_ms)
            p += 6
    p = write_varint(p, key_bytes)
    if flags & RECORD_EXTENT:
        store_u64(p, extent)
        store_u64(p + 8, value_bytes)
        return p + 16
    if flags & RECORD_ROOM:
        store_u32(p, <uint32_t>value_bytes)
        store_u32(p + 4, <uint32_t>room_bytes)
        return p + 8
    return write_varint(p, <uint32_t>value_bytes)
