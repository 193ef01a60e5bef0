from libc.stddef cimport size_t
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from gapless.engine.base cimport INVARIANT, STATUS_OK, STATUS_TOO_LARGE, Status, clock_monotonic_ns
from gapless.engine.forest cimport ORDER_BYTES, tree_begin, tree_retire
from gapless.engine.index cimport BUCKET_SLOTS, Index, index_next, index_scan_bucket, index_scan_next, slot_is_link, slot_position
from gapless.engine.keyspace cimport ORDERED_BUILDING, ORDERED_OFF, ORDERED_ON, keyspace_record_key
from gapless.engine.log cimport log_at
from gapless.engine.record cimport Record, record_decode
from gapless.engine.tree cimport Place, tree_find, tree_insert, tree_remove
from gapless.engine.tree_key cimport Key, separator_key

cdef enum:
    KEY_BYTES_MAX = 0x7fffffff     # of an element


cdef void retire_all(Keyspace* ks) noexcept nogil:
    cdef int i
    for i in range(ks.databases):
        ordered_flush(ks, i)


cdef void ordered_switch(Keyspace* ks, bint on) noexcept nogil:
    cdef int i
    cdef bint empty = True
    if not on:
        retire_all(ks)
        ks.ordered.state = ORDERED_OFF
        ks.ordered.failed = False
        return
    if ks.ordered.state != ORDERED_OFF:
        return
    for i in range(ks.databases):
        empty = empty and ks.index[i].keys == 0
    ks.ordered.state = ORDERED_ON if empty else ORDERED_BUILDING
    ks.ordered.failed = False
    ks.ordered.building_db = 0
    ks.ordered.cursor = 0


cdef inline bint find(const Keyspace* ks, int db_index, const uint8_t* key, size_t key_bytes, Place* place) noexcept nogil:
    cdef Key wanted
    separator_key(key, <uint32_t>key_bytes, &wanted)
    return tree_find(ks.forest, &ks.ordered.trees[db_index], &wanted, place)


cdef Status ordered_add(Keyspace* ks, int db_index, const uint8_t* key, size_t key_bytes) noexcept nogil:
    cdef Place place
    if key_bytes > KEY_BYTES_MAX:
        return STATUS_TOO_LARGE
    if find(ks, db_index, key, key_bytes, &place):
        INVARIANT(ks.ordered.state == ORDERED_BUILDING)
        return STATUS_OK
    return tree_insert(ks.forest, &ks.ordered.trees[db_index], &place, key, <uint32_t>key_bytes)


cdef void ordered_remove(Keyspace* ks, int db_index, const uint8_t* key, size_t key_bytes) noexcept nogil:
    cdef Place place
    if find(ks, db_index, key, key_bytes, &place):
        tree_remove(ks.forest, &ks.ordered.trees[db_index], &place)
    else:
        INVARIANT(ks.ordered.state == ORDERED_BUILDING)


cdef void ordered_flush(Keyspace* ks, int db_index) noexcept nogil:
    tree_retire(ks.forest, &ks.ordered.trees[db_index])
    tree_begin(&ks.ordered.trees[db_index], ORDER_BYTES)


cdef Status add_bucket(Keyspace* ks, int db_index, const uint64_t* bucket) noexcept nogil:
    cdef const Index* index = ks.index[db_index]
    cdef Status status = STATUS_OK
    cdef Record r
    cdef int i
    while bucket != NULL:
        for i in range(BUCKET_SLOTS):
            if bucket[i] == 0 or slot_is_link(bucket[i]):
                break
            record_decode(log_at(ks.log, slot_position(bucket[i])), &r)
            status = ordered_add(ks, db_index, keyspace_record_key(ks, &r), r.key_bytes)
            if status != STATUS_OK:
                return status
        bucket = index_next(index, bucket)
    return STATUS_OK


cdef bint ordered_build(Keyspace* ks, int64_t deadline_ns) noexcept nogil:
    cdef const Index* index
    if ks.ordered.state != ORDERED_BUILDING:
        return False
    while ks.ordered.building_db < ks.databases:
        index = ks.index[ks.ordered.building_db]
        if add_bucket(ks, ks.ordered.building_db, index.buckets + index_scan_bucket(index, ks.ordered.cursor) * BUCKET_SLOTS) != STATUS_OK:
            retire_all(ks)
            ks.ordered.state = ORDERED_OFF
            ks.ordered.failed = True
            return True
        ks.ordered.cursor = index_scan_next(index, ks.ordered.cursor)
        if ks.ordered.cursor == 0:
            ks.ordered.building_db += 1
        if clock_monotonic_ns() >= deadline_ns:
            return True
    ks.ordered.state = ORDERED_ON
    return True


cdef uint64_t ordered_bytes(const Keyspace* ks) noexcept nogil:
    cdef uint64_t n = 0
    cdef int i
    for i in range(ks.databases):
        n += <uint64_t>ks.ordered.trees[i].pages << ks.forest.pages.page_shift
    return n


cdef bint ordered_has(const Keyspace* ks, int db_index, const uint8_t* key, size_t key_bytes) noexcept nogil:
    cdef Place place
    return find(ks, db_index, key, key_bytes, &place)
