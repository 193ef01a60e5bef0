"""What takes entries away with a view to the groups: the options of XADD and XTRIM, and of XDELEX and XACKDEL.

KEEPREF leaves what is pending as it is, DELREF drops it, ACKED takes only entries that no group has still before it or pending.
"""
from libc.stdint cimport int64_t, uint64_t
from gapless.engine.base cimport Status
from gapless.engine.call cimport Call
from gapless.engine.stream_id cimport StreamId
from gapless.engine.stream_value cimport Stream


cdef enum References:
    REFERENCES_KEEP = 0        # KEEPREF, the default
    REFERENCES_DELETE = 1      # DELREF
    REFERENCES_ACKED = 2       # ACKED


cdef struct TrimOptions:
    int by                     # TrimBy
    int references
    bint references_given
    bint approximate
    bint limit_given
    uint64_t length_max
    StreamId id_min
    int64_t limit


cdef void trim_begin(TrimOptions* o) noexcept nogil
# KEEPREF, DELREF or ACKED in argv[i], once; False: it is none, or one was given before.
cdef bint arg_references(Call* call, int i, int* references, bint* given) noexcept nogil
# Reads the option in argv[i]: how many words it takes; 0: it is none; -1 after an error reply.
cdef int arg_trim(Call* call, int i, TrimOptions* o) noexcept nogil
# What is to be said of all options together; False after an error reply.
cdef bint trim_complete(Call* call, TrimOptions* o) noexcept nogil
# Trims; how many entries went. It ends early when there is no memory for what has to be written anew.
cdef uint64_t stream_trim_as(Stream* s, const TrimOptions* o) noexcept nogil
# Takes an entry away and remembers its ID as deleted.
cdef Status stream_delete(Stream* s, StreamId id, bint* found) noexcept nogil
# What XDELEX replies: 1: it is gone; 2: groups need it; -1: there is none.
cdef Status stream_delete_as(Stream* s, StreamId id, int references, int* result) noexcept nogil
