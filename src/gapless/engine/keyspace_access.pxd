"""The access field of a key that was found, and the policy that says what it means: OBJECT FREQ and IDLETIME, RESTORE FREQ and IDLETIME.

The field itself: access.pxd.
"""
from libc.stdint cimport uint32_t, uint64_t
from gapless.engine.keyspace cimport Keyspace, Value


# REQUIRED for any change of `policy`, which decides what the access field means.
cdef void keyspace_set_policy(Keyspace* ks, int policy) noexcept nogil
cdef uint32_t keyspace_frequency(Keyspace* ks, const Value* v) noexcept nogil           # 0-255, decayed to now
cdef uint64_t keyspace_idle_seconds(Keyspace* ks, const Value* v) noexcept nogil
cdef void keyspace_set_frequency(Keyspace* ks, Value* v, uint32_t frequency) noexcept nogil
cdef void keyspace_set_idle(Keyspace* ks, Value* v, uint64_t seconds) noexcept nogil
