"""What a hash is to the commands: a collection of fields, see collection.pxd.

    element  varint field bytes * 2 + has expiry | [6 bytes expiry] | field | value

HASH_TABLE and HASH_EXPIRIES are what OBJECT ENCODING has to know of its past: that it went beyond the limits of Redis's listpack, that a
field of it has had an expiry.

A field whose time has come is not there: whoever looks for it takes it away, or else the background, see field_expiry.pxd.
"""
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from gapless.engine.base cimport Status
from gapless.engine.call cimport Arg, Call
from gapless.engine.collection cimport Collection, CollectionWalk
from gapless.engine.keyspace cimport Keyspace, Value


cdef enum:
    COMPOSE_BYTES = 1100       # an element that fits a page
    FIELD_NO_EXPIRY = -1


cdef struct Field:
    const uint8_t* name
    const uint8_t* value
    uint32_t name_bytes
    uint32_t value_bytes
    int64_t expire_ms          # absolute; FIELD_NO_EXPIRY


cdef struct Hash:
    Collection c
    uint64_t packed_fields_max  # what Redis would keep in a listpack
    uint64_t packed_value_max
    uint8_t[COMPOSE_BYTES] compose


# The hash in argv[i], there or not. False: another type, WRONGTYPE is replied. how: as keyspace_find(). collection_close() must follow.
cdef bint hash_open(Call* call, int i, int how, Hash* h) noexcept nogil
# An empty hash to be put into the keyspace under a key that is not there, or whose value it replaces.
cdef void hash_begin(Call* call, const Arg* key, uint64_t key_hash, Hash* h) noexcept nogil
# The field, if it is there. What it leads to is good until the next change. Packed O(fields), tree O(log fields).
cdef bint hash_find(Hash* h, const uint8_t* name, size_t n, Field* out) noexcept nogil
# The same for readers: what has expired stays where it is.
cdef bint hash_peek(Hash* h, const uint8_t* name, size_t n, Field* out) noexcept nogil
# Writes the field that hash_find() just looked for. Name and value may lie in this hash. STATUS_FULL, STATUS_TOO_LARGE: it is as it was.
cdef Status hash_put(Hash* h, const Field* field) noexcept nogil
# The next field of a walk that is there; False at the end.
cdef bint hash_next(CollectionWalk* w, Field* out) noexcept nogil
# The field of this rank, expired or not; False beyond.
cdef bint hash_at(Hash* h, uint64_t rank, Field* out) noexcept nogil
# For values that were found otherwise (DEBUG DIGEST, DUMP): a hash to read only.
cdef void hash_of_value(Keyspace* ks, const Value* v, Hash* h) noexcept nogil
# For the background, of a hash that is due: see FieldsDue. Packed O(fields); a tree's are walked in slices.
cdef bint hash_expire_fields(Keyspace* ks, const Value* v, int64_t deadline_ns) noexcept nogil
