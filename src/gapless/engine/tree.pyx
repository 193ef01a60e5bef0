from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memcmp, memcpy, memmove
from gapless.engine.base cimport INVARIANT, STATUS_FULL, STATUS_OK, STATUS_TOO_LARGE, Status, likely, prefetch, unlikely
from gapless.engine.extent cimport extent_bytes, extent_give, extent_take
from gapless.engine.forest cimport ORDER_BYTES, ORDER_POSITION, PAGES_SPARE, TREE_COUNT_MAX, Forest, Tree, node_at
from gapless.engine.node cimport (
    NODE_LEVEL_MASK, NODE_NARROW, Node, inner_add, inner_child, inner_count, inner_extent, inner_own_extent, item_begin,
    item_extent, item_head_bytes, item_in_extent, item_open, item_write_extent, node_begin, node_entry_bytes, node_finger,
    node_gap, node_insert, node_item, node_remove, node_suits, node_wide,
)
from gapless.engine.pages cimport pages_left, pages_reserve, pages_take
from gapless.engine.splice cimport SPLICE_PAGES, Splice, fresh_item, splice
from gapless.engine.tree_key cimport (
    Key, element_key, hashed_part, inner_key, item_element, key_compare, leaf_key, order_hashes,
)
from gapless.engine.tree_notes cimport (
    DROPPED_BYTES_MAX, NOTE_DROP, NOTE_INSERT, NOTE_PUT, NOTE_REMOVE, NOTE_REPLACE, note_take,
)

cdef enum:
    DIRECTORY_LINES = 4        # of a node, prefetched on the way down


# ---- the way down

cdef inline void prefetch_node(const Node* node) noexcept nogil:
    cdef int i
    for i in range(DIRECTORY_LINES):
        prefetch(<const uint8_t*>node + i * 64)


cdef inline int compare_at(const Forest* f, int order, Node* node, uint32_t at, const Key* key) noexcept nogil:
    """The element or separator there against the key."""
    cdef Key other
    cdef const uint8_t* item = node_item(node, at)
    if node.kind & NODE_LEVEL_MASK:
        inner_key(f, item, &other)
    else:
        leaf_key(f, order, item, &other)
    return key_compare(&other, key)


cdef inline uint32_t first_of_finger(int order, Node* node, uint32_t finger) noexcept nogil:
    """The first entry whose finger is not less."""
    cdef const uint32_t* wide = node_wide(node)
    cdef uint32_t low = 0, high = node.count, middle
    if order_hashes(order):
        # Hashes are uniform: the finger says about where.
        low = (finger * high) >> 16
        while low > 0 and wide[low - 1] >> 16 >= finger:
            low -= 1
        while low < high and wide[low] >> 16 < finger:
            low += 1
        return low
    while low < high:
        middle = (low + high) >> 1
        if wide[middle] >> 16 < finger:
            low = middle + 1
        else:
            high = middle
    return low


cdef inline uint32_t last_of_finger(Node* node, uint32_t low, uint32_t finger) noexcept nogil:
    """The first entry from low whose finger is greater."""
    cdef const uint32_t* wide = node_wide(node)
    cdef uint32_t high = node.count, middle
    cdef int near = 0
    while low < high and near < 4:
        if wide[low] >> 16 != finger:
            return low
        low += 1
        near += 1
    while low < high:
        middle = (low + high) >> 1
        if wide[middle] >> 16 <= finger:
            low = middle + 1
        else:
            high = middle
    return low


cdef inline uint32_t leaf_search(const Forest* f, int order, Node* node, const Key* key, bint* found) noexcept nogil:
    """The first element not less than the key."""
    cdef uint32_t finger = node_finger(node, key.head)
    cdef uint32_t low = first_of_finger(order, node, finger)
    cdef uint32_t high = last_of_finger(node, low, finger)
    cdef uint32_t at, n, bytes, middle
    cdef const uint8_t* element
    cdef int difference
    if order_hashes(order) and high - low <= 4 and key.tail != NULL:
        for at in range(low, high):
            element = item_element(f, node_item(node, at), &n)
            element = hashed_part(order, element, n, &bytes)
            if bytes == key.tail_bytes and memcmp(element, key.tail, bytes) == 0:
                found[0] = True
                return at
    while low < high:
        middle = (low + high) >> 1
        difference = compare_at(f, order, node, middle, key)
        if difference == 0:
            found[0] = True
            return middle
        if difference < 0:
            low = middle + 1
        else:
            high = middle
    return low


cdef inline uint32_t inner_search(const Forest* f, int order, Node* node, const Key* key) noexcept nogil:
    """The last child whose separator is not greater than the key; the first has none to its left."""
    cdef uint32_t finger = node_finger(node, key.head)
    cdef uint32_t low = first_of_finger(order, node, finger)
    cdef uint32_t high = last_of_finger(node, low, finger)
    cdef uint32_t middle
    while low < high:
        middle = (low + high) >> 1
        if middle == 0 or compare_at(f, order, node, middle, key) <= 0:
            low = middle + 1
        else:
            high = middle
    return low - 1 if low > 0 else 0


cdef bint tree_find(const Forest* f, const Tree* t, const Key* key, Place* place) noexcept nogil:
    cdef uint32_t page = t.root
    cdef int level = t.height, order = t.order
    cdef Node* node
    cdef bint found = False
    place.found = False
    place.page[0] = page
    place.at[0] = 0
    if page == 0:
        return False
    while level > 0:
        node = node_at(f, page)
        place.page[level] = page
        place.at[level] = <uint16_t>inner_search(f, order, node, key)
        page = inner_child(node, place.at[level])
        prefetch_node(node_at(f, page))
        level -= 1
    place.page[0] = page
    place.at[0] = <uint16_t>leaf_search(f, order, node_at(f, page), key, &found)
    place.found = found
    return found


cdef bint tree_at(const Forest* f, const Tree* t, uint64_t rank, Place* place) noexcept nogil:
    cdef uint32_t page = t.root, at, count
    cdef uint64_t below = t.count
    cdef int level = t.height
    cdef Node* node
    place.found = False
    place.page[0] = page
    place.at[0] = 0
    if rank > t.count or page == 0:
        return rank == 0 and page == 0
    place.found = rank < t.count
    while level > 0:
        # From the nearer end. The place after the last element is in the last node.
        node = node_at(f, page)
        if rank < below - rank:
            at = 0
            while True:
                count = inner_count(node, at)
                if rank < count:
                    break
                rank -= count
                at += 1
        else:
            at = node.count - 1
            rank = below - rank
            while True:
                count = inner_count(node, at)
                if rank <= count:
                    break
                rank -= count
                at -= 1
            rank = count - rank
        below = count
        place.page[level] = page
        place.at[level] = <uint16_t>at
        page = inner_child(node, at)
        prefetch_node(node_at(f, page))
        level -= 1
    place.page[0] = page
    place.at[0] = <uint16_t>rank
    return True


cdef uint64_t tree_rank(const Forest* f, const Tree* t, const Place* place) noexcept nogil:
    cdef uint64_t rank = place.at[0]
    cdef int level
    cdef uint32_t i
    cdef Node* node
    for level in range(1, t.height + 1):
        node = node_at(f, place.page[level])
        if place.at[level] <= node.count >> 1 or level < t.height:
            for i in range(place.at[level]):
                rank += inner_count(node, i)
        else:
            rank += t.count
            for i in range(place.at[level], node.count):
                rank -= inner_count(node, i)
    return rank


cdef const uint8_t* tree_element(const Forest* f, const Place* place, uint32_t* n) noexcept nogil:
    cdef Node* node
    if place.page[0] == 0:
        return NULL
    node = node_at(f, place.page[0])
    if place.at[0] < node.count:
        return item_element(f, node_item(node, place.at[0]), n)
    if node.next == 0:
        return NULL
    # A key between two leaves is found at the end of the left one.
    return item_element(f, node_item(node_at(f, node.next), 0), n)


cdef bint tree_next(const Forest* f, Place* place) noexcept nogil:
    cdef Node* node
    if place.page[0] == 0:
        return False
    node = node_at(f, place.page[0])
    if place.at[0] == node.count:
        if node.next == 0:
            return False
        place.page[0] = node.next
        place.at[0] = 0
        node = node_at(f, node.next)
    place.at[0] += 1
    if place.at[0] < node.count:
        return True
    if node.next == 0:
        return False
    place.page[0] = node.next
    place.at[0] = 0
    prefetch_node(node_at(f, node_at(f, node.next).next))
    return True


cdef bint tree_previous(const Forest* f, Place* place) noexcept nogil:
    cdef Node* node
    if place.page[0] == 0:
        return False
    if place.at[0] > 0:
        place.at[0] -= 1
        return True
    node = node_at(f, place.page[0])
    if node.previous == 0:
        return False
    place.page[0] = node.previous
    node = node_at(f, node.previous)
    place.at[0] = node.count - 1
    prefetch_node(node_at(f, node.previous))
    return True


# ---- changing

cdef inline Status room_for_change(Forest* f, const Tree* t) noexcept nogil:
    if unlikely(pages_left(f.pages) < SPLICE_PAGES * <uint32_t>(t.height + 3) + PAGES_SPARE):
        return STATUS_FULL
    if unlikely(f.pages.high_water == 1) and not pages_reserve(f.pages):
        return STATUS_FULL
    return STATUS_OK


cdef bint tree_has_room(const Forest* f, const Tree* t, uint64_t changes) noexcept nogil:
    # A level more than there are: the changes themselves may add one.
    return pages_left(f.pages) >= SPLICE_PAGES * <uint64_t>(t.height + 4) * changes + PAGES_SPARE


cdef Status make_item(Forest* f, Tree* t, const uint8_t* element, uint32_t n) noexcept nogil:
    """The element as an item, ready to go into a leaf."""
    cdef uint64_t handle
    cdef Key key
    if likely(n <= f.element_bytes_max):
        memcpy(item_begin(fresh_item(f, 0, 0), n), element, n)
        return STATUS_OK
    handle = extent_take(f.extents, n)
    if handle == 0:
        return STATUS_FULL
    memcpy(extent_bytes(f.extents, handle), element, n)
    key.head = 0
    if t.order != ORDER_POSITION:
        element_key(f, t.order, element, n, &key)
    item_write_extent(fresh_item(f, 0, 0), key.head, handle, n)
    t.extents = 1
    return STATUS_OK


cdef uint32_t place_rank(const Forest* f, const Tree* t, const Place* place) noexcept nogil:
    """As tree_rank(), quicker at either end."""
    cdef Node* leaf
    if t.root == 0:
        return 0
    leaf = node_at(f, place.page[0])
    if leaf.previous == 0:
        return place.at[0]
    if leaf.next == 0:
        return t.count - leaf.count + place.at[0]
    return <uint32_t>tree_rank(f, t, place)


cdef void note_written(const Forest* f, const Tree* t, const Place* place, int kind, const uint8_t* element, uint32_t n) noexcept nogil:
    """An element that is inserted or replaced, made an item already if it is large."""
    cdef bint large = n > f.element_bytes_max
    if large:
        element = extent_bytes(f.extents, item_extent(fresh_item(f, 0, 0)))
    if t.order == ORDER_POSITION:
        note_take(f.notes, t, kind, element, n, place_rank(f, t, place), large)
    else:
        note_take(f.notes, t, NOTE_PUT, element, n, 0, large)


cdef void note_removed(const Forest* f, const Tree* t, const Place* place, const uint8_t* item) noexcept nogil:
    cdef uint32_t n
    cdef const uint8_t* element
    if t.order == ORDER_POSITION:
        note_take(f.notes, t, NOTE_REMOVE, NULL, 0, place_rank(f, t, place), False)
        return
    element = item_element(f, item, &n)
    if order_hashes(t.order):
        element = hashed_part(t.order, element, n, &n)
    elif t.order == ORDER_BYTES:
        n = min(n, <uint32_t>DROPPED_BYTES_MAX)
    note_take(f.notes, t, NOTE_DROP, element, n, 0, item_in_extent(item))


cdef Status tree_insert(Forest* f, Tree* t, Place* place, const uint8_t* element, uint32_t n) noexcept nogil:
    cdef Status status = room_for_change(f, t)
    cdef uint32_t size = item_head_bytes(n) + n
    cdef Node* node
    cdef Key key
    cdef Splice s
    cdef int level
    if unlikely(status != STATUS_OK):
        return status
    if unlikely(t.count >= TREE_COUNT_MAX):
        return STATUS_TOO_LARGE
    if unlikely(n > f.element_bytes_max):
        status = make_item(f, t, element, n)
        if status != STATUS_OK:
            return status
    if tree_is_noted(f, t):
        note_written(f, t, place, NOTE_INSERT, element, n)
    if t.root == 0:
        t.root = pages_take(f.pages)
        t.pages = 1
        node_begin(node_at(f, t.root), NODE_NARROW if t.order == ORDER_POSITION else 0, f.pages.page_bytes)
        place.page[0] = t.root
        place.at[0] = 0
    node = node_at(f, place.page[0])
    t.count += 1
    if likely(n <= f.element_bytes_max):
        if likely(node_suits(node, size)) and likely(size + node_entry_bytes(node) <= node_gap(node)):
            key.head = 0
            if t.order != ORDER_POSITION:
                element_key(f, t.order, element, n, &key)
            memcpy(item_begin(node_insert(node, place.at[0], size, key.head), n), element, n)
            for level in range(1, t.height + 1):
                inner_add(node_at(f, place.page[level]), place.at[level], 1)
            return STATUS_OK
        make_item(f, t, element, n)
    s.remove = 0
    s.count = 1
    s.turn = 0
    s.delta = 1
    splice(f, t, place, &s)
    return STATUS_OK


cdef inline uint8_t* item_at_place(const Forest* f, const Place* place) noexcept nogil:
    INVARIANT(place.page[0] != 0 and place.at[0] < node_at(f, place.page[0]).count)
    return node_item(node_at(f, place.page[0]), place.at[0])


cdef void let_go(Forest* f, const Tree* t, const Place* place, const uint8_t* item) noexcept nogil:
    """The extent of an element that goes, unless a separator is made of it: that has it for its own then."""
    cdef int level = 1
    cdef uint8_t* separator
    if place.at[0] == 0:
        while level <= t.height and place.at[level] == 0:
            level += 1
        if level <= t.height:
            separator = node_item(node_at(f, place.page[level]), place.at[level])
            if item_in_extent(separator) and inner_extent(separator) == item_extent(item):
                inner_own_extent(separator, True)
                return
    extent_give(f.extents, item_extent(item))


cdef Status tree_replace(Forest* f, Tree* t, Place* place, const uint8_t* element, uint32_t n) noexcept nogil:
    cdef Status status
    cdef uint32_t before
    cdef uint8_t* item = item_at_place(f, place)
    cdef uint8_t* bytes = <uint8_t*>item_open(item, &before)
    cdef Splice s
    if likely(before == n and not item_in_extent(item)):
        if tree_is_noted(f, t):
            note_written(f, t, place, NOTE_REPLACE, element, n)
        memmove(bytes, element, n)
        return STATUS_OK
    status = room_for_change(f, t)
    if unlikely(status != STATUS_OK):
        return status
    status = make_item(f, t, element, n)
    if unlikely(status != STATUS_OK):
        return status
    if tree_is_noted(f, t):
        note_written(f, t, place, NOTE_REPLACE, element, n)
    if item_in_extent(item):
        let_go(f, t, place, item)
    s.remove = 1
    s.count = 1
    s.turn = 0
    s.delta = 0
    splice(f, t, place, &s)
    return STATUS_OK


cdef void tree_remove(Forest* f, Tree* t, Place* place) noexcept nogil:
    cdef Splice s
    cdef const uint8_t* item = item_at_place(f, place)
    cdef Node* leaf = node_at(f, place.page[0])
    cdef int level
    if tree_is_noted(f, t):
        note_removed(f, t, place, item)
    if item_in_extent(item):
        let_go(f, t, place, item)
    t.count -= 1
    if leaf.count > 1 and (leaf.next == 0 or leaf.previous == 0):
        # A leaf at either end is emptied where it lies, as those of queues are: what is left of it is not worth a merger.
        node_remove(leaf, place.at[0])
        for level in range(1, t.height + 1):
            inner_add(node_at(f, place.page[level]), place.at[level], -1)
        return
    s.remove = 1
    s.count = 0
    s.turn = 0
    s.delta = -1
    splice(f, t, place, &s)
