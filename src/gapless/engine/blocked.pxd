"""Clients that wait for keys: BLPOP, BZPOPMIN, XREAD BLOCK and their like.

    table of awaited keys               queues, in the order of arrival
    +-----------------+
    | database, key   |----- wait ----- wait ----- wait
    +-----------------+       |          |          |
                           waiter     waiter     waiter      one a session, with a copy of its command and a deadline
    +-----------------+       |          |          |
    | database, key   |----- wait ----------------- wait
    +-----------------+

A blocking command looks for something to reply, as any other; when there is nothing, it calls blocked_wait() and replies nothing. Once a key
it waits for is made, the same command is executed again: it replies, or waits anew, at the end of the queues, until the same deadline. So what a
waiting command does when it is served is written once, and can't differ from what it does at once.

A key is ready when it is made or takes another type, and for those who ask for it when it goes: the keyspace tells (Keyspace.awaited); what fills a
key that is there says so itself (blocked_signal(): XADD). Ready keys are served after the command that made them, or the whole transaction, and
before any other client's: whoever holds the engine calls blocked_serve() while Dispatch.ready_keys is not 0. See "Waiting for keys" in
docs/design-notes.md.
"""
from libc.stdint cimport int64_t, uint8_t, uint64_t
from gapless.engine.call cimport Arg, Call, Dispatch, Session
from gapless.engine.reply cimport Reply


cdef enum TimeoutUnit:
    TIMEOUT_SECONDS = 1        # with a fraction: lists, sorted sets
    TIMEOUT_MS = 2             # an integer: streams, WAIT

# What is replied when the time is up.
ctypedef void (*TimedOut)(Reply* reply) noexcept nogil


# ---- for the modules of commands
# A timeout in argv[i] as a deadline: ms since the epoch, 0 for never. False after replying what is wrong with it.
cdef bint arg_deadline(Call* call, int i, TimeoutUnit unit, int64_t* deadline_ms) noexcept nogil
# Makes the session wait for a key of this type under any of `count` names from argv[first] on; `on_missing`: for one of them to go, too. The
# arguments are copied. REQUIRED: nothing was replied. False where nobody may wait, in a transaction: the caller replies as after a timeout.
# O(arguments).
cdef bint blocked_wait(Call* call, int type, int first, int count, int64_t deadline_ms, bint on_missing, TimedOut timed_out) noexcept nogil
# Something has come to a key that was there.
cdef void blocked_key_ready(Dispatch* d, int db, const uint8_t* key, size_t key_bytes, uint64_t hash) noexcept nogil


cdef inline void blocked_signal(Call* call, const Arg* key, uint64_t hash) noexcept nogil:
    if call.keys.awaited != 0:
        blocked_key_ready(call.dispatch, call.session.db, key.data, key.size, hash)


# ---- for those who hold the engine
cdef void blocked_attach(Dispatch* d) noexcept
# REQUIRED: nobody waits.
cdef void blocked_detach(Dispatch* d) noexcept
# Serves who waits for keys that are ready, and for those that serving makes ready. REQUIRED: no command runs. O(who is served).
cdef void blocked_serve(Dispatch* d) noexcept nogil
# Tells those whose time is up. REQUIRED: no command runs.
cdef void blocked_expire(Dispatch* d) noexcept nogil
# The next deadline, ms since the epoch; 0: there is none.
cdef int64_t blocked_next_deadline_ms(const Dispatch* d) noexcept nogil
# REQUIRED before a database is flushed (db; -1: all of them), or before SWAPDB of db and other. O(waiting sessions and their keys).
cdef void blocked_flushing(Dispatch* d, int db, int other) noexcept nogil
# The session waits no more and gets no reply: when it ends.
cdef void blocked_forget(Dispatch* d, Session* session) noexcept nogil
# The same for all inside the process.
cdef void blocked_abandon(Dispatch* d) noexcept nogil
# Until when it waits, ms since the epoch; 0: for ever, or it does not.
cdef int64_t blocked_deadline_ms(const Session* session) noexcept nogil
# CLIENT UNBLOCK: the session is told that its time is up, or an error. False: it does not wait. O(waiting sessions).
cdef bint blocked_unblock(Dispatch* d, uint64_t session_id, bint error) noexcept nogil


cdef struct BlockedCounts:
    uint64_t keys              # that anybody waits for
    uint64_t keys_on_missing   # of these, for which somebody waits that they go
    uint64_t deadlines         # sessions that wait not for ever

cdef BlockedCounts blocked_counts(const Dispatch* d) noexcept nogil
