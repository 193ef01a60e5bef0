"""Collections walked in steps. See collection_scan.pxd."""
from libc.stdio cimport snprintf
from gapless.engine.collection cimport collection_head, collection_walk, collection_walk_from
from gapless.engine.dispatch cimport arg_int64, arg_is, reply_syntax_error
from gapless.engine.glob cimport glob_match
from gapless.engine.reply cimport reply_array, reply_bulk, reply_error
from gapless.engine.scan cimport move_to_front, read_cursor

cdef enum:
    SCAN_COUNT = 10


cdef bint collection_scan_begin(Call* call, CollectionScan* s) noexcept nogil:
    s.pattern = NULL
    s.cursor = 0
    s.last = 0
    s.count = SCAN_COUNT
    s.seen = 0
    s.shown = 0
    s.novalues = False
    s.front = call.reply.length
    if read_cursor(&call.argv[2], &s.cursor):
        return True
    reply_error(call.reply, b"ERR invalid cursor")
    return False


cdef bint scan_options(Call* call, CollectionScan* s, bint values) noexcept nogil:
    cdef int i = 3
    while i < call.argc:
        if arg_is(call, i, b"COUNT") and i + 1 < call.argc:
            if not arg_int64(call, i + 1, &s.count):
                return False
            if s.count < 1:
                reply_syntax_error(call)
                return False
            i += 2
        elif arg_is(call, i, b"MATCH") and i + 1 < call.argc:
            s.pattern = &call.argv[i + 1]
            if s.pattern.size == 1 and s.pattern.data[0] == c'*':
                s.pattern = NULL
            i += 2
        elif arg_is(call, i, b"NOVALUES"):
            if not values:
                reply_error(call.reply, b"ERR NOVALUES option can only be used in HSCAN")
                return False
            s.novalues = True
            i += 1
        else:
            reply_syntax_error(call)
            return False
    return True


cdef bint collection_scan_open(Call* call, CollectionScan* s, Collection* c, bint table, bint values) noexcept nogil:
    # Of a key that is not there Redis reads no options.
    if c.there and not scan_options(call, s, values):
        return False
    s.steps = c.tree != NULL and table
    if s.steps:
        collection_walk_from(c, s.cursor, &s.walk)
    else:
        collection_walk(c, &s.walk)
    s.cursor = 0
    return True


cdef bint collection_scan_goes_on(CollectionScan* s, const uint8_t* p, uint32_t n) noexcept nogil:
    cdef uint64_t head
    if s.steps:
        head = collection_head(s.walk.collection, p, n)
        if s.seen >= s.count and head != s.last:
            s.cursor = head
            return False
        s.last = head
    s.seen += 1
    return True


cdef bint collection_scan_matches(const CollectionScan* s, const uint8_t* p, uint32_t n) noexcept nogil:
    return s.pattern == NULL or glob_match(s.pattern.data, s.pattern.size, p, n)


cdef void collection_scan_end(Call* call, CollectionScan* s) noexcept nogil:
    cdef char[24] text
    cdef size_t middle = call.reply.length
    reply_array(call.reply, 2)
    reply_bulk(call.reply, text, <size_t>snprintf(text, sizeof(text), b"%llu", <unsigned long long>s.cursor))
    reply_array(call.reply, s.shown)
    move_to_front(call.reply, s.front, middle)
