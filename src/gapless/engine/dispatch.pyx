"""From the name of a command to its handler. See dispatch.pxd."""
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t, uintptr_t
from libc.stdio cimport snprintf
from libc.stdlib cimport calloc, free, realloc
from libc.string cimport memcmp, memcpy, strlen
from gapless.engine.base cimport INVARIANT, clock_monotonic_ns, clock_ticks, likely, unlikely
from gapless.engine.call cimport (
    ALLOWED_ALL, ALLOWED_LOCAL, COMMAND_ADMIN, COMMAND_BLOCKING, COMMAND_DENYOOM, COMMAND_FAST, COMMAND_LOADING, COMMAND_NO_AUTH,
    COMMAND_NO_MULTI, COMMAND_NOSCRIPT, COMMAND_NOT_QUEUED, COMMAND_PROTECTED, COMMAND_PYTHON, COMMAND_READONLY,
    COMMAND_SKIP_MONITOR, COMMAND_SKIP_SLOWLOG, COMMAND_STALE, COMMAND_WRITE, ERROR_KINDS, LATENCY_BUCKETS,
    SESSION_AUTHENTICATED, SESSION_BLOCKED, SESSION_CLOSE_NOW, SESSION_DIRTY_EXEC, SESSION_LOCAL, SESSION_MULTI, SESSION_REPLY_OFF,
    SESSION_REPLY_SKIP, SESSION_UNIX_SOCKET, Arg, Call, Command, Dispatch, Handler, Session)
from gapless.engine.keyspace cimport Keyspace, keyspace_make_room
from gapless.engine.reply cimport Reply, reply_error_bytes, reply_grow, reply_raw
from gapless.engine.secrets cimport arg_is_secret


cdef enum:
    NAME_SHOWN_MAX = 128       # of what a client sent, in an error
    ROOM_SLACK_BYTES = 64      # header, slot...: added to a command's size when asking for room
    # When memory is full it is full for all: none that writes little gets through where one that writes more was refused.
    ROOM_BYTES_MIN = 16384


cdef extern from * nogil:
    """
    static inline int gapless_bit_length(uint64_t v) { return v ? 64 - __builtin_clzll(v) : 0; }
    """
    int gapless_bit_length(uint64_t v)


# name -> address of the compiled handler
cdef dict _handlers = {}


cdef void handler_register(const char* name, Handler handler) noexcept:
    _handlers[<bytes>name] = <uintptr_t>handler


cdef dict _FLAGS = {
    "write": COMMAND_WRITE,
    "readonly": COMMAND_READONLY,
    "denyoom": COMMAND_DENYOOM,
    "admin": COMMAND_ADMIN,
    "noscript": COMMAND_NOSCRIPT,
    "loading": COMMAND_LOADING,
    "stale": COMMAND_STALE,
    "fast": COMMAND_FAST,
    "no_auth": COMMAND_NO_AUTH,
    "no_multi": COMMAND_NO_MULTI,
    "skip_monitor": COMMAND_SKIP_MONITOR,
    "skip_slowlog": COMMAND_SKIP_SLOWLOG,
    "protected": COMMAND_PROTECTED,
    "blocking": COMMAND_BLOCKING,
}
cdef frozenset _NOT_QUEUED = frozenset(("exec", "discard", "multi", "watch", "quit", "reset"))


cdef Dispatch* dispatch_new(Keyspace* keys, void* engine) noexcept:
    cdef Dispatch* d = <Dispatch*>calloc(1, sizeof(Dispatch))
    INVARIANT(d != NULL)
    d.keys = keys
    d.engine = engine
    d.slow_ticks = ~<uint64_t>0
    d.protected_allowed = ALLOWED_ALL
    d.bulk_bytes_max = <uint64_t>512 << 20
    d.hash_listpack_fields = 512
    d.hash_listpack_bytes = 64
    d.set_intset_members = 512
    d.set_listpack_members = 128
    d.set_listpack_bytes = 64
    d.hll_sparse_bytes = 3000
    d.stream_node_bytes = 4096
    d.stream_node_entries = 100
    d.list_listpack_size = -2
    d.zset_listpack_members = 128
    d.zset_listpack_bytes = 64
    dispatch_calibrate(d)
    return d


cdef void dispatch_free(Dispatch* d) noexcept:
    free(d.commands)
    free(d.table)
    free(d.monitors)
    free(d)


cdef void dispatch_calibrate(Dispatch* d) noexcept nogil:
    cdef int64_t start = clock_monotonic_ns(), end = start
    cdef uint64_t ticks = clock_ticks()
    while end - start < 2000000:
        end = clock_monotonic_ns()
    ticks = clock_ticks() - ticks
    d.ns_per_tick = (<uint64_t>(end - start) << 24) // (ticks if ticks else 1)


cdef int _fill(Dispatch* d, uint32_t row, object command, object parent) except -1:
    cdef Command* c = &d.commands[row]
    cdef str full = command.name if parent is None else f"{parent.name}|{command.name}"
    cdef bytes name = full.lower().encode()
    cdef bytes own = command.name.lower().encode()
    cdef object handler = command.handler or (parent.handler if parent is not None else None)
    if len(name) >= sizeof(c.name):
        raise ValueError(f"{full}: name too long")
    memcpy(c.name, <const char*>name, len(name) + 1)
    c.name_size = <uint32_t>len(own)
    c.name_word = command_word(<const uint8_t*><const char*>own, len(own))
    c.arity = command.arity
    c.row = row
    c.key_first, c.key_last, c.key_step = command.keys
    for flag in command.flags:
        c.flags |= <uint32_t>(<int>_FLAGS.get(flag, 0))
    if parent is None and command.name.lower() in _NOT_QUEUED:
        c.flags |= COMMAND_NOT_QUEUED
    if isinstance(handler, str):
        if handler.encode() not in _handlers:
            raise ValueError(f"{full}: no handler is registered as {handler}")
        c.handler = <Handler><uintptr_t>_handlers[handler.encode()]
    elif callable(handler):
        c.flags |= COMMAND_PYTHON
        c.python_handler = <void*>handler
    else:
        raise ValueError(f"{full}: has no handler")
    return 0


cdef int dispatch_load(Dispatch* d, object commands) except -1:
    cdef uint32_t count = 0, row = 0, size = 64, at, sub
    for command in commands:
        count += 1 + len(command.subcommands)
    while size < count * 4:
        size *= 2
    free(d.commands)
    free(d.table)
    d.commands = <Command*>calloc(count + 1, sizeof(Command))
    d.table = <uint16_t*>calloc(size, sizeof(uint16_t))
    INVARIANT(d.commands != NULL and d.table != NULL)
    d.table_mask = size - 1
    d.command_count = count
    for command in commands:
        _fill(d, row, command, None)
        at = command_slot(d.commands[row].name_word, d.commands[row].name_size) & d.table_mask
        while d.table[at] != 0:
            at = (at + 1) & d.table_mask
        d.table[at] = <uint16_t>(row + 1)
        sub = row + 1
        d.commands[row].sub_first = sub
        d.commands[row].sub_count = len(command.subcommands)
        for each in command.subcommands:
            _fill(d, sub, each, command)
            sub += 1
        row = sub
    return 0


cdef inline bint _same_name(const uint8_t* text, const char* name, size_t n) noexcept nogil:
    cdef size_t i
    cdef uint8_t c
    for i in range(n):
        c = text[i]
        if c'A' <= c <= c'Z':
            c |= 0x20
        if c != <uint8_t>name[i]:
            return False
    return True


cdef Command* dispatch_find(Dispatch* d, const Arg* argv, int argc) noexcept nogil:
    cdef size_t n = argv[0].size
    cdef uint64_t word = command_word(argv[0].data, n)
    cdef uint32_t at, i
    cdef Command* c
    cdef Command* sub
    if unlikely(d.table == NULL):
        return NULL
    at = command_slot(word, n) & d.table_mask
    while True:
        if unlikely(d.table[at] == 0):
            return NULL
        c = &d.commands[d.table[at] - 1]
        if c.name_word == word and c.name_size == n and (n <= 8 or _same_name(argv[0].data + 8, c.name + 8, n - 8)):
            break
        at = (at + 1) & d.table_mask
    if likely(c.sub_count == 0) or argc < 2:
        return c
    for i in range(c.sub_count):
        sub = &d.commands[c.sub_first + i]
        if sub.name_size == argv[1].size and _same_name(argv[1].data, sub.name + c.name_size + 1, sub.name_size):
            return sub
    # To Redis DEBUG is one command: it refuses what it doesn't know itself, and only when it is executed.
    return c if c.flags & COMMAND_PROTECTED else NULL


# ---- refusals

cdef size_t _shown(char* out, const Arg* arg, size_t most) noexcept nogil:
    """Of an argument what C's %.*s would print: up to a NUL byte, at most `most` bytes."""
    cdef size_t n = 0
    while n < arg.size and n < most and arg.data[n] != 0:
        out[n] = <char>arg.data[n]
        n += 1
    return n


cdef void reply_wrong_subcommand(Call* call) noexcept nogil:
    """What a container answers when a subcommand is not given the arguments it takes."""
    cdef char text[NAME_SHOWN_MAX + 128]
    cdef size_t n = 57, i
    memcpy(text, b"ERR unknown subcommand or wrong number of arguments for '", n)
    n += _shown(text + n, &call.argv[1], NAME_SHOWN_MAX)
    memcpy(text + n, b"'. Try ", 7)
    n += 7
    for i in range(call.argv[0].size):
        text[n + i] = <char>(call.argv[0].data[i] & ~0x20)
    n += call.argv[0].size
    memcpy(text + n, b" HELP.", 6)
    reply_error_bytes(call.reply, <uint8_t*>text, n + 6)


cdef bint _refused(Dispatch* d, Call* call, const Command* c) noexcept nogil:
    """Whether the command is one that this session may not give; it has been told then."""
    if not c.flags & COMMAND_PROTECTED or d.protected_allowed == ALLOWED_ALL:
        return False
    if d.protected_allowed == ALLOWED_LOCAL and call.session.flags & SESSION_LOCAL:
        return False
    _reject_text(d, call, b'ERR DEBUG command not allowed. If the enable-debug-command option is set to "local", you can run it '
                          b'from a local connection, otherwise you need to set this option in the configuration file, and then '
                          b'restart the server.')
    return True


cdef bint _is_write(const Session* session, const Command* c) noexcept nogil:
    """PING is one too, as in Redis: whoever asks whether all is well is to hear that it is not."""
    if c.flags & COMMAND_WRITE or (c.flags & COMMAND_NOT_QUEUED and session.multi_flags & COMMAND_WRITE and c.name[0] == c'e'):
        return True
    return c.name_size == 4 and memcmp(c.name, b"ping", 4) == 0


cdef void _reject_unknown(Dispatch* d, Call* call) noexcept nogil:
    cdef char text[640]
    cdef char args[320]
    cdef size_t n, length = 0, i
    cdef int at
    cdef Command* parent = NULL
    if call.argc >= 2:
        parent = dispatch_find(d, call.argv, 1)
    if parent != NULL:
        memcpy(text, b"ERR unknown subcommand '", 24)
        n = 24
        n += _shown(text + n, &call.argv[1], NAME_SHOWN_MAX)
        memcpy(text + n, b"'. Try ", 7)
        n += 7
        for i in range(parent.name_size):
            text[n] = parent.name[i] - 32 if c'a' <= parent.name[i] <= c'z' else parent.name[i]
            n += 1
        memcpy(text + n, b" HELP.", 6)
        n += 6
    else:
        if (call.argv[0].size == 4 and _same_name(call.argv[0].data, b"post", 4)) or (
                call.argv[0].size == 5 and _same_name(call.argv[0].data, b"host:", 5)):
            # Somebody makes a browser talk to us.
            call.session.flags |= SESSION_CLOSE_NOW
            return
        at = 1
        while at < call.argc and length < NAME_SHOWN_MAX:
            args[length] = c"'"
            i = _shown(args + length + 1, &call.argv[at], NAME_SHOWN_MAX - length)
            length += i + 1
            args[length] = c"'"
            args[length + 1] = c' '
            length += 2
            at += 1
        memcpy(text, b"ERR unknown command '", 21)
        n = 21
        n += _shown(text + n, &call.argv[0], NAME_SHOWN_MAX)
        memcpy(text + n, b"', with args beginning with: ", 29)
        n += 29
        memcpy(text + n, args, length)
        n += length
    dispatch_reject(d, call, <uint8_t*>text, n)


cdef void _count_error(Dispatch* d, const Reply* reply) noexcept nogil:
    cdef const char* text = <const char*>reply.data + reply.error_at + 1
    cdef size_t n = 0, most = reply.length - reply.error_at - 1
    cdef int i
    d.errors += 1
    while n < most and n < 31 and text[n] != c' ' and text[n] != c'\r':
        n += 1
    for i in range(d.error_kinds):
        if memcmp(d.error_counts[i].kind, text, n) == 0 and d.error_counts[i].kind[n] == 0:
            d.error_counts[i].count += 1
            return
    if d.error_kinds < ERROR_KINDS:
        memcpy(d.error_counts[d.error_kinds].kind, text, n)
        d.error_counts[d.error_kinds].kind[n] = 0
        d.error_counts[d.error_kinds].count = 1
        d.error_kinds += 1


cdef void dispatch_reject(Dispatch* d, Call* call, const uint8_t* text, size_t n) noexcept nogil:
    cdef Session* session = call.session
    cdef char abort_text[1024]
    if session.flags & SESSION_MULTI:
        session.flags |= SESSION_DIRTY_EXEC
    if call.command != NULL:
        call.command.rejected += 1
        if d.exec_abort != NULL and strlen(call.command.name) == 4 and memcmp(call.command.name, b"exec", 4) == 0:
            # EXEC that may not run takes its transaction with it.
            d.exec_abort(call)
            memcpy(abort_text, b"EXECABORT Transaction discarded because of: ", 44)
            if n > 4 and memcmp(text, b"ERR ", 4) == 0:
                text += 4
                n -= 4
            n = n if n < 900 else 900
            memcpy(abort_text + 44, text, n)
            reply_error_bytes(call.reply, <uint8_t*>abort_text, n + 44)
            _count_error(d, call.reply)
            return
    reply_error_bytes(call.reply, text, n)
    _count_error(d, call.reply)


cdef void _reject_text(Dispatch* d, Call* call, const char* text) noexcept nogil:
    dispatch_reject(d, call, <const uint8_t*>text, strlen(text))


# ---- MONITOR

cdef int monitor_add(Dispatch* d, Session* session) except -1:
    cdef int i
    for i in range(d.monitor_count):
        if d.monitors[i] == session:
            return 0
    if d.monitor_count == d.monitor_room:
        d.monitor_room = d.monitor_room * 2 + 4
        d.monitors = <Session**>realloc(d.monitors, d.monitor_room * sizeof(Session*))
        INVARIANT(d.monitors != NULL)
    d.monitors[d.monitor_count] = session
    d.monitor_count += 1
    return 0


cdef void monitor_remove(Dispatch* d, Session* session) noexcept nogil:
    cdef int i
    for i in range(d.monitor_count):
        if d.monitors[i] == session:
            d.monitor_count -= 1
            d.monitors[i] = d.monitors[d.monitor_count]
            return


cdef size_t _quoted(uint8_t* out, const Arg* arg) noexcept nogil:
    """The argument in double quotes, escaped as C does; out has room for 4 bytes a byte and 2 more."""
    cdef size_t n = 1, i
    cdef uint8_t c, short_form
    out[0] = c'"'
    for i in range(arg.size):
        c = arg.data[i]
        short_form = 0
        if c == c'\\' or c == c'"':
            short_form = c
        elif c == c'\n':
            short_form = c'n'
        elif c == c'\r':
            short_form = c'r'
        elif c == c'\t':
            short_form = c't'
        elif c == 7:
            short_form = c'a'
        elif c == 8:
            short_form = c'b'
        if short_form:
            out[n] = c'\\'
            out[n + 1] = short_form
            n += 2
        elif 32 <= c < 127:
            out[n] = c
            n += 1
        else:
            out[n] = c'\\'
            out[n + 1] = c'x'
            out[n + 2] = b"0123456789abcdef"[c >> 4]
            out[n + 3] = b"0123456789abcdef"[c & 15]
            n += 4
    out[n] = c'"'
    return n + 1


cdef void _feed_monitors(Dispatch* d, Call* call) noexcept nogil:
    cdef Reply* out
    cdef char head[256]
    cdef int i, at, n
    cdef int64_t us
    cdef uint8_t* p
    cdef const char* prefix = ""
    cdef const char* address = ""
    us = _realtime_us()
    if call.session.flags & SESSION_UNIX_SOCKET:
        prefix = "unix:"
    if call.session.address != NULL:
        address = call.session.address
    n = snprintf(head, sizeof(head), "+%lld.%06lld [%d %s%s]", <long long>(us // 1000000), <long long>(us % 1000000),
                 call.session.db, prefix, address)
    if n >= <int>sizeof(head):
        n = sizeof(head) - 1
    for i in range(d.monitor_count):
        if d.output == NULL or d.monitors[i] == call.session:
            continue
        out = d.output(d, d.monitors[i])
        if out == NULL:
            continue
        reply_raw(out, head, n)
        for at in range(call.argc):
            if out.room - out.length < call.argv[at].size * 4 + 16:
                reply_grow(out, call.argv[at].size * 4 + 16)
            p = out.data + out.length
            p[0] = c' '
            if arg_is_secret(call, at):
                memcpy(p + 1, b"\"(redacted)\"", 12)
                out.length += 13
            else:
                out.length += 1 + _quoted(p + 1, &call.argv[at])
        reply_raw(out, b"\r\n", 2)


cdef extern from * nogil:
    """
    static inline int64_t gapless_realtime_us(void) {
        struct timespec t; clock_gettime(CLOCK_REALTIME, &t);
        return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
    }
    """
    int64_t _realtime_us "gapless_realtime_us"()


# ---- execution

cdef inline void _count(Dispatch* d, Command* c, const Reply* reply, uint64_t errors, uint64_t ticks) noexcept nogil:
    cdef int bucket
    d.calls += 1
    c.calls += 1
    c.ticks += ticks
    # 2^32 ticks are seconds: the product can't overflow for a command below that.
    bucket = LATENCY_BUCKETS - 1
    if likely(ticks >> 32 == 0):
        bucket = gapless_bit_length((ticks * d.ns_per_tick) >> 34)
    c.latency[bucket if bucket < LATENCY_BUCKETS else LATENCY_BUCKETS - 1] += 1
    if unlikely(reply.errors != errors):
        c.failed += 1
        if reply.error_at < reply.length and reply.data[reply.error_at] == c'-':
            _count_error(d, reply)


cdef void dispatch_count(Dispatch* d, Command* c, const Reply* reply, uint64_t errors, uint64_t ticks) noexcept nogil:
    _count(d, c, reply, errors, ticks)


cdef void dispatch_call(Dispatch* d, Call* call) noexcept nogil:
    cdef Command* c = call.command
    cdef Reply* reply = call.reply
    cdef uint64_t start = d.tick, errors = reply.errors, ticks
    if likely(c.handler != NULL):
        c.handler(call)
    else:
        d.python(call)
    d.tick = clock_ticks()
    ticks = d.tick - start
    if likely(not call.session.flags & SESSION_BLOCKED):
        _count(d, c, reply, errors, ticks)
    if unlikely(ticks >= d.slow_ticks) and not c.flags & COMMAND_SKIP_SLOWLOG:
        d.on_slow(call, ticks)
    if unlikely(d.monitor_count != 0) and not c.flags & (COMMAND_SKIP_MONITOR | COMMAND_ADMIN) and not d.serving:
        _feed_monitors(d, call)


cdef void reply_wrong_arity(Call* call) noexcept nogil:
    cdef char text[128]
    snprintf(text, sizeof(text), "ERR wrong number of arguments for '%s' command", call.command.name)
    reply_error(call.reply, text)


cdef void _execute_checked(Dispatch* d, Call* call) noexcept nogil:
    cdef Command* c = call.command
    cdef Session* session = call.session
    cdef uint64_t size
    cdef char text[128]
    if unlikely(c == NULL):
        _reject_unknown(d, call)
        return
    session.last_command = c
    if unlikely(call.argc != c.arity if c.arity >= 0 else call.argc < -c.arity):
        snprintf(text, sizeof(text), "ERR wrong number of arguments for '%s' command", c.name)
        _reject_text(d, call, text)
        return
    if unlikely(c.flags & COMMAND_PROTECTED) and _refused(d, call, c):
        return
    if unlikely(d.password_required) and not session.flags & SESSION_AUTHENTICATED and not c.flags & COMMAND_NO_AUTH:
        _reject_text(d, call, b"NOAUTH Authentication required.")
        return
    if unlikely(session.flags & SESSION_MULTI):
        if c.flags & COMMAND_NO_MULTI:
            _reject_text(d, call, b"ERR Command not allowed inside a transaction")
            return
    if c.flags & COMMAND_DENYOOM or (c.flags & COMMAND_NOT_QUEUED and session.multi_flags & COMMAND_DENYOOM
                                     and c.name[0] == c'e'):
        size = call.size + ROOM_SLACK_BYTES + session.multi_bytes
        if unlikely(not keyspace_make_room(d.keys, size if size > ROOM_BYTES_MIN else ROOM_BYTES_MIN)):
            _reject_text(d, call, b"OOM command not allowed when used memory > 'maxmemory'.")
            return
    if unlikely(d.writes_refused != NULL) and _is_write(session, c):
        _reject_text(d, call, d.writes_refused)
        return
    if unlikely(d.keys.loading) and not c.flags & COMMAND_LOADING:
        _reject_text(d, call, b"LOADING Redis is loading the dataset in memory")
        return
    if unlikely(session.flags & SESSION_MULTI) and not c.flags & COMMAND_NOT_QUEUED:
        d.queue(call)
        return
    dispatch_call(d, call)


cdef void dispatch_execute(Dispatch* d, Call* call) noexcept nogil:
    cdef Session* session = call.session
    cdef Reply* reply = call.reply
    cdef size_t before
    cdef bint skip
    call.keys = d.keys
    call.engine = d.engine
    call.dispatch = d
    reply.protocol = session.protocol
    session.active_ms = d.keys.now_ms
    if likely(not session.flags & (SESSION_REPLY_OFF | SESSION_REPLY_SKIP)):
        # CLIENT REPLY OFF itself writes nothing; what of EXEC's reply came before it is sent.
        _execute_checked(d, call)
        return
    before = reply.length
    skip = (session.flags & SESSION_REPLY_SKIP) != 0
    session.flags &= ~<uint32_t>SESSION_REPLY_SKIP
    _execute_checked(d, call)
    if skip or session.flags & SESSION_REPLY_OFF:
        reply.length = before
    if skip and session.flags & SESSION_BLOCKED:
        session.flags |= SESSION_REPLY_SKIP
