"""The embedded API's strings: the mapping, and redis-py's methods on values. The slots of the mapping are all in this one class: CPython calls
them directly only then.
"""
from libc.stdint cimport int64_t
from gapless.engine.store_keys cimport StoreKeys


cdef class StoreStrings(StoreKeys):
    cdef int put_in(self, object name, object value, object duration, int64_t unit, const char* command) except -1
    cdef object set_with(self, object name, object value, tuple times, bint nx, bint xx, bint keepttl, bint get)
    cdef object add(self, object name, object amount, bint negate)
