"""What the embedded API does with keys, whatever their values are."""
from libc.stdint cimport int64_t
from gapless.engine.store_access cimport StoreAccess


cdef class StoreKeys(StoreAccess):
    cdef bint remove(self, object name) except -1
    cdef bint there(self, object name) except -1
    cdef object expire_at(self, object name, object when, int64_t unit, bint relative, int how, const char* command)
    cdef int64_t expiry(self, object name, bint relative) except -3
    cdef bint change_key(self, object source, object destination, int to_db, bint replace, bint move) except -1
