r"""The tree: one counted B+tree over pages; it serves every type whose collection is too large for its record.

                     inner (level 2)   [ child, elements below, separator ] ...
                  /                                       \
    inner (level 1) [..] [..] [..]                    inner (level 1) [..] [..]
       |      |      |                                   |      |
     leaf <-> leaf <-> leaf <------------------------> leaf <-> leaf       elements, in order

An element is an opaque string of bytes; one over element_bytes_max lies in an extent, whole, and the leaf holds where. What orders it
is one of a few kinds known here, see Order. A key is compared by its head, 8 bytes as a number, and then by its tail; a separator is
the shortest string that tells two neighbouring leaves apart: a byte or two of the hash where the order is a hash. One that would be long
because two elements in extents begin alike is the key of one of them, where it lies (node.pxd).

Invariants (tree_check):
- All leaves are at level 0; elements ascend along the leaves, strictly where the order has keys; leaves are linked both ways.
- An inner item's count is the number of elements below it; its separator is at most every key below it and greater than every key to its
  left. The first item of a node has none: what bounds the node is in its parent, and in one place only.
- No node is empty; an inner root has two children at least; every page of a tree is reached once and counted in Tree.pages.
- A node that an insert finds full shares with the emptier sibling, or two full ones become three; a node left below two thirds takes part
  in three becoming two where they fit. So random changes leave nodes about three quarters full; growth at either end leaves them full.

Nothing in a page points at what holds the Tree: records move freely. A Tree is changed only through the functions below, a Place is good
until the next change of its tree, and an element's bytes until then.
"""
from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t
from gapless.engine.base cimport Status, unlikely
from gapless.engine.forest cimport ORDER_SCORE, TREE_LEVELS, Forest, Tree
from gapless.engine.tree_key cimport Key
from gapless.engine.tree_notes cimport note_take, notes_own


cdef struct Place:
    # Where an element is, or would go: pages and entries from the leaf (level 0) up to the root.
    uint32_t[TREE_LEVELS] page
    uint16_t[TREE_LEVELS] at
    bint found


# The first element that is not less than the key; place.found: it has this key. O(log n).
cdef bint tree_find(const Forest* f, const Tree* t, const Key* key, Place* place) noexcept nogil
# The element of this rank; rank == count is the place after the last. False beyond. O(log n).
cdef bint tree_at(const Forest* f, const Tree* t, uint64_t rank, Place* place) noexcept nogil
cdef uint64_t tree_rank(const Forest* f, const Tree* t, const Place* place) noexcept nogil
# The element at a place; NULL when the place is after the last.
cdef const uint8_t* tree_element(const Forest* f, const Place* place, uint32_t* n) noexcept nogil
# To the neighbouring element: only for reading, its path to the root is lost. False at the end.
cdef bint tree_next(const Forest* f, Place* place) noexcept nogil
cdef bint tree_previous(const Forest* f, Place* place) noexcept nogil

# Whether so many inserts and replacements, of elements that fit a page, will find their pages. A command that changes several elements of a
# tree asks first: what it has done to a tree can't be undone.
cdef bint tree_has_room(const Forest* f, const Tree* t, uint64_t changes) noexcept nogil
# Inserts before the place, replaces or removes the element there. STATUS_FULL (no page or extent left) or STATUS_TOO_LARGE (too many
# elements): nothing was changed. The
# element may lie in the tree. A replaced element keeps its key. O(log n).
cdef Status tree_insert(Forest* f, Tree* t, Place* place, const uint8_t* element, uint32_t n) noexcept nogil
cdef Status tree_replace(Forest* f, Tree* t, Place* place, const uint8_t* element, uint32_t n) noexcept nogil
cdef void tree_remove(Forest* f, Tree* t, Place* place) noexcept nogil


# ---- notes for the journal (tree_notes.pxd): taken by the functions above; what changes an element where it lies takes its own

cdef inline bint tree_is_noted(const Forest* f, const Tree* t) noexcept nogil:
    # Who has the members of a sorted set has its scores, too.
    return unlikely(f.notes != NULL) and t.order != ORDER_SCORE and notes_own(f.notes, t)


cdef inline void tree_note(const Forest* f, const Tree* t, int kind, const uint8_t* element, uint32_t n, uint32_t position) noexcept nogil:
    if tree_is_noted(f, t):
        note_take(f.notes, t, kind, element, n, position, False)
