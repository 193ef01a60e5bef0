"""Commands of places: a place is a member of a sorted set whose score is a geohash. What searches them is in geo_search."""
from libc.stdint cimport uint64_t
from libc.stdlib cimport free, malloc
from gapless.engine.base cimport INVARIANT
from gapless.engine.call cimport Call
from gapless.engine.dispatch cimport arg_is, find_read, handler_register, reply_syntax_error
from gapless.engine.geo_arguments cimport arg_point, arg_unit, reply_coordinates, reply_distance
from gapless.engine.geohash cimport (
    GEOHASH_STEPS, LATITUDE_MAX, GeoPoint, geo_distance, geohash_decode, geohash_encode, geohash_score,
)
from gapless.engine.reply cimport reply_array, reply_bulk, reply_null, reply_null_array
from gapless.engine.sorted_set_value cimport SortedSet, sorted_set_find, sorted_set_open
from gapless.engine.sorted_sets cimport ADD_CH, ADD_NX, ADD_XX, sorted_set_add_all

cdef enum:
    GEOHASH_TEXT_BYTES = 11

cdef double LATITUDE_OF_TEXTS = 90         # the range of the geohashes that others write
cdef const char* GEOHASH_DIGITS = b"0123456789bcdefghjkmnpqrstuvwxyz"


cdef bint place_of(SortedSet* s, Call* call, int i, GeoPoint* out) noexcept nogil:
    """Where the member in argv[i] is."""
    if not sorted_set_find(s, call.argv[i].data, call.argv[i].size):
        return False
    geohash_decode(s.score, out)
    return True


cdef void cmd_geoadd(Call* call) noexcept nogil:
    cdef int i = 2, k, options = 0, places
    cdef double* scores
    cdef GeoPoint point
    while i < call.argc:
        if arg_is(call, i, b"NX"):
            options |= ADD_NX
        elif arg_is(call, i, b"XX"):
            options |= ADD_XX
        elif arg_is(call, i, b"CH"):
            options |= ADD_CH
        else:
            break
        i += 1
    places = (call.argc - i) // 3
    if places == 0 or (call.argc - i) % 3 or options & (ADD_NX | ADD_XX) == ADD_NX | ADD_XX:
        reply_syntax_error(call)
        return
    scores = <double*>malloc(<size_t>places * sizeof(double))
    INVARIANT(scores != NULL)
    for k in range(places):
        if not arg_point(call, i + 3 * k, &point):
            free(scores)
            return
        scores[k] = <double>geohash_score(geohash_encode(&point, LATITUDE_MAX, GEOHASH_STEPS), GEOHASH_STEPS)
    sorted_set_add_all(call, i + 2, 3, places, options, scores)
    free(scores)


cdef void cmd_geodist(Call* call) noexcept nogil:
    cdef SortedSet s
    cdef GeoPoint a, b
    cdef double unit = 1
    if call.argc > 5:
        reply_syntax_error(call)
        return
    if call.argc == 5 and not arg_unit(call, 4, &unit):
        return
    if not sorted_set_open(call, &call.argv[1], call.hash, find_read(call), &s):
        return
    if place_of(&s, call, 2, &a) and place_of(&s, call, 3, &b):
        reply_distance(call, geo_distance(&a, &b) / unit)
    else:
        reply_null(call.reply)


cdef void cmd_geohash(Call* call) noexcept nogil:
    cdef SortedSet s
    cdef GeoPoint point
    cdef char[GEOHASH_TEXT_BYTES] text
    cdef uint64_t hash
    cdef int i, digit
    if not sorted_set_open(call, &call.argv[1], call.hash, find_read(call), &s):
        return
    reply_array(call.reply, call.argc - 2)
    for i in range(2, call.argc):
        if not place_of(&s, call, i, &point):
            reply_null(call.reply)
            continue
        hash = geohash_encode(&point, LATITUDE_OF_TEXTS, GEOHASH_STEPS)
        # 52 bits are ten digits and a part of the eleventh, which is always 0.
        for digit in range(GEOHASH_TEXT_BYTES - 1):
            text[digit] = GEOHASH_DIGITS[(hash >> (2 * GEOHASH_STEPS - 5 * (digit + 1))) & 31]
        text[GEOHASH_TEXT_BYTES - 1] = c"0"
        reply_bulk(call.reply, text, GEOHASH_TEXT_BYTES)


cdef void cmd_geopos(Call* call) noexcept nogil:
    cdef SortedSet s
    cdef GeoPoint point
    cdef int i
    if not sorted_set_open(call, &call.argv[1], call.hash, find_read(call), &s):
        return
    reply_array(call.reply, call.argc - 2)
    for i in range(2, call.argc):
        if place_of(&s, call, i, &point):
            reply_coordinates(call, &point)
        else:
            reply_null_array(call.reply)


handler_register(b"geo.geoadd", cmd_geoadd)
handler_register(b"geo.geodist", cmd_geodist)
handler_register(b"geo.geohash", cmd_geohash)
handler_register(b"geo.geopos", cmd_geopos)
