"""The result of an experiment as a table of text and as plain data."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass

from gapless.lab.crisis import CrisisOptions
from gapless.lab.generator import EXPIRING, LOADING, SETTLING
from gapless.lab.measure import (
    CHURNING,
    IDLE,
    KEY_ALLOWANCE_BYTES,
    KEY_WITH_TTL_ALLOWANCE_BYTES,
    PHASES,
    Ratios,
    Run,
    windows,
)

UNDER_LOAD = (LOADING, CHURNING, EXPIRING, SETTLING)
WINDOW_SECONDS = 0.5
_RATIOS = (
    ("RSS / live payload", "plain"),
    ("(RSS - base) / live payload", "above_base"),
    (
        f"(RSS - base - {KEY_ALLOWANCE_BYTES} B a key, {KEY_WITH_TTL_ALLOWANCE_BYTES} B with TTL) / payload",
        "above_allowance",
    ),
)
CAPTION = (
    "Live payload: key and value bytes of the keys that were set, not deleted and not expired, by the "
    "books of the generator. Base: RSS of the same server while empty. Churning: from the first wave "
    "fully loaded to the last write; expiring: from there to the last deadline; after: the last second of "
    "settling. The latency of a GET counts from the moment it was meant to leave; that of the idle server "
    "is the floor of this machine."
)


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table: a cell per run, empty where a run has nothing to say. No cells: a heading."""

    label: str
    cells: tuple[str, ...] = ()


def rows(runs: Sequence[Run]) -> list[Row]:
    """The table, a column per run."""

    def line(label: str, cell: Callable[[Run], str]) -> Row:
        return Row(label, tuple("failed" if run.failure else cell(run) for run in runs))

    table: list[Row] = []
    for heading, name in _RATIOS:
        table += [
            Row(heading),
            line("worst while churning", lambda run, name=name: _ratio(run.worst(CHURNING), name)),  # type: ignore[misc]
            line("worst while expiring", lambda run, name=name: _ratio(run.worst(EXPIRING), name)),  # type: ignore[misc]
            line("after", lambda run, name=name: _ratio(run.after(), name)),  # type: ignore[misc]
        ]
    table += [
        Row("GET of the probe, ms"),
        line("p50", lambda run: f"{run.latency(*UNDER_LOAD).p50:.2f}"),
        line("p99", lambda run: f"{run.latency(*UNDER_LOAD).p99:.2f}"),
        line("p99.9", lambda run: f"{run.latency(*UNDER_LOAD).p999:.2f}"),
        line("max", lambda run: f"{run.latency(*UNDER_LOAD).max:.2f}"),
        line("p99.9 while churning", lambda run: f"{run.latency(CHURNING).p999:.2f}"),
        line("p99.9 while expiring", lambda run: f"{run.latency(EXPIRING).p999:.2f}"),
        line("p99.9 of the idle server", lambda run: f"{run.latency(IDLE).p999:.2f}"),
        line(
            "p99.9 of the probe's own lateness", lambda run: f"{run.latency(*UNDER_LOAD).lateness_p999:.2f}"
        ),
        Row("Work"),
        line("server CPU, s", lambda run: f"{run.cpu_seconds():.1f}"),
        line("commands a second, thousands", lambda run: f"{run.achieved_rate() / 1000:.1f}"),
        line("RSS of the empty server, MB", lambda run: f"{run.base_resident_bytes / 1e6:.1f}"),
        line(
            "highest RSS, MB", lambda run: f"{max(moment.resident_bytes for moment in run.moments) / 1e6:.0f}"
        ),
    ]
    if any(run.floor_resident_bytes for run in runs):
        table += [
            Row("RSS / that of a fresh server with the same survivors"),
            line("after", lambda run: "" if (ratio := run.over_floor()) is None else f"{ratio:.2f}"),
        ]
    if any(run.longest_slice_us is not None for run in runs):
        table.append(line("longest background slice, ms", _slice))
    if any(run.refused for run in runs):
        table.append(line("commands refused", lambda run: str(run.refused)))
    return table


def _slice(run: Run) -> str:
    return "" if run.longest_slice_us is None else f"{run.longest_slice_us / 1000:.2f}"


def _ratio(ratios: Ratios | None, name: str) -> str:
    return "" if ratios is None else f"{getattr(ratios, name):.2f}"


def notes(runs: Sequence[Run]) -> list[str]:
    """What a reader has to know besides the table."""
    said = [f"{run.title}: {note}" for run in runs for note in run.notes]
    return said + [f"{run.title} failed: {run.failure}" for run in runs if run.failure]


def describe(options: CrisisOptions) -> str:
    """The experiment in a sentence."""
    plan = options.plan
    held = f" ({', '.join(plan.types)})" if plan.types else ""
    return (
        f"{plan.keys:,} keys{held} in {plan.waves} waves, "
        f"values around {', '.join(map(str, plan.value_bytes))} B, "
        f"TTLs {plan.ttl_ms_min / 1000:g}-{plan.ttl_ms_max / 1000:g} s, {plan.long_lived:.0%} without a TTL, "
        f"{plan.rewrite:.0%} rewritten, {plan.delete:.0%} deleted; {options.rate:,.0f} commands a second; "
        f"a GET every {options.probe_interval_seconds * 1000:g} ms; seed {plan.seed}"
    )


def to_data(runs: Sequence[Run], options: CrisisOptions) -> dict[str, object]:
    """Everything as plain data, for JSON. Seconds count from the start of the load, sizes are bytes."""
    return {"experiment": "crisis", "options": asdict(options), "runs": [_run_data(run) for run in runs]}


def _run_data(run: Run) -> dict[str, object]:
    def ratios(value: Ratios | None) -> dict[str, float] | None:
        return asdict(value) if value else None

    return {
        "name": run.name,
        "variant": run.variant,
        "notes": run.notes,
        "failure": run.failure or None,
        "base_resident_bytes": run.base_resident_bytes,
        "floor_resident_bytes": run.floor_resident_bytes or None,
        "rss_over_floor": run.over_floor(),
        "rss_over_payload": {
            "churning_worst": ratios(run.worst(CHURNING)),
            "expiring_worst": ratios(run.worst(EXPIRING)),
            "after": ratios(run.after()),
        },
        "probe_ms": {
            "under_load": asdict(run.latency(*UNDER_LOAD)),
            **{phase: asdict(run.latency(phase)) for phase in PHASES},
        },
        "server_cpu_seconds": run.cpu_seconds(),
        "commands_per_second": run.achieved_rate(),
        "commands_refused": run.refused,
        "longest_slice_us": run.longest_slice_us,
        "phase_starts": run.phase_starts,
        "moments": [asdict(moment) for moment in run.moments],
        "probe_windows": [
            {"seconds": seconds, **asdict(latency)}
            for seconds, latency in windows(run.requests, WINDOW_SECONDS)
        ],
    }
