"""The block: entries of a stream, in order of their IDs, in few bytes. This file owns its layout.

    offset  size  block
    0       16    an ID not greater than any in it, big-endian: its key in the tree of blocks
    16      1     bit 0 BEGINS: its first entry is the first of a node
    17      .     names
    .       .     entries; where a node begins in between: 0x80, names

    names   varint number of fields | varint bytes, name | ...
    entry   head | what it says of the ID | values, or with OWN: varint number of fields | varint bytes, name, varint bytes, value | ...
    head    bits 0-1   how the ID follows from that before it (the first: from the block's less one)
                 0     the same ms, the next seq
                 1     the same ms, seq: varint of the distance to the next
                 2     ms: varint of the distance to the next; seq 0
                 3     ms: varint of the distance; seq: varint
            bit 2 OWN  its fields have other names than those in force
    values  varint bytes, value | ... of the fields in force

A node is what Redis packs in one listpack: XTRIM with ~ takes whole ones, and DUMP writes them. The names in force are those of the entry that the
node began with. Blocks are independent of nodes, as large as a leaf's element may be, so that four fill a page; an entry with one field and a
value of 16 bytes takes 18. An entry larger than a block has one of its own.

Nothing is marked deleted: a block is written anew without the entry. Entries that a trim has taken from the front stay until their block
goes: nobody looks at those before StreamHead.first (stream_value.pxd).
"""
from libc.stdint cimport uint8_t, uint32_t, uint64_t
from gapless.engine.call cimport Arg
from gapless.engine.stream_id cimport ID_BYTES, StreamId


cdef enum:
    BLOCK_HEADER_BYTES = ID_BYTES + 1
    BLOCK_BEGINS = 1           # of the byte behind the ID
    BLOCK_NODE = 0x80          # in place of an entry's head
    BLOCK_ENTRIES_MAX = 512    # that a block of a page's quarter can hold, and more
    ENTRY_HEAD_BYTES_MAX = 24  # head, ID and number of fields


cdef struct BlockCursor:
    const uint8_t* begin
    const uint8_t* at          # the next item
    const uint8_t* end
    const uint8_t* names       # in force
    StreamId id                # of the entry before
    bint begins                # the next entry is the first of its node


cdef struct Entry:
    StreamId id
    const uint8_t* at          # its head
    const uint8_t* body        # values, or with OWN names and values
    const uint8_t* end
    const uint8_t* names       # in force
    uint32_t fields
    bint own
    bint begins                # it is the first of its node


cdef struct FieldWalk:
    const uint8_t* names
    const uint8_t* at
    uint32_t left
    bint own


# Whether bytes that come from outside are a block, which all else here takes for granted.
cdef bint block_is_sound(const uint8_t* block, uint64_t n) noexcept nogil
# Of a sound one: whether names that are in force for an entry of it lie at this offset.
cdef bint block_has_names_at(const uint8_t* block, uint64_t n, uint64_t at) noexcept nogil
cdef void block_open(const uint8_t* block, uint64_t n, BlockCursor* c) noexcept nogil
# The next entry; False at the end. O(fields).
cdef bint block_next(BlockCursor* c, Entry* out) noexcept nogil
cdef void entry_fields(const Entry* entry, FieldWalk* w) noexcept nogil
# The next field and value; False at the end.
cdef bint field_next(FieldWalk* w, Arg* name, Arg* value) noexcept nogil

# Whether these are the names, in this order: pairs[0], [2], [4]...
cdef bint names_are(const uint8_t* names, const Arg* pairs, uint32_t fields) noexcept nogil
cdef uint64_t names_bytes(const Arg* pairs, uint32_t fields) noexcept nogil
cdef uint8_t* write_names(uint8_t* p, const Arg* pairs, uint32_t fields) noexcept nogil
# Bytes of names that lie in a block.
cdef uint64_t names_span(const uint8_t* names) noexcept nogil
# An empty block; the names come next. Returns where they go.
cdef uint8_t* block_begin(uint8_t* p, StreamId id, bint begins) noexcept nogil
# What an empty block's first entry follows: the ID of the block less one.
cdef StreamId block_before(StreamId id) noexcept nogil
# Most bytes that write_entry() may use.
cdef uint64_t entry_room(const Arg* pairs, uint32_t fields, bint own) noexcept nogil
cdef uint8_t* write_entry(uint8_t* p, StreamId before, StreamId id, const Arg* pairs, uint32_t fields, bint own) noexcept nogil
# Writes to `out`, which has room for n and ID_BYTES more, the block without the entry at this address; its bytes, 0: nothing is left. `dead_below`:
# entries before this ID are left out as well.
cdef uint64_t block_without(const uint8_t* block, uint64_t n, const uint8_t* at, StreamId dead_below, uint8_t* out) noexcept nogil
