"""Sets as collections of members. See set_value.pxd."""
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memcmp
from gapless.engine.base cimport STATUS_OK, Status, parse_int64
from gapless.engine.collection cimport (
    CollectionWalk, collection_begin, collection_count, collection_mark, collection_marks, collection_next,
    collection_open, collection_put, collection_walk, packed_count,
)
from gapless.engine.forest cimport ORDER_MEMBER
from gapless.engine.record cimport SET_LISTPACK, SET_TABLE, TYPE_SET, read_varint
from gapless.engine.tree cimport tree_find
from gapless.engine.tree_key cimport Key, hash_key

cdef enum:
    INTEGER_BYTES_MAX = 20


cdef void set_begin(Call* call, const Arg* key, uint64_t key_hash, Set* s) noexcept nogil:
    collection_begin(call, key, key_hash, TYPE_SET, ORDER_MEMBER, &s.c)
    s.intset_members_max = call.dispatch.set_intset_members
    s.listpack_members_max = call.dispatch.set_listpack_members
    s.listpack_value_max = call.dispatch.set_listpack_bytes


cdef bint set_open(Call* call, const Arg* key, uint64_t key_hash, int how, Set* s) noexcept nogil:
    set_begin(call, key, key_hash, s)
    return collection_open(call, how, &s.c)


cdef uint64_t set_longest(Set* s) noexcept nogil:
    cdef CollectionWalk w
    cdef uint32_t n = 0, longest = 0
    collection_walk(&s.c, &w)
    while collection_next(&w, &n) != NULL:
        longest = max(longest, n)
    return longest


# ---- marks

cdef void set_expect(Set* s, const Arg* first, uint64_t members) noexcept nogil:
    cdef uint32_t marks = collection_marks(&s.c)
    cdef int64_t number
    if marks & SET_TABLE:
        return
    if not s.c.there and not (members <= s.intset_members_max and parse_int64(first.data, first.size, &number)):
        marks = SET_LISTPACK
    if members > (s.listpack_members_max if marks & SET_LISTPACK else s.intset_members_max):
        marks |= SET_TABLE
    collection_mark(&s.c, marks)


cdef uint32_t marks_with(Set* s, const uint8_t* member, uint64_t n) noexcept nogil:
    """What marks the set will have with one more member."""
    cdef uint32_t marks = collection_marks(&s.c)
    cdef uint64_t count
    cdef int64_t number
    if marks & SET_TABLE:
        return marks
    count = collection_count(&s.c)
    if not marks & SET_LISTPACK:
        if n <= INTEGER_BYTES_MAX and parse_int64(member, n, &number):
            return SET_TABLE if count >= s.intset_members_max else marks
        if s.listpack_value_max < INTEGER_BYTES_MAX and set_longest(s) > s.listpack_value_max:
            return SET_TABLE
    return SET_TABLE if count >= s.listpack_members_max or n > s.listpack_value_max else SET_LISTPACK


# ---- one member

cdef inline bint find_packed(Collection* c, const uint8_t* member, uint64_t n) noexcept nogil:
    cdef uint32_t at, bytes, _i
    cdef const uint8_t* p
    cdef const uint8_t* element
    cdef uint32_t count = packed_count(c, &at)
    p = c.packed + at
    for _i in range(count):
        element = read_varint(p, &bytes)
        if bytes == n and memcmp(element, member, n) == 0:
            c.at = <uint32_t>(p - c.packed)
            c.entry_bytes = <uint32_t>(element - p) + bytes
            return True
        p = element + bytes
    c.at = c.packed_bytes
    c.entry_bytes = 0
    return False


cdef bint set_find(Set* s, const uint8_t* member, uint64_t n) noexcept nogil:
    cdef Collection* c = &s.c
    cdef Key key
    if c.tree == NULL:
        c.found = find_packed(c, member, n)
    else:
        hash_key(c.keys.forest, member, <uint32_t>n, &key)
        c.found = tree_find(c.keys.forest, c.tree, &key, &c.place)
    return c.found


cdef Status set_put(Set* s, const uint8_t* member, uint64_t n) noexcept nogil:
    cdef uint32_t marks = marks_with(s, member, n)
    cdef Status status = collection_put(&s.c, member, n)
    if status == STATUS_OK:
        collection_mark(&s.c, marks)
    return status


cdef Status set_add(Set* s, const uint8_t* member, uint64_t n, bint* added) noexcept nogil:
    added[0] = not set_find(s, member, n)
    return set_put(s, member, n) if added[0] else STATUS_OK
