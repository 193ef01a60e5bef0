"""The ordered index of the keys (`ordered-keys yes`): of every database a tree of its keys' bytes, for ranges of keys.

A key's element is the key. Whoever puts a key into an index or takes it out does the same here, while `state` is not ORDERED_OFF; a flush
retires the tree. Keys whose time has come are in it until somebody takes them away, as they are in the index.

Switched on over keys that are there, it is built in slices, in the order of SCAN, whose guarantee is the one needed: a key that is there all
the while is met; those that come and go meanwhile are put in and taken out by the changes themselves.

Invariants (audit): while ORDERED_ON every tree has exactly the keys of its index; while ORDERED_BUILDING nothing else than keys of it.
"""
from libc.stddef cimport size_t
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from gapless.engine.base cimport Status
from gapless.engine.keyspace cimport Keyspace


# On or off. O(1): building and freeing are for slices. On again while it is on: nothing; after it has failed: another try.
cdef void ordered_switch(Keyspace* ks, bint on) noexcept nogil
# STATUS_FULL, STATUS_TOO_LARGE: nothing was changed. O(log keys).
cdef Status ordered_add(Keyspace* ks, int db_index, const uint8_t* key, size_t key_bytes) noexcept nogil
# Never fails. O(log keys).
cdef void ordered_remove(Keyspace* ks, int db_index, const uint8_t* key, size_t key_bytes) noexcept nogil
# A flushed database: O(1).
cdef void ordered_flush(Keyspace* ks, int db_index) noexcept nogil
# Goes on building; False: there is nothing to build.
cdef bint ordered_build(Keyspace* ks, int64_t deadline_ns) noexcept nogil
# Pages that the trees take, in bytes; keys over a quarter of a page have extents beside them.
cdef uint64_t ordered_bytes(const Keyspace* ks) noexcept nogil
# Whether a key is in the tree of a database.
cdef bint ordered_has(const Keyspace* ks, int db_index, const uint8_t* key, size_t key_bytes) noexcept nogil
