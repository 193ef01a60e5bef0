"""The loop: sockets in and out, and the order in which clients get their turn.

A turn: wait for events; read and parse what ready clients sent into a batch of requests, at most CLIENT_SHARE of each, prefetching index
buckets on the way; prefetch the records; execute; send each client its replies at once; then a slice of background work. A client of
which more has arrived than its share goes on in the next turn, after the others.

Idle clients hold no buffers: input is read into an area that all share, and only what is left of it (the beginning of a
request) is copied to a buffer of the client's own.
"""
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from gapless.engine.call cimport SESSION_CLOSE_NOW, Command, Dispatch, Session
from gapless.engine.lock cimport EngineLock
from gapless.engine.reply cimport Reply
from gapless.engine.resp cimport ArgPool, Limits, Partial


cdef enum:
    BATCH_REQUESTS = 128
    CLIENT_SHARE = 128
    LISTENERS_MAX = 32
    CLASS_NORMAL = 0
    CLASS_REPLICA = 1
    CLASS_PUBSUB = 2


cdef enum ClientState:
    CLIENT_IN_BATCH = 1        # its buffers are in use by the batch
    CLIENT_AGAIN = 2           # requests of it are waiting for its next turn
    CLIENT_WANTS_WRITE = 4     # EPOLLOUT is asked for
    CLIENT_DOOMED = 8          # will be freed at the end of the turn
    CLIENT_PAUSED = 16         # CLIENT PAUSE holds its next request back
    CLIENT_DEAF = 32           # its socket is not read, for as long as it is paused


cdef struct Client:
    Session session            # first: a Session* of a client is a Client*
    Reply reply
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
    uint64_t bytes_in
    uint64_t bytes_out
    uint64_t commands
    int64_t soft_since_ms      # since when its output is over the soft limit; 0: it isn't
    # See client_memory.pxd.
    size_t query_touched       # of its query buffer, the bytes that were ever written
    size_t reply_touched
    uint64_t counted           # what it takes in Loop.buffer_bytes
    char address[112]
    char local_address[112]


cdef struct OutputLimit:
    uint64_t hard_bytes
    uint64_t soft_bytes
    int64_t soft_ms


cdef struct Entry:
    Client* client
    Command* command
    size_t args
    size_t size
    uint64_t hash
    int argc                   # -1: a protocol error, args is its number
    bint hashed


cdef struct LoopStats:
    uint64_t connections
    uint64_t connections_rejected
    uint64_t bytes_in
    uint64_t bytes_out
    uint64_t reads
    uint64_t writes
    uint64_t turns
    uint64_t batches
    uint64_t query_limit_disconnections
    uint64_t output_limit_disconnections
    uint64_t clients_evicted   # to free memory
    uint64_t longest_turn_ns
    uint64_t longest_slice_ns
    uint64_t busy_ns


cdef struct Loop:
    Dispatch* dispatch
    EngineLock* lock
    int epoll_fd
    int wake_fd
    int listeners[LISTENERS_MAX]
    int listener_count
    Client* first
    uint32_t client_count
    Client* touched            # clients of the batch, and those that others wrote to
    Client** again             # clients with requests left
    uint32_t again_count
    uint32_t again_room
    bint any_doomed
    uint8_t* area              # where input of clients without a query buffer is read to
    size_t area_used
    Entry* entries
    int entry_count
    char error[64]             # of the client that made a protocol error in this batch
    ArgPool pool
    Limits limits
    uint8_t* spare_replies[64]  # output buffers between uses
    int spare_count
    int64_t pause_until_ms
    bint pause_all             # else only commands that write
    bint stopping
    int64_t cron_due_ns
    Client* cron_at
    LoopStats stats
    # settings
    uint32_t clients_max
    uint64_t query_bytes_max
    OutputLimit output_limits[3]
    int64_t timeout_ms
    int keepalive_seconds
    int64_t slice_ns
    bint protected_mode
    int statm_fd
    uint64_t resident_bytes    # of the process, 10 times a second
    uint64_t resident_peak
    uint64_t buffer_bytes      # of all clients, now; see client_memory.pxd
    uint64_t buffer_bytes_measured  # when the resident bytes were measured
    uint64_t base_measured     # resident bytes that were not the keyspace's
    uint64_t clients_bytes_max  # all clients' buffers together; 0: no limit of their own
    # Called 10 times a second with the lock held; not 0: stop.
    int (*cron)(void* engine) noexcept nogil
    # A session ends: Python's side of it goes.
    void (*on_close)(Session* session) noexcept nogil


cdef Loop* loop_new(Dispatch* dispatch, EngineLock* lock) noexcept
cdef void loop_free(Loop* loop) noexcept nogil
# Closes all clients and listening sockets.
cdef void loop_close(Loop* loop) noexcept nogil
cdef int loop_listen(Loop* loop, int fd) noexcept nogil
# Closes a listening socket. Lock held.
cdef void loop_unlisten(Loop* loop, int fd) noexcept nogil
# Runs until loop_stop(). Takes the lock itself.
cdef void loop_run(Loop* loop) noexcept nogil
cdef void loop_stop(Loop* loop) noexcept nogil
# Makes a loop that waits look again.
cdef void loop_wake(Loop* loop) noexcept nogil
# Closes the client at the end of the turn. Lock held.
cdef inline void client_doom(Loop* loop, Client* client) noexcept nogil:
    client.session.flags |= SESSION_CLOSE_NOW
    client.state |= CLIENT_DOOMED
    loop.any_doomed = True
# Memory of a client's buffers.
cdef uint64_t client_bytes(const Client* client) noexcept nogil
