"""What a stream is to the commands: its entries, and the place where its groups lie. This file owns the layout of the record's value.

    offset  size  value
    0       16    Tree of blocks (stream_block.pxd): by the ID they begin with
    16      16    Tree of what the groups consist of (stream_table.pxd)
    32      .     StreamHead
    .       .     tail: the block that is being filled, up to a leaf's largest element; only later does it go to the tree
    .       .     table: what the groups consist of while it takes up to TABLE_BYTES_MAX; then it goes to its tree, for good
    .       .     slack

So a small stream is all in its record, both trees empty, and an entry added to a large one is written behind the others there: one in fifty
takes the block to the tree, whose last leaf it fills. Every stream has the mark TREES, and is changed where it lies.

The Trees are the record's, see "Who owns pages" in docs/design-notes.md. Groups have no trees of their own: all of them are in one, told apart by
their number, so that retiring and copying know nothing of groups.
"""
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from gapless.engine.base cimport Status
from gapless.engine.call cimport Arg, Call
from gapless.engine.forest cimport Tree
from gapless.engine.keyspace cimport Keyspace, Value
from gapless.engine.record cimport STREAM_TREES
from gapless.engine.stream_block cimport BLOCK_ENTRIES_MAX, BlockCursor, Entry
from gapless.engine.stream_id cimport StreamId
from gapless.engine.tree cimport Place


cdef enum:
    BLOCK_BYTES_MAX = 1024     # more than any block of several entries
    TABLE_BYTES_MAX = 512
    STREAM_BYTES_MAX = 2048    # of a value without slack
    STREAM_TREE_BLOCKS = 0
    STREAM_TREE_TABLE = 1
    STREAM_HEAD_AT = 32        # bytes of Trees before it


cdef packed struct StreamHead:
    uint64_t length            # entries
    uint64_t added             # entries ever added
    StreamId last              # the greatest ID ever
    StreamId deleted_max       # the greatest ID ever deleted, other than by a trim
    StreamId first             # of the first entry; 0-0: there is none. Earlier ones in the first block are gone
    StreamId tail_last         # of the last entry in the tail: what the next one follows
    # The last node, as Redis would have it (see stream_block.pxd)
    StreamId node              # that it began with
    uint32_t node_bytes        # of its listpack, but for its first two numbers
    uint32_t node_live         # entries
    uint32_t node_deleted
    uint64_t node_names        # hash of its names, when they are too large to be told once
    uint32_t nodes             # all of them
    uint32_t front_live        # entries of the first node, as a trim has counted them; 0: not known
    uint32_t tail_bytes
    uint32_t tail_names        # where in the tail the names in force are
    uint32_t tail_entries
    uint32_t table_bytes
    uint32_t groups
    uint32_t group_last        # number of the group made last


cdef struct Stream:
    Keyspace* keys
    const Arg* key
    uint64_t key_hash
    int db
    bint there                 # in the keyspace
    bint loose                 # in `buffer`, to be put into the keyspace
    uint64_t node_bytes_max    # stream-node-max-bytes, stream-node-max-entries
    uint64_t node_entries_max
    Value v
    uint8_t[STREAM_BYTES_MAX] buffer


cdef struct StreamWalk:
    Stream* s
    StreamId low
    StreamId high
    bint back
    bint in_tail
    bint more
    Place place                # of the block in its tree
    const uint8_t* block       # of the entry returned last
    uint64_t block_bytes
    BlockCursor cursor
    int left                   # back: entries of the block still to come
    Entry[BLOCK_ENTRIES_MAX] entries


cdef enum TrimBy:
    TRIM_NONE = 0
    TRIM_MAXLEN = 1
    TRIM_MINID = 2


# What lies under a key, there or not. False: another type, WRONGTYPE is replied. how: as keyspace_find().
cdef bint stream_open(Call* call, const Arg* key, uint64_t key_hash, int how, Stream* s) noexcept nogil
# For values that were found otherwise (DEBUG DIGEST, DUMP): to read only.
cdef void stream_of_value(Keyspace* ks, const Value* v, Stream* s) noexcept nogil
# An empty stream, not in the keyspace yet: stream_store() or stream_discard() must follow.
cdef void stream_begin(Call* call, const Arg* key, uint64_t key_hash, Stream* s) noexcept nogil
# An empty stream under a key that is not there.
cdef Status stream_create(Stream* s) noexcept nogil
# Puts a stream that was begun under its key, in place of what is there. STATUS_FULL: nothing was changed, and it is forgotten.
cdef Status stream_store(Stream* s, int64_t expire_ms) noexcept nogil
cdef void stream_discard(Stream* s) noexcept nogil
# Tells the keyspace of a change of entries. What changes groups only, WATCH does not see, as in Redis: it is counted, no more.
cdef void stream_touched(Stream* s) noexcept nogil
cdef void stream_counted(Stream* s) noexcept nogil
# What is no change to anybody, but lies otherwise than before.
cdef void stream_recorded(Stream* s) noexcept nogil
# Room for tail and table of so many bytes. STATUS_FULL: as it was. What was found in the stream must be looked up again.
cdef Status stream_reserve(Stream* s, uint64_t tail_bytes, uint64_t table_bytes) noexcept nogil

# Adds an entry: pairs of name and value, at least one. REQUIRED: the ID is greater than StreamHead.last. STATUS_FULL, STATUS_TOO_LARGE: as it was.
cdef Status stream_append(Stream* s, StreamId id, const Arg* pairs, uint32_t fields) noexcept nogil
# Takes an entry away; found: it was there. STATUS_FULL: as it was. O(log n).
cdef Status stream_remove(Stream* s, StreamId id, bint* found) noexcept nogil
cdef bint stream_has(Stream* s, StreamId id) noexcept nogil
# Takes entries from the front until `length_max` are left, or those before `id_min`; `by` says which. Nodes go whole; approximate: only whole
# ones. limit: of entries, 0: none. How many went. O(entries taken).
cdef uint64_t stream_trim(Stream* s, int by, uint64_t length_max, StreamId id_min, bint approximate, uint64_t limit) noexcept nogil

# The entries from low to high, both included; `back`: from the last to the first. What an entry leads to is good until the stream changes.
cdef void stream_walk(Stream* s, StreamId low, StreamId high, bint back, StreamWalk* w) noexcept nogil
cdef bint stream_next(StreamWalk* w, Entry* out) noexcept nogil
# The ID of the last entry; 0-0: there is none.
cdef StreamId stream_last_entry(Stream* s) noexcept nogil


cdef inline StreamHead* stream_head(const Stream* s) noexcept nogil:
    return <StreamHead*>(s.v.data + STREAM_HEAD_AT)


cdef inline uint8_t* stream_tail(const Stream* s) noexcept nogil:
    return s.v.data + STREAM_HEAD_AT + sizeof(StreamHead)


cdef inline uint8_t* stream_packed_table(const Stream* s) noexcept nogil:
    return stream_tail(s) + stream_head(s).tail_bytes


cdef inline Tree* stream_tree(const Stream* s, int which) noexcept nogil:
    return <Tree*>s.v.data + which
