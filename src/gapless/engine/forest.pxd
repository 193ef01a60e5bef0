"""What all trees of a store share, what a tree is to those who hold it, and what is done to a tree as a whole.

A tree that is retired is linked in front of the others by its root page, which has no other use for that link; its pages are freed in
slices, the leaves without being looked at.
"""
from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t
from gapless.engine.base cimport Status
from gapless.engine.extent cimport Extents
from gapless.engine.node cimport Node
from gapless.engine.pages cimport Pages, page_at
from gapless.engine.tree_notes cimport TreeNotes


cdef enum Order:
    ORDER_POSITION = 0     # list: no keys
    ORDER_MEMBER = 1       # set: by hash of the element, equal hashes by bytes
    ORDER_FIELD = 2        # hash: the same of the field; element: varint (field bytes * 2 + has expiry), [6 bytes expiry], field, value
    ORDER_SCORED = 3       # sorted set, by member: the same of all but the last 8 bytes, which are the score
    ORDER_SCORE = 4        # sorted set, by score: 8 bytes big-endian, then the member; compared as bytes
    ORDER_BYTES = 5        # stream, ordered keys: compared as bytes
    ORDER_COUNT = 6


cdef enum:
    TREE_LEVELS = 24
    TREE_COUNT_MAX = 0xfffffffe
    GROUP_PAGES = 3        # nodes laid out anew together
    GROUP_FRESH = 6        # that they may become, at most
    PAGES_SPARE = 64       # pages an insert leaves untaken, so that removing never fails


cdef packed struct Tree:   # 16 bytes: what a record holds
    uint32_t root          # page; 0: empty
    uint32_t count         # elements
    uint32_t pages
    uint8_t height         # level of the root
    uint8_t order
    uint8_t extents        # an element lies or lay in an extent
    uint8_t marks          # the type's own


cdef struct Item:
    const uint8_t* at
    uint32_t n


cdef struct Forest:
    # What all trees of a store share.
    Pages* pages
    Extents* extents           # the store's: elements over element_bytes_max lie there, the whole of each
    uint64_t seed              # of the hash
    uint64_t hash_mask         # all ones, but in tests that want equal hashes
    uint32_t element_bytes_max
    uint32_t retired_first     # root of the first retired tree, or of what is left of it
    uint64_t pages_retired     # not given back yet
    uint8_t* scratch           # GROUP_PAGES pages, copies of nodes being laid out anew
    uint8_t* fresh[2]          # items to go into a node: GROUP_FRESH slots of slot_bytes, by turns of levels
    uint32_t slot_bytes
    Item* items                # of the nodes being laid out anew, in order
    uint32_t items_max
    TreeNotes* notes           # see tree_notes.pxd; NULL: nobody takes any


# NULL when the system refuses the range.
cdef Forest* forest_new(Extents* extents, uint32_t page_bytes, uint64_t address_bytes, uint64_t seed) noexcept nogil
cdef void forest_free(Forest* f) noexcept nogil
# Gives back at most `most` pages of retired trees to the pages; returns how many.
cdef uint32_t forest_reclaim(Forest* f, uint32_t most) noexcept nogil
# Empties the tree: O(1), forest_reclaim() frees its pages.
cdef void tree_retire(Forest* f, Tree* t) noexcept nogil
# A second tree with the same elements; STATUS_FULL: no pages left. O(pages).
cdef Status tree_copy(Forest* f, const Tree* t, Tree* out) noexcept nogil


cdef inline Node* node_at(const Forest* f, uint32_t page) noexcept nogil:
    return <Node*>page_at(f.pages, page)


cdef inline void tree_begin(Tree* t, int order) noexcept nogil:
    t.root = 0
    t.count = 0
    t.pages = 0
    t.height = 0
    t.order = <uint8_t>order
    t.extents = 0
    t.marks = 0
