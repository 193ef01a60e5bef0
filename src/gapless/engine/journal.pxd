"""The journal's compiled part: what has been gathered is written as a frame, files change, and somebody syncs.

A batch is what gathers in Keyspace.effects between two frames; batches have numbers. `written` is the last one that the system has been
given, `synced` the last one that is on disk, and who waits for one waits for its number. Writing is done under the engine's lock, syncing
without it, by the keeper's thread or by who waits; both see each other's numbers through atomics. Python makes files ready and takes finished
ones back (gapless/journal/).

A file's successor may be written before the file itself is on disk. Frames say so: without FRAME_AFTER_SYNC on any frame of the successor, what is
missing at the end of the file was never promised. See "What a power cut leaves" in docs/design-notes.md.
"""
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from gapless.engine.journal_images cimport ImageWalk
from gapless.engine.keyspace cimport Keyspace


cdef enum SyncPolicy:
    SYNC_NO = 0
    SYNC_EVERY_SECOND = 1
    SYNC_ALWAYS = 2

cdef enum:
    REFUSAL_BYTES = 160
    BODY_BYTES_MAX = 1 << 30       # of one frame; a larger batch takes several


cdef struct FileSystem:
    # The seam between the journal and the system; tests put faults here. What they return: bytes written or -errno; 0 or an errno.
    void* context
    int64_t (*write)(void* context, int fd, const uint8_t* data, uint64_t n, uint64_t offset) noexcept nogil
    int (*sync)(void* context, int fd) noexcept nogil
    int (*reserve)(void* context, int fd, uint64_t offset, uint64_t n) noexcept nogil


cdef struct JournalFile:
    int fd                         # -1: none
    uint32_t number
    uint32_t seed
    uint64_t position              # bytes written
    uint64_t reserved              # of the disk's bytes, what is the file's for certain


cdef struct JournalCounts:
    uint64_t frames
    uint64_t bytes_written
    uint64_t files_begun
    uint64_t syncs
    uint64_t sync_ns_last
    uint64_t sync_ns_longest
    uint64_t writes_failed
    uint64_t syncs_failed


cdef extern from * nogil:
    """
    #ifndef GAPLESS_JOURNAL_H
    #define GAPLESS_JOURNAL_H
    #include <pthread.h>
    #endif
    """
    ctypedef struct pthread_mutex_t:
        pass


cdef struct Journal:
    Keyspace* keys                 # whose effects are written
    JournalFile file               # being written
    JournalFile successor          # made ready
    JournalFile previous           # sealed, and perhaps not yet synced
    int previous_synced            # it is on disk
    bint mark_due                  # the file before is on disk, and no frame says so yet
    bint file_wanted               # a successor is
    uint64_t batch                 # number of the one that gathers
    uint64_t written
    uint64_t synced
    uint64_t stuck                 # length of what is gathered and could not be written: only the keeper tries it again as it is
    int write_errno                # why the last write failed; 0: it did not
    int reserve_errno
    int sync_errno                 # why a sync failed: what it should have synced may be lost, and is to be written anew
    int broken                     # it was this file's, or the one's before: nothing more is written to it
    char refusal[REFUSAL_BYTES]    # what a command that writes is answered; "": it may
    pthread_mutex_t sync_lock      # one syncs at a time
    int wake_fd                    # of the keeper
    ImageWalk walk                 # for images that are being written
    bint walk_over                 # there are no more
    uint64_t images_at             # bytes written when whoever writes pays for a slice of them; 2^64 - 1: nobody does
    uint64_t look_at               # bytes written when the keeper wants to be woken
    bint looked                    # it has been
    # Called, from any thread, when more is settled than before.
    void (*on_settled)(void* context) noexcept nogil
    void* on_settled_context
    FileSystem system
    JournalCounts counts
    # settings
    int policy
    uint64_t file_bytes            # a file that is longer is followed by another
    uint64_t body_bytes_max


cdef Journal* journal_new(Keyspace* keys) noexcept
cdef void journal_free(Journal* j) noexcept nogil
# ---- under the engine's lock
# Writes what has been gathered; 0, or an errno: it stays gathered then and nothing of it may be acknowledged.
cdef int journal_write(Journal* j, int64_t now_ms) noexcept nogil
# The same of images.
cdef int journal_write_as(Journal* j, int kind, int64_t now_ms) noexcept nogil
# Goes on in the successor, if there is one and the file before the present one is on disk. REQUIRED: nothing is gathered.
cdef void journal_change_files(Journal* j, int64_t now_ms) noexcept nogil
# Images by the walk, for at most so long, written as a frame of their own; 0 or an errno. Sets walk_over. REQUIRED: nothing is gathered.
cdef int journal_images(Journal* j, int64_t budget_ns, int64_t now_ms) noexcept nogil
# Writes a frame of its own, after what has been gathered. `frame` begins with FRAME_HEAD bytes to be filled in.
cdef int journal_append(Journal* j, uint8_t* frame, uint64_t body_bytes, int kind, int64_t now_ms) noexcept nogil
# After a failure: once more. 0 when all is well again.
cdef int journal_retry(Journal* j, int64_t now_ms) noexcept nogil
# Asks for room on the disk ahead of what is to be written, and says in `refusal` whether there is some.
cdef void journal_reserve(Journal* j) noexcept nogil
# ---- by anybody
# Puts on disk what is written; 0 or an errno. Takes as long as the disk does.
cdef int journal_sync(Journal* j) noexcept nogil
# The same after a failed sync, when all has been written anew: from now on what is written is acknowledged again.
cdef int journal_mend(Journal* j) noexcept nogil
# Waits until a batch is on disk, or cannot be.
cdef int journal_await(Journal* j, uint64_t batch) noexcept nogil
cdef void journal_wake_keeper(Journal* j) noexcept nogil


cdef extern from * nogil:
    """
    static inline uint64_t gapless_load_acquire(const uint64_t *p) { return __atomic_load_n(p, __ATOMIC_ACQUIRE); }
    static inline void gapless_store_release(uint64_t *p, uint64_t v) { __atomic_store_n(p, v, __ATOMIC_RELEASE); }
    static inline int gapless_load_int(const int *p) { return __atomic_load_n(p, __ATOMIC_ACQUIRE); }
    static inline void gapless_store_int(int *p, int v) { __atomic_store_n(p, v, __ATOMIC_RELEASE); }
    """
    uint64_t load_acquire "gapless_load_acquire"(const uint64_t* p)
    void store_release "gapless_store_release"(uint64_t* p, uint64_t v)
    int load_int "gapless_load_int"(const int* p)
    void store_int "gapless_store_int"(int* p, int v)


# Up to which batch all may be acknowledged.
cdef inline uint64_t journal_settled(const Journal* j) noexcept nogil:
    if j.sync_errno != 0 and j.policy != SYNC_NO:
        return load_acquire(&j.synced)
    return load_acquire(&j.synced) if j.policy == SYNC_ALWAYS else load_acquire(&j.written)
