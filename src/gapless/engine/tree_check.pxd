"""The self-check of trees: everything that tree.pxd and node.pxd promise, by walking all of it."""
from libc.stdint cimport uint8_t, uint32_t, uint64_t
from gapless.engine.forest cimport Forest, Tree


cdef struct Census:
    uint8_t* seen              # a byte a page: reached
    uint64_t pages
    uint64_t leaves
    uint64_t elements
    uint64_t extents
    uint64_t bytes_used        # of leaves, entries counted
    uint64_t bytes_room


cdef Census* census_new(const Forest* f) noexcept nogil
cdef void census_free(Census* c) noexcept nogil
# NULL when all is well, else what is wrong (static text); adds the tree's pages to the census. O(elements).
cdef const char* tree_check(const Forest* f, const Tree* t, Census* c) noexcept nogil
# Adds the retired trees, and compares what was reached with the pages in use.
cdef const char* forest_check(const Forest* f, Census* c) noexcept nogil
