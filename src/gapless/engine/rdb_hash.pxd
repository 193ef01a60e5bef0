"""Hashes in RDB's format. The forms that Redis 8.2 writes:

    4     pairs: number of fields, then field and value of each
    16    the same in a listpack, in a string
    24    with expiries: the earliest u64, number of fields, then of each (expiry - earliest + 1, or 0), field, value
    25    the same in a listpack of field, value, expiry or 0; by expiry, those without at the end: the earliest u64, the string

Those that it reads besides, of earlier versions:

    9     a zipmap, in a string
    13    pairs in a ziplist, in a string
    22    as 24, without the earliest: of each its expiry or 0, field, value
    23    as 25, without the earliest

And of Valkey 9, in its own files only:

    22    number of fields, then of each field, value, expiry i64 or -1
"""
from libc.stdint cimport uint8_t
from gapless.engine.base cimport Status
from gapless.engine.hash_value cimport Hash
from gapless.engine.rdb cimport Reader
from gapless.engine.reply cimport Reply


cdef enum:
    RDB_TYPE_HASH = 4
    RDB_TYPE_HASH_ZIPMAP = 9
    RDB_TYPE_HASH_ZIPLIST = 13
    RDB_TYPE_HASH_LISTPACK = 16
    RDB_TYPE_HASH_EXPIRIES_OLD = 22
    RDB_TYPE_HASH_LISTPACK_EXPIRIES_OLD = 23
    RDB_TYPE_HASH_EXPIRIES = 24
    RDB_TYPE_HASH_LISTPACK_EXPIRIES = 25


# Type and value at the end of `out`. O(fields), with expiries in a listpack O(fields log fields).
cdef void rdb_dump_hash(Hash* h, Reply* out) noexcept nogil
# Reads a value of this type into an empty hash. STATUS_MISSING: it is no such value; hash_abandon() then. Never STATUS_EXISTS.
cdef Status rdb_restore_hash(Reader* reader, uint8_t type, Hash* h) noexcept nogil


cdef inline bint rdb_is_hash(uint8_t type) noexcept nogil:
    return (type == RDB_TYPE_HASH or type == RDB_TYPE_HASH_ZIPMAP or type == RDB_TYPE_HASH_ZIPLIST or type == RDB_TYPE_HASH_LISTPACK
            or RDB_TYPE_HASH_EXPIRIES_OLD <= type <= RDB_TYPE_HASH_LISTPACK_EXPIRIES)
