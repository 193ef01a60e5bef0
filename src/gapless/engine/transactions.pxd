"""MULTI, EXEC, DISCARD, WATCH, UNWATCH: a session's queue of commands and the table of watched keys."""
from libc.stdint cimport uint8_t, uint64_t
from gapless.engine.call cimport Dispatch, Session


# Hooks the engine's dispatch and keyspace up; once, after dispatch_new().
cdef void transactions_attach(Dispatch* d) noexcept
cdef void transactions_detach(Dispatch* d) noexcept
# Forgets the session's queue and watched keys: when it ends, and for RESET.
cdef void transactions_forget(Dispatch* d, Session* session) noexcept nogil
# REQUIRED before a database is flushed (db; -1: all of them), or before SWAPDB of db and other: spoils the transactions that watch a
# key which is there in either, and has those looked at who wait for a key of theirs.
cdef void transactions_flushing(Dispatch* d, int db, int other) noexcept nogil
