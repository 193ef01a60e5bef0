"""Commands of lists at their ends: pushed, popped, moved from list to list; their length. The rest are in lists_inside."""
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memcmp
from gapless.engine.base cimport STATUS_OK, Status, parse_int64
from gapless.engine.collection cimport collection_abandon, collection_close, collection_finish, collection_finish_reply
from gapless.engine.dispatch cimport (
    call_status, find_read, handler_register, reply_wrong_arity,
)
from gapless.engine.keyspace cimport FIND_WRITE, keyspace_delete_found, keyspace_hash
from gapless.engine.list_value cimport (
    ListWalk, list_drop, list_expect, list_length, list_next, list_open, list_peek, list_pop, list_push, list_reply, list_rotate,
    list_shrunk, list_walk,
)
from gapless.engine.pop_from cimport PopFrom, arg_end, arg_pop_from
from gapless.engine.reply cimport reply_array, reply_bulk, reply_error, reply_int, reply_null, reply_null_array


# ---- pushing

cdef void push(Call* call, bint left, bint only_there) noexcept nogil:
    cdef List l
    cdef Status status
    cdef uint64_t bytes = 0
    cdef int i
    if not list_open(call, &call.argv[1], call.hash, FIND_WRITE, &l):
        return
    if only_there and not l.c.there:
        reply_int(call.reply, 0)
        return
    for i in range(2, call.argc):
        bytes += call.argv[i].size
    status = list_expect(&l, bytes, <uint64_t>(call.argc - 2))
    i = 2
    while i < call.argc and status == STATUS_OK:
        status = list_push(&l, left, call.argv[i].data, call.argv[i].size)
        i += 1
    if collection_finish(call, &l.c, status):
        reply_int(call.reply, <int64_t>list_length(&l))


cdef void cmd_lpush(Call* call) noexcept nogil:
    push(call, True, False)


cdef void cmd_rpush(Call* call) noexcept nogil:
    push(call, False, False)


cdef void cmd_lpushx(Call* call) noexcept nogil:
    push(call, True, True)


cdef void cmd_rpushx(Call* call) noexcept nogil:
    push(call, False, True)


cdef void cmd_llen(Call* call) noexcept nogil:
    cdef List l
    if list_open(call, &call.argv[1], call.hash, find_read(call), &l):
        reply_int(call.reply, <int64_t>list_length(&l))


# ---- popping

cdef void pop_reply(Call* call, List* l, bint left, size_t front) noexcept nogil:
    """front: where the reply begins."""
    cdef uint32_t n = 0
    cdef const uint8_t* element = list_peek(l, left, &n)
    reply_bulk(call.reply, element, n)
    list_pop(l, left)
    list_shrunk(l)
    collection_finish_reply(call, &l.c, front, STATUS_OK)


cdef void pop_reply_array(Call* call, List* l, bint left, uint64_t count, size_t front) noexcept nogil:
    cdef ListWalk w
    cdef uint32_t n = 0
    cdef uint64_t length = list_length(l), _i
    cdef const uint8_t* element
    count = min(count, length)
    reply_array(call.reply, <int64_t>count)
    if left:
        list_reply(l, 0, count, call.reply)
    else:
        list_walk(l, length - 1, True, &w)
        for _i in range(count):
            element = list_next(&w, &n)
            reply_bulk(call.reply, element, n)
    if count == length:
        keyspace_delete_found(call.keys, &l.c.v, l.c.key.data, l.c.key.size)
        return
    list_drop(l, left, count)
    list_shrunk(l)
    collection_finish_reply(call, &l.c, front, STATUS_OK)


cdef void list_pop_reply_pair(Call* call, List* l, bint left) noexcept nogil:
    cdef size_t front = call.reply.length
    reply_array(call.reply, 2)
    reply_bulk(call.reply, l.c.key.data, l.c.key.size)
    pop_reply(call, l, left, front)


cdef void list_pop_reply_named(Call* call, List* l, bint left, uint64_t count) noexcept nogil:
    cdef size_t front = call.reply.length
    reply_array(call.reply, 2)
    reply_bulk(call.reply, l.c.key.data, l.c.key.size)
    pop_reply_array(call, l, left, count, front)


cdef void pop(Call* call, bint left) noexcept nogil:
    cdef List l
    cdef int64_t count = 1
    if call.argc > 3:
        reply_wrong_arity(call)
        return
    if call.argc == 3 and (not parse_int64(call.argv[2].data, call.argv[2].size, &count) or count < 0):
        reply_error(call.reply, b"ERR value is out of range, must be positive")
        return
    if not list_open(call, &call.argv[1], call.hash, FIND_WRITE, &l):
        return
    if not l.c.there:
        if call.argc == 3:
            reply_null_array(call.reply)
        else:
            reply_null(call.reply)
    elif call.argc == 2:
        pop_reply(call, &l, left, call.reply.length)
    elif count == 0:
        reply_array(call.reply, 0)
    else:
        pop_reply_array(call, &l, left, <uint64_t>count, call.reply.length)


cdef void cmd_lpop(Call* call) noexcept nogil:
    pop(call, True)


cdef void cmd_rpop(Call* call) noexcept nogil:
    pop(call, False)


cdef bint arg_list_end(Call* call, int i, bint* left) noexcept nogil:
    cdef bint right
    if not arg_end(call, i, b"LEFT", b"RIGHT", &right):
        return False
    left[0] = not right
    return True


cdef bint list_open_first(Call* call, int first, int end, List* l, bint* failed) noexcept nogil:
    cdef int i
    cdef const Arg* key
    failed[0] = False
    for i in range(first, end):
        key = &call.argv[i]
        if not list_open(call, key, keyspace_hash(call.keys, key.data, key.size), FIND_WRITE, l):
            failed[0] = True
            return False
        if l.c.there:
            return True
    return False


cdef void cmd_lmpop(Call* call) noexcept nogil:
    cdef List l
    cdef PopFrom what
    cdef bint failed
    if not arg_pop_from(call, 1, b"LEFT", b"RIGHT", &what):
        return
    if list_open_first(call, what.first, what.end, &l, &failed):
        list_pop_reply_named(call, &l, not what.back, <uint64_t>what.count)
    elif not failed:
        reply_null_array(call.reply)


# ---- moving

cdef Status move_element(Call* call, List* source, const Arg* target_key, bint from_left, bint to_left, const uint8_t* element,
                         uint32_t n) noexcept nogil:
    """REQUIRED: the element is what list_peek() found at that end."""
    cdef List target
    cdef uint32_t again = 0
    cdef uint64_t target_hash = keyspace_hash(call.keys, target_key.data, target_key.size)
    cdef Status status
    list_open(call, target_key, target_hash, FIND_WRITE, &target)
    status = list_expect(&target, n, 1)
    if status == STATUS_OK:
        status = list_push(&target, to_left, element, n)
    if status != STATUS_OK:
        collection_abandon(&target.c)
        return status
    status = collection_close(&target.c)
    if status != STATUS_OK:
        return status
    # A new key may have moved the source's slot: it is looked up again.
    list_open(call, source.c.key, source.c.key_hash, FIND_WRITE, source)
    list_peek(source, from_left, &again)
    list_pop(source, from_left)
    list_shrunk(source)
    status = collection_close(&source.c)
    if status != STATUS_OK:
        # It stays where it was; what has just grown shrinks in place.
        list_open(call, target_key, target_hash, FIND_WRITE, &target)
        list_peek(&target, to_left, &again)
        list_pop(&target, to_left)
        collection_close(&target.c)
    return status


cdef void list_move_reply(Call* call, List* source, const Arg* target, bint from_left, bint to_left) noexcept nogil:
    cdef List other
    cdef size_t front = call.reply.length
    cdef uint32_t n = 0
    cdef const uint8_t* element
    cdef Status status
    if source.c.key.size == target.size and memcmp(source.c.key.data, target.data, target.size) == 0:
        element = list_peek(source, from_left, &n)
        reply_bulk(call.reply, element, n)
        collection_finish_reply(call, &source.c, front, list_rotate(source, from_left, to_left))
        return
    if not list_open(call, target, keyspace_hash(call.keys, target.data, target.size), FIND_WRITE, &other):
        return
    element = list_peek(source, from_left, &n)
    reply_bulk(call.reply, element, n)
    status = move_element(call, source, target, from_left, to_left, element, n)
    if status != STATUS_OK:
        call.reply.length = front
        call_status(call, status)


cdef void move(Call* call, bint from_left, bint to_left) noexcept nogil:
    cdef List source
    if not list_open(call, &call.argv[1], call.hash, FIND_WRITE, &source):
        return
    if not source.c.there:
        reply_null(call.reply)
        return
    list_move_reply(call, &source, &call.argv[2], from_left, to_left)


cdef void cmd_lmove(Call* call) noexcept nogil:
    cdef bint from_left, to_left
    if arg_list_end(call, 3, &from_left) and arg_list_end(call, 4, &to_left):
        move(call, from_left, to_left)


cdef void cmd_rpoplpush(Call* call) noexcept nogil:
    move(call, False, True)


handler_register(b"lists.llen", cmd_llen)
handler_register(b"lists.lmove", cmd_lmove)
handler_register(b"lists.lmpop", cmd_lmpop)
handler_register(b"lists.lpop", cmd_lpop)
handler_register(b"lists.lpush", cmd_lpush)
handler_register(b"lists.lpushx", cmd_lpushx)
handler_register(b"lists.rpop", cmd_rpop)
handler_register(b"lists.rpoplpush", cmd_rpoplpush)
handler_register(b"lists.rpush", cmd_rpush)
handler_register(b"lists.rpushx", cmd_rpushx)
