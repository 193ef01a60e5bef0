"""Consumer groups in a stream's table. See stream_groups.pxd."""
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcmp, memcpy, memset
from gapless.engine.base cimport INVARIANT, STATUS_FULL, STATUS_MISSING, STATUS_OK, STATUS_TOO_LARGE, Status, likely, load_u64, store_u64
from gapless.engine.sha1 cimport SHA1_BYTES, sha1
from gapless.engine.stream_id cimport (
    ID_BYTES, id_compare, id_is_zero, id_load, id_max, id_of, id_store,
)
from gapless.engine.stream_table cimport (
    TablePlace, table_changed, table_element, table_find, table_insert, table_next, table_previous, table_remove,
)
from gapless.engine.stream_value cimport StreamHead, stream_head
from gapless.engine.tree_key cimport __builtin_bswap64

cdef enum:
    # Kinds of elements.
    NAMED = 0
    NUMBERED = 1
    PENDING = 2
    OWNED = 3
    KINDS = 4
    NUMBER_BYTES_MAX = 9       # of a number in a key
    KEY_BYTES_MIN = 8          # where what follows may change: what the tree knows of an element are its first 8 bytes
    WIDE = 255
    PENDING_BYTES_MAX = NUMBER_BYTES_MAX + ID_BYTES
    OWNED_BYTES_MAX = 2 * NUMBER_BYTES_MAX + ID_BYTES
    NOBODY = 0                 # no consumer's number
    NAME_DIGEST_BYTES = 16
    NAMELESS_BYTES_MAX = 64    # of elements without a name
    NAME_BYTES_MAX = 512 << 20
    GROUPS_MAX = 0x7fffffff


# ---- keys

cdef inline uint32_t write_number(uint8_t* key, uint64_t number) noexcept nogil:
    if likely(number < WIDE):
        key[0] = <uint8_t>number
        return 1
    key[0] = WIDE
    store_u64(key + 1, __builtin_bswap64(number))
    return NUMBER_BYTES_MAX


cdef inline uint32_t prefix(uint8_t* key, uint32_t group, int kind) noexcept nogil:
    return write_number(key, <uint64_t>group * KINDS + <uint32_t>kind)


cdef inline uint32_t consumer_key(uint8_t* key, uint32_t group, uint32_t number) noexcept nogil:
    cdef uint32_t n = prefix(key, group, NUMBERED)
    store_u64(key + n, __builtin_bswap64(number))
    return n + 8


cdef inline uint32_t pending_key(uint8_t* key, uint32_t group, StreamId id) noexcept nogil:
    cdef uint32_t n = prefix(key, group, PENDING)
    id_store(key + n, id)
    return n + ID_BYTES


cdef inline uint32_t owned_key(uint8_t* key, uint32_t group, uint32_t consumer, StreamId id) noexcept nogil:
    cdef uint32_t n = prefix(key, group, OWNED)
    n += write_number(key + n, consumer)
    id_store(key + n, id)
    return n + ID_BYTES


cdef uint32_t named(const Stream* s, uint8_t* key, uint32_t group, int kind, const Arg* name) noexcept nogil:
    """The key of a group or consumer of this name."""
    cdef uint8_t* p = key + prefix(key, group, kind)
    cdef uint8_t* end = key + s.keys.forest.element_bytes_max // 2
    cdef uint8_t[SHA1_BYTES] digest
    cdef size_t i
    for i in range(name.size):
        if p >= end:
            p[0] = 0
            p[1] = 1
            # Not a store's own hash: the element may come to lie in another store.
            sha1(name.data, name.size, digest)
            memcpy(p + 2, digest, NAME_DIGEST_BYTES)
            return <uint32_t>(p + 18 - key)
        p[0] = name.data[i]
        p += 1
        if name.data[i] == 0:
            p[0] = 255
            p += 1
    memset(p, 0, KEY_BYTES_MIN)
    return max(<uint32_t>(p + 2 - key), <uint32_t>KEY_BYTES_MIN)


cdef inline uint8_t* payload(Stream* s, const uint8_t* key, uint32_t key_bytes, uint32_t* n) noexcept nogil:
    """What the element of this key says; NULL: there is none."""
    cdef TablePlace at
    cdef uint8_t* element
    if not table_find(s, key, key_bytes, &at):
        return NULL
    element = table_element(s, &at, n)
    n[0] -= key_bytes
    return element + key_bytes


cdef Status insert(Stream* s, const uint8_t* key, uint32_t key_bytes, const void* state, uint32_t state_bytes, const Arg* name) noexcept nogil:
    cdef uint8_t[NAMELESS_BYTES_MAX] small
    cdef uint8_t* element = small
    cdef uint64_t n = <uint64_t>key_bytes + state_bytes + (name.size if name != NULL else 0)
    cdef TablePlace at
    cdef bint there
    cdef Status status
    if name != NULL:
        if name.size > <size_t>NAME_BYTES_MAX:
            return STATUS_TOO_LARGE
        element = <uint8_t*>malloc(n)
        if element == NULL:
            return STATUS_FULL
        memcpy(element + key_bytes + state_bytes, name.data, name.size)
    INVARIANT(name != NULL or n <= NAMELESS_BYTES_MAX)
    memcpy(element, key, key_bytes)
    if state_bytes:
        memcpy(element + key_bytes, state, state_bytes)
    there = table_find(s, key, key_bytes, &at)
    INVARIANT(not there)
    status = table_insert(s, &at, element, <uint32_t>n)
    if name != NULL:
        free(element)
    return status


cdef bint drop(Stream* s, const uint8_t* key, uint32_t key_bytes) noexcept nogil:
    cdef TablePlace at
    if not table_find(s, key, key_bytes, &at):
        return False
    table_remove(s, &at)
    return True


cdef uint8_t* after(Stream* s, const uint8_t* key, uint32_t key_bytes, uint32_t prefix_bytes, uint32_t* n) noexcept nogil:
    """The first element not before this key, or after the element that has it; NULL where it has another prefix."""
    cdef TablePlace at
    cdef uint8_t* element
    if table_find(s, key, key_bytes, &at) and key_bytes > prefix_bytes and not table_next(s, &at):
        return NULL
    element = table_element(s, &at, n)
    return element if element != NULL and n[0] >= prefix_bytes and memcmp(element, key, prefix_bytes) == 0 else NULL


cdef bint name_is_sound(const uint8_t* element, uint32_t at, uint32_t n, uint32_t* key_bytes) noexcept nogil:
    """Whether a name ends as take_key() expects it to."""
    while at + 1 < n and (element[at] != 0 or element[at + 1] > 1):
        at += 1
    if at + 1 >= n:
        return False
    key_bytes[0] = max(at + (2 if element[at + 1] == 0 else 18), <uint32_t>KEY_BYTES_MIN)
    return key_bytes[0] <= TABLE_KEY_BYTES_MAX


cdef bint table_element_is_sound(const uint8_t* element, uint32_t n, uint32_t* key_bytes) noexcept nogil:
    cdef uint64_t number
    cdef uint32_t at = 1, least = 0
    if n < KEY_BYTES_MIN:
        return False
    number = element[0]
    if number == WIDE:
        at = NUMBER_BYTES_MAX
        if n < at:
            return False
        number = __builtin_bswap64(load_u64(element + 1))
    key_bytes[0] = at
    if number % KINDS == NAMED:
        if not name_is_sound(element, at, n, key_bytes):
            return False
        least = sizeof(GroupState) if number // KINDS == 0 else 4
        return n >= key_bytes[0] + least if number // KINDS == 0 else n == key_bytes[0] + least
    if number % KINDS == NUMBERED:
        key_bytes[0] += 8
        return n >= key_bytes[0] + sizeof(ConsumerState)
    if number % KINDS == PENDING:
        key_bytes[0] += ID_BYTES
        return n == key_bytes[0] + sizeof(PendingState)
    if n <= at:
        return False
    key_bytes[0] += (NUMBER_BYTES_MAX if element[at] == WIDE else 1) + ID_BYTES
    return n == key_bytes[0]


# ---- groups

cdef bint group_find(Stream* s, const Arg* name, Group* out) noexcept nogil:
    cdef uint8_t* state
    cdef uint32_t n = 0
    if stream_head(s).groups == 0:
        return False
    out.key_bytes = named(s, out.key, 0, NAMED, name)
    state = payload(s, out.key, out.key_bytes, &n)
    if state == NULL:
        return False
    memcpy(&out.state, state, sizeof(GroupState))
    out.seen = NULL
    return True


cdef Status group_create(Stream* s, const Arg* name, StreamId last, int64_t entries_read, Group* out) noexcept nogil:
    cdef Status status
    if stream_head(s).group_last == GROUPS_MAX:
        return STATUS_TOO_LARGE
    out.seen = NULL
    out.state.number = stream_head(s).group_last + 1
    out.state.last = last
    out.state.entries_read = entries_read
    out.state.pending = 0
    out.state.consumers = 0
    out.state.consumer_last = 0
    out.key_bytes = named(s, out.key, 0, NAMED, name)
    status = insert(s, out.key, out.key_bytes, &out.state, sizeof(GroupState), name)
    if status == STATUS_OK:
        stream_head(s).groups += 1
        stream_head(s).group_last += 1
    return status


cdef void group_write(Stream* s, const Group* g) noexcept nogil:
    cdef uint32_t n = 0
    cdef uint8_t* state = payload(s, g.key, g.key_bytes, &n)
    INVARIANT(state != NULL)
    memcpy(state, &g.state, sizeof(GroupState))
    table_changed(s, state - g.key_bytes, g.key_bytes + n)
    if g.seen != NULL:
        write_consumer(s, g, g.seen.number, &g.seen.state)


cdef void group_destroy(Stream* s, const Group* g) noexcept nogil:
    cdef uint8_t[NUMBER_BYTES_MAX] key
    cdef uint32_t key_bytes
    cdef TablePlace at
    cdef int kind
    drop(s, g.key, g.key_bytes)
    for kind in range(KINDS):
        key_bytes = prefix(key, g.state.number, kind)
        while table_find(s, key, key_bytes, &at):
            table_remove(s, &at)
    stream_head(s).groups -= 1


cdef bint take_key(uint8_t* key, uint32_t* key_bytes, const uint8_t* element) noexcept nogil:
    """The key of an element with a name: up to 0 0, or the hash behind 0 1."""
    cdef uint32_t i = NUMBER_BYTES_MAX if element[0] == WIDE else 1
    while element[i] != 0 or element[i + 1] > 1:
        i += 1
    key_bytes[0] = max(i + (2 if element[i + 1] == 0 else 18), <uint32_t>KEY_BYTES_MIN)
    memcpy(key, element, key_bytes[0])
    return True


cdef bint group_next(Stream* s, Group* g) noexcept nogil:
    cdef uint8_t[NUMBER_BYTES_MAX] key
    cdef const uint8_t* element
    cdef uint32_t n = 0, prefix_bytes = prefix(key, 0, NAMED)
    if g.key_bytes == 0:
        g.key_bytes = prefix(g.key, 0, NAMED)
    element = after(s, g.key, g.key_bytes, prefix_bytes, &n)
    if element == NULL:
        return False
    take_key(g.key, &g.key_bytes, element)
    memcpy(&g.state, element + g.key_bytes, sizeof(GroupState))
    g.seen = NULL
    return True


cdef void group_name(Stream* s, const Group* g, Arg* name) noexcept nogil:
    cdef uint32_t n = 0
    name.data = payload(s, g.key, g.key_bytes, &n) + sizeof(GroupState)
    name.size = n - sizeof(GroupState)


# ---- consumers

cdef inline ConsumerState* consumer_state(Stream* s, const Group* g, uint32_t number, uint32_t* n) noexcept nogil:
    cdef uint8_t[2 * NUMBER_BYTES_MAX] key
    cdef uint8_t* state = payload(s, key, consumer_key(key, g.state.number, number), n)
    INVARIANT(state != NULL)
    return <ConsumerState*>state


cdef void write_consumer(Stream* s, const Group* g, uint32_t number, const ConsumerState* state) noexcept nogil:
    cdef uint8_t[2 * NUMBER_BYTES_MAX] key
    cdef uint32_t key_bytes = consumer_key(key, g.state.number, number), n = 0
    cdef uint8_t* at = payload(s, key, key_bytes, &n)
    INVARIANT(at != NULL)
    memcpy(at, state, sizeof(ConsumerState))
    table_changed(s, at - key_bytes, key_bytes + n)


cdef bint consumer_find(Stream* s, const Group* g, const Arg* name, Consumer* out) noexcept nogil:
    cdef uint8_t* number
    cdef uint32_t n = 0
    out.key_bytes = named(s, out.key, g.state.number, NAMED, name)
    number = payload(s, out.key, out.key_bytes, &n)
    if number == NULL:
        return False
    memcpy(&out.number, number, 4)
    out.state = consumer_state(s, g, out.number, &n)[0]
    return True


cdef Status consumer_see(Stream* s, Group* g, const Arg* name, Consumer* out, bint* made) noexcept nogil:
    cdef uint8_t[2 * NUMBER_BYTES_MAX] key
    cdef uint32_t key_bytes
    cdef Status status
    made[0] = not consumer_find(s, g, name, out)
    out.state.seen_ms = s.keys.now_ms
    if not made[0]:
        g.seen = out
        return STATUS_OK
    if g.state.consumer_last == GROUPS_MAX:
        return STATUS_TOO_LARGE
    out.number = g.state.consumer_last + 1
    out.state.active_ms = NEVER_ACTIVE
    out.state.pending = 0
    key_bytes = consumer_key(key, g.state.number, out.number)
    status = insert(s, key, key_bytes, &out.state, sizeof(ConsumerState), name)
    if status != STATUS_OK:
        return status
    status = insert_number(s, out)
    if status != STATUS_OK:
        drop(s, key, key_bytes)
        return status
    g.seen = out
    g.state.consumer_last += 1
    g.state.consumers += 1
    return STATUS_OK


cdef Status insert_number(Stream* s, const Consumer* c) noexcept nogil:
    cdef uint8_t[TABLE_KEY_BYTES_MAX + 4] element
    cdef TablePlace at
    memcpy(element, c.key, c.key_bytes)
    memcpy(element + c.key_bytes, &c.number, 4)
    table_find(s, c.key, c.key_bytes, &at)
    return table_insert(s, &at, element, c.key_bytes + 4)


cdef uint64_t consumer_delete(Stream* s, Group* g, Consumer* c) noexcept nogil:
    cdef uint8_t[2 * NUMBER_BYTES_MAX] key
    cdef StreamId id
    cdef uint64_t pending = 0
    while True:
        id = id_of(0, 0)
        if not pending_from(s, g, c.number, &id):
            break
        pending_drop(s, g, id)
        pending += 1
    drop(s, key, consumer_key(key, g.state.number, c.number))
    drop(s, c.key, c.key_bytes)
    g.state.consumers -= 1
    group_write(s, g)
    return pending


cdef bint consumer_next(Stream* s, const Group* g, Consumer* c) noexcept nogil:
    cdef const uint8_t* element
    cdef uint32_t n = 0
    cdef uint8_t[NUMBER_BYTES_MAX] key
    cdef uint32_t prefix_bytes = prefix(key, g.state.number, NAMED)
    if c.key_bytes == 0:
        c.key_bytes = prefix(c.key, g.state.number, NAMED)
    element = after(s, c.key, c.key_bytes, prefix_bytes, &n)
    if element == NULL:
        return False
    take_key(c.key, &c.key_bytes, element)
    memcpy(&c.number, element + c.key_bytes, 4)
    c.state = consumer_state(s, g, c.number, &n)[0]
    return True


cdef void consumer_name(Stream* s, const Group* g, uint32_t number, Arg* name) noexcept nogil:
    cdef uint32_t n = 0
    name.data = <const uint8_t*>consumer_state(s, g, number, &n) + sizeof(ConsumerState)
    name.size = n - sizeof(ConsumerState)


# ---- pending entries

cdef inline PendingState* pending_state(Stream* s, const Group* g, StreamId id) noexcept nogil:
    cdef uint8_t[PENDING_BYTES_MAX] key
    cdef uint32_t n = 0
    return <PendingState*>payload(s, key, pending_key(key, g.state.number, id), &n)


cdef void write_pending(Stream* s, const Group* g, StreamId id, const PendingState* state) noexcept nogil:
    cdef uint8_t[PENDING_BYTES_MAX] key
    cdef uint32_t key_bytes = pending_key(key, g.state.number, id), n = 0
    cdef uint8_t* at = payload(s, key, key_bytes, &n)
    INVARIANT(at != NULL)
    memcpy(at, state, sizeof(PendingState))
    table_changed(s, at - key_bytes, key_bytes + n)


cdef bint pending_find(Stream* s, const Group* g, StreamId id, PendingState* out) noexcept nogil:
    cdef PendingState* state = pending_state(s, g, id)
    if state == NULL:
        return False
    out[0] = state[0]
    return True


cdef bint pending_from(Stream* s, const Group* g, uint32_t consumer, StreamId* id) noexcept nogil:
    cdef uint8_t[OWNED_BYTES_MAX] key
    cdef uint32_t key_bytes, n = 0
    cdef const uint8_t* element
    cdef TablePlace at
    if consumer:
        key_bytes = owned_key(key, g.state.number, consumer, id[0])
    else:
        key_bytes = pending_key(key, g.state.number, id[0])
    table_find(s, key, key_bytes, &at)
    element = table_element(s, &at, &n)
    if element == NULL or n < key_bytes or memcmp(element, key, key_bytes - ID_BYTES) != 0:
        return False
    id[0] = id_load(element + key_bytes - ID_BYTES)
    return True


cdef bint pending_last(Stream* s, const Group* g, StreamId* id) noexcept nogil:
    cdef uint8_t[PENDING_BYTES_MAX] key
    cdef uint32_t key_bytes = pending_key(key, g.state.number, id_max()), n = 0
    cdef const uint8_t* element
    cdef TablePlace at
    if not table_find(s, key, key_bytes, &at) and not table_previous(s, &at):
        return False
    element = table_element(s, &at, &n)
    if n < key_bytes or memcmp(element, key, key_bytes - ID_BYTES) != 0:
        return False
    id[0] = id_load(element + key_bytes - ID_BYTES)
    return True


cdef inline void count_owned(Stream* s, const Group* g, uint32_t consumer, int more) noexcept nogil:
    cdef uint32_t n = 0
    cdef ConsumerState state
    if g.seen != NULL and g.seen.number == consumer:
        g.seen.state.pending += <uint64_t>more
    else:
        state = consumer_state(s, g, consumer, &n)[0]
        state.pending += <uint64_t>more
        write_consumer(s, g, consumer, &state)


cdef inline Status add_owned(Stream* s, const Group* g, uint32_t consumer, StreamId id) noexcept nogil:
    cdef uint8_t[OWNED_BYTES_MAX] key
    cdef Status status = insert(s, key, owned_key(key, g.state.number, consumer, id), NULL, 0, NULL)
    if status == STATUS_OK:
        count_owned(s, g, consumer, 1)
    return status


cdef inline void drop_owned(Stream* s, const Group* g, uint32_t consumer, StreamId id) noexcept nogil:
    cdef uint8_t[OWNED_BYTES_MAX] key
    cdef bint there = drop(s, key, owned_key(key, g.state.number, consumer, id))
    INVARIANT(there)
    count_owned(s, g, consumer, -1)


cdef Status add_pending(Stream* s, Group* g, StreamId id, const PendingState* state) noexcept nogil:
    cdef uint8_t[PENDING_BYTES_MAX] key
    cdef Status status = insert(s, key, pending_key(key, g.state.number, id), state, sizeof(PendingState), NULL)
    if status == STATUS_OK:
        g.state.pending += 1
    return status


cdef Status pending_give(Stream* s, Group* g, StreamId id, const PendingState* state) noexcept nogil:
    cdef PendingState* old = pending_state(s, g, id)
    cdef uint32_t before = NOBODY if old == NULL else old.consumer
    cdef Status status
    if before != state.consumer:
        status = add_owned(s, g, state.consumer, id)
        if status != STATUS_OK:
            return status
    if before == NOBODY:
        status = add_pending(s, g, id, state)
        if status != STATUS_OK:
            drop_owned(s, g, state.consumer, id)
        return status
    if before != state.consumer:
        drop_owned(s, g, before, id)
    write_pending(s, g, id, state)
    return STATUS_OK


cdef Status pending_load(Stream* s, Group* g, StreamId id, PendingState* state) noexcept nogil:
    if pending_state(s, g, id) != NULL:
        return STATUS_MISSING
    state.consumer = NOBODY
    return add_pending(s, g, id, state)


cdef Status pending_assign(Stream* s, const Group* g, StreamId id, uint32_t consumer) noexcept nogil:
    cdef PendingState* found = pending_state(s, g, id)
    cdef PendingState state
    if found == NULL or found.consumer != NOBODY:
        return STATUS_MISSING
    state = found[0]
    state.consumer = consumer
    write_pending(s, g, id, &state)
    return add_owned(s, g, consumer, id)


cdef bint pending_drop(Stream* s, Group* g, StreamId id) noexcept nogil:
    cdef uint8_t[PENDING_BYTES_MAX] key
    cdef uint32_t key_bytes = pending_key(key, g.state.number, id), n = 0, consumer
    cdef TablePlace at
    if not table_find(s, key, key_bytes, &at):
        return False
    consumer = (<PendingState*>(table_element(s, &at, &n) + key_bytes)).consumer
    table_remove(s, &at)
    drop_owned(s, g, consumer, id)
    g.state.pending -= 1
    return True


cdef bint pending_drop_all(Stream* s, StreamId id) noexcept nogil:
    cdef Group g
    cdef bint dropped = False
    g.key_bytes = 0
    while group_next(s, &g):
        if pending_drop(s, &g, id):
            group_write(s, &g)
            dropped = True
    return dropped


cdef bint groups_need(Stream* s, StreamId id) noexcept nogil:
    cdef Group g
    cdef PendingState state
    g.key_bytes = 0
    while group_next(s, &g):
        if id_compare(g.state.last, id) < 0 or pending_find(s, &g, id, &state):
            return True
    return False


# ---- what a group has read

cdef bint deleted_from(const StreamHead* head, StreamId id) noexcept nogil:
    """Whether the last deletion is of an ID not before this one, so that counting on from here is of no use."""
    if head.length == 0 or id_is_zero(head.deleted_max):
        return False
    return id_compare(id, head.deleted_max) <= 0


cdef int64_t entries_up_to(const Stream* s, StreamId id) noexcept nogil:
    cdef StreamHead* head = stream_head(s)
    cdef int order
    if head.added == 0:
        return 0
    if head.length == 0 and id_compare(id, head.last) <= 0:
        return <int64_t>head.added
    if not id_is_zero(id) and id_compare(id, head.deleted_max) < 0:
        return ENTRIES_READ_UNKNOWN
    order = id_compare(id, head.last)
    if order == 0:
        return <int64_t>head.added
    if order > 0:
        return ENTRIES_READ_UNKNOWN
    if id_is_zero(head.deleted_max) or id_compare(head.deleted_max, head.first) < 0:
        # All that was taken away was taken from the front.
        order = id_compare(id, head.first)
        if order <= 0:
            return <int64_t>(head.added - head.length) + (order == 0)
    return ENTRIES_READ_UNKNOWN


cdef void group_reads(const Stream* s, Group* g, StreamId id) noexcept nogil:
    cdef StreamHead* head = stream_head(s)
    if (g.state.entries_read != ENTRIES_READ_UNKNOWN and id_compare(g.state.last, head.first) >= 0
            and not deleted_from(head, g.state.last)):
        g.state.entries_read += 1
    elif head.added:
        g.state.entries_read = entries_up_to(s, id)
    g.state.last = id


cdef bint group_lag(const Stream* s, const Group* g, int64_t* lag) noexcept nogil:
    cdef StreamHead* head = stream_head(s)
    cdef int64_t read
    lag[0] = 0
    if head.length == 0:
        return True
    if id_compare(g.state.last, head.first) < 0 and id_compare(head.deleted_max, head.first) < 0:
        # All there is lies before the group, without a gap.
        lag[0] = <int64_t>head.length
        return True
    if g.state.entries_read != ENTRIES_READ_UNKNOWN and not deleted_from(head, g.state.last):
        read = g.state.entries_read
    else:
        read = entries_up_to(s, g.state.last)
    lag[0] = <int64_t>head.added - read
    return read != ENTRIES_READ_UNKNOWN
