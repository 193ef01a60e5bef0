"""Writing the store as a dump.rdb, in steps; in the background as it was when that began. See rdb_file.pxd, and "Snapshots" in
docs/design-notes.md.
"""
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.stdint cimport int64_t, uint8_t, uint64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memmove
from gapless.engine.access cimport access_frequency, access_idle_seconds
from gapless.engine.base cimport INVARIANT, clock_monotonic_ns, store_u64
from gapless.engine.collection cimport CollectionWalk, collection_walk
from gapless.engine.crc64 cimport crc64, crc64_zeros
from gapless.engine.engine cimport Engine
from gapless.engine.hash_value cimport Field, Hash, hash_next, hash_of_value
from gapless.engine.index cimport BUCKET_SLOTS, Index, index_next, index_prefetch_slots, slot_is_link, slot_position
from gapless.engine.keyspace cimport (
    DATABASES_MAX, POLICY_LFU, POLICY_LRU, Keyspace, Value, keyspace_background, keyspace_is_saved, keyspace_record_key, keyspace_size,
    keyspace_size_with_ttl, keyspace_tick, keyspace_value_of,
)
from gapless.engine.log cimport log_at
from gapless.engine.rdb cimport rdb_add_length, rdb_add_string, rdb_dump_value
from gapless.engine.rdb_file cimport (
    RDB_AUX, RDB_CHECKSUM_BYTES, RDB_EOF, RDB_EXPIRETIME_MS, RDB_FREQ, RDB_FUNCTION2, RDB_HEADER_BYTES, RDB_IDLE, RDB_RESIZEDB,
    RDB_SELECTDB,
)
from gapless.engine.rdb_hash cimport RDB_TYPE_HASH_EXPIRIES_OLD
from gapless.engine.rdb_set cimport RDB_TYPE_SET_LISTPACK
from gapless.engine.record cimport RECORD_BASE_EPOCH, RECORD_DB_MASK, TYPE_HASH, Record, record_decode
from gapless.engine.reply cimport Reply, reply_free, reply_init, reply_raw

cdef enum:
    # What a file says it is: of Redis 7.0, unless something in it needs a later one.
    VERSION_LEAST = 10
    VERSION_STREAM_3 = 11
    VERSION_FIELD_EXPIRIES = 12
    STEP_BYTES = 256 << 10         # a step that has written so much is over
    CLOCK_BUCKETS = 4              # walked between two looks at the clock
    ROOM_KEPT = 4 << 20            # of the buffer, from one step to the next
    FLUSHED_NS = 100000            # a slice of the work on flushed databases

cdef int64_t WITHOUT_END = 0x7fffffffffffffff


cdef struct Writer:
    Keyspace* keys
    Reply out                      # what is to be written
    bint background                # records are marked as they are saved
    bint abandoned                 # they are marked, and no more is written
    bint done
    int db                         # of what was written last; -1: none
    int numbers[DATABASES_MAX]     # of the databases, by their index, at the start
    int walking                    # which index
    # The next bucket of it. Upwards: what splits meanwhile moves up, and the buckets of who reads the file, in this order, fill evenly.
    uint64_t bucket
    int64_t start_ms               # what had expired by then is not there
    int version
    uint64_t saved


# ---- keys

cdef void add_opcode(Writer* w, uint8_t opcode) noexcept nogil:
    reply_raw(&w.out, &opcode, 1)


cdef void select(Writer* w, int db) noexcept nogil:
    if db != w.db:
        add_opcode(w, RDB_SELECTDB)
        rdb_add_length(&w.out, <uint64_t>db)
        w.db = db


cdef void add_access(Writer* w, uint64_t slot) noexcept nogil:
    cdef uint8_t frequency
    if w.keys.policy & POLICY_LFU:
        frequency = <uint8_t>access_frequency(w.keys, slot)
        add_opcode(w, RDB_FREQ)
        reply_raw(&w.out, &frequency, 1)
    elif w.keys.policy & POLICY_LRU:
        add_opcode(w, RDB_IDLE)
        rdb_add_length(&w.out, access_idle_seconds(w.keys, slot))


cdef bint has_fields(Writer* w, const Value* v) noexcept nogil:
    """Whether a hash has a field whose time has not come."""
    cdef Hash h
    cdef CollectionWalk walk
    cdef Field field
    hash_of_value(w.keys, v, &h)
    collection_walk(&h.c, &walk)
    return hash_next(&walk, &field)


cdef void save(Writer* w, const Record* r, uint64_t slot) noexcept nogil:
    """Writes a key. slot: what the index has of it; 0: not known."""
    cdef Value v
    cdef uint8_t[8] time
    cdef size_t begin, key_bytes
    cdef uint8_t type
    cdef uint8_t* at
    if r.expire_ms >= 0 and r.expire_ms <= w.start_ms:
        return
    keyspace_value_of(w.keys, r, &v)
    if v.type == TYPE_HASH and not has_fields(w, &v):
        return
    select(w, w.numbers[r.marks & RECORD_DB_MASK])
    if r.expire_ms >= 0:
        add_opcode(w, RDB_EXPIRETIME_MS)
        store_u64(time, <uint64_t>r.expire_ms)
        reply_raw(&w.out, time, 8)
    if slot:
        add_access(w, slot)
    # The type comes before the key, and is known only when the value has been written behind it.
    begin = w.out.length
    rdb_add_string(&w.out, keyspace_record_key(w.keys, r), r.key_bytes)
    key_bytes = w.out.length - begin
    rdb_dump_value(w.keys, &v, VERSION_LEAST, &w.out)
    at = w.out.data + begin
    type = at[key_bytes]
    memmove(at + 1, at, key_bytes)
    at[0] = type
    if type >= RDB_TYPE_HASH_EXPIRIES_OLD:
        w.version = VERSION_FIELD_EXPIRIES
    elif type >= RDB_TYPE_SET_LISTPACK:
        w.version = max(w.version, <int>VERSION_STREAM_3)
    w.saved += 1


cdef void save_once(void* context, Record* r, uint64_t slot) noexcept nogil:
    """Keyspace.on_unsaved."""
    cdef Writer* w = <Writer*>context
    r.base ^= RECORD_BASE_EPOCH
    r.at[2] = r.base
    cdef int64_t now_ms = w.keys.now_ms
    if not w.abandoned:
        # Fields of hashes, too, are those of that time.
        w.keys.now_ms = w.start_ms
        save(w, r, slot)
        w.keys.now_ms = now_ms


# ---- all of them

cdef void walk_bucket(Writer* w, const Index* index, const uint64_t* bucket) noexcept nogil:
    cdef Record r
    cdef int i
    while bucket != NULL:
        index_prefetch_slots(bucket, w.keys.arena.base)
        index_prefetch_slots(bucket, w.keys.arena.base + 64)
        for i in range(BUCKET_SLOTS):
            if bucket[i] == 0 or slot_is_link(bucket[i]):
                break
            record_decode(log_at(w.keys.log, slot_position(bucket[i])), &r)
            if not w.background:
                save(w, &r, bucket[i])
            elif not keyspace_is_saved(w.keys, &r):
                save_once(w, &r, bucket[i])
        bucket = index_next(index, bucket)


cdef bint walk(Writer* w, int64_t deadline_ns) noexcept nogil:
    """True when all was walked."""
    cdef const Index* index
    cdef int buckets = 0
    while w.walking < w.keys.databases:
        index = w.keys.index[w.walking]
        if w.bucket >= index.bucket_count or index.keys == 0:
            w.walking += 1
            w.bucket = 0
            continue
        walk_bucket(w, index, index.buckets + w.bucket * BUCKET_SLOTS)
        w.bucket += 1
        buckets += 1
        if w.out.length >= STEP_BYTES or (buckets % CLOCK_BUCKETS == 0 and clock_monotonic_ns() >= deadline_ns):
            return False
    return True


cdef bint has_flushed(const Writer* w) noexcept nogil:
    """Whether records of a database that was flushed meanwhile may be left to be saved."""
    cdef int i
    if not w.abandoned:
        for i in range(w.keys.retired_count):
            if w.keys.retired[i].saving:
                return True
    return False


cdef void go_on(Writer* w, int64_t deadline_ns) noexcept nogil:
    if w.done or not walk(w, deadline_ns):
        return
    if w.background:
        # They save themselves as they are counted dead.
        while has_flushed(w):
            keyspace_background(w.keys, FLUSHED_NS, True)
            if clock_monotonic_ns() >= deadline_ns:
                return
        w.keys.on_unsaved = NULL
        w.keys.on_unsaved_context = NULL
    w.done = True


cdef void abandon(Writer* w) noexcept nogil:
    w.abandoned = True
    w.out.length = 0
    if not w.background:
        w.done = True


cdef void attach(Writer* w) noexcept nogil:
    """From now on a record is either of the other epoch, and not saved yet, or of this one."""
    cdef Writer* before = <Writer*>w.keys.on_unsaved_context
    cdef int i
    if before != NULL:
        INVARIANT(before.abandoned)
        # Records of both epochs are left until it has seen them all.
        while not before.done:
            go_on(before, WITHOUT_END)
    w.background = True
    w.keys.on_unsaved = save_once
    w.keys.on_unsaved_context = w
    w.keys.record_base ^= RECORD_BASE_EPOCH
    for i in range(w.keys.retired_count):
        w.keys.retired[i].saving = False


cdef class Snapshot:
    """One writing of all databases.

    The file is the steps until `done`, tail(); and when all is written, head() in place of its first bytes. background: it is of the
    store as it is now, whatever becomes of it between the steps; without, nothing may. One can be in the background at a time.

    aux: facts about the file, by name. functions: the code of libraries of functions.
    """

    cdef Engine engine
    cdef Writer* w
    cdef uint64_t crc
    cdef bint summing
    cdef readonly uint64_t size
    cdef readonly uint64_t keys_total

    def __cinit__(self, Engine engine not None, dict aux, functions, bint checksum=True, bint background=False):
        cdef int db
        self.w = <Writer*>calloc(1, sizeof(Writer))
        INVARIANT(self.w != NULL)
        self.engine = engine
        self.summing = checksum
        self.w.keys = engine.keys
        self.w.version = VERSION_LEAST
        self.w.db = -1
        reply_init(&self.w.out)
        engine.enter()
        keyspace_tick(engine.keys)
        self.w.start_ms = engine.keys.now_ms
        for db in range(engine.keys.databases):
            self.w.numbers[engine.keys.db_index[db]] = db
            self.keys_total += keyspace_size(engine.keys, db)
        self.add_header(aux, functions)
        if background:
            attach(self.w)
        engine.leave()

    def __dealloc__(self):
        if self.w == NULL:
            return
        self.engine.enter()
        abandon(self.w)
        while not self.w.done:
            go_on(self.w, WITHOUT_END)
        self.engine.leave()
        reply_free(&self.w.out)
        free(self.w)

    @property
    def done(self):
        """Whether all keys are written; of one that was abandoned, whether it has let go of the store."""
        return self.w.done

    @property
    def keys_saved(self):
        """How many are in the file so far."""
        return self.w.saved

    def abandon(self):
        """Writes no more. In the background steps until `done` are due all the same, or another snapshot has to make up for them."""
        self.engine.enter()
        abandon(self.w)
        self.engine.leave()

    # ---- the file

    cdef bytes take(self):
        """What the buffer holds, which is empty then."""
        cdef bytes chunk = PyBytes_FromStringAndSize(<const char*>self.w.out.data, self.w.out.length)
        self.w.out.length = 0
        if self.w.out.room > ROOM_KEPT:
            reply_free(&self.w.out)
            reply_init(&self.w.out)
        return chunk

    cdef bytes summed(self, bytes chunk):
        cdef const uint8_t* data = <const uint8_t*>PyBytes_AS_STRING(chunk)
        cdef size_t n = PyBytes_GET_SIZE(chunk)
        self.size += n
        if self.summing and n:
            with nogil:
                self.crc = crc64(self.crc, data, n)
        return chunk

    def head(self):
        """The first bytes of the file, which say its version: known when all is written."""
        return b"REDIS%04d" % self.w.version

    cdef void add_header(self, dict aux, functions):
        cdef bytes name, value
        cdef Writer* w = self.w
        cdef int db
        reply_raw(&w.out, PyBytes_AS_STRING(self.head()), RDB_HEADER_BYTES)
        for name, value in aux.items():
            add_opcode(w, RDB_AUX)
            rdb_add_string(&w.out, <const uint8_t*>PyBytes_AS_STRING(name), PyBytes_GET_SIZE(name))
            rdb_add_string(&w.out, <const uint8_t*>PyBytes_AS_STRING(value), PyBytes_GET_SIZE(value))
        for value in functions:
            add_opcode(w, RDB_FUNCTION2)
            rdb_add_string(&w.out, <const uint8_t*>PyBytes_AS_STRING(value), PyBytes_GET_SIZE(value))
        for db in range(w.keys.databases):
            if keyspace_size(w.keys, db):
                select(w, db)
                add_opcode(w, RDB_RESIZEDB)
                rdb_add_length(&w.out, keyspace_size(w.keys, db))
                rdb_add_length(&w.out, keyspace_size_with_ttl(w.keys, db))

    def step(self, int64_t budget_us):
        """The next bytes of the file. Takes the engine for about so long, less when there is enough to be written."""
        cdef int64_t deadline_ns = clock_monotonic_ns() + budget_us * 1000
        cdef bytes chunk
        self.engine.enter()
        with nogil:
            go_on(self.w, deadline_ns)
        chunk = self.take()
        self.engine.leave()
        return self.summed(chunk)

    def tail(self):
        """The end of the file."""
        cdef uint8_t opcode = RDB_EOF
        cdef uint8_t[RDB_CHECKSUM_BYTES] sum
        cdef bytes before = b"REDIS%04d" % VERSION_LEAST, now = self.head()
        cdef bytes chunk = self.summed(PyBytes_FromStringAndSize(<const char*>&opcode, 1))
        if self.summing and before != now:
            # A CRC is linear: what the other first bytes make of it is that of their difference, with zeros behind.
            self.crc ^= crc64_zeros(
                crc64(0, <const uint8_t*>PyBytes_AS_STRING(before), RDB_HEADER_BYTES)
                ^ crc64(0, <const uint8_t*>PyBytes_AS_STRING(now), RDB_HEADER_BYTES), self.size - RDB_HEADER_BYTES)
        store_u64(sum, self.crc)
        self.size += RDB_CHECKSUM_BYTES
        return chunk + PyBytes_FromStringAndSize(<const char*>sum, RDB_CHECKSUM_BYTES)
