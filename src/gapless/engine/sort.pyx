"""SORT and SORT_RO: the elements of a list, set or sorted set in another order, or what other keys hold for them; replied, or stored as a list.

Texts are compared byte by byte: there is no other order of letters than the C locale's.
"""
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport free, malloc
from libc.string cimport memchr, memcmp
from gapless.engine.base cimport INVARIANT, STATUS_OK, Status
from gapless.engine.call cimport COMMAND_WRITE, Arg, Call
from gapless.engine.collection cimport (
    Collection, CollectionWalk, collection_abandon, collection_count, collection_mark, collection_next, collection_of_value,
    collection_store, collection_walk,
)
from gapless.engine.dispatch cimport arg_int64, arg_is, call_status, find_read, handler_register, reply_syntax_error, reply_wrong_type
from gapless.engine.forest cimport ORDER_MEMBER
from gapless.engine.keyspace cimport EXPIRE_NEVER, FIND_WRITE, Value, keyspace_find, keyspace_hash
from gapless.engine.list_nodes cimport LISTPACK_EMPTY_BYTES, ListNodes, node_is_plain, nodes_begin, nodes_push
from gapless.engine.list_value cimport (
    List, ListWalk, list_begin, list_length, list_next, list_of_value, list_push, list_settle, list_walk,
)
from gapless.engine.listpack cimport listpack_entry_bytes
from gapless.engine.record cimport TYPE_LIST, TYPE_SET, TYPE_SORTED_SET, ZSET_TABLE
from gapless.engine.reply cimport Reply, reply_array, reply_bulk, reply_error, reply_free, reply_init, reply_int, reply_null
from gapless.engine.score cimport parse_score_bound
from gapless.engine.sort_pattern cimport SortPattern, SortText, sort_look_up, sort_pattern
from gapless.engine.sorted_set_value cimport Member, SortedSet, SortedWalk, sorted_set_next, sorted_set_of_value, sorted_set_walk

cdef extern from "<stdlib.h>" nogil:
    void qsort_r(void* base, size_t n, size_t size, int (*compare)(const void*, const void*, void*) noexcept nogil, void* context)


cdef struct Entry:
    SortText element
    SortText weight            # ALPHA with BY
    double number              # else, without ALPHA
    uint32_t order             # it came in


cdef struct Sort:
    bint descending
    bint alpha
    bint as_it_is              # BY a pattern without a star
    int64_t skip
    int64_t count              # -1: all
    const Arg* by              # NULL: the elements themselves
    const Arg* store           # NULL: reply
    SortPattern weights
    SortPattern* gets
    int get_count
    Reply key                  # a buffer
    Entry* entries
    uint64_t loaded
    uint64_t first             # of the entries, to be shown
    uint64_t shown


# ---- arguments

cdef bint options(Call* call, Sort* s) noexcept nogil:
    cdef int i = 2
    cdef bint writes = (call.command.flags & COMMAND_WRITE) != 0
    while i < call.argc:
        if arg_is(call, i, b"ASC"):
            s.descending = False
        elif arg_is(call, i, b"DESC"):
            s.descending = True
        elif arg_is(call, i, b"ALPHA"):
            s.alpha = True
        elif arg_is(call, i, b"LIMIT") and i + 2 < call.argc:
            if not arg_int64(call, i + 1, &s.skip) or not arg_int64(call, i + 2, &s.count):
                return False
            i += 2
        elif writes and arg_is(call, i, b"STORE") and i + 1 < call.argc:
            i += 1
            s.store = &call.argv[i]
        elif arg_is(call, i, b"BY") and i + 1 < call.argc:
            i += 1
            s.by = &call.argv[i]
            sort_pattern(s.by, &s.weights)
            # Once said, it stays so, as it does in Redis.
            s.as_it_is = s.as_it_is or not s.weights.star
        elif arg_is(call, i, b"GET") and i + 1 < call.argc:
            i += 1
            sort_pattern(&call.argv[i], &s.gets[s.get_count])
            s.get_count += 1
        else:
            reply_syntax_error(call)
            return False
        i += 1
    return True


cdef void limit(Sort* s, uint64_t count) noexcept nogil:
    """Which of so many entries are to be shown."""
    s.first = min(<uint64_t>max(s.skip, 0), count)
    s.shown = count - s.first
    if s.count >= 0:
        s.shown = min(s.shown, <uint64_t>s.count)


# ---- elements

cdef inline void add(Sort* s, const uint8_t* element, uint32_t n) noexcept nogil:
    cdef Entry* entry = &s.entries[s.loaded]
    entry.element.data = element
    entry.element.size = n
    entry.weight.data = NULL
    entry.number = 0
    entry.order = <uint32_t>s.loaded
    s.loaded += 1


cdef inline void make_entries(Sort* s, uint64_t count) noexcept nogil:
    s.entries = <Entry*>malloc(max(count, 1) * sizeof(Entry))
    INVARIANT(s.entries != NULL)
    s.loaded = 0


cdef inline void begin_entries(Sort* s, uint64_t count) noexcept nogil:
    """Room for all of so many; of those that have an order and keep it, for what is shown."""
    limit(s, count)
    make_entries(s, s.shown if s.as_it_is else count)


cdef void load_list(Call* call, Sort* s, const Value* v) noexcept nogil:
    cdef List l
    cdef ListWalk w
    cdef const uint8_t* element
    cdef uint32_t n = 0
    cdef uint64_t count, rank = 0
    cdef bint backwards = s.as_it_is and s.descending
    list_of_value(call.keys, v, &l)
    count = list_length(&l)
    begin_entries(s, count)
    if s.as_it_is:
        rank = count - 1 - s.first if backwards else s.first
        count = s.shown
        s.first = 0
    if count == 0:
        return
    list_walk(&l, rank, backwards, &w)
    while s.loaded < count:
        element = list_next(&w, &n)
        add(s, element, n)


cdef void load_set(Call* call, Sort* s, const Value* v) noexcept nogil:
    cdef Collection c
    cdef CollectionWalk w
    cdef const uint8_t* element
    cdef uint32_t n = 0
    collection_of_value(call.keys, TYPE_SET, ORDER_MEMBER, v, &c)
    limit(s, collection_count(&c))
    make_entries(s, collection_count(&c))
    collection_walk(&c, &w)
    while True:
        element = collection_next(&w, &n)
        if element == NULL:
            break
        add(s, element, n)


cdef void load_sorted_set(Call* call, Sort* s, const Value* v) noexcept nogil:
    cdef SortedSet z
    cdef SortedWalk w
    cdef Member member
    cdef uint64_t count, rank = 0
    cdef bint backwards = s.as_it_is and s.descending
    sorted_set_of_value(call.keys, v, &z)
    # Redis makes a skiplist of what it sorts. The mark is an effect, which names the key.
    z.c.key = &call.argv[1]
    collection_mark(&z.c, ZSET_TABLE)
    count = collection_count(&z.c)
    begin_entries(s, count)
    if s.as_it_is:
        rank = count - s.first - s.shown if backwards else s.first
        count = s.shown
        s.first = 0
    if count == 0:
        return
    sorted_set_walk(&z, rank, count, backwards, &w)
    while sorted_set_next(&w, &member):
        add(s, member.name, member.bytes)


cdef bint load(Call* call, Sort* s) noexcept nogil:
    cdef Value v
    if not keyspace_find(call.keys, call.session.db, call.argv[1].data, call.argv[1].size, call.hash,
                         find_read(call) if s.store == NULL else FIND_WRITE, &v):
        begin_entries(s, 0)
    elif v.type == TYPE_LIST:
        load_list(call, s, &v)
    elif v.type == TYPE_SET:
        if s.as_it_is and s.store != NULL:
            # What is stored has some order, the same everywhere.
            s.as_it_is = False
            s.alpha = True
            s.by = NULL
        load_set(call, s, &v)
    elif v.type == TYPE_SORTED_SET:
        load_sorted_set(call, s, &v)
    else:
        reply_wrong_type(call)
        return False
    return True


# ---- order

cdef bint weigh(Call* call, Sort* s) noexcept nogil:
    """What each entry is compared by; False: it is no number."""
    cdef SortText by
    cdef Entry* entry
    cdef uint64_t i
    for i in range(s.loaded):
        entry = &s.entries[i]
        by = entry.element
        if s.by != NULL:
            sort_look_up(call, &s.weights, entry.element.data, <uint32_t>entry.element.size, &s.key, &by)
            if s.alpha:
                entry.weight = by
        if not s.alpha and by.data != NULL and not parse_score_bound(by.data, by.size, &entry.number):
            return False
    return True


cdef inline int compare_bytes(const SortText* a, const SortText* b) noexcept nogil:
    cdef int difference = memcmp(a.data, b.data, min(a.size, b.size))
    return difference if difference else (a.size > b.size) - (a.size < b.size)


cdef inline void cut_at_zero(SortText* text) noexcept nogil:
    cdef const uint8_t* zero = <const uint8_t*>memchr(text.data, 0, text.size)
    if zero != NULL:
        text.size = <uint64_t>(zero - text.data)


cdef int compare_texts(const Sort* s, SortText a, SortText b) noexcept nogil:
    """Where nothing is stored Redis compares as C does, up to a zero byte."""
    if a.data == NULL or b.data == NULL:
        return (a.data != NULL) - (b.data != NULL)
    if s.store == NULL:
        cut_at_zero(&a)
        cut_at_zero(&b)
    return compare_bytes(&a, &b)


cdef int compare(const void* left, const void* right, void* context) noexcept nogil:
    cdef const Sort* s = <const Sort*>context
    cdef const Entry* a = <const Entry*>left
    cdef const Entry* b = <const Entry*>right
    cdef int difference
    if not s.alpha:
        difference = (a.number > b.number) - (a.number < b.number)
        if difference == 0:
            difference = compare_bytes(&a.element, &b.element)
    elif s.by != NULL:
        difference = compare_texts(s, a.weight, b.weight)
    else:
        difference = compare_texts(s, a.element, b.element)
    if difference == 0:
        return 1 if a.order > b.order else -1
    return -difference if s.descending else difference


# ---- what becomes of them

cdef void reply_entries(Call* call, Sort* s) noexcept nogil:
    cdef SortText text
    cdef Entry* entry
    cdef uint64_t i
    cdef int get
    reply_array(call.reply, <int64_t>(s.shown * <uint64_t>max(s.get_count, 1)))
    for i in range(s.first, s.first + s.shown):
        entry = &s.entries[i]
        if s.get_count == 0:
            reply_bulk(call.reply, entry.element.data, entry.element.size)
        for get in range(s.get_count):
            sort_look_up(call, &s.gets[get], entry.element.data, <uint32_t>entry.element.size, &s.key, &text)
            if text.data == NULL:
                reply_null(call.reply)
            else:
                reply_bulk(call.reply, text.data, text.size)


cdef inline Status store_one(List* l, ListNodes* nodes, const SortText* text) noexcept nogil:
    nodes_push(nodes, <uint32_t>list_length(l), False, text.size, listpack_entry_bytes(text.data, <uint32_t>text.size))
    return list_push(l, False, text.data, text.size)


cdef Status store_entries(Call* call, Sort* s, List* l) noexcept nogil:
    cdef ListNodes nodes
    cdef SortText text
    cdef Entry* entry
    cdef uint64_t i
    cdef int get
    cdef Status status = STATUS_OK
    nodes_begin(&nodes, l.fill, 0, LISTPACK_EMPTY_BYTES)
    for i in range(s.first, s.first + s.shown):
        entry = &s.entries[i]
        text = entry.element
        if s.get_count == 0:
            status = store_one(l, &nodes, &text)
        for get in range(s.get_count):
            sort_look_up(call, &s.gets[get], entry.element.data, <uint32_t>entry.element.size, &s.key, &text)
            if text.data == NULL:
                text.data = b""
                text.size = 0
            status = store_one(l, &nodes, &text)
            if status != STATUS_OK:
                return status
        if status != STATUS_OK:
            return status
    if list_length(l) == 0:
        return STATUS_OK
    return list_settle(l, &nodes, list_length(l) == 1 and node_is_plain(l.fill, text.size))


cdef void store(Call* call, Sort* s) noexcept nogil:
    cdef List l
    cdef int64_t count
    cdef Status status
    list_begin(call, s.store, keyspace_hash(call.keys, s.store.data, s.store.size), &l)
    status = store_entries(call, s, &l)
    count = <int64_t>list_length(&l)
    if status == STATUS_OK:
        status = collection_store(&l.c, EXPIRE_NEVER)
    else:
        collection_abandon(&l.c)
    if call_status(call, status):
        reply_int(call.reply, count)


cdef void run(Call* call, Sort* s) noexcept nogil:
    if not options(call, s) or not load(call, s):
        return
    if not s.as_it_is:
        if not weigh(call, s):
            reply_error(call.reply, b"ERR One or more scores can't be converted into double")
            return
        qsort_r(s.entries, s.loaded, sizeof(Entry), compare, s)
    if s.store == NULL:
        reply_entries(call, s)
    else:
        store(call, s)


cdef void cmd_sort(Call* call) noexcept nogil:
    cdef Sort s
    s.descending = s.alpha = s.as_it_is = False
    s.skip = 0
    s.count = -1
    s.by = s.store = NULL
    s.get_count = 0
    s.entries = NULL
    s.gets = <SortPattern*>malloc(<size_t>call.argc * sizeof(SortPattern))
    INVARIANT(s.gets != NULL)
    reply_init(&s.key)
    run(call, &s)
    reply_free(&s.key)
    free(s.entries)
    free(s.gets)


handler_register(b"sort.sort", cmd_sort)
