"""The hot half of the embedded API: straight on the keyspace, without RESP and without dispatch."""
cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_CheckExact, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.unicode cimport PyUnicode_CheckExact
from libc.stdint cimport INT64_MAX, INT64_MIN, int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memcmp, memcpy
from gapless.engine.base cimport STATUS_FULL, STATUS_OK, STATUS_TOO_LARGE, Status, likely, parse_int64, unlikely
from gapless.engine.engine cimport Engine
from gapless.engine.index cimport BUCKET_BYTES
from gapless.engine.keyspace cimport (
    EXPIRE_KEEP, EXPIRE_NEVER, FIND_COUNT, FIND_PEEK, FIND_READ, FIND_WRITE, Keyspace, Value, keyspace_background,
    keyspace_check, keyspace_committed, keyspace_copy, keyspace_create, keyspace_delete, keyspace_delete_found,
    keyspace_expire, keyspace_find, keyspace_flush, keyspace_flush_all, keyspace_free, keyspace_hash,
    keyspace_make_room, keyspace_new, keyspace_prefetch_bucket, keyspace_prefetch_record, keyspace_random,
    keyspace_record_key, keyspace_resize, keyspace_scan, keyspace_set, keyspace_set_policy, keyspace_size, keyspace_swap,
    keyspace_tick, keyspace_touched,
)
from gapless.engine.lock cimport lock_leave, lock_try, lock_wait
from gapless.engine.log cimport Segment
from gapless.engine.record cimport (
    RECORD_DB_MASK, RECORD_KEY_IN_EXTENT, RECORD_RAW, RECORD_TEXT, RECORD_TTL, RECORD_WIDE_TTL, TYPE_STRING, Record, record_head_bytes,
)
from gapless.engine.reply cimport format_int64

from gapless.errors import ClosedError, OutOfMemoryError, ResponseError

cdef extern from "Python.h":
    const char* PyUnicode_AsUTF8AndSize(object text, Py_ssize_t* size) except NULL


cdef enum:
    BACKGROUND_BYTES = 64 << 10     # appended between two slices of background work
    BACKGROUND_NS = 200000
    CREDIT_BYTES = 4096             # made room for ahead, so that not every small write asks about maxmemory
    RECORD_OVERHEAD = 64            # header and index slot, generously
    UNITS_SPARE = 4
    BATCH = 16
    CONDITION_NX = 1
    CONDITION_XX = 2
    CONDITION_GT = 4
    CONDITION_LT = 8

cdef int64_t MILLISECONDS_MAX = <int64_t>1 << 62
cdef uint64_t VALUE_BYTES_MAX = 512 << 20


cdef struct Text:
    const uint8_t* data
    size_t size


cdef object as_bytes(object value):
    """What redis-py sends for it."""
    if isinstance(value, (bytes, bytearray, memoryview)):
        return bytes(value)
    if isinstance(value, str):
        return value.encode()
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError(f"expected bytes, str, int or float, not {type(value).__name__}")
    return repr(value).encode()


cdef inline object text_of(object value, Text* out):
    """Where the bytes of a key or value lie, and the object that keeps them alive."""
    cdef Py_ssize_t size
    if likely(PyBytes_CheckExact(value)):
        pass
    elif PyUnicode_CheckExact(value):
        out.data = <const uint8_t*>PyUnicode_AsUTF8AndSize(value, &size)
        out.size = <size_t>size
        return value
    else:
        value = as_bytes(value)
    out.data = <const uint8_t*>PyBytes_AS_STRING(value)
    out.size = <size_t>PyBytes_GET_SIZE(value)
    return value


cdef int raise_status(Status status) except -1:
    if status == STATUS_FULL:
        raise OutOfMemoryError("OOM command not allowed when used memory > 'maxmemory'.")
    if status == STATUS_TOO_LARGE:
        raise ResponseError("ERR string exceeds maximum allowed size (proto-max-bulk-len)")
    raise ResponseError("ERR no such key")


cdef int raise_wrong_type() except -1:
    raise ResponseError("WRONGTYPE Operation against a key holding the wrong kind of value")


cdef int raise_expire_time(const char* command) except -1:
    raise ResponseError(f"ERR invalid expire time in '{command.decode()}' command")


cdef int64_t milliseconds(object amount, int64_t unit, const char* command) except? -1:
    """A duration or a point in time in ms; unit is that of a plain number: 1 or 1000."""
    cdef int64_t n
    if isinstance(amount, int):
        if not -MILLISECONDS_MAX // unit < amount < MILLISECONDS_MAX // unit:
            raise_expire_time(command)
        n = amount
        return n * unit
    if hasattr(amount, "total_seconds"):
        return <int64_t>round(amount.total_seconds() * 1000)
    if hasattr(amount, "timestamp"):
        return <int64_t>round(amount.timestamp() * 1000)
    raise TypeError(f"expected an int, a timedelta or a datetime, not {type(amount).__name__}")


cdef int64_t positive_ms(object amount, int64_t unit, const char* command) except? -1:
    cdef int64_t n = milliseconds(amount, unit, command)
    if unlikely(n <= 0):
        raise_expire_time(command)
    return n


cdef inline int64_t later(int64_t now_ms, int64_t left_ms) noexcept:
    return now_ms + left_ms


cdef class StoreCore:
    """The keys and values of one database. All arguments may be bytes or str; what comes back is bytes.

    A call costs one look-up in the index for each key, unless it says otherwise. Errors: `OutOfMemoryError`,
    `ResponseError`, `ClosedError`; `TypeError` for what is neither bytes, str nor a number.
    """
    cdef Keyspace* ks
    cdef int database
    cdef Engine engine             # None: the keyspace is the store's own
    cdef bint owns                 # the keyspace
    cdef bint closed
    cdef uint64_t background_at    # log.bytes_appended at the last slice of background work
    cdef uint64_t credit_until     # log.bytes_appended up to which room has been made
    cdef list collected

    def __cinit__(self, *args, **kwargs):
        self.ks = NULL
        self.closed = True

    def __init__(self, Engine engine=None, *, uint32_t segment_bytes=1 << 20, uint64_t address_bytes=<uint64_t>1 << 40, int databases=16,
                 uint64_t seed=1):
        if not 1 <= databases <= 16:
            raise ValueError("databases must be from 1 to 16")
        if self.ks != NULL:
            raise RuntimeError("the store is open already")
        self.engine = engine
        self.ks = engine.keys if engine is not None else keyspace_new(segment_bytes, address_bytes, databases, seed)
        if self.ks == NULL:
            raise MemoryError("the system refuses to reserve the addresses")
        self.owns = engine is None
        self.closed = False

    def __dealloc__(self):
        if self.owns:
            keyspace_free(self.ks)

    # ---- one at a time

    @cython.final
    cdef inline int enter(self) except -1:
        """REQUIRED before any use of the keyspace, whose lock is the engine's, or the GIL when there is none."""
        if unlikely(self.closed):
            raise ClosedError("the store is closed")
        if self.engine is not None and unlikely(not lock_try(&self.engine.lock)):
            with nogil:
                lock_wait(&self.engine.lock)
        return 0

    @cython.final
    cdef inline void leave(self) noexcept:
        if self.engine is not None:
            lock_leave(&self.engine.lock)

    @cython.final
    cdef inline bint find(self, const Text* key, uint64_t hash, int how, Value* v) noexcept:
        """keyspace_find() at the present time: the clock is read only for a key that can expire."""
        if not keyspace_find(self.ks, self.database, key.data, key.size, hash, how, v):
            return False
        if v.expire_ms < 0:
            return True
        keyspace_tick(self.ks)
        if likely(v.expire_ms > self.ks.now_ms):
            return True
        if how == FIND_READ or how == FIND_COUNT:
            self.ks.stats.hits -= 1
        return keyspace_find(self.ks, self.database, key.data, key.size, hash, how, v)

    @cython.final
    cdef inline uint64_t hash(self, const Text* key) noexcept:
        return keyspace_hash(self.ks, key.data, key.size)

    @cython.final
    cdef inline void housekeep(self) noexcept:
        """After every write. May move records."""
        if unlikely(self.ks.log.bytes_appended - self.background_at >= BACKGROUND_BYTES):
            self.background_slice()

    @cython.final
    cdef void background_slice(self) noexcept:
        keyspace_tick(self.ks)
        keyspace_background(self.ks, BACKGROUND_NS, False)
        self.background_at = self.ks.log.bytes_appended

    @cython.final
    cdef inline bint room(self, uint64_t n) noexcept:
        """Before every write that may take n bytes more. May move records. False: there is no room."""
        cdef uint64_t free_units
        if likely(self.ks.maxmemory == 0):
            free_units = self.ks.arena.free_count + (self.ks.arena.units - self.ks.arena.high_water)
            if likely(free_units > self.ks.log.reserve + UNITS_SPARE + (n >> self.ks.arena.unit_shift)):
                return True
        elif self.ks.log.bytes_appended + n + RECORD_OVERHEAD <= self.credit_until:
            return True
        return self.make_room(n + RECORD_OVERHEAD)

    @cython.final
    cdef bint make_room(self, uint64_t n) noexcept:
        keyspace_tick(self.ks)
        self.credit_until = 0
        if n <= CREDIT_BYTES and keyspace_make_room(self.ks, CREDIT_BYTES):
            self.credit_until = self.ks.log.bytes_appended + CREDIT_BYTES
            return True
        return keyspace_make_room(self.ks, n)

    @cython.final
    cdef inline Status put(self, const Text* key, uint64_t hash, const Text* value, int64_t expire_ms) noexcept:
        cdef Status status
        if unlikely(not self.room(key.size + value.size)):
            return STATUS_FULL
        status = keyspace_set(self.ks, self.database, key.data, key.size, hash, TYPE_STRING, value.data, value.size,
                              expire_ms)
        self.housekeep()
        return status

    @cython.final
    cdef int put_in(self, object name, object value, object duration, int64_t unit, const char* command) except -1:
        """Sets a key that lives for a duration."""
        cdef Text key, data
        cdef Status status
        cdef int64_t left = positive_ms(duration, unit, command)
        name = text_of(name, &key)
        value = text_of(value, &data)
        self.enter()
        keyspace_tick(self.ks)
        status = self.put(&key, self.hash(&key), &data, later(self.ks.now_ms, left))
        self.leave()
        if unlikely(status != STATUS_OK):
            raise_status(status)
        return 0

    # ---- reading and writing

    def get(self, name, default=None):
        """The value, or `default`."""
        cdef Text key
        cdef Value v
        cdef object result = default
        name = text_of(name, &key)
        self.enter()
        try:
            if self.find(&key, self.hash(&key), FIND_READ, &v):
                if unlikely(v.type != TYPE_STRING):
                    raise_wrong_type()
                result = PyBytes_FromStringAndSize(<const char*>v.data, <Py_ssize_t>v.size)
        finally:
            self.leave()
        return result

    def __getitem__(self, name):
        cdef object value = StoreCore.get(self, name)
        if value is None:
            raise KeyError(name)
        return value

    def __setitem__(self, name, value):
        cdef Text key, data
        cdef Status status
        name = text_of(name, &key)
        value = text_of(value, &data)
        self.enter()
        status = self.put(&key, self.hash(&key), &data, EXPIRE_NEVER)
        self.leave()
        if unlikely(status != STATUS_OK):
            raise_status(status)

    def __delitem__(self, name):
        if not self.remove(name):
            raise KeyError(name)

    def __contains__(self, name):
        return self.there(name)

    def __len__(self):
        """Keys in the database, those included whose time has come but that were not looked at since. O(1)."""
        cdef uint64_t n
        self.enter()
        n = keyspace_size(self.ks, self.database)
        self.leave()
        return n

    def set(self, name, value, ex=None, px=None, bint nx=False, bint xx=False, bint keepttl=False, bint get=False,
            exat=None, pxat=None):
        """True, or None when `nx` or `xx` forbade it; with `get` the old value instead."""
        cdef Text key, data
        cdef Status status
        if ex is None and px is None and not (nx or xx or keepttl or get) and exat is None and pxat is None:
            name = text_of(name, &key)
            value = text_of(value, &data)
            self.enter()
            status = self.put(&key, self.hash(&key), &data, EXPIRE_NEVER)
            self.leave()
            if unlikely(status != STATUS_OK):
                raise_status(status)
            return True
        if px is None and not (nx or xx or keepttl or get) and exat is None and pxat is None:
            self.put_in(name, value, ex, 1000, b"set")
            return True
        return self.set_with(name, value, (ex, px, exat, pxat), nx, xx, keepttl, get)

    @cython.final
    cdef object set_with(self, object name, object value, tuple times, bint nx, bint xx, bint keepttl, bint get):
        """SET with all its options."""
        cdef Text key, data
        cdef Value v
        cdef Status status = STATUS_OK
        cdef uint64_t hash
        cdef int64_t expire_ms = EXPIRE_KEEP if keepttl else EXPIRE_NEVER
        cdef bint there, relative = True
        cdef object old = None
        if (nx and xx) or (keepttl + sum([time is not None for time in times]) > 1):
            raise ResponseError("ERR syntax error")
        for i, time in enumerate(times):
            if time is not None:
                expire_ms = positive_ms(time, 1000 if i % 2 == 0 else 1, b"set")
                relative = i < 2
        name = text_of(name, &key)
        value = text_of(value, &data)
        self.enter()
        try:
            keyspace_tick(self.ks)
            if expire_ms > 0 and relative:
                expire_ms = later(self.ks.now_ms, expire_ms)
            if not self.room(key.size + data.size):
                raise_status(STATUS_FULL)
            hash = self.hash(&key)
            there = keyspace_find(self.ks, self.database, key.data, key.size, hash, FIND_READ if get else FIND_WRITE, &v)
            if get and there:
                if v.type != TYPE_STRING:
                    raise_wrong_type()
                old = PyBytes_FromStringAndSize(<const char*>v.data, <Py_ssize_t>v.size)
            if (there and nx) or (not there and xx):
                return old
            if expire_ms >= 0 and expire_ms <= self.ks.now_ms:
                if there:
                    keyspace_delete_found(self.ks, &v, key.data, key.size)
            else:
                status = self.put(&key, hash, &data, expire_ms)
        finally:
            self.leave()
        if status != STATUS_OK:
            raise_status(status)
        return old if get else True

    def setex(self, name, time, value):
        """Sets the key for `time` seconds."""
        self.put_in(name, value, time, 1000, b"setex")
        return True

    def psetex(self, name, time_ms, value):
        """Sets the key for `time_ms` milliseconds."""
        self.put_in(name, value, time_ms, 1, b"psetex")
        return True

    def setnx(self, name, value):
        """Sets the key unless it is there; whether it did."""
        return self.set_with(name, value, (None, None, None, None), True, False, False, False) is True

    def append(self, key, value):
        """Adds to the end of the value; its new length. Costs what is added."""
        cdef Text text, data
        cdef Value v
        cdef Status status
        cdef uint64_t hash, size = 0
        key = text_of(key, &text)
        value = text_of(value, &data)
        self.enter()
        try:
            if not self.room(text.size + data.size):
                raise_status(STATUS_FULL)
            hash = self.hash(&text)
            if self.find(&text, hash, FIND_WRITE, &v):
                if v.type != TYPE_STRING:
                    raise_wrong_type()
                size = v.size
                status = keyspace_resize(self.ks, &v, text.data, text.size, size + data.size)
                if status == STATUS_OK:
                    memcpy(v.data + size, data.data, data.size)
                    keyspace_touched(self.ks, &v, text.data, text.size)
                self.housekeep()
            else:
                status = self.put(&text, hash, &data, EXPIRE_NEVER)
        finally:
            self.leave()
        if status != STATUS_OK:
            raise_status(status)
        return size + data.size

    def setrange(self, name, int64_t offset, value):
        """Overwrites the value from `offset` on, zeros before it where nothing was; its new length."""
        cdef Text key, data
        cdef Value v
        cdef Status status = STATUS_OK
        cdef uint64_t hash, size = 0, end
        if offset < 0:
            raise ResponseError("ERR offset is out of range")
        name = text_of(name, &key)
        value = text_of(value, &data)
        end = <uint64_t>offset + data.size
        self.enter()
        try:
            if data.size and end <= VALUE_BYTES_MAX and not self.room(key.size + end):
                raise_status(STATUS_FULL)
            hash = self.hash(&key)
            if self.find(&key, hash, FIND_WRITE, &v):
                if v.type != TYPE_STRING:
                    raise_wrong_type()
                size = v.size
                if data.size:
                    status = keyspace_resize(self.ks, &v, key.data, key.size, max(size, end))
            elif data.size:
                status = keyspace_create(self.ks, self.database, key.data, key.size, hash, TYPE_STRING | RECORD_RAW, end,
                                         EXPIRE_NEVER, &v)
            if data.size and status == STATUS_OK:
                memcpy(v.data + offset, data.data, data.size)
                keyspace_touched(self.ks, &v, key.data, key.size)
                size = max(size, end)
            self.housekeep()
        finally:
            self.leave()
        if status != STATUS_OK:
            raise_status(status)
        return size

    @cython.final
    cdef object add(self, object name, object amount, bint negate):
        cdef Text key, data
        cdef Value v
        cdef Status status
        cdef uint64_t hash
        cdef int64_t old = 0, by
        cdef char[24] digits
        by = amount
        name = text_of(name, &key)
        self.enter()
        try:
            if not self.room(key.size + sizeof(digits)):
                raise_status(STATUS_FULL)
            hash = self.hash(&key)
            data.data = <const uint8_t*>digits
            if self.find(&key, hash, FIND_WRITE, &v):
                if v.type != TYPE_STRING:
                    raise_wrong_type()
                if not parse_int64(v.data, v.size, &old):
                    raise ResponseError("ERR value is not an integer or out of range")
            if by == INT64_MIN and negate:
                raise ResponseError("ERR decrement would overflow")
            if negate:
                by = -by
            if (by < 0 and old < INT64_MIN - by) or (by > 0 and old > INT64_MAX - by):
                raise ResponseError("ERR increment or decrement would overflow")
            data.size = <size_t>format_int64(digits, old + by)
            status = self.put(&key, hash, &data, EXPIRE_KEEP)
        finally:
            self.leave()
        if status != STATUS_OK:
            raise_status(status)
        return old + by

    def incr(self, name, amount=1):
        """Adds to the number that the value is (0 when missing); the sum."""
        return self.add(name, amount, False)

    def incrby(self, name, amount=1):
        """Adds to the number that the value is (0 when missing); the sum."""
        return self.add(name, amount, False)

    def decr(self, name, amount=1):
        """Subtracts from the number that the value is (0 when missing); the difference."""
        return self.add(name, amount, True)

    def decrby(self, name, amount=1):
        """Subtracts from the number that the value is (0 when missing); the difference."""
        return self.add(name, amount, True)

    def strlen(self, name):
        """The value's length in bytes; 0 when missing."""
        cdef Text key
        cdef Value v
        cdef uint64_t size = 0
        name = text_of(name, &key)
        self.enter()
        if self.find(&key, self.hash(&key), FIND_READ, &v):
            size = v.size
        self.leave()
        return size

    # ---- several keys

    def mget(self, keys, *args):
        """The values of keys, None where missing. The memory of up to 16 keys is fetched at a time."""
        cdef Text[BATCH] texts
        cdef uint64_t[BATCH] hashes
        cdef Value v
        cdef list names, held, results = []
        cdef Py_ssize_t at = 0, n, i
        names = [keys] if isinstance(keys, (bytes, str)) else list(keys)
        names.extend(args)
        held = [None] * BATCH
        self.enter()
        try:
            while at < len(names):
                n = min(BATCH, len(names) - at)
                for i in range(n):
                    held[i] = text_of(names[at + i], &texts[i])
                    hashes[i] = self.hash(&texts[i])
                    keyspace_prefetch_bucket(self.ks, self.database, hashes[i])
                for i in range(n):
                    keyspace_prefetch_record(self.ks, self.database, hashes[i])
                for i in range(n):
                    if self.find(&texts[i], hashes[i], FIND_READ, &v) and v.type == TYPE_STRING:
                        results.append(PyBytes_FromStringAndSize(<const char*>v.data, <Py_ssize_t>v.size))
                    else:
                        results.append(None)
                at += n
        finally:
            self.leave()
        return results

    def mset(self, mapping):
        """Sets all keys of a mapping."""
        for name, value in mapping.items():
            StoreCore.__setitem__(self, name, value)
        return True

    @cython.final
    cdef bint remove(self, object name) except -1:
        cdef Text key
        cdef bint gone
        name = text_of(name, &key)
        self.enter()
        keyspace_tick(self.ks)
        gone = keyspace_delete(self.ks, self.database, key.data, key.size, self.hash(&key))
        self.leave()
        return gone

    @cython.final
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
        for name in names:
            n += self.remove(name)
        return n

    def unlink(self, *names):
        """The same as `delete`."""
        cdef Py_ssize_t n = 0
        for name in names:
            n += self.remove(name)
        return n

    def exists(self, *names):
        """How many of the keys are there; one given twice counts twice."""
        cdef Py_ssize_t n = 0
        for name in names:
            n += self.there(name)
        return n

    # ---- time to live

    @cython.final
    cdef object expire_at(self, object name, object when, int64_t unit, bint relative, int how, const char* command):
        """how: bits of Condition."""
        cdef Text key
        cdef Value v
        cdef Status status = STATUS_OK
        cdef int64_t at = milliseconds(when, unit, command)
        cdef bint done = False
        if (how & CONDITION_NX and how != CONDITION_NX):
            raise ResponseError("ERR NX and XX, GT or LT options at the same time are not compatible")
        if how & CONDITION_GT and how & CONDITION_LT:
            raise ResponseError("ERR GT and LT options at the same time are not compatible")
        name = text_of(name, &key)
        self.enter()
        try:
            keyspace_tick(self.ks)
            if relative:
                at = later(self.ks.now_ms, at)
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
        self.enter()
        keyspace_tick(self.ks)
        self.room(key.size)
        if keyspace_find(self.ks, self.database, key.data, key.size, self.hash(&key), FIND_WRITE, &v) and v.expire_ms >= 0:
            status = keyspace_expire(self.ks, &v, key.data, key.size, EXPIRE_NEVER)
            done = True
        self.leave()
        if status != STATUS_OK:
            raise_status(status)
        return done

    @cython.final
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

    @cython.final
    cdef bint change_key(self, object source, object destination, int to_db, bint replace, bint move) except -1:
        """RENAME and COPY. False: the destination is there."""
        cdef Text key, to
        cdef Value v, other
        cdef Status status = STATUS_OK
        source = text_of(source, &key)
        destination = text_of(destination, &to)
        self.enter()
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
        return StoreCore.__len__(self)

    def flushdb(self, bint asynchronous=False):
        """Deletes all keys of the database: O(1) now, their memory in slices with the writes that follow."""
        self.enter()
        keyspace_flush(self.ks, self.database)
        self.leave()
        return True

    def flushall(self, bint asynchronous=False):
        """Deletes all keys of all databases: O(1) now, their memory in slices with the writes that follow."""
        self.enter()
        keyspace_flush_all(self.ks)
        self.leave()
        return True

    def swapdb(self, int first, int second):
        """Lets two databases change places. O(1)."""
        self.enter()
        if not (0 <= first < self.ks.databases and 0 <= second < self.ks.databases):
            self.leave()
            raise ResponseError("ERR DB index is out of range")
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

    def exclusively(self, action):
        """Calls `action`; no other thread uses the store meanwhile. What it returns."""
        self.enter()
        try:
            return action()
        finally:
            self.leave()

    def close(self):
        """Ends the use of the store; every call after it raises ClosedError. Its memory goes with its last reference."""
        self.closed = True

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


cdef void collect(void* context, const Record* r) noexcept with gil:
    cdef StoreCore store = <StoreCore>context
    # Only bytes are made here: an object that the collector tracks could run other code in the middle of the walk.
    store.collected.append(PyBytes_FromStringAndSize(
        <const char*>keyspace_record_key(store.ks, r), <Py_ssize_t>r.key_bytes))


def layout():
    """Bytes of the structs whose size is a promise, and the bits of a record's second byte, by name. For tests."""
    return {"segment": sizeof(Segment), "bucket": BUCKET_BYTES,
            "record_16_64": record_head_bytes(TYPE_STRING, 0, 16, 64) + 16 + 64,
            "record_16_64_ttl": record_head_bytes(TYPE_STRING | RECORD_TTL, 0, 16, 64) + 16 + 64,
            "mark_database": RECORD_DB_MASK, "mark_wide_ttl": RECORD_WIDE_TTL, "mark_key_in_extent": RECORD_KEY_IN_EXTENT,
            "mark_raw": RECORD_RAW, "mark_text": RECORD_TEXT}
