"""Commands of several sorted sets, or sets, whose members count as of score 1: union, intersection, difference, replied, counted or stored.

What is found is gathered in arrays of where members lie, which hold until the end of the command, and sorted then. A union finds what it
has by a hash table beside them.
"""
from libc.math cimport isnan
from libc.stddef cimport size_t
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.stdio cimport snprintf
from libc.stdlib cimport calloc, free, malloc, qsort, realloc
from libc.string cimport memcmp
from gapless.engine.base cimport INVARIANT, STATUS_OK, Status, hash_bytes, parse_int64
from gapless.engine.call cimport Arg, Call
from gapless.engine.collection cimport (
    Collection, CollectionWalk, collection_abandon, collection_count, collection_next, collection_store, collection_walk,
)
from gapless.engine.dispatch cimport (
    arg_int64, arg_is, call_room, call_status, find_read, handler_register, reply_syntax_error, reply_wrong_type,
)
from gapless.engine.keyspace cimport EXPIRE_NEVER, Value, keyspace_find, keyspace_hash
from gapless.engine.record cimport TYPE_SET, TYPE_SORTED_SET
from gapless.engine.reply cimport reply_array, reply_bulk, reply_double, reply_error, reply_int
from gapless.engine.score cimport parse_score
from gapless.engine.set_value cimport Set, set_begin, set_find
from gapless.engine.sorted_set_value cimport (
    HashedMember, Member, SortedSet, SortedWalk, sorted_set_begin, sorted_set_fill, sorted_set_find, sorted_set_next, sorted_set_walk,
)

cdef enum Operation:
    UNION = 1
    INTERSECTION = 2
    DIFFERENCE = 3
    CARDINALITY = 4            # of the intersection

cdef enum Aggregate:
    AGGREGATE_SUM = 1
    AGGREGATE_MIN = 2
    AGGREGATE_MAX = 3

cdef enum:
    GATHERED_BYTES = 64        # about what is gathered of one member, table included


cdef struct Operand:
    # A key's set, to be read within this command.
    Value v
    double weight
    uint64_t members           # 0: the key is not there


cdef struct Operands:
    # What one operand at a time is turned to, of either type.
    SortedSet sorted_set
    Set set


cdef struct Algebra:
    Call* call
    int operation
    int aggregate
    bint scores
    int64_t limit              # 0: none
    Operand* all
    int count
    Operands walked            # one of them, whose members are walked
    Operands asked             # one of them, which is asked for members
    HashedMember* found
    uint64_t found_count
    uint64_t found_room
    uint32_t* table            # union: number of what was found + 1, 0: none
    uint64_t table_mask


cdef struct Walk:
    Operand* operand
    SortedWalk sorted
    CollectionWalk unsorted


# ---- operands

cdef inline void turn_to(Operands* turned, const Operand* o) noexcept nogil:
    cdef Collection* c = &turned.set.c if o.v.type == TYPE_SET else &turned.sorted_set.c
    c.tree = o.v.trees
    c.packed = <uint8_t*>o.v.data
    c.packed_bytes = <uint32_t>o.v.size


cdef inline bint find_in(Algebra* a, const Operand* o, const Member* m, double* score) noexcept nogil:
    if o.members == 0:
        return False
    turn_to(&a.asked, o)
    if o.v.type == TYPE_SET:
        score[0] = 1
        return set_find(&a.asked.set, m.name, m.bytes)
    if not sorted_set_find(&a.asked.sorted_set, m.name, m.bytes):
        return False
    score[0] = a.asked.sorted_set.score
    return True


cdef void walk(Algebra* a, Operand* o, Walk* w) noexcept nogil:
    w.operand = o
    if o.members == 0:
        return
    turn_to(&a.walked, o)
    if o.v.type == TYPE_SET:
        collection_walk(&a.walked.set.c, &w.unsorted)
    else:
        sorted_set_walk(&a.walked.sorted_set, 0, o.members, False, &w.sorted)


cdef inline bint next_member(Walk* w, Member* out) noexcept nogil:
    if w.operand.members == 0:
        return False
    if w.operand.v.type != TYPE_SET:
        return sorted_set_next(&w.sorted, out)
    out.name = collection_next(&w.unsorted, &out.bytes)
    out.score = 1
    return out.name != NULL


cdef bint find_operands(Algebra* a, int first) noexcept nogil:
    """The keys in argv[first] and after it; False: one is of another type, WRONGTYPE is replied."""
    cdef Call* call = a.call
    cdef const Arg* key
    cdef Operand* o
    cdef int i
    for i in range(a.count):
        key = &call.argv[first + i]
        o = &a.all[i]
        o.members = 0
        if not keyspace_find(call.keys, call.session.db, key.data, key.size, keyspace_hash(call.keys, key.data, key.size),
                             find_read(call), &o.v):
            o.v.type = TYPE_SORTED_SET
            continue
        if o.v.type != TYPE_SET and o.v.type != TYPE_SORTED_SET:
            reply_wrong_type(call)
            return False
        turn_to(&a.asked, o)
        o.members = collection_count(&a.asked.set.c if o.v.type == TYPE_SET else &a.asked.sorted_set.c)
    return True


cdef int by_members(const void* a, const void* b) noexcept nogil:
    cdef const Operand* first = <const Operand*>a
    cdef const Operand* second = <const Operand*>b
    return (first.members > second.members) - (first.members < second.members)


# ---- gathering

cdef inline uint64_t hash_of(const Algebra* a, const Member* m) noexcept nogil:
    return hash_bytes(m.name, m.bytes, a.call.keys.seed)


cdef void gather(Algebra* a, const Member* m, uint64_t hash, double score) noexcept nogil:
    if a.found_count == a.found_room:
        a.found_room = max(a.found_room * 2, <uint64_t>64)
        a.found = <HashedMember*>realloc(a.found, a.found_room * sizeof(HashedMember))
        INVARIANT(a.found != NULL)
    a.found[a.found_count].m = m[0]
    a.found[a.found_count].m.score = score
    a.found[a.found_count].hash = hash
    a.found_count += 1


cdef inline void join_scores(int aggregate, double* score, double other) noexcept nogil:
    if aggregate == AGGREGATE_SUM:
        score[0] += other
        # Of opposite infinities.
        if isnan(score[0]):
            score[0] = 0
    elif aggregate == AGGREGATE_MIN:
        score[0] = other if other < score[0] else score[0]
    else:
        score[0] = other if other > score[0] else score[0]


cdef inline double weigh(double weight, double score) noexcept nogil:
    score *= weight
    return 0 if isnan(score) else score


cdef void unite(Algebra* a) noexcept nogil:
    cdef uint64_t total = 0, slots = 64, slot, hash
    cdef Walk w
    cdef Member m
    cdef HashedMember* other
    cdef double score
    cdef int i
    for i in range(a.count):
        total += a.all[i].members
    while slots < total * 2:
        slots *= 2
    a.table = <uint32_t*>calloc(slots, sizeof(uint32_t))
    INVARIANT(a.table != NULL and total < <uint64_t>0xffffffff)
    a.table_mask = slots - 1
    for i in range(a.count):
        walk(a, &a.all[i], &w)
        while next_member(&w, &m):
            score = weigh(a.all[i].weight, m.score)
            hash = hash_of(a, &m)
            slot = hash >> 20 & a.table_mask
            while a.table[slot]:
                other = &a.found[a.table[slot] - 1]
                if other.hash == hash and other.m.bytes == m.bytes and memcmp(other.m.name, m.name, m.bytes) == 0:
                    join_scores(a.aggregate, &other.m.score, score)
                    break
                slot = (slot + 1) & a.table_mask
            if not a.table[slot]:
                gather(a, &m, hash, score)
                a.table[slot] = <uint32_t>a.found_count


cdef void intersect(Algebra* a) noexcept nogil:
    cdef Walk w
    cdef Member m
    cdef double score, other = 0
    cdef int i
    cdef bint everywhere
    walk(a, &a.all[0], &w)
    while next_member(&w, &m):
        score = weigh(a.all[0].weight, m.score)
        everywhere = True
        for i in range(1, a.count):
            # The same key may be named twice.
            if a.all[i].v.data == a.all[0].v.data and a.all[i].members:
                other = m.score
            elif not find_in(a, &a.all[i], &m, &other):
                everywhere = False
                break
            join_scores(a.aggregate, &score, other * a.all[i].weight)
        if not everywhere:
            continue
        if a.operation == CARDINALITY:
            a.found_count += 1
            if a.found_count == <uint64_t>a.limit:
                return
        else:
            gather(a, &m, hash_of(a, &m), score)


cdef void subtract(Algebra* a) noexcept nogil:
    cdef Walk w
    cdef Member m
    cdef double other
    cdef int i
    cdef bint elsewhere
    for i in range(1, a.count):
        if a.all[i].members and a.all[i].v.data == a.all[0].v.data:
            return
    walk(a, &a.all[0], &w)
    while next_member(&w, &m):
        elsewhere = False
        for i in range(1, a.count):
            if find_in(a, &a.all[i], &m, &other):
                elsewhere = True
                break
        if not elsewhere:
            gather(a, &m, hash_of(a, &m), m.score)


cdef int by_score(const void* a, const void* b) noexcept nogil:
    cdef const Member* first = &(<const HashedMember*>a).m
    cdef const Member* second = &(<const HashedMember*>b).m
    cdef int difference
    if first.score != second.score:
        return -1 if first.score < second.score else 1
    difference = memcmp(first.name, second.name, min(first.bytes, second.bytes))
    return difference if difference else (first.bytes > second.bytes) - (first.bytes < second.bytes)


# ---- commands

cdef bint read_options(Algebra* a, int i, bint storing) noexcept nogil:
    """What stands behind the keys; False after an error reply."""
    cdef Call* call = a.call
    cdef bint weighing = a.operation == UNION or a.operation == INTERSECTION
    cdef int k
    while i < call.argc:
        if weighing and call.argc - i > a.count and arg_is(call, i, b"WEIGHTS"):
            for k in range(a.count):
                i += 1
                if not parse_score(call.argv[i].data, call.argv[i].size, &a.all[k].weight):
                    reply_error(call.reply, b"ERR weight value is not a float")
                    return False
        elif weighing and i + 1 < call.argc and arg_is(call, i, b"AGGREGATE"):
            i += 1
            if arg_is(call, i, b"SUM"):
                a.aggregate = AGGREGATE_SUM
            elif arg_is(call, i, b"MIN"):
                a.aggregate = AGGREGATE_MIN
            elif arg_is(call, i, b"MAX"):
                a.aggregate = AGGREGATE_MAX
            else:
                reply_syntax_error(call)
                return False
        elif not storing and a.operation != CARDINALITY and arg_is(call, i, b"WITHSCORES"):
            a.scores = True
        elif a.operation == CARDINALITY and i + 1 < call.argc and arg_is(call, i, b"LIMIT"):
            i += 1
            if not parse_int64(call.argv[i].data, call.argv[i].size, &a.limit) or a.limit < 0:
                reply_error(call.reply, b"ERR LIMIT can't be negative")
                return False
        else:
            reply_syntax_error(call)
            return False
        i += 1
    return True


cdef bint read_keys(Algebra* a, int i) noexcept nogil:
    """Their number in argv[i]; False after an error reply."""
    cdef Call* call = a.call
    cdef int64_t keys
    cdef char[96] text
    if not arg_int64(call, i, &keys):
        return False
    if keys < 1:
        snprintf(text, sizeof(text), b"ERR at least 1 input key is needed for '%s' command", call.command.name)
        reply_error(call.reply, text)
        return False
    if keys > call.argc - (i + 1):
        reply_syntax_error(call)
        return False
    a.count = <int>keys
    return True


cdef bint make_room(Algebra* a, int first) noexcept nogil:
    """For what will be gathered, if it is much; False after an error reply."""
    cdef uint64_t total = 0
    cdef int i
    for i in range(a.count):
        total += a.all[i].members
    if total * GATHERED_BYTES < 1 << 20 or a.operation == CARDINALITY:
        return True
    return call_room(a.call, total * GATHERED_BYTES) and find_operands(a, first)


cdef bint compute(Algebra* a, Call* call, int operation, bint storing) noexcept nogil:
    """Reads the command, finds what it asks for; False after an error reply. computed() must follow."""
    cdef int i, at = 2 if storing else 1
    a.call = call
    a.operation = operation
    a.aggregate = AGGREGATE_SUM
    a.scores = False
    a.limit = 0
    a.all = NULL
    a.found = NULL
    a.table = NULL
    a.found_count = 0
    a.found_room = 0
    if not read_keys(a, at):
        return False
    a.all = <Operand*>malloc(<size_t>a.count * sizeof(Operand))
    INVARIANT(a.all != NULL)
    for i in range(a.count):
        a.all[i].weight = 1
    sorted_set_begin(call, &call.argv[0], 0, &a.walked.sorted_set)
    sorted_set_begin(call, &call.argv[0], 0, &a.asked.sorted_set)
    set_begin(call, &call.argv[0], 0, &a.walked.set)
    set_begin(call, &call.argv[0], 0, &a.asked.set)
    if not find_operands(a, at + 1) or not read_options(a, at + 1 + a.count, storing) or not make_room(a, at + 1):
        return False
    if operation == DIFFERENCE:
        subtract(a)
        return True
    # The order in which scores are added decides how their sum is rounded.
    qsort(a.all, <size_t>a.count, sizeof(Operand), by_members)
    if operation == UNION:
        unite(a)
    else:
        intersect(a)
    return True


cdef void computed(Algebra* a) noexcept nogil:
    free(a.all)
    free(a.found)
    free(a.table)


cdef void reply_result(Call* call, int operation) noexcept nogil:
    cdef Algebra a
    cdef uint64_t i
    cdef bint pairs
    if compute(&a, call, operation, False):
        qsort(a.found, a.found_count, sizeof(HashedMember), by_score)
        pairs = a.scores and call.reply.protocol > 2
        reply_array(call.reply, <int64_t>(a.found_count * 2 if a.scores and not pairs else a.found_count))
        for i in range(a.found_count):
            if pairs:
                reply_array(call.reply, 2)
            reply_bulk(call.reply, a.found[i].m.name, a.found[i].m.bytes)
            if a.scores:
                reply_double(call.reply, a.found[i].m.score)
    computed(&a)


cdef void store_result(Call* call, int operation) noexcept nogil:
    cdef Algebra a
    cdef SortedSet result
    cdef Status status
    if compute(&a, call, operation, True):
        qsort(a.found, a.found_count, sizeof(HashedMember), by_score)
        sorted_set_begin(call, &call.argv[1], call.hash, &result)
        status = sorted_set_fill(&result, a.found, a.found_count)
        if status != STATUS_OK:
            collection_abandon(&result.c)
        else:
            status = collection_store(&result.c, EXPIRE_NEVER)
        if call_status(call, status):
            reply_int(call.reply, <int64_t>a.found_count)
    computed(&a)


cdef void cmd_zdiff(Call* call) noexcept nogil:
    reply_result(call, DIFFERENCE)


cdef void cmd_zdiffstore(Call* call) noexcept nogil:
    store_result(call, DIFFERENCE)


cdef void cmd_zinter(Call* call) noexcept nogil:
    reply_result(call, INTERSECTION)


cdef void cmd_zinterstore(Call* call) noexcept nogil:
    store_result(call, INTERSECTION)


cdef void cmd_zunion(Call* call) noexcept nogil:
    reply_result(call, UNION)


cdef void cmd_zunionstore(Call* call) noexcept nogil:
    store_result(call, UNION)


cdef void cmd_zintercard(Call* call) noexcept nogil:
    cdef Algebra a
    if compute(&a, call, CARDINALITY, False):
        reply_int(call.reply, <int64_t>a.found_count)
    computed(&a)


handler_register(b"sorted_sets_algebra.zdiff", cmd_zdiff)
handler_register(b"sorted_sets_algebra.zdiffstore", cmd_zdiffstore)
handler_register(b"sorted_sets_algebra.zinter", cmd_zinter)
handler_register(b"sorted_sets_algebra.zintercard", cmd_zintercard)
handler_register(b"sorted_sets_algebra.zinterstore", cmd_zinterstore)
handler_register(b"sorted_sets_algebra.zunion", cmd_zunion)
handler_register(b"sorted_sets_algebra.zunionstore", cmd_zunionstore)
