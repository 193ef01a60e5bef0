"""The loop. See loop.pxd."""
from libc.errno cimport EAGAIN, EINTR, errno
from libc.limits cimport INT_MAX
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free, malloc, realloc
from libc.string cimport memcpy, memmove
from gapless.engine.base cimport INVARIANT, clock_monotonic_ns, clock_ticks, likely, unlikely
from gapless.engine.call cimport (
    COMMAND_BLOCKING, COMMAND_NOT_QUEUED, COMMAND_PYTHON, COMMAND_WRITE, SESSION_AUTHENTICATED, SESSION_BLOCKED,
    SESSION_CLOSE_AFTER_REPLY, SESSION_CLOSE_NOW, SESSION_MULTI, Call, Command, Dispatch, Session)
from gapless.engine.blocked cimport blocked_expire, blocked_next_deadline_ms, blocked_serve
from gapless.engine.cleaner cimport cleaner_has_work
from gapless.engine.client cimport (
    CLIENT_AGAIN, CLIENT_DEAF, CLIENT_DOOMED, CLIENT_HELD, CLIENT_IGNORED, CLIENT_IN_BATCH, CLIENT_PAUSED, CLIENT_WANTS_WRITE, REPLY_BYTES,
    Client, client_ask, client_check_output, client_doom, client_drop_query, client_release, client_send, client_touch,
    clients_accept, clients_check, clients_close, clients_flush, clients_free_doomed, clients_init)
from gapless.engine.client_memory cimport client_count, client_memory_bound, client_memory_measured
from gapless.engine.commit cimport commit, commit_due
from gapless.engine.dispatch cimport dispatch_execute, dispatch_find
from gapless.engine.keyspace cimport (
    keyspace_background, keyspace_hash, keyspace_prefetch_bucket, keyspace_prefetch_record, keyspace_tick)
from gapless.engine.lock cimport EngineLock, lock_leave, lock_wait, lock_yield
from gapless.engine.reply cimport reply_error
from gapless.engine.resp cimport PARSE_MORE, PARSE_NOTHING, RESP_PADDING, Request, pool_reset, resp_parse
from gapless.engine.sockets cimport (
    EPOLL_CLOEXEC, EPOLL_CTL_ADD, EPOLLERR, EPOLLHUP, EPOLLIN, EPOLLOUT, EPOLLRDHUP, MSG_DONTWAIT, MSG_PEEK, close, epoll_create1,
    epoll_event, epoll_wait, gapless_drain, gapless_epoll, gapless_eventfd, gapless_resident, gapless_signal, gapless_statm, recv)


cdef enum:
    EVENTS_MAX = 256
    READ_BYTES = 16384         # asked of a socket at a time, unless a large request is known to be coming
    AREA_BYTES = 1 << 19
    READ_AHEAD_MAX = 1 << 24   # most that is asked for at a time
    SEND_EARLY = 1 << 20       # replies of this size are sent before the batch is through
    COMMIT_BYTES = 1 << 20     # of effects, after which the journal does not wait for the batch's end
    BUSY_SLICE_MIN_NS = 20000
    BETWEEN_SLICE_NS = 50000   # while no client waits for it, but one did just now
    BETWEEN_NS = 10000000      # how long "just now" is
    CRON_NS = 100000000


cdef Loop* loop_new(Dispatch* dispatch, EngineLock* lock) noexcept:
    cdef Loop* loop = <Loop*>calloc(1, sizeof(Loop))
    INVARIANT(loop != NULL)
    loop.dispatch = dispatch
    loop.lock = lock
    loop.epoll_fd = epoll_create1(EPOLL_CLOEXEC)
    loop.wake_fd = gapless_eventfd()
    loop.statm_fd = gapless_statm()
    INVARIANT(loop.epoll_fd >= 0 and loop.wake_fd >= 0)
    gapless_epoll(loop.epoll_fd, EPOLL_CTL_ADD, loop.wake_fd, EPOLLIN, &loop.wake_fd)
    loop.area = <uint8_t*>malloc(AREA_BYTES + RESP_PADDING)
    loop.entries = <Entry*>calloc(BATCH_REQUESTS, sizeof(Entry))
    INVARIANT(loop.area != NULL and loop.entries != NULL)
    loop.limits.args_max = INT_MAX
    loop.limits.bulk_bytes_max = 512 << 20
    loop.query_bytes_max = 1 << 30
    loop.slice_ns = 200000
    clients_init(&loop.clients, dispatch, loop.epoll_fd)
    dispatch.loop = loop
    dispatch.on_unblocked = _on_unblocked
    return loop


cdef void loop_close(Loop* loop) noexcept nogil:
    cdef int i
    clients_close(&loop.clients)
    for i in range(loop.listener_count):
        close(loop.listeners[i])
    loop.listener_count = 0
    loop.again_count = 0
    loop.entry_count = 0


cdef void loop_free(Loop* loop) noexcept nogil:
    loop_close(loop)
    close(loop.epoll_fd)
    close(loop.wake_fd)
    if loop.statm_fd >= 0:
        close(loop.statm_fd)
    pool_reset(&loop.pool)
    free(loop.pool.args)
    free(loop.area)
    free(loop.entries)
    free(loop.again)
    free(loop)


cdef int loop_listen(Loop* loop, int fd) noexcept nogil:
    cdef int at = 0
    while at < loop.listener_count and loop.listeners[at] >= 0:
        at += 1
    if at == LISTENERS_MAX:
        return -1
    loop.listeners[at] = fd
    if gapless_epoll(loop.epoll_fd, EPOLL_CTL_ADD, fd, EPOLLIN, &loop.listeners[at]) < 0:
        loop.listeners[at] = -1
        return -1
    if at == loop.listener_count:
        loop.listener_count += 1
    return 0


cdef void loop_unlisten(Loop* loop, int fd) noexcept nogil:
    cdef int at
    for at in range(loop.listener_count):
        if loop.listeners[at] == fd:
            # Its place stays: an event of this turn may still point at it.
            loop.listeners[at] = -1
            close(fd)
            return


cdef void loop_wake(Loop* loop) noexcept nogil:
    gapless_signal(loop.wake_fd)


cdef void loop_stop(Loop* loop) noexcept nogil:
    loop.stopping = True
    gapless_signal(loop.wake_fd)


cdef void _free_doomed(Loop* loop) noexcept nogil:
    cdef uint32_t i, kept = 0
    for i in range(loop.again_count):
        if not loop.again[i].state & CLIENT_DOOMED:
            loop.again[kept] = loop.again[i]
            kept += 1
    loop.again_count = kept
    clients_free_doomed(&loop.clients)


# ---- execution

cdef void _pay(Loop* loop) noexcept nogil:
    """A batch pays for what it left behind: background work of at most half the time it took, and of one slice."""
    cdef int64_t now = clock_monotonic_ns()
    cdef int64_t budget = (now - loop.paid_ns) // 2
    budget = min(max(budget, BUSY_SLICE_MIN_NS), loop.slice_ns)
    loop.paid_ns = now + keyspace_background(loop.dispatch.keys, budget, False)


cdef inline void _bound_output(Loop* loop, Client* c) noexcept nogil:
    """After a command that may have left much to be sent, or to be kept."""
    if unlikely(c.reply.length > REPLY_BYTES or c.session.multi_bytes != 0):
        if c.reply.length - c.reply.sent > SEND_EARLY:
            if commit_due(loop.dispatch):
                commit(loop.dispatch)
            if c.state & CLIENT_WANTS_WRITE:
                client_check_output(c)
            else:
                client_send(c)
        client_count(c)
        client_memory_bound(&loop.clients)


cdef void _run_batch(Loop* loop) noexcept nogil:
    cdef int i
    cdef Entry* e
    cdef Client* c
    cdef Call call
    cdef Dispatch* d = loop.dispatch
    cdef int count = loop.entry_count
    cdef uint64_t gathered
    if count > 2:
        for i in range(count):
            e = &loop.entries[i]
            if e.hashed:
                keyspace_prefetch_record(d.keys, e.client.session.db, e.hash)
    # Where the first command's time begins: not with what was read, sent and cleaned since the last one.
    d.tick = clock_ticks()
    for i in range(count):
        e = &loop.entries[i]
        c = e.client
        if unlikely(c.session.flags & (SESSION_CLOSE_AFTER_REPLY | SESSION_CLOSE_NOW)):
            continue
        if unlikely(e.argc < 0):
            reply_error(&c.reply, loop.error)
            c.session.flags |= SESSION_CLOSE_AFTER_REPLY
            continue
        call.session = &c.session
        call.reply = &c.reply
        call.command = e.command
        call.argv = loop.pool.args + e.args
        call.argc = e.argc
        call.hash = e.hash
        call.size = e.size
        gathered = d.keys.effects.length if d.keys.effects != NULL else 0
        dispatch_execute(d, &call)
        if d.keys.effects != NULL and d.keys.effects.length != gathered:
            c.wrote_batch = d.journal.batch
            if unlikely(d.keys.effects.length > COMMIT_BYTES):
                commit(d)
        if likely(not c.session.flags & SESSION_BLOCKED):
            c.commands += 1
            _bound_output(loop, c)
        else:
            client_count(c)
            client_memory_bound(&loop.clients)
        if unlikely(d.ready_keys != 0):
            blocked_serve(d)
    loop.entry_count = 0
    loop.stats.batches += 1
    pool_reset(&loop.pool)
    if commit_due(d):
        commit(d)
    clients_flush(&loop.clients)
    _pay(loop)


# ---- input

cdef inline bint _held_back(Loop* loop, Client* c, Command* command) noexcept nogil:
    """Whether CLIENT PAUSE makes this request wait."""
    if loop.dispatch.keys.now_ms >= loop.pause_until_ms:
        loop.pause_until_ms = 0
        return False
    if loop.pause_all:
        return True
    if command == NULL:
        return False
    if command.flags & COMMAND_NOT_QUEUED:
        return (c.session.multi_flags & COMMAND_WRITE) != 0
    return (command.flags & COMMAND_WRITE) != 0 and not c.session.flags & SESSION_MULTI


cdef size_t _parse(Loop* loop, Client* c, const uint8_t* data, size_t n) noexcept nogil:
    """Puts the client's requests into the batch, at most its share; returns the bytes used up."""
    cdef Dispatch* d = loop.dispatch
    cdef Request request
    cdef Entry* e
    cdef Command* command
    cdef size_t at = 0, args_before
    cdef int what, share = CLIENT_SHARE, first
    loop.limits.authenticated = not d.password_required or c.session.flags & SESSION_AUTHENTICATED
    if unlikely(not loop.limits.authenticated):
        # AUTH may change what the next request may be.
        share = 1
    while at < n:
        if unlikely(share == 0):
            c.state |= CLIENT_AGAIN
            break
        if unlikely(loop.entry_count == BATCH_REQUESTS):
            client_touch(c)
            _run_batch(loop)
            if c.session.flags & (SESSION_CLOSE_AFTER_REPLY | SESSION_CLOSE_NOW):
                return n
        args_before = loop.pool.length
        what = resp_parse(&loop.limits, &c.partial, data + at, n - at, &loop.pool, &request)
        if unlikely(what != 1):
            if what == PARSE_MORE:
                break
            if what == PARSE_NOTHING:
                at += request.used
                continue
            if loop.entry_count and loop.entries[loop.entry_count - 1].argc < 0:
                _run_batch(loop)
            memcpy(loop.error, request.error, sizeof(loop.error))
            e = &loop.entries[loop.entry_count]
            loop.entry_count += 1
            e.client = c
            e.argc = -1
            e.hashed = False
            client_touch(c)
            _run_batch(loop)
            return n
        command = dispatch_find(d, loop.pool.args + request.args, request.argc)
        if unlikely(loop.pause_until_ms != 0) and _held_back(loop, c, command):
            loop.pool.length = args_before
            c.state |= CLIENT_PAUSED | CLIENT_AGAIN
            break
        at += request.used
        share -= 1
        e = &loop.entries[loop.entry_count]
        loop.entry_count += 1
        e.client = c
        e.command = command
        e.args = request.args
        e.argc = request.argc
        e.size = request.size
        e.hashed = False
        if likely(command != NULL):
            first = command.key_first
            if first > 0 and first < request.argc:
                e.hash = keyspace_hash(d.keys, loop.pool.args[request.args + first].data,
                                       loop.pool.args[request.args + first].size)
                e.hashed = True
                keyspace_prefetch_bucket(d.keys, c.session.db, e.hash)
            if unlikely(command.flags & (COMMAND_PYTHON | COMMAND_BLOCKING)):
                # It may change how the rest is to be read, be answered by somebody else's pause, or make the rest wait.
                share = 0
        client_touch(c)
    return at


cdef void _remember(Loop* loop, Client* c) noexcept nogil:
    if c.state & CLIENT_AGAIN and not c.state & CLIENT_DOOMED:
        if loop.again_count == loop.again_room:
            loop.again_room = loop.again_room * 2 + 64
            loop.again = <Client**>realloc(loop.again, loop.again_room * sizeof(Client*))
            INVARIANT(loop.again != NULL)
        loop.again[loop.again_count] = c
        loop.again_count += 1


cdef inline void _hear_again(Client* c) noexcept nogil:
    if c.state & CLIENT_DEAF:
        c.state &= ~<uint32_t>CLIENT_DEAF
        client_ask(c)


cdef void _on_unblocked(Dispatch* d, Session* session) noexcept nogil:
    cdef Loop* loop = <Loop*>d.loop
    cdef Client* c = <Client*>session.client
    if c == NULL:
        if session.wake_fd >= 0:
            gapless_signal(session.wake_fd)
        return
    c.commands += 1
    if d.keys.effects != NULL:
        # Whether it was this command that wrote is not known here, nor worth knowing.
        c.wrote_batch = d.journal.batch
    _bound_output(loop, c)
    _hear_again(c)
    if c.query != NULL and not c.state & CLIENT_AGAIN:
        # What it sent meanwhile, after all others have had their turn.
        c.state |= CLIENT_AGAIN
        _remember(loop, c)


cdef void _wait_deaf(Client* c) noexcept nogil:
    """Something has come from a client that is blocked. It stays with the system; of the client only its end is heard: what it has asked for
    is not done then."""
    cdef uint8_t byte
    cdef ssize_t n = 0 if c.state & CLIENT_DEAF else recv(c.fd, &byte, 1, MSG_DONTWAIT | MSG_PEEK)
    if n > 0:
        c.state |= CLIENT_DEAF
        client_ask(c)
    elif n == 0 or (errno != EAGAIN and errno != EINTR):
        client_doom(c)


cdef void _parse_own(Loop* loop, Client* c) noexcept nogil:
    """Requests from the client's own query buffer."""
    cdef size_t used
    c.state &= ~<uint32_t>(CLIENT_AGAIN | CLIENT_PAUSED)
    if loop.pause_until_ms == 0:
        _hear_again(c)
    used = _parse(loop, c, c.query + c.query_at, c.query_length - c.query_at)
    c.query_at += used
    if not c.state & CLIENT_IN_BATCH:
        client_drop_query(c)
    _remember(loop, c)


cdef void _read(Loop* loop, Client* c) noexcept nogil:
    cdef size_t want, room, used, left
    cdef ssize_t n
    cdef uint8_t* at
    if c.state & (CLIENT_AGAIN | CLIENT_DOOMED):
        if c.state & CLIENT_DEAF:
            # Of one that is not read only its end is heard: what it has asked for is not done.
            client_doom(c)
        elif c.state & CLIENT_PAUSED:
            # What it sends stays with the system until the pause is over.
            c.state |= CLIENT_DEAF
            client_ask(c)
        return
    if c.session.flags & SESSION_CLOSE_AFTER_REPLY:
        # Only its last reply is still to be sent; what it goes on sending is thrown away.
        n = recv(c.fd, loop.area + AREA_BYTES - READ_BYTES, READ_BYTES, MSG_DONTWAIT) if loop.entry_count == 0 else 1
        if n == 0 or (n < 0 and errno != EAGAIN and errno != EINTR):
            client_doom(c)
        return
    if c.state & CLIENT_IN_BATCH:
        _run_batch(loop)
        if c.state & CLIENT_DOOMED:
            return
    if unlikely(c.session.flags & SESSION_BLOCKED):
        _wait_deaf(c)
        return
    if c.query == NULL:
        # As a sum: the padding behind what was read last may go beyond AREA_BYTES.
        if loop.area_used + READ_BYTES > AREA_BYTES:
            _run_batch(loop)
            loop.area_used = 0
        at = loop.area + loop.area_used
        want = READ_BYTES
    else:
        if c.query_at:
            memmove(c.query, c.query + c.query_at, c.query_length - c.query_at)
            c.query_length -= c.query_at
            c.query_at = 0
        want = READ_BYTES
        if c.partial.need > c.query_length + want:
            want = c.partial.need - c.query_length
        room = c.query_length + want + RESP_PADDING
        if c.query_room < room:
            # A large request gets room for all of it at once; else the buffer doubles.
            if c.partial.need <= c.query_length + READ_BYTES and room < c.query_room * 2:
                room = c.query_room * 2
            c.query = <uint8_t*>realloc(c.query, room)
            INVARIANT(c.query != NULL)
            c.query_room = room
        elif c.partial.need <= c.query_length and c.query[0] == c'*':
            # (A line is read as Redis reads it: what has come by the time it is over its limit depends on that.)
            want = c.query_room - c.query_length - RESP_PADDING
        at = c.query + c.query_length
        if want > READ_AHEAD_MAX:
            want = READ_AHEAD_MAX
    n = recv(c.fd, at, want, MSG_DONTWAIT)
    if unlikely(n <= 0):
        if n == 0 or (errno != EAGAIN and errno != EINTR):
            client_doom(c)
        return
    loop.stats.reads += 1
    loop.stats.bytes_in += n
    c.bytes_in += n
    if c.query != NULL:
        c.query_length += n
        if unlikely(c.query_length > loop.query_bytes_max):
            loop.stats.query_limit_disconnections += 1
            client_doom(c)
            return
        if c.query_length > c.query_touched:
            client_count(c)
            client_memory_bound(&loop.clients)
            if unlikely(c.state & CLIENT_DOOMED):
                return
        _parse_own(loop, c)
        return
    c.state &= ~<uint32_t>(CLIENT_AGAIN | CLIENT_PAUSED)
    loop.area_used += n + RESP_PADDING
    used = _parse(loop, c, at, n)
    left = n - used
    if left and not c.state & CLIENT_DOOMED:
        room = left + READ_BYTES
        if c.partial.need > room:
            room = c.partial.need
        c.query_room = room + RESP_PADDING
        c.query = <uint8_t*>malloc(c.query_room)
        INVARIANT(c.query != NULL)
        memcpy(c.query, at + used, left)
        c.query_length = left
        c.query_at = 0
    _remember(loop, c)


cdef void _go_on(Loop* loop) noexcept nogil:
    """Clients whose requests were more than their share, or that were paused."""
    cdef uint32_t i, count = loop.again_count
    cdef Client* c
    for i in range(count):
        c = loop.again[i]
        if c.state & CLIENT_DOOMED:
            continue
        if c.state & CLIENT_IN_BATCH:
            _run_batch(loop)
            if c.state & CLIENT_DOOMED or c.session.flags & SESSION_CLOSE_AFTER_REPLY:
                c.state &= ~<uint32_t>CLIENT_AGAIN
                continue
        if c.query == NULL or c.session.flags & SESSION_BLOCKED or c.state & CLIENT_HELD:
            c.state &= ~<uint32_t>CLIENT_AGAIN
            continue
        _parse_own(loop, c)
    # The list now ends with those that have still more.
    if count:
        memmove(loop.again, loop.again + count, (loop.again_count - count) * sizeof(Client*))
        loop.again_count -= count


cdef void _release_held(Loop* loop) noexcept nogil:
    """Clients of which the journal has by now what they wrote."""
    cdef Client* c = loop.clients.held
    cdef Client* following
    while c != NULL:
        following = c.held_next
        if client_release(c) and c.query != NULL and not c.state & (CLIENT_AGAIN | CLIENT_DOOMED):
            c.state |= CLIENT_AGAIN
            _remember(loop, c)
        c = following


# ---- time

cdef void _look_after_blocked(Loop* loop) noexcept nogil:
    """Who can be served because of what was not a client's command, and whose time is up once all that came has been done."""
    cdef Dispatch* d = loop.dispatch
    cdef int64_t deadline_ms = blocked_next_deadline_ms(d)
    if d.ready_keys != 0:
        blocked_serve(d)
    if deadline_ms != 0 and deadline_ms <= d.keys.now_ms:
        if loop.entry_count:
            _run_batch(loop)
        blocked_expire(d)


cdef void _cron(Loop* loop) noexcept nogil:
    """10 times a second: memory, clients that are idle or too slow, Python's part."""
    loop.resident_bytes = gapless_resident(loop.statm_fd)
    if loop.resident_bytes > loop.resident_peak:
        loop.resident_peak = loop.resident_bytes
    client_memory_measured(&loop.clients, loop.resident_bytes)
    client_memory_bound(&loop.clients)
    clients_check(&loop.clients)
    if loop.cron != NULL and loop.cron(loop.dispatch.engine):
        loop.stopping = True


cdef void loop_run(Loop* loop) noexcept nogil:
    cdef epoll_event events[EVENTS_MAX]
    cdef epoll_event* event
    cdef int count, i, timeout
    cdef int64_t start, end, budget, busy_ns = 0
    cdef bint more = False     # background work is left: look for events without waiting
    cdef void* p
    cdef Client* c
    cdef Dispatch* d = loop.dispatch
    cdef uint64_t batches
    cdef bint accepting = False
    loop.cron_due_ns = clock_monotonic_ns()
    start = end = loop.cron_due_ns
    while not loop.stopping:
        timeout = 0
        if not more and (loop.again_count == 0 or loop.pause_until_ms != 0):
            timeout = <int>((loop.cron_due_ns - end) // 1000000) + 1
            if loop.again_count and timeout > 10:
                timeout = 10
            if d.ready_keys != 0:
                timeout = 0
            elif blocked_next_deadline_ms(d) != 0:
                timeout = <int>min(<int64_t>timeout, blocked_next_deadline_ms(d) - d.keys.now_ms)
            if timeout < 0:
                timeout = 0
        lock_yield(loop.lock)
        count = epoll_wait(loop.epoll_fd, events, EVENTS_MAX, timeout)
        lock_wait(loop.lock)
        start = clock_monotonic_ns()
        loop.paid_ns = start
        keyspace_tick(d.keys)
        batches = loop.stats.batches
        loop.stats.turns += 1
        for i in range(count):
            event = &events[i]
            p = event.data.ptr
            if unlikely(p >= <void*>loop and p < <void*>(loop + 1)):
                if p == <void*>&loop.wake_fd:
                    gapless_drain(loop.wake_fd)
                else:
                    accepting = True
                continue
            c = <Client*>p
            if unlikely(event.events & EPOLLOUT):
                client_send(c)
                client_count(c)
            if unlikely(c.state & CLIENT_HELD):
                # What it sends stays with the system until it has its replies.
                if event.events & (EPOLLERR | EPOLLHUP):
                    client_doom(c)
                elif event.events & (EPOLLIN | EPOLLRDHUP) and not c.state & CLIENT_IGNORED:
                    c.state |= CLIENT_IGNORED
                    client_ask(c)
            elif event.events & (EPOLLIN | EPOLLERR | EPOLLHUP | EPOLLRDHUP):
                _read(loop, c)
        if unlikely(loop.clients.held != NULL):
            _release_held(loop)
        if loop.again_count:
            if loop.pause_until_ms != 0 and d.keys.now_ms >= loop.pause_until_ms:
                loop.pause_until_ms = 0
            _go_on(loop)
        if unlikely(d.blocked_sessions != 0 or d.ready_keys != 0):
            _look_after_blocked(loop)
        if loop.entry_count or loop.clients.touched != NULL:
            _run_batch(loop)
        loop.area_used = 0
        if unlikely(loop.clients.any_doomed):
            _free_doomed(loop)
        if unlikely(accepting):
            # Last, so that who has gone makes room for who comes.
            accepting = False
            for i in range(count):
                p = events[i].data.ptr
                if p >= <void*>&loop.listeners[0] and p < <void*>&loop.listeners[LISTENERS_MAX]:
                    clients_accept(&loop.clients, (<int*>p)[0])
        end = clock_monotonic_ns()
        if count > 0 and <uint64_t>(end - start) > loop.stats.longest_turn_ns:
            loop.stats.longest_turn_ns = end - start
        if loop.stats.batches != batches:
            # What is owed is done; what could be done besides is done while nobody asks for anything.
            more = cleaner_has_work(d.keys)
            busy_ns = end
        else:
            budget = min(loop.slice_ns, BETWEEN_SLICE_NS) if end - busy_ns < BETWEEN_NS else loop.slice_ns
            more = keyspace_background(d.keys, budget, True) > 0
        if end >= loop.cron_due_ns:
            loop.cron_due_ns = end + CRON_NS
            if loop.stats.batches != batches:
                # Under steady load no turn is idle: what only idle slices do gets one ten times a second.
                keyspace_background(d.keys, loop.slice_ns, True)
            _cron(loop)
            if loop.clients.any_doomed:
                _free_doomed(loop)
        if unlikely(commit_due(d)):
            # What was evicted, and what was done in Python.
            commit(d)
        lock_leave(loop.lock)
    # Not before the first turn: who stops a thread that has not come here yet waits for its end.
    loop.stopping = False
