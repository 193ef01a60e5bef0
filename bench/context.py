"""What every scenario is given: how long, how often, against whom, and where results go."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from bench import proc
from bench.client import Load, Target, run_load
from bench.results import Bar, Row
from bench.servers import GAPLESS, REGISTRY, NotAvailableError, Server, all_running, running

NOISE_SHARE = 0.05
REPEATS_MAX = 2
QUIET_SHARE = 0.08
_LOOK_SECONDS = 0.25


class Progress(Protocol):
    def __call__(self, text: str) -> None: ...


@dataclass
class Context:
    servers: tuple[str, ...]
    """Those of the registry to measure, gapless last; the unavailable are left out beforehand."""
    rounds: int
    quick: bool
    wait_seconds: float
    progress: Progress
    rows: list[Row] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    longest_slice_us: dict[str, float] = field(default_factory=dict)
    """By scenario: what gapless said of its longest background slice before it was stopped."""
    scenario: str = ""

    def row(self, what: str, unit: str, *bars: Bar) -> Row:
        self.rows.append(Row(self.scenario, what, unit, bars))
        return self.rows[-1]

    def size(self, full: int, quick: int) -> int:
        return quick if self.quick else full

    def alternate(self, subjects: Sequence[Server]) -> Iterator[tuple[int, Server]]:
        """A, B, gapless, A, B, gapless, ...: drift of the machine hits all alike."""
        for number in range(self.rounds):
            for subject in subjects:
                yield number, subject

    @contextmanager
    def together(self, extra: Iterable[str] = ()) -> Iterator[list[Server]]:
        """All servers at once, for alternated runs."""
        with all_running([*self._with(extra)]) as servers:
            yield servers
            for server in servers:
                self.note_slices(server)

    @contextmanager
    def alone(self, name: str, *options: str, data: Path | None = None) -> Iterator[Server]:
        """One fresh server, so that its memory tells of this run only. `data`: where it keeps its
        keys, if it does.
        """
        with running(name, *options, data=data) as server:
            yield server
            self.note_slices(server)

    def one_by_one(self, extra: Iterable[str] = ()) -> Iterator[str]:
        """Names, alternated over the rounds, for scenarios in which each run needs a fresh server."""
        for _ in range(self.rounds):
            for name in self._with(extra):
                self.wait_for_quiet()
                yield name

    def note_slices(self, server: Server) -> None:
        if server.name == GAPLESS and (slice_us := server.longest_slice_us()) is not None:
            self.note_slice(self.scenario, slice_us)

    def note_slice(self, scenario: str, slice_us: float) -> None:
        self.longest_slice_us[scenario] = max(slice_us, self.longest_slice_us.get(scenario, 0.0))

    def measure(self, row: Row, server: Target, op: str, **options: str | float) -> Load:
        """Run a load; again where other programs got in its way. The least disturbed counts."""
        loads: list[Load] = []
        while len(loads) <= REPEATS_MAX:
            self.wait_for_quiet()
            loads.append(run_load(server, op, on_progress=None, **options))
            if loads[-1].others_share <= NOISE_SHARE or self.quick:
                break
        load = min(loads, key=lambda load: load.others_share)
        if load.others_share > NOISE_SHARE:
            row.notes.add("noisy: other programs were running")
        if load.load_bound:
            row.notes.add("the load generator was the limit")
        return load

    def wait_for_quiet(self) -> None:
        """Wait, at most `wait_seconds`, until other programs leave the machine alone."""
        deadline = time.monotonic() + self.wait_seconds
        while time.monotonic() < deadline:
            busy = proc.machine_busy_seconds()
            time.sleep(_LOOK_SECONDS)
            if (proc.machine_busy_seconds() - busy) / (_LOOK_SECONDS * len(proc.cores())) < QUIET_SHARE:
                return

    def _with(self, extra: Iterable[str]) -> list[str]:
        """The servers and `extra` variants of those that are there, gapless still last."""
        there = {REGISTRY[name].command for name in self.servers}
        variants = [name for name in extra if REGISTRY[name].command in there and name not in self.servers]
        peers = [name for name in self.servers if name != GAPLESS]
        return peers + variants + [name for name in self.servers if name == GAPLESS]


def available(names: Iterable[str]) -> tuple[dict[str, str], dict[str, str]]:
    """Versions of the servers that start here, and for the others why they do not."""
    versions: dict[str, str] = {}
    missing: dict[str, str] = {}
    for name in names:
        try:
            with running(name) as server:
                versions[name] = server.version
        except (NotAvailableError, OSError) as error:
            missing[name] = str(error)
    return versions, missing
