"""What a hash is to the commands, in whichever of its two forms it lies.

    packed   offset  size  (up to PACKED_BYTES_MAX: the record's value)
             0       1     marks: HASH_TABLE, HASH_EXPIRIES
             1       1-5   fields, varint
             .       .     entries, in the order of their first write:
                           varint field bytes * 2 + has expiry | varint value bytes | [6 bytes expiry] | field | value
    tree     one Tree of ORDER_FIELD, its marks the same; element: varint field bytes * 2 + has expiry | [6 bytes expiry] | field | value

A packed hash is copied to a buffer when it is first changed and written back by hash_close(): a command changes all it has to or nothing. It
becomes a tree when it outgrows the packed form, and stays one. HASH_TABLE and HASH_EXPIRIES are what OBJECT ENCODING has to know of its
past: that it went beyond the limits of Redis's listpack, that a field of it has had an expiry.

A field whose time has come is not there: whoever looks for it takes it away.
"""
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from gapless.engine.base cimport Status
from gapless.engine.call cimport Arg, Call
from gapless.engine.forest cimport Tree
from gapless.engine.keyspace cimport Keyspace, Value
from gapless.engine.tree cimport Place


cdef enum:
    PACKED_BYTES_MAX = 1024
    COMPOSE_BYTES = 1100       # an element that fits a page, and its head
    FIELD_NO_EXPIRY = -1


cdef struct Field:
    const uint8_t* name
    const uint8_t* value
    uint32_t name_bytes
    uint32_t value_bytes
    int64_t expire_ms          # absolute; FIELD_NO_EXPIRY


cdef struct Hash:
    Keyspace* keys
    const Arg* key
    uint64_t key_hash
    int db
    uint64_t packed_fields_max  # what Redis would keep in a listpack
    uint64_t packed_value_max
    bint there                 # in the keyspace
    bint dirty
    bint found                 # what hash_find() found, or where it would go
    uint32_t at                # packed: its entry
    uint32_t entry_bytes
    Place place                # tree
    Value v
    Tree* tree                 # NULL: packed
    Tree fresh                 # of a hash that became a tree within this command
    uint8_t* packed
    uint32_t packed_bytes
    uint8_t[PACKED_BYTES_MAX] buffer
    uint8_t[COMPOSE_BYTES] compose


cdef struct HashWalk:
    Hash* hash
    uint32_t at                # packed: the next entry
    bint more                  # tree: place is of the next element
    Place place


# The hash in argv[i], there or not. False: another type, WRONGTYPE is replied. how: as keyspace_find(). hash_close() must follow.
cdef bint hash_open(Call* call, int i, int how, Hash* h) noexcept nogil
# An empty hash to be put into the keyspace under a key that is not there, or whose value it replaces.
cdef void hash_begin(Call* call, const Arg* key, uint64_t key_hash, Hash* h) noexcept nogil
cdef uint64_t hash_count(const Hash* h) noexcept nogil
cdef uint32_t hash_marks(const Hash* h) noexcept nogil
# Adds marks; no change of the hash, so far as the keyspace counts them.
cdef void hash_mark(Hash* h, uint32_t marks) noexcept nogil
# The field, if it is there. What it leads to is good until the next change. Packed O(fields), tree O(log fields).
cdef bint hash_find(Hash* h, const uint8_t* name, size_t n, Field* out) noexcept nogil
# Writes the field that hash_find() just looked for. Name and value may lie in this hash. STATUS_FULL, STATUS_TOO_LARGE: it is as it was.
cdef Status hash_put(Hash* h, const Field* field) noexcept nogil
# Removes the field that hash_find() just found.
cdef void hash_remove(Hash* h) noexcept nogil
# Writes back what was changed; an empty hash has no key. STATUS_FULL: the packed form's changes are not made.
cdef Status hash_close(Hash* h) noexcept nogil
# Puts a hash that was begun under its key, in place of what is there. STATUS_FULL: nothing was changed, and the hash is forgotten.
cdef Status hash_store(Hash* h, int64_t expire_ms) noexcept nogil
# Forgets changes that were not written back (those of a tree in the keyspace stay).
cdef void hash_abandon(Hash* h) noexcept nogil

# All fields that are there, in order: of their first write, or of their hash.
cdef void hash_walk(Hash* h, HashWalk* w) noexcept nogil
cdef bint hash_next(HashWalk* w, Field* out) noexcept nogil
# The field of this rank, expired or not; False beyond.
cdef bint hash_at(Hash* h, uint64_t rank, Field* out) noexcept nogil
# Fields of trees from this hash on, see tree_key.hash_seek().
cdef void hash_walk_from(Hash* h, uint64_t head, HashWalk* w) noexcept nogil
cdef uint64_t hash_head(const Hash* h, const Field* field) noexcept nogil
# For values that were found otherwise (DEBUG DIGEST, DUMP): a hash to read only.
cdef void hash_of_value(Keyspace* ks, const Value* v, Hash* h) noexcept nogil
