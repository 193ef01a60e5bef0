"""Effects without files, for the tests: what an engine records, replayed in another; and what a store holds, byte by byte."""
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy
from gapless.engine.base cimport STATUS_FULL, STATUS_OK, Status
from gapless.engine.effects cimport EFFECTS_HEADROOM, effects_clear
from gapless.engine.effects_apply cimport Replay, effects_apply
from gapless.engine.effects_image cimport effects_image_begin, effects_image_go_on
from gapless.engine.engine cimport Engine
from gapless.engine.forest cimport Tree
from gapless.engine.keyspace cimport (
    Keyspace, Value, keyspace_effects_file, keyspace_hash, keyspace_look, keyspace_record_effects, keyspace_record_key, keyspace_tick,
    keyspace_value_of,
)
from gapless.engine.keyspace_walk cimport keyspace_scan
from gapless.engine.record cimport RECORD_MAKING_MASK, TREE_BYTES, TYPE_LIST, TYPE_STREAM, Record, record_trees
from gapless.engine.tree cimport Place, tree_at, tree_element, tree_next

from gapless.errors import OutOfMemoryError


cdef extern from "<sys/mman.h>" nogil:
    void* mmap(void* at, size_t n, int protection, int flags, int fd, long offset)
    int munmap(void* at, size_t n)
    int mprotect(void* at, size_t n, int protection)
    int PROT_NONE, PROT_READ, PROT_WRITE, MAP_PRIVATE, MAP_ANONYMOUS
    void* MAP_FAILED

cdef enum:
    GUARD_BYTES = 1 << 16      # whole pages on every machine


cdef struct Walk:
    Keyspace* ks
    void* found


def record(Engine engine not None, bint on=True, uint32_t file=1):
    """Effects are recorded from now on, or no more."""
    engine.enter()
    keyspace_record_effects(engine.keys, on, file)
    engine.leave()


def change_file(Engine engine not None, uint32_t file):
    """What is recorded from now on goes to another file; REQUIRED: nothing is gathered."""
    engine.enter()
    keyspace_effects_file(engine.keys, file)
    engine.leave()


def take(Engine engine not None):
    """The body gathered so far, and its time."""
    engine.enter()
    try:
        body = PyBytes_FromStringAndSize(<const char*>engine.keys.effects.bytes + EFFECTS_HEADROOM,
                                         engine.keys.effects.length - EFFECTS_HEADROOM)
        time_ms = engine.keys.effects.time_ms
        effects_clear(engine.keys.effects)
    finally:
        engine.leave()
    return body, time_ms


def now_ms(Engine engine not None):
    """The engine's time, in ms since the epoch."""
    engine.enter()
    keyspace_tick(engine.keys)
    engine.leave()
    return engine.keys.now_ms


def gathered(Engine engine not None):
    """Bytes gathered so far."""
    return engine.keys.effects.length - EFFECTS_HEADROOM


def apply(Engine engine not None, bytes body not None, int64_t time_ms, uint32_t file=1, bint gathering=False):
    """Replays a body; how many images were begun and not ended. ValueError says what is wrong, and where.

    Behind the body lies what nobody may read: whoever reads beyond its end dies.
    """
    cdef Replay r
    cdef Status status
    cdef uint64_t n = PyBytes_GET_SIZE(body)
    cdef uint64_t room = (n + GUARD_BYTES - 1) // GUARD_BYTES * GUARD_BYTES
    cdef uint8_t* at = <uint8_t*>mmap(NULL, room + GUARD_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
    if at == MAP_FAILED or mprotect(at + room, GUARD_BYTES, PROT_NONE) != 0:
        raise MemoryError
    memcpy(at + room - n, PyBytes_AS_STRING(body), n)
    r.time_ms = time_ms
    r.file = file
    r.gathering = gathering
    r.effects = 0
    r.parts_open = 0
    engine.enter()
    status = effects_apply(engine.keys, &r, at + room - n, n)
    keyspace_tick(engine.keys)
    engine.leave()
    munmap(at, room + GUARD_BYTES)
    if status == STATUS_FULL:
        raise OutOfMemoryError("no memory is left")
    if status != STATUS_OK:
        raise ValueError(f"at {r.offset}: {(<bytes>r.wrong).decode()}")
    return r.parts_open


def begin_image(Engine engine not None, bytes key not None, int db=0):
    """An image in parts of a key begins; False: it is not there."""
    cdef Value v
    cdef const uint8_t* at = <const uint8_t*>PyBytes_AS_STRING(key)
    cdef size_t n = PyBytes_GET_SIZE(key)
    engine.enter()
    found = keyspace_look(engine.keys, db, at, n, keyspace_hash(engine.keys, at, n), &v)
    if found:
        effects_image_begin(engine.keys, &v, at, n)
    engine.leave()
    return found


def image_go_on(Engine engine not None, uint64_t most):
    """The next part of the image; whether it was the last, or there is none."""
    engine.enter()
    done = effects_image_go_on(engine.keys, most)
    engine.leave()
    return done


cdef list elements(Keyspace* ks, const Tree* t):
    cdef Place place
    cdef uint32_t n = 0
    cdef const uint8_t* p
    cdef bint more = t.count > 0 and tree_at(ks.forest, t, 0, &place)
    found = []
    while more:
        p = tree_element(ks.forest, &place, &n)
        found.append(PyBytes_FromStringAndSize(<const char*>p, n))
        more = tree_next(ks.forest, &place)
    return found


cdef void keep(void* context, const Record* r) noexcept with gil:
    cdef Walk* walk = <Walk*>context
    cdef Value v
    cdef uint64_t trees_bytes
    cdef uint32_t i
    keyspace_value_of(walk.ks, r, &v)
    key = PyBytes_FromStringAndSize(<const char*>keyspace_record_key(walk.ks, r), r.key_bytes)
    held = [v.type, r.marks & RECORD_MAKING_MASK, v.expire_ms, r.base]
    if v.trees == NULL:
        held.append(PyBytes_FromStringAndSize(<const char*>v.data, v.size))
    else:
        trees_bytes = record_trees(r) * TREE_BYTES
        held.append(v.trees[0].marks)
        held.append(PyBytes_FromStringAndSize(<const char*>v.data + trees_bytes, v.size - trees_bytes))
        for i in range(record_trees(r)):
            found = elements(walk.ks, &v.trees[i])
            # By hash they are in another order in every store.
            held.append(found if v.type == TYPE_LIST or v.type == TYPE_STREAM else sorted(found))
    (<dict>walk.found)[key] = tuple(held)


def held(Engine engine not None, int db=0):
    """What a database holds, by key: type, marks, expiry, base, and the value byte by byte or the elements of its trees."""
    cdef Walk walk
    cdef uint64_t cursor = 0
    found = {}
    walk.ks = engine.keys
    walk.found = <void*>found
    engine.enter()
    try:
        keyspace_tick(engine.keys)
        while True:
            cursor = keyspace_scan(engine.keys, db, cursor, False, keep, &walk)
            if cursor == 0:
                break
    finally:
        engine.leave()
    return found
