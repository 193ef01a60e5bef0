from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcmp, memcpy, memmove
from gapless.engine.base cimport (
    INVARIANT, STATUS_FULL, STATUS_OK, Status, likely, load_u16, load_u32, store_u16, store_u32, unlikely,
)
from gapless.engine.dispatch cimport reply_wrong_type
from gapless.engine.forest cimport ORDER_FIELD, tree_begin, tree_retire
from gapless.engine.keyspace cimport (
    EXPIRE_KEEP, EXPIRE_NEVER, keyspace_create, keyspace_delete, keyspace_delete_found, keyspace_find, keyspace_replace,
    keyspace_resize, keyspace_set, keyspace_touched,
)
from gapless.engine.record cimport HASH_EXPIRIES, HASH_TABLE, RECORD_TREES, TYPE_HASH, read_varint, varint_bytes, write_varint
from gapless.engine.tree cimport (
    tree_at, tree_element, tree_find, tree_insert, tree_next, tree_remove, tree_replace,
)
from gapless.engine.tree_key cimport Key, hash_key, hash_seek

cdef enum:
    EXPIRY_BYTES = 6


# ---- entries

cdef inline int64_t load_expiry(const uint8_t* p) noexcept nogil:
    return <int64_t>(<uint64_t>load_u32(p) | <uint64_t>load_u16(p + 4) << 32)


cdef inline uint8_t* write_head(uint8_t* p, const Field* field, bint packed) noexcept nogil:
    """All of an entry or element up to the value's bytes."""
    p = write_varint(p, field.name_bytes << 1 | (field.expire_ms >= 0))
    if packed:
        p = write_varint(p, field.value_bytes)
    if field.expire_ms >= 0:
        store_u32(p, <uint32_t>field.expire_ms)
        store_u16(p + 4, <uint32_t>(field.expire_ms >> 32) & 0xffff)
        p += EXPIRY_BYTES
    memcpy(p, field.name, field.name_bytes)
    return p + field.name_bytes


cdef inline uint64_t field_bytes(const Field* field, bint packed) noexcept nogil:
    return (<uint64_t>varint_bytes(field.name_bytes << 1) + (varint_bytes(field.value_bytes) if packed else 0)
            + (EXPIRY_BYTES if field.expire_ms >= 0 else 0) + field.name_bytes + field.value_bytes)


cdef inline const uint8_t* read_entry(const uint8_t* p, Field* out) noexcept nogil:
    """Of the packed form; returns where it ends."""
    cdef uint32_t head
    p = read_varint(p, &head)
    p = read_varint(p, &out.value_bytes)
    out.expire_ms = FIELD_NO_EXPIRY
    if head & 1:
        out.expire_ms = load_expiry(p)
        p += EXPIRY_BYTES
    out.name = p
    out.name_bytes = head >> 1
    out.value = p + out.name_bytes
    return out.value + out.value_bytes


cdef inline void read_element(const uint8_t* p, uint32_t n, Field* out) noexcept nogil:
    """Of the tree."""
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


cdef inline uint32_t packed_count(const Hash* h, uint32_t* first) noexcept nogil:
    """Fields of the packed form; where the first entry is."""
    cdef uint32_t count
    first[0] = <uint32_t>(read_varint(h.packed + 1, &count) - h.packed)
    return count


# ---- life

cdef void begin(Hash* h) noexcept nogil:
    h.there = False
    h.dirty = False
    h.found = False
    h.tree = NULL
    h.buffer[0] = 0
    h.buffer[1] = 0
    h.packed = h.buffer
    h.packed_bytes = 2


cdef void look_at_value(Hash* h) noexcept nogil:
    h.there = True
    h.tree = h.v.trees
    h.packed = h.v.data
    h.packed_bytes = <uint32_t>h.v.size


cdef void hash_begin(Call* call, const Arg* key, uint64_t key_hash, Hash* h) noexcept nogil:
    begin(h)
    h.keys = call.keys
    h.key = key
    h.key_hash = key_hash
    h.db = call.session.db
    h.packed_fields_max = call.dispatch.hash_listpack_fields
    h.packed_value_max = call.dispatch.hash_listpack_bytes


cdef void hash_of_value(Keyspace* ks, const Value* v, Hash* h) noexcept nogil:
    begin(h)
    h.keys = ks
    h.v = v[0]
    look_at_value(h)


cdef bint hash_open(Call* call, int i, int how, Hash* h) noexcept nogil:
    cdef const Arg* key = &call.argv[i]
    hash_begin(call, key, call.hash, h)
    if not keyspace_find(call.keys, call.session.db, key.data, key.size, call.hash, how, &h.v):
        return True
    if unlikely(h.v.type != TYPE_HASH):
        reply_wrong_type(call)
        return False
    look_at_value(h)
    if unlikely(h.tree == NULL and h.packed[0] & HASH_EXPIRIES):
        drop_expired(h)
    return True


cdef uint64_t hash_count(const Hash* h) noexcept nogil:
    cdef uint32_t first
    return h.tree.count if h.tree != NULL else packed_count(h, &first)


cdef uint32_t hash_marks(const Hash* h) noexcept nogil:
    return h.tree.marks if h.tree != NULL else h.packed[0]


cdef void hash_mark(Hash* h, uint32_t marks) noexcept nogil:
    # Where it lies: that no field changes is no reason to write back, or to tell who watches.
    if h.tree != NULL:
        h.tree.marks |= <uint8_t>marks
    else:
        h.packed[0] |= <uint8_t>marks


# ---- one field

cdef inline bint expired(const Hash* h, const Field* field) noexcept nogil:
    return field.expire_ms >= 0 and field.expire_ms <= h.keys.now_ms


cdef inline bint find_packed(Hash* h, const uint8_t* name, size_t n, Field* out) noexcept nogil:
    cdef uint32_t at, _i
    cdef const uint8_t* p
    cdef const uint8_t* end
    cdef uint32_t count = packed_count(h, &at)
    p = h.packed + at
    for _i in range(count):
        end = read_entry(p, out)
        if out.name_bytes == n and memcmp(out.name, name, n) == 0:
            h.at = <uint32_t>(p - h.packed)
            h.entry_bytes = <uint32_t>(end - p)
            return True
        p = end
    h.at = h.packed_bytes
    h.entry_bytes = 0
    return False


cdef inline bint find_in_tree(Hash* h, const uint8_t* name, size_t n, Field* out) noexcept nogil:
    cdef Key key
    cdef uint32_t bytes = 0
    cdef const uint8_t* element
    hash_key(h.keys.forest, name, <uint32_t>n, &key)
    if not tree_find(h.keys.forest, h.tree, &key, &h.place):
        return False
    element = tree_element(h.keys.forest, &h.place, &bytes)
    read_element(element, bytes, out)
    return True


cdef bint hash_find(Hash* h, const uint8_t* name, size_t n, Field* out) noexcept nogil:
    if h.tree != NULL:
        h.found = find_in_tree(h, name, n, out)
    else:
        h.found = find_packed(h, name, n, out)
    if h.found and unlikely(expired(h, out)):
        hash_remove(h)
        if h.tree != NULL:
            find_in_tree(h, name, n, out)
        else:
            find_packed(h, name, n, out)
        h.found = False
    return h.found


cdef inline void make_own(Hash* h) noexcept nogil:
    """The packed form in the buffer, to be changed."""
    h.dirty = True
    if h.packed != h.buffer:
        memcpy(h.buffer, h.packed, h.packed_bytes)
        h.packed = h.buffer


cdef void splice_packed(Hash* h, const uint8_t* entry, uint32_t n, int more) noexcept nogil:
    """The entry at h.at becomes these bytes; `more`: how many fields are added."""
    cdef uint32_t first, behind, grown
    cdef uint32_t count = packed_count(h, &first)
    make_own(h)
    behind = h.at + h.entry_bytes
    memmove(h.buffer + h.at + n, h.buffer + behind, h.packed_bytes - behind)
    memcpy(h.buffer + h.at, entry, n)
    h.packed_bytes = h.packed_bytes - h.entry_bytes + n
    h.entry_bytes = n
    if more:
        count += <uint32_t>more
        grown = 1 + varint_bytes(count)
        if grown != first:
            memmove(h.buffer + grown, h.buffer + first, h.packed_bytes - first)
            h.packed_bytes = h.packed_bytes - first + grown
            h.at = h.at - first + grown
        write_varint(h.buffer + 1, count)


cdef Status become_tree(Hash* h) noexcept nogil:
    cdef const uint8_t* p
    cdef Field field, other
    cdef uint32_t at, _i
    cdef uint32_t count = packed_count(h, &at)
    cdef Status status = STATUS_OK
    tree_begin(&h.fresh, ORDER_FIELD)
    h.fresh.marks = h.packed[0]
    h.tree = &h.fresh
    p = h.packed + at
    for _i in range(count):
        p = read_entry(p, &field)
        find_in_tree(h, field.name, field.name_bytes, &other)
        status = insert_in_tree(h, &field)
        if status != STATUS_OK:
            tree_retire(h.keys.forest, &h.fresh)
            h.tree = NULL
            return status
    h.dirty = True
    return STATUS_OK


cdef Status insert_in_tree(Hash* h, const Field* field) noexcept nogil:
    """At h.place; replaces the element there when h.found."""
    cdef uint64_t n = field_bytes(field, False)
    cdef uint8_t* element = h.compose
    cdef Status status
    if unlikely(n > <uint64_t>COMPOSE_BYTES):
        element = <uint8_t*>malloc(n)
        if element == NULL:
            return STATUS_FULL
    memcpy(write_head(element, field, False), field.value, field.value_bytes)
    if h.found:
        status = tree_replace(h.keys.forest, h.tree, &h.place, element, <uint32_t>n)
    else:
        status = tree_insert(h.keys.forest, h.tree, &h.place, element, <uint32_t>n)
    if unlikely(element != h.compose):
        free(element)
    return status


cdef Status hash_put(Hash* h, const Field* field) noexcept nogil:
    cdef uint64_t n
    cdef uint32_t marks = 0
    cdef bint found = h.found
    cdef Field other
    cdef Status status
    if field.name_bytes > h.packed_value_max or field.value_bytes > h.packed_value_max:
        marks |= HASH_TABLE
    if field.expire_ms >= 0:
        marks |= HASH_EXPIRIES
    if not found and hash_count(h) >= h.packed_fields_max:
        marks |= HASH_TABLE
    if h.tree == NULL:
        n = field_bytes(field, True)
        # A byte more: the count may need it.
        if h.packed_bytes - h.entry_bytes + n + 1 <= PACKED_BYTES_MAX:
            memcpy(write_head(h.compose, field, True), field.value, field.value_bytes)
            splice_packed(h, h.compose, <uint32_t>n, not found)
            h.packed[0] |= <uint8_t>marks
            h.found = True
            return STATUS_OK
        h.found = False
        status = become_tree(h)
        h.found = found
        if status != STATUS_OK:
            return status
        find_in_tree(h, field.name, field.name_bytes, &other)
    status = insert_in_tree(h, field)
    if likely(status == STATUS_OK):
        h.tree.marks |= <uint8_t>marks
        h.dirty = True
    return status


cdef void hash_remove(Hash* h) noexcept nogil:
    INVARIANT(h.found)
    if h.tree != NULL:
        tree_remove(h.keys.forest, h.tree, &h.place)
        h.dirty = True
    else:
        splice_packed(h, h.compose, 0, -1)
    h.found = False


cdef void drop_expired(Hash* h) noexcept nogil:
    cdef uint32_t at, _i
    cdef const uint8_t* p
    cdef Field field
    cdef uint32_t count = packed_count(h, &at)
    for _i in range(count):
        p = h.packed + at
        h.entry_bytes = <uint32_t>(read_entry(p, &field) - p)
        if not expired(h, &field):
            at += h.entry_bytes
            continue
        h.at = at
        splice_packed(h, h.compose, 0, -1)
        # The count may have become a byte shorter.
        at = h.at


# ---- the end

cdef Status hash_close(Hash* h) noexcept nogil:
    cdef Status status = STATUS_OK
    if not h.dirty:
        return STATUS_OK
    h.dirty = False
    if hash_count(h) == 0:
        if h.there:
            keyspace_delete_found(h.keys, &h.v, h.key.data, h.key.size)
        return STATUS_OK
    if h.tree == NULL:
        if h.there:
            if h.packed_bytes != h.v.size:
                status = keyspace_resize(h.keys, &h.v, h.key.data, h.key.size, h.packed_bytes)
        else:
            status = keyspace_create(h.keys, h.db, h.key.data, h.key.size, h.key_hash, TYPE_HASH, h.packed_bytes, EXPIRE_NEVER, &h.v)
        if status == STATUS_OK:
            memcpy(h.v.data, h.buffer, h.packed_bytes)
            keyspace_touched(h.keys, &h.v, h.key.data, h.key.size)
    elif h.tree == &h.fresh:
        if h.there:
            status = keyspace_replace(h.keys, &h.v, h.key.data, h.key.size, TYPE_HASH | RECORD_TREES, <uint8_t*>&h.fresh, sizeof(Tree),
                                      EXPIRE_KEEP)
        else:
            status = keyspace_set(h.keys, h.db, h.key.data, h.key.size, h.key_hash, TYPE_HASH | RECORD_TREES, <uint8_t*>&h.fresh,
                                  sizeof(Tree), EXPIRE_NEVER)
        if status != STATUS_OK:
            tree_retire(h.keys.forest, &h.fresh)
    else:
        keyspace_touched(h.keys, &h.v, h.key.data, h.key.size)
    return status


cdef Status hash_store(Hash* h, int64_t expire_ms) noexcept nogil:
    cdef Status status
    if hash_count(h) == 0:
        keyspace_delete(h.keys, h.db, h.key.data, h.key.size, h.key_hash)
        return STATUS_OK
    if h.tree == NULL:
        return keyspace_set(h.keys, h.db, h.key.data, h.key.size, h.key_hash, TYPE_HASH, h.buffer, h.packed_bytes, expire_ms)
    status = keyspace_set(h.keys, h.db, h.key.data, h.key.size, h.key_hash, TYPE_HASH | RECORD_TREES, <uint8_t*>&h.fresh, sizeof(Tree),
                          expire_ms)
    if status != STATUS_OK:
        tree_retire(h.keys.forest, &h.fresh)
    return status


cdef void hash_abandon(Hash* h) noexcept nogil:
    if h.tree == &h.fresh:
        tree_retire(h.keys.forest, &h.fresh)
        h.dirty = False
    elif h.tree == NULL:
        h.dirty = False
    else:
        hash_close(h)


# ---- all fields

cdef void hash_walk(Hash* h, HashWalk* w) noexcept nogil:
    w.hash = h
    if h.tree == NULL:
        w.more = packed_count(h, &w.at) > 0
    else:
        w.more = h.tree.count > 0 and tree_at(h.keys.forest, h.tree, 0, &w.place)


cdef void hash_walk_from(Hash* h, uint64_t head, HashWalk* w) noexcept nogil:
    cdef Key key
    cdef uint32_t n
    w.hash = h
    hash_seek(head, &key)
    tree_find(h.keys.forest, h.tree, &key, &w.place)
    w.more = h.tree.count > 0 and tree_element(h.keys.forest, &w.place, &n) != NULL


cdef bint hash_next(HashWalk* w, Field* out) noexcept nogil:
    cdef Hash* h = w.hash
    cdef uint32_t n = 0
    cdef const uint8_t* element
    while w.more:
        if h.tree == NULL:
            w.at = <uint32_t>(read_entry(h.packed + w.at, out) - h.packed)
            w.more = w.at < h.packed_bytes
        else:
            element = tree_element(h.keys.forest, &w.place, &n)
            read_element(element, n, out)
            w.more = tree_next(h.keys.forest, &w.place)
        if likely(not expired(h, out)):
            return True
    return False


cdef bint hash_at(Hash* h, uint64_t rank, Field* out) noexcept nogil:
    cdef Place place
    cdef uint32_t n = 0, at
    cdef const uint8_t* p
    if rank >= hash_count(h):
        return False
    if h.tree == NULL:
        packed_count(h, &at)
        p = read_entry(h.packed + at, out)
        while rank > 0:
            p = read_entry(p, out)
            rank -= 1
        return True
    tree_at(h.keys.forest, h.tree, rank, &place)
    p = tree_element(h.keys.forest, &place, &n)
    read_element(p, n, out)
    return True


cdef uint64_t hash_head(const Hash* h, const Field* field) noexcept nogil:
    cdef Key key
    hash_key(h.keys.forest, field.name, field.name_bytes, &key)
    return key.head
