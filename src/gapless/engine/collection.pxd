"""What collections of elements have in common that are packed in their record while small and lie on a tree beyond: hashes, lists,
sets, sorted sets.

    packed   offset  size  (up to PACKED_BYTES_MAX: the record's value)
             0       1     marks
             1       1-5   elements, varint
             .       .     in the order of their first write: varint element bytes | element
    tree     one Tree, its marks the same; behind it what its type keeps there, root_bytes in all:
             of a sorted set another Tree

A packed collection is copied to a buffer when it is first changed and written back by collection_close(): a command changes all it has to
or nothing. It becomes a tree when it outgrows the packed form, and stays one. What an element holds is its type's affair, and so are the
marks: what OBJECT ENCODING has to know of the collection's past.
"""
from libc.stddef cimport size_t
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from gapless.engine.base cimport Status
from gapless.engine.call cimport Arg, Call
from gapless.engine.forest cimport Tree
from gapless.engine.keyspace cimport Keyspace, Value, random_next
from gapless.engine.record cimport read_varint, varint_bytes
from gapless.engine.tree cimport Place


cdef enum:
    PACKED_BYTES_MAX = 3072
    ROOT_MORE_BYTES_MAX = 24   # that a type may keep behind its Tree


cdef struct Collection:
    Keyspace* keys
    const Arg* key
    uint64_t key_hash
    int db
    int type                   # RecordType
    int order                  # of its tree
    bint there                 # in the keyspace
    bint dirty
    bint found                 # what was looked for last; else: at, place are where it would go
    uint32_t at                # packed: its entry
    uint32_t entry_bytes
    Place place                # tree
    Value v
    Tree* tree                 # NULL: packed
    Tree fresh                 # of a collection that became a tree within this command; followed, without a gap, by
    uint8_t[ROOT_MORE_BYTES_MAX] fresh_more
    uint32_t root_bytes        # of a tree's value: sizeof(Tree), and what the type keeps behind it
    uint32_t trees             # how many of that are Trees, the first counted
    uint8_t* packed
    uint32_t packed_bytes
    uint8_t[PACKED_BYTES_MAX] buffer


cdef struct CollectionWalk:
    Collection* collection
    uint32_t at                # packed: the next entry
    bint more                  # tree: place is of the next element
    Place place


# An empty collection to be put into the keyspace under a key that is not there, or whose value it replaces.
cdef void collection_begin(Call* call, const Arg* key, uint64_t key_hash, int type, int order, Collection* c) noexcept nogil
# What lies under the key collection_begin() was given, there or not. False: another type, WRONGTYPE is replied. how: as keyspace_find().
# collection_close() must follow.
cdef bint collection_open(Call* call, int how, Collection* c) noexcept nogil
# For values that were found otherwise: to read only.
cdef void collection_of_value(Keyspace* ks, int type, int order, const Value* v, Collection* c) noexcept nogil

# Writes this element: where the last look-up found that it goes, or in place of what it found. It may not lie in c.buffer. STATUS_FULL,
# STATUS_TOO_LARGE: the collection is as it was.
cdef Status collection_put(Collection* c, const uint8_t* element, uint64_t n) noexcept nogil
# Whether all that argv[first] and what follows put will find room, `step` arguments an element: for a tree, which is changed as it goes.
cdef Status collection_room(Collection* c, const Arg* argv, int argc, int first, int step) noexcept nogil
# Puts what is packed on a tree, whose type has still to fill in what it keeps behind it. STATUS_FULL: it is as it was.
cdef Status collection_become_tree(Collection* c) noexcept nogil
# Removes what the last look-up found.
cdef void collection_remove(Collection* c) noexcept nogil
# The packed entry at c.at, of c.entry_bytes, becomes this element, or goes (NULL); `more`: how many elements are added.
cdef void collection_splice_packed(Collection* c, const uint8_t* element, uint32_t n, int more) noexcept nogil
# Removes the packed entry at this offset; where the next one is.
cdef uint32_t collection_drop_packed(Collection* c, uint32_t at) noexcept nogil
# Adds marks, or puts others in their place; no change of the collection, so far as the keyspace counts them.
cdef void collection_mark(Collection* c, uint32_t marks) noexcept nogil
cdef void collection_mark_anew(Collection* c, uint32_t marks) noexcept nogil

# Writes back what was changed; an empty collection has no key. STATUS_FULL: the packed form's changes are not made.
cdef Status collection_close(Collection* c) noexcept nogil
# Puts a collection that was begun under its key, in place of what is there. STATUS_FULL: nothing was changed, and it is forgotten.
cdef Status collection_store(Collection* c, int64_t expire_ms) noexcept nogil
# Forgets changes that were not written back (those of a tree in the keyspace stay).
cdef void collection_abandon(Collection* c) noexcept nogil
# Closes, or forgets what failed; True when all is well and the reply is due.
cdef bint collection_finish(Call* call, Collection* c, Status status) noexcept nogil
# The same after a reply that begins at `front`: an error stands instead of it.
cdef void collection_finish_reply(Call* call, Collection* c, size_t front, Status status) noexcept nogil

# All elements, in order: of their first write, or of their hash.
cdef void collection_walk(Collection* c, CollectionWalk* w) noexcept nogil
# Those of a tree from this hash on, see tree_key.hash_seek().
cdef void collection_walk_from(Collection* c, uint64_t head, CollectionWalk* w) noexcept nogil
# The next element; NULL at the end.
cdef const uint8_t* collection_next(CollectionWalk* w, uint32_t* n) noexcept nogil
# The element of this rank; NULL beyond. Packed O(rank), tree O(log n).
cdef const uint8_t* collection_at(Collection* c, uint64_t rank, uint32_t* n) noexcept nogil
# The hash of a member or field: the cursor of the scans.
cdef uint64_t collection_head(const Collection* c, const uint8_t* p, uint32_t n) noexcept nogil


cdef inline uint32_t packed_count(const Collection* c, uint32_t* first) noexcept nogil:
    """Elements of the packed form; where the first entry is."""
    cdef uint32_t count
    first[0] = <uint32_t>(read_varint(c.packed + 1, &count) - c.packed)
    return count


cdef inline uint64_t collection_count(const Collection* c) noexcept nogil:
    cdef uint32_t first
    return c.tree.count if c.tree != NULL else packed_count(c, &first)


cdef inline uint32_t collection_marks(const Collection* c) noexcept nogil:
    return c.tree.marks if c.tree != NULL else c.packed[0]


cdef inline bint collection_fits(const Collection* c, uint64_t n) noexcept nogil:
    """Whether an element of n bytes may be put where the last look-up found that it goes, or in place of what it found, and all stay packed."""
    # A byte more: the count may need it.
    return n < PACKED_BYTES_MAX and c.packed_bytes - c.entry_bytes + varint_bytes(<uint32_t>n) + n + 1 <= PACKED_BYTES_MAX


cdef inline uint64_t random_below(Keyspace* ks, uint64_t n) noexcept nogil:
    return (random_next(ks) >> 11) % n
