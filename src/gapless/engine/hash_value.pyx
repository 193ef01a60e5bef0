"""Hashes as collections of fields. See hash_value.pxd."""
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcmp, memcpy
from gapless.engine.base cimport (
    STATUS_FULL, STATUS_OK, Status, clock_monotonic_ns, likely, load_u48, load_u64, store_u48, store_u64, unlikely,
)
from gapless.engine.collection cimport (
    collection_at, collection_begin, collection_close, collection_count, collection_drop_packed, collection_head,
    collection_mark, collection_next, collection_of_value, collection_open, collection_put, collection_remove,
    collection_walk_from, packed_count,
)
from gapless.engine.field_expiry cimport EXPIRY_BYTES, FIELDS_NEVER, fields_add, fields_remove, packed_fields_due
from gapless.engine.forest cimport ORDER_FIELD
from gapless.engine.keyspace cimport FieldsDue, keyspace_record_key, keyspace_recorded
from gapless.engine.record cimport (
    FIELDS_DUE_AT, FIELDS_DUE_BYTES, HASH_EXPIRIES, HASH_TABLE, TYPE_HASH, read_varint, varint_bytes, write_varint,
)
from gapless.engine.tree cimport tree_element, tree_find
from gapless.engine.tree_key cimport Key, hash_key

cdef enum:
    WALK_FIELDS = 16           # looked at between two looks at the clock
    FIELDS_A_MS = 1000         # a hash on a tree is walked at most once in as many ms as it has this many fields


# ---- elements

cdef inline void write_element(uint8_t* p, const Field* field) noexcept nogil:
    p = write_varint(p, field.name_bytes << 1 | (field.expire_ms >= 0))
    if field.expire_ms >= 0:
        store_u48(p, <uint64_t>field.expire_ms)
        p += EXPIRY_BYTES
    memcpy(p, field.name, field.name_bytes)
    memcpy(p + field.name_bytes, field.value, field.value_bytes)


cdef inline uint64_t element_bytes(const Field* field) noexcept nogil:
    return (<uint64_t>varint_bytes(field.name_bytes << 1) + (EXPIRY_BYTES if field.expire_ms >= 0 else 0)
            + field.name_bytes + field.value_bytes)


cdef inline void read_element(const uint8_t* p, uint32_t n, Field* out) noexcept nogil:
    cdef const uint8_t* end = p + n
    cdef uint32_t head
    p = read_varint(p, &head)
    out.expire_ms = FIELD_NO_EXPIRY
    if head & 1:
        out.expire_ms = <int64_t>load_u48(p)
        p += EXPIRY_BYTES
    out.name = p
    out.name_bytes = head >> 1
    out.value = p + out.name_bytes
    out.value_bytes = <uint32_t>(end - out.value)


# ---- life

cdef void hash_begin(Call* call, const Arg* key, uint64_t key_hash, Hash* h) noexcept nogil:
    collection_begin(call, key, key_hash, TYPE_HASH, ORDER_FIELD, &h.c)
    h.packed_fields_max = call.dispatch.hash_listpack_fields
    h.packed_value_max = call.dispatch.hash_listpack_bytes
    h.c.root_bytes = FIELDS_DUE_AT + FIELDS_DUE_BYTES


cdef void hash_of_value(Keyspace* ks, const Value* v, Hash* h) noexcept nogil:
    collection_of_value(ks, TYPE_HASH, ORDER_FIELD, v, &h.c)


cdef bint hash_open(Call* call, int i, int how, Hash* h) noexcept nogil:
    hash_begin(call, &call.argv[i], call.hash, h)
    if not collection_open(call, how, &h.c):
        return False
    if unlikely(h.c.tree == NULL and h.c.packed[0] & HASH_EXPIRIES):
        drop_expired(h)
    return True


# ---- one field

cdef inline bint expired(const Collection* c, const Field* field) noexcept nogil:
    return field.expire_ms >= 0 and field.expire_ms <= c.keys.now_ms


cdef inline bint find_packed(Collection* c, const uint8_t* name, size_t n, Field* out) noexcept nogil:
    cdef uint32_t at, bytes, _i
    cdef const uint8_t* p
    cdef const uint8_t* element
    cdef uint32_t count = packed_count(c, &at)
    p = c.packed + at
    for _i in range(count):
        element = read_varint(p, &bytes)
        read_element(element, bytes, out)
        if out.name_bytes == n and memcmp(out.name, name, n) == 0:
            c.at = <uint32_t>(p - c.packed)
            c.entry_bytes = <uint32_t>(element - p) + bytes
            return True
        p = element + bytes
    c.at = c.packed_bytes
    c.entry_bytes = 0
    return False


cdef inline bint find_in_tree(Collection* c, const uint8_t* name, size_t n, Field* out) noexcept nogil:
    cdef Key key
    cdef uint32_t bytes = 0
    cdef const uint8_t* element
    hash_key(c.keys.forest, name, <uint32_t>n, &key)
    if not tree_find(c.keys.forest, c.tree, &key, &c.place):
        return False
    element = tree_element(c.keys.forest, &c.place, &bytes)
    read_element(element, bytes, out)
    return True


cdef inline bint find(Collection* c, const uint8_t* name, size_t n, Field* out) noexcept nogil:
    return find_in_tree(c, name, n, out) if c.tree != NULL else find_packed(c, name, n, out)


cdef bint hash_find(Hash* h, const uint8_t* name, size_t n, Field* out) noexcept nogil:
    cdef Collection* c = &h.c
    c.found = find(c, name, n, out)
    if c.found and unlikely(expired(c, out)):
        c.keys.stats.fields_expired += 1
        collection_remove(c)
        c.found = find(c, name, n, out)
    return c.found


cdef bint hash_peek(Hash* h, const uint8_t* name, size_t n, Field* out) noexcept nogil:
    return find(&h.c, name, n, out) and not expired(&h.c, out)


cdef inline int64_t tree_due(const Collection* c) noexcept nogil:
    return <int64_t>load_u64(<const uint8_t*>c.tree + FIELDS_DUE_AT)


cdef inline void set_due(Collection* c, int64_t due) noexcept nogil:
    store_u64(<uint8_t*>c.tree + FIELDS_DUE_AT, <uint64_t>due)


cdef Status change_due(Collection* c, int64_t due) noexcept nogil:
    """Of a hash on a tree. One that is not in the keyspace yet is noted when it gets there."""
    cdef int64_t before = tree_due(c)
    cdef Status status
    if c.tree != &c.fresh and due != before:
        status = fields_add(c.keys, c.keys.db_index[c.db], c.key_hash, due)
        if status != STATUS_OK:
            return status
        fields_remove(c.keys, c.keys.db_index[c.db], c.key_hash, before)
    set_due(c, due)
    return STATUS_OK


cdef inline int64_t next_walk(const Collection* c, int64_t expire_ms) noexcept nogil:
    """When to look for a field of a tree that expires then."""
    return max(expire_ms, c.keys.now_ms + c.tree.count // FIELDS_A_MS)


cdef Status be_due(Collection* c, int64_t expire_ms) noexcept nogil:
    """A field that expires then is about to be written to a tree."""
    cdef int64_t due = next_walk(c, expire_ms)
    cdef FieldsDue* walk = &c.keys.fields
    if walk.walking and walk.walk_hash == c.key_hash and (walk.walk_due < 0 or expire_ms < walk.walk_due):
        # It may be behind where the walk is.
        walk.walk_due = expire_ms
    if tree_due(c) >= 0 and tree_due(c) <= due:
        return STATUS_OK
    return change_due(c, due)


cdef Status hash_put(Hash* h, const Field* field) noexcept nogil:
    cdef uint64_t n = element_bytes(field)
    cdef uint8_t* element = h.compose
    cdef uint32_t marks = 0
    cdef bint was_packed = h.c.tree == NULL
    cdef Status status = STATUS_OK
    if field.name_bytes > h.packed_value_max or field.value_bytes > h.packed_value_max:
        marks |= HASH_TABLE
    if field.expire_ms >= 0:
        marks |= HASH_EXPIRIES
    if not h.c.found and collection_count(&h.c) >= h.packed_fields_max:
        marks |= HASH_TABLE
    if unlikely(n > <uint64_t>COMPOSE_BYTES):
        element = <uint8_t*>malloc(n)
        if element == NULL:
            return STATUS_FULL
    write_element(element, field)
    if unlikely(h.c.tree != NULL and field.expire_ms >= 0):
        status = be_due(&h.c, field.expire_ms)
    if likely(status == STATUS_OK):
        status = collection_put(&h.c, element, n)
    if unlikely(was_packed and h.c.tree != NULL and status == STATUS_OK):
        set_due(&h.c, packed_fields_due(h.c.packed))
        if field.expire_ms >= 0:
            be_due(&h.c, field.expire_ms)
    if unlikely(element != h.compose):
        free(element)
    if likely(status == STATUS_OK) and marks:
        collection_mark(&h.c, marks)
    if unlikely(status != STATUS_OK) and h.c.tree != NULL and h.c.tree != &h.c.fresh:
        # It may be due at another time all the same.
        keyspace_recorded(h.c.keys, &h.c.v, h.c.key.data, h.c.key.size)
    return status


cdef void drop_expired(Hash* h) noexcept nogil:
    cdef Collection* c = &h.c
    cdef uint32_t at, bytes, _i
    cdef const uint8_t* element
    cdef Field field
    cdef uint32_t count = packed_count(c, &at)
    for _i in range(count):
        element = read_varint(c.packed + at, &bytes)
        read_element(element, bytes, &field)
        if expired(c, &field):
            c.keys.stats.fields_expired += 1
            at = collection_drop_packed(c, at)
        else:
            at = <uint32_t>(element + bytes - c.packed)


# ---- all fields

cdef bint hash_next(CollectionWalk* w, Field* out) noexcept nogil:
    cdef uint32_t n = 0
    cdef const uint8_t* element
    while True:
        element = collection_next(w, &n)
        if element == NULL:
            return False
        read_element(element, n, out)
        if likely(not expired(w.collection, out)):
            return True


cdef bint hash_at(Hash* h, uint64_t rank, Field* out) noexcept nogil:
    cdef uint32_t n = 0
    cdef const uint8_t* element = collection_at(&h.c, rank, &n)
    if element == NULL:
        return False
    read_element(element, n, out)
    return True


# ---- those that are due

cdef bint walk_tree(Collection* c, int64_t deadline_ns) noexcept nogil:
    """Goes on with the walk; True at its end."""
    cdef FieldsDue* walk = &c.keys.fields
    cdef CollectionWalk w
    cdef const uint8_t* element
    cdef uint32_t n = 0, seen = 0
    cdef Field field
    collection_walk_from(c, walk.walk_head, &w)
    while True:
        element = collection_next(&w, &n)
        if element == NULL:
            return True
        read_element(element, n, &field)
        seen += 1
        if seen % WALK_FIELDS == 0 and clock_monotonic_ns() >= deadline_ns:
            walk.walk_head = collection_head(c, field.name, field.name_bytes)
            return False
        if expired(c, &field):
            walk.walk_head = collection_head(c, field.name, field.name_bytes)
            c.found = find(c, field.name, field.name_bytes, &field)
            collection_remove(c)
            c.keys.stats.fields_expired += 1
            collection_walk_from(c, walk.walk_head, &w)
        elif field.expire_ms >= 0 and (walk.walk_due < 0 or field.expire_ms < walk.walk_due):
            walk.walk_due = field.expire_ms


cdef bint hash_expire_fields(Keyspace* ks, const Value* v, int64_t deadline_ns) noexcept nogil:
    cdef Hash h
    cdef Arg key
    cdef FieldsDue* walk = &ks.fields
    cdef Status status = STATUS_OK
    hash_of_value(ks, v, &h)
    key.data = keyspace_record_key(ks, &v.record)
    key.size = v.record.key_bytes
    h.c.key = &key
    h.c.key_hash = v.hash
    h.c.db = v.db
    if h.c.tree == NULL:
        drop_expired(&h)
        return collection_close(&h.c) == STATUS_OK
    if not walk.walking or walk.walk_hash != v.hash or walk.walk_db != ks.db_index[v.db]:
        walk.walking = True
        walk.walk_db = ks.db_index[v.db]
        walk.walk_hash = v.hash
        walk.walk_head = 0
        walk.walk_due = FIELDS_NEVER
    if walk_tree(&h.c, deadline_ns):
        walk.walking = False
        if h.c.tree.count > 0:
            status = change_due(&h.c, next_walk(&h.c, walk.walk_due) if walk.walk_due >= 0 else FIELDS_NEVER)
            if not h.c.dirty:
                keyspace_recorded(ks, &h.c.v, key.data, key.size)
    collection_close(&h.c)
    return status == STATUS_OK
