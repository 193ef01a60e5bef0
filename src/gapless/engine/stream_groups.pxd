"""Consumer groups of a stream: what they are in its table (stream_table.pxd). This file owns the elements' layout.

    element    key: group * 4 + kind | ...               says
    group      0           NAMED  name                  GroupState, name
    consumer   the group   NAMED  name                  number u32
               the group   NUMBERED  its number, u64    ConsumerState, name
    pending    the group   PENDING  ID                  PendingState
               the group   OWNED  consumer, ID

Numbers in keys take a byte below 255, else 255 and 8 bytes, big-endian: the ID behind them then lies in the key's head, which is compared first.

A group's number is never given twice in a stream, a consumer's never twice in a group. A name in a key is its bytes, 0 written as 0 255,
then 0 0, and more zeros up to 8 bytes of key; of a name that would fill half an element only the beginning, then 0 1 and 16 bytes of its
hash: such names that begin alike are not in order, and equal hashes of two are not expected.

Nothing found here is good beyond the next change: what is needed is copied, and written back by key.
"""
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from gapless.engine.base cimport Status
from gapless.engine.call cimport Arg
from gapless.engine.stream_id cimport StreamId
from gapless.engine.stream_value cimport Stream


cdef enum:
    TABLE_KEY_BYTES_MAX = 560
    ENTRIES_READ_UNKNOWN = -1
    NEVER_ACTIVE = -1


cdef packed struct GroupState:
    uint32_t number
    StreamId last              # delivered last
    int64_t entries_read       # ENTRIES_READ_UNKNOWN
    uint64_t pending
    uint32_t consumers
    uint32_t consumer_last     # number of the consumer made last


cdef packed struct ConsumerState:
    int64_t seen_ms
    int64_t active_ms          # NEVER_ACTIVE
    uint64_t pending


cdef packed struct PendingState:
    uint32_t consumer
    int64_t delivered_ms
    uint64_t deliveries


cdef struct Consumer
cdef struct Group:
    GroupState state
    Consumer* seen             # whose state is written back with the group's; NULL: nobody's
    uint32_t key_bytes
    uint8_t[TABLE_KEY_BYTES_MAX] key


cdef struct Consumer:
    uint32_t number
    ConsumerState state
    uint32_t key_bytes
    uint8_t[TABLE_KEY_BYTES_MAX] key


# Whether bytes that come from outside are an element of the table, and how many of them are its key.
cdef bint table_element_is_sound(const uint8_t* element, uint32_t n, uint32_t* key_bytes) noexcept nogil

cdef bint group_find(Stream* s, const Arg* name, Group* out) noexcept nogil
# REQUIRED: there is none of this name. STATUS_FULL, STATUS_TOO_LARGE: as it was.
cdef Status group_create(Stream* s, const Arg* name, StreamId last, int64_t entries_read, Group* out) noexcept nogil
# Writes the state back, and that of the consumer seen last. REQUIRED after consumer_see() and all that changes what is pending.
cdef void group_write(Stream* s, const Group* g) noexcept nogil
# O(what it has).
cdef void group_destroy(Stream* s, const Group* g) noexcept nogil
# The group after this one in order of names; key_bytes 0: the first. False at the end.
cdef bint group_next(Stream* s, Group* g) noexcept nogil
# Its name, good until the next change.
cdef void group_name(Stream* s, const Group* g, Arg* name) noexcept nogil

cdef bint consumer_find(Stream* s, const Group* g, const Arg* name, Consumer* out) noexcept nogil
# The consumer, made now if it was not there, seen now; from then on its state is in `out` alone, until group_write().
cdef Status consumer_see(Stream* s, Group* g, const Arg* name, Consumer* out, bint* made) noexcept nogil
# How much was pending for it. O(that).
cdef uint64_t consumer_delete(Stream* s, Group* g, Consumer* c) noexcept nogil
cdef bint consumer_next(Stream* s, const Group* g, Consumer* c) noexcept nogil
cdef void consumer_name(Stream* s, const Group* g, uint32_t number, Arg* name) noexcept nogil

cdef bint pending_find(Stream* s, const Group* g, StreamId id, PendingState* out) noexcept nogil
# The first pending entry that is not before the ID, of the group or of one consumer (0: of all). False: there is none.
cdef bint pending_from(Stream* s, const Group* g, uint32_t consumer, StreamId* id) noexcept nogil
cdef bint pending_last(Stream* s, const Group* g, StreamId* id) noexcept nogil
# The two steps of a stream that is read: entries pending of the group, then whose they are. STATUS_MISSING: it is there already; there is none, or it
# is somebody's.
cdef Status pending_load(Stream* s, Group* g, StreamId id, PendingState* state) noexcept nogil
cdef Status pending_assign(Stream* s, const Group* g, StreamId id, uint32_t consumer) noexcept nogil
# What is pending from now on, whoever had it before. STATUS_FULL: as it was.
cdef Status pending_give(Stream* s, Group* g, StreamId id, const PendingState* state) noexcept nogil
# False: it was not there.
cdef bint pending_drop(Stream* s, Group* g, StreamId id) noexcept nogil
# Of all groups; whether there was one.
cdef bint pending_drop_all(Stream* s, StreamId id) noexcept nogil
# Whether a group has this entry still before it, or pending.
cdef bint groups_need(Stream* s, StreamId id) noexcept nogil

# Entries ever added up to this ID, the counter of a group that has read so far; ENTRIES_READ_UNKNOWN: deletions make it so.
cdef int64_t entries_up_to(const Stream* s, StreamId id) noexcept nogil
# Counts an entry that the group is given, and makes it its last.
cdef void group_reads(const Stream* s, Group* g, StreamId id) noexcept nogil
# Entries the group has still before it. False: unknown.
cdef bint group_lag(const Stream* s, const Group* g, int64_t* lag) noexcept nogil
