"""Collections in their two forms. See collection.pxd."""
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy, memmove
from gapless.engine.base cimport INVARIANT, STATUS_FULL, STATUS_OK, Status, unlikely
from gapless.engine.dispatch cimport call_status, reply_wrong_type
from gapless.engine.extent cimport extents_left
from gapless.engine.field_expiry cimport FIELDS_NEVER, fields_add, fields_remove, packed_fields_due
from gapless.engine.forest cimport ORDER_POSITION, tree_begin, tree_retire
from gapless.engine.keyspace cimport (
    EXPIRE_KEEP, EXPIRE_NEVER, FIND_WRITE, keyspace_create, keyspace_delete, keyspace_delete_found, keyspace_find, keyspace_replace,
    keyspace_marked, keyspace_rewrite, keyspace_set, keyspace_to_change, keyspace_touched,
)
from gapless.engine.record cimport RECORD_TREES, TYPE_HASH, TYPE_LIST, varint_bytes, write_varint
from gapless.engine.tree cimport tree_at, tree_element, tree_find, tree_has_room, tree_insert, tree_next, tree_remove, tree_replace
from gapless.engine.tree_key cimport Key, element_key, hash_key, hash_seek


cdef enum:
    ELEMENT_MORE_BYTES = 16    # that an element may have besides what is written: lengths, an expiry


# ---- life

cdef inline void begin(Keyspace* ks, int type, int order, Collection* c) noexcept nogil:
    c.keys = ks
    c.type = type
    c.order = order
    c.there = False
    c.dirty = False
    c.found = False
    c.tree = NULL
    c.root_bytes = sizeof(Tree)
    c.trees = 1
    c.buffer[0] = 0
    c.buffer[1] = 0
    c.packed = c.buffer
    c.packed_bytes = 2


cdef inline void look_at_value(Collection* c) noexcept nogil:
    c.there = True
    c.tree = c.v.trees
    c.packed = c.v.data
    c.packed_bytes = <uint32_t>c.v.size


cdef void collection_begin(Call* call, const Arg* key, uint64_t key_hash, int type, int order, Collection* c) noexcept nogil:
    begin(call.keys, type, order, c)
    c.key = key
    c.key_hash = key_hash
    c.db = call.session.db


cdef bint collection_open(Call* call, int how, Collection* c) noexcept nogil:
    if not keyspace_find(c.keys, c.db, c.key.data, c.key.size, c.key_hash, how, &c.v):
        return True
    if unlikely(c.v.type != c.type):
        reply_wrong_type(call)
        return False
    look_at_value(c)
    if c.tree != NULL and how == FIND_WRITE and (c.type == TYPE_LIST or c.type == TYPE_HASH):
        keyspace_to_change(c.keys, &c.v)
    return True


cdef void collection_of_value(Keyspace* ks, int type, int order, const Value* v, Collection* c) noexcept nogil:
    begin(ks, type, order, c)
    c.v = v[0]
    look_at_value(c)


# ---- changing

cdef void retire_fresh(Collection* c) noexcept nogil:
    cdef uint32_t i
    for i in range(c.trees):
        tree_retire(c.keys.forest, &c.fresh + i)


cdef inline void make_own(Collection* c) noexcept nogil:
    """The packed form in the buffer, to be changed."""
    c.dirty = True
    if c.packed != c.buffer:
        memcpy(c.buffer, c.packed, c.packed_bytes)
        c.packed = c.buffer


cdef void collection_splice_packed(Collection* c, const uint8_t* element, uint32_t n, int more) noexcept nogil:
    cdef uint32_t first, behind, grown, size = 0
    cdef uint32_t count = packed_count(c, &first)
    make_own(c)
    if element != NULL:
        size = varint_bytes(n) + n
    behind = c.at + c.entry_bytes
    memmove(c.buffer + c.at + size, c.buffer + behind, c.packed_bytes - behind)
    if element != NULL:
        memcpy(write_varint(c.buffer + c.at, n), element, n)
    c.packed_bytes = c.packed_bytes - c.entry_bytes + size
    c.entry_bytes = size
    if more:
        count += <uint32_t>more
        grown = 1 + varint_bytes(count)
        if grown != first:
            memmove(c.buffer + grown, c.buffer + first, c.packed_bytes - first)
            c.packed_bytes = c.packed_bytes - first + grown
            c.at = c.at - first + grown
        write_varint(c.buffer + 1, count)


cdef inline bint find_again(Collection* c, const uint8_t* element, uint32_t n) noexcept nogil:
    """The place of this element in the tree; where elements have no keys, behind all others."""
    cdef Key key
    if c.order == ORDER_POSITION:
        return tree_at(c.keys.forest, c.tree, c.tree.count, &c.place)
    element_key(c.keys.forest, c.order, element, n, &key)
    return tree_find(c.keys.forest, c.tree, &key, &c.place)


cdef Status collection_become_tree(Collection* c) noexcept nogil:
    cdef const uint8_t* p
    cdef uint32_t at, n, _i
    cdef uint32_t count = packed_count(c, &at)
    cdef Status status
    tree_begin(&c.fresh, c.order)
    c.fresh.marks = c.packed[0]
    c.tree = &c.fresh
    p = c.packed + at
    for _i in range(count):
        p = read_varint(p, &n)
        find_again(c, p, n)
        status = tree_insert(c.keys.forest, c.tree, &c.place, p, n)
        if status != STATUS_OK:
            retire_fresh(c)
            c.tree = NULL
            return status
        p += n
    c.dirty = True
    return STATUS_OK


cdef Status collection_room(Collection* c, const Arg* argv, int argc, int first, int step) noexcept nogil:
    cdef uint64_t n, large = 0, largest = 0
    cdef int i = first, j
    if c.tree == NULL or argc - first <= step:
        return STATUS_OK
    if not tree_has_room(c.keys.forest, c.tree, <uint64_t>((argc - first) // step)):
        return STATUS_FULL
    while i < argc:
        n = ELEMENT_MORE_BYTES
        for j in range(step):
            n += argv[i + j].size
        if n > c.keys.forest.element_bytes_max:
            large += 1
            largest = max(largest, n)
        i += step
    # As if all were of the class of the largest: there are fewer of the larger ones.
    return STATUS_OK if large == 0 or extents_left(c.keys.extents, largest) >= large else STATUS_FULL


cdef Status collection_put(Collection* c, const uint8_t* element, uint64_t n) noexcept nogil:
    cdef Status status
    if c.tree == NULL:
        if collection_fits(c, n):
            collection_splice_packed(c, element, <uint32_t>n, not c.found)
            c.found = True
            return STATUS_OK
        status = collection_become_tree(c)
        if status != STATUS_OK:
            return status
        find_again(c, element, <uint32_t>n)
    if c.found:
        status = tree_replace(c.keys.forest, c.tree, &c.place, element, <uint32_t>n)
    else:
        status = tree_insert(c.keys.forest, c.tree, &c.place, element, <uint32_t>n)
    if status == STATUS_OK:
        c.dirty = True
    return status


cdef void collection_remove(Collection* c) noexcept nogil:
    INVARIANT(c.found)
    if c.tree != NULL:
        tree_remove(c.keys.forest, c.tree, &c.place)
        c.dirty = True
    else:
        collection_splice_packed(c, NULL, 0, -1)
    c.found = False


cdef uint32_t collection_drop_packed(Collection* c, uint32_t at) noexcept nogil:
    cdef uint32_t n
    INVARIANT(c.tree == NULL and at < c.packed_bytes)
    c.at = at
    c.entry_bytes = <uint32_t>(read_varint(c.packed + at, &n) - (c.packed + at)) + n
    collection_splice_packed(c, NULL, 0, -1)
    # The count may have become a byte shorter.
    return c.at


cdef void collection_mark(Collection* c, uint32_t marks) noexcept nogil:
    collection_mark_anew(c, collection_marks(c) | marks)


cdef void collection_mark_anew(Collection* c, uint32_t marks) noexcept nogil:
    cdef uint8_t* at = &c.tree.marks if c.tree != NULL else c.packed
    if at[0] == marks:
        return
    # Where it lies: that no element changes is no reason to write back, or to tell who watches.
    at[0] = <uint8_t>marks
    if unlikely(c.keys.effects != NULL) and c.there and (c.tree == c.v.trees if c.tree != NULL else c.packed == c.v.data):
        keyspace_marked(c.keys, &c.v)


# ---- the end

cdef Status collection_close(Collection* c) noexcept nogil:
    cdef int64_t due_before = FIELDS_NEVER, due = FIELDS_NEVER
    cdef Status status = STATUS_OK
    if not c.dirty:
        return STATUS_OK
    c.dirty = False
    if collection_count(c) == 0:
        if c.there:
            keyspace_delete_found(c.keys, &c.v, c.key.data, c.key.size)
        if c.tree == &c.fresh:
            retire_fresh(c)
        return STATUS_OK
    if c.tree == NULL:
        if c.type == TYPE_HASH:
            due_before = packed_fields_due(c.v.data) if c.there else FIELDS_NEVER
            due = packed_fields_due(c.buffer)
        if unlikely(due != due_before):
            status = fields_add(c.keys, c.keys.db_index[c.db], c.key_hash, due)
            if status != STATUS_OK:
                return status
        if c.there:
            status = keyspace_rewrite(c.keys, &c.v, c.key.data, c.key.size, c.buffer, c.packed_bytes)
        else:
            status = keyspace_create(c.keys, c.db, c.key.data, c.key.size, c.key_hash, <uint32_t>c.type, c.packed_bytes, EXPIRE_NEVER, &c.v)
            if status == STATUS_OK:
                memcpy(c.v.data, c.buffer, c.packed_bytes)
                keyspace_touched(c.keys, &c.v, c.key.data, c.key.size)
        if unlikely(due != due_before):
            fields_remove(c.keys, c.keys.db_index[c.db], c.key_hash, due_before if status == STATUS_OK else due)
    elif c.tree == &c.fresh:
        if c.there:
            status = keyspace_replace(c.keys, &c.v, c.key.data, c.key.size, <uint32_t>c.type | RECORD_TREES, <uint8_t*>&c.fresh,
                                      c.root_bytes, EXPIRE_KEEP)
        else:
            status = keyspace_set(c.keys, c.db, c.key.data, c.key.size, c.key_hash, <uint32_t>c.type | RECORD_TREES,
                                  <uint8_t*>&c.fresh, c.root_bytes, EXPIRE_NEVER)
        if status != STATUS_OK:
            retire_fresh(c)
    else:
        keyspace_touched(c.keys, &c.v, c.key.data, c.key.size)
    return status


cdef Status collection_store(Collection* c, int64_t expire_ms) noexcept nogil:
    cdef Status status
    if collection_count(c) == 0:
        if c.tree != NULL:
            retire_fresh(c)
        keyspace_delete(c.keys, c.db, c.key.data, c.key.size, c.key_hash)
        return STATUS_OK
    if c.tree == NULL:
        return keyspace_set(c.keys, c.db, c.key.data, c.key.size, c.key_hash, <uint32_t>c.type, c.buffer, c.packed_bytes, expire_ms)
    status = keyspace_set(c.keys, c.db, c.key.data, c.key.size, c.key_hash, <uint32_t>c.type | RECORD_TREES, <uint8_t*>&c.fresh,
                          c.root_bytes, expire_ms)
    if status != STATUS_OK:
        retire_fresh(c)
    return status


cdef void collection_abandon(Collection* c) noexcept nogil:
    if c.tree == &c.fresh:
        retire_fresh(c)
        c.dirty = False
    elif c.tree == NULL:
        c.dirty = False
    else:
        collection_close(c)


cdef bint collection_finish(Call* call, Collection* c, Status status) noexcept nogil:
    if status == STATUS_OK:
        status = collection_close(c)
    else:
        collection_abandon(c)
    return call_status(call, status)


cdef void collection_finish_reply(Call* call, Collection* c, size_t front, Status status) noexcept nogil:
    if status == STATUS_OK:
        status = collection_close(c)
    else:
        collection_abandon(c)
    if status != STATUS_OK:
        call.reply.length = front
        call_status(call, status)


# ---- all elements

cdef void collection_walk(Collection* c, CollectionWalk* w) noexcept nogil:
    w.collection = c
    if c.tree == NULL:
        w.more = packed_count(c, &w.at) > 0
    else:
        w.more = c.tree.count > 0 and tree_at(c.keys.forest, c.tree, 0, &w.place)


cdef void collection_walk_from(Collection* c, uint64_t head, CollectionWalk* w) noexcept nogil:
    cdef Key key
    cdef uint32_t n
    w.collection = c
    hash_seek(head, &key)
    tree_find(c.keys.forest, c.tree, &key, &w.place)
    w.more = c.tree.count > 0 and tree_element(c.keys.forest, &w.place, &n) != NULL


cdef const uint8_t* collection_next(CollectionWalk* w, uint32_t* n) noexcept nogil:
    cdef Collection* c = w.collection
    cdef const uint8_t* element
    if not w.more:
        return NULL
    if c.tree == NULL:
        element = read_varint(c.packed + w.at, n)
        w.at = <uint32_t>(element + n[0] - c.packed)
        w.more = w.at < c.packed_bytes
    else:
        element = tree_element(c.keys.forest, &w.place, n)
        w.more = tree_next(c.keys.forest, &w.place)
    return element


cdef const uint8_t* collection_at(Collection* c, uint64_t rank, uint32_t* n) noexcept nogil:
    cdef Place place
    cdef uint32_t at
    cdef const uint8_t* p
    if rank >= collection_count(c):
        return NULL
    if c.tree != NULL:
        tree_at(c.keys.forest, c.tree, rank, &place)
        return tree_element(c.keys.forest, &place, n)
    packed_count(c, &at)
    p = read_varint(c.packed + at, n)
    while rank > 0:
        p = read_varint(p + n[0], n)
        rank -= 1
    return p


cdef uint64_t collection_head(const Collection* c, const uint8_t* p, uint32_t n) noexcept nogil:
    cdef Key key
    hash_key(c.keys.forest, p, n, &key)
    return key.head
