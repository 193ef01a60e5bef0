"""Images of what old files are needed for. See journal_images.pxd."""
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memset
from gapless.engine.base cimport clock_monotonic_ns, prefetch
from gapless.engine.effects_image cimport IMAGE_PART_BYTES, effects_image_begin, effects_image_go_on
from gapless.engine.index cimport (
    BUCKET_SLOTS, Index, index_next, index_prefetch_slots, index_scan_bucket, index_scan_next, slot_is_link, slot_position,
)
from gapless.engine.keyspace cimport Keyspace, Value, keyspace_db, keyspace_hash, keyspace_look, keyspace_record_key
from gapless.engine.log cimport log_at
from gapless.engine.record cimport RECORD_BASE_EPOCH, RECORD_BASE_FILE, Record, base_of_file, record_decode

cdef enum:
    GROUP = 16                 # buckets looked at together: their records come into the cache at once


cdef void start(ImageWalk* w, const Keyspace* ks) noexcept nogil:
    w.db_index = 0
    w.cursor = 0
    w.buckets = 0
    w.renames = ks.effects.renames


cdef void images_begin(ImageWalk* w, const Keyspace* ks, uint32_t first) noexcept nogil:
    memset(w, 0, sizeof(ImageWalk))
    w.first = first
    start(w, ks)


cdef uint64_t images_left(const ImageWalk* w, const Keyspace* ks) noexcept nogil:
    cdef uint64_t n = 0
    cdef int i
    for i in range(ks.databases):
        n += ks.index[i].bucket_count
    return n - min(w.buckets, n)


cdef uint64_t images_live_bytes(const Keyspace* ks) noexcept nogil:
    # Trees: of a page three quarters or more are elements.
    return ks.log.bytes_live + ks.extents.bytes_committed + (<uint64_t>ks.forest.pages.used << ks.forest.pages.page_shift) * 3 // 4


cdef void images_forget(Keyspace* ks) noexcept nogil:
    cdef uint64_t number
    cdef uint64_t* bucket
    cdef int i, j
    for i in range(ks.databases):
        for number in range(ks.index[i].bucket_count):
            bucket = ks.index[i].buckets + number * BUCKET_SLOTS
            while bucket != NULL:
                for j in range(BUCKET_SLOTS):
                    if bucket[j] == 0 or slot_is_link(bucket[j]):
                        break
                    log_at(ks.log, slot_position(bucket[j]))[2] &= RECORD_BASE_EPOCH
                bucket = index_next(ks.index[i], bucket)


cdef void know_old(ImageWalk* w, const Keyspace* ks) noexcept nogil:
    """The files from `first` to the one being written are new; a base that is none of theirs is older, or none."""
    cdef uint32_t number
    memset(w.old, 1, sizeof(w.old))
    for number in range(w.first, ks.effects.file + 1):
        w.old[base_of_file(number)] = False


cdef bint write_image(Keyspace* ks, int db, const Record* r) noexcept nogil:
    """The key's image; False: it has more parts."""
    cdef const uint8_t* key = keyspace_record_key(ks, r)
    cdef Value v
    if not keyspace_look(ks, db, key, r.key_bytes, keyspace_hash(ks, key, r.key_bytes), &v):
        # Its time has come.
        return True
    effects_image_begin(ks, &v, key, r.key_bytes)
    return v.trees == NULL or effects_image_go_on(ks, IMAGE_PART_BYTES)


cdef bint walk_bucket(ImageWalk* w, Keyspace* ks, int db, const Index* index, uint64_t* bucket) noexcept nogil:
    """False: an image has more parts, and the bucket is to be walked again."""
    cdef uint8_t* at
    cdef Record r
    cdef int i
    while bucket != NULL:
        for i in range(BUCKET_SLOTS):
            if bucket[i] == 0 or slot_is_link(bucket[i]):
                break
            at = log_at(ks.log, slot_position(bucket[i]))
            if not w.old[at[2] & RECORD_BASE_FILE]:
                continue
            record_decode(at, &r)
            if not write_image(ks, db, &r):
                return False
        bucket = index_next(index, bucket)
    return True


cdef void walk_group(ImageWalk* w, Keyspace* ks, uint64_t bytes_most) noexcept nogil:
    cdef const Index* index = ks.index[w.db_index]
    cdef int db = keyspace_db(ks, <uint32_t>w.db_index)
    cdef uint64_t[GROUP + 1] cursors
    cdef uint64_t* buckets[GROUP]
    cdef int n = 0, i
    cursors[0] = w.cursor
    while n < GROUP and (n == 0 or cursors[n] != 0):
        buckets[n] = index.buckets + index_scan_bucket(index, cursors[n]) * BUCKET_SLOTS
        prefetch(buckets[n])
        cursors[n + 1] = index_scan_next(index, cursors[n])
        n += 1
    for i in range(n):
        index_prefetch_slots(buckets[i], ks.arena.base)
    for i in range(n):
        w.cursor = cursors[i]
        if not walk_bucket(w, ks, db, index, buckets[i]):
            w.open = True
            return
        w.buckets += 1
        w.cursor = cursors[i + 1]
        if w.cursor != 0 and ks.effects.length >= bytes_most:
            return
    if w.cursor == 0:
        w.db_index += 1


cdef bint images_go_on(ImageWalk* w, Keyspace* ks, uint64_t bytes_most, int64_t until_ns) noexcept nogil:
    know_old(w, ks)
    while ks.effects.length < bytes_most and clock_monotonic_ns() < until_ns:
        if w.open:
            w.open = not effects_image_go_on(ks, IMAGE_PART_BYTES)
        elif w.db_index < ks.databases:
            walk_group(w, ks, bytes_most)
        elif ks.effects.renames != w.renames:
            start(w, ks)
        else:
            return True
    return False
