"""What the scans of collections share: HSCAN, SSCAN.

The cursor is a hash: a step ends between two, so an element that is there all the while is met once, whatever is written in between.
"""
from libc.stddef cimport size_t
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from gapless.engine.call cimport Arg, Call
from gapless.engine.collection cimport Collection, CollectionWalk


cdef struct CollectionScan:
    CollectionWalk walk
    const Arg* pattern         # NULL: any
    uint64_t cursor            # where it begins, then where the next one goes on
    uint64_t last              # hash of the element seen last
    int64_t count
    int64_t seen
    int64_t shown              # bulk strings replied
    bint steps                 # else all at once
    bint novalues
    size_t front


# Reads the cursor in argv[2]; False after an error reply.
cdef bint collection_scan_begin(Call* call, CollectionScan* s) noexcept nogil
# Reads the options behind the cursor and begins the walk. `values`: elements have them, NOVALUES leaves them out. `table`: Redis holds
# the collection in a hash table; what it keeps packed it walks at once, whatever COUNT says. False after an error reply.
cdef bint collection_scan_open(Call* call, CollectionScan* s, Collection* c, bint table, bint values) noexcept nogil
# Whether the step goes on with this member or field, which is then counted as seen.
cdef bint collection_scan_goes_on(CollectionScan* s, const uint8_t* p, uint32_t n) noexcept nogil
cdef bint collection_scan_matches(const CollectionScan* s, const uint8_t* p, uint32_t n) noexcept nogil
# Puts cursor and number in front of what was replied.
cdef void collection_scan_end(Call* call, CollectionScan* s) noexcept nogil
