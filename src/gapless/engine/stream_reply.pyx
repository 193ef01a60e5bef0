"""Replies of streams. See stream_reply.pxd."""
from libc.string cimport memchr, strlen
from gapless.engine.reply cimport reply_array, reply_bulk, reply_error_bytes, reply_free, reply_init, reply_raw
from gapless.engine.scan cimport move_to_front
from gapless.engine.stream_block cimport FieldWalk, entry_fields, field_next
from gapless.engine.stream_id cimport reply_id
from gapless.engine.stream_value cimport StreamWalk, stream_next, stream_walk


cdef void reply_entry(Reply* reply, const Entry* entry) noexcept nogil:
    cdef FieldWalk w
    cdef Arg name, value
    reply_array(reply, 2)
    reply_id(reply, entry.id)
    reply_array(reply, 2 * <long long>entry.fields)
    entry_fields(entry, &w)
    while field_next(&w, &name, &value):
        reply_bulk(reply, name.data, name.size)
        reply_bulk(reply, value.data, value.size)


cdef void reply_range(Reply* reply, Stream* s, StreamId low, StreamId high, bint back, uint64_t count) noexcept nogil:
    cdef StreamWalk w
    cdef Entry entry
    cdef size_t front = reply.length, middle
    cdef uint64_t shown = 0
    stream_walk(s, low, high, back, &w)
    while shown < count and stream_next(&w, &entry):
        reply_entry(reply, &entry)
        shown += 1
    middle = reply.length
    reply_array(reply, <long long>shown)
    move_to_front(reply, front, middle)


cdef void add_text(Reply* out, const char* text) noexcept nogil:
    reply_raw(out, text, strlen(text))


cdef void add_name(Reply* out, const Arg* name) noexcept nogil:
    cdef const void* end = memchr(name.data, 0, name.size)
    reply_raw(out, name.data, name.size if end == NULL else <size_t>(<const unsigned char*>end - name.data))


cdef bint reply_error_naming(Call* call, const char* before, const Arg* first, const char* between, const Arg* second,
                             const char* behind) noexcept nogil:
    cdef Reply text
    reply_init(&text)
    add_text(&text, before)
    add_name(&text, first)
    add_text(&text, between)
    if second != NULL:
        add_name(&text, second)
    add_text(&text, behind)
    reply_error_bytes(call.reply, text.data, text.length)
    reply_free(&text)
    return False


cdef bint reply_no_group(Call* call, const Arg* key, const Arg* group) noexcept nogil:
    return reply_error_naming(call, b"NOGROUP No such key '", key, b"' or consumer group '", group, b"'")
