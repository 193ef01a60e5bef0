"""Recording effects. See effects.pxd."""
from libc.stdlib cimport calloc, free, realloc
from libc.string cimport memcmp, memcpy
from gapless.engine.base cimport INVARIANT, likely, load_u48, load_u64, store_u48, store_u64, unlikely
from gapless.engine.forest cimport Tree
from gapless.engine.record cimport (
    RECORD_MAKING_MASK, RECORD_TYPE_MASK, TYPE_LIST, TYPE_STREAM, read_varint_within, varint_bytes, write_varint,
)
from gapless.engine.tree_notes cimport (
    NOTE_CUT_LEFT, NOTE_CUT_TO, NOTE_INSERT, NOTE_NEW, NOTE_REMOVE, NOTE_REPLACE, TreeNote, note_bytes,
    note_is_of, notes_forget, notes_free, notes_moved, notes_new,
)

cdef extern from * nogil:
    int __builtin_ctzll(unsigned long long v)
    int __builtin_clzll(unsigned long long v)

cdef enum:
    ROOM_BYTES = 1 << 16       # of a batch at first
    ROOM_KEPT = 4 << 20        # a larger one is given back when it has been written
    SPLICE_HEAD_BYTES = 3      # at least
    SPLICE_HEAD_BYTES_MAX = 15
    STRETCH_BYTES = 64         # compared at a time
    ROOT_REFRESHED_MAX = 64    # of a larger one no second change is expected in a command
    PACKED_COUNTS_BYTES = 2    # at the front of a packed collection: marks and number of elements
    WHOLE_ROOT_BYTES = 8
    TREE_SHIFT = 4             # Trees take 16 bytes


# ---- life

cdef Effects* effects_new(const uint8_t* arena, uint64_t arena_bytes, Extents* extents, const int64_t* now_ms) noexcept nogil:
    cdef Effects* e = <Effects*>calloc(1, sizeof(Effects))
    INVARIANT(e != NULL)
    e.now_ms = now_ms
    e.notes = notes_new(arena, arena_bytes, extents)
    e.length = EFFECTS_HEADROOM
    reserve(e, 0)
    return e


cdef void effects_free(Effects* e) noexcept nogil:
    if e == NULL:
        return
    notes_free(e.notes)
    free(e.image.key)
    free(e.scratch)
    free(e.bytes)
    free(e)


cdef void effects_clear(Effects* e) noexcept nogil:
    # A note that is left is of a change which no key was said to have: what was recorded would not be what there is.
    INVARIANT(e.notes.count == 0)
    e.length = EFFECTS_HEADROOM
    if e.room > <uint64_t>ROOM_KEPT:
        free(e.bytes)
        e.bytes = NULL
        e.room = 0
        reserve(e, 0)


cdef void reserve(Effects* e, uint64_t n) noexcept nogil:
    if likely(e.length + n <= e.room):
        return
    e.room = max((e.length + n) * 3 // 2, <uint64_t>ROOM_BYTES)
    e.bytes = <uint8_t*>realloc(e.bytes, e.room)
    INVARIANT(e.bytes != NULL)


cdef uint8_t* scratch(Effects* e, uint64_t n) noexcept nogil:
    if e.scratch_room < n:
        e.scratch_room = n * 3 // 2
        e.scratch = <uint8_t*>realloc(e.scratch, e.scratch_room)
        INVARIANT(e.scratch != NULL)
    return e.scratch


# ---- one effect

cdef inline bint is_image_of(const Effects* e, int db, const uint8_t* key, uint64_t key_bytes) noexcept nogil:
    """Whether an image of this key is being written in parts."""
    return (unlikely(e.image.open) and e.image.db == db and e.image.key_bytes == key_bytes
            and memcmp(e.image.key, key, key_bytes) == 0)


cdef void effects_end_image(Effects* e, int db, const uint8_t* key, uint64_t key_bytes) noexcept nogil:
    if is_image_of(e, db, key, key_bytes):
        e.image.open = False


cdef void look_after_image(Effects* e, int kind, int db, const uint8_t* key, uint64_t key_bytes) noexcept nogil:
    if kind == EFFECT_FLUSH_ALL or (kind == EFFECT_FLUSH and db == e.image.db):
        e.image.open = False
    elif kind == EFFECT_PUT or kind == EFFECT_DELETE or kind == EFFECT_RENAME:
        effects_end_image(e, db, key, key_bytes)


cdef void effects_swap(Effects* e, int a, int b) noexcept nogil:
    effects_begin(e, EFFECT_SWAP, 0, a, -1, NULL, 0, 1)[0] = <uint8_t>b
    if e.image.db == a or e.image.db == b:
        e.image.db = a + b - e.image.db


cdef void effects_rename(Effects* e, int db, const uint8_t* key, uint64_t key_bytes, int to_db, const uint8_t* to_key,
                         uint64_t to_key_bytes) noexcept nogil:
    cdef uint8_t* p = effects_begin(e, EFFECT_RENAME, 0, db, -1, key, key_bytes, 1 + to_key_bytes)
    p[0] = <uint8_t>to_db
    memcpy(p + 1, to_key, to_key_bytes)
    e.renames += 1
    effects_end_image(e, to_db, to_key, to_key_bytes)


cdef uint8_t* effects_begin(Effects* e, int kind, uint32_t type, int db, int64_t expire_ms, const uint8_t* key, uint64_t key_bytes,
                            uint64_t body_bytes) noexcept nogil:
    cdef uint8_t* p
    cdef uint8_t* at
    if e.length == EFFECTS_HEADROOM:
        e.time_ms = e.now_ms[0]
    if unlikely(e.image.open):
        look_after_image(e, kind, db, key, key_bytes)
    reserve(e, EFFECT_HEAD_BYTES_MAX + key_bytes + body_bytes)
    at = e.bytes + e.length
    at[0] = <uint8_t>(kind | (type & RECORD_TYPE_MASK) << 4)
    at[1] = <uint8_t>(db | (type & RECORD_MAKING_MASK))
    p = at + 2
    if expire_ms >= 0:
        at[1] |= EFFECT_TTL
        if unlikely(expire_ms >> 48):
            at[1] |= EFFECT_WIDE_TTL
            store_u64(p, <uint64_t>expire_ms)
            p += 8
        else:
            store_u48(p, <uint64_t>expire_ms)
            p += 6
    p = write_varint(write_varint(p, <uint32_t>key_bytes), <uint32_t>body_bytes)
    if key_bytes:
        memcpy(p, key, key_bytes)
    p += key_bytes
    e.length += <uint64_t>(p - at) + body_bytes
    return p


cdef void effects_put(Effects* e, uint32_t type, int db, int64_t expire_ms, const uint8_t* key, uint64_t key_bytes, const uint8_t* value,
                      uint64_t value_bytes) noexcept nogil:
    memcpy(effects_begin(e, EFFECT_PUT, type, db, expire_ms, key, key_bytes, value_bytes), value, value_bytes)


# ---- splices

cdef inline uint64_t load_few(const uint8_t* p, uint64_t n) noexcept nogil:
    cdef uint64_t v = 0
    memcpy(&v, p, n)
    return v


cdef inline uint8_t* write_splice(uint8_t* p, uint64_t go_on, uint64_t cut, const uint8_t* put, uint64_t n) noexcept nogil:
    p = write_varint(write_varint(write_varint(p, <uint32_t>go_on), <uint32_t>cut), <uint32_t>n)
    memcpy(p, put, n)
    return p + n


cdef bint effects_patch(Effects* e, uint32_t type, int db, int64_t expire_ms, const uint8_t* key, uint64_t key_bytes, const uint8_t* value,
                        uint64_t value_bytes, uint64_t offset, uint64_t cut, uint64_t put) noexcept nogil:
    cdef uint64_t n = varint_bytes(<uint32_t>offset) + varint_bytes(<uint32_t>cut) + varint_bytes(<uint32_t>put) + put
    if n >= value_bytes:
        effects_put(e, type, db, expire_ms, key, key_bytes, value, value_bytes)
        return False
    write_splice(effects_begin(e, EFFECT_PATCH, type, db, -1, key, key_bytes, n), offset, cut, value + offset, put)
    return True


cdef uint8_t* diff_counts(uint8_t* p, const uint8_t* before, const uint8_t* value, uint64_t n, uint64_t* done) noexcept nogil:
    """Splices for the numbers that are others: each as much as differs. `done`: up to where the last one led."""
    cdef uint64_t i = 0, begin = 0, end = 0, difference, first, width
    while i < n:
        width = min(n - i, 8)
        if likely(width == 8):
            difference = load_u64(before + i) ^ load_u64(value + i)
        else:
            difference = load_few(before + i, width) ^ load_few(value + i, width)
        if difference:
            first = i + __builtin_ctzll(difference) // 8
            # What is equal between two of them costs less than a splice of its own.
            if end and first - end > <uint64_t>SPLICE_HEAD_BYTES:
                p = write_splice(p, begin - done[0], end - begin, value + begin, end - begin)
                done[0] = end
                end = 0
            if end == 0:
                begin = first
            end = i + 8 - __builtin_clzll(difference) // 8
        i += 8
    if end:
        p = write_splice(p, begin - done[0], end - begin, value + begin, end - begin)
        done[0] = end
    return p


cdef uint64_t alike(const uint8_t* a, const uint8_t* b, uint64_t n) noexcept nogil:
    """How many bytes are the same from the front on."""
    cdef uint64_t same = 0
    while same + STRETCH_BYTES <= n and memcmp(a + same, b + same, STRETCH_BYTES) == 0:
        same += STRETCH_BYTES
    while same + 8 <= n and load_u64(a + same) == load_u64(b + same):
        same += 8
    while same < n and a[same] == b[same]:
        same += 1
    return same


cdef uint64_t alike_behind(const uint8_t* a, const uint8_t* b, uint64_t n) noexcept nogil:
    """How many bytes are the same before these ends."""
    cdef uint64_t same = 0
    while same + 8 <= n and load_u64(a - same - 8) == load_u64(b - same - 8):
        same += 8
    while same < n and a[-1 - <int64_t>same] == b[-1 - <int64_t>same]:
        same += 1
    return same


cdef uint64_t diff(Effects* e, const uint8_t* before, uint64_t before_bytes, const uint8_t* value, uint64_t value_bytes,
                   uint64_t counts_bytes) noexcept nogil:
    """Splices that make the one of the other, in the scratch: single numbers at the front, one stretch behind them. Their length."""
    cdef uint64_t front = min(counts_bytes, min(before_bytes, value_bytes)), done = 0, same, tail, common
    # Splices of single numbers are more than three equal bytes apart, and take about three bytes more than they put.
    cdef uint8_t* start = scratch(e, 2 * front + value_bytes + 4 * SPLICE_HEAD_BYTES_MAX)
    cdef uint8_t* p = diff_counts(start, before, value, front, &done)
    common = min(before_bytes, value_bytes) - front
    same = alike(before + front, value + front, common)
    tail = alike_behind(before + before_bytes, value + value_bytes, common - same)
    same += front
    if before_bytes - same - tail or value_bytes - same - tail:
        p = write_splice(p, same - done, before_bytes - same - tail, value + same, value_bytes - same - tail)
    return <uint64_t>(p - start)


cdef bint effects_rewrite(Effects* e, uint32_t type, int db, int64_t expire_ms, const uint8_t* key, uint64_t key_bytes, const uint8_t* value,
                          uint64_t value_bytes, const uint8_t* before, uint64_t before_bytes) noexcept nogil:
    cdef uint64_t n = diff(e, before, before_bytes, value, value_bytes, value_bytes if before_bytes == value_bytes else PACKED_COUNTS_BYTES)
    if n >= value_bytes:
        effects_put(e, type, db, expire_ms, key, key_bytes, value, value_bytes)
        return False
    memcpy(effects_begin(e, EFFECT_PATCH, type, db, -1, key, key_bytes, n), e.scratch, n)
    return True


# ---- records with Trees

cdef RootBefore* find_root(Effects* e, uint64_t key_hash, const uint8_t* trees) noexcept nogil:
    cdef int i
    for i in range(ROOTS_KEPT):
        if e.roots[i].trees == trees and e.roots[i].key_hash == key_hash:
            return &e.roots[i]
    return NULL


cdef void effects_root(Effects* e, uint64_t key_hash, const uint8_t* value, uint64_t value_bytes, uint64_t trees_bytes) noexcept nogil:
    cdef RootBefore* root
    cdef uint64_t n = value_bytes - trees_bytes
    forget_roots(e, value)
    forget_roots_of_key(e, key_hash)
    if n > <uint64_t>ROOT_BYTES_MAX:
        return
    root = &e.roots[e.root_next]
    e.root_next = (e.root_next + 1) % ROOTS_KEPT
    root.trees = value
    root.key_hash = key_hash
    root.bytes = n
    memcpy(root.copy, value + trees_bytes, n)


cdef void forget_roots_of_key(Effects* e, uint64_t key_hash) noexcept nogil:
    """Those of a record that has lain elsewhere: what they say may be of long ago."""
    cdef int i
    for i in range(ROOTS_KEPT):
        if e.roots[i].key_hash == key_hash:
            e.roots[i].trees = NULL


cdef void forget_roots(Effects* e, const uint8_t* trees) noexcept nogil:
    cdef int i
    for i in range(ROOTS_KEPT):
        if e.roots[i].trees == trees:
            e.roots[i].trees = NULL


cdef void effects_trees_moved(Effects* e, const uint8_t* trees, uint64_t trees_bytes, const uint8_t* to) noexcept nogil:
    cdef int i
    if trees == to:
        return
    forget_roots(e, to)
    for i in range(ROOTS_KEPT):
        if e.roots[i].trees == trees:
            e.roots[i].trees = to
    notes_moved(e.notes, trees, trees_bytes, to)


cdef void effects_trees_gone(Effects* e, const uint8_t* trees, uint64_t trees_bytes) noexcept nogil:
    forget_roots(e, trees)
    if e.notes.count:
        notes_forget(e.notes, trees, trees_bytes)


cdef uint64_t note_room(const TreeNote* note) noexcept nogil:
    """Bytes that the note takes as a change."""
    cdef int kind = note.kind
    cdef uint64_t n = 1
    if kind >= NOTE_INSERT:
        n += varint_bytes(note.position)
    if kind <= NOTE_INSERT or kind == NOTE_REPLACE:
        n += varint_bytes(note.n) + note.n
    return n


cdef inline bint is_beyond(ImageCursor* image, const TreeNote* note) noexcept nogil:
    """Whether a change of a list is of elements that its image does not have yet; else the cursor follows it."""
    if note.kind == NOTE_CUT_LEFT:
        image.position -= min(image.position, note.position)
    elif note.kind == NOTE_CUT_TO:
        image.position = min(image.position, note.position)
    elif note.position >= image.position:
        return True
    elif note.kind == NOTE_INSERT:
        image.position += 1
    elif note.kind == NOTE_REMOVE:
        image.position -= 1
    return False


cdef uint8_t* write_change(uint8_t* p, const Effects* e, const TreeNote* note, uint32_t tree, bint only_whole) noexcept nogil:
    p[0] = <uint8_t>(note.kind | (CHANGE_SECOND_TREE if tree else 0) | (CHANGE_ONLY_WHOLE if only_whole else 0))
    p += 1
    if note.kind >= NOTE_INSERT:
        p = write_varint(p, note.position)
    if note.kind <= NOTE_INSERT or note.kind == NOTE_REPLACE:
        p = write_varint(p, note.n)
        memcpy(p, note_bytes(e.notes, note), note.n)
        p += note.n
    return p


cdef uint64_t root_change(Effects* e, RootBefore* root, uint32_t type, const uint8_t* behind, uint64_t n, bint* all) noexcept nogil:
    """What has changed behind the Trees: its length; it is in the scratch, or is all there is."""
    cdef uint64_t splices
    all[0] = True
    if root == NULL:
        return n
    splices = diff(e, root.copy, root.bytes, behind, n, STREAM_COUNTS_BYTES if type == TYPE_STREAM else n)
    # A few bytes are written as they are: nobody need know what was there.
    if splices and splices + WHOLE_ROOT_BYTES >= n:
        return n
    all[0] = False
    return splices


cdef bint effects_change(Effects* e, uint32_t type, int db, const uint8_t* key, uint64_t key_bytes, uint64_t key_hash, const uint8_t* value,
                         uint64_t value_bytes, uint64_t trees_bytes) noexcept nogil:
    cdef uint32_t i, count = 0
    cdef uint64_t body = 1, behind = value_bytes - trees_bytes, root_bytes
    cdef TreeNote* note
    cdef RootBefore* root = find_root(e, key_hash, value)
    cdef bint all, only_whole, imaged
    cdef uint8_t* p
    for i in range(e.notes.count):
        note = &e.notes.notes[i]
        if not note_is_of(note, value, trees_bytes):
            continue
        if note.kind == NOTE_NEW:
            return False
        count += 1
        body += note_room(note)
    root_bytes = root_change(e, root, type & RECORD_TYPE_MASK, value + trees_bytes, behind, &all)
    if root_bytes:
        body += 1 + root_bytes
    if count == 0 and root_bytes == 0 and root != NULL and (type & RECORD_TYPE_MASK) == TYPE_STREAM:
        return True
    imaged = is_image_of(e, db, key, key_bytes) and (type & RECORD_TYPE_MASK) == TYPE_LIST
    p = effects_begin(e, EFFECT_CHANGE, type, db, -1, key, key_bytes, body)
    p[0] = (<const Tree*>value).marks
    p += 1
    for i in range(e.notes.count if count else 0):
        note = &e.notes.notes[i]
        if note_is_of(note, value, trees_bytes):
            only_whole = imaged and is_beyond(&e.image, note)
            p = write_change(p, e, note, <uint32_t>((note.tree - value) >> TREE_SHIFT), only_whole)
    if root_bytes:
        p[0] = CHANGE_ROOT | (CHANGE_ALL if all else 0)
        memcpy(p + 1, value + trees_bytes if all else e.scratch, root_bytes)
        p += 1 + root_bytes
    INVARIANT(p == e.bytes + e.length)
    if count:
        notes_forget(e.notes, value, trees_bytes)
    if root != NULL:
        if behind <= <uint64_t>ROOT_REFRESHED_MAX:
            root.bytes = behind
            memcpy(root.copy, value + trees_bytes, behind)
        else:
            root.trees = NULL
    else:
        forget_roots_of_key(e, key_hash)
    return True


# ---- reading

cdef const uint8_t* effect_read(const uint8_t* p, const uint8_t* end, Effect* out) noexcept nogil:
    cdef uint32_t flags, n
    if end - p < 4:
        return NULL
    flags = p[1]
    out.kind = p[0] & EFFECT_KIND_MASK
    out.type = p[0] >> 4
    out.db = flags & EFFECT_DB_MASK
    out.making = flags & EFFECT_MAKING_MASK
    out.expire_ms = -1
    p += 2
    if flags & EFFECT_TTL:
        n = 8 if flags & EFFECT_WIDE_TTL else 6
        if end - p < n + 2:
            return NULL
        out.expire_ms = <int64_t>(load_u64(p) if n == 8 else load_u48(p))
        if out.expire_ms < 0:
            return NULL
        p += n
    p = read_varint_within(p, end, &out.key_bytes)
    if p == NULL:
        return NULL
    p = read_varint_within(p, end, &out.body_bytes)
    if p == NULL or <uint64_t>(end - p) < <uint64_t>out.key_bytes + out.body_bytes:
        return NULL
    out.key = p
    out.body = p + out.key_bytes
    return out.body + out.body_bytes
