"""Clients' buffers against maxmemory. See client_memory.pxd."""
from libc.stddef cimport size_t
from libc.stdint cimport uint64_t
from gapless.engine.base cimport likely, unlikely
from gapless.engine.call cimport SESSION_NO_EVICT
from gapless.engine.client cimport CLIENT_DOOMED, Client, Clients, client_doom
from gapless.engine.keyspace cimport Keyspace, keyspace_committed, keyspace_make_room
from gapless.engine.reply cimport reply_free


cdef extern from "<malloc.h>" nogil:
    int M_MMAP_THRESHOLD
    int M_TRIM_THRESHOLD
    int mallopt(int what, int value)


cdef enum:
    # Of a client: less is nothing that closing it would help.
    EVICTED_BYTES_MIN = 1 << 18
    # With noeviction the process may be over maxmemory by so much, and its 32nd part, before clients are closed: room for the
    # replies of those who only read while memory is full.
    SLACK_BYTES = 1 << 20
    # With other policies this and a 64th part of maxmemory stays for those who write, however much others leave unread.
    WRITERS_BYTES = 1 << 16
    LARGE_BLOCK_BYTES = 1 << 20


cdef inline void _set_base(Clients* clients) noexcept nogil:
    cdef uint64_t base = clients.base_measured
    if clients.bytes > clients.bytes_measured:
        base += clients.bytes - clients.bytes_measured
    clients.dispatch.keys.memory_base = base


cdef void client_count(Client* c) noexcept nogil:
    cdef Clients* clients = c.clients
    cdef uint64_t now
    if c.query_length > c.query_touched:
        c.query_touched = c.query_length
    if c.query_touched > c.query_room:
        c.query_touched = c.query_room
    if c.reply.length > c.reply_touched:
        c.reply_touched = c.reply.length
    if c.reply_touched > c.reply.room:
        c.reply_touched = c.reply.room
    now = (sizeof(Client) + c.query_touched + c.reply_touched + c.session.multi_bytes + c.session.blocked_bytes +
           c.partial.room * sizeof(size_t))
    if now != c.counted:
        clients.bytes += now - c.counted
        c.counted = now
        _set_base(clients)


cdef void client_uncount(Client* c) noexcept nogil:
    cdef Clients* clients = c.clients
    clients.bytes -= c.counted
    c.counted = 0
    _set_base(clients)


cdef void client_memory_measured(Clients* clients, uint64_t resident_bytes) noexcept nogil:
    cdef uint64_t committed = keyspace_committed(clients.dispatch.keys)
    clients.base_measured = resident_bytes - committed if resident_bytes > committed else 0
    clients.bytes_measured = clients.bytes
    _set_base(clients)


cdef Client* _largest(Clients* clients) noexcept nogil:
    cdef Client* c = clients.first
    cdef Client* found = NULL
    while c != NULL:
        if c.counted >= EVICTED_BYTES_MIN and not c.state & CLIENT_DOOMED and not c.session.flags & SESSION_NO_EVICT:
            if found == NULL or c.counted > found.counted:
                found = c
        c = c.next
    return found


cdef bint _evict_largest(Clients* clients) noexcept nogil:
    cdef Client* c = _largest(clients)
    cdef uint64_t before
    if c == NULL:
        return False
    client_doom(c)
    clients.stats.clients_evicted += 1
    # Its replies go at once; its query buffer, which requests of this batch may point into, at the end of the turn.
    before = clients.bytes
    reply_free(&c.reply)
    client_count(c)
    # What was measured has gone too.
    before -= clients.bytes
    clients.base_measured -= before if before < clients.base_measured else clients.base_measured
    clients.bytes_measured -= before if before < clients.bytes_measured else clients.bytes_measured
    _set_base(clients)
    return True


cdef bint client_memory_bound(Clients* clients) noexcept nogil:
    cdef Keyspace* keys = clients.dispatch.keys
    cdef uint64_t most = keys.maxmemory
    cdef uint64_t wanted = 0
    if unlikely(clients.bytes_max != 0):
        while clients.bytes > clients.bytes_max:
            if not _evict_largest(clients):
                break
    if most == 0:
        return True
    if keys.policy:
        wanted = WRITERS_BYTES + (most >> 6)
    if likely(keys.memory_base + keyspace_committed(keys) + wanted <= most) or keyspace_make_room(keys, wanted):
        return True
    if not keys.policy:
        most += SLACK_BYTES + (most >> 5)
    while keys.memory_base + keyspace_committed(keys) + wanted > most:
        if not _evict_largest(clients):
            return False
    return True


cdef void client_memory_own_process() noexcept nogil:
    mallopt(M_MMAP_THRESHOLD, LARGE_BLOCK_BYTES)
    mallopt(M_TRIM_THRESHOLD, LARGE_BLOCK_BYTES * 2)
