"""Clients that wait for keys. See blocked.pxd."""
from libc.math cimport ceill
from libc.stdint cimport INT64_MAX, int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free, malloc, realloc
from libc.string cimport memcmp, memcpy
from gapless.engine.base cimport INVARIANT, parse_int64
from gapless.engine.call cimport (
    SESSION_BLOCKED, SESSION_CLOSE_NOW, SESSION_IN_EXEC, SESSION_REPLY_OFF, SESSION_REPLY_SKIP, Arg, Call, Command, Dispatch, Session)
from gapless.engine.dispatch cimport dispatch_count, dispatch_execute
from gapless.engine.keyspace cimport FIND_PEEK, Value, keyspace_find, keyspace_hash
from gapless.engine.long_double cimport parse_long_double
from gapless.engine.reply cimport Reply, reply_error


cdef enum:
    BUCKETS = 1 << 16          # of the table of keys; those that are not used have no memory


cdef struct Wait:
    # A place in the queue of a key; key NULL: none is taken, another argument names the same key.
    Waiter* waiter
    AwaitedKey* key
    Wait* next
    Wait* previous


cdef struct AwaitedKey:
    uint64_t hash
    AwaitedKey* bucket_next
    AwaitedKey* ready_next
    Wait* first
    Wait* last
    size_t key_bytes
    uint32_t waits
    uint32_t waits_on_missing
    int db
    bint ready                 # in the list of the ready
    bint kept                  # being served: stays though its queue be empty
    uint8_t key[1]             # and more


cdef struct Waiter:
    # One blocked session: this, its Waits, its Args, their bytes, in one block.
    Waiter* next
    Waiter* previous
    Session* session
    Reply* reply               # of the call; where to write for a session inside the process
    Command* command
    uint64_t hash
    size_t size
    int64_t deadline_ms        # 0: never
    TimedOut timed_out
    size_t bytes               # memory it takes, keys included
    uint32_t heap_at           # its place in the heap of deadlines; 0: none
    uint32_t wait_count
    int argc
    int type
    bint on_missing
    Wait* waits
    Arg* argv


cdef struct Blocked:
    Waiter* first              # in the order of arrival
    Waiter* last
    AwaitedKey* ready_first    # in the order in which they became so
    AwaitedKey* ready_last
    Waiter* again              # whose command is executed again
    Waiter** heap              # by deadline, from 1 on
    uint32_t heap_count
    uint32_t heap_room
    uint64_t keys
    uint64_t keys_on_missing
    AwaitedKey* buckets[BUCKETS]


# ---- deadlines

cdef inline void _heap_put(Blocked* b, uint32_t at, Waiter* w) noexcept nogil:
    b.heap[at] = w
    w.heap_at = at


cdef void _heap_settle(Blocked* b, uint32_t at, Waiter* w) noexcept nogil:
    """Puts a waiter where it belongs, beginning at a place that is free."""
    cdef uint32_t child
    while at > 1 and b.heap[at >> 1].deadline_ms > w.deadline_ms:
        _heap_put(b, at, b.heap[at >> 1])
        at >>= 1
    while True:
        child = at << 1
        if child > b.heap_count:
            break
        if child < b.heap_count and b.heap[child + 1].deadline_ms < b.heap[child].deadline_ms:
            child += 1
        if b.heap[child].deadline_ms >= w.deadline_ms:
            break
        _heap_put(b, at, b.heap[child])
        at = child
    _heap_put(b, at, w)


cdef void _heap_add(Blocked* b, Waiter* w) noexcept nogil:
    if b.heap_count + 1 >= b.heap_room:
        b.heap_room = b.heap_room * 2 + 16
        b.heap = <Waiter**>realloc(b.heap, b.heap_room * sizeof(Waiter*))
        INVARIANT(b.heap != NULL)
    b.heap_count += 1
    _heap_settle(b, b.heap_count, w)


cdef void _heap_remove(Blocked* b, Waiter* w) noexcept nogil:
    cdef uint32_t at = w.heap_at
    cdef Waiter* last = b.heap[b.heap_count]
    b.heap_count -= 1
    w.heap_at = 0
    if last != w:
        _heap_settle(b, at, last)


cdef int64_t blocked_next_deadline_ms(const Dispatch* d) noexcept nogil:
    cdef const Blocked* b = <const Blocked*>d.blocked
    return b.heap[1].deadline_ms if b.heap_count else 0


# ---- keys and their queues

cdef AwaitedKey** _find(Blocked* b, int db, const uint8_t* key, size_t n, uint64_t hash) noexcept nogil:
    """Where the key is linked, or would be."""
    cdef AwaitedKey** at = &b.buckets[hash % BUCKETS]
    while at[0] != NULL:
        if at[0].hash == hash and at[0].db == db and at[0].key_bytes == n and memcmp(at[0].key, key, n) == 0:
            break
        at = &at[0].bucket_next
    return at


cdef AwaitedKey* _key(Dispatch* d, int db, const Arg* name, uint64_t hash) noexcept nogil:
    cdef Blocked* b = <Blocked*>d.blocked
    cdef AwaitedKey** at = _find(b, db, name.data, name.size, hash)
    cdef AwaitedKey* k = at[0]
    if k != NULL:
        return k
    k = <AwaitedKey*>calloc(1, sizeof(AwaitedKey) + name.size)
    INVARIANT(k != NULL)
    k.hash = hash
    k.db = db
    k.key_bytes = name.size
    memcpy(k.key, name.data, name.size)
    at[0] = k
    b.keys += 1
    d.keys.awaited += 1
    return k


cdef void _drop_key(Dispatch* d, AwaitedKey* k) noexcept nogil:
    """Forgets a key that nobody waits for."""
    cdef Blocked* b = <Blocked*>d.blocked
    cdef AwaitedKey** at
    if k.first != NULL or k.ready or k.kept:
        return
    at = _find(b, k.db, k.key, k.key_bytes, k.hash)
    at[0] = k.bucket_next
    b.keys -= 1
    d.keys.awaited -= 1
    free(k)


cdef void _mark_ready(Dispatch* d, AwaitedKey* k) noexcept nogil:
    cdef Blocked* b = <Blocked*>d.blocked
    if k.ready:
        return
    k.ready = True
    k.ready_next = NULL
    if b.ready_last != NULL:
        b.ready_last.ready_next = k
    else:
        b.ready_first = k
    b.ready_last = k
    d.ready_keys += 1


cdef void _on_awaited(void* context, int db, const uint8_t* key, size_t key_bytes, uint64_t hash, bint gone) noexcept nogil:
    cdef Dispatch* d = <Dispatch*>context
    cdef AwaitedKey* k = _find(<Blocked*>d.blocked, db, key, key_bytes, hash)[0]
    if k != NULL and (not gone or k.waits_on_missing != 0):
        _mark_ready(d, k)


cdef void blocked_key_ready(Dispatch* d, int db, const uint8_t* key, size_t key_bytes, uint64_t hash) noexcept nogil:
    _on_awaited(d, db, key, key_bytes, hash, False)


cdef void blocked_flushing(Dispatch* d, int db, int other) noexcept nogil:
    # Whether there is something for them is seen when they are served. A flush brings nothing.
    cdef Waiter* w = (<Blocked*>d.blocked).first
    cdef uint32_t i
    cdef AwaitedKey* k
    while w != NULL:
        for i in range(w.wait_count):
            k = w.waits[i].key
            if k != NULL and (db == -1 or k.db == db or k.db == other) and (other >= 0 or k.waits_on_missing != 0):
                _mark_ready(d, k)
        w = w.next


cdef void _enqueue(Dispatch* d, Waiter* w, uint32_t i, int db, const Arg* name) noexcept nogil:
    cdef Blocked* b = <Blocked*>d.blocked
    cdef Wait* wait = &w.waits[i]
    cdef AwaitedKey* k = _key(d, db, name, keyspace_hash(d.keys, name.data, name.size))
    if k.last != NULL and k.last.waiter == w:
        return
    wait.waiter = w
    wait.key = k
    wait.next = NULL
    wait.previous = k.last
    if k.last != NULL:
        k.last.next = wait
    else:
        k.first = wait
    k.last = wait
    k.waits += 1
    if w.on_missing:
        b.keys_on_missing += k.waits_on_missing == 0
        k.waits_on_missing += 1


cdef void _dequeue(Dispatch* d, Waiter* w) noexcept nogil:
    """Out of all queues."""
    cdef Blocked* b = <Blocked*>d.blocked
    cdef uint32_t i
    cdef Wait* wait
    cdef AwaitedKey* k
    for i in range(w.wait_count):
        wait = &w.waits[i]
        k = wait.key
        if k == NULL:
            continue
        if wait.previous != NULL:
            wait.previous.next = wait.next
        else:
            k.first = wait.next
        if wait.next != NULL:
            wait.next.previous = wait.previous
        else:
            k.last = wait.previous
        k.waits -= 1
        if w.on_missing:
            k.waits_on_missing -= 1
            b.keys_on_missing -= k.waits_on_missing == 0
        wait.key = NULL
        _drop_key(d, k)
    w.session.blocked = NULL
    w.session.flags &= ~<uint32_t>SESSION_BLOCKED
    d.blocked_sessions -= 1


# ---- waiting

cdef Waiter* _waiter(Call* call, int count) noexcept nogil:
    """A new one, with the command's arguments copied."""
    cdef Blocked* b = <Blocked*>call.dispatch.blocked
    cdef size_t n = sizeof(Waiter) + count * sizeof(Wait) + call.argc * sizeof(Arg)
    cdef Waiter* w
    cdef uint8_t* at
    cdef int i
    for i in range(call.argc):
        n += call.argv[i].size
    w = <Waiter*>malloc(n)
    INVARIANT(w != NULL)
    w.waits = <Wait*>(w + 1)
    w.argv = <Arg*>(w.waits + count)
    at = <uint8_t*>(w.argv + call.argc)
    for i in range(call.argc):
        memcpy(at, call.argv[i].data, call.argv[i].size)
        w.argv[i].data = at
        w.argv[i].size = call.argv[i].size
        at += call.argv[i].size
    w.session = call.session
    w.reply = call.reply
    w.command = call.command
    w.hash = call.hash
    w.size = call.size
    w.argc = call.argc
    w.wait_count = <uint32_t>count
    w.bytes = n
    w.heap_at = 0
    w.next = NULL
    w.previous = b.last
    if b.last != NULL:
        b.last.next = w
    else:
        b.first = w
    b.last = w
    return w


cdef void _free(Dispatch* d, Waiter* w) noexcept nogil:
    cdef Blocked* b = <Blocked*>d.blocked
    if w.heap_at:
        _heap_remove(b, w)
    if w.next != NULL:
        w.next.previous = w.previous
    else:
        b.last = w.previous
    if w.previous != NULL:
        w.previous.next = w.next
    else:
        b.first = w.next
    w.session.blocked_bytes = 0
    free(w)


cdef bint blocked_wait(Call* call, int type, int first, int count, int64_t deadline_ms, bint on_missing, TimedOut timed_out) noexcept nogil:
    cdef Dispatch* d = call.dispatch
    cdef Blocked* b = <Blocked*>d.blocked
    cdef Session* session = call.session
    cdef Waiter* w = b.again
    cdef int i
    if session.flags & SESSION_IN_EXEC:
        return False
    INVARIANT(session.blocked == NULL)
    if w == NULL:
        w = _waiter(call, count)
        w.type = type
        w.on_missing = on_missing
        w.timed_out = timed_out
        w.deadline_ms = deadline_ms
        if deadline_ms:
            _heap_add(b, w)
        for i in range(first, first + count):
            w.bytes += sizeof(AwaitedKey) + call.argv[i].size
    INVARIANT(w.session == session and w.wait_count == <uint32_t>count)
    for i in range(count):
        w.waits[i].key = NULL
        _enqueue(d, w, <uint32_t>i, session.db, &w.argv[first + i])
    session.blocked = w
    session.blocked_bytes = w.bytes
    session.flags |= SESSION_BLOCKED
    d.blocked_sessions += 1
    return True


# ---- the end of waiting

cdef inline Reply* _output(Dispatch* d, Waiter* w) noexcept nogil:
    """Where to write to it; NULL: it is about to be closed."""
    if w.session.flags & SESSION_CLOSE_NOW:
        return NULL
    return w.reply if w.session.client == NULL else d.output(d, w.session)


cdef void _execute_again(Dispatch* d, Waiter* w) noexcept nogil:
    cdef Blocked* b = <Blocked*>d.blocked
    cdef Session* session = w.session
    cdef Call call
    call.reply = _output(d, w)
    if call.reply == NULL:
        return
    call.session = session
    call.command = w.command
    call.argv = w.argv
    call.argc = w.argc
    call.hash = w.hash
    call.size = w.size
    _dequeue(d, w)
    b.again = w
    dispatch_execute(d, &call)
    b.again = NULL
    if session.flags & SESSION_BLOCKED:
        return
    _free(d, w)
    d.on_unblocked(d, session)


cdef void _serve_key(Dispatch* d, AwaitedKey* k) noexcept nogil:
    # Those who wait anew queue up behind them.
    cdef uint32_t left = k.waits
    cdef Wait* wait = k.first
    cdef Wait* following
    cdef Waiter* w
    cdef Value v
    cdef bint there
    k.kept = True
    while wait != NULL and left > 0:
        there = keyspace_find(d.keys, k.db, k.key, k.key_bytes, k.hash, FIND_PEEK, &v)
        if not there and k.waits_on_missing == 0:
            break
        w = wait.waiter
        following = wait.next
        if w.on_missing or (there and v.type == w.type):
            _execute_again(d, w)
        wait = following
        left -= 1
    k.kept = False
    _drop_key(d, k)


cdef void blocked_serve(Dispatch* d) noexcept nogil:
    cdef Blocked* b = <Blocked*>d.blocked
    cdef AwaitedKey* k
    d.serving = True
    while b.ready_first != NULL:
        k = b.ready_first
        b.ready_first = k.ready_next
        if b.ready_first == NULL:
            b.ready_last = NULL
        k.ready = False
        d.ready_keys -= 1
        _serve_key(d, k)
    d.serving = False


cdef void _end(Dispatch* d, Waiter* w, bint error) noexcept nogil:
    """Without what it waited for."""
    cdef Session* session = w.session
    cdef Reply* out = _output(d, w)
    cdef size_t before
    cdef uint64_t errors
    if out != NULL:
        before = out.length
        errors = out.errors
        out.protocol = session.protocol
        if error:
            reply_error(out, b"UNBLOCKED client unblocked via CLIENT UNBLOCK")
        else:
            w.timed_out(out)
        dispatch_count(d, w.command, out, errors, 0)
        if session.flags & (SESSION_REPLY_OFF | SESSION_REPLY_SKIP):
            out.length = before
            session.flags &= ~<uint32_t>SESSION_REPLY_SKIP
    _dequeue(d, w)
    _free(d, w)
    d.on_unblocked(d, session)


cdef void blocked_expire(Dispatch* d) noexcept nogil:
    cdef Blocked* b = <Blocked*>d.blocked
    while b.heap_count and b.heap[1].deadline_ms <= d.keys.now_ms:
        _end(d, b.heap[1], False)


cdef void blocked_forget(Dispatch* d, Session* session) noexcept nogil:
    cdef Waiter* w = <Waiter*>session.blocked
    if w != NULL:
        _dequeue(d, w)
        _free(d, w)


cdef void blocked_abandon(Dispatch* d) noexcept nogil:
    cdef Waiter* w = (<Blocked*>d.blocked).first
    cdef Waiter* following
    cdef Session* session
    while w != NULL:
        following = w.next
        session = w.session
        if session.client == NULL:
            blocked_forget(d, session)
            d.on_unblocked(d, session)
        w = following


cdef int64_t blocked_deadline_ms(const Session* session) noexcept nogil:
    return (<const Waiter*>session.blocked).deadline_ms if session.blocked != NULL else 0


cdef bint blocked_unblock(Dispatch* d, uint64_t session_id, bint error) noexcept nogil:
    cdef Waiter* w = (<Blocked*>d.blocked).first
    while w != NULL and w.session.id != session_id:
        w = w.next
    if w == NULL:
        return False
    _end(d, w, error)
    return True


cdef BlockedCounts blocked_counts(const Dispatch* d) noexcept nogil:
    cdef const Blocked* b = <const Blocked*>d.blocked
    return BlockedCounts(b.keys, b.keys_on_missing, b.heap_count)


# ---- timeouts

cdef bint arg_deadline(Call* call, int i, TimeoutUnit unit, int64_t* deadline_ms) noexcept nogil:
    cdef int64_t ms, now = call.keys.now_ms
    cdef long double seconds
    if unit == TIMEOUT_SECONDS:
        if not parse_long_double(call.argv[i].data, call.argv[i].size, &seconds):
            reply_error(call.reply, b"ERR timeout is not a float or out of range")
            return False
        seconds = ceill(seconds * 1000)
        if seconds >= <long double>INT64_MAX:
            reply_error(call.reply, b"ERR timeout is out of range")
            return False
        ms = <int64_t>seconds if seconds > 0 else -(seconds < 0)
    elif not parse_int64(call.argv[i].data, call.argv[i].size, &ms):
        reply_error(call.reply, b"ERR timeout is not an integer or out of range")
        return False
    if ms < 0:
        reply_error(call.reply, b"ERR timeout is negative")
    elif ms > INT64_MAX - now:
        reply_error(call.reply, b"ERR timeout is out of range")
    else:
        deadline_ms[0] = ms + now if ms else 0
        return True
    return False


# ---- life

cdef void blocked_attach(Dispatch* d) noexcept:
    d.blocked = calloc(1, sizeof(Blocked))
    INVARIANT(d.blocked != NULL)
    d.keys.on_awaited = _on_awaited
    d.keys.on_awaited_context = d


cdef void blocked_detach(Dispatch* d) noexcept:
    cdef Blocked* b = <Blocked*>d.blocked
    # Keys are left that were ready when the last who waited for them went.
    blocked_serve(d)
    INVARIANT(b.first == NULL and b.keys == 0 and b.heap_count == 0)
    d.keys.on_awaited = NULL
    free(b.heap)
    free(b)
    d.blocked = NULL
