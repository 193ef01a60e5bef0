"""The crash loop, short; and that it finds what it is there to find."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from tests.crash.loop import FoundError, Options, crash_loop
from tests.crash.subject import SUBJECTS, DiedError, Running


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
