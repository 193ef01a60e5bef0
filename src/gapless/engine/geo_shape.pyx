from libc.math cimport cos, sqrt
from gapless.engine.geohash cimport (
    DEGREE, EARTH_RADIUS, GEOHASH_STEPS, LATITUDE_MAX, GeoBox, gather_bits, geo_distance, geohash_box, geohash_encode,
    geohash_score, latitude_distance, spread_bits,
)

cdef double MERCATOR_MAX = 20037726.37     # metres from the equator to the edge of the projection

# Middle, north, south, east, west, north-east, north-west, south-east, south-west.
cdef int[GEO_BOXES_MAX] EASTWARDS = [0, 0, 0, 1, -1, 1, -1, 1, -1]
cdef int[GEO_BOXES_MAX] NORTHWARDS = [0, 1, -1, 0, 0, 1, 1, -1, -1]


cdef void bounds_of(const GeoShape* shape, GeoBox* out) noexcept nogil:
    cdef double height = shape.unit * (shape.radius if shape.circle else shape.height / 2)
    cdef double width = shape.unit * (shape.radius if shape.circle else shape.width / 2)
    cdef double latitude = shape.center.latitude
    cdef double up = height / EARTH_RADIUS / DEGREE
    # Meridians are closer on the side of the pole: there the shape is the wider.
    cdef double edge = latitude - up if latitude < 0 else latitude + up
    cdef double aside = width / EARTH_RADIUS / cos(edge * DEGREE) / DEGREE
    out.least.longitude = shape.center.longitude - aside
    out.most.longitude = shape.center.longitude + aside
    out.least.latitude = latitude - up
    out.most.latitude = latitude + up


cdef int steps_for(double radius, double latitude) noexcept nogil:
    """Of boxes so large that nine of them cover the radius, mostly."""
    cdef int steps = 1
    if radius == 0:
        return GEOHASH_STEPS
    while radius < MERCATOR_MAX:
        radius *= 2
        steps += 1
    steps -= 2
    if latitude > 66 or latitude < -66:
        steps -= 1
        if latitude > 80 or latitude < -80:
            steps -= 1
    return min(max(steps, 1), GEOHASH_STEPS)


cdef uint64_t neighbour(uint64_t hash, int steps, int i) noexcept nogil:
    """Beyond an edge it goes on at the opposite one."""
    cdef uint64_t mask = (<uint64_t>1 << steps) - 1
    cdef uint64_t latitude = gather_bits(hash), longitude = gather_bits(hash >> 1)
    if NORTHWARDS[i]:
        latitude = (latitude + <uint64_t>NORTHWARDS[i]) & mask
    if EASTWARDS[i]:
        longitude = (longitude + <uint64_t>EASTWARDS[i]) & mask
    return spread_bits(latitude) | spread_bits(longitude) << 1


cdef bint too_near(uint64_t hash, int steps, const GeoBox* bounds) noexcept nogil:
    """The neighbours end before the shape does."""
    cdef GeoBox north, south, east, west
    geohash_box(neighbour(hash, steps, 1), steps, &north)
    geohash_box(neighbour(hash, steps, 2), steps, &south)
    geohash_box(neighbour(hash, steps, 3), steps, &east)
    geohash_box(neighbour(hash, steps, 4), steps, &west)
    return (north.most.latitude < bounds.most.latitude or south.least.latitude > bounds.least.latitude
            or east.most.longitude < bounds.most.longitude or west.least.longitude > bounds.least.longitude)


cdef inline bint is_useless(int i, const GeoBox* middle, const GeoBox* bounds) noexcept nogil:
    """The middle box reaches beyond the shape on the neighbour's side."""
    return ((NORTHWARDS[i] < 0 and middle.least.latitude < bounds.least.latitude)
            or (NORTHWARDS[i] > 0 and middle.most.latitude > bounds.most.latitude)
            or (EASTWARDS[i] < 0 and middle.least.longitude < bounds.least.longitude)
            or (EASTWARDS[i] > 0 and middle.most.longitude > bounds.most.longitude))


cdef int geo_shape_scores(const GeoShape* shape, GeoScores* out) noexcept nogil:
    cdef GeoBox bounds, middle
    cdef double radius = shape.radius
    cdef uint64_t hash, box, last = 0
    cdef int steps, i, found = 0
    bounds_of(shape, &bounds)
    if not shape.circle:
        radius = sqrt((shape.width / 2) * (shape.width / 2) + (shape.height / 2) * (shape.height / 2))
    steps = steps_for(radius * shape.unit, shape.center.latitude)
    hash = geohash_encode(&shape.center, LATITUDE_MAX, steps)
    if steps > 1 and too_near(hash, steps, &bounds):
        steps -= 1
        hash = geohash_encode(&shape.center, LATITUDE_MAX, steps)
    geohash_box(hash, steps, &middle)
    for i in range(GEO_BOXES_MAX):
        if steps >= 2 and is_useless(i, &middle, &bounds):
            continue
        box = neighbour(hash, steps, i)
        # Around half the world neighbours are the same box.
        if found > 0 and box == last:
            continue
        last = box
        out[found].low = <double>geohash_score(box, steps)
        out[found].high = <double>geohash_score(box + 1, steps)
        found += 1
    return found


cdef bint geo_shape_has(const GeoShape* shape, const GeoPoint* place, double* distance) noexcept nogil:
    cdef GeoPoint beside
    if shape.circle:
        distance[0] = geo_distance(&shape.center, place)
        return not distance[0] > shape.radius * shape.unit
    if latitude_distance(place.latitude, shape.center.latitude) > shape.height * shape.unit / 2:
        return False
    beside.longitude = shape.center.longitude
    beside.latitude = place.latitude
    if geo_distance(place, &beside) > shape.width * shape.unit / 2:
        return False
    distance[0] = geo_distance(&shape.center, place)
    return True
