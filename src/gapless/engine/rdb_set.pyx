from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport free, malloc, qsort
from gapless.engine.base cimport (
    INVARIANT, STATUS_MISSING, STATUS_OK, Status, load_u16, load_u32, load_u64, parse_int64, store_u32, store_u64,
)
from gapless.engine.collection cimport (
    CollectionWalk, collection_count, collection_mark, collection_mark_anew, collection_marks, collection_next, collection_walk,
)
from gapless.engine.listpack cimport (
    Listpack, ListpackEntry, listpack_add, listpack_begin, listpack_end, listpack_next, listpack_open,
)
from gapless.engine.rdb cimport RdbText, rdb_add_length, rdb_add_string, rdb_read_length, rdb_read_string
from gapless.engine.record cimport SET_LISTPACK, SET_TABLE
from gapless.engine.reply cimport format_int64, reply_free, reply_init, reply_raw
from gapless.engine.set_value cimport set_add

cdef enum:
    INTSET_HEADER_BYTES = 8


# ---- writing

cdef void dump_table(Collection* c, Reply* out) noexcept nogil:
    cdef CollectionWalk w
    cdef const uint8_t* member
    cdef uint32_t n = 0
    rdb_add_length(out, collection_count(c))
    collection_walk(c, &w)
    while True:
        member = collection_next(&w, &n)
        if member == NULL:
            break
        rdb_add_string(out, member, n)


cdef void dump_listpack(Collection* c, Reply* out) noexcept nogil:
    cdef CollectionWalk w
    cdef const uint8_t* member
    cdef uint32_t n = 0
    cdef Reply pack
    cdef size_t begin
    reply_init(&pack)
    begin = listpack_begin(&pack)
    collection_walk(c, &w)
    while True:
        member = collection_next(&w, &n)
        if member == NULL:
            break
        listpack_add(&pack, member, n)
    listpack_end(&pack, begin, collection_count(c))
    rdb_add_string(out, pack.data, pack.length)
    reply_free(&pack)


cdef int by_number(const void* a, const void* b) noexcept nogil:
    cdef int64_t first = (<const int64_t*>a)[0]
    cdef int64_t second = (<const int64_t*>b)[0]
    return (first > second) - (first < second)


cdef inline uint32_t integer_bytes(int64_t number) noexcept nogil:
    if -0x8000 <= number <= 0x7fff:
        return 2
    return 4 if -<int64_t>0x80000000 <= number <= 0x7fffffff else 8


cdef void dump_intset(Collection* c, Reply* out) noexcept nogil:
    cdef uint64_t count = collection_count(c), i
    cdef int64_t* numbers = <int64_t*>malloc(count * sizeof(int64_t))
    cdef CollectionWalk w
    cdef const uint8_t* member
    cdef uint32_t n = 0, width
    cdef uint8_t[8] bytes
    cdef Reply blob
    INVARIANT(numbers != NULL)
    collection_walk(c, &w)
    for i in range(count):
        member = collection_next(&w, &n)
        INVARIANT(parse_int64(member, n, &numbers[i]))
    qsort(numbers, count, sizeof(int64_t), by_number)
    width = max(integer_bytes(numbers[0]), integer_bytes(numbers[count - 1]))
    reply_init(&blob)
    store_u32(bytes, width)
    store_u32(bytes + 4, <uint32_t>count)
    reply_raw(&blob, bytes, INTSET_HEADER_BYTES)
    for i in range(count):
        store_u64(bytes, <uint64_t>numbers[i])
        reply_raw(&blob, bytes, width)
    rdb_add_string(out, blob.data, blob.length)
    reply_free(&blob)
    free(numbers)


cdef void rdb_dump_set(Collection* c, int version, Reply* out) noexcept nogil:
    cdef uint32_t marks = collection_marks(c)
    cdef uint8_t type = RDB_TYPE_SET_INTSET
    if marks & SET_TABLE or (marks & SET_LISTPACK and version < RDB_VERSION_SET_LISTPACK):
        type = RDB_TYPE_SET
    elif marks & SET_LISTPACK:
        type = RDB_TYPE_SET_LISTPACK
    reply_raw(out, &type, 1)
    if type == RDB_TYPE_SET:
        dump_table(c, out)
    elif type == RDB_TYPE_SET_LISTPACK:
        dump_listpack(c, out)
    else:
        dump_intset(c, out)


# ---- reading

cdef Status add_new(Set* s, const uint8_t* member, uint64_t n) noexcept nogil:
    """STATUS_MISSING: the member is there already, which no sound payload says."""
    cdef bint added
    cdef Status status = set_add(s, member, n, &added)
    return status if added else STATUS_MISSING


cdef Status read_table(Reader* reader, Set* s) noexcept nogil:
    cdef uint64_t members, _i
    cdef bint encoded
    cdef RdbText member
    cdef Status status = STATUS_OK
    if not rdb_read_length(reader, &members, &encoded) or encoded or members == 0:
        return STATUS_MISSING
    if members > s.intset_members_max:
        collection_mark(&s.c, SET_TABLE)
    for _i in range(members):
        if not rdb_read_string(reader, &member):
            return STATUS_MISSING
        status = add_new(s, member.data, member.size)
        free(member.owned)
        if status != STATUS_OK:
            return status
    return STATUS_OK


cdef Status read_listpack(const RdbText* text, Set* s) noexcept nogil:
    cdef Listpack pack
    cdef ListpackEntry member
    cdef Status status = STATUS_OK
    if not listpack_open(text.data, text.size, &pack) or pack.entries == 0:
        return STATUS_MISSING
    while status == STATUS_OK and listpack_next(&pack, &member):
        status = add_new(s, member.data, member.size)
    # Redis asks only how many there are.
    collection_mark_anew(&s.c, SET_TABLE if pack.entries > s.listpack_members_max else SET_LISTPACK)
    return status


cdef Status read_intset(const RdbText* text, Set* s) noexcept nogil:
    cdef uint32_t width, count, i
    cdef const uint8_t* p
    cdef int64_t number
    cdef char[24] digits
    cdef Status status = STATUS_OK
    if text.size < INTSET_HEADER_BYTES:
        return STATUS_MISSING
    width = load_u32(text.data)
    count = load_u32(text.data + 4)
    if (width != 2 and width != 4 and width != 8) or count == 0 or text.size != INTSET_HEADER_BYTES + <uint64_t>count * width:
        return STATUS_MISSING
    p = text.data + INTSET_HEADER_BYTES
    for i in range(count):
        if width == 2:
            number = <short>load_u16(p + i * 2)
        elif width == 4:
            number = <int>load_u32(p + <uint64_t>i * 4)
        else:
            number = <int64_t>load_u64(p + <uint64_t>i * 8)
        status = add_new(s, <const uint8_t*>digits, <uint64_t>format_int64(digits, number))
        if status != STATUS_OK:
            return status
    collection_mark_anew(&s.c, SET_TABLE if count > s.intset_members_max else 0)
    return status


cdef Status rdb_restore_set(Reader* reader, uint8_t type, Set* s) noexcept nogil:
    cdef RdbText text
    cdef Status status
    if type == RDB_TYPE_SET:
        return read_table(reader, s)
    if not rdb_read_string(reader, &text):
        return STATUS_MISSING
    status = read_intset(&text, s) if type == RDB_TYPE_SET_INTSET else read_listpack(&text, s)
    free(text.owned)
    return status
