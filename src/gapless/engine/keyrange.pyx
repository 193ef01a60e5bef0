"""KEYRANGE: keys in the order of their bytes, from the ordered index (`ordered-keys yes`).

    KEYRANGE min max [BYLEX] [REV] [LIMIT offset count] [WITHVALUES]

Without BYLEX min and max are keys as they are: min is in the range, max is not, and an empty max means that it has no end. With BYLEX they are
written as those of ZRANGE: [key with it, (key without it, - and + before and behind all. REV begins at the end; min stays the lower one.
The keys of a prefix are those from the prefix on that are less than the first string behind all that begin with it.
"""
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memcmp
from gapless.engine.call cimport Arg, Call
from gapless.engine.dispatch cimport arg_int64, arg_is, handler_register, reply_syntax_error
from gapless.engine.forest cimport Forest, Tree
from gapless.engine.keyspace cimport ORDERED_BUILDING, ORDERED_ON, Value, keyspace_hash, keyspace_look, keyspace_size_with_ttl
from gapless.engine.record cimport TYPE_STRING
from gapless.engine.reply cimport reply_array, reply_bulk, reply_error, reply_null
from gapless.engine.scan cimport move_to_front
from gapless.engine.tree cimport Place, tree_at, tree_element, tree_find, tree_next, tree_previous, tree_rank
from gapless.engine.tree_key cimport Key, separator_key


cdef struct Bound:
    const uint8_t* data
    size_t size
    bint included
    int beyond                 # -1 before all keys, 1 behind all, 0: a key


cdef struct Range:
    Bound low
    Bound high
    bint backwards
    bint values
    int64_t offset
    int64_t count              # < 0: all


# ---- arguments

cdef inline void key_bound(const uint8_t* data, size_t n, bint included, int beyond, Bound* out) noexcept nogil:
    out.data = data
    out.size = n
    out.included = included
    out.beyond = beyond


cdef bint lexical_bound(const Arg* arg, Bound* out) noexcept nogil:
    if arg.size == 1 and (arg.data[0] == c"-" or arg.data[0] == c"+"):
        key_bound(arg.data, 0, False, -1 if arg.data[0] == c"-" else 1, out)
        return True
    if arg.size == 0 or (arg.data[0] != c"[" and arg.data[0] != c"("):
        return False
    key_bound(arg.data + 1, arg.size - 1, arg.data[0] == c"[", 0, out)
    return True


cdef bint read_range(Call* call, Range* range) noexcept nogil:
    """False after an error reply."""
    cdef int i = 3
    cdef bint lexical = False
    range.backwards = range.values = False
    range.offset = 0
    range.count = -1
    while i < call.argc:
        if arg_is(call, i, b"BYLEX"):
            lexical = True
        elif arg_is(call, i, b"REV"):
            range.backwards = True
        elif arg_is(call, i, b"WITHVALUES"):
            range.values = True
        elif arg_is(call, i, b"LIMIT") and i + 2 < call.argc:
            if not arg_int64(call, i + 1, &range.offset) or not arg_int64(call, i + 2, &range.count):
                return False
            i += 2
        else:
            reply_syntax_error(call)
            return False
        i += 1
    if not lexical:
        key_bound(call.argv[1].data, call.argv[1].size, True, 0, &range.low)
        key_bound(call.argv[2].data, call.argv[2].size, False, 1 if call.argv[2].size == 0 else 0, &range.high)
    elif not lexical_bound(&call.argv[1], &range.low) or not lexical_bound(&call.argv[2], &range.high):
        reply_error(call.reply, b"ERR min or max not valid string range item")
        return False
    return True


# ---- the walk

cdef bint behind(const Forest* f, const Tree* t, const Bound* bound, Place* place) noexcept nogil:
    """The first key that is not before the bound, or not below it where it is excluded and at the low end. False: there is none."""
    cdef Key key
    cdef uint32_t n
    if bound.beyond < 0:
        return tree_at(f, t, 0, place) and t.count > 0
    if bound.beyond > 0:
        return False
    separator_key(bound.data, <uint32_t>bound.size, &key)
    tree_find(f, t, &key, place)
    return tree_element(f, place, &n) != NULL


cdef bint first_place(const Forest* f, const Tree* t, const Range* range, Place* place) noexcept nogil:
    """Where the walk begins. False: there is no such key."""
    if not range.backwards:
        if not behind(f, t, &range.low, place):
            return False
        return not place.found or range.low.included or range.low.beyond != 0 or tree_next(f, place)
    if not behind(f, t, &range.high, place):
        # All keys are before the end.
        return range.high.beyond >= 0 and t.count > 0 and tree_at(f, t, t.count - 1, place)
    if place.found and range.high.included and range.high.beyond == 0:
        return True
    return range.high.beyond == 0 and tree_previous(f, place)


cdef bint goes_on(const Range* range, const uint8_t* key, uint32_t n) noexcept nogil:
    """Whether a key is not beyond the bound that the walk leads to."""
    cdef const Bound* bound = &range.low if range.backwards else &range.high
    cdef int difference
    if bound.beyond != 0:
        return (bound.beyond < 0) == range.backwards
    difference = memcmp(key, bound.data, min(<size_t>n, bound.size))
    if difference == 0:
        difference = (n > bound.size) - (n < bound.size)
    if difference == 0:
        return bound.included
    return (difference > 0) == range.backwards


cdef bint skip(const Forest* f, const Tree* t, Range* range, Place* place) noexcept nogil:
    """Over `offset` keys at once. False: beyond all."""
    cdef uint64_t rank = tree_rank(f, t, place)
    if range.backwards:
        if <uint64_t>range.offset > rank:
            return False
        rank -= <uint64_t>range.offset
    else:
        if <uint64_t>range.offset >= t.count - rank:
            return False
        rank += <uint64_t>range.offset
    range.offset = 0
    return tree_at(f, t, rank, place)


cdef void reply_key(Call* call, const uint8_t* key, uint32_t n, const Value* v) noexcept nogil:
    if v != NULL and call.reply.protocol > 2:
        reply_array(call.reply, 2)
    reply_bulk(call.reply, key, n)
    if v == NULL:
        return
    if v.type == TYPE_STRING:
        reply_bulk(call.reply, v.data, v.size)
    else:
        reply_null(call.reply)


cdef int64_t reply_keys(Call* call, Range* range) noexcept nogil:
    """Keys, in order; how many."""
    cdef const Forest* f = call.keys.forest
    cdef const Tree* t = &call.keys.ordered.trees[call.keys.db_index[call.session.db]]
    cdef int64_t shown = 0
    cdef bint may_expire = keyspace_size_with_ttl(call.keys, call.session.db) > 0
    cdef bint look = may_expire or range.values
    cdef const uint8_t* key
    cdef uint32_t n = 0
    cdef Place place
    cdef Value v
    if range.offset < 0 or not first_place(f, t, range, &place):
        return 0
    if range.offset > 0 and not may_expire and not skip(f, t, range, &place):
        return 0
    while shown != range.count:
        key = tree_element(f, &place, &n)
        if key == NULL or not goes_on(range, key, n):
            break
        if not look or keyspace_look(call.keys, call.session.db, key, n, keyspace_hash(call.keys, key, n), &v):
            if range.offset > 0:
                range.offset -= 1
            else:
                reply_key(call, key, n, &v if range.values else NULL)
                shown += 1
        if not (tree_previous(f, &place) if range.backwards else tree_next(f, &place)):
            break
    return shown


cdef void cmd_keyrange(Call* call) noexcept nogil:
    cdef Range range
    cdef size_t front = call.reply.length, middle
    cdef int64_t shown
    if not read_range(call, &range):
        return
    if call.keys.ordered.state == ORDERED_BUILDING:
        reply_error(call.reply, b"ERR The ordered index of keys is being built: INFO gapless says when it is there")
        return
    if call.keys.ordered.state != ORDERED_ON:
        reply_error(call.reply, b"ERR The ordered index of keys found no room: CONFIG SET ordered-keys yes tries again" if call.keys.ordered.failed
                    else b"ERR Keys are not in order: ordered-keys is no")
        return
    shown = reply_keys(call, &range)
    middle = call.reply.length
    reply_array(call.reply, shown * 2 if range.values and call.reply.protocol == 2 else shown)
    move_to_front(call.reply, front, middle)


handler_register(b"keyrange.keyrange", cmd_keyrange)
