"""The journal's compiled part. See journal.pxd."""
import os

from libc.errno cimport EINTR, EIO, ENOSPC, EOPNOTSUPP, errno
from libc.stdint cimport UINT64_MAX, int64_t, uint8_t, uint64_t
from libc.stdio cimport snprintf
from libc.stdlib cimport calloc, free
from libc.string cimport memcpy, strerror
from gapless.engine.base cimport INVARIANT, clock_monotonic_ns, likely, unlikely
from gapless.engine.effects cimport EFFECTS_HEADROOM, effects_clear
from gapless.engine.frames cimport (
    FRAME_AFTER_SYNC, FRAME_EFFECTS, FRAME_GOES_ON, FRAME_HEAD, FRAME_IMAGES, FRAME_SEALED, frame_finish)
from gapless.engine.journal_images cimport images_go_on
from gapless.engine.keyspace cimport Keyspace, keyspace_effects_file
from gapless.engine.sockets cimport close, gapless_eventfd, gapless_signal


cdef enum:
    RESERVE_STEP = 16 << 20
    IMAGE_BYTES = 256 << 10        # of images, about, in a frame
    PAID_BYTES = 64 << 10          # written between two slices of images that whoever writes pays for
    PAID_NS = 200000
    RESERVE_LEAST = 1 << 20        # below so much, and no more to be had, commands that write are refused


cdef extern from "<fcntl.h>" nogil:
    int FALLOC_FL_KEEP_SIZE
    int fallocate(int fd, int mode, int64_t offset, int64_t n)

cdef extern from "<unistd.h>" nogil:
    ssize_t pwrite(int fd, const void* data, size_t n, int64_t offset)
    int fdatasync(int fd)

cdef extern from "<pthread.h>" nogil:
    int pthread_mutex_init(pthread_mutex_t* mutex, void* attributes)
    int pthread_mutex_destroy(pthread_mutex_t* mutex)
    int pthread_mutex_lock(pthread_mutex_t* mutex)
    int pthread_mutex_unlock(pthread_mutex_t* mutex)


# ---- the system

cdef int64_t system_write(void* context, int fd, const uint8_t* data, uint64_t n, uint64_t offset) noexcept nogil:
    cdef ssize_t done = pwrite(fd, data, n, <int64_t>offset)
    return -errno if done < 0 else done


cdef int system_sync(void* context, int fd) noexcept nogil:
    return errno if fdatasync(fd) < 0 else 0


cdef int system_reserve(void* context, int fd, uint64_t offset, uint64_t n) noexcept nogil:
    return errno if fallocate(fd, FALLOC_FL_KEEP_SIZE, <int64_t>offset, <int64_t>n) < 0 else 0


def reserve(int fd, int64_t offset, int64_t n):
    """Room on the disk for n bytes from `offset` on; the file's length stays. OSError."""
    cdef int failed
    with nogil:
        failed = system_reserve(NULL, fd, <uint64_t>offset, <uint64_t>n)
    if failed:
        raise OSError(failed, os.strerror(failed))


cdef Journal* journal_new(Keyspace* keys) noexcept:
    cdef Journal* j = <Journal*>calloc(1, sizeof(Journal))
    INVARIANT(j != NULL and <int>EFFECTS_HEADROOM == <int>FRAME_HEAD)
    j.keys = keys
    j.file.fd = j.successor.fd = j.previous.fd = -1
    j.wake_fd = gapless_eventfd()
    INVARIANT(j.wake_fd >= 0)
    pthread_mutex_init(&j.sync_lock, NULL)
    j.system.write = system_write
    j.system.sync = system_sync
    j.system.reserve = system_reserve
    j.policy = SYNC_EVERY_SECOND
    j.batch = 1
    j.file_bytes = 64 << 20
    j.body_bytes_max = BODY_BYTES_MAX
    return j


cdef void journal_free(Journal* j) noexcept nogil:
    if j != NULL:
        close(j.wake_fd)
        pthread_mutex_destroy(&j.sync_lock)
        free(j)


cdef void journal_wake_keeper(Journal* j) noexcept nogil:
    gapless_signal(j.wake_fd)


# ---- writing

cdef int _write(Journal* j, const uint8_t* data, uint64_t n, uint64_t offset) noexcept nogil:
    cdef int64_t done
    while n > 0:
        done = j.system.write(j.system.context, j.file.fd, data, n, offset)
        if unlikely(done <= 0):
            if done == -EINTR:
                continue
            j.counts.writes_failed += 1
            j.write_errno = <int>-done if done else ENOSPC
            return j.write_errno
        data += done
        n -= <uint64_t>done
        offset += <uint64_t>done
    return 0


cdef int _write_frame(Journal* j, uint8_t* frame, uint64_t body_bytes, int kind, int64_t now_ms) noexcept nogil:
    """A batch, in one frame or several: of those that go on each head is written over the end of what was written before it."""
    cdef uint8_t[FRAME_HEAD] kept
    cdef uint64_t part, offset = j.file.position
    cdef int flags = 0, failed
    cdef bint first = True
    if (j.previous.fd < 0 or load_int(&j.previous_synced)) and j.sync_errno == 0:
        flags = FRAME_AFTER_SYNC
    while True:
        part = min(body_bytes, j.body_bytes_max)
        if unlikely(not first):
            memcpy(kept, frame, FRAME_HEAD)
        frame_finish(frame, part, kind, flags | (FRAME_GOES_ON if part < body_bytes else 0), now_ms, j.file.seed, offset)
        failed = _write(j, frame, FRAME_HEAD + part, offset)
        if unlikely(not first):
            memcpy(frame, kept, FRAME_HEAD)
        if unlikely(failed):
            return failed
        offset += FRAME_HEAD + part
        j.counts.frames += 1
        if likely(part == body_bytes):
            break
        body_bytes -= part
        frame += part
        first = False
    j.counts.bytes_written += offset - j.file.position
    j.file.position = offset
    if flags & FRAME_AFTER_SYNC and j.mark_due:
        j.mark_due = False
    return 0


cdef void journal_change_files(Journal* j, int64_t now_ms) noexcept nogil:
    cdef uint8_t[FRAME_HEAD] sealed
    if j.previous.fd >= 0 or j.successor.fd < 0 or _write_frame(j, sealed, 0, FRAME_SEALED, now_ms):
        # Once a file's size is passed any frame may be its last.
        return
    j.previous_synced = 0
    j.previous.number = j.file.number
    j.previous.position = j.file.position
    # Who syncs reads fd first: seeing the new one he sees the one before as well.
    store_int(&j.previous.fd, j.file.fd)
    j.file.number = j.successor.number
    j.file.seed = j.successor.seed
    j.file.position = j.successor.position
    j.file.reserved = j.successor.reserved
    store_int(&j.file.fd, j.successor.fd)
    j.successor.fd = -1
    keyspace_effects_file(j.keys, j.file.number)
    j.counts.files_begun += 1
    journal_wake_keeper(j)


cdef inline void _after_write(Journal* j, int64_t now_ms) noexcept nogil:
    j.write_errno = 0
    if unlikely(j.file.position >= j.file_bytes):
        journal_change_files(j, now_ms)
    if unlikely(j.counts.bytes_written >= j.look_at):
        if not j.looked:
            j.looked = True
            journal_wake_keeper(j)
    else:
        j.looked = False
    if unlikely(j.file.position >= j.file_bytes // 2 and j.successor.fd < 0 and not j.file_wanted):
        j.file_wanted = True
        journal_wake_keeper(j)
    if unlikely(j.file.position + RESERVE_STEP // 2 > j.file.reserved or j.refusal[0] != 0):
        journal_reserve(j)


cdef int journal_write(Journal* j, int64_t now_ms) noexcept nogil:
    cdef int failed = journal_write_as(j, FRAME_EFFECTS, now_ms)
    if unlikely(not failed and j.counts.bytes_written >= j.images_at):
        # The keeper's thread alone might not keep up: it waits for the lock, and in a Python program for the GIL.
        journal_images(j, PAID_NS, now_ms)
    return failed


cdef int journal_images(Journal* j, int64_t budget_ns, int64_t now_ms) noexcept nogil:
    cdef int failed
    if not j.walk_over:
        j.walk_over = images_go_on(&j.walk, j.keys, IMAGE_BYTES, clock_monotonic_ns() + budget_ns)
    failed = journal_write_as(j, FRAME_IMAGES, now_ms)
    j.images_at = UINT64_MAX if failed or j.walk_over else j.counts.bytes_written + PAID_BYTES
    return failed


cdef int journal_write_as(Journal* j, int kind, int64_t now_ms) noexcept nogil:
    cdef int failed
    cdef int64_t time_ms = now_ms
    if unlikely(load_int(&j.broken)):
        j.stuck = j.keys.effects.length
        journal_reserve(j)
        return j.sync_errno
    if j.keys.effects.length > FRAME_HEAD:
        # Replay takes it for the time of all the batch's commands.
        time_ms = j.keys.effects.time_ms
    elif not j.mark_due:
        return 0
    failed = _write_frame(j, j.keys.effects.bytes, j.keys.effects.length - FRAME_HEAD, kind, time_ms)
    if unlikely(failed):
        j.stuck = j.keys.effects.length
        journal_reserve(j)
        return failed
    j.stuck = 0
    effects_clear(j.keys.effects)
    j.batch += 1
    store_release(&j.written, j.batch - 1)
    _after_write(j, now_ms)
    return 0


cdef int journal_append(Journal* j, uint8_t* frame, uint64_t body_bytes, int kind, int64_t now_ms) noexcept nogil:
    cdef int failed = journal_write(j, now_ms)
    if likely(not failed):
        failed = _write_frame(j, frame, body_bytes, kind, now_ms)
    if unlikely(failed):
        journal_reserve(j)
        return failed
    j.batch += 1
    store_release(&j.written, j.batch - 1)
    _after_write(j, now_ms)
    return 0


cdef int journal_retry(Journal* j, int64_t now_ms) noexcept nogil:
    cdef int failed
    if j.keys.effects.length > FRAME_HEAD or j.mark_due:
        failed = journal_write(j, now_ms)
        if failed:
            return failed
    j.write_errno = 0
    journal_reserve(j)
    return j.reserve_errno if j.refusal[0] else 0


cdef void journal_reserve(Journal* j) noexcept nogil:
    cdef uint64_t wanted = j.file.position + RESERVE_STEP
    cdef int why
    if j.file.reserved < wanted:
        j.reserve_errno = j.system.reserve(j.system.context, j.file.fd, j.file.reserved, wanted - j.file.reserved)
        if j.reserve_errno == EOPNOTSUPP:
            # A file system that can't reserve: a full disk is noticed when it is written to.
            j.reserve_errno = 0
        if j.reserve_errno == 0:
            j.file.reserved = wanted
    why = j.sync_errno
    if why == 0:
        why = j.write_errno
    if why == 0 and j.reserve_errno != 0 and j.file.position + RESERVE_LEAST > j.file.reserved:
        why = j.reserve_errno
    if why == 0:
        j.refusal[0] = 0
    else:
        if j.refusal[0] == 0:
            journal_wake_keeper(j)
        snprintf(j.refusal, REFUSAL_BYTES, "MISCONF Errors writing to the AOF file: %s", strerror(why))


# ---- syncing

cdef int _sync_file(Journal* j, int fd) noexcept nogil:
    cdef int64_t start = clock_monotonic_ns()
    cdef int failed = EINTR
    while failed == EINTR:
        failed = j.system.sync(j.system.context, fd)
    j.counts.syncs += 1
    j.counts.sync_ns_last = <uint64_t>(clock_monotonic_ns() - start)
    j.counts.sync_ns_longest = max(j.counts.sync_ns_longest, j.counts.sync_ns_last)
    if failed:
        j.counts.syncs_failed += 1
        # Not to be tried again: the system may have thrown away what it could not write, and say yes the next time.
        j.sync_errno = failed
        store_int(&j.broken, 1)
    return failed


cdef int _sync(Journal* j) noexcept nogil:
    """Holding sync_lock."""
    # In this order: whatever of the batch lies in the file before, that file is seen.
    cdef uint64_t batch = load_acquire(&j.written)
    cdef int fd = load_int(&j.file.fd)
    cdef int previous = load_int(&j.previous.fd)
    if j.sync_errno:
        return j.sync_errno
    if fd < 0:
        return EIO
    if previous >= 0 and not j.previous_synced:
        if _sync_file(j, previous):
            return j.sync_errno
        j.mark_due = True
        store_int(&j.previous_synced, 1)
    if j.synced < batch:
        if _sync_file(j, fd):
            return j.sync_errno
        store_release(&j.synced, batch)
    return 0


cdef int journal_sync(Journal* j) noexcept nogil:
    cdef int failed
    pthread_mutex_lock(&j.sync_lock)
    failed = _sync(j)
    pthread_mutex_unlock(&j.sync_lock)
    if j.on_settled != NULL:
        j.on_settled(j.on_settled_context)
    return failed


cdef int journal_mend(Journal* j) noexcept nogil:
    cdef uint64_t batch
    cdef int failed
    pthread_mutex_lock(&j.sync_lock)
    batch = load_acquire(&j.written)
    failed = _sync_file(j, j.file.fd)
    if not failed:
        store_release(&j.synced, batch)
        j.sync_errno = 0
    pthread_mutex_unlock(&j.sync_lock)
    return failed


cdef int journal_await(Journal* j, uint64_t batch) noexcept nogil:
    cdef int failed = 0
    pthread_mutex_lock(&j.sync_lock)
    if j.synced < batch:
        failed = _sync(j)
    pthread_mutex_unlock(&j.sync_lock)
    return failed
