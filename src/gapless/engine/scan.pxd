"""What SCAN shares with the scans of collections."""
from libc.stddef cimport size_t
from libc.stdint cimport uint64_t
from gapless.engine.call cimport Arg
from gapless.engine.reply cimport Reply


# A cursor as Redis takes it; False: it is none.
cdef bint read_cursor(const Arg* arg, uint64_t* out) noexcept nogil
# What was written from `middle` on goes before what was written from `front` on: a header is known last.
cdef void move_to_front(Reply* reply, size_t front, size_t middle) noexcept nogil
