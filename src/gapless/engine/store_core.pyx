"""The compiled half of the embedded API, with what concerns the store as a whole."""
from libc.stdint cimport int64_t, uint64_t
from gapless.engine.index cimport BUCKET_BYTES
from gapless.engine.keyspace cimport (
    ORDERED_ON, Keyspace, keyspace_background, keyspace_check, keyspace_committed, keyspace_size, keyspace_tick,
)
from gapless.engine.keyspace_access cimport keyspace_set_policy
from gapless.engine.lock cimport lock_enter
from gapless.engine.log cimport Segment
from gapless.engine.ordered cimport ordered_switch
from gapless.engine.record cimport (
    RECORD_DB_MASK, RECORD_KEY_IN_EXTENT, RECORD_RAW, RECORD_TEXT, RECORD_TTL, RECORD_WIDE_TTL, TYPE_STRING, record_head_bytes)
from gapless.engine.store_access cimport CLOSED_BY_FORK, CLOSED_BY_OWNER, CLOSED_NOT
from gapless.engine.store_lists cimport StoreLists

from gapless.errors import ResponseError


cdef class StoreCore(StoreLists):
    """The keys and values of one database. All arguments may be bytes or str; what comes back is bytes.

    A call costs one look-up in the index for each key, unless it says otherwise. Errors: `OutOfMemoryError`,
    `ResponseError`, `ClosedError`; `TypeError` for what is neither bytes, str nor a number.
    """

    def exclusively(self, action):
        """Calls `action`; no other thread uses the store meanwhile. What it returns."""
        self.enter()
        try:
            return action()
        finally:
            self.leave()

    def enter_exclusively(self):
        """No other thread uses the store until leave_exclusively(); may be nested."""
        self.enter()

    def leave_exclusively(self):
        """Ends enter_exclusively(). JournalError when what was done meanwhile may not last."""
        self.leave()

    def close(self):
        """Ends the use of the store; every call after it raises ClosedError. Its memory goes with its last reference."""
        if self.engine is not None:
            lock_enter(&self.engine.lock)
        if self.closed == CLOSED_NOT:
            self.closed = CLOSED_BY_OWNER
        # It refers to the engine, which refers to the store's server: so the memory goes at once, not when the collector next runs.
        self.session = None
        if self.engine is not None:
            self.engine.abandon_blocked()
        self.leave()

    @property
    def opened(self):
        """Whether it may be used."""
        return self.closed == CLOSED_NOT

    # ---- os.fork()

    def hold(self):
        """Waits until no other thread is in the store, and keeps all of them out until release()."""
        lock_enter(&self.engine.lock)

    def release(self):
        """Ends hold()."""
        self.leave()

    def disown(self):
        """In the child of a fork: closes its copies of the sockets; every later call raises ClosedError."""
        if self.closed == CLOSED_NOT:
            self.closed = CLOSED_BY_FORK
        self.engine.close()

    # ---- memory and time

    def background(self, int64_t budget_us=200, bint idle=True):
        """Reaps, cleans and gives memory back for at most `budget_us`; microseconds used, 0: there is nothing to do."""
        cdef int64_t used
        self.enter()
        keyspace_tick(self.ks)
        used = keyspace_background(self.ks, budget_us * 1000, idle)
        self.leave()
        return (used + 999) // 1000

    def check(self):
        """None when every record is reachable, counted and in its place, else what is wrong. Walks everything."""
        cdef const char* wrong
        self.enter()
        wrong = keyspace_check(self.ks)
        self.leave()
        return None if wrong == NULL else wrong.decode()

    @property
    def db(self):
        """The number of the database that the methods work on."""
        return self.database

    @db.setter
    def db(self, int number):
        self.enter()
        self.leave()
        if not 0 <= number < self.ks.databases:
            raise ResponseError("ERR DB index is out of range")
        self.database = number

    @property
    def clock_ms(self):
        """What takes the place of the clock, in ms since the epoch; 0: nothing does. For tests."""
        return self.ks.clock_override_ms

    @clock_ms.setter
    def clock_ms(self, int64_t now):
        self.ks.clock_override_ms = now
        keyspace_tick(self.ks)

    @property
    def maxmemory(self):
        """Bytes of the process that keys and values may take, holes and index included; 0: no limit."""
        return self.ks.maxmemory

    @maxmemory.setter
    def maxmemory(self, uint64_t limit):
        self.ks.maxmemory = limit
        self.credit_until = 0

    @property
    def policy(self):
        """The number of the eviction policy: bits of Policy in keyspace.pxd."""
        return self.ks.policy

    @policy.setter
    def policy(self, int policy):
        keyspace_set_policy(self.ks, policy)

    @property
    def ordered_keys(self):
        """Whether the ordered index of keys is on and complete: range() and prefix() need it."""
        return self.ks.ordered.state == ORDERED_ON

    @ordered_keys.setter
    def ordered_keys(self, bint on):
        self.enter()
        ordered_switch(self.ks, on)
        self.leave()

    def counters(self):
        """What the engine counts, by name."""
        cdef Keyspace* ks = self.ks
        self.enter()
        found = {
            "keys": keyspace_size(ks, self.database),
            "bytes_live": ks.log.bytes_live,
            "bytes_dead": ks.log.bytes_written - ks.log.bytes_live,
            "bytes_in_extents": ks.extents.bytes_committed,
            "bytes_committed": keyspace_committed(ks),
            "segments": ks.log.segments_used,
            "hits": ks.stats.hits,
            "misses": ks.stats.misses,
            "expired": ks.stats.expired,
            "evicted": ks.stats.evicted,
            "bytes_appended": ks.log.bytes_appended,
            "bytes_moved": ks.log.bytes_moved,
            "bytes_freed": ks.cleaner.bytes_freed,
            "longest_slice_us": ks.cleaner.longest_slice_ns / 1000,
        }
        self.leave()
        return found


def layout():
    """Bytes of the structs whose size is a promise, and the bits of a record's second byte, by name. For tests."""
    return {"segment": sizeof(Segment), "bucket": BUCKET_BYTES,
            "record_16_64": record_head_bytes(TYPE_STRING, 0, 16, 64) + 16 + 64,
            "record_16_64_ttl": record_head_bytes(TYPE_STRING | RECORD_TTL, 0, 16, 64) + 16 + 64,
            "mark_database": RECORD_DB_MASK, "mark_wide_ttl": RECORD_WIDE_TTL, "mark_key_in_extent": RECORD_KEY_IN_EXTENT,
            "mark_raw": RECORD_RAW, "mark_text": RECORD_TEXT}
