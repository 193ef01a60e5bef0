from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy
from gapless.engine.base cimport INVARIANT, STATUS_FULL, STATUS_OK, Status
from gapless.engine.forest cimport ORDER_POSITION, Forest, Tree, node_at, tree_begin
from gapless.engine.node cimport INNER_HEAD_BYTES, Node, inner_child, inner_count, item_begin, item_bytes, node_item
from gapless.engine.pages cimport pages_left, pages_take
from gapless.engine.splice cimport lay_out, settle_root
from gapless.engine.tree cimport Place, tree_at

cdef enum:
    PAGES_LEFT_MIN = 32        # half of what is spare for removing
    ENTRY_BYTES = 1 + INNER_HEAD_BYTES


cdef struct Side:
    # The node in which one side of the cut ends at a level, 0: none, and how many elements are below it.
    uint32_t page
    uint32_t count


cdef inline void add_items(Forest* f, uint32_t begin, uint32_t end, uint32_t* items) noexcept nogil:
    """Lists items of the node in the scratch page, to be laid out."""
    cdef uint32_t i
    for i in range(begin, end):
        f.items[items[0]].at = node_item(<Node*>f.scratch, i)
        f.items[items[0]].n = item_bytes(f.items[items[0]].at)
        items[0] += 1


cdef inline void add_entry(Forest* f, const Side* side, uint8_t* entry, uint32_t* items) noexcept nogil:
    """Lists the parent's item for one side."""
    cdef uint8_t* p = item_begin(entry, INNER_HEAD_BYTES)
    memcpy(p, &side.page, 4)
    memcpy(p + 4, &side.count, 4)
    f.items[items[0]].at = entry
    f.items[items[0]].n = ENTRY_BYTES
    items[0] += 1


cdef void divide(Forest* f, Tree* t, int level, uint32_t page, uint32_t at, Side* left, Side* right) noexcept nogil:
    """Divides a node before its entry `at`; above the leaves that entry is of a node divided already, into left and right."""
    cdef uint8_t[ENTRY_BYTES] left_entry
    cdef uint8_t[ENTRY_BYTES] right_entry
    cdef uint32_t stay = 0, items, i, count = node_at(f, page).count, kind = node_at(f, page).kind
    if at == 0 and left.page == 0:
        # All of it is on the right.
        right.page = page
        right.count = 0 if level else count
        for i in range(count if level else 0):
            right.count += inner_count(node_at(f, page), i)
        return
    memcpy(f.scratch, node_at(f, page), f.pages.page_bytes)
    add_items(f, 0, at, &stay)
    if left.page:
        add_entry(f, left, left_entry, &stay)
    items = stay
    if level:
        add_entry(f, right, right_entry, &items)
    add_items(f, at + (level > 0), count, &items)
    left.page = page
    right.page = pages_take(f.pages)
    INVARIANT(right.page != 0)
    t.pages += 1
    left.count = lay_out(f, ORDER_POSITION, level, left.page, kind, f.items, stay)
    right.count = lay_out(f, ORDER_POSITION, level, right.page, kind, f.items + stay, items - stay)


cdef void part_leaves(Forest* f, uint32_t before, uint32_t after, const Side* left, const Side* right) noexcept nogil:
    """Links the leaves on either side of the cut to their neighbours, and no more to each other."""
    cdef uint32_t last = left.page if left.page else before
    node_at(f, last).next = 0
    if left.page:
        node_at(f, last).previous = before
    node_at(f, right.page).previous = 0
    node_at(f, right.page).next = after
    if after:
        node_at(f, after).previous = right.page


cdef uint32_t pages_below(const Forest* f, uint32_t page, int level) noexcept nogil:
    """Pages of a subtree, without a look at its leaves."""
    cdef Node* node
    cdef uint32_t i, pages = 1
    if level == 0:
        return 1
    node = node_at(f, page)
    if level == 1:
        return 1 + node.count
    for i in range(node.count):
        pages += pages_below(f, inner_child(node, i), level - 1)
    return pages


cdef Status tree_cut(Forest* f, Tree* t, uint64_t rank, Tree* right) noexcept nogil:
    cdef Place place
    cdef Side left_side, right_side
    cdef Node* leaf
    cdef uint32_t before, after, pages
    cdef int level
    INVARIANT(t.order == ORDER_POSITION and 0 < rank < t.count)
    if pages_left(f.pages) < PAGES_LEFT_MIN:
        return STATUS_FULL
    tree_at(f, t, rank, &place)
    leaf = node_at(f, place.page[0])
    before = leaf.previous
    after = leaf.next
    left_side.page = 0
    left_side.count = 0
    right_side.count = 0
    for level in range(t.height + 1):
        divide(f, t, level, place.page[level], place.at[level], &left_side, &right_side)
        if level == 0:
            part_leaves(f, before, after, &left_side, &right_side)
    tree_begin(right, t.order)
    right.root = right_side.page
    right.height = t.height
    right.extents = t.extents
    right.count = t.count - <uint32_t>rank
    t.root = left_side.page
    t.count = <uint32_t>rank
    # Whichever is shorter is counted, the other has the rest.
    pages = pages_below(f, right.root if right.count < t.count else t.root, t.height)
    right.pages = pages if right.count < t.count else t.pages - pages
    t.pages -= right.pages
    settle_root(f, t)
    settle_root(f, right)
    return STATUS_OK
