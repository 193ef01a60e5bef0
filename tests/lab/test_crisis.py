"""The whole experiment, tiny, against a real redis-server; and what becomes of it when things go wrong."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from gapless.lab import servers
from gapless.lab.crisis import CrisisOptions, run_crisis
from gapless.lab.generator import EXPIRING, LOADING, SETTLING
from gapless.lab.measure import CHURNING, IDLE, Moment, Run
from gapless.lab.report import write_report
from gapless.lab.servers import Target, peer_targets
from gapless.lab.summary import rows
from gapless.lab.waves import WavePlan
from gapless.lab.wire import Address, Connection, TargetError

PLAN = WavePlan(keys=12_000, ttl_ms_min=300, ttl_ms_max=400)
OPTIONS = CrisisOptions(PLAN, rate=20_000, settle_seconds=0.5, idle_seconds=0.2)


def quietly(run: Run, moment: Moment | None) -> None:
    """No progress."""


@pytest.fixture
def redis() -> Iterator[servers.Server]:
    """A redis-server that runs already."""
    with servers.running(peer_targets("auto")[0], set()) as server:
        yield server


def test_a_run_from_start_to_end(tmp_path: Path) -> None:
    seen: list[str] = []
    run = run_crisis(
        peer_targets("auto")[0], OPTIONS, lambda run, moment: seen.append(moment.phase if moment else IDLE)
    )
    assert run is not None
    assert run.failure == ""
    assert run.title.startswith("Redis 8.")
    assert run.title.endswith("activedefrag no")
    assert not [note for note in run.notes if "gone" in note or "refused" in note]
    assert run.longest_slice_us is None
    assert list(dict.fromkeys(seen)) == [IDLE, LOADING, CHURNING, EXPIRING, SETTLING]
    assert run.achieved_rate() == pytest.approx(OPTIONS.rate, rel=0.3)
    last = run.moments[-1]
    assert last.live_keys_with_ttl == 0
    assert last.live_keys == pytest.approx(PLAN.keys * PLAN.long_lived, rel=0.3)
    churning, after = run.worst(CHURNING), run.after()
    assert churning is not None
    assert after is not None
    assert after.plain > churning.plain > 1
    assert run.latency(LOADING, CHURNING, EXPIRING, SETTLING).requests > 400
    assert run.latency(IDLE).requests > 50
    assert run.cpu_seconds() > 0
    with pytest.raises(ProcessLookupError):
        os.kill(run.pid, 0)

    assert all(len(row.cells) in (0, 2) for row in rows([run, run]))
    report = tmp_path / "report.html"
    write_report(report, [run, run], OPTIONS)
    html = report.read_text(encoding="utf-8")
    assert run.title in html
    assert "Plotly.newPlot" in html
    assert 'src="http' not in html


def _pid_of(run: Run) -> int:
    return run.pid


def test_a_running_server_is_left_as_it_was(redis: servers.Server) -> None:
    run = run_crisis(Target(address=redis.address), OPTIONS, quietly)
    assert run is not None
    assert run.failure == ""
    assert run.variant == str(redis.address)
    assert redis.control.call("DBSIZE") == 0
    assert redis.pid == run.pid


def test_somebody_elses_keys_are_not_touched(redis: servers.Server) -> None:
    redis.control.call("SET", "precious", "1")
    run = run_crisis(Target(address=redis.address), OPTIONS, quietly)
    assert run is not None
    assert "holds 1 keys" in run.failure
    assert redis.control.call("KEYS", "*") == [b"precious"]


def test_refused_commands_are_told(redis: servers.Server) -> None:
    redis.control.call("CONFIG", "SET", "maxmemory", 2_500_000)
    run = run_crisis(Target(address=redis.address), OPTIONS, quietly)
    assert run is not None
    assert run.failure == ""
    assert run.refused > 1_000
    assert any("OOM" in note for note in run.notes)
    assert any("gone" in note for note in run.notes)


def test_a_server_that_falls_behind_is_told() -> None:
    def suspend(run: Run, moment: Moment | None) -> None:
        if moment and moment.phase == LOADING and not suspended:
            suspended.append(run.pid)
            os.kill(run.pid, signal.SIGSTOP)
            threading.Timer(1.5, os.kill, (run.pid, signal.SIGCONT)).start()

    suspended: list[int] = []
    # The sampler's own questions must not wait for the server: its process is here.
    run = run_crisis(peer_targets("auto")[0], OPTIONS, suspend)
    assert run is not None
    assert run.failure == ""
    assert any("fell behind" in note for note in run.notes)
    loading = run.latency(LOADING, CHURNING)
    assert loading.max > 1_000
    assert loading.p99 > 500


def test_a_server_that_dies_is_a_failure_not_a_hang() -> None:
    def kill_it(run: Run, moment: Moment | None) -> None:
        if moment and moment.phase == CHURNING:
            os.kill(run.pid, signal.SIGKILL)

    run = run_crisis(peer_targets("auto")[0], OPTIONS, kill_it)
    assert run is not None
    assert run.failure


def test_a_refused_variant_is_no_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gapless.lab.crisis.set_activedefrag", lambda server, setting: "no such thing here")
    no, yes = peer_targets("auto")
    assert run_crisis(yes, OPTIONS, quietly) is None
    run = run_crisis(no, CrisisOptions(WavePlan(keys=100), settle_seconds=0, idle_seconds=0), _stop_at_once)
    assert run is not None
    assert run.notes == ["activedefrag refused: no such thing here"]


def _stop_at_once(run: Run, moment: Moment | None) -> None:
    if moment:
        raise TargetError("seen enough")


def test_a_program_that_is_no_server() -> None:
    run = run_crisis(Target(argv=("/bin/false",)), OPTIONS, quietly)
    assert run is not None
    assert "ended with status 1" in run.failure


def test_nobody_listens() -> None:
    run = run_crisis(Target(address=Address(port=1)), OPTIONS, quietly)
    assert run is not None
    assert run.failure == "can't connect to 127.0.0.1:1: Connection refused"


def test_login(redis: servers.Server) -> None:
    redis.control.call("CONFIG", "SET", "requirepass", "secret")
    with pytest.raises(TargetError, match="refused the login"):
        Connection(Address(port=redis.address.port, password="wrong"))
    connection = Connection(Address(port=redis.address.port, password="secret", db=3))
    assert connection.call("PING") == b"PONG"
    connection.close()
