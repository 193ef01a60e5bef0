"""Reading a dump.rdb into a store, in steps. See rdb_file.pxd."""
from cpython.buffer cimport PyBUF_SIMPLE, PyBuffer_Release, PyObject_GetBuffer
from cpython.bytes cimport PyBytes_FromStringAndSize
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport free
from libc.string cimport memset
from gapless.engine.base cimport (
    STATUS_FULL, STATUS_MISSING, STATUS_OK, Status, clock_monotonic_ns, load_u32, load_u64, unlikely,
)
from gapless.engine.call cimport Arg, Call, Session
from gapless.engine.crc64 cimport crc64
from gapless.engine.engine cimport Engine
from gapless.engine.keyspace cimport (
    EXPIRE_NEVER, FIND_PEEK, POLICY_LFU, POLICY_LRU, Keyspace, Value, keyspace_find, keyspace_hash, keyspace_size, keyspace_tick,
)
from gapless.engine.keyspace_access cimport keyspace_set_frequency, keyspace_set_idle
from gapless.engine.rdb cimport (
    RDB_VERSION, Reader, RdbText, rdb_read_length, rdb_read_string, rdb_restore_value,
)
from gapless.engine.rdb_hash cimport RDB_TYPE_HASH_EXPIRIES_OLD
from gapless.engine.rdb_file cimport (
    RDB_AUX, RDB_EOF, RDB_EXPIRETIME, RDB_EXPIRETIME_MS, RDB_FREQ, RDB_FUNCTION2, RDB_FUNCTION_PRE_GA,
    RDB_HEADER_BYTES, RDB_IDLE, RDB_MODULE_AUX, RDB_RESIZEDB, RDB_SELECTDB, RDB_SLOT_INFO, RDB_TYPE_MODULE, RDB_TYPE_MODULE_2,
    RDB_VERSION_CHECKSUM, RDB_VERSION_VALKEY,
)

from gapless.errors import RdbError

cdef enum:
    CLOCK_ENTRIES = 32             # read between two looks at the clock
    SUM_BYTES = 1 << 16            # read before they are summed up: while the cache still has them
    MODULE_NAME_CHARACTERS = 9
    # What read_entries() stops for.
    STOP_TIME = 0
    STOP_END = 1
    STOP_WRONG = 2
    STOP_AUX = 3
    STOP_FUNCTION = 4
    STOP_FUNCTION_PRE_GA = 5
    STOP_MODULE = 6
    STOP_KEY = 7
    VERSION_VALKEY_DUMP = 11       # the forms of values that Valkey shares with others

cdef bytes MODULE_ALPHABET = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


def checksum(uint64_t crc, data):
    """The CRC-64 of RDB: of what came before, 0 at the start, and these bytes."""
    cdef Py_buffer view
    PyObject_GetBuffer(data, &view, PyBUF_SIMPLE)
    with nogil:
        crc = crc64(crc, <const uint8_t*>view.buf, view.len)
    PyBuffer_Release(&view)
    return crc


def payload(bytes value, int version):
    """What DUMP says: type and value, the version, a checksum."""
    cdef bytes body = value + version.to_bytes(2, "little")
    return body + checksum(0, body).to_bytes(8, "little")


cdef class Loader:
    """One reading of the bytes of a dump.rdb, which stay where they are until it ends.

    merge: keys may be there already, and are replaced; else a key that comes twice makes the file a damaged one.
    """

    cdef Engine engine
    cdef Py_buffer buffer
    cdef bint held
    cdef bint merge
    cdef bint collecting           # values are read to their ends, no more
    cdef uint8_t type
    cdef const uint8_t* value
    cdef Reader reader
    cdef Call call
    cdef Session session
    cdef const uint8_t* start
    cdef const uint8_t* entry      # that is being read
    cdef const uint8_t* summed     # up to where `crc` is
    cdef uint64_t crc
    cdef int64_t now_ms            # what has expired by then is left out
    # of the key to come
    cdef int64_t expire_ms
    cdef int64_t idle_seconds
    cdef int64_t frequency
    # what Python is to look at
    cdef RdbText name
    cdef RdbText text
    cdef uint64_t module
    cdef const char* wrong
    cdef readonly int version
    cdef readonly uint64_t keys_loaded
    cdef readonly uint64_t keys_expired
    cdef readonly bint done
    cdef readonly dict aux
    cdef readonly list functions

    def __cinit__(self, Engine engine not None, data, bint merge=False):
        PyObject_GetBuffer(data, &self.buffer, PyBUF_SIMPLE)
        self.held = True
        self.engine = engine
        self.merge = merge
        self.aux = {}
        self.functions = []
        self.start = self.entry = self.summed = <const uint8_t*>self.buffer.buf
        self.reader.at = self.start
        self.reader.end = self.start + self.buffer.len
        self.reader.valkey = False
        memset(&self.call, 0, sizeof(Call))
        memset(&self.session, 0, sizeof(Session))
        self.call.keys = engine.keys
        self.call.dispatch = engine.dispatch
        self.call.session = &self.session
        self.forget_key()
        keyspace_tick(engine.keys)
        self.now_ms = engine.keys.now_ms
        self.read_header()

    def __dealloc__(self):
        self.close()

    def close(self):
        """Lets go of the bytes."""
        if self.held:
            PyBuffer_Release(&self.buffer)
            self.held = False

    @property
    def offset(self):
        """How far it has come, bytes."""
        return self.reader.at - self.start

    @property
    def total(self):
        """Bytes of the file."""
        return self.buffer.len

    cdef object read_header(self):
        cdef bytes head = self.start[:min(RDB_HEADER_BYTES, <Py_ssize_t>(self.reader.end - self.start))]
        valkey = head.startswith(b"VALKEY")
        digits = head[6:] if valkey else head[5:]
        if len(head) < RDB_HEADER_BYTES or not (valkey or head.startswith(b"REDIS")) or not digits.isdigit():
            raise RdbError("not a dump.rdb: it does not begin with REDIS or VALKEY and a version", 0)
        self.version = int(digits)
        if not (self.version == RDB_VERSION_VALKEY if valkey else 1 <= self.version <= RDB_VERSION):
            raise RdbError(f"RDB version {self.version} of {'Valkey' if valkey else 'Redis'} is unknown; "
                           f"known are Redis's up to {RDB_VERSION} and Valkey's {RDB_VERSION_VALKEY}", 0)
        self.reader.valkey = valkey
        self.reader.at += RDB_HEADER_BYTES

    cdef void forget_key(self) noexcept nogil:
        self.expire_ms = EXPIRE_NEVER
        self.idle_seconds = self.frequency = -1

    cdef bint fail(self, const char* wrong) noexcept nogil:
        self.wrong = wrong
        return False

    def step(self, int64_t budget_us):
        """Reads on for so long, and takes the engine for that; True at the end. RdbError says what is wrong and where: what was read
        before is in the store.
        """
        cdef int stop
        cdef int64_t deadline_ns = clock_monotonic_ns() + budget_us * 1000
        cdef uint64_t maxmemory
        self.collecting = False
        while not self.done:
            self.engine.enter()
            # What is in the file is taken, whatever it needs; the limit holds again for whoever comes then.
            maxmemory = self.engine.keys.maxmemory
            self.engine.keys.maxmemory = 0
            with nogil:
                stop = self.read_entries(deadline_ns)
            self.engine.keys.maxmemory = maxmemory
            self.engine.leave()
            if stop == STOP_TIME:
                return False
            self.note(stop)
        return True

    def payloads(self, Py_ssize_t most, uint64_t bytes_most):
        """Instead of step(): the next keys, as (database, key, absolute expiry in ms or -1, what DUMP would say of the value), at most so many of
        so many bytes; none at the end. What has expired is left out. RdbError.
        """
        cdef int stop
        cdef list found = []
        cdef uint64_t size = 0
        self.collecting = True
        while not self.done and len(found) < most and size < bytes_most:
            self.engine.enter()
            with nogil:
                stop = self.read_entries(0)
            self.engine.leave()
            if stop == STOP_KEY:
                if self.reader.valkey and self.type == RDB_TYPE_HASH_EXPIRIES_OLD:
                    raise RdbError("a hash of Valkey's with fields that expire, for which DUMP has another form", self.entry - self.start)
                value = bytes([self.type]) + PyBytes_FromStringAndSize(<const char*>self.value, self.reader.at - self.value)
                key = PyBytes_FromStringAndSize(<const char*>self.name.data, self.name.size)
                free(self.name.owned)
                found.append((self.session.db, key, self.expire_ms, payload(value, VERSION_VALKEY_DUMP if self.reader.valkey else self.version)))
                size += len(value)
                self.forget_key()
            elif stop != STOP_TIME:
                self.note(stop)
        return found

    cdef str module_name(self):
        # 9 characters of 6 bits, then 10 bits of the version of its encoding.
        cdef int i
        return bytes([MODULE_ALPHABET[(self.module >> (10 + 6 * (MODULE_NAME_CHARACTERS - 1 - i))) & 63]
                      for i in range(MODULE_NAME_CHARACTERS)]).decode()

    cdef object note(self, int stop):
        """Looks at what read_entries() has stopped for."""
        cdef bytes name, text
        if stop == STOP_END:
            self.done = True
            return
        if stop == STOP_WRONG:
            raise RdbError((<bytes>self.wrong).decode(), self.entry - self.start)
        if stop == STOP_MODULE:
            raise RdbError(f"data of the module type {self.module_name()!r}, which only that module can read", self.entry - self.start)
        name = PyBytes_FromStringAndSize(<const char*>self.name.data, self.name.size)
        text = PyBytes_FromStringAndSize(<const char*>self.text.data, self.text.size)
        free(self.name.owned)
        free(self.text.owned)
        if stop == STOP_AUX:
            self.aux[name.decode("utf-8", "replace")] = text
        elif stop == STOP_FUNCTION:
            self.functions.append(text)
        else:
            # A library says its name itself since Redis 7.0 was done.
            self.functions.append(b"#!lua name=" + name + b"\n" + text)

    # ---- entries

    cdef int read_entries(self, int64_t deadline_ns) noexcept nogil:
        cdef int count = 0, stop
        while True:
            self.entry = self.reader.at
            stop = self.read_entry()
            if self.reader.at - self.summed >= SUM_BYTES:
                self.sum_up(self.reader.at)
            if stop != STOP_TIME:
                return stop
            count += 1
            if count % CLOCK_ENTRIES == 0 and clock_monotonic_ns() >= deadline_ns:
                return STOP_TIME

    cdef void sum_up(self, const uint8_t* to) noexcept nogil:
        self.crc = crc64(self.crc, self.summed, to - self.summed)
        self.summed = to

    cdef bint read_u64(self, uint64_t* out) noexcept nogil:
        if self.reader.end - self.reader.at < 8:
            return False
        out[0] = load_u64(self.reader.at)
        self.reader.at += 8
        return True

    cdef bint read_plain_length(self, uint64_t* n) noexcept nogil:
        cdef bint encoded
        return rdb_read_length(&self.reader, n, &encoded) and not encoded

    cdef bint skip_lengths(self, int count) noexcept nogil:
        cdef uint64_t n
        cdef int _i
        for _i in range(count):
            if not self.read_plain_length(&n):
                return False
        return True

    cdef bint read_two(self) noexcept nogil:
        """Name and text."""
        if not rdb_read_string(&self.reader, &self.name):
            return False
        if not rdb_read_string(&self.reader, &self.text):
            free(self.name.owned)
            return False
        return True

    cdef bint read_pre_ga(self) noexcept nogil:
        cdef RdbText engine, description
        cdef uint64_t described
        if not self.read_two():
            return False
        engine = self.text
        free(engine.owned)
        self.text.owned = NULL
        if self.read_plain_length(&described):
            if described:
                if not rdb_read_string(&self.reader, &description):
                    free(self.name.owned)
                    return False
                free(description.owned)
            if rdb_read_string(&self.reader, &self.text):
                return True
        free(self.name.owned)
        return False

    cdef int read_entry(self) noexcept nogil:
        """One opcode and what belongs to it; a key, with its value."""
        cdef uint8_t opcode
        cdef uint64_t n
        cdef bint sound = True
        if self.reader.at >= self.reader.end:
            return self.stop_wrong(b"the file ends before its end was marked")
        opcode = self.reader.at[0]
        self.reader.at += 1
        if opcode < RDB_SLOT_INFO:
            if opcode == RDB_TYPE_MODULE or opcode == RDB_TYPE_MODULE_2:
                return self.stop_module(True)
            if self.collecting:
                return self.pass_key(opcode)
            return STOP_TIME if self.read_key(opcode) else STOP_WRONG
        if opcode == RDB_EXPIRETIME_MS:
            sound = self.read_u64(&n)
            self.expire_ms = <int64_t>n
        elif opcode == RDB_EXPIRETIME:
            sound = self.reader.end - self.reader.at >= 4
            if sound:
                self.expire_ms = <int64_t>load_u32(self.reader.at) * 1000
                self.reader.at += 4
        elif opcode == RDB_IDLE:
            sound = self.read_plain_length(&n)
            self.idle_seconds = <int64_t>min(n, <uint64_t>0x7fffffff)
        elif opcode == RDB_FREQ:
            sound = self.reader.at < self.reader.end
            if sound:
                self.frequency = self.reader.at[0]
                self.reader.at += 1
        elif opcode == RDB_SELECTDB:
            sound = self.read_plain_length(&n)
            if sound and n >= <uint64_t>self.call.keys.databases:
                return self.stop_wrong(b"keys of a database of a higher number than there are databases")
            self.session.db = <int>n
        elif opcode == RDB_RESIZEDB:
            sound = self.skip_lengths(2)
        elif opcode == RDB_SLOT_INFO:
            sound = self.skip_lengths(3)
        elif opcode == RDB_EOF:
            return STOP_END if self.read_end() else STOP_WRONG
        elif opcode == RDB_MODULE_AUX:
            return self.stop_module(False)
        elif opcode == RDB_AUX:
            if self.read_two():
                return STOP_AUX
            sound = False
        elif opcode == RDB_FUNCTION2:
            self.name.data = NULL
            self.name.size = 0
            self.name.owned = NULL
            if rdb_read_string(&self.reader, &self.text):
                return STOP_FUNCTION
            sound = False
        elif opcode == RDB_FUNCTION_PRE_GA:
            if self.read_pre_ga():
                return STOP_FUNCTION_PRE_GA
            sound = False
        if not sound:
            return self.stop_wrong(b"an entry that is damaged or cut off")
        return STOP_TIME

    cdef int stop_wrong(self, const char* wrong) noexcept nogil:
        self.wrong = wrong
        return STOP_WRONG

    cdef int stop_module(self, bint has_key) noexcept nogil:
        cdef RdbText key
        if has_key:
            if not rdb_read_string(&self.reader, &key):
                return self.stop_wrong(b"a key that is damaged or cut off")
            free(key.owned)
        if not self.read_plain_length(&self.module):
            return self.stop_wrong(b"data of a module, damaged or cut off")
        return STOP_MODULE

    cdef bint read_end(self) noexcept nogil:
        cdef uint64_t expected
        if self.version < RDB_VERSION_CHECKSUM:
            return True
        self.sum_up(self.reader.at)
        if not self.read_u64(&expected):
            return self.fail(b"the checksum is cut off")
        if expected != 0 and expected != self.crc:
            return self.fail(b"the checksum is wrong: the file is damaged")
        return True

    cdef bint read_key(self, uint8_t type) noexcept nogil:
        cdef Keyspace* ks = self.call.keys
        cdef RdbText text
        cdef Arg key
        cdef Status status
        cdef uint64_t hash, before
        cdef bint dead = self.expire_ms != EXPIRE_NEVER and self.expire_ms < self.now_ms
        if not rdb_read_string(&self.reader, &text):
            return self.fail(b"a key that is damaged or cut off")
        key.data = text.data
        key.size = text.size
        hash = keyspace_hash(ks, key.data, key.size)
        before = keyspace_size(ks, self.session.db)
        status = rdb_restore_value(&self.call, &key, hash, &self.reader, type, self.expire_ms, dead)
        if status == STATUS_OK and not dead and (self.idle_seconds >= 0 or self.frequency >= 0):
            self.set_access(&key, hash)
        free(text.owned)
        self.forget_key()
        if unlikely(status != STATUS_OK):
            if status == STATUS_MISSING:
                return self.fail(b"a value that is damaged, cut off or of an unknown type")
            return self.fail(b"no room for a value" if status == STATUS_FULL else b"a value that is too large")
        if dead:
            self.keys_expired += 1
            return True
        self.keys_loaded += 1
        if unlikely(not self.merge and keyspace_size(ks, self.session.db) == before):
            return self.fail(b"a key that was there already")
        return True

    cdef int pass_key(self, uint8_t type) noexcept nogil:
        """Leaves its name, its type and where its value begins."""
        cdef Arg none
        none.data = NULL
        none.size = 0
        if not rdb_read_string(&self.reader, &self.name):
            return self.stop_wrong(b"a key that is damaged or cut off")
        self.type = type
        self.value = self.reader.at
        if rdb_restore_value(&self.call, &none, 0, &self.reader, type, self.expire_ms, True) != STATUS_OK:
            free(self.name.owned)
            return self.stop_wrong(b"a value that is damaged, cut off or of an unknown type")
        if self.expire_ms != EXPIRE_NEVER and self.expire_ms < self.now_ms:
            self.keys_expired += 1
            free(self.name.owned)
            self.forget_key()
            return STOP_TIME
        self.keys_loaded += 1
        return STOP_KEY

    cdef void set_access(self, const Arg* key, uint64_t hash) noexcept nogil:
        cdef Keyspace* ks = self.call.keys
        cdef Value v
        if not ks.policy & (POLICY_LFU | POLICY_LRU):
            return
        if keyspace_find(ks, self.session.db, key.data, key.size, hash, FIND_PEEK, &v):
            if ks.policy & POLICY_LFU:
                if self.frequency >= 0:
                    keyspace_set_frequency(ks, &v, <uint32_t>self.frequency)
            elif self.idle_seconds >= 0:
                keyspace_set_idle(ks, &v, <uint64_t>self.idle_seconds)
