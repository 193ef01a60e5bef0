"""The clients of a loop: accepted, their buffers, what is sent to them, their end.

An idle client holds no buffers: output buffers of one size are kept to go round, and a query buffer of its own has only who sent the
beginning of a request. Nobody is freed while events or a batch may still point at him: client_doom() marks, clients_free_doomed() frees.
"""
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport free
from gapless.engine.call cimport SESSION_CLOSE_NOW, Dispatch, Session
from gapless.engine.reply cimport Reply
from gapless.engine.resp cimport Partial


cdef enum:
    CLASS_NORMAL = 0
    CLASS_REPLICA = 1
    CLASS_PUBSUB = 2
    REPLY_BYTES = 16384        # of a spare output buffer
    SPARE_REPLIES = 64


cdef enum ClientState:
    CLIENT_IN_BATCH = 1        # its buffers are in use by the batch
    CLIENT_AGAIN = 2           # requests of it are waiting for its next turn
    CLIENT_WANTS_WRITE = 4     # EPOLLOUT is asked for
    CLIENT_DOOMED = 8          # will be freed at the end of the turn
    CLIENT_PAUSED = 16         # CLIENT PAUSE holds its next request back
    CLIENT_DEAF = 32           # its socket is not read, for as long as it is paused or blocked
    CLIENT_HELD = 64           # its replies wait until what it wrote is in the journal
    CLIENT_IGNORED = 128       # of its socket nothing is asked, for as long as it is held


cdef struct Clients           # below


cdef struct Client:
    Session session            # first: a Session* of a client is a Client*
    Reply reply
    Clients* clients
    int fd
    uint32_t state
    uint8_t* query             # its own query buffer, NULL when nothing is left in it
    size_t query_room
    size_t query_length
    size_t query_at            # parsed up to here
    Partial partial
    Client* next
    Client* previous
    Client* touched_next
    Client* held_next
    uint64_t wrote_batch       # the journal's batch that it wrote to last
    uint64_t bytes_in
    uint64_t bytes_out
    uint64_t commands
    int64_t soft_since_ms      # since when its output is over the soft limit; 0: it isn't
    # See client_memory.pxd.
    size_t query_touched       # of its query buffer, the bytes that were ever written
    size_t reply_touched
    uint64_t counted           # what it takes in Clients.bytes
    char address[112]
    char local_address[112]


cdef struct OutputLimit:
    uint64_t hard_bytes
    uint64_t soft_bytes
    int64_t soft_ms


cdef struct ClientStats:
    uint64_t connections
    uint64_t connections_rejected
    uint64_t bytes_out
    uint64_t writes
    uint64_t output_limit_disconnections
    uint64_t clients_evicted   # to free memory


cdef struct Clients:
    Dispatch* dispatch
    int epoll_fd               # the loop's
    Client* first
    uint32_t count
    Client* touched            # those of the batch, and those that others wrote to
    Client* held               # those whose replies wait for the journal
    bint any_doomed
    uint8_t* spare_replies[SPARE_REPLIES]  # output buffers between uses
    int spare_count
    Client* check_next
    # See client_memory.pxd.
    uint64_t bytes             # of all clients and their buffers, now
    uint64_t bytes_measured    # when the resident bytes were measured
    uint64_t base_measured     # resident bytes that were not the keyspace's
    ClientStats stats
    # settings
    uint32_t count_max
    uint64_t bytes_max         # of all clients together; 0: no limit of their own
    OutputLimit output_limits[3]
    int64_t timeout_ms
    int keepalive_seconds
    bint protected_mode
    # A session ends: Python's side of it goes.
    void (*on_close)(Session* session) noexcept nogil


cdef void clients_init(Clients* clients, Dispatch* dispatch, int epoll_fd) noexcept nogil
# Closes all and gives the buffers back.
cdef void clients_close(Clients* clients) noexcept nogil
# Takes in who waits at a listening socket.
cdef void clients_accept(Clients* clients, int listener) noexcept nogil
cdef void clients_free_doomed(Clients* clients) noexcept nogil
# Ends a batch: sends their replies to all that were touched, as far as they take them.
cdef void clients_flush(Clients* clients) noexcept nogil
# A tenth of the clients, the next one each time: those that are idle or too slow are doomed.
cdef void clients_check(Clients* clients) noexcept nogil
# Closes it when it waits with more than its class may have, for longer than it may.
cdef void client_check_output(Client* client) noexcept nogil
# Asks the system for the events the client's state calls for.
cdef void client_ask(Client* client) noexcept nogil
# Sends what it takes; nothing as long as the journal has not what it wrote: then it is held.
cdef void client_send(Client* client) noexcept nogil
# Takes it from the held when the journal has what it wrote; whether it did.
cdef bint client_release(Client* client) noexcept nogil


# Closes the client at the end of the turn. Lock held.
cdef inline void client_doom(Client* c) noexcept nogil:
    c.session.flags |= SESSION_CLOSE_NOW
    c.state |= CLIENT_DOOMED
    c.clients.any_doomed = True


# Makes it part of the batch. REQUIRED before anything is written to it or its query buffer is used.
cdef inline void client_touch(Client* c) noexcept nogil:
    cdef Clients* clients = c.clients
    if c.state & CLIENT_IN_BATCH:
        return
    c.state |= CLIENT_IN_BATCH
    c.touched_next = clients.touched
    clients.touched = c
    if c.reply.data == NULL and clients.spare_count > 0:
        clients.spare_count -= 1
        c.reply.data = clients.spare_replies[clients.spare_count]
        c.reply.room = REPLY_BYTES


# Gives the query buffer back when nothing is left in it.
cdef inline void client_drop_query(Client* c) noexcept nogil:
    if c.query != NULL and c.query_at == c.query_length:
        free(c.query)
        c.query = NULL
        c.query_room = c.query_length = c.query_at = 0
