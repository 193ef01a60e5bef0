"""Points, units and distances as the commands of places read and write them."""
from libc.stdint cimport int64_t
from libc.stdio cimport snprintf
from gapless.engine.call cimport Call
from gapless.engine.dispatch cimport arg_is
from gapless.engine.geohash cimport LATITUDE_MAX, LONGITUDE_MAX, GeoPoint
from gapless.engine.reply cimport reply_array, reply_bulk, reply_double, reply_error
from gapless.engine.score cimport parse_score

cdef extern from "<math.h>" nogil:
    long long llrint(double x)

cdef enum:
    DISTANCE_PARTS = 10000     # four decimals


cdef inline bint arg_number(Call* call, int i, const char* error, double* out) noexcept nogil:
    """The double in argv[i]; False after replying this error."""
    if parse_score(call.argv[i].data, call.argv[i].size, out):
        return True
    reply_error(call.reply, error)
    return False


cdef inline bint arg_point(Call* call, int i, GeoPoint* out) noexcept nogil:
    """Longitude and latitude in argv[i] and the next; False after an error reply."""
    cdef char[800] text
    if not arg_number(call, i, b"ERR value is not a valid float", &out.longitude) or not arg_number(
            call, i + 1, b"ERR value is not a valid float", &out.latitude):
        return False
    if -LONGITUDE_MAX <= out.longitude <= LONGITUDE_MAX and -LATITUDE_MAX <= out.latitude <= LATITUDE_MAX:
        return True
    snprintf(text, sizeof(text), b"ERR invalid longitude,latitude pair %f,%f", out.longitude, out.latitude)
    reply_error(call.reply, text)
    return False


cdef inline bint arg_unit(Call* call, int i, double* out) noexcept nogil:
    """Metres of the unit in argv[i]; False after an error reply."""
    if arg_is(call, i, b"M"):
        out[0] = 1
    elif arg_is(call, i, b"KM"):
        out[0] = 1000
    elif arg_is(call, i, b"FT"):
        out[0] = 0.3048
    elif arg_is(call, i, b"MI"):
        out[0] = 1609.34
    else:
        reply_error(call.reply, b"ERR unsupported unit provided. please use M, KM, FT, MI")
        return False
    return True


cdef inline void reply_distance(Call* call, double distance) noexcept nogil:
    """Four decimals, in either protocol a text."""
    cdef char[48] text
    cdef int64_t parts = llrint(distance * DISTANCE_PARTS)
    reply_bulk(call.reply, text, <size_t>snprintf(text, sizeof(text), b"%lld.%04lld", <long long>(parts // DISTANCE_PARTS),
                                                  <long long>(parts % DISTANCE_PARTS)))


cdef inline void reply_coordinates(Call* call, const GeoPoint* point) noexcept nogil:
    reply_array(call.reply, 2)
    reply_double(call.reply, point.longitude)
    reply_double(call.reply, point.latitude)
