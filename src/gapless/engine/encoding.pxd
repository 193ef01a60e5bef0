"""What OBJECT ENCODING calls a value: names and thresholds are Redis's."""
from libc.stdint cimport uint8_t, uint32_t
from gapless.engine.forest cimport Tree
from gapless.engine.hash_value cimport HASH_EXPIRIES, HASH_TABLE
from gapless.engine.record cimport RECORD_TREES, RECORD_TYPE_MASK, TYPE_HASH, Record
from gapless.engine.string_making cimport string_encoding


cdef inline const char* encoding_name(const Record* r, const uint8_t* value) noexcept nogil:
    cdef uint32_t marks
    if (r.flags & RECORD_TYPE_MASK) == TYPE_HASH:
        marks = (<const Tree*>value).marks if r.flags & RECORD_TREES else value[0]
        return b"hashtable" if marks & HASH_TABLE else b"listpackex" if marks & HASH_EXPIRIES else b"listpack"
    return string_encoding(r, value)
