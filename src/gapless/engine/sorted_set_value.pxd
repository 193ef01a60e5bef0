"""What a sorted set is to the commands: members, each with a score, in order of score, and of member where scores are equal.

    packed       see collection.pxd; the entries are in order, so that a rank is a position
      element    code of the score u64, big-endian (score.pxd) | member
    trees        two, each of all members:
      by score   ORDER_SCORE: key of the score u64, big-endian | member
      by member  ORDER_SCORED: member | score, the double itself

The Collection's tree is the one by score, and the one by member follows it in the record. So walks and ranks are those of any collection.
A member over a quarter of a page is in both trees whole, each with an extent of its own: to share one each tree would have to know of the
other when it is copied, freed or checked.

ZSET_TABLE is what OBJECT ENCODING has to know of its past: that it went beyond the limits of Redis's listpack. A listpack has no -0. Beyond it
one that is -0 is told from the tree by member, if ZSET_MINUS says that there has been one.
"""
from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t
from gapless.engine.base cimport Status
from gapless.engine.call cimport Arg, Call
from gapless.engine.collection cimport PACKED_BYTES_MAX, Collection
from gapless.engine.forest cimport Tree
from gapless.engine.keyspace cimport Keyspace, Value
from gapless.engine.tree cimport Place


cdef enum:
    SORTED_SET_TREES = 2
    SCORE_BYTES = 8
    COMPOSE_BYTES = 1100       # an element that fits a page, and a score
    PACKED_MEMBERS_MAX = PACKED_BYTES_MAX // (SCORE_BYTES + 1)


cdef struct Member:
    const uint8_t* name
    uint32_t bytes
    double score


cdef struct HashedMember:
    Member m
    uint64_t hash              # hash_bytes() with the store's seed


cdef struct SortedSet:
    Collection c
    uint64_t listpack_members_max  # what Redis would keep in a listpack
    uint64_t listpack_value_max
    double score               # of the member found
    uint64_t rank              # and its rank, if packed
    Place by_member            # and where it is, or would be, in that tree
    uint8_t[COMPOSE_BYTES] compose


cdef struct SortedWalk:
    SortedSet* set
    uint64_t left              # members to come
    bint backwards
    Place place                # tree: of the next
    uint32_t at                # packed: its entry, backwards which of `entry`
    uint16_t[PACKED_MEMBERS_MAX] entry


cdef struct Span:
    uint64_t first             # rank
    uint64_t count


# The sorted set under a key, there or not. False: another type, WRONGTYPE is replied. how: as keyspace_find(). collection_close() must
# follow.
cdef bint sorted_set_open(Call* call, const Arg* key, uint64_t key_hash, int how, SortedSet* s) noexcept nogil
# An empty one to be put into the keyspace under a key that is not there, or whose value it replaces.
cdef void sorted_set_begin(Call* call, const Arg* key, uint64_t key_hash, SortedSet* s) noexcept nogil
# For values that were found otherwise: to read only.
cdef void sorted_set_of_value(Keyspace* ks, const Value* v, SortedSet* s) noexcept nogil
# Marks it for so many members to come, the first of so many bytes, as Redis chooses an encoding before it adds them.
cdef void sorted_set_expect(SortedSet* s, uint64_t members, uint64_t first_bytes) noexcept nogil

# Whether the member is there: s.score. Packed O(members), tree O(log members).
cdef bint sorted_set_find(SortedSet* s, const uint8_t* name, uint64_t n) noexcept nogil
# Writes the member that sorted_set_find() just looked for. REQUIRED: one that is there gets another score. STATUS_FULL, STATUS_TOO_LARGE: it is
# as it was.
cdef Status sorted_set_put(SortedSet* s, const uint8_t* name, uint64_t n, double score) noexcept nogil
# The same of a set on trees, whatever it is to be called: marks are as they were.
cdef Status sorted_set_put_on_trees(SortedSet* s, const uint8_t* name, uint64_t n, double score) noexcept nogil
# Rank of the member that was found; removes it. `name` may lie in the set.
cdef uint64_t sorted_set_rank(SortedSet* s, const uint8_t* name, uint64_t n) noexcept nogil
cdef void sorted_set_remove(SortedSet* s, const uint8_t* name, uint64_t n) noexcept nogil

# The member of this rank; False beyond. Packed O(rank), tree O(log members).
cdef bint sorted_set_at(SortedSet* s, uint64_t rank, Member* out) noexcept nogil
# The ranks of those with a score from low to high. Packed O(members), tree O(log members).
cdef void sorted_set_span(SortedSet* s, double low, bint low_open, double high, bint high_open, Span* out) noexcept nogil
# Removes so many members from this rank on. REQUIRED: they are there.
cdef void sorted_set_remove_ranks(SortedSet* s, uint64_t rank, uint64_t count) noexcept nogil
# Walks so many members from this rank on, backwards from the last of them to the first. REQUIRED: they are there.
cdef void sorted_set_walk(SortedSet* s, uint64_t rank, uint64_t count, bint backwards, SortedWalk* w) noexcept nogil
cdef bint sorted_set_next(SortedWalk* w, Member* out) noexcept nogil
# Puts members in the order of sorted sets. O(members log members).
cdef void sorted_set_sort(HashedMember* members, uint64_t count) noexcept nogil
# Fills an empty set with members in its order, none twice. Marks it as Redis does what it has computed as a whole.
# O(members log members).
cdef Status sorted_set_fill(SortedSet* s, HashedMember* members, uint64_t count) noexcept nogil


cdef inline Tree* tree_by_member(const SortedSet* s) noexcept nogil:
    return s.c.tree + 1
