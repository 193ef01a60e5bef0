"""The node of a tree: a slotted page. This file owns its layout.

    0         24                                        payload                        page_bytes
    | header  | directory: one entry an item ->  | free | <- items, in any order, some dead |

    offset  size  header
    0       1     bits 0-4 level (0: leaf), bit 5 EVEN, bit 6 NARROW, bit 7 EXTENTS (of retired trees: leaves hold elements in extents)
    1       1     shift     a finger is (head - base) >> shift, 0 below base, at most 0xffff
    2       2     count     of items
    4       2     payload   offset of the lowest byte that items take
    6       2     dead      bytes of payload that belong to no item any more
    8       4     next      leaf to the right, 0: none; in the root of a retired tree, the next retired root
    12      4     previous  leaf to the left
    16      8     base      EVEN: bytes of an item u16, of the page u16

    entry   4     bits 0-15 offset of the item, bits 16-31 its finger; ascending, so that the search reads 4 bytes an item
            2     NARROW (no keys): the offset only
    item    1|2   length: one byte below 128, else 0x80 | EXTENT 0x40 | length >> 8, length & 0xff
            n     leaf: the element
                  leaf, EXTENT: head of the key u64, extent handle u64, length of the element u64
                  inner: child page u32, elements below it u32, separator: a lower bound of the keys below it; of the first item: none
                  inner, EXTENT: child page u32, elements below it u32, head of the separator u64, extent handle u64,
                  offset of the separator's tail in the extent u32 (bit 31: OWNED), length of the tail u32

A node without keys whose items are all of one length is EVEN: it has no directory, its items lie side by side in order from `payload` on,
free room before and behind them. What elements of the same length cost a list is their bytes and one more. An item of another length
gives the node a directory.

A separator that would be long where the element it is made of lies in an extent is that element's whole key, where it lies: the element is then
the first of its leaf as long as it is there, for no key is between. When it goes the separator has the extent for its OWN.

A finger is a monotone picture of a key's head (its first 8 bytes, or its hash): a smaller finger means a smaller key, equal fingers
say nothing. `base` and `shift` are chosen when a node is laid out so that the fingers spread over 16 bits; what is inserted later
may lie outside, and is still in order.

Removing an item leaves its bytes dead; they are reclaimed when their room is needed. Pages and items know nothing of what points at them
but leaf links. No item is larger than a quarter of a page, so that two full nodes and one item more always fit three pages.
"""
from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memcpy, memmove
from gapless.engine.base cimport load_u32, load_u64, store_u32, store_u64


cdef enum:
    NODE_HEADER_BYTES = 24
    NODE_LEVEL_MASK = 0x1f
    NODE_EVEN = 0x20
    NODE_NARROW = 0x40
    NODE_EXTENTS = 0x80
    INNER_HEAD_BYTES = 8        # child and count, before the separator
    ITEM_LONG = 0x80
    ITEM_EXTENT = 0x40
    EXTENT_ITEM_BYTES = 26      # an item whose element is in an extent, its length counted
    EVEN_ITEM_BYTES_MIN = 3     # so that a page has no more of them than with a directory
    BARE_ITEM_BYTES = 9         # an inner item without a separator
    REFERENCE_BYTES = 24        # what stands for a separator in an extent
    REFERENCE_OWNED = 0x80000000


cdef packed struct Node:        # 24 bytes
    uint8_t kind
    uint8_t shift
    uint16_t count
    uint16_t payload
    uint16_t dead
    uint32_t next
    uint32_t previous
    uint64_t base


cdef inline uint32_t entry_bytes(uint32_t kind) noexcept nogil:
    """What an item takes in the directory."""
    return 0 if kind & NODE_EVEN else 2 if kind & NODE_NARROW else 4


cdef inline uint32_t node_entry_bytes(const Node* node) noexcept nogil:
    return entry_bytes(node.kind)


cdef inline uint32_t even_bytes(const Node* node) noexcept nogil:
    """Length of an item of an EVEN node."""
    return <uint32_t>node.base & 0xffff


cdef inline uint32_t even_page_bytes(const Node* node) noexcept nogil:
    return <uint32_t>node.base >> 16


cdef inline bint node_suits(const Node* node, uint32_t n) noexcept nogil:
    """Whether an item of n bytes may join it as it is laid out."""
    return not node.kind & NODE_EVEN or n == even_bytes(node)


cdef inline uint32_t* node_wide(Node* node) noexcept nogil:
    return <uint32_t*>(<uint8_t*>node + NODE_HEADER_BYTES)


cdef inline uint16_t* node_narrow(Node* node) noexcept nogil:
    return <uint16_t*>(<uint8_t*>node + NODE_HEADER_BYTES)


cdef inline uint32_t node_finger(const Node* node, uint64_t head) noexcept nogil:
    cdef uint64_t picture
    if head <= node.base:
        return 0
    picture = (head - node.base) >> node.shift
    return 0xffff if picture > 0xffff else <uint32_t>picture


cdef inline uint8_t* node_item(Node* node, uint32_t at) noexcept nogil:
    """The item's first byte: its length."""
    if not node.kind & NODE_NARROW:
        return <uint8_t*>node + (node_wide(node)[at] & 0xffff)
    if node.kind & NODE_EVEN:
        return <uint8_t*>node + node.payload + at * even_bytes(node)
    return <uint8_t*>node + node_narrow(node)[at]


cdef inline uint32_t item_head_bytes(uint32_t n) noexcept nogil:
    return 1 if n < 0x80 else 2


cdef inline uint32_t item_head_bytes_of(const uint8_t* item) noexcept nogil:
    return 1 if item[0] < ITEM_LONG else 2


cdef inline const uint8_t* item_open(const uint8_t* item, uint32_t* n) noexcept nogil:
    """What follows the length."""
    if item[0] < ITEM_LONG:
        n[0] = item[0]
        return item + 1
    n[0] = (<uint32_t>(item[0] & 0x3f) << 8) | item[1]
    return item + 2


cdef inline uint32_t item_bytes(const uint8_t* item) noexcept nogil:
    """Of the whole item."""
    return 1 + <uint32_t>item[0] if item[0] < ITEM_LONG else 2 + ((<uint32_t>(item[0] & 0x3f) << 8) | item[1])


cdef inline uint8_t* item_begin(uint8_t* item, uint32_t n) noexcept nogil:
    """Writes a length; returns where the rest goes."""
    if n < 0x80:
        item[0] = <uint8_t>n
        return item + 1
    item[0] = <uint8_t>(ITEM_LONG | (n >> 8))
    item[1] = <uint8_t>n
    return item + 2


cdef inline bint item_in_extent(const uint8_t* item) noexcept nogil:
    return item[0] >= ITEM_LONG and (item[0] & ITEM_EXTENT) != 0


cdef inline uint64_t item_extent(const uint8_t* item) noexcept nogil:
    """The handle."""
    return load_u64(item + 10)


cdef inline void item_write_extent(uint8_t* item, uint64_t head, uint64_t handle, uint64_t n) noexcept nogil:
    item[0] = ITEM_LONG | ITEM_EXTENT
    item[1] = EXTENT_ITEM_BYTES - 2
    store_u64(item + 2, head)
    store_u64(item + 10, handle)
    store_u64(item + 18, n)


cdef inline uint32_t node_gap(const Node* node) noexcept nogil:
    """Free bytes between directory and payload, or around the items of an EVEN node."""
    if node.kind & NODE_EVEN:
        return even_page_bytes(node) - NODE_HEADER_BYTES - node.count * even_bytes(node)
    return node.payload - NODE_HEADER_BYTES - node.count * node_entry_bytes(node)


cdef inline uint32_t node_free(const Node* node) noexcept nogil:
    """Bytes that items and their entries could take more, dead ones counted."""
    return node_gap(node) + node.dead


cdef inline void node_begin(Node* node, uint32_t kind, uint32_t page_bytes) noexcept nogil:
    """An empty node whose fingers are the heads' first 16 bits."""
    node.kind = <uint8_t>kind
    node.shift = 48
    node.count = 0
    node.payload = <uint16_t>page_bytes
    node.dead = 0
    node.next = 0
    node.previous = 0
    node.base = 0


cdef inline uint8_t* even_insert(Node* node, uint32_t at) noexcept nogil:
    """The items nearer to an end move; where there is no room at it all of them do, to the other end."""
    cdef uint32_t n = even_bytes(node), all = node.count * n, page_bytes = even_page_bytes(node)
    cdef uint8_t* first = <uint8_t*>node + node.payload
    if 2 * at < node.count:
        if node.payload < NODE_HEADER_BYTES + n:
            memmove(<uint8_t*>node + page_bytes - all, first, all)
            node.payload = <uint16_t>(page_bytes - all)
            first = <uint8_t*>node + node.payload
        memmove(first - n, first, at * n)
        node.payload -= n
        first -= n
    else:
        if node.payload + all + n > page_bytes:
            memmove(<uint8_t*>node + NODE_HEADER_BYTES, first, all)
            node.payload = NODE_HEADER_BYTES
            first = <uint8_t*>node + NODE_HEADER_BYTES
        memmove(first + (at + 1) * n, first + at * n, all - at * n)
    node.count += 1
    return first + at * n


cdef inline void even_remove(Node* node, uint32_t at) noexcept nogil:
    cdef uint32_t n = even_bytes(node)
    cdef uint8_t* first = <uint8_t*>node + node.payload
    if 2 * at < node.count:
        memmove(first + n, first, at * n)
        node.payload += n
    else:
        memmove(first + at * n, first + (at + 1) * n, (node.count - at - 1) * n)
    node.count -= 1


cdef inline uint8_t* node_insert(Node* node, uint32_t at, uint32_t n, uint64_t head) noexcept nogil:
    """Room for an item of n bytes before entry `at`: where it goes. REQUIRED: node_gap() has room for it and its entry; node_suits()."""
    cdef uint32_t behind = node.count - at
    cdef uint16_t* narrow
    cdef uint32_t* wide
    if node.kind & NODE_EVEN:
        return even_insert(node, at)
    node.payload -= n
    if node.kind & NODE_NARROW:
        narrow = node_narrow(node) + at
        memmove(narrow + 1, narrow, behind * 2)
        narrow[0] = node.payload
    else:
        wide = node_wide(node) + at
        memmove(wide + 1, wide, behind * 4)
        wide[0] = node.payload | (node_finger(node, head) << 16)
    node.count += 1
    return <uint8_t*>node + node.payload


cdef inline void node_remove(Node* node, uint32_t at) noexcept nogil:
    cdef uint8_t* item = node_item(node, at)
    cdef uint32_t n = item_bytes(item), behind = node.count - at - 1
    if node.kind & NODE_EVEN:
        even_remove(node, at)
        return
    if item == <uint8_t*>node + node.payload:
        node.payload += n
    else:
        node.dead += n
    if node.kind & NODE_NARROW:
        memmove(node_narrow(node) + at, node_narrow(node) + at + 1, behind * 2)
    else:
        memmove(node_wide(node) + at, node_wide(node) + at + 1, behind * 4)
    node.count -= 1


cdef inline void node_compact(Node* node, uint32_t page_bytes, uint8_t* scratch) noexcept nogil:
    """Reclaims the dead bytes. `scratch`: a page of its own. O(page)."""
    cdef uint32_t i, n, to = page_bytes
    cdef uint8_t* item
    memcpy(scratch + node.payload, <uint8_t*>node + node.payload, page_bytes - node.payload)
    for i in range(node.count):
        item = scratch + (node_item(node, i) - <uint8_t*>node)
        n = item_bytes(item)
        to -= n
        memcpy(<uint8_t*>node + to, item, n)
        if node.kind & NODE_NARROW:
            node_narrow(node)[i] = <uint16_t>to
        else:
            node_wide(node)[i] = (node_wide(node)[i] & <uint32_t>0xffff0000) | to
    node.payload = <uint16_t>to
    node.dead = 0


cdef inline void even_begin(Node* node, uint32_t kind, uint32_t n, uint32_t count, uint32_t page_bytes) noexcept nogil:
    """An EVEN node of so many items, whose bytes are still to be put side by side from node.payload on. They lie in the middle."""
    node_begin(node, kind | NODE_EVEN, page_bytes)
    node.base = n | page_bytes << 16
    node.count = <uint16_t>count
    node.payload = <uint16_t>(NODE_HEADER_BYTES + (page_bytes - NODE_HEADER_BYTES - count * n) // 2)


cdef inline void even_end(Node* node, uint8_t* scratch) noexcept nogil:
    """Gives an EVEN node a directory. REQUIRED: there is room for it. `scratch`: a page of its own. O(page)."""
    cdef uint32_t n = even_bytes(node), page_bytes = even_page_bytes(node), all = node.count * n, i
    memcpy(scratch, <uint8_t*>node + node.payload, all)
    node.kind &= ~<uint32_t>NODE_EVEN
    node.payload = <uint16_t>(page_bytes - all)
    memcpy(<uint8_t*>node + node.payload, scratch, all)
    for i in range(node.count):
        node_narrow(node)[i] = <uint16_t>(node.payload + i * n)


cdef inline uint32_t item_child(const uint8_t* item) noexcept nogil:
    return load_u32(item + item_head_bytes_of(item))


cdef inline uint32_t item_count(const uint8_t* item) noexcept nogil:
    return load_u32(item + item_head_bytes_of(item) + 4)


cdef inline uint32_t inner_child(Node* node, uint32_t at) noexcept nogil:
    return item_child(node_item(node, at))


cdef inline uint32_t inner_count(Node* node, uint32_t at) noexcept nogil:
    return item_count(node_item(node, at))


cdef inline void inner_add(Node* node, uint32_t at, int delta) noexcept nogil:
    cdef uint8_t* item = node_item(node, at)
    cdef uint32_t count
    item += item_head_bytes_of(item) + 4
    memcpy(&count, item, 4)
    count += <uint32_t>delta
    memcpy(item, &count, 4)


cdef inline void inner_begin(uint8_t* item, uint32_t child, uint32_t count, uint32_t n) noexcept nogil:
    """Writes an item up to its separator of n bytes."""
    item = item_begin(item, INNER_HEAD_BYTES + n)
    memcpy(item, &child, 4)
    memcpy(item + 4, &count, 4)


cdef inline void inner_like(uint8_t* item, const uint8_t* other, uint32_t child, uint32_t count) noexcept nogil:
    """Writes an item with the other's separator."""
    memcpy(item, other, item_bytes(other))
    item += item_head_bytes_of(other)
    memcpy(item, &child, 4)
    memcpy(item + 4, &count, 4)


cdef inline void inner_refer(uint8_t* item, uint32_t child, uint32_t count, uint64_t head, uint64_t handle, uint32_t tail_offset,
                             uint32_t tail_bytes) noexcept nogil:
    """Writes an item whose separator lies in an extent."""
    item[0] = ITEM_LONG | ITEM_EXTENT
    item[1] = INNER_HEAD_BYTES + REFERENCE_BYTES
    memcpy(item + 2, &child, 4)
    memcpy(item + 6, &count, 4)
    store_u64(item + 10, head)
    store_u64(item + 18, handle)
    store_u32(item + 26, tail_offset)
    store_u32(item + 30, tail_bytes)


cdef inline uint64_t inner_extent(const uint8_t* item) noexcept nogil:
    """The handle."""
    return load_u64(item + 18)


cdef inline bint inner_owns_extent(const uint8_t* item) noexcept nogil:
    return item_in_extent(item) and (load_u32(item + 26) & <uint32_t>REFERENCE_OWNED) != 0


cdef inline void inner_own_extent(uint8_t* item, bint owns) noexcept nogil:
    store_u32(item + 26, (load_u32(item + 26) & ~<uint32_t>REFERENCE_OWNED) | (<uint32_t>REFERENCE_OWNED if owns else 0))
