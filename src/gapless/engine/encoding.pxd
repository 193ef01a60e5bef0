"""What OBJECT ENCODING calls a value. A hash remembers what it needs for it (hash_value.pxd); a string is called by what it holds.

Redis 8.2 keeps key and short value in one block of 64 bytes and calls that embstr: key + value take up to 41 bytes, 8 less with
a TTL. What Redis remembers of a value's past (raw after APPEND or after a TTL came and went) is not known here.
"""
from libc.stdint cimport int64_t, uint32_t
from gapless.engine.dispatch cimport parse_int64
from gapless.engine.hash_value cimport HASH_EXPIRIES, HASH_TABLE
from gapless.engine.keyspace cimport EXPIRE_NEVER, Value
from gapless.engine.record cimport TYPE_HASH

cdef enum:
    INTEGER_BYTES_MAX = 20
    EMBEDDED_BYTES_MAX = 41
    EMBEDDED_TTL_BYTES = 8


cdef inline const char* encoding_name(const Value* v, size_t key_bytes) noexcept nogil:
    cdef int64_t number
    cdef uint32_t marks
    if v.type == TYPE_HASH:
        marks = v.trees.marks if v.trees != NULL else v.data[0]
        return b"hashtable" if marks & HASH_TABLE else b"listpackex" if marks & HASH_EXPIRIES else b"listpack"
    if v.size <= INTEGER_BYTES_MAX and parse_int64(v.data, v.size, &number):
        return b"int"
    if key_bytes + v.size + (0 if v.expire_ms == EXPIRE_NEVER else EMBEDDED_TTL_BYTES) <= EMBEDDED_BYTES_MAX:
        return b"embstr"
    return b"raw"
