"""Where the processes of an experiment run; their memory and CPU time as the kernel counts them."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

_TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
_REALTIME_PRIORITY = 1
_NICE = -5


def take_priority() -> None:
    """Run this process before others as far as allowed: real-time first-in-first-out, else nice, else as it
    is.

    Only for a process that sleeps nearly all the time.
    """
    with contextlib.suppress(PermissionError):
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(_REALTIME_PRIORITY))
        return
    with contextlib.suppress(PermissionError):
        os.nice(_NICE)


@contextlib.contextmanager
def on_cores(cores: set[int]) -> Iterator[None]:
    """Processes started within are bound to `cores` (empty: not bound), with all their threads."""
    if not cores:
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def split_cores() -> tuple[set[int], set[int]]:
    """The server's core and the clients': one each, so that neither waits for the other; nothing to split
    with one core."""
    usable = sorted(os.sched_getaffinity(0))
    if len(usable) < 2:
        return set(), set()
    return {usable[0]}, {usable[1]}


def resident_bytes(pid: int) -> int:
    """VmRSS of a process. Raises OSError when it is gone.

    From statm: smaps_rollup is exact but walks the page tables under a lock that the measured process needs.
    """
    fields = Path(f"/proc/{pid}/statm").read_bytes().split()
    return int(fields[1]) * os.sysconf("SC_PAGE_SIZE")


def cpu_seconds(pid: int) -> float:
    """User and system time of all threads of a process, to 10 ms. Raises OSError when it is gone."""
    fields = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS_PER_SECOND
