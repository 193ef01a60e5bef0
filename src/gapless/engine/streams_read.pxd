"""XREAD and XREADGROUP, in steps that a command which waits may take again."""
from libc.stdint cimport int64_t, uint64_t
from gapless.engine.call cimport Call
from gapless.engine.stream_id cimport StreamId


cdef enum:
    READ_NO_BLOCK = -1


cdef struct ReadOptions:
    int64_t block_ms           # READ_NO_BLOCK; 0: for ever
    uint64_t count             # of entries; 2^64 - 1: all
    bint noack
    int group_at               # argument of the group's name, the consumer's follows; 0: XREAD
    int keys_at                # argument of the first key
    int keys                   # how many; as many IDs follow
    StreamId* ids              # each stream's: what has been read; id_max(): what the group has not been given yet. To be freed


# Reads all options and IDs; `$` and `+` become what they are at this moment. False after an error reply. read_end() must follow either way.
cdef bint read_begin(Call* call, ReadOptions* o) noexcept nogil
cdef void read_end(ReadOptions* o) noexcept nogil
# Replies with what there is of all streams. False: there is nothing, and nothing was replied.
# REQUIRED: read_begin() in the same command.
cdef bint read_serve(Call* call, const ReadOptions* o) noexcept nogil
