"""Which arguments of a command are secrets: MONITOR and SLOWLOG show `(redacted)` in their place.

Wherever Redis hides an argument it is hidden here; so is one of an AUTH or HELLO that is refused for another reason, which Redis shows.
"""
from libc.string cimport strcmp
from gapless.engine.call cimport Call
from gapless.engine.dispatch cimport arg_is


cdef inline bint _hello_secret(Call* call, int i) noexcept nogil:
    cdef int at = 2
    while at < i:
        if arg_is(call, at, b"AUTH") and at + 2 < call.argc:
            if i <= at + 2:
                return True
            at += 3
        elif arg_is(call, at, b"SETNAME"):
            at += 2
        else:
            return False
    return False


# Whether argv[i] must not be shown. `call.command` is its row; O(i).
cdef inline bint arg_is_secret(Call* call, int i) noexcept nogil:
    cdef const char* name = call.command.name
    if i == 0:
        return False
    if strcmp(name, b"auth") == 0:
        return True
    if strcmp(name, b"hello") == 0:
        return _hello_secret(call, i)
    if strcmp(name, b"config|set") == 0:
        return i & 1 and i > 2 and (
            arg_is(call, i - 1, b"REQUIREPASS") or arg_is(call, i - 1, b"MASTERAUTH") or arg_is(call, i - 1, b"MASTERUSER")
            or arg_is(call, i - 1, b"TLS-KEY-FILE-PASS") or arg_is(call, i - 1, b"TLS-CLIENT-KEY-FILE-PASS"))
    return False
