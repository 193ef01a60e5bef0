"""Whole images of keys: what a key holds, in one effect or in several.

A value that lies in its record is one PUT. One of Trees is IMAGE effects, with about IMAGE_PART_BYTES of elements each; the first has what the record
holds behind its Trees, the last says in which journal file the first lies: that is the record's base then.

An image may be written in parts while the key goes on changing: changes are recorded as ever. Who replays them all has the key already,
and passes over the image; who has only what follows its first part puts both together: keyed elements come twice or are dropped before
they come, both of which is harmless. Of a list a change says whether it is among the elements written so far.
"""
from libc.stddef cimport size_t
from libc.stdint cimport uint8_t, uint64_t
from gapless.engine.keyspace cimport Keyspace, Value


cdef enum:
    IMAGE_PART_BYTES = 64 << 10


# A found key's image, all of it now, in place of whatever was under the key. Sets its base. REQUIRED: effects are recorded. O(what it holds).
cdef void effects_image(Keyspace* ks, Value* v, const uint8_t* key, size_t key_bytes) noexcept nogil

# The same in parts, of one key at a time: the first part, without elements. For those who have not got the key; a value that lies in its
# record is a PUT, and done with.
cdef void effects_image_begin(Keyspace* ks, Value* v, const uint8_t* key, size_t key_bytes) noexcept nogil
# The next part, of about so many bytes of elements. True: it was the last, and the key's base is set; or the key is gone, has another value, or
# was written as a whole meanwhile. O(bytes).
cdef bint effects_image_go_on(Keyspace* ks, uint64_t most) noexcept nogil
