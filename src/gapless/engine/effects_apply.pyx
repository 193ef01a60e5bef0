"""Replaying effects. See effects_apply.pxd."""
from libc.string cimport memcmp, memcpy, memmove
from gapless.engine.base cimport (
    INVARIANT, STATUS_MISSING, STATUS_OK, STATUS_TOO_LARGE, likely, unlikely,
)
from gapless.engine.effects cimport (
    CHANGE_ALL, CHANGE_KIND_MASK, CHANGE_ONLY_WHOLE, CHANGE_ROOT, CHANGE_SECOND_TREE, EFFECT_CHANGE, EFFECT_DELETE, EFFECT_EXPIRE,
    EFFECT_FLUSH, EFFECT_FLUSH_ALL, EFFECT_IMAGE, EFFECT_PATCH, EFFECT_PUT, EFFECT_RENAME, IMAGE_ANEW, IMAGE_FIRST,
    IMAGE_LAST, Effect, effect_read,
)
from gapless.engine.effects_sound cimport element_is_sound, packed_is_sound, root_is_sound
from gapless.engine.field_expiry cimport FIELDS_NEVER, fields_add, fields_remove, record_fields_due
from gapless.engine.forest cimport (
    ORDER_BYTES, ORDER_FIELD, ORDER_MEMBER, ORDER_POSITION, ORDER_SCORE, ORDER_SCORED, Tree, tree_begin, tree_retire,
)
from gapless.engine.keyspace cimport (
    FIND_PEEK, Value, keyspace_copy, keyspace_create, keyspace_delete_found, keyspace_expire, keyspace_find, keyspace_hash,
    keyspace_prefetch_bucket, keyspace_prefetch_record, keyspace_resize, keyspace_rewrite, keyspace_set, keyspace_set_now,
)
from gapless.engine.keyspace_flush cimport keyspace_flush, keyspace_flush_all, keyspace_swap
from gapless.engine.record cimport (
    RECORD_BASE_EPOCH, RECORD_BASE_FILE, RECORD_MAKING_MASK, RECORD_TREES, TREE_BYTES, TYPE_HASH, TYPE_LIST, TYPE_SET, TYPE_SORTED_SET,
    TYPE_STREAM, TYPE_STRING, base_of_file, read_varint_within, record_trees,
)
from gapless.engine.sorted_set_value cimport (
    SCORE_BYTES, SortedSet, sorted_set_find, sorted_set_of_value, sorted_set_put_on_trees, sorted_set_remove,
)
from gapless.engine.tree cimport (
    Place, tree_at, tree_element, tree_find, tree_insert, tree_remove, tree_replace,
)
from gapless.engine.tree_cut cimport tree_cut
from gapless.engine.tree_key cimport Key, element_key, hash_key, separator_key
from gapless.engine.tree_notes cimport (
    NOTE_CUT_LEFT, NOTE_CUT_TO, NOTE_DROP, NOTE_INSERT, NOTE_PUT, NOTE_REPLACE,
)

cdef enum:
    AHEAD = 32                 # effects that are read before they are applied; a power of two
    RECORD_AHEAD = 12          # as much before an effect its record is fetched
    ROOT_BYTES_MOST = 8192     # behind Trees
    PATCHED_BYTES_MAX = ROOT_BYTES_MOST  # and of a packed collection


cdef struct Apply:
    Keyspace* ks
    Replay* r
    Effect* e
    uint64_t hash
    const uint8_t* p           # in the body
    const uint8_t* end


cdef inline Status wrong(Apply* a, const char* what) noexcept nogil:
    a.r.wrong = what
    return STATUS_MISSING


cdef inline bint take(Apply* a, uint32_t* out) noexcept nogil:
    """The next number of the body. False: it has none."""
    a.p = read_varint_within(a.p, a.end, out)
    return a.p != NULL


cdef inline bint find(Apply* a, Value* v) noexcept nogil:
    return keyspace_find(a.ks, a.e.db, a.e.key, a.e.key_bytes, a.hash, FIND_PEEK, v)


cdef inline Status missing(Apply* a) noexcept nogil:
    """Of an effect whose key is not there."""
    if a.r.gathering:
        return STATUS_OK
    return wrong(a, b"a key that was changed is not there")


cdef inline bint is_partial(const Keyspace* ks, const Value* v) noexcept nogil:
    return (v.record.at[2] ^ ks.record_base) & RECORD_BASE_EPOCH != 0


cdef inline void set_base(const Keyspace* ks, Value* v, uint32_t base, bint partial) noexcept nogil:
    v.record.at[2] = (((ks.record_base & RECORD_BASE_EPOCH) ^ (RECORD_BASE_EPOCH if partial else 0)) | (base & RECORD_BASE_FILE))


cdef Status follow_due(Apply* a, const Value* v, int64_t before) noexcept nogil:
    """Fields of a hash, changed beside the functions of hashes, may be due at another time than before."""
    cdef int64_t due = record_fields_due(&v.record, v.data)
    cdef Status status
    if due == before:
        return STATUS_OK
    status = fields_add(a.ks, a.ks.db_index[v.db], v.hash, due)
    if status == STATUS_OK:
        fields_remove(a.ks, a.ks.db_index[v.db], v.hash, before)
    return status


# ---- splices

cdef bint splice(Apply* a, const uint8_t* before, uint64_t n, uint8_t* out, uint64_t* out_bytes) noexcept nogil:
    """The bytes with the splices of the body, in PATCHED_BYTES_MAX at `out`. False: they are not of such bytes."""
    cdef uint64_t at = 0, to = 0
    cdef uint32_t go_on = 0, cut = 0, put = 0
    while a.p < a.end:
        if not take(a, &go_on) or not take(a, &cut) or not take(a, &put):
            return False
        if <uint64_t>(a.end - a.p) < put or n - at < <uint64_t>go_on + cut or to + go_on + put > <uint64_t>PATCHED_BYTES_MAX:
            return False
        memcpy(out + to, before + at, go_on)
        at += <uint64_t>go_on + cut
        to += go_on
        memcpy(out + to, a.p, put)
        to += put
        a.p += put
    if to + n - at > <uint64_t>PATCHED_BYTES_MAX:
        return False
    memcpy(out + to, before + at, n - at)
    out_bytes[0] = to + n - at
    return True


cdef Status splice_string(Apply* a, Value* v) noexcept nogil:
    """A string may be large: it is changed where it lies, and only its last splice may be of another length than what it cuts."""
    cdef uint64_t at = 0, size
    cdef uint32_t go_on = 0, cut = 0, put = 0
    cdef Status status
    while a.p < a.end:
        if not take(a, &go_on) or not take(a, &cut) or not take(a, &put) or <uint64_t>(a.end - a.p) < put:
            return wrong(a, b"a splice is cut short")
        if v.size - at < <uint64_t>go_on + cut or (cut != put and a.p + put != a.end):
            return wrong(a, b"a splice is not of this string")
        at += go_on
        size = v.size - cut + put
        if put < cut:
            memmove(v.data + at + put, v.data + at + cut, v.size - at - cut)
        if put != cut:
            status = keyspace_resize(a.ks, v, a.e.key, a.e.key_bytes, size)
            if status != STATUS_OK:
                return status
        if put > cut:
            memmove(v.data + at + put, v.data + at + cut, size - at - put)
        memcpy(v.data + at, a.p, put)
        at += put
        a.p += put
    return STATUS_OK


cdef Status apply_patch(Apply* a) noexcept nogil:
    cdef Value v
    cdef uint8_t[PATCHED_BYTES_MAX] patched
    cdef uint64_t n = 0
    cdef int64_t due
    cdef Status status
    if not find(a, &v):
        return missing(a)
    if v.type != <int>a.e.type or v.trees != NULL:
        return wrong(a, b"a splice of a value of another type")
    if v.type == TYPE_STRING:
        status = splice_string(a, &v)
        v.record.at[1] = <uint8_t>((v.record.at[1] & ~<uint32_t>RECORD_MAKING_MASK) | a.e.making)
        return status
    if not splice(a, v.data, v.size, patched, &n) or not packed_is_sound(v.type, patched, n):
        return wrong(a, b"a splice is not of this collection")
    due = record_fields_due(&v.record, v.data)
    status = keyspace_rewrite(a.ks, &v, a.e.key, a.e.key_bytes, patched, n)
    return follow_due(a, &v, due) if status == STATUS_OK else status


# ---- values as a whole

cdef Status apply_put(Apply* a) noexcept nogil:
    cdef Effect* e = a.e
    cdef Status status
    if e.type != TYPE_STRING:
        if e.type < TYPE_LIST or e.type > TYPE_HASH or e.making or not packed_is_sound(<int>e.type, e.body, e.body_bytes):
            return wrong(a, b"no such value")
    status = keyspace_set(a.ks, e.db, e.key, e.key_bytes, a.hash, e.type | e.making, e.body, e.body_bytes, e.expire_ms)
    return wrong(a, b"a value or key is too large") if unlikely(status == STATUS_TOO_LARGE) else status


cdef Status delete(Apply* a, Value* v) noexcept nogil:
    keyspace_delete_found(a.ks, v, a.e.key, a.e.key_bytes)
    return STATUS_OK


cdef inline int order_of(int type, int tree) noexcept nogil:
    if type == TYPE_LIST:
        return ORDER_POSITION
    if type == TYPE_SET:
        return ORDER_MEMBER
    if type == TYPE_HASH:
        return ORDER_FIELD
    if type == TYPE_STREAM:
        return ORDER_BYTES
    return ORDER_SCORED if tree else ORDER_SCORE


cdef inline bint has_trees(uint32_t type) noexcept nogil:
    return TYPE_LIST <= type <= TYPE_STREAM


cdef inline uint32_t trees_of(uint32_t type) noexcept nogil:
    return 2 if type == TYPE_STREAM or type == TYPE_SORTED_SET else 1


cdef Status begin_image(Apply* a, Value* v, bint there) noexcept nogil:
    """A key of Trees without elements, from the root in the body."""
    cdef Effect* e = a.e
    cdef uint32_t n = 0, i, trees = trees_of(e.type)
    cdef Status status
    if not take(a, &n) or n < 1 or <uint64_t>(a.end - a.p) < n or n > <uint32_t>ROOT_BYTES_MOST or not root_is_sound(<int>e.type, a.p + 1, n - 1):
        return wrong(a, b"an image has no such root")
    if there:
        delete(a, v)
    status = keyspace_create(a.ks, e.db, e.key, e.key_bytes, a.hash, e.type | RECORD_TREES, trees * TREE_BYTES + n - 1, e.expire_ms, v)
    if status != STATUS_OK:
        return status
    for i in range(trees):
        tree_begin(&v.trees[i], order_of(<int>e.type, <int>i))
    v.trees[0].marks = a.p[0]
    memcpy(v.data + trees * TREE_BYTES, a.p + 1, n - 1)
    a.p += n
    return follow_due(a, v, FIELDS_NEVER)


cdef Status apply_image(Apply* a) noexcept nogil:
    cdef Effect* e = a.e
    cdef Value v
    cdef uint32_t part, file = a.r.file
    cdef bint there = find(a, &v)
    cdef Status status
    if e.body_bytes == 0 or not has_trees(e.type) or e.making != RECORD_TREES:
        return wrong(a, b"an image of no such value")
    part = a.p[0]
    a.p += 1
    if part & ~<uint32_t>(IMAGE_FIRST | IMAGE_LAST | IMAGE_ANEW):
        return wrong(a, b"an image has no such part")
    if part & IMAGE_FIRST and (not there or part & IMAGE_ANEW or is_partial(a.ks, &v)):
        a.r.parts_open += not there or not is_partial(a.ks, &v)
        status = begin_image(a, &v, there)
        if status != STATUS_OK:
            return status
        set_base(a.ks, &v, base_of_file(file), True)
    elif not there:
        return missing(a)
    elif v.type != <int>e.type or v.trees == NULL:
        return wrong(a, b"an image of a value of another type")
    elif not is_partial(a.ks, &v):
        # Its image has come before, or it has been there all the time: only where the last image lies is new.
        if part & IMAGE_LAST and not part & IMAGE_FIRST:
            if not take(a, &file):
                return wrong(a, b"an image is cut short")
            set_base(a.ks, &v, base_of_file(file), False)
        elif part & IMAGE_LAST:
            set_base(a.ks, &v, base_of_file(file), False)
        return STATUS_OK
    if part & IMAGE_LAST and not take(a, &file):
        return wrong(a, b"an image is cut short")
    status = change_trees(a, &v, True)
    if status != STATUS_OK:
        return status
    if part & IMAGE_LAST:
        a.r.parts_open -= a.r.parts_open > 0
        set_base(a.ks, &v, base_of_file(file), False)
        return whole_or_wrong(a, &v)
    return STATUS_OK


# ---- trees

cdef Status put_element(Apply* a, Value* v, int tree, const uint8_t* element, uint32_t n) noexcept nogil:
    cdef Tree* t = &v.trees[tree]
    cdef uint32_t key_bytes = 0
    cdef SortedSet s
    cdef double score
    cdef Key key
    cdef Place place
    cdef bint found
    if not element_is_sound(v.type, tree, element, n, &key_bytes):
        return wrong(a, b"no such element")
    if v.type == TYPE_SORTED_SET:
        sorted_set_of_value(a.ks, v, &s)
        sorted_set_find(&s, element, n - SCORE_BYTES)
        memcpy(&score, element + n - SCORE_BYTES, SCORE_BYTES)
        if s.c.found and memcmp(&score, &s.score, SCORE_BYTES) == 0:
            return STATUS_OK
        return sorted_set_put_on_trees(&s, element, n - SCORE_BYTES, score)
    if t.order != ORDER_BYTES:
        element_key(a.ks.forest, t.order, element, n, &key)
        found = tree_find(a.ks.forest, t, &key, &place)
    else:
        found = find_by_bytes(a, t, element, key_bytes, &place)
    if found:
        return tree_replace(a.ks.forest, t, &place, element, n)
    return tree_insert(a.ks.forest, t, &place, element, n)


cdef bint find_by_bytes(Apply* a, const Tree* t, const uint8_t* key_at, uint32_t n, Place* place) noexcept nogil:
    """The element that begins with these bytes, as who changes it needs it."""
    cdef Key key
    cdef uint32_t bytes = 0
    cdef const uint8_t* element
    separator_key(key_at, n, &key)
    tree_find(a.ks.forest, t, &key, place)
    element = tree_element(a.ks.forest, place, &bytes)
    if element == NULL or bytes < n or memcmp(element, key_at, n) != 0:
        return False
    separator_key(element, bytes, &key)
    return tree_find(a.ks.forest, t, &key, place)


cdef Status drop_element(Apply* a, Value* v, int tree, const uint8_t* name, uint32_t n) noexcept nogil:
    cdef Tree* t = &v.trees[tree]
    cdef SortedSet s
    cdef Key key
    cdef Place place
    if v.type == TYPE_SORTED_SET:
        sorted_set_of_value(a.ks, v, &s)
        if sorted_set_find(&s, name, n):
            sorted_set_remove(&s, name, n)
        return STATUS_OK
    if t.order == ORDER_BYTES:
        if find_by_bytes(a, t, name, n, &place):
            tree_remove(a.ks.forest, t, &place)
        return STATUS_OK
    hash_key(a.ks.forest, name, n, &key)
    if tree_find(a.ks.forest, t, &key, &place):
        tree_remove(a.ks.forest, t, &place)
    return STATUS_OK


cdef Status cut_list(Apply* a, Tree* t, bint left, uint32_t count) noexcept nogil:
    """So many elements go from an end, as far as they are there."""
    cdef Tree part
    cdef Place place
    cdef uint32_t _i
    count = min(count, t.count)
    if count == 0:
        return STATUS_OK
    if count == t.count:
        part = t[0]
        tree_retire(a.ks.forest, t)
        t.marks = part.marks
        return STATUS_OK
    if tree_cut(a.ks.forest, t, count if left else t.count - count, &part) != STATUS_OK:
        for _i in range(count):
            tree_at(a.ks.forest, t, 0 if left else t.count - 1, &place)
            tree_remove(a.ks.forest, t, &place)
        return STATUS_OK
    if left:
        part.marks = t.marks
        t[0], part = part, t[0]
    tree_retire(a.ks.forest, &part)
    return STATUS_OK


cdef Status change_list(Apply* a, Value* v, int kind, uint32_t position, const uint8_t* element, uint32_t n) noexcept nogil:
    cdef Tree* t = v.trees
    cdef Place place
    if kind == NOTE_CUT_LEFT:
        return cut_list(a, t, True, position)
    if kind == NOTE_CUT_TO:
        return cut_list(a, t, False, t.count - min(position, t.count))
    if position > t.count or (position == t.count and kind != NOTE_INSERT):
        return wrong(a, b"a list has no such position")
    tree_at(a.ks.forest, t, position, &place)
    if kind == NOTE_INSERT:
        return tree_insert(a.ks.forest, t, &place, element, n)
    if kind == NOTE_REPLACE:
        return tree_replace(a.ks.forest, t, &place, element, n)
    tree_remove(a.ks.forest, t, &place)
    return STATUS_OK


cdef Status change_root(Apply* a, Value* v, bint all) noexcept nogil:
    cdef uint64_t trees_bytes = record_trees(&v.record) * TREE_BYTES, n = 0
    cdef uint8_t[PATCHED_BYTES_MAX] patched
    cdef const uint8_t* root = patched
    cdef bint partial = is_partial(a.ks, v)
    cdef int64_t due = record_fields_due(&v.record, v.data)
    cdef Status status = STATUS_OK
    if all:
        root = a.p
        n = <uint64_t>(a.end - a.p)
        a.p = a.end
    elif not splice(a, v.data + trees_bytes, v.size - trees_bytes, patched, &n):
        return wrong(a, b"a splice is not of this root")
    if n > <uint64_t>ROOT_BYTES_MOST or not root_is_sound(v.type, root, n):
        return wrong(a, b"a value has no such root")
    if n != v.size - trees_bytes:
        status = keyspace_resize(a.ks, v, a.e.key, a.e.key_bytes, trees_bytes + n)
    if status == STATUS_OK:
        memcpy(v.data + trees_bytes, root, n)
        set_base(a.ks, v, v.record.at[2], partial)
        status = follow_due(a, v, due)
    return status


cdef Status change_trees(Apply* a, Value* v, bint image) noexcept nogil:
    """The changes that follow in the body."""
    cdef uint32_t change, position = 0, n = 0, trees = record_trees(&v.record)
    cdef int kind, tree
    cdef const uint8_t* element
    cdef bint partial = is_partial(a.ks, v), list = v.type == TYPE_LIST
    cdef Status status
    while a.p < a.end:
        change = a.p[0]
        a.p += 1
        kind = change & CHANGE_KIND_MASK
        if kind == CHANGE_ROOT:
            return wrong(a, b"an image has a change of its root") if image else change_root(a, v, change & CHANGE_ALL != 0)
        tree = 1 if change & CHANGE_SECOND_TREE else 0
        if tree >= <int>trees or (tree == 0 and v.type == TYPE_SORTED_SET) or (kind != NOTE_PUT if image else list == (kind <= NOTE_DROP)):
            return wrong(a, b"a value has no such change")
        element = NULL
        if kind >= NOTE_INSERT and not take(a, &position):
            return wrong(a, b"a change is cut short")
        if kind <= NOTE_INSERT or kind == NOTE_REPLACE:
            if not take(a, &n) or <uint64_t>(a.end - a.p) < n:
                return wrong(a, b"a change is cut short")
            element = a.p
            a.p += n
        if list:
            if partial and change & CHANGE_ONLY_WHOLE:
                continue
            status = change_list(a, v, NOTE_INSERT if image else kind, v.trees.count if image else position, element, n)
        elif kind == NOTE_PUT:
            status = put_element(a, v, tree, element, n)
        else:
            status = drop_element(a, v, tree, element, n)
        if unlikely(status != STATUS_OK):
            return status
    return STATUS_OK


cdef Status whole_or_wrong(Apply* a, Value* v) noexcept nogil:
    """Only a stream may be without elements."""
    if v.trees[0].count == 0 and v.type != TYPE_STREAM:
        delete(a, v)
        return wrong(a, b"a collection has no elements")
    return STATUS_OK


cdef Status apply_change(Apply* a) noexcept nogil:
    cdef Value v
    cdef Status status
    if not find(a, &v):
        return missing(a)
    if v.type != <int>a.e.type or v.trees == NULL or a.e.body_bytes == 0:
        return wrong(a, b"a change of a value of another type")
    v.trees[0].marks = a.p[0]
    a.p += 1
    status = change_trees(a, &v, False)
    if not is_partial(a.ks, &v) and v.trees[0].count == 0:
        return whole_or_wrong(a, &v)
    return status


# ---- keys

cdef Status apply_expire(Apply* a) noexcept nogil:
    cdef Value v
    cdef bint partial
    cdef Status status
    if not find(a, &v):
        return missing(a)
    partial = is_partial(a.ks, &v)
    status = keyspace_expire(a.ks, &v, a.e.key, a.e.key_bytes, a.e.expire_ms)
    if status == STATUS_OK:
        set_base(a.ks, &v, v.record.at[2], partial)
    return status


cdef Status apply_rename(Apply* a) noexcept nogil:
    cdef Value v, target
    cdef int db
    cdef uint32_t n = a.e.body_bytes - 1
    cdef const uint8_t* to = a.p + 1
    cdef uint64_t hash
    cdef bint there, partial
    cdef uint8_t base
    cdef Status status
    if a.e.body_bytes == 0 or a.p[0] >= a.ks.databases:
        return wrong(a, b"a key is renamed to none")
    db = a.p[0]
    hash = keyspace_hash(a.ks, to, n)
    if db == a.e.db and n == a.e.key_bytes and memcmp(to, a.e.key, n) == 0:
        return wrong(a, b"a key is renamed to itself")
    there = find(a, &v)
    if not there:
        # What was under the new name is gone all the same.
        if keyspace_find(a.ks, db, to, n, hash, FIND_PEEK, &target):
            keyspace_delete_found(a.ks, &target, to, n)
        return missing(a)
    partial = is_partial(a.ks, &v)
    base = v.record.base
    status = keyspace_copy(a.ks, &v, a.e.key, a.e.key_bytes, db, to, n, True)
    # Whether it is a copy here or not: its image is where it was.
    if status == STATUS_OK and keyspace_find(a.ks, db, to, n, hash, FIND_PEEK, &target):
        set_base(a.ks, &target, base, partial)
    return status


cdef Status apply_one(Apply* a) noexcept nogil:
    cdef Effect* e = a.e
    cdef Value v
    a.p = e.body
    a.end = e.body + e.body_bytes
    if likely(e.kind == EFFECT_PUT):
        return apply_put(a)
    if e.kind == EFFECT_CHANGE:
        return apply_change(a)
    if e.kind == EFFECT_PATCH:
        return apply_patch(a)
    if e.kind == EFFECT_DELETE:
        return delete(a, &v) if find(a, &v) else STATUS_OK
    if e.kind == EFFECT_EXPIRE:
        return apply_expire(a)
    if e.kind == EFFECT_IMAGE:
        return apply_image(a)
    if e.kind == EFFECT_RENAME:
        return apply_rename(a)
    if e.key_bytes:
        return wrong(a, b"a database has no key")
    if e.kind == EFFECT_FLUSH:
        keyspace_flush(a.ks, e.db)
    elif e.kind == EFFECT_FLUSH_ALL:
        keyspace_flush_all(a.ks)
    elif e.body_bytes != 1 or a.p[0] >= a.ks.databases:
        return wrong(a, b"no such database")
    else:
        keyspace_swap(a.ks, e.db, a.p[0])
    return STATUS_OK


# ---- a body

cdef Status effects_apply(Keyspace* ks, Replay* r, const uint8_t* body, uint64_t n) noexcept nogil:
    cdef Effect[AHEAD] effects
    cdef uint64_t[AHEAD] hashes
    cdef const uint8_t* p = body
    cdef const uint8_t* next
    cdef const uint8_t* end = body + n
    cdef uint32_t read = 0, done = 0, at
    cdef Apply a
    cdef Status status
    INVARIANT(ks.effects == NULL)
    a.ks = ks
    a.r = r
    r.wrong = NULL
    r.offset = 0
    keyspace_set_now(ks, r.time_ms)
    ks.record_base = (ks.record_base & RECORD_BASE_EPOCH) | base_of_file(r.file)
    while True:
        while read - done < <uint32_t>AHEAD and p != NULL and p < end:
            at = read % AHEAD
            next = effect_read(p, end, &effects[at])
            if next == NULL or effects[at].db >= ks.databases:
                # Those before it first.
                p = NULL
                break
            p = next
            hashes[at] = keyspace_hash(ks, effects[at].key, effects[at].key_bytes)
            keyspace_prefetch_bucket(ks, effects[at].db, hashes[at])
            read += 1
        if done == read:
            break
        if read - done > <uint32_t>AHEAD - RECORD_AHEAD:
            at = (done + AHEAD - RECORD_AHEAD) % AHEAD
            keyspace_prefetch_record(ks, effects[at].db, hashes[at])
        at = done % AHEAD
        a.e = &effects[at]
        a.hash = hashes[at]
        status = apply_one(&a)
        if unlikely(status != STATUS_OK):
            return wrong(&a, b"an element is too large") if status == STATUS_TOO_LARGE else status
        r.offset = offset_behind(body, a.e)
        done += 1
        r.effects += 1
    return wrong(&a, b"an effect is cut short, or none") if p == NULL else STATUS_OK


cdef inline uint64_t offset_behind(const uint8_t* body, const Effect* e) noexcept nogil:
    return <uint64_t>(e.body + e.body_bytes - body)
