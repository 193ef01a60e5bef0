"""Committing: what has been gathered is written, and commands hear whether they may write."""
from gapless.engine.call cimport Dispatch
from gapless.engine.frames cimport FRAME_HEAD
from gapless.engine.journal cimport journal_write


# Whether there is something to be written. Under the engine's lock, as the rest.
cdef inline bint commit_due(const Dispatch* d) noexcept nogil:
    return d.keys.effects != NULL and (
        (d.keys.effects.length > FRAME_HEAD and d.keys.effects.length != d.journal.stuck) or d.journal.mark_due)


cdef inline void commit_refresh(Dispatch* d) noexcept nogil:
    d.writes_refused = d.journal.refusal if d.journal.refusal[0] != 0 else NULL


# 0, or an errno: nothing of the batch may be acknowledged then.
cdef inline int commit(Dispatch* d) noexcept nogil:
    cdef int failed = journal_write(d.journal, d.keys.now_ms)
    commit_refresh(d)
    return failed
