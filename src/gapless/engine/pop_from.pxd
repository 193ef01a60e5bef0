"""What LMPOP, ZMPOP and their blocking forms name: several keys, which end, how many."""
from libc.stdint cimport int64_t
from gapless.engine.base cimport parse_int64
from gapless.engine.call cimport Call
from gapless.engine.dispatch cimport arg_is, reply_syntax_error
from gapless.engine.reply cimport reply_error


cdef struct PopFrom:
    int first                  # argument of the first key
    int end                    # after the last
    bint back                  # RIGHT, MAX
    int64_t count


cdef inline bint arg_end(Call* call, int i, const char* front, const char* back, bint* is_back) noexcept nogil:
    """One of two words in argv[i]; False after an error reply."""
    is_back[0] = arg_is(call, i, back)
    if is_back[0] or arg_is(call, i, front):
        return True
    reply_syntax_error(call)
    return False


cdef inline bint arg_count(Call* call, int i, const char* error, int64_t* out) noexcept nogil:
    """A count from 1 on in argv[i]; False after an error reply."""
    if parse_int64(call.argv[i].data, call.argv[i].size, out) and out[0] > 0:
        return True
    reply_error(call.reply, error)
    return False


cdef inline bint arg_pop_from(Call* call, int i, const char* front, const char* back, PopFrom* out) noexcept nogil:
    """From argv[i] to the end: numkeys key ... front|back [COUNT count]; False after an error reply."""
    cdef int64_t keys
    out.count = 1
    if not arg_count(call, i, b"ERR numkeys should be greater than 0", &keys):
        return False
    out.first = i + 1
    if keys >= call.argc - out.first:
        reply_syntax_error(call)
        return False
    out.end = out.first + <int>keys
    if not arg_end(call, out.end, front, back, &out.back):
        return False
    i = out.end + 1
    if call.argc > i + 1 and arg_is(call, i, b"COUNT"):
        if not arg_count(call, i + 1, b"ERR count should be greater than 0", &out.count):
            return False
        i += 2
    if call.argc > i:
        reply_syntax_error(call)
        return False
    return True
