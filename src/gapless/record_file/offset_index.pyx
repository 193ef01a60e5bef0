"""The compact index of a file of JSON lines: from keys and values to the offsets of their lines.

    records    a number each, counted from 0 in the order of the file
               offset_low  u32[n]   the line's offset, its lower 32 bits    4 B
               offset_high u16[n]   and its upper 16: 256 TiB               2 B
               live        bits[n]  the newest of its key, not deleted      1/8 B

    a table    open addressing, linear probing, between 0.68 and 0.85 full  9.4 to 11.8 B a slot used
               63        32 31            0
              +------------+---------------+
              |    hash    |  number + 1   |   0: empty
              +------------+---------------+

    keys       key's hash -> its newest record. What has the same 32 bits is told apart by reading the line.
    versions   number, mixed -> the version of the same key before it. Only keys with several lines are in it.
    a field    value's hash -> its last record, and older u32[n], the record before it with the same hash + 1

A slot keeps no more of the hash than it needs to find its place in a larger table: growing never reads the file. A table grows
by a quarter, not to twice its size, which would leave it half empty when it has just grown. Deleted records leave their slots behind: a slot
of the key's own hash is used again, and growing leaves them out. Rejected: a chain for every record of the key's index (4 B more, for
the few files where keys repeat), and 64 bits of hash (no reads to compare keys, but wrong once in a long while).
"""
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from cpython.mem cimport PyMem_RawFree, PyMem_RawRealloc
from cpython.unicode cimport PyUnicode_AsUTF8AndSize
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memchr, memset

from gapless.engine.base cimport INVARIANT, hash_bytes, parse_int64
from gapless.record_file.json_scan cimport (
    KIND_BOOLEAN, KIND_NONE, KIND_NULL, KIND_NUMBER, KIND_TEXT, Kind, Member, scan_object,
)

from orjson import JSONDecodeError, loads

RECORDS_MAX = 0xfffffffe
OFFSET_MAX = (1 << 48) - 1

cdef uint64_t _RECORDS_MAX = 0xfffffffe
cdef uint64_t _OFFSET_MAX = <uint64_t>0xffffffffffff
cdef uint64_t CHECKSUM_SEED = <uint64_t>0x6761706c65737331

cdef extern from "Python.h":
    long long PyLong_AsLongLongAndOverflow(object value, int* overflow) except? -1


class StaleIndexError(Exception):
    """A line is not what it was when it was indexed: somebody rewrote the file in place."""


# ---- values


cdef uint32_t _hash_number(double real, uint64_t seed) noexcept:
    # A number that is an integer has the hash of the integer, however it was written.
    cdef int64_t number
    if -9223372036854775808.0 <= real < 9223372036854775808.0:
        number = <int64_t>real
        if <double>number == real:
            return <uint32_t>(hash_bytes(<const uint8_t*>&number, 8, seed + KIND_NUMBER) >> 32)
    return <uint32_t>(hash_bytes(<const uint8_t*>&real, 8, seed - KIND_NUMBER) >> 32)


cdef int _hash(object value, uint64_t seed, uint32_t* out) except -1:
    """The kind of a JSON value, and its hash. Equal values have equal hashes."""
    cdef Py_ssize_t n = 0
    cdef const char* text
    cdef int overflow = 0
    cdef int64_t number
    if isinstance(value, str):
        try:
            text = PyUnicode_AsUTF8AndSize(value, &n)
        except UnicodeEncodeError:
            return KIND_NONE        # half of a surrogate pair: no JSON text holds it
        out[0] = <uint32_t>(hash_bytes(<const uint8_t*>text, n, seed + KIND_TEXT) >> 32)
        return KIND_TEXT
    if value is True or value is False:
        number = value is True
        out[0] = <uint32_t>(hash_bytes(<const uint8_t*>&number, 8, seed + KIND_BOOLEAN) >> 32)
        return KIND_BOOLEAN
    if isinstance(value, int):
        number = PyLong_AsLongLongAndOverflow(value, &overflow)
        if overflow == 0:
            out[0] = <uint32_t>(hash_bytes(<const uint8_t*>&number, 8, seed + KIND_NUMBER) >> 32)
        else:
            try:
                out[0] = _hash_number(<double>value, seed)
            except OverflowError:
                return KIND_NONE
        return KIND_NUMBER
    if isinstance(value, float):
        out[0] = _hash_number(<double>value, seed)
        return KIND_NUMBER
    if value is None:
        out[0] = <uint32_t>(hash_bytes(NULL, 0, seed + KIND_NULL) >> 32)
        return KIND_NULL
    return KIND_NONE


cdef bint _hash_member(const Member* member, uint64_t seed, uint32_t* out) noexcept:
    """The hash of what was found of a member, from its bytes; False when only a parser can tell its value."""
    cdef int64_t number
    if member.kind == KIND_TEXT:
        if member.escaped:
            return False
        out[0] = <uint32_t>(hash_bytes(member.value, member.value_bytes, seed + KIND_TEXT) >> 32)
    elif member.kind == KIND_NUMBER:
        if not parse_int64(member.value, member.value_bytes, &number):
            return False
        out[0] = <uint32_t>(hash_bytes(<const uint8_t*>&number, 8, seed + KIND_NUMBER) >> 32)
    elif member.kind == KIND_BOOLEAN:
        number = member.value[0] == c't'
        out[0] = <uint32_t>(hash_bytes(<const uint8_t*>&number, 8, seed + KIND_BOOLEAN) >> 32)
    elif member.kind == KIND_NULL:
        out[0] = <uint32_t>(hash_bytes(NULL, 0, seed + KIND_NULL) >> 32)
    return True


cdef bint _same(object a, object b) except -1:
    # Kinds differ in Python's types alone: 1 == True is not meant, 1 == 1.0 is.
    if isinstance(a, bool) or isinstance(b, bool) or a is None or b is None:
        return a is b
    if isinstance(a, str) != isinstance(b, str):
        return False
    return a == b


def same(a: object, b: object) -> bool:
    """Whether two JSON values are equal: by kind, and numbers by what they are worth."""
    return _same(a, b)


def can_be_found(value: object) -> bool:
    """Whether `value` can be looked for: a string, number, boolean or None."""
    cdef uint32_t ignored
    return _hash(value, 0, &ignored) != KIND_NONE


def checksum(const uint8_t[::1] data, uint64_t seed=0) -> int:
    """64 bits over `data`; some GB/s."""
    if data.shape[0] == 0:
        return hash_bytes(NULL, 0, seed ^ CHECKSUM_SEED)
    return hash_bytes(&data[0], data.shape[0], seed ^ CHECKSUM_SEED)


# ---- tables

cdef struct Table:
    uint64_t* slots
    uint64_t room
    uint64_t used


cdef inline uint64_t _home(const Table* table, uint32_t hash) noexcept:
    return (<uint64_t>hash * table.room) >> 32


cdef uint64_t _find(const Table* table, uint32_t hash, uint64_t place) noexcept:
    """The first slot of this hash from `place` on; an empty one, or `room` of a table without any, when there is none."""
    cdef uint64_t slot
    if table.room == 0:
        return 0
    while True:
        slot = table.slots[place]
        if slot == 0 or <uint32_t>(slot >> 32) == hash:
            return place
        place += 1
        if place == table.room:
            place = 0


cdef inline uint64_t _after(const Table* table, uint64_t place) noexcept:
    return place + 1 if place + 1 < table.room else 0


cdef inline bint _live(const uint8_t* bits, uint64_t number) noexcept:
    return bits[number >> 3] >> (number & 7) & 1


cdef int _make_room(Table* table, const uint8_t* live) except -1:
    """Room for one more. With `live`, slots of records that are not are left out."""
    cdef uint64_t room, place, slot, i, kept = table.used
    cdef uint64_t* slots
    if (table.used + 1) * 20 <= table.room * 17:
        return 0
    if live != NULL:
        kept = 0
        for i in range(table.room):
            slot = table.slots[i]
            kept += slot != 0 and _live(live, <uint64_t><uint32_t>slot - 1)
    room = (kept + 1) * 147 // 100 + 8
    slots = <uint64_t*>PyMem_RawRealloc(NULL, room * 8)
    if slots == NULL:
        raise MemoryError
    memset(slots, 0, room * 8)
    for i in range(table.room):
        slot = table.slots[i]
        if slot == 0 or (live != NULL and not _live(live, <uint64_t><uint32_t>slot - 1)):
            continue
        place = ((slot >> 32) * room) >> 32
        while slots[place] != 0:
            place += 1
            if place == room:
                place = 0
        slots[place] = slot
    PyMem_RawFree(table.slots)
    table.slots, table.room, table.used = slots, room, kept
    return 0


cdef inline void _set(Table* table, uint64_t place, uint32_t hash, uint64_t number) noexcept:
    table.used += table.slots[place] == 0
    table.slots[place] = <uint64_t>hash << 32 | (number + 1)


cdef inline uint64_t _number(const Table* table, uint64_t place) noexcept:
    return <uint64_t><uint32_t>table.slots[place] - 1


cdef inline uint32_t _mixed(uint64_t number) noexcept:
    # One to one, so that the mixed number stands for the number itself.
    return <uint32_t>number * <uint32_t>0x9e3779b1


cdef class _Field:
    """One field's index beside the key's."""
    cdef Table table
    cdef uint32_t* older

    def __dealloc__(self):
        PyMem_RawFree(self.table.slots)
        PyMem_RawFree(self.older)


cdef class OffsetIndex:
    """Keys and values of one file of JSON lines, to the offsets of their lines. Not safe from several threads.

    `source` is what reads a line of the file: `line_at(offset) -> bytes`, without blanks behind; empty when it was deleted.
    """
    cdef readonly str key
    cdef readonly tuple also
    cdef readonly uint64_t seed
    cdef readonly uint64_t end            # of what is indexed, in bytes: where the next line begins
    cdef readonly bint unterminated       # what is indexed ends with a record without a newline
    cdef public uint64_t lines            # newlines before `end`
    cdef readonly uint64_t count          # records ever indexed
    cdef readonly uint64_t live_count
    cdef readonly uint64_t live_bytes     # of the lines of live records, newlines included
    cdef uint64_t room
    cdef uint32_t* offset_low
    cdef uint16_t* offset_high
    cdef uint8_t* live
    cdef Table keys
    cdef Table versions
    cdef list fields
    # Of the line that is being indexed: its key first, then the fields.
    cdef size_t member_count
    cdef list member_names
    cdef Member* members
    cdef uint32_t* hashes

    def __init__(self, str key, tuple also, uint64_t seed):
        cdef size_t i
        INVARIANT(self.members == NULL)
        self.key = key
        self.also = also
        self.seed = seed
        self.fields = [_Field() for _ in also]
        self.member_names = [name.encode("utf-8", "surrogatepass") for name in (key, *also)]
        self.member_count = len(self.member_names)
        self.members = <Member*>_taken(self.member_count * sizeof(Member))
        self.hashes = <uint32_t*>_taken(self.member_count * sizeof(uint32_t))
        for i in range(self.member_count):
            self.members[i].name = <const uint8_t*>PyBytes_AS_STRING(self.member_names[i])
            self.members[i].name_bytes = len(self.member_names[i])

    def __dealloc__(self):
        PyMem_RawFree(self.members)
        PyMem_RawFree(self.hashes)
        PyMem_RawFree(self.offset_low)
        PyMem_RawFree(self.offset_high)
        PyMem_RawFree(self.live)
        PyMem_RawFree(self.keys.slots)
        PyMem_RawFree(self.versions.slots)

    # ---- records by number

    cdef inline uint64_t _offset(self, uint64_t number) noexcept:
        return <uint64_t>self.offset_high[number] << 32 | self.offset_low[number]

    def offset(self, uint64_t number) -> int:
        """Where the line of a record begins. O(1)."""
        if number >= self.count:
            raise IndexError(number)
        return self._offset(number)

    def number_at(self, uint64_t offset) -> int:
        """The record whose line begins at `offset`, or -1. O(log n)."""
        cdef uint64_t low = 0, high = self.count, middle
        while low < high:
            middle = (low + high) >> 1
            if self._offset(middle) < offset:
                low = middle + 1
            else:
                high = middle
        return low if low < self.count and self._offset(low) == offset else -1

    def is_live(self, uint64_t number) -> bool:
        """Whether a record is the newest of its key, and not deleted. O(1)."""
        return number < self.count and _live(self.live, number)

    def live_offsets(self, uint64_t number, uint64_t stop, Py_ssize_t most) -> tuple[list[int], int]:
        """Offsets of at most `most` live records from `number` on, before `stop`; and where to go on."""
        cdef list found = []
        stop = min(stop, self.count)
        while number < stop and len(found) < most:
            if _live(self.live, number):
                found.append(self._offset(number))
            number += 1
        return found, number

    cdef int _room_for_record(self) except -1:
        cdef uint64_t room = self.room + (self.room >> 3) + 64
        cdef _Field field
        cdef void* p
        if self.count < self.room:
            return 0
        if self.count >= _RECORDS_MAX:
            raise OverflowError(f"a file may have {RECORDS_MAX:,} records")
        p = PyMem_RawRealloc(self.offset_low, room * 4)
        if p == NULL:
            raise MemoryError
        self.offset_low = <uint32_t*>p
        p = PyMem_RawRealloc(self.offset_high, room * 2)
        if p == NULL:
            raise MemoryError
        self.offset_high = <uint16_t*>p
        p = PyMem_RawRealloc(self.live, (room + 7) >> 3)
        if p == NULL:
            raise MemoryError
        self.live = <uint8_t*>p
        for field in self.fields:
            p = PyMem_RawRealloc(field.older, room * 4)
            if p == NULL:
                raise MemoryError
            field.older = <uint32_t*>p
        self.room = room
        return 0

    # ---- looking up

    def get(self, key: object, source: object) -> dict | None:
        """The record of a key. O(1): one line is read, rarely one more.

        Raises StaleIndexError when the line is another than was indexed.
        """
        cdef uint32_t hash = 0, other = 0
        cdef uint64_t place, number
        cdef object line, record
        if _hash(key, self.seed, &hash) in (KIND_NONE, KIND_NULL):
            return None
        place = _find(&self.keys, hash, _home(&self.keys, hash))
        while self.keys.room and self.keys.slots[place] != 0:
            number = _number(&self.keys, place)
            if _live(self.live, number):
                line = source.line_at(self._offset(number))
                if line:
                    record = _object(line)
                    if record is None:
                        raise StaleIndexError
                    if _same(record.get(self.key), key):
                        return record
                    if _hash(record.get(self.key), self.seed, &other) == KIND_NONE or other != hash:
                        raise StaleIndexError
            place = _find(&self.keys, hash, _after(&self.keys, place))
        return None

    def numbers_of(self, key: object, source: object) -> list[int]:
        """All records of a key, the oldest first; empty when there is none that lives. O(their number)."""
        cdef uint32_t hash = 0
        cdef uint64_t place
        cdef list found = []
        if _hash(key, self.seed, &hash) in (KIND_NONE, KIND_NULL):
            return found
        place = self._place_of(key, hash, source, NULL)
        if self.keys.room == 0 or self.keys.slots[place] == 0:
            return found
        number = _number(&self.keys, place)
        if not _live(self.live, number):
            return found
        while True:
            found.append(number)
            place = _find(&self.versions, _mixed(number), _home(&self.versions, _mixed(number)))
            if self.versions.room == 0 or self.versions.slots[place] == 0:
                break
            number = _number(&self.versions, place)
        found.reverse()
        return found

    def numbers_with(self, str field, value: object) -> list[int]:
        """Live records whose `field` has the hash of `value`, in the order of the file. O(records ever with it)."""
        cdef _Field index = self.fields[self.also.index(field)]
        cdef uint32_t hash = 0
        cdef uint64_t place, number
        cdef list found = []
        if _hash(value, self.seed, &hash) == KIND_NONE or index.table.room == 0:
            return found
        place = _find(&index.table, hash, _home(&index.table, hash))
        if index.table.slots[place] == 0:
            return found
        number = _number(&index.table, place) + 1
        while number != 0:
            INVARIANT(number <= self.count)
            if _live(self.live, number - 1):
                found.append(number - 1)
            number = index.older[number - 1]
        found.reverse()
        return found

    cdef uint64_t _place_of(self, object key, uint32_t hash, object source, Py_ssize_t* line_bytes) except? 0:
        """The slot of a key, or else one that it can be put into: empty, or of a deleted record of the same hash."""
        cdef uint64_t place = _find(&self.keys, hash, _home(&self.keys, hash)), free = 0, number
        cdef bint reuse = False
        cdef object line, record
        while self.keys.room and self.keys.slots[place] != 0:
            number = _number(&self.keys, place)
            if _live(self.live, number):
                line = source.line_at(self._offset(number))
                record = _object(line)
                if record is not None and _same(record.get(self.key), key):
                    if line_bytes != NULL:
                        line_bytes[0] = len(line) + 1
                    return place
            elif not reuse:
                reuse, free = True, place
            place = _find(&self.keys, hash, _after(&self.keys, place))
        return free if reuse else place

    # ---- changing

    def add(self, uint64_t offset, Py_ssize_t line_bytes, dict record, object source) -> str | None:
        """Index the line of one record, which begins at `offset`; the newest of its key from now on. O(1).

        Returns None, or why it can't be indexed.
        """
        cdef size_t i
        cdef object value
        for i in range(self.member_count):
            value = record.get(self.key if i == 0 else self.also[i - 1], _ABSENT)
            self.members[i].kind = <Kind>_hash(value, self.seed, &self.hashes[i])
        if self.members[0].kind == KIND_NONE or self.members[0].kind == KIND_NULL:
            if self.key not in record:
                return f"it has no {self.key!r}"
            return f"its {self.key!r} is {_NAMES.get(type(record[self.key]), 'nothing that can be a key')}"
        self._insert(offset, line_bytes, record[self.key], NULL, source)
        return None

    cdef int _insert(self, uint64_t offset, Py_ssize_t line_bytes, object key, const uint8_t* line, object source) except -1:
        """Index a line whose members' kinds and hashes are known. `key`, or None when the line has to be parsed for it."""
        cdef uint64_t place, number = self.count, slot, older
        cdef uint32_t hash = self.hashes[0]
        cdef Py_ssize_t before = 0
        cdef _Field field
        cdef size_t i
        if offset > _OFFSET_MAX:
            raise OverflowError(f"a file may have {OFFSET_MAX:,} bytes")
        INVARIANT(number == 0 or self._offset(number - 1) < offset)
        self._room_for_record()
        _make_room(&self.keys, self.live)
        _make_room(&self.versions, NULL)
        for field in self.fields:
            _make_room(&field.table, NULL)

        place = _find(&self.keys, hash, _home(&self.keys, hash))
        if self.keys.slots[place] != 0:
            if key is None:
                key = loads(PyBytes_FromStringAndSize(<const char*>line, line_bytes - 1))[self.key]
            place = self._place_of(key, hash, source, &before)
        slot = self.keys.slots[place]
        if slot != 0:
            older = <uint64_t><uint32_t>slot - 1
            if _live(self.live, older):
                self._set_live(older, False)
                self.live_bytes -= before
                _set(&self.versions, _find(&self.versions, _mixed(number), _home(&self.versions, _mixed(number))),
                     _mixed(number), older)
        _set(&self.keys, place, hash, number)
        self.offset_low[number] = <uint32_t>offset
        self.offset_high[number] = <uint16_t>(offset >> 32)
        for i in range(1, self.member_count):
            field = self.fields[i - 1]
            field.older[number] = 0
            if self.members[i].kind != KIND_NONE:
                hash = self.hashes[i]
                place = _find(&field.table, hash, _home(&field.table, hash))
                if field.table.slots[place] != 0:
                    field.older[number] = <uint32_t>(_number(&field.table, place) + 1)
                _set(&field.table, place, hash, number)
        self.count += 1
        self._set_live(number, True)
        self.live_bytes += line_bytes
        return 0

    cdef bint _scanned(self, const uint8_t* line, Py_ssize_t n) noexcept:
        """Whether a line is a record whose members' kinds and hashes could be told without parsing it."""
        cdef size_t i
        if not scan_object(line, line + n, self.members, self.member_count):
            return False
        if self.members[0].kind == KIND_NONE or self.members[0].kind == KIND_NULL:
            return False
        for i in range(self.member_count):
            if not _hash_member(&self.members[i], self.seed, &self.hashes[i]):
                return False
        return True

    cdef void _set_live(self, uint64_t number, bint live) noexcept:
        if live:
            self.live[number >> 3] |= <uint8_t>(1 << (number & 7))
            self.live_count += 1
        else:
            self.live[number >> 3] &= <uint8_t>~(1 << (number & 7))
            self.live_count -= 1

    def kill(self, uint64_t number, Py_ssize_t line_bytes) -> None:
        """A record was deleted; `line_bytes` is what its line took, newline included. O(1)."""
        if self.is_live(number):
            self._set_live(number, False)
            self.live_bytes -= line_bytes

    def appended(self, uint64_t end, bint unterminated=False) -> None:
        """What was appended up to `end` has been added: scanning goes on there."""
        INVARIANT(end >= self.end)
        self.end = end
        self.unterminated = unterminated

    def scan(self, const uint8_t[::1] data, bint final, object source, object skip) -> int:
        """Index the lines of `data`, which lies at `end` in the file. Returns how many bytes are indexed now.

        A line without a newline is left for later; with `final` it is indexed if it is a whole record, or blank.
        `skip(line_number, offset, why)` is told of each line that is no record.
        """
        cdef const uint8_t* start
        cdef const uint8_t* stop
        cdef const uint8_t* p
        cdef const uint8_t* newline
        cdef uint64_t base = self.end
        if data.shape[0] == 0:
            return 0
        start = &data[0]
        stop = start + data.shape[0]
        p = start
        while p < stop:
            newline = <const uint8_t*>memchr(p, c'\n', stop - p)
            if newline == NULL:
                break
            self._line(p, newline - p, base + (p - start), source, skip)
            p = newline + 1
            self.lines += 1
            self.end = base + (p - start)
            self.unterminated = False
        if final and p < stop and self._last(p, stop - p, base + (p - start), source, skip):
            self.end = base + (stop - start)
        return self.end - base

    cdef int _line(self, const uint8_t* line, Py_ssize_t n, uint64_t offset, object source, object skip) except -1:
        cdef object record, why
        cdef Py_ssize_t lead = _lead(line, n, offset)
        if lead == n:
            return 0
        while _is_blank(line[n - 1]):
            n -= 1
        if self._scanned(line + lead, n - lead):
            self._insert(offset + lead, n - lead + 1, None, line + lead, source)
            return 0
        try:
            record = loads(PyBytes_FromStringAndSize(<const char*>line + lead, n - lead))
        except JSONDecodeError as error:
            skip(self.lines + 1, offset, f"it is not JSON: {error.msg}")
            return 0
        if not isinstance(record, dict):
            skip(self.lines + 1, offset, f"it is {_NAMES[type(record)]}, not an object")
            return 0
        why = self.add(offset + lead, n - lead + 1, record, source)
        if why is not None:
            skip(self.lines + 1, offset, why)
        return 0

    cdef bint _last(self, const uint8_t* line, Py_ssize_t n, uint64_t offset, object source, object skip) except -1:
        cdef Py_ssize_t lead = _lead(line, n, offset)
        if lead < n:
            if _object(PyBytes_FromStringAndSize(<const char*>line + lead, n - lead)) is None:
                return False
            self.unterminated = True
        self._line(line, n, offset, source, skip)
        return True

    def kept(self, const uint8_t[::1] data, uint64_t base, uint64_t number) -> tuple[list[tuple[int, int]], int, int]:
        """What a compacted file keeps of the lines of `data`, which lies at `base` in the file; `number` is the first record there.

        Returns stretches of `data` to keep, in order; how many bytes of it they are made of; and the first record behind these. A
        line that is no record is kept as it is: what is not understood is not thrown away.
        """
        cdef list stretches = []
        cdef const uint8_t* start
        cdef const uint8_t* newline
        cdef Py_ssize_t at = 0, lead, n, line, stop = data.shape[0]
        cdef bint keep
        if stop == 0:
            return stretches, 0, number
        start = &data[0]
        while at < stop:
            newline = <const uint8_t*>memchr(start + at, c'\n', stop - at)
            if newline == NULL:
                break
            line = newline - start
            lead = at + _lead(start + at, line - at, base + at)
            if lead < line:
                keep = True
                if number < self.count and self._offset(number) == base + lead:
                    keep = _live(self.live, number)
                    number += 1
                if keep:
                    n = line
                    while _is_blank(start[n - 1]):
                        n -= 1
                    _stretch(stretches, lead, n)
                    _stretch(stretches, line - (n < line and start[line - 1] == c'\r'), line + 1)
            at = line + 1
        return stretches, at, number

    # ---- as bytes

    def memory(self) -> dict[str, int]:
        """Bytes taken: of the key's index, and of each field's."""
        cdef _Field field
        cdef dict taken = {
            self.key: self.room * 6 + ((self.room + 7) >> 3) + (self.keys.room + self.versions.room) * 8
        }
        for name, field in zip(self.also, self.fields, strict=True):
            taken[name] = taken.get(name, 0) + self.room * 4 + field.table.room * 8
        return taken

    def counters(self) -> dict[str, int]:
        """What `restore()` needs besides the arrays."""
        cdef _Field field
        return {
            "end": self.end,
            "unterminated": int(self.unterminated),
            "lines": self.lines,
            "count": self.count,
            "live_count": self.live_count,
            "live_bytes": self.live_bytes,
            "tables": [
                [table_room, used]
                for table_room, used in [
                    (self.keys.room, self.keys.used),
                    (self.versions.room, self.versions.used),
                    *[(field.table.room, field.table.used) for field in self.fields],
                ]
            ],
        }

    def arrays(self) -> list[memoryview]:
        """The arrays as they lie in memory; good until the next change."""
        cdef _Field field
        cdef list found = [
            _view(self.offset_low, self.count * 4),
            _view(self.offset_high, self.count * 2),
            _view(self.live, (self.count + 7) >> 3),
            _view(self.keys.slots, self.keys.room * 8),
            _view(self.versions.slots, self.versions.room * 8),
        ]
        for field in self.fields:
            found.append(_view(field.table.slots, field.table.room * 8))
            found.append(_view(field.older, self.count * 4))
        return found

    def restore(self, dict counters, object fill) -> None:
        """Take over what `counters()` and `arrays()` gave; `fill(view)` fills each array in turn."""
        cdef _Field field
        INVARIANT(self.count == 0 and self.room == 0)
        count = counters["count"]
        rooms = counters["tables"]
        if count > _RECORDS_MAX or len(rooms) != 2 + len(self.fields):
            raise ValueError("counters of another index")
        self.room = count
        self.offset_low = <uint32_t*>_taken(count * 4)
        self.offset_high = <uint16_t*>_taken(count * 2)
        self.live = <uint8_t*>_taken((count + 7) >> 3)
        _restore_table(&self.keys, rooms[0])
        _restore_table(&self.versions, rooms[1])
        for field, each in zip(self.fields, rooms[2:], strict=True):
            _restore_table(&field.table, each)
            field.older = <uint32_t*>_taken(count * 4)
        self.end, self.unterminated = counters["end"], counters["unterminated"]
        self.lines, self.count = counters["lines"], count
        self.live_count, self.live_bytes = counters["live_count"], counters["live_bytes"]
        for view in self.arrays():
            fill(view)

    def check(self) -> str | None:
        """Walk everything; None, or what is wrong. O(n)."""
        cdef uint64_t number, live = 0, place, used, reached = 0
        cdef _Field field
        for number in range(self.count):
            live += _live(self.live, number)
            if number and self._offset(number - 1) >= self._offset(number):
                return f"record {number} does not lie after the one before it"
            for field in self.fields:
                if field.older[number] > number:
                    return f"record {number} refers to a later one"
        if live != self.live_count:
            return f"{live} records live, {self.live_count} counted"
        if self.count and self._offset(self.count - 1) >= self.end:
            return "the last record lies behind the end"
        for place in range(self.keys.room):
            if self.keys.slots[place] == 0:
                continue
            number = _number(&self.keys, place)
            if number >= self.count:
                return f"slot {place} names record {number} of {self.count}"
            reached += _live(self.live, number)
        if reached != live:
            return f"{reached} live records have a slot, of {live}"
        used = sum([self.keys.slots[place] != 0 for place in range(self.keys.room)])
        if used != self.keys.used:
            return f"{used} slots are used, {self.keys.used} counted"
        return None


_ABSENT = object()
_NAMES = {
    str: "a string",
    int: "a number",
    float: "a number",
    bool: "a boolean",
    type(None): "null",
    list: "an array",
    dict: "an object",
}


cdef inline bint _is_blank(uint8_t byte) noexcept:
    return byte == c' ' or byte == c'\t' or byte == c'\r' or byte == c'\n'


cdef Py_ssize_t _lead(const uint8_t* line, Py_ssize_t n, uint64_t offset) noexcept:
    """Bytes before a line's first that means something: blanks, and a file's byte order mark."""
    cdef Py_ssize_t i = 0
    if offset == 0 and n >= 3 and line[0] == 0xef and line[1] == 0xbb and line[2] == 0xbf:
        i = 3
    while i < n and _is_blank(line[i]):
        i += 1
    return i


cdef int _stretch(list stretches, Py_ssize_t start, Py_ssize_t stop) except -1:
    # One that begins where the last one ended makes that one longer.
    if stretches and (<tuple>stretches[len(stretches) - 1])[1] == start:
        start = (<tuple>stretches.pop())[0]
    stretches.append((start, stop))
    return 0


cdef object _object(object line):
    """The object that a line is, or None."""
    try:
        record = loads(line)
    except JSONDecodeError:
        return None
    return record if isinstance(record, dict) else None


cdef object _view(void* p, uint64_t n):
    if n == 0:
        return memoryview(b"")
    return memoryview(<uint8_t[:n]>p)


cdef void* _taken(uint64_t n) except NULL:
    cdef void* p = PyMem_RawRealloc(NULL, max(n, 1))
    if p == NULL:
        raise MemoryError
    return p


cdef int _restore_table(Table* table, object counters) except -1:
    room, used = counters
    if used > room or room >> 34:
        raise ValueError("counters of another index")
    table.slots = <uint64_t*>_taken(room * 8)
    table.room, table.used = room, used
    return 0
