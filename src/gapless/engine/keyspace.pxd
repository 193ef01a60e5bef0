"""The keyspace: databases of keys; the only place where index, log, extents and trees meet.

All functions run under the engine's lock and never block. Pointers in a Value or Record stay good until the end of the
command: nothing is moved or given back while a command runs (see "Moving a record" in docs/design-notes.md), so a value may be
set from bytes that lie in the store, those of the key itself included.
"""
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from gapless.engine.arena cimport Arena
from gapless.engine.base cimport Status, hash_bytes, unlikely
from gapless.engine.effects cimport Effects, effects_root
from gapless.engine.extent cimport Extents
from gapless.engine.forest cimport Forest, Tree
from gapless.engine.index cimport Index
from gapless.engine.log cimport Log
from gapless.engine.record cimport RECORD_BASE_EPOCH, TREE_BYTES, Record, record_trees


cdef enum:
    DATABASES_MAX = 16


cdef enum Find:
    FIND_READ = 0      # counts a keyspace hit or miss, renews the access field
    FIND_WRITE = 1     # renews the access field, counts nothing
    FIND_PEEK = 2      # neither (OBJECT, TTL, TYPE with NOTOUCH...)
    FIND_COUNT = 3     # counts a hit or miss, leaves the access field (CLIENT NO-TOUCH)


cdef enum Expire:
    EXPIRE_NEVER = -1
    EXPIRE_KEEP = -2   # keep what the key has


cdef enum Policy:
    # maxmemory-policy. VOLATILE and LFU/LRU/RANDOM/TTL are bits, so that one test serves several.
    POLICY_LRU = 1
    POLICY_LFU = 2
    POLICY_RANDOM = 4
    POLICY_TTL = 8
    POLICY_ALLKEYS = 16
    POLICY_EVICTING = 15   # any of these lets keys go
    POLICY_NOEVICTION = 0


cdef struct Value:
    # A key that was found, and what it holds.
    int type              # RecordType
    int db                # the number the client knows
    uint8_t* data         # the value's bytes, in the log or in an extent
    uint64_t size
    Tree* trees           # the same bytes where the value is trees, else NULL; changed in place by the functions of a tree
    int64_t expire_ms     # absolute; -1: never
    uint64_t hash
    uint64_t* slot        # its index slot; only the keyspace looks inside
    Record record


cdef struct KeyspaceStats:
    uint64_t hits
    uint64_t misses
    uint64_t expired
    uint64_t fields_expired
    uint64_t evicted
    uint64_t dirty                # writes since the start; rdb_changes_since_last_save
    uint64_t expire_cycle_us


cdef struct Retired:
    # An index taken out of service by a flush; its records are un-counted in slices.
    Index* index
    uint64_t bucket               # next to walk
    uint64_t sequence             # segments born later than this hold none of its records
    int db_index                  # what its records carry
    bint saving                   # a snapshot was being taken, which those of them that it has not saved belong to


cdef struct Cleaner:
    uint32_t victim               # the segment being cleaned; 0: none
    uint32_t offset               # how far
    bint evicting                 # drop what is cold instead of moving it
    uint32_t cold                 # colder records are dropped, see cleaner.pyx
    uint32_t cold_ties            # of 65536 records exactly as cold, so many are
    uint32_t fruitless            # evicting passes in a row that dropped nothing
    uint64_t evicted_before       # stats.evicted when the pass began
    uint64_t appended_seen        # log.bytes_appended when the debt was last charged
    int64_t debt_bytes            # of work owed for what was appended
    uint32_t hand                 # eviction's place in the segment table
    uint64_t sweep_bucket         # where the access sweep is, in every index alike
    int64_t swept_ms
    uint64_t segments_cleaned
    uint64_t bytes_freed
    uint64_t records_moved
    uint64_t slices_late           # of more than 500 us of CPU time
    int64_t longest_slice_ns      # CPU time of the thread: its own doing
    int64_t longest_slice_wall_ns  # and how long that took on a machine which others use too
    uint64_t slices
    uint64_t busy_ns
    # Settings: shares of holes, in thousandths.
    uint32_t holes_start          # under load cleaning starts here
    uint32_t holes_full           # and works at full effort from here
    uint32_t holes_idle           # with no load it goes on down to here
    uint64_t holes_bytes_min      # below so many bytes of holes there is no cleaning: the tails of open segments can't be cleaned


cdef enum OrderedState:
    ORDERED_OFF = 0
    ORDERED_BUILDING = 1
    ORDERED_ON = 2


cdef struct OrderedKeys:
    # See ordered.pxd.
    int state
    bint failed                   # there was no room to build it
    int building_db               # where building goes on: database index and cursor
    uint64_t cursor
    Tree trees[DATABASES_MAX]     # by database index


cdef struct Keyspace


cdef struct FieldsDue:
    # See field_expiry.pxd.
    int64_t next_ms               # when the earliest of all hashes is due, and which that is
    uint64_t next_hash
    int next_db                   # database index
    int64_t retry_ms              # there was no room: not before this
    # Takes away what is due of a hash, or as much as there is time for; False: there is no room to. Set by the layer that knows hashes.
    bint (*expire)(Keyspace* ks, const Value* v, int64_t deadline_ns) noexcept nogil
    # The walk through a hash on a tree that goes on from slice to slice.
    bint walking
    int walk_db
    uint64_t walk_hash            # of its key
    uint64_t walk_head            # hash of the next field
    int64_t walk_due              # of what is left, so far
    Tree trees[DATABASES_MAX]     # by database index


cdef struct Keyspace:
    Cleaner cleaner
    uint64_t maxmemory            # bytes of the process; 0: no limit
    uint64_t memory_base          # resident bytes that are not the engine's (measured by the server, 10 times a second)
    Arena* arena
    Extents* extents
    Forest* forest
    Log* log
    Index* index[DATABASES_MAX]         # by database index (what records carry)
    uint8_t db_index[DATABASES_MAX]     # database number -> database index (SWAPDB swaps these)
    uint64_t with_ttl[DATABASES_MAX]    # keys with a TTL, by database index
    int databases
    uint8_t record_base                 # byte 2 of what is written as a whole (record.pxd): the journal's file, the snapshot's epoch
    Effects* effects                    # NULL: nothing is recorded
    uint64_t seed                       # of the hash
    int64_t now_ms                      # the command's time; keyspace_tick() renews it
    int64_t clock_override_ms           # tests: when not 0, the time
    uint32_t access_seconds             # the time, for access fields (see access.pxd)
    uint32_t access_shift               # what a stamp is ahead of the time, in its unit
    uint32_t access_shift_before        # the same of the other form, before the switch
    uint32_t access_switched            # access_seconds of the switch to the present form; 0: no slot is of the other
    KeyspaceStats stats
    int policy
    bint active_expire                  # DEBUG SET-ACTIVE-EXPIRE
    bint active_defrag                  # activedefrag yes|no
    uint32_t lfu_log_factor
    uint32_t lfu_decay_minutes
    uint64_t random_state
    # WATCH: called for every key that changes while watchers > 0.
    uint32_t watchers
    void (*on_change)(void* context, int db, const uint8_t* key, size_t key_bytes, uint64_t hash) noexcept nogil
    void* on_change_context
    # Clients that wait: called, while awaited > 0, for every key that is made, takes another type, or is gone.
    uint32_t awaited
    void (*on_awaited)(void* context, int db, const uint8_t* key, size_t key_bytes, uint64_t hash, bint gone) noexcept nogil
    void* on_awaited_context
    # While a snapshot is taken: called with a record that it has not saved yet, before it changes or goes. See "Snapshots" in design-notes.
    void (*on_unsaved)(void* context, Record* r, uint64_t slot) noexcept nogil
    void* on_unsaved_context
    OrderedKeys ordered
    FieldsDue fields
    Retired retired[64]
    int retired_count


# ---- life
# segment_bytes: a power of two, 1 MiB but in tests; a page is 4 KiB, but at most a quarter of it. address_bytes: of each reserved range.
# NULL when the system refuses a range.
cdef Keyspace* keyspace_new(uint32_t segment_bytes, uint64_t address_bytes, int databases, uint64_t seed) noexcept nogil
cdef void keyspace_free(Keyspace* ks) noexcept nogil
# An empty index, for a database whose own is flushed; NULL: the system refuses the range.
cdef Index* keyspace_new_index(Keyspace* ks) noexcept nogil
# Renews now_ms (and the LRU clock). Once a batch of commands.
cdef void keyspace_tick(Keyspace* ks) noexcept nogil
# The same to a time that is given: what is replayed happens when it happened.
cdef void keyspace_set_now(Keyspace* ks, int64_t now) noexcept nogil

# Effects are recorded from now on, for the journal file of this number, or no more. See effects.pxd, and "Effects" in docs/design-notes.md.
cdef void keyspace_record_effects(Keyspace* ks, bint on, uint32_t file) noexcept nogil
# What is recorded from now on goes to the file of this number. REQUIRED: nothing is gathered.
cdef void keyspace_effects_file(Keyspace* ks, uint32_t file) noexcept nogil

# For sampling only: xorshift64*, of which the upper bits are the good ones.
cdef inline uint64_t random_next(Keyspace* ks) noexcept nogil:
    cdef uint64_t x = ks.random_state
    x ^= x >> 12
    x ^= x << 25
    x ^= x >> 27
    ks.random_state = x
    return x * <uint64_t>0x2545F4914F6CDD1D

cdef inline Index* keyspace_index(Keyspace* ks, int db) noexcept nogil:
    return ks.index[ks.db_index[db]]

cdef inline bint keyspace_is_empty(const Keyspace* ks) noexcept nogil:
    cdef int i
    for i in range(ks.databases):
        if ks.index[i].keys:
            return False
    return True

cdef inline bint keyspace_has_expired(const Keyspace* ks, const Record* r) noexcept nogil:
    return r.expire_ms >= 0 and r.expire_ms <= ks.now_ms

cdef inline int keyspace_db(const Keyspace* ks, uint32_t db_index) noexcept nogil:
    """The client's number of a database that records know by its index."""
    cdef int db = 0
    while ks.db_index[db] != db_index:
        db += 1
    return db

# ---- one key. `hash` is keyspace_hash() of the key; db is the client's number.
cdef inline uint64_t keyspace_hash(const Keyspace* ks, const uint8_t* key, size_t n) noexcept nogil:
    return hash_bytes(key, n, ks.seed)

cdef inline bint keyspace_is_saved(const Keyspace* ks, const Record* r) noexcept nogil:
    """Whether what a snapshot wants of the record is in it; True without one."""
    return ks.on_unsaved == NULL or (r.at[2] ^ ks.record_base) & RECORD_BASE_EPOCH == 0

# REQUIRED before anything of a record changes where it lies, or it goes. slot: what the index has of it; 0: nothing, or not known.
cdef inline void keyspace_preserve(Keyspace* ks, Record* r, uint64_t slot) noexcept nogil:
    if unlikely(not keyspace_is_saved(ks, r)):
        ks.on_unsaved(ks.on_unsaved_context, r, slot)

# Brings the index bucket, then the record, of a key into the cache, for a batch of commands to come.
cdef void keyspace_prefetch_bucket(Keyspace* ks, int db, uint64_t hash) noexcept nogil
cdef void keyspace_prefetch_record(Keyspace* ks, int db, uint64_t hash) noexcept nogil
# Likewise, of a field or member, the leaf of the tree it would be in: its page, 0: none; *head is its hash, for tree_prefetch_element().
cdef uint32_t keyspace_prefetch_leaf(Keyspace* ks, int db, const uint8_t* key, size_t key_bytes, uint64_t hash, const uint8_t* element,
                                     size_t element_bytes, uint64_t* head) noexcept nogil

# True when the key is there. One whose time has come is deleted (counted as expired) and reported missing.
cdef bint keyspace_find(Keyspace* ks, int db, const uint8_t* key, size_t key_bytes, uint64_t hash, int how, Value* out) noexcept nogil

# The same for who walks and may change nothing: one whose time has come is missing, and stays.
cdef bint keyspace_look(Keyspace* ks, int db, const uint8_t* key, size_t key_bytes, uint64_t hash, Value* out) noexcept nogil

# Creates the key or replaces all of it. type: a RecordType, with RECORD_RAW or RECORD_TEXT for a string made so. expire_ms: absolute,
# EXPIRE_NEVER or EXPIRE_KEEP. `value` may lie in the store. A value of the same length and type is overwritten where it lies. With RECORD_TREES
# beside a collection's type the value is Trees, and the key takes them over; where it refuses them they stay the caller's.
# STATUS_OK, STATUS_FULL or STATUS_TOO_LARGE (nothing changed then).
cdef Status keyspace_set(Keyspace* ks, int db, const uint8_t* key, size_t key_bytes, uint64_t hash, uint32_t type,
                         const uint8_t* value, uint64_t value_bytes, int64_t expire_ms) noexcept nogil
# The same for a key just found (no second look-up).
cdef Status keyspace_replace(Keyspace* ks, Value* v, const uint8_t* key, size_t key_bytes, uint32_t type,
                             const uint8_t* value, uint64_t value_bytes, int64_t expire_ms) noexcept nogil
# Puts other bytes of the same type in place of the value's, keeping all else. REQUIRED: they do not lie in the store. STATUS_FULL: as it was.
cdef Status keyspace_rewrite(Keyspace* ks, Value* v, const uint8_t* key, size_t key_bytes, const uint8_t* value, uint64_t value_bytes) noexcept nogil

# Makes the value `size` bytes long, keeping the first min(old, new) and zeroing what is new, and a string RAW; afterwards v.data may be
# written to freely within this command. REQUIRED then, if anything changed: keyspace_touched(). Costs what it touches: a growing value
# gets room, a large one is an extent that grows in place.
cdef Status keyspace_resize(Keyspace* ks, Value* v, const uint8_t* key, size_t key_bytes, uint64_t size) noexcept nogil
# A new key of `size` zero bytes, v filled in for writing; the key must not be there. REQUIRED as after keyspace_resize().
cdef Status keyspace_create(Keyspace* ks, int db, const uint8_t* key, size_t key_bytes, uint64_t hash, uint32_t type,
                            uint64_t size, int64_t expire_ms, Value* out) noexcept nogil
# Tells WATCH of a value that was changed in place, counts it as a write, records it.
cdef void keyspace_touched(Keyspace* ks, Value* v, const uint8_t* key, size_t key_bytes) noexcept nogil
# The same where only `put` bytes from `offset` on are new, and zeros before them if the value was shorter: it was `before_bytes` long. REQUIRED: it
# is no Trees.
cdef void keyspace_touched_at(Keyspace* ks, Value* v, const uint8_t* key, size_t key_bytes, uint64_t before_bytes, uint64_t offset,
                              uint64_t put) noexcept nogil
# The same where the value was `before`, of the same length.
cdef void keyspace_touched_since(Keyspace* ks, Value* v, const uint8_t* key, size_t key_bytes, const uint8_t* before) noexcept nogil
# Records only: for what WATCH does not see and nobody counts. REQUIRED after every change of what is stored that nothing else tells of.
cdef void keyspace_recorded(Keyspace* ks, Value* v, const uint8_t* key, size_t key_bytes) noexcept nogil
# The same of the marks of a collection, which lie in front of what is packed, or in its first Tree. REQUIRED: the value was found, not met.
cdef void keyspace_marked(Keyspace* ks, Value* v) noexcept nogil
# To be called before the first change of a value of Trees that keeps something behind them: only what changes of that is then recorded.
cdef inline void keyspace_to_change(Keyspace* ks, const Value* v) noexcept nogil:
    if unlikely(ks.effects != NULL):
        effects_root(ks.effects, v.hash, v.data, v.size, record_trees(&v.record) * TREE_BYTES)

cdef bint keyspace_delete(Keyspace* ks, int db, const uint8_t* key, size_t key_bytes, uint64_t hash) noexcept nogil
# For who walks: v has the database, the hash and the record of a key whose time has come.
cdef void keyspace_drop_expired(Keyspace* ks, Value* v) noexcept nogil
cdef void keyspace_delete_found(Keyspace* ks, Value* v, const uint8_t* key, size_t key_bytes) noexcept nogil
# Sets or removes (EXPIRE_NEVER) the TTL of a found key; the record moves to its expiry's segment.
cdef Status keyspace_expire(Keyspace* ks, Value* v, const uint8_t* key, size_t key_bytes, int64_t expire_ms) noexcept nogil
# The value of (db, key) under (to_db, to_key), TTL kept; what was there is replaced. `move` deletes the source and keeps its access field.
# The source must have been found in v. Large values change hands without being copied when moved. All or nothing: when it does not
# fit, source and target are as before.
cdef Status keyspace_copy(Keyspace* ks, Value* v, const uint8_t* key, size_t key_bytes, int to_db, const uint8_t* to_key,
                          size_t to_key_bytes, bint move) noexcept nogil
# The key's bytes of a record wherever they lie (KEY_IN_EXTENT).
cdef const uint8_t* keyspace_record_key(Keyspace* ks, const Record* r) noexcept nogil
cdef uint8_t* keyspace_record_value(Keyspace* ks, const Record* r) noexcept nogil
# The value of a record that was met while walking, to read; it has no slot.
cdef void keyspace_value_of(Keyspace* ks, const Record* r, Value* out) noexcept nogil
# For the layers of the engine itself (cleaner): the hash of the record at a position, as index.HashAt.
cdef uint64_t keyspace_hash_at(void* context, uint64_t position) noexcept nogil

# ---- sizes
# Engine memory that is resident, by its own count.
cdef uint64_t keyspace_committed(const Keyspace* ks) noexcept nogil
# Bytes the key takes: record, slot, extent pages, pages of trees.
cdef uint64_t keyspace_memory_usage(Keyspace* ks, const Value* v) noexcept nogil

# ---- databases
cdef uint64_t keyspace_size(Keyspace* ks, int db) noexcept nogil
cdef uint64_t keyspace_size_with_ttl(Keyspace* ks, int db) noexcept nogil
# Hashes that have fields with an expiry, or had some until their next walk.
cdef uint64_t keyspace_size_with_field_ttl(Keyspace* ks, int db) noexcept nogil

# ---- memory
# REQUIRED before a command that may use `bytes` more (flag denyoom): evicts and cleans until they fit. False: -OOM. May move records.
cdef bint keyspace_make_room(Keyspace* ks, uint64_t bytes) noexcept nogil
# Background work for at most budget_ns: reap expired segments, un-count flushed databases, give extents and pages back, clean, shrink. Returns
# ns used; 0 when there was nothing to do. `idle`: no client waits. May move records: never while a command runs.
cdef int64_t keyspace_background(Keyspace* ks, int64_t budget_ns, bint idle) noexcept nogil
# Verifies every invariant by walking everything; NULL when all is well, else what is wrong (static text).
cdef const char* keyspace_check(Keyspace* ks) noexcept nogil
