"""Databases as a whole. See keyspace_flush.pxd."""
from libc.stdint cimport uint8_t
from gapless.engine.base cimport INVARIANT, unlikely
from gapless.engine.cleaner cimport cleaner_finish_retired
from gapless.engine.effects cimport EFFECT_FLUSH, EFFECT_FLUSH_ALL, effects_begin, effects_swap
from gapless.engine.field_expiry cimport fields_flush
from gapless.engine.index cimport Index
from gapless.engine.keyspace cimport Keyspace, Retired, keyspace_index, keyspace_is_empty, keyspace_new_index
from gapless.engine.ordered cimport ordered_flush


cdef void flush(Keyspace* ks, int db) noexcept nogil:
    cdef uint8_t i = ks.db_index[db]
    cdef Index* fresh
    cdef Retired* retired
    if ks.index[i].keys == 0:
        return
    if ks.retired_count == 64:
        # More flushes than the background has got round to: pay for the oldest now.
        cleaner_finish_retired(ks)
    fresh = keyspace_new_index(ks)
    INVARIANT(fresh != NULL)
    ks.stats.dirty += ks.index[i].keys
    retired = &ks.retired[ks.retired_count]
    ks.retired_count += 1
    retired.index = ks.index[i]
    retired.bucket = 0
    retired.db_index = i
    retired.sequence = ks.log.sequence
    retired.saving = ks.on_unsaved != NULL
    ks.index[i] = fresh
    ks.with_ttl[i] = 0
    ordered_flush(ks, i)
    fields_flush(ks, i)
    if keyspace_is_empty(ks):
        ks.access_switched = 0


cdef void keyspace_flush(Keyspace* ks, int db) noexcept nogil:
    if unlikely(ks.effects != NULL) and keyspace_index(ks, db).keys:
        effects_begin(ks.effects, EFFECT_FLUSH, 0, db, -1, NULL, 0, 0)
    flush(ks, db)


cdef void keyspace_flush_all(Keyspace* ks) noexcept nogil:
    cdef int db
    if unlikely(ks.effects != NULL) and not keyspace_is_empty(ks):
        effects_begin(ks.effects, EFFECT_FLUSH_ALL, 0, 0, -1, NULL, 0, 0)
    for db in range(ks.databases):
        flush(ks, db)


cdef void keyspace_swap(Keyspace* ks, int a, int b) noexcept nogil:
    if unlikely(ks.effects != NULL) and a != b:
        effects_swap(ks.effects, a, b)
    ks.db_index[a], ks.db_index[b] = ks.db_index[b], ks.db_index[a]
