"""Commands of lists by position and by value: elements read, found, replaced, inserted, removed, and lists trimmed."""
from libc.stdint cimport INT64_MIN, int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memcmp
from gapless.engine.base cimport STATUS_OK, Status, parse_int64
from gapless.engine.call cimport Arg, Call
from gapless.engine.collection cimport collection_finish
from gapless.engine.dispatch cimport arg_int64, arg_is, find_read, handler_register, reply_syntax_error
from gapless.engine.keyspace cimport FIND_WRITE, keyspace_delete_found, keyspace_touched
from gapless.engine.list_value cimport (
    List, ListWalk, list_at, list_drop, list_expect, list_insert, list_length, list_next, list_open, list_rank, list_remove,
    list_replace, list_reply, list_shrunk, list_walk,
)
from gapless.engine.reply cimport reply_array, reply_bulk, reply_error, reply_int, reply_null, reply_ok
from gapless.engine.scan cimport move_to_front


cdef inline bint is_equal(const uint8_t* element, uint32_t n, const Arg* arg) noexcept nogil:
    return n == arg.size and memcmp(element, arg.data, n) == 0


cdef bint clamp(const List* l, int64_t* start, int64_t* end) noexcept nogil:
    """Start and end as ranks; False: there is nothing between them."""
    cdef int64_t length = <int64_t>list_length(l)
    if start[0] < 0:
        start[0] = max(start[0] + length, 0)
    if end[0] < 0:
        end[0] += length
    end[0] = min(end[0], length - 1)
    return start[0] <= end[0]


# ---- reading

cdef void cmd_lindex(Call* call) noexcept nogil:
    cdef List l
    cdef int64_t index
    cdef uint64_t rank
    cdef uint32_t n = 0
    cdef const uint8_t* element
    if not list_open(call, &call.argv[1], call.hash, find_read(call), &l):
        return
    if not l.c.there:
        reply_null(call.reply)
    elif arg_int64(call, 2, &index):
        if list_rank(&l, index, &rank):
            element = list_at(&l, rank, &n)
            reply_bulk(call.reply, element, n)
        else:
            reply_null(call.reply)


cdef void cmd_lrange(Call* call) noexcept nogil:
    cdef List l
    cdef int64_t start, end
    if not arg_int64(call, 2, &start) or not arg_int64(call, 3, &end):
        return
    if not list_open(call, &call.argv[1], call.hash, find_read(call), &l):
        return
    if not clamp(&l, &start, &end):
        reply_array(call.reply, 0)
        return
    reply_array(call.reply, end - start + 1)
    list_reply(&l, <uint64_t>start, <uint64_t>(end - start) + 1, call.reply)


cdef bint arg_with_opposite(Call* call, int i, int64_t* out) noexcept nogil:
    """An integer in argv[i] whose negative is one as well; False after an error reply."""
    if not arg_int64(call, i, out):
        return False
    if out[0] == INT64_MIN:
        reply_error(call.reply, b"ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807")
        return False
    return True


cdef struct Position:
    # What LPOS looks for.
    int64_t rank
    int64_t count              # -1: one, and no array
    int64_t length_max


cdef bint arg_not_negative(Call* call, int i, const char* error, int64_t* out) noexcept nogil:
    if parse_int64(call.argv[i].data, call.argv[i].size, out) and out[0] >= 0:
        return True
    reply_error(call.reply, error)
    return False


cdef bint position_options(Call* call, Position* p) noexcept nogil:
    cdef int i = 3
    p.rank = 1
    p.count = -1
    p.length_max = 0
    while i < call.argc:
        if i + 1 == call.argc:
            reply_syntax_error(call)
            return False
        if arg_is(call, i, b"RANK"):
            if not arg_with_opposite(call, i + 1, &p.rank):
                return False
            if p.rank == 0:
                reply_error(call.reply, b"ERR RANK can't be zero: use 1 to start from the first match, 2 from the second ... or use "
                                        b"negative to start from the end of the list")
                return False
        elif arg_is(call, i, b"COUNT"):
            if not arg_not_negative(call, i + 1, b"ERR COUNT can't be negative", &p.count):
                return False
        elif arg_is(call, i, b"MAXLEN"):
            if not arg_not_negative(call, i + 1, b"ERR MAXLEN can't be negative", &p.length_max):
                return False
        else:
            reply_syntax_error(call)
            return False
        i += 2
    return True


cdef void cmd_lpos(Call* call) noexcept nogil:
    cdef List l
    cdef ListWalk w
    cdef Position p
    cdef int64_t length, seen = 0, matched = 0, found = 0
    cdef uint32_t n = 0
    cdef const uint8_t* element
    cdef size_t front = call.reply.length, middle
    cdef bint backwards
    if not position_options(call, &p) or not list_open(call, &call.argv[1], call.hash, find_read(call), &l):
        return
    length = <int64_t>list_length(&l)
    backwards = p.rank < 0
    if length > 0:
        list_walk(&l, <uint64_t>(length - 1) if backwards else 0, backwards, &w)
    while seen < length and (p.length_max == 0 or seen < p.length_max):
        element = list_next(&w, &n)
        seen += 1
        if not is_equal(element, n, &call.argv[2]):
            continue
        matched += 1
        if matched < (-p.rank if backwards else p.rank):
            continue
        found += 1
        reply_int(call.reply, length - seen if backwards else seen - 1)
        if p.count == -1 or found == p.count:
            break
    if p.count >= 0:
        middle = call.reply.length
        reply_array(call.reply, found)
        move_to_front(call.reply, front, middle)
    elif found == 0:
        reply_null(call.reply)


# ---- changing

cdef void cmd_lset(Call* call) noexcept nogil:
    cdef List l
    cdef int64_t index
    cdef uint64_t rank
    cdef uint32_t n = 0
    cdef Status status
    if not list_open(call, &call.argv[1], call.hash, FIND_WRITE, &l):
        return
    if not l.c.there:
        reply_error(call.reply, b"ERR no such key")
        return
    if not arg_int64(call, 2, &index):
        return
    status = list_expect(&l, call.argv[3].size, 1)
    if status == STATUS_OK and not list_rank(&l, index, &rank):
        if collection_finish(call, &l.c, STATUS_OK):
            reply_error(call.reply, b"ERR index out of range")
        return
    if status == STATUS_OK:
        list_at(&l, rank, &n)
        status = list_replace(&l, rank, call.argv[3].data, call.argv[3].size)
        list_shrunk(&l)
    if collection_finish(call, &l.c, status):
        reply_ok(call.reply)


cdef void cmd_linsert(Call* call) noexcept nogil:
    cdef List l
    cdef ListWalk w
    cdef uint64_t rank = 0
    cdef uint32_t n = 0
    cdef int64_t length = -1
    cdef const uint8_t* element
    cdef Status status
    cdef bint after = arg_is(call, 2, b"AFTER")
    if not after and not arg_is(call, 2, b"BEFORE"):
        reply_syntax_error(call)
        return
    if not list_open(call, &call.argv[1], call.hash, FIND_WRITE, &l):
        return
    if not l.c.there:
        reply_int(call.reply, 0)
        return
    status = list_expect(&l, call.argv[4].size, 1)
    if status == STATUS_OK:
        list_walk(&l, 0, False, &w)
        while True:
            element = list_next(&w, &n)
            if element == NULL or is_equal(element, n, &call.argv[3]):
                break
            rank += 1
        if element != NULL:
            list_at(&l, rank, &n)
            status = list_insert(&l, rank, after, call.argv[4].data, call.argv[4].size)
            length = <int64_t>list_length(&l)
    if collection_finish(call, &l.c, status):
        reply_int(call.reply, length)


cdef int64_t remove_equal(List* l, const Arg* value, int64_t most, bint backwards) noexcept nogil:
    """Removes elements of this value; how many. After each the walk begins anew beside it: O(elements + removed log elements)."""
    cdef ListWalk w
    cdef uint64_t rank = list_length(l) - 1 if backwards else 0
    cdef uint32_t n = 0
    cdef int64_t removed = 0
    cdef const uint8_t* element
    while removed < most and rank < list_length(l):
        list_walk(l, rank, backwards, &w)
        while True:
            element = list_next(&w, &n)
            if element == NULL:
                return removed
            if is_equal(element, n, value):
                break
            rank += <uint64_t>(-1 if backwards else 1)
        list_at(l, rank, &n)
        list_remove(l, rank)
        removed += 1
        # Backwards beyond the first the rank wraps around, and is no rank any more.
        rank -= backwards
    return removed


cdef void cmd_lrem(Call* call) noexcept nogil:
    cdef List l
    cdef int64_t count, removed
    if not arg_with_opposite(call, 2, &count) or not list_open(call, &call.argv[1], call.hash, FIND_WRITE, &l):
        return
    if not l.c.there:
        reply_int(call.reply, 0)
        return
    removed = remove_equal(&l, &call.argv[3], <int64_t>list_length(&l) if count == 0 else abs_of(count), count < 0)
    if removed:
        list_shrunk(&l)
    if collection_finish(call, &l.c, STATUS_OK):
        reply_int(call.reply, removed)


cdef inline int64_t abs_of(int64_t n) noexcept nogil:
    return -n if n < 0 else n


cdef void cmd_ltrim(Call* call) noexcept nogil:
    cdef List l
    cdef int64_t start, end
    cdef uint64_t length
    if not arg_int64(call, 2, &start) or not arg_int64(call, 3, &end):
        return
    if not list_open(call, &call.argv[1], call.hash, FIND_WRITE, &l):
        return
    if l.c.there:
        length = list_length(&l)
        if not clamp(&l, &start, &end):
            keyspace_delete_found(call.keys, &l.c.v, l.c.key.data, l.c.key.size)
            reply_ok(call.reply)
            return
        if <uint64_t>(end - start) + 1 == length:
            # Nothing goes, but Redis tells those who watch.
            keyspace_touched(call.keys, &l.c.v, l.c.key.data, l.c.key.size)
        list_drop(&l, False, length - 1 - <uint64_t>end)
        list_drop(&l, True, <uint64_t>start)
        list_shrunk(&l)
    if collection_finish(call, &l.c, STATUS_OK):
        reply_ok(call.reply)


handler_register(b"lists_inside.lindex", cmd_lindex)
handler_register(b"lists_inside.linsert", cmd_linsert)
handler_register(b"lists_inside.lpos", cmd_lpos)
handler_register(b"lists_inside.lrange", cmd_lrange)
handler_register(b"lists_inside.lrem", cmd_lrem)
handler_register(b"lists_inside.lset", cmd_lset)
handler_register(b"lists_inside.ltrim", cmd_ltrim)
