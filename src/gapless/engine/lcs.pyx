"""LCS: the longest common subsequence of two strings, by dynamic programming in O(n * m) time and memory."""
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport free, malloc
from gapless.engine.call cimport Call
from gapless.engine.dispatch cimport arg_int64, arg_is, find_read, handler_register, reply_syntax_error
from gapless.engine.keyspace cimport Value, keyspace_find, keyspace_hash
from gapless.engine.record cimport TYPE_STRING
from gapless.engine.reply cimport Reply, reply_array, reply_bulk, reply_error, reply_free, reply_init, reply_int, reply_map, reply_raw


cdef struct Options:
    bint only_length
    bint index
    bint with_length
    int64_t shortest


cdef bint parse_options(Call* call, Options* o) noexcept nogil:
    cdef int i = 3
    o.only_length = o.index = o.with_length = False
    o.shortest = 0
    while i < call.argc:
        if arg_is(call, i, b"IDX"):
            o.index = True
        elif arg_is(call, i, b"LEN"):
            o.only_length = True
        elif arg_is(call, i, b"WITHMATCHLEN"):
            o.with_length = True
        elif arg_is(call, i, b"MINMATCHLEN") and i + 1 < call.argc:
            i += 1
            if not arg_int64(call, i, &o.shortest):
                return False
            o.shortest = max(o.shortest, 0)
        else:
            reply_syntax_error(call)
            return False
        i += 1
    if o.index and o.only_length:
        reply_error(call.reply, b"ERR If you want both the length and indexes, please just use IDX.")
        return False
    return True


cdef bint find_text(Call* call, int i, Value* v) noexcept nogil:
    if not keyspace_find(call.keys, call.session.db, call.argv[i].data, call.argv[i].size,
                         keyspace_hash(call.keys, call.argv[i].data, call.argv[i].size), find_read(call), v):
        v.data = NULL
        v.size = 0
        return True
    if v.type != TYPE_STRING:
        reply_error(call.reply, b"ERR The specified keys must contain string values")
        return False
    return True


cdef void put_range(Reply* matches, const Options* o, int64_t a_first, int64_t a_last, int64_t b_first, int64_t b_last) noexcept nogil:
    reply_array(matches, 3 if o.with_length else 2)
    reply_array(matches, 2)
    reply_int(matches, a_first)
    reply_int(matches, a_last)
    reply_array(matches, 2)
    reply_int(matches, b_first)
    reply_int(matches, b_last)
    if o.with_length:
        reply_int(matches, a_last - a_first + 1)


cdef void fill(uint32_t* table, const Value* a, const Value* b) noexcept nogil:
    """table[i * (m + 1) + j]: the length for the first i bytes of a and j of b."""
    cdef uint64_t i, j, width = b.size + 1
    cdef uint32_t up, left
    for i in range(a.size + 1):
        for j in range(width):
            if i == 0 or j == 0:
                table[i * width + j] = 0
            elif a.data[i - 1] == b.data[j - 1]:
                table[i * width + j] = table[(i - 1) * width + j - 1] + 1
            else:
                up = table[(i - 1) * width + j]
                left = table[i * width + j - 1]
                table[i * width + j] = max(up, left)


cdef int walk_back(const uint32_t* table, const Value* a, const Value* b, const Options* o, uint8_t* text, Reply* matches) noexcept nogil:
    """From the end: the common bytes into text, the ranges into matches. How many ranges."""
    cdef uint64_t i = a.size, j = b.size, width = b.size + 1
    cdef uint32_t left = table[i * width + j]
    cdef int64_t a_first = <int64_t>a.size, a_last = 0, b_first = 0, b_last = 0
    cdef bint emit
    cdef int count = 0
    while i > 0 and j > 0:
        emit = False
        if a.data[i - 1] == b.data[j - 1]:
            text[left - 1] = a.data[i - 1]
            if a_first == <int64_t>a.size:
                a_first = a_last = <int64_t>i - 1
                b_first = b_last = <int64_t>j - 1
            elif a_first == <int64_t>i and b_first == <int64_t>j:
                a_first -= 1
                b_first -= 1
            else:
                emit = True
            if a_first == 0 or b_first == 0:
                emit = True
            left -= 1
            i -= 1
            j -= 1
        else:
            if table[(i - 1) * width + j] > table[i * width + j - 1]:
                i -= 1
            else:
                j -= 1
            if a_first != <int64_t>a.size:
                emit = True
        if emit:
            if o.shortest == 0 or a_last - a_first + 1 >= o.shortest:
                put_range(matches, o, a_first, a_last, b_first, b_last)
                count += 1
            a_first = <int64_t>a.size
    return count


cdef void cmd_lcs(Call* call) noexcept nogil:
    cdef Options o
    cdef Value a, b
    cdef uint32_t* table
    cdef uint64_t table_bytes
    cdef uint32_t length
    cdef uint8_t* text
    cdef Reply matches
    cdef int count
    if not find_text(call, 1, &a) or not find_text(call, 2, &b) or not parse_options(call, &o):
        return
    table_bytes = (a.size + 1) * (b.size + 1) * sizeof(uint32_t)
    if table_bytes > call.dispatch.bulk_bytes_max:
        reply_error(call.reply, b"ERR Insufficient memory, transient memory for LCS exceeds proto-max-bulk-len")
        return
    table = <uint32_t*>malloc(table_bytes)
    text = <uint8_t*>malloc(a.size + 1)
    if table == NULL or text == NULL:
        free(table)
        free(text)
        reply_error(call.reply, b"ERR Insufficient memory, failed allocating transient memory for LCS")
        return
    fill(table, &a, &b)
    length = table[(a.size + 1) * (b.size + 1) - 1]
    if o.only_length:
        reply_int(call.reply, length)
    else:
        reply_init(&matches)
        matches.protocol = call.reply.protocol
        count = walk_back(table, &a, &b, &o, text, &matches)
        if o.index:
            reply_map(call.reply, 2)
            reply_bulk(call.reply, b"matches", 7)
            reply_array(call.reply, count)
            if matches.length:
                reply_raw(call.reply, matches.data, matches.length)
            reply_bulk(call.reply, b"len", 3)
            reply_int(call.reply, length)
        else:
            reply_bulk(call.reply, text, length)
        reply_free(&matches)
    free(table)
    free(text)


handler_register(b"strings.lcs", cmd_lcs)
