"""Keys: there or not, their time to live, their names, walks over them. See store_keys.pxd."""
from cpython.bytes cimport PyBytes_FromStringAndSize
from libc.stdint cimport int64_t, uint64_t
from libc.string cimport memcmp
from gapless.engine.base cimport STATUS_FULL, STATUS_OK, Status
from gapless.engine.keyspace cimport (
    EXPIRE_NEVER, FIND_COUNT, FIND_PEEK, FIND_WRITE, Value, keyspace_copy, keyspace_delete, keyspace_delete_found, keyspace_expire,
    keyspace_find, keyspace_record_key, keyspace_size, keyspace_tick,
)
from gapless.engine.keyspace_flush cimport keyspace_flush, keyspace_flush_all, keyspace_swap
from gapless.engine.keyspace_walk cimport keyspace_random, keyspace_scan
from gapless.engine.record cimport Record
from gapless.engine.store_access cimport StoreAccess, Text, milliseconds, raise_status, text_of
from gapless.engine.transactions cimport transactions_flushing

from gapless.errors import ResponseError

cdef enum:
    CONDITION_NX = 1
    CONDITION_XX = 2
    CONDITION_GT = 4
    CONDITION_LT = 8


cdef class StoreKeys(StoreAccess):
    """The keys of one database."""

    cdef bint remove(self, object name) except -1:
        cdef Text key
        cdef bint gone
        name = text_of(name, &key)
        self.enter_to_write()
        keyspace_tick(self.ks)
        gone = keyspace_delete(self.ks, self.database, key.data, key.size, self.hash(&key))
        self.leave()
        return gone

    cdef bint there(self, object name) except -1:
        cdef Text key
        cdef Value v
        cdef bint found
        name = text_of(name, &key)
        self.enter()
        found = self.find(&key, self.hash(&key), FIND_COUNT, &v)
        self.leave()
        return found

    def delete(self, *names):
        """Deletes keys; how many were there. O(1) each, whatever their size."""
        cdef Py_ssize_t n = 0
        self.enter_to_write()
        try:
            for name in names:
                n += self.remove(name)
        finally:
            self.leave()
        return n

    def unlink(self, *names):
        """The same as `delete`."""
        return StoreKeys.delete(self, *names)

    def exists(self, *names):
        """How many of the keys are there; one given twice counts twice."""
        cdef Py_ssize_t n = 0
        self.enter()
        try:
            for name in names:
                n += self.there(name)
        finally:
            self.leave()
        return n

    # ---- time to live

    cdef object expire_at(self, object name, object when, int64_t unit, bint relative, int how, const char* command):
        """how: bits of Condition."""
        cdef Text key
        cdef Value v
        cdef Status status = STATUS_OK
        cdef int64_t at = milliseconds(when, unit, relative, command)
        cdef bint done = False
        if (how & CONDITION_NX and how != CONDITION_NX):
            raise ResponseError("ERR NX and XX, GT or LT options at the same time are not compatible")
        if how & CONDITION_GT and how & CONDITION_LT:
            raise ResponseError("ERR GT and LT options at the same time are not compatible")
        name = text_of(name, &key)
        self.enter_to_write()
        try:
            keyspace_tick(self.ks)
            if relative:
                at = self.ks.now_ms + at
            if not self.room(key.size):
                # A TTL frees memory in the end: it may be set when memory is full, from the cleaner's reserve or not at all.
                pass
            if keyspace_find(self.ks, self.database, key.data, key.size, self.hash(&key), FIND_WRITE, &v):
                if how & CONDITION_NX and v.expire_ms >= 0:
                    pass
                elif how & CONDITION_XX and v.expire_ms < 0:
                    pass
                elif how & CONDITION_GT and (v.expire_ms < 0 or at <= v.expire_ms):
                    pass
                elif how & CONDITION_LT and v.expire_ms >= 0 and at >= v.expire_ms:
                    pass
                elif at <= self.ks.now_ms:
                    keyspace_delete_found(self.ks, &v, key.data, key.size)
                    done = True
                else:
                    status = keyspace_expire(self.ks, &v, key.data, key.size, at)
                    done = True
            self.housekeep()
        finally:
            self.leave()
        if status != STATUS_OK:
            raise_status(status)
        return done

    def expire(self, name, time, bint nx=False, bint xx=False, bint gt=False, bint lt=False):
        """Lets the key live for `time` seconds (int or timedelta); whether it does."""
        return self.expire_at(name, time, 1000, True, nx | xx << 1 | gt << 2 | lt << 3, b"expire")

    def pexpire(self, name, time, bint nx=False, bint xx=False, bint gt=False, bint lt=False):
        """Lets the key live for `time` milliseconds."""
        return self.expire_at(name, time, 1, True, nx | xx << 1 | gt << 2 | lt << 3, b"pexpire")

    def expireat(self, name, when, bint nx=False, bint xx=False, bint gt=False, bint lt=False):
        """Lets the key live until `when`: seconds since the epoch or a datetime."""
        return self.expire_at(name, when, 1000, False, nx | xx << 1 | gt << 2 | lt << 3, b"expireat")

    def pexpireat(self, name, when, bint nx=False, bint xx=False, bint gt=False, bint lt=False):
        """Lets the key live until `when`: milliseconds since the epoch or a datetime."""
        return self.expire_at(name, when, 1, False, nx | xx << 1 | gt << 2 | lt << 3, b"pexpireat")

    def persist(self, name):
        """Takes the TTL away; whether there was one."""
        cdef Text key
        cdef Value v
        cdef Status status = STATUS_OK
        cdef bint done = False
        name = text_of(name, &key)
        self.enter_to_write()
        keyspace_tick(self.ks)
        self.room(key.size)
        if keyspace_find(self.ks, self.database, key.data, key.size, self.hash(&key), FIND_WRITE, &v) and v.expire_ms >= 0:
            status = keyspace_expire(self.ks, &v, key.data, key.size, EXPIRE_NEVER)
            done = True
        self.leave()
        if status != STATUS_OK:
            raise_status(status)
        return done

    cdef int64_t expiry(self, object name, bint relative) except -3:
        """In ms; -1: never, -2: no such key."""
        cdef Text key
        cdef Value v
        cdef int64_t at = -2
        name = text_of(name, &key)
        self.enter()
        if self.find(&key, self.hash(&key), FIND_PEEK, &v):
            at = v.expire_ms
            if relative and at >= 0:
                at -= self.ks.now_ms
        self.leave()
        return at

    def ttl(self, name):
        """Seconds the key has left, rounded; -1: it never expires, -2: there is none."""
        cdef int64_t left = self.expiry(name, True)
        return (left + 500) // 1000 if left >= 0 else left

    def pttl(self, name):
        """Milliseconds the key has left; -1: it never expires, -2: there is none."""
        return self.expiry(name, True)

    def expiretime(self, key):
        """When the key expires, in seconds since the epoch; -1: never, -2: there is none."""
        cdef int64_t at = self.expiry(key, False)
        return (at + 500) // 1000 if at >= 0 else at

    def pexpiretime(self, key):
        """When the key expires, in milliseconds since the epoch; -1: never, -2: there is none."""
        return self.expiry(key, False)

    # ---- whole databases

    cdef bint change_key(self, object source, object destination, int to_db, bint replace, bint move) except -1:
        """RENAME and COPY. False: the destination is there."""
        cdef Text key, to
        cdef Value v, other
        cdef Status status = STATUS_OK
        source = text_of(source, &key)
        destination = text_of(destination, &to)
        self.enter_to_write()
        try:
            keyspace_tick(self.ks)
            if not keyspace_find(self.ks, self.database, key.data, key.size, self.hash(&key), FIND_WRITE, &v):
                if move:
                    raise ResponseError("ERR no such key")
                return False
            if not self.room(to.size + v.size):
                raise_status(STATUS_FULL)
            if not keyspace_find(self.ks, self.database, key.data, key.size, self.hash(&key), FIND_WRITE, &v):
                raise_status(STATUS_FULL)
            if to_db == self.database and key.size == to.size and memcmp(key.data, to.data, to.size) == 0:
                if not move:
                    raise ResponseError("ERR source and destination objects are the same")
                return replace
            if not replace and keyspace_find(self.ks, to_db, to.data, to.size, self.hash(&to), FIND_PEEK, &other):
                return False
            status = keyspace_copy(self.ks, &v, key.data, key.size, to_db, to.data, to.size, move)
            self.housekeep()
        finally:
            self.leave()
        if status != STATUS_OK:
            raise_status(status)
        return True

    def rename(self, src, dst):
        """Gives the key another name; what had it is replaced."""
        self.change_key(src, dst, self.database, True, True)
        return True

    def renamenx(self, src, dst):
        """Gives the key another name unless that is taken; whether it did."""
        return self.change_key(src, dst, self.database, False, True)

    def copy(self, source, destination, destination_db=None, bint replace=False):
        """Copies value and TTL; whether it did."""
        cdef int to_db = self.database if destination_db is None else destination_db
        if not 0 <= to_db < self.ks.databases:
            raise ResponseError("ERR DB index is out of range")
        return self.change_key(source, destination, to_db, replace, False)

    def randomkey(self):
        """Any key, or None."""
        cdef Record r
        cdef object result = None
        self.enter()
        keyspace_tick(self.ks)
        if keyspace_random(self.ks, self.database, &r):
            result = PyBytes_FromStringAndSize(<const char*>keyspace_record_key(self.ks, &r), <Py_ssize_t>r.key_bytes)
        self.leave()
        return result

    def dbsize(self):
        """Keys in the database. O(1)."""
        cdef uint64_t n
        self.enter()
        n = keyspace_size(self.ks, self.database)
        self.leave()
        return n

    def flushdb(self, bint asynchronous=False):
        """Deletes all keys of the database: O(1) now, their memory in slices with the writes that follow."""
        self.enter_to_write()
        if self.engine is not None:
            transactions_flushing(self.engine.dispatch, self.database, -1)
        keyspace_flush(self.ks, self.database)
        self.leave()
        return True

    def flushall(self, bint asynchronous=False):
        """Deletes all keys of all databases: O(1) now, their memory in slices with the writes that follow."""
        self.enter_to_write()
        if self.engine is not None:
            transactions_flushing(self.engine.dispatch, -1, -1)
        keyspace_flush_all(self.ks)
        self.leave()
        return True

    def swapdb(self, int first, int second):
        """Lets two databases change places. O(1)."""
        self.enter_to_write()
        if not (0 <= first < self.ks.databases and 0 <= second < self.ks.databases):
            self.leave()
            raise ResponseError("ERR DB index is out of range")
        if self.engine is not None:
            transactions_flushing(self.engine.dispatch, first, second)
        keyspace_swap(self.ks, first, second)
        self.leave()
        return True

    def scan_step(self, uint64_t cursor, int64_t count=10):
        """The next cursor (0: the end) and the keys of at least one bucket, of more until there are `count`."""
        cdef list keys = []
        self.enter()
        keyspace_tick(self.ks)
        self.collected = keys
        while True:
            cursor = keyspace_scan(self.ks, self.database, cursor, True, collect, <void*>self)
            if cursor == 0 or len(keys) >= count:
                break
        self.collected = None
        self.leave()
        return cursor, keys


cdef void collect(void* context, const Record* r) noexcept with gil:
    cdef StoreKeys store = <StoreKeys>context
    # Only bytes are made here: an object that the collector tracks could run other code in the middle of the walk.
    store.collected.append(PyBytes_FromStringAndSize(
        <const char*>keyspace_record_key(store.ks, r), <Py_ssize_t>r.key_bytes))
