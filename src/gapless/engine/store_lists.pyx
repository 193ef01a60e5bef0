"""Lists at a position. See store_lists.pxd.

The two changes run as commands do, from the check for memory to the watches of the key, but from rows that are in no table: nobody can send them.
"""
from libc.stdint cimport int64_t, uint32_t, uint64_t
from libc.string cimport memcpy
from gapless.engine.base cimport STATUS_OK, Status
from gapless.engine.call cimport COMMAND_DENYOOM, COMMAND_WRITE, Call, Command
from gapless.engine.collection cimport collection_finish
from gapless.engine.dispatch cimport arg_int64
from gapless.engine.keyspace cimport FIND_WRITE
from gapless.engine.list_value cimport (
    List, list_at, list_expect, list_insert, list_length, list_open, list_push, list_rank, list_remove, list_shrunk,
)
from gapless.engine.reply cimport format_int64, reply_bulk, reply_int, reply_null
from gapless.engine.store_access cimport Text, text_of
from gapless.engine.store_commands cimport StoreCommands


cdef void insert(Call* call) noexcept nogil:
    """key index value: as list.insert."""
    cdef List l
    cdef int64_t index, length
    cdef uint32_t n = 0
    cdef Status status
    if not arg_int64(call, 2, &index) or not list_open(call, &call.argv[1], call.hash, FIND_WRITE, &l):
        return
    length = <int64_t>list_length(&l)
    if index < 0:
        index = max(0, index + length)
    status = list_expect(&l, call.argv[3].size, 1)
    if status == STATUS_OK and (index == 0 or index >= length):
        status = list_push(&l, index == 0, call.argv[3].data, call.argv[3].size)
    elif status == STATUS_OK:
        list_at(&l, <uint64_t>index, &n)
        status = list_insert(&l, <uint64_t>index, False, call.argv[3].data, call.argv[3].size)
    if collection_finish(call, &l.c, status):
        reply_int(call.reply, length + 1)


cdef void take(Call* call) noexcept nogil:
    """key index: what was there, or nothing."""
    cdef List l
    cdef int64_t index
    cdef uint64_t rank = 0
    cdef uint32_t n = 0
    cdef const unsigned char* value
    if not arg_int64(call, 2, &index) or not list_open(call, &call.argv[1], call.hash, FIND_WRITE, &l):
        return
    if not l.c.there or not list_rank(&l, index, &rank):
        reply_null(call.reply)
        return
    value = list_at(&l, rank, &n)
    reply_bulk(call.reply, value, n)
    list_remove(&l, rank)
    list_shrunk(&l)
    collection_finish(call, &l.c, STATUS_OK)


cdef Command insert_row, take_row


cdef void make_row(Command* row, bytes name, int arity, uint32_t flags) noexcept:
    memcpy(row.name, <const char*>name, len(name) + 1)
    row.name_size = <uint32_t>len(name)
    row.arity = arity
    row.flags = flags
    row.key_first = row.key_last = row.key_step = 1


make_row(&insert_row, b"list.insert", 4, COMMAND_WRITE | COMMAND_DENYOOM)
make_row(&take_row, b"list.pop", 3, COMMAND_WRITE)
insert_row.handler = insert
take_row.handler = take


cdef class StoreLists(StoreCommands):
    """Lists at a position."""

    def list_insert(self, name, int64_t index, value):
        """Puts a value before a position, counted from the end when it is negative; beyond the ends, at the end. How many there are then."""
        cdef Text[4] argv
        cdef char[24] digits
        argv[0].data, argv[0].size = <const unsigned char*>insert_row.name, insert_row.name_size
        name = text_of(name, &argv[1])
        argv[2].data, argv[2].size = <const unsigned char*>digits, format_int64(digits, index)
        value = text_of(value, &argv[3])
        return self.run_row(&insert_row, argv, 4)

    def list_take(self, name, int64_t index):
        """Takes the value at a position, counted from the end when it is negative; None when there is none."""
        cdef Text[3] argv
        cdef char[24] digits
        argv[0].data, argv[0].size = <const unsigned char*>take_row.name, take_row.name_size
        name = text_of(name, &argv[1])
        argv[2].data, argv[2].size = <const unsigned char*>digits, format_int64(digits, index)
        return self.run_row(&take_row, argv, 3)
