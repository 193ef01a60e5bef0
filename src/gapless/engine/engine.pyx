"""The engine as Python holds it. See engine.pxd."""
import importlib
import logging
import os
import threading

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.exc cimport PyErr_CheckSignals
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport free, malloc
from gapless.engine.arena cimport arena_trim
from gapless.engine.base cimport INVARIANT, clock_ticks
from gapless.engine.blocked cimport blocked_abandon, blocked_attach, blocked_detach, blocked_serve, blocked_unblock
from gapless.engine.call cimport SESSION_BLOCKED, Arg, Call
from gapless.engine.client cimport CLIENT_DOOMED, Client
from gapless.engine.commit cimport commit
from gapless.engine.client_memory cimport client_memory_own_process
from gapless.engine.dispatch cimport dispatch_execute, dispatch_find, dispatch_free, dispatch_load, dispatch_new
from gapless.engine.extent cimport extents_reclaim
from gapless.engine.forest cimport forest_reclaim
from gapless.engine.hash_value cimport hash_expire_fields
from gapless.engine.journal cimport SYNC_ALWAYS, journal_await, journal_free, journal_new, journal_settled
from gapless.engine.keyspace cimport (
    DATABASES_MAX, keyspace_background, keyspace_check, keyspace_free, keyspace_hash, keyspace_new, keyspace_size,
    keyspace_size_with_field_ttl, keyspace_size_with_ttl, keyspace_tick,
)
from gapless.engine.keyspace_flush cimport keyspace_flush, keyspace_flush_all, keyspace_swap
from gapless.engine.lock cimport lock_share, lock_unshare
from gapless.engine.loop cimport (
    loop_close, loop_free, loop_listen, loop_new, loop_run, loop_stop, loop_unlisten, loop_wake)
from gapless.engine.pages cimport pages_trim
from gapless.engine.reply cimport Reply, reply_error, reply_error_bytes, reply_free, reply_object
from gapless.engine.session cimport Session, session_ended, session_new, session_view
from gapless.engine.settings cimport settings_output_limit, settings_policy, settings_set
from gapless.engine.slow_commands cimport SlowCommands
from gapless.engine.statistics cimport (
    statistics_commands, statistics_counters, statistics_errors, statistics_latency, statistics_reset)
from gapless.engine.transactions cimport transactions_attach, transactions_detach, transactions_flushing

import gapless.engine
from gapless.errors import JournalError

logger = logging.getLogger("gapless.engine")

cdef enum:
    PURGE_PAGES = 1 << 16
    ARGS_ON_STACK = 64
    EXECUTIONS_PER_SLICE = 32


def own_process():
    """For a process that is a server and nothing else: large blocks of malloc go back to the system when they are freed."""
    client_memory_own_process()


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
            _context_type(engine, engine.server, session_view(engine, engine.loop, call.session)), args)
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
            if engine.running:
                loop_stop(engine.loop)


cdef void _on_slow(Call* call, uint64_t ticks) noexcept with gil:
    (<Engine>call.engine).slow.note(call, ticks)


cdef void _on_settled(void* at) noexcept nogil:
    cdef Loop* loop = <Loop*>at
    if loop.clients.held != NULL or loop.dispatch.journal.mark_due:
        loop_wake(loop)


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


cdef class Engine:
    """One store: its keyspace, its commands, its sessions, its loop. Safe from several threads.

    Memory: reserves `address_bytes` of addresses, commits what the data needs, in segments of `segment_bytes`.
    """

    def __cinit__(self, uint32_t segment_bytes=1 << 20, uint64_t address_bytes=1 << 40, int databases=16, seed=None):
        if not 1 <= databases <= DATABASES_MAX:
            raise ValueError(f"databases must be from 1 to {DATABASES_MAX}, not {databases}")
        self.keys = keyspace_new(segment_bytes, address_bytes, databases,
                                 int.from_bytes(os.urandom(8), "little") if seed is None else seed)
        if self.keys == NULL:
            raise MemoryError("the system refuses the address range")
        self.keys.fields.expire = hash_expire_fields
        self.dispatch = dispatch_new(self.keys, <void*>self)
        self.dispatch.journal = journal_new(self.keys)
        self.dispatch.python = _call_python
        self.dispatch.on_slow = _on_slow
        blocked_attach(self.dispatch)
        transactions_attach(self.dispatch)
        self.loop = loop_new(self.dispatch, &self.lock)
        self.loop.clients.on_close = session_ended
        self.dispatch.journal.on_settled = _on_settled
        self.dispatch.journal.on_settled_context = <void*>self.loop
        self.slow = SlowCommands()
        self.slow.dispatch = self.dispatch
        keyspace_tick(self.keys)

    def __dealloc__(self):
        if self.loop != NULL:
            self.dispatch.journal.on_settled = NULL
            loop_free(self.loop)
        if self.dispatch != NULL:
            transactions_detach(self.dispatch)
            blocked_detach(self.dispatch)
            journal_free(self.dispatch.journal)
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

    cdef uint64_t commit_batch(self) noexcept:
        cdef uint64_t batch = self.dispatch.journal.batch
        if commit(self.dispatch) or self.dispatch.journal.policy == SYNC_ALWAYS or self.dispatch.journal.sync_errno:
            return batch
        return 0

    cdef int settle(self, uint64_t batch) except -1:
        cdef int failed = self.dispatch.journal.write_errno
        if not failed and journal_settled(self.dispatch.journal) < batch:
            with nogil:
                failed = journal_await(self.dispatch.journal, batch)
        if failed:
            raise JournalError(f"the change is in memory only, and will be written when it can be: {os.strerror(failed)}")
        return 0

    cdef void serve_blocked(self) noexcept:
        keyspace_tick(self.keys)
        blocked_serve(self.dispatch)
        if self.running and self.loop.clients.touched != NULL:
            loop_wake(self.loop)

    def new_session(self, int protocol=2):
        """A session inside the process."""
        return session_new(self, self.loop, protocol)

    cdef int run_command(self, Session session, Command* row, Arg* argv, int argc) except -1:
        cdef Call call
        cdef Reply* reply = session.own_reply
        cdef int i
        if reply == NULL:
            raise ValueError("not a session inside the process")
        if session.get().flags & SESSION_BLOCKED:
            raise RuntimeError("the session waits for the reply to a command")
        reply.length = 0
        keyspace_tick(self.keys)
        self.dispatch.tick = clock_ticks()
        call.session = session.get()
        call.reply = reply
        call.argv = argv
        call.argc = argc
        call.size = 0
        for i in range(argc):
            call.size += argv[i].size
        call.command = row if row != NULL else dispatch_find(self.dispatch, argv, argc)
        call.hash = 0
        if call.command != NULL and 0 < call.command.key_first < argc:
            i = call.command.key_first
            call.hash = keyspace_hash(self.keys, argv[i].data, argv[i].size)
        dispatch_execute(self.dispatch, &call)
        if self.running:
            if self.loop.clients.touched != NULL:
                loop_wake(self.loop)
        else:
            self.executions += 1
            if self.executions % EXECUTIONS_PER_SLICE == 0:
                keyspace_background(self.keys, self.loop.slice_ns, False)
        return 0

    def execute(self, Session session not None, args):
        """Runs one command for a session of new_session(); returns the reply as the protocol writes it.

        Arguments are bytes. Errors are replies. Empty when the session is to have no reply, and when the command waits (Session.blocked): then
        Session.wait() has the reply.
        """
        cdef Arg on_stack[ARGS_ON_STACK]
        cdef Arg* argv = on_stack
        cdef int argc = len(args), i = 0
        cdef bytes result
        if argc == 0:
            return b""
        if argc > ARGS_ON_STACK:
            argv = <Arg*>malloc(argc * sizeof(Arg))
            INVARIANT(argv != NULL)
        try:
            for arg in args:
                argv[i].data = <const uint8_t*>PyBytes_AS_STRING(<bytes?>arg)
                argv[i].size = PyBytes_GET_SIZE(arg)
                i += 1
            self.enter()
            try:
                self.run_command(session, NULL, argv, argc)
                result = PyBytes_FromStringAndSize(<const char*>session.own_reply.data, session.own_reply.length)
                if session.own_reply.room > (1 << 16):
                    reply_free(session.own_reply)
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
        lock_share(&self.lock)
        try:
            with nogil:
                loop_run(self.loop)
        finally:
            lock_unshare(&self.lock)
            self.running = False
        if self.failure is not None:
            failure, self.failure = self.failure, None
            raise failure

    def stop(self):
        """Ends run() after the turn, or the next one before its first; may be called from a handler, a signal handler or
        another thread.
        """
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
            c = self.loop.clients.first
            while c != NULL:
                if not c.state & CLIENT_DOOMED:
                    found.append(session_view(self, self.loop, &c.session))
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

    def unblock(self, uint64_t session_id, bint error=False):
        """Ends the waiting of a blocked session, as after a timeout or with an error; False: it does not wait."""
        cdef bint found
        self.enter()
        found = blocked_unblock(self.dispatch, session_id, error)
        self.leave()
        return found

    def abandon_blocked(self):
        """Ends the waiting of all sessions inside the process, without a reply: for the end of a store."""
        self.enter()
        blocked_abandon(self.dispatch)
        self.leave()

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
        """(number, keys, keys with a TTL, hashes with a TTL of fields) of every database that has keys."""
        cdef int db
        self.enter()
        try:
            return [(db, keyspace_size(self.keys, db), keyspace_size_with_ttl(self.keys, db), keyspace_size_with_field_ttl(self.keys, db))
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
        settings_policy(self.keys, name)

    def set_output_limit(self, str kind, uint64_t hard_bytes, uint64_t soft_bytes, int64_t soft_seconds):
        """Output buffer limits of a class of clients: normal, replica or pubsub; 0: none."""
        settings_output_limit(self.loop, kind, hard_bytes, soft_bytes, soft_seconds)

    def configure(self, **settings):
        """Sets numbers of the compiled part by name; ValueError for a name it does not have.

        maxmemory (bytes), maxmemory_policy, lfu_log_factor, lfu_decay_time (minutes), active_expire, active_defrag,
        slice_us, slowlog_log_slower_than (us, negative: off), latency_monitor_threshold (ms, 0: off), maxclients, timeout (s),
        tcp_keepalive (s), proto_max_bulk_len, client_query_buffer_limit, protected_mode, password_required,
        maxmemory_clients (bytes), loading (only commands that may run meanwhile),
        debug_command (no, local, yes), holes_start, holes_full, holes_idle (thousandths), holes_bytes_min,
        ordered_keys, clock_ms (tests: the time; 0: the real one).
        """
        self.enter()
        try:
            for name, value in settings.items():
                settings_set(self.loop, self.slow, name, value)
        finally:
            self.leave()

    def refuse_writes(self, str error):
        """From now on commands that write are refused with this error reply; None: they may again."""
        self.enter()
        self.writes_refused = None if error is None else error.encode()
        self.dispatch.writes_refused = NULL if error is None else PyBytes_AS_STRING(self.writes_refused)
        self.leave()

    # ---- statistics

    @property
    def dirty(self):
        """Changes of keys since the start."""
        return self.keys.stats.dirty

    @property
    def calls(self):
        """Commands executed since the start, or CONFIG RESETSTAT."""
        return self.dispatch.calls

    def stats(self, bint walk=True):
        """Every counter of the engine, by name: bytes, keys, ns and times since the start, as the name says.

        walk: those too that take a walk over all clients and segments (else 0).
        """
        self.enter()
        try:
            return statistics_counters(self.loop, walk)
        finally:
            self.leave()

    def error_stats(self):
        """Error replies by their first word."""
        self.enter()
        try:
            return statistics_errors(self.dispatch)
        finally:
            self.leave()

    def command_stats(self):
        """{name: (calls, microseconds, rejected, failed)} of the commands that were called or rejected."""
        self.enter()
        try:
            return statistics_commands(self.dispatch)
        finally:
            self.leave()

    def latency_histogram(self, str name):
        """(calls, {microseconds: calls that took at most so long}) of a command; the buckets are powers of two."""
        self.enter()
        try:
            return statistics_latency(self.dispatch, name.encode())
        finally:
            self.leave()

    def reset_stats(self):
        """CONFIG RESETSTAT: command statistics, latency histograms, errors, hits, misses, traffic."""
        self.enter()
        statistics_reset(self.loop)
        self.leave()

    def slowlog_take(self):
        """The slow commands since the last time: (time in s, microseconds, arguments, address, client's name)."""
        taken = list(self.slow.slow)
        self.slow.slow.clear()
        return taken

    def latency_take(self):
        """Commands over latency_monitor_threshold since the last time: (time in s, ms, whether it is flagged fast)."""
        taken = list(self.slow.late)
        self.slow.late.clear()
        return taken

    def purge(self):
        """Gives memory that is kept for the next writes back to the system; O(bytes given back)."""
        self.enter()
        arena_trim(self.keys.arena, 0, ~<uint64_t>0)
        while forest_reclaim(self.keys.forest, PURGE_PAGES):
            pass
        extents_reclaim(self.keys.extents, self.keys.extents.bytes_dead)
        pages_trim(self.keys.forest.pages, 0, ~<uint32_t>0)
        self.leave()
