from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memcmp, memcpy, memmove, memset
from gapless.engine.access cimport LFU_INITIAL, access_frequency, access_now, slot_with_access
from gapless.engine.arena cimport arena_free, arena_new
from gapless.engine.base cimport (
    GAPLESS_DEBUG, INVARIANT, STATUS_FULL, STATUS_OK, STATUS_TOO_LARGE, Status, clock_realtime_ms,
    hash_bytes, likely, load_u64, prefetch, store_u32, store_u64, unlikely,
)
from gapless.engine.audit cimport audit
from gapless.engine.cleaner cimport cleaner_background, cleaner_make_room
from gapless.engine.effects cimport (
    EFFECT_DELETE, EFFECT_EXPIRE, EFFECT_PATCH, EFFECTS_HEADROOM, effects_begin, effects_change, effects_free, effects_new,
    effects_patch, effects_put, effects_rename, effects_rewrite, effects_trees_gone, effects_trees_moved,
)
from gapless.engine.effects_image cimport effects_image
from gapless.engine.encoding cimport making_kept
from gapless.engine.extent cimport extent_bytes, extent_committed, extent_give, extent_resize, extent_take, extents_free, extents_new
from gapless.engine.field_expiry cimport (
    FIELDS_NEVER, fields_add, fields_flush, fields_remove, fields_restart, record_fields_due, value_fields_due,
)
from gapless.engine.forest cimport ORDER_BYTES, Tree, forest_free, forest_new, tree_begin, tree_copy, tree_retire
from gapless.engine.index cimport (
    BUCKET_BYTES, BUCKET_SLOTS, Index, index_bytes, index_find_position, index_free, index_home, index_insert, index_new,
    index_next, index_prefetch_bucket, index_prefetch_record, index_remove, slot_position, tag_of,
)
from gapless.engine.log cimport (
    log_append, log_at, log_due, log_free, log_kill, log_new, log_window_has,
)
from gapless.engine.ordered cimport ordered_add, ordered_remove
from gapless.engine.pages cimport PAGE_BYTES, pages_committed
from gapless.engine.record cimport (
    HASH_EXPIRIES, RECORD_BASE_EPOCH, RECORD_BASE_FILE, RECORD_DEAD, RECORD_EXTENT, RECORD_KEY_IN_EXTENT, RECORD_MAKING_MASK, RECORD_RAW,
    RECORD_ROOM, RECORD_TTL, RECORD_TYPE_MASK, RECORD_WIDE_TTL, TYPE_HASH, TYPE_STRING, Record, base_of_file, record_decode,
    record_encode, record_has_trees, record_head_bytes, record_set_expire, record_trees,
)
from gapless.engine.tree cimport tree_prefetch_leaf
from gapless.engine.tree_key cimport Key, hash_key, order_hashes
from gapless.engine.tree_notes cimport NOTE_NEW, note_take

cdef uint64_t INDEX_RANGE_BYTES = <uint64_t>1 << 36   # addresses, of which the touched pages have memory

cdef enum:
    VALUE_BYTES_MAX = (512 << 20) + 8   # an integer of BITFIELD may begin in the last byte and end after it
    SLICES_PER_AUDIT = 64          # in builds that check more
    ROOM_BYTES_MAX = 64 << 10      # most slack that a growing value gets
    # What a dying record owns and another has taken over.
    KEEP_EXTENT = 1
    KEEP_TREES = 2
    KEEP_ORDER = 4                 # its place in the ordered index of keys
    KEEP_DUE = 8                   # its place among the hashes whose fields expire
    TREES_MAX = 4                  # of one record, what it keeps behind them counted


# ---- life

cdef Keyspace* keyspace_new(uint32_t segment_bytes, uint64_t address_bytes, int databases, uint64_t seed) noexcept nogil:
    cdef Keyspace* ks = <Keyspace*>calloc(1, sizeof(Keyspace))
    cdef int i
    if ks == NULL:
        return NULL
    INVARIANT(databases >= 1 and databases <= DATABASES_MAX)
    ks.arena = arena_new(segment_bytes, address_bytes)
    ks.extents = extents_new()
    if ks.arena != NULL:
        ks.log = log_new(ks.arena)
    if ks.extents != NULL:
        ks.forest = forest_new(ks.extents, min(<uint32_t>PAGE_BYTES, segment_bytes // 4), address_bytes, seed)
    if ks.arena == NULL or ks.extents == NULL or ks.log == NULL or ks.forest == NULL:
        keyspace_free(ks)
        return NULL
    ks.databases = databases
    for i in range(databases):
        tree_begin(&ks.ordered.trees[i], ORDER_BYTES)
        fields_flush(ks, i)
        ks.db_index[i] = <uint8_t>i
        ks.index[i] = keyspace_new_index(ks)
        if ks.index[i] == NULL:
            keyspace_free(ks)
            return NULL
    ks.seed = seed
    ks.random_state = seed | 1
    ks.active_expire = True
    ks.active_defrag = True
    ks.lfu_log_factor = 10
    ks.lfu_decay_minutes = 1
    ks.cleaner.holes_start = 50
    ks.cleaner.holes_full = 120
    ks.cleaner.holes_idle = 30
    ks.cleaner.holes_bytes_min = 2 * <uint64_t>segment_bytes
    keyspace_tick(ks)
    return ks


cdef Index* keyspace_new_index(Keyspace* ks) noexcept nogil:
    return index_new(INDEX_RANGE_BYTES, ks.arena.base)


cdef void keyspace_free(Keyspace* ks) noexcept nogil:
    cdef int i
    if ks == NULL:
        return
    for i in range(DATABASES_MAX):
        index_free(ks.index[i])
    for i in range(ks.retired_count):
        index_free(ks.retired[i].index)
    effects_free(ks.effects)
    log_free(ks.log)
    forest_free(ks.forest)
    extents_free(ks.extents)
    arena_free(ks.arena)
    free(ks)


cdef void keyspace_tick(Keyspace* ks) noexcept nogil:
    keyspace_set_now(ks, ks.clock_override_ms if ks.clock_override_ms else clock_realtime_ms())


cdef void keyspace_set_now(Keyspace* ks, int64_t now) noexcept nogil:
    if now != ks.now_ms:
        ks.now_ms = now
        ks.log.now_ms = now
        ks.access_seconds = <uint32_t>(now // 1000)
        log_due(ks.log)


cdef void keyspace_record_effects(Keyspace* ks, bint on, uint32_t file) noexcept nogil:
    if not on:
        effects_free(ks.effects)
        ks.effects = NULL
        ks.forest.notes = NULL
        ks.record_base &= RECORD_BASE_EPOCH
        return
    INVARIANT(ks.effects == NULL)
    ks.effects = effects_new(ks.arena.base, ks.arena.address_bytes, ks.extents, &ks.now_ms)
    ks.forest.notes = ks.effects.notes
    keyspace_effects_file(ks, file)


cdef void keyspace_effects_file(Keyspace* ks, uint32_t file) noexcept nogil:
    INVARIANT(ks.effects.length == EFFECTS_HEADROOM)
    ks.effects.file = file
    ks.record_base = (ks.record_base & RECORD_BASE_EPOCH) | base_of_file(file)


# ---- keys and values of a record

cdef const uint8_t* keyspace_record_key(Keyspace* ks, const Record* r) noexcept nogil:
    return r.key if likely(r.key != NULL) else extent_bytes(ks.extents, r.extent)


cdef uint8_t* keyspace_record_value(Keyspace* ks, const Record* r) noexcept nogil:
    if likely(r.value != NULL):
        return r.value
    return extent_bytes(ks.extents, r.extent) + (r.key_bytes if r.key == NULL else 0)


cdef void keyspace_value_of(Keyspace* ks, const Record* r, Value* out) noexcept nogil:
    out.record = r[0]
    out.slot = NULL
    out.type = r.flags & RECORD_TYPE_MASK
    out.data = keyspace_record_value(ks, r)
    out.size = r.value_bytes
    out.trees = <Tree*>out.data if record_has_trees(r) else NULL
    out.expire_ms = r.expire_ms


cdef uint64_t keyspace_hash_at(void* context, uint64_t position) noexcept nogil:
    cdef Keyspace* ks = <Keyspace*>context
    cdef Record r
    record_decode(log_at(ks.log, position), &r)
    return hash_bytes(keyspace_record_key(ks, &r), r.key_bytes, ks.seed)


cdef inline uint64_t position_of(Keyspace* ks, const uint8_t* at) noexcept nogil:
    return <uint64_t>(at - ks.arena.base)


cdef inline bint same_bytes(const uint8_t* a, const uint8_t* b, size_t n) noexcept nogil:
    if n == 16:
        return load_u64(a) == load_u64(b) and load_u64(a + 8) == load_u64(b + 8)
    return memcmp(a, b, n) == 0


cdef inline void changed(Keyspace* ks, int db, const uint8_t* key, size_t n, uint64_t hash) noexcept nogil:
    ks.stats.dirty += 1
    if unlikely(ks.watchers > 0):
        ks.on_change(ks.on_change_context, db, key, n, hash)


cdef inline void awaited(Keyspace* ks, int db, const uint8_t* key, size_t n, uint64_t hash, bint gone) noexcept nogil:
    if unlikely(ks.awaited > 0):
        ks.on_awaited(ks.on_awaited_context, db, key, n, hash, gone)


cdef inline uint64_t trees_bytes(const Value* v) noexcept nogil:
    return record_trees(&v.record) * sizeof(Tree)


cdef inline void record_whole(Keyspace* ks, Value* v, const uint8_t* key, size_t n) noexcept nogil:
    """The effect of a value that is new as a whole."""
    if unlikely(ks.effects != NULL):
        if v.trees == NULL:
            effects_put(ks.effects, type_of(&v.record), v.db, v.expire_ms, key, n, v.data, v.size)
        else:
            effects_image(ks, v, key, n)


cdef inline void record_delete(Keyspace* ks, int db, const uint8_t* key, size_t n) noexcept nogil:
    if unlikely(ks.effects != NULL):
        effects_begin(ks.effects, EFFECT_DELETE, 0, db, -1, key, n, 0)


# ---- access

cdef inline void access_renew(Keyspace* ks, uint64_t* slot) noexcept nogil:
    cdef uint64_t access
    cdef uint32_t counter = 0
    if ks.policy & POLICY_LFU:
        counter = access_frequency(ks, slot[0])
        if counter < 255:
            if counter <= LFU_INITIAL or (random_next(ks) >> 40) * (
                    <uint64_t>(counter - LFU_INITIAL) * ks.lfu_log_factor + 1) < (<uint64_t>1 << 24):
                counter += 1
    access = access_now(ks, counter)
    if (slot[0] >> 48) != (access >> 48):
        slot[0] = slot_with_access(slot[0], access)


# ---- finding

cdef void keyspace_prefetch_bucket(Keyspace* ks, int db, uint64_t hash) noexcept nogil:
    index_prefetch_bucket(keyspace_index(ks, db), hash)


cdef void keyspace_prefetch_record(Keyspace* ks, int db, uint64_t hash) noexcept nogil:
    index_prefetch_record(keyspace_index(ks, db), ks.arena.base, hash)


cdef bint find(Keyspace* ks, int db, const uint8_t* key, size_t key_bytes, uint64_t hash, Value* out) noexcept nogil:
    """The key's slot and record, expired or not."""
    cdef const Index* index = keyspace_index(ks, db)
    cdef uint64_t* bucket = index_home(index, hash)
    cdef uint64_t tag = tag_of(hash)
    cdef uint64_t slot
    cdef int i
    cdef uint8_t* at
    cdef Record* r = &out.record
    while True:
        for i in range(BUCKET_SLOTS):
            slot = bucket[i]
            if (slot & (<uint64_t>0xff << 40)) != tag:
                continue
            at = log_at(ks.log, slot_position(slot))
            # The value's lines come along with the header's, not after it has told how long it is.
            prefetch(at + 64)
            prefetch(at + 128)
            record_decode(at, r)
            if r.key_bytes == key_bytes and same_bytes(keyspace_record_key(ks, r), key, key_bytes):
                out.slot = &bucket[i]
                out.type = r.flags & RECORD_TYPE_MASK
                out.db = db
                out.data = keyspace_record_value(ks, r)
                out.size = r.value_bytes
                out.trees = <Tree*>out.data if record_has_trees(r) else NULL
                out.expire_ms = r.expire_ms
                out.hash = hash
                return True
        bucket = index_next(index, bucket)
        if bucket == NULL:
            return False


cdef inline void preserve(Keyspace* ks, Value* v) noexcept nogil:
    keyspace_preserve(ks, &v.record, v.slot[0] if v.slot != NULL else 0)


cdef uint32_t keyspace_prefetch_leaf(Keyspace* ks, int db, const uint8_t* key, size_t key_bytes, uint64_t hash, const uint8_t* element,
                                     size_t element_bytes, uint64_t* head) noexcept nogil:
    cdef Value v
    cdef Key wanted
    cdef uint32_t i
    if not find(ks, db, key, key_bytes, hash, &v) or v.trees == NULL:
        return 0
    for i in range(record_trees(&v.record)):
        if order_hashes(v.trees[i].order):
            hash_key(ks.forest, element, <uint32_t>element_bytes, &wanted)
            head[0] = wanted.head
            return tree_prefetch_leaf(ks.forest, &v.trees[i], &wanted)
    return 0


cdef void retire_trees(Keyspace* ks, Tree* trees, uint32_t count) noexcept nogil:
    cdef uint32_t i
    for i in range(count):
        tree_retire(ks.forest, &trees[i])


cdef void kill(Keyspace* ks, Record* r, int keep) noexcept nogil:
    """Counts the record dead. Its bytes stay readable until the end of the command."""
    INVARIANT(not r.at[0] & RECORD_DEAD)
    r.at[0] |= RECORD_DEAD
    log_kill(ks.log, position_of(ks, r.at), r.size)
    if unlikely(record_has_trees(r)) and not keep & KEEP_TREES:
        if ks.effects != NULL:
            effects_trees_gone(ks.effects, keyspace_record_value(ks, r), record_trees(r) * sizeof(Tree))
        retire_trees(ks, <Tree*>keyspace_record_value(ks, r), record_trees(r))
    if r.extent and not keep & KEEP_EXTENT:
        extent_give(ks.extents, r.extent)


cdef void remove(Keyspace* ks, Value* v, int keep) noexcept nogil:
    cdef Index* index = keyspace_index(ks, v.db)
    cdef uint64_t* slot = index_find_position(index, v.hash, position_of(ks, v.record.at))
    INVARIANT(slot != NULL)
    keyspace_preserve(ks, &v.record, slot[0])
    if v.record.flags & RECORD_TTL:
        ks.with_ttl[ks.db_index[v.db]] -= 1
    index_remove(index, v.hash, slot, keyspace_hash_at, ks)
    if unlikely(ks.ordered.state) and not keep & KEEP_ORDER:
        ordered_remove(ks, ks.db_index[v.db], keyspace_record_key(ks, &v.record), v.record.key_bytes)
    if (v.record.flags & RECORD_TYPE_MASK) == TYPE_HASH and not keep & KEEP_DUE:
        fields_remove(ks, ks.db_index[v.db], v.hash, record_fields_due(&v.record, keyspace_record_value(ks, &v.record)))
    awaited(ks, v.db, keyspace_record_key(ks, &v.record), v.record.key_bytes, v.hash, True)
    kill(ks, &v.record, keep)


cdef void keyspace_drop_expired(Keyspace* ks, Value* v) noexcept nogil:
    remove(ks, v, 0)
    ks.stats.expired += 1
    changed(ks, v.db, keyspace_record_key(ks, &v.record), v.record.key_bytes, v.hash)


cdef inline bint readers_change(const Value* v) noexcept nogil:
    """Whether who reads it may change it where it lies: takes away fields whose time has come."""
    return v.type == TYPE_HASH and v.trees != NULL and v.trees[0].marks & HASH_EXPIRIES != 0


cdef bint keyspace_look(Keyspace* ks, int db, const uint8_t* key, size_t key_bytes, uint64_t hash, Value* out) noexcept nogil:
    return find(ks, db, key, key_bytes, hash, out) and not keyspace_has_expired(ks, &out.record)


cdef bint keyspace_find(Keyspace* ks, int db, const uint8_t* key, size_t key_bytes, uint64_t hash, int how, Value* out) noexcept nogil:
    cdef bint there = find(ks, db, key, key_bytes, hash, out)
    if there and unlikely(keyspace_has_expired(ks, &out.record)):
        keyspace_drop_expired(ks, out)
        there = False
    if how == FIND_READ or how == FIND_COUNT:
        if there:
            ks.stats.hits += 1
        else:
            ks.stats.misses += 1
    if unlikely(ks.on_unsaved != NULL) and there and (how == FIND_WRITE or (how != FIND_PEEK and readers_change(out))):
        keyspace_preserve(ks, &out.record, out.slot[0])
    if there and how <= FIND_WRITE:
        access_renew(ks, out.slot)
    return there


# ---- writing

cdef Status write_record(Keyspace* ks, uint32_t db_index, const uint8_t* key, size_t key_bytes, uint32_t type,
                         const uint8_t* value, uint64_t value_bytes, uint64_t room_bytes, int64_t expire_ms,
                         uint64_t extent, uint64_t* position) noexcept nogil:
    """Appends a record. value NULL: zero bytes. room_bytes > value_bytes: with ROOM. extent: takes over this one, which holds the value."""
    cdef uint32_t flags = type & RECORD_TYPE_MASK
    cdef uint32_t marks = db_index | (type & RECORD_MAKING_MASK)
    cdef uint64_t size, in_extent
    cdef uint8_t* at
    cdef uint8_t* p
    cdef Log* log = ks.log
    if expire_ms >= 0:
        flags |= RECORD_TTL
        if expire_ms >> 48:
            marks |= RECORD_WIDE_TTL
    if room_bytes > value_bytes:
        flags |= RECORD_ROOM
    size = <uint64_t>record_head_bytes(flags, marks, <uint32_t>key_bytes, min(value_bytes, <uint64_t>0xffffffff)) + key_bytes + room_bytes
    if unlikely(extent != 0 or size > log.record_bytes_max):
        flags = (flags & ~<uint32_t>RECORD_ROOM) | RECORD_EXTENT
        in_extent = value_bytes
        if record_head_bytes(flags, marks, <uint32_t>key_bytes, 0) + key_bytes > log.record_bytes_max:
            INVARIANT(extent == 0)
            marks |= RECORD_KEY_IN_EXTENT
            in_extent += key_bytes
        size = record_head_bytes(flags, marks, <uint32_t>key_bytes, 0)
        if not marks & RECORD_KEY_IN_EXTENT:
            size += key_bytes
    position[0] = log_append(log, <uint32_t>size, expire_ms, False)
    if unlikely(position[0] == 0):
        return STATUS_FULL
    at = log_at(log, position[0])
    if likely(not flags & RECORD_EXTENT):
        p = record_encode(at, flags, marks, ks.record_base, expire_ms, <uint32_t>key_bytes, value_bytes, room_bytes, 0)
        memcpy(p, key, key_bytes)
        p += key_bytes
        if value != NULL:
            memcpy(p, value, value_bytes)
        else:
            memset(p, 0, value_bytes)
        return STATUS_OK
    if extent == 0:
        extent = extent_take(ks.extents, max(in_extent, 1))
        if extent == 0:
            # The room taken in the log becomes a hole, the record a dead one of no key.
            record_encode(at, flags | RECORD_DEAD, marks, 0, expire_ms, <uint32_t>key_bytes, 0, 0, 0)
            log_kill(log, position[0], <uint32_t>size)
            return STATUS_FULL
        p = extent_bytes(ks.extents, extent)
        if marks & RECORD_KEY_IN_EXTENT:
            memcpy(p, key, key_bytes)
            p += key_bytes
        if value != NULL:
            memcpy(p, value, value_bytes)
    p = record_encode(at, flags, marks, ks.record_base, expire_ms, <uint32_t>key_bytes, value_bytes, value_bytes, extent)
    if not marks & RECORD_KEY_IN_EXTENT:
        memcpy(p, key, key_bytes)
    return STATUS_OK


cdef void point_slot(Keyspace* ks, Value* v, uint64_t position) noexcept nogil:
    """The key's slot leads to the new record from now on; the old one is the caller's to kill."""
    cdef uint64_t* slot = index_find_position(keyspace_index(ks, v.db), v.hash, position_of(ks, v.record.at))
    INVARIANT(slot != NULL)
    slot[0] = (slot[0] & ~<uint64_t>0xffffffffff) | position
    v.slot = slot


cdef void reload(Keyspace* ks, Value* v, uint64_t position) noexcept nogil:
    record_decode(log_at(ks.log, position), &v.record)
    v.type = v.record.flags & RECORD_TYPE_MASK
    v.data = keyspace_record_value(ks, &v.record)
    v.size = v.record.value_bytes
    v.trees = <Tree*>v.data if record_has_trees(&v.record) else NULL
    v.expire_ms = v.record.expire_ms


cdef inline uint32_t type_of(const Record* r) noexcept nogil:
    """The type, and what a string remembers of its making: a new record's `type`."""
    return (r.flags & RECORD_TYPE_MASK) | (r.marks & RECORD_MAKING_MASK)


cdef inline bint expire_in_place(Keyspace* ks, Value* v, int64_t expire_ms) noexcept nogil:
    """Gives the record this expiry where it lies, if it has it or it is another one of its window; whether it has it now."""
    cdef Record* r = &v.record
    if r.expire_ms == expire_ms:
        return True
    if (r.expire_ms < 0 or expire_ms < 0 or r.marks & RECORD_WIDE_TTL or expire_ms >> 48
            or not log_window_has(ks.log, position_of(ks, r.at), expire_ms)):
        return False
    record_set_expire(r, expire_ms)
    v.expire_ms = expire_ms
    return True


cdef inline void keep_base(Value* v, uint8_t file_of) noexcept nogil:
    """A record written anew whose last whole image is where that of the one before is."""
    cdef Record* r = &v.record
    r.base = (r.base & RECORD_BASE_EPOCH) | (file_of & RECORD_BASE_FILE)
    r.at[2] = r.base


cdef inline void count_ttl(Keyspace* ks, int db, bint before, bint after) noexcept nogil:
    if before != after:
        ks.with_ttl[ks.db_index[db]] += 1 if after else -1


cdef Status rewrite(Keyspace* ks, Value* v, const uint8_t* key, size_t key_bytes, uint32_t type, const uint8_t* value,
                    uint64_t value_bytes, uint64_t room_bytes, int64_t expire_ms, int keep) noexcept nogil:
    """A new record for a found key; the old one dies. keep: the new one takes over what the old one owns."""
    cdef uint64_t position
    cdef Record old = v.record
    cdef const uint8_t* trees = <const uint8_t*>v.trees
    cdef Status status = write_record(ks, ks.db_index[v.db], key, key_bytes, type, value, value_bytes, room_bytes, expire_ms,
                                      old.extent if keep & KEEP_EXTENT else 0, &position)
    if status != STATUS_OK:
        return status
    point_slot(ks, v, position)
    count_ttl(ks, v.db, old.expire_ms >= 0, expire_ms >= 0)
    kill(ks, &old, keep)
    reload(ks, v, position)
    if unlikely(ks.effects != NULL) and trees != NULL and keep & KEEP_TREES:
        effects_trees_moved(ks.effects, trees, trees_bytes(v), v.data)
    return STATUS_OK


cdef Status keyspace_create(Keyspace* ks, int db, const uint8_t* key, size_t key_bytes, uint64_t hash, uint32_t type,
                            uint64_t size, int64_t expire_ms, Value* out) noexcept nogil:
    cdef Status status = create(ks, db, key, key_bytes, hash, type, NULL, size, expire_ms, 0, 0, out)
    if unlikely(ks.effects != NULL) and status == STATUS_OK and out.trees != NULL:
        note_take(ks.effects.notes, out.trees, NOTE_NEW, NULL, 0, 0, False)
    return status


cdef Status create(Keyspace* ks, int db, const uint8_t* key, size_t key_bytes, uint64_t hash, uint32_t type, const uint8_t* value,
                   uint64_t size, int64_t expire_ms, uint64_t extent, int keep, Value* out) noexcept nogil:
    """extent: takes over this one, which holds the value. keep: KEEP_ORDER, KEEP_DUE where what they name has the key already."""
    cdef uint64_t position
    cdef Status status
    cdef uint64_t* slot
    cdef bint ordered = unlikely(ks.ordered.state) and not keep & KEEP_ORDER
    cdef int64_t due = FIELDS_NEVER
    if unlikely(size > VALUE_BYTES_MAX or key_bytes > VALUE_BYTES_MAX):
        return STATUS_TOO_LARGE
    if ordered:
        # First: it may be refused, and can be taken back.
        status = ordered_add(ks, ks.db_index[db], key, key_bytes)
        if status != STATUS_OK:
            return status
    if (type & RECORD_TYPE_MASK) == TYPE_HASH and value != NULL and not keep & KEEP_DUE:
        due = value_fields_due(type, value)
    status = fields_add(ks, ks.db_index[db], hash, due) if due >= 0 else STATUS_OK
    if likely(status == STATUS_OK):
        status = write_record(ks, ks.db_index[db], key, key_bytes, type, value, size, size, expire_ms, extent, &position)
        if unlikely(status != STATUS_OK and due >= 0):
            fields_remove(ks, ks.db_index[db], hash, due)
    if unlikely(status != STATUS_OK):
        if ordered:
            ordered_remove(ks, ks.db_index[db], key, key_bytes)
        return status
    slot = index_insert(keyspace_index(ks, db), hash, position | access_now(ks, LFU_INITIAL), keyspace_hash_at, ks)
    if expire_ms >= 0:
        ks.with_ttl[ks.db_index[db]] += 1
    awaited(ks, db, key, key_bytes, hash, False)
    if out != NULL:
        out.slot = slot
        out.db = db
        out.hash = hash
        reload(ks, out, position)
    return STATUS_OK


cdef Status keyspace_replace(Keyspace* ks, Value* v, const uint8_t* key, size_t key_bytes, uint32_t type,
                             const uint8_t* value, uint64_t value_bytes, int64_t expire_ms) noexcept nogil:
    cdef Status status
    cdef Record* r = &v.record
    cdef int type_before = v.type
    cdef int64_t due_before = FIELDS_NEVER, due = FIELDS_NEVER
    if expire_ms == EXPIRE_KEEP:
        expire_ms = r.expire_ms
    if unlikely(value_bytes > VALUE_BYTES_MAX):
        return STATUS_TOO_LARGE
    preserve(ks, v)
    if v.type == TYPE_HASH or (type & RECORD_TYPE_MASK) == TYPE_HASH:
        due_before = record_fields_due(r, v.data)
        due = value_fields_due(type, value)
        if due != due_before:
            status = fields_add(ks, ks.db_index[v.db], v.hash, due)
            if status != STATUS_OK:
                return status
        else:
            fields_restart(ks, ks.db_index[v.db], v.hash)
    if likely(r.value_bytes == value_bytes and not r.flags & (RECORD_EXTENT | RECORD_ROOM) and type_of(r) == type
              and v.trees == NULL and expire_in_place(ks, v, expire_ms)):
        memmove(r.value, value, value_bytes)
        r.at[2] = ks.record_base
    else:
        status = rewrite(ks, v, key, key_bytes, type, value, value_bytes, value_bytes, expire_ms, 0)
        if unlikely(status != STATUS_OK):
            if due != due_before:
                fields_remove(ks, ks.db_index[v.db], v.hash, due)
            return status
        if v.type != type_before:
            awaited(ks, v.db, key, key_bytes, v.hash, False)
    if due != due_before:
        fields_remove(ks, ks.db_index[v.db], v.hash, due_before)
    record_whole(ks, v, key, key_bytes)
    changed(ks, v.db, key, key_bytes, v.hash)
    return STATUS_OK


cdef Status keyspace_rewrite(Keyspace* ks, Value* v, const uint8_t* key, size_t key_bytes, const uint8_t* value, uint64_t value_bytes) noexcept nogil:
    cdef const uint8_t* before = v.data
    cdef uint64_t before_bytes = v.size
    # What is cut off an extent is gone, what is cut off a record lies there until the command ends.
    cdef bint before_lasts = not v.record.flags & RECORD_EXTENT
    cdef Status status
    preserve(ks, v)
    if value_bytes != v.size:
        status = keyspace_resize(ks, v, key, key_bytes, value_bytes)
        if unlikely(status != STATUS_OK):
            return status
    if unlikely(ks.effects != NULL):
        if not before_lasts:
            before_bytes = 0
        if not effects_rewrite(ks.effects, type_of(&v.record), v.db, v.expire_ms, key, key_bytes, value, value_bytes, before, before_bytes):
            v.record.at[2] = ks.record_base
    memcpy(v.data, value, value_bytes)
    changed(ks, v.db, key, key_bytes, v.hash)
    return STATUS_OK


cdef Status keyspace_set(Keyspace* ks, int db, const uint8_t* key, size_t key_bytes, uint64_t hash, uint32_t type,
                         const uint8_t* value, uint64_t value_bytes, int64_t expire_ms) noexcept nogil:
    cdef Value v
    cdef Status status
    if keyspace_find(ks, db, key, key_bytes, hash, FIND_WRITE, &v):
        return keyspace_replace(ks, &v, key, key_bytes, type, value, value_bytes, expire_ms)
    status = create(ks, db, key, key_bytes, hash, type, value, value_bytes,
                    EXPIRE_NEVER if expire_ms == EXPIRE_KEEP else expire_ms, 0, 0, NULL if likely(ks.effects == NULL) else &v)
    if likely(status == STATUS_OK):
        record_whole(ks, &v, key, key_bytes)
        changed(ks, db, key, key_bytes, hash)
    return status


cdef Status keyspace_resize(Keyspace* ks, Value* v, const uint8_t* key, size_t key_bytes, uint64_t size) noexcept nogil:
    cdef Record* r = &v.record
    cdef Record old = v.record
    cdef uint64_t extra, extent, room, position
    cdef uint8_t* lengths
    cdef const uint8_t* trees = <const uint8_t*>v.trees
    cdef Status status
    if unlikely(size > VALUE_BYTES_MAX):
        return STATUS_TOO_LARGE
    INVARIANT(v.trees == NULL or size >= record_trees(r) * sizeof(Tree))
    preserve(ks, v)
    if r.flags & RECORD_EXTENT:
        extra = r.key_bytes if r.key == NULL else 0
        extent = extent_resize(ks.extents, r.extent, extra + r.value_bytes, max(extra + size, 1))
        if extent == 0:
            return STATUS_FULL
        lengths = r.at + r.header_bytes - 16
        store_u64(lengths, extent)
        store_u64(lengths + 8, size)
        reload(ks, v, position_of(ks, r.at))
    elif r.flags & RECORD_ROOM and size <= r.room_bytes:
        lengths = r.at + r.header_bytes - 8
        store_u32(lengths, <uint32_t>size)
        if size > r.value_bytes:
            memset(r.value + r.value_bytes, 0, size - r.value_bytes)
        reload(ks, v, position_of(ks, r.at))
    elif size != r.value_bytes:
        # Growth gets room for more of it: a value that is appended to is moved O(log n) times.
        room = size + min(size // 2 + 8, <uint64_t>ROOM_BYTES_MAX) if size > r.value_bytes else size
        if key_bytes + room + 32 > ks.log.record_bytes_max:
            room = size
        status = write_record(ks, ks.db_index[v.db], key, key_bytes, type_of(r), NULL, size, room, r.expire_ms, 0, &position)
        if status != STATUS_OK:
            return status
        point_slot(ks, v, position)
        reload(ks, v, position)
        memcpy(v.data, keyspace_record_value(ks, &old), min(old.value_bytes, size))
        keep_base(v, old.base)
        kill(ks, &old, KEEP_TREES)
    if unlikely(ks.effects != NULL):
        if trees != NULL:
            effects_trees_moved(ks.effects, trees, trees_bytes(v), v.data)
        elif v.type == TYPE_STRING and not r.marks & RECORD_RAW and old.value_bytes == size:
            # It may be all there is to tell: a bit that is set already makes a string raw.
            effects_begin(ks.effects, EFFECT_PATCH, TYPE_STRING | RECORD_RAW, v.db, -1, key, key_bytes, 0)
    if v.type == TYPE_STRING:
        r.at[1] |= RECORD_RAW
        r.marks |= RECORD_RAW
    return STATUS_OK


cdef void keyspace_recorded(Keyspace* ks, Value* v, const uint8_t* key, size_t key_bytes) noexcept nogil:
    INVARIANT(keyspace_is_saved(ks, &v.record))
    if likely(ks.effects == NULL):
        return
    if v.trees == NULL:
        v.record.at[2] = ks.record_base
        record_whole(ks, v, key, key_bytes)
    elif not effects_change(ks.effects, type_of(&v.record), v.db, key, key_bytes, v.hash, v.data, v.size, trees_bytes(v)):
        effects_image(ks, v, key, key_bytes)


cdef void keyspace_marked(Keyspace* ks, Value* v) noexcept nogil:
    cdef const uint8_t* key = keyspace_record_key(ks, &v.record)
    cdef size_t key_bytes = v.record.key_bytes
    if v.trees != NULL:
        keyspace_recorded(ks, v, key, key_bytes)
    elif ks.effects != NULL and not effects_patch(ks.effects, type_of(&v.record), v.db, v.expire_ms, key, key_bytes, v.data, v.size, 0, 1, 1):
        v.record.at[2] = ks.record_base


cdef void keyspace_touched(Keyspace* ks, Value* v, const uint8_t* key, size_t key_bytes) noexcept nogil:
    INVARIANT(keyspace_is_saved(ks, &v.record))
    keyspace_recorded(ks, v, key, key_bytes)
    changed(ks, v.db, key, key_bytes, v.hash)


cdef void keyspace_touched_at(Keyspace* ks, Value* v, const uint8_t* key, size_t key_bytes, uint64_t before_bytes, uint64_t offset,
                              uint64_t put) noexcept nogil:
    cdef uint64_t begin = min(offset, before_bytes), end = offset + put
    INVARIANT(v.trees == NULL and keyspace_is_saved(ks, &v.record))
    if unlikely(ks.effects != NULL) and not effects_patch(ks.effects, type_of(&v.record), v.db, v.expire_ms, key, key_bytes, v.data, v.size,
                                                          begin, min(end, before_bytes) - begin, end - begin):
        v.record.at[2] = ks.record_base
    changed(ks, v.db, key, key_bytes, v.hash)


cdef void keyspace_touched_since(Keyspace* ks, Value* v, const uint8_t* key, size_t key_bytes, const uint8_t* before) noexcept nogil:
    INVARIANT(keyspace_is_saved(ks, &v.record))
    if unlikely(ks.effects != NULL) and not effects_rewrite(ks.effects, type_of(&v.record), v.db, v.expire_ms, key, key_bytes, v.data, v.size,
                                                            before, v.size):
        v.record.at[2] = ks.record_base
    changed(ks, v.db, key, key_bytes, v.hash)


cdef void keyspace_delete_found(Keyspace* ks, Value* v, const uint8_t* key, size_t key_bytes) noexcept nogil:
    remove(ks, v, 0)
    record_delete(ks, v.db, key, key_bytes)
    changed(ks, v.db, key, key_bytes, v.hash)


cdef bint keyspace_delete(Keyspace* ks, int db, const uint8_t* key, size_t key_bytes, uint64_t hash) noexcept nogil:
    cdef Value v
    if not keyspace_find(ks, db, key, key_bytes, hash, FIND_PEEK, &v):
        return False
    keyspace_delete_found(ks, &v, key, key_bytes)
    return True


cdef Status copy_trees(Keyspace* ks, const Value* v, Tree* copies) noexcept nogil:
    """Trees of its own for a second value with the same elements."""
    cdef uint32_t count = record_trees(&v.record), done = 0
    cdef Status status = STATUS_OK
    INVARIANT(count <= TREES_MAX)
    while status == STATUS_OK and done < count:
        status = tree_copy(ks.forest, &v.trees[done], &copies[done])
        done += status == STATUS_OK
    if status != STATUS_OK:
        retire_trees(ks, copies, done)
    return status


cdef Status keyspace_expire(Keyspace* ks, Value* v, const uint8_t* key, size_t key_bytes, int64_t expire_ms) noexcept nogil:
    cdef Status status
    cdef Record* r = &v.record
    cdef int keep = KEEP_TREES
    cdef uint8_t base = r.base
    preserve(ks, v)
    if expire_ms != r.expire_ms:
        if not expire_in_place(ks, v, expire_ms):
            # A key that hardly fits its record moves into the extent when the header grows by a TTL: then it is another extent.
            if r.extent != 0 and r.key != NULL and key_bytes + 32 < ks.log.record_bytes_max:
                keep |= KEEP_EXTENT
            status = rewrite(ks, v, key, key_bytes, <uint32_t>v.type | making_kept(r, v.data), v.data, v.size, v.size, expire_ms, keep)
            if status != STATUS_OK:
                return status
            keep_base(v, base)
        if unlikely(ks.effects != NULL):
            effects_begin(ks.effects, EFFECT_EXPIRE, 0, v.db, expire_ms, key, key_bytes, 0)
    changed(ks, v.db, key, key_bytes, v.hash)
    return STATUS_OK


cdef void record_copy(Keyspace* ks, const Value* v, const uint8_t* key, size_t key_bytes, Value* copy, const uint8_t* to_key, size_t to_key_bytes,
                      bint move, bint hand_over) noexcept nogil:
    """hand_over: trees or an extent change hands, which need not be written anew."""
    if hand_over:
        if v.trees != NULL:
            effects_trees_gone(ks.effects, v.data, trees_bytes(v))
        effects_rename(ks.effects, v.db, key, key_bytes, copy.db, to_key, to_key_bytes)
        return
    record_whole(ks, copy, to_key, to_key_bytes)
    if move:
        record_delete(ks, v.db, key, key_bytes)


cdef Status keyspace_copy(Keyspace* ks, Value* v, const uint8_t* key, size_t key_bytes, int to_db, const uint8_t* to_key,
                          size_t to_key_bytes, bint move) noexcept nogil:
    cdef uint64_t hash = hash_bytes(to_key, to_key_bytes, ks.seed)
    cdef uint64_t access = index_find_position(keyspace_index(ks, v.db), v.hash, position_of(ks, v.record.at))[0] >> 48 << 48
    cdef Value target, copy
    cdef Status status
    cdef int keep = 0, keep_target = 0
    cdef Tree[TREES_MAX] copies
    cdef bint copied = v.trees != NULL and not move
    cdef bint taken
    if move and v.record.extent != 0 and v.record.key != NULL and to_key_bytes + 32 < ks.log.record_bytes_max:
        keep = KEEP_EXTENT
    if v.trees != NULL and move:
        keep |= KEEP_TREES
    if copied:
        status = copy_trees(ks, v, copies)
        if status != STATUS_OK:
            return status
    taken = keyspace_find(ks, to_db, to_key, to_key_bytes, hash, FIND_PEEK, &target)
    if taken:
        keep_target = KEEP_ORDER
        if v.type == TYPE_HASH and record_fields_due(&target.record, target.data) == record_fields_due(&v.record, v.data):
            keep_target |= KEEP_DUE
            fields_restart(ks, ks.db_index[to_db], hash)
    # For a moment the index has two of the key: what was there goes only when its successor is there for certain.
    status = create(ks, to_db, to_key, to_key_bytes, hash, <uint32_t>v.type | making_kept(&v.record, v.data),
                    v.data, v.size, v.expire_ms, v.record.extent if keep & KEEP_EXTENT else 0, keep_target, &copy)
    if status != STATUS_OK:
        if copied:
            retire_trees(ks, copies, record_trees(&v.record))
        return status
    if copied:
        memcpy(copy.data, copies, record_trees(&v.record) * sizeof(Tree))
    if move:
        copy.slot[0] = slot_with_access(copy.slot[0], access)
        if keep:
            keep_base(&copy, v.record.base)
    if taken:
        remove(ks, &target, keep_target)
    if unlikely(ks.effects != NULL):
        record_copy(ks, v, key, key_bytes, &copy, to_key, to_key_bytes, move, keep)
    changed(ks, to_db, to_key, to_key_bytes, hash)
    if move:
        remove(ks, v, keep)
        changed(ks, v.db, key, key_bytes, v.hash)
    return STATUS_OK


cdef uint64_t keyspace_memory_usage(Keyspace* ks, const Value* v) noexcept nogil:
    cdef uint64_t n = v.record.size + 8, i
    if v.record.extent:
        n += extent_committed(ks.extents, v.record.extent)
    if v.trees != NULL:
        for i in range(record_trees(&v.record)):
            n += <uint64_t>v.trees[i].pages << ks.forest.pages.page_shift
    return n


# ---- databases

cdef uint64_t keyspace_size(Keyspace* ks, int db) noexcept nogil:
    return keyspace_index(ks, db).keys


cdef uint64_t keyspace_size_with_ttl(Keyspace* ks, int db) noexcept nogil:
    return ks.with_ttl[ks.db_index[db]]


cdef uint64_t keyspace_size_with_field_ttl(Keyspace* ks, int db) noexcept nogil:
    return ks.fields.trees[ks.db_index[db]].count


# ---- memory

cdef uint64_t keyspace_committed(const Keyspace* ks) noexcept nogil:
    cdef uint64_t n = ks.log.bytes_written + <uint64_t>ks.arena.cached_count * ks.arena.unit_bytes
    cdef int i
    n += ks.extents.bytes_committed + ks.extents.bytes_dead + pages_committed(ks.forest.pages)
    for i in range(ks.databases):
        n += index_bytes(ks.index[i])
    for i in range(ks.retired_count):
        n += (ks.retired[i].index.touched_buckets + ks.retired[i].index.touched_overflow) * BUCKET_BYTES
    return n


cdef bint keyspace_make_room(Keyspace* ks, uint64_t n) noexcept nogil:
    return cleaner_make_room(ks, n)


cdef int64_t keyspace_background(Keyspace* ks, int64_t budget_ns, bint idle) noexcept nogil:
    cdef int64_t used = cleaner_background(ks, budget_ns, idle)
    if GAPLESS_DEBUG and used > 0 and ks.cleaner.slices % SLICES_PER_AUDIT == 0:
        INVARIANT(audit(ks) == NULL)
    return used


cdef const char* keyspace_check(Keyspace* ks) noexcept nogil:
    return audit(ks)
