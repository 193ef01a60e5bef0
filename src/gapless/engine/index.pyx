from libc.stdint cimport uint8_t, uint64_t
from libc.stdlib cimport calloc, free, malloc
from libc.string cimport memcpy, memset
from gapless.engine.arena cimport range_discard, range_release, range_reserve
from gapless.engine.base cimport INVARIANT, prefetch, unlikely

cdef extern from "sys/mman.h" nogil:
    int madvise(void* at, size_t n, int advice)
    int MADV_HUGEPAGE

cdef enum:
    # Keys a home bucket, times 4, at which the index grows: fuller costs a second line for more look-ups, emptier costs memory.
    LOAD_QUARTERS_GROW = 27
    LOAD_QUARTERS_SHRINK = 22
    # Of a chain that is gathered on the stack. Only keys put in in the order of SCAN make longer ones: of n that come, those that have
    # come fill a share of the buckets, up to sqrt(7 n) in one.
    CHAIN_SLOTS_NEAR = 512
    BUCKETS_KEPT = 1024        # that a range may hold beyond those in use before they are given back
    BUCKETS_A_PAGE = 64        # so many at most stay touched when the pages behind those in use are given back
    # Below this the index uses small pages, so that a small store stays small.
    HUGE_FROM = 32 << 20


cdef Index* index_new(uint64_t range_bytes, const uint8_t* records) noexcept nogil:
    cdef Index* index = <Index*>calloc(1, sizeof(Index))
    if index == NULL:
        return NULL
    index.range_bytes = range_bytes
    index.records = records
    index.buckets = <uint64_t*>range_reserve(range_bytes)
    index.overflow = <uint64_t*>range_reserve(range_bytes)
    if index.buckets == NULL or index.overflow == NULL:
        index_free(index)
        return NULL
    if range_bytes > HUGE_FROM:
        # Refused by a kernel without huge pages: small ones do.
        madvise(<uint8_t*>index.buckets + HUGE_FROM, range_bytes - HUGE_FROM, MADV_HUGEPAGE)
    index.bucket_count = 1
    index.grow_at = LOAD_QUARTERS_GROW // 4
    return index


cdef void index_free(Index* index) noexcept nogil:
    if index == NULL:
        return
    range_release(<uint8_t*>index.buckets, index.range_bytes)
    range_release(<uint8_t*>index.overflow, index.range_bytes)
    free(index)


cdef uint64_t index_bytes(const Index* index) noexcept nogil:
    return (index.bucket_count + index.overflow_count) * BUCKET_BYTES


cdef inline uint64_t* overflow_take(Index* index, uint64_t* number) noexcept nogil:
    INVARIANT((index.overflow_count + 1) * BUCKET_BYTES <= index.range_bytes)
    cdef uint64_t* bucket = index.overflow + index.overflow_count * BUCKET_SLOTS
    number[0] = index.overflow_count
    index.overflow_count += 1
    if index.overflow_count > index.touched_overflow:
        index.touched_overflow = index.overflow_count
    memset(bucket, 0, BUCKET_BYTES)
    return bucket


cdef void overflow_release(Index* index, uint64_t* bucket, HashAt hash_at, void* context) noexcept nogil:
    """REQUIRED: `bucket` is in no chain any more, and every other chain is whole."""
    index.overflow_count -= 1
    cdef uint64_t last_number = index.overflow_count
    cdef uint64_t* last = index.overflow + last_number * BUCKET_SLOTS
    cdef uint64_t* parent
    cdef uint64_t* child
    if bucket != last:
        parent = index_home(index, hash_at(context, slot_position(last[0])))
        while True:
            child = index_next(index, parent)
            INVARIANT(child != NULL)
            if child == last:
                break
            parent = child
        memcpy(bucket, last, BUCKET_BYTES)
        parent[7] = <uint64_t>(bucket - index.overflow) // BUCKET_SLOTS + 1
    if index.touched_overflow > index.overflow_count + BUCKETS_KEPT:
        range_discard(<uint8_t*>(index.overflow + index.overflow_count * BUCKET_SLOTS),
                      (index.touched_overflow - index.overflow_count) * BUCKET_BYTES)
        index.touched_overflow = index.overflow_count + BUCKETS_A_PAGE


cdef uint64_t* chain_insert(Index* index, uint64_t* bucket, uint64_t slot) noexcept nogil:
    cdef uint64_t* next_bucket
    cdef uint64_t number
    cdef int i
    while True:
        next_bucket = index_next(index, bucket)
        if next_bucket == NULL:
            break
        bucket = next_bucket
    if bucket[7] == 0:
        i = 6
        while i >= 0 and bucket[i] == 0:
            i -= 1
        bucket[i + 1] = slot
        return &bucket[i + 1]
    next_bucket = overflow_take(index, &number)
    next_bucket[0] = bucket[7]
    next_bucket[1] = slot
    bucket[7] = number + 1
    return &next_bucket[1]


cdef uint64_t chain_length(const Index* index, const uint64_t* bucket) noexcept nogil:
    """Slots, a few more perhaps."""
    cdef uint64_t n = 0
    while bucket != NULL:
        n += BUCKET_SLOTS
        bucket = index_next(index, bucket)
    return n


cdef uint64_t* chain_gather(Index* index, uint64_t* home, uint64_t* near, uint64_t* count, HashAt hash_at, void* context) noexcept nogil:
    """Empties a home bucket and its chain: into `near`, or into memory that is the caller's to free."""
    cdef uint64_t n = 0
    cdef int i
    cdef uint64_t* bucket = home
    cdef uint64_t* parent
    cdef uint64_t* out = near
    if unlikely(index_next(index, home) != NULL):
        n = chain_length(index, home)
        if n > CHAIN_SLOTS_NEAR:
            out = <uint64_t*>malloc(n * sizeof(uint64_t))
            INVARIANT(out != NULL)
        n = 0
    while bucket != NULL:
        for i in range(BUCKET_SLOTS):
            if bucket[i] == 0 or slot_is_link(bucket[i]):
                break
            out[n] = bucket[i]
            prefetch(index.records + slot_position(bucket[i]))
            n += 1
        bucket = index_next(index, bucket)
    # From the tail, so that all other chains, and what is left of this one, stay whole for overflow_release().
    while index_next(index, home) != NULL:
        parent = home
        bucket = index_next(index, home)
        while index_next(index, bucket) != NULL:
            parent = bucket
            bucket = index_next(index, bucket)
        parent[7] = 0
        overflow_release(index, bucket, hash_at, context)
    memset(home, 0, BUCKET_BYTES)
    count[0] = n
    return out


cdef void grow(Index* index, HashAt hash_at, void* context) noexcept nogil:
    cdef uint64_t[CHAIN_SLOTS_NEAR] near
    cdef uint64_t* slots
    cdef uint64_t* old = index.buckets + index.split * BUCKET_SLOTS
    cdef uint64_t* fresh = index.buckets + index.bucket_count * BUCKET_SLOTS
    cdef uint64_t bit = index.mask + 1
    cdef uint64_t n, i
    INVARIANT((index.bucket_count + 1) * BUCKET_BYTES <= index.range_bytes)
    slots = chain_gather(index, old, near, &n, hash_at, context)
    index.bucket_count += 1
    if index.bucket_count > index.touched_buckets:
        index.touched_buckets = index.bucket_count
    index.split += 1
    if index.split > index.mask:
        index.mask = (index.mask << 1) | 1
        index.split = 0
    index.grow_at = index.bucket_count * LOAD_QUARTERS_GROW // 4
    for i in range(n):
        chain_insert(index, fresh if hash_at(context, slot_position(slots[i])) & bit else old, slots[i])
    if slots != near:
        free(slots)


cdef bint index_shrink(Index* index, HashAt hash_at, void* context) noexcept nogil:
    cdef uint64_t[CHAIN_SLOTS_NEAR] near
    cdef uint64_t* slots
    cdef uint64_t* target
    cdef uint64_t n, i
    if index.bucket_count <= 64 or index.keys >= index.bucket_count * LOAD_QUARTERS_SHRINK // 4:
        return False
    slots = chain_gather(index, index.buckets + (index.bucket_count - 1) * BUCKET_SLOTS, near, &n, hash_at, context)
    index.bucket_count -= 1
    if index.split == 0:
        index.mask >>= 1
        index.split = index.mask + 1
    index.split -= 1
    index.grow_at = index.bucket_count * LOAD_QUARTERS_GROW // 4
    target = index.buckets + index.split * BUCKET_SLOTS
    for i in range(n):
        chain_insert(index, target, slots[i])
    if slots != near:
        free(slots)
    if index.touched_buckets > index.bucket_count + BUCKETS_KEPT:
        range_discard(<uint8_t*>(index.buckets + index.bucket_count * BUCKET_SLOTS),
                      (index.touched_buckets - index.bucket_count) * BUCKET_BYTES)
        index.touched_buckets = index.bucket_count + BUCKETS_A_PAGE
    return True


cdef uint64_t* index_insert(Index* index, uint64_t hash, uint64_t slot, HashAt hash_at, void* context) noexcept nogil:
    cdef uint64_t* bucket
    cdef uint64_t left
    cdef int i
    index.keys += 1
    left = index.grow_at - index.keys if index.grow_at > index.keys else 0
    if left <= 4:
        # The next split's lines are fetched by the inserts before it: first the bucket, then its records.
        bucket = index.buckets + index.split * BUCKET_SLOTS
        if left == 0:
            grow(index, hash_at, context)
        elif left == 4:
            prefetch(bucket)
        elif left == 2:
            for i in range(BUCKET_SLOTS):
                prefetch(index.records + slot_position(bucket[i]))
    return chain_insert(index, index_home(index, hash), slot | tag_of(hash))


cdef void index_remove(Index* index, uint64_t hash, uint64_t* slot, HashAt hash_at, void* context) noexcept nogil:
    cdef uint64_t* parent = NULL
    cdef uint64_t* bucket = index_home(index, hash)
    cdef uint64_t* next_bucket
    cdef int last
    INVARIANT(index.keys > 0 and slot[0] != 0)
    index.keys -= 1
    while True:
        next_bucket = index_next(index, bucket)
        if next_bucket == NULL:
            break
        parent = bucket
        bucket = next_bucket
    last = 7
    while bucket[last] == 0:
        last -= 1
    slot[0] = bucket[last]
    bucket[last] = 0
    if parent != NULL and last <= 1:
        # One left over (or none): it fits where the link was.
        parent[7] = bucket[0]
        overflow_release(index, bucket, hash_at, context)


cdef uint64_t* index_find_position(const Index* index, uint64_t hash, uint64_t position) noexcept nogil:
    cdef uint64_t* bucket = index_home(index, hash)
    cdef uint64_t wanted = tag_of(hash) | position
    cdef int i
    while bucket != NULL:
        for i in range(BUCKET_SLOTS):
            if (bucket[i] & <uint64_t>0xffffffffffff) == wanted:
                return &bucket[i]
        bucket = index_next(index, bucket)
    return NULL


cdef bint index_drain(Index* index, uint64_t most) noexcept nogil:
    cdef uint64_t left = index.touched_overflow * BUCKET_BYTES
    cdef uint64_t step
    if left > 0:
        step = min(left, most)
        index.touched_overflow = (left - step) // BUCKET_BYTES
        range_discard(<uint8_t*>index.overflow + (left - step), step + BUCKET_BYTES)
        return False
    left = index.touched_buckets * BUCKET_BYTES
    if left > 0:
        step = min(left, most)
        index.touched_buckets = (left - step) // BUCKET_BYTES
        range_discard(<uint8_t*>index.buckets + (left - step), step + BUCKET_BYTES)
        return False
    return True


cdef const char* index_check(const Index* index, HashAt hash_at, void* context) noexcept nogil:
    cdef uint64_t number, keys = 0, overflow = 0, hash
    cdef uint64_t* home
    cdef uint64_t* bucket
    cdef uint64_t* next_bucket
    cdef int i
    cdef bint ended
    if index.bucket_count != index.mask + 1 + index.split or index.split > index.mask:
        return "index: the number of buckets is not 2^L + s"
    for number in range(index.bucket_count):
        home = index.buckets + number * BUCKET_SLOTS
        bucket = home
        while bucket != NULL:
            next_bucket = index_next(index, bucket)
            ended = False
            for i in range(8 if next_bucket == NULL else 7):
                if bucket[i] == 0:
                    ended = True
                    continue
                if ended or slot_is_link(bucket[i]):
                    return "index: a bucket is not packed"
                hash = hash_at(context, slot_position(bucket[i]))
                if index_home(index, hash) != home:
                    return "index: a slot is in the wrong bucket"
                if tag_of(hash) != bucket[i] & (<uint64_t>0xff << 40):
                    return "index: a slot has the wrong tag"
                keys += 1
            if next_bucket != NULL and ended:
                return "index: a bucket with an overflow bucket has room"
            if bucket != home:
                overflow += 1
                if bucket[0] == 0:
                    return "index: an overflow bucket is empty"
            bucket = next_bucket
    if keys != index.keys:
        return "index: the number of keys is off"
    if overflow != index.overflow_count:
        return "index: the number of overflow buckets is off"
    return NULL


cdef uint64_t index_scan_bucket(const Index* index, uint64_t cursor) noexcept nogil:
    cdef uint64_t number = cursor & ((index.mask << 1) | 1)
    return number if number < index.bucket_count else cursor & index.mask


cdef inline uint64_t reverse_bits(uint64_t v) noexcept nogil:
    cdef uint64_t r = 0
    cdef int _i
    for _i in range(64):
        r = (r << 1) | (v & 1)
        v >>= 1
    return r


cdef uint64_t index_scan_next(const Index* index, uint64_t cursor) noexcept nogil:
    cdef uint64_t mask = index.mask
    if (cursor & mask) < index.split:
        mask = (mask << 1) | 1
    return reverse_bits(reverse_bits(cursor | ~mask) + 1)
