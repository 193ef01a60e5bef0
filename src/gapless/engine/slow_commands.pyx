"""Commands that took long. See slow_commands.pxd."""
import os
import time
from collections import deque

from libc.stdint cimport uint64_t
from gapless.engine.call cimport COMMAND_FAST, Call
from gapless.engine.secrets cimport arg_is_secret
from gapless.engine.session cimport Session

cdef enum:
    ARGS_MAX = 32
    ARG_BYTES_MAX = 128
    ENTRIES_MAX = 4096


cdef class SlowCommands:
    """What SLOWLOG and LATENCY have not yet taken: at most ENTRIES_MAX of each, the latest."""

    def __cinit__(self):
        self.slow = deque(maxlen=ENTRIES_MAX)
        self.late = deque(maxlen=ENTRIES_MAX)
        self.slow_us = -1

    cdef void set_slow_us(self, double us) noexcept:
        self.slow_us = us
        self.arm()

    cdef void set_late_us(self, double us) noexcept:
        self.late_us = us
        self.arm()

    cdef void arm(self) noexcept:
        """Has dispatch hand over what takes as long as the lower of both."""
        cdef double us = -1
        if self.slow_us >= 0:
            us = self.slow_us
        if self.late_us > 0 and (us < 0 or self.late_us < us):
            us = self.late_us
        self.dispatch.slow_ticks = ~<uint64_t>0
        if us >= 0:
            self.dispatch.slow_ticks = <uint64_t>(us * 1000.0 * (1 << 24) / self.dispatch.ns_per_tick)

    cdef void note(self, Call* call, uint64_t ticks):
        cdef double us = (ticks * self.dispatch.ns_per_tick >> 24) / 1000.0
        cdef list args = []
        cdef int i
        cdef size_t n
        if self.late_us > 0 and us >= self.late_us:
            self.late.append((time.time(), us / 1000.0, bool(call.command.flags & COMMAND_FAST)))
        if self.slow_us < 0 or us < self.slow_us:
            return
        for i in range(call.argc):
            if call.argc > ARGS_MAX and i == ARGS_MAX - 1:
                args.append(b"... (%d more arguments)" % (call.argc - ARGS_MAX + 1))
                break
            n = call.argv[i].size
            if arg_is_secret(call, i):
                args.append(b"(redacted)")
            elif n > ARG_BYTES_MAX:
                args.append(call.argv[i].data[:ARG_BYTES_MAX] + b"... (%d more bytes)" % (n - ARG_BYTES_MAX))
            else:
                args.append(call.argv[i].data[:n])
        address = "" if call.session.address == NULL else os.fsdecode(<bytes>call.session.address)
        name = "" if call.session.python == NULL else (<Session>call.session.python).name
        self.slow.append((time.time(), int(us), args, address, name))
