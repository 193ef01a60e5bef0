from libc.string cimport memchr
from gapless.engine.dispatch cimport find_read
from gapless.engine.hash_value cimport Field, Hash, hash_of_value, hash_peek
from gapless.engine.keyspace cimport Value, keyspace_find, keyspace_hash
from gapless.engine.record cimport TYPE_HASH, TYPE_STRING
from gapless.engine.reply cimport reply_raw, reply_reserve


cdef const uint8_t* find_arrow(const uint8_t* p, const uint8_t* end) noexcept nogil:
    """The first "->" with something behind it that is no zero byte, as C reads texts; NULL: there is none."""
    while p + 2 < end and p[0] != 0:
        if p[0] == c'-' and p[1] == c'>':
            return p if p[2] != 0 else NULL
        p += 1
    return NULL


cdef void sort_pattern(const Arg* arg, SortPattern* out) noexcept nogil:
    cdef const uint8_t* text = arg.data
    cdef const uint8_t* end = text + arg.size
    cdef const uint8_t* star = <const uint8_t*>memchr(text, c'*', arg.size)
    cdef const uint8_t* zero = <const uint8_t*>memchr(text, 0, arg.size)
    cdef const uint8_t* arrow
    out.text = text
    out.itself = arg.size > 0 and text[0] == c'#' and (arg.size == 1 or text[1] == 0)
    out.star = star != NULL and (zero == NULL or star < zero)
    out.field = NULL
    if not out.star:
        return
    out.before = <size_t>(star - text)
    arrow = find_arrow(star + 1, end)
    out.after = <size_t>((arrow if arrow != NULL else end) - star - 1)
    if arrow != NULL:
        out.field = arrow + 2
        out.field_bytes = <size_t>(end - out.field)


cdef void sort_look_up(Call* call, const SortPattern* pattern, const uint8_t* element, uint32_t n, Reply* key, SortText* out) noexcept nogil:
    cdef Value v
    cdef Hash h
    cdef Field field
    out.data = NULL
    if pattern.itself:
        out.data = element
        out.size = n
        return
    if not pattern.star:
        return
    key.length = 0
    reply_reserve(key, pattern.before + n + pattern.after + 1)  # 1: memory also for a key without a byte
    reply_raw(key, pattern.text, pattern.before)
    reply_raw(key, element, n)
    reply_raw(key, pattern.text + pattern.before + 1, pattern.after)
    if not keyspace_find(call.keys, call.session.db, key.data, key.length, keyspace_hash(call.keys, key.data, key.length),
                         find_read(call), &v):
        return
    if pattern.field == NULL:
        if v.type == TYPE_STRING:
            out.data = v.data
            out.size = v.size
    elif v.type == TYPE_HASH:
        hash_of_value(call.keys, &v, &h)
        if hash_peek(&h, pattern.field, pattern.field_bytes, &field):
            out.data = field.value
            out.size = field.value_bytes
