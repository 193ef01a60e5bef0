"""Glob patterns as KEYS and SCAN MATCH read them.

    ?       any byte              [abc] [a-z] [^a]   one byte of a class; a class that is never closed ends with the pattern
    *       any bytes, also none  \\x                 the byte x itself

Takes time proportional to pattern times text at worst: only the last star is ever tried again, which decides the same
as trying all of them.
"""
from libc.stdint cimport uint8_t


cdef inline size_t glob_class(const uint8_t* pattern, size_t n, size_t at, uint8_t c, bint* matches) noexcept nogil:
    """Reads the class whose `[` is at `at`; returns where the pattern goes on."""
    cdef bint negated = False
    cdef bint found = False
    cdef uint8_t low, high
    at += 1
    if at < n and pattern[at] == c'^':
        negated = True
        at += 1
    while at < n:
        if pattern[at] == c'\\' and at + 1 < n:
            at += 1
            if pattern[at] == c:
                found = True
        elif pattern[at] == c']':
            at += 1
            break
        elif at + 2 < n and pattern[at + 1] == c'-':
            low = min(pattern[at], pattern[at + 2])
            high = max(pattern[at], pattern[at + 2])
            at += 2
            if low <= c <= high:
                found = True
        elif pattern[at] == c:
            found = True
        at += 1
    matches[0] = found != negated
    return at


cdef inline bint glob_match(const uint8_t* pattern, size_t n, const uint8_t* text, size_t length) noexcept nogil:
    cdef size_t at = 0, i = 0
    cdef size_t star_at = 0, star_i = 0
    cdef bint star = False, matches
    cdef size_t after
    if length == 0:
        # As Redis does: the empty text matches the empty pattern alone, not even a star.
        return n == 0
    while i < length:
        if at < n and pattern[at] == c'*':
            at += 1
            if at == n:
                return True
            star = True
            star_at = at
            star_i = i
            continue
        matches = False
        after = at
        if at < n:
            if pattern[at] == c'?':
                matches = True
                after = at + 1
            elif pattern[at] == c'[':
                after = glob_class(pattern, n, at, text[i], &matches)
            else:
                if pattern[at] == c'\\' and at + 1 < n:
                    after = at + 1
                matches = pattern[after] == text[i]
                after += 1
        if matches:
            at = after
            i += 1
        elif star:
            star_i += 1
            at = star_at
            i = star_i
        else:
            return False
    while at < n and pattern[at] == c'*':
        at += 1
    return at == n
