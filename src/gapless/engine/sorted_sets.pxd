"""What others need of the commands of sorted sets: GEOADD is a ZADD."""
from gapless.engine.call cimport Call


cdef enum AddOption:
    ADD_NX = 1                 # only new members
    ADD_XX = 2                 # only members that are there
    ADD_GT = 4                 # scores only up
    ADD_LT = 8                 # only down
    ADD_INCR = 16
    ADD_CH = 32                # count what changed, too


# Adds so many members with these scores to the sorted set in argv[1], and replies as ZADD does. The first is in argv[first], the next `step`
# behind it.
cdef void sorted_set_add_all(Call* call, int first, int step, int members, int options, double* scores) noexcept nogil
