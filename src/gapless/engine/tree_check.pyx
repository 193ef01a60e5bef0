from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free
from gapless.engine.extent cimport extent_committed
from gapless.engine.forest cimport ORDER_COUNT, ORDER_POSITION, Forest, Tree, node_at
from gapless.engine.node cimport (
    BARE_ITEM_BYTES, NODE_EVEN, NODE_EXTENTS, NODE_HEADER_BYTES, NODE_LEVEL_MASK, NODE_NARROW, Node, even_page_bytes, inner_child,
    inner_count, inner_extent, inner_owns_extent, item_bytes, item_extent, item_in_extent, node_entry_bytes, node_finger, node_free,
    node_item, node_suits, node_wide,
)
from gapless.engine.tree_key cimport Key, element_key, inner_key, item_element, key_compare, leaf_key


cdef struct Walk:
    const Forest* f
    const Tree* t
    Census* c
    uint32_t last_leaf
    uint64_t pages


cdef Census* census_new(const Forest* f) noexcept nogil:
    cdef Census* c = <Census*>calloc(1, sizeof(Census))
    if c == NULL:
        return NULL
    c.seen = <uint8_t*>calloc(f.pages.high_water, 1)
    if c.seen == NULL:
        free(c)
        return NULL
    return c


cdef void census_free(Census* c) noexcept nogil:
    if c != NULL:
        free(c.seen)
        free(c)


cdef const char* reach(const Forest* f, Census* c, uint32_t page) noexcept nogil:
    if page == 0 or page >= f.pages.high_water:
        return "tree: a page number leads out of the range"
    if c.seen[page]:
        return "tree: a page is reached twice"
    c.seen[page] = 1
    c.pages += 1
    return NULL


cdef void key_at(const Walk* w, Node* node, uint32_t at, Key* key) noexcept nogil:
    if node.kind & NODE_LEVEL_MASK:
        inner_key(w.f, node_item(node, at), key)
    else:
        leaf_key(w.f, w.t.order, node_item(node, at), key)


cdef const char* check_layout(const Walk* w, Node* node) noexcept nogil:
    cdef uint32_t i, n, used = 0, page_bytes = w.f.pages.page_bytes
    cdef const uint8_t* item
    cdef const uint8_t* element
    cdef Key key, before
    cdef bint leaf = not node.kind & NODE_LEVEL_MASK
    if node.count == 0:
        return "tree: an empty node"
    if ((node.kind & NODE_NARROW) != 0) != (w.t.order == ORDER_POSITION):
        return "tree: a node's entries are of another order"
    if node.payload > page_bytes or NODE_HEADER_BYTES + node.count * node_entry_bytes(node) > node.payload:
        return "tree: a node's directory and payload overlap"
    for i in range(node.count):
        if node_item(node, i) < <uint8_t*>node + node.payload or node_item(node, i) >= <uint8_t*>node + page_bytes:
            return "tree: an item lies outside its payload"
        item = node_item(node, i)
        used += item_bytes(item)
        if not node_suits(node, item_bytes(item)):
            return "tree: an item of an even node is of another length"
        if item_in_extent(item):
            if not w.t.extents:
                return "tree: an element in an extent, in a tree that has none"
            if extent_committed(w.f.extents, item_extent(item) if leaf else inner_extent(item)) == 0:
                return "tree: the extent of an element has no pages"
            w.c.extents += leaf or inner_owns_extent(item)
            if leaf and w.t.order != ORDER_POSITION:
                element = item_element(w.f, item, &n)
                element_key(w.f, w.t.order, element, n, &key)
                leaf_key(w.f, w.t.order, item, &before)
                if key_compare(&key, &before) != 0:
                    return "tree: the head of an element in an extent is not its own"
                if i > 0:
                    key_at(w, node, i - 1, &before)
        if w.t.order == ORDER_POSITION:
            continue
        key_at(w, node, i, &key)
        if node_wide(node)[i] >> 16 != node_finger(node, key.head):
            return "tree: a finger does not show its key"
        if i > (0 if leaf else 1) and key_compare(&before, &key) >= 0:
            return "tree: items are out of order"
        before = key
    if node.kind & NODE_EVEN:
        if not node.kind & NODE_NARROW or node.dead or even_page_bytes(node) != page_bytes or used > page_bytes - node.payload:
            return "tree: the items of an even node do not lie side by side"
    elif used + node.dead != page_bytes - node.payload:
        return "tree: a node's dead bytes are off"
    return NULL


cdef const char* walk(Walk* w, uint32_t page, uint32_t level, const uint8_t* separator, const Key* lower, const Key* upper,
                      uint64_t* below) noexcept nogil:
    """`separator`: the item above that bounds it; NULL: none."""
    cdef const char* wrong = reach(w.f, w.c, page)
    cdef Node* node
    cdef Key first, next_first
    cdef uint32_t i
    cdef uint64_t part
    cdef bint keys = w.t.order != ORDER_POSITION
    if wrong != NULL:
        return wrong
    w.pages += 1
    node = node_at(w.f, page)
    if (node.kind & NODE_LEVEL_MASK) != level:
        return "tree: a node's level is off"
    wrong = check_layout(w, node)
    if wrong != NULL:
        return wrong
    if level == 0:
        if node.previous != w.last_leaf or (w.last_leaf and node_at(w.f, w.last_leaf).next != page):
            return "tree: leaves are not linked in order"
        w.last_leaf = page
        w.c.leaves += 1
        w.c.bytes_room += w.f.pages.page_bytes - NODE_HEADER_BYTES
        w.c.bytes_used += w.f.pages.page_bytes - NODE_HEADER_BYTES - node_free(node)
        below[0] = node.count
        if keys:
            key_at(w, node, 0, &first)
            if lower != NULL and key_compare(lower, &first) > 0:
                return "tree: a key is less than its separator"
            if separator != NULL and item_in_extent(separator) and not inner_owns_extent(separator):
                if not item_in_extent(node_item(node, 0)) or item_extent(node_item(node, 0)) != inner_extent(separator):
                    return "tree: a separator refers to an element that is not there"
            key_at(w, node, node.count - 1, &first)
            if upper != NULL and key_compare(&first, upper) >= 0:
                return "tree: a key is not less than the next separator"
        return NULL
    below[0] = 0
    if item_bytes(node_item(node, 0)) != BARE_ITEM_BYTES:
        return "tree: a node's first item has a separator"
    for i in range(node.count):
        key_at(w, node, i, &first)
        if i + 1 < node.count:
            key_at(w, node, i + 1, &next_first)
        wrong = walk(w, inner_child(node, i), level - 1, node_item(node, i) if i else separator, (&first if i else lower) if keys else NULL,
                     (&next_first if i + 1 < node.count else upper) if keys else NULL, &part)
        if wrong != NULL:
            return wrong
        if part != inner_count(node, i):
            return "tree: a count of elements below is off"
        below[0] += part
    return NULL


cdef const char* tree_check(const Forest* f, const Tree* t, Census* c) noexcept nogil:
    cdef Walk w
    cdef uint64_t below = 0
    cdef const char* wrong
    w.f = f
    w.t = t
    w.c = c
    w.last_leaf = 0
    w.pages = 0
    if t.order >= ORDER_COUNT:
        return "tree: no such order"
    if t.root == 0:
        if t.count != 0 or t.pages != 0 or t.height != 0:
            return "tree: empty, but counts something"
        return NULL
    wrong = walk(&w, t.root, t.height, NULL, NULL, NULL, &below)
    if wrong != NULL:
        return wrong
    if node_at(f, w.last_leaf).next != 0:
        return "tree: the last leaf leads on"
    if t.height > 0 and node_at(f, t.root).count < 2:
        return "tree: a root with one child"
    if below != t.count:
        return "tree: the number of elements is off"
    if w.pages != t.pages:
        return "tree: the number of pages is off"
    c.elements += below
    return NULL


cdef const char* reach_below(const Forest* f, Census* c, uint32_t page, bint extents) noexcept nogil:
    """What is left of a retired tree; its leaves are looked at only if they may hold extents."""
    cdef const char* wrong = reach(f, c, page)
    cdef Node* node = node_at(f, page)
    cdef uint32_t i
    cdef bint leaf = not node.kind & NODE_LEVEL_MASK
    if wrong != NULL or (leaf and not extents):
        return wrong
    for i in range(node.count):
        if leaf:
            c.extents += item_in_extent(node_item(node, i))
            continue
        c.extents += extents and inner_owns_extent(node_item(node, i))
        wrong = reach_below(f, c, inner_child(node, i), extents)
        if wrong != NULL:
            return wrong
    return NULL


cdef const char* forest_check(const Forest* f, Census* c) noexcept nogil:
    cdef uint32_t page = f.retired_first
    cdef uint64_t before = c.pages
    cdef const char* wrong
    while page:
        wrong = reach_below(f, c, page, (node_at(f, page).kind & NODE_EXTENTS) != 0)
        if wrong != NULL:
            return wrong
        page = node_at(f, page).next
    if c.pages - before != f.pages_retired:
        return "tree: the number of retired pages is off"
    if c.pages != f.pages.used:
        return "pages: one in use is not reached by any tree"
    if f.pages.used + f.pages.free_count + 1 != f.pages.high_water or f.pages.cached_count > f.pages.free_count:
        return "pages: pages were lost"
    return NULL
