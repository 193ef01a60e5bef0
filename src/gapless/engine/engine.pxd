"""The engine as Python holds it: a store, its commands, its sessions, its loop."""
from libc.stdint cimport uint64_t
from gapless.engine.base cimport unlikely
from gapless.engine.call cimport Arg, Command, Dispatch
from gapless.engine.commit cimport commit_due
from gapless.engine.keyspace cimport Keyspace
from gapless.engine.lock cimport EngineLock, lock_enter, lock_leave
from gapless.engine.loop cimport Loop
from gapless.engine.session cimport Session
from gapless.engine.slow_commands cimport SlowCommands


cdef class Engine:
    cdef Keyspace* keys
    cdef Dispatch* dispatch
    cdef Loop* loop
    cdef EngineLock lock
    cdef object commands           # keeps the handlers alive
    cdef SlowCommands slow
    cdef object failure            # exception that ended run()
    cdef readonly bint running     # in run(), in whatever thread
    cdef unsigned int executions
    cdef public object server
    cdef public object on_cron
    cdef object __weakref__

    # Runs one command, of the table where the row is NULL; the reply lies in session.own_reply. Lock held.
    cdef int run_command(self, Session session, Command* row, Arg* argv, int argc) except -1

    # Takes the engine; releases the GIL only when it has to wait.
    cdef inline void enter(self) noexcept:
        lock_enter(&self.lock)

    # JournalError when what was done since enter() may not last.
    cdef inline int leave(self) except -1:
        cdef uint64_t batch = 0
        if unlikely(self.dispatch.ready_keys != 0) and self.lock.depth == 0:
            self.serve_blocked()
        if commit_due(self.dispatch) and self.lock.depth == 0:
            batch = self.commit_batch()
        lock_leave(&self.lock)
        return self.settle(batch) if unlikely(batch != 0) else 0

    # Writes what has been gathered to the journal; the batch that the caller has to wait for, 0: none. Lock held, once.
    cdef uint64_t commit_batch(self) noexcept
    # Waits for a batch, without the lock.
    cdef int settle(self, uint64_t batch) except -1

    # Those who can be served by what was done since enter(). Lock held, once.
    cdef void serve_blocked(self) noexcept
