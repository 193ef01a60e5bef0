"""Whether a line is a JSON object, and where some of its members are, without making objects of it.

It only ever says yes where a full parser would. What is rare or hard (escapes in names, surrogates, exponents, more than 60 levels,
anything that looks wrong) it leaves to one: the caller asks orjson then, which has the last word.
"""
from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.string cimport memcmp

from gapless.engine.base cimport load_u64


cdef enum Kind:
    KIND_NONE = 0       # not there, or nothing that can be a key nor be looked for
    KIND_TEXT = 1
    KIND_NUMBER = 2
    KIND_BOOLEAN = 3
    KIND_NULL = 4


cdef struct Member:
    # One to look for: its name; and what was found, the last one where a name repeats, as parsers do.
    const uint8_t* name
    size_t name_bytes
    const uint8_t* value    # without quotes
    size_t value_bytes
    Kind kind
    bint escaped            # text with escapes, so that its bytes are not its value


cdef inline const uint8_t* skip_blanks(const uint8_t* p, const uint8_t* end) noexcept nogil:
    while p < end and (p[0] == c' ' or p[0] == c'\t' or p[0] == c'\r' or p[0] == c'\n'):
        p += 1
    return p


cdef inline bint has_special(uint64_t word) noexcept nogil:
    # Any byte that is a quote, a backslash, a control character or not ASCII. May say so of the bytes behind one, too.
    cdef uint64_t ones = <uint64_t>0x0101010101010101, highs = <uint64_t>0x8080808080808080
    cdef uint64_t quotes = word ^ (ones * 0x22), slashes = word ^ (ones * 0x5c)
    return ((quotes - ones) | (slashes - ones) | (word - ones * 0x20) | word) & highs != 0


cdef inline const uint8_t* skip_utf8(const uint8_t* p, const uint8_t* end) noexcept nogil:
    """Behind one character of two to four bytes; NULL when it is none."""
    cdef uint8_t c = p[0]
    if c < 0xc2 or c > 0xf4:
        return NULL
    if c < 0xe0:
        return p + 2 if end - p >= 2 and (p[1] & 0xc0) == 0x80 else NULL
    if c < 0xf0:
        if end - p < 3 or (p[1] & 0xc0) != 0x80 or (p[2] & 0xc0) != 0x80:
            return NULL
        if (c == 0xe0 and p[1] < 0xa0) or (c == 0xed and p[1] > 0x9f):
            return NULL
        return p + 3
    if end - p < 4 or (p[1] & 0xc0) != 0x80 or (p[2] & 0xc0) != 0x80 or (p[3] & 0xc0) != 0x80:
        return NULL
    if (c == 0xf0 and p[1] < 0x90) or (c == 0xf4 and p[1] > 0x8f):
        return NULL
    return p + 4


cdef inline bint is_hex(uint8_t c) noexcept nogil:
    return c'0' <= c <= c'9' or c'a' <= (c | 0x20) <= c'f'


cdef inline const uint8_t* skip_string(const uint8_t* p, const uint8_t* end, bint* escaped) noexcept nogil:
    """From behind the opening quote to the closing one; NULL when in doubt."""
    cdef uint8_t c
    escaped[0] = False
    while True:
        while end - p >= 8 and not has_special(load_u64(p)):
            p += 8
        if p >= end:
            return NULL
        c = p[0]
        if c == c'"':
            return p
        if c >= 0x80:
            p = skip_utf8(p, end)
            if p == NULL:
                return NULL
        elif c == c'\\':
            escaped[0] = True
            if end - p < 2:
                return NULL
            c = p[1]
            if c == c'u':
                if end - p < 6 or not (is_hex(p[2]) and is_hex(p[3]) and is_hex(p[4]) and is_hex(p[5])):
                    return NULL
                if (p[2] | 0x20) == c'd' and p[3] >= c'8':
                    return NULL         # half of a surrogate pair: whether the other half follows is not looked at here
                p += 6
            elif (c == c'"' or c == c'\\' or c == c'/' or c == c'b' or c == c'f' or c == c'n' or c == c'r'
                  or c == c't'):
                p += 2
            else:
                return NULL
        elif c < 0x20:
            return NULL
        else:
            p += 1


cdef inline bint is_digit(uint8_t c) noexcept nogil:
    return c'0' <= c <= c'9'


cdef inline const uint8_t* skip_number(const uint8_t* p, const uint8_t* end) noexcept nogil:
    if p < end and p[0] == c'-':
        p += 1
    if p >= end or not is_digit(p[0]):
        return NULL
    if p[0] == c'0':
        p += 1
    else:
        while p < end and is_digit(p[0]):
            p += 1
    if p < end and p[0] == c'.':
        p += 1
        if p >= end or not is_digit(p[0]):
            return NULL
        while p < end and is_digit(p[0]):
            p += 1
    if p < end and (p[0] == c'e' or p[0] == c'E' or is_digit(p[0])):
        return NULL         # an exponent, which may be too large; or a leading zero
    return p


cdef inline const uint8_t* skip_scalar(const uint8_t* p, const uint8_t* end, Kind* kind, bint* escaped) noexcept nogil:
    """Behind a string, number, boolean or null; NULL when in doubt."""
    cdef uint8_t c
    if p >= end:
        return NULL
    c = p[0]
    escaped[0] = False
    if c == c'"':
        kind[0] = KIND_TEXT
        p = skip_string(p + 1, end, escaped)
        return p + 1 if p != NULL else NULL
    if c == c't':
        kind[0] = KIND_BOOLEAN
        return p + 4 if end - p >= 4 and memcmp(p, b"true", 4) == 0 else NULL
    if c == c'f':
        kind[0] = KIND_BOOLEAN
        return p + 5 if end - p >= 5 and memcmp(p, b"false", 5) == 0 else NULL
    if c == c'n':
        kind[0] = KIND_NULL
        return p + 4 if end - p >= 4 and memcmp(p, b"null", 4) == 0 else NULL
    kind[0] = KIND_NUMBER
    return skip_number(p, end)


cdef inline const uint8_t* skip_name(const uint8_t* p, const uint8_t* end) noexcept nogil:
    """From a member's name to its value; NULL when in doubt."""
    cdef bint escaped
    if p >= end or p[0] != c'"':
        return NULL
    p = skip_string(p + 1, end, &escaped)
    if p == NULL:
        return NULL
    p = skip_blanks(p + 1, end)
    return skip_blanks(p + 1, end) if p < end and p[0] == c':' else NULL


cdef inline const uint8_t* skip_container(const uint8_t* p, const uint8_t* end) noexcept nogil:
    """From the bracket that opens an array or object to behind the one that closes it; NULL when in doubt."""
    cdef uint64_t objects = 0       # a bit a level, the innermost the lowest
    cdef int depth = 0
    cdef Kind kind
    cdef bint escaped
    while True:
        if p >= end:
            return NULL
        if p[0] == c'{' or p[0] == c'[':
            if depth == 60:
                return NULL
            objects = objects << 1 | (p[0] == c'{')
            depth += 1
            p = skip_blanks(p + 1, end)
            if p >= end:
                return NULL
            if p[0] != (c'}' if objects & 1 else c']'):
                if objects & 1:
                    p = skip_name(p, end)
                    if p == NULL:
                        return NULL
                continue
        else:
            p = skip_scalar(p, end, &kind, &escaped)
            if p == NULL:
                return NULL
        while True:
            p = skip_blanks(p, end)
            if p >= end:
                return NULL
            if p[0] == c',':
                p = skip_blanks(p + 1, end)
                if objects & 1:
                    p = skip_name(p, end)
                    if p == NULL:
                        return NULL
                break
            if p[0] != (c'}' if objects & 1 else c']'):
                return NULL
            p += 1
            objects >>= 1
            depth -= 1
            if depth == 0:
                return p


cdef inline bint scan_object(const uint8_t* p, const uint8_t* end, Member* members, size_t count) noexcept nogil:
    """Whether [p, end) is one JSON object; `members` are then filled in. False also when in doubt."""
    cdef const uint8_t* name
    cdef const uint8_t* value
    cdef Member* member
    cdef Member* wanted
    cdef size_t i, name_bytes
    cdef Kind kind
    cdef bint escaped
    for i in range(count):
        members[i].kind = KIND_NONE
        members[i].value = NULL
    p = skip_blanks(p, end)
    if p >= end or p[0] != c'{':
        return False
    p = skip_blanks(p + 1, end)
    if p < end and p[0] == c'}':
        return skip_blanks(p + 1, end) == end
    while True:
        if p >= end or p[0] != c'"':
            return False
        name = p + 1
        p = skip_string(name, end, &escaped)
        if p == NULL or escaped:
            return False
        name_bytes = p - name
        wanted = NULL
        for i in range(count):
            member = &members[i]
            if member.name_bytes == name_bytes and memcmp(member.name, name, name_bytes) == 0:
                wanted = member
                break
        p = skip_blanks(p + 1, end)
        if p >= end or p[0] != c':':
            return False
        p = skip_blanks(p + 1, end)
        if p >= end:
            return False
        value = p
        kind = KIND_NONE
        if p[0] == c'{' or p[0] == c'[':
            p = skip_container(p, end)
        else:
            p = skip_scalar(p, end, &kind, &escaped)
        if p == NULL:
            return False
        if wanted != NULL:
            wanted.kind = kind
            wanted.escaped = escaped
            wanted.value = value + 1 if kind == KIND_TEXT else value
            wanted.value_bytes = p - value - 2 if kind == KIND_TEXT else p - value
        p = skip_blanks(p, end)
        if p >= end:
            return False
        if p[0] == c'}':
            return skip_blanks(p + 1, end) == end
        if p[0] != c',':
            return False
        p = skip_blanks(p + 1, end)
