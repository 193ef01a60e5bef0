"""Lists as collections of elements by position. See list_value.pxd."""
from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy
from gapless.engine.base cimport INVARIANT, STATUS_OK, Status, prefetch
from gapless.engine.collection cimport (
    ROOT_MORE_BYTES_MAX, CollectionWalk, collection_become_tree, collection_begin, collection_fits, collection_mark,
    collection_mark_anew, collection_marks, collection_next, collection_of_value, collection_open, collection_put,
    collection_remove, collection_walk, packed_count,
)
from gapless.engine.forest cimport ORDER_POSITION, Forest, Tree, node_at, tree_retire
from gapless.engine.list_nodes cimport (
    LISTPACK_EMPTY_BYTES, ListNodes, node_bytes_max, node_exceeds, node_is_plain, nodes_are_one, nodes_begin,
    nodes_cut, nodes_insert, nodes_pop, nodes_push, nodes_remove, nodes_replace,
)
from gapless.engine.listpack cimport listpack_entry_bytes
from gapless.engine.node cimport Node, node_item
from gapless.engine.record cimport LIST_NODES_BYTES, LIST_QUICKLIST, TYPE_LIST, read_varint
from gapless.engine.reply cimport reply_bulk_short, reply_reserve
from gapless.engine.tree cimport tree_at, tree_element, tree_next, tree_note, tree_previous
from gapless.engine.tree_cut cimport tree_cut
from gapless.engine.tree_key cimport item_element
from gapless.engine.tree_notes cimport NOTE_CUT_LEFT, NOTE_CUT_TO

cdef enum:
    LISTPACK_OF_PACKED_MAX = 3     # a listpack takes at most so many times what the packed form does
    RESERVED_BYTES_MAX = 16 << 20
    CUT_MIN = 32                   # so many elements are cut off a tree together, less go one by one


# ---- life

cdef inline void root(List* l) noexcept nogil:
    INVARIANT(sizeof(ListNodes) == LIST_NODES_BYTES and sizeof(ListNodes) <= ROOT_MORE_BYTES_MAX)
    l.c.root_bytes = sizeof(Tree) + sizeof(ListNodes)


cdef void list_begin(Call* call, const Arg* key, uint64_t key_hash, List* l) noexcept nogil:
    collection_begin(call, key, key_hash, TYPE_LIST, ORDER_POSITION, &l.c)
    root(l)
    l.fill = call.dispatch.list_listpack_size


cdef bint list_open(Call* call, const Arg* key, uint64_t key_hash, int how, List* l) noexcept nogil:
    list_begin(call, key, key_hash, l)
    return collection_open(call, how, &l.c)


cdef void list_of_value(Keyspace* ks, const Value* v, List* l) noexcept nogil:
    collection_of_value(ks, TYPE_LIST, ORDER_POSITION, v, &l.c)
    root(l)


# ---- what Redis would call it

cdef uint64_t listpack_bytes(List* l) noexcept nogil:
    """What all elements take in one listpack. O(elements)."""
    cdef CollectionWalk w
    cdef const uint8_t* element
    cdef uint32_t n = 0
    cdef uint64_t bytes = LISTPACK_EMPTY_BYTES
    collection_walk(&l.c, &w)
    while True:
        element = collection_next(&w, &n)
        if element == NULL:
            return bytes
        bytes += listpack_entry_bytes(element, n)


cdef Status become_tree(List* l) noexcept nogil:
    cdef uint64_t bytes = listpack_bytes(l), count = list_length(l)
    cdef Status status = collection_become_tree(&l.c)
    if status == STATUS_OK:
        nodes_begin(list_nodes(l), l.fill, <uint32_t>count, bytes)
    return status


cdef Status list_become_quicklist(List* l) noexcept nogil:
    cdef Status status = become_tree(l) if l.c.tree == NULL else STATUS_OK
    if status == STATUS_OK:
        collection_mark(&l.c, LIST_QUICKLIST)
        list_nodes(l).fill = l.fill
    return status


cdef Status list_expect(List* l, uint64_t bytes, uint64_t count) noexcept nogil:
    cdef uint64_t before
    if collection_marks(&l.c) & LIST_QUICKLIST:
        return STATUS_OK
    count += list_length(l)
    if l.c.tree != NULL:
        before = list_nodes(l).head_bytes
    else:
        before = LISTPACK_EMPTY_BYTES + LISTPACK_OF_PACKED_MAX * l.c.packed_bytes
        if node_exceeds(l.fill, before + bytes, count):
            before = listpack_bytes(l)
    return list_become_quicklist(l) if node_exceeds(l.fill, before + bytes, count) else STATUS_OK


cdef bint first_is_plain(List* l) noexcept nogil:
    cdef uint32_t n = 0
    list_at(l, 0, &n)
    return node_is_plain(list_nodes(l).fill, n)


cdef inline bint fits_listpack(const List* l, const ListNodes* nodes, uint32_t share) noexcept nogil:
    """Whether one node is within such a share of the limit, which is of bytes or of elements, but not of both."""
    if l.fill < 0:
        return nodes.head_bytes <= node_bytes_max(l.fill) // share
    return nodes.head_count <= <uint32_t>max(l.fill, 1) // share


cdef bint is_listpack_again(List* l) noexcept nogil:
    """Whether Redis makes a listpack of this quicklist: of one node within half the limit."""
    cdef uint64_t count = list_length(l)
    cdef ListNodes* nodes = list_nodes(l)
    if not nodes_are_one(nodes, <uint32_t>count) or count == 0 or (count == 1 and first_is_plain(l)):
        return False
    return fits_listpack(l, nodes, 2)


cdef void list_shrunk(List* l) noexcept nogil:
    if l.c.tree != NULL and collection_marks(&l.c) & LIST_QUICKLIST and is_listpack_again(l):
        collection_mark_anew(&l.c, 0)


cdef Status list_settle(List* l, const ListNodes* nodes, bint plain) noexcept nogil:
    cdef Status status
    if nodes_are_one(nodes, <uint32_t>list_length(l)) and not plain and fits_listpack(l, nodes, 1):
        return STATUS_OK
    status = list_become_quicklist(l)
    if status == STATUS_OK:
        list_nodes(l)[0] = nodes[0]
    return status


# ---- the ends

cdef inline void find_packed(List* l, uint64_t rank) noexcept nogil:
    """The packed entry of this rank, which is there."""
    cdef uint32_t n, at
    cdef const uint8_t* p
    packed_count(&l.c, &at)
    while True:
        p = read_varint(l.c.packed + at, &n)
        if rank == 0:
            break
        at = <uint32_t>(p - l.c.packed) + n
        rank -= 1
    l.c.at = at
    l.c.entry_bytes = <uint32_t>(p - l.c.packed) + n - at
    l.c.found = True


cdef Status list_push(List* l, bint left, const uint8_t* element, uint64_t n) noexcept nogil:
    cdef Status status
    cdef uint32_t count, first
    l.c.found = False
    l.c.entry_bytes = 0
    if l.c.tree == NULL:
        if collection_fits(&l.c, n):
            packed_count(&l.c, &first)
            l.c.at = first if left else l.c.packed_bytes
            return collection_put(&l.c, element, n)
        status = become_tree(l)
        if status != STATUS_OK:
            return status
    count = l.c.tree.count
    tree_at(l.c.keys.forest, l.c.tree, 0 if left else count, &l.c.place)
    status = collection_put(&l.c, element, n)
    if status == STATUS_OK:
        joined(l, count, left, element, <uint32_t>n)
    return status


cdef inline void joined(List* l, uint32_t count, bint left, const uint8_t* element, uint32_t n) noexcept nogil:
    """What an element more does to the nodes."""
    cdef ListNodes* nodes = list_nodes(l)
    cdef uint32_t size = listpack_entry_bytes(element, n)
    if collection_marks(&l.c) & LIST_QUICKLIST:
        nodes_push(nodes, count, left, n, size)
    else:
        nodes_begin(nodes, l.fill, count + 1, (nodes.head_bytes if count > 0 else <uint32_t>LISTPACK_EMPTY_BYTES) + size)


cdef const uint8_t* list_peek(List* l, bint left, uint32_t* n) noexcept nogil:
    cdef uint64_t count = list_length(l)
    return list_at(l, 0 if left else count - 1, n) if count > 0 else NULL


cdef void list_pop(List* l, bint left) noexcept nogil:
    cdef uint32_t n = 0
    cdef const uint8_t* element
    if l.c.tree != NULL and l.c.tree.count > 1:
        element = tree_element(l.c.keys.forest, &l.c.place, &n)
        nodes_pop(l.c.keys.forest, l.c.tree, list_nodes(l), left, listpack_entry_bytes(element, n))
    collection_remove(&l.c)


cdef void cut_off(List* l, bint left, uint32_t count) noexcept nogil:
    """Less than all elements, at an end of a tree, at once; or one by one where there are no pages to cut it."""
    cdef Tree part
    cdef Tree* t = l.c.tree
    cdef uint32_t _i
    if tree_cut(l.c.keys.forest, t, count if left else t.count - count, &part) == STATUS_OK:
        if left:
            part.marks = t.marks
            t[0], part = part, t[0]
        tree_retire(l.c.keys.forest, &part)
        tree_note(l.c.keys.forest, t, NOTE_CUT_LEFT if left else NOTE_CUT_TO, NULL, 0, count if left else t.count)
        l.c.dirty = True
        return
    for _i in range(count):
        tree_at(l.c.keys.forest, t, 0 if left else t.count - 1, &l.c.place)
        l.c.found = True
        collection_remove(&l.c)


cdef void list_drop(List* l, bint left, uint64_t count) noexcept nogil:
    cdef uint64_t _i
    cdef uint32_t n = 0
    count = min(count, list_length(l))
    if l.c.tree != NULL and count >= CUT_MIN:
        if count == list_length(l):
            tree_retire(l.c.keys.forest, l.c.tree)
            l.c.dirty = True
        else:
            nodes_cut(l.c.keys.forest, l.c.tree, list_nodes(l), left, <uint32_t>count)
            cut_off(l, left, <uint32_t>count)
        return
    for _i in range(count):
        list_peek(l, left, &n)
        list_pop(l, left)


cdef Status rotate_packed(List* l, bint from_left, bint to_left) noexcept nogil:
    cdef uint8_t[PACKED_BYTES_MAX] copy
    cdef uint32_t n = 0
    cdef const uint8_t* element = list_peek(l, from_left, &n)
    cdef Status status
    memcpy(copy, element, n)
    list_pop(l, from_left)
    status = list_expect(l, n, 1)
    return list_push(l, to_left, copy, n) if status == STATUS_OK else status


cdef Status rotate_tree(List* l, bint from_left, bint to_left) noexcept nogil:
    cdef ListNodes before = list_nodes(l)[0]
    cdef uint32_t n = 0, count = l.c.tree.count
    cdef const uint8_t* element = list_peek(l, from_left, &n)
    cdef Status status
    # The nodes lose it first, as Redis does; the tree gets it first, for that may be refused.
    if count > 1:
        nodes_pop(l.c.keys.forest, l.c.tree, list_nodes(l), from_left, listpack_entry_bytes(element, n))
    joined(l, count - 1, to_left, element, n)
    l.c.found = False
    tree_at(l.c.keys.forest, l.c.tree, 0 if to_left else count, &l.c.place)
    status = collection_put(&l.c, element, n)
    if status != STATUS_OK:
        list_nodes(l)[0] = before
        return status
    tree_at(l.c.keys.forest, l.c.tree, <uint64_t>to_left if from_left else count - (not to_left), &l.c.place)
    l.c.found = True
    collection_remove(&l.c)
    list_shrunk(l)
    return STATUS_OK


cdef Status list_rotate(List* l, bint from_left, bint to_left) noexcept nogil:
    return rotate_packed(l, from_left, to_left) if l.c.tree == NULL else rotate_tree(l, from_left, to_left)


# ---- anywhere

cdef const uint8_t* list_at(List* l, uint64_t rank, uint32_t* n) noexcept nogil:
    if rank >= list_length(l):
        return NULL
    if l.c.tree == NULL:
        find_packed(l, rank)
        return read_varint(l.c.packed + l.c.at, n)
    tree_at(l.c.keys.forest, l.c.tree, rank, &l.c.place)
    l.c.found = True
    return tree_element(l.c.keys.forest, &l.c.place, n)


cdef Status list_replace(List* l, uint64_t rank, const uint8_t* element, uint64_t n) noexcept nogil:
    cdef ListNodes before
    cdef Status status
    INVARIANT(l.c.found)
    if l.c.tree == NULL:
        if collection_fits(&l.c, n):
            return collection_put(&l.c, element, n)
        status = become_tree(l)
        if status != STATUS_OK:
            return status
        tree_at(l.c.keys.forest, l.c.tree, rank, &l.c.place)
    before = list_nodes(l)[0]
    nodes_replace(l.c.keys.forest, l.c.tree, list_nodes(l), <uint32_t>rank, n, listpack_entry_bytes(element, <uint32_t>n))
    status = collection_put(&l.c, element, n)
    if status != STATUS_OK:
        list_nodes(l)[0] = before
    return status


cdef Status list_insert(List* l, uint64_t rank, bint after, const uint8_t* element, uint64_t n) noexcept nogil:
    cdef ListNodes before
    cdef Status status
    cdef uint32_t size
    INVARIANT(l.c.found)
    l.c.found = False
    if l.c.tree == NULL:
        l.c.at += l.c.entry_bytes if after else 0
        l.c.entry_bytes = 0
        if collection_fits(&l.c, n):
            return collection_put(&l.c, element, n)
        status = become_tree(l)
        if status != STATUS_OK:
            return status
    before = list_nodes(l)[0]
    size = listpack_entry_bytes(element, <uint32_t>n)
    if collection_marks(&l.c) & LIST_QUICKLIST:
        nodes_insert(l.c.keys.forest, l.c.tree, list_nodes(l), <uint32_t>rank, after, n, size)
    else:
        nodes_begin(list_nodes(l), l.fill, l.c.tree.count + 1, before.head_bytes + size)
    tree_at(l.c.keys.forest, l.c.tree, rank + after, &l.c.place)
    status = collection_put(&l.c, element, n)
    if status != STATUS_OK:
        list_nodes(l)[0] = before
    return status


cdef void list_remove(List* l, uint64_t rank) noexcept nogil:
    INVARIANT(l.c.found)
    if l.c.tree != NULL:
        nodes_remove(l.c.keys.forest, l.c.tree, list_nodes(l), <uint32_t>rank)
    collection_remove(&l.c)


# ---- walking

cdef void reply_leaves(List* l, uint64_t rank, uint64_t count, Reply* reply) noexcept nogil:
    cdef const Forest* f = l.c.keys.forest
    cdef Place place
    cdef Node* leaf
    cdef const uint8_t* element
    cdef uint32_t at, end, n
    tree_at(f, l.c.tree, rank, &place)
    leaf = node_at(f, place.page[0])
    at = place.at[0]
    # About what they take, so that the buffer grows once.
    reply_reserve(reply, <size_t>min((<uint64_t>l.c.tree.pages << f.pages.page_shift) // l.c.tree.count * count * 5 // 4,
                                     <uint64_t>RESERVED_BYTES_MAX))
    while True:
        end = <uint32_t>min(<uint64_t>leaf.count, at + count)
        count -= end - at
        if count > 0:
            prefetch(node_at(f, leaf.next))
        while at < end:
            element = item_element(f, node_item(leaf, at), &n)
            reply_bulk_short(reply, element, n)
            at += 1
        if count == 0:
            return
        leaf = node_at(f, leaf.next)
        at = 0


cdef void list_reply(List* l, uint64_t rank, uint64_t count, Reply* reply) noexcept nogil:
    cdef const uint8_t* p
    cdef uint32_t n
    if count == 0:
        return
    if l.c.tree != NULL:
        reply_leaves(l, rank, count, reply)
        return
    find_packed(l, rank)
    p = l.c.packed + l.c.at
    while count > 0:
        p = read_varint(p, &n)
        reply_bulk_short(reply, p, n)
        p += n
        count -= 1


cdef void list_walk(List* l, uint64_t rank, bint backwards, ListWalk* w) noexcept nogil:
    cdef uint64_t count = list_length(l), i
    cdef uint32_t at, n
    w.list = l
    w.backwards = backwards
    w.left = rank + 1 if backwards else count - rank
    if l.c.tree != NULL:
        tree_at(l.c.keys.forest, l.c.tree, rank, &w.place)
        return
    packed_count(&l.c, &at)
    for i in range(rank):
        w.starts[i] = <uint16_t>at
        at = <uint32_t>(read_varint(l.c.packed + at, &n) - l.c.packed) + n
    w.starts[rank] = <uint16_t>at
    w.at = at


cdef const uint8_t* list_next(ListWalk* w, uint32_t* n) noexcept nogil:
    cdef List* l = w.list
    cdef const uint8_t* element
    if w.left == 0:
        return NULL
    w.left -= 1
    if l.c.tree != NULL:
        element = tree_element(l.c.keys.forest, &w.place, n)
        if w.backwards:
            tree_previous(l.c.keys.forest, &w.place)
        else:
            tree_next(l.c.keys.forest, &w.place)
        return element
    if w.backwards:
        return read_varint(l.c.packed + w.starts[w.left], n)
    element = read_varint(l.c.packed + w.at, n)
    w.at = <uint32_t>(element - l.c.packed) + n[0]
    return element
