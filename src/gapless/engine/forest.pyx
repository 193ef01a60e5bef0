from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memcpy
from gapless.engine.base cimport INVARIANT, STATUS_FULL, STATUS_OK, Status, load_u32, load_u64, store_u64
from gapless.engine.extent cimport Extents, extent_bytes, extent_give, extent_take
from gapless.engine.node cimport (
    INNER_HEAD_BYTES, NODE_EXTENTS, NODE_HEADER_BYTES, NODE_LEVEL_MASK, REFERENCE_OWNED, Node, inner_child, inner_extent,
    inner_own_extent, inner_owns_extent, item_extent, item_head_bytes_of, item_in_extent, node_item,
)
from gapless.engine.pages cimport pages_free, pages_give, pages_left, pages_new, pages_take


cdef Forest* forest_new(Extents* extents, uint32_t page_bytes, uint64_t address_bytes, uint64_t seed) noexcept nogil:
    cdef Forest* f = <Forest*>calloc(1, sizeof(Forest))
    cdef int i
    if f == NULL:
        return NULL
    f.extents = extents
    f.pages = pages_new(page_bytes, address_bytes)
    f.seed = seed
    f.hash_mask = ~<uint64_t>0
    f.element_bytes_max = (page_bytes - NODE_HEADER_BYTES) // 4 - 8
    f.slot_bytes = 2 + INNER_HEAD_BYTES + 8 + f.element_bytes_max
    f.items_max = GROUP_PAGES * (page_bytes // 3) + GROUP_FRESH
    f.scratch = <uint8_t*>calloc(GROUP_PAGES, page_bytes)
    f.items = <Item*>calloc(f.items_max, sizeof(Item))
    for i in range(2):
        f.fresh[i] = <uint8_t*>calloc(GROUP_FRESH + GROUP_PAGES, f.slot_bytes)
    if f.pages == NULL or f.scratch == NULL or f.items == NULL or f.fresh[0] == NULL or f.fresh[1] == NULL:
        forest_free(f)
        return NULL
    return f


cdef void forest_free(Forest* f) noexcept nogil:
    if f == NULL:
        return
    pages_free(f.pages)
    free(f.scratch)
    free(f.items)
    free(f.fresh[0])
    free(f.fresh[1])
    free(f)


cdef void tree_retire(Forest* f, Tree* t) noexcept nogil:
    cdef Node* root
    if t.root:
        # The root of a tree has no neighbours: its link is free to lead to the next of the retired.
        root = node_at(f, t.root)
        root.next = f.retired_first
        if t.extents:
            root.kind |= NODE_EXTENTS
        f.retired_first = t.root
        f.pages_retired += t.pages
    tree_begin(t, t.order)


cdef void give_extents(Forest* f, Node* leaf) noexcept nogil:
    cdef uint32_t i
    cdef const uint8_t* item
    for i in range(leaf.count):
        item = node_item(leaf, i)
        if item_in_extent(item):
            extent_give(f.extents, item_extent(item))


cdef uint32_t forest_reclaim(Forest* f, uint32_t most) noexcept nogil:
    cdef uint32_t done = 0, page, child
    cdef Node* node
    while done < most and f.retired_first:
        page = f.retired_first
        node = node_at(f, page)
        if node.kind & NODE_LEVEL_MASK and node.count > 0:
            node.count -= 1
            child = inner_child(node, node.count)
            if node.kind & NODE_EXTENTS and inner_owns_extent(node_item(node, node.count)):
                extent_give(f.extents, inner_extent(node_item(node, node.count)))
            if (node.kind & NODE_LEVEL_MASK) > 1 or node.kind & NODE_EXTENTS:
                node_at(f, child).next = page
                node_at(f, child).kind |= node.kind & NODE_EXTENTS
                f.retired_first = child
                continue
            # A leaf without extents is freed without being looked at.
            page = child
        else:
            f.retired_first = node.next
            if node.kind & NODE_EXTENTS and not node.kind & NODE_LEVEL_MASK:
                give_extents(f, node)
        pages_give(f.pages, page)
        f.pages_retired -= 1
        done += 1
    return done


cdef bint copy_extents(Forest* f, Node* leaf) noexcept nogil:
    """Extents of its own for a leaf copied byte by byte. False: there are none left; what it has by then are its own."""
    cdef uint32_t i
    cdef uint64_t handle, n
    cdef uint8_t* item
    for i in range(leaf.count):
        item = node_item(leaf, i)
        if not item_in_extent(item):
            continue
        n = load_u64(item + 18)
        handle = extent_take(f.extents, n)
        if handle == 0:
            leaf.count = <uint16_t>i
            return False
        memcpy(extent_bytes(f.extents, handle), extent_bytes(f.extents, item_extent(item)), n)
        store_u64(item + 10, handle)
    return True


cdef bint copy_separator(Forest* f, uint8_t* copy, const uint8_t* item, uint32_t child) noexcept nogil:
    """A separator in an extent refers to the copy of the element it is made of, or has a copy for its own. False: there is no extent left."""
    cdef Node* node = node_at(f, child)
    cdef uint64_t handle, n
    if not inner_owns_extent(item):
        while node.kind & NODE_LEVEL_MASK:
            node = node_at(f, inner_child(node, 0))
        store_u64(copy + 18, item_extent(node_item(node, 0)))
        return True
    n = (load_u32(item + 26) & ~<uint32_t>REFERENCE_OWNED) + <uint64_t>load_u32(item + 30)
    handle = extent_take(f.extents, n)
    if handle == 0:
        return False
    memcpy(extent_bytes(f.extents, handle), extent_bytes(f.extents, inner_extent(item)), n)
    store_u64(copy + 18, handle)
    inner_own_extent(copy, True)
    return True


cdef bint copy_below(Forest* f, const Tree* t, uint32_t source, uint32_t* last_leaf, uint32_t* copy) noexcept nogil:
    """False: no extent left; the copy ends where it failed, and may be retired."""
    cdef uint32_t page = pages_take(f.pages), i, child
    cdef Node* node
    cdef uint8_t* item
    cdef bint whole
    INVARIANT(page != 0)
    copy[0] = page
    node = node_at(f, page)
    memcpy(node, node_at(f, source), f.pages.page_bytes)
    node.next = 0
    node.previous = 0
    if not node.kind & NODE_LEVEL_MASK:
        if last_leaf[0]:
            node.previous = last_leaf[0]
            node_at(f, last_leaf[0]).next = page
        last_leaf[0] = page
        return not t.extents or copy_extents(f, node)
    for i in range(node.count):
        item = node_item(node, i)
        if item_in_extent(item):
            inner_own_extent(item, False)
    for i in range(node.count):
        whole = copy_below(f, t, inner_child(node, i), last_leaf, &child)
        item = node_item(node, i)
        memcpy(item + item_head_bytes_of(item), &child, 4)
        if whole and item_in_extent(item):
            whole = copy_separator(f, item, node_item(node_at(f, source), i), child)
        if not whole:
            node.count = <uint16_t>(i + 1)
            return False
    return True


cdef Status tree_copy(Forest* f, const Tree* t, Tree* out) noexcept nogil:
    cdef uint32_t last_leaf = 0, used = f.pages.used, root = 0
    cdef bint whole
    if pages_left(f.pages) < t.pages + PAGES_SPARE:
        return STATUS_FULL
    whole = t.root == 0 or copy_below(f, t, t.root, &last_leaf, &root)
    out[0] = t[0]
    out.root = root
    if not whole:
        out.pages = f.pages.used - used
        tree_retire(f, out)
        return STATUS_FULL
    return STATUS_OK
