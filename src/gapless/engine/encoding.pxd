"""What OBJECT ENCODING calls a value. Hashes, lists, sets and sorted sets remember what they need for it (hash_value.pxd...). A string is
int, embstr or raw.

Mostly what it holds says so. Redis 8.2 keeps the text of an int64 as a number; it keeps key and short value in one block of 64 bytes and
calls that embstr: key + value take up to 41 bytes, 8 less with a TTL; all else is raw. What the bytes don't say is in two marks:

    RAW    it is raw, however short: APPEND, SETRANGE, SETBIT, BITFIELD and BITOP leave it so, and so is one that once was too
           large for the block, with a longer key or a TTL that it has no more
    TEXT   it is no int, whatever it reads like: INCRBYFLOAT writes so

A value that is set anew as a whole (SET, INCR...) has neither.
"""
from libc.stdint cimport int64_t, uint8_t, uint32_t
from gapless.engine.base cimport parse_int64
from gapless.engine.forest cimport Tree
from gapless.engine.record cimport (
    HASH_EXPIRIES, HASH_TABLE, LIST_QUICKLIST, RECORD_MAKING_MASK, RECORD_RAW, RECORD_TEXT, RECORD_TTL, RECORD_TYPE_MASK, SET_LISTPACK, SET_TABLE,
    TYPE_HASH, TYPE_LIST, TYPE_SET, TYPE_SORTED_SET, TYPE_STREAM, TYPE_STRING, ZSET_TABLE, Record, record_has_trees,
)

cdef enum:
    INTEGER_BYTES_MAX = 20
    EMBEDDED_BYTES_MAX = 41
    EMBEDDED_TTL_BYTES = 8


cdef inline const char* encoding_name(const Record* r, const uint8_t* value) noexcept nogil:
    cdef int64_t number
    cdef uint32_t marks, type = r.flags & RECORD_TYPE_MASK
    if type == TYPE_HASH or type == TYPE_LIST or type == TYPE_SET or type == TYPE_SORTED_SET:
        marks = (<const Tree*>value).marks if record_has_trees(r) else value[0]
        if type == TYPE_SORTED_SET:
            return b"skiplist" if marks & ZSET_TABLE else b"listpack"
        if type == TYPE_SET:
            return b"hashtable" if marks & SET_TABLE else b"listpack" if marks & SET_LISTPACK else b"intset"
        if type == TYPE_LIST:
            return b"quicklist" if marks & LIST_QUICKLIST else b"listpack"
        return b"hashtable" if marks & HASH_TABLE else b"listpackex" if marks & HASH_EXPIRIES else b"listpack"
    if type == TYPE_STREAM:
        return b"stream"
    if r.marks & RECORD_RAW:
        return b"raw"
    if not r.marks & RECORD_TEXT and r.value_bytes <= INTEGER_BYTES_MAX and parse_int64(value, r.value_bytes, &number):
        return b"int"
    if r.key_bytes + r.value_bytes + (EMBEDDED_TTL_BYTES if r.flags & RECORD_TTL else 0) <= EMBEDDED_BYTES_MAX:
        return b"embstr"
    return b"raw"


# What a record of the same value with another key or TTL has to remember of this one.
cdef inline uint32_t making_kept(const Record* r, const uint8_t* value) noexcept nogil:
    if (r.flags & RECORD_TYPE_MASK) == TYPE_STRING and encoding_name(r, value)[0] == c"r":
        return RECORD_RAW
    return r.marks & RECORD_MAKING_MASK
