"""The numbers of the compiled part, by name: Engine.configure() lists them. The lock is held for all of these."""
from libc.stdint cimport int64_t, uint64_t
from gapless.engine.keyspace cimport Keyspace
from gapless.engine.loop cimport Loop
from gapless.engine.slow_commands cimport SlowCommands


# KeyError for a name that is none of Redis's policies.
cdef int settings_policy(Keyspace* ks, str name) except -1
# Of a class of clients, normal, replica or pubsub; 0: none.
cdef int settings_output_limit(
    Loop* loop, str kind, uint64_t hard_bytes, uint64_t soft_bytes, int64_t soft_seconds) except -1
# ValueError for a name there is not.
cdef int settings_set(Loop* loop, SlowCommands slow, str name, object value) except -1
