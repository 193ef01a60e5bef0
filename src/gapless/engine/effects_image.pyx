"""Whole images of keys. See effects_image.pxd."""
from libc.stdint cimport uint32_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcmp, memcpy
from gapless.engine.base cimport INVARIANT
from gapless.engine.effects cimport (
    CHANGE_SECOND_TREE, EFFECT_IMAGE, IMAGE_ANEW, IMAGE_FIRST, IMAGE_LAST, ImageCursor, effects_begin, effects_end_image, effects_put,
    effects_trees_gone,
)
from gapless.engine.forest cimport Forest, Tree
from gapless.engine.keyspace cimport keyspace_look
from gapless.engine.record cimport (
    RECORD_BASE_EPOCH, RECORD_MAKING_MASK, TREE_BYTES, TYPE_LIST, TYPE_SORTED_SET, base_of_file, record_trees, varint_bytes,
    write_varint,
)
from gapless.engine.tree cimport Place, tree_at, tree_element, tree_find, tree_next
from gapless.engine.tree_key cimport Key, element_key, hash_seek, order_hashes, separator_key
from gapless.engine.tree_notes cimport DROPPED_BYTES_MAX, NOTE_PUT


cdef struct Part:
    # Where its elements begin, and how far they go.
    Place place
    bint more                  # place is of an element
    uint32_t count
    uint64_t bytes             # as changes
    bint ends_tree


cdef inline uint32_t type_of(const Value* v) noexcept nogil:
    return <uint32_t>v.type | (v.record.marks & RECORD_MAKING_MASK)


cdef inline int first_tree(const Value* v) noexcept nogil:
    """That by score follows from the other."""
    return 1 if v.type == TYPE_SORTED_SET else 0


cdef inline void set_base(Value* v, uint32_t file) noexcept nogil:
    v.record.base = (v.record.base & RECORD_BASE_EPOCH) | base_of_file(file)
    v.record.at[2] = v.record.base


# ---- the cursor

cdef void cursor_keep(const Forest* f, const Tree* t, ImageCursor* c, const uint8_t* element, uint32_t n) noexcept nogil:
    """The element written last: its hash, or as much of it as is its key."""
    cdef Key key
    if order_hashes(t.order):
        element_key(f, t.order, element, n, &key)
        c.head = key.head
        c.element_bytes = 1
    else:
        c.element_bytes = min(n, <uint32_t>DROPPED_BYTES_MAX)
        memcpy(c.element, element, c.element_bytes)


cdef void cursor_seek(const Forest* f, const Tree* t, const ImageCursor* c, bint list, Part* part) noexcept nogil:
    """The first element that is not written yet."""
    cdef Key key
    cdef uint32_t n = 0
    cdef const uint8_t* element
    if list or c.element_bytes == 0:
        tree_at(f, t, c.position if list else 0, &part.place)
    elif order_hashes(t.order):
        if c.head == ~<uint64_t>0:
            part.more = False
            return
        hash_seek(c.head + 1, &key)
        tree_find(f, t, &key, &part.place)
    else:
        separator_key(c.element, c.element_bytes, &key)
        tree_find(f, t, &key, &part.place)
        element = tree_element(f, &part.place, &n)
        if element != NULL and n >= c.element_bytes and memcmp(element, c.element, c.element_bytes) == 0:
            part.more = tree_next(f, &part.place)
            return
    part.more = tree_element(f, &part.place, &n) != NULL


cdef inline uint64_t head_of(const Forest* f, const Tree* t, const uint8_t* element, uint32_t n) noexcept nogil:
    cdef Key key
    element_key(f, t.order, element, n, &key)
    return key.head


cdef void measure(const Forest* f, const Tree* t, Part* part, uint64_t most, bint whole_hashes) noexcept nogil:
    """How many elements from the place on are to be written. whole_hashes: all of the same hash, for the cursor can't tell them apart."""
    cdef Place place = part.place
    cdef bint more = part.more
    cdef uint32_t n = 0
    cdef uint64_t head = 0
    cdef const uint8_t* element
    part.count = 0
    part.bytes = 0
    while more:
        element = tree_element(f, &place, &n)
        if part.bytes >= most:
            if not whole_hashes or head_of(f, t, element, n) != head:
                break
        part.count += 1
        part.bytes += 1 + varint_bytes(n) + n
        if whole_hashes and part.bytes >= most:
            head = head_of(f, t, element, n)
        more = tree_next(f, &place)
    part.ends_tree = not more


# ---- parts

cdef void write_part(Keyspace* ks, Value* v, const uint8_t* key, size_t key_bytes, ImageCursor* c, Part* part, int flags) noexcept nogil:
    """An effect with the elements that were measured; the place is behind them then."""
    cdef const Forest* f = ks.forest
    cdef const Tree* t = &v.trees[c.tree]
    cdef uint64_t trees_bytes = record_trees(&v.record) * TREE_BYTES, behind = v.size - trees_bytes, body = 1 + part.bytes
    cdef uint32_t i, n = 0
    cdef const uint8_t* element
    cdef uint8_t* p
    if flags & IMAGE_FIRST:
        body += varint_bytes(<uint32_t>behind + 1) + 1 + behind
    if flags & IMAGE_LAST:
        body += varint_bytes(c.file)
    p = effects_begin(ks.effects, EFFECT_IMAGE, type_of(v), v.db, v.expire_ms if flags & IMAGE_FIRST else -1, key, key_bytes, body)
    p[0] = <uint8_t>flags
    p += 1
    if flags & IMAGE_FIRST:
        p = write_varint(p, <uint32_t>behind + 1)
        p[0] = v.trees[0].marks
        memcpy(p + 1, v.data + trees_bytes, behind)
        p += 1 + behind
    if flags & IMAGE_LAST:
        p = write_varint(p, c.file)
    for i in range(part.count):
        element = tree_element(f, &part.place, &n)
        p[0] = NOTE_PUT | (CHANGE_SECOND_TREE if c.tree else 0)
        p = write_varint(p + 1, n)
        memcpy(p, element, n)
        p += n
        if i == part.count - 1 and v.type != TYPE_LIST:
            cursor_keep(f, t, c, element, n)
        part.more = tree_next(f, &part.place)
    c.position += part.count
    INVARIANT(p == ks.effects.bytes + ks.effects.length)


cdef inline bint is_last_tree(const Value* v, int tree) noexcept nogil:
    return tree + 1 == <int>record_trees(&v.record)


cdef void begin(Keyspace* ks, Value* v, ImageCursor* c) noexcept nogil:
    c.tree = first_tree(v)
    c.file = ks.effects.file
    c.position = 0
    c.element_bytes = 0


cdef void effects_image(Keyspace* ks, Value* v, const uint8_t* key, size_t key_bytes) noexcept nogil:
    cdef ImageCursor c
    cdef Part part
    cdef int flags = IMAGE_FIRST | IMAGE_ANEW
    set_base(v, ks.effects.file)
    if v.trees == NULL:
        effects_put(ks.effects, type_of(v), v.db, v.expire_ms, key, key_bytes, v.data, v.size)
        return
    effects_end_image(ks.effects, v.db, key, key_bytes)
    begin(ks, v, &c)
    part.more = tree_at(ks.forest, &v.trees[c.tree], 0, &part.place) and v.trees[c.tree].count > 0
    while True:
        measure(ks.forest, &v.trees[c.tree], &part, IMAGE_PART_BYTES, False)
        if part.ends_tree and is_last_tree(v, c.tree):
            flags |= IMAGE_LAST
        write_part(ks, v, key, key_bytes, &c, &part, flags)
        if flags & IMAGE_LAST:
            break
        flags &= ~(IMAGE_FIRST | IMAGE_ANEW)
        if part.ends_tree:
            c.tree += 1
            part.more = tree_at(ks.forest, &v.trees[c.tree], 0, &part.place) and v.trees[c.tree].count > 0
    effects_trees_gone(ks.effects, v.data, record_trees(&v.record) * TREE_BYTES)


cdef void effects_image_begin(Keyspace* ks, Value* v, const uint8_t* key, size_t key_bytes) noexcept nogil:
    cdef ImageCursor* c = &ks.effects.image
    cdef Part part
    c.open = False
    if v.trees == NULL:
        set_base(v, ks.effects.file)
        effects_put(ks.effects, type_of(v), v.db, v.expire_ms, key, key_bytes, v.data, v.size)
        return
    begin(ks, v, c)
    part.count = 0
    part.bytes = 0
    write_part(ks, v, key, key_bytes, c, &part, IMAGE_FIRST)
    free(c.key)
    c.key = <uint8_t*>malloc(max(key_bytes, <size_t>1))
    INVARIANT(c.key != NULL)
    memcpy(c.key, key, key_bytes)
    c.key_bytes = <uint32_t>key_bytes
    c.key_hash = v.hash
    c.db = v.db
    c.open = True


cdef bint effects_image_go_on(Keyspace* ks, uint64_t most) noexcept nogil:
    cdef ImageCursor* c = &ks.effects.image
    cdef Value v
    cdef Part part
    cdef int flags = 0
    if not c.open or not keyspace_look(ks, c.db, c.key, c.key_bytes, c.key_hash, &v) or v.trees == NULL:
        c.open = False
        return True
    cursor_seek(ks.forest, &v.trees[c.tree], c, v.type == TYPE_LIST, &part)
    measure(ks.forest, &v.trees[c.tree], &part, most, order_hashes(v.trees[c.tree].order))
    if part.ends_tree and is_last_tree(&v, c.tree):
        flags = IMAGE_LAST
    write_part(ks, &v, c.key, c.key_bytes, c, &part, flags)
    if flags:
        set_base(&v, c.file)
        c.open = False
    elif part.ends_tree:
        c.tree += 1
        c.element_bytes = 0
    return not c.open
