from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memcpy
from gapless.engine.base cimport INVARIANT, STATUS_FULL, STATUS_OK, Status
from gapless.engine.node cimport (
    INNER_HEAD_BYTES, ITEM_LONG, NODE_HEADER_BYTES, NODE_LEVEL_MASK, Node, inner_child, node_item,
)
from gapless.engine.pages cimport pages_free, pages_give, pages_left, pages_new, pages_take


cdef Forest* forest_new(uint32_t page_bytes, uint64_t address_bytes, uint64_t seed) noexcept nogil:
    cdef Forest* f = <Forest*>calloc(1, sizeof(Forest))
    cdef int i
    if f == NULL:
        return NULL
    f.pages = pages_new(page_bytes, address_bytes)
    f.seed = seed
    f.hash_mask = ~<uint64_t>0
    f.element_bytes_max = (page_bytes - NODE_HEADER_BYTES) // 4 - 8
    f.slot_bytes = 2 + INNER_HEAD_BYTES + 8 + f.element_bytes_max
    f.items_max = GROUP_PAGES * (page_bytes // 3) + GROUP_FRESH
    f.scratch = <uint8_t*>calloc(GROUP_PAGES, page_bytes)
    f.items = <Item*>calloc(f.items_max, sizeof(Item))
    for i in range(2):
        f.fresh[i] = <uint8_t*>calloc(GROUP_FRESH + 1, f.slot_bytes)
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
    if t.root:
        # The root of a tree has no neighbours: its link is free to lead to the next of the retired.
        node_at(f, t.root).next = f.retired_first
        f.retired_first = t.root
        f.pages_retired += t.pages
    tree_begin(t, t.order)


cdef uint32_t forest_reclaim(Forest* f, uint32_t most) noexcept nogil:
    cdef uint32_t done = 0, page, child
    cdef Node* node
    while done < most and f.retired_first:
        page = f.retired_first
        node = node_at(f, page)
        if node.kind & NODE_LEVEL_MASK and node.count > 0:
            node.count -= 1
            child = inner_child(node, node.count)
            if (node.kind & NODE_LEVEL_MASK) > 1:
                node_at(f, child).next = page
                f.retired_first = child
                continue
            # A leaf is freed without being looked at.
            page = child
        else:
            f.retired_first = node.next
        pages_give(f.pages, page)
        f.pages_retired -= 1
        done += 1
    return done


cdef uint32_t copy_below(Forest* f, uint32_t source, uint32_t* last_leaf) noexcept nogil:
    cdef uint32_t page = pages_take(f.pages), i, child
    cdef Node* node
    cdef uint8_t* item
    INVARIANT(page != 0)
    node = node_at(f, page)
    memcpy(node, node_at(f, source), f.pages.page_bytes)
    node.next = 0
    node.previous = 0
    if not node.kind & NODE_LEVEL_MASK:
        if last_leaf[0]:
            node.previous = last_leaf[0]
            node_at(f, last_leaf[0]).next = page
        last_leaf[0] = page
        return page
    for i in range(node.count):
        child = copy_below(f, inner_child(node, i), last_leaf)
        item = node_item(node, i)
        memcpy(item + (1 if item[0] < ITEM_LONG else 2), &child, 4)
    return page


cdef Status tree_copy(Forest* f, const Tree* t, Tree* out) noexcept nogil:
    cdef uint32_t last_leaf = 0
    if pages_left(f.pages) < t.pages + PAGES_SPARE:
        return STATUS_FULL
    out[0] = t[0]
    if t.root:
        out.root = copy_below(f, t.root, &last_leaf)
    return STATUS_OK
