from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.stdlib cimport free
from gapless.engine.base cimport STATUS_MISSING, STATUS_OK, Status
from gapless.engine.collection cimport collection_marks
from gapless.engine.list_nodes cimport (
    LISTPACK_EMPTY_BYTES, ListNodes, node_is_plain, nodes_append, nodes_begin, nodes_ends, nodes_push,
)
from gapless.engine.list_value cimport (
    ListWalk, list_length, list_next, list_nodes, list_push, list_settle, list_walk,
)
from gapless.engine.listpack cimport (
    Listpack, ListpackEntry, listpack_add, listpack_begin, listpack_end, listpack_entry_bytes, listpack_next, listpack_open,
)
from gapless.engine.rdb cimport RdbText, rdb_add_length, rdb_add_string, rdb_read_length, rdb_read_string
from gapless.engine.record cimport LIST_QUICKLIST
from gapless.engine.reply cimport reply_free, reply_init, reply_raw
from gapless.engine.ziplist cimport Ziplist, ziplist_next, ziplist_open

cdef enum:
    CONTAINER_PLAIN = 1
    CONTAINER_PACKED = 2


# ---- writing

cdef void dump_node(ListWalk* w, uint32_t count, const ListNodes* nodes, Reply* pack, Reply* out) noexcept nogil:
    """The next `count` elements as one node. nodes: NULL of a list that is a listpack. pack: a buffer."""
    cdef const uint8_t* element
    cdef uint32_t n = 0, _i
    cdef size_t begin
    pack.length = 0
    begin = listpack_begin(pack)
    for _i in range(count):
        element = list_next(w, &n)
        if count == 1 and nodes != NULL and node_is_plain(nodes.fill, n):
            rdb_add_length(out, CONTAINER_PLAIN)
            rdb_add_string(out, element, n)
            return
        listpack_add(pack, element, n)
    listpack_end(pack, begin, count)
    rdb_add_length(out, CONTAINER_PACKED)
    rdb_add_string(out, pack.data, pack.length)


cdef void rdb_dump_list(List* l, Reply* out) noexcept nogil:
    cdef ListWalk w
    cdef Reply pack
    cdef uint8_t type = RDB_TYPE_LIST_QUICKLIST_2
    cdef uint32_t nodes = 1, before = 0, i
    cdef uint32_t* ends
    reply_raw(out, &type, 1)
    reply_init(&pack)
    list_walk(l, 0, False, &w)
    if collection_marks(&l.c) & LIST_QUICKLIST:
        ends = nodes_ends(l.c.keys.forest, l.c.tree, list_nodes(l), &nodes)
        rdb_add_length(out, nodes)
        for i in range(nodes):
            dump_node(&w, ends[i] - before, list_nodes(l), &pack, out)
            before = ends[i]
        free(ends)
    else:
        rdb_add_length(out, 1)
        dump_node(&w, <uint32_t>list_length(l), NULL, &pack, out)
    reply_free(&pack)


# ---- reading

cdef struct Loading:
    List* list
    ListNodes nodes            # as the payload has them
    bint plain                 # the last node is one element
    # of the node that is being read
    uint32_t count
    uint64_t bytes
    uint64_t first_bytes


cdef inline Status add_element(Loading* loading, const uint8_t* element, uint64_t n) noexcept nogil:
    if loading.count == 0:
        loading.first_bytes = n
    loading.count += 1
    loading.bytes += listpack_entry_bytes(element, <uint32_t>n)
    return list_push(loading.list, False, element, n)


cdef inline void end_node(Loading* loading, uint32_t before) noexcept nogil:
    """REQUIRED: it has elements; `before`: how many the nodes before it have."""
    nodes_append(&loading.nodes, before, loading.count, loading.bytes, loading.first_bytes)


cdef Status read_elements(Reader* reader, Loading* loading) noexcept nogil:
    cdef uint64_t count, i
    cdef bint encoded
    cdef RdbText element
    cdef Status status
    if not rdb_read_length(reader, &count, &encoded) or encoded:
        return STATUS_MISSING
    for i in range(count):
        if not rdb_read_string(reader, &element):
            return STATUS_MISSING
        status = list_push(loading.list, False, element.data, element.size)
        nodes_push(&loading.nodes, <uint32_t>i, False, element.size, listpack_entry_bytes(element.data, <uint32_t>element.size))
        loading.plain = node_is_plain(loading.nodes.fill, element.size)
        free(element.owned)
        if status != STATUS_OK:
            return status
    return STATUS_OK


cdef Status read_ziplist(const RdbText* text, Loading* loading) noexcept nogil:
    cdef Ziplist zip
    cdef ListpackEntry element
    cdef Status status = STATUS_OK
    if not ziplist_open(text.data, text.size, &zip):
        return STATUS_MISSING
    while status == STATUS_OK and ziplist_next(&zip, &element):
        status = add_element(loading, element.data, element.size)
    return status


cdef Status read_listpack(const RdbText* text, Loading* loading) noexcept nogil:
    cdef Listpack pack
    cdef ListpackEntry element
    cdef Status status = STATUS_OK
    if not listpack_open(text.data, text.size, &pack):
        return STATUS_MISSING
    while status == STATUS_OK and listpack_next(&pack, &element):
        status = add_element(loading, element.data, element.size)
    return status


cdef Status read_node(Reader* reader, uint8_t type, Loading* loading) noexcept nogil:
    cdef uint64_t container = CONTAINER_PACKED
    cdef uint32_t before = <uint32_t>list_length(loading.list)
    cdef bint encoded
    cdef RdbText text
    cdef Status status
    if type == RDB_TYPE_LIST_QUICKLIST_2 and (not rdb_read_length(reader, &container, &encoded) or encoded):
        return STATUS_MISSING
    if (container != CONTAINER_PLAIN and container != CONTAINER_PACKED) or not rdb_read_string(reader, &text):
        return STATUS_MISSING
    loading.count = 0
    loading.bytes = LISTPACK_EMPTY_BYTES
    loading.plain = container == CONTAINER_PLAIN
    if text.size == 0:
        status = STATUS_MISSING
    elif loading.plain:
        status = add_element(loading, text.data, text.size)
        loading.bytes = text.size
    elif type == RDB_TYPE_LIST_QUICKLIST_2:
        status = read_listpack(&text, loading)
    else:
        status = read_ziplist(&text, loading)
    free(text.owned)
    if status == STATUS_OK and loading.count > 0:
        end_node(loading, before)
    return status


cdef Status read_nodes(Reader* reader, uint8_t type, Loading* loading) noexcept nogil:
    cdef uint64_t nodes = 1, _i
    cdef bint encoded
    cdef Status status = STATUS_OK
    if type != RDB_TYPE_LIST_ZIPLIST and (not rdb_read_length(reader, &nodes, &encoded) or encoded):
        return STATUS_MISSING
    for _i in range(nodes):
        status = read_node(reader, type, loading)
        if status != STATUS_OK:
            break
    return status


cdef Status rdb_restore_list(Reader* reader, uint8_t type, List* l) noexcept nogil:
    cdef Loading loading
    cdef Status status
    loading.list = l
    loading.plain = False
    nodes_begin(&loading.nodes, l.fill, 0, LISTPACK_EMPTY_BYTES)
    status = read_elements(reader, &loading) if type == RDB_TYPE_LIST else read_nodes(reader, type, &loading)
    if status != STATUS_OK:
        return status
    return list_settle(l, &loading.nodes, loading.plain) if list_length(l) > 0 else STATUS_MISSING
