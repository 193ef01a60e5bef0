"""Places around a point or another place, replied or stored: GEOSEARCH, GEOSEARCHSTORE and the four older commands."""
from libc.stdint cimport int64_t, uint64_t
from libc.stdio cimport snprintf
from libc.stdlib cimport free, malloc, qsort, realloc
from libc.string cimport memcmp
from gapless.engine.base cimport INVARIANT, STATUS_OK, Status, hash_bytes
from gapless.engine.call cimport Arg, Call
from gapless.engine.collection cimport collection_abandon, collection_store
from gapless.engine.dispatch cimport (
    arg_int64, arg_is, call_status, find_read, handler_register, reply_syntax_error,
)
from gapless.engine.geo_arguments cimport arg_number, arg_point, arg_unit, reply_coordinates, reply_distance
from gapless.engine.geo_shape cimport GEO_BOXES_MAX, GeoScores, GeoShape, geo_shape_has, geo_shape_scores
from gapless.engine.geohash cimport GeoPoint, geohash_decode
from gapless.engine.keyspace cimport EXPIRE_NEVER, keyspace_hash
from gapless.engine.reply cimport reply_array, reply_bulk, reply_error, reply_int
from gapless.engine.sorted_set_value cimport (
    HashedMember, Member, SortedSet, SortedWalk, Span, sorted_set_begin, sorted_set_fill, sorted_set_find, sorted_set_next,
    sorted_set_open, sorted_set_span, sorted_set_walk,
)

cdef enum Form:
    FORM_POINT = 1             # GEORADIUS
    FORM_MEMBER = 2            # GEORADIUSBYMEMBER
    FORM_SEARCH = 4            # GEOSEARCH
    FORM_STORE = 8             # GEOSEARCHSTORE
    FORM_READ_ONLY = 16

cdef enum Sorting:
    UNSORTED = 0
    NEAREST_FIRST = 1
    FARTHEST_FIRST = 2


cdef struct Found:
    Member m
    double distance            # metres
    GeoPoint place
    uint64_t number            # in the order of finding


cdef struct Search:
    Call* call
    int form
    SortedSet s
    GeoShape shape
    bint centered
    bint distances             # WITHDIST, WITHHASH, WITHCOORD
    bint hashes
    bint coordinates
    bint any
    int sorting
    int64_t count              # 0: all
    const Arg* target          # where to store; NULL: reply
    bint storing_distances
    Found* found
    uint64_t found_count
    uint64_t found_room


# ---- what the arguments say; all functions reply an error and return False when they say nothing

cdef bint read_radius(Search* q, int i) noexcept nogil:
    if not arg_number(q.call, i, b"ERR need numeric radius", &q.shape.radius):
        return False
    if q.shape.radius < 0:
        reply_error(q.call.reply, b"ERR radius cannot be negative")
        return False
    q.shape.circle = True
    return arg_unit(q.call, i + 1, &q.shape.unit)


cdef bint read_box(Search* q, int i) noexcept nogil:
    if not arg_number(q.call, i, b"ERR need numeric width", &q.shape.width) or not arg_number(
            q.call, i + 1, b"ERR need numeric height", &q.shape.height):
        return False
    if q.shape.width < 0 or q.shape.height < 0:
        reply_error(q.call.reply, b"ERR height or width cannot be negative")
        return False
    q.shape.box = True
    return arg_unit(q.call, i + 2, &q.shape.unit)


cdef bint read_center(Search* q, int i) noexcept nogil:
    """The place of the member in argv[i]; of no key nothing is asked."""
    q.centered = True
    if not q.s.c.there:
        return True
    if not sorted_set_find(&q.s, q.call.argv[i].data, q.call.argv[i].size):
        reply_error(q.call.reply, b"ERR could not decode requested zset member")
        return False
    geohash_decode(q.s.score, &q.shape.center)
    return True


cdef int read_shape(Search* q, int i, bint* from_point) noexcept nogil:
    """The option of GEOSEARCH in argv[i]: how many words it has, 0: it is none, -1 after an error reply."""
    cdef Call* call = q.call
    cdef int left = call.argc - i - 1
    if arg_is(call, i, b"FROMMEMBER") and left >= 1 and not from_point[0]:
        return 2 if read_center(q, i + 1) else -1
    if arg_is(call, i, b"FROMLONLAT") and left >= 2 and (from_point[0] or not q.centered):
        from_point[0] = True
        q.centered = True
        return 3 if arg_point(call, i + 1, &q.shape.center) else -1
    if arg_is(call, i, b"BYRADIUS") and left >= 2 and not q.shape.box:
        return 3 if read_radius(q, i + 1) else -1
    if arg_is(call, i, b"BYBOX") and left >= 3 and not q.shape.circle:
        return 4 if read_box(q, i + 1) else -1
    if q.form & FORM_STORE and arg_is(call, i, b"STOREDIST"):
        q.storing_distances = True
        return 1
    return 0


cdef bint read_options(Search* q, int i) noexcept nogil:
    cdef Call* call = q.call
    cdef bint from_point = False
    cdef int words
    while i < call.argc:
        words = 1
        if arg_is(call, i, b"WITHDIST"):
            q.distances = True
        elif arg_is(call, i, b"WITHHASH"):
            q.hashes = True
        elif arg_is(call, i, b"WITHCOORD"):
            q.coordinates = True
        elif arg_is(call, i, b"ANY"):
            q.any = True
        elif arg_is(call, i, b"ASC"):
            q.sorting = NEAREST_FIRST
        elif arg_is(call, i, b"DESC"):
            q.sorting = FARTHEST_FIRST
        elif arg_is(call, i, b"COUNT") and i + 1 < call.argc:
            words = 2
            if not arg_int64(call, i + 1, &q.count):
                return False
            if q.count <= 0:
                reply_error(call.reply, b"ERR COUNT must be > 0")
                return False
        elif q.form & FORM_SEARCH:
            words = read_shape(q, i, &from_point)
        elif not q.form & FORM_READ_ONLY and i + 1 < call.argc and (arg_is(call, i, b"STORE") or arg_is(call, i, b"STOREDIST")):
            words = 2
            q.target = &call.argv[i + 1]
            q.storing_distances = arg_is(call, i, b"STOREDIST")
        else:
            words = 0
        if words <= 0:
            if words == 0:
                reply_syntax_error(call)
            return False
        i += words
    return True


cdef bint options_agree(Search* q) noexcept nogil:
    cdef Call* call = q.call
    cdef char[160] text
    cdef const char* asked = NULL
    if q.target != NULL and (q.distances or q.hashes or q.coordinates):
        reply_error(call.reply, b"ERR GEOSEARCHSTORE is not compatible with WITHDIST, WITHHASH and WITHCOORD options" if q.form & FORM_STORE
                    else b"ERR STORE option in GEORADIUS is not compatible with WITHDIST, WITHHASH and WITHCOORD options")
        return False
    if q.form & FORM_SEARCH and not q.centered:
        asked = b"ERR exactly one of FROMMEMBER or FROMLONLAT can be specified for %.*s"
    elif q.form & FORM_SEARCH and not (q.shape.circle or q.shape.box):
        asked = b"ERR exactly one of BYRADIUS and BYBOX can be specified for %.*s"
    if asked != NULL:
        snprintf(text, sizeof(text), asked, <int>call.argv[0].size, <const char*>call.argv[0].data)
        reply_error(call.reply, text)
        return False
    if q.any and q.count == 0:
        reply_error(call.reply, b"ERR the ANY argument requires COUNT argument")
        return False
    return True


cdef bint read_search(Search* q) noexcept nogil:
    cdef Call* call = q.call
    cdef int source = 2 if q.form & FORM_STORE else 1
    cdef uint64_t hash = keyspace_hash(call.keys, call.argv[source].data, call.argv[source].size)
    if not sorted_set_open(call, &call.argv[source], hash, find_read(call), &q.s):
        return False
    if q.form & FORM_POINT:
        if not arg_point(call, 2, &q.shape.center) or not read_radius(q, 4):
            return False
    elif q.form & FORM_MEMBER and q.s.c.there:
        if not read_center(q, 2) or not read_radius(q, 3):
            return False
    if q.form & FORM_STORE:
        q.target = &call.argv[1]
    return read_options(q, 6 if q.form & FORM_POINT else 5 if q.form & FORM_MEMBER else source + 1) and options_agree(q)


# ---- searching

cdef void take(Search* q, const Member* m, const GeoPoint* place, double distance) noexcept nogil:
    cdef Found* f
    if q.found_count == q.found_room:
        q.found_room = max(q.found_room * 2, <uint64_t>32)
        q.found = <Found*>realloc(q.found, q.found_room * sizeof(Found))
        INVARIANT(q.found != NULL)
    f = &q.found[q.found_count]
    f.m = m[0]
    f.place = place[0]
    f.distance = distance
    f.number = q.found_count
    q.found_count += 1


cdef void search_scores(Search* q, const GeoScores* scores, uint64_t most) noexcept nogil:
    cdef Span span
    cdef SortedWalk w
    cdef Member m
    cdef GeoPoint place
    cdef double distance = 0
    sorted_set_span(&q.s, scores.low, False, scores.high, True, &span)
    sorted_set_walk(&q.s, span.first, span.count, False, &w)
    while q.found_count < most and sorted_set_next(&w, &m):
        geohash_decode(m.score, &place)
        if geo_shape_has(&q.shape, &place, &distance):
            take(q, &m, &place, distance)


cdef int by_distance(const void* a, const void* b) noexcept nogil:
    cdef const Found* first = <const Found*>a
    cdef const Found* second = <const Found*>b
    if first.distance != second.distance:
        return -1 if first.distance < second.distance else 1
    return (first.number > second.number) - (first.number < second.number)


cdef int by_distance_down(const void* a, const void* b) noexcept nogil:
    cdef const Found* first = <const Found*>a
    cdef const Found* second = <const Found*>b
    if first.distance != second.distance:
        return -1 if first.distance > second.distance else 1
    return (first.number > second.number) - (first.number < second.number)


cdef void search(Search* q) noexcept nogil:
    cdef GeoScores[GEO_BOXES_MAX] scores
    cdef int i
    cdef int boxes = geo_shape_scores(&q.shape, scores)
    for i in range(boxes):
        search_scores(q, &scores[i], <uint64_t>q.count if q.any else <uint64_t>-1)
    # The first of an order: without one named they are the nearest.
    if q.sorting == FARTHEST_FIRST:
        qsort(q.found, q.found_count, sizeof(Found), by_distance_down)
    elif q.sorting == NEAREST_FIRST or (q.count and not q.any):
        qsort(q.found, q.found_count, sizeof(Found), by_distance)
    if q.count and <uint64_t>q.count < q.found_count:
        q.found_count = <uint64_t>q.count


# ---- the result

cdef void reply_found(Search* q) noexcept nogil:
    cdef Call* call = q.call
    cdef int more = <int>q.distances + <int>q.hashes + <int>q.coordinates
    cdef uint64_t i
    cdef const Found* f
    reply_array(call.reply, <int64_t>q.found_count)
    for i in range(q.found_count):
        f = &q.found[i]
        if more:
            reply_array(call.reply, 1 + more)
        reply_bulk(call.reply, f.m.name, f.m.bytes)
        if q.distances:
            reply_distance(call, f.distance / q.shape.unit)
        if q.hashes:
            reply_int(call.reply, <int64_t>f.m.score)
        if q.coordinates:
            reply_coordinates(call, &f.place)


cdef int by_score(const void* a, const void* b) noexcept nogil:
    cdef const Member* first = &(<const HashedMember*>a).m
    cdef const Member* second = &(<const HashedMember*>b).m
    cdef int difference
    if first.score != second.score:
        return -1 if first.score < second.score else 1
    difference = memcmp(first.name, second.name, min(first.bytes, second.bytes))
    return difference if difference else (first.bytes > second.bytes) - (first.bytes < second.bytes)


cdef void store_found(Search* q) noexcept nogil:
    cdef Call* call = q.call
    cdef SortedSet result
    cdef uint64_t i
    cdef Status status
    cdef uint64_t hash = keyspace_hash(call.keys, q.target.data, q.target.size)
    cdef HashedMember* all = <HashedMember*>malloc((q.found_count + 1) * sizeof(HashedMember))
    INVARIANT(all != NULL)
    for i in range(q.found_count):
        all[i].m = q.found[i].m
        if q.storing_distances:
            all[i].m.score = q.found[i].distance / q.shape.unit
        all[i].hash = hash_bytes(all[i].m.name, all[i].m.bytes, call.keys.seed)
    qsort(all, q.found_count, sizeof(HashedMember), by_score)
    sorted_set_begin(call, q.target, hash, &result)
    status = sorted_set_fill(&result, all, q.found_count)
    free(all)
    if status != STATUS_OK:
        collection_abandon(&result.c)
    else:
        status = collection_store(&result.c, EXPIRE_NEVER)
    if call_status(call, status):
        reply_int(call.reply, <int64_t>q.found_count)


cdef void run(Call* call, int form) noexcept nogil:
    cdef Search q
    q.call = call
    q.form = form
    q.centered = q.distances = q.hashes = q.coordinates = q.any = q.storing_distances = False
    q.shape.circle = q.shape.box = False
    q.shape.unit = 1
    q.sorting = UNSORTED
    q.count = 0
    q.target = NULL
    q.found = NULL
    q.found_count = q.found_room = 0
    if not read_search(&q):
        return
    if q.s.c.there:
        search(&q)
    if q.target != NULL:
        store_found(&q)
    else:
        reply_found(&q)
    free(q.found)


cdef void cmd_geosearch(Call* call) noexcept nogil:
    run(call, FORM_SEARCH)


cdef void cmd_geosearchstore(Call* call) noexcept nogil:
    run(call, FORM_SEARCH | FORM_STORE)


cdef void cmd_georadius(Call* call) noexcept nogil:
    run(call, FORM_POINT)


cdef void cmd_georadius_ro(Call* call) noexcept nogil:
    run(call, FORM_POINT | FORM_READ_ONLY)


cdef void cmd_georadiusbymember(Call* call) noexcept nogil:
    run(call, FORM_MEMBER)


cdef void cmd_georadiusbymember_ro(Call* call) noexcept nogil:
    run(call, FORM_MEMBER | FORM_READ_ONLY)


handler_register(b"geo_search.georadius", cmd_georadius)
handler_register(b"geo_search.georadius_ro", cmd_georadius_ro)
handler_register(b"geo_search.georadiusbymember", cmd_georadiusbymember)
handler_register(b"geo_search.georadiusbymember_ro", cmd_georadiusbymember_ro)
handler_register(b"geo_search.geosearch", cmd_geosearch)
handler_register(b"geo_search.geosearchstore", cmd_geosearchstore)
