from libc.stdint cimport int64_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free
from gapless.engine.extent cimport EXTENT_CLASSES, extent_committed
from gapless.engine.field_expiry cimport fields_has, fields_next_is_first, record_fields_due
from gapless.engine.forest cimport Tree
from gapless.engine.index cimport (
    BUCKET_SLOTS, Index, index_check, index_next, slot_is_link, slot_position,
)
from gapless.engine.keyspace cimport ORDERED_OFF, ORDERED_ON, keyspace_hash_at, keyspace_record_key, keyspace_record_value
from gapless.engine.log cimport (
    SEGMENT_EXPIRED, SEGMENT_FREE, SEGMENT_OPEN, SEGMENT_SEALED, USE_CLASSES, USE_EMPTY, WINDOW_LEVELS, WINDOW_RING,
    Log, Segment, Window, log_at, log_unit,
)
from gapless.engine.ordered cimport ordered_has
from gapless.engine.record cimport (
    RECORD_DB_MASK, RECORD_DEAD, RECORD_TYPE_MASK, TYPE_HASH, Record, record_decode, record_has_trees, record_trees, record_trees_bytes,
)
from gapless.engine.tree_check cimport Census, census_free, census_new, forest_check, tree_check


cdef struct Tally:                 # of one segment
    uint32_t bytes_live
    uint32_t records_live


cdef const char* tally_trees(Keyspace* ks, const Record* r, Census* trees) noexcept nogil:
    cdef uint32_t i
    cdef const char* wrong
    cdef Tree* at = <Tree*>keyspace_record_value(ks, r)
    if record_trees(r) == 0 or r.value_bytes != record_trees_bytes(r):
        return "keyspace: a record's trees have no such length"
    for i in range(record_trees(r)):
        wrong = tree_check(ks.forest, &at[i], trees)
        if wrong != NULL:
            return wrong
    return NULL


cdef const char* tally_index(Keyspace* ks, const Index* index, int db_index, uint64_t newest, uint64_t bucket_from,
                             Tally* tally, uint64_t* with_ttl, uint64_t* hashes_due, uint64_t* extents,
                             Census* trees) noexcept nogil:
    """What an index leads to, added up by segment. newest: records of segments born later are not its own (retired indexes)."""
    cdef uint64_t number, position
    cdef int64_t due
    cdef uint64_t* bucket
    cdef uint32_t unit
    cdef Record r
    cdef int i
    cdef const char* wrong
    for number in range(bucket_from, index.bucket_count):
        bucket = index.buckets + number * BUCKET_SLOTS
        while bucket != NULL:
            for i in range(BUCKET_SLOTS):
                if bucket[i] == 0 or slot_is_link(bucket[i]):
                    break
                position = slot_position(bucket[i])
                unit = log_unit(ks.log, position)
                if unit == 0 or unit >= ks.arena.high_water:
                    return "keyspace: a slot leads out of the arena"
                if newest and (ks.log.segments[unit].state == SEGMENT_FREE or ks.log.segments[unit].sequence > newest):
                    continue
                record_decode(log_at(ks.log, position), &r)
                if r.flags & RECORD_DEAD:
                    if newest:
                        continue
                    return "keyspace: a slot leads to a dead record"
                if ks.log.segments[unit].state == SEGMENT_FREE:
                    return "keyspace: a slot leads to a free segment"
                if (r.marks & RECORD_DB_MASK) != db_index:
                    return "keyspace: a record is of another database"
                tally[unit].bytes_live += r.size
                tally[unit].records_live += 1
                if r.expire_ms >= 0:
                    with_ttl[0] += 1
                    if ks.log.segments[unit].window == 0:
                        return "log: a record with a TTL lies among those without"
                    if ks.log.segments[unit].window <= <uint64_t>r.expire_ms:
                        return "log: a record outlives its window"
                elif ks.log.segments[unit].window != 0:
                    return "log: a record without a TTL lies in a window"
                if ks.ordered.state == ORDERED_ON and not newest and not ordered_has(ks, db_index, keyspace_record_key(ks, &r), r.key_bytes):
                    return "ordered: a key is not in the ordered index"
                if r.flags & RECORD_TYPE_MASK == TYPE_HASH and not newest:
                    due = record_fields_due(&r, keyspace_record_value(ks, &r))
                    if due >= 0:
                        hashes_due[0] += 1
                        if not fields_has(ks, db_index, keyspace_hash_at(ks, position), due):
                            return "fields: a hash is not among those that are due"
                if r.extent:
                    if extent_committed(ks.extents, r.extent) == 0:
                        return "extents: a record's extent has no pages"
                    extents[0] += 1
                if record_has_trees(&r):
                    wrong = tally_trees(ks, &r, trees)
                    if wrong != NULL:
                        return wrong
            bucket = index_next(index, bucket)
    return NULL


cdef const char* walk_segments(Keyspace* ks, const Tally* tally) noexcept nogil:
    cdef uint32_t unit, offset, used = 0, opened = 0
    cdef uint64_t written = 0, bytes_live = 0, records_live = 0
    cdef Segment* s
    cdef Record r
    for unit in range(1, ks.arena.high_water):
        s = &ks.log.segments[unit]
        if s.state == SEGMENT_FREE:
            continue
        used += 1
        opened += s.state == SEGMENT_OPEN
        written += s.write_offset
        bytes_live += s.bytes_live
        records_live += s.records_live
        if s.bytes_live != tally[unit].bytes_live or s.records_live != tally[unit].records_live:
            return "log: a segment's live bytes or records are off"
        if s.write_offset > ks.log.segment_bytes:
            return "log: a segment is written beyond its end"
        offset = 0
        while offset < s.write_offset:
            record_decode(log_at(ks.log, (<uint64_t>unit << ks.arena.unit_shift) + offset), &r)
            offset += r.size
        if offset != s.write_offset:
            return "log: a segment's records do not end at its write offset"
    if used != ks.log.segments_used or used != ks.arena.units_used:
        return "log: the number of segments in use is off"
    if opened != ks.log.segments_open:
        return "log: the number of open segments is off"
    if written != ks.log.bytes_written or bytes_live != ks.log.bytes_live or records_live != ks.log.records_live:
        return "log: the totals are off"
    if ks.arena.units_used + ks.arena.free_count + 1 != ks.arena.high_water:
        return "arena: units were lost"
    return NULL


cdef const char* walk_lists(Keyspace* ks) noexcept nogil:
    """Every sealed segment is in the one list of its use, every expired one waits, every one of a window is the window's."""
    cdef Log* log = ks.log
    cdef Segment* s
    cdef Window* window
    cdef uint32_t unit, previous, side, use, sealed = 0, expired = 0, windowed = 0, i
    cdef bint open_found
    for side in range(2):
        for use in range(USE_CLASSES + 1):
            previous = 0
            unit = log.use_first[side][use]
            while unit:
                s = &log.segments[unit]
                if s.state != SEGMENT_SEALED or s.use_class != use or (s.window != 0) != (side == 1):
                    return "log: a segment is in a list it has no place in"
                if s.previous != previous or sealed > ks.arena.high_water:
                    return "log: a list of sealed segments is broken"
                if use != (USE_EMPTY if s.records_live == 0 else <uint32_t>(<uint64_t>s.bytes_live * (USE_CLASSES - 1) // s.write_offset)):
                    return "log: a sealed segment is in the list of another use"
                sealed += 1
                previous = unit
                unit = s.next
            if log.use_last[side][use] != previous:
                return "log: a list of sealed segments is broken"
    previous = 0
    unit = log.expired_first
    while unit:
        if log.segments[unit].state != SEGMENT_EXPIRED or log.segments[unit].previous != previous or expired > ks.arena.high_water:
            return "log: the list of expired segments is broken"
        expired += 1
        previous = unit
        unit = log.segments[unit].next
    if log.expired_last != previous:
        return "log: the list of expired segments is broken"
    for i in range(WINDOW_LEVELS * WINDOW_RING):
        window = &log.windows[i]
        if (window.number == 0) != (window.first == 0):
            return "log: a window is in use without a segment, or the other way round"
        open_found = window.open == 0
        previous = 0
        unit = window.first
        while unit:
            s = &log.segments[unit]
            if (s.state != SEGMENT_SEALED and s.state != SEGMENT_OPEN) or s.window == 0 or s.level != i // WINDOW_RING:
                return "log: a segment is in a window it has no place in"
            if s.window_previous != previous or windowed > ks.arena.high_water:
                return "log: a window's list is broken"
            open_found = open_found or unit == window.open
            windowed += 1
            previous = unit
            unit = s.window_next
        if not open_found:
            return "log: a window's open segment is not its own"
    for unit in range(1, ks.arena.high_water):
        s = &log.segments[unit]
        sealed -= s.state == SEGMENT_SEALED
        expired -= s.state == SEGMENT_EXPIRED
        windowed -= s.window != 0 and (s.state == SEGMENT_SEALED or s.state == SEGMENT_OPEN)
    if sealed or expired or windowed:
        return "log: a segment is in no list"
    if ks.arena.cached_count > ks.arena.free_count:
        return "arena: more units have memory than are free"
    for i in range(ks.arena.free_count):
        unit = ks.arena.free_stack[i]
        if unit == 0 or unit >= ks.arena.high_water or log.segments[unit].state != SEGMENT_FREE:
            return "arena: a unit is free and in use"
    return NULL


cdef const char* tally_ordered(Keyspace* ks, int db_index, Census* trees) noexcept nogil:
    """That each key is in the tree tally_index() has seen: then it is enough that there are as many."""
    cdef const Tree* tree = &ks.ordered.trees[db_index]
    if ks.ordered.state == ORDERED_OFF and tree.count != 0:
        return "ordered: there is an index that is off"
    if ks.ordered.state == ORDERED_ON and tree.count != ks.index[db_index].keys:
        return "ordered: the ordered index has other keys"
    if tree.count > ks.index[db_index].keys:
        return "ordered: the ordered index has keys that are not there"
    return tree_check(ks.forest, tree, trees)


cdef const char* tally_fields(Keyspace* ks, int db_index, uint64_t hashes_due, Census* trees) noexcept nogil:
    """That each hash is in the tree tally_index() has seen, as above."""
    cdef const Tree* tree = &ks.fields.trees[db_index]
    if tree.count != hashes_due:
        return "fields: hashes are due that are not there"
    return tree_check(ks.forest, tree, trees)


cdef const char* tally_retired(Keyspace* ks, int i, Tally* tally, uint64_t* extents, Census* trees) noexcept nogil:
    cdef uint64_t with_ttl = 0, hashes_due = 0
    return tally_index(ks, ks.retired[i].index, ks.retired[i].db_index, ks.retired[i].sequence, ks.retired[i].bucket,
                       tally, &with_ttl, &hashes_due, extents, trees)


cdef const char* audit(Keyspace* ks) noexcept nogil:
    cdef Tally* tally = <Tally*>calloc(ks.arena.high_water, sizeof(Tally))
    cdef Census* trees = census_new(ks.forest)
    cdef const char* wrong = NULL
    cdef uint64_t with_ttl, hashes_due, extents = 0, pages = 0, slot
    cdef int i
    if tally == NULL or trees == NULL:
        free(tally)
        census_free(trees)
        return "check: no memory to check with"
    for i in range(ks.databases):
        with_ttl = 0
        hashes_due = 0
        wrong = tally_index(ks, ks.index[i], i, 0, 0, tally, &with_ttl, &hashes_due, &extents, trees)
        if wrong == NULL:
            wrong = index_check(ks.index[i], keyspace_hash_at, ks)
        if wrong == NULL:
            wrong = tally_ordered(ks, i, trees)
        if wrong == NULL:
            wrong = tally_fields(ks, i, hashes_due, trees)
        if wrong == NULL and with_ttl != ks.with_ttl[i]:
            wrong = "keyspace: the number of keys with a TTL is off"
        if wrong != NULL:
            break
    if wrong == NULL:
        for i in range(ks.retired_count):
            wrong = tally_retired(ks, i, tally, &extents, trees)
            if wrong != NULL:
                break
    if wrong == NULL and not fields_next_is_first(ks):
        wrong = "fields: another hash is due first"
    if wrong == NULL:
        wrong = walk_segments(ks, tally)
    if wrong == NULL:
        wrong = walk_lists(ks)
    if wrong == NULL:
        wrong = forest_check(ks.forest, trees)
    if wrong == NULL:
        for i in range(EXTENT_CLASSES):
            for slot in range(ks.extents.classes[i].high_water):
                pages += ks.extents.classes[i].pages[slot]
        # The first dead extent keeps its page count until the last slice of it is given back.
        if pages != ks.extents.bytes_committed + ks.extents.bytes_dead + ks.extents.dead_progress:
            wrong = "extents: the committed pages are off"
        elif extents + trees.extents != ks.extents.count:
            wrong = "extents: one is not reached by any record or tree"
    census_free(trees)
    free(tally)
    return wrong
