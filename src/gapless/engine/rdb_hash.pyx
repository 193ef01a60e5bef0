from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport free, malloc, qsort
from gapless.engine.base cimport INVARIANT, STATUS_MISSING, STATUS_OK, Status, load_u64, parse_int64
from gapless.engine.collection cimport (
    CollectionWalk, collection_count, collection_mark, collection_mark_anew, collection_marks, collection_walk,
)
from gapless.engine.hash_value cimport FIELD_NO_EXPIRY, Field, Hash, hash_find, hash_next, hash_put
from gapless.engine.listpack cimport (
    Listpack, ListpackEntry, listpack_add, listpack_add_number, listpack_begin, listpack_end, listpack_next, listpack_open,
)
from gapless.engine.rdb cimport RdbText, rdb_add_length, rdb_add_string, rdb_read_length, rdb_read_string
from gapless.engine.record cimport HASH_EXPIRIES, HASH_TABLE
from gapless.engine.reply cimport reply_free, reply_init, reply_raw
from gapless.engine.ziplist cimport Ziplist, ziplist_next, ziplist_open
from gapless.engine.zipmap cimport Zipmap, ZipmapField, zipmap_next, zipmap_open

# The latest time of a field.
cdef int64_t EXPIRE_MS_MAX = (<int64_t>1 << 46) - 1


# ---- writing

cdef uint64_t earliest(Hash* h, uint64_t* fields) noexcept nogil:
    """The first expiry of all, 0: none; how many fields are there."""
    cdef CollectionWalk w
    cdef Field field
    cdef uint64_t first = 0
    fields[0] = 0
    collection_walk(&h.c, &w)
    while hash_next(&w, &field):
        fields[0] += 1
        if field.expire_ms >= 0 and (first == 0 or <uint64_t>field.expire_ms < first):
            first = <uint64_t>field.expire_ms
    return first


cdef void dump_table(Hash* h, Reply* out, uint64_t first, uint64_t fields) noexcept nogil:
    cdef CollectionWalk w
    cdef Field field
    rdb_add_length(out, fields)
    collection_walk(&h.c, &w)
    while hash_next(&w, &field):
        if first:
            rdb_add_length(out, <uint64_t>field.expire_ms - first + 1 if field.expire_ms >= 0 else 0)
        rdb_add_string(out, field.name, field.name_bytes)
        rdb_add_string(out, field.value, field.value_bytes)


cdef int by_expiry(const void* a, const void* b) noexcept nogil:
    # Without expiry is -1, which as an unsigned number is the latest. Equal ones keep their order: the names lie in that order.
    cdef const Field* first = <const Field*>a
    cdef const Field* second = <const Field*>b
    if first.expire_ms != second.expire_ms:
        return -1 if <uint64_t>first.expire_ms < <uint64_t>second.expire_ms else 1
    return (first.name > second.name) - (first.name < second.name)


cdef void dump_listpack(Hash* h, Reply* out, bint expiries, uint64_t fields) noexcept nogil:
    cdef Field* all = <Field*>malloc((fields + 1) * sizeof(Field))
    cdef CollectionWalk w
    cdef Reply pack
    cdef uint64_t i = 0
    cdef size_t begin
    INVARIANT(all != NULL)
    collection_walk(&h.c, &w)
    while hash_next(&w, &all[i]):
        i += 1
    if expiries:
        qsort(all, fields, sizeof(Field), by_expiry)
    reply_init(&pack)
    begin = listpack_begin(&pack)
    for i in range(fields):
        listpack_add(&pack, all[i].name, all[i].name_bytes)
        listpack_add(&pack, all[i].value, all[i].value_bytes)
        if expiries:
            listpack_add_number(&pack, max(all[i].expire_ms, <int64_t>0))
    listpack_end(&pack, begin, fields * (3 if expiries else 2))
    rdb_add_string(out, pack.data, pack.length)
    reply_free(&pack)
    free(all)


cdef void rdb_dump_hash(Hash* h, Reply* out) noexcept nogil:
    cdef uint32_t marks = collection_marks(&h.c)
    cdef uint64_t fields
    cdef uint64_t first = earliest(h, &fields)
    cdef uint8_t type
    cdef bint expiries
    if marks & HASH_TABLE:
        type = RDB_TYPE_HASH_EXPIRIES if first else RDB_TYPE_HASH
        expiries = first != 0
    else:
        expiries = (marks & HASH_EXPIRIES) != 0
        type = RDB_TYPE_HASH_LISTPACK_EXPIRIES if expiries else RDB_TYPE_HASH_LISTPACK
    reply_raw(out, &type, 1)
    if expiries:
        reply_raw(out, &first, 8)
    if marks & HASH_TABLE:
        dump_table(h, out, first, fields)
    else:
        dump_listpack(h, out, expiries, fields)


# ---- reading

cdef Status put_new(Hash* h, const Field* field) noexcept nogil:
    """STATUS_MISSING: the field is there already, which no sound payload says."""
    cdef Field old
    if hash_find(h, field.name, field.name_bytes, &old):
        return STATUS_MISSING
    return hash_put(h, field)


cdef bint read_pair(Reader* reader, RdbText* name, RdbText* value, Field* field) noexcept nogil:
    """The next two strings, as a field; False: they are none. Otherwise both texts are the caller's to free."""
    if not rdb_read_string(reader, name):
        return False
    if not rdb_read_string(reader, value):
        free(name.owned)
        return False
    field.name = name.data
    field.name_bytes = <uint32_t>name.size
    field.value = value.data
    field.value_bytes = <uint32_t>value.size
    return True


cdef Status read_timed(Reader* reader, Hash* h) noexcept nogil:
    """Valkey's: the expiry behind field and value, -1: none."""
    cdef uint64_t fields, _i
    cdef bint encoded
    cdef RdbText name, value
    cdef Field field
    cdef Status status = STATUS_OK
    if not rdb_read_length(reader, &fields, &encoded) or encoded or fields == 0:
        return STATUS_MISSING
    if fields > h.packed_fields_max:
        collection_mark(&h.c, HASH_TABLE)
    for _i in range(fields):
        if not read_pair(reader, &name, &value, &field):
            return STATUS_MISSING
        status = STATUS_MISSING
        if reader.end - reader.at >= 8:
            field.expire_ms = <int64_t>load_u64(reader.at)
            reader.at += 8
            if FIELD_NO_EXPIRY <= field.expire_ms <= EXPIRE_MS_MAX:
                status = put_new(h, &field)
        free(name.owned)
        free(value.owned)
        if status != STATUS_OK:
            return status
    return STATUS_OK


cdef Status read_table(Reader* reader, Hash* h, uint8_t type, uint64_t first) noexcept nogil:
    cdef uint64_t fields, _i, distance
    cdef bint encoded
    cdef RdbText name, value
    cdef Field field
    cdef Status status = STATUS_OK
    if not rdb_read_length(reader, &fields, &encoded) or encoded or fields == 0:
        return STATUS_MISSING
    if fields > h.packed_fields_max:
        collection_mark(&h.c, HASH_TABLE)
    for _i in range(fields):
        field.expire_ms = FIELD_NO_EXPIRY
        if type != RDB_TYPE_HASH:
            if not rdb_read_length(reader, &distance, &encoded) or encoded:
                return STATUS_MISSING
            if distance:
                # From the earliest, plus 1; in the old form the time itself.
                distance -= type == RDB_TYPE_HASH_EXPIRIES
                if distance > <uint64_t>EXPIRE_MS_MAX or first > <uint64_t>EXPIRE_MS_MAX - distance:
                    return STATUS_MISSING
                field.expire_ms = <int64_t>(first + distance)
        if not read_pair(reader, &name, &value, &field):
            return STATUS_MISSING
        status = put_new(h, &field)
        free(name.owned)
        free(value.owned)
        if status != STATUS_OK:
            return status
    return STATUS_OK


cdef inline Status put_pair(Hash* h, const ListpackEntry* name, const ListpackEntry* value, int64_t expire_ms) noexcept nogil:
    cdef Field field
    field.name = name.data
    field.name_bytes = name.size
    field.value = value.data
    field.value_bytes = value.size
    field.expire_ms = expire_ms
    return put_new(h, &field)


cdef Status read_listpack(const RdbText* text, Hash* h, bint expiries) noexcept nogil:
    cdef Listpack pack
    cdef ListpackEntry name, value, time
    cdef int64_t expire_ms = 0
    cdef Status status = STATUS_OK
    if not listpack_open(text.data, text.size, &pack) or pack.entries == 0 or pack.entries % (3 if expiries else 2) != 0:
        return STATUS_MISSING
    while status == STATUS_OK and listpack_next(&pack, &name):
        listpack_next(&pack, &value)
        if expiries:
            listpack_next(&pack, &time)
            if not parse_int64(time.data, time.size, &expire_ms) or expire_ms < 0 or expire_ms > EXPIRE_MS_MAX:
                return STATUS_MISSING
        status = put_pair(h, &name, &value, expire_ms if expire_ms else FIELD_NO_EXPIRY)
    return status


cdef Status read_ziplist(const RdbText* text, Hash* h) noexcept nogil:
    cdef Ziplist pack
    cdef ListpackEntry name, value
    cdef Status status = STATUS_OK
    if not ziplist_open(text.data, text.size, &pack) or pack.entries == 0 or pack.entries % 2 != 0:
        return STATUS_MISSING
    while status == STATUS_OK and ziplist_next(&pack, &name):
        ziplist_next(&pack, &value)
        status = put_pair(h, &name, &value, FIELD_NO_EXPIRY)
    return status


cdef Status read_zipmap(const RdbText* text, Hash* h) noexcept nogil:
    cdef Zipmap pack
    cdef ZipmapField pair
    cdef Field field
    cdef Status status = STATUS_OK
    if not zipmap_open(text.data, text.size, &pack):
        return STATUS_MISSING
    field.expire_ms = FIELD_NO_EXPIRY
    while status == STATUS_OK and zipmap_next(&pack, &pair):
        field.name = pair.name
        field.name_bytes = pair.name_bytes
        field.value = pair.value
        field.value_bytes = pair.value_bytes
        status = put_new(h, &field)
    return status if collection_count(&h.c) > 0 else STATUS_MISSING


cdef Status read_packed(Reader* reader, uint8_t type, Hash* h, bint expiries) noexcept nogil:
    cdef RdbText text
    cdef Status status
    if not rdb_read_string(reader, &text):
        return STATUS_MISSING
    if type == RDB_TYPE_HASH_ZIPMAP:
        status = read_zipmap(&text, h)
    else:
        status = read_ziplist(&text, h) if type == RDB_TYPE_HASH_ZIPLIST else read_listpack(&text, h, expiries)
        # Redis asks only how many there are.
        collection_mark_anew(&h.c, HASH_TABLE if collection_count(&h.c) > h.packed_fields_max else 0)
    free(text.owned)
    return status


cdef Status rdb_restore_hash(Reader* reader, uint8_t type, Hash* h) noexcept nogil:
    cdef bint expiries = type >= RDB_TYPE_HASH_EXPIRIES_OLD
    cdef uint64_t first = 0
    cdef Status status
    if type == RDB_TYPE_HASH_EXPIRIES or type == RDB_TYPE_HASH_LISTPACK_EXPIRIES:
        if reader.end - reader.at < 8:
            return STATUS_MISSING
        first = load_u64(reader.at)
        reader.at += 8
    if type == RDB_TYPE_HASH_EXPIRIES_OLD and reader.valkey:
        status = read_timed(reader, h)
    elif type == RDB_TYPE_HASH or type == RDB_TYPE_HASH_EXPIRIES or type == RDB_TYPE_HASH_EXPIRIES_OLD:
        status = read_table(reader, h, type, first)
    else:
        status = read_packed(reader, type, h, expiries)
    if status == STATUS_OK and expiries and collection_count(&h.c) > 0:
        collection_mark(&h.c, HASH_EXPIRIES)
    return status
