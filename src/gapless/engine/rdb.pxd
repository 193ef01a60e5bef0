"""Values in RDB's format: what DUMP and RESTORE exchange.

    payload   type (1 byte), value, version (u16), CRC-64 of all before it (u64); little-endian
    string    length, bytes | 11000000 i8 | 11000001 i16 | 11000010 i32 | 11000011 length of LZF, length, LZF
    length    00nnnnnn | 01nnnnnn n | 10000000 n n n n | 10000001 n n n n n n n n; big-endian

A string of up to 11 bytes that is the text of an int32 is stored as one; a longer one than 20 bytes is compressed when that
saves 4 bytes.
"""
from libc.stdint cimport int64_t, uint8_t, uint64_t
from gapless.engine.base cimport Status
from gapless.engine.call cimport Arg, Call
from gapless.engine.keyspace cimport Keyspace, Value
from gapless.engine.reply cimport Reply, reply_reserve

cdef enum:
    RDB_VERSION = 12               # of Redis 8.2
    RDB_TYPE_STRING = 0
    RDB_LENGTH_BYTES_MAX = 9
    RDB_FOOTER_BYTES = 10


# Room that rdb_write_string() may use for n bytes.
cdef inline uint64_t rdb_string_room(uint64_t n) noexcept nogil:
    return n + 2 * RDB_LENGTH_BYTES_MAX + 1

cdef struct Reader:
    const uint8_t* at
    const uint8_t* end
    bint valkey                    # a file of Valkey 9, which has types of its own


cdef struct RdbText:
    # A string that was read: in the payload, in the number's own digits or in memory to be freed.
    const uint8_t* data
    uint64_t size
    char digits[16]
    uint8_t* owned


# A length, or the number of an encoding; False when the bytes end or say neither.
cdef bint rdb_read_length(Reader* reader, uint64_t* n, bint* encoded) noexcept nogil
# False when the bytes are no string. Otherwise text.owned is the caller's to free.
cdef bint rdb_read_string(Reader* reader, RdbText* text) noexcept nogil
cdef uint8_t* rdb_write_length(uint8_t* p, uint64_t n) noexcept nogil
# Writes a string; returns where it ends.
cdef uint8_t* rdb_write_string(uint8_t* p, const uint8_t* data, uint64_t n) noexcept nogil
# Length of a string's value as RDB would hold it (OBJECT's serializedlength). Compresses, therefore O(n).
cdef int64_t rdb_string_bytes(const uint8_t* data, uint64_t n) noexcept nogil

# Type and value at the end of `out`, in forms that this version of RDB has, if it has one that says all. O(bytes).
cdef void rdb_dump_value(Keyspace* ks, const Value* v, int version, Reply* out) noexcept nogil
# Reads a value of this type and puts it under the key in the session's database, in place of what is there; `dead`: reads it, no more.
# STATUS_MISSING: it is no such value. STATUS_FULL, STATUS_TOO_LARGE: nothing was changed. Of `call` keys, session and dispatch are looked at.
cdef Status rdb_restore_value(Call* call, const Arg* key, uint64_t hash, Reader* reader, uint8_t type, int64_t expire_ms,
                              bint dead) noexcept nogil


cdef inline void rdb_add_length(Reply* out, uint64_t n) noexcept nogil:
    cdef uint8_t* at = reply_reserve(out, RDB_LENGTH_BYTES_MAX)
    out.length += rdb_write_length(at, n) - at


cdef inline void rdb_add_string(Reply* out, const uint8_t* data, uint64_t n) noexcept nogil:
    cdef uint8_t* at = reply_reserve(out, rdb_string_room(n))
    out.length += rdb_write_string(at, data, n) - at
