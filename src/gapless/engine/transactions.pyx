"""Transactions: optimistic locking by watched keys, and a queue of commands run in one go.

A watched key is an entry in a hash table of the engine, and in its session's list. The keyspace reports every change of a key while
anybody watches (Keyspace.watchers); the sessions that watch it are marked, and their EXEC answers null. A key whose TTL runs out is
no change: the entry keeps the expiry the key had, and EXEC compares it with the clock.
"""
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free, malloc
from libc.string cimport memcmp, memcpy
from gapless.engine.base cimport INVARIANT
from gapless.engine.blocked cimport blocked_flushing
from gapless.engine.call cimport (
    SESSION_DIRTY_CAS, SESSION_DIRTY_EXEC, SESSION_IN_EXEC, SESSION_MULTI, SESSION_REPLY_OFF, Arg, Call, Command, Dispatch,
    Session)
from gapless.engine.dispatch cimport dispatch_call, handler_register
from gapless.engine.keyspace cimport FIND_PEEK, Value, keyspace_find, keyspace_hash
from gapless.engine.reply cimport reply_array, reply_error, reply_null_array, reply_ok, reply_raw


cdef enum:
    WATCH_BUCKETS = 1024


cdef struct Watch:
    uint64_t hash
    Session* session
    Watch* bucket_next
    Watch* bucket_previous
    Watch* session_next
    int64_t expire_ms          # that the key had; -1: none
    size_t key_bytes
    int db
    uint8_t key[1]             # and more


cdef struct Watches:
    Watch* buckets[WATCH_BUCKETS]


cdef struct Queued:
    # A queued command: this, its Args, their bytes, in one block.
    Queued* next
    Command* command
    int argc
    size_t size


# ---- watched keys

cdef void _unwatch_all(Dispatch* d, Session* session) noexcept nogil:
    cdef Watch* w = <Watch*>session.watched
    cdef Watch* following
    while w != NULL:
        following = w.session_next
        if w.bucket_previous != NULL:
            w.bucket_previous.bucket_next = w.bucket_next
        else:
            (<Watches*>d.watches).buckets[w.hash % WATCH_BUCKETS] = w.bucket_next
        if w.bucket_next != NULL:
            w.bucket_next.bucket_previous = w.bucket_previous
        d.keys.watchers -= 1
        free(w)
        w = following
    session.watched = NULL
    session.watched_count = 0


cdef Watch* _spoil(Dispatch* d, Watch* w) noexcept nogil:
    """Its session's transaction will not run, so that it has nothing more to watch. Returns where its bucket begins."""
    cdef Watch** bucket = &(<Watches*>d.watches).buckets[w.hash % WATCH_BUCKETS]
    w.session.flags |= SESSION_DIRTY_CAS
    _unwatch_all(d, w.session)
    return bucket[0]


cdef void _on_change(void* context, int db, const uint8_t* key, size_t key_bytes, uint64_t hash) noexcept nogil:
    cdef Dispatch* d = <Dispatch*>context
    cdef Watch* w = (<Watches*>d.watches).buckets[hash % WATCH_BUCKETS]
    while w != NULL:
        if w.hash == hash and w.db == db and w.key_bytes == key_bytes and memcmp(w.key, key, key_bytes) == 0:
            w = _spoil(d, w)
        else:
            w = w.bucket_next


cdef void _watch(Call* call, const Arg* key) noexcept nogil:
    cdef Session* session = call.session
    cdef Watches* watches = <Watches*>call.dispatch.watches
    cdef uint64_t hash = keyspace_hash(call.keys, key.data, key.size)
    cdef Watch* w = <Watch*>session.watched
    cdef Value value
    while w != NULL:
        if w.hash == hash and w.db == session.db and w.key_bytes == key.size and memcmp(w.key, key.data, key.size) == 0:
            return
        w = w.session_next
    w = <Watch*>malloc(sizeof(Watch) + key.size)
    INVARIANT(w != NULL)
    w.hash = hash
    w.session = session
    w.db = session.db
    w.key_bytes = key.size
    memcpy(w.key, key.data, key.size)
    w.expire_ms = -1
    if keyspace_find(call.keys, session.db, key.data, key.size, hash, FIND_PEEK, &value):
        w.expire_ms = value.expire_ms
    w.bucket_previous = NULL
    w.bucket_next = watches.buckets[hash % WATCH_BUCKETS]
    if w.bucket_next != NULL:
        w.bucket_next.bucket_previous = w
    watches.buckets[hash % WATCH_BUCKETS] = w
    w.session_next = <Watch*>session.watched
    session.watched = w
    session.watched_count += 1
    call.keys.watchers += 1


cdef bint _any_expired(Dispatch* d, Session* session) noexcept nogil:
    cdef Watch* w = <Watch*>session.watched
    while w != NULL:
        if w.expire_ms >= 0 and w.expire_ms <= d.keys.now_ms:
            return True
        w = w.session_next
    return False


cdef bint _is_there(Dispatch* d, int db, Watch* w) noexcept nogil:
    """Whether the watched key is in a database. A look-up deletes what has expired, and would free the watch that is being looked at: nobody
    is told of it, since EXEC compares the expiry itself."""
    cdef uint32_t watchers = d.keys.watchers
    cdef Value value
    cdef bint there
    d.keys.watchers = 0
    there = keyspace_find(d.keys, db, w.key, w.key_bytes, w.hash, FIND_PEEK, &value)
    d.keys.watchers = watchers
    return there


cdef void transactions_flushing(Dispatch* d, int db, int other) noexcept nogil:
    cdef Watches* watches = <Watches*>d.watches
    cdef Watch* w
    cdef int i
    blocked_flushing(d, db, other)
    if d.keys.watchers == 0:
        return
    for i in range(WATCH_BUCKETS):
        w = watches.buckets[i]
        while w != NULL:
            if db == -1 or w.db == db or w.db == other:
                if _is_there(d, w.db, w) or (other >= 0 and _is_there(d, other if w.db == db else db, w)):
                    w = _spoil(d, w)
                    continue
            w = w.bucket_next


# ---- the queue

cdef void _queue(Call* call) noexcept nogil:
    cdef Session* session = call.session
    cdef size_t n = sizeof(Queued) + call.argc * sizeof(Arg)
    cdef int i
    cdef Queued* q
    cdef Arg* argv
    cdef uint8_t* at
    reply_raw(call.reply, b"+QUEUED\r\n", 9)
    # A spoilt transaction will not run: there is no point in keeping more of it.
    if session.flags & (SESSION_DIRTY_CAS | SESSION_DIRTY_EXEC):
        return
    for i in range(call.argc):
        n += call.argv[i].size
    q = <Queued*>malloc(n)
    INVARIANT(q != NULL)
    q.next = NULL
    q.command = call.command
    q.argc = call.argc
    q.size = n
    argv = <Arg*>(q + 1)
    at = <uint8_t*>(argv + call.argc)
    for i in range(call.argc):
        memcpy(at, call.argv[i].data, call.argv[i].size)
        argv[i].data = at
        argv[i].size = call.argv[i].size
        at += call.argv[i].size
    if session.queue_last != NULL:
        (<Queued*>session.queue_last).next = q
    else:
        session.queue = q
    session.queue_last = q
    session.multi_count += 1
    session.multi_flags |= call.command.flags
    session.multi_bytes += n


cdef void _drop_queue(Session* session) noexcept nogil:
    cdef Queued* q = <Queued*>session.queue
    cdef Queued* following
    while q != NULL:
        following = q.next
        free(q)
        q = following
    session.queue = session.queue_last = NULL
    session.multi_count = 0
    session.multi_flags = 0
    session.multi_bytes = 0


cdef void transactions_forget(Dispatch* d, Session* session) noexcept nogil:
    _drop_queue(session)
    _unwatch_all(d, session)
    session.flags &= ~<uint32_t>(SESSION_MULTI | SESSION_DIRTY_CAS | SESSION_DIRTY_EXEC)


cdef void _exec_abort(Call* call) noexcept nogil:
    transactions_forget(call.dispatch, call.session)


# ---- the commands

cdef void cmd_multi(Call* call) noexcept nogil:
    if call.session.flags & SESSION_MULTI:
        reply_error(call.reply, b"ERR MULTI calls can not be nested")
        return
    call.session.flags |= SESSION_MULTI
    reply_ok(call.reply)


cdef void cmd_discard(Call* call) noexcept nogil:
    if not call.session.flags & SESSION_MULTI:
        reply_error(call.reply, b"ERR DISCARD without MULTI")
        return
    transactions_forget(call.dispatch, call.session)
    reply_ok(call.reply)


cdef void cmd_watch(Call* call) noexcept nogil:
    cdef int i
    if call.session.flags & SESSION_MULTI:
        reply_error(call.reply, b"ERR WATCH inside MULTI is not allowed")
        return
    if not call.session.flags & SESSION_DIRTY_CAS:
        for i in range(1, call.argc):
            _watch(call, &call.argv[i])
    reply_ok(call.reply)


cdef void cmd_unwatch(Call* call) noexcept nogil:
    _unwatch_all(call.dispatch, call.session)
    call.session.flags &= ~<uint32_t>SESSION_DIRTY_CAS
    reply_ok(call.reply)


cdef void cmd_exec(Call* call) noexcept nogil:
    cdef Dispatch* d = call.dispatch
    cdef Session* session = call.session
    cdef Queued* q
    cdef Queued* following
    cdef Call inner = call[0]
    cdef uint32_t count = session.multi_count
    cdef size_t before = call.reply.length
    cdef int i
    if not session.flags & SESSION_MULTI:
        reply_error(call.reply, b"ERR EXEC without MULTI")
        return
    if not session.flags & SESSION_DIRTY_CAS and _any_expired(d, session):
        session.flags |= SESSION_DIRTY_CAS
    if session.flags & (SESSION_DIRTY_CAS | SESSION_DIRTY_EXEC):
        if session.flags & SESSION_DIRTY_EXEC:
            reply_error(call.reply, b"EXECABORT Transaction discarded because of previous errors.")
        else:
            reply_null_array(call.reply)
        transactions_forget(d, session)
        return
    q = <Queued*>session.queue
    reply_array(call.reply, count)
    if session.flags & SESSION_REPLY_OFF:
        call.reply.length = before
    # The session is as outside a transaction while it runs; its queue is freed here as it goes.
    session.queue = session.queue_last = NULL
    transactions_forget(d, session)
    session.flags |= SESSION_IN_EXEC
    session.multi_count = count
    while q != NULL:
        following = q.next
        inner.command = q.command
        inner.argc = q.argc
        inner.argv = <Arg*>(q + 1)
        inner.size = q.size
        i = q.command.key_first
        if 0 < i < q.argc:
            inner.hash = keyspace_hash(d.keys, inner.argv[i].data, inner.argv[i].size)
        call.reply.protocol = session.protocol
        before = call.reply.length
        dispatch_call(d, &inner)
        if session.flags & SESSION_REPLY_OFF:
            call.reply.length = before
        free(q)
        q = following
    session.flags &= ~<uint32_t>SESSION_IN_EXEC
    session.multi_count = 0


cdef void transactions_attach(Dispatch* d) noexcept:
    d.watches = calloc(1, sizeof(Watches))
    INVARIANT(d.watches != NULL)
    d.queue = _queue
    d.exec_abort = _exec_abort
    d.keys.on_change = _on_change
    d.keys.on_change_context = d


cdef void transactions_detach(Dispatch* d) noexcept:
    d.keys.on_change = NULL
    free(d.watches)
    d.watches = NULL


handler_register(b"transactions.multi", cmd_multi)
handler_register(b"transactions.exec", cmd_exec)
handler_register(b"transactions.discard", cmd_discard)
handler_register(b"transactions.watch", cmd_watch)
handler_register(b"transactions.unwatch", cmd_unwatch)
