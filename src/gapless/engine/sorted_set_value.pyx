"""Sorted sets as collections of members with scores. See sorted_set_value.pxd."""
from libc.math cimport signbit
from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.stdlib cimport free, malloc, qsort
from libc.string cimport memcmp, memcpy
from gapless.engine.base cimport INVARIANT, STATUS_FULL, STATUS_OK, Status, prefetch, unlikely
from gapless.engine.collection cimport (
    PACKED_BYTES_MAX, collection_begin, collection_count, collection_drop_packed, collection_mark, collection_marks, collection_of_value,
    collection_open, collection_remove, collection_splice_packed, packed_count,
)
from gapless.engine.forest cimport ORDER_SCORE, ORDER_SCORED, tree_begin, tree_retire
from gapless.engine.record cimport TYPE_SORTED_SET, ZSET_MINUS, ZSET_TABLE, read_varint, varint_bytes
from gapless.engine.score cimport score_code, score_key, score_load, score_load_key, score_of_code, score_store
from gapless.engine.tree cimport (
    tree_at, tree_element, tree_find, tree_insert, tree_next, tree_note, tree_previous, tree_rank, tree_remove,
)
from gapless.engine.tree_key cimport Key, hash_key
from gapless.engine.tree_notes cimport NOTE_PUT


# ---- life

cdef void sorted_set_begin(Call* call, const Arg* key, uint64_t key_hash, SortedSet* s) noexcept nogil:
    collection_begin(call, key, key_hash, TYPE_SORTED_SET, ORDER_SCORE, &s.c)
    s.c.trees = SORTED_SET_TREES
    s.c.root_bytes = SORTED_SET_TREES * sizeof(Tree)
    s.listpack_members_max = call.dispatch.zset_listpack_members
    s.listpack_value_max = call.dispatch.zset_listpack_bytes


cdef void sorted_set_of_value(Keyspace* ks, const Value* v, SortedSet* s) noexcept nogil:
    collection_of_value(ks, TYPE_SORTED_SET, ORDER_SCORE, v, &s.c)


cdef bint sorted_set_open(Call* call, const Arg* key, uint64_t key_hash, int how, SortedSet* s) noexcept nogil:
    sorted_set_begin(call, key, key_hash, s)
    return collection_open(call, how, &s.c)


cdef void sorted_set_expect(SortedSet* s, uint64_t members, uint64_t first_bytes) noexcept nogil:
    if members > s.listpack_members_max or (not s.c.there and first_bytes > s.listpack_value_max):
        collection_mark(&s.c, ZSET_TABLE)


# ---- elements

cdef inline void key_by_score(uint64_t score, const uint8_t* name, uint64_t n, Key* key) noexcept nogil:
    key.head = score
    key.tail = name
    key.tail_bytes = <uint32_t>n
    key.length = SCORE_BYTES + <uint32_t>n


cdef inline bint find_by_score(SortedSet* s, double score, const uint8_t* name, uint64_t n) noexcept nogil:
    """Its place in the tree by score: s.c.place."""
    cdef Key key
    key_by_score(score_key(score), name, n, &key)
    return tree_find(s.c.keys.forest, s.c.tree, &key, &s.c.place)


cdef inline bint find_by_member(SortedSet* s, const uint8_t* name, uint64_t n) noexcept nogil:
    """Its place in the tree by member: s.by_member, and s.score."""
    cdef Key key
    cdef uint32_t bytes = 0
    cdef const uint8_t* element
    hash_key(s.c.keys.forest, name, <uint32_t>n, &key)
    if not tree_find(s.c.keys.forest, tree_by_member(s), &key, &s.by_member):
        return False
    element = tree_element(s.c.keys.forest, &s.by_member, &bytes)
    memcpy(&s.score, element + n, SCORE_BYTES)
    return True


cdef inline void read_element(SortedSet* s, const uint8_t* element, uint32_t n, Member* out) noexcept nogil:
    """An element of the packed form or of the tree by score."""
    out.name = element + SCORE_BYTES
    out.bytes = n - SCORE_BYTES
    out.score = score_of_code(score_load(element))
    if unlikely(out.score == 0 and s.c.tree != NULL and collection_marks(&s.c) & ZSET_MINUS):
        find_by_member(s, out.name, out.bytes)
        out.score = s.score


cdef inline uint8_t* compose(SortedSet* s, const uint8_t* name, uint64_t n, uint64_t code, double score) noexcept nogil:
    """Code, member, score: an element by score begins with the code, one by member behind it. NULL: no memory. let_go() must follow."""
    cdef uint8_t* p = s.compose
    if unlikely(n + 2 * SCORE_BYTES > <uint64_t>COMPOSE_BYTES):
        p = <uint8_t*>malloc(n + 2 * SCORE_BYTES)
        if p == NULL:
            return NULL
    score_store(p, code)
    memcpy(p + SCORE_BYTES, name, n)
    memcpy(p + SCORE_BYTES + n, &score, SCORE_BYTES)
    return p


cdef inline void let_go(SortedSet* s, uint8_t* composed) noexcept nogil:
    if unlikely(composed != s.compose):
        free(composed)


# ---- packed

cdef inline bint find_packed(SortedSet* s, const uint8_t* name, uint64_t n) noexcept nogil:
    cdef Collection* c = &s.c
    cdef uint32_t at, bytes, i
    cdef const uint8_t* p
    cdef const uint8_t* element
    cdef uint32_t count = packed_count(c, &at)
    p = c.packed + at
    for i in range(count):
        element = read_varint(p, &bytes)
        if bytes == n + SCORE_BYTES and memcmp(element + SCORE_BYTES, name, n) == 0:
            c.at = <uint32_t>(p - c.packed)
            c.entry_bytes = <uint32_t>(element - p) + bytes
            s.rank = i
            s.score = score_of_code(score_load(element))
            return True
        p = element + bytes
    return False


cdef inline int order_of(const uint8_t* element, uint32_t bytes, uint64_t key, const uint8_t* name, uint64_t n) noexcept nogil:
    """A packed element against a score's key and a member."""
    cdef uint64_t other = score_load_key(element)
    cdef int difference
    if other != key:
        return -1 if other < key else 1
    difference = memcmp(element + SCORE_BYTES, name, min(<uint64_t>bytes - SCORE_BYTES, n))
    if difference:
        return difference
    return (bytes > n + SCORE_BYTES) - (bytes < n + SCORE_BYTES)


cdef void seek_packed(Collection* c, uint64_t key, const uint8_t* name, uint64_t n) noexcept nogil:
    """Where this member belongs: c.at."""
    cdef uint32_t at, bytes, _i
    cdef const uint8_t* p
    cdef const uint8_t* element
    cdef uint32_t count = packed_count(c, &at)
    p = c.packed + at
    for _i in range(count):
        element = read_varint(p, &bytes)
        if order_of(element, bytes, key, name, n) > 0:
            break
        p = element + bytes
    c.at = <uint32_t>(p - c.packed)
    c.entry_bytes = 0


cdef bint fits_packed(const SortedSet* s, uint64_t n) noexcept nogil:
    """One member more. A byte more: the count may need it."""
    cdef uint64_t element = n + SCORE_BYTES
    return element < PACKED_BYTES_MAX and s.c.packed_bytes + varint_bytes(<uint32_t>element) + element + 1 <= PACKED_BYTES_MAX


cdef Status put_packed(SortedSet* s, const uint8_t* name, uint64_t n, double score) noexcept nogil:
    cdef Collection* c = &s.c
    cdef uint8_t* element = compose(s, name, n, score_code(score), score)
    if c.found:
        collection_splice_packed(c, NULL, 0, -1)
    seek_packed(c, score_key(score), element + SCORE_BYTES, n)
    collection_splice_packed(c, element, <uint32_t>n + SCORE_BYTES, 1)
    c.found = True
    return STATUS_OK


# ---- trees

cdef Status append(SortedSet* s, const uint8_t* element, uint32_t n) noexcept nogil:
    """Behind all others in the tree by score."""
    cdef Place place
    tree_at(s.c.keys.forest, s.c.tree, s.c.tree.count, &place)
    return tree_insert(s.c.keys.forest, s.c.tree, &place, element, n)


cdef void begin_trees(SortedSet* s) noexcept nogil:
    tree_begin(&s.c.fresh, ORDER_SCORE)
    tree_begin(&s.c.fresh + 1, ORDER_SCORED)
    s.c.fresh.marks = s.c.packed[0]
    s.c.tree = &s.c.fresh


cdef void retire_trees(SortedSet* s) noexcept nogil:
    """The set is packed as it was."""
    tree_retire(s.c.keys.forest, &s.c.fresh)
    tree_retire(s.c.keys.forest, &s.c.fresh + 1)
    s.c.tree = NULL


cdef Status become_trees(SortedSet* s) noexcept nogil:
    cdef uint32_t at, n, _i
    cdef uint32_t count = packed_count(&s.c, &at)
    cdef const uint8_t* p = s.c.packed + at
    cdef uint8_t* element
    cdef double score
    cdef Status status
    begin_trees(s)
    for _i in range(count):
        p = read_varint(p, &n)
        score = score_of_code(score_load(p))
        # It was packed, so it fits where it is composed.
        element = compose(s, p + SCORE_BYTES, n - SCORE_BYTES, score_key(score), score)
        find_by_member(s, p + SCORE_BYTES, n - SCORE_BYTES)
        status = tree_insert(s.c.keys.forest, tree_by_member(s), &s.by_member, element + SCORE_BYTES, n)
        if status == STATUS_OK:
            status = append(s, element, n)
        if status != STATUS_OK:
            retire_trees(s)
            return status
        p += n
    s.c.dirty = True
    return STATUS_OK


cdef Status insert_in_trees(SortedSet* s, const uint8_t* element, const uint8_t* name, uint32_t n, double score) noexcept nogil:
    """A composed member at s.by_member. All or nothing."""
    cdef Status status = tree_insert(s.c.keys.forest, tree_by_member(s), &s.by_member, element + SCORE_BYTES, n + SCORE_BYTES)
    if unlikely(status != STATUS_OK):
        return status
    find_by_score(s, score, name, n)
    status = tree_insert(s.c.keys.forest, s.c.tree, &s.c.place, element, n + SCORE_BYTES)
    if unlikely(status != STATUS_OK):
        INVARIANT(find_by_member(s, name, n))
        tree_remove(s.c.keys.forest, tree_by_member(s), &s.by_member)
    return status


cdef Status move_in_trees(SortedSet* s, const uint8_t* element, const uint8_t* name, uint32_t n, double score) noexcept nogil:
    """The composed member at s.by_member gets another score. All or nothing."""
    cdef Status status
    cdef uint32_t bytes = 0
    cdef uint8_t* moved
    find_by_score(s, score, name, n)
    status = tree_insert(s.c.keys.forest, s.c.tree, &s.c.place, element, n + SCORE_BYTES)
    if unlikely(status != STATUS_OK):
        return status
    INVARIANT(find_by_score(s, s.score, name, n))
    tree_remove(s.c.keys.forest, s.c.tree, &s.c.place)
    # The score is no part of the key there: it changes where it lies.
    moved = <uint8_t*>tree_element(s.c.keys.forest, &s.by_member, &bytes)
    memcpy(moved + n, &score, SCORE_BYTES)
    tree_note(s.c.keys.forest, tree_by_member(s), NOTE_PUT, moved, bytes, 0)
    return STATUS_OK


cdef Status sorted_set_put_on_trees(SortedSet* s, const uint8_t* name, uint64_t n, double score) noexcept nogil:
    cdef uint8_t* element = compose(s, name, n, score_key(score), score)
    cdef Status status
    if element == NULL:
        return STATUS_FULL
    if s.c.found:
        status = move_in_trees(s, element, element + SCORE_BYTES, <uint32_t>n, score)
    else:
        status = insert_in_trees(s, element, element + SCORE_BYTES, <uint32_t>n, score)
    let_go(s, element)
    if status == STATUS_OK:
        s.c.dirty = True
    return status


cdef void remove_from_trees(SortedSet* s) noexcept nogil:
    """What is at s.c.place and s.by_member."""
    tree_remove(s.c.keys.forest, s.c.tree, &s.c.place)
    tree_remove(s.c.keys.forest, tree_by_member(s), &s.by_member)
    s.c.dirty = True


# ---- one member

cdef bint sorted_set_find(SortedSet* s, const uint8_t* name, uint64_t n) noexcept nogil:
    s.c.found = find_packed(s, name, n) if s.c.tree == NULL else find_by_member(s, name, n)
    return s.c.found


cdef Status sorted_set_put(SortedSet* s, const uint8_t* name, uint64_t n, double score) noexcept nogil:
    cdef uint32_t marks = 0
    cdef Status status
    if not collection_marks(&s.c) & ZSET_TABLE:
        if not s.c.found and (n > s.listpack_value_max or collection_count(&s.c) >= s.listpack_members_max):
            marks = ZSET_TABLE
        elif score == 0:
            score = 0
    if unlikely(score == 0 and signbit(score)):
        marks |= ZSET_MINUS
    if s.c.tree == NULL:
        if s.c.found or fits_packed(s, n):
            status = put_packed(s, name, n, score)
            if marks:
                collection_mark(&s.c, marks)
            return status
        status = become_trees(s)
        if status != STATUS_OK:
            return status
        find_by_member(s, name, n)
    status = sorted_set_put_on_trees(s, name, n, score)
    if marks and status == STATUS_OK:
        collection_mark(&s.c, marks)
    return status


cdef uint64_t sorted_set_rank(SortedSet* s, const uint8_t* name, uint64_t n) noexcept nogil:
    if s.c.tree == NULL:
        return s.rank
    find_by_score(s, s.score, name, n)
    return tree_rank(s.c.keys.forest, s.c.tree, &s.c.place)


cdef void sorted_set_remove(SortedSet* s, const uint8_t* name, uint64_t n) noexcept nogil:
    if s.c.tree == NULL:
        collection_remove(&s.c)
        return
    INVARIANT(s.c.found and find_by_score(s, s.score, name, n))
    remove_from_trees(s)
    s.c.found = False


# ---- by rank

cdef inline uint32_t entry_of_rank(const Collection* c, uint64_t rank) noexcept nogil:
    cdef uint32_t at, n
    cdef const uint8_t* p
    packed_count(c, &at)
    p = c.packed + at
    while rank > 0:
        p = read_varint(p, &n)
        p += n
        rank -= 1
    return <uint32_t>(p - c.packed)


cdef bint sorted_set_at(SortedSet* s, uint64_t rank, Member* out) noexcept nogil:
    cdef uint32_t n = 0
    cdef const uint8_t* element
    if rank >= collection_count(&s.c):
        return False
    if s.c.tree == NULL:
        element = read_varint(s.c.packed + entry_of_rank(&s.c, rank), &n)
    else:
        tree_at(s.c.keys.forest, s.c.tree, rank, &s.c.place)
        element = tree_element(s.c.keys.forest, &s.c.place, &n)
    read_element(s, element, n, out)
    return True


cdef uint64_t rank_of_score(SortedSet* s, uint64_t key_head) noexcept nogil:
    """How many have a score whose key is less."""
    cdef Key key
    cdef uint32_t at, n
    cdef uint64_t rank = 0, count
    cdef const uint8_t* p
    if s.c.tree != NULL:
        key_by_score(key_head, NULL, 0, &key)
        tree_find(s.c.keys.forest, s.c.tree, &key, &s.c.place)
        return tree_rank(s.c.keys.forest, s.c.tree, &s.c.place)
    count = packed_count(&s.c, &at)
    p = s.c.packed + at
    while rank < count:
        p = read_varint(p, &n)
        if score_load_key(p) >= key_head:
            break
        p += n
        rank += 1
    return rank


cdef void sorted_set_span(SortedSet* s, double low, bint low_open, double high, bint high_open, Span* out) noexcept nogil:
    cdef uint64_t end
    out.first = rank_of_score(s, score_key(low) + low_open)
    end = rank_of_score(s, score_key(high) + (not high_open))
    out.count = end - out.first if end > out.first else 0


cdef void sorted_set_remove_ranks(SortedSet* s, uint64_t rank, uint64_t count) noexcept nogil:
    cdef uint32_t at, n = 0
    cdef uint64_t _i
    cdef const uint8_t* element
    if s.c.tree == NULL:
        at = entry_of_rank(&s.c, rank)
        for _i in range(count):
            at = collection_drop_packed(&s.c, at)
        return
    for _i in range(count):
        tree_at(s.c.keys.forest, s.c.tree, rank, &s.c.place)
        element = tree_element(s.c.keys.forest, &s.c.place, &n)
        INVARIANT(find_by_member(s, element + SCORE_BYTES, n - SCORE_BYTES))
        remove_from_trees(s)


cdef void sorted_set_walk(SortedSet* s, uint64_t rank, uint64_t count, bint backwards, SortedWalk* w) noexcept nogil:
    cdef uint32_t n, at
    cdef uint64_t i
    w.set = s
    w.left = count
    w.backwards = backwards
    if count == 0:
        return
    if s.c.tree != NULL:
        tree_at(s.c.keys.forest, s.c.tree, rank + count - 1 if backwards else rank, &w.place)
        return
    at = entry_of_rank(&s.c, rank)
    w.at = at
    if backwards:
        # Entries can't be read from behind.
        for i in range(count):
            w.entry[i] = <uint16_t>at
            at = <uint32_t>(read_varint(s.c.packed + at, &n) - s.c.packed) + n
        w.at = <uint32_t>count


cdef bint sorted_set_next(SortedWalk* w, Member* out) noexcept nogil:
    cdef SortedSet* s = w.set
    cdef uint32_t n = 0
    cdef const uint8_t* element
    if w.left == 0:
        return False
    w.left -= 1
    if s.c.tree == NULL:
        if w.backwards:
            w.at -= 1
            element = read_varint(s.c.packed + w.entry[w.at], &n)
        else:
            element = read_varint(s.c.packed + w.at, &n)
            w.at = <uint32_t>(element + n - s.c.packed)
    else:
        element = tree_element(s.c.keys.forest, &w.place, &n)
        if w.left > 0:
            if w.backwards:
                tree_previous(s.c.keys.forest, &w.place)
            else:
                tree_next(s.c.keys.forest, &w.place)
    read_element(s, element, n, out)
    return True


# ---- as a whole

cdef int by_score(const void* a, const void* b) noexcept nogil:
    cdef const Member* first = &(<const HashedMember*>a).m
    cdef const Member* second = &(<const HashedMember*>b).m
    cdef int difference
    if first.score != second.score:
        return -1 if first.score < second.score else 1
    difference = memcmp(first.name, second.name, min(first.bytes, second.bytes))
    return difference if difference else (first.bytes > second.bytes) - (first.bytes < second.bytes)


cdef void sorted_set_sort(HashedMember* members, uint64_t count) noexcept nogil:
    if count > 1:
        qsort(members, count, sizeof(HashedMember), by_score)


cdef struct Hashed:
    uint64_t hash
    uint64_t at                # of its member


cdef int by_hash(const void* a, const void* b) noexcept nogil:
    cdef const Hashed* first = <const Hashed*>a
    cdef const Hashed* second = <const Hashed*>b
    return (first.hash > second.hash) - (first.hash < second.hash)


cdef Status insert_all(SortedSet* s, const HashedMember* members, const Hashed* order, uint64_t count) noexcept nogil:
    """Into the two trees, each in its own order."""
    cdef uint64_t i
    cdef uint8_t* element
    cdef const Member* m
    cdef Status status = STATUS_OK
    for i in range(count):
        m = &members[i].m
        element = compose(s, m.name, m.bytes, score_key(m.score), m.score)
        if element == NULL:
            return STATUS_FULL
        status = append(s, element, m.bytes + SCORE_BYTES)
        let_go(s, element)
        if status != STATUS_OK:
            return status
    for i in range(count):
        if i + 8 < count:
            prefetch(&members[order[i + 8].at])
        if i + 4 < count:
            prefetch(members[order[i + 4].at].m.name)
        m = &members[order[i].at].m
        element = compose(s, m.name, m.bytes, 0, m.score)
        if element == NULL:
            return STATUS_FULL
        find_by_member(s, m.name, m.bytes)
        status = tree_insert(s.c.keys.forest, tree_by_member(s), &s.by_member, element + SCORE_BYTES, m.bytes + SCORE_BYTES)
        let_go(s, element)
        if status != STATUS_OK:
            return status
    return STATUS_OK


cdef Status sorted_set_fill(SortedSet* s, HashedMember* members, uint64_t count) noexcept nogil:
    cdef uint64_t i, longest = 0, bytes = 1 + 5
    cdef uint32_t marks = 0
    cdef Hashed* order
    cdef Status status = STATUS_OK
    for i in range(count):
        longest = max(longest, <uint64_t>members[i].m.bytes)
        bytes += SCORE_BYTES + 2 + members[i].m.bytes
    if count > s.listpack_members_max or longest > s.listpack_value_max:
        marks = ZSET_TABLE
    for i in range(count):
        if members[i].m.score == 0 and signbit(members[i].m.score):
            if marks & ZSET_TABLE:
                marks |= ZSET_MINUS
            else:
                members[i].m.score = 0
    collection_mark(&s.c, marks)
    if bytes <= PACKED_BYTES_MAX:
        for i in range(count):
            s.c.found = False
            put_packed(s, members[i].m.name, members[i].m.bytes, members[i].m.score)
        return STATUS_OK
    order = <Hashed*>malloc(count * sizeof(Hashed))
    INVARIANT(order != NULL)
    for i in range(count):
        order[i].hash = members[i].hash
        order[i].at = i
    qsort(order, count, sizeof(Hashed), by_hash)
    begin_trees(s)
    status = insert_all(s, members, order, count)
    if status == STATUS_OK:
        s.c.dirty = True
    else:
        retire_trees(s)
    free(order)
    return status
