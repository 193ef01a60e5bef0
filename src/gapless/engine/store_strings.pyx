"""Strings: the mapping, and redis-py's methods on values. See store_strings.pxd."""
from cpython.bytes cimport PyBytes_FromStringAndSize
from libc.stdint cimport INT64_MAX, INT64_MIN, int64_t, uint8_t, uint64_t
from libc.string cimport memcpy
from gapless.engine.base cimport STATUS_FULL, STATUS_OK, Status, parse_int64, unlikely
from gapless.engine.keyspace cimport (
    EXPIRE_KEEP, EXPIRE_NEVER, FIND_READ, FIND_WRITE, Value, keyspace_create, keyspace_delete_found, keyspace_find,
    keyspace_prefetch_bucket, keyspace_prefetch_record, keyspace_resize, keyspace_tick, keyspace_touched_at)
from gapless.engine.record cimport RECORD_RAW, TYPE_STRING
from gapless.engine.reply cimport format_int64
from gapless.engine.store_access cimport RECORD_OVERHEAD, Text, positive_ms, raise_status, raise_wrong_type, text_of
from gapless.engine.store_keys cimport StoreKeys

from gapless.errors import ResponseError

cdef enum:
    BATCH = 16

cdef uint64_t VALUE_BYTES_MAX = 512 << 20


cdef class StoreStrings(StoreKeys):
    """The keys and the strings of one database."""

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
        cdef object value = StoreStrings.get(self, name)
        if value is None:
            raise KeyError(name)
        return value

    def __setitem__(self, name, value):
        cdef Text key, data
        cdef Status status
        name = text_of(name, &key)
        value = text_of(value, &data)
        self.enter_to_write()
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
        return self.dbsize()

    cdef int put_in(self, object name, object value, object duration, int64_t unit, const char* command) except -1:
        """Sets a key that lives for a duration."""
        cdef Text key, data
        cdef Status status
        cdef uint64_t hash
        cdef int64_t left = positive_ms(duration, unit, True, command)
        name = text_of(name, &key)
        value = text_of(value, &data)
        self.enter_to_write()
        hash = self.hash(&key)
        # The bucket comes while the clock is read.
        keyspace_prefetch_bucket(self.ks, self.database, hash)
        keyspace_tick(self.ks)
        status = self.put(&key, hash, &data, self.ks.now_ms + left)
        self.leave()
        if unlikely(status != STATUS_OK):
            raise_status(status)
        return 0

    def set(self, name, value=..., ex=None, px=None, bint nx=False, bint xx=False, bint keepttl=False, bint get=False,
            exat=None, pxat=None):
        """True, or None when `nx` or `xx` forbade it; with `get` the old value instead. With a name alone: the set under it, as a view."""
        cdef Text key, data
        cdef Status status
        if value is ...:
            return self.view_of_set(name)
        if ex is None and px is None and not (nx or xx or keepttl or get) and exat is None and pxat is None:
            name = text_of(name, &key)
            value = text_of(value, &data)
            self.enter_to_write()
            status = self.put(&key, self.hash(&key), &data, EXPIRE_NEVER)
            self.leave()
            if unlikely(status != STATUS_OK):
                raise_status(status)
            return True
        if px is None and not (nx or xx or keepttl or get) and exat is None and pxat is None:
            self.put_in(name, value, ex, 1000, b"set")
            return True
        return self.set_with(name, value, (ex, px, exat, pxat), nx, xx, keepttl, get)

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
                relative = i < 2
                expire_ms = positive_ms(time, 1000 if i % 2 == 0 else 1, relative, b"set")
        name = text_of(name, &key)
        value = text_of(value, &data)
        self.enter_to_write()
        try:
            keyspace_tick(self.ks)
            if expire_ms > 0 and relative:
                expire_ms = self.ks.now_ms + expire_ms
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
        self.enter_to_write()
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
                    keyspace_touched_at(self.ks, &v, text.data, text.size, size, size, data.size)
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
        self.enter_to_write()
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
                keyspace_touched_at(self.ks, &v, key.data, key.size, size, <uint64_t>offset, data.size)
                size = max(size, end)
            self.housekeep()
        finally:
            self.leave()
        if status != STATUS_OK:
            raise_status(status)
        return size

    cdef object add(self, object name, object amount, bint negate):
        cdef Text key, data
        cdef Value v
        cdef Status status
        cdef uint64_t hash
        cdef int64_t old = 0, by
        cdef char[24] digits
        if not isinstance(amount, int):
            raise TypeError(f"the amount must be an int, not {type(amount).__name__}: {amount!r}; see incrbyfloat() for floats")
        if not INT64_MIN <= amount <= INT64_MAX:
            raise ResponseError("ERR value is not an integer or out of range")
        by = amount
        name = text_of(name, &key)
        self.enter_to_write()
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
        """Sets all keys of a mapping, or none: a key or value of the wrong type (TypeError), or memory that is too full for them all
        (OutOfMemoryError), changes nothing."""
        cdef Text text
        cdef list pairs = []
        cdef uint64_t room = 0
        for name, value in mapping.items():
            name = text_of(name, &text)
            value = text_of(value, &text)
            # A large value takes whole pages.
            room += len(name) + len(value) + (len(value) >> 5) + RECORD_OVERHEAD
            pairs.append((name, value))
        self.enter_to_write()
        try:
            if not self.room(room):
                raise_status(STATUS_FULL)
            for name, value in pairs:
                StoreStrings.__setitem__(self, name, value)
        finally:
            self.leave()
        return True
