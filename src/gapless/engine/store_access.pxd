"""The embedded API's way to the keyspace, without RESP and without dispatch: keys and values from Python's objects, the lock, room for
what is written. What runs for every get and set is inline here.
"""
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_CheckExact, PyBytes_GET_SIZE
from cpython.unicode cimport PyUnicode_CheckExact
from libc.stdint cimport int64_t, uint8_t, uint64_t
from gapless.engine.base cimport STATUS_FULL, Status, clock_coarse_ms, likely, unlikely
from gapless.engine.call cimport Arg as Text
from gapless.engine.engine cimport Engine
from gapless.engine.keyspace cimport (
    FIND_COUNT, FIND_READ, Keyspace, Value, keyspace_find, keyspace_hash, keyspace_set, keyspace_tick)
from gapless.engine.lock cimport lock_enter
from gapless.engine.record cimport TYPE_STRING


cdef extern from "Python.h":
    const char* PyUnicode_AsUTF8AndSize(object text, Py_ssize_t* size) except NULL


cdef enum:
    BACKGROUND_BYTES = 64 << 10     # appended between two slices of background work
    RECORD_OVERHEAD = 64            # header and index slot, generously
    COARSE_LAG_MS = 1000            # more than the coarse clock is ever behind
    UNITS_SPARE = 4


cdef enum Closed:
    CLOSED_NOT = 0
    CLOSED_BY_OWNER = 1
    CLOSED_BY_FORK = 2              # this process has but a copy


# What redis-py sends for it.
cdef object as_bytes(object value)
# The exception for an error reply, without the '-' before it.
cdef object error_of(str message)
cdef int raise_closed(int why) except -1
cdef int raise_status(Status status) except -1
cdef int raise_wrong_type() except -1
# A duration (relative: int or timedelta) or a point in time (int or datetime) in ms; unit is that of a plain number: 1 or 1000.
cdef int64_t milliseconds(object amount, int64_t unit, bint relative, const char* command) except? -1
cdef int64_t positive_ms(object amount, int64_t unit, bint relative, const char* command) except? -1


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


cdef class StoreAccess:
    cdef Keyspace* ks
    cdef int database
    cdef Engine engine             # None: the keyspace is the store's own
    cdef bint owns                 # the keyspace
    cdef int closed                # Closed
    cdef uint64_t background_at    # log.bytes_appended at the last slice of background work
    cdef uint64_t credit_until     # log.bytes_appended up to which room has been made
    cdef list collected

    # Leaves, and raises why nothing may be written.
    cdef int refuse(self) except -1
    cdef void background_slice(self) noexcept
    cdef bint make_room(self, uint64_t n) noexcept

    cdef inline int enter(self) except -1:
        """REQUIRED before any use of the keyspace, whose lock is the engine's, or the GIL when there is none."""
        if self.engine is not None:
            lock_enter(&self.engine.lock)
        if unlikely(self.closed):
            self.leave()
            raise_closed(self.closed)
        return 0

    cdef inline int leave(self) except -1:
        """JournalError when what was done since enter() may not last."""
        if self.engine is not None:
            self.engine.leave()
        return 0

    cdef inline int enter_to_write(self) except -1:
        """enter() for a change. JournalError while the journal can't take it, ReadOnlyError."""
        self.enter()
        if self.engine is not None and unlikely(self.engine.dispatch.writes_refused != NULL):
            self.refuse()
        return 0

    cdef inline bint find(self, const Text* key, uint64_t hash, int how, Value* v) noexcept:
        """keyspace_find() at the present time: the clock is read only for a key whose time may have come."""
        if not keyspace_find(self.ks, self.database, key.data, key.size, hash, how, v):
            return False
        if v.expire_ms < 0 or (v.expire_ms > clock_coarse_ms() + COARSE_LAG_MS and self.ks.clock_override_ms == 0):
            return True
        keyspace_tick(self.ks)
        if likely(v.expire_ms > self.ks.now_ms):
            return True
        if how == FIND_READ or how == FIND_COUNT:
            self.ks.stats.hits -= 1
        return keyspace_find(self.ks, self.database, key.data, key.size, hash, how, v)

    cdef inline uint64_t hash(self, const Text* key) noexcept:
        return keyspace_hash(self.ks, key.data, key.size)

    cdef inline void housekeep(self) noexcept:
        """After every write. May move records."""
        if unlikely(self.ks.log.bytes_appended - self.background_at >= BACKGROUND_BYTES):
            self.background_slice()

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

    cdef inline Status put(self, const Text* key, uint64_t hash, const Text* value, int64_t expire_ms) noexcept:
        cdef Status status
        if unlikely(not self.room(key.size + value.size)):
            return STATUS_FULL
        status = keyspace_set(self.ks, self.database, key.data, key.size, hash, TYPE_STRING, value.data, value.size,
                              expire_ms)
        self.housekeep()
        return status
