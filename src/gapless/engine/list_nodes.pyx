from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.stdlib cimport malloc, realloc
from gapless.engine.base cimport INVARIANT
from gapless.engine.listpack cimport listpack_entry_bytes
from gapless.engine.tree cimport Place, tree_at, tree_element, tree_next, tree_previous

cdef enum:
    ESTIMATE_BYTES = 8             # Redis allows for so many beside an element's own
    WALK_MAX = 4096                # elements that are walked to find a boundary exactly


cdef struct Span:
    uint32_t begin
    uint32_t end
    uint64_t bytes


cdef void nodes_begin(ListNodes* nodes, int fill, uint32_t count, uint64_t bytes) noexcept nogil:
    nodes.anchor = 0
    nodes.head_count = nodes.tail_count = count
    nodes.head_bytes = nodes.tail_bytes = <uint32_t>bytes
    nodes.fill = fill


cdef inline bint has_room(int fill, uint64_t bytes, uint64_t count, uint64_t n) noexcept nogil:
    """Whether a node takes another element of n bytes."""
    return not node_is_plain(fill, n) and not node_exceeds(fill, bytes + n + ESTIMATE_BYTES, count + 1)


cdef inline uint32_t new_node_bytes(int fill, uint64_t n, uint32_t size) noexcept nogil:
    return <uint32_t>n if node_is_plain(fill, n) else LISTPACK_EMPTY_BYTES + size


cdef void nodes_push(ListNodes* nodes, uint32_t count, bint left, uint64_t n, uint32_t size) noexcept nogil:
    cdef bint one = nodes_are_one(nodes, count)
    if count == 0:
        nodes_begin(nodes, nodes.fill, 1, new_node_bytes(nodes.fill, n, size))
        return
    if left:
        nodes.anchor += 1
        if has_room(nodes.fill, nodes.head_bytes, nodes.head_count, n):
            nodes.head_count += 1
            nodes.head_bytes += size
        else:
            if one:
                nodes.anchor = 1
            nodes.head_count = 1
            nodes.head_bytes = new_node_bytes(nodes.fill, n, size)
            return
        if one:
            nodes.tail_count = nodes.head_count
            nodes.tail_bytes = nodes.head_bytes
        return
    if has_room(nodes.fill, nodes.tail_bytes, nodes.tail_count, n):
        nodes.tail_count += 1
        nodes.tail_bytes += size
        if one:
            nodes.head_count = nodes.tail_count
            nodes.head_bytes = nodes.tail_bytes
        return
    if one:
        nodes.anchor = count
    nodes.tail_count = 1
    nodes.tail_bytes = new_node_bytes(nodes.fill, n, size)


cdef void nodes_append(ListNodes* nodes, uint32_t count, uint32_t node_count, uint64_t node_bytes, uint64_t first_bytes) noexcept nogil:
    if count == 0:
        nodes_begin(nodes, nodes.fill, node_count, node_bytes)
        return
    # From the first boundary on that pushing at the right would not have left, the others are told from another.
    if nodes_are_one(nodes, count) or has_room(nodes.fill, nodes.tail_bytes, nodes.tail_count, first_bytes):
        nodes.anchor = count
    nodes.tail_count = node_count
    nodes.tail_bytes = <uint32_t>node_bytes


# ---- boundaries

cdef void fill_rightwards(const Forest* f, const Tree* t, int fill, uint32_t begin, uint32_t limit, Span* span) noexcept nogil:
    """The node that pushing at the right made from here, of elements before the limit."""
    cdef Place place
    cdef uint32_t n = 0
    cdef const uint8_t* element
    tree_at(f, t, begin, &place)
    element = tree_element(f, &place, &n)
    span.begin = begin
    span.end = begin + 1
    span.bytes = new_node_bytes(fill, n, listpack_entry_bytes(element, n))
    while span.end < limit:
        tree_next(f, &place)
        element = tree_element(f, &place, &n)
        if not has_room(fill, span.bytes, span.end - begin, n):
            return
        span.end += 1
        span.bytes += listpack_entry_bytes(element, n)


cdef void fill_leftwards(const Forest* f, const Tree* t, int fill, uint32_t end, uint32_t limit, Span* span) noexcept nogil:
    """The same from the right: of elements not before the limit."""
    cdef Place place
    cdef uint32_t n = 0
    cdef const uint8_t* element
    tree_at(f, t, end - 1, &place)
    element = tree_element(f, &place, &n)
    span.begin = end - 1
    span.end = end
    span.bytes = new_node_bytes(fill, n, listpack_entry_bytes(element, n))
    while span.begin > limit:
        tree_previous(f, &place)
        element = tree_element(f, &place, &n)
        if not has_room(fill, span.bytes, end - span.begin, n):
            return
        span.begin -= 1
        span.bytes += listpack_entry_bytes(element, n)


cdef uint64_t entries_bytes(const Forest* f, const Tree* t, uint32_t begin, uint32_t end) noexcept nogil:
    """What these elements take in a listpack."""
    cdef Place place
    cdef uint32_t n = 0
    cdef const uint8_t* element
    cdef uint64_t bytes = 0
    tree_at(f, t, begin, &place)
    while begin < end:
        element = tree_element(f, &place, &n)
        bytes += listpack_entry_bytes(element, n)
        tree_next(f, &place)
        begin += 1
    return bytes


cdef uint32_t node_bytes(const Forest* f, const Tree* t, int fill, uint32_t begin, uint32_t end) noexcept nogil:
    cdef Place place
    cdef uint32_t n = 0
    if end - begin == 1:
        tree_at(f, t, begin, &place)
        tree_element(f, &place, &n)
        if node_is_plain(fill, n):
            return n
    return LISTPACK_EMPTY_BYTES + <uint32_t>entries_bytes(f, t, begin, end)


cdef void node_around(const Forest* f, const Tree* t, const ListNodes* nodes, uint32_t at, bint left, Span* span) noexcept nogil:
    """Begin and end of the node of an element. Far from any known boundary: as if one were right before it, or after it where not `left`."""
    cdef uint32_t tail = t.count - nodes.tail_count
    if at < nodes.head_count:
        span.begin = 0
        span.end = nodes.head_count
    elif at >= tail:
        span.begin = tail
        span.end = t.count
    elif at < nodes.anchor and nodes.anchor - at <= WALK_MAX:
        span.begin = nodes.anchor
        while span.begin > at:
            fill_leftwards(f, t, nodes.fill, span.begin, nodes.head_count, span)
    elif at >= nodes.anchor and at - nodes.anchor < WALK_MAX:
        span.end = nodes.anchor
        while span.end <= at:
            fill_rightwards(f, t, nodes.fill, span.end, tail, span)
    elif left:
        fill_rightwards(f, t, nodes.fill, at, nodes.anchor if at < nodes.anchor else tail, span)
    else:
        fill_leftwards(f, t, nodes.fill, at + 1, nodes.head_count if at < nodes.anchor else nodes.anchor, span)


cdef void cut_left(const Forest* f, const Tree* t, ListNodes* nodes, uint32_t k) noexcept nogil:
    cdef Span span
    if k < nodes.head_count:
        span.end = nodes.head_count
        nodes.head_bytes -= <uint32_t>entries_bytes(f, t, 0, k)
    else:
        node_around(f, t, nodes, k, True, &span)
        nodes.head_bytes = node_bytes(f, t, nodes.fill, k, span.end)
    nodes.head_count = span.end - k
    nodes.anchor = max(nodes.anchor, span.end) - k
    if span.end == t.count:
        nodes.tail_count = nodes.head_count
        nodes.tail_bytes = nodes.head_bytes


cdef void cut_right(const Forest* f, const Tree* t, ListNodes* nodes, uint32_t k) noexcept nogil:
    cdef Span span
    cdef uint32_t left = t.count - k
    if k < nodes.tail_count:
        span.begin = t.count - nodes.tail_count
        nodes.tail_bytes -= <uint32_t>entries_bytes(f, t, left, t.count)
    else:
        node_around(f, t, nodes, left - 1, False, &span)
        nodes.tail_bytes = node_bytes(f, t, nodes.fill, span.begin, left)
    nodes.tail_count = left - span.begin
    nodes.anchor = min(nodes.anchor, span.begin)
    if span.begin == 0:
        nodes.head_count = nodes.tail_count
        nodes.head_bytes = nodes.tail_bytes


cdef void nodes_cut(const Forest* f, const Tree* t, ListNodes* nodes, bint left, uint32_t k) noexcept nogil:
    INVARIANT(0 < k < t.count)
    if left:
        cut_left(f, t, nodes, k)
    else:
        cut_right(f, t, nodes, k)


cdef void nodes_pop(const Forest* f, const Tree* t, ListNodes* nodes, bint left, uint32_t size) noexcept nogil:
    cdef bint one = nodes_are_one(nodes, t.count)
    if (nodes.head_count if left else nodes.tail_count) == 1:
        nodes_cut(f, t, nodes, left, 1)
        return
    if left or one:
        nodes.head_count -= 1
        nodes.head_bytes -= size
    if one or not left:
        nodes.tail_count -= 1
        nodes.tail_bytes -= size
    if left and not one:
        nodes.anchor -= 1


# ---- changes in between

cdef void split(const Forest* f, const Tree* t, ListNodes* nodes, uint32_t left_end, uint32_t right_begin) noexcept nogil:
    """The node around here becomes two, of what it has before left_end and from right_begin on; neither is empty."""
    cdef uint32_t count = t.count
    cdef bint first = left_end <= nodes.head_count
    cdef bint last = right_begin >= count - nodes.tail_count
    cdef bint one = nodes_are_one(nodes, count)
    if first:
        nodes.head_count = left_end
        nodes.head_bytes = node_bytes(f, t, nodes.fill, 0, left_end)
    if last:
        nodes.tail_count = count - right_begin
        nodes.tail_bytes = node_bytes(f, t, nodes.fill, right_begin, count)
    if one:
        nodes.anchor = left_end


cdef inline void add_to_node(ListNodes* nodes, bint one, bint first, uint32_t size) noexcept nogil:
    """An element more in the first or last node."""
    if first:
        nodes.head_count += 1
        nodes.head_bytes += size
    if one or not first:
        nodes.tail_count += 1
        nodes.tail_bytes += size


cdef void nodes_insert(const Forest* f, const Tree* t, ListNodes* nodes, uint32_t pivot, bint after, uint64_t n, uint32_t size) noexcept nogil:
    cdef uint32_t count = t.count, at = pivot + after, tail = count - nodes.tail_count, boundary
    cdef bint one = nodes_are_one(nodes, count)
    cdef bint first = pivot < nodes.head_count
    if at == 0 or at == count:
        nodes_push(nodes, count, at == 0, n, size)
        return
    if not first and pivot < tail:
        nodes.anchor += at <= nodes.anchor
        return
    if has_room(nodes.fill, nodes.head_bytes if first else nodes.tail_bytes, nodes.head_count if first else nodes.tail_count, n):
        nodes.anchor += first
        add_to_node(nodes, one, first, size)
        return
    boundary = nodes.head_count if first else tail
    if at == boundary:
        # Between two nodes: into the other one, or a node of its own.
        if nodes.head_count == tail and has_room(nodes.fill, nodes.tail_bytes if first else nodes.head_bytes,
                                                 nodes.tail_count if first else nodes.head_count, n):
            nodes.anchor += not first
            add_to_node(nodes, False, not first, size)
        else:
            nodes.anchor += first
        return
    split(f, t, nodes, at, at)
    if node_is_plain(nodes.fill, n):
        nodes.anchor += first and not one
    elif one:
        nodes.anchor += not after
        add_to_node(nodes, False, not after, size)
    elif first != after:
        add_to_node(nodes, False, first, size)
        nodes.anchor += first
    else:
        nodes.anchor += first


cdef void nodes_remove(const Forest* f, const Tree* t, ListNodes* nodes, uint32_t at) noexcept nogil:
    cdef bint one = nodes_are_one(nodes, t.count)
    cdef uint32_t size
    if t.count == 1:
        return
    if at < nodes.head_count and nodes.head_count == 1:
        cut_left(f, t, nodes, 1)
    elif at >= t.count - nodes.tail_count and nodes.tail_count == 1:
        cut_right(f, t, nodes, 1)
    elif at < nodes.head_count or at >= t.count - nodes.tail_count:
        size = <uint32_t>entries_bytes(f, t, at, at + 1)
        if at < nodes.head_count:
            nodes.head_count -= 1
            nodes.head_bytes -= size
            nodes.anchor -= nodes.anchor > 0
        if one or at >= t.count - nodes.tail_count:
            nodes.tail_count -= 1
            nodes.tail_bytes -= size
    elif at < nodes.anchor:
        nodes.anchor -= 1


cdef void nodes_replace(const Forest* f, const Tree* t, ListNodes* nodes, uint32_t at, uint64_t n, uint32_t size) noexcept nogil:
    cdef uint32_t count = t.count, tail = count - nodes.tail_count, before
    cdef bint one = nodes_are_one(nodes, count)
    cdef bint first = at < nodes.head_count, last = at >= tail
    if not first and not last:
        return
    if (first and nodes.head_count == 1) or (last and nodes.tail_count == 1):
        before = new_node_bytes(nodes.fill, n, size)
        if first and nodes.head_count == 1:
            nodes.head_bytes = before
        if last and nodes.tail_count == 1:
            nodes.tail_bytes = before
    elif not node_is_plain(nodes.fill, n):
        before = <uint32_t>entries_bytes(f, t, at, at + 1)
        if first:
            nodes.head_bytes += size - before
        if last:
            nodes.tail_bytes += size - before
    elif at == 0:
        # A node of its own; the rest of the first stays one.
        if one:
            nodes.tail_bytes = node_bytes(f, t, nodes.fill, 1, count)
            nodes.tail_count = count - 1
            nodes.anchor = 1
        nodes.head_count = 1
        nodes.head_bytes = <uint32_t>n
    elif at == count - 1:
        if one:
            nodes.head_bytes = node_bytes(f, t, nodes.fill, 0, at)
            nodes.head_count = at
            nodes.anchor = at
        nodes.tail_count = 1
        nodes.tail_bytes = <uint32_t>n
    else:
        split(f, t, nodes, at, at + 1)


# ---- all of them

cdef inline void add_end(uint32_t** ends, uint32_t* count, uint32_t* room, uint32_t end) noexcept nogil:
    if count[0] == room[0]:
        room[0] *= 2
        ends[0] = <uint32_t*>realloc(ends[0], room[0] * sizeof(uint32_t))
        INVARIANT(ends[0] != NULL)
    ends[0][count[0]] = end
    count[0] += 1


cdef uint32_t* nodes_ends(const Forest* f, const Tree* t, const ListNodes* nodes, uint32_t* count) noexcept nogil:
    cdef uint32_t room = 16, tail = t.count - nodes.tail_count, i
    cdef uint32_t* ends = <uint32_t*>malloc(room * sizeof(uint32_t))
    cdef Span span
    INVARIANT(ends != NULL)
    count[0] = 0
    if not nodes_are_one(nodes, t.count):
        span.begin = nodes.anchor
        while span.begin > nodes.head_count:
            add_end(&ends, count, &room, span.begin)
            fill_leftwards(f, t, nodes.fill, span.begin, nodes.head_count, &span)
        add_end(&ends, count, &room, nodes.head_count)
        for i in range(count[0] // 2):
            ends[i], ends[count[0] - 1 - i] = ends[count[0] - 1 - i], ends[i]
        span.end = nodes.anchor
        while span.end < tail:
            fill_rightwards(f, t, nodes.fill, span.end, tail, &span)
            add_end(&ends, count, &room, span.end)
    add_end(&ends, count, &room, t.count)
    return ends
