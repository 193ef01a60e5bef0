from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy, memmove
from gapless.engine.access cimport (
    access_before, access_frequency, access_idle_seconds, access_is_older_form, access_now, slot_with_access,
)
from gapless.engine.arena cimport arena_keep, arena_trim
from gapless.engine.base cimport INVARIANT, clock_monotonic_ns, clock_thread_ns, hash_bytes, prefetch_write, unlikely
from gapless.engine.effects cimport EFFECT_DELETE, effects_begin
from gapless.engine.extent cimport extent_give, extents_reclaim
from gapless.engine.field_expiry cimport fields_are_due, fields_expire, fields_remove, record_fields_due
from gapless.engine.forest cimport Tree, forest_reclaim, tree_retire
from gapless.engine.index cimport (
    BUCKET_SLOTS, Index, index_drain, index_find_position, index_free, index_home, index_next, index_prefetch_slots, index_remove,
    index_shrink, slot_is_link, slot_position,
)
from gapless.engine.keyspace cimport (
    POLICY_ALLKEYS, POLICY_EVICTING, POLICY_LFU, POLICY_RANDOM, POLICY_TTL, Keyspace, Retired, keyspace_db, keyspace_has_expired,
    keyspace_hash_at, keyspace_preserve, keyspace_record_key, keyspace_record_value, random_next,
)
from gapless.engine.log cimport (
    SEGMENT_FREE, SEGMENT_OPEN, SEGMENT_SEALED, USE_CLASSES, USE_EMPTY, Segment, log_append, log_at, log_due,
    log_kill, log_release, log_seal, log_unit, log_unlist,
)
from gapless.engine.ordered cimport ordered_build, ordered_remove
from gapless.engine.pages cimport pages_cached_max, pages_left, pages_trim
from gapless.engine.record cimport (
    RECORD_DB_MASK, RECORD_DEAD, RECORD_ROOM, RECORD_TTL, RECORD_TYPE_MASK, TYPE_HASH, Record, record_decode, record_encode,
    record_has_trees, record_head_bytes, record_trees,
)

cdef enum:
    GROUP = 16                 # records handled at a time: their buckets are prefetched together
    CLOCK_RECORDS = 4          # handled between two looks at the clock
    SLICE_LATE_NS = 500000     # a slice as long is counted
    WALK_STEP = 64 << 10       # bytes of a segment walked before the clock is looked at
    DISCARD_STEP = 128 << 10   # bytes given back to the system before the clock is looked at
    PAGES_STEP = 32            # pages of retired trees freed, or free ones given back, likewise
    PAGES_SHORT = 256          # when so few are left in the range, retired trees are freed at once
    DEBT_SEGMENTS_MAX = 8
    SAMPLE_BUCKETS = 64        # sampled to find what is cold
    COLD_SHARE = 6             # the coldest 1/6 of the keys may go when memory is full
    FRUITLESS_MAX = 8          # evicting passes that may drop nothing before one that drops all it meets
    FULL_SLICE_NS = 150000     # of a command's own time for making room ahead of the limit
    SWEEP_EVERY_MS = 100
    SWEEP_STEPS = 36000        # of 100 ms: every bucket is swept once an hour, well before access stamps wrap
    IDLE_SECONDS_MAX = 0x8000
    SWITCH_SECONDS = 3600      # so long the sweep leaves what is of the form before a switch; then, one sweep, and nothing is
    SWEEP_SLACK_SECONDS = 600


# ---- what becomes of one record

cdef enum Fate:
    FATE_MOVE = 0              # move what is live
    FATE_REAP = 1              # an expired segment: what has expired goes
    FATE_EVICT = 2             # what is cold goes, too


cdef uint32_t coldness(const Keyspace* ks, uint64_t slot) noexcept nogil:
    """0: in use just now; the larger, the colder. Compared among slots only."""
    if ks.policy & POLICY_LFU:
        return 255 - access_frequency(ks, slot)
    return access_idle_seconds(ks, slot)


cdef inline bint is_cold(Keyspace* ks, uint64_t slot) noexcept nogil:
    cdef uint32_t cold = coldness(ks, slot)
    return cold > ks.cleaner.cold or (cold == ks.cleaner.cold and (random_next(ks) >> 48) < ks.cleaner.cold_ties)


cdef void tell(Keyspace* ks, const Record* r, uint64_t hash) noexcept nogil:
    """Who watches the key or waits for it, and the journal, of a live record that goes."""
    cdef const uint8_t* key = keyspace_record_key(ks, r)
    cdef int db = keyspace_db(ks, r.marks & RECORD_DB_MASK)
    if ks.watchers > 0:
        ks.on_change(ks.on_change_context, db, key, r.key_bytes, hash)
    if ks.awaited > 0:
        ks.on_awaited(ks.on_awaited_context, db, key, r.key_bytes, hash, True)
    # That a key's time has come whoever replays knows himself.
    if ks.effects != NULL and not keyspace_has_expired(ks, r):
        effects_begin(ks.effects, EFFECT_DELETE, 0, db, -1, key, r.key_bytes, 0)


cdef void drop(Keyspace* ks, Record* r, uint64_t position, uint64_t* slot, uint64_t hash) noexcept nogil:
    """Takes a live record out of the index (slot NULL: it is of a flushed database) and counts it dead."""
    cdef uint32_t db_index = r.marks & RECORD_DB_MASK, i
    cdef Tree* trees
    if slot != NULL:
        keyspace_preserve(ks, r, slot[0])
        if ks.watchers > 0 or ks.awaited > 0 or ks.effects != NULL:
            tell(ks, r, hash)
        if r.flags & RECORD_TTL:
            ks.with_ttl[db_index] -= 1
        ks.stats.dirty += 1
        index_remove(ks.index[db_index], hash, slot, keyspace_hash_at, ks)
        if unlikely(ks.ordered.state):
            ordered_remove(ks, db_index, keyspace_record_key(ks, r), r.key_bytes)
        if (r.flags & RECORD_TYPE_MASK) == TYPE_HASH:
            fields_remove(ks, db_index, hash, record_fields_due(r, keyspace_record_value(ks, r)))
    r.at[0] |= RECORD_DEAD
    log_kill(ks.log, position, r.size)
    if record_has_trees(r):
        trees = <Tree*>keyspace_record_value(ks, r)
        for i in range(record_trees(r)):
            tree_retire(ks.forest, &trees[i])
    if r.extent:
        extent_give(ks.extents, r.extent)


cdef void preserve_flushed(Keyspace* ks, Record* r, uint64_t position, uint64_t hash) noexcept nogil:
    """For a record of a flushed database: it may have been flushed before the snapshot began."""
    cdef int i
    for i in range(ks.retired_count):
        if (ks.retired[i].saving and ks.retired[i].db_index == r.marks & RECORD_DB_MASK
                and index_find_position(ks.retired[i].index, hash, position) != NULL):
            keyspace_preserve(ks, r, 0)
            return


cdef bint move(Keyspace* ks, Record* r, uint64_t position, uint64_t* slot) noexcept nogil:
    """Copies a record to where its like are and changes its slot; slack is left behind. False: the arena is full."""
    cdef uint32_t size = r.size
    cdef uint32_t flags = r.flags & ~<uint32_t>RECORD_ROOM
    cdef uint64_t to
    cdef uint8_t* p
    if r.flags & RECORD_ROOM:
        size = record_head_bytes(flags, r.marks, r.key_bytes, r.value_bytes) + r.key_bytes + <uint32_t>r.value_bytes
    to = log_append(ks.log, size, r.expire_ms, True)
    if to == 0:
        return False
    p = log_at(ks.log, to)
    if r.flags & RECORD_ROOM:
        p = record_encode(p, flags, r.marks, r.base, r.expire_ms, r.key_bytes, r.value_bytes, r.value_bytes, 0)
        memcpy(p, r.key, r.key_bytes + r.value_bytes)
    else:
        memcpy(p, r.at, size)
    slot[0] = (slot[0] & ~<uint64_t>0xffffffffff) | to
    r.at[0] |= RECORD_DEAD
    log_kill(ks.log, position, r.size)
    ks.cleaner.records_moved += 1
    return True


cdef int64_t process(Keyspace* ks, uint32_t unit, uint32_t* offset, int fate, int64_t deadline_ns, int64_t* work) noexcept nogil:
    """Walks a segment from offset: every record that is live is dropped or moved. 1: done; 0: out of time; -1: arena full."""
    cdef Segment* s = &ks.log.segments[unit]
    cdef uint64_t base = <uint64_t>unit << ks.arena.unit_shift
    cdef Record[GROUP] group
    cdef uint64_t[GROUP] hashes
    cdef uint64_t* slot
    cdef uint64_t position
    cdef uint32_t at = offset[0], start
    cdef int n, i
    while at < s.write_offset and s.records_live > 0:
        n = 0
        start = at
        while n < GROUP and at < s.write_offset and at - start < WALK_STEP:
            record_decode(log_at(ks.log, base + at), &group[n])
            at += group[n].size
            if group[n].flags & RECORD_DEAD:
                continue
            hashes[n] = hash_bytes(keyspace_record_key(ks, &group[n]), group[n].key_bytes, ks.seed)
            prefetch_write(index_home(ks.index[group[n].marks & RECORD_DB_MASK], hashes[n]))
            n += 1
        for i in range(n):
            position = <uint64_t>(group[i].at - ks.arena.base)
            slot = index_find_position(ks.index[group[i].marks & RECORD_DB_MASK], hashes[i], position)
            if slot == NULL:
                if unlikely(ks.on_unsaved != NULL):
                    preserve_flushed(ks, &group[i], position, hashes[i])
                drop(ks, &group[i], position, NULL, hashes[i])
            elif ks.active_expire and keyspace_has_expired(ks, &group[i]):
                drop(ks, &group[i], position, slot, hashes[i])
                ks.stats.expired += 1
            elif fate == FATE_EVICT and is_cold(ks, slot[0]):
                drop(ks, &group[i], position, slot, hashes[i])
                ks.stats.evicted += 1
            elif move(ks, &group[i], position, slot):
                pass
            elif fate == FATE_EVICT:
                # No segment left to move it to: eviction must not stop for that.
                drop(ks, &group[i], position, slot, hashes[i])
                ks.stats.evicted += 1
            else:
                offset[0] = <uint32_t>(position - base)
                return -1
            if i % CLOCK_RECORDS == CLOCK_RECORDS - 1 and i + 1 < n and clock_monotonic_ns() >= deadline_ns:
                # Each may have asked the system for memory, in a segment of its own.
                offset[0] = <uint32_t>(position - base) + group[i].size
                return 0
        work[0] += at - start
        offset[0] = at
        if clock_monotonic_ns() >= deadline_ns:
            return 1 if at >= s.write_offset or s.records_live == 0 else 0
    offset[0] = at
    return 1


# ---- steps

cdef bint free_empty(Keyspace* ks) noexcept nogil:
    """Frees one segment in which nothing is live; False when there is none."""
    cdef uint32_t unit = ks.log.use_first[0][USE_EMPTY]
    if unit == 0:
        unit = ks.log.use_first[1][USE_EMPTY]
    if unit == 0:
        return False
    ks.cleaner.bytes_freed += ks.log.segments[unit].write_offset
    log_unlist(ks.log, unit)
    log_release(ks.log, unit)
    return True


cdef bint reap(Keyspace* ks, int64_t deadline_ns) noexcept nogil:
    """Goes on with the first expired segment; False when there is none or reaping is off."""
    cdef uint32_t unit
    cdef int64_t work = 0
    if ks.log.due_left and ks.log.expired_first == 0:
        log_due(ks.log)
    unit = ks.log.expired_first
    if unit == 0 or not ks.active_expire:
        return False
    if process(ks, unit, &ks.log.segments[unit].reap_offset, FATE_REAP, deadline_ns, &work) != 1:
        return True
    ks.cleaner.bytes_freed += ks.log.segments[unit].write_offset
    log_unlist(ks.log, unit)
    log_release(ks.log, unit)
    return True


cdef bint uncount_retired(Keyspace* ks, int64_t deadline_ns) noexcept nogil:
    """Goes on with the oldest flushed database; False when there is none."""
    cdef Retired* retired = &ks.retired[0]
    cdef Index* index
    cdef uint64_t* bucket
    cdef uint32_t unit
    cdef Record r
    cdef int i, rounds = 0
    if ks.retired_count == 0:
        return False
    index = retired.index
    while retired.bucket < index.bucket_count:
        bucket = index.buckets + retired.bucket * BUCKET_SLOTS
        while bucket != NULL:
            index_prefetch_slots(bucket, ks.arena.base)
            for i in range(BUCKET_SLOTS):
                if bucket[i] == 0 or slot_is_link(bucket[i]):
                    break
                unit = log_unit(ks.log, slot_position(bucket[i]))
                if ks.log.segments[unit].state == SEGMENT_FREE or ks.log.segments[unit].sequence > retired.sequence:
                    continue
                record_decode(log_at(ks.log, slot_position(bucket[i])), &r)
                if not r.flags & RECORD_DEAD:
                    if retired.saving:
                        keyspace_preserve(ks, &r, 0)
                    drop(ks, &r, slot_position(bucket[i]), NULL, 0)
            bucket = index_next(index, bucket)
        retired.bucket += 1
        rounds += 1
        if rounds % 16 == 0 and clock_monotonic_ns() >= deadline_ns:
            return True
    while not index_drain(index, DISCARD_STEP):
        if clock_monotonic_ns() >= deadline_ns:
            return True
    index_free(index)
    ks.retired_count -= 1
    memmove(&ks.retired[0], &ks.retired[1], ks.retired_count * sizeof(Retired))
    return True


cdef void cleaner_finish_retired(Keyspace* ks) noexcept nogil:
    cdef int count = ks.retired_count
    while ks.retired_count == count and count > 0:
        uncount_retired(ks, 0x7fffffffffffffff)


cdef uint32_t best_victim(const Keyspace* ks, uint32_t worst_use) noexcept nogil:
    """Cost-benefit: (1 - u) * age / (1 + u), over the oldest segment of every use class below worst_use."""
    cdef uint32_t best = 0, unit
    cdef uint32_t side, use
    cdef double score, best_score = 0.0, u, age
    for side in range(2):
        for use in range(worst_use):
            unit = ks.log.use_first[side][use]
            if unit == 0:
                continue
            u = <double>use / (USE_CLASSES - 1)
            age = <double>(ks.log.sequence - ks.log.segments[unit].sequence + 1)
            score = (1.0 - u) * age / (1.0 + u)
            # A window's end frees it for nothing: one about to pass is left alone.
            if side == 1 and ks.log.segments[unit].window < <uint64_t>ks.now_ms + 500:
                continue
            if score > best_score:
                best_score = score
                best = unit
    return best


cdef uint32_t next_to_evict_from(Keyspace* ks) noexcept nogil:
    """Eviction goes round the segment table; of volatile policies only segments of records with a TTL count."""
    cdef uint32_t _step, unit, best = 0
    cdef Segment* s
    cdef bint volatile = not ks.policy & POLICY_ALLKEYS
    for _step in range(ks.arena.high_water):
        ks.cleaner.hand += 1
        if ks.cleaner.hand >= ks.arena.high_water:
            ks.cleaner.hand = 1
        unit = ks.cleaner.hand
        s = &ks.log.segments[unit]
        if s.state != SEGMENT_SEALED or (volatile and s.window == 0) or s.records_live == 0:
            continue
        if not ks.policy & POLICY_TTL:
            return unit
        if best == 0 or s.window < ks.log.segments[best].window:
            best = unit
    if best == 0:
        # Nothing is sealed: what is open may be closed for it.
        for unit in range(1, ks.arena.high_water):
            s = &ks.log.segments[unit]
            if s.state == SEGMENT_OPEN and s.records_live > 0 and not (volatile and s.window == 0):
                log_seal(ks.log, unit)
                return unit
    return best


cdef void find_cold(Keyspace* ks) noexcept nogil:
    """Sets the coldness beyond which the coldest 1/COLD_SHARE of sampled keys are, and how many of those just as cold go."""
    cdef uint64_t total = 0, number
    cdef Index* index
    cdef uint64_t* bucket
    cdef uint32_t[SAMPLE_BUCKETS * BUCKET_SLOTS] samples
    cdef uint32_t pivot
    cdef int _try, db, i, j, n = 0, want, colder = 0, equal = 0
    ks.cleaner.cold = 0
    ks.cleaner.cold_ties = 65536
    if ks.policy & (POLICY_RANDOM | POLICY_TTL) or ks.cleaner.fruitless > FRUITLESS_MAX:
        return
    for db in range(ks.databases):
        total += ks.index[db].bucket_count if ks.index[db].keys else 0
    if total == 0:
        return
    for _try in range(SAMPLE_BUCKETS):
        number = (random_next(ks) >> 16) % total
        index = NULL
        for db in range(ks.databases):
            if ks.index[db].keys == 0:
                continue
            if number < ks.index[db].bucket_count:
                index = ks.index[db]
                break
            number -= ks.index[db].bucket_count
        if index == NULL:
            continue
        bucket = index.buckets + number * BUCKET_SLOTS
        for i in range(BUCKET_SLOTS):
            if bucket[i] == 0 or slot_is_link(bucket[i]):
                break
            if not ks.policy & POLICY_ALLKEYS and not log_at(ks.log, slot_position(bucket[i]))[0] & RECORD_TTL:
                continue
            samples[n] = coldness(ks, bucket[i])
            n += 1
    if n == 0:
        return
    # The want-th largest, by insertion sort of a few hundred numbers: microseconds, once a segment.
    want = min(max(n // COLD_SHARE, 1) << ks.cleaner.fruitless, n)
    for i in range(1, n):
        pivot = samples[i]
        j = i - 1
        while j >= 0 and samples[j] < pivot:
            samples[j + 1] = samples[j]
            j -= 1
        samples[j + 1] = pivot
    ks.cleaner.cold = samples[want - 1]
    for i in range(n):
        colder += samples[i] > ks.cleaner.cold
        equal += samples[i] == ks.cleaner.cold
    ks.cleaner.cold_ties = <uint32_t>(65536 * (want - colder) // equal)


cdef bint begin(Keyspace* ks, uint32_t unit, bint evicting) noexcept nogil:
    if unit == 0:
        return False
    log_unlist(ks.log, unit)
    ks.cleaner.victim = unit
    ks.cleaner.offset = 0
    # The volatile policies take keys with a TTL only.
    ks.cleaner.evicting = evicting and (ks.policy & POLICY_ALLKEYS or ks.log.segments[unit].window != 0)
    ks.cleaner.evicted_before = ks.stats.evicted
    if ks.cleaner.evicting:
        find_cold(ks)
    return True


cdef int64_t go_on(Keyspace* ks, int64_t deadline_ns, int64_t* work) noexcept nogil:
    """Goes on with the victim; frees it when it is done. As process()."""
    cdef uint32_t unit = ks.cleaner.victim
    cdef int64_t state = process(ks, unit, &ks.cleaner.offset, FATE_EVICT if ks.cleaner.evicting and ks.maxmemory else FATE_MOVE, deadline_ns, work)
    if state == 1:
        INVARIANT(ks.log.segments[unit].records_live == 0)
        ks.cleaner.bytes_freed += ks.log.segments[unit].write_offset
        ks.cleaner.segments_cleaned += 1
        if ks.cleaner.evicting:
            # What is cold may lie in open segments only: a pass that drops nothing makes the next one less choosy.
            ks.cleaner.fruitless = ks.cleaner.fruitless + 1 if ks.stats.evicted == ks.cleaner.evicted_before else 0
        log_release(ks.log, unit)
        ks.cleaner.victim = 0
    return state


cdef bint clean(Keyspace* ks, int64_t deadline_ns, bint idle) noexcept nogil:
    """A step of cleaning as far as it is owed; False when nothing is."""
    cdef uint64_t holes = holes_thousandths(ks)
    cdef uint64_t appended = ks.log.bytes_appended - ks.cleaner.appended_seen
    cdef int64_t gain, work = 0, state
    ks.cleaner.appended_seen = ks.log.bytes_appended
    # Each appended byte pays for its share of cleaning: nothing below holes_start, 4 bytes of work for one at holes_full, rising.
    if holes > ks.cleaner.holes_start:
        gain = <int64_t>((holes - ks.cleaner.holes_start) * 4000 // max(ks.cleaner.holes_full - ks.cleaner.holes_start, 1))
        ks.cleaner.debt_bytes += <int64_t>appended * gain // 1000
        ks.cleaner.debt_bytes = min(ks.cleaner.debt_bytes, DEBT_SEGMENTS_MAX * <int64_t>ks.log.segment_bytes)
    elif not ks.cleaner.victim:
        ks.cleaner.debt_bytes = 0
    if not ks.active_defrag:
        return False
    if ks.cleaner.debt_bytes <= 0 and not (idle and (holes > ks.cleaner.holes_idle or ks.cleaner.victim)):
        return False
    if ks.cleaner.victim == 0 and not begin(ks, best_victim(ks, USE_CLASSES - 3), False):
        return False
    state = go_on(ks, deadline_ns, &work)
    ks.cleaner.debt_bytes -= work
    return state >= 0


cdef bint tidy_indexes(Keyspace* ks, int64_t deadline_ns) noexcept nogil:
    cdef int i, steps = 0
    if ks.on_unsaved != NULL:
        # A snapshot walks the buckets upwards, and shrinking takes keys down.
        return False
    for i in range(ks.databases):
        while index_shrink(ks.index[i], keyspace_hash_at, ks):
            steps += 1
            if steps % 8 == 0 and clock_monotonic_ns() >= deadline_ns:
                return True
    return steps > 0


cdef inline uint64_t aged(const Keyspace* ks, uint64_t slot) noexcept nogil:
    """A slot whose access field says the same as before and won't be mistaken for fresh when its stamp wraps round."""
    if ks.policy & POLICY_LFU:
        return slot_with_access(slot, access_now(ks, access_frequency(ks, slot)))
    if access_is_older_form(ks, slot):
        if ks.access_seconds - ks.access_switched < SWITCH_SECONDS:
            return slot
    elif access_idle_seconds(ks, slot) < IDLE_SECONDS_MAX:
        return slot
    return slot_with_access(slot, access_before(ks, IDLE_SECONDS_MAX))


cdef void sweep_access(Keyspace* ks) noexcept nogil:
    cdef uint64_t count = 0, number
    cdef Index* index
    cdef uint64_t* bucket
    cdef int db, i
    ks.cleaner.swept_ms = ks.now_ms
    if ks.access_seconds - ks.access_switched > 2 * SWITCH_SECONDS + SWEEP_SLACK_SECONDS:
        ks.access_switched = 0
    for db in range(ks.databases):
        count = max(count, ks.index[db].bucket_count)
    if ks.cleaner.sweep_bucket >= count:
        ks.cleaner.sweep_bucket = 0
    count = count // SWEEP_STEPS + 1
    for number in range(ks.cleaner.sweep_bucket, ks.cleaner.sweep_bucket + count):
        for db in range(ks.databases):
            index = ks.index[db]
            if index.keys == 0 or number >= index.bucket_count:
                continue
            bucket = index.buckets + number * BUCKET_SLOTS
            while bucket != NULL:
                for i in range(BUCKET_SLOTS):
                    if bucket[i] == 0 or slot_is_link(bucket[i]):
                        break
                    bucket[i] = aged(ks, bucket[i])
                bucket = index_next(index, bucket)
    ks.cleaner.sweep_bucket += count


cdef int64_t cleaner_background(Keyspace* ks, int64_t budget_ns, bint idle) noexcept nogil:
    cdef int64_t start, now, cpu
    cdef bint worked, more = True
    if ks.now_ms - ks.cleaner.swept_ms >= SWEEP_EVERY_MS or ks.now_ms < ks.cleaner.swept_ms:
        sweep_access(ks)
    if not idle and not cleaner_has_work(ks):
        ks.cleaner.appended_seen = ks.log.bytes_appended
        return 0
    cpu = clock_thread_ns()
    start = clock_monotonic_ns()
    # At most half the slice: it leaves holes, and the rest goes on filling them.
    worked = fields_are_due(ks) and fields_expire(ks, start + budget_ns // 2)
    now = clock_monotonic_ns()
    while more and now - start < budget_ns:
        more = True
        if cleaner_is_far_over(ks) and evict_slice(ks, start + budget_ns):
            pass
        elif ks.extents.bytes_dead > 0:
            extents_reclaim(ks.extents, DISCARD_STEP)
        elif forest_reclaim(ks.forest, PAGES_STEP):
            pass
        elif pages_trim(ks.forest.pages, pages_cached_max(ks.forest.pages), PAGES_STEP):
            pass
        elif free_empty(ks):
            pass
        elif reap(ks, start + budget_ns):
            pass
        elif uncount_retired(ks, start + budget_ns):
            pass
        elif arena_trim(ks.arena, arena_keep(ks.arena), DISCARD_STEP):
            pass
        elif ordered_build(ks, start + budget_ns):
            pass
        elif idle and tidy_indexes(ks, start + budget_ns):
            pass
        elif clean(ks, start + budget_ns, idle):
            pass
        else:
            more = False
        worked = worked or more
        now = clock_monotonic_ns()
    if not worked:
        return 0
    ks.cleaner.slices += 1
    ks.cleaner.busy_ns += now - start
    # A pause between the readings of the two clocks is in one of them only, and not the slice's.
    cpu = min(clock_thread_ns() - cpu, now - start)
    ks.cleaner.slices_late += cpu > SLICE_LATE_NS
    ks.cleaner.longest_slice_ns = max(ks.cleaner.longest_slice_ns, cpu)
    ks.cleaner.longest_slice_wall_ns = max(ks.cleaner.longest_slice_wall_ns, now - start)
    return now - start


# ---- maxmemory

cdef bint make_room_step(Keyspace* ks, int64_t deadline_ns) noexcept nogil:
    """Frees something; False when nothing can be freed."""
    cdef int64_t work = 0
    cdef uint64_t holes
    if ks.extents.bytes_dead > 0:
        extents_reclaim(ks.extents, DISCARD_STEP)
        return True
    if forest_reclaim(ks.forest, PAGES_STEP) or pages_trim(ks.forest.pages, 0, PAGES_STEP):
        return True
    if free_empty(ks) or reap(ks, deadline_ns) or uncount_retired(ks, deadline_ns):
        return True
    if arena_trim(ks.arena, 0, DISCARD_STEP):
        return True
    if ks.cleaner.victim == 0:
        holes = holes_thousandths(ks)
        if not ks.policy & POLICY_EVICTING:
            # Without eviction only holes can be had.
            if holes <= 10 or not begin(ks, best_victim(ks, USE_CLASSES - 2), False):
                return False
        elif holes > 50 and begin(ks, best_victim(ks, USE_CLASSES * 3 // 4), True):
            pass
        elif not begin(ks, next_to_evict_from(ks), True):
            return False
    if ks.policy & POLICY_EVICTING and not ks.cleaner.evicting:
        ks.cleaner.evicting = bool(ks.policy & POLICY_ALLKEYS) or ks.log.segments[ks.cleaner.victim].window != 0
        find_cold(ks)
    if go_on(ks, deadline_ns, &work) >= 0:
        return True
    return False


cdef bint evict_slice(Keyspace* ks, int64_t deadline_ns) noexcept nogil:
    """Evicts until the time is up, or memory fits; False when nothing goes."""
    while cleaner_is_far_over(ks):
        if not make_room_step(ks, deadline_ns):
            return False
        if clock_monotonic_ns() >= deadline_ns:
            break
    return True


cdef bint cleaner_make_room(Keyspace* ks, uint64_t n) noexcept nogil:
    cdef uint64_t free_units = ks.arena.free_count + (ks.arena.units - ks.arena.high_water)
    cdef uint64_t units_wanted = ks.log.reserve + 2 + n // ks.log.segment_bytes
    cdef uint64_t margin
    cdef int64_t deadline
    cdef int rounds = 0
    if pages_left(ks.forest.pages) < PAGES_SHORT:
        while forest_reclaim(ks.forest, PAGES_STEP):
            pass
    if free_units < units_wanted:
        # The reserved range itself is short: the same work, for units instead of bytes.
        while ks.arena.free_count + (ks.arena.units - ks.arena.high_water) < units_wanted:
            rounds += 1
            if rounds > 100000 or not make_room_step(ks, clock_monotonic_ns() + FULL_SLICE_NS):
                return ks.arena.free_count + (ks.arena.units - ks.arena.high_water) > ks.log.reserve
    if ks.maxmemory == 0:
        return True
    if ks.memory_base + n > ks.maxmemory:
        # It would not fit if all else were gone.
        return False
    if unlikely(cleaner_is_far_over(ks)):
        # The limit has been lowered: whoever writes pays a slice, the rest goes between commands. Redis lets writes through meanwhile, too.
        return evict_slice(ks, clock_monotonic_ns() + FULL_SLICE_NS)
    margin = max(ks.maxmemory // 64, <uint64_t>ks.log.segment_bytes)
    if memory_used(ks) + n + margin <= ks.maxmemory:
        return True
    # Ahead of the limit every write pays a bounded slice; at the limit it pays until it fits.
    deadline = clock_monotonic_ns() + FULL_SLICE_NS
    rounds = 0
    while memory_used(ks) + n + margin > ks.maxmemory:
        if not make_room_step(ks, clock_monotonic_ns() + FULL_SLICE_NS // 4):
            break
        rounds += 1
        if memory_used(ks) + n <= ks.maxmemory and clock_monotonic_ns() >= deadline:
            break
        if rounds > 1000000:
            break
    return memory_used(ks) + n <= ks.maxmemory
