"""Commands that walk the keys of a database: KEYS, SCAN, RANDOMKEY."""
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.stdio cimport snprintf
from libc.string cimport memcpy, memmove
from gapless.engine.base cimport INVARIANT, parse_int64
from gapless.engine.call cimport Call
from gapless.engine.dispatch cimport arg_int64, arg_is, handler_register, reply_syntax_error
from gapless.engine.glob cimport glob_match
from gapless.engine.keyspace cimport Keyspace, keyspace_record_key
from gapless.engine.keyspace_walk cimport keyspace_random, keyspace_scan
from gapless.engine.record cimport (
    RECORD_TYPE_MASK, TYPE_HASH, TYPE_LIST, TYPE_NONE, TYPE_SET, TYPE_SORTED_SET, TYPE_STREAM, TYPE_STRING, Record,
)
from gapless.engine.reply cimport Reply, reply_array, reply_bulk, reply_error, reply_null

cdef enum:
    ANY_TYPE = -1
    HEADER_BYTES_MAX = 128
    BUCKETS_PER_COUNT = 10      # SCAN gives up after this many buckets for each key it was asked for


cdef struct Walk:
    # What the keys of a walk have to be like, and where they go.
    Keyspace* keys
    Reply* reply
    const Arg* pattern          # NULL: any
    int type                    # RecordType or ANY_TYPE
    int64_t seen
    int64_t emitted


cdef void emit(void* context, const Record* r) noexcept nogil:
    cdef Walk* walk = <Walk*>context
    cdef const uint8_t* key = keyspace_record_key(walk.keys, r)
    walk.seen += 1
    if walk.type != ANY_TYPE and (r.flags & RECORD_TYPE_MASK) != walk.type:
        return
    if walk.pattern != NULL and not glob_match(walk.pattern.data, walk.pattern.size, key, r.key_bytes):
        return
    reply_bulk(walk.reply, key, r.key_bytes)
    walk.emitted += 1


cdef void walk_begin(Walk* walk, Call* call) noexcept nogil:
    walk.keys = call.keys
    walk.reply = call.reply
    walk.pattern = NULL
    walk.type = ANY_TYPE
    walk.seen = walk.emitted = 0


cdef void set_pattern(Walk* walk, const Arg* pattern) noexcept nogil:
    """A lone star is no condition: it is for the empty key, too."""
    walk.pattern = pattern
    if pattern.size == 1 and pattern.data[0] == c'*':
        walk.pattern = NULL


cdef void move_to_front(Reply* reply, size_t front, size_t middle) noexcept nogil:
    cdef uint8_t[HEADER_BYTES_MAX] header
    cdef size_t n = reply.length - middle
    INVARIANT(n <= HEADER_BYTES_MAX)
    memcpy(header, reply.data + middle, n)
    memmove(reply.data + front + n, reply.data + front, middle - front)
    memcpy(reply.data + front, header, n)


cdef void cmd_keys(Call* call) noexcept nogil:
    cdef Walk walk
    cdef size_t front = call.reply.length
    cdef size_t middle
    cdef uint64_t cursor = 0
    walk_begin(&walk, call)
    set_pattern(&walk, &call.argv[1])
    while True:
        cursor = keyspace_scan(call.keys, call.session.db, cursor, False, emit, &walk)
        if cursor == 0:
            break
    middle = call.reply.length
    reply_array(call.reply, walk.emitted)
    move_to_front(call.reply, front, middle)


cdef bint read_cursor(const Arg* arg, uint64_t* out) noexcept nogil:
    """A plain negative number is no cursor; what else C's strtoull takes (space, sign and zeros may lead) is one."""
    cdef size_t i = 0
    cdef uint64_t v = 0
    cdef uint32_t digit
    cdef int64_t plain
    cdef bint negative = False
    if parse_int64(arg.data, arg.size, &plain):
        out[0] = <uint64_t>plain
        return plain >= 0
    while i < arg.size and (arg.data[i] == c' ' or c'\t' <= arg.data[i] <= c'\r'):
        i += 1
    if i < arg.size and (arg.data[i] == c'+' or arg.data[i] == c'-'):
        negative = arg.data[i] == c'-'
        i += 1
    if i == arg.size:
        return False
    while i < arg.size:
        digit = <uint32_t>arg.data[i] - c'0'
        if digit > 9 or v > (~<uint64_t>0 - digit) // 10:
            return False
        v = v * 10 + digit
        i += 1
    out[0] = <uint64_t>0 - v if negative else v
    return True


cdef int type_named(Call* call, int i) noexcept nogil:
    """RecordType of the type that SCAN's TYPE names; TYPE_NONE, which no key has, when there is no such type."""
    if arg_is(call, i, b"STRING"):
        return TYPE_STRING
    if arg_is(call, i, b"LIST"):
        return TYPE_LIST
    if arg_is(call, i, b"SET"):
        return TYPE_SET
    if arg_is(call, i, b"ZSET"):
        return TYPE_SORTED_SET
    if arg_is(call, i, b"HASH"):
        return TYPE_HASH
    if arg_is(call, i, b"STREAM"):
        return TYPE_STREAM
    return TYPE_NONE


cdef bint scan_options(Call* call, Walk* walk, int64_t* count) noexcept nogil:
    cdef int i = 2
    count[0] = 10
    while i < call.argc:
        if arg_is(call, i, b"COUNT") and i + 1 < call.argc:
            if not arg_int64(call, i + 1, count):
                return False
            if count[0] < 1:
                reply_syntax_error(call)
                return False
        elif arg_is(call, i, b"MATCH") and i + 1 < call.argc:
            set_pattern(walk, &call.argv[i + 1])
        elif arg_is(call, i, b"TYPE") and i + 1 < call.argc:
            walk.type = type_named(call, i + 1)
        elif arg_is(call, i, b"NOVALUES"):
            reply_error(call.reply, b"ERR NOVALUES option can only be used in HSCAN")
            return False
        else:
            reply_syntax_error(call)
            return False
        i += 2
    return True


cdef void cmd_scan(Call* call) noexcept nogil:
    cdef Walk walk
    cdef uint64_t cursor
    cdef int64_t count, buckets
    cdef size_t front = call.reply.length
    cdef size_t middle
    cdef char text[24]
    if not read_cursor(&call.argv[1], &cursor):
        reply_error(call.reply, b"ERR invalid cursor")
        return
    walk_begin(&walk, call)
    if not scan_options(call, &walk, &count):
        return
    buckets = count * BUCKETS_PER_COUNT if count < (<int64_t>1 << 60) else count
    while True:
        cursor = keyspace_scan(call.keys, call.session.db, cursor, True, emit, &walk)
        buckets -= 1
        if cursor == 0 or buckets <= 0 or walk.seen >= count:
            break
    middle = call.reply.length
    reply_array(call.reply, 2)
    reply_bulk(call.reply, text, <size_t>snprintf(text, sizeof(text), b"%llu", <unsigned long long>cursor))
    reply_array(call.reply, walk.emitted)
    move_to_front(call.reply, front, middle)


cdef void cmd_randomkey(Call* call) noexcept nogil:
    cdef Record r
    if keyspace_random(call.keys, call.session.db, &r):
        reply_bulk(call.reply, keyspace_record_key(call.keys, &r), r.key_bytes)
    else:
        reply_null(call.reply)


handler_register(b"generic.keys", cmd_keys)
handler_register(b"generic.scan", cmd_scan)
handler_register(b"generic.randomkey", cmd_randomkey)
