from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memcpy
from gapless.engine.base cimport INVARIANT
from gapless.engine.extent cimport extent_bytes, extent_give
from gapless.engine.forest cimport GROUP_FRESH, GROUP_PAGES, ORDER_POSITION, TREE_LEVELS, Forest, Item, Tree, node_at
from gapless.engine.node cimport (
    BARE_ITEM_BYTES, EVEN_ITEM_BYTES_MIN, INNER_HEAD_BYTES, NODE_EVEN, NODE_HEADER_BYTES, NODE_NARROW, REFERENCE_BYTES, Node,
    entry_bytes, even_begin, even_end, inner_add, inner_begin, inner_child, inner_extent, inner_like, inner_owns_extent, inner_refer,
    item_bytes, item_child, item_count, item_extent, item_head_bytes_of, item_in_extent, node_begin, node_compact, node_entry_bytes,
    node_finger, node_free, node_gap, node_insert, node_item, node_narrow, node_remove, node_suits, node_wide,
)
from gapless.engine.pages cimport pages_give, pages_take
from gapless.engine.tree cimport Place
from gapless.engine.tree_key cimport Key, inner_key, leaf_key, separator_bytes, separator_write

cdef extern from * nogil:
    int __builtin_clzll(unsigned long long v)

cdef enum:
    # Shares of a node's room, in thousandths.
    SHARED_FULL = 900          # siblings that share an insert are no fuller than this; else there is a node more
    MERGED_FULL = 975          # a node less, if those left are no fuller than this
    UNDERFULL = 650


# ---- laying out a group of nodes anew

cdef struct Group:
    uint32_t first             # entry of the parent
    uint32_t nodes             # neighbours of one parent
    uint32_t[GROUP_PAGES] page
    uint32_t items
    uint32_t bytes             # of the items and their entries
    uint32_t entry             # bytes of one entry
    bint even                  # all items are of one length
    uint32_t kind
    uint32_t next              # leaves: what was right and left of the group
    uint32_t previous
    const uint8_t* lower       # the parent's item of its first node; NULL: it is the root
    uint32_t dropped           # of the parent's separators whose extents nobody will have
    uint64_t[GROUP_PAGES] extent


cdef inline uint32_t node_room(const Forest* f) noexcept nogil:
    return f.pages.page_bytes - NODE_HEADER_BYTES


cdef inline void group_add(Forest* f, Group* g, const uint8_t* item) noexcept nogil:
    INVARIANT(g.items < f.items_max)
    f.items[g.items].at = item
    f.items[g.items].n = item_bytes(item)
    if f.items[g.items].n != f.items[0].n:
        g.even = False
    g.bytes += f.items[g.items].n
    g.items += 1


cdef void take_separator(Forest* f, Group* g, int level, int turn, uint32_t i, uint32_t begin, const uint8_t* separator) noexcept nogil:
    """What the parent has for the group's i-th node, whose items begin there: no more for leaves; else its first item needs it, unless that
    came to be the first of the group.
    """
    cdef uint8_t* item = fresh_item(f, turn, GROUP_FRESH + i)
    cdef Item* first = &f.items[begin]
    if level > 0 and begin > 0 and begin < g.items:
        inner_like(item, separator, item_child(first.at), item_count(first.at))
        g.bytes -= first.n
        first.at = item
        first.n = item_bytes(item)
        g.bytes += first.n
    elif inner_owns_extent(separator):
        g.extent[g.dropped] = inner_extent(separator)
        g.dropped += 1


cdef void gather(Forest* f, const Tree* t, const Place* place, int level, const Splice* s, Group* g) noexcept nogil:
    """Copies the group's nodes and lists their items, the splice of the path's node carried out."""
    cdef uint32_t i, j, at, begin
    cdef uint8_t* copy
    cdef Node* node
    cdef Node* parent = node_at(f, place.page[level + 1]) if level < t.height else NULL
    g.lower = node_item(parent, g.first) if parent != NULL else NULL
    g.dropped = 0
    g.items = 0
    g.bytes = 0
    g.kind = 0
    g.even = True
    for i in range(g.nodes):
        copy = f.scratch + i * f.pages.page_bytes
        memcpy(copy, node_at(f, g.page[i]), f.pages.page_bytes)
        node = <Node*>copy
        g.kind |= node.kind
        if i == 0:
            g.previous = node.previous
        g.next = node.next
        at = 0
        begin = g.items
        if g.page[i] == place.page[level]:
            for at in range(place.at[level]):
                group_add(f, g, node_item(node, at))
            for j in range(s.count):
                group_add(f, g, fresh_item(f, s.turn, j))
            at = place.at[level] + s.remove
        while at < node.count:
            group_add(f, g, node_item(node, at))
            at += 1
        if i > 0:
            take_separator(f, g, level, s.turn, i, begin, node_item(parent, g.first + i))
    g.kind &= ~<uint32_t>NODE_EVEN
    g.entry = entry_bytes(g.kind | NODE_EVEN if g.even and may_be_even(g.kind, f.items[0].n) else g.kind)
    g.bytes += g.items * g.entry


cdef bint cut_evenly(const Forest* f, const Group* g, uint32_t nodes, uint32_t* cuts) noexcept nogil:
    """Where each of so many nodes begins, all about equally full; else filled from the left. False: they do not fit."""
    cdef uint32_t entry = g.entry
    cdef uint32_t room = node_room(f), i, j, used, done, cost, goal
    cdef bint fits = True
    if g.items < nodes:
        return False
    j = 0
    done = 0
    for i in range(nodes):
        cuts[i] = j
        goal = <uint32_t>(<uint64_t>g.bytes * (i + 1) // nodes)
        used = 0
        while j < g.items and (i == nodes - 1 or g.items - j > nodes - 1 - i):
            cost = f.items[j].n + entry
            if i < nodes - 1 and used > 0 and done + cost // 2 > goal:
                break
            used += cost
            done += cost
            j += 1
        fits = fits and used <= room and used > 0
    cuts[nodes] = g.items
    if fits:
        return True
    j = 0
    for i in range(nodes):
        cuts[i] = j
        used = 0
        while j < g.items and used + f.items[j].n + entry <= room and (g.items - j > nodes - 1 - i):
            used += f.items[j].n + entry
            j += 1
        if used == 0:
            return False
    return j == g.items


cdef inline void item_key(const Forest* f, int order, int level, const Item* item, Key* key) noexcept nogil:
    if level:
        inner_key(f, item.at, key)
    else:
        leaf_key(f, order, item.at, key)


cdef inline bint may_be_even(uint32_t kind, uint32_t n) noexcept nogil:
    return (kind & NODE_NARROW) != 0 and n >= EVEN_ITEM_BYTES_MIN


cdef bint are_even(uint32_t kind, const Item* items, uint32_t n) noexcept nogil:
    cdef uint32_t i
    if not may_be_even(kind, items[0].n):
        return False
    for i in range(1, n):
        if items[i].n != items[0].n:
            return False
    return True


cdef uint32_t lay_out_evenly(Node* node, int level, uint32_t kind, const Item* items, uint32_t n, uint32_t page_bytes) noexcept nogil:
    cdef uint32_t i, below = 0
    cdef uint8_t* to
    even_begin(node, kind, items[0].n, n, page_bytes)
    to = node_item(node, 0)
    for i in range(n):
        memcpy(to, items[i].at, items[0].n)
        to += items[0].n
        if level:
            below += item_count(items[i].at)
    return below if level else n


cdef uint32_t lay_out(Forest* f, int order, int level, uint32_t page, uint32_t kind, const Item* items, uint32_t n) noexcept nogil:
    cdef Node* node = node_at(f, page)
    cdef uint32_t i, to = f.pages.page_bytes, below = 0
    cdef uint64_t span
    cdef Key key
    kind &= ~<uint32_t>NODE_EVEN
    if are_even(kind, items, n):
        return lay_out_evenly(node, level, kind, items, n, to)
    node_begin(node, kind, to)
    if not kind & NODE_NARROW:
        item_key(f, order, level, &items[n - 1], &key)
        span = key.head
        # An inner node's first item has no separator: the fingers spread over the others.
        item_key(f, order, level, &items[1 if level and n > 1 else 0], &key)
        node.base = key.head
        span -= key.head
        node.shift = <uint8_t>(48 - __builtin_clzll(span) if span >> 16 else 0)
    for i in range(n):
        to -= items[i].n
        memcpy(<uint8_t*>node + to, items[i].at, items[i].n)
        if kind & NODE_NARROW:
            node_narrow(node)[i] = <uint16_t>to
        else:
            item_key(f, order, level, &items[i], &key)
            node_wide(node)[i] = to | (node_finger(node, key.head) << 16)
        if level:
            below += item_count(items[i].at)
    node.count = <uint16_t>n
    node.payload = <uint16_t>to
    return below if level else n


cdef void separate(Forest* f, int order, uint8_t* out, const Item* last, const Item* first, uint32_t child, uint32_t below) noexcept nogil:
    """The parent's item of the leaf that begins with `first`; `last` is the last element before it."""
    cdef Key left, right
    cdef uint32_t n, offset, inline_bytes = 8 + f.element_bytes_max
    item_key(f, order, 0, last, &left)
    item_key(f, order, 0, first, &right)
    n = separator_bytes(&left, &right, inline_bytes)
    if n > REFERENCE_BYTES and item_in_extent(first.at):
        offset = <uint32_t>(right.tail - extent_bytes(f.extents, item_extent(first.at)))
        inner_refer(out, child, below, right.head, item_extent(first.at), offset, right.tail_bytes)
        return
    INVARIANT(n <= inline_bytes)
    inner_begin(out, child, below, n)
    separator_write(&right, n, out + item_head_bytes_of(out) + INNER_HEAD_BYTES)


cdef void rebuild(Forest* f, Tree* t, int level, Group* g, const uint32_t* cuts, uint32_t nodes, Splice* s) noexcept nogil:
    """Lays the gathered items out in so many nodes; s becomes the splice of the parent."""
    cdef int turn = 1 - s.turn
    cdef uint32_t[GROUP_FRESH] page
    cdef uint32_t[GROUP_FRESH] below
    cdef Item[GROUP_FRESH] separator
    cdef uint8_t[GROUP_FRESH * BARE_ITEM_BYTES] bare
    cdef uint32_t i
    cdef Item* first
    cdef Node* node
    # The items may lie in fresh[s.turn]; the parent's go to the other.
    for i in range(nodes):
        if i < g.nodes:
            page[i] = g.page[i]
        else:
            page[i] = pages_take(f.pages)
            INVARIANT(page[i] != 0)
            t.pages += 1
    if level > 0:
        # The separator of a node's first item is the parent's now.
        for i in range(1, nodes):
            first = &f.items[cuts[i]]
            separator[i] = first[0]
            first.at = bare + i * BARE_ITEM_BYTES
            first.n = BARE_ITEM_BYTES
            inner_begin(bare + i * BARE_ITEM_BYTES, item_child(separator[i].at), item_count(separator[i].at), 0)
    for i in range(nodes):
        below[i] = lay_out(f, t.order, level, page[i], g.kind, f.items + cuts[i], cuts[i + 1] - cuts[i])
    for i in range(nodes):
        if level == 0:
            node = node_at(f, page[i])
            node.previous = page[i - 1] if i else g.previous
            node.next = page[i + 1] if i + 1 < nodes else g.next
        if i > 0 and level > 0:
            inner_like(fresh_item(f, turn, i), separator[i].at, page[i], below[i])
        elif i > 0 and t.order != ORDER_POSITION:
            separate(f, t.order, fresh_item(f, turn, i), &f.items[cuts[i] - 1], &f.items[cuts[i]], page[i], below[i])
        elif i == 0 and g.lower != NULL:
            inner_like(fresh_item(f, turn, 0), g.lower, page[0], below[0])
        else:
            inner_begin(fresh_item(f, turn, i), page[i], below[i], 0)
    if level == 0:
        if g.previous:
            node_at(f, g.previous).next = page[0] if nodes else g.next
        if g.next:
            node_at(f, g.next).previous = page[nodes - 1] if nodes else g.previous
    for i in range(nodes, g.nodes):
        pages_give(f.pages, g.page[i])
        t.pages -= 1
    for i in range(g.dropped):
        extent_give(f.extents, g.extent[i])
    s.remove = g.nodes
    s.count = nodes
    s.turn = turn


# ---- changing

cdef inline bint at_the_end(const Forest* f, const Tree* t, const Place* place, int level) noexcept nogil:
    """The path leads to the last node of this level."""
    cdef int i
    for i in range(level + 1, t.height + 1):
        if place.at[i] + 1 != node_at(f, place.page[i]).count:
            return False
    return True


cdef void choose_sharer(Forest* f, const Tree* t, const Place* place, int level, Group* g) noexcept nogil:
    """The node and its emptier sibling; alone when it has none."""
    cdef Node* parent
    cdef uint32_t at, left, right
    g.first = 0
    g.nodes = 1
    g.page[0] = place.page[level]
    if level == t.height:
        return
    parent = node_at(f, place.page[level + 1])
    at = place.at[level + 1]
    g.first = at
    if parent.count < 2:
        return
    left = node_free(node_at(f, inner_child(parent, at - 1))) if at > 0 else 0
    right = node_free(node_at(f, inner_child(parent, at + 1))) if at + 1 < parent.count else 0
    if at > 0 and (left >= right or at + 1 == parent.count):
        g.first = at - 1
    g.nodes = 2
    g.page[0] = inner_child(parent, g.first)
    g.page[1] = inner_child(parent, g.first + 1)


cdef uint32_t choose_merger(Forest* f, const Tree* t, const Place* place, int level, Group* g) noexcept nogil:
    """Neighbours of an underfull node that fit a node less; how many nodes they are to be, or g.nodes == 0: none."""
    cdef Node* parent = node_at(f, place.page[level + 1])
    cdef uint32_t at = place.at[level + 1], i, used = 0, room = node_room(f), goal = room * MERGED_FULL // 1000
    g.nodes = min(<uint32_t>parent.count, <uint32_t>GROUP_PAGES)
    g.first = min(at - 1 if at > 0 else 0, parent.count - g.nodes)
    for i in range(g.nodes):
        g.page[i] = inner_child(parent, g.first + i)
        used += room - node_free(node_at(f, g.page[i]))
    if used <= (g.nodes - 1) * goal:
        return (used + goal - 1) // goal
    if node_at(f, place.page[level]).count == 0:
        # Its neighbours are full, but an empty node must go.
        g.nodes = 2
        g.first = at if at == 0 else at - 1
        g.page[0] = inner_child(parent, g.first)
        g.page[1] = inner_child(parent, g.first + 1)
        return 1
    g.nodes = 0
    return 0


cdef void grow_root(Forest* f, Tree* t, const Splice* s) noexcept nogil:
    cdef uint32_t page = pages_take(f.pages), i
    cdef Node* node
    INVARIANT(page != 0 and s.count >= 2)
    t.pages += 1
    t.height += 1
    INVARIANT(t.height < TREE_LEVELS)
    t.root = page
    node = node_at(f, page)
    node_begin(node, t.height | (NODE_NARROW if t.order == ORDER_POSITION else 0), f.pages.page_bytes)
    for i in range(s.count):
        put_item(f, node, i, fresh_item(f, s.turn, i))


cdef void settle_root(Forest* f, Tree* t) noexcept nogil:
    cdef Node* node = node_at(f, t.root)
    cdef uint32_t child
    while t.height > 0 and node.count == 1:
        child = inner_child(node, 0)
        pages_give(f.pages, t.root)
        t.pages -= 1
        t.root = child
        t.height -= 1
        node = node_at(f, child)
    if node.count == 0:
        pages_give(f.pages, t.root)
        t.pages -= 1
        t.root = 0
        t.height = 0


cdef inline void put_item(const Forest* f, Node* node, uint32_t at, const uint8_t* item) noexcept nogil:
    """An inner node's item. REQUIRED: there is room between directory and payload."""
    cdef uint32_t size = item_bytes(item)
    cdef Key key
    inner_key(f, item, &key)
    memcpy(node_insert(node, at, size, key.head), item, size)


cdef bint splice_in_place(Forest* f, Tree* t, Place* place, int level, const Splice* s) noexcept nogil:
    """False: it does not fit, nothing was changed."""
    cdef Node* node = node_at(f, place.page[level])
    cdef uint32_t at = place.at[level], entry = node_entry_bytes(node), need = 0, freed = 0, i, _i
    cdef const uint8_t* item
    cdef Item one
    cdef Key key
    cdef bint uneven = False
    for i in range(s.count):
        need += item_bytes(fresh_item(f, s.turn, i))
        uneven = uneven or not node_suits(node, item_bytes(fresh_item(f, s.turn, i)))
    for i in range(s.remove):
        freed += item_bytes(node_item(node, at + i)) + entry
    if uneven:
        # It gets a directory.
        entry = entry_bytes(NODE_NARROW)
        need += (node.count - s.remove) * entry
    need += s.count * entry
    if need > node_free(node) + freed:
        return False
    for _i in range(s.remove):
        node_remove(node, at)
    if uneven:
        even_end(node, f.scratch)
    elif need > node_gap(node):
        node_compact(node, f.pages.page_bytes, f.scratch)
    for i in range(s.count):
        item = fresh_item(f, s.turn, i)
        if level:
            put_item(f, node, at + i, item)
            continue
        one.at = item
        one.n = item_bytes(item)
        key.head = 0
        if t.order != ORDER_POSITION:
            item_key(f, t.order, 0, &one, &key)
        memcpy(node_insert(node, at + i, one.n, key.head), item, one.n)
    for i in range(level + 1, t.height + 1):
        inner_add(node_at(f, place.page[i]), place.at[i], s.delta)
    return True


cdef void splice(Forest* f, Tree* t, Place* place, Splice* s) noexcept nogil:
    """Carries out a splice of the path's leaf, and what follows from it further up. REQUIRED: pages for it are left."""
    cdef int level = 0, cut
    cdef uint32_t nodes = 0
    cdef uint32_t[GROUP_FRESH + 1] cuts
    cdef Group g
    cdef Node* node
    while True:
        node = node_at(f, place.page[level])
        cut = 0
        if splice_in_place(f, t, place, level, s):
            s.delta = 0
            s.remove = 0
            s.count = 0
            if level == t.height:
                settle_root(f, t)
                return
            if (node_room(f) - node_free(node)) * 1000 >= node_room(f) * UNDERFULL:
                return
            nodes = choose_merger(f, t, place, level, &g)
            if g.nodes == 0:
                return
            gather(f, t, place, level, s, &g)
        elif s.remove < 2 and s.count == s.remove + 1 and place.at[level] + s.remove == node.count and at_the_end(f, t, place, level):
            # Growth at either end leaves full nodes behind.
            cut = -1
        elif level == 0 and s.remove == 0 and place.at[0] == 0 and node.previous == 0:
            cut = 1
        else:
            choose_sharer(f, t, place, level, &g)
            gather(f, t, place, level, s, &g)
            nodes = g.nodes + (1 if g.bytes * 1000 > g.nodes * node_room(f) * SHARED_FULL else 0)
        if cut:
            nodes = 2
            g.nodes = 1
            g.first = place.at[level + 1] if level < t.height else 0
            g.page[0] = place.page[level]
            gather(f, t, place, level, s, &g)
            cuts[0] = 0
            cuts[1] = 1 if cut == 1 else g.items - 1
            cuts[2] = g.items
        elif nodes > 0:
            while not cut_evenly(f, &g, nodes, cuts):
                if s.count == 0 and nodes + 1 >= g.nodes and node.count > 0:
                    # What was to merge does not fit after all.
                    return
                nodes += 1
                INVARIANT(nodes <= GROUP_FRESH)
        rebuild(f, t, level, &g, cuts, nodes, s)
        if level == t.height:
            # One that became even has room again.
            if s.count > 1:
                grow_root(f, t, s)
            return
        level += 1
        place.at[level] = <uint16_t>g.first
