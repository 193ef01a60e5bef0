"""Streams in RDB's format:

    15, 19, 21   number of nodes, then each: ID as a string of 16 bytes, big-endian; a listpack, in a string
                 number of entries; last ID
                 19, 21: first ID; greatest deleted ID; entries ever added
                 number of groups, then each: name, last ID; 19, 21: entries read, 2^64 - 1: unknown
                     number of pending entries, then each: ID in 16 bytes, delivered (ms, u64), deliveries
                     number of consumers, then each: name, seen (ms, u64); 21: active (ms, i64)
                         number of its pending entries, then the ID of each in 16 bytes

    listpack     entries, deleted ones, number of fields, names..., 0
                 an entry: flags, ms and seq less those of the node's ID, fields, how many items that were
                 flags: 1 deleted, 2 fields are values of the names above; else their number, names and values

An ID is ms and seq, two lengths, where nothing else is said. Redis 8.2 writes 21. Nothing deleted is written here.
"""
from libc.stdint cimport uint8_t
from gapless.engine.base cimport Status
from gapless.engine.rdb cimport Reader
from gapless.engine.reply cimport Reply
from gapless.engine.stream_value cimport Stream


cdef enum:
    RDB_TYPE_STREAM_1 = 15
    RDB_TYPE_STREAM_2 = 19
    RDB_TYPE_STREAM_3 = 21
    RDB_VERSION_STREAM_3 = 11


# Type and value at the end of `out`, in a form that this version of RDB has unless that would lose something. O(entries + pending).
cdef void rdb_dump_stream(Stream* s, int version, Reply* out) noexcept nogil
# Reads a value of this type into an empty stream. STATUS_MISSING: it is no such value; stream_discard() then.
cdef Status rdb_restore_stream(Reader* reader, uint8_t type, Stream* s) noexcept nogil


cdef inline bint rdb_is_stream(uint8_t type) noexcept nogil:
    return type == RDB_TYPE_STREAM_1 or type == RDB_TYPE_STREAM_2 or type == RDB_TYPE_STREAM_3
