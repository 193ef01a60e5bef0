"""The table of a stream: what its groups consist of, as elements in the order of their bytes; packed behind the tail while they take up to
TABLE_BYTES_MAX, then on the tree, for good (see stream_value.pxd).

    packed   varint bytes, element | ...
    element  key | what it says

No key is the beginning of another, so that an element is found by its key, whatever follows. What an element says may be changed where it lies.
"""
from libc.stdint cimport uint8_t, uint32_t
from gapless.engine.base cimport Status
from gapless.engine.stream_value cimport Stream
from gapless.engine.tree cimport Place


cdef struct TablePlace:
    # Where an element is, or would go: good until the next change of the table or the stream.
    uint32_t at                # packed: offset of its length
    uint32_t bytes             # packed: of length and element; 0: there is none
    Place place                # tree


# The first element that is not less than this key; True: it has this key. Packed O(elements), tree O(log elements).
cdef bint table_find(Stream* s, const uint8_t* key, uint32_t n, TablePlace* at) noexcept nogil
# The element there; NULL: at the end.
cdef uint8_t* table_element(Stream* s, const TablePlace* at, uint32_t* n) noexcept nogil
# To the next element, for reading. False at the end.
cdef bint table_next(Stream* s, TablePlace* at) noexcept nogil
# The same backwards. Packed O(elements).
cdef bint table_previous(Stream* s, TablePlace* at) noexcept nogil
# REQUIRED after what an element says was changed where it lies; n: its bytes.
cdef void table_changed(Stream* s, const uint8_t* element, uint32_t n) noexcept nogil
# Inserts before what table_find() found. STATUS_FULL: as it was.
cdef Status table_insert(Stream* s, TablePlace* at, const uint8_t* element, uint32_t n) noexcept nogil
# Removes the element there. REQUIRED: table_find() was the last to move the place.
cdef void table_remove(Stream* s, TablePlace* at) noexcept nogil
