"""Whether values and elements that come from outside are what all else takes for granted of what lies in the store."""
from libc.stdint cimport uint8_t, uint32_t, uint64_t


# A packed collection of this type, see collection.pxd. O(elements).
cdef bint packed_is_sound(int type, const uint8_t* value, uint64_t n) noexcept nogil
# An element of such a collection's Tree of this number; key_bytes: how much of it is its key, in the order of bytes.
cdef bint element_is_sound(int type, int tree, const uint8_t* element, uint32_t n, uint32_t* key_bytes) noexcept nogil
# What a list or stream has behind its Trees.
cdef bint root_is_sound(int type, const uint8_t* root, uint64_t n) noexcept nogil
