"""From the name of a command to its handler, and what every handler needs on the way: arguments parsed or an error replied.

Handlers are registered by name at import; the table of commands (gapless.commands) names them. One Dispatch serves one engine.
"""
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from gapless.engine.base cimport (
    STATUS_FULL, STATUS_OK, STATUS_TOO_LARGE, Status, likely, load_u32, load_u64, parse_int64, unlikely,
)
from gapless.engine.call cimport SESSION_NO_TOUCH, Arg, Call, Command, Dispatch, Handler, Session
from gapless.engine.keyspace cimport (
    EXPIRE_NEVER, FIND_COUNT, FIND_READ, Keyspace, Value, keyspace_create, keyspace_find, keyspace_make_room, keyspace_resize,
)
from gapless.engine.record cimport RECORD_RAW, TYPE_STRING
from gapless.engine.reply cimport Reply, reply_error


# ---- for the modules of commands
cdef void handler_register(const char* name, Handler handler) noexcept
cdef void reply_wrong_subcommand(Call* call) noexcept nogil
cdef void reply_wrong_arity(Call* call) noexcept nogil

cdef inline void reply_syntax_error(Call* call) noexcept nogil:
    reply_error(call.reply, b"ERR syntax error")


cdef inline void reply_wrong_type(Call* call) noexcept nogil:
    reply_error(call.reply, b"WRONGTYPE Operation against a key holding the wrong kind of value")


# The integer in argv[i]; False after replying "ERR value is not an integer or out of range".
cdef inline bint arg_int64(Call* call, int i, int64_t* out) noexcept nogil:
    if likely(parse_int64(call.argv[i].data, call.argv[i].size, out)):
        return True
    reply_error(call.reply, b"ERR value is not an integer or out of range")
    return False


# Whether argv[i] is this word, in any case. `upper` is in upper case.
cdef inline bint word_is(const Arg* arg, const char* upper) noexcept nogil:
    cdef const uint8_t* text = arg.data
    cdef size_t n = arg.size, at
    cdef uint8_t c
    for at in range(n):
        c = text[at]
        if c'a' <= c <= c'z':
            c -= 32
        if c != <uint8_t>upper[at] or c == 0:
            return False
    return upper[n] == 0


cdef inline bint arg_is(Call* call, int i, const char* upper) noexcept nogil:
    return word_is(&call.argv[i], upper)


# How a reading command looks for its key: CLIENT NO-TOUCH leaves the access field alone.
cdef inline int find_read(Call* call) noexcept nogil:
    return FIND_COUNT if unlikely(call.session.flags & SESSION_NO_TOUCH) else FIND_READ


# The string under argv[1], a command's only key. One that is not there reads as an empty value; its data is NULL. False after
# replying WRONGTYPE.
cdef inline bint find_string(Call* call, int how, Value* v) noexcept nogil:
    if not keyspace_find(call.keys, call.session.db, call.argv[1].data, call.argv[1].size, call.hash, how, v):
        v.data = NULL
        v.size = 0
    elif unlikely(v.type != TYPE_STRING):
        reply_wrong_type(call)
        return False
    return True


# The reply for a status that is not OK; True when it was OK and nothing was replied.
cdef inline bint call_status(Call* call, Status status) noexcept nogil:
    if likely(status == STATUS_OK):
        return True
    if status == STATUS_FULL:
        reply_error(call.reply, b"OOM command not allowed when used memory > 'maxmemory'.")
    elif status == STATUS_TOO_LARGE:
        reply_error(call.reply, b"ERR string exceeds maximum allowed size (proto-max-bulk-len)")
    else:
        reply_error(call.reply, b"ERR no such key")
    return False


# Room for `size` bytes more than the arguments take, which were asked for before the command ran; False after replying that there is none. May
# move records: what was found before must be looked up again.
cdef inline bint call_room(Call* call, uint64_t size) noexcept nogil:
    if likely(keyspace_make_room(call.keys, size)):
        return True
    return call_status(call, STATUS_FULL)


# Makes what find_string() looked for a string of `size` bytes at least, to be changed in part. REQUIRED then, if anything changed:
# keyspace_touched(). False after replying an error.
cdef inline bint widen_string(Call* call, Value* v, uint64_t size) noexcept nogil:
    if v.data == NULL:
        return call_status(call, keyspace_create(call.keys, call.session.db, call.argv[1].data, call.argv[1].size, call.hash,
                                                 TYPE_STRING | RECORD_RAW, size, EXPIRE_NEVER, v))
    return call_status(call, keyspace_resize(call.keys, v, call.argv[1].data, call.argv[1].size, max(v.size, size)))


# ---- for the loop and the engine
# A name as one word, upper and lower case alike: with the length it nearly always tells commands apart.
cdef inline uint64_t command_word(const uint8_t* name, size_t n) noexcept nogil:
    if n >= 8:
        return load_u64(name) | <uint64_t>0x2020202020202020
    if n >= 4:
        return (<uint64_t>load_u32(name) | <uint64_t>load_u32(name + n - 4) << 32) | <uint64_t>0x2020202020202020
    if n == 0:
        return 0
    return (<uint64_t>name[0] | <uint64_t>name[n >> 1] << 8 | <uint64_t>name[n - 1] << 16) | 0x202020


cdef inline uint32_t command_slot(uint64_t word, size_t n) noexcept nogil:
    return <uint32_t>(((word ^ n) * <uint64_t>0x9e3779b97f4a7c15) >> 40)


cdef Dispatch* dispatch_new(Keyspace* keys, void* engine) noexcept
cdef void dispatch_free(Dispatch* d) noexcept
# Makes the rows from the Python table; raises ValueError for a handler nobody registered.
cdef int dispatch_load(Dispatch* d, object commands) except -1
# The row, subcommand included, or NULL when there is none: dispatch_execute() then says what is wrong.
cdef Command* dispatch_find(Dispatch* d, const Arg* argv, int argc) noexcept nogil
# A session's command from checks to statistics. Of `call` all is filled in but keys, engine and dispatch; command may be NULL.
cdef void dispatch_execute(Dispatch* d, Call* call) noexcept nogil
# The handler and the statistics alone, for EXEC.
cdef void dispatch_call(Dispatch* d, Call* call) noexcept nogil
# The statistics alone, of a command that was executed by other ways: `errors` is reply.errors before it, `ticks` what it took.
cdef void dispatch_count(Dispatch* d, Command* c, const Reply* reply, uint64_t errors, uint64_t ticks) noexcept nogil
# Refuses a command with this error ("ERR ..."), as Redis refuses: counted, and a transaction being queued is spoilt.
cdef void dispatch_reject(Dispatch* d, Call* call, const uint8_t* text, size_t n) noexcept nogil
cdef int monitor_add(Dispatch* d, Session* session) except -1
cdef void monitor_remove(Dispatch* d, Session* session) noexcept nogil
# ns_per_tick against the monotonic clock; takes a few ms.
cdef void dispatch_calibrate(Dispatch* d) noexcept nogil
