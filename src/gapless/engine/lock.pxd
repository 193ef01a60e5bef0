"""The engine's lock: one at a time touches the store. Taken again by the thread that has it, it only counts.

A thread must not wait for it with the GIL: lock_enter() releases the GIL when it has to wait. What it guards takes microseconds,
so a waiter spins, then yields, and sleeps only after that. The loop, which would take it again at once, lets waiters pass (lock_yield).

While nobody takes it without the GIL, the GIL already says who is next, and a plain store takes it: an atomic exchange is a tenth of an embedded
get that finds all in the cache. Whoever is going to take it without the GIL says so before giving the GIL up (lock_share).
"""
cdef extern from * nogil:
    """
    #ifndef GAPLESS_LOCK_H
    #define GAPLESS_LOCK_H
    #include <pthread.h>
    #include <sched.h>
    #include <stdint.h>
    #include <time.h>
    typedef struct { uintptr_t owner; uint32_t depth; uint32_t waiters; uint32_t shared; } EngineLock;

    static inline int lock_try(EngineLock *l) {
        uintptr_t me = (uintptr_t)pthread_self(), nobody = 0;
        if (__atomic_load_n(&l->owner, __ATOMIC_RELAXED) == me) { l->depth++; return 1; }
        return __atomic_compare_exchange_n(&l->owner, &nobody, me, 0, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED);
    }
    /* REQUIRED: with the GIL. */
    static inline int lock_try_with_gil(EngineLock *l) {
        if (__atomic_load_n(&l->shared, __ATOMIC_RELAXED) || __atomic_load_n(&l->owner, __ATOMIC_ACQUIRE)) return lock_try(l);
        __atomic_store_n(&l->owner, (uintptr_t)pthread_self(), __ATOMIC_RELAXED);
        return 1;
    }
    static inline void lock_share(EngineLock *l) { __atomic_add_fetch(&l->shared, 1, __ATOMIC_RELAXED); }
    static inline void lock_unshare(EngineLock *l) { __atomic_sub_fetch(&l->shared, 1, __ATOMIC_RELEASE); }
    static inline void lock_wait(EngineLock *l) {
        struct timespec pause = {0, 20000};
        if (lock_try(l)) return;
        __atomic_add_fetch(&l->waiters, 1, __ATOMIC_RELAXED);
        for (int i = 0; !lock_try(l); i++) {
            if (i < 500) sched_yield();
            else nanosleep(&pause, NULL);
        }
        __atomic_sub_fetch(&l->waiters, 1, __ATOMIC_RELAXED);
    }
    static inline void lock_leave(EngineLock *l) {
        if (l->depth) { l->depth--; return; }
        __atomic_store_n(&l->owner, 0, __ATOMIC_RELEASE);
    }
    /* REQUIRED: not held by this thread. */
    static inline void lock_yield(EngineLock *l) {
        for (int i = 0; i < 200 && __atomic_load_n(&l->waiters, __ATOMIC_RELAXED)
                        && !__atomic_load_n(&l->owner, __ATOMIC_RELAXED); i++) sched_yield();
    }
    #endif
    """
    ctypedef struct EngineLock:
        unsigned int depth         # how often the thread that has it has taken it besides
    bint lock_try_with_gil(EngineLock* lock)
    # Between these two, both called with the GIL, the thread may take the lock without it.
    void lock_share(EngineLock* lock)
    void lock_unshare(EngineLock* lock)
    void lock_wait(EngineLock* lock)
    void lock_leave(EngineLock* lock)
    void lock_yield(EngineLock* lock)


# For a thread that has the GIL.
cdef inline void lock_enter(EngineLock* lock) noexcept:
    if not lock_try_with_gil(lock):
        lock_share(lock)
        with nogil:
            lock_wait(lock)
        lock_unshare(lock)
