"""What a set is to the commands: a collection of members, see collection.pxd. An element is the member's bytes.

SET_LISTPACK and SET_TABLE are what OBJECT ENCODING has to know of its past: that a member has been no integer, that it went beyond the
limits of Redis's intset or listpack. A set with neither is an intset.
"""
from libc.stdint cimport uint8_t, uint64_t
from gapless.engine.base cimport Status
from gapless.engine.call cimport Arg, Call
from gapless.engine.collection cimport Collection


cdef struct Set:
    Collection c
    uint64_t intset_members_max    # what Redis would keep in an intset
    uint64_t listpack_members_max  # and in a listpack
    uint64_t listpack_value_max


# The set under a key, there or not. False: another type, WRONGTYPE is replied. how: as keyspace_find(). collection_close() must follow.
cdef bint set_open(Call* call, const Arg* key, uint64_t key_hash, int how, Set* s) noexcept nogil
# An empty set to be put into the keyspace under a key that is not there, or whose value it replaces.
cdef void set_begin(Call* call, const Arg* key, uint64_t key_hash, Set* s) noexcept nogil
# Marks the set for so many members to come, of which this is the first, as Redis chooses an encoding before it adds them.
cdef void set_expect(Set* s, const Arg* first, uint64_t members) noexcept nogil
# Whether the member is there. Packed O(members), tree O(log members).
cdef bint set_find(Set* s, const uint8_t* member, uint64_t n) noexcept nogil
# Adds the member that set_find() just missed. STATUS_FULL, STATUS_TOO_LARGE: the set is as it was.
cdef Status set_put(Set* s, const uint8_t* member, uint64_t n) noexcept nogil
# Adds a member, unless it is there: added. As set_put().
cdef Status set_add(Set* s, const uint8_t* member, uint64_t n, bint* added) noexcept nogil
# Length of the longest member. O(members).
cdef uint64_t set_longest(Set* s) noexcept nogil
