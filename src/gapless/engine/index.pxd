"""The index: key -> position, by linear hashing over 64-byte buckets.

    bucket: 8 slots of 8 bytes, packed from slot 0; 0 = empty
    slot    bits 0-39   position of the record in the arena
            bits 40-47  tag: 8 bits of the hash, never 0
            bits 48-63  access: see access.pxd
    link    slot 7 with tag 0: bits 0-39 number of the overflow bucket + 1

With level L and split point s there are 2^L + s home buckets: hash mod 2^(L+1) when that is below 2^L + s, else hash mod 2^L.
Growing by one bucket splits bucket s; shrinking by one merges the last bucket back. Overflow buckets are dense: the last one moves
into the hole that a freed one leaves, so that both ranges give their tails back. A slot does not hold the whole hash: a split reads the
keys, whose lines were prefetched by the inserts before it.
"""
from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t
from gapless.engine.arena cimport Arena
from gapless.engine.base cimport likely, prefetch, unlikely


cdef enum:
    BUCKET_SLOTS = 8
    BUCKET_BYTES = 64


cdef struct Index:
    uint64_t* buckets          # home buckets
    uint64_t* overflow         # overflow buckets
    uint64_t range_bytes       # addresses reserved for each of the two
    uint64_t mask              # 2^L - 1
    uint64_t split             # s
    uint64_t bucket_count      # 2^L + s
    uint64_t overflow_count
    uint64_t keys
    uint64_t grow_at           # keys at which the next bucket is added
    uint64_t touched_buckets   # high-water mark of home buckets that have memory
    uint64_t touched_overflow
    const uint8_t* records     # the arena's base, for prefetching only


cdef inline uint64_t slot_position(uint64_t slot) noexcept nogil:
    return slot & <uint64_t>0xffffffffff

cdef inline uint64_t tag_of(uint64_t hash) noexcept nogil:
    """The tag, in place: bits 40-47."""
    cdef uint64_t tag = hash >> 56
    return (tag if tag != 0 else 1) << 40

cdef inline bint slot_is_link(uint64_t slot) noexcept nogil:
    return slot != 0 and (slot & (<uint64_t>0xff << 40)) == 0

cdef inline uint64_t* index_home(const Index* index, uint64_t hash) noexcept nogil:
    cdef uint64_t number = hash & ((index.mask << 1) | 1)
    if number >= index.bucket_count:
        number = hash & index.mask
    return index.buckets + number * BUCKET_SLOTS

cdef inline uint64_t* index_next(const Index* index, const uint64_t* bucket) noexcept nogil:
    """The bucket's overflow bucket, or NULL."""
    cdef uint64_t last = bucket[7]
    if likely(not slot_is_link(last)):
        return NULL
    return index.overflow + ((last & <uint64_t>0xffffffffff) - 1) * BUCKET_SLOTS

cdef inline void index_prefetch_bucket(const Index* index, uint64_t hash) noexcept nogil:
    prefetch(index_home(index, hash))

cdef inline void index_prefetch_slots(const uint64_t* bucket, const uint8_t* records) noexcept nogil:
    """Where the slots of a bucket lead to; its chain is left out."""
    cdef int i
    for i in range(BUCKET_SLOTS):
        if bucket[i] == 0 or slot_is_link(bucket[i]):
            break
        prefetch(records + slot_position(bucket[i]))

cdef inline void index_prefetch_record(const Index* index, const uint8_t* arena_base, uint64_t hash) noexcept nogil:
    """Of every slot whose tag matches: nearly always one."""
    cdef const uint64_t* bucket = index_home(index, hash)
    cdef uint64_t tag = tag_of(hash)
    cdef int i
    cdef const uint8_t* at
    for i in range(BUCKET_SLOTS):
        if (bucket[i] & (<uint64_t>0xff << 40)) == tag:
            at = arena_base + slot_position(bucket[i])
            prefetch(at)
            prefetch(at + 64)
    if unlikely(slot_is_link(bucket[7])):
        prefetch(index_next(index, bucket))


# How the index asks for a record's hash (splits, merges): the layer above knows keys.
ctypedef uint64_t (*HashAt)(void* context, uint64_t position) noexcept nogil

cdef Index* index_new(uint64_t range_bytes, const uint8_t* records) noexcept nogil
cdef void index_free(Index* index) noexcept nogil
# Puts a slot value (position and access; the tag is added) where the hash says. May split a bucket: pointers to slots are void after.
cdef uint64_t* index_insert(Index* index, uint64_t hash, uint64_t slot, HashAt hash_at, void* context) noexcept nogil
# Takes away the slot at this address. `hash` is its key's. Pointers to slots of this bucket are void after. Never shrinks.
cdef void index_remove(Index* index, uint64_t hash, uint64_t* slot, HashAt hash_at, void* context) noexcept nogil
# The slot that holds exactly this position, or NULL.
cdef uint64_t* index_find_position(const Index* index, uint64_t hash, uint64_t position) noexcept nogil
# Merges the last bucket back when the load allows; True when it did (call again).
cdef bint index_shrink(Index* index, HashAt hash_at, void* context) noexcept nogil
cdef uint64_t index_bytes(const Index* index) noexcept nogil
# SCAN's cursor after `cursor`, and the home bucket of `cursor`: reverse-binary order over buckets, split or not.
# Gives back all memory in slices, at most `most` bytes a call; True when done (then index_free() is O(1)).
cdef bint index_drain(Index* index, uint64_t most) noexcept nogil
# NULL when every slot is where its hash says, packed, and counted; else what is wrong.
cdef const char* index_check(const Index* index, HashAt hash_at, void* context) noexcept nogil
cdef uint64_t index_scan_bucket(const Index* index, uint64_t cursor) noexcept nogil
cdef uint64_t index_scan_next(const Index* index, uint64_t cursor) noexcept nogil
