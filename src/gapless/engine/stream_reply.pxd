"""Entries of streams as replies, and the errors that name a group."""
from libc.stdint cimport uint64_t
from gapless.engine.call cimport Arg, Call
from gapless.engine.reply cimport Reply
from gapless.engine.stream_block cimport Entry
from gapless.engine.stream_id cimport StreamId
from gapless.engine.stream_value cimport Stream


# The ID, and an array of names and values.
cdef void reply_entry(Reply* reply, const Entry* entry) noexcept nogil
# An array of the entries from low to high, of the first `count` of them.
cdef void reply_range(Reply* reply, Stream* s, StreamId low, StreamId high, bint back, uint64_t count) noexcept nogil
# An error of three parts and two names (second: may be NULL), which end at their first 0 as they do in Redis. Always False.
cdef bint reply_error_naming(Call* call, const char* before, const Arg* first, const char* between, const Arg* second,
                             const char* behind) noexcept nogil
# NOGROUP: there is no such key, or group.
cdef bint reply_no_group(Call* call, const Arg* key, const Arg* group) noexcept nogil
