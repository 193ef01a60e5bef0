"""A connection as Python sees it: the object that handlers in Python are given."""
from gapless.engine.call cimport Session as SessionStruct
from gapless.engine.client cimport Client
from gapless.engine.loop cimport Loop
from gapless.engine.reply cimport Reply


cdef class Session:
    cdef SessionStruct* at         # NULL once the connection is gone
    cdef Loop* loop
    cdef object engine             # keeps the loop alive
    cdef Reply* own_reply          # of a session inside the process
    cdef public object name
    cdef public object lib_name
    cdef public object lib_ver
    cdef public object user
    cdef public object data        # anything handlers in Python want to keep with the session

    cdef SessionStruct* get(self) except NULL
    cdef Client* client(self) except? NULL
    # What wait() does, without the reply.
    cdef bint await_reply(self, double seconds) except -1


# The one object of a session, made when first asked for. Lock held.
cdef Session session_view(object engine, Loop* loop, SessionStruct* at)
# A session inside the process.
cdef Session session_new(object engine, Loop* loop, int protocol)
# For Clients.on_close.
cdef void session_ended(SessionStruct* at) noexcept with gil
