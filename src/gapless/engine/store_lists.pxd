"""What Python's lists can do at a position and no command can: values put in and taken out, O(log n)."""
from gapless.engine.store_commands cimport StoreCommands


cdef class StoreLists(StoreCommands):
    pass
