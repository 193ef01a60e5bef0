"""The access field, bits 48-63 of a slot: when its key was used last, or how often. This file owns its meaning.

    the LFU policies   bits 48-55 counter, logarithmic; bits 56-63 stamp in minutes, modulo 256
    the others         bits 48-63 stamp in seconds, modulo 65536

Stamps count from `access_shift`. A switch from one form to the other rewrites no slot. It sets the shift so that the stamps of the new form
follow on the last of the old one: a slot that is older than the switch is of the old form, and can be told from the others until
the circle of stamps closes, by when the sweep (cleaner) has renewed it. It is read as Redis reads its own field after a switch, without
a thought: seconds modulo 2^24 in one form, minutes modulo 2^16 above a counter in the other, in the same 24 bits.
"""
from libc.stdint cimport uint32_t, uint64_t
from gapless.engine.base cimport likely
from gapless.engine.keyspace cimport POLICY_LFU, Keyspace

cdef enum:
    LFU_INITIAL = 5
    CLOCK_SECONDS_MAX = 0xffffff     # Redis's clock of 24 bits


cdef inline uint64_t slot_with_access(uint64_t slot, uint64_t access) noexcept nogil:
    return (slot & <uint64_t>0xffffffffffff) | access


cdef inline uint32_t access_stamp(const Keyspace* ks) noexcept nogil:
    if ks.policy & POLICY_LFU:
        return (ks.access_seconds // 60 + ks.access_shift) & 0xff
    return (ks.access_seconds + ks.access_shift) & 0xffff


# The field of a key used now, so often. `counter` is for the LFU policies.
cdef inline uint64_t access_now(const Keyspace* ks, uint32_t counter) noexcept nogil:
    if ks.policy & POLICY_LFU:
        return (<uint64_t>counter << 48) | (<uint64_t>access_stamp(ks) << 56)
    return <uint64_t>access_stamp(ks) << 48


# The field of a key used last so many seconds ago: not for the LFU policies. No older than a switch.
cdef inline uint64_t access_before(const Keyspace* ks, uint64_t seconds) noexcept nogil:
    if ks.access_switched:
        seconds = min(seconds, <uint64_t>(ks.access_seconds - ks.access_switched))
    return <uint64_t>((access_stamp(ks) - <uint32_t>min(seconds, <uint64_t>0xffff)) & 0xffff) << 48


cdef inline bint access_is_older_form(const Keyspace* ks, uint64_t slot) noexcept nogil:
    if likely(ks.access_switched == 0):
        return False
    if ks.policy & POLICY_LFU:
        return ((access_stamp(ks) - <uint32_t>(slot >> 56)) & 0xff) > ks.access_seconds // 60 - ks.access_switched // 60
    return ((access_stamp(ks) - <uint32_t>(slot >> 48)) & 0xffff) > ks.access_seconds - ks.access_switched


cdef inline uint32_t older_form_clock(const Keyspace* ks, uint64_t slot) noexcept nogil:
    """The 24 bits Redis would have in its field for a slot of the other form."""
    cdef uint32_t at = ks.access_switched
    if ks.policy & POLICY_LFU:
        return (at - ((at + ks.access_shift_before - <uint32_t>(slot >> 48)) & 0xffff)) & CLOCK_SECONDS_MAX
    at //= 60
    return ((at - ((at + ks.access_shift_before - <uint32_t>(slot >> 56)) & 0xff)) & 0xffff) << 8 | (<uint32_t>(slot >> 48) & 0xff)


# LFU policies: 0-255, decayed to now.
cdef inline uint32_t access_frequency(const Keyspace* ks, uint64_t slot) noexcept nogil:
    cdef uint32_t counter = (slot >> 48) & 0xff
    cdef uint32_t minutes = (access_stamp(ks) - <uint32_t>(slot >> 56)) & 0xff
    cdef uint32_t periods
    if access_is_older_form(ks, slot):
        counter = older_form_clock(ks, slot) & 0xff
        minutes = (ks.access_seconds // 60 - (older_form_clock(ks, slot) >> 8)) & 0xffff
    if ks.lfu_decay_minutes == 0:
        return counter
    periods = minutes // ks.lfu_decay_minutes
    return counter - periods if periods < counter else 0


# The others: seconds since the last use.
cdef inline uint32_t access_idle_seconds(const Keyspace* ks, uint64_t slot) noexcept nogil:
    cdef uint32_t now, then
    if not access_is_older_form(ks, slot):
        return (access_stamp(ks) - <uint32_t>(slot >> 48)) & 0xffff
    now = ks.access_seconds & CLOCK_SECONDS_MAX
    then = older_form_clock(ks, slot)
    return now - then if now >= then else now + CLOCK_SECONDS_MAX - then
