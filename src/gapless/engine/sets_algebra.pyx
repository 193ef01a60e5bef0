"""Commands of several sets: intersection, union and difference, replied, counted or stored."""
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport free, malloc
from gapless.engine.base cimport INVARIANT, STATUS_OK, Status, parse_int64
from gapless.engine.call cimport Arg, Call
from gapless.engine.collection cimport (
    CollectionWalk, collection_abandon, collection_count, collection_mark, collection_mark_anew, collection_marks,
    collection_next, collection_remove, collection_store, collection_walk,
)
from gapless.engine.dispatch cimport arg_is, call_status, find_read, handler_register, reply_syntax_error, reply_wrong_type
from gapless.engine.forest cimport Tree
from gapless.engine.keyspace cimport EXPIRE_NEVER, Value, keyspace_find, keyspace_hash
from gapless.engine.record cimport SET_LISTPACK, SET_TABLE, TYPE_SET
from gapless.engine.reply cimport reply_bulk, reply_error, reply_int, reply_set
from gapless.engine.scan cimport move_to_front
from gapless.engine.set_value cimport Set, set_add, set_begin, set_find

cdef enum:
    NO_LIMIT = 0


cdef struct Operand:
    # A key's set, to be read within this command.
    Tree* tree
    uint8_t* packed            # NULL: the key is not there
    uint32_t packed_bytes


cdef struct Operands:
    Operand* all
    int count
    int missing
    Set walked                 # one of them, whose members are walked
    Set asked                  # one of them, which is asked for members


# ---- operands

cdef bint operands_open(Call* call, int first, int count, Operands* o) noexcept nogil:
    """The sets in argv[first] and after it; False: one is no set, WRONGTYPE is replied. operands_free() must follow True."""
    cdef Value v
    cdef const Arg* key
    cdef int i
    o.all = <Operand*>malloc(<size_t>count * sizeof(Operand))
    INVARIANT(o.all != NULL)
    o.count = count
    o.missing = 0
    set_begin(call, &call.argv[first], 0, &o.walked)
    set_begin(call, &call.argv[first], 0, &o.asked)
    for i in range(count):
        key = &call.argv[first + i]
        if not keyspace_find(call.keys, call.session.db, key.data, key.size, keyspace_hash(call.keys, key.data, key.size),
                             find_read(call), &v):
            o.all[i].packed = NULL
            o.missing += 1
        elif v.type != TYPE_SET:
            free(o.all)
            reply_wrong_type(call)
            return False
        else:
            o.all[i].tree = v.trees
            o.all[i].packed = v.data
            o.all[i].packed_bytes = <uint32_t>v.size
    return True


cdef inline void operands_free(Operands* o) noexcept nogil:
    free(o.all)


cdef inline Set* turn_to(Set* s, const Operand* operand) noexcept nogil:
    s.c.tree = operand.tree
    s.c.packed = operand.packed
    s.c.packed_bytes = operand.packed_bytes
    return s


cdef inline uint64_t members_of(Operands* o, int i) noexcept nogil:
    return collection_count(&turn_to(&o.asked, &o.all[i]).c) if o.all[i].packed != NULL else 0


cdef inline bint has(Operands* o, int i, const uint8_t* member, uint32_t n) noexcept nogil:
    return o.all[i].packed != NULL and set_find(turn_to(&o.asked, &o.all[i]), member, n)


cdef inline void walk(Operands* o, int i, CollectionWalk* w) noexcept nogil:
    collection_walk(&turn_to(&o.walked, &o.all[i]).c, w)


# ---- intersection

cdef int smallest(Operands* o) noexcept nogil:
    cdef int i, found = 0
    for i in range(1, o.count):
        if members_of(o, i) < members_of(o, found):
            found = i
    return found


cdef bint in_all(Operands* o, int but, const uint8_t* member, uint32_t n) noexcept nogil:
    cdef int i
    for i in range(o.count):
        # The same key may be named twice.
        if o.all[i].packed != o.all[but].packed and not has(o, i, member, n):
            return False
    return True


cdef int64_t intersect(Call* call, Operands* o, int64_t limit, bint replying) noexcept nogil:
    """Counts the members that all have, up to the limit, and replies them."""
    cdef CollectionWalk w
    cdef const uint8_t* member
    cdef uint32_t n = 0
    cdef int64_t found = 0
    cdef int least
    if o.missing > 0:
        return 0
    least = smallest(o)
    walk(o, least, &w)
    while limit == NO_LIMIT or found < limit:
        member = collection_next(&w, &n)
        if member == NULL:
            break
        if in_all(o, least, member, n):
            found += 1
            if replying:
                reply_bulk(call.reply, member, n)
    return found


cdef Status intersect_into(Operands* o, Set* result) noexcept nogil:
    cdef CollectionWalk w
    cdef const uint8_t* member
    cdef uint32_t n = 0
    cdef int64_t number
    cdef bint added, integers = True
    cdef int least
    cdef Status status = STATUS_OK
    if o.missing > 0:
        return STATUS_OK
    least = smallest(o)
    walk(o, least, &w)
    # As the smallest set is, so Redis begins the result; of integers alone it makes an intset in the end.
    if collection_marks(&o.walked.c):
        collection_mark(&result.c, SET_LISTPACK)
    while status == STATUS_OK:
        member = collection_next(&w, &n)
        if member == NULL:
            break
        if in_all(o, least, member, n):
            integers = integers and parse_int64(member, n, &number)
            status = set_add(result, member, n, &added)
    if integers and collection_count(&result.c) <= result.intset_members_max:
        collection_mark_anew(&result.c, 0)
    return status


# ---- union and difference

cdef Status unite_into(Operands* o, Set* result) noexcept nogil:
    cdef int i
    cdef Status status = STATUS_OK
    for i in range(o.count):
        if status == STATUS_OK and o.all[i].packed != NULL:
            status = add_all(o, i, result)
    return status


cdef Status add_all(Operands* o, int i, Set* result) noexcept nogil:
    cdef CollectionWalk w
    cdef const uint8_t* member
    cdef uint32_t n = 0
    cdef bint added
    cdef Status status = STATUS_OK
    walk(o, i, &w)
    while status == STATUS_OK:
        member = collection_next(&w, &n)
        if member == NULL:
            break
        status = set_add(result, member, n, &added)
    return status


cdef Status add_unless_elsewhere(Operands* o, Set* result) noexcept nogil:
    """The first set's members that no other has."""
    cdef CollectionWalk w
    cdef const uint8_t* member
    cdef uint32_t n = 0
    cdef bint added, elsewhere
    cdef int i
    cdef Status status = STATUS_OK
    walk(o, 0, &w)
    while status == STATUS_OK:
        member = collection_next(&w, &n)
        if member == NULL:
            break
        elsewhere = False
        for i in range(1, o.count):
            if has(o, i, member, n):
                elsewhere = True
                break
        if not elsewhere:
            status = set_add(result, member, n, &added)
    return status


cdef void remove_all(Operands* o, int i, Set* result) noexcept nogil:
    cdef CollectionWalk w
    cdef const uint8_t* member
    cdef uint32_t n = 0
    walk(o, i, &w)
    while collection_count(&result.c) > 0:
        member = collection_next(&w, &n)
        if member == NULL:
            break
        if set_find(result, member, n):
            collection_remove(&result.c)


cdef Status subtract_into(Operands* o, Set* result) noexcept nogil:
    """In one of Redis's two ways, for the encoding tells which: ask the others for each member, or add all and remove theirs."""
    cdef uint64_t asking = 0, removing = 0
    cdef int i
    cdef Status status
    if o.all[0].packed == NULL:
        return STATUS_OK
    for i in range(1, o.count):
        if o.all[i].packed == o.all[0].packed:
            return STATUS_OK
    for i in range(o.count):
        if o.all[i].packed != NULL:
            asking += members_of(o, 0)
            removing += members_of(o, i)
    if asking // 2 <= removing:
        return add_unless_elsewhere(o, result)
    status = add_all(o, 0, result)
    if status == STATUS_OK:
        for i in range(1, o.count):
            if o.all[i].packed != NULL:
                remove_all(o, i, result)
    return status


# ---- commands

ctypedef Status (*Operation)(Operands* o, Set* result) noexcept nogil


cdef void reply_result(Call* call, Operation operation) noexcept nogil:
    cdef Operands o
    cdef Set result
    cdef CollectionWalk w
    cdef const uint8_t* member
    cdef uint32_t n = 0
    cdef Status status
    if not operands_open(call, 1, call.argc - 1, &o):
        return
    set_begin(call, &call.argv[1], 0, &result)
    # Nobody will ask for its encoding.
    collection_mark(&result.c, SET_TABLE)
    status = operation(&o, &result)
    if call_status(call, status):
        reply_set(call.reply, <int64_t>collection_count(&result.c))
        collection_walk(&result.c, &w)
        while True:
            member = collection_next(&w, &n)
            if member == NULL:
                break
            reply_bulk(call.reply, member, n)
    collection_abandon(&result.c)
    operands_free(&o)


cdef void store_result(Call* call, Operation operation) noexcept nogil:
    cdef Operands o
    cdef Set result
    cdef int64_t count
    cdef Status status
    if not operands_open(call, 2, call.argc - 2, &o):
        return
    set_begin(call, &call.argv[1], call.hash, &result)
    status = operation(&o, &result)
    operands_free(&o)
    if status != STATUS_OK:
        collection_abandon(&result.c)
        call_status(call, status)
        return
    count = <int64_t>collection_count(&result.c)
    if call_status(call, collection_store(&result.c, EXPIRE_NEVER)):
        reply_int(call.reply, count)


cdef void cmd_sinter(Call* call) noexcept nogil:
    cdef Operands o
    cdef int64_t count
    cdef size_t front = call.reply.length, middle
    if not operands_open(call, 1, call.argc - 1, &o):
        return
    count = intersect(call, &o, NO_LIMIT, True)
    middle = call.reply.length
    reply_set(call.reply, count)
    move_to_front(call.reply, front, middle)
    operands_free(&o)


cdef void cmd_sintercard(Call* call) noexcept nogil:
    cdef Operands o
    cdef int64_t keys, limit = NO_LIMIT
    cdef int i
    if not parse_int64(call.argv[1].data, call.argv[1].size, &keys) or keys < 1:
        reply_error(call.reply, b"ERR numkeys should be greater than 0")
        return
    if keys > call.argc - 2:
        reply_error(call.reply, b"ERR Number of keys can't be greater than number of args")
        return
    i = 2 + <int>keys
    while i < call.argc:
        if not arg_is(call, i, b"LIMIT") or i + 1 == call.argc:
            reply_syntax_error(call)
            return
        if not parse_int64(call.argv[i + 1].data, call.argv[i + 1].size, &limit) or limit < 0:
            reply_error(call.reply, b"ERR LIMIT can't be negative")
            return
        i += 2
    if not operands_open(call, 2, <int>keys, &o):
        return
    reply_int(call.reply, intersect(call, &o, limit, False))
    operands_free(&o)


cdef void cmd_sinterstore(Call* call) noexcept nogil:
    store_result(call, intersect_into)


cdef void cmd_sunion(Call* call) noexcept nogil:
    reply_result(call, unite_into)


cdef void cmd_sunionstore(Call* call) noexcept nogil:
    store_result(call, unite_into)


cdef void cmd_sdiff(Call* call) noexcept nogil:
    reply_result(call, subtract_into)


cdef void cmd_sdiffstore(Call* call) noexcept nogil:
    store_result(call, subtract_into)


handler_register(b"sets_algebra.sdiff", cmd_sdiff)
handler_register(b"sets_algebra.sdiffstore", cmd_sdiffstore)
handler_register(b"sets_algebra.sinter", cmd_sinter)
handler_register(b"sets_algebra.sintercard", cmd_sintercard)
handler_register(b"sets_algebra.sinterstore", cmd_sinterstore)
handler_register(b"sets_algebra.sunion", cmd_sunion)
handler_register(b"sets_algebra.sunionstore", cmd_sunionstore)
