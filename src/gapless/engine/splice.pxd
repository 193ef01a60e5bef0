"""Changing a tree: items of a leaf replaced by others, and what follows from it further up.

A node with room is changed where it lies. A full one is laid out anew together with its emptier sibling, as two nodes or as three; one
left underfull together with its neighbours, as a node less; growth at either end of the tree opens a new node and leaves the full one as
it is. Either way the parent gets a splice in turn, up to the root. A group is copied to scratch memory first, so its pages are reused.
"""
from libc.stdint cimport uint8_t, uint32_t
from gapless.engine.forest cimport Forest, Item, Tree
from gapless.engine.tree cimport Place


cdef enum:
    SPLICE_PAGES = 3           # that one level may need at most


cdef struct Splice:
    # What is to become of one node: `remove` items at the path's place go, `count` come from the slots of fresh[turn].
    uint32_t remove
    uint32_t count
    int turn
    int delta                  # elements more below the node


cdef inline uint8_t* fresh_item(const Forest* f, int turn, uint32_t i) noexcept nogil:
    return f.fresh[turn] + i * f.slot_bytes


# REQUIRED: the place is of an element of this tree, or where one goes; pages_left() is at least SPLICE_PAGES for each level and three more, or it
# only removes. The place is lost.
cdef void splice(Forest* f, Tree* t, Place* place, Splice* s) noexcept nogil

# Fills a node with these items, which may not lie in it; returns the elements below it.
cdef uint32_t lay_out(Forest* f, int order, int level, uint32_t page, uint32_t kind, const Item* items, uint32_t n) noexcept nogil
# Frees roots of one child, and an empty one.
cdef void settle_root(Forest* f, Tree* t) noexcept nogil
