"""The engine as Python holds it. See engine.pxd."""
import importlib
import logging
import os
import threading
import time
from collections import deque

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.exc cimport PyErr_CheckSignals
from cpython.ref cimport Py_DECREF, Py_INCREF
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free, malloc
from gapless.engine.arena cimport arena_trim
from gapless.engine.base cimport INVARIANT, clock_ticks
from gapless.engine.call cimport (
    ALLOWED_ALL, ALLOWED_LOCAL, ALLOWED_NOBODY, COMMAND_FAST, LATENCY_BUCKETS, SESSION_AUTHENTICATED, SESSION_CLOSE_AFTER_REPLY, SESSION_CLOSE_NOW,
    SESSION_DIRTY_CAS, SESSION_EMBEDDED, SESSION_IN_EXEC, SESSION_MONITOR, SESSION_MULTI, SESSION_NO_EVICT, SESSION_NO_TOUCH,
    SESSION_LOCAL, SESSION_REPLY_OFF, SESSION_REPLY_SKIP, SESSION_UNIX_SOCKET, Arg, Call, Command, Session as SessionStruct)
from gapless.engine.client_memory cimport client_memory_own_process
from gapless.engine.dispatch cimport (
    dispatch_execute, dispatch_find, dispatch_free, dispatch_load, dispatch_new, monitor_add, monitor_remove)
from gapless.engine.extent cimport extents_reclaim
from gapless.engine.index cimport index_bytes
from gapless.engine.keyspace cimport (
    Keyspace, keyspace_background, keyspace_check, keyspace_committed, keyspace_flush, keyspace_flush_all, keyspace_free,
    keyspace_hash, keyspace_new, keyspace_size, keyspace_size_with_ttl, keyspace_swap, keyspace_tick)
from gapless.engine.log cimport SEGMENT_FREE, Segment
from gapless.engine.loop cimport (
    CLASS_NORMAL, CLASS_PUBSUB, CLASS_REPLICA, CLIENT_DOOMED, Client, OutputLimit, client_bytes, client_doom,
    loop_close, loop_free, loop_listen, loop_new, loop_run, loop_stop,
    loop_unlisten, loop_wake)
from gapless.engine.reply cimport Reply, reply_error, reply_error_bytes, reply_free, reply_init, reply_object
from gapless.engine.secrets cimport arg_is_secret
from gapless.engine.transactions cimport (
    transactions_attach, transactions_detach, transactions_flushing, transactions_forget)

import gapless.engine

logger = logging.getLogger("gapless.engine")

cdef enum:
    ARGS_ON_STACK = 64
    SLOW_ARGS_MAX = 32
    SLOW_ARG_BYTES_MAX = 128
    SLOW_ENTRIES_MAX = 4096
    EXECUTIONS_PER_SLICE = 32

# A century: the last window has no end, and no average.
cdef uint64_t TTL_MS_SHOWN_MAX = 100 * 366 * 86400 * <uint64_t>1000

POLICIES = {
    "noeviction": 0,
    "allkeys-lru": 16 | 1,
    "allkeys-lfu": 16 | 2,
    "allkeys-random": 16 | 4,
    "volatile-lru": 1,
    "volatile-lfu": 2,
    "volatile-random": 4,
    "volatile-ttl": 8,
}

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


def own_process():
    """For a process that is a server and nothing else: large blocks of malloc go back to the system when they are freed."""
    client_memory_own_process()


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
                if self.engine is not None and self.engine.dispatch != NULL:
                    transactions_forget(self.engine.dispatch, self.at)
                    monitor_remove(self.engine.dispatch, self.at)
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
        if not 0 <= db < self.engine.keys.databases:
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
            "tot_mem": client_bytes(c),
            "net_in": c.bytes_in,
            "net_out": c.bytes_out,
            "commands": c.commands,
        }

    def kill(self, bint after_reply=False):
        """Closes the connection: at the end of this turn, or (after_reply) when its reply has been sent."""
        cdef Client* c
        self.engine.enter()
        try:
            if self.at == NULL:
                return
            c = <Client*>self.at.client
            if after_reply or c == NULL:
                self.at.flags |= SESSION_CLOSE_AFTER_REPLY
            else:
                client_doom(self.engine.loop, c)
                loop_wake(self.engine.loop)
        finally:
            self.engine.leave()

    def forget_transaction(self):
        """Drops MULTI's queue and all watched keys (RESET)."""
        self.engine.enter()
        transactions_forget(self.engine.dispatch, self.get())
        self.engine.leave()

    def monitor(self, bint on):
        """Whether it is shown every command (MONITOR)."""
        self.engine.enter()
        try:
            if on:
                monitor_add(self.engine.dispatch, self.get())
                self.get().flags |= SESSION_MONITOR
            else:
                monitor_remove(self.engine.dispatch, self.get())
                self.get().flags &= ~<uint32_t>SESSION_MONITOR
        finally:
            self.engine.leave()


cdef Session _view(Engine engine, SessionStruct* at):
    cdef Session view
    if at.python != NULL:
        return <Session>at.python
    view = Session.__new__(Session)
    view.at = at
    view.engine = engine
    at.python = <void*>view
    if at.client != NULL:
        # The session's own reference, given up by _on_close().
        Py_INCREF(view)
    return view


cdef void _on_close(SessionStruct* at) noexcept with gil:
    cdef Session view = <Session>at.python
    view.at = NULL
    at.python = NULL
    Py_DECREF(view)


cdef object _context_type = None
cdef object _command_error = None


cdef int _load_types() except -1:
    global _context_type, _command_error
    from gapless.commands.context import Context
    from gapless.commands.replies import CommandError
    _context_type = Context
    _command_error = CommandError
    return 0


cdef void _call_python(Call* call) noexcept with gil:
    cdef Engine engine = <Engine>call.engine
    cdef size_t before = call.reply.length
    cdef list args
    cdef int i
    cdef bytes text
    try:
        if _context_type is None:
            _load_types()
        args = [PyBytes_FromStringAndSize(<const char*>call.argv[i].data, call.argv[i].size) for i in range(call.argc)]
        value = (<object>call.command.python_handler)(
            _context_type(engine, engine.server, _view(engine, call.session)), args)
        reply_object(call.reply, value)
    except BaseException as error:
        call.reply.length = before
        if isinstance(error, _command_error if _command_error is not None else ()):
            text = str(error).encode("utf-8", "surrogateescape")
            reply_error_bytes(call.reply, <const uint8_t*>PyBytes_AS_STRING(text), PyBytes_GET_SIZE(text))
        elif isinstance(error, Exception):
            logger.exception("command %s failed", (<bytes>call.command.name).decode())
            reply_error(call.reply, b"ERR internal error")
        else:
            # KeyboardInterrupt, SystemExit: the loop ends, run() raises it.
            engine.failure = error
            loop_stop(engine.loop)


cdef void _on_slow(Call* call, uint64_t ticks) noexcept with gil:
    cdef Engine engine = <Engine>call.engine
    cdef double us = (ticks * engine.dispatch.ns_per_tick >> 24) / 1000.0
    cdef list args = []
    cdef int i
    cdef size_t n
    if engine.latency_us > 0 and us >= engine.latency_us:
        engine.latency_entries.append((time.time(), us / 1000.0, bool(call.command.flags & COMMAND_FAST)))
    if engine.slow_us < 0 or us < engine.slow_us:
        return
    for i in range(call.argc):
        if call.argc > SLOW_ARGS_MAX and i == SLOW_ARGS_MAX - 1:
            args.append(b"... (%d more arguments)" % (call.argc - SLOW_ARGS_MAX + 1))
            break
        n = call.argv[i].size
        if arg_is_secret(call, i):
            args.append(b"(redacted)")
        elif n > SLOW_ARG_BYTES_MAX:
            args.append(call.argv[i].data[:SLOW_ARG_BYTES_MAX] + b"... (%d more bytes)" % (n - SLOW_ARG_BYTES_MAX))
        else:
            args.append(call.argv[i].data[:n])
    view = _view(engine, call.session)
    engine.slow_entries.append((time.time(), int(us), args, view.addr, view.name))


cdef int _cron(void* at) noexcept with gil:
    cdef Engine engine = <Engine>at
    try:
        PyErr_CheckSignals()
        if engine.on_cron is not None:
            engine.on_cron()
    except Exception:
        logger.exception("the periodic task failed")
    except BaseException as error:
        engine.failure = error
        return 1
    return 0


cdef uint64_t _average_ttl_ms(Keyspace* ks):
    """Of the records with a TTL, from the windows their segments stand for: O(segments)."""
    cdef uint64_t records = 0, now = <uint64_t>ks.now_ms
    cdef double total = 0
    cdef uint32_t unit
    cdef Segment* segment
    for unit in range(1, ks.arena.high_water):
        segment = &ks.log.segments[unit]
        if segment.state != SEGMENT_FREE and now < segment.window < now + TTL_MS_SHOWN_MAX:
            records += segment.records_live
            total += segment.records_live * <double>(segment.window - now)
    return <uint64_t>(total / records) if records else 0


cdef class Engine:
    """One store: its keyspace, its commands, its sessions, its loop. Safe from several threads.

    Memory: reserves `address_bytes` of addresses, commits what the data needs, in segments of `segment_bytes`.
    """

    def __cinit__(self, uint32_t segment_bytes=1 << 20, uint64_t address_bytes=1 << 40, int databases=16, seed=None):
        self.keys = keyspace_new(segment_bytes, address_bytes, databases,
                                 int.from_bytes(os.urandom(8), "little") if seed is None else seed)
        if self.keys == NULL:
            raise MemoryError("the system refuses the address range")
        self.dispatch = dispatch_new(self.keys, <void*>self)
        self.dispatch.python = _call_python
        self.dispatch.on_slow = _on_slow
        transactions_attach(self.dispatch)
        self.loop = loop_new(self.dispatch, &self.lock)
        self.loop.on_close = _on_close
        self.slow_entries = deque(maxlen=SLOW_ENTRIES_MAX)
        self.latency_entries = deque(maxlen=SLOW_ENTRIES_MAX)
        self.slow_us = -1
        keyspace_tick(self.keys)

    def __dealloc__(self):
        if self.loop != NULL:
            loop_free(self.loop)
        if self.dispatch != NULL:
            transactions_detach(self.dispatch)
            dispatch_free(self.dispatch)
        if self.keys != NULL:
            keyspace_free(self.keys)

    def load_commands(self, commands):
        """Takes the command table; REQUIRED before the first command. ValueError names a handler that does not exist."""
        # Handlers register when their modules are imported. (pkgutil would list them too, at the price of a megabyte.)
        for file in sorted(os.listdir(gapless.engine.__path__[0])):
            if file.endswith(".so"):
                importlib.import_module("gapless.engine." + file.partition(".")[0])
        self.enter()
        try:
            dispatch_load(self.dispatch, commands)
            self.commands = commands
        finally:
            self.leave()

    def new_session(self, int protocol=2):
        """A session inside the process."""
        cdef Session view = Session.__new__(Session)
        view.engine = self
        view.at = <SessionStruct*>calloc(1, sizeof(SessionStruct))
        view.own_reply = <Reply*>calloc(1, sizeof(Reply))
        INVARIANT(view.at != NULL and view.own_reply != NULL)
        reply_init(view.own_reply)
        self.enter()
        self.dispatch.session_ids += 1
        view.at.id = self.dispatch.session_ids
        view.at.created_ms = view.at.active_ms = self.keys.now_ms
        self.leave()
        view.at.protocol = protocol
        view.at.flags = SESSION_EMBEDDED | SESSION_AUTHENTICATED | SESSION_LOCAL
        view.at.python = <void*>view
        return view

    def execute(self, Session session not None, args):
        """Runs one command for a session of new_session(); returns the reply as the protocol writes it.

        Arguments are bytes. Errors are replies. Empty when the session is to have no reply.
        """
        cdef Arg on_stack[ARGS_ON_STACK]
        cdef Arg* argv = on_stack
        cdef Call call
        cdef int argc = len(args), i = 0
        cdef Reply* reply = session.own_reply
        cdef bytes result
        if argc == 0:
            return b""
        if reply == NULL:
            raise ValueError("not a session inside the process")
        if argc > ARGS_ON_STACK:
            argv = <Arg*>malloc(argc * sizeof(Arg))
            INVARIANT(argv != NULL)
        try:
            call.size = 0
            for arg in args:
                argv[i].data = <const uint8_t*>PyBytes_AS_STRING(<bytes?>arg)
                argv[i].size = PyBytes_GET_SIZE(arg)
                call.size += argv[i].size
                i += 1
            self.enter()
            try:
                keyspace_tick(self.keys)
                self.dispatch.tick = clock_ticks()
                call.session = session.get()
                call.reply = reply
                call.argv = argv
                call.argc = argc
                call.command = dispatch_find(self.dispatch, argv, argc)
                call.hash = 0
                if call.command != NULL and 0 < call.command.key_first < argc:
                    i = call.command.key_first
                    call.hash = keyspace_hash(self.keys, argv[i].data, argv[i].size)
                dispatch_execute(self.dispatch, &call)
                result = PyBytes_FromStringAndSize(<const char*>reply.data, reply.length)
                reply.length = 0
                if reply.room > (1 << 16):
                    reply_free(reply)
                if self.running:
                    if self.loop.touched != NULL:
                        loop_wake(self.loop)
                else:
                    self.executions += 1
                    if self.executions % EXECUTIONS_PER_SLICE == 0:
                        keyspace_background(self.keys, self.loop.slice_ns, False)
            finally:
                self.leave()
        finally:
            if argv != on_stack:
                free(argv)
        return result

    # ---- the loop

    def listen(self, fds):
        """Serves these listening sockets, by descriptor; the engine owns them from now on."""
        for fd in fds:
            os.set_blocking(fd, False)
            if loop_listen(self.loop, fd) < 0:
                raise OSError(f"can't listen on descriptor {fd}")

    def unlisten(self, fds):
        """Closes listening sockets given to listen(); connections stay."""
        self.enter()
        try:
            for fd in fds:
                loop_unlisten(self.loop, fd)
        finally:
            self.leave()

    def run(self):
        """Runs the loop until stop(); raises what a signal handler or on_cron raised (KeyboardInterrupt, SystemExit)."""
        if self.running:
            raise RuntimeError("the loop runs already")
        self.failure = None
        self.running = True
        self.loop.cron = NULL
        if self.on_cron is not None or threading.current_thread() is threading.main_thread():
            self.loop.cron = _cron
        try:
            with nogil:
                loop_run(self.loop)
        finally:
            self.running = False
        if self.failure is not None:
            failure, self.failure = self.failure, None
            raise failure

    def stop(self):
        """Ends run() after the turn; may be called from a handler, a signal handler or another thread."""
        loop_stop(self.loop)

    def close(self):
        """Closes all connections and listening sockets at once; REQUIRED: run() has ended."""
        self.enter()
        try:
            loop_close(self.loop)
        finally:
            self.leave()

    def clients(self):
        """The sessions of all clients, oldest first."""
        cdef Client* c
        cdef list found = []
        self.enter()
        try:
            c = self.loop.first
            while c != NULL:
                if not c.state & CLIENT_DOOMED:
                    found.append(_view(self, &c.session))
                c = c.next
        finally:
            self.leave()
        found.reverse()
        return found

    def kill(self, uint64_t session_id):
        """Closes the client with this number; False when there is none."""
        for session in self.clients():
            if session.id == session_id:
                session.kill()
                return True
        return False

    def pause(self, int64_t ms, bint all):
        """Holds back clients' commands for so long: all, or only those that write."""
        self.enter()
        if self.loop.pause_until_ms <= self.keys.now_ms:
            # The one before is over.
            self.loop.pause_all = False
        self.loop.pause_until_ms = max(self.loop.pause_until_ms, self.keys.now_ms + ms)
        self.loop.pause_all = all or self.loop.pause_all
        self.leave()

    def unpause(self):
        """Lets all clients go on."""
        self.enter()
        self.loop.pause_until_ms = 0
        self.loop.pause_all = False
        self.leave()
        loop_wake(self.loop)

    # ---- databases, for handlers in Python

    def flush(self, db=None):
        """Empties a database, or all; O(1), the memory follows in slices."""
        self.enter()
        try:
            transactions_flushing(self.dispatch, -1 if db is None else db, -1)
            if db is None:
                keyspace_flush_all(self.keys)
            else:
                keyspace_flush(self.keys, db)
        finally:
            self.leave()

    def swap(self, int a, int b):
        """Swaps two databases; O(1)."""
        self.enter()
        try:
            transactions_flushing(self.dispatch, a, b)
            keyspace_swap(self.keys, a, b)
        finally:
            self.leave()

    @property
    def database_count(self):
        """How many databases there are."""
        return self.keys.databases

    def size(self, int db):
        """Keys in a database, those included that have expired but not yet been deleted."""
        return keyspace_size(self.keys, db)

    def databases(self):
        """(number, keys, keys with a TTL) of every database that has keys."""
        cdef int db
        self.enter()
        try:
            return [(db, keyspace_size(self.keys, db), keyspace_size_with_ttl(self.keys, db))
                    for db in range(self.keys.databases) if keyspace_size(self.keys, db)]
        finally:
            self.leave()

    def background(self, int64_t budget_us=200, bint idle=True):
        """One slice of background work; microseconds used, 0 when there was nothing to do."""
        cdef int64_t used
        self.enter()
        keyspace_tick(self.keys)
        used = keyspace_background(self.keys, budget_us * 1000, idle)
        self.leave()
        return used / 1000

    def check(self):
        """Verifies every invariant by walking all of the store; None when all is well, else what is wrong."""
        cdef const char* wrong
        self.enter()
        wrong = keyspace_check(self.keys)
        self.leave()
        return None if wrong == NULL else (<bytes>wrong).decode()

    # ---- settings

    @property
    def maxmemory(self):
        """Bytes the process may take; 0: no limit."""
        return self.keys.maxmemory

    @maxmemory.setter
    def maxmemory(self, uint64_t n):
        self.keys.maxmemory = n

    def set_policy(self, str name):
        """Which keys go when memory is full, by Redis's names."""
        self.keys.policy = POLICIES[name]

    def set_output_limit(self, str kind, uint64_t hard_bytes, uint64_t soft_bytes, int64_t soft_seconds):
        """Output buffer limits of a class of clients: normal, replica or pubsub; 0: none."""
        cdef int which = {"normal": CLASS_NORMAL, "replica": CLASS_REPLICA, "slave": CLASS_REPLICA,
                          "pubsub": CLASS_PUBSUB}[kind]
        self.loop.output_limits[which] = OutputLimit(hard_bytes, soft_bytes, soft_seconds * 1000)

    cdef void _set_slow(self):
        cdef double us = -1
        if self.slow_us >= 0:
            us = self.slow_us
        if self.latency_us > 0 and (us < 0 or self.latency_us < us):
            us = self.latency_us
        self.dispatch.slow_ticks = ~<uint64_t>0
        if us >= 0:
            self.dispatch.slow_ticks = <uint64_t>(us * 1000.0 * (1 << 24) / self.dispatch.ns_per_tick)

    def configure(self, **settings):
        """Sets numbers of the compiled part by name; ValueError for a name it does not have.

        maxmemory (bytes), maxmemory_policy, lfu_log_factor, lfu_decay_time (minutes), active_expire, active_defrag,
        slice_us, slowlog_log_slower_than (us, negative: off), latency_monitor_threshold (ms, 0: off), maxclients, timeout (s),
        tcp_keepalive (s), proto_max_bulk_len, client_query_buffer_limit, protected_mode, password_required,
        maxmemory_clients (bytes), debug_command (no, local, yes), holes_start, holes_full, holes_idle (thousandths),
        clock_ms (tests: the time; 0: the real one).
        """
        self.enter()
        try:
            for name, value in settings.items():
                self._configure(name, value)
        finally:
            self.leave()

    cdef int _configure(self, str name, value) except -1:
        if name == "maxmemory":
            self.keys.maxmemory = value
        elif name == "maxmemory_policy":
            self.set_policy(value)
        elif name == "lfu_log_factor":
            self.keys.lfu_log_factor = value
        elif name == "lfu_decay_time":
            self.keys.lfu_decay_minutes = value
        elif name == "active_expire":
            self.keys.active_expire = value
        elif name == "active_defrag":
            self.keys.active_defrag = value
        elif name == "holes_start":
            self.keys.cleaner.holes_start = value
        elif name == "holes_full":
            self.keys.cleaner.holes_full = value
        elif name == "holes_idle":
            self.keys.cleaner.holes_idle = value
        elif name == "slice_us":
            self.loop.slice_ns = value * 1000
        elif name == "slowlog_log_slower_than":
            self.slow_us = value
            self._set_slow()
        elif name == "latency_monitor_threshold":
            self.latency_us = value * 1000.0
            self._set_slow()
        elif name == "maxclients":
            self.loop.clients_max = value
        elif name == "timeout":
            self.loop.timeout_ms = value * 1000
        elif name == "tcp_keepalive":
            self.loop.keepalive_seconds = value
        elif name == "proto_max_bulk_len":
            self.loop.limits.bulk_bytes_max = value
            self.dispatch.bulk_bytes_max = value
        elif name == "client_query_buffer_limit":
            self.loop.query_bytes_max = value
        elif name == "protected_mode":
            self.loop.protected_mode = value
        elif name == "password_required":
            self.dispatch.password_required = value
        elif name == "maxmemory_clients":
            self.loop.clients_bytes_max = value
        elif name == "debug_command":
            self.dispatch.protected_allowed = {"no": ALLOWED_NOBODY, "local": ALLOWED_LOCAL, "yes": ALLOWED_ALL}[value]
        elif name == "clock_ms":
            self.keys.clock_override_ms = value
        else:
            raise ValueError(f"no such setting: {name}")
        return 0

    # ---- statistics

    def stats(self):
        """Every counter of the engine, by name: bytes, keys, ns and times since the start, as the name says."""
        cdef Keyspace* ks = self.keys
        cdef int db
        cdef uint64_t keys = 0, buckets = 0, overflow = 0, bytes_index = 0
        cdef uint64_t input_max = 0, output_max = 0
        cdef uint32_t expired = 0, watching = 0, unit
        cdef Client* c
        self.enter()
        try:
            found = dict(ks.stats)
            for name, value in dict(ks.cleaner).items():
                found["cleaner_" + name] = value
            for name, value in dict(self.loop.stats).items():
                found["loop_" + name] = value
            for db in range(ks.databases):
                if ks.index[db] != NULL:
                    keys += ks.index[db].keys
                    buckets += ks.index[db].bucket_count
                    overflow += ks.index[db].overflow_count
                    bytes_index += index_bytes(ks.index[db])
            c = self.loop.first
            while c != NULL:
                input_max = max(input_max, c.query_room)
                output_max = max(output_max, c.reply.room)
                watching += c.session.watched_count > 0
                c = c.next
            unit = ks.log.expired_first
            while unit != 0:
                expired += 1
                unit = ks.log.segments[unit].next
            found.update(
                log_segments_expired=expired, ttl_ms_average=_average_ttl_ms(ks), clients_watching=watching,
                client_input_bytes_max=input_max, client_output_bytes_max=output_max,
                keys=keys, index_buckets=buckets, index_overflow_buckets=overflow, index_bytes=bytes_index,
                bytes_committed=keyspace_committed(ks), maxmemory=ks.maxmemory, policy=ks.policy, memory_base=ks.memory_base,
                watchers=ks.watchers, retired=ks.retired_count, now_ms=ks.now_ms,
                log_bytes_live=ks.log.bytes_live, log_bytes_written=ks.log.bytes_written,
                log_records_live=ks.log.records_live, log_segments_used=ks.log.segments_used,
                log_segments_open=ks.log.segments_open, log_segment_bytes=ks.log.segment_bytes,
                log_bytes_appended=ks.log.bytes_appended, log_bytes_moved=ks.log.bytes_moved,
                log_reserve=ks.log.reserve,
                arena_units=ks.arena.units, arena_units_used=ks.arena.units_used,
                arena_high_water=ks.arena.high_water, arena_free=ks.arena.free_count,
                arena_cached=ks.arena.cached_count, arena_unit_bytes=ks.arena.unit_bytes,
                arena_bytes_given_back=ks.arena.bytes_given_back,
                extents_bytes_committed=ks.extents.bytes_committed, extents_count=ks.extents.count,
                extents_bytes_dead=ks.extents.bytes_dead,
                commands=self.dispatch.calls, errors=self.dispatch.errors,
                clients=self.loop.client_count, client_bytes=self.loop.buffer_bytes,
                resident_bytes=self.loop.resident_bytes, resident_bytes_peak=self.loop.resident_peak,
                monitors=self.dispatch.monitor_count)
            return found
        finally:
            self.leave()

    def purge(self):
        """Gives memory that is kept for the next writes back to the system; O(bytes given back)."""
        self.enter()
        arena_trim(self.keys.arena, 0, self.keys.arena.cached_count)
        extents_reclaim(self.keys.extents, self.keys.extents.bytes_dead)
        self.leave()

    def error_stats(self):
        """Error replies by their first word."""
        cdef int i
        return {(<bytes>self.dispatch.error_counts[i].kind).decode("latin-1"): self.dispatch.error_counts[i].count
                for i in range(self.dispatch.error_kinds)}

    def command_stats(self):
        """{name: (calls, microseconds, rejected, failed)} of the commands that were called or rejected."""
        cdef uint32_t i
        cdef Command* c
        cdef dict found = {}
        self.enter()
        try:
            for i in range(self.dispatch.command_count):
                c = &self.dispatch.commands[i]
                if c.calls or c.rejected:
                    found[(<bytes>c.name).decode()] = (
                        c.calls, (c.ticks * <double>self.dispatch.ns_per_tick / (1 << 24)) / 1000.0, c.rejected, c.failed)
        finally:
            self.leave()
        return found

    def latency_histogram(self, str name):
        """(calls, {microseconds: calls that took at most so long}) of a command; the buckets are powers of two."""
        cdef uint32_t i
        cdef int at
        cdef Command* c
        cdef dict found = {}
        cdef uint64_t total = 0
        cdef bytes text = name.encode()
        for i in range(self.dispatch.command_count):
            c = &self.dispatch.commands[i]
            if <bytes>c.name != text:
                continue
            for at in range(LATENCY_BUCKETS):
                if c.latency[at]:
                    total += c.latency[at]
                    found[((<uint64_t>1024 << at) * 129 // 128) // 1000] = total
            return total, found
        return 0, {}

    def reset_stats(self):
        """CONFIG RESETSTAT: command statistics, latency histograms, errors, hits, misses, traffic."""
        cdef uint32_t i
        cdef Command* c
        self.enter()
        for i in range(self.dispatch.command_count):
            c = &self.dispatch.commands[i]
            c.calls = c.ticks = c.failed = c.rejected = 0
            for at in range(LATENCY_BUCKETS):
                c.latency[at] = 0
        self.dispatch.calls = self.dispatch.errors = 0
        self.dispatch.error_kinds = 0
        self.keys.stats.hits = self.keys.stats.misses = self.keys.stats.expired = self.keys.stats.evicted = 0
        self.loop.stats.connections = self.loop.stats.connections_rejected = 0
        self.loop.stats.bytes_in = self.loop.stats.bytes_out = 0
        self.loop.stats.reads = self.loop.stats.writes = 0
        self.loop.stats.longest_turn_ns = self.loop.stats.longest_slice_ns = 0
        self.leave()

    def slowlog_take(self):
        """The slow commands since the last time: (time in s, microseconds, arguments, address, client's name)."""
        taken = list(self.slow_entries)
        self.slow_entries.clear()
        return taken

    def latency_take(self):
        """Commands over latency_monitor_threshold since the last time: (time in s, ms, whether it is flagged fast)."""
        taken = list(self.latency_entries)
        self.latency_entries.clear()
        return taken
