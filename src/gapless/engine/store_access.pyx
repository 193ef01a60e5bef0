"""The embedded API's way to the keyspace. See store_access.pxd."""
from datetime import datetime, timedelta

from libc.stdint cimport int64_t, uint32_t, uint64_t
from gapless.engine.base cimport STATUS_FULL, STATUS_TOO_LARGE, Status, unlikely
from gapless.engine.engine cimport Engine
from gapless.engine.keyspace cimport (
    keyspace_background, keyspace_free, keyspace_make_room, keyspace_new, keyspace_tick)

from gapless.errors import ClosedError, JournalError, OutOfMemoryError, ReadOnlyError, ResponseError, WrongTypeError

cdef extern from "Python.h":
    long long PyLong_AsLongLongAndOverflow(object number, int* overflow)


cdef enum:
    BACKGROUND_NS = 200000
    CREDIT_BYTES = 4096             # made room for ahead, so that not every small write asks about maxmemory

cdef dict _ERRORS = {"OOM": OutOfMemoryError, "WRONGTYPE": WrongTypeError, "MISCONF": JournalError, "READONLY": ReadOnlyError}
cdef int64_t MILLISECONDS_MAX = <int64_t>1 << 62


cdef object as_bytes(object value):
    """What redis-py sends for it."""
    if isinstance(value, (bytes, bytearray, memoryview)):
        return bytes(value)
    if isinstance(value, str):
        return value.encode()
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError(f"keys and values must be bytes, str, int or float, not {type(value).__name__}: {value!r}")
    return repr(value).encode()


cdef object error_of(str message):
    cdef object kind = _ERRORS.get(message.partition(" ")[0], ResponseError)
    return kind(message)


cdef int raise_closed(int why) except -1:
    if why == CLOSED_BY_FORK:
        raise ClosedError("the store belongs to the process that was forked: open one of your own after os.fork(), "
                          "or connect to the port of its serve()")
    raise ClosedError("the store is closed")


cdef int raise_status(Status status) except -1:
    if status == STATUS_FULL:
        raise OutOfMemoryError("OOM command not allowed when used memory > 'maxmemory'.")
    if status == STATUS_TOO_LARGE:
        raise ResponseError("ERR string exceeds maximum allowed size (proto-max-bulk-len)")
    raise ResponseError("ERR no such key")


cdef int raise_wrong_type() except -1:
    raise WrongTypeError("WRONGTYPE Operation against a key holding the wrong kind of value")


cdef int raise_expire_time(const char* command) except -1:
    raise ResponseError(f"ERR invalid expire time in '{command.decode()}' command")


cdef int64_t milliseconds(object amount, int64_t unit, bint relative, const char* command) except? -1:
    cdef int64_t n
    cdef int overflow = 0
    if isinstance(amount, int):
        n = PyLong_AsLongLongAndOverflow(amount, &overflow)
        if unlikely(overflow or n >= MILLISECONDS_MAX // unit or n <= -MILLISECONDS_MAX // unit):
            raise_expire_time(command)
        return n * unit
    if relative and isinstance(amount, timedelta):
        return <int64_t>round(amount.total_seconds() * 1000)
    if not relative and isinstance(amount, datetime):
        return <int64_t>round(amount.timestamp() * 1000)
    raise TypeError(f"the time of '{command.decode()}' must be an int or a {'timedelta' if relative else 'datetime'}, "
                    f"not {type(amount).__name__}: {amount!r}")


cdef int64_t positive_ms(object amount, int64_t unit, bint relative, const char* command) except? -1:
    cdef int64_t n = milliseconds(amount, unit, relative, command)
    if unlikely(n <= 0):
        raise_expire_time(command)
    return n


cdef class StoreAccess:
    """A keyspace, the lock that guards it, and the database that is looked at."""

    def __cinit__(self, *args, **kwargs):
        self.ks = NULL
        self.closed = CLOSED_BY_OWNER

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
        self.closed = CLOSED_NOT

    def __dealloc__(self):
        if self.owns:
            keyspace_free(self.ks)

    cdef int refuse(self) except -1:
        cdef str why = self.engine.dispatch.writes_refused.decode()
        self.leave()
        raise error_of(why)

    cdef void background_slice(self) noexcept:
        keyspace_tick(self.ks)
        keyspace_background(self.ks, BACKGROUND_NS, False)
        self.background_at = self.ks.log.bytes_appended

    cdef bint make_room(self, uint64_t n) noexcept:
        keyspace_tick(self.ks)
        self.credit_until = 0
        if n <= CREDIT_BYTES and keyspace_make_room(self.ks, CREDIT_BYTES):
            self.credit_until = self.ks.log.bytes_appended + CREDIT_BYTES
            return True
        return keyspace_make_room(self.ks, n)
