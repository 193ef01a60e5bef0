"""Geohashes: longitude and latitude as one number, and distances on the sphere, in the very arithmetic of Redis.

    hash    bit 2 i: bit i of the latitude's cell, bit 2 i + 1: of the longitude's; each range is cut into 2^steps cells
    score   a hash of 26 steps, as a double: 52 bits

A hash of fewer steps names a box; those in it have scores from its hash shifted to 52 bits up to the next one's.
"""
from libc.math cimport M_PI, asin, cos, fabs, sin, sqrt
from libc.stdint cimport uint32_t, uint64_t


cdef enum:
    GEOHASH_STEPS = 26

cdef extern from * nogil:
    """
    #define GAPLESS_LATITUDE_MAX 85.05112878     /* of the Mercator projection */
    #define GAPLESS_LONGITUDE_MAX 180.0
    #define GAPLESS_EARTH_RADIUS 6372797.560856  /* metres */
    #define GAPLESS_DEGREE (M_PI / 180.0)
    """
    const double LATITUDE_MAX "GAPLESS_LATITUDE_MAX"
    const double LONGITUDE_MAX "GAPLESS_LONGITUDE_MAX"
    const double EARTH_RADIUS "GAPLESS_EARTH_RADIUS"
    const double DEGREE "GAPLESS_DEGREE"


cdef struct GeoPoint:
    double longitude
    double latitude


cdef struct GeoBox:
    GeoPoint least
    GeoPoint most


cdef inline uint64_t spread_bits(uint64_t v) noexcept nogil:
    """Bit i to bit 2 i, of 32."""
    v &= <uint64_t>0xffffffff
    v = (v | v << 16) & <uint64_t>0x0000ffff0000ffff
    v = (v | v << 8) & <uint64_t>0x00ff00ff00ff00ff
    v = (v | v << 4) & <uint64_t>0x0f0f0f0f0f0f0f0f
    v = (v | v << 2) & <uint64_t>0x3333333333333333
    return (v | v << 1) & <uint64_t>0x5555555555555555


cdef inline uint32_t gather_bits(uint64_t v) noexcept nogil:
    """Bit 2 i to bit i."""
    v &= <uint64_t>0x5555555555555555
    v = (v | v >> 1) & <uint64_t>0x3333333333333333
    v = (v | v >> 2) & <uint64_t>0x0f0f0f0f0f0f0f0f
    v = (v | v >> 4) & <uint64_t>0x00ff00ff00ff00ff
    v = (v | v >> 8) & <uint64_t>0x0000ffff0000ffff
    return <uint32_t>(v | v >> 16)


cdef inline uint64_t geohash_encode(const GeoPoint* p, double latitude_max, int steps) noexcept nogil:
    """REQUIRED: the point is in range."""
    cdef double latitude = (p.latitude + latitude_max) / (latitude_max + latitude_max)
    cdef double longitude = (p.longitude + LONGITUDE_MAX) / (LONGITUDE_MAX + LONGITUDE_MAX)
    latitude *= <double>(<uint64_t>1 << steps)
    longitude *= <double>(<uint64_t>1 << steps)
    return spread_bits(<uint32_t>latitude) | spread_bits(<uint32_t>longitude) << 1


cdef inline void geohash_box(uint64_t hash, int steps, GeoBox* out) noexcept nogil:
    cdef double cells = <double>(<uint64_t>1 << steps)
    cdef double latitudes = LATITUDE_MAX + LATITUDE_MAX, longitudes = LONGITUDE_MAX + LONGITUDE_MAX
    cdef double latitude = gather_bits(hash), longitude = gather_bits(hash >> 1)
    out.least.latitude = -LATITUDE_MAX + latitude / cells * latitudes
    out.most.latitude = -LATITUDE_MAX + (latitude + 1) / cells * latitudes
    out.least.longitude = -LONGITUDE_MAX + longitude / cells * longitudes
    out.most.longitude = -LONGITUDE_MAX + (longitude + 1) / cells * longitudes


cdef inline double within(double value, double most) noexcept nogil:
    return most if value > most else -most if value < -most else value


cdef inline void geohash_decode(double score, GeoPoint* out) noexcept nogil:
    """The middle of the cell. A score that is no hash has one, too."""
    cdef GeoBox box
    geohash_box(<uint64_t>score, GEOHASH_STEPS, &box)
    out.longitude = within((box.least.longitude + box.most.longitude) / 2, LONGITUDE_MAX)
    out.latitude = within((box.least.latitude + box.most.latitude) / 2, LATITUDE_MAX)


cdef inline uint64_t geohash_score(uint64_t hash, int steps) noexcept nogil:
    """Where the scores of its box begin."""
    return hash << (2 * (GEOHASH_STEPS - steps))


cdef inline double latitude_distance(double a, double b) noexcept nogil:
    """Metres."""
    return EARTH_RADIUS * fabs(b * DEGREE - a * DEGREE)


cdef inline double geo_distance(const GeoPoint* a, const GeoPoint* b) noexcept nogil:
    """Metres, by the haversine formula."""
    cdef double v = sin((b.longitude * DEGREE - a.longitude * DEGREE) / 2), u, first, second
    if v == 0:
        return latitude_distance(a.latitude, b.latitude)
    first = a.latitude * DEGREE
    second = b.latitude * DEGREE
    u = sin((second - first) / 2)
    return 2.0 * EARTH_RADIUS * asin(sqrt(u * u + cos(first) * cos(second) * v * v))
