"""The nodes of a quicklist: in which of them Redis would hold the elements of a list, for OBJECT ENCODING and DUMP.

Nothing lies in such nodes here; a list on a tree counts them beside it.

    | head |  filled leftwards  | anchor |  filled rightwards  | tail |

Redis pushes into the first or last node while it has room, and opens a new one beyond. So what was pushed and popped at either end is
told by five numbers: elements and bytes of the first and the last node, and a boundary in between, from which the others filled up in
either direction. A list of one node has it as head and as tail.

What a cut in the middle of a long list leaves, a node that was filled from both sides, and what was inserted, removed or replaced between
head and tail, is told approximately: a boundary may be off by some elements until it is reached from an end.
"""
from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t
from gapless.engine.forest cimport Forest, Tree


cdef enum:
    LISTPACK_EMPTY_BYTES = 7
    LARGE_BYTES = 8192             # what a node takes where list-max-listpack-size counts elements


cdef packed struct ListNodes:      # 24 bytes
    uint32_t anchor
    uint32_t head_count
    uint32_t head_bytes
    uint32_t tail_count
    uint32_t tail_bytes
    int32_t fill                   # list-max-listpack-size when the quicklist was made


# One node of so many elements and bytes.
cdef void nodes_begin(ListNodes* nodes, int fill, uint32_t count, uint64_t bytes) noexcept nogil
# An element of `n` bytes, `size` in a listpack, joins at an end of a list of `count` elements.
cdef void nodes_push(ListNodes* nodes, uint32_t count, bint left, uint64_t n, uint32_t size) noexcept nogil
# A node of so many elements and bytes, the first of first_bytes, joins at the right: as a payload has it.
cdef void nodes_append(ListNodes* nodes, uint32_t count, uint32_t node_count, uint64_t node_bytes, uint64_t first_bytes) noexcept nogil
# The element at an end leaves, `size` bytes in a listpack, before it leaves the tree. REQUIRED: it is not the only one.
cdef void nodes_pop(const Forest* f, const Tree* t, ListNodes* nodes, bint left, uint32_t size) noexcept nogil
# To be called before the elements leave the tree: k of them at an end, less than all. O(elements of a node).
cdef void nodes_cut(const Forest* f, const Tree* t, ListNodes* nodes, bint left, uint32_t k) noexcept nogil
# Likewise: one is inserted before or after the pivot, goes, becomes another.
cdef void nodes_insert(const Forest* f, const Tree* t, ListNodes* nodes, uint32_t pivot, bint after, uint64_t n, uint32_t size) noexcept nogil
cdef void nodes_remove(const Forest* f, const Tree* t, ListNodes* nodes, uint32_t at) noexcept nogil
cdef void nodes_replace(const Forest* f, const Tree* t, ListNodes* nodes, uint32_t at, uint64_t n, uint32_t size) noexcept nogil
# Where each node ends, in order; how many there are. To be freed. O(elements).
cdef uint32_t* nodes_ends(const Forest* f, const Tree* t, const ListNodes* nodes, uint32_t* count) noexcept nogil


cdef inline uint64_t node_bytes_max(int fill) noexcept nogil:
    return <uint64_t>4096 << min(-(fill + 1), 4) if fill < 0 else <uint64_t>LARGE_BYTES


cdef inline bint node_exceeds(int fill, uint64_t bytes, uint64_t count) noexcept nogil:
    """Whether a node of so much would be over the limit."""
    return bytes > node_bytes_max(fill) or (fill >= 0 and count > <uint64_t>max(fill, 1))


cdef inline bint node_is_plain(int fill, uint64_t n) noexcept nogil:
    """Whether an element of n bytes has a node of its own."""
    return n > node_bytes_max(fill)


cdef inline bint nodes_are_one(const ListNodes* nodes, uint32_t count) noexcept nogil:
    return nodes.head_count == count
