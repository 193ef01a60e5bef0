"""The audit: every counter against what is there, by walking all of it (DEBUG CHECK, Store.check())."""
from gapless.engine.keyspace cimport Keyspace


cdef const char* audit(Keyspace* ks) noexcept nogil
