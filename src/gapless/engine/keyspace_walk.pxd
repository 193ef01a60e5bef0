"""Walks over the keys of a database: SCAN, and a random one."""
from libc.stdint cimport uint64_t
from gapless.engine.keyspace cimport Keyspace
from gapless.engine.record cimport Record


# One step of SCAN: calls emit for every live (not expired) key of the buckets at `cursor`, returns the next cursor, 0 at the end. `expire`:
# deletes the expired ones, as a look-up does.
# Redis's guarantee: a key that is there all the while is returned, whatever the index does in between.
cdef uint64_t keyspace_scan(Keyspace* ks, int db, uint64_t cursor, bint expire, void (*emit)(void* context, const Record* r) noexcept nogil,
                            void* context) noexcept nogil
# A random live key. False when there is none.
cdef bint keyspace_random(Keyspace* ks, int db, Record* out) noexcept nogil
