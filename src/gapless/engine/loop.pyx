"""The loop. See loop.pxd."""
from libc.errno cimport EAGAIN, EINTR, errno
from libc.limits cimport INT_MAX
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free, malloc, realloc
from libc.string cimport memcpy, memmove, strlen
from gapless.engine.base cimport (
    INVARIANT, clock_monotonic_ns, clock_ticks, likely, unlikely)
from gapless.engine.call cimport (
    COMMAND_NOT_QUEUED, COMMAND_PYTHON, COMMAND_WRITE, SESSION_AUTHENTICATED, SESSION_CLOSE_AFTER_REPLY,
    SESSION_CLOSE_NOW, SESSION_LOCAL, SESSION_MONITOR, SESSION_MULTI, SESSION_UNIX_SOCKET, Call, Command, Dispatch, Session)
from gapless.engine.client_memory cimport (
    client_count, client_memory_bound, client_memory_measured, client_uncount)
from gapless.engine.dispatch cimport dispatch_execute, dispatch_find, monitor_remove
from gapless.engine.keyspace cimport (
    keyspace_background, keyspace_hash, keyspace_prefetch_bucket, keyspace_prefetch_record,
    keyspace_tick)
from gapless.engine.lock cimport EngineLock, lock_leave, lock_wait, lock_yield
from gapless.engine.reply cimport Reply, reply_error, reply_free, reply_init
from gapless.engine.resp cimport (
    PARSE_MORE, PARSE_NOTHING, RESP_PADDING, Request, partial_free, pool_reset, resp_parse)
from gapless.engine.transactions cimport transactions_forget


cdef extern from * nogil:
    """
    #ifndef _GNU_SOURCE
    #define _GNU_SOURCE
    #endif
    #include <arpa/inet.h>
    #include <fcntl.h>
    #include <netinet/in.h>
    #include <netinet/tcp.h>
    #include <sys/epoll.h>
    #include <sys/eventfd.h>
    #include <sys/socket.h>
    #include <sys/un.h>
    #include <unistd.h>

    /* "127.0.0.1:6379", "[::1]:6379", "/path:0"; returns 1 when it is loopback or a Unix socket. */
    static int gapless_address(int fd, int peer, char *out, size_t n, int *is_unix) {
        struct sockaddr_storage s; socklen_t len = sizeof(s);
        char ip[INET6_ADDRSTRLEN] = "";
        memset(&s, 0, sizeof(s));
        *is_unix = 0;
        if ((peer ? getpeername : getsockname)(fd, (struct sockaddr *)&s, &len)) { snprintf(out, n, "?:0"); return 0; }
        if (s.ss_family == AF_INET) {
            struct sockaddr_in *a = (struct sockaddr_in *)&s;
            inet_ntop(AF_INET, &a->sin_addr, ip, sizeof(ip));
            snprintf(out, n, "%s:%d", ip, ntohs(a->sin_port));
            return (ntohl(a->sin_addr.s_addr) >> 24) == 127;
        }
        if (s.ss_family == AF_INET6) {
            struct sockaddr_in6 *a = (struct sockaddr_in6 *)&s;
            inet_ntop(AF_INET6, &a->sin6_addr, ip, sizeof(ip));
            snprintf(out, n, "[%s]:%d", ip, ntohs(a->sin6_port));
            return IN6_IS_ADDR_LOOPBACK(&a->sin6_addr);
        }
        *is_unix = 1;
        if (peer) { len = sizeof(s); getsockname(fd, (struct sockaddr *)&s, &len); }
        snprintf(out, n, "%.100s:0", len > sizeof(sa_family_t) ? ((struct sockaddr_un *)&s)->sun_path : "");
        return 1;
    }
    static void gapless_tune(int fd, int keepalive_s) {
        int on = 1, interval = keepalive_s / 3 ? keepalive_s / 3 : 1, count = 3;
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
        if (keepalive_s <= 0) return;
        setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
        setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &keepalive_s, sizeof(keepalive_s));
        setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &interval, sizeof(interval));
        setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &count, sizeof(count));
    }
    static int gapless_accept(int fd) { return accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC); }
    static int gapless_epoll(int epfd, int op, int fd, uint32_t events, void *p) {
        struct epoll_event e; memset(&e, 0, sizeof(e)); e.events = events; e.data.ptr = p;
        return epoll_ctl(epfd, op, fd, &e);
    }
    static int gapless_eventfd(void) { return eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC); }
    static void gapless_signal(int fd) { uint64_t one = 1; ssize_t n = write(fd, &one, 8); (void)n; }
    static void gapless_drain(int fd) { uint64_t v; ssize_t n = read(fd, &v, 8); (void)n; }
    static int gapless_statm(void) { return open("/proc/self/statm", O_RDONLY | O_CLOEXEC); }
    static uint64_t gapless_resident(int fd) {
        char text[128]; unsigned long long size, resident = 0;
        ssize_t n = fd < 0 ? -1 : pread(fd, text, sizeof(text) - 1, 0);
        if (n <= 0) return 0;
        text[n] = 0;
        if (sscanf(text, "%llu %llu", &size, &resident) != 2) return 0;
        return resident * (uint64_t)sysconf(_SC_PAGESIZE);
    }
    """
    ctypedef union epoll_data_t:
        void* ptr
    struct epoll_event:
        uint32_t events
        epoll_data_t data
    int epoll_create1(int flags)
    int epoll_wait(int epfd, epoll_event* events, int maxevents, int timeout)
    ssize_t recv(int fd, void* buf, size_t n, int flags)
    ssize_t send(int fd, const void* buf, size_t n, int flags)
    int close(int fd)
    int EPOLLIN
    int EPOLLOUT
    int EPOLLERR
    int EPOLLHUP
    int EPOLLRDHUP
    int EPOLL_CTL_ADD
    int EPOLL_CTL_MOD
    int EPOLL_CLOEXEC
    int MSG_NOSIGNAL
    int MSG_DONTWAIT
    int gapless_address(int fd, int peer, char* out, size_t n, int* is_unix)
    void gapless_tune(int fd, int keepalive_s)
    int gapless_accept(int fd)
    int gapless_epoll(int epfd, int op, int fd, uint32_t events, void* p)
    int gapless_eventfd()
    void gapless_signal(int fd)
    void gapless_drain(int fd)
    int gapless_statm()
    uint64_t gapless_resident(int fd)


cdef enum:
    EVENTS_MAX = 256
    READ_BYTES = 16384         # asked of a socket at a time, unless a large request is known to be coming
    AREA_BYTES = 1 << 19
    READ_AHEAD_MAX = 1 << 24   # most that is asked for at a time
    REPLY_BYTES = 16384        # of a spare output buffer
    REPLY_KEPT = 1 << 16       # a larger one is not kept
    SPARE_REPLIES = 64
    SEND_EARLY = 1 << 20       # replies of this size are sent before the batch is through
    SHRINK_BYTES = 1 << 20     # an output buffer of more than this gives back what has been sent of it
    ACCEPTS_MAX = 1000         # a turn, a listener
    BUSY_SLICE_MIN_NS = 20000
    CRON_NS = 100000000


cdef Reply* _output(Dispatch* d, Session* session) noexcept nogil:
    """Where another session's command writes to a client: MONITOR."""
    cdef Client* c = <Client*>session.client
    cdef Loop* loop
    if c == NULL or c.state & CLIENT_DOOMED:
        return NULL
    loop = _loop_of(d)
    _touch(loop, c)
    return &c.reply


# The loop of an engine's dispatch: one process may have several engines, few of them.
cdef Loop* _loops[64]
cdef int _loop_count = 0


cdef Loop* _loop_of(Dispatch* d) noexcept nogil:
    cdef int i
    for i in range(_loop_count):
        if _loops[i].dispatch == d:
            return _loops[i]
    return NULL


cdef Loop* loop_new(Dispatch* dispatch, EngineLock* lock) noexcept:
    global _loop_count
    cdef Loop* loop = <Loop*>calloc(1, sizeof(Loop))
    INVARIANT(loop != NULL and _loop_count < 64)
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
    loop.clients_max = 10000
    loop.query_bytes_max = 1 << 30
    loop.output_limits[CLASS_REPLICA] = OutputLimit(256 << 20, 64 << 20, 60000)
    loop.output_limits[CLASS_PUBSUB] = OutputLimit(32 << 20, 8 << 20, 60000)
    loop.keepalive_seconds = 300
    loop.slice_ns = 200000
    dispatch.output = _output
    _loops[_loop_count] = loop
    _loop_count += 1
    return loop


cdef void loop_close(Loop* loop) noexcept nogil:
    cdef int i
    while loop.first != NULL:
        _free_client(loop, loop.first)
    for i in range(loop.listener_count):
        close(loop.listeners[i])
    loop.listener_count = 0
    loop.again_count = 0
    loop.entry_count = 0
    loop.touched = NULL


cdef void loop_free(Loop* loop) noexcept nogil:
    global _loop_count
    cdef int i
    loop_close(loop)
    close(loop.epoll_fd)
    close(loop.wake_fd)
    if loop.statm_fd >= 0:
        close(loop.statm_fd)
    for i in range(loop.spare_count):
        free(loop.spare_replies[i])
    pool_reset(&loop.pool)
    free(loop.pool.args)
    free(loop.area)
    free(loop.entries)
    free(loop.again)
    for i in range(_loop_count):
        if _loops[i] == loop:
            _loop_count -= 1
            _loops[i] = _loops[_loop_count]
            break
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


cdef uint64_t client_bytes(const Client* c) noexcept nogil:
    return sizeof(Client) + c.query_room + c.reply.room + c.session.multi_bytes + c.partial.room * sizeof(size_t)


# ---- clients

cdef void _accept(Loop* loop, int listener) noexcept nogil:
    cdef int fd, is_unix, count = 0
    cdef bint local
    cdef Client* c
    cdef const char* text
    while count < ACCEPTS_MAX:
        count += 1
        fd = gapless_accept(listener)
        if fd < 0:
            return
        if loop.client_count >= loop.clients_max:
            text = "-ERR max number of clients reached\r\n"
            send(fd, text, strlen(text), MSG_NOSIGNAL | MSG_DONTWAIT)
            close(fd)
            loop.stats.connections_rejected += 1
            continue
        c = <Client*>calloc(1, sizeof(Client))
        INVARIANT(c != NULL)
        local = gapless_address(fd, 1, c.address, sizeof(c.address), &is_unix)
        if loop.protected_mode and not local and not loop.dispatch.password_required:
            text = ("-DENIED Redis is running in protected mode because protected mode is enabled and no password is set "
                    "for the default user. Connect from the loopback interface, set a password (requirepass), or turn "
                    "protected-mode off.\r\n")
            send(fd, text, strlen(text), MSG_NOSIGNAL | MSG_DONTWAIT)
            close(fd)
            free(c)
            loop.stats.connections_rejected += 1
            continue
        gapless_address(fd, 0, c.local_address, sizeof(c.local_address), &is_unix)
        reply_init(&c.reply)
        c.fd = fd
        loop.dispatch.session_ids += 1
        c.session.id = loop.dispatch.session_ids
        c.session.protocol = 2
        c.session.client = c
        c.session.address = c.address
        c.session.created_ms = loop.dispatch.keys.now_ms
        c.session.active_ms = c.session.created_ms
        if not loop.dispatch.password_required:
            # Who came while there was no password stays.
            c.session.flags |= SESSION_AUTHENTICATED
        if local:
            c.session.flags |= SESSION_LOCAL
        if is_unix:
            c.session.flags |= SESSION_UNIX_SOCKET
        else:
            gapless_tune(fd, loop.keepalive_seconds)
        c.next = loop.first
        if loop.first != NULL:
            loop.first.previous = c
        loop.first = c
        loop.client_count += 1
        loop.stats.connections += 1
        client_count(loop, c)
        if gapless_epoll(loop.epoll_fd, EPOLL_CTL_ADD, fd, EPOLLIN, c) < 0:
            client_doom(loop, c)


cdef void _free_client(Loop* loop, Client* c) noexcept nogil:
    if c.session.flags & SESSION_MONITOR:
        monitor_remove(loop.dispatch, &c.session)
    transactions_forget(loop.dispatch, &c.session)
    if c.session.python != NULL and loop.on_close != NULL:
        loop.on_close(&c.session)
    if loop.cron_at == c:
        loop.cron_at = c.next
    if c.next != NULL:
        c.next.previous = c.previous
    if c.previous != NULL:
        c.previous.next = c.next
    else:
        loop.first = c.next
    loop.client_count -= 1
    client_uncount(loop, c)
    close(c.fd)
    free(c.query)
    partial_free(&c.partial)
    reply_free(&c.reply)
    free(c)


cdef void _free_doomed(Loop* loop) noexcept nogil:
    cdef uint32_t i, kept = 0
    cdef Client* c = loop.first
    cdef Client* following
    loop.any_doomed = False
    for i in range(loop.again_count):
        if not loop.again[i].state & CLIENT_DOOMED:
            loop.again[kept] = loop.again[i]
            kept += 1
    loop.again_count = kept
    while c != NULL:
        following = c.next
        if c.state & CLIENT_DOOMED:
            _free_client(loop, c)
        c = following


cdef inline void _touch(Loop* loop, Client* c) noexcept nogil:
    if c.state & CLIENT_IN_BATCH:
        return
    c.state |= CLIENT_IN_BATCH
    c.touched_next = loop.touched
    loop.touched = c
    if c.reply.data == NULL and loop.spare_count > 0:
        loop.spare_count -= 1
        c.reply.data = loop.spare_replies[loop.spare_count]
        c.reply.room = REPLY_BYTES


# ---- output

cdef inline void _give_reply_buffer(Loop* loop, Client* c) noexcept nogil:
    """Everything is sent: the buffer goes back, so that an idle client has none."""
    c.reply.length = c.reply.sent = 0
    if c.reply.room == REPLY_BYTES and loop.spare_count < SPARE_REPLIES:
        loop.spare_replies[loop.spare_count] = c.reply.data
        loop.spare_count += 1
        c.reply.data = NULL
        c.reply.room = 0
    elif c.reply.room != REPLY_BYTES or loop.spare_count >= SPARE_REPLIES:
        if c.reply.room <= REPLY_KEPT and c.reply.room > REPLY_BYTES:
            c.reply.data = <uint8_t*>realloc(c.reply.data, REPLY_BYTES)
            INVARIANT(c.reply.data != NULL)
            c.reply.room = REPLY_BYTES
            if loop.spare_count < SPARE_REPLIES:
                loop.spare_replies[loop.spare_count] = c.reply.data
                loop.spare_count += 1
                c.reply.data = NULL
                c.reply.room = 0
                return
        free(c.reply.data)
        c.reply.data = NULL
        c.reply.room = 0


cdef void _ask(Loop* loop, Client* c) noexcept nogil:
    """Asks for the events the client's state calls for."""
    gapless_epoll(loop.epoll_fd, EPOLL_CTL_MOD, c.fd,
                  (EPOLLRDHUP if c.state & CLIENT_DEAF else EPOLLIN) | (EPOLLOUT if c.state & CLIENT_WANTS_WRITE else 0), c)


cdef void _check_output_limit(Loop* loop, Client* c) noexcept nogil:
    cdef uint64_t waiting = c.reply.length - c.reply.sent
    cdef OutputLimit* limit = &loop.output_limits[CLASS_REPLICA if c.session.flags & SESSION_MONITOR else CLASS_NORMAL]
    cdef int64_t now = loop.dispatch.keys.now_ms
    if limit.hard_bytes and waiting >= limit.hard_bytes:
        loop.stats.output_limit_disconnections += 1
        client_doom(loop, c)
    elif limit.soft_bytes and waiting >= limit.soft_bytes:
        if c.soft_since_ms == 0:
            c.soft_since_ms = now
        elif now - c.soft_since_ms > limit.soft_ms:
            loop.stats.output_limit_disconnections += 1
            client_doom(loop, c)
    else:
        c.soft_since_ms = 0


cdef void _send(Loop* loop, Client* c) noexcept nogil:
    cdef ssize_t n
    if c.reply.length > c.reply.sent and not c.state & CLIENT_DOOMED:
        n = send(c.fd, c.reply.data + c.reply.sent, c.reply.length - c.reply.sent, MSG_NOSIGNAL | MSG_DONTWAIT)
        loop.stats.writes += 1
        if n < 0:
            if errno != EAGAIN and errno != EINTR:
                client_doom(loop, c)
                return
            n = 0
        c.reply.sent += n
        c.bytes_out += n
        loop.stats.bytes_out += n
    if likely(c.reply.sent == c.reply.length):
        if c.reply.data != NULL:
            _give_reply_buffer(loop, c)
        if unlikely(c.state & CLIENT_WANTS_WRITE):
            c.state &= ~<uint32_t>CLIENT_WANTS_WRITE
            c.soft_since_ms = 0
            _ask(loop, c)
        if unlikely(c.session.flags & SESSION_CLOSE_AFTER_REPLY):
            client_doom(loop, c)
        return
    if not c.state & CLIENT_WANTS_WRITE:
        c.state |= CLIENT_WANTS_WRITE
        _ask(loop, c)
    # What was sent makes room before the buffer would grow.
    if c.reply.sent > (c.reply.length >> 1):
        memmove(c.reply.data, c.reply.data + c.reply.sent, c.reply.length - c.reply.sent)
        c.reply.length -= c.reply.sent
        c.reply.sent = 0
        if c.reply.room > SHRINK_BYTES and c.reply.length < c.reply.room >> 1:
            c.reply.room = c.reply.length + (c.reply.length >> 2)
            c.reply.data = <uint8_t*>realloc(c.reply.data, c.reply.room)
            INVARIANT(c.reply.data != NULL)
    _check_output_limit(loop, c)


cdef void _flush_touched(Loop* loop) noexcept nogil:
    cdef Client* c = loop.touched
    cdef Client* following
    loop.touched = NULL
    while c != NULL:
        following = c.touched_next
        c.state &= ~<uint32_t>CLIENT_IN_BATCH
        if c.query != NULL and c.query_at == c.query_length:
            free(c.query)
            c.query = NULL
            c.query_room = c.query_length = c.query_at = 0
        if c.session.flags & SESSION_CLOSE_NOW:
            client_doom(loop, c)
        else:
            _send(loop, c)
        client_count(loop, c)
        c = following


# ---- execution

cdef void _run_batch(Loop* loop) noexcept nogil:
    cdef int i
    cdef Entry* e
    cdef Client* c
    cdef Call call
    cdef Dispatch* d = loop.dispatch
    cdef int count = loop.entry_count
    if count > 2:
        for i in range(count):
            e = &loop.entries[i]
            if e.hashed:
                keyspace_prefetch_record(d.keys, e.client.session.db, e.hash)
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
        dispatch_execute(d, &call)
        c.commands += 1
        if unlikely(c.reply.length > REPLY_BYTES):
            if c.reply.length - c.reply.sent > SEND_EARLY:
                if c.state & CLIENT_WANTS_WRITE:
                    _check_output_limit(loop, c)
                else:
                    _send(loop, c)
            client_count(loop, c)
            client_memory_bound(loop)
        elif unlikely(c.session.multi_bytes != 0):
            client_count(loop, c)
            client_memory_bound(loop)
    loop.entry_count = 0
    loop.stats.batches += 1
    pool_reset(&loop.pool)
    _flush_touched(loop)


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
            _touch(loop, c)
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
            _touch(loop, c)
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
            if unlikely(command.flags & COMMAND_PYTHON):
                # It may change how the rest is to be read, or be answered by somebody else's pause.
                share = 0
        _touch(loop, c)
    return at


cdef void _remember(Loop* loop, Client* c) noexcept nogil:
    if c.state & CLIENT_AGAIN and not c.state & CLIENT_DOOMED:
        if loop.again_count == loop.again_room:
            loop.again_room = loop.again_room * 2 + 64
            loop.again = <Client**>realloc(loop.again, loop.again_room * sizeof(Client*))
            INVARIANT(loop.again != NULL)
        loop.again[loop.again_count] = c
        loop.again_count += 1


cdef void _parse_own(Loop* loop, Client* c) noexcept nogil:
    """Requests from the client's own query buffer."""
    cdef size_t used
    c.state &= ~<uint32_t>(CLIENT_AGAIN | CLIENT_PAUSED)
    if unlikely(c.state & CLIENT_DEAF) and loop.pause_until_ms == 0:
        c.state &= ~<uint32_t>CLIENT_DEAF
        _ask(loop, c)
    used = _parse(loop, c, c.query + c.query_at, c.query_length - c.query_at)
    c.query_at += used
    if c.query_at == c.query_length and not c.state & CLIENT_IN_BATCH and c.query != NULL:
        free(c.query)
        c.query = NULL
        c.query_room = c.query_length = c.query_at = 0
    _remember(loop, c)


cdef void _read(Loop* loop, Client* c) noexcept nogil:
    cdef size_t want, room, used, left
    cdef ssize_t n
    cdef uint8_t* at
    if c.state & (CLIENT_AGAIN | CLIENT_DOOMED):
        if c.state & CLIENT_DEAF:
            # Of one that is not read only its end is heard: what it has asked for is not done.
            client_doom(loop, c)
        elif c.state & CLIENT_PAUSED:
            # What it sends stays with the system until the pause is over.
            c.state |= CLIENT_DEAF
            _ask(loop, c)
        return
    if c.session.flags & SESSION_CLOSE_AFTER_REPLY:
        # Only its last reply is still to be sent; what it goes on sending is thrown away.
        n = recv(c.fd, loop.area + AREA_BYTES - READ_BYTES, READ_BYTES, MSG_DONTWAIT) if loop.entry_count == 0 else 1
        if n == 0 or (n < 0 and errno != EAGAIN and errno != EINTR):
            client_doom(loop, c)
        return
    if c.state & CLIENT_IN_BATCH:
        _run_batch(loop)
        if c.state & CLIENT_DOOMED:
            return
    if c.query == NULL:
        if AREA_BYTES - loop.area_used < READ_BYTES:
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
            client_doom(loop, c)
        return
    loop.stats.reads += 1
    loop.stats.bytes_in += n
    c.bytes_in += n
    if c.query != NULL:
        c.query_length += n
        if unlikely(c.query_length > loop.query_bytes_max):
            loop.stats.query_limit_disconnections += 1
            client_doom(loop, c)
            return
        if c.query_length > c.query_touched:
            client_count(loop, c)
            client_memory_bound(loop)
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
        if c.query == NULL:
            c.state &= ~<uint32_t>CLIENT_AGAIN
            continue
        _parse_own(loop, c)
    # The list now ends with those that have still more.
    if count:
        memmove(loop.again, loop.again + count, (loop.again_count - count) * sizeof(Client*))
        loop.again_count -= count


# ---- time

cdef void _cron(Loop* loop) noexcept nogil:
    """10 times a second: memory, clients that are idle or too slow, Python's part."""
    cdef uint32_t left = loop.client_count // 10 + 1
    cdef Client* c
    cdef int64_t now = loop.dispatch.keys.now_ms
    loop.resident_bytes = gapless_resident(loop.statm_fd)
    if loop.resident_bytes > loop.resident_peak:
        loop.resident_peak = loop.resident_bytes
    client_memory_measured(loop)
    client_memory_bound(loop)
    while left:
        left -= 1
        if loop.cron_at == NULL:
            loop.cron_at = loop.first
            if loop.cron_at == NULL:
                break
        c = loop.cron_at
        loop.cron_at = c.next
        if c.soft_since_ms:
            _check_output_limit(loop, c)
        if loop.timeout_ms and now - c.session.active_ms > loop.timeout_ms and not c.session.flags & SESSION_MONITOR:
            client_doom(loop, c)
        if c.session.flags & SESSION_CLOSE_NOW:
            client_doom(loop, c)
    if loop.cron != NULL and loop.cron(loop.dispatch.engine):
        loop.stopping = True


cdef void _background(Loop* loop, int64_t budget_ns, bint idle, int64_t* used) noexcept nogil:
    used[0] = keyspace_background(loop.dispatch.keys, budget_ns, idle)
    loop.stats.busy_ns += used[0]
    if <uint64_t>used[0] > loop.stats.longest_slice_ns:
        loop.stats.longest_slice_ns = used[0]


cdef void loop_run(Loop* loop) noexcept nogil:
    cdef epoll_event events[EVENTS_MAX]
    cdef epoll_event* event
    cdef int count, i, timeout
    cdef int64_t start, end, budget, used = 0
    cdef void* p
    cdef Client* c
    cdef Dispatch* d = loop.dispatch
    cdef uint64_t batches
    cdef bint accepting = False
    loop.stopping = False
    loop.cron_due_ns = clock_monotonic_ns()
    start = end = loop.cron_due_ns
    while not loop.stopping:
        timeout = 0
        if used == 0 and (loop.again_count == 0 or loop.pause_until_ms != 0):
            timeout = <int>((loop.cron_due_ns - end) // 1000000) + 1
            if loop.again_count and timeout > 10:
                timeout = 10
            if timeout < 0:
                timeout = 0
        lock_yield(loop.lock)
        count = epoll_wait(loop.epoll_fd, events, EVENTS_MAX, timeout)
        lock_wait(loop.lock)
        start = clock_monotonic_ns()
        keyspace_tick(d.keys)
        d.tick = clock_ticks()
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
                _send(loop, c)
                client_count(loop, c)
            if event.events & (EPOLLIN | EPOLLERR | EPOLLHUP | EPOLLRDHUP):
                _read(loop, c)
        if loop.again_count:
            if loop.pause_until_ms != 0 and d.keys.now_ms >= loop.pause_until_ms:
                loop.pause_until_ms = 0
            _go_on(loop)
        if loop.entry_count or loop.touched != NULL:
            _run_batch(loop)
        loop.area_used = 0
        if unlikely(loop.any_doomed):
            _free_doomed(loop)
        if unlikely(accepting):
            # Last, so that who has gone makes room for who comes.
            accepting = False
            for i in range(count):
                p = events[i].data.ptr
                if p >= <void*>&loop.listeners[0] and p < <void*>&loop.listeners[LISTENERS_MAX]:
                    _accept(loop, (<int*>p)[0])
        end = clock_monotonic_ns()
        if count > 0 and <uint64_t>(end - start) > loop.stats.longest_turn_ns:
            loop.stats.longest_turn_ns = end - start
        if loop.stats.batches != batches:
            budget = (end - start) // 2
            if budget < BUSY_SLICE_MIN_NS:
                budget = BUSY_SLICE_MIN_NS
            if budget > loop.slice_ns:
                budget = loop.slice_ns
            _background(loop, budget, False, &used)
        else:
            _background(loop, loop.slice_ns, True, &used)
        if end >= loop.cron_due_ns:
            loop.cron_due_ns = end + CRON_NS
            _cron(loop)
            if loop.any_doomed:
                _free_doomed(loop)
        lock_leave(loop.lock)
