"""Sets in RDB's format, in the forms that Redis 8.2 writes:

    2     number of members, then each
    11    an intset, in a string: bytes of an integer u32 (2, 4 or 8), integers u32, the integers ascending; little-endian
    20    a listpack of the members, in a string; since version 11
"""
from libc.stdint cimport uint8_t
from gapless.engine.base cimport Status
from gapless.engine.collection cimport Collection
from gapless.engine.rdb cimport Reader
from gapless.engine.reply cimport Reply
from gapless.engine.set_value cimport Set


cdef enum:
    RDB_TYPE_SET = 2
    RDB_TYPE_SET_INTSET = 11
    RDB_TYPE_SET_LISTPACK = 20
    RDB_VERSION_SET_LISTPACK = 11


# Type and value at the end of `out`, in a form that this version of RDB has. O(members), an intset O(members log members).
cdef void rdb_dump_set(Collection* c, int version, Reply* out) noexcept nogil
# Reads a value of this type into an empty set. STATUS_MISSING: it is no such value; collection_abandon() then. Never STATUS_EXISTS.
cdef Status rdb_restore_set(Reader* reader, uint8_t type, Set* s) noexcept nogil


cdef inline bint rdb_is_set(uint8_t type) noexcept nogil:
    return type == RDB_TYPE_SET or type == RDB_TYPE_SET_INTSET or type == RDB_TYPE_SET_LISTPACK
