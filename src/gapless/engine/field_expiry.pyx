"""Hashes in the order in which their fields are due. See field_expiry.pxd."""
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from gapless.engine.base cimport INVARIANT, STATUS_OK, Status, clock_monotonic_ns, store_u64
from gapless.engine.forest cimport ORDER_BYTES, tree_begin, tree_retire
from gapless.engine.index cimport BUCKET_SLOTS, Index, index_home, index_next, slot_is_link, slot_position, tag_of
from gapless.engine.keyspace cimport (
    FIND_PEEK, Value, keyspace_db, keyspace_find, keyspace_hash_at, keyspace_preserve, keyspace_record_key, keyspace_record_value,
)
from gapless.engine.log cimport log_at
from gapless.engine.record cimport record_decode
from gapless.engine.tree cimport Place, tree_at, tree_element, tree_find, tree_insert, tree_remove
from gapless.engine.tree_key cimport Key, big_endian_head, separator_key

cdef extern from * nogil:
    uint64_t __builtin_bswap64(uint64_t v)

cdef enum:
    ELEMENT_BYTES = 16
    RETRY_MS = 100             # after there was no room

cdef int64_t NEVER_DUE = 0x7fffffffffffffff
cdef uint64_t SLOT_TAG = <uint64_t>0xff << 40


# ---- who is due

cdef inline bint find(const Keyspace* ks, int db_index, uint64_t hash, int64_t due, uint8_t* element, Place* place) noexcept nogil:
    cdef Key key
    store_u64(element, __builtin_bswap64(<uint64_t>due))
    store_u64(element + 8, __builtin_bswap64(hash))
    separator_key(element, ELEMENT_BYTES, &key)
    return tree_find(ks.forest, &ks.fields.trees[db_index], &key, place)


cdef int64_t first_of_all(const Keyspace* ks, uint64_t* hash, int* db_index) noexcept nogil:
    """When the earliest of all databases is due, and which it is; NEVER_DUE."""
    cdef Place place
    cdef const uint8_t* element
    cdef uint32_t n = 0
    cdef int64_t due = NEVER_DUE
    cdef int i
    for i in range(ks.databases):
        if ks.fields.trees[i].count == 0:
            continue
        tree_at(ks.forest, &ks.fields.trees[i], 0, &place)
        element = tree_element(ks.forest, &place, &n)
        if <int64_t>big_endian_head(element, 8) < due:
            due = <int64_t>big_endian_head(element, 8)
            hash[0] = big_endian_head(element + 8, 8)
            db_index[0] = i
    return due


cdef inline void look_for_next(Keyspace* ks) noexcept nogil:
    ks.fields.next_ms = first_of_all(ks, &ks.fields.next_hash, &ks.fields.next_db)


cdef bint fields_next_is_first(const Keyspace* ks) noexcept nogil:
    cdef uint64_t hash
    cdef int db_index
    return first_of_all(ks, &hash, &db_index) == ks.fields.next_ms


cdef void fields_restart(Keyspace* ks, int db_index, uint64_t hash) noexcept nogil:
    if ks.fields.walk_hash == hash and ks.fields.walk_db == db_index:
        ks.fields.walking = False


cdef Status fields_add(Keyspace* ks, int db_index, uint64_t hash, int64_t due) noexcept nogil:
    cdef uint8_t[ELEMENT_BYTES] element
    cdef Place place
    cdef Status status
    if due < 0 or find(ks, db_index, hash, due, element, &place):
        return STATUS_OK
    status = tree_insert(ks.forest, &ks.fields.trees[db_index], &place, element, ELEMENT_BYTES)
    if status == STATUS_OK and due < ks.fields.next_ms:
        ks.fields.next_ms = due
        ks.fields.next_hash = hash
        ks.fields.next_db = db_index
    return status


cdef void fields_remove(Keyspace* ks, int db_index, uint64_t hash, int64_t due) noexcept nogil:
    cdef uint8_t[ELEMENT_BYTES] element
    cdef Place place
    if due < 0 or not find(ks, db_index, hash, due, element, &place):
        return
    tree_remove(ks.forest, &ks.fields.trees[db_index], &place)
    fields_restart(ks, db_index, hash)
    if hash == ks.fields.next_hash and db_index == ks.fields.next_db:
        look_for_next(ks)


cdef bint fields_has(const Keyspace* ks, int db_index, uint64_t hash, int64_t due) noexcept nogil:
    cdef uint8_t[ELEMENT_BYTES] element
    cdef Place place
    return find(ks, db_index, hash, due, element, &place)


cdef void fields_flush(Keyspace* ks, int db_index) noexcept nogil:
    tree_retire(ks.forest, &ks.fields.trees[db_index])
    tree_begin(&ks.fields.trees[db_index], ORDER_BYTES)
    if ks.fields.walk_db == db_index:
        ks.fields.walking = False
    look_for_next(ks)


# ---- what goes

cdef bint find_hash(Keyspace* ks, int db_index, uint64_t hash, int64_t due, Value* out) noexcept nogil:
    """The hash that is due then; False: its own time has come, and it is gone."""
    cdef const Index* index = ks.index[db_index]
    cdef const uint64_t* bucket = index_home(index, hash)
    cdef int i, db = keyspace_db(ks, <uint32_t>db_index)
    while True:
        INVARIANT(bucket != NULL)
        for i in range(BUCKET_SLOTS):
            if bucket[i] == 0 or slot_is_link(bucket[i]):
                break
            if bucket[i] & SLOT_TAG != tag_of(hash) or keyspace_hash_at(ks, slot_position(bucket[i])) != hash:
                continue
            record_decode(log_at(ks.log, slot_position(bucket[i])), &out.record)
            if record_fields_due(&out.record, keyspace_record_value(ks, &out.record)) == due:
                return keyspace_find(ks, db, keyspace_record_key(ks, &out.record), out.record.key_bytes, hash, FIND_PEEK, out)
        bucket = index_next(index, bucket)


cdef bint fields_expire(Keyspace* ks, int64_t deadline_ns) noexcept nogil:
    cdef Value v
    cdef bint worked = False
    while fields_are_due(ks):
        if find_hash(ks, ks.fields.next_db, ks.fields.next_hash, ks.fields.next_ms, &v):
            keyspace_preserve(ks, &v.record, v.slot[0])
            if not ks.fields.expire(ks, &v, deadline_ns):
                ks.fields.retry_ms = ks.now_ms + RETRY_MS
                return worked
        worked = True
        if clock_monotonic_ns() >= deadline_ns:
            break
    return worked
