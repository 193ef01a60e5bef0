"""When the fields of hashes are due, and who comes by then.

    a hash   packed: its earliest expiry is that of its fields, found by reading them (up to PACKED_BYTES_MAX)
             on a tree: it lies behind the Tree, i64, -1: none; the walk that looks for what is due begins then
    a store  of every database a tree: due u64, big-endian | hash of the key u64; an element for each hash that has an earliest expiry

Whoever puts a hash under a key, changes it or takes it away puts the element in or out: at any time between commands the tree has, for each
key, value_fields_due() of what its record holds. A hash that is due is looked at between commands, in slices: what is due of it goes, and
with the last field the key. No field costs anything besides its own 6 bytes, so a large hash has to be walked; not more often than once
in as many ms as hash_value allows, by which HLEN may be behind. Rejected: a second tree in each hash, of its fields by expiry, which would be
exact to the ms and cost 17 B a field.

Two keys of equal hash whose fields are due in the same ms share an element: then the second waits until somebody looks.
"""
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from gapless.engine.base cimport Status, load_u48, load_u64
from gapless.engine.keyspace cimport Keyspace
from gapless.engine.record cimport (
    FIELDS_DUE_AT, HASH_EXPIRIES, RECORD_TREES, RECORD_TYPE_MASK, TYPE_HASH, Record, read_varint,
)


cdef enum:
    FIELDS_NEVER = -1
    EXPIRY_BYTES = 6


cdef inline int64_t packed_fields_due(const uint8_t* packed) noexcept nogil:
    """The earliest expiry in a packed hash; FIELDS_NEVER: none has one. O(fields)."""
    cdef const uint8_t* p
    cdef const uint8_t* element
    cdef uint32_t count = 0, n = 0, head = 0, _i
    cdef int64_t due = FIELDS_NEVER
    if not packed[0] & HASH_EXPIRIES:
        return FIELDS_NEVER
    p = read_varint(packed + 1, &count)
    for _i in range(count):
        p = read_varint(p, &n)
        element = read_varint(p, &head)
        if head & 1 and (due < 0 or <int64_t>load_u48(element) < due):
            due = <int64_t>load_u48(element)
        p += n
    return due


cdef inline int64_t value_fields_due(uint32_t type, const uint8_t* value) noexcept nogil:
    """Of a value as keyspace_set() takes it."""
    if type & RECORD_TYPE_MASK != TYPE_HASH:
        return FIELDS_NEVER
    return <int64_t>load_u64(value + FIELDS_DUE_AT) if type & RECORD_TREES else packed_fields_due(value)


cdef inline int64_t record_fields_due(const Record* r, const uint8_t* value) noexcept nogil:
    return value_fields_due((r.flags & RECORD_TYPE_MASK) | (r.marks & RECORD_TREES), value)


# The element of a key comes or goes; nothing is done where due < 0. STATUS_FULL: there is no page for it. O(log hashes).
cdef Status fields_add(Keyspace* ks, int db_index, uint64_t hash, int64_t due) noexcept nogil
cdef void fields_remove(Keyspace* ks, int db_index, uint64_t hash, int64_t due) noexcept nogil
cdef bint fields_has(const Keyspace* ks, int db_index, uint64_t hash, int64_t due) noexcept nogil
# Whether `next_ms` is right (audit).
cdef bint fields_next_is_first(const Keyspace* ks) noexcept nogil
# Another value has come under the key that is due just when the one before was.
cdef void fields_restart(Keyspace* ks, int db_index, uint64_t hash) noexcept nogil
# A flushed database: O(1).
cdef void fields_flush(Keyspace* ks, int db_index) noexcept nogil
cdef inline bint fields_are_due(const Keyspace* ks) noexcept nogil:
    return ks.fields.next_ms <= ks.now_ms and ks.active_expire and ks.fields.retry_ms <= ks.now_ms
# Lets hashes that are due lose what is due of them until the time is up; False: none is due, or there is no room to.
cdef bint fields_expire(Keyspace* ks, int64_t deadline_ns) noexcept nogil
