"""Hashes as collections of fields. See hash_value.pxd."""
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcmp, memcpy
from gapless.engine.base cimport STATUS_FULL, STATUS_OK, Status, likely, load_u16, load_u32, store_u16, store_u32, unlikely
from gapless.engine.collection cimport (
    collection_at, collection_begin, collection_count, collection_drop_packed, collection_mark, collection_next,
    collection_of_value, collection_open, collection_put, collection_remove, packed_count,
)
from gapless.engine.forest cimport ORDER_FIELD
from gapless.engine.record cimport HASH_EXPIRIES, HASH_TABLE, TYPE_HASH, read_varint, varint_bytes, write_varint
from gapless.engine.tree cimport tree_element, tree_find
from gapless.engine.tree_key cimport Key, hash_key

cdef enum:
    EXPIRY_BYTES = 6


# ---- elements

cdef inline int64_t load_expiry(const uint8_t* p) noexcept nogil:
    return <int64_t>(<uint64_t>load_u32(p) | <uint64_t>load_u16(p + 4) << 32)


cdef inline void write_element(uint8_t* p, const Field* field) noexcept nogil:
    p = write_varint(p, field.name_bytes << 1 | (field.expire_ms >= 0))
    if field.expire_ms >= 0:
        store_u32(p, <uint32_t>field.expire_ms)
        store_u16(p + 4, <uint32_t>(field.expire_ms >> 32) & 0xffff)
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
        out.expire_ms = load_expiry(p)
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
        collection_remove(c)
        c.found = find(c, name, n, out)
    return c.found


cdef bint hash_peek(Hash* h, const uint8_t* name, size_t n, Field* out) noexcept nogil:
    return find(&h.c, name, n, out) and not expired(&h.c, out)


cdef Status hash_put(Hash* h, const Field* field) noexcept nogil:
    cdef uint64_t n = element_bytes(field)
    cdef uint8_t* element = h.compose
    cdef uint32_t marks = 0
    cdef Status status
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
    status = collection_put(&h.c, element, n)
    if unlikely(element != h.compose):
        free(element)
    if likely(status == STATUS_OK) and marks:
        collection_mark(&h.c, marks)
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
