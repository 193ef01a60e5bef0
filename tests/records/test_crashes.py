"""Writers killed at random moments: nothing that was acknowledged is lost, nothing is half done, and others can read the file."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import pytest

import gapless
from gapless.record_file.hint import Hint
from gapless.record_file.source import Source

WRITER = Path(__file__).parent / "writer.py"


class Killed(BaseException):
    """Stands for SIGKILL at a chosen system call."""


def expect(path: Path, expected: dict[int, Any], pending: list[Any] | None) -> None:
    """The file holds what was acknowledged, and of the operation that was going on all or nothing."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with gapless.records(path, also=("v",)) as records:
            assert records.check() is None
            found = {record["id"]: record for record in records}
            assert not records.skipped, records.skipped
    if pending is not None and pending[0] != "compact" and found.get(pending[1]) != expected.get(pending[1]):
        what, key, record = pending
        assert found.get(key) == (record if what == "append" else None)
        if what == "append":
            expected[key] = record
        else:
            expected.pop(key, None)
    assert found == expected
    with path.open() as file:
        seen = {record["id"]: record for record in (json.loads(line) for line in file if line.strip())}
    assert seen == expected


def test_killed_at_random_moments(tmp_path: Path) -> None:
    path = tmp_path / "data.jsonl"
    rng = random.Random(5)
    expected: dict[int, Any] = {}
    operations = 0
    for round_number in range(40):
        process = subprocess.Popen(
            [sys.executable, str(WRITER), str(path), str(round_number)], stdout=subprocess.PIPE
        )
        assert process.stdout is not None
        assert process.stdout.readline() == b"opened\n"
        try:
            process.wait(rng.random() * 0.15)
        except subprocess.TimeoutExpired:
            process.kill()
        pending: list[Any] | None = None
        # A last line that is torn announces what was not begun.
        for line in process.stdout.read().split(b"\n")[:-1]:
            if line != b"done":
                pending = json.loads(line)
                continue
            assert pending is not None
            what, key, record = pending
            if what == "append":
                expected[key] = record
            elif what == "delete":
                expected.pop(key, None)
            pending = None
            operations += 1
        assert process.wait() == -9
        process.stdout.close()
        expect(path, expected, pending)
    assert operations > 1000


CALLS = ("write", "pwrite", "rename", "replace", "fsync", "unlink", "ftruncate", "open")


def killing(monkeypatch: pytest.MonkeyPatch, at: int, half: bool) -> list[int]:
    """Kill at the call of that number which changes something; `half` of what it writes is written."""
    count = [0]

    def patch(name: str) -> None:
        real = getattr(os, name)

        def call(*arguments: Any, **named: Any) -> Any:
            count[0] += 1
            if count[0] == at:
                if half and name in ("write", "pwrite") and len(arguments[1]) > 1:
                    real(arguments[0], arguments[1][: len(arguments[1]) // 2], *arguments[2:])
                raise Killed
            if count[0] > at:
                raise Killed
            return real(*arguments, **named)

        monkeypatch.setattr(os, name, call)

    for name in CALLS:
        patch(name)
    return count


def operate(records: gapless.Records, what: str) -> None:
    if what == "append":
        records.append({"id": 3, "v": 9, "n": "x" * 50})
    elif what == "compact":
        records.compact()
    else:
        records.delete({"delete first": 1, "delete middle": 3, "delete last": 5}[what])


@pytest.mark.parametrize("half", [False, True])
@pytest.mark.parametrize("what", ["append", "delete first", "delete middle", "delete last", "compact"])
def test_killed_at_every_call(what: str, half: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = {number: {"id": number, "v": number % 2, "n": "y" * 100} for number in range(1, 6)}
    after = dict(before)
    if what == "append":
        after[3] = {"id": 3, "v": 9, "n": "x" * 50}
    elif what != "compact":
        del after[{"delete first": 1, "delete middle": 3, "delete last": 5}[what]]
    outcomes = []
    for at in range(1, 100):
        directory = tmp_path / f"{at}"
        directory.mkdir()
        path = directory / "data.jsonl"
        with gapless.records(path, also=("v",)) as records:
            # Keys with several lines each: deleting has more than one to make blank.
            records.extend({**record, "n": "old"} for record in before.values())
            records.extend(before.values())
        records = gapless.records(path, also=("v",))
        with monkeypatch.context() as patch:
            count = killing(patch, at, half)
            try:
                operate(records, what)
                ended = True
            except Killed:
                ended = False
        # As the death of the process would.
        records._lock.release()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with gapless.records(path, also=("v",)) as again:
                assert again.check() is None
                found = {record["id"]: record for record in again}
                assert not again.skipped, (at, again.skipped)
                assert found in (before, after), at
                assert not Path(f"{path}.compact").exists()
        outcomes.append(found == after)
        with path.open() as file:
            assert {record["id"]: record for record in map(json.loads, file)} == found
        if ended:
            assert count[0] < at
            assert found == after
            break
    else:
        pytest.fail("never ended")
    # All or nothing, and once decided it stays so.
    assert outcomes == sorted(outcomes) or what == "compact"


def test_a_delete_decided_and_not_done_is_finished_by_the_next_writer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "data.jsonl"
    with gapless.records(path) as records:
        records.extend({"id": number, "pad": "x" * 50} for number in range(100))
    records = gapless.records(path)
    with monkeypatch.context() as patch:
        patch.setattr(Source, "blank", lambda *_: (_ for _ in ()).throw(Killed()))
        with pytest.raises(Killed):
            records.delete(50)
    assert len(Hint(f"{path}.hint").news()) == 1
    with gapless.records(path, readonly=True) as reader:
        assert 50 not in reader or len(reader) == 99
    records._lock.release()
    with gapless.records(path) as records:
        assert 50 not in records
        assert len(records) == 99
    assert [json.loads(line)["id"] for line in path.read_text().splitlines()] == [
        number for number in range(100) if number != 50
    ]


def test_a_delete_is_not_finished_on_a_line_that_is_another_now(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "data.jsonl"
    with gapless.records(path) as records:
        records.extend({"id": number} for number in range(10))
    records = gapless.records(path)
    with monkeypatch.context() as patch:
        patch.setattr(Source, "blank", lambda *_: (_ for _ in ()).throw(Killed()))
        with pytest.raises(Killed):
            records.delete(5)
    records._lock.release()
    with path.open("r+b") as file:
        content = file.read().replace(b'{"id":5}', b'{"id":x}'.replace(b"x", b"7"))
        file.seek(0)
        file.write(content)
    with gapless.records(path) as records:
        assert 5 not in records
        assert 7 in records
        assert len(records) == 9
