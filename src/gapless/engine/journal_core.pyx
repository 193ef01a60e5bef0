"""The journal as Python holds it: begins and ends journaling, replays, and serves the keeper's thread."""
import os

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from libc.errno cimport EIO
from libc.stdint cimport UINT64_MAX, int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport free, realloc
from libc.string cimport memcpy, memset
from gapless.engine.base cimport INVARIANT, STATUS_OK, Status, clock_monotonic_ns, store_u32
from gapless.engine.effects cimport effects_clear
from gapless.engine.effects_apply cimport Replay, effects_apply
from gapless.engine.engine cimport Engine
from gapless.engine.frames cimport (
    FRAME_CLEANED, FRAME_CLOSED, FRAME_EFFECTS, FRAME_GOES_ON, FRAME_GOOD, FRAME_HEAD, FRAME_IMAGES, STORE_ID_BYTES, Frame, Frames,
    frame_read, frame_seed)
from gapless.engine.journal cimport (
    SYNC_ALWAYS, SYNC_EVERY_SECOND, SYNC_NO, FileSystem, Journal, JournalFile, journal_append, journal_change_files,
    journal_images, journal_mend, journal_reserve, journal_retry, journal_sync, journal_wake_keeper, journal_write, load_int, store_int,
    store_release)
from gapless.engine.journal_images cimport images_begin, images_forget, images_left, images_live_bytes
from gapless.engine.keyspace cimport keyspace_effects_file, keyspace_record_effects, keyspace_tick
from gapless.engine.sockets cimport gapless_drain, gapless_readable

from gapless.errors import JournalError

NO = SYNC_NO
EVERY_SECOND = SYNC_EVERY_SECOND
ALWAYS = SYNC_ALWAYS

# Why attend() returns: bits.
FILE_WANTED = 1       # give() a successor
FILE_FINISHED = 2     # take_finished()
IN_TROUBLE = 4        # retry() from time to time
BROKEN = 8            # a sync failed: begin anew
LOOK = 16             # see look_after()

cdef enum:
    WANTED = 1
    FINISHED = 2
    TROUBLE = 4
    BROKEN_BIT = 8
    LOOK_BIT = 16
    SECOND_NS = 1000000000
    JOINED_BYTES = 64 << 10        # bodies are replayed as one up to so many
    JOINED_KEPT = 1 << 20


# ---- the seam in Python, for tests

cdef int64_t python_write(void* context, int fd, const uint8_t* data, uint64_t n, uint64_t offset) noexcept with gil:
    try:
        return (<JournalCore>context).files.write(fd, PyBytes_FromStringAndSize(<const char*>data, <Py_ssize_t>n), offset)
    except OSError as error:
        return -<int64_t>error.errno


cdef int python_sync(void* context, int fd) noexcept with gil:
    try:
        (<JournalCore>context).files.sync(fd)
    except OSError as error:
        return error.errno
    return 0


cdef int python_reserve(void* context, int fd, uint64_t offset, uint64_t n) noexcept with gil:
    try:
        (<JournalCore>context).files.reserve(fd, offset, n)
    except OSError as error:
        return error.errno
    return 0


cdef inline bint has_effects(const Frame* f) noexcept nogil:
    return f.kind == FRAME_EFFECTS or f.kind == FRAME_IMAGES


cdef list take_files(Journal* j):
    """(descriptor, length) of all that are open."""
    cdef list found = []
    cdef JournalFile* files[3]
    files[:] = [&j.previous, &j.file, &j.successor]
    cdef int i
    for i in range(3):
        if files[i].fd >= 0:
            found.append((files[i].fd, files[i].position))
            store_int(&files[i].fd, -1)
    return found


cdef class JournalCore:
    """The compiled part of an engine's journal. Safe from several threads. `files`: what takes the system's place."""
    cdef Engine engine
    cdef Journal* j
    cdef object files
    cdef readonly bytes store_id
    cdef int64_t sync_due_ns
    cdef Replay r
    cdef uint8_t* joined           # bodies of several frames
    cdef uint64_t joined_room

    def __init__(self, Engine engine not None, files=None):
        self.engine = engine
        self.j = engine.dispatch.journal
        self.files = files
        if files is not None:
            self.j.system = FileSystem(<void*>self, python_write, python_sync, python_reserve)

    def __dealloc__(self):
        free(self.joined)

    # ---- settings

    @property
    def policy(self):
        """NO, EVERY_SECOND or ALWAYS."""
        return self.j.policy

    @policy.setter
    def policy(self, int policy):
        self.j.policy = policy
        journal_wake_keeper(self.j)
        self.settle()

    @property
    def file_bytes(self):
        """A file that is longer is followed by another."""
        return self.j.file_bytes

    @file_bytes.setter
    def file_bytes(self, uint64_t n):
        self.j.file_bytes = n

    @property
    def body_bytes_max(self):
        """Of one frame; a batch that is larger takes several."""
        return self.j.body_bytes_max

    @body_bytes_max.setter
    def body_bytes_max(self, uint64_t n):
        INVARIANT(n > 0 and n >> 32 == 0)
        self.j.body_bytes_max = n

    # ---- replay

    def begin_replay(self):
        """What is replayed from now on is a journal from its beginning."""
        memset(&self.r, 0, sizeof(Replay))

    def replay(self, Frames frames not None, uint64_t start, uint64_t end, uint64_t gathering_end, uint64_t bytes_at_a_time=1 << 24):
        """Applies the frames from `start` on, about so many bytes of them; (offset behind the last, what is wrong there or None).

        REQUIRED: nothing is journaled now. Up to `gathering_end` effects of keys that are not there are ignored. The frames were verified.
        """
        cdef Status status = STATUS_OK
        cdef uint64_t at = start, stop = min(end, start + bytes_at_a_time)
        self.engine.enter()
        try:
            INVARIANT(self.engine.keys.effects == NULL)
            keyspace_tick(self.engine.keys)
            self.r.file = frames.number
            with nogil:
                while at < stop and status == STATUS_OK:
                    status = self.apply_some(frames, &at, stop, gathering_end)
            if status != STATUS_OK:
                wrong = self.r.wrong.decode() if self.r.wrong != NULL else "it does not fit into memory"
                at, offset = self.place_of(frames, at, self.r.offset)
                return at, f"effect at {offset} of the frame: {wrong}"
        finally:
            self.engine.leave()
        return at, None

    cdef Status apply_some(self, Frames frames, uint64_t* at, uint64_t stop, uint64_t gathering_end) noexcept nogil:
        """The batch at `at`, which moves behind it; with those that follow it and have its time, so that what they need of the index is fetched
        ahead as it is within a large one."""
        cdef Frame f, following
        cdef uint64_t n = 0
        cdef Status status = STATUS_OK
        INVARIANT(frame_read(frames.data, frames.size, at[0], frames.seed, False, &f) == FRAME_GOOD)
        self.r.time_ms = f.time_ms
        self.r.gathering = at[0] < gathering_end
        if f.body_bytes >= JOINED_BYTES and not f.flags & FRAME_GOES_ON:
            if has_effects(&f):
                status = effects_apply(self.engine.keys, &self.r, f.body, f.body_bytes)
            if status == STATUS_OK:
                at[0] = f.next
            return status
        while True:
            if has_effects(&f):
                if n + f.body_bytes > self.joined_room:
                    self.joined_room = (n + f.body_bytes) * 2
                    self.joined = <uint8_t*>realloc(self.joined, self.joined_room)
                    INVARIANT(self.joined != NULL)
                memcpy(self.joined + n, f.body, f.body_bytes)
                n += f.body_bytes
            if not f.flags & FRAME_GOES_ON and (n >= JOINED_BYTES or f.next >= stop or (f.next < gathering_end) != self.r.gathering):
                break
            INVARIANT(frame_read(frames.data, frames.size, f.next, frames.seed, False, &following) == FRAME_GOOD)
            if not f.flags & FRAME_GOES_ON and (following.time_ms != f.time_ms or following.body_bytes >= JOINED_BYTES):
                break
            f = following
        if n:
            status = effects_apply(self.engine.keys, &self.r, self.joined, n)
        if self.joined_room > JOINED_KEPT:
            free(self.joined)
            self.joined = NULL
            self.joined_room = 0
        if status == STATUS_OK:
            at[0] = f.next
        return status

    cdef tuple place_of(self, Frames frames, uint64_t at, uint64_t offset):
        """Of an offset in the effects from the frame at `at` on: the frame it lies in, and where there."""
        cdef Frame f
        while frame_read(frames.data, frames.size, at, frames.seed, False, &f) == FRAME_GOOD:
            if has_effects(&f):
                if offset < f.body_bytes:
                    break
                offset -= f.body_bytes
            at = f.next
        return at, offset

    # ---- journaling

    def begin(self, int fd, uint32_t number, bytes store_id not None, uint64_t position):
        """From now on all that changes is written to this file, behind `position`."""
        cdef Journal* j = self.j
        self.engine.enter()
        INVARIANT(j.file.fd < 0 and len(store_id) == STORE_ID_BYTES)
        self.store_id = store_id
        j.write_errno = j.reserve_errno = j.sync_errno = 0
        j.refusal[0] = 0
        j.file_wanted = j.mark_due = False
        j.stuck = 0
        j.broken = 0
        j.images_at = UINT64_MAX
        store_release(&j.synced, j.written)
        self.take_file(&j.file, fd, number, position)
        keyspace_record_effects(j.keys, True, number)
        journal_reserve(j)
        self.engine.leave()

    cdef void take_file(self, JournalFile* file, int fd, uint32_t number, uint64_t position) noexcept:
        file.number = number
        file.position = file.reserved = position
        file.seed = frame_seed(<const uint8_t*>PyBytes_AS_STRING(self.store_id), number)
        store_int(&file.fd, fd)

    @property
    def number(self):
        """Of the file that is written to."""
        return self.j.file.number

    def give(self, int fd, uint32_t number, uint64_t position):
        """A successor, with its header written and on disk; whether it is wanted."""
        cdef bint wanted
        self.engine.enter()
        wanted = self.j.successor.fd < 0 and number == self.j.file.number + 1 and self.j.keys.effects != NULL
        if wanted:
            self.take_file(&self.j.successor, fd, number, position)
            self.j.file_wanted = False
        self.engine.leave()
        return wanted

    # ---- writing all of it again

    def change_files(self):
        """Goes on in the successor; its number, 0: there is none yet, or the file before the present one is not yet on disk."""
        cdef uint32_t before
        self.engine.enter()
        before = self.j.file.number
        if self.j.keys.effects != NULL and journal_write(self.j, self.engine.keys.now_ms) == 0:
            journal_change_files(self.j, self.engine.keys.now_ms)
        found = self.j.file.number if self.j.file.number != before else 0
        self.engine.leave()
        return found

    def abandon_broken(self, int fd, uint32_t number, uint64_t position):
        """Goes on in another file after a failed sync, without those that may have lost something; (descriptor, length) of these.
        Nothing is acknowledged until mend().
        """
        self.engine.enter()
        found = []
        if self.j.keys.effects != NULL:
            found = take_files(self.j)
            self.take_file(&self.j.file, fd, number, position)
            # What was gathered need not be written: images of all will be.
            effects_clear(self.j.keys.effects)
            keyspace_effects_file(self.j.keys, number)
            self.j.file_wanted = self.j.mark_due = False
            self.j.stuck = 0
            self.j.write_errno = 0
            store_int(&self.j.broken, 0)
        self.engine.leave()
        return found

    def images_begin(self, uint32_t first):
        """Images of all there is are to be written, in files from this one on."""
        self.engine.enter()
        if self.j.keys.effects != NULL:
            images_begin(&self.j.walk, self.j.keys, first)
            self.j.walk_over = False
            self.j.images_at = self.j.counts.bytes_written
        self.engine.leave()

    def forget_bases(self):
        """What is in memory is in no file of this journal. O(keys)."""
        self.engine.enter()
        images_forget(self.j.keys)
        self.engine.leave()

    def progress(self):
        """(buckets of the indexes that the walk for images has still to come by, bytes that were written to files so far)."""
        self.engine.enter()
        left = images_left(&self.j.walk, self.j.keys), self.j.counts.bytes_written
        self.engine.leave()
        return left

    def live_bytes(self):
        """About the bytes of a journal of all there is without garbage."""
        self.engine.enter()
        live = images_live_bytes(self.j.keys)
        self.engine.leave()
        return live

    def look_after(self, uint64_t n):
        """attend() returns for LOOK when so many bytes more have been written."""
        self.j.look_at = self.j.counts.bytes_written + n

    def images_go_on(self, int64_t budget_us):
        """Writes images for about so long; whether there are no more. JournalError."""
        cdef bint over = True
        cdef int failed = 0
        self.engine.enter()
        if self.j.keys.effects != NULL:
            keyspace_tick(self.engine.keys)
            failed = journal_write(self.j, self.engine.keys.now_ms)
            if not failed:
                failed = journal_images(self.j, budget_us * 1000, self.engine.keys.now_ms)
                over = self.j.walk_over
        self.engine.leave()
        if failed:
            raise JournalError(f"images can't be written: {os.strerror(failed)}")
        return over

    @property
    def has_successor(self):
        """Whether the next file is ready."""
        return self.j.successor.fd >= 0

    def settle(self):
        """Tells who waits that more is on disk than before."""
        if self.j.on_settled != NULL:
            self.j.on_settled(self.j.on_settled_context)

    def cleaned(self, uint32_t number):
        """Says that files up to this one are needed no more, and puts it on disk. JournalError."""
        cdef uint8_t[FRAME_HEAD + 4] frame
        cdef int failed = EIO
        store_u32(frame + FRAME_HEAD, number)
        self.engine.enter()
        if self.j.keys.effects != NULL:
            failed = journal_append(self.j, frame, 4, FRAME_CLEANED, self.engine.keys.now_ms)
        self.engine.leave()
        if not failed:
            with nogil:
                failed = journal_mend(self.j)
        self.engine.enter()
        if self.j.keys.effects != NULL:
            journal_retry(self.j, self.engine.keys.now_ms)
        self.engine.leave()
        self.settle()
        if failed:
            raise JournalError(f"the journal can't be written anew: {os.strerror(failed)}")

    def take_finished(self):
        """Descriptor and length of a file that is sealed and on disk, for the caller to close; None: there is none."""
        found = None
        self.engine.enter()
        if self.j.previous.fd >= 0 and load_int(&self.j.previous_synced):
            found = self.j.previous.fd, self.j.previous.position
            store_int(&self.j.previous.fd, -1)
        # With the mark that it is on disk.
        self.engine.leave()
        return found

    def attend(self, int64_t timeout_us, int ignored=0):
        """Syncs when it is time to, until there is something else to do, or for so long. Why it returns: bits, those of `ignored` left out."""
        cdef Journal* j = self.j
        cdef int64_t now = clock_monotonic_ns(), until = now + timeout_us * 1000
        cdef int64_t waiting
        cdef int why
        with nogil:
            while True:
                if load_int(&j.previous.fd) >= 0 and not load_int(&j.previous_synced) and j.sync_errno == 0:
                    journal_sync(j)
                elif j.synced < j.written and j.sync_errno == 0 and (
                        j.policy == SYNC_ALWAYS or (j.policy == SYNC_EVERY_SECOND and now >= self.sync_due_ns)):
                    journal_sync(j)
                    self.sync_due_ns = clock_monotonic_ns() + SECOND_NS
                why = 0
                if j.file_wanted and j.sync_errno == 0:
                    why |= WANTED
                if load_int(&j.previous.fd) >= 0 and load_int(&j.previous_synced):
                    why |= FINISHED
                if j.refusal[0] != 0 and j.sync_errno == 0:
                    why |= TROUBLE
                if j.sync_errno != 0:
                    why |= BROKEN_BIT
                if j.counts.bytes_written >= j.look_at:
                    why |= LOOK_BIT
                why &= ~ignored
                now = clock_monotonic_ns()
                if why or now >= until:
                    break
                waiting = until - now
                if j.synced < j.written and j.policy == SYNC_EVERY_SECOND:
                    waiting = min(waiting, max(self.sync_due_ns - now, <int64_t>0))
                gapless_readable(j.wake_fd, (waiting + 999) // 1000)
                gapless_drain(j.wake_fd)
                now = clock_monotonic_ns()
        return why

    def wake(self):
        """Makes attend() look again."""
        journal_wake_keeper(self.j)

    def mark(self):
        """(number, position): all that was done before is in the files up to there. JournalError."""
        cdef int failed
        self.engine.enter()
        failed = journal_write(self.j, self.engine.keys.now_ms)
        found = self.j.file.number, self.j.file.position
        self.engine.leave()
        if failed:
            raise JournalError(f"the journal can't be written: {os.strerror(failed)}")
        return found

    def retry(self):
        """After a failure, once more; whether all is well."""
        cdef int failed
        self.engine.enter()
        failed = journal_retry(self.j, self.engine.keys.now_ms) if self.j.keys.effects != NULL else 0
        self.engine.leave()
        if self.j.on_settled != NULL:
            self.j.on_settled(self.j.on_settled_context)
        return failed == 0

    def sync(self):
        """Puts all that was written on disk. JournalError."""
        cdef int failed
        with nogil:
            failed = journal_sync(self.j)
        if failed:
            raise JournalError(f"what was written last may not be on disk: {os.strerror(failed)}")

    def end(self, bint closed=True):
        """Ends journaling; (descriptor, length) of the files that were in use, and an errno, 0 when all is written and on disk.

        `closed`: the end is marked as that of a store that was closed.
        """
        cdef Journal* j = self.j
        cdef uint8_t[FRAME_HEAD] frame
        cdef int failed
        self.engine.enter()
        keyspace_tick(self.engine.keys)
        failed = journal_append(j, frame, 0, FRAME_CLOSED, self.engine.keys.now_ms) if closed else journal_write(j, self.engine.keys.now_ms)
        keyspace_record_effects(j.keys, False, 0)
        j.refusal[0] = 0
        # Nothing is promised any more of what could not be written.
        j.batch += 1
        store_release(&j.written, j.batch - 1)
        self.engine.leave()
        with nogil:
            failed = failed if failed else journal_sync(j)
        store_release(&j.synced, j.written)
        files = take_files(j)
        if j.on_settled != NULL:
            j.on_settled(j.on_settled_context)
        return files, failed

    def abandon(self):
        """In the child of a fork: forgets the files; (descriptor, length) of each, for the caller to close."""
        cdef Journal* j = self.j
        self.engine.enter()
        keyspace_record_effects(j.keys, False, 0)
        files = take_files(j)
        self.engine.leave()
        return files

    def counters(self):
        """What is counted, by name."""
        cdef Journal* j = self.j
        self.engine.enter()
        found = dict(j.counts)
        found.update(number=j.file.number, position=j.file.position, pending=j.written - j.synced, reserved=j.file.reserved,
                     write_errno=j.write_errno, sync_errno=j.sync_errno, reserve_errno=j.reserve_errno,
                     gathered=j.keys.effects.length - FRAME_HEAD if j.keys.effects != NULL else 0)
        self.engine.leave()
        return found
