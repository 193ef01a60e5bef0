"""What is pending taken over by another consumer: XCLAIM, XAUTOCLAIM."""
from libc.stddef cimport size_t
from libc.stdint cimport INT64_MAX, int64_t, uint64_t
from gapless.engine.base cimport STATUS_OK, Status, parse_int64
from gapless.engine.call cimport Call
from gapless.engine.dispatch cimport arg_is, call_status, handler_register, reply_syntax_error
from gapless.engine.keyspace cimport FIND_WRITE
from gapless.engine.reply cimport Reply, reply_array, reply_error, reply_free, reply_init, reply_raw
from gapless.engine.scan cimport move_to_front
from gapless.engine.stream_block cimport Entry
from gapless.engine.stream_groups cimport (
    Consumer, Group, PendingState, consumer_see, group_find, group_write, pending_drop, pending_find, pending_from, pending_give,
)
from gapless.engine.stream_id cimport (
    StreamId, arg_id, arg_interval_start, id_compare, id_increment, id_of, parse_id, reply_id,
)
from gapless.engine.stream_reply cimport reply_entry, reply_error_naming, reply_no_group
from gapless.engine.stream_value cimport Stream, StreamWalk, stream_counted, stream_next, stream_open, stream_walk

cdef enum:
    LOOKED_AT_PER_COUNT = 10   # of what is pending, by XAUTOCLAIM
    COUNT_DEFAULT = 100
    DELIVERIES_COUNTED = -1    # RETRYCOUNT was not given

# The largest COUNT that Redis can multiply by the size of an ID and by ten.
cdef int64_t COUNT_MAX = INT64_MAX // 16


cdef struct Claim:
    int64_t idle_min_ms
    int64_t delivered_ms
    int64_t deliveries         # DELIVERIES_COUNTED
    bint force
    bint only_ids


cdef bint arg_idle(Call* call, int i, const char* error, Claim* claim) noexcept nogil:
    if not parse_int64(call.argv[i].data, call.argv[i].size, &claim.idle_min_ms):
        reply_error(call.reply, error)
        return False
    claim.idle_min_ms = max(claim.idle_min_ms, <int64_t>0)
    return True


cdef bint open_group(Call* call, Stream* s, Group* g) noexcept nogil:
    if not stream_open(call, &call.argv[1], call.hash, FIND_WRITE, s):
        return False
    return s.there and group_find(s, &call.argv[2], g) or reply_no_group(call, &call.argv[1], &call.argv[2])


cdef Status claim_one(Call* call, Stream* s, Group* g, const Consumer* c, StreamId id, const Claim* claim, const Entry* entry,
                      bint* claimed) noexcept nogil:
    """An entry that is there, pending or, with `force`, to become so."""
    cdef PendingState state
    cdef bint there = pending_find(s, g, id, &state)
    cdef Status status
    claimed[0] = False
    if there and claim.idle_min_ms and call.keys.now_ms - state.delivered_ms < claim.idle_min_ms:
        return STATUS_OK
    if not there:
        if not claim.force:
            return STATUS_OK
        state.deliveries = 1
    state.consumer = c.number
    state.delivered_ms = claim.delivered_ms
    if claim.deliveries >= 0:
        state.deliveries = <uint64_t>claim.deliveries
    elif not claim.only_ids:
        state.deliveries += 1
    status = pending_give(s, g, id, &state)
    if status != STATUS_OK:
        return status
    claimed[0] = True
    if claim.only_ids:
        reply_id(call.reply, id)
    else:
        reply_entry(call.reply, entry)
    return STATUS_OK


# ---- XCLAIM

cdef bint arg_number(Call* call, int i, const char* error, int64_t* out) noexcept nogil:
    if parse_int64(call.argv[i].data, call.argv[i].size, out):
        return True
    reply_error(call.reply, error)
    return False


cdef bint claim_options(Call* call, int i, Claim* claim, StreamId* last) noexcept nogil:
    claim.delivered_ms = call.keys.now_ms
    claim.deliveries = DELIVERIES_COUNTED
    claim.force = False
    claim.only_ids = False
    last[0] = id_of(0, 0)
    while i < call.argc:
        if arg_is(call, i, b"FORCE"):
            claim.force = True
            i += 1
            continue
        if arg_is(call, i, b"JUSTID"):
            claim.only_ids = True
            i += 1
            continue
        if i + 1 < call.argc and arg_is(call, i, b"IDLE"):
            if not arg_number(call, i + 1, b"ERR Invalid IDLE option argument for XCLAIM", &claim.delivered_ms):
                return False
            claim.delivered_ms = <int64_t>(<uint64_t>call.keys.now_ms - <uint64_t>claim.delivered_ms)
        elif i + 1 < call.argc and arg_is(call, i, b"TIME"):
            if not arg_number(call, i + 1, b"ERR Invalid TIME option argument for XCLAIM", &claim.delivered_ms):
                return False
        elif i + 1 < call.argc and arg_is(call, i, b"RETRYCOUNT"):
            if not arg_number(call, i + 1, b"ERR Invalid RETRYCOUNT option argument for XCLAIM", &claim.deliveries):
                return False
        elif i + 1 < call.argc and arg_is(call, i, b"LASTID"):
            if not arg_id(call, i + 1, 0, last):
                return False
        else:
            return reply_error_naming(call, b"ERR Unrecognized XCLAIM option '", &call.argv[i], b"'", NULL, b"")
        i += 2
    if claim.delivered_ms < 0 or claim.delivered_ms > call.keys.now_ms:
        claim.delivered_ms = call.keys.now_ms
    return True


cdef void cmd_xclaim(Call* call) noexcept nogil:
    cdef Stream s
    cdef Group g
    cdef Consumer c
    cdef Claim claim
    cdef StreamId id, last
    cdef StreamWalk w
    cdef Entry entry
    cdef bint made, claimed
    cdef int64_t shown = 0
    cdef int i, end = 5
    cdef size_t front, middle
    cdef Status status
    if not open_group(call, &s, &g) or not arg_idle(call, 4, b"ERR Invalid min-idle-time argument for XCLAIM", &claim):
        return
    while end < call.argc and parse_id(&call.argv[end], 0, True, &id, NULL):
        end += 1
    if not claim_options(call, end, &claim, &last):
        return
    if id_compare(last, g.state.last) > 0:
        g.state.last = last
    status = consumer_see(&s, &g, &call.argv[3], &c, &made)
    front = call.reply.length
    i = 5
    while i < end and status == STATUS_OK:
        parse_id(&call.argv[i], 0, True, &id, NULL)
        i += 1
        stream_walk(&s, id, id, False, &w)
        if not stream_next(&w, &entry):
            pending_drop(&s, &g, id)
            continue
        status = claim_one(call, &s, &g, &c, id, &claim, &entry, &claimed)
        shown += claimed
    if shown:
        c.state.active_ms = call.keys.now_ms
    group_write(&s, &g)
    stream_counted(&s)
    if status != STATUS_OK:
        call.reply.length = front
        call_status(call, status)
        return
    middle = call.reply.length
    reply_array(call.reply, shown)
    move_to_front(call.reply, front, middle)


# ---- XAUTOCLAIM

cdef bint autoclaim_options(Call* call, Claim* claim, int64_t* count) noexcept nogil:
    cdef int i = 6
    claim.delivered_ms = call.keys.now_ms
    claim.deliveries = DELIVERIES_COUNTED
    claim.force = False
    claim.only_ids = False
    count[0] = COUNT_DEFAULT
    while i < call.argc:
        if arg_is(call, i, b"COUNT") and i + 1 < call.argc:
            if not parse_int64(call.argv[i + 1].data, call.argv[i + 1].size, count) or count[0] < 1 or count[0] > COUNT_MAX:
                reply_error(call.reply, b"ERR COUNT must be > 0")
                return False
            i += 2
        elif arg_is(call, i, b"JUSTID"):
            claim.only_ids = True
            i += 1
        else:
            reply_syntax_error(call)
            return False
    return True


cdef void cmd_xautoclaim(Call* call) noexcept nogil:
    cdef Stream s
    cdef Group g
    cdef Consumer c
    cdef Claim claim
    cdef StreamId id
    cdef StreamWalk w
    cdef Entry entry
    cdef Reply deleted
    cdef bint made, claimed, more = False
    cdef int64_t count, looked_at, shown = 0, gone = 0
    cdef size_t front, middle
    cdef Status status
    if (not arg_idle(call, 4, b"ERR Invalid min-idle-time argument for XAUTOCLAIM", &claim)
            or not arg_interval_start(call, 5, &id) or not autoclaim_options(call, &claim, &count)
            or not open_group(call, &s, &g)):
        return
    status = consumer_see(&s, &g, &call.argv[3], &c, &made)
    if not call_status(call, status):
        return
    reply_init(&deleted)
    front = call.reply.length
    looked_at = count * LOOKED_AT_PER_COUNT if count <= INT64_MAX // LOOKED_AT_PER_COUNT else INT64_MAX
    while True:
        more = pending_from(&s, &g, 0, &id)
        if not more or looked_at == 0 or count == 0:
            break
        looked_at -= 1
        stream_walk(&s, id, id, False, &w)
        if not stream_next(&w, &entry):
            pending_drop(&s, &g, id)
            reply_id(&deleted, id)
            gone += 1
            count -= 1
        else:
            status = claim_one(call, &s, &g, &c, id, &claim, &entry, &claimed)
            if status != STATUS_OK:
                break
            shown += claimed
            count -= claimed
        if not id_increment(&id):
            more = False
            break
    if shown:
        c.state.active_ms = call.keys.now_ms
    group_write(&s, &g)
    stream_counted(&s)
    if status == STATUS_OK:
        middle = call.reply.length
        reply_array(call.reply, 3)
        reply_id(call.reply, id if more else id_of(0, 0))
        reply_array(call.reply, shown)
        move_to_front(call.reply, front, middle)
        reply_array(call.reply, gone)
        if gone:
            reply_raw(call.reply, deleted.data, deleted.length)
    else:
        call.reply.length = front
        call_status(call, status)
    reply_free(&deleted)


handler_register(b"streams_claim.xautoclaim", cmd_xautoclaim)
handler_register(b"streams_claim.xclaim", cmd_xclaim)
