"""What the engine counts, as Python's dicts. See statistics.pxd."""
from libc.stdint cimport uint32_t, uint64_t
from gapless.engine.blocked cimport BlockedCounts, blocked_counts
from gapless.engine.call cimport LATENCY_BUCKETS, Command, Dispatch
from gapless.engine.client cimport CLIENT_PAUSED, Client
from gapless.engine.index cimport index_bytes
from gapless.engine.keyspace cimport Keyspace, keyspace_committed
from gapless.engine.log cimport SEGMENT_FREE, Segment
from gapless.engine.loop cimport Loop
from gapless.engine.ordered cimport ordered_bytes
from gapless.engine.pages cimport Pages

# A century: the last window has no end, and no average.
cdef uint64_t TTL_MS_SHOWN_MAX = 100 * 366 * 86400 * <uint64_t>1000


cdef uint64_t _average_ttl_ms(Keyspace* ks):
    """Of the records with a TTL, from the windows their segments stand for: O(segments)."""
    cdef uint64_t records = 0, now = <uint64_t>ks.now_ms
    cdef double total = 0
    cdef uint32_t unit
    cdef Segment* segment
    for unit in range(1, ks.arena.high_water):
        segment = &ks.log.segments[unit]
        if segment.state != SEGMENT_FREE and now < segment.window < now + TTL_MS_SHOWN_MAX:
            records += segment.records_live
            total += segment.records_live * <double>(segment.window - now)
    return <uint64_t>(total / records) if records else 0


cdef dict statistics_counters(Loop* loop, bint walk):
    cdef Dispatch* d = loop.dispatch
    cdef Keyspace* ks = d.keys
    cdef int db
    cdef uint64_t keys = 0, buckets = 0, overflow = 0, bytes_index = 0, ordered = 0
    cdef uint64_t input_max = 0, output_max = 0
    cdef uint32_t expired = 0, watching = 0, paused = 0, unit
    cdef Client* c
    cdef const Pages* pages = ks.forest.pages
    cdef BlockedCounts blocked = blocked_counts(d)
    found = dict(ks.stats)
    for name, value in dict(ks.cleaner).items():
        found["cleaner_" + name] = value
    for name, value in (dict(loop.stats) | dict(loop.clients.stats)).items():
        found["loop_" + name] = value
    for db in range(ks.databases):
        if ks.index[db] != NULL:
            keys += ks.index[db].keys
            buckets += ks.index[db].bucket_count
            overflow += ks.index[db].overflow_count
            bytes_index += index_bytes(ks.index[db])
            ordered += ks.ordered.trees[db].count
    c = loop.clients.first if walk else NULL
    while c != NULL:
        input_max = max(input_max, c.query_room)
        output_max = max(output_max, c.reply.room)
        watching += c.session.watched_count > 0
        paused += c.state & CLIENT_PAUSED != 0
        c = c.next
    unit = ks.log.expired_first if walk else 0
    while unit != 0:
        expired += 1
        unit = ks.log.segments[unit].next
    found.update(
        log_segments_expired=expired, ttl_ms_average=_average_ttl_ms(ks) if walk else 0, clients_watching=watching, clients_paused=paused,
        client_input_bytes_max=input_max, client_output_bytes_max=output_max,
        keys=keys, index_buckets=buckets, index_overflow_buckets=overflow, index_bytes=bytes_index,
        bytes_committed=keyspace_committed(ks), maxmemory=ks.maxmemory, policy=ks.policy, memory_base=ks.memory_base,
        watchers=ks.watchers, retired=ks.retired_count, now_ms=ks.now_ms,
        log_bytes_live=ks.log.bytes_live, log_bytes_written=ks.log.bytes_written,
        log_records_live=ks.log.records_live, log_segments_used=ks.log.segments_used,
        log_segments_open=ks.log.segments_open, log_segment_bytes=ks.log.segment_bytes,
        log_bytes_appended=ks.log.bytes_appended, log_bytes_moved=ks.log.bytes_moved,
        log_reserve=ks.log.reserve,
        arena_units=ks.arena.units, arena_units_used=ks.arena.units_used,
        arena_high_water=ks.arena.high_water, arena_free=ks.arena.free_count,
        arena_cached=ks.arena.cached_count, arena_unit_bytes=ks.arena.unit_bytes,
        arena_bytes_given_back=ks.arena.bytes_given_back,
        extents_bytes_committed=ks.extents.bytes_committed, extents_count=ks.extents.count,
        extents_bytes_dead=ks.extents.bytes_dead,
        pages_used=pages.used, pages_retired=ks.forest.pages_retired, pages_cached=pages.cached_count, pages_free=pages.free_count,
        pages_page_bytes=pages.page_bytes, pages_bytes_given_back=pages.bytes_given_back,
        ordered_state=ks.ordered.state, ordered_failed=ks.ordered.failed, ordered_keys=ordered, ordered_bytes=ordered_bytes(ks),
        commands=d.calls, errors=d.errors,
        clients=loop.clients.count, client_bytes=loop.clients.bytes,
        resident_bytes=loop.resident_bytes, resident_bytes_peak=loop.resident_peak,
        monitors=d.monitor_count, blocked_sessions=d.blocked_sessions, blocked_keys=blocked.keys,
        blocked_keys_on_missing=blocked.keys_on_missing, blocked_deadlines=blocked.deadlines)
    return found


cdef dict statistics_errors(Dispatch* d):
    cdef int i
    return {(<bytes>d.error_counts[i].kind).decode("latin-1"): d.error_counts[i].count for i in range(d.error_kinds)}


cdef dict statistics_commands(Dispatch* d):
    cdef uint32_t i
    cdef Command* c
    cdef dict found = {}
    for i in range(d.command_count):
        c = &d.commands[i]
        if c.calls or c.rejected:
            found[(<bytes>c.name).decode()] = (
                c.calls, (c.ticks * <double>d.ns_per_tick / (1 << 24)) / 1000.0, c.rejected, c.failed)
    return found


cdef tuple statistics_latency(Dispatch* d, bytes name):
    cdef uint32_t i
    cdef int at
    cdef Command* c
    cdef dict found = {}
    cdef uint64_t total = 0
    for i in range(d.command_count):
        c = &d.commands[i]
        if <bytes>c.name != name:
            continue
        for at in range(LATENCY_BUCKETS):
            if c.latency[at]:
                total += c.latency[at]
                found[((<uint64_t>1024 << at) * 129 // 128) // 1000] = total
        return total, found
    return 0, {}


cdef void statistics_reset(Loop* loop) noexcept:
    cdef Dispatch* d = loop.dispatch
    cdef Keyspace* ks = d.keys
    cdef uint32_t i
    cdef int at
    cdef Command* c
    for i in range(d.command_count):
        c = &d.commands[i]
        c.calls = c.ticks = c.failed = c.rejected = 0
        for at in range(LATENCY_BUCKETS):
            c.latency[at] = 0
    d.calls = d.errors = 0
    d.error_kinds = 0
    ks.stats.hits = ks.stats.misses = ks.stats.expired = ks.stats.evicted = ks.stats.fields_expired = 0
    loop.clients.stats.connections = loop.clients.stats.connections_rejected = 0
    loop.clients.stats.clients_evicted = loop.clients.stats.output_limit_disconnections = 0
    loop.stats.query_limit_disconnections = 0
    loop.stats.bytes_in = loop.clients.stats.bytes_out = 0
    loop.stats.reads = loop.clients.stats.writes = 0
    loop.stats.longest_turn_ns = 0
    ks.cleaner.longest_slice_ns = ks.cleaner.longest_slice_wall_ns = 0
