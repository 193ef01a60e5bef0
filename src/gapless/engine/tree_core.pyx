"""Trees without a store around them, for the tests: small pages, equal hashes, one tree of each number."""
from cpython.bytes cimport PyBytes_FromStringAndSize
from libc.stdint cimport uint8_t, uint32_t, uint64_t
from gapless.engine.base cimport STATUS_FULL, STATUS_OK, STATUS_TOO_LARGE, Status
from gapless.engine.extent cimport Extents, extents_free, extents_new, extents_reclaim
from gapless.engine.forest cimport Forest, Tree, forest_free, forest_new, forest_reclaim, tree_begin, tree_copy, tree_retire
from gapless.engine.node cimport NODE_HEADER_BYTES, Node
from gapless.engine.pages cimport pages_cached_max, pages_committed, pages_trim
from gapless.engine.tree cimport (
    Place, tree_at, tree_element, tree_find, tree_insert, tree_next, tree_previous, tree_rank, tree_remove, tree_replace,
)
from gapless.engine.tree_check cimport Census, census_free, census_new, forest_check, tree_check
from gapless.engine.tree_cut cimport tree_cut
from gapless.engine.tree_key cimport Key, element_key, hash_seek, order_hashes

from gapless.errors import OutOfMemoryError, ResponseError


cdef void demand(Status status) except *:
    if status == STATUS_FULL:
        raise OutOfMemoryError("no page is left")
    if status == STATUS_TOO_LARGE:
        raise ResponseError("the element is too large")
    assert status == STATUS_OK


cdef class TreeCore:
    """Trees of one order over pages of their own. Ranks and elements, no commands."""
    cdef Extents* extents
    cdef Forest* f
    cdef Tree[4] trees
    cdef int order

    def __cinit__(self, int order, uint32_t page_bytes=256, uint64_t address_bytes=1 << 24, uint64_t seed=1,
                  uint64_t hash_mask=<uint64_t>-1):
        self.extents = extents_new()
        self.f = forest_new(self.extents, page_bytes, address_bytes, seed) if self.extents != NULL else NULL
        if self.f == NULL:
            raise MemoryError
        self.f.hash_mask = hash_mask
        self.order = order
        for i in range(4):
            tree_begin(&self.trees[i], order)

    def __dealloc__(self):
        forest_free(self.f)
        if self.extents != NULL:
            extents_free(self.extents)

    cdef bytes element(self, const Place* place):
        cdef uint32_t n
        cdef const uint8_t* p = tree_element(self.f, place, &n)
        return None if p == NULL else PyBytes_FromStringAndSize(<const char*>p, n)

    cdef bint find(self, int tree, bytes element, Place* place):
        cdef Key key
        element_key(self.f, self.order, <const uint8_t*><const char*>element, <uint32_t>len(element), &key)
        return tree_find(self.f, &self.trees[tree], &key, place)

    def head(self, bytes element):
        """The first 64 bits that order it: its hash, or its first bytes."""
        cdef Key key
        element_key(self.f, self.order, <const uint8_t*><const char*>element, <uint32_t>len(element), &key)
        return key.head

    def put(self, bytes element, int tree=0):
        """Inserts by key, or replaces what has the same key. True: inserted."""
        cdef Place place
        cdef bint found = self.find(tree, element, &place)
        if found:
            demand(tree_replace(self.f, &self.trees[tree], &place, <const uint8_t*><const char*>element, <uint32_t>len(element)))
        else:
            demand(tree_insert(self.f, &self.trees[tree], &place, <const uint8_t*><const char*>element, <uint32_t>len(element)))
        return not found

    def discard(self, bytes element, int tree=0):
        cdef Place place
        cdef bint found = self.find(tree, element, &place)
        if found:
            tree_remove(self.f, &self.trees[tree], &place)
        return found

    def rank(self, bytes element, int tree=0):
        """How many elements are less, and whether one has this key."""
        cdef Place place
        cdef bint found = self.find(tree, element, &place)
        return tree_rank(self.f, &self.trees[tree], &place), bool(found)

    def get(self, bytes element, int tree=0):
        cdef Place place
        return self.element(&place) if self.find(tree, element, &place) else None

    def at(self, uint64_t rank, int tree=0):
        cdef Place place
        if not tree_at(self.f, &self.trees[tree], rank, &place):
            return None
        assert tree_rank(self.f, &self.trees[tree], &place) == rank
        return self.element(&place)

    def insert_at(self, uint64_t rank, bytes element, int tree=0):
        cdef Place place
        assert tree_at(self.f, &self.trees[tree], rank, &place)
        demand(tree_insert(self.f, &self.trees[tree], &place, <const uint8_t*><const char*>element, <uint32_t>len(element)))

    def replace_at(self, uint64_t rank, bytes element, int tree=0):
        cdef Place place
        assert tree_at(self.f, &self.trees[tree], rank, &place)
        demand(tree_replace(self.f, &self.trees[tree], &place, <const uint8_t*><const char*>element, <uint32_t>len(element)))

    def remove_at(self, uint64_t rank, int tree=0):
        cdef Place place
        assert tree_at(self.f, &self.trees[tree], rank, &place)
        tree_remove(self.f, &self.trees[tree], &place)

    def cut(self, uint64_t rank, int tree, int to):
        """The elements from this rank on go to another tree; as they do where there is nothing to cut."""
        assert self.trees[to].root == 0 and self.order == 0
        if rank == 0:
            self.trees[tree], self.trees[to] = self.trees[to], self.trees[tree]
        elif rank < self.trees[tree].count:
            demand(tree_cut(self.f, &self.trees[tree], rank, &self.trees[to]))

    def elements(self, bint backwards=False, int tree=0):
        cdef Place place
        cdef bint more
        found = []
        if self.trees[tree].count == 0:
            return found
        tree_at(self.f, &self.trees[tree], self.trees[tree].count - 1 if backwards else 0, &place)
        more = True
        while more:
            found.append(self.element(&place))
            more = tree_previous(self.f, &place) if backwards else tree_next(self.f, &place)
        return found

    def scan(self, uint64_t head, int most, int tree=0):
        """Elements from this hash on, at least `most` of them unless they end, whole hashes only; and the hash to go on from, 0 at the end."""
        cdef Key key
        cdef Place place
        cdef uint64_t last = 0
        assert order_hashes(self.order)
        found = []
        hash_seek(head, &key)
        tree_find(self.f, &self.trees[tree], &key, &place)
        while True:
            element = self.element(&place)
            if element is None:
                return 0, found
            here = self.head(element)
            if len(found) >= most and here != last:
                return here, found
            found.append(element)
            last = here
            if not tree_next(self.f, &place):
                return 0, found

    def count(self, int tree=0):
        return self.trees[tree].count

    def retire(self, int tree=0):
        tree_retire(self.f, &self.trees[tree])

    def copy(self, int tree, int to):
        assert self.trees[to].root == 0
        demand(tree_copy(self.f, &self.trees[tree], &self.trees[to]))

    def reclaim(self, uint32_t most):
        extents_reclaim(self.extents, <uint64_t>-1)
        return forest_reclaim(self.f, most)

    def trim(self, uint32_t most, bint all=False):
        """Gives free pages beyond those that may keep their memory back to the system."""
        return pages_trim(self.f.pages, 0 if all else pages_cached_max(self.f.pages), most)

    def check(self):
        """What is wrong, or None."""
        cdef Census* c = census_new(self.f)
        cdef const char* wrong = NULL
        assert c != NULL
        for i in range(4):
            if wrong == NULL:
                wrong = tree_check(self.f, &self.trees[i], c)
        if wrong == NULL:
            wrong = forest_check(self.f, c)
        if wrong == NULL and c.extents != self.extents.count:
            wrong = "tree: the number of extents is off"
        census_free(c)
        return None if wrong == NULL else (<bytes>wrong).decode()

    def counters(self, int tree=0):
        """Pages and bytes; fill is the share of the leaves' room in use."""
        cdef Census* c = census_new(self.f)
        assert c != NULL and tree_check(self.f, &self.trees[tree], c) == NULL
        found = {
            "pages_used": self.f.pages.used, "pages_cached": self.f.pages.cached_count, "pages_free": self.f.pages.free_count,
            "pages_retired": self.f.pages_retired, "bytes_committed": pages_committed(self.f.pages), "leaves": c.leaves,
            "height": self.trees[tree].height, "tree_pages": self.trees[tree].pages,
            "fill": <double>c.bytes_used / <double>c.bytes_room if c.bytes_room else 1.0, "element_bytes_max": self.f.element_bytes_max,
            "extents": self.extents.count,
        }
        census_free(c)
        return found


def layout():
    """Bytes of the structs whose size is a promise, by name."""
    return {"tree": sizeof(Tree), "node": sizeof(Node), "node_header": NODE_HEADER_BYTES}
