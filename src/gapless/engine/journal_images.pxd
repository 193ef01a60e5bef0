"""Images of everything: all that is there written again, in slices, so that older files are needed no more.

A walk over the index, as SCAN does it, of one pass over all keys and then others over those whose base is still old: a key that is renamed while the
walk goes on may have come to where it was already.
"""
from libc.stddef cimport size_t
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from gapless.engine.keyspace cimport Keyspace


cdef struct ImageWalk:
    Keyspace* walked           # while its buckets are scanned
    uint32_t first             # number of the first file that the images may lie in
    bint every                 # this pass takes keys whatever their base
    bint begun                 # the database's scan
    bint open                  # an image has more parts
    int db
    uint64_t cursor
    uint64_t images            # in this pass
    uint64_t keys              # in all
    uint8_t* names             # keys of the buckets that were scanned: u32 length, bytes
    size_t at
    size_t length
    size_t room


cdef void images_begin(ImageWalk* w, uint32_t first) noexcept nogil
cdef void images_end(ImageWalk* w) noexcept nogil
# Records images until then, or about so many bytes of them; True: there are no more. REQUIRED: nothing else is gathered.
cdef bint images_go_on(ImageWalk* w, Keyspace* ks, uint64_t bytes_most, int64_t until_ns) noexcept nogil
