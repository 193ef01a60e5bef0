"""Commands inside the process: the same rows and handlers as a server's, arguments straight from Python's objects, replies read where they lie."""
from gapless.engine.call cimport Command
from gapless.engine.session cimport Session
from gapless.engine.store_access cimport Text
from gapless.engine.store_strings cimport StoreStrings


cdef class StoreCommands(StoreStrings):
    cdef Session session           # None until the first command

    cdef int open_session(self) except -1
    # Runs a command whose arguments the caller keeps alive; its reply. Raises ResponseError.
    cdef object run(self, Text* argv, int argc)
    # The same for a row that the caller has, NULL: the table's.
    cdef object run_row(self, Command* row, Text* argv, int argc)
    # A command's name and one argument; two; a key and several values.
    cdef object run_key(self, bytes command, object name)
    cdef object run_pair(self, bytes command, object name, object value)
    cdef object run_values(self, bytes command, object name, tuple values)
