"""Committing: what has been gathered is written, and commands hear whether they may write."""
from gapless.engine.base cimport unlikely
from gapless.engine.call cimport Dispatch
from gapless.engine.frames cimport FRAME_HEAD
from gapless.engine.journal cimport journal_write


# Whether there is something to be written, and a file for it: tests take effects in another way. Under the engine's lock, as the rest.
cdef inline bint commit_due(const Dispatch* d) noexcept nogil:
    return d.keys.effects != NULL and d.journal.file.fd >= 0 and (
        (d.keys.effects.length > FRAME_HEAD and d.keys.effects.length != d.journal.stuck) or d.journal.mark_due)


# The error for commands that write; NULL: they may.
cdef inline const char* refusal_of(const Dispatch* d) noexcept nogil:
    if unlikely(d.journal.refusal[0] != 0):
        return d.journal.refusal
    return d.writes_refused


# 0, or an errno: nothing of the batch may be acknowledged then.
cdef inline int commit(Dispatch* d) noexcept nogil:
    return journal_write(d.journal, d.keys.now_ms)
