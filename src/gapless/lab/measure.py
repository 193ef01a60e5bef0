"""What a run is reduced to: the ratios of memory, the percentiles of the probe, phase by phase."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from gapless.lab.generator import EXPIRING, LOADING, SETTLING, Tick
from gapless.lab.probe import Samples

IDLE = "idle"
CHURNING = "churning"
"""From the moment the first wave is loaded to the last write."""
STARTING = "starting"
"""While the generator starts: the machine is busy, the server is not."""
PHASES = (IDLE, STARTING, LOADING, CHURNING, EXPIRING, SETTLING)
KEY_ALLOWANCE_BYTES = 20
KEY_WITH_TTL_ALLOWANCE_BYTES = 24
"""What a key may cost beyond key and value: the goals of gapless, taken off for every server alike."""
_AFTER_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Moment:
    """Memory and work of the server at one moment of the run. Seconds count from the start of the load."""

    seconds: float
    phase: str
    live_bytes: int
    live_keys: int
    live_keys_with_ttl: int
    resident_bytes: int
    cpu_seconds: float
    sent: int


@dataclass(frozen=True, slots=True)
class Request:
    """One GET of the probe; seconds since the start of the load (negative: while the server was idle)."""

    seconds: float
    latency_ms: float
    lateness_ms: float


@dataclass(frozen=True, slots=True)
class Latency:
    """Percentiles of the probe, in milliseconds; `lateness_p999` is the probe's own share at most."""

    requests: int = 0
    p50: float = 0.0
    p99: float = 0.0
    p999: float = 0.0
    max: float = 0.0
    lateness_p999: float = 0.0


@dataclass(frozen=True, slots=True)
class Ratios:
    """Resident memory over live payload, in three ways."""

    plain: float
    """RSS / payload."""
    above_base: float
    """(RSS - RSS of the empty server) / payload."""
    above_allowance: float
    """(RSS - RSS of the empty server - 20 B a key, 24 B with a TTL) / payload."""


@dataclass
class Run:
    """Everything seen of one server. `failure` says what went wrong, if anything did."""

    name: str
    variant: str = ""
    notes: list[str] = field(default_factory=list)
    failure: str = ""
    pid: int = 0
    """Of the server; 0 when it is out of sight."""
    base_resident_bytes: int = 0
    floor_resident_bytes: int = 0
    """Of a fresh server with the survivors only; 0 when that was not measured."""
    moments: list[Moment] = field(default_factory=list)
    requests: list[Request] = field(default_factory=list)
    phase_starts: dict[str, float] = field(default_factory=dict)
    refused: int = 0
    """Commands answered with an error."""
    longest_slice_us: float | None = None
    """The longest slice of background work, by the server's own word; None for one that has no slices."""

    @property
    def title(self) -> str:
        return f"{self.name}, {self.variant}" if self.variant else self.name

    def ratios(self, moment: Moment) -> Ratios:
        payload = max(1, moment.live_bytes)
        above_base = moment.resident_bytes - self.base_resident_bytes
        allowance = (
            KEY_ALLOWANCE_BYTES * (moment.live_keys - moment.live_keys_with_ttl)
            + KEY_WITH_TTL_ALLOWANCE_BYTES * moment.live_keys_with_ttl
        )
        return Ratios(
            moment.resident_bytes / payload,
            above_base / payload,
            (above_base - allowance) / payload,
        )

    def worst(self, phase: str) -> Ratios | None:
        """The worst of each ratio in a phase; None when the run did not get there."""
        return _each([self.ratios(moment) for moment in self.moments if moment.phase == phase], max)

    def after(self) -> Ratios | None:
        """The middle of each ratio over the last second of settling; None when the run did not get there."""
        last = self._last_second()
        return _each([self.ratios(moment) for moment in last], lambda values: percentile(sorted(values), 50))

    def over_floor(self) -> float | None:
        """RSS after the run over that of a fresh server with the same keys; None when that was not
        measured."""
        resident = sorted(moment.resident_bytes for moment in self._last_second())
        if not resident or not self.floor_resident_bytes:
            return None
        return percentile(resident, 50) / self.floor_resident_bytes

    def _last_second(self) -> list[Moment]:
        settled = [moment for moment in self.moments if moment.phase == SETTLING]
        return [moment for moment in settled if moment.seconds > settled[-1].seconds - _AFTER_SECONDS]

    def latency(self, *phases: str) -> Latency:
        """The probe's percentiles over `phases`, by the moment a request was meant to leave."""
        spans = self._spans()
        inside = [
            request
            for request in self.requests
            if any(start <= request.seconds < end for start, end in (spans[phase] for phase in phases))
        ]
        return latency_of(inside)

    def cpu_seconds(self) -> float:
        """The server's CPU time from the start of the load to the end of the run."""
        return self.moments[-1].cpu_seconds - self.moments[0].cpu_seconds if self.moments else 0.0

    def cpu_per_second(self, window_seconds: float) -> list[tuple[float, float]]:
        """CPU seconds per second in windows of about that length, each with its end."""
        usage: list[tuple[float, float]] = []
        before = self.moments[0] if self.moments else None
        for moment in self.moments:
            if before and moment.seconds - before.seconds >= window_seconds:
                used = (moment.cpu_seconds - before.cpu_seconds) / (moment.seconds - before.seconds)
                usage.append((moment.seconds, used))
                before = moment
        return usage

    def achieved_rate(self) -> float:
        """Commands a second that were answered, over the load."""
        seconds = self.phase_starts.get(EXPIRING, 0.0)
        return self.moments[-1].sent / seconds if seconds else 0.0

    def _spans(self) -> dict[str, tuple[float, float]]:
        starts = {IDLE: -math.inf, **self.phase_starts}
        begun = [phase for phase in PHASES if phase in starts]
        ends = [starts[phase] for phase in begun[1:]] + [math.inf]
        spans = dict.fromkeys(PHASES, (math.inf, math.inf))
        spans.update({phase: (starts[phase], end) for phase, end in zip(begun, ends, strict=True)})
        return spans


def _each(ratios: Sequence[Ratios], choose: Callable[[list[float]], float]) -> Ratios | None:
    if not ratios:
        return None
    return Ratios(
        choose([ratio.plain for ratio in ratios]),
        choose([ratio.above_base for ratio in ratios]),
        choose([ratio.above_allowance for ratio in ratios]),
    )


def percentile(ordered: Sequence[float], percent: float) -> float:
    """By nearest rank: the smallest value that at least `percent` % of the values don't exceed.

    REQUIRED: `ordered` is sorted and not empty.
    """
    return ordered[max(0, math.ceil(len(ordered) * percent / 100 - 1e-9) - 1)]


def latency_of(requests: Sequence[Request]) -> Latency:
    """Percentiles of these requests; all zero when there is none."""
    if not requests:
        return Latency()
    latencies = sorted(request.latency_ms for request in requests)
    lateness = sorted(request.lateness_ms for request in requests)
    return Latency(
        len(latencies),
        percentile(latencies, 50),
        percentile(latencies, 99),
        percentile(latencies, 99.9),
        latencies[-1],
        percentile(lateness, 99.9),
    )


def phase_of(tick: Tick) -> str:
    """The generator's phase, with churning told from the first loading."""
    return CHURNING if tick.phase == LOADING and tick.waves_loaded else tick.phase


def requests_of(samples: Samples, start: float) -> list[Request]:
    """The probe's samples on the run's own clock."""
    return [
        Request(at - start, latency * 1000, lateness * 1000)
        for at, latency, lateness in zip(samples.at, samples.latency, samples.lateness, strict=True)
    ]


def windows(requests: Iterable[Request], seconds: float) -> list[tuple[float, Latency]]:
    """Percentiles in windows of equal length, with the middle of each window."""
    by_window: dict[int, list[Request]] = {}
    for request in requests:
        by_window.setdefault(math.floor(request.seconds / seconds), []).append(request)
    return [((n + 0.5) * seconds, latency_of(by_window[n])) for n in sorted(by_window)]
