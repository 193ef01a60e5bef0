"""Replaying effects: a body of them (effects.pxd) makes of the store what it was after they were recorded.

Replay knows no commands, settings or random numbers. The time is the frame's; a key whose time has come is not there, as it was not then.
Bodies have been checksummed, and are checked all the same: a damaged one is refused where it is found out, and leaves a sound store.

While an image is put together from its parts (effects_image.pxd), its record says so in its base's EPOCH bit. REQUIRED: no snapshot is being taken.
"""
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from gapless.engine.base cimport Status
from gapless.engine.keyspace cimport Keyspace


cdef struct Replay:
    int64_t time_ms            # of the frame: Effects.time_ms when it was gathered
    uint32_t file              # number of the file it lies in
    bint gathering             # files before are gone: effects of keys that are not there are passed over, their images come later
    uint64_t effects           # applied so far
    uint64_t parts_open        # images begun and not ended, as far as is known without a look at the keys
    # Where a body is wrong, and how; nobody else's memory.
    uint64_t offset
    const char* wrong


# STATUS_OK; STATUS_FULL: no memory for an effect; STATUS_MISSING: the body is wrong. What was before the wrong effect has been applied.
# REQUIRED: nothing is recorded meanwhile (ks.effects is NULL). O(bytes).
cdef Status effects_apply(Keyspace* ks, Replay* r, const uint8_t* body, uint64_t n) noexcept nogil
