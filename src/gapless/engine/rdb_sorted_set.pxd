"""Sorted sets in RDB's format, in the forms that Redis 8.2 writes and in older ones:

    5     number of members, then each with its score, a double of 8 bytes; from the highest score to the lowest
    17    a listpack of members and scores, in a string; ascending

    3     as 5, but ascending or not, each score a byte with the length of its text and the text; 253: NaN, 254: inf, 255: -inf
    12    a ziplist of members and scores, in a string
"""
from libc.stdint cimport uint8_t
from gapless.engine.base cimport Status
from gapless.engine.rdb cimport Reader
from gapless.engine.reply cimport Reply
from gapless.engine.sorted_set_value cimport SortedSet


cdef enum:
    RDB_TYPE_ZSET_TEXTS = 3
    RDB_TYPE_ZSET = 5
    RDB_TYPE_ZSET_ZIPLIST = 12
    RDB_TYPE_ZSET_LISTPACK = 17


# Type and value at the end of `out`. O(members).
cdef void rdb_dump_sorted_set(SortedSet* s, Reply* out) noexcept nogil
# Reads a value of this type into an empty sorted set. STATUS_MISSING: it is no such value; collection_abandon() then. Never STATUS_EXISTS.
cdef Status rdb_restore_sorted_set(Reader* reader, uint8_t type, SortedSet* s) noexcept nogil


cdef inline bint rdb_is_sorted_set(uint8_t type) noexcept nogil:
    return (type == RDB_TYPE_ZSET or type == RDB_TYPE_ZSET_LISTPACK or type == RDB_TYPE_ZSET_TEXTS
            or type == RDB_TYPE_ZSET_ZIPLIST)
