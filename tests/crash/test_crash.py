"""The crash loop, short; and that it finds what it is there to find."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from tests.crash.loop import MIX, FoundError, Options, crash_loop
from tests.crash.subject import SUBJECTS, DiedError, Running
from tests.fuzz.registry import new_seed


def test_lost_bytes_are_found(tmp_path: Path) -> None:
    """Nothing that was acknowledged may be cut from the files: if it is, the loop says so, and keeps what tells why."""
    options = Options(SUBJECTS["redis"], 20, 1, "everysec", spoil_bytes=8192, directory=tmp_path)
    with pytest.raises(FoundError, match=r"Again: python -m tests\.crash --subject redis --seed 1"):
        crash_loop(options, lambda totals: None)
    (kept,) = tmp_path.iterdir()
    assert "expected" in (kept / "round.txt").read_text()
    assert list((kept / "as-killed").rglob("*.aof"))


def test_a_server_that_ends_by_itself_is_found(tmp_path: Path) -> None:
    running = Running(["sh", "-c", "echo last words; kill -ABRT $$"], tmp_path)
    with pytest.raises(DiedError, match=r"(?s)status -6, not -9.*last words"):
        running.require_ended(-signal.SIGKILL)


def test_nothing_acknowledged_is_lost_and_no_transaction_is_half_there() -> None:
    """A short form of `make crashloop`."""
    totals = crash_loop(
        Options(SUBJECTS["gapless"], 1000, new_seed(), MIX, seconds=20.0), lambda totals: None
    )
    assert totals.rounds > 5
    assert totals.refused < totals.acknowledged / 20
