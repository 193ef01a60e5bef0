"""Commands that took long, until SLOWLOG and LATENCY take them."""
from libc.stdint cimport uint64_t
from gapless.engine.call cimport Call, Dispatch


cdef class SlowCommands:
    cdef Dispatch* dispatch
    cdef object slow
    cdef object late
    cdef double slow_us            # over which a command is slow; < 0: none is
    cdef double late_us            # over which it counts for LATENCY; 0: none does

    cdef void set_slow_us(self, double us) noexcept
    cdef void set_late_us(self, double us) noexcept
    cdef void arm(self) noexcept
    # For Dispatch.on_slow.
    cdef void note(self, Call* call, uint64_t ticks)
