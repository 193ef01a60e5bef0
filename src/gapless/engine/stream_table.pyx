"""Tables of streams. See stream_table.pxd."""
from libc.string cimport memcmp, memcpy, memmove
from gapless.engine.base cimport INVARIANT, STATUS_OK
from gapless.engine.forest cimport ORDER_BYTES, Forest, Tree, node_at, tree_begin, tree_retire
from gapless.engine.record cimport read_varint, varint_bytes, write_varint
from gapless.engine.stream_value cimport (
    STREAM_TREE_TABLE, TABLE_BYTES_MAX, stream_head, stream_packed_table, stream_reserve, stream_tree,
)
from gapless.engine.tree cimport tree_at, tree_element, tree_find, tree_insert, tree_next, tree_note, tree_previous, tree_remove
from gapless.engine.tree_key cimport Key, separator_key
from gapless.engine.tree_notes cimport NOTE_PUT


cdef inline bint on_tree(const Stream* s) noexcept nogil:
    return stream_tree(s, STREAM_TREE_TABLE).root != 0


cdef void look_at(Stream* s, uint32_t at, TablePlace* out) noexcept nogil:
    """At the packed element there, or the end."""
    cdef uint8_t* table = stream_packed_table(s)
    cdef uint32_t n
    out.at = at
    out.bytes = 0
    if at < stream_head(s).table_bytes:
        out.bytes = <uint32_t>(read_varint(table + at, &n) - (table + at)) + n


cdef bint find_packed(Stream* s, const uint8_t* key, uint32_t n, TablePlace* at) noexcept nogil:
    cdef const uint8_t* element
    cdef uint32_t bytes = 0
    cdef int difference
    look_at(s, 0, at)
    while at.bytes:
        element = read_varint(stream_packed_table(s) + at.at, &bytes)
        difference = memcmp(element, key, min(n, bytes))
        if difference == 0 and bytes >= n:
            return True
        if difference > 0:
            return False
        look_at(s, at.at + at.bytes, at)
    return False


cdef bint table_find(Stream* s, const uint8_t* key, uint32_t n, TablePlace* at) noexcept nogil:
    cdef Key wanted
    cdef const uint8_t* element
    cdef uint32_t bytes = 0
    if not on_tree(s):
        return find_packed(s, key, n, at)
    separator_key(key, n, &wanted)
    tree_find(s.keys.forest, stream_tree(s, STREAM_TREE_TABLE), &wanted, &at.place)
    element = tree_element(s.keys.forest, &at.place, &bytes)
    return element != NULL and bytes >= n and memcmp(element, key, n) == 0


cdef uint8_t* table_element(Stream* s, const TablePlace* at, uint32_t* n) noexcept nogil:
    if on_tree(s):
        return <uint8_t*>tree_element(s.keys.forest, &at.place, n)
    if at.bytes == 0:
        return NULL
    return <uint8_t*>read_varint(stream_packed_table(s) + at.at, n)


cdef bint table_next(Stream* s, TablePlace* at) noexcept nogil:
    if on_tree(s):
        return tree_next(s.keys.forest, &at.place)
    look_at(s, at.at + at.bytes, at)
    return at.bytes != 0


cdef bint table_previous(Stream* s, TablePlace* at) noexcept nogil:
    cdef TablePlace before
    if on_tree(s):
        return tree_previous(s.keys.forest, &at.place)
    if at.at == 0:
        return False
    look_at(s, 0, &before)
    while before.at + before.bytes < at.at:
        look_at(s, before.at + before.bytes, &before)
    at[0] = before
    return True


cdef void table_changed(Stream* s, const uint8_t* element, uint32_t n) noexcept nogil:
    if on_tree(s):
        tree_note(s.keys.forest, stream_tree(s, STREAM_TREE_TABLE), NOTE_PUT, element, n, 0)


cdef Status to_tree(Stream* s) noexcept nogil:
    cdef Forest* f = s.keys.forest
    cdef Tree t
    cdef Place place
    cdef TablePlace at
    cdef const uint8_t* element
    cdef uint32_t n = 0
    cdef Status status
    tree_begin(&t, ORDER_BYTES)
    look_at(s, 0, &at)
    while at.bytes:
        element = read_varint(stream_packed_table(s) + at.at, &n)
        tree_at(f, &t, t.count, &place)
        status = tree_insert(f, &t, &place, element, n)
        if status != STATUS_OK:
            tree_retire(f, &t)
            return status
        look_at(s, at.at + at.bytes, &at)
    stream_tree(s, STREAM_TREE_TABLE)[0] = t
    look_at(s, 0, &at)
    while at.bytes:
        element = read_varint(stream_packed_table(s) + at.at, &n)
        tree_note(f, stream_tree(s, STREAM_TREE_TABLE), NOTE_PUT, element, n, 0)
        look_at(s, at.at + at.bytes, &at)
    stream_head(s).table_bytes = 0
    return STATUS_OK


cdef Status table_insert(Stream* s, TablePlace* at, const uint8_t* element, uint32_t n) noexcept nogil:
    cdef uint32_t bytes = varint_bytes(n) + n, table_bytes
    cdef uint8_t* table
    cdef Key key
    cdef Status status
    if not on_tree(s):
        table_bytes = stream_head(s).table_bytes
        if table_bytes + bytes <= TABLE_BYTES_MAX:
            status = stream_reserve(s, stream_head(s).tail_bytes, table_bytes + bytes)
            if status != STATUS_OK:
                return status
            table = stream_packed_table(s)
            memmove(table + at.at + bytes, table + at.at, table_bytes - at.at)
            memcpy(write_varint(table + at.at, n), element, n)
            stream_head(s).table_bytes = table_bytes + bytes
            at.bytes = bytes
            return STATUS_OK
        if table_bytes:
            status = to_tree(s)
            if status != STATUS_OK:
                return status
        separator_key(element, n, &key)
        tree_find(s.keys.forest, stream_tree(s, STREAM_TREE_TABLE), &key, &at.place)
    return tree_insert(s.keys.forest, stream_tree(s, STREAM_TREE_TABLE), &at.place, element, n)


cdef void table_remove(Stream* s, TablePlace* at) noexcept nogil:
    cdef uint8_t* table
    cdef const uint8_t* element
    cdef uint32_t behind, n = 0
    cdef Key key
    cdef bint there
    if on_tree(s):
        if at.place.at[0] == node_at(s.keys.forest, at.place.page[0]).count:
            # Looked for by its key alone, it was found from the leaf to the left.
            element = tree_element(s.keys.forest, &at.place, &n)
            INVARIANT(element != NULL)
            separator_key(element, n, &key)
            there = tree_find(s.keys.forest, stream_tree(s, STREAM_TREE_TABLE), &key, &at.place)
            INVARIANT(there)
        tree_remove(s.keys.forest, stream_tree(s, STREAM_TREE_TABLE), &at.place)
        return
    INVARIANT(at.bytes != 0)
    table = stream_packed_table(s)
    behind = stream_head(s).table_bytes - at.at - at.bytes
    memmove(table + at.at, table + at.at + at.bytes, behind)
    stream_head(s).table_bytes -= at.bytes
