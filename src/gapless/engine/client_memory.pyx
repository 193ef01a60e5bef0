"""Clients' buffers against maxmemory. See client_memory.pxd."""
from libc.stddef cimport size_t
from libc.stdint cimport uint64_t
from gapless.engine.base cimport likely, unlikely
from gapless.engine.call cimport SESSION_NO_EVICT
from gapless.engine.keyspace cimport Keyspace, keyspace_committed, keyspace_make_room
from gapless.engine.loop cimport CLIENT_DOOMED, Client, Loop, client_doom
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


cdef inline void _set_base(Loop* loop) noexcept nogil:
    cdef uint64_t base = loop.base_measured
    if loop.buffer_bytes > loop.buffer_bytes_measured:
        base += loop.buffer_bytes - loop.buffer_bytes_measured
    loop.dispatch.keys.memory_base = base


cdef void client_count(Loop* loop, Client* c) noexcept nogil:
    cdef uint64_t now
    if c.query_length > c.query_touched:
        c.query_touched = c.query_length
    if c.query_touched > c.query_room:
        c.query_touched = c.query_room
    if c.reply.length > c.reply_touched:
        c.reply_touched = c.reply.length
    if c.reply_touched > c.reply.room:
        c.reply_touched = c.reply.room
    now = sizeof(Client) + c.query_touched + c.reply_touched + c.session.multi_bytes + c.partial.room * sizeof(size_t)
    if now != c.counted:
        loop.buffer_bytes += now - c.counted
        c.counted = now
        _set_base(loop)


cdef void client_uncount(Loop* loop, Client* c) noexcept nogil:
    loop.buffer_bytes -= c.counted
    c.counted = 0
    _set_base(loop)


cdef void client_memory_measured(Loop* loop) noexcept nogil:
    cdef uint64_t committed = keyspace_committed(loop.dispatch.keys)
    loop.base_measured = loop.resident_bytes - committed if loop.resident_bytes > committed else 0
    loop.buffer_bytes_measured = loop.buffer_bytes
    _set_base(loop)


cdef Client* _largest(Loop* loop) noexcept nogil:
    cdef Client* c = loop.first
    cdef Client* found = NULL
    while c != NULL:
        if c.counted >= EVICTED_BYTES_MIN and not c.state & CLIENT_DOOMED and not c.session.flags & SESSION_NO_EVICT:
            if found == NULL or c.counted > found.counted:
                found = c
        c = c.next
    return found


cdef bint _evict_largest(Loop* loop) noexcept nogil:
    cdef Client* c = _largest(loop)
    cdef uint64_t before
    if c == NULL:
        return False
    client_doom(loop, c)
    loop.stats.clients_evicted += 1
    # Its replies go at once; its query buffer, which requests of this batch may point into, at the end of the turn.
    before = loop.buffer_bytes
    reply_free(&c.reply)
    client_count(loop, c)
    # What was measured has gone too.
    before -= loop.buffer_bytes
    loop.base_measured -= before if before < loop.base_measured else loop.base_measured
    loop.buffer_bytes_measured -= before if before < loop.buffer_bytes_measured else loop.buffer_bytes_measured
    _set_base(loop)
    return True


cdef bint client_memory_bound(Loop* loop) noexcept nogil:
    cdef Keyspace* keys = loop.dispatch.keys
    cdef uint64_t most = keys.maxmemory
    cdef uint64_t wanted = 0
    if unlikely(loop.clients_bytes_max != 0):
        while loop.buffer_bytes > loop.clients_bytes_max:
            if not _evict_largest(loop):
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
        if not _evict_largest(loop):
            return False
    return True


cdef void client_memory_own_process() noexcept nogil:
    mallopt(M_MMAP_THRESHOLD, LARGE_BLOCK_BYTES)
    mallopt(M_TRIM_THRESHOLD, LARGE_BLOCK_BYTES * 2)
