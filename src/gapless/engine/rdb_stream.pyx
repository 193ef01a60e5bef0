"""Streams in RDB's format. See rdb_stream.pxd."""
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcmp
from gapless.engine.base cimport (
    STATUS_FULL, STATUS_MISSING, STATUS_OK, STATUS_TOO_LARGE, Status, load_u64, parse_int64, store_u64,
)
from gapless.engine.call cimport Arg
from gapless.engine.listpack cimport (
    Listpack, ListpackEntry, listpack_add, listpack_add_number, listpack_begin, listpack_end, listpack_next, listpack_number_bytes,
    listpack_open,
)
from gapless.engine.rdb cimport RdbText, rdb_add_length, rdb_add_string, rdb_read_length, rdb_read_string
from gapless.engine.reply cimport reply_free, reply_init, reply_raw
from gapless.engine.stream_block cimport Entry, FieldWalk, entry_fields, field_next
from gapless.engine.stream_groups cimport (
    ENTRIES_READ_UNKNOWN, Consumer, Group, PendingState, consumer_name, consumer_next, consumer_see,
    entries_up_to, group_create, group_find, group_name, group_next, group_write, pending_assign, pending_find, pending_from, pending_load,
)
from gapless.engine.stream_id cimport (
    ID_BYTES, StreamId, id_compare, id_increment, id_load, id_max, id_of, id_store,
)
from gapless.engine.stream_value cimport StreamHead, StreamWalk, stream_append, stream_head, stream_next, stream_walk

cdef enum:
    FLAG_DELETED = 1
    FLAG_SAME_FIELDS = 2


# ---- writing

cdef struct Node:
    # The one being written.
    Entry first
    uint64_t entries
    uint64_t items
    Reply body


cdef void add_id(Reply* out, StreamId id) noexcept nogil:
    rdb_add_length(out, id.ms)
    rdb_add_length(out, id.seq)


cdef void add_raw_id(Reply* out, StreamId id) noexcept nogil:
    cdef uint8_t[ID_BYTES] bytes
    id_store(bytes, id)
    reply_raw(out, bytes, ID_BYTES)


cdef void add_time(Reply* out, int64_t ms) noexcept nogil:
    cdef uint8_t[8] bytes
    store_u64(bytes, <uint64_t>ms)
    reply_raw(out, bytes, 8)


cdef bint same_names(const Entry* a, const Entry* b) noexcept nogil:
    cdef FieldWalk left, right
    cdef Arg name, other, value
    if a.fields != b.fields:
        return False
    entry_fields(a, &left)
    entry_fields(b, &right)
    while field_next(&left, &name, &value):
        field_next(&right, &other, &value)
        if name.size != other.size or memcmp(name.data, other.data, name.size) != 0:
            return False
    return True


cdef void node_add(Node* node, const Entry* entry) noexcept nogil:
    cdef FieldWalk w
    cdef Arg name, value
    cdef bint same = same_names(entry, &node.first)
    cdef int64_t items = <int64_t>entry.fields + 3 if same else 2 * <int64_t>entry.fields + 4
    listpack_add_number(&node.body, FLAG_SAME_FIELDS if same else 0)
    listpack_add_number(&node.body, <int64_t>(entry.id.ms - node.first.id.ms))
    listpack_add_number(&node.body, <int64_t>(entry.id.seq - node.first.id.seq))
    if not same:
        listpack_add_number(&node.body, entry.fields)
    entry_fields(entry, &w)
    while field_next(&w, &name, &value):
        if not same:
            listpack_add(&node.body, name.data, <uint32_t>name.size)
        listpack_add(&node.body, value.data, <uint32_t>value.size)
    listpack_add_number(&node.body, items)
    node.entries += 1
    node.items += <uint64_t>items + 1


cdef void node_end(Node* node, Reply* out) noexcept nogil:
    cdef Reply pack
    cdef FieldWalk w
    cdef Arg name, value
    cdef uint8_t[ID_BYTES] key
    cdef size_t begin
    if node.entries == 0:
        return
    reply_init(&pack)
    begin = listpack_begin(&pack)
    listpack_add_number(&pack, <int64_t>node.entries)
    listpack_add_number(&pack, 0)
    listpack_add_number(&pack, node.first.fields)
    entry_fields(&node.first, &w)
    while field_next(&w, &name, &value):
        listpack_add(&pack, name.data, <uint32_t>name.size)
    listpack_add_number(&pack, 0)
    reply_raw(&pack, node.body.data, node.body.length)
    listpack_end(&pack, begin, node.items + node.first.fields + 4)
    id_store(key, node.first.id)
    rdb_add_string(out, key, ID_BYTES)
    rdb_add_string(out, pack.data, pack.length)
    reply_free(&pack)
    node.body.length = 0
    node.entries = 0
    node.items = 0


cdef void dump_entries(Stream* s, Reply* out) noexcept nogil:
    cdef StreamWalk w
    cdef Entry entry
    cdef Node node
    node.entries = 0
    node.items = 0
    reply_init(&node.body)
    rdb_add_length(out, stream_head(s).nodes)
    stream_walk(s, id_of(0, 0), id_max(), False, &w)
    while stream_next(&w, &entry):
        if entry.begins:
            node_end(&node, out)
        if node.entries == 0:
            node.first = entry
        node_add(&node, &entry)
    node_end(&node, out)
    reply_free(&node.body)


cdef void dump_pending(Stream* s, const Group* g, uint32_t consumer, uint64_t count, Reply* out) noexcept nogil:
    """Of a consumer (0: of all, and how often each was delivered)."""
    cdef PendingState state
    cdef StreamId id
    id = id_of(0, 0)
    rdb_add_length(out, count)
    while pending_from(s, g, consumer, &id):
        add_raw_id(out, id)
        if consumer == 0:
            pending_find(s, g, id, &state)
            add_time(out, state.delivered_ms)
            rdb_add_length(out, state.deliveries)
        if not id_increment(&id):
            break


cdef bint seen_tells_all(Stream* s) noexcept nogil:
    """Whether each consumer was last active when it was last seen: what is read into those of whom no more is told."""
    cdef Group g
    cdef Consumer c
    g.key_bytes = 0
    while group_next(s, &g):
        c.key_bytes = 0
        while consumer_next(s, &g, &c):
            if c.state.active_ms != c.state.seen_ms:
                return False
    return True


cdef void dump_group(Stream* s, const Group* g, uint8_t type, Reply* out) noexcept nogil:
    cdef Consumer c
    cdef Arg name
    group_name(s, g, &name)
    rdb_add_string(out, name.data, name.size)
    add_id(out, g.state.last)
    rdb_add_length(out, <uint64_t>g.state.entries_read)
    dump_pending(s, g, 0, g.state.pending, out)
    rdb_add_length(out, g.state.consumers)
    c.key_bytes = 0
    while consumer_next(s, g, &c):
        consumer_name(s, g, c.number, &name)
        rdb_add_string(out, name.data, name.size)
        add_time(out, c.state.seen_ms)
        if type == RDB_TYPE_STREAM_3:
            add_time(out, c.state.active_ms)
        dump_pending(s, g, c.number, c.state.pending, out)


cdef void rdb_dump_stream(Stream* s, int version, Reply* out) noexcept nogil:
    cdef StreamHead* head = stream_head(s)
    cdef uint8_t type = RDB_TYPE_STREAM_3
    cdef Group g
    if version < RDB_VERSION_STREAM_3 and seen_tells_all(s):
        type = RDB_TYPE_STREAM_2
    reply_raw(out, &type, 1)
    dump_entries(s, out)
    rdb_add_length(out, head.length)
    add_id(out, head.last)
    add_id(out, head.first)
    add_id(out, head.deleted_max)
    rdb_add_length(out, head.added)
    rdb_add_length(out, head.groups)
    g.key_bytes = 0
    while group_next(s, &g):
        dump_group(s, &g, type, out)


# ---- reading

cdef bint read_number(Listpack* pack, int64_t* number) noexcept nogil:
    cdef ListpackEntry item
    return listpack_next(pack, &item) and parse_int64(item.data, item.size, number)


cdef bint read_plain_length(Reader* reader, uint64_t* n) noexcept nogil:
    cdef bint encoded
    return rdb_read_length(reader, n, &encoded) and not encoded


cdef bint read_id(Reader* reader, StreamId* id) noexcept nogil:
    cdef uint64_t ms, seq
    if not read_plain_length(reader, &ms) or not read_plain_length(reader, &seq):
        return False
    id[0] = id_of(ms, seq)
    return True


cdef bint read_raw_id(Reader* reader, StreamId* id) noexcept nogil:
    if reader.end - reader.at < ID_BYTES:
        return False
    id[0] = id_load(reader.at)
    reader.at += ID_BYTES
    return True


cdef bint read_time(Reader* reader, int64_t* ms) noexcept nogil:
    if reader.end - reader.at < 8:
        return False
    ms[0] = <int64_t>load_u64(reader.at)
    reader.at += 8
    return True


cdef struct NodeReader:
    # A listpack being read: its items, those of an entry as pairs.
    Listpack pack
    StreamId id
    int64_t entries
    int64_t deleted
    uint32_t fields            # of the names
    ListpackEntry* items       # room for all of the listpack: names, then those of an entry as names and values
    Arg* pairs


cdef inline void as_arg(const ListpackEntry* item, Arg* out) noexcept nogil:
    out.data = item.data
    out.size = item.size


cdef Status read_entry(NodeReader* node, Stream* s) noexcept nogil:
    cdef int64_t flags, ms, seq, fields = node.fields, items, i
    cdef ListpackEntry* pair = node.items + node.fields
    cdef StreamId id
    cdef bint same
    if not read_number(&node.pack, &flags) or not read_number(&node.pack, &ms) or not read_number(&node.pack, &seq):
        return STATUS_MISSING
    same = (flags & FLAG_SAME_FIELDS) != 0
    if not same and not read_number(&node.pack, &fields):
        return STATUS_MISSING
    if fields < 1 or fields > node.pack.entries:
        return STATUS_MISSING
    for i in range(fields):
        if same:
            as_arg(&node.items[i], &node.pairs[2 * i])
        else:
            if not listpack_next(&node.pack, &pair[2 * i]):
                return STATUS_MISSING
            as_arg(&pair[2 * i], &node.pairs[2 * i])
        if not listpack_next(&node.pack, &pair[2 * i + 1]):
            return STATUS_MISSING
        as_arg(&pair[2 * i + 1], &node.pairs[2 * i + 1])
    if not read_number(&node.pack, &items) or items != (fields + 3 if same else 2 * fields + 4):
        return STATUS_MISSING
    if flags & FLAG_DELETED:
        node.deleted -= 1
        return STATUS_OK
    node.entries -= 1
    id = id_of(node.id.ms + <uint64_t>ms, node.id.seq + <uint64_t>seq)
    if node.entries < 0 or id_compare(id, stream_head(s).last) <= 0:
        return STATUS_MISSING
    return stream_append(s, id, node.pairs, <uint32_t>fields)


cdef Status read_items(NodeReader* node, Stream* s) noexcept nogil:
    cdef int64_t fields, end, deleted
    cdef uint32_t i
    cdef Status status = STATUS_OK
    if not read_number(&node.pack, &node.entries) or not read_number(&node.pack, &node.deleted) or not read_number(&node.pack, &fields):
        return STATUS_MISSING
    deleted = node.deleted
    if node.entries < 1 or deleted < 0 or fields < 1 or fields > node.pack.entries or deleted > node.pack.entries:
        return STATUS_MISSING
    node.fields = <uint32_t>fields
    for i in range(node.fields):
        if not listpack_next(&node.pack, &node.items[i]):
            return STATUS_MISSING
    if not read_number(&node.pack, &end) or end != 0:
        return STATUS_MISSING
    # What Redis has in one node is one here.
    stream_head(s).node_live = 0
    while status == STATUS_OK and node.pack.at < node.pack.end:
        status = read_entry(node, s)
    if status != STATUS_OK:
        return status
    if node.entries or node.deleted:
        return STATUS_MISSING
    stream_head(s).node_deleted = <uint32_t>deleted
    return STATUS_OK


cdef Status read_node(Reader* reader, Stream* s) noexcept nogil:
    cdef RdbText key, text
    cdef NodeReader node
    cdef Status status = STATUS_MISSING
    if not rdb_read_string(reader, &key):
        return STATUS_MISSING
    if key.size == ID_BYTES:
        node.id = id_load(key.data)
        status = STATUS_OK
    free(key.owned)
    if status != STATUS_OK or not rdb_read_string(reader, &text):
        return STATUS_MISSING
    if not listpack_open(text.data, text.size, &node.pack):
        free(text.owned)
        return STATUS_MISSING
    node.items = <ListpackEntry*>malloc((3 * <uint64_t>node.pack.entries + 1) * sizeof(ListpackEntry))
    node.pairs = <Arg*>malloc((2 * <uint64_t>node.pack.entries + 1) * sizeof(Arg))
    if node.items == NULL or node.pairs == NULL:
        status = STATUS_FULL
    else:
        status = read_items(&node, s)
    if status == STATUS_OK:
        stream_head(s).node_bytes = <uint32_t>(text.size - listpack_number_bytes(stream_head(s).node_live)
                                               - listpack_number_bytes(stream_head(s).node_deleted))
    free(node.items)
    free(node.pairs)
    free(text.owned)
    return status


cdef Status read_entries(Reader* reader, uint8_t type, Stream* s) noexcept nogil:
    cdef StreamHead* head = stream_head(s)
    cdef uint64_t nodes, length, added, _i, bytes_max = s.node_bytes_max, entries_max = s.node_entries_max
    cdef StreamId last, first, deleted_max
    cdef Status status = STATUS_OK
    if not read_plain_length(reader, &nodes):
        return STATUS_MISSING
    s.node_bytes_max = 0
    s.node_entries_max = 0
    for _i in range(nodes):
        status = read_node(reader, s)
        if status != STATUS_OK:
            return STATUS_MISSING if status == STATUS_TOO_LARGE else status
    s.node_bytes_max = bytes_max
    s.node_entries_max = entries_max
    deleted_max = id_of(0, 0)
    if not read_plain_length(reader, &length) or not read_id(reader, &last):
        return STATUS_MISSING
    added = length
    if type != RDB_TYPE_STREAM_1 and (not read_id(reader, &first) or not read_id(reader, &deleted_max)
                                      or not read_plain_length(reader, &added)):
        return STATUS_MISSING
    if length != head.length or id_compare(last, head.last) < 0:
        return STATUS_MISSING
    head.last = last
    head.deleted_max = deleted_max
    head.added = added
    return STATUS_OK


cdef Status read_consumer(Reader* reader, uint8_t type, Stream* s, Group* g, uint64_t* owned) noexcept nogil:
    cdef RdbText name
    cdef Arg arg
    cdef Consumer c
    cdef StreamId id
    cdef uint64_t count, _i
    cdef int64_t seen_ms, active_ms
    cdef bint made = False
    cdef Status status
    if not rdb_read_string(reader, &name):
        return STATUS_MISSING
    arg.data = name.data
    arg.size = name.size
    status = consumer_see(s, g, &arg, &c, &made)
    free(name.owned)
    if status != STATUS_OK:
        return status
    if not made or not read_time(reader, &seen_ms):
        return STATUS_MISSING
    active_ms = seen_ms
    if type == RDB_TYPE_STREAM_3 and not read_time(reader, &active_ms):
        return STATUS_MISSING
    c.state.seen_ms = seen_ms
    c.state.active_ms = active_ms
    if not read_plain_length(reader, &count):
        return STATUS_MISSING
    for _i in range(count):
        if not read_raw_id(reader, &id):
            return STATUS_MISSING
        status = pending_assign(s, g, id, c.number)
        if status != STATUS_OK:
            return status
    owned[0] += count
    group_write(s, g)
    return STATUS_OK


cdef Status read_group(Reader* reader, uint8_t type, Stream* s) noexcept nogil:
    cdef RdbText name
    cdef Arg arg
    cdef Group g
    cdef PendingState state
    cdef StreamId last, id
    cdef int64_t delivered_ms
    cdef uint64_t deliveries
    cdef uint64_t entries_read = <uint64_t>ENTRIES_READ_UNKNOWN, pending, consumers, owned = 0, _i
    cdef Status status = STATUS_MISSING
    if not rdb_read_string(reader, &name):
        return STATUS_MISSING
    arg.data = name.data
    arg.size = name.size
    if read_id(reader, &last) and (type == RDB_TYPE_STREAM_1 or read_plain_length(reader, &entries_read)):
        if type == RDB_TYPE_STREAM_1:
            entries_read = <uint64_t>entries_up_to(s, last)
        if <int64_t>entries_read >= ENTRIES_READ_UNKNOWN and not group_find(s, &arg, &g):
            status = group_create(s, &arg, last, <int64_t>entries_read, &g)
    free(name.owned)
    if status != STATUS_OK:
        return status
    if not read_plain_length(reader, &pending):
        return STATUS_MISSING
    for _i in range(pending):
        if not read_raw_id(reader, &id) or not read_time(reader, &delivered_ms) or not read_plain_length(reader, &deliveries):
            return STATUS_MISSING
        state.delivered_ms = delivered_ms
        state.deliveries = deliveries
        status = pending_load(s, &g, id, &state)
        if status != STATUS_OK:
            return status
    group_write(s, &g)
    if not read_plain_length(reader, &consumers):
        return STATUS_MISSING
    for _i in range(consumers):
        status = read_consumer(reader, type, s, &g, &owned)
        if status != STATUS_OK:
            return status
    return STATUS_OK if owned == pending else STATUS_MISSING


cdef Status rdb_restore_stream(Reader* reader, uint8_t type, Stream* s) noexcept nogil:
    cdef uint64_t groups, _i
    cdef Status status = read_entries(reader, type, s)
    if status != STATUS_OK:
        return status
    if not read_plain_length(reader, &groups):
        return STATUS_MISSING
    for _i in range(groups):
        status = read_group(reader, type, s)
        if status != STATUS_OK:
            return status
    return STATUS_OK
