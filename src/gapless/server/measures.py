"""The numbers that INFO and MEMORY tell, in Redis's vocabulary, from the counters of the engine.

memory    what the process takes; where each byte of it is
History   what a counter alone does not tell: peaks, and how much happened of late
"""

from __future__ import annotations

import os
import time
from collections import deque
from weakref import WeakKeyDictionary

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from gapless.engine.engine import Engine

PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
SAMPLES = 16


def resident_bytes() -> int:
    """What the system says the process has in memory, bytes."""
    with open("/proc/self/statm", "rb", buffering=0) as file:
        return int(file.read().split()[1]) * PAGE_BYTES


STARTED = time.time()
STARTUP_BYTES = resident_bytes()


class Memory:
    """Where the memory of the process is, in bytes.

    `used` is what is needed: live records, index, large values, buffers, interpreter. `resident` less that
    is what fragmentation costs: dead records the cleaner has not come to, empty segments and pages kept for
    writes.
    """

    __slots__ = (
        "base", "cached", "clients", "committed", "dead", "extents", "extents_dead", "flushed", "index",
        "live", "pages", "pages_dead", "resident",
    )  # fmt: skip

    def __init__(self, stats: Mapping[str, int], resident: int) -> None:
        self.resident = resident
        self.live = stats["log_bytes_live"]
        self.dead = stats["log_bytes_written"] - stats["log_bytes_live"]
        page = stats["pages_page_bytes"]
        self.pages = (stats["pages_used"] - stats["pages_retired"]) * page
        self.pages_dead = stats["pages_retired"] * page
        self.cached = stats["arena_cached"] * stats["arena_unit_bytes"] + stats["pages_cached"] * page
        self.extents = stats["extents_bytes_committed"]
        self.extents_dead = stats["extents_bytes_dead"]
        self.index = stats["index_bytes"]
        self.clients = stats["client_bytes"]
        self.committed = stats["bytes_committed"]
        # The indexes of flushed databases, until the background has walked them.
        self.flushed = self.committed - (
            self.live + self.dead + self.cached + self.extents + self.extents_dead + self.index
            + self.pages + self.pages_dead
        )  # fmt: skip
        self.base = max(resident - self.committed, 0)

    @property
    def allocated(self) -> int:
        """Bytes of the engine that hold something alive."""
        return self.live + self.extents + self.pages + self.index

    @property
    def active(self) -> int:
        """Bytes of the engine that were written: alive or dead."""
        return self.allocated + self.dead + self.extents_dead + self.pages_dead

    @property
    def used(self) -> int:
        """What the process needs: what is alive, and all that is not the engine's."""
        return self.allocated + self.base

    @property
    def overhead(self) -> int:
        """What is neither key nor value: the index, the interpreter, the clients' buffers."""
        return self.index + self.base


class History:
    """Peaks and rates of one engine. `sample` is cheap enough to be called 10 times a second."""

    __slots__ = ("__weakref__", "identity", "peak_bytes", "peak_time", "replication", "samples")

    def __init__(self) -> None:
        self.identity = os.urandom(20).hex()
        self.replication = os.urandom(20).hex()
        self.peak_bytes = 0
        self.peak_time = time.time()
        self.samples: deque[tuple[float, int, int, int, int, int]] = deque(maxlen=SAMPLES)

    def peak(self, used: int) -> int:
        """The most that was ever used, `used` included, bytes."""
        if used > self.peak_bytes:
            self.peak_bytes = used
            self.peak_time = time.time()
        return self.peak_bytes

    def sample(self, stats: Mapping[str, int]) -> None:
        """Remembers the counters of this moment."""
        self.samples.append(
            (
                time.monotonic(),
                stats["commands"],
                stats["loop_bytes_in"],
                stats["loop_bytes_out"],
                stats["loop_turns"],
                time.thread_time_ns(),
            )
        )
        self.peak(Memory(stats, stats["resident_bytes"] or resident_bytes()).used)

    def rates(self) -> tuple[float, float, float, float, float]:
        """Commands, bytes in, bytes out, turns of the loop a second; and the CPU ns of a turn."""
        if len(self.samples) < 2:
            return 0.0, 0.0, 0.0, 0.0, 0.0
        first, last = self.samples[0], self.samples[-1]
        seconds = last[0] - first[0]
        if seconds <= 0:
            return 0.0, 0.0, 0.0, 0.0, 0.0
        # CONFIG RESETSTAT sets counters back: not negative.
        commands, bytes_in, bytes_out, turns, busy = (max(last[i] - first[i], 0) for i in range(1, 6))
        return (
            commands / seconds,
            bytes_in / seconds,
            bytes_out / seconds,
            turns / seconds,
            busy / turns if turns else 0.0,
        )


_histories: WeakKeyDictionary[Engine, History] = WeakKeyDictionary()


def history(engine: Engine) -> History:
    """The engine's history; it begins with the first question."""
    found = _histories.get(engine)
    if found is None:
        found = _histories[engine] = History()
    return found


def sample(engine: Engine) -> None:
    """For the server's periodic task."""
    history(engine).sample(engine.stats(walk=False))


def human(count: int) -> str:
    """1024 -> 1.00K, as Redis prints sizes."""
    if count < 1024:
        return f"{count}B"
    size = float(count)
    for unit in "KMGTP":
        size /= 1024
        if size < 1024:
            return f"{size:.2f}{unit}"
    return f"{count}B"


def ratio(part: float, whole: float) -> float:
    """part / whole; 1 when there is nothing to compare."""
    return part / whole if whole else 1.0
