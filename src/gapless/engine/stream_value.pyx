"""Streams as records. See stream_value.pxd."""
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy, memmove, memset
from gapless.engine.base cimport INVARIANT, STATUS_FULL, STATUS_OK, STATUS_TOO_LARGE, Status, hash_bytes, likely, unlikely
from gapless.engine.dispatch cimport reply_wrong_type
from gapless.engine.forest cimport ORDER_BYTES, Forest, tree_begin, tree_retire
from gapless.engine.keyspace cimport (
    EXPIRE_NEVER, FIND_WRITE, keyspace_create, keyspace_find, keyspace_recorded, keyspace_resize, keyspace_set, keyspace_to_change,
    keyspace_touched,
)
from gapless.engine.listpack cimport listpack_entry_bytes, listpack_number_bytes
from gapless.engine.record cimport RECORD_TREES, TYPE_STREAM
from gapless.engine.stream_block cimport (
    BLOCK_BEGINS, BLOCK_HEADER_BYTES, BLOCK_NODE, block_begin, block_before, block_next, block_open, block_without, entry_room,
    names_are, names_bytes, names_span, write_entry, write_names,
)
from gapless.engine.stream_id cimport (
    ID_BYTES, id_compare, id_load, id_max, id_of, id_store,
)
from gapless.engine.tree cimport (
    tree_at, tree_element, tree_find, tree_insert, tree_next, tree_note, tree_previous, tree_remove, tree_replace,
)
from gapless.engine.tree_key cimport Key, separator_key
from gapless.engine.tree_notes cimport NOTE_PUT

cdef enum:
    LISTPACK_EMPTY_BYTES = 7
    LISTPACK_BYTES_MAX = 1 << 30
    ENTRY_BYTES_MAX = 1 << 30  # of all names and values


# ---- life

cdef inline void begin(Call* call, const Arg* key, uint64_t key_hash, Stream* s) noexcept nogil:
    s.keys = call.keys
    s.key = key
    s.key_hash = key_hash
    s.db = call.session.db
    s.there = False
    s.loose = False
    s.node_bytes_max = call.dispatch.stream_node_bytes
    s.node_entries_max = call.dispatch.stream_node_entries


cdef inline void begin_value(Stream* s) noexcept nogil:
    tree_begin(stream_tree(s, STREAM_TREE_BLOCKS), ORDER_BYTES)
    tree_begin(stream_tree(s, STREAM_TREE_TABLE), ORDER_BYTES)


cdef bint stream_open(Call* call, const Arg* key, uint64_t key_hash, int how, Stream* s) noexcept nogil:
    begin(call, key, key_hash, s)
    if not keyspace_find(s.keys, s.db, key.data, key.size, key_hash, how, &s.v):
        return True
    if unlikely(s.v.type != TYPE_STREAM):
        reply_wrong_type(call)
        return False
    s.there = True
    if how == FIND_WRITE:
        keyspace_to_change(s.keys, &s.v)
    return True


cdef void stream_of_value(Keyspace* ks, const Value* v, Stream* s) noexcept nogil:
    s.keys = ks
    s.v = v[0]
    s.there = True
    s.loose = False


cdef void stream_begin(Call* call, const Arg* key, uint64_t key_hash, Stream* s) noexcept nogil:
    begin(call, key, key_hash, s)
    s.loose = True
    memset(s.buffer, 0, STREAM_HEAD_AT + sizeof(StreamHead))
    s.v.data = s.buffer
    s.v.size = STREAM_BYTES_MAX
    begin_value(s)


cdef Status stream_create(Stream* s) noexcept nogil:
    cdef Status status = keyspace_create(s.keys, s.db, s.key.data, s.key.size, s.key_hash, TYPE_STREAM | RECORD_TREES,
                                         STREAM_HEAD_AT + sizeof(StreamHead), EXPIRE_NEVER, &s.v)
    if status == STATUS_OK:
        # What lies in an extent is not zeroed.
        memset(s.v.data, 0, s.v.size)
        begin_value(s)
        s.there = True
    return status


cdef void stream_discard(Stream* s) noexcept nogil:
    tree_retire(s.keys.forest, stream_tree(s, STREAM_TREE_BLOCKS))
    tree_retire(s.keys.forest, stream_tree(s, STREAM_TREE_TABLE))


cdef Status stream_store(Stream* s, int64_t expire_ms) noexcept nogil:
    cdef StreamHead* head = stream_head(s)
    cdef Status status = keyspace_set(s.keys, s.db, s.key.data, s.key.size, s.key_hash, TYPE_STREAM | RECORD_TREES, s.v.data,
                                      STREAM_HEAD_AT + sizeof(StreamHead) + head.tail_bytes + head.table_bytes, expire_ms)
    if status != STATUS_OK:
        stream_discard(s)
    return status


cdef void stream_touched(Stream* s) noexcept nogil:
    keyspace_touched(s.keys, &s.v, s.key.data, s.key.size)


cdef void stream_counted(Stream* s) noexcept nogil:
    s.keys.stats.dirty += 1
    stream_recorded(s)


cdef void stream_recorded(Stream* s) noexcept nogil:
    keyspace_recorded(s.keys, &s.v, s.key.data, s.key.size)


cdef Status stream_reserve(Stream* s, uint64_t tail_bytes, uint64_t table_bytes) noexcept nogil:
    cdef uint64_t size = STREAM_HEAD_AT + sizeof(StreamHead) + tail_bytes + table_bytes
    if likely(size <= s.v.size):
        return STATUS_OK
    INVARIANT(not s.loose)
    return keyspace_resize(s.keys, &s.v, s.key.data, s.key.size, size)


# ---- blocks

cdef inline uint64_t block_bytes_max(const Stream* s) noexcept nogil:
    return min(s.keys.forest.element_bytes_max, <uint32_t>BLOCK_BYTES_MAX)


cdef void set_tail_bytes(Stream* s, uint64_t n) noexcept nogil:
    """The table behind it moves along."""
    cdef StreamHead* head = stream_head(s)
    cdef uint8_t* tail = stream_tail(s)
    if unlikely(head.table_bytes):
        memmove(tail + n, tail + head.tail_bytes, head.table_bytes)
    head.tail_bytes = <uint32_t>n


cdef inline void find_block(Stream* s, StreamId id, Place* place) noexcept nogil:
    """The first block of the tree whose ID is not less."""
    cdef uint8_t[ID_BYTES] bytes
    cdef Key key
    id_store(bytes, id)
    separator_key(bytes, ID_BYTES, &key)
    tree_find(s.keys.forest, stream_tree(s, STREAM_TREE_BLOCKS), &key, place)


cdef Status add_block(Stream* s, const uint8_t* block, uint64_t n) noexcept nogil:
    """Behind all others of the tree."""
    cdef Tree* t = stream_tree(s, STREAM_TREE_BLOCKS)
    cdef Place place
    tree_at(s.keys.forest, t, t.count, &place)
    return tree_insert(s.keys.forest, t, &place, block, <uint32_t>n)


cdef void look_over_tail(Stream* s) noexcept nogil:
    """Counts the tail's entries anew, after some of it went."""
    cdef StreamHead* head = stream_head(s)
    cdef uint8_t* tail = stream_tail(s)
    cdef BlockCursor c
    cdef Entry entry
    head.tail_entries = 0
    block_open(tail, head.tail_bytes, &c)
    while block_next(&c, &entry):
        head.tail_entries += 1
        head.tail_last = entry.id
    head.tail_names = <uint32_t>(c.names - tail)


cdef void empty_tail(Stream* s) noexcept nogil:
    """Only the names in force stay."""
    cdef StreamHead* head = stream_head(s)
    cdef uint8_t* tail = stream_tail(s)
    cdef uint64_t span
    if head.tail_bytes == 0:
        return
    span = names_span(tail + head.tail_names)
    memmove(tail + BLOCK_HEADER_BYTES, tail + head.tail_names, span)
    head.tail_names = BLOCK_HEADER_BYTES
    head.tail_entries = 0
    set_tail_bytes(s, BLOCK_HEADER_BYTES + span)


cdef void rewrite_tail(Stream* s, const uint8_t* without) noexcept nogil:
    """The tail without an entry (NULL: all stay) and without those that a trim took."""
    cdef uint8_t[BLOCK_BYTES_MAX + ID_BYTES] scratch
    cdef uint64_t n = block_without(stream_tail(s), stream_head(s).tail_bytes, without, stream_head(s).first, scratch)
    if n == 0:
        empty_tail(s)
        return
    INVARIANT(n <= stream_head(s).tail_bytes)
    memcpy(stream_tail(s), scratch, n)
    set_tail_bytes(s, n)
    look_over_tail(s)


# ---- adding

cdef inline bint new_node(const Stream* s, const StreamHead* head, uint64_t text_bytes) noexcept nogil:
    cdef uint64_t bytes_max = s.node_bytes_max
    if head.node_live == 0:
        return True
    if bytes_max == 0 or bytes_max > <uint64_t>LISTPACK_BYTES_MAX:
        bytes_max = LISTPACK_BYTES_MAX
    if (head.node_bytes + listpack_number_bytes(head.node_live) + listpack_number_bytes(head.node_deleted) + text_bytes >= bytes_max):
        return True
    return s.node_entries_max != 0 and <uint64_t>head.node_live + head.node_deleted >= s.node_entries_max


cdef uint64_t hash_names(const Arg* pairs, uint32_t fields) noexcept nogil:
    """Lies in the record, and means the same in every store."""
    cdef uint64_t hash = fields
    cdef uint32_t i
    for i in range(fields):
        hash = hash_bytes(pairs[2 * i].data, pairs[2 * i].size, hash)
    return hash | 1


cdef void count_in_node(StreamHead* head, StreamId id, const Arg* pairs, uint32_t fields, bint begins, bint own) noexcept nogil:
    cdef uint64_t n = 0
    cdef uint32_t i
    if begins:
        head.node = id
        head.node_live = 0
        head.node_deleted = 0
        head.nodes += 1
        n = LISTPACK_EMPTY_BYTES + listpack_number_bytes(fields) + 2
        for i in range(fields):
            n += listpack_entry_bytes(pairs[2 * i].data, <uint32_t>pairs[2 * i].size)
        head.node_bytes = 0
    n += 2 + listpack_number_bytes(<int64_t>(id.ms - head.node.ms)) + listpack_number_bytes(<int64_t>(id.seq - head.node.seq))
    if own:
        n += listpack_number_bytes(fields)
    for i in range(fields):
        if own:
            n += listpack_entry_bytes(pairs[2 * i].data, <uint32_t>pairs[2 * i].size)
        n += listpack_entry_bytes(pairs[2 * i + 1].data, <uint32_t>pairs[2 * i + 1].size)
    n += listpack_number_bytes(<int64_t>fields * 2 + 4 if own else <int64_t>fields + 3)
    head.node_bytes = <uint32_t>min(head.node_bytes + n, <uint64_t>0xffffffff)
    head.node_live += 1


cdef Status append_alone(Stream* s, StreamId id, const Arg* pairs, uint32_t fields, bint begins, uint64_t room) noexcept nogil:
    """An entry that is too large for the tail, as a block of its own. With it go names that are."""
    cdef uint8_t no_names = 0
    cdef StreamHead* head = stream_head(s)
    cdef const uint8_t* names = &no_names
    cdef uint64_t span = 1
    cdef bint own = True
    cdef uint8_t* block
    cdef uint8_t* p
    cdef Status status
    if begins:
        span = names_bytes(pairs, fields)
        own = False
    elif head.tail_bytes:
        names = stream_tail(s) + head.tail_names
        span = names_span(names)
        own = not names_are(names, pairs, fields)
    status = stream_reserve(s, BLOCK_HEADER_BYTES + (1 if span > block_bytes_max(s) // 2 else span), stream_head(s).table_bytes)
    if status != STATUS_OK:
        return status
    head = stream_head(s)
    if not begins and head.tail_bytes:
        names = stream_tail(s) + head.tail_names
    block = <uint8_t*>malloc(BLOCK_HEADER_BYTES + span + room)
    if block == NULL:
        return STATUS_FULL
    p = block_begin(block, id, begins)
    if begins:
        p = write_names(p, pairs, fields)
    else:
        memcpy(p, names, span)
        p += span
    p = write_entry(p, block_before(id), id, pairs, fields, own)
    if head.tail_entries:
        status = add_block(s, stream_tail(s), head.tail_bytes)
        if status == STATUS_OK:
            empty_tail(s)
            head = stream_head(s)
    if status == STATUS_OK:
        status = add_block(s, block, <uint64_t>(p - block))
    if status == STATUS_OK:
        # An empty tail keeps the names for those that follow; names too large for that are told with each entry.
        if begins:
            head.node_names = 0
            if span > block_bytes_max(s) // 2:
                head.node_names = hash_names(pairs, fields)
                span = 1
                block[BLOCK_HEADER_BYTES] = 0
            set_tail_bytes(s, BLOCK_HEADER_BYTES + span)
            memcpy(stream_tail(s), block, BLOCK_HEADER_BYTES + span)
            head.tail_names = BLOCK_HEADER_BYTES
            head.tail_entries = 0
    free(block)
    return status


cdef Status append_to_tail(Stream* s, StreamId id, const Arg* pairs, uint32_t fields, bint begins, bint own, uint64_t room) noexcept nogil:
    """REQUIRED: the entry, with the names if it begins a node, fits a tail of nothing but the names in force."""
    cdef StreamHead* head = stream_head(s)
    cdef uint64_t more = room, size
    cdef uint8_t* tail
    cdef uint8_t* p
    cdef StreamId before
    cdef Status status
    if begins:
        more += 1 + names_bytes(pairs, fields)
    if head.tail_entries and head.tail_bytes + more > block_bytes_max(s) and id_compare(id_load(stream_tail(s)), head.first) < 0:
        rewrite_tail(s, NULL)
    if head.tail_entries and head.tail_bytes + more > block_bytes_max(s):
        # The names in force fit behind the header, whatever was there.
        status = stream_reserve(s, BLOCK_HEADER_BYTES + names_span(stream_tail(s) + head.tail_names) + more, head.table_bytes)
        if status == STATUS_OK:
            head = stream_head(s)
            status = add_block(s, stream_tail(s), head.tail_bytes)
        if status != STATUS_OK:
            return status
        empty_tail(s)
        head = stream_head(s)
    size = head.tail_bytes if head.tail_entries or not begins else BLOCK_HEADER_BYTES
    status = stream_reserve(s, size + more, head.table_bytes)
    if status != STATUS_OK:
        return status
    head = stream_head(s)
    tail = stream_tail(s)
    if head.table_bytes:
        # The tail is as long as it may become, for now.
        memmove(tail + size + more, tail + head.tail_bytes, head.table_bytes)
    p = tail + size
    before = head.tail_last
    if head.tail_entries == 0:
        block_begin(tail, id, begins)
        before = block_before(id)
    elif begins:
        p[0] = BLOCK_NODE
        p += 1
    if begins:
        head.node_names = 0
        head.tail_names = <uint32_t>(p - tail)
        p = write_names(p, pairs, fields)
    p = write_entry(p, before, id, pairs, fields, own)
    if head.table_bytes:
        memmove(p, tail + size + more, head.table_bytes)
    head.tail_bytes = <uint32_t>(p - tail)
    head.tail_last = id
    head.tail_entries += 1
    return STATUS_OK


cdef Status stream_append(Stream* s, StreamId id, const Arg* pairs, uint32_t fields) noexcept nogil:
    cdef StreamHead* head = stream_head(s)
    cdef uint64_t text_bytes = 0, room, least
    cdef uint32_t i
    cdef bint begins, own
    cdef Status status
    INVARIANT(id_compare(id, head.last) > 0 and fields > 0)
    for i in range(2 * fields):
        text_bytes += pairs[i].size
    if unlikely(text_bytes > <uint64_t>ENTRY_BYTES_MAX):
        return STATUS_TOO_LARGE
    begins = new_node(s, head, text_bytes)
    own = not begins and not names_are(stream_tail(s) + head.tail_names, pairs, fields)
    room = entry_room(pairs, fields, own)
    if begins:
        least = BLOCK_HEADER_BYTES + 1 + names_bytes(pairs, fields)
    else:
        least = BLOCK_HEADER_BYTES + names_span(stream_tail(s) + head.tail_names)
    if likely(least + room <= block_bytes_max(s)):
        status = append_to_tail(s, id, pairs, fields, begins, own, room)
    else:
        status = append_alone(s, id, pairs, fields, begins, entry_room(pairs, fields, True))
    if unlikely(status != STATUS_OK):
        return status
    head = stream_head(s)
    # Redis would tell names once that were too large to be told once here.
    if unlikely(own and head.node_names) and hash_names(pairs, fields) == head.node_names:
        own = False
    count_in_node(head, id, pairs, fields, begins, own)
    if head.length == 0:
        head.first = id
    head.length += 1
    head.added += 1
    head.last = id
    return STATUS_OK


# ---- walking

cdef inline void open_block(StreamWalk* w) noexcept nogil:
    cdef uint32_t n = 0
    if w.in_tail:
        w.block = stream_tail(w.s)
        w.block_bytes = stream_head(w.s).tail_bytes
    else:
        w.block = tree_element(w.s.keys.forest, &w.place, &n)
        w.block_bytes = n
    block_open(w.block, w.block_bytes, &w.cursor)


cdef void gather(StreamWalk* w) noexcept nogil:
    """The block's entries of the interval."""
    cdef Entry* entry
    w.left = 0
    open_block(w)
    while True:
        INVARIANT(w.left < BLOCK_ENTRIES_MAX)
        entry = &w.entries[w.left]
        if not block_next(&w.cursor, entry) or id_compare(entry.id, w.high) > 0:
            return
        if id_compare(entry.id, w.low) >= 0:
            w.left += 1


cdef bint tail_is_from(Stream* s, StreamId id) noexcept nogil:
    """Whether the tail may hold the entry of this ID, and no block of the tree does."""
    cdef StreamHead* head = stream_head(s)
    return head.tail_entries > 0 and id_compare(id_load(stream_tail(s)), id) <= 0


cdef void to_block_of(StreamWalk* w, StreamId id) noexcept nogil:
    """To the last block whose ID is not greater; to the first where there is none."""
    cdef Forest* f = w.s.keys.forest
    cdef Tree* t = stream_tree(w.s, STREAM_TREE_BLOCKS)
    cdef const uint8_t* block
    cdef uint32_t n
    w.in_tail = t.count == 0 or tail_is_from(w.s, id)
    if w.in_tail:
        return
    find_block(w.s, id, &w.place)
    block = tree_element(f, &w.place, &n)
    if block == NULL or id_compare(id_load(block), id) != 0:
        if not tree_previous(f, &w.place):
            tree_at(f, t, 0, &w.place)


cdef void stream_walk(Stream* s, StreamId low, StreamId high, bint back, StreamWalk* w) noexcept nogil:
    cdef StreamHead* head
    w.s = s
    w.back = back
    w.left = 0
    w.more = False
    if not s.there and not s.loose:
        return
    head = stream_head(s)
    w.low = head.first if id_compare(low, head.first) < 0 else low
    w.high = high
    if head.length == 0 or id_compare(w.low, high) > 0:
        return
    w.more = True
    to_block_of(w, high if back else w.low)
    if back:
        gather(w)
    else:
        open_block(w)


cdef bint stream_next(StreamWalk* w, Entry* out) noexcept nogil:
    cdef Forest* f = w.s.keys.forest
    if not w.more:
        return False
    while w.back:
        if w.left > 0:
            w.left -= 1
            out[0] = w.entries[w.left]
            return True
        if id_compare(id_load(w.block), w.low) <= 0:
            break
        if w.in_tail:
            w.in_tail = False
            if not tree_at(f, stream_tree(w.s, STREAM_TREE_BLOCKS), stream_tree(w.s, STREAM_TREE_BLOCKS).count, &w.place):
                break
        if not tree_previous(f, &w.place):
            break
        gather(w)
    while not w.back:
        if block_next(&w.cursor, out):
            if id_compare(out.id, w.low) < 0:
                continue
            if id_compare(out.id, w.high) > 0:
                break
            return True
        if w.in_tail:
            break
        if not tree_next(f, &w.place):
            w.in_tail = True
            if stream_head(w.s).tail_entries == 0:
                break
        open_block(w)
    w.more = False
    return False


cdef bint stream_has(Stream* s, StreamId id) noexcept nogil:
    cdef StreamWalk w
    cdef Entry entry
    stream_walk(s, id, id, False, &w)
    return stream_next(&w, &entry)


cdef StreamId stream_last_entry(Stream* s) noexcept nogil:
    cdef StreamWalk w
    cdef Entry entry
    if stream_head(s).length and stream_head(s).tail_entries:
        return stream_head(s).tail_last
    entry.id = id_of(0, 0)
    stream_walk(s, id_of(0, 0), id_max(), True, &w)
    stream_next(&w, &entry)
    return entry.id


# ---- taking away

cdef inline void note_moved(Stream* s, const StreamWalk* w) noexcept nogil:
    """The block where the walk is was changed where it lies."""
    if not w.in_tail:
        tree_note(s.keys.forest, stream_tree(s, STREAM_TREE_BLOCKS), NOTE_PUT, w.block, <uint32_t>w.block_bytes, 0)


cdef Status stream_remove(Stream* s, StreamId id, bint* found) noexcept nogil:
    cdef StreamHead* head
    cdef StreamWalk w
    cdef Entry entry, following
    cdef Place place
    cdef const uint8_t* block
    cdef uint64_t block_bytes, n = 0
    cdef uint8_t[BLOCK_BYTES_MAX + ID_BYTES] scratch
    cdef Key key
    cdef bint in_tail, node_goes_on, there
    cdef uint8_t* moved = NULL
    cdef Status status = STATUS_OK
    stream_walk(s, id, id, False, &w)
    found[0] = stream_next(&w, &entry)
    if not found[0]:
        return STATUS_OK
    head = stream_head(s)
    in_tail = w.in_tail
    block = w.block
    block_bytes = w.block_bytes
    w.high = id_max()
    following.id = id_of(0, 0)
    node_goes_on = stream_next(&w, &following) and not following.begins
    if in_tail:
        rewrite_tail(s, entry.at)
    else:
        if node_goes_on and entry.begins and w.block != block:
            # The node's next entry is in another block, and the first of its node from now on.
            moved = <uint8_t*>w.block + ID_BYTES
            moved[0] |= BLOCK_BEGINS
            note_moved(s, &w)
        # A walk's place has no path to the root.
        separator_key(block, <uint32_t>block_bytes, &key)
        there = tree_find(s.keys.forest, stream_tree(s, STREAM_TREE_BLOCKS), &key, &place)
        INVARIANT(there)
        if block_bytes <= <uint64_t>BLOCK_BYTES_MAX:
            n = block_without(block, block_bytes, entry.at, head.first, scratch)
        if n == 0:
            tree_remove(s.keys.forest, stream_tree(s, STREAM_TREE_BLOCKS), &place)
        else:
            status = tree_replace(s.keys.forest, stream_tree(s, STREAM_TREE_BLOCKS), &place, scratch, <uint32_t>n)
        if status != STATUS_OK:
            if moved != NULL:
                moved[0] &= ~<uint8_t>BLOCK_BEGINS
                note_moved(s, &w)
            return status
    head.length -= 1
    if id_compare(id, head.node) >= 0:
        head.node_live -= 1
        head.node_deleted += 1
    if not node_goes_on and (entry.begins or id_compare(id, head.first) == 0):
        head.nodes -= 1
    if id_compare(id, head.first) == 0:
        head.first = following.id
    head.front_live = 0
    return STATUS_OK


cdef struct Trim:
    uint64_t entries           # that go
    uint64_t of_last_node
    uint32_t nodes             # that go whole
    bint all
    StreamId cut               # the first entry that stays


cdef void trim_exactly(Stream* s, int by, uint64_t length_max, StreamId id_min, Trim* trim) noexcept nogil:
    cdef StreamHead* head = stream_head(s)
    cdef StreamWalk w
    cdef Entry entry
    stream_walk(s, id_of(0, 0), id_max(), False, &w)
    while stream_next(&w, &entry):
        if entry.begins and trim.entries:
            trim.nodes += 1
        if (head.length - trim.entries <= length_max) if by == TRIM_MAXLEN else (id_compare(entry.id, id_min) >= 0):
            trim.cut = entry.id
            return
        trim.entries += 1
        trim.of_last_node += id_compare(entry.id, head.node) >= 0
    trim.all = True


cdef void trim_nodes(Stream* s, int by, uint64_t length_max, StreamId id_min, uint64_t limit, Trim* trim) noexcept nogil:
    cdef StreamHead* head = stream_head(s)
    cdef StreamWalk w
    cdef Entry entry
    cdef StreamId last
    cdef uint64_t count
    cdef bint more
    # What was counted by the trim before is not counted again: a stream capped with every entry meets its first node a hundred times.
    count = head.node_live if head.nodes == 1 else head.front_live
    if by == TRIM_MAXLEN and head.length < length_max + count:
        return
    stream_walk(s, id_of(0, 0), id_max(), False, &w)
    more = stream_next(&w, &entry)
    while more and ((head.length - trim.entries > length_max) if by == TRIM_MAXLEN else (id_compare(entry.id, id_min) < 0)):
        count = 0
        while True:
            count += 1
            last = entry.id
            more = stream_next(&w, &entry)
            if not more or entry.begins:
                break
        head.front_live = <uint32_t>count
        if limit and trim.entries + count > limit:
            return
        if (head.length - trim.entries < length_max + count) if by == TRIM_MAXLEN else (id_compare(last, id_min) >= 0):
            return
        head.front_live = 0
        trim.entries += count
        trim.nodes += 1
        trim.cut = entry.id
        trim.all = not more


cdef uint64_t stream_trim(Stream* s, int by, uint64_t length_max, StreamId id_min, bint approximate, uint64_t limit) noexcept nogil:
    cdef Forest* f = s.keys.forest
    cdef Tree* t = stream_tree(s, STREAM_TREE_BLOCKS)
    cdef StreamHead* head = stream_head(s)
    cdef const uint8_t* second
    cdef uint32_t n
    cdef Place place
    cdef Trim trim
    memset(&trim, 0, sizeof(Trim))
    if head.length == 0 or (by == TRIM_MAXLEN and head.length <= length_max):
        return 0
    if approximate:
        trim_nodes(s, by, length_max, id_min, limit, &trim)
    else:
        trim_exactly(s, by, length_max, id_min, &trim)
    if trim.entries == 0:
        return 0
    while t.count > 0:
        if not trim.all:
            second = stream_tail(s) if head.tail_entries else NULL
            if t.count > 1:
                tree_at(f, t, 1, &place)
                second = tree_element(f, &place, &n)
            if second == NULL or id_compare(id_load(second), trim.cut) > 0:
                break
        tree_at(f, t, 0, &place)
        tree_remove(f, t, &place)
    head.length -= trim.entries
    head.first = trim.cut
    head.nodes -= trim.nodes
    head.node_live -= <uint32_t>trim.of_last_node
    head.node_deleted += <uint32_t>trim.of_last_node
    if not approximate:
        head.front_live = 0
    if trim.all:
        empty_tail(s)
        head.first = id_of(0, 0)
        head.nodes = 0
        head.node_live = 0
    return trim.entries
