"""Trims and deletions. See stream_trim.pxd."""
from gapless.engine.base cimport STATUS_OK
from gapless.engine.dispatch cimport arg_int64, arg_is
from gapless.engine.reply cimport reply_error
from gapless.engine.stream_block cimport Entry
from gapless.engine.stream_groups cimport groups_need, pending_drop_all
from gapless.engine.stream_id cimport arg_id, id_compare, id_increment, id_max, id_of
from gapless.engine.stream_value cimport (
    TRIM_MAXLEN, TRIM_MINID, TRIM_NONE, StreamHead, StreamWalk, stream_head, stream_next, stream_remove, stream_trim, stream_walk,
)

cdef enum:
    LIMIT_NODES = 100          # that a trim with ~ takes at most, unless told
    LIMIT_ENTRIES_DEFAULT = 10000
    LIMIT_ENTRIES_MAX = 1000000


# ---- options

cdef void trim_begin(TrimOptions* o) noexcept nogil:
    o.by = TRIM_NONE
    o.references = REFERENCES_KEEP
    o.references_given = False
    o.approximate = False
    o.limit_given = False
    o.limit = 0
    o.length_max = 0
    o.id_min = id_of(0, 0)


cdef bint arg_references(Call* call, int i, int* references, bint* given) noexcept nogil:
    if given[0]:
        return False
    if arg_is(call, i, b"KEEPREF"):
        references[0] = REFERENCES_KEEP
    elif arg_is(call, i, b"DELREF"):
        references[0] = REFERENCES_DELETE
    elif arg_is(call, i, b"ACKED"):
        references[0] = REFERENCES_ACKED
    else:
        return False
    given[0] = True
    return True


cdef int arg_trim(Call* call, int i, TrimOptions* o) noexcept nogil:
    cdef int words = 2
    cdef int64_t number
    cdef bint by_length = arg_is(call, i, b"MAXLEN")
    if i + 1 < call.argc and (by_length or arg_is(call, i, b"MINID")):
        if o.by != TRIM_NONE:
            reply_error(call.reply, b"ERR syntax error, MAXLEN and MINID options at the same time are not compatible")
            return -1
        o.approximate = False
        if i + 2 < call.argc and call.argv[i + 1].size == 1 and (call.argv[i + 1].data[0] == c'~' or call.argv[i + 1].data[0] == c'='):
            o.approximate = call.argv[i + 1].data[0] == c'~'
            words = 3
        if by_length:
            if not arg_int64(call, i + words - 1, &number):
                return -1
            if number < 0:
                reply_error(call.reply, b"ERR The MAXLEN argument must be >= 0.")
                return -1
            o.length_max = <uint64_t>number
        elif not arg_id(call, i + words - 1, 0, &o.id_min):
            return -1
        o.by = TRIM_MAXLEN if by_length else TRIM_MINID
        return words
    if i + 1 < call.argc and arg_is(call, i, b"LIMIT"):
        if not arg_int64(call, i + 1, &o.limit):
            return -1
        if o.limit < 0:
            reply_error(call.reply, b"ERR The LIMIT argument must be >= 0.")
            return -1
        o.limit_given = True
        return 2
    return 1 if arg_references(call, i, &o.references, &o.references_given) else 0


cdef bint trim_complete(Call* call, TrimOptions* o) noexcept nogil:
    cdef uint64_t node_entries = call.dispatch.stream_node_entries
    if o.limit and o.by == TRIM_NONE:
        reply_error(call.reply, b"ERR syntax error, LIMIT cannot be used without specifying a trimming strategy")
        return False
    if o.limit_given and not o.approximate:
        reply_error(call.reply, b"ERR syntax error, LIMIT cannot be used without the special ~ option")
        return False
    if o.approximate and not o.limit_given:
        if node_entries == 0 or node_entries > <uint64_t>LIMIT_ENTRIES_MAX // LIMIT_NODES:
            o.limit = LIMIT_ENTRIES_DEFAULT if node_entries == 0 else LIMIT_ENTRIES_MAX
        else:
            o.limit = <int64_t>node_entries * LIMIT_NODES
    return True


# ---- trims

cdef uint64_t trim_one_by_one(Stream* s, const TrimOptions* o) noexcept nogil:
    cdef StreamHead* head
    cdef StreamWalk w
    cdef Entry entry
    cdef StreamId id
    cdef uint64_t count = 0
    cdef bint found
    id = id_of(0, 0)
    while True:
        head = stream_head(s)
        if o.by == TRIM_MAXLEN and head.length <= o.length_max:
            break
        stream_walk(s, id, id_max(), False, &w)
        if not stream_next(&w, &entry) or (o.by == TRIM_MINID and id_compare(entry.id, o.id_min) >= 0):
            break
        id = entry.id
        if o.references == REFERENCES_ACKED and groups_need(s, id):
            if not id_increment(&id):
                break
            continue
        if stream_remove(s, id, &found) != STATUS_OK:
            break
        if o.references == REFERENCES_DELETE:
            pending_drop_all(s, id)
        count += 1
    return count


cdef uint64_t stream_trim_as(Stream* s, const TrimOptions* o) noexcept nogil:
    if o.by == TRIM_NONE:
        return 0
    if o.references == REFERENCES_KEEP or (stream_head(s).groups == 0 and not o.approximate):
        return stream_trim(s, o.by, o.length_max, o.id_min, o.approximate, <uint64_t>o.limit)
    # Redis 8.2 takes no whole nodes then, and with ~ nothing but these.
    return 0 if o.approximate else trim_one_by_one(s, o)


# ---- deletions

cdef Status stream_delete(Stream* s, StreamId id, bint* found) noexcept nogil:
    cdef Status status = stream_remove(s, id, found)
    cdef StreamHead* head = stream_head(s)
    if status == STATUS_OK and found[0] and id_compare(id, head.deleted_max) > 0:
        head.deleted_max = id
    return status


cdef Status stream_delete_as(Stream* s, StreamId id, int references, int* result) noexcept nogil:
    cdef bint found = False
    cdef Status status
    result[0] = -1
    if references == REFERENCES_ACKED and groups_need(s, id):
        result[0] = 2
        return STATUS_OK
    if references == REFERENCES_DELETE:
        pending_drop_all(s, id)
    status = stream_delete(s, id, &found)
    if found and status == STATUS_OK:
        result[0] = 1
    return status
