"""Soundness of what is replayed. See effects_sound.pxd."""
from gapless.engine.collection cimport PACKED_BYTES_MAX
from gapless.engine.field_expiry cimport EXPIRY_BYTES
from gapless.engine.record cimport (
    FIELDS_DUE_BYTES, LIST_NODES_BYTES, TYPE_HASH, TYPE_LIST, TYPE_SORTED_SET, TYPE_STREAM, read_varint_within,
)
from gapless.engine.stream_block cimport block_has_names_at, block_is_sound
from gapless.engine.stream_groups cimport table_element_is_sound
from gapless.engine.stream_id cimport ID_BYTES
from gapless.engine.stream_value cimport STREAM_TREE_TABLE, StreamHead

cdef enum:
    SCORE_BYTES = 8


cdef bint hash_element_is_sound(const uint8_t* element, uint32_t n) noexcept nogil:
    cdef uint32_t head = 0
    cdef const uint8_t* p = read_varint_within(element, element + n, &head)
    if p == NULL:
        return False
    return <uint64_t>(element + n - p) >= <uint64_t>(head >> 1) + (EXPIRY_BYTES if head & 1 else 0)


cdef bint element_is_sound(int type, int tree, const uint8_t* element, uint32_t n, uint32_t* key_bytes) noexcept nogil:
    key_bytes[0] = n
    if type == TYPE_HASH:
        return hash_element_is_sound(element, n)
    if type == TYPE_SORTED_SET:
        return n >= SCORE_BYTES
    if type != TYPE_STREAM:
        return True
    if tree == STREAM_TREE_TABLE:
        return table_element_is_sound(element, n, key_bytes)
    key_bytes[0] = ID_BYTES
    return block_is_sound(element, n)


cdef bint packed_is_sound(int type, const uint8_t* value, uint64_t n) noexcept nogil:
    cdef const uint8_t* p
    cdef const uint8_t* end = value + n
    cdef uint32_t count = 0, bytes = 0, key_bytes = 0, _i
    if n < 2 or n > <uint64_t>PACKED_BYTES_MAX:
        return False
    p = read_varint_within(value + 1, end, &count)
    if p == NULL or count == 0:
        return False
    for _i in range(count):
        p = read_varint_within(p, end, &bytes)
        if p == NULL or <uint64_t>(end - p) < bytes or not element_is_sound(type, 0, p, bytes, &key_bytes):
            return False
        p += bytes
    return p == end


cdef bint stream_is_sound(const uint8_t* root, uint64_t n) noexcept nogil:
    cdef const StreamHead* head = <const StreamHead*>root
    cdef const uint8_t* tail = root + sizeof(StreamHead)
    cdef const uint8_t* p
    cdef const uint8_t* end
    cdef uint32_t bytes = 0, key_bytes = 0
    if n < sizeof(StreamHead) or n - sizeof(StreamHead) < <uint64_t>head.tail_bytes + head.table_bytes:
        return False
    if head.tail_bytes:
        if not block_is_sound(tail, head.tail_bytes) or not block_has_names_at(tail, head.tail_bytes, head.tail_names):
            return False
    elif head.tail_entries:
        return False
    p = tail + head.tail_bytes
    end = p + head.table_bytes
    while p < end:
        p = read_varint_within(p, end, &bytes)
        if p == NULL or <uint64_t>(end - p) < bytes or not table_element_is_sound(p, bytes, &key_bytes):
            return False
        p += bytes
    return True


cdef bint root_is_sound(int type, const uint8_t* root, uint64_t n) noexcept nogil:
    if type == TYPE_STREAM:
        return stream_is_sound(root, n)
    return n == <uint64_t>(LIST_NODES_BYTES if type == TYPE_LIST else FIELDS_DUE_BYTES if type == TYPE_HASH else 0)
