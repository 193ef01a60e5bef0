"""Walks over keys. See keyspace_walk.pxd."""
from libc.stdint cimport uint64_t
from gapless.engine.index cimport BUCKET_SLOTS, Index, index_next, index_scan_bucket, index_scan_next, slot_is_link, slot_position
from gapless.engine.keyspace cimport (
    Keyspace, Value, keyspace_drop_expired, keyspace_has_expired, keyspace_hash_at, keyspace_index, random_next,
)
from gapless.engine.log cimport log_at
from gapless.engine.record cimport Record, record_decode

cdef enum:
    EXPIRED_PER_SCAN = 64          # most keys that one step of SCAN deletes


cdef uint64_t keyspace_scan(Keyspace* ks, int db, uint64_t cursor, bint expire, void (*emit)(void* context, const Record* r) noexcept nogil,
                            void* context) noexcept nogil:
    cdef const Index* index = keyspace_index(ks, db)
    cdef uint64_t* bucket = index.buckets + index_scan_bucket(index, cursor) * BUCKET_SLOTS
    cdef uint64_t[EXPIRED_PER_SCAN] expired
    cdef Value v
    cdef int i, count = 0
    while bucket != NULL:
        for i in range(BUCKET_SLOTS):
            if bucket[i] == 0 or slot_is_link(bucket[i]):
                break
            record_decode(log_at(ks.log, slot_position(bucket[i])), &v.record)
            if not keyspace_has_expired(ks, &v.record):
                emit(context, &v.record)
            elif expire and count < EXPIRED_PER_SCAN:
                expired[count] = slot_position(bucket[i])
                count += 1
        bucket = index_next(index, bucket)
    # Not on the way: taking a slot away moves others of its bucket.
    v.db = db
    for i in range(count):
        v.hash = keyspace_hash_at(ks, expired[i])
        record_decode(log_at(ks.log, expired[i]), &v.record)
        keyspace_drop_expired(ks, &v)
    return index_scan_next(index, cursor)


cdef bint keyspace_random(Keyspace* ks, int db, Record* out) noexcept nogil:
    cdef const Index* index = keyspace_index(ks, db)
    cdef uint64_t start = random_next(ks) % index.bucket_count
    cdef uint64_t step
    cdef uint64_t* bucket
    cdef uint64_t[512] slots
    cdef int n, i, first
    if index.keys == 0:
        return False
    for step in range(64 + index.bucket_count):
        # Some independent tries first; then every bucket in turn, so that a lone live key is found.
        if step < 64:
            start = random_next(ks) % index.bucket_count
        bucket = index.buckets + ((start + step) % index.bucket_count) * BUCKET_SLOTS
        n = 0
        while bucket != NULL:
            for i in range(BUCKET_SLOTS):
                if bucket[i] == 0 or slot_is_link(bucket[i]) or n == 512:
                    break
                slots[n] = bucket[i]
                n += 1
            bucket = index_next(index, bucket)
        if n == 0:
            continue
        first = <int>(random_next(ks) % <uint64_t>n)
        for i in range(n):
            record_decode(log_at(ks.log, slot_position(slots[(first + i) % n])), out)
            if not keyspace_has_expired(ks, out):
                return True
    return False
