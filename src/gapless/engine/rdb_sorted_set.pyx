from libc.math cimport INFINITY, isnan
from libc.stddef cimport ptrdiff_t, size_t
from libc.stdint cimport uint32_t, uint64_t
from libc.stdlib cimport free
from libc.string cimport memcpy
from gapless.engine.base cimport STATUS_MISSING, STATUS_OK, Status
from gapless.engine.collection cimport collection_count, collection_mark, collection_mark_anew, collection_marks
from gapless.engine.listpack cimport (
    Listpack, ListpackEntry, listpack_add, listpack_begin, listpack_end, listpack_next, listpack_open,
)
from gapless.engine.rdb cimport RdbText, rdb_add_length, rdb_add_string, rdb_read_length, rdb_read_string
from gapless.engine.record cimport ZSET_TABLE
from gapless.engine.reply cimport format_double, reply_free, reply_init, reply_raw
from gapless.engine.score cimport parse_score
from gapless.engine.sorted_set_value cimport (
    Member, SortedWalk, sorted_set_find, sorted_set_next, sorted_set_put, sorted_set_walk,
)
from gapless.engine.ziplist cimport Ziplist, ziplist_next, ziplist_open

cdef enum:
    SCORE_NAN = 253
    SCORE_INFINITE = 254
    SCORE_MINUS_INFINITE = 255


# ---- writing

cdef void dump_table(SortedSet* s, Reply* out) noexcept nogil:
    cdef SortedWalk w
    cdef Member m
    rdb_add_length(out, collection_count(&s.c))
    sorted_set_walk(s, 0, collection_count(&s.c), True, &w)
    while sorted_set_next(&w, &m):
        rdb_add_string(out, m.name, m.bytes)
        reply_raw(out, &m.score, sizeof(double))


cdef void dump_listpack(SortedSet* s, Reply* out) noexcept nogil:
    cdef SortedWalk w
    cdef Member m
    cdef Reply pack
    cdef char[48] text
    cdef size_t begin
    reply_init(&pack)
    begin = listpack_begin(&pack)
    sorted_set_walk(s, 0, collection_count(&s.c), False, &w)
    while sorted_set_next(&w, &m):
        listpack_add(&pack, m.name, m.bytes)
        listpack_add(&pack, <const uint8_t*>text, <uint32_t>format_double(text, m.score))
    listpack_end(&pack, begin, collection_count(&s.c) * 2)
    rdb_add_string(out, pack.data, pack.length)
    reply_free(&pack)


cdef void rdb_dump_sorted_set(SortedSet* s, Reply* out) noexcept nogil:
    cdef uint8_t type = RDB_TYPE_ZSET if collection_marks(&s.c) & ZSET_TABLE else RDB_TYPE_ZSET_LISTPACK
    reply_raw(out, &type, 1)
    if type == RDB_TYPE_ZSET:
        dump_table(s, out)
    else:
        dump_listpack(s, out)


# ---- reading

cdef Status add_new(SortedSet* s, const uint8_t* name, uint64_t n, double score) noexcept nogil:
    """STATUS_MISSING: the member is there already, which no sound payload says."""
    if sorted_set_find(s, name, n):
        return STATUS_MISSING
    return sorted_set_put(s, name, n, score)


cdef bint read_binary_score(Reader* reader, double* score) noexcept nogil:
    if reader.end - reader.at < <ptrdiff_t>sizeof(double):
        return False
    memcpy(score, reader.at, sizeof(double))
    reader.at += sizeof(double)
    return not isnan(score[0])


cdef bint read_text_score(Reader* reader, double* score) noexcept nogil:
    cdef uint32_t n
    if reader.at >= reader.end:
        return False
    n = reader.at[0]
    reader.at += 1
    if n >= SCORE_NAN:
        score[0] = INFINITY if n == SCORE_INFINITE else -INFINITY
        return n != SCORE_NAN
    if reader.end - reader.at < <ptrdiff_t>n or not parse_score(reader.at, n, score):
        return False
    reader.at += n
    return True


cdef inline bint read_member(Reader* reader, bint texts, RdbText* name, double* score) noexcept nogil:
    """name.owned is the caller's to free, when True."""
    if not rdb_read_string(reader, name):
        return False
    if read_text_score(reader, score) if texts else read_binary_score(reader, score):
        return True
    free(name.owned)
    return False


cdef bint too_long(Reader reader, uint64_t members, bint texts, uint64_t most) noexcept nogil:
    """Whether a member is longer than that."""
    cdef uint64_t _i
    cdef RdbText name
    cdef double score
    for _i in range(members):
        if not read_member(&reader, texts, &name, &score):
            return False
        free(name.owned)
        if name.size > most:
            return True
    return False


cdef Status read_table(Reader* reader, SortedSet* s, bint texts) noexcept nogil:
    cdef uint64_t members, _i
    cdef bint encoded
    cdef double score
    cdef RdbText name
    cdef Status status
    if not rdb_read_length(reader, &members, &encoded) or encoded or members == 0:
        return STATUS_MISSING
    if members > s.listpack_members_max or too_long(reader[0], members, texts, s.listpack_value_max):
        collection_mark(&s.c, ZSET_TABLE)
    for _i in range(members):
        if not read_member(reader, texts, &name, &score):
            return STATUS_MISSING
        status = add_new(s, name.data, name.size, score)
        free(name.owned)
        if status != STATUS_OK:
            return status
    return STATUS_OK


cdef Status add_packed(SortedSet* s, const ListpackEntry* name, const ListpackEntry* number) noexcept nogil:
    cdef double score
    return add_new(s, name.data, name.size, score) if parse_score(number.data, number.size, &score) else STATUS_MISSING


cdef Status settle(SortedSet* s, Status status) noexcept nogil:
    """Of what was packed Redis asks only how many there are."""
    collection_mark_anew(&s.c, ZSET_TABLE if collection_count(&s.c) > s.listpack_members_max else 0)
    return status


cdef Status read_listpack(const RdbText* text, SortedSet* s) noexcept nogil:
    cdef Listpack pack
    cdef ListpackEntry name, number
    cdef Status status = STATUS_OK
    if not listpack_open(text.data, text.size, &pack) or pack.entries == 0 or pack.entries % 2 != 0:
        return STATUS_MISSING
    while status == STATUS_OK and listpack_next(&pack, &name):
        listpack_next(&pack, &number)
        status = add_packed(s, &name, &number)
    return settle(s, status)


cdef Status read_ziplist(const RdbText* text, SortedSet* s) noexcept nogil:
    cdef Ziplist pack
    cdef ListpackEntry name, number
    cdef Status status = STATUS_OK
    if not ziplist_open(text.data, text.size, &pack) or pack.entries == 0 or pack.entries % 2 != 0:
        return STATUS_MISSING
    while status == STATUS_OK and ziplist_next(&pack, &name):
        ziplist_next(&pack, &number)
        status = add_packed(s, &name, &number)
    return settle(s, status)


cdef Status rdb_restore_sorted_set(Reader* reader, uint8_t type, SortedSet* s) noexcept nogil:
    cdef RdbText text
    cdef Status status
    if type == RDB_TYPE_ZSET or type == RDB_TYPE_ZSET_TEXTS:
        return read_table(reader, s, type == RDB_TYPE_ZSET_TEXTS)
    if not rdb_read_string(reader, &text):
        return STATUS_MISSING
    status = read_ziplist(&text, s) if type == RDB_TYPE_ZSET_ZIPLIST else read_listpack(&text, s)
    free(text.owned)
    return status
