"""Lists in RDB's format: in the form that Redis 8.2 writes (18), and in those it reads besides.

    1     number of elements, then each
    10    a ziplist of the elements, in a string
    14    number of nodes, then each: a ziplist in a string
    18    number of nodes, then each: 1 and an element, or 2 and a listpack in a string
"""
from libc.stdint cimport uint8_t
from gapless.engine.base cimport Status
from gapless.engine.list_value cimport List
from gapless.engine.rdb cimport Reader
from gapless.engine.reply cimport Reply


cdef enum:
    RDB_TYPE_LIST = 1
    RDB_TYPE_LIST_ZIPLIST = 10
    RDB_TYPE_LIST_QUICKLIST = 14
    RDB_TYPE_LIST_QUICKLIST_2 = 18


# Type and value at the end of `out`, in the nodes that Redis would have. O(elements).
cdef void rdb_dump_list(List* l, Reply* out) noexcept nogil
# Reads a value of this type into an empty list. STATUS_MISSING: it is no such value; collection_abandon() then.
cdef Status rdb_restore_list(Reader* reader, uint8_t type, List* l) noexcept nogil


cdef inline bint rdb_is_list(uint8_t type) noexcept nogil:
    return (type == RDB_TYPE_LIST or type == RDB_TYPE_LIST_ZIPLIST or type == RDB_TYPE_LIST_QUICKLIST
            or type == RDB_TYPE_LIST_QUICKLIST_2)
