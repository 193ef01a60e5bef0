"""Images of what old files are needed for: they are written again at the journal's end, in slices, so that those files are needed no more.

A record's base (record.pxd) says in which file the last whole image of its key lies; later effects change parts of it. So a file is
needed by the keys whose base it is, and by none once each has been written as a whole again. What replay meets of such keys before it comes
to their new images it passes over (Replay.gathering).

Who has such a base is found by walking the indexes in SCAN's order, which misses nothing that is there all the while, whatever moves or
splits meanwhile. Only a large value that is renamed keeps its base and may come to where the walk has been: then there is another walk.
Rejected: reading the old files (their keys would have to be looked up, and most are dead), and walking the segments (what the cleaner
moves, or gets a new TTL, passes from before the walk behind it).
"""
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from gapless.engine.keyspace cimport Keyspace


cdef struct ImageWalk:
    uint32_t first             # number of the first file that is not old; 0: there is no walk
    bint open                  # an image has more parts
    int db_index               # database index and cursor
    uint64_t cursor
    uint64_t renames           # Effects.renames when the walk began
    uint64_t buckets           # walked so far
    uint8_t[128] old           # by base: whether it is


cdef void images_begin(ImageWalk* w, const Keyspace* ks, uint32_t first) noexcept nogil
# Records images until then, or about so many bytes of them; True: there are no more. REQUIRED: nothing else is gathered.
cdef bint images_go_on(ImageWalk* w, Keyspace* ks, uint64_t bytes_most, int64_t until_ns) noexcept nogil
# Buckets still to be walked.
cdef uint64_t images_left(const ImageWalk* w, const Keyspace* ks) noexcept nogil
# What a journal of all there is would take if nothing in it were garbage: an estimate, by what it takes in memory.
cdef uint64_t images_live_bytes(const Keyspace* ks) noexcept nogil
# No record has a base any more: for a store that was journaled elsewhere before. O(keys).
cdef void images_forget(Keyspace* ks) noexcept nogil
