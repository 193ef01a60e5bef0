"""What happens to a database as a whole: it is flushed, or changes places with another. See "Flushing" in docs/design-notes.md."""
from gapless.engine.keyspace cimport Keyspace


# O(1) now, slices later.
cdef void keyspace_flush(Keyspace* ks, int db) noexcept nogil
cdef void keyspace_flush_all(Keyspace* ks) noexcept nogil
cdef void keyspace_swap(Keyspace* ks, int a, int b) noexcept nogil
