"""Keys: how elements and separators of every order compare.

A key is its head, 8 bytes as a number, and its tail. In the orders by hash the head is the hash and the tail the member or field; in the
others head and tail are the element's own bytes. A separator is such bytes, cut short: the head big-endian, then the tail; or it refers to
them in an extent.
"""
from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.string cimport memcmp, memcpy
from gapless.engine.base cimport hash_bytes, likely, load_u32, load_u64, unlikely
from gapless.engine.extent cimport extent_bytes
from gapless.engine.forest cimport ORDER_FIELD, ORDER_MEMBER, ORDER_SCORED, Forest
from gapless.engine.node cimport INNER_HEAD_BYTES, REFERENCE_OWNED, inner_extent, item_extent, item_in_extent, item_open
from gapless.engine.record cimport read_varint

cdef extern from * nogil:
    uint64_t __builtin_bswap64(uint64_t v)
    int __builtin_clzll(unsigned long long v)


cdef struct Key:
    uint64_t head          # hash, or the first 8 bytes big-endian, zeros beyond the end
    const uint8_t* tail
    uint32_t tail_bytes
    uint32_t length        # of the whole: 8 and the tail, or less than 8


cdef inline bint order_hashes(int order) noexcept nogil:
    return order >= ORDER_MEMBER and order <= ORDER_SCORED


cdef inline void hash_key(const Forest* f, const uint8_t* p, uint32_t n, Key* key) noexcept nogil:
    """The key of a field or member in the orders by hash."""
    key.head = hash_bytes(p, n, f.seed) & f.hash_mask
    key.tail = p
    key.tail_bytes = n
    key.length = 8 + n


cdef inline void hash_seek(uint64_t head, Key* key) noexcept nogil:
    """What is not greater than any element of this hash: where a scan goes on."""
    key.head = head
    key.tail = NULL
    key.tail_bytes = 0
    key.length = 8


cdef inline uint64_t big_endian_head(const uint8_t* p, uint32_t n) noexcept nogil:
    cdef uint64_t head = 0
    if likely(n >= 8):
        return __builtin_bswap64(load_u64(p))
    memcpy(&head, p, n)
    return __builtin_bswap64(head)


cdef inline void separator_key(const uint8_t* separator, uint32_t n, Key* key) noexcept nogil:
    key.head = big_endian_head(separator, n)
    key.length = n
    key.tail = separator + 8 if n > 8 else NULL
    key.tail_bytes = n - 8 if n > 8 else 0


cdef inline void inner_key(const Forest* f, const uint8_t* item, Key* key) noexcept nogil:
    """The separator of an inner node's item."""
    cdef uint32_t n
    cdef const uint8_t* p = item_open(item, &n) + INNER_HEAD_BYTES
    if likely(not item_in_extent(item)):
        separator_key(p, n - INNER_HEAD_BYTES, key)
        return
    key.head = load_u64(p)
    key.tail = extent_bytes(f.extents, inner_extent(item)) + (load_u32(p + 16) & ~<uint32_t>REFERENCE_OWNED)
    key.tail_bytes = load_u32(p + 20)
    key.length = 8 + key.tail_bytes


cdef inline const uint8_t* hashed_part(int order, const uint8_t* element, uint32_t n, uint32_t* bytes) noexcept nogil:
    """What is hashed of an element: member or field."""
    cdef uint32_t head
    if order == ORDER_FIELD:
        element = read_varint(element, &head)
        bytes[0] = head >> 1
        return element + (6 if head & 1 else 0)
    bytes[0] = n - 8 if order == ORDER_SCORED else n
    return element


cdef inline void element_key(const Forest* f, int order, const uint8_t* element, uint32_t n, Key* key) noexcept nogil:
    cdef uint32_t bytes
    if order_hashes(order):
        element = hashed_part(order, element, n, &bytes)
        hash_key(f, element, bytes, key)
    else:
        separator_key(element, n, key)


cdef inline const uint8_t* item_element(const Forest* f, const uint8_t* item, uint32_t* n) noexcept nogil:
    """A leaf item's element, wherever it lies."""
    if unlikely(item_in_extent(item)):
        n[0] = <uint32_t>load_u64(item + 18)
        return extent_bytes(f.extents, item_extent(item))
    return item_open(item, n)


cdef inline void leaf_key(const Forest* f, int order, const uint8_t* item, Key* key) noexcept nogil:
    """The key of a leaf's item. That of an element in an extent is not hashed again."""
    cdef uint32_t n
    cdef const uint8_t* element = item_element(f, item, &n)
    if likely(not item_in_extent(item)):
        element_key(f, order, element, n, key)
        return
    key.head = load_u64(item + 2)
    if order_hashes(order):
        key.tail = hashed_part(order, element, n, &key.tail_bytes)
    else:
        key.tail = element + 8
        key.tail_bytes = n - 8
    key.length = 8 + key.tail_bytes


cdef inline int key_compare(const Key* a, const Key* b) noexcept nogil:
    cdef uint32_t common
    cdef int difference
    if a.head != b.head:
        return -1 if a.head < b.head else 1
    common = min(a.tail_bytes, b.tail_bytes)
    if common:
        difference = memcmp(a.tail, b.tail, common)
        if difference:
            return difference
    return (a.length > b.length) - (a.length < b.length)


cdef inline uint32_t separator_bytes(const Key* left, const Key* right, uint32_t most) noexcept nogil:
    """Length of the shortest beginning of `right` that is greater than `left`; of one over `most` only that it is."""
    cdef uint32_t common = 0, n
    if left.head != right.head:
        n = <uint32_t>__builtin_clzll(left.head ^ right.head) // 8 + 1
    else:
        while common < min(left.tail_bytes, right.tail_bytes) and left.tail[common] == right.tail[common] and common < most:
            common += 1
        n = 8 + common + 1
    return min(n, right.length)


cdef inline void separator_write(const Key* right, uint32_t n, uint8_t* out) noexcept nogil:
    """The key's first n bytes."""
    cdef uint64_t head = __builtin_bswap64(right.head)
    memcpy(out, &head, min(n, 8))
    if n > 8:
        memcpy(out + 8, right.tail, n - 8)
