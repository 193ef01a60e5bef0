"""What a list is to the commands: a collection of elements by position, see collection.pxd. An element is its bytes.

A list is packed while Redis would hold it in a listpack and it is small, else on a tree; behind the Tree lie its ListNodes. LIST_QUICKLIST,
a mark, says that Redis would hold it in a quicklist; one without is told as one node.
"""
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from gapless.engine.base cimport Status
from gapless.engine.call cimport Arg, Call
from gapless.engine.collection cimport PACKED_BYTES_MAX, Collection, collection_count
from gapless.engine.keyspace cimport Keyspace, Value
from gapless.engine.list_nodes cimport ListNodes
from gapless.engine.reply cimport Reply
from gapless.engine.tree cimport Place


cdef struct List:
    Collection c
    int fill                   # list-max-listpack-size


cdef struct ListWalk:
    List* list
    bint backwards
    uint64_t left              # elements to come
    uint32_t at                # packed: the next entry
    Place place                # tree
    uint16_t[PACKED_BYTES_MAX] starts      # packed, backwards: where each entry begins


# The list under a key, there or not. False: another type, WRONGTYPE is replied. how: as keyspace_find(). collection_close() must follow.
cdef bint list_open(Call* call, const Arg* key, uint64_t key_hash, int how, List* l) noexcept nogil
# An empty list to be put into the keyspace under a key that is not there, or whose value it replaces.
cdef void list_begin(Call* call, const Arg* key, uint64_t key_hash, List* l) noexcept nogil
# For values that were found otherwise: to read only.
cdef void list_of_value(Keyspace* ks, const Value* v, List* l) noexcept nogil

# REQUIRED before elements are added, so many of so many bytes together: Redis chooses its encoding then. STATUS_FULL: the list is as it was.
cdef Status list_expect(List* l, uint64_t bytes, uint64_t count) noexcept nogil
# REQUIRED after elements were removed or replaced: what is left may be a listpack again.
cdef void list_shrunk(List* l) noexcept nogil
# A quicklist from now on, whatever it holds.
cdef Status list_become_quicklist(List* l) noexcept nogil

# What Redis makes of a quicklist of these nodes when it is done with filling it: a listpack, of one node within the limit that is no
# element by itself.
cdef Status list_settle(List* l, const ListNodes* nodes, bint plain) noexcept nogil

# Adds an element at an end. STATUS_FULL, STATUS_TOO_LARGE: the list is as it was; likewise the others. Packed O(bytes), tree O(log n).
cdef Status list_push(List* l, bint left, const uint8_t* element, uint64_t n) noexcept nogil
# The element at an end; NULL: there is none.
cdef const uint8_t* list_peek(List* l, bint left, uint32_t* n) noexcept nogil
# Removes what list_peek() has just found.
cdef void list_pop(List* l, bint left) noexcept nogil
# Removes so many at an end, at most all.
cdef void list_drop(List* l, bint left, uint64_t count) noexcept nogil
# Moves the element at one end, which is there, to an end.
cdef Status list_rotate(List* l, bint from_left, bint to_left) noexcept nogil
# The element of this rank; NULL beyond. Packed O(rank), tree O(log n).
cdef const uint8_t* list_at(List* l, uint64_t rank, uint32_t* n) noexcept nogil
# What list_at() has just found becomes another, gets a neighbour, goes. The element may not lie in the list.
cdef Status list_replace(List* l, uint64_t rank, const uint8_t* element, uint64_t n) noexcept nogil
cdef Status list_insert(List* l, uint64_t rank, bint after, const uint8_t* element, uint64_t n) noexcept nogil
cdef void list_remove(List* l, uint64_t rank) noexcept nogil

# Replies so many elements from this rank on. REQUIRED: they are there.
cdef void list_reply(List* l, uint64_t rank, uint64_t count, Reply* reply) noexcept nogil
# Elements from this rank on, which must be there, in either direction.
cdef void list_walk(List* l, uint64_t rank, bint backwards, ListWalk* w) noexcept nogil
# The next one; NULL at the end.
cdef const uint8_t* list_next(ListWalk* w, uint32_t* n) noexcept nogil


cdef inline ListNodes* list_nodes(const List* l) noexcept nogil:
    """Of a list on a tree."""
    return <ListNodes*>(l.c.tree + 1)


cdef inline uint64_t list_length(const List* l) noexcept nogil:
    return collection_count(&l.c)


cdef inline bint list_rank(const List* l, int64_t index, uint64_t* rank) noexcept nogil:
    """An index, from the end where negative, as a rank; False: there is no such element."""
    if index < 0:
        index += <int64_t>list_length(l)
    rank[0] = <uint64_t>index
    return index >= 0 and <uint64_t>index < list_length(l)
