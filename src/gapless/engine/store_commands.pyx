"""Commands inside the process. See store_commands.pxd.

A method is here when it is called often on one element; the others, and the rarer forms of these, are redis-py's own functions, which end in
execute_command(). Both run the same handlers.
"""
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.stdint cimport int64_t, uint8_t
from libc.stdlib cimport free, malloc
from libc.string cimport memchr
from gapless.engine.base cimport INVARIANT, likely, parse_int64, unlikely
from gapless.engine.call cimport SESSION_BLOCKED, Command
from gapless.engine.engine cimport Engine
from gapless.engine.reply cimport Reply, reply_free
from gapless.engine.session cimport Session
from gapless.engine.store_access cimport Text, error_of, text_of

from gapless.errors import GaplessError

cdef enum:
    ARGS_ON_STACK = 32
    REPLY_ROOM_KEPT = 1 << 16


# ---- replies

cdef object read_value(const uint8_t** at, const uint8_t* stop):
    """The RESP2 reply at `at`, which moves behind it. An error is an exception, not raised."""
    cdef const uint8_t* line = at[0] + 1
    cdef const uint8_t* end = <const uint8_t*>memchr(line, c'\r', stop - line)
    cdef uint8_t kind = at[0][0]
    cdef int64_t n = 0, _i
    cdef list items
    at[0] = end + 2
    if kind == c'+':
        return PyBytes_FromStringAndSize(<const char*>line, end - line)
    if kind == c'-':
        return error_of(PyBytes_FromStringAndSize(<const char*>line, end - line).decode("utf-8", "replace"))
    INVARIANT(parse_int64(line, end - line, &n))
    if kind == c':':
        return n
    if n < 0:
        return None
    if kind == c'$':
        at[0] += n + 2
        return PyBytes_FromStringAndSize(<const char*>end + 2, n)
    INVARIANT(kind == c'*')
    items = []
    for _i in range(n):
        items.append(read_value(at, stop))
    return items


cdef object read_reply(Reply* reply):
    cdef const uint8_t* at = reply.data
    cdef Reply taken
    cdef object value
    if reply.length == 0:
        return None
    if likely(at[0] != c'*'):
        value = read_value(&at, at + reply.length)
    else:
        # Making lists may run the collector, and with it code that uses this session.
        taken = reply[0]
        reply.data = NULL
        reply.length = reply.room = 0
        try:
            value = read_value(&at, at + taken.length)
        finally:
            reply_free(&taken)
    if unlikely(reply.room > REPLY_ROOM_KEPT):
        reply_free(reply)
    if unlikely(isinstance(value, GaplessError)):
        raise value
    return value


cdef inline void set_word(Text* arg, bytes word) noexcept:
    arg.data = <const uint8_t*>PyBytes_AS_STRING(word)
    arg.size = <size_t>PyBytes_GET_SIZE(word)


cdef object redis_py():
    """redis-py's client class: its methods run on whatever has execute_command()."""
    from redis import Redis
    return Redis


cdef class StoreCommands(StoreStrings):
    """Commands by name, and the methods of collections that are called most."""

    cdef int open_session(self) except -1:
        self.prepare()
        self.session = (<Engine?>self.engine).new_session()
        return 0

    cdef object run(self, Text* argv, int argc):
        return self.run_row(NULL, argv, argc)

    cdef object run_row(self, Command* row, Text* argv, int argc):
        cdef Session session
        self.enter()
        try:
            if unlikely(self.session is None):
                self.open_session()
            session = self.session
            session.at.db = self.database
            self.engine.run_command(session, row, argv, argc)
            self.database = session.at.db
            if likely(not session.at.flags & SESSION_BLOCKED):
                return read_reply(session.own_reply)
            # It waits with the session, and others get one of their own.
            self.session = None
        finally:
            self.leave()
        session.await_reply(-1)
        self.enter()
        try:
            if self.session is None:
                self.session = session
            return read_reply(session.own_reply)
        finally:
            self.leave()

    cdef object run_key(self, bytes command, object name):
        cdef Text[2] argv
        set_word(&argv[0], command)
        name = text_of(name, &argv[1])
        return self.run(argv, 2)

    cdef object run_pair(self, bytes command, object name, object value):
        cdef Text[3] argv
        set_word(&argv[0], command)
        name = text_of(name, &argv[1])
        value = text_of(value, &argv[2])
        return self.run(argv, 3)

    cdef object run_values(self, bytes command, object name, tuple values):
        if likely(len(values) == 1):
            return self.run_pair(command, name, values[0])
        return StoreCommands.execute(self, command, name, *values)

    def execute(self, *args):
        """Run any command; what it replies, as bytes, int, list or None. ResponseError when it is refused.

        All threads share one session: for transactions use `pipeline()` or `redis()`.
        """
        cdef Text[ARGS_ON_STACK] on_stack
        cdef Text* argv = on_stack
        cdef Py_ssize_t argc = len(args), i
        cdef list held = None
        cdef object kept
        if argc == 0:
            raise TypeError("execute() takes a command and its arguments, as in execute('OBJECT', 'FREQ', 'key')")
        if argc > ARGS_ON_STACK:
            argv = <Text*>malloc(argc * sizeof(Text))
            INVARIANT(argv != NULL)
        try:
            for i in range(argc):
                kept = text_of(args[i], &argv[i])
                if kept is not args[i]:
                    if held is None:
                        held = []
                    held.append(kept)
            return self.run(argv, <int>argc)
        finally:
            if argv != on_stack:
                free(argv)

    # ---- hashes

    def hget(self, name, key):
        """The value of a field, or None."""
        return self.run_pair(b"HGET", name, key)

    def hset(self, name, key=None, value=None, mapping=None, items=None):
        """Sets fields; how many are new."""
        cdef Text[4] argv
        if key is None or mapping is not None or items:
            return redis_py().hset(self, name, key, value, mapping, items)
        set_word(&argv[0], b"HSET")
        name = text_of(name, &argv[1])
        key = text_of(key, &argv[2])
        value = text_of(value, &argv[3])
        return self.run(argv, 4)

    def hdel(self, name, *keys):
        """Deletes fields; how many were there."""
        return self.run_values(b"HDEL", name, keys)

    def hexists(self, name, key):
        """Whether the field is there."""
        return self.run_pair(b"HEXISTS", name, key) == 1

    def hlen(self, name):
        """How many fields there are."""
        return self.run_key(b"HLEN", name)

    # ---- sets

    def sadd(self, name, *values):
        """Adds members; how many are new."""
        return self.run_values(b"SADD", name, values)

    def srem(self, name, *values):
        """Removes members; how many were there."""
        return self.run_values(b"SREM", name, values)

    def sismember(self, name, value):
        """1 when it is a member, else 0."""
        return self.run_pair(b"SISMEMBER", name, value)

    def scard(self, name):
        """How many members there are."""
        return self.run_key(b"SCARD", name)

    # ---- sorted sets

    def zadd(self, name, mapping, bint nx=False, bint xx=False, bint ch=False, bint incr=False, gt=False, lt=False):
        """Sets the scores of members, from a mapping; how many are new."""
        cdef Text[4] argv
        cdef object score, member
        if len(mapping) != 1 or nx or xx or ch or incr or gt or lt:
            return redis_py().zadd(self, name, mapping, nx, xx, ch, incr, gt, lt)
        (member, score), = mapping.items()
        set_word(&argv[0], b"ZADD")
        name = text_of(name, &argv[1])
        score = text_of(score, &argv[2])
        member = text_of(member, &argv[3])
        return self.run(argv, 4)

    def zscore(self, name, value):
        """The score of a member, or None."""
        cdef object score = self.run_pair(b"ZSCORE", name, value)
        return None if score is None else float(score)

    def zrem(self, name, *values):
        """Removes members; how many were there."""
        return self.run_values(b"ZREM", name, values)

    def zcard(self, name):
        """How many members there are."""
        return self.run_key(b"ZCARD", name)

    # ---- lists

    def lpush(self, name, *values):
        """Puts values before the first; how many there are then."""
        return self.run_values(b"LPUSH", name, values)

    def rpush(self, name, *values):
        """Puts values behind the last; how many there are then."""
        return self.run_values(b"RPUSH", name, values)

    def lpop(self, name, count=None):
        """Takes the first value, or a list of the first `count`; None when there is none."""
        return self.run_key(b"LPOP", name) if count is None else self.run_pair(b"LPOP", name, count)

    def rpop(self, name, count=None):
        """Takes the last value, or a list of the last `count`; None when there is none."""
        return self.run_key(b"RPOP", name) if count is None else self.run_pair(b"RPOP", name, count)

    def lindex(self, name, index):
        """The value at a position, from the end when it is negative; None beyond."""
        return self.run_pair(b"LINDEX", name, index)

    def llen(self, name):
        """How many values there are."""
        return self.run_key(b"LLEN", name)
