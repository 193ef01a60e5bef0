from libc.stdint cimport uint32_t, uint64_t
from libc.stdlib cimport calloc, free
from gapless.engine.extent cimport EXTENT_CLASSES, extent_committed
from gapless.engine.forest cimport Tree
from gapless.engine.index cimport (
    BUCKET_SLOTS, Index, index_check, index_next, slot_is_link, slot_position,
)
from gapless.engine.keyspace cimport keyspace_hash_at, keyspace_record_value
from gapless.engine.log cimport SEGMENT_FREE, SEGMENT_OPEN, Segment, log_at, log_unit
from gapless.engine.record cimport (
    RECORD_DB_MASK, RECORD_DEAD, RECORD_TYPE_MASK, TYPE_STREAM, Record, record_decode, record_has_trees, record_tree_count,
)
from gapless.engine.tree_check cimport Census, census_free, census_new, forest_check, tree_check


cdef struct Tally:                 # of one segment
    uint32_t bytes_live
    uint32_t records_live


cdef const char* tally_trees(Keyspace* ks, const Record* r, Census* trees) noexcept nogil:
    cdef uint32_t i, count = record_tree_count(r)
    cdef const char* wrong
    cdef Tree* at = <Tree*>keyspace_record_value(ks, r)
    cdef bint more = (r.flags & RECORD_TYPE_MASK) == TYPE_STREAM
    if count == 0 or r.value_bytes < count * sizeof(Tree) or (not more and r.value_bytes != count * sizeof(Tree)):
        return "keyspace: a record's trees have no such length"
    for i in range(count):
        wrong = tree_check(ks.forest, &at[i], trees)
        if wrong != NULL:
            return wrong
    return NULL


cdef const char* tally_index(Keyspace* ks, const Index* index, int db_index, uint64_t newest, uint64_t bucket_from,
                             Tally* tally, uint64_t* with_ttl, uint64_t* extents, Census* trees) noexcept nogil:
    """What an index leads to, added up by segment. newest: records of segments born later are not its own (retired indexes)."""
    cdef uint64_t number, position
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


cdef const char* tally_retired(Keyspace* ks, int i, Tally* tally, uint64_t* extents, Census* trees) noexcept nogil:
    cdef uint64_t with_ttl = 0
    return tally_index(ks, ks.retired[i].index, ks.retired[i].db_index, ks.retired[i].sequence, ks.retired[i].bucket,
                       tally, &with_ttl, extents, trees)


cdef const char* audit(Keyspace* ks) noexcept nogil:
    cdef Tally* tally = <Tally*>calloc(ks.arena.high_water, sizeof(Tally))
    cdef Census* trees = census_new(ks.forest)
    cdef const char* wrong = NULL
    cdef uint64_t with_ttl, extents = 0, pages = 0, slot
    cdef int i
    if tally == NULL or trees == NULL:
        free(tally)
        census_free(trees)
        return "check: no memory to check with"
    for i in range(ks.databases):
        with_ttl = 0
        wrong = tally_index(ks, ks.index[i], i, 0, 0, tally, &with_ttl, &extents, trees)
        if wrong == NULL:
            wrong = index_check(ks.index[i], keyspace_hash_at, ks)
        if wrong == NULL and with_ttl != ks.with_ttl[i]:
            wrong = "keyspace: the number of keys with a TTL is off"
        if wrong != NULL:
            break
    if wrong == NULL:
        for i in range(ks.retired_count):
            wrong = tally_retired(ks, i, tally, &extents, trees)
            if wrong != NULL:
                break
    if wrong == NULL:
        wrong = walk_segments(ks, tally)
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
