"""What a run is reduced to."""

from __future__ import annotations

import pytest

from gapless.lab.generator import EXPIRING, LOADING, SETTLING
from gapless.lab.measure import CHURNING, IDLE, Moment, Request, Run, latency_of, percentile, windows


@pytest.mark.parametrize(
    ("percent", "expected"),
    [(0, 1.0), (10, 1.0), (10.1, 2.0), (50, 5.0), (99, 10.0), (99.9, 10.0), (100, 10.0)],
)
def test_percentile_by_nearest_rank(percent: float, expected: float) -> None:
    assert percentile([float(value) for value in range(1, 11)], percent) == expected


def test_percentile_is_exact_where_floats_are_not() -> None:
    ordered = [float(value) for value in range(1, 1001)]
    assert percentile(ordered, 99.9) == 999
    assert percentile(ordered[:1], 99.9) == 1


def test_latency_counts_every_request() -> None:
    requests = [Request(0.0, latency, 0.01 * latency) for latency in range(1000, 0, -1)]
    latency = latency_of(requests)
    assert (latency.requests, latency.p50, latency.p99, latency.p999, latency.max) == (
        1000,
        500,
        990,
        999,
        1000,
    )
    assert latency.lateness_p999 == pytest.approx(9.99)
    assert latency_of([]).requests == 0


def test_windows() -> None:
    requests = [Request(-0.1, 9, 0), Request(0.1, 1, 0), Request(0.4, 3, 0), Request(1.2, 5, 0)]
    seen = [(at, latency.requests, latency.max) for at, latency in windows(requests, 0.5)]
    assert seen == [(-0.25, 1, 9), (0.25, 2, 3), (1.25, 1, 5)]


def run_of(*states: tuple[float, str, int, int]) -> Run:
    run = Run("a server", base_resident_bytes=1_000)
    for seconds, phase, live_bytes, resident_bytes in states:
        run.phase_starts.setdefault(phase, seconds)
        run.moments.append(Moment(seconds, phase, live_bytes, 20, 10, resident_bytes, seconds / 2, 100))
    return run


def test_ratios_phase_by_phase() -> None:
    run = run_of(
        (0, LOADING, 1, 9_999),
        (1, CHURNING, 10_000, 12_000),
        (2, CHURNING, 10_000, 15_000),
        (3, EXPIRING, 5_000, 15_000),
        (4, SETTLING, 1_000, 15_000),
        (9.5, SETTLING, 1_000, 4_000),
        (9.6, SETTLING, 1_000, 3_000),
        (9.7, SETTLING, 1_000, 2_000),
    )
    churning, after = run.worst(CHURNING), run.after()
    assert churning is not None
    assert after is not None
    assert (churning.plain, churning.above_base) == (1.5, 1.4)
    assert churning.above_allowance == pytest.approx(1.4 - (10 * 20 + 10 * 24) / 10_000)
    assert (after.plain, after.above_base) == (3.0, 2.0)


def test_a_run_that_did_not_get_there_has_no_ratio() -> None:
    run = run_of((0, LOADING, 1, 1))
    assert run.worst(CHURNING) is None
    assert run.after() is None
    assert run.achieved_rate() == 0


def test_requests_belong_to_the_phase_they_were_meant_for() -> None:
    run = run_of((0, LOADING, 1, 1), (1, CHURNING, 1, 1), (4, EXPIRING, 1, 1), (6, SETTLING, 1, 1))
    run.requests = [Request(at, 1000 + at, 0) for at in (-1, 0, 0.5, 1, 3.9, 5, 6, 700)]
    counts = {phase: run.latency(phase).requests for phase in (IDLE, LOADING, CHURNING, EXPIRING, SETTLING)}
    assert counts == {IDLE: 1, LOADING: 2, CHURNING: 2, EXPIRING: 1, SETTLING: 2}
    assert run.latency(LOADING, EXPIRING).requests == 3
    assert run.achieved_rate() == 25
    assert run.cpu_seconds() == 3
