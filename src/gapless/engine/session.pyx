"""A connection as Python sees it. See session.pxd."""
import os

from cpython.bytes cimport PyBytes_FromStringAndSize
from cpython.exc cimport PyErr_CheckSignals
from cpython.ref cimport Py_DECREF, Py_INCREF
from libc.stdint cimport int64_t, uint32_t
from libc.stdlib cimport calloc, free
from gapless.engine.base cimport INVARIANT, clock_monotonic_ns, clock_realtime_ms
from gapless.engine.blocked cimport blocked_deadline_ms, blocked_expire, blocked_forget, blocked_unblock
from gapless.engine.call cimport (
    SESSION_AUTHENTICATED, SESSION_BLOCKED, SESSION_CLOSE_AFTER_REPLY, SESSION_CLOSE_NOW, SESSION_DIRTY_CAS, SESSION_EMBEDDED, SESSION_IN_EXEC,
    SESSION_LOCAL, SESSION_MONITOR, SESSION_MULTI, SESSION_NO_EVICT, SESSION_NO_TOUCH, SESSION_REPLY_OFF, SESSION_REPLY_SKIP, SESSION_UNIX_SOCKET,
    Dispatch, Session as SessionStruct)
from gapless.engine.client cimport CLIENT_PAUSED, Client, client_doom
from gapless.engine.dispatch cimport monitor_add, monitor_remove
from gapless.engine.keyspace cimport keyspace_tick
from gapless.engine.lock cimport lock_enter, lock_leave
from gapless.engine.loop cimport Loop, loop_wake
from gapless.engine.reply cimport Reply, reply_free, reply_init
from gapless.engine.sockets cimport close, gapless_drain, gapless_eventfd, gapless_readable
from gapless.engine.transactions cimport transactions_forget

cdef enum:
    WAIT_MS_MAX = 60000        # without looking again

FLAG_MULTI = SESSION_MULTI
FLAG_MONITOR = SESSION_MONITOR
FLAG_NO_EVICT = SESSION_NO_EVICT
FLAG_NO_TOUCH = SESSION_NO_TOUCH
FLAG_REPLY_OFF = SESSION_REPLY_OFF
FLAG_REPLY_SKIP = SESSION_REPLY_SKIP
FLAG_CLOSE_AFTER_REPLY = SESSION_CLOSE_AFTER_REPLY
FLAG_CLOSE_NOW = SESSION_CLOSE_NOW
FLAG_AUTHENTICATED = SESSION_AUTHENTICATED
FLAG_IN_EXEC = SESSION_IN_EXEC
FLAG_EMBEDDED = SESSION_EMBEDDED
FLAG_UNIX_SOCKET = SESSION_UNIX_SOCKET
FLAG_LOCAL = SESSION_LOCAL
FLAG_DIRTY_CAS = SESSION_DIRTY_CAS


class SessionClosed(Exception):
    """The connection this session belonged to is gone."""


cdef class Session:
    """What Python sees of a connection; it may outlive it, then only `closed` and the plain attributes can be read."""

    def __cinit__(self):
        self.name = ""
        self.lib_name = ""
        self.lib_ver = ""
        self.user = "default"
        self.data = {}

    def __dealloc__(self):
        if self.own_reply != NULL:
            if self.at != NULL:
                if self.engine is not None:
                    lock_enter(self.loop.lock)
                    transactions_forget(self.loop.dispatch, self.at)
                    blocked_forget(self.loop.dispatch, self.at)
                    monitor_remove(self.loop.dispatch, self.at)
                    lock_leave(self.loop.lock)
                if self.at.wake_fd >= 0:
                    close(self.at.wake_fd)
                free(self.at)
            reply_free(self.own_reply)
            free(self.own_reply)

    cdef SessionStruct* get(self) except NULL:
        if self.at == NULL:
            raise SessionClosed
        return self.at

    cdef Client* client(self) except? NULL:
        return <Client*>self.get().client

    @property
    def closed(self):
        """Whether the connection is gone."""
        return self.at == NULL or (self.at.flags & SESSION_CLOSE_NOW) != 0

    @property
    def id(self):
        """The number of the connection; never given twice."""
        return self.get().id

    @property
    def db(self):
        """The database it has selected."""
        return self.get().db

    @db.setter
    def db(self, int db):
        if not 0 <= db < self.loop.dispatch.keys.databases:
            raise ValueError("no such database")
        self.get().db = db

    @property
    def protocol(self):
        """2 or 3; takes effect from the reply to this command on."""
        return self.get().protocol

    @protocol.setter
    def protocol(self, int protocol):
        cdef SessionStruct* s = self.get()
        if protocol not in (2, 3):
            raise ValueError("protocol must be 2 or 3")
        s.protocol = protocol
        if s.client != NULL:
            (<Client*>s.client).reply.protocol = protocol
        elif self.own_reply != NULL:
            self.own_reply.protocol = protocol

    @property
    def flags(self):
        """The FLAG_ bits."""
        return self.get().flags

    @flags.setter
    def flags(self, uint32_t flags):
        self.get().flags = flags

    def set_flag(self, uint32_t flag, bint on):
        """Sets or clears one of the FLAG_ bits."""
        cdef SessionStruct* s = self.get()
        if on:
            s.flags |= flag
        else:
            s.flags &= ~flag

    @property
    def authenticated(self):
        """Whether AUTH has succeeded."""
        return (self.get().flags & SESSION_AUTHENTICATED) != 0

    @authenticated.setter
    def authenticated(self, bint on):
        self.set_flag(SESSION_AUTHENTICATED, on)

    @property
    def addr(self):
        """Its address as CLIENT LIST prints it; empty inside the process."""
        cdef const char* address = self.get().address
        return "" if address == NULL else os.fsdecode(<bytes>address)

    @property
    def laddr(self):
        """The address it has connected to."""
        cdef Client* c = self.client()
        return "" if c == NULL else os.fsdecode(<bytes>c.local_address)

    @property
    def fd(self):
        """The socket's descriptor; -1 inside the process."""
        cdef Client* c = self.client()
        return -1 if c == NULL else c.fd

    @property
    def created(self):
        """When it connected, seconds since the epoch."""
        return self.get().created_ms / 1000.0

    @property
    def active(self):
        """When its last command ran, seconds since the epoch."""
        return self.get().active_ms / 1000.0

    @property
    def last_command(self):
        """The name of its last command (`client|list`), or "NULL"."""
        cdef SessionStruct* s = self.get()
        return "NULL" if s.last_command == NULL else (<bytes>s.last_command.name).decode()

    @property
    def multi_count(self):
        """Commands queued by MULTI, or run by EXEC; -1 outside a transaction."""
        cdef SessionStruct* s = self.get()
        return s.multi_count if s.flags & (SESSION_MULTI | SESSION_IN_EXEC) else -1

    @property
    def multi_bytes(self):
        """Memory of the queue."""
        return self.get().multi_bytes

    @property
    def watched(self):
        """Keys it watches."""
        return self.get().watched_count

    def buffers(self):
        """Bytes of its buffers, traffic in bytes, commands: what CLIENT LIST prints of them."""
        cdef Client* c = self.client()
        if c == NULL:
            return {"qbuf": 0, "qbuf_free": 0, "argv_mem": 0, "rbs": 0, "rbp": 0, "obl": 0, "omem": 0, "tot_mem": 0,
                    "net_in": 0, "net_out": 0, "commands": 0}
        return {
            "qbuf": c.query_length - c.query_at,
            "qbuf_free": c.query_room - c.query_length,
            "argv_mem": c.partial.room * sizeof(size_t),
            "rbs": c.reply.room,
            "rbp": c.reply.length,
            "obl": c.reply.length - c.reply.sent,
            "omem": c.reply.room,
            "tot_mem": c.counted,
            "net_in": c.bytes_in,
            "net_out": c.bytes_out,
            "commands": c.commands,
        }

    def kill(self, bint after_reply=False):
        """Closes the connection: at the end of this turn, or (after_reply) when its reply has been sent."""
        cdef Client* c
        lock_enter(self.loop.lock)
        try:
            if self.at == NULL:
                return
            c = <Client*>self.at.client
            if after_reply or c == NULL:
                self.at.flags |= SESSION_CLOSE_AFTER_REPLY
            else:
                client_doom(c)
                loop_wake(self.loop)
        finally:
            lock_leave(self.loop.lock)

    @property
    def blocked(self):
        """Whether its last command waits and has not replied, or CLIENT PAUSE holds the next one back."""
        cdef Client* c = self.client()
        return (self.get().flags & SESSION_BLOCKED) != 0 or (c != NULL and c.state & CLIENT_PAUSED != 0)

    @property
    def time_left(self):
        """Seconds until its time is up; None: it waits for ever, or not at all."""
        cdef int64_t deadline_ms = blocked_deadline_ms(self.get())
        return max(0, deadline_ms - clock_realtime_ms()) / 1000.0 if deadline_ms else None

    @property
    def wake_fd(self):
        """Inside the process: a descriptor that can be read from once the reply to a command that waits is there."""
        cdef SessionStruct* s = self.get()
        if self.own_reply == NULL:
            raise ValueError("not a session inside the process")
        if s.wake_fd < 0:
            s.wake_fd = gapless_eventfd()
            if s.wake_fd < 0:
                raise OSError("the system refuses another descriptor")
        return s.wake_fd

    cdef bint await_reply(self, double seconds) except -1:
        cdef SessionStruct* s = self.get()
        cdef Dispatch* d = self.loop.dispatch
        cdef int fd = self.wake_fd
        cdef int64_t end_ns = <int64_t>(seconds * 1e9) + clock_monotonic_ns() if seconds >= 0 else -1
        cdef int64_t ms, deadline_ms
        cdef bint waits
        while True:
            lock_enter(self.loop.lock)
            keyspace_tick(d.keys)
            blocked_expire(d)
            if self.loop.lock.depth != 0:
                # The caller keeps all others out meanwhile: nobody could bring what it waits for.
                blocked_unblock(d, s.id, False)
            if self.loop.clients.touched != NULL:
                loop_wake(self.loop)
            gapless_drain(fd)
            waits = s.flags & SESSION_BLOCKED != 0
            deadline_ms = blocked_deadline_ms(s)
            ms = min(deadline_ms - d.keys.now_ms, <int64_t>WAIT_MS_MAX) if deadline_ms else WAIT_MS_MAX
            lock_leave(self.loop.lock)
            if not waits:
                return True
            if end_ns >= 0:
                ms = min(ms, (end_ns - clock_monotonic_ns() + 999999) // 1000000)
                if ms <= 0:
                    return False
            with nogil:
                gapless_readable(fd, ms * 1000)
            PyErr_CheckSignals()

    def wait(self, seconds=None):
        """Inside the process: waits for the reply to a command that blocks, as long as it may take or for at most so many seconds.

        The reply as the protocol writes it; None when it still waits. In a thread that has the engine to itself the time is up at once.
        """
        cdef bytes reply
        if not self.await_reply(-1 if seconds is None else seconds):
            return None
        lock_enter(self.loop.lock)
        reply = PyBytes_FromStringAndSize(<const char*>self.own_reply.data, self.own_reply.length)
        self.own_reply.length = 0
        lock_leave(self.loop.lock)
        return reply

    def abandon(self):
        """Waits no more, and gets no reply."""
        lock_enter(self.loop.lock)
        if self.at != NULL:
            blocked_forget(self.loop.dispatch, self.at)
        lock_leave(self.loop.lock)

    def forget_transaction(self):
        """Drops MULTI's queue and all watched keys (RESET)."""
        lock_enter(self.loop.lock)
        transactions_forget(self.loop.dispatch, self.get())
        lock_leave(self.loop.lock)

    def monitor(self, bint on):
        """Whether it is shown every command (MONITOR)."""
        lock_enter(self.loop.lock)
        try:
            if on:
                monitor_add(self.loop.dispatch, self.get())
                self.get().flags |= SESSION_MONITOR
            else:
                monitor_remove(self.loop.dispatch, self.get())
                self.get().flags &= ~<uint32_t>SESSION_MONITOR
        finally:
            lock_leave(self.loop.lock)


cdef Session session_view(object engine, Loop* loop, SessionStruct* at):
    cdef Session view
    if at.python != NULL:
        return <Session>at.python
    view = Session.__new__(Session)
    view.at = at
    view.loop = loop
    view.engine = engine
    at.python = <void*>view
    if at.client != NULL:
        # The session's own reference, given up by session_ended().
        Py_INCREF(view)
    return view


cdef Session session_new(object engine, Loop* loop, int protocol):
    cdef Session view = Session.__new__(Session)
    view.loop = loop
    view.engine = engine
    view.at = <SessionStruct*>calloc(1, sizeof(SessionStruct))
    view.own_reply = <Reply*>calloc(1, sizeof(Reply))
    INVARIANT(view.at != NULL and view.own_reply != NULL)
    reply_init(view.own_reply)
    lock_enter(loop.lock)
    loop.dispatch.session_ids += 1
    view.at.id = loop.dispatch.session_ids
    view.at.created_ms = view.at.active_ms = loop.dispatch.keys.now_ms
    lock_leave(loop.lock)
    view.at.protocol = protocol
    view.at.wake_fd = -1
    view.at.flags = SESSION_EMBEDDED | SESSION_AUTHENTICATED | SESSION_LOCAL
    view.at.python = <void*>view
    return view


cdef void session_ended(SessionStruct* at) noexcept with gil:
    cdef Session view = <Session>at.python
    view.at = NULL
    at.python = NULL
    Py_DECREF(view)
