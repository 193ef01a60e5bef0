"""Access fields of keys. See keyspace_access.pxd."""
from libc.stdint cimport uint32_t, uint64_t
from gapless.engine.access cimport (
    access_before, access_frequency, access_idle_seconds, access_now, access_stamp, slot_with_access,
)
from gapless.engine.keyspace cimport POLICY_LFU, Keyspace, Value, keyspace_is_empty


cdef uint32_t keyspace_frequency(Keyspace* ks, const Value* v) noexcept nogil:
    return access_frequency(ks, v.slot[0])


cdef uint64_t keyspace_idle_seconds(Keyspace* ks, const Value* v) noexcept nogil:
    return access_idle_seconds(ks, v.slot[0])


cdef void keyspace_set_frequency(Keyspace* ks, Value* v, uint32_t frequency) noexcept nogil:
    v.slot[0] = slot_with_access(v.slot[0], access_now(ks, min(frequency, 255)))


cdef void keyspace_set_idle(Keyspace* ks, Value* v, uint64_t seconds) noexcept nogil:
    v.slot[0] = slot_with_access(v.slot[0], access_before(ks, seconds))


cdef void keyspace_set_policy(Keyspace* ks, int policy) noexcept nogil:
    cdef uint32_t last = access_stamp(ks)
    cdef bint other_form = (policy ^ ks.policy) & POLICY_LFU != 0
    ks.policy = policy
    # What an eviction under the old policy has begun goes on as cleaning: it measured coldness by that one, and might take what may not go.
    ks.cleaner.evicting = False
    if not other_form or keyspace_is_empty(ks):
        return
    ks.access_switched = ks.access_seconds
    ks.access_shift_before = ks.access_shift
    if policy & POLICY_LFU:
        ks.access_shift = (last >> 8) + 1 - ks.access_seconds // 60
    else:
        ks.access_shift = ((last + 1) << 8) - ks.access_seconds
