"""The engine as Python holds it: a store, its commands, its sessions, its loop."""
from gapless.engine.call cimport Dispatch, Session as SessionStruct
from gapless.engine.keyspace cimport Keyspace
from gapless.engine.lock cimport EngineLock, lock_leave, lock_try, lock_wait
from gapless.engine.loop cimport Client, Loop
from gapless.engine.reply cimport Reply


cdef class Engine:
    cdef Keyspace* keys
    cdef Dispatch* dispatch
    cdef Loop* loop
    cdef EngineLock lock
    cdef object commands           # keeps the handlers alive
    cdef object slow_entries
    cdef object latency_entries
    cdef object failure            # exception that ended run()
    cdef double slow_us            # < 0: off
    cdef double latency_us         # 0: off
    cdef bint running
    cdef unsigned int executions
    cdef public object server
    cdef public object on_cron
    cdef object __weakref__

    cdef void _set_slow(self)
    cdef int _configure(self, str name, value) except -1

    # Takes the engine; releases the GIL only when it has to wait.
    cdef inline void enter(self) noexcept:
        cdef EngineLock* lock = &self.lock
        if not lock_try(lock):
            with nogil:
                lock_wait(lock)

    cdef inline void leave(self) noexcept:
        lock_leave(&self.lock)


cdef class Session:
    cdef SessionStruct* at         # NULL once the connection is gone
    cdef Engine engine
    cdef Reply* own_reply          # of a session inside the process
    cdef public object name
    cdef public object lib_name
    cdef public object lib_ver
    cdef public object user
    cdef public object data        # anything handlers in Python want to keep with the session

    cdef SessionStruct* get(self) except NULL
    cdef Client* client(self) except? NULL
