"""The clients. See client.pxd."""
from libc.errno cimport EAGAIN, EINTR, errno
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free, realloc
from libc.string cimport memmove, strlen
from gapless.engine.base cimport INVARIANT, likely, unlikely
from gapless.engine.blocked cimport blocked_forget
from gapless.engine.call cimport (
    SESSION_AUTHENTICATED, SESSION_BLOCKED, SESSION_CLOSE_AFTER_REPLY, SESSION_CLOSE_NOW, SESSION_LOCAL, SESSION_MONITOR, SESSION_UNIX_SOCKET,
    Dispatch, Session)
from gapless.engine.client_memory cimport client_count, client_uncount
from gapless.engine.dispatch cimport monitor_remove
from gapless.engine.journal cimport SYNC_ALWAYS, journal_settled, journal_wake_keeper
from gapless.engine.reply cimport Reply, reply_free, reply_init
from gapless.engine.resp cimport partial_free
from gapless.engine.sockets cimport (
    EPOLL_CTL_ADD, EPOLL_CTL_MOD, EPOLLIN, EPOLLOUT, EPOLLRDHUP, MSG_DONTWAIT, MSG_NOSIGNAL, close, gapless_accept,
    gapless_address, gapless_epoll, gapless_tune, send)
from gapless.engine.transactions cimport transactions_forget

cdef enum:
    REPLY_KEPT = 1 << 16       # an output buffer larger than that is not kept
    SHRINK_BYTES = 1 << 20     # one of more than this gives back what has been sent of it
    ACCEPTS_MAX = 1000         # a turn, a listener


cdef Reply* _output(Dispatch* d, Session* session) noexcept nogil:
    """Where another session's command writes to a client: MONITOR."""
    cdef Client* c = <Client*>session.client
    if c == NULL or c.state & CLIENT_DOOMED:
        return NULL
    client_touch(c)
    return &c.reply


cdef void clients_init(Clients* clients, Dispatch* dispatch, int epoll_fd) noexcept nogil:
    clients.dispatch = dispatch
    clients.epoll_fd = epoll_fd
    clients.count_max = 10000
    clients.output_limits[CLASS_REPLICA] = OutputLimit(256 << 20, 64 << 20, 60000)
    clients.output_limits[CLASS_PUBSUB] = OutputLimit(32 << 20, 8 << 20, 60000)
    clients.keepalive_seconds = 300
    dispatch.output = _output


cdef void clients_close(Clients* clients) noexcept nogil:
    cdef int i
    while clients.first != NULL:
        _free(clients.first)
    clients.touched = NULL
    clients.held = NULL
    for i in range(clients.spare_count):
        free(clients.spare_replies[i])
    clients.spare_count = 0


cdef void clients_accept(Clients* clients, int listener) noexcept nogil:
    cdef int fd, is_unix, count = 0
    cdef bint local
    cdef Client* c
    cdef const char* text
    while count < ACCEPTS_MAX:
        count += 1
        fd = gapless_accept(listener)
        if fd < 0:
            return
        if clients.count >= clients.count_max:
            text = "-ERR max number of clients reached\r\n"
            send(fd, text, strlen(text), MSG_NOSIGNAL | MSG_DONTWAIT)
            close(fd)
            clients.stats.connections_rejected += 1
            continue
        c = <Client*>calloc(1, sizeof(Client))
        INVARIANT(c != NULL)
        local = gapless_address(fd, 1, c.address, sizeof(c.address), &is_unix)
        if clients.protected_mode and not local and not clients.dispatch.password_required:
            text = ("-DENIED Redis is running in protected mode because protected mode is enabled and no password is set "
                    "for the default user. Connect from the loopback interface, set a password (requirepass), or turn "
                    "protected-mode off.\r\n")
            send(fd, text, strlen(text), MSG_NOSIGNAL | MSG_DONTWAIT)
            close(fd)
            free(c)
            clients.stats.connections_rejected += 1
            continue
        gapless_address(fd, 0, c.local_address, sizeof(c.local_address), &is_unix)
        reply_init(&c.reply)
        c.clients = clients
        c.fd = fd
        clients.dispatch.session_ids += 1
        c.session.id = clients.dispatch.session_ids
        c.session.protocol = 2
        c.session.client = c
        c.session.address = c.address
        c.session.created_ms = clients.dispatch.keys.now_ms
        c.session.active_ms = c.session.created_ms
        if not clients.dispatch.password_required:
            # Who came while there was no password stays.
            c.session.flags |= SESSION_AUTHENTICATED
        if local:
            c.session.flags |= SESSION_LOCAL
        if is_unix:
            c.session.flags |= SESSION_UNIX_SOCKET
        else:
            gapless_tune(fd, clients.keepalive_seconds)
        c.next = clients.first
        if clients.first != NULL:
            clients.first.previous = c
        clients.first = c
        clients.count += 1
        clients.stats.connections += 1
        client_count(c)
        if gapless_epoll(clients.epoll_fd, EPOLL_CTL_ADD, fd, EPOLLIN, c) < 0:
            client_doom(c)


cdef void _leave_held(Client* c) noexcept nogil:
    cdef Client** link = &c.clients.held
    while link[0] != c:
        link = &link[0].held_next
    link[0] = c.held_next
    c.state &= ~<uint32_t>CLIENT_HELD


cdef void _free(Client* c) noexcept nogil:
    cdef Clients* clients = c.clients
    if c.state & CLIENT_HELD:
        _leave_held(c)
    if c.session.flags & SESSION_MONITOR:
        monitor_remove(clients.dispatch, &c.session)
    transactions_forget(clients.dispatch, &c.session)
    blocked_forget(clients.dispatch, &c.session)
    if c.session.python != NULL and clients.on_close != NULL:
        clients.on_close(&c.session)
    if clients.check_next == c:
        clients.check_next = c.next
    if c.next != NULL:
        c.next.previous = c.previous
    if c.previous != NULL:
        c.previous.next = c.next
    else:
        clients.first = c.next
    clients.count -= 1
    client_uncount(c)
    close(c.fd)
    free(c.query)
    partial_free(&c.partial)
    reply_free(&c.reply)
    free(c)


cdef void clients_free_doomed(Clients* clients) noexcept nogil:
    cdef Client* c = clients.first
    cdef Client* following
    clients.any_doomed = False
    while c != NULL:
        following = c.next
        if c.state & CLIENT_DOOMED:
            _free(c)
        c = following


cdef inline void _give_reply_buffer(Client* c) noexcept nogil:
    """Everything is sent: the buffer goes back, so that an idle client has none."""
    cdef Clients* clients = c.clients
    c.reply.length = c.reply.sent = 0
    if c.reply.room == REPLY_BYTES and clients.spare_count < SPARE_REPLIES:
        clients.spare_replies[clients.spare_count] = c.reply.data
        clients.spare_count += 1
        c.reply.data = NULL
        c.reply.room = 0
    elif c.reply.room != REPLY_BYTES or clients.spare_count >= SPARE_REPLIES:
        if c.reply.room <= REPLY_KEPT and c.reply.room > REPLY_BYTES:
            c.reply.data = <uint8_t*>realloc(c.reply.data, REPLY_BYTES)
            INVARIANT(c.reply.data != NULL)
            c.reply.room = REPLY_BYTES
            if clients.spare_count < SPARE_REPLIES:
                clients.spare_replies[clients.spare_count] = c.reply.data
                clients.spare_count += 1
                c.reply.data = NULL
                c.reply.room = 0
                return
        free(c.reply.data)
        c.reply.data = NULL
        c.reply.room = 0


cdef void client_ask(Client* c) noexcept nogil:
    gapless_epoll(c.clients.epoll_fd, EPOLL_CTL_MOD, c.fd, 0 if c.state & CLIENT_IGNORED else
                  (EPOLLRDHUP if c.state & CLIENT_DEAF else EPOLLIN) | (EPOLLOUT if c.state & CLIENT_WANTS_WRITE else 0), c)


cdef void client_check_output(Client* c) noexcept nogil:
    cdef Clients* clients = c.clients
    cdef uint64_t waiting = c.reply.length - c.reply.sent
    cdef OutputLimit* limit = &clients.output_limits[CLASS_REPLICA if c.session.flags & SESSION_MONITOR else CLASS_NORMAL]
    cdef int64_t now = clients.dispatch.keys.now_ms
    if limit.hard_bytes and waiting >= limit.hard_bytes:
        clients.stats.output_limit_disconnections += 1
        client_doom(c)
    elif limit.soft_bytes and waiting >= limit.soft_bytes:
        if c.soft_since_ms == 0:
            c.soft_since_ms = now
        elif now - c.soft_since_ms > limit.soft_ms:
            clients.stats.output_limit_disconnections += 1
            client_doom(c)
    else:
        c.soft_since_ms = 0


cdef bint client_release(Client* c) noexcept nogil:
    if c.wrote_batch > journal_settled(c.clients.dispatch.journal):
        return False
    _leave_held(c)
    if c.state & CLIENT_IGNORED:
        c.state &= ~<uint32_t>CLIENT_IGNORED
        client_ask(c)
    client_send(c)
    client_count(c)
    return True


cdef bint _hold(Client* c) noexcept nogil:
    cdef Clients* clients = c.clients
    if c.state & CLIENT_HELD:
        return True
    if likely(c.wrote_batch <= journal_settled(clients.dispatch.journal)):
        return False
    c.state |= CLIENT_HELD
    c.held_next = clients.held
    clients.held = c
    if c.state & CLIENT_WANTS_WRITE:
        c.state |= CLIENT_IGNORED
        client_ask(c)
    return True


cdef void client_send(Client* c) noexcept nogil:
    cdef Clients* clients = c.clients
    cdef ssize_t n
    if unlikely(c.wrote_batch != 0) and _hold(c):
        client_check_output(c)
        return
    if c.reply.length > c.reply.sent and not c.state & CLIENT_DOOMED:
        n = send(c.fd, c.reply.data + c.reply.sent, c.reply.length - c.reply.sent, MSG_NOSIGNAL | MSG_DONTWAIT)
        clients.stats.writes += 1
        if n < 0:
            if errno != EAGAIN and errno != EINTR:
                client_doom(c)
                return
            n = 0
        c.reply.sent += n
        c.bytes_out += n
        clients.stats.bytes_out += n
    if likely(c.reply.sent == c.reply.length):
        if c.reply.data != NULL:
            _give_reply_buffer(c)
        if unlikely(c.state & CLIENT_WANTS_WRITE):
            c.state &= ~<uint32_t>CLIENT_WANTS_WRITE
            c.soft_since_ms = 0
            client_ask(c)
        if unlikely(c.session.flags & SESSION_CLOSE_AFTER_REPLY):
            client_doom(c)
        return
    if not c.state & CLIENT_WANTS_WRITE:
        c.state |= CLIENT_WANTS_WRITE
        client_ask(c)
    # What was sent makes room before the buffer would grow.
    if c.reply.sent > (c.reply.length >> 1):
        memmove(c.reply.data, c.reply.data + c.reply.sent, c.reply.length - c.reply.sent)
        c.reply.length -= c.reply.sent
        c.reply.sent = 0
        if c.reply.room > SHRINK_BYTES and c.reply.length < c.reply.room >> 1:
            c.reply.room = c.reply.length + (c.reply.length >> 2)
            c.reply.data = <uint8_t*>realloc(c.reply.data, c.reply.room)
            INVARIANT(c.reply.data != NULL)
    client_check_output(c)


cdef void clients_flush(Clients* clients) noexcept nogil:
    cdef Client* c = clients.touched
    cdef Client* following
    clients.touched = NULL
    while c != NULL:
        following = c.touched_next
        c.state &= ~<uint32_t>CLIENT_IN_BATCH
        client_drop_query(c)
        if c.session.flags & SESSION_CLOSE_NOW:
            client_doom(c)
        else:
            client_send(c)
        client_count(c)
        c = following
    if unlikely(clients.held != NULL) and clients.dispatch.journal.policy == SYNC_ALWAYS:
        journal_wake_keeper(clients.dispatch.journal)


cdef void clients_check(Clients* clients) noexcept nogil:
    cdef uint32_t left = clients.count // 10 + 1
    cdef Client* c
    cdef int64_t now = clients.dispatch.keys.now_ms
    while left:
        left -= 1
        if clients.check_next == NULL:
            clients.check_next = clients.first
            if clients.check_next == NULL:
                break
        c = clients.check_next
        clients.check_next = c.next
        if c.soft_since_ms:
            client_check_output(c)
        if clients.timeout_ms and now - c.session.active_ms > clients.timeout_ms and not c.session.flags & (
                SESSION_MONITOR | SESSION_BLOCKED):
            client_doom(c)
        if c.session.flags & SESSION_CLOSE_NOW:
            client_doom(c)
