"""Blocks of stream entries. See stream_block.pxd."""
from libc.string cimport memcmp, memcpy
from gapless.engine.record cimport read_varint, read_varint_within, varint_bytes, write_varint
from gapless.engine.stream_id cimport id_compare, id_load, id_of, id_store

cdef enum:
    FOLLOWS = 0
    SAME_MS = 1
    NEXT_MS = 2
    OTHER_MS = 3
    FORM_MASK = 3
    OWN = 4
    WIDE_BYTES_MAX = 10


# ---- numbers of 64 bits

cdef inline const uint8_t* read_wide(const uint8_t* p, uint64_t* out) noexcept nogil:
    cdef uint64_t v = 0
    cdef uint32_t shift = 0
    while p[0] & 0x80:
        v |= <uint64_t>(p[0] & 0x7f) << shift
        shift += 7
        p += 1
    out[0] = v | <uint64_t>p[0] << shift
    return p + 1


cdef inline uint8_t* write_wide(uint8_t* p, uint64_t v) noexcept nogil:
    while v >= 0x80:
        p[0] = <uint8_t>(v | 0x80)
        p += 1
        v >>= 7
    p[0] = <uint8_t>v
    return p + 1


# ---- reading

cdef inline const uint8_t* skip_strings(const uint8_t* p, uint64_t count) noexcept nogil:
    cdef uint32_t n
    cdef uint64_t _i
    for _i in range(count):
        p = read_varint(p, &n)
        p += n
    return p


cdef inline const uint8_t* skip_names(const uint8_t* names) noexcept nogil:
    cdef uint32_t fields
    names = read_varint(names, &fields)
    return skip_strings(names, fields)


cdef uint64_t names_span(const uint8_t* names) noexcept nogil:
    return <uint64_t>(skip_names(names) - names)


cdef StreamId block_before(StreamId id) noexcept nogil:
    # Its seq may wrap: whoever adds one to it comes back to it.
    return id_of(id.ms, id.seq - 1)


cdef inline const uint8_t* sound_strings(const uint8_t* p, const uint8_t* end, uint64_t count) noexcept nogil:
    """Behind so many strings; NULL: they do not end before `end`."""
    cdef uint32_t n
    cdef uint64_t _i
    for _i in range(count):
        p = read_varint_within(p, end, &n)
        if p == NULL or <uint64_t>(end - p) < n:
            return NULL
        p += n
    return p


cdef inline const uint8_t* sound_names(const uint8_t* p, const uint8_t* end, uint32_t* fields) noexcept nogil:
    p = read_varint_within(p, end, fields)
    return sound_strings(p, end, fields[0]) if p != NULL else NULL


cdef inline const uint8_t* sound_wide(const uint8_t* p, const uint8_t* end) noexcept nogil:
    cdef const uint8_t* begin = p
    while p < end and p - begin < WIDE_BYTES_MAX:
        p += 1
        if p[-1] < 0x80:
            return p
    return NULL


cdef bint block_is_sound(const uint8_t* block, uint64_t n) noexcept nogil:
    cdef const uint8_t* p = block + BLOCK_HEADER_BYTES
    cdef const uint8_t* end = block + n
    cdef uint32_t names = 0, fields, head, form, entries = 0
    if n < <uint64_t>BLOCK_HEADER_BYTES:
        return False
    p = sound_names(p, end, &names)
    while p != NULL and p < end:
        if p[0] == BLOCK_NODE:
            p = sound_names(p + 1, end, &names)
            if p == NULL or p == end:
                return False
        head = p[0]
        form = head & FORM_MASK
        entries += 1
        if head & ~<uint32_t>(FORM_MASK | OWN) or entries > BLOCK_ENTRIES_MAX:
            return False
        p += 1
        if form != FOLLOWS:
            p = sound_wide(p, end)
        if p != NULL and form == OTHER_MS:
            p = sound_wide(p, end)
        if p == NULL:
            return False
        fields = names
        if head & OWN:
            p = read_varint_within(p, end, &fields)
            if p == NULL:
                return False
        p = sound_strings(p, end, <uint64_t>fields * (2 if head & OWN else 1))
    return p != NULL


cdef bint block_has_names_at(const uint8_t* block, uint64_t n, uint64_t at) noexcept nogil:
    cdef BlockCursor c
    cdef Entry entry
    block_open(block, n, &c)
    while c.names != block + at:
        if not block_next(&c, &entry):
            return False
    return True


cdef void block_open(const uint8_t* block, uint64_t n, BlockCursor* c) noexcept nogil:
    c.begin = block
    c.end = block + n
    c.names = block + BLOCK_HEADER_BYTES
    c.at = skip_names(c.names)
    c.id = block_before(id_load(block))
    c.begins = block[ID_BYTES] & BLOCK_BEGINS


cdef inline const uint8_t* read_id(const uint8_t* p, uint32_t form, StreamId* id) noexcept nogil:
    """What follows the head; id is that of the entry before, and becomes that of this one."""
    cdef uint64_t distance
    if form == FOLLOWS:
        id.seq += 1
    elif form == SAME_MS:
        p = read_wide(p, &distance)
        id.seq += 1 + distance
    elif form == NEXT_MS:
        p = read_wide(p, &distance)
        id.ms += 1 + distance
        id.seq = 0
    else:
        p = read_wide(p, &distance)
        id.ms += distance
        p = read_wide(p, &distance)
        id.seq = distance
    return p


cdef bint block_next(BlockCursor* c, Entry* out) noexcept nogil:
    cdef uint32_t head
    if c.at < c.end and c.at[0] == BLOCK_NODE:
        c.begins = True
        c.names = c.at + 1
        c.at = skip_names(c.names)
    if c.at >= c.end:
        return False
    head = c.at[0]
    out.at = c.at
    out.begins = c.begins
    out.names = c.names
    out.own = (head & OWN) != 0
    c.begins = False
    out.body = read_id(c.at + 1, head & FORM_MASK, &c.id)
    out.id = c.id
    if out.own:
        out.body = read_varint(out.body, &out.fields)
        c.at = skip_strings(out.body, 2 * <uint64_t>out.fields)
    else:
        read_varint(c.names, &out.fields)
        c.at = skip_strings(out.body, out.fields)
    out.end = c.at
    return True


cdef void entry_fields(const Entry* entry, FieldWalk* w) noexcept nogil:
    cdef uint32_t fields
    w.own = entry.own
    w.names = read_varint(entry.names, &fields)
    w.at = entry.body
    w.left = entry.fields


cdef bint field_next(FieldWalk* w, Arg* name, Arg* value) noexcept nogil:
    cdef uint32_t n
    if w.left == 0:
        return False
    w.left -= 1
    if w.own:
        name.data = read_varint(w.at, &n)
        w.at = name.data + n
    else:
        name.data = read_varint(w.names, &n)
        w.names = name.data + n
    name.size = n
    value.data = read_varint(w.at, &n)
    value.size = n
    w.at = value.data + n
    return True


cdef bint names_are(const uint8_t* names, const Arg* pairs, uint32_t fields) noexcept nogil:
    cdef uint32_t n, i
    names = read_varint(names, &n)
    if n != fields:
        return False
    for i in range(fields):
        names = read_varint(names, &n)
        if n != pairs[2 * i].size or memcmp(names, pairs[2 * i].data, n) != 0:
            return False
        names += n
    return True


# ---- writing

cdef inline uint8_t* write_string(uint8_t* p, const Arg* text) noexcept nogil:
    p = write_varint(p, <uint32_t>text.size)
    memcpy(p, text.data, text.size)
    return p + text.size


cdef uint64_t names_bytes(const Arg* pairs, uint32_t fields) noexcept nogil:
    cdef uint64_t n = varint_bytes(fields)
    cdef uint32_t i
    for i in range(fields):
        n += varint_bytes(<uint32_t>pairs[2 * i].size) + pairs[2 * i].size
    return n


cdef uint8_t* write_names(uint8_t* p, const Arg* pairs, uint32_t fields) noexcept nogil:
    cdef uint32_t i
    p = write_varint(p, fields)
    for i in range(fields):
        p = write_string(p, &pairs[2 * i])
    return p


cdef uint8_t* block_begin(uint8_t* p, StreamId id, bint begins) noexcept nogil:
    id_store(p, id)
    p[ID_BYTES] = BLOCK_BEGINS if begins else 0
    return p + BLOCK_HEADER_BYTES


cdef uint64_t entry_room(const Arg* pairs, uint32_t fields, bint own) noexcept nogil:
    cdef uint64_t n = ENTRY_HEAD_BYTES_MAX
    cdef uint32_t i
    for i in range(fields):
        n += varint_bytes(<uint32_t>pairs[2 * i + 1].size) + pairs[2 * i + 1].size
    return n + names_bytes(pairs, fields) if own else n


cdef inline uint8_t* write_id(uint8_t* p, uint32_t head, StreamId before, StreamId id) noexcept nogil:
    """Head and what it says of the ID."""
    if id.ms == before.ms and id.seq == before.seq + 1:
        p[0] = <uint8_t>(head | FOLLOWS)
        return p + 1
    if id.ms == before.ms and id.seq > before.seq:
        p[0] = <uint8_t>(head | SAME_MS)
        return write_wide(p + 1, id.seq - before.seq - 1)
    if id.seq == 0 and id.ms != before.ms:
        p[0] = <uint8_t>(head | NEXT_MS)
        return write_wide(p + 1, id.ms - before.ms - 1)
    p[0] = <uint8_t>(head | OTHER_MS)
    return write_wide(write_wide(p + 1, id.ms - before.ms), id.seq)


cdef uint8_t* write_entry(uint8_t* p, StreamId before, StreamId id, const Arg* pairs, uint32_t fields, bint own) noexcept nogil:
    cdef uint32_t i
    p = write_id(p, OWN if own else 0, before, id)
    if own:
        p = write_varint(p, fields)
    for i in range(fields):
        if own:
            p = write_string(p, &pairs[2 * i])
        p = write_string(p, &pairs[2 * i + 1])
    return p


cdef uint64_t block_without(const uint8_t* block, uint64_t n, const uint8_t* at, StreamId dead_below, uint8_t* out) noexcept nogil:
    cdef BlockCursor c
    cdef Entry entry
    cdef StreamId before
    cdef uint8_t* p = out
    cdef const uint8_t* written = block + BLOCK_HEADER_BYTES
    cdef uint64_t span
    cdef bint begins = False, any = False
    before = block_before(id_load(block))
    block_open(block, n, &c)
    span = names_span(written)
    memcpy(p, block, BLOCK_HEADER_BYTES + span)
    p += BLOCK_HEADER_BYTES + span
    while block_next(&c, &entry):
        # A node begins with the first entry of it that is left.
        begins = begins or entry.begins
        if entry.at == at or id_compare(entry.id, dead_below) < 0:
            continue
        if entry.names != written:
            written = entry.names
            span = names_span(written)
            if any:
                p[0] = BLOCK_NODE
                p += 1
            else:
                p = out + BLOCK_HEADER_BYTES
            memcpy(p, written, span)
            p += span
        if not any:
            out[ID_BYTES] = BLOCK_BEGINS if begins else 0
        p = write_id(p, OWN if entry.own else 0, before, entry.id)
        if entry.own:
            p = write_varint(p, entry.fields)
        memcpy(p, entry.body, <uint64_t>(entry.end - entry.body))
        p += entry.end - entry.body
        before = entry.id
        any = True
        begins = False
    return <uint64_t>(p - out) if any else 0
