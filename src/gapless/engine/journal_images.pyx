"""Images of everything. See journal_images.pxd."""
from libc.stddef cimport size_t
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport free, realloc
from libc.string cimport memcpy, memset
from gapless.engine.base cimport INVARIANT, clock_monotonic_ns, load_u32, store_u32
from gapless.engine.effects_image cimport effects_image_begin, effects_image_go_on
from gapless.engine.keyspace cimport Keyspace, Value, keyspace_hash, keyspace_look, keyspace_record_key, keyspace_scan
from gapless.engine.record cimport RECORD_BASE_FILE, Record

cdef enum:
    PART_BYTES = 64 << 10


cdef void images_begin(ImageWalk* w, uint32_t first) noexcept nogil:
    memset(w, 0, sizeof(ImageWalk))
    w.first = first
    w.every = True


cdef void images_end(ImageWalk* w) noexcept nogil:
    free(w.names)
    memset(w, 0, sizeof(ImageWalk))


cdef void _collect(void* context, const Record* r) noexcept nogil:
    cdef ImageWalk* w = <ImageWalk*>context
    cdef size_t n = w.length + 4 + r.key_bytes
    if n > w.room:
        w.room = n * 2
        w.names = <uint8_t*>realloc(w.names, w.room)
        INVARIANT(w.names != NULL)
    store_u32(w.names + w.length, r.key_bytes)
    memcpy(w.names + w.length + 4, keyspace_record_key(w.walked, r), r.key_bytes)
    w.length = n


cdef inline bint _is_old(const ImageWalk* w, const Keyspace* ks, const Record* r) noexcept nogil:
    """Files have numbers mod 128 in a record's base; those from `first` to the one being written are new."""
    cdef uint32_t since = (<uint32_t>r.base - w.first) & RECORD_BASE_FILE
    return since > ((ks.effects.file - w.first) & RECORD_BASE_FILE)


cdef bint images_go_on(ImageWalk* w, Keyspace* ks, uint64_t bytes_most, int64_t until_ns) noexcept nogil:
    cdef const uint8_t* key
    cdef uint32_t n
    cdef Value v
    while ks.effects.length < bytes_most and clock_monotonic_ns() < until_ns:
        if w.open:
            w.open = not effects_image_go_on(ks, PART_BYTES)
        elif w.at < w.length:
            n = load_u32(w.names + w.at)
            key = w.names + w.at + 4
            w.at += 4 + n
            if keyspace_look(ks, w.db, key, n, keyspace_hash(ks, key, n), &v) and (w.every or _is_old(w, ks, &v.record)):
                w.open = v.trees != NULL
                w.images += 1
                w.keys += 1
                effects_image_begin(ks, &v, key, n)
        elif w.begun and w.cursor == 0:
            w.begun = False
            w.db += 1
            if w.db == ks.databases:
                if w.images == 0 and not w.every:
                    return True
                w.db = 0
                w.images = 0
                w.every = False
        else:
            w.at = w.length = 0
            w.begun = True
            w.walked = ks
            w.cursor = keyspace_scan(ks, w.db, w.cursor, False, _collect, w)
    return False
