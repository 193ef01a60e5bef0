"""Circles and boxes on the sphere, and which scores may lie in them: up to nine boxes of equal size, the middle one's neighbours."""
from libc.stdint cimport uint64_t
from gapless.engine.geohash cimport GeoPoint


cdef enum:
    GEO_BOXES_MAX = 9


cdef struct GeoShape:
    GeoPoint center
    double unit                # metres
    bint circle
    bint box
    double radius              # units
    double width
    double height


cdef struct GeoScores:
    # Those of one box: from low to below high.
    double low
    double high


# The boxes that cover a shape, in the order in which Redis looks at them; how many.
cdef int geo_shape_scores(const GeoShape* shape, GeoScores* out) noexcept nogil
# Whether a place is in the shape, and how many metres from its center.
cdef bint geo_shape_has(const GeoShape* shape, const GeoPoint* place, double* distance) noexcept nogil
