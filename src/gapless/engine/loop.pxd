"""The loop: sockets in and out, and the order in which clients get their turn.

A turn: wait for events; read and parse what ready clients sent into a batch of requests, at most CLIENT_SHARE of each, prefetching index
buckets on the way; prefetch the records; execute, with the elements of large collections that the next requests look for on their way; send
each client its replies at once; then a slice of background work, by what the batch has left to do: while clients press, cleaning may take a
third of the time, so that holes can't outgrow it. A client of which more has arrived than its share goes on in the next turn, after the
others.

Input is read into an area that all share; only what is left of it (the beginning of a request) is copied to a buffer of the client's own.
"""
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from gapless.engine.call cimport Command, Dispatch
from gapless.engine.client cimport Client, Clients
from gapless.engine.lock cimport EngineLock
from gapless.engine.resp cimport ArgPool, Limits


cdef enum:
    BATCH_REQUESTS = 128
    CLIENT_SHARE = 128
    LISTENERS_MAX = 32


cdef struct Entry:
    Client* client
    Command* command
    size_t args
    size_t size
    uint64_t hash
    uint64_t head              # hash of the element looked for
    uint32_t leaf              # where in the key's tree it would be: a page, 0: not known
    int argc                   # -1: a protocol error, args is its number
    bint hashed


cdef struct LoopStats:
    uint64_t bytes_in
    uint64_t reads
    uint64_t turns
    uint64_t batches
    uint64_t query_limit_disconnections
    uint64_t longest_turn_ns


cdef struct Loop:
    Dispatch* dispatch
    EngineLock* lock
    int epoll_fd
    int wake_fd
    int listeners[LISTENERS_MAX]
    int listener_count
    Clients clients
    Client** again             # clients with requests left
    uint32_t again_count
    uint32_t again_room
    uint8_t* area              # where input of clients without a query buffer is read to
    size_t area_used
    Entry* entries
    int entry_count
    int element_count          # of the batch: requests that look for an element of a collection
    int leaf_tries
    char error[64]             # of the client that made a protocol error in this batch
    ArgPool pool
    Limits limits
    int64_t pause_until_ms
    bint pause_all             # else only commands that write
    bint stopping
    int64_t cron_due_ns
    int64_t paid_ns            # when the last batch, or the turn, had paid for its background work
    LoopStats stats
    # settings
    uint64_t query_bytes_max
    int64_t slice_ns
    int statm_fd
    uint64_t resident_bytes    # of the process, 10 times a second
    uint64_t resident_peak
    # Called 10 times a second with the lock held; not 0: stop.
    int (*cron)(void* engine) noexcept nogil


cdef Loop* loop_new(Dispatch* dispatch, EngineLock* lock) noexcept
cdef void loop_free(Loop* loop) noexcept nogil
# Closes all clients and listening sockets.
cdef void loop_close(Loop* loop) noexcept nogil
cdef int loop_listen(Loop* loop, int fd) noexcept nogil
# Closes a listening socket. Lock held.
cdef void loop_unlisten(Loop* loop, int fd) noexcept nogil
# Runs until loop_stop(), not at all when that came first. Takes the lock itself.
cdef void loop_run(Loop* loop) noexcept nogil
cdef void loop_stop(Loop* loop) noexcept nogil
# Makes a loop that waits look again.
cdef void loop_wake(Loop* loop) noexcept nogil
