"""Writing the store as a dump.rdb, in steps. See rdb_file.pxd."""
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.stdint cimport int64_t, uint8_t, uint64_t
from libc.string cimport memmove
from gapless.engine.access cimport access_frequency, access_idle_seconds
from gapless.engine.base cimport clock_monotonic_ns, prefetch, store_u64
from gapless.engine.crc64 cimport crc64, crc64_zeros
from gapless.engine.engine cimport Engine
from gapless.engine.hash_value cimport Field, Hash, hash_next, hash_of_value
from gapless.engine.collection cimport CollectionWalk, collection_walk
from gapless.engine.index cimport BUCKET_SLOTS, Index, index_next, index_scan_bucket, index_scan_next, slot_is_link, slot_position
from gapless.engine.keyspace cimport (
    DATABASES_MAX, POLICY_LFU, POLICY_LRU, Keyspace, Value, keyspace_record_key, keyspace_size, keyspace_size_with_ttl, keyspace_tick,
    keyspace_value_of,
)
from gapless.engine.log cimport log_at
from gapless.engine.rdb cimport rdb_add_length, rdb_add_string, rdb_dump_value
from gapless.engine.rdb_file cimport (
    RDB_AUX, RDB_CHECKSUM_BYTES, RDB_EOF, RDB_EXPIRETIME_MS, RDB_FREQ, RDB_FUNCTION2, RDB_HEADER_BYTES, RDB_IDLE, RDB_RESIZEDB,
    RDB_SELECTDB,
)
from gapless.engine.rdb_hash cimport RDB_TYPE_HASH_EXPIRIES_OLD
from gapless.engine.rdb_set cimport RDB_TYPE_SET_LISTPACK
from gapless.engine.record cimport RECORD_DB_MASK, TYPE_HASH, Record, record_decode
from gapless.engine.reply cimport Reply, reply_free, reply_init, reply_raw

cdef enum:
    # What a file says it is of: of Redis 7.0, unless something in it needs a later one.
    VERSION_LEAST = 10
    VERSION_STREAM_3 = 11
    VERSION_FIELD_EXPIRIES = 12
    STEP_BYTES = 256 << 10         # a step that has written so much is over
    CLOCK_BUCKETS = 4              # walked between two looks at the clock
    ROOM_KEPT = 4 << 20            # of the buffer, from one step to the next


cdef class Snapshot:
    """One writing of all databases.

    The file is header(), the steps until `done`, tail(); and when all is written, what head() says in place of its first bytes.
    """

    cdef Engine engine
    cdef Keyspace* keys
    cdef Reply out
    cdef int db                        # of what was written last; -1: none
    cdef int numbers[DATABASES_MAX]    # of the databases, by their index, at the start
    cdef int walking                   # which index
    cdef uint64_t cursor
    cdef int64_t start_ms              # what had expired by then is not there
    cdef int version
    cdef uint64_t crc
    cdef bint summing
    cdef readonly uint64_t bytes
    cdef readonly uint64_t keys_saved
    cdef readonly uint64_t keys_total
    cdef readonly bint done

    def __cinit__(self, Engine engine not None, bint checksum=True):
        cdef int db
        self.engine = engine
        self.keys = engine.keys
        self.summing = checksum
        self.version = VERSION_LEAST
        self.db = -1
        reply_init(&self.out)
        engine.enter()
        keyspace_tick(self.keys)
        self.start_ms = self.keys.now_ms
        for db in range(self.keys.databases):
            self.numbers[self.keys.db_index[db]] = db
            self.keys_total += keyspace_size(self.keys, db)
        engine.leave()

    def __dealloc__(self):
        reply_free(&self.out)

    # ---- the file

    cdef bytes take(self):
        """What the buffer holds, which is empty then."""
        cdef bytes chunk = PyBytes_FromStringAndSize(<const char*>self.out.data, self.out.length)
        self.out.length = 0
        if self.out.room > ROOM_KEPT:
            reply_free(&self.out)
            reply_init(&self.out)
        return chunk

    cdef bytes summed(self, bytes chunk):
        cdef const uint8_t* data = <const uint8_t*>PyBytes_AS_STRING(chunk)
        cdef size_t n = PyBytes_GET_SIZE(chunk)
        self.bytes += n
        if self.summing and n:
            with nogil:
                self.crc = crc64(self.crc, data, n)
        return chunk

    cdef void add_opcode(self, uint8_t opcode) noexcept nogil:
        reply_raw(&self.out, &opcode, 1)

    def head(self):
        """The first bytes of the file, which say its version; it is known when all is written."""
        return b"REDIS%04d" % self.version

    def header(self, dict aux, functions):
        """What comes before all keys: facts about the file, by name, and the code of libraries of functions."""
        cdef bytes name, value
        cdef int db
        reply_raw(&self.out, PyBytes_AS_STRING(self.head()), RDB_HEADER_BYTES)
        for name, value in aux.items():
            self.add_opcode(RDB_AUX)
            rdb_add_string(&self.out, <const uint8_t*>PyBytes_AS_STRING(name), PyBytes_GET_SIZE(name))
            rdb_add_string(&self.out, <const uint8_t*>PyBytes_AS_STRING(value), PyBytes_GET_SIZE(value))
        for value in functions:
            self.add_opcode(RDB_FUNCTION2)
            rdb_add_string(&self.out, <const uint8_t*>PyBytes_AS_STRING(value), PyBytes_GET_SIZE(value))
        self.engine.enter()
        for db in range(self.keys.databases):
            if keyspace_size(self.keys, db):
                self.select(db)
                self.add_opcode(RDB_RESIZEDB)
                rdb_add_length(&self.out, keyspace_size(self.keys, db))
                rdb_add_length(&self.out, keyspace_size_with_ttl(self.keys, db))
        self.engine.leave()
        return self.summed(self.take())

    def step(self, int64_t budget_us):
        """The next bytes of the file; takes the engine for at most about so long, and ends earlier when there is enough to write."""
        cdef int64_t deadline_ns = clock_monotonic_ns() + budget_us * 1000
        cdef bytes chunk
        self.engine.enter()
        with nogil:
            self.done = self.walk(deadline_ns)
        chunk = self.take()
        self.engine.leave()
        return self.summed(chunk)

    def tail(self):
        """The end of the file."""
        cdef uint8_t[RDB_CHECKSUM_BYTES] sum
        cdef bytes before = b"REDIS%04d" % VERSION_LEAST, now = self.head()
        cdef uint64_t change
        self.add_opcode(RDB_EOF)
        chunk = self.summed(self.take())
        if self.summing and before != now:
            # A CRC is linear: what the other first bytes make of it is that of their difference, with zeros behind.
            change = crc64(0, <const uint8_t*>PyBytes_AS_STRING(before), RDB_HEADER_BYTES) ^ crc64(
                0, <const uint8_t*>PyBytes_AS_STRING(now), RDB_HEADER_BYTES)
            self.crc ^= crc64_zeros(change, self.bytes - RDB_HEADER_BYTES)
        store_u64(sum, self.crc)
        self.bytes += RDB_CHECKSUM_BYTES
        return chunk + PyBytes_FromStringAndSize(<const char*>sum, RDB_CHECKSUM_BYTES)

    # ---- keys

    cdef bint walk(self, int64_t deadline_ns) noexcept nogil:
        """True when all was walked."""
        cdef int buckets = 0
        while self.walking < self.keys.databases:
            if self.keys.index[self.walking].keys:
                self.cursor = self.save_bucket(self.keys.index[self.walking], self.cursor)
            else:
                self.cursor = 0
            if self.cursor == 0:
                self.walking += 1
            buckets += 1
            if self.out.length >= STEP_BYTES or (buckets % CLOCK_BUCKETS == 0 and clock_monotonic_ns() >= deadline_ns):
                return False
        return True

    cdef uint64_t save_bucket(self, const Index* index, uint64_t cursor) noexcept nogil:
        cdef const uint64_t* bucket = index.buckets + index_scan_bucket(index, cursor) * BUCKET_SLOTS
        cdef const uint8_t* at
        cdef Record r
        cdef int i
        while bucket != NULL:
            for i in range(BUCKET_SLOTS):
                if bucket[i] == 0 or slot_is_link(bucket[i]):
                    break
                at = log_at(self.keys.log, slot_position(bucket[i]))
                prefetch(at)
                prefetch(at + 64)
            for i in range(BUCKET_SLOTS):
                if bucket[i] == 0 or slot_is_link(bucket[i]):
                    break
                record_decode(log_at(self.keys.log, slot_position(bucket[i])), &r)
                self.save(&r, bucket[i])
            bucket = index_next(index, bucket)
        return index_scan_next(index, cursor)

    cdef void select(self, int db) noexcept nogil:
        if db != self.db:
            self.add_opcode(RDB_SELECTDB)
            rdb_add_length(&self.out, <uint64_t>db)
            self.db = db

    cdef void add_access(self, uint64_t slot) noexcept nogil:
        cdef uint8_t frequency
        if self.keys.policy & POLICY_LFU:
            frequency = <uint8_t>access_frequency(self.keys, slot)
            self.add_opcode(RDB_FREQ)
            reply_raw(&self.out, &frequency, 1)
        elif self.keys.policy & POLICY_LRU:
            self.add_opcode(RDB_IDLE)
            rdb_add_length(&self.out, access_idle_seconds(self.keys, slot))

    cdef bint has_fields(self, const Value* v) noexcept nogil:
        """Whether a hash has a field whose time has not come."""
        cdef Hash h
        cdef CollectionWalk w
        cdef Field field
        hash_of_value(self.keys, v, &h)
        collection_walk(&h.c, &w)
        return hash_next(&w, &field)

    cdef void save(self, const Record* r, uint64_t slot) noexcept nogil:
        """Writes a key. slot: its slot in the index; 0: it has none any more."""
        cdef Value v
        cdef uint8_t[8] time
        cdef size_t begin, key_bytes
        cdef uint8_t type
        cdef uint8_t* at
        if r.expire_ms >= 0 and r.expire_ms <= self.start_ms:
            return
        keyspace_value_of(self.keys, r, &v)
        if v.type == TYPE_HASH and not self.has_fields(&v):
            return
        self.select(self.numbers[r.marks & RECORD_DB_MASK])
        if r.expire_ms >= 0:
            self.add_opcode(RDB_EXPIRETIME_MS)
            store_u64(time, <uint64_t>r.expire_ms)
            reply_raw(&self.out, time, 8)
        if slot:
            self.add_access(slot)
        # The type comes before the key, and is known only when the value has been written behind it.
        begin = self.out.length
        rdb_add_string(&self.out, keyspace_record_key(self.keys, r), r.key_bytes)
        key_bytes = self.out.length - begin
        rdb_dump_value(self.keys, &v, VERSION_LEAST, &self.out)
        at = self.out.data + begin
        type = at[key_bytes]
        memmove(at + 1, at, key_bytes)
        at[0] = type
        if type >= RDB_TYPE_HASH_EXPIRIES_OLD:
            self.version = VERSION_FIELD_EXPIRIES
        elif type >= RDB_TYPE_SET_LISTPACK:
            self.version = max(self.version, <int>VERSION_STREAM_3)
        self.keys_saved += 1
