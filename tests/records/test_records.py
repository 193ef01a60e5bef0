"""Records in a file of JSON lines: what each operation does, and what is done with lines that are not as they should be."""

from __future__ import annotations

import enum
import errno
import json
import os
import subprocess
import sys
import threading
import uuid
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest

import gapless
from gapless.record_file.source import Source


@pytest.fixture
def path(tmp_path: Path) -> Iterator[Path]:
    data = tmp_path / "people.jsonl"
    yield data
    if data.exists() and not (tmp_path / "people.jsonl.lock").exists():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with gapless.records(data, readonly=True) as records:
                assert records.check() is None


def lines(path: Path) -> list[dict[str, object]]:
    """As the simplest other tool reads it: every line is JSON."""
    with path.open(encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def write(path: Path, *records: object) -> None:
    path.write_text("".join(json.dumps(record) + "\n" for record in records))


def test_a_life(path: Path) -> None:
    with gapless.records(path, also=("name",)) as records:
        records.append({"id": 7, "name": "Ada"})
        records.append({"id": 8, "name": "Grace"})
        records.append({"id": 9, "name": "Ada", "text": "two\nlines"})
        assert records.get(7) == {"id": 7, "name": "Ada"}
        assert records.get(1) is None
        assert records.get(1, "nobody") == "nobody"
        assert list(records.find("name", "Ada")) == [records.get(7), records.get(9)]
        assert list(records.find("id", 8)) == [records.get(8)]
        records.append({"id": 7, "name": "Ada Lovelace"})
        assert [record["id"] for record in records.find("name", "Ada")] == [9]
        assert [record["id"] for record in records] == [8, 9, 7]
        assert len(records) == 3
        assert records.delete(8)
        assert not records.delete(8)
        assert 8 not in records
        assert 9 in records
        assert len(records) == 2
        assert records.check() is None
    assert [line["id"] for line in lines(path)] == [7, 9, 7]
    with gapless.records(path, also=("name",)) as records:
        assert len(records) == 2
        assert records.get(7) == {"id": 7, "name": "Ada Lovelace"}
        assert records.compact() > 0
        assert [record["id"] for record in records] == [9, 7]
    assert [line["id"] for line in lines(path)] == [9, 7]


def test_extend_stops_at_what_is_no_record_and_keeps_what_came_before(path: Path) -> None:
    with gapless.records(path) as records:
        with pytest.raises(ValueError, match="no 'id'"):
            records.extend([{"id": 1}, {"name": "x"}, {"id": 2}])
        assert [record["id"] for record in records] == [1]
        assert records.extend({"id": number, "pad": "x" * 100} for number in range(30_000)) == 30_000
        assert len(records) == 30_000


def test_equality_of_keys(path: Path) -> None:
    with gapless.records(path) as records:
        for key in (1, "1", True, 2**63, -5, 0.5, "", "ä\U0001f600"):
            records.append({"id": key, "is": repr(key)})
        assert len(records) == 8
        assert records.get(1.0)["is"] == "1"
        assert records.get(True)["is"] == "True"
        assert records.get(False) is None
        assert records.get(0.5)["is"] == "0.5"
        assert records.get(2**63)["is"] == str(2**63)
        assert records.get(float(2**63))["is"] == str(2**63)
        assert records.get(-5.0)["is"] == "-5"
        assert records.get("ä\U0001f600")["is"] == repr("ä\U0001f600")
        for nothing in (None, [1], {}, b"1", "\ud800", float("nan"), 10**400):
            assert records.get(nothing) is None
        records.append({"id": 1.0, "is": "again"})
        assert records.get(1) == {"id": 1.0, "is": "again"}
        assert len(records) == 8


def test_numbers_as_others_write_them(path: Path) -> None:
    path.write_bytes(
        b'{"id":1e2,"n":1}\n{"id":100,"n":2}\n{"id":-0.0,"n":3}\n{"id":0,"n":4}\n{"id":123456789012345678901234567890}\n'
    )
    with gapless.records(path, also=("n",)) as records:
        assert len(records) == 3
        assert records.get(100)["n"] == 2
        assert records.get(0)["n"] == 4
        assert records.get(123456789012345678901234567890) is not None
        assert [record["id"] for record in records.find("n", 4.0)] == [0]


def test_names_and_values_with_escapes(path: Path) -> None:
    path.write_bytes(
        b'{"\\u0069d":"a","x":1}\n{"id":"\\u0061","x":2}\n{"id":"\\ud83d\\ude00","x":3}\n{"id":"q\\"","id":"last","x":4}\n'
    )
    with gapless.records(path) as records:
        assert [(record["id"], record["x"]) for record in records] == [
            ("a", 2),
            ("\U0001f600", 3),
            ("last", 4),
        ]
        assert records.get("last")["x"] == 4


def test_what_is_indexed_is_what_json_makes_of_it(path: Path) -> None:
    class Level(enum.Enum):
        HIGH = "high"

    name = uuid.UUID(int=5)
    with gapless.records(path, also=("level",)) as records:
        records.append({"id": name, "level": Level.HIGH})
        assert records.get(str(name)) == {"id": str(name), "level": "high"}
        assert len(list(records.find("level", "high"))) == 1
        with pytest.raises(ValueError, match="neither string, number nor boolean"):
            records.append({"id": float("nan")})
        with pytest.raises(ValueError, match="neither"):
            records.append({"id": [1]})
        with pytest.raises(TypeError, match="JSON"):
            records.append({"id": 1, "x": object()})
        with pytest.raises(TypeError, match="dict"):
            records.append([1])  # type: ignore[arg-type]
        assert len(records) == 1


def test_fields_hold_anything_and_are_found_by_what_can_be_compared(path: Path) -> None:
    write(
        path,
        {"id": 1, "f": None},
        {"id": 2},
        {"id": 3, "f": [1]},
        {"id": 4, "f": 1.0},
        {"id": 5, "f": True},
        {"id": 6, "f": "1"},
    )
    with gapless.records(path, also=("f",)) as records:
        for value, found in ((None, [1]), (1, [4]), (True, [5]), ("1", [6]), (2, [])):
            assert [record["id"] for record in records.find("f", value)] == found
        with pytest.raises(TypeError, match="list"):
            records.find("f", [1])
        with pytest.raises(ValueError, match=r"also=\('g',\)"):
            records.find("g", 1)


def test_a_value_that_all_share(path: Path) -> None:
    write(path, *({"id": number, "active": True} for number in range(50_000)))
    with gapless.records(path, also=("active",)) as records:
        assert [record["id"] for record in records.find("active", True)] == list(range(50_000))
        assert records.stats()["index_bytes"]["active"] < 5 * 50_000


def test_lines_that_are_no_records(path: Path) -> None:
    path.write_bytes(
        b'{"id":1}\n'
        b"nonsense\n"
        b"[1,2]\n"
        b"\n"
        b'{"name":"x"}\n'
        b'{"id":null}\n'
        b'{"id":{"a":1}}\n'
        b'{"id":"\xff"}\n'
        b'{"id":NaN}\n'
        b'{"id":2}{"id":3}\n'
        b"   \t\n"
        b'  {"id":4}  \n'
    )
    with pytest.warns(
        gapless.RecordsWarning,
        match=r"people.jsonl: 8 lines are no records.*line 2: it is not JSON.*and 5 more",
    ):
        records = gapless.records(path)
    with records:
        assert [record["id"] for record in records] == [1, 4]
        assert [each.line for each in records.skipped] == [2, 3, 5, 6, 7, 8, 9, 10]
        assert records.skipped[1].why == "it is an array, not an object"
        assert records.skipped[2].why == "it has no 'id'"
        assert records.skipped[3].why == "its 'id' is null"
        assert records.skipped[4].why == "its 'id' is an object"
        assert records.skipped_count == 8
        before = path.read_bytes()
        assert records.compact() == len(before) - path.stat().st_size == 10
    # What is not understood is kept.
    assert path.read_bytes() == b"".join(line.strip() + b"\n" for line in before.splitlines() if line.strip())
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with gapless.records(path) as records:
            assert records.skipped_count == 8


def test_carriage_returns(path: Path) -> None:
    path.write_bytes(b'{"id":1}\r\n{"id":2}\r\n\r\n{"id":3}\r\n')
    with gapless.records(path) as records:
        records.append({"id": 4})
        assert records.delete(2)
        assert [record["id"] for record in records] == [1, 3, 4]
        assert records.delete(4)
        records.compact()
    # 3 has the end of the line of 4, which was the last and joined it.
    assert path.read_bytes() == b'{"id":1}\r\n{"id":3}\n'


def test_deleting_leaves_no_blank_lines_whatever_ends_them(path: Path) -> None:
    path.write_bytes(b'{"id":1}\r\n{"id":2}\r\n{"id":3}\r\n')
    with gapless.records(path) as records:
        records.delete(1)
        assert [line["id"] for line in lines(path)] == [2, 3]
        records.delete(3)
        assert [line["id"] for line in lines(path)] == [2]
        records.append({"id": 5})
        records.append({"id": 6})
        records.delete(6)
        records.delete(5)
        assert [line["id"] for line in lines(path)] == [2]
        records.delete(2)
        assert path.read_text().strip() == ""
        assert len(records) == 0
        records.append({"id": 7})
        assert [record["id"] for record in records] == [7]
        assert records.check() is None


def test_a_byte_order_mark_stays(path: Path) -> None:
    path.write_bytes(b'\xef\xbb\xbf{"id":1}\n{"id":2}\n')
    with gapless.records(path) as records:
        assert [record["id"] for record in records] == [1, 2]
        assert records.get(1) == {"id": 1}
        records.delete(1)
        records.compact()
    assert path.read_bytes() == b'\xef\xbb\xbf{"id":2}\n'
    path.write_bytes(b'\xef\xbb\xbf{"id":1}')
    with gapless.records(path) as records:
        assert records.get(1) == {"id": 1}


def test_a_whole_last_line_without_a_newline_is_a_record(path: Path) -> None:
    path.write_bytes(b'{"id":1}\n{"id":2}')
    with gapless.records(path) as records:
        assert records.get(2) == {"id": 2}
        records.append({"id": 3})
    assert path.read_bytes() == b'{"id":1}\n{"id":2}\n{"id":3}\n'
    path.write_bytes(b'{"id":1}\n{"id":1,"n":2}')
    with gapless.records(path) as records:
        records.compact()
    assert path.read_bytes() == b'{"id":1,"n":2}\n'


def test_a_torn_last_line_is_cut_by_a_writer_only(path: Path) -> None:
    path.write_bytes(b'{"id":1}\n{"id":2,"na')
    with gapless.records(path, readonly=True) as reader:
        assert len(reader) == 1
    assert path.stat().st_size == 20
    with pytest.warns(
        gapless.RecordsWarning,
        match=r"the last line, 2, was torn: 11 bytes are cut, beginning with '\{\"id\":2,\"na'",
    ):
        gapless.records(path).close()
    assert path.read_bytes() == b'{"id":1}\n'


def test_a_line_torn_by_another_while_open_is_ended_not_cut(path: Path) -> None:
    with gapless.records(path) as records:
        records.append({"id": 1})
        with path.open("ab") as file:
            file.write(b'{"id":2,"na')
        assert len(records) == 1
        with pytest.warns(gapless.RecordsWarning, match="line 2: it is not JSON"):
            records.append({"id": 3})
        assert [record["id"] for record in records] == [1, 3]
    assert path.read_bytes() == b'{"id":1}\n{"id":2,"na\n{"id":3}\n'


def test_long_lines(path: Path) -> None:
    long = "x" * 100_000_000
    with gapless.records(path) as records:
        records.append({"id": 1})
        records.append({"id": 2, "text": long})
        records.append({"id": 3})
    os.unlink(f"{path}.hint")
    with gapless.records(path) as records:
        assert len(records.get(2)["text"]) == len(long)
        assert [record["id"] for record in records] == [1, 2, 3]
        records.delete(2)
        assert [record["id"] for record in records] == [1, 3]
        assert [line["id"] for line in lines(path)] == [1, 3]
        assert records.compact() > len(long)


def test_a_record_before_very_many_deleted_ones_is_read_without_them(path: Path) -> None:
    with gapless.records(path) as records:
        records.append({"id": 0})
        for number in range(1, 300):
            records.append({"id": number, "text": "x" * 1000})
            records.delete(number)
        assert [line["id"] for line in lines(path)] == [0]
        read = []
        original = Source.read
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(
                Source, "read", lambda self, *arguments: read.append(arguments) or original(self, *arguments)
            )
            assert records.get(0) == {"id": 0}
        assert read == []


# ---- others


def test_two_writers_are_refused(path: Path) -> None:
    program = f"import gapless; gapless.records({str(path)!r})"
    with gapless.records(path) as records:
        ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
        assert ended.returncode == 1
        assert f"LockedError: {path}: process {os.getpid()} has it open for writing" in ended.stderr
        with pytest.raises(gapless.LockedError, match="this process"):
            gapless.records(path)
        records.append({"id": 1})
        with gapless.records(path, readonly=True) as reader:
            assert reader.get(1) == {"id": 1}
            with pytest.raises(ValueError, match="readonly"):
                reader.append({"id": 2})
    assert not Path(f"{path}.lock").exists()
    assert subprocess.run([sys.executable, "-c", program]).returncode == 0


def test_a_lock_that_a_killed_process_left_locks_nothing(path: Path) -> None:
    program = f"import gapless, os; r = gapless.records({str(path)!r}); r.append({{'id': 1}}); os.kill(os.getpid(), 9)"
    assert subprocess.run([sys.executable, "-c", program]).returncode == -9
    assert Path(f"{path}.lock").exists()
    with gapless.records(path) as records:
        assert records.get(1) == {"id": 1}


def test_what_others_append_is_seen(path: Path) -> None:
    write(path, {"id": 1, "name": "a"})
    with (
        gapless.records(path, also=("name",)) as writer,
        gapless.records(path, also=("name",), readonly=True) as reader,
    ):
        for number in range(2, 50):
            with path.open("a") as file:
                file.write(json.dumps({"id": number, "name": "a"}) + "\n")
            for each in (writer, reader):
                assert each.get(number) == {"id": number, "name": "a"}
                assert len(list(each.find("name", "a"))) == number == len(each)
            if number % 3 == 0:
                writer.append({"id": 1, "name": "b", "n": number})
                assert list(reader.find("name", "b")) == [{"id": 1, "name": "b", "n": number}]
                writer.append({"id": 1, "name": "a"})
        assert reader.check() is None
        assert writer.check() is None


def test_readers_see_deletes_updates_and_compaction(path: Path) -> None:
    with gapless.records(path, also=("n",)) as writer:
        writer.extend({"id": number, "n": number % 3} for number in range(1000))
        with gapless.records(path, also=("n",), readonly=True) as reader:
            running = iter(reader)
            assert next(running) == {"id": 0, "n": 0}
            for number in range(0, 1000, 2):
                assert writer.delete(number)
                assert number not in reader
                assert len(reader) == 1000 - number // 2 - 1
            writer.append({"id": 1, "n": 5})
            assert writer.compact() > 0
            assert len(reader) == 500
            assert list(reader.find("n", 5)) == [{"id": 1, "n": 5}]
            # The old file is still there for who began with it; what was read ahead is met though it is deleted.
            assert {record["id"] for record in running} >= {*range(1, 1000, 2)}
            assert reader.check() is None


@pytest.mark.parametrize("readonly", [False, True])
def test_a_file_that_was_replaced_truncated_or_changed_in_place_is_noticed(
    path: Path, readonly: bool
) -> None:
    write(path, *({"id": number, "n": "a"} for number in range(100)))
    with gapless.records(path, readonly=readonly) as records:
        assert len(records) == 100
        other = path.with_suffix(".other")
        write(other, *({"id": number, "n": "b"} for number in range(200)))
        os.replace(other, path)
        assert len(records) == 200
        assert records.get(5) == {"id": 5, "n": "b"}
        os.truncate(path, 20 * 5)
        assert len(records) == 5
        write(path, *({"id": number, "n": "c"} for number in range(50)))
        assert len(records) == 50
        assert records.get(5) == {"id": 5, "n": "c"}
        os.utime(path, ns=(1, 1))
        with path.open("r+b") as file:
            file.seek(7)
            file.write(b"9")
        assert 0 not in records
        assert records.get(9) is not None
        assert records.check() is None


def test_a_hint_is_used_when_good_and_never_trusted_when_not(path: Path) -> None:
    write(path, *({"id": number} for number in range(1000)))
    hint = Path(f"{path}.hint")

    def opened(key: str = "id", also: tuple[str, ...] = ()) -> tuple[int, int]:
        built: list[int] = []
        with gapless.records(path, key, also, progress=lambda done, total: built.append(done)) as records:
            assert records.check() is None
            return len(records), built[-1] if built else 0

    size = path.stat().st_size
    assert opened() == (1000, size)
    assert opened() == (1000, 0)
    with path.open("a") as file:
        file.write('{"id":1000}\n')
    assert opened() == (1001, 12)
    assert opened() == (1001, 12)  # a short tail is not worth a new hint
    size += 12
    assert opened(also=("x",)) == (1001, size)
    assert opened(also=("x",)) == (1001, 0)
    assert opened(key="id") == (1001, size)
    good = hint.read_bytes()
    for at in {*range(0, len(good), 97), *range(24), len(good) - 1}:
        hint.write_bytes(good[:at] + bytes([good[at] ^ 1]) + good[at + 1 :])
        assert opened() in ((1001, size), (1001, 0)), at
        assert hint.read_bytes()[:8] == good[:8]
    for cut in range(0, len(good), 211):
        hint.write_bytes(good[:cut])
        assert opened() == (1001, size), cut
    hint.write_bytes(good)
    os.utime(path)
    assert opened() == (1001, size)
    hint.write_bytes(good.replace(b"GAPLHINT\x01", b"GAPLHINT\x02"))
    assert opened() == (1001, size)
    os.unlink(hint)
    with gapless.records(path, readonly=True) as records:
        assert len(records) == 1001
    assert not hint.exists()


def test_a_flipped_bit_anywhere_in_a_hint_changes_no_answer(path: Path) -> None:
    write(path, *({"id": number, "n": number % 2} for number in range(40)))
    with gapless.records(path, also=("n",)) as records:
        records.delete(3)
    hint = Path(f"{path}.hint")
    good = hint.read_bytes()
    for at in range(len(good)):
        hint.write_bytes(good[:at] + bytes([good[at] ^ (1 << at % 8)]) + good[at + 1 :])
        with gapless.records(path, also=("n",), readonly=True) as records:
            assert len(records) == 39, at
            assert [record["id"] for record in records.find("n", 1)] == [
                number for number in range(1, 40, 2) if number != 3
            ]


def test_mode_and_links_survive_compaction(path: Path, tmp_path: Path) -> None:
    write(path, {"id": 1}, {"id": 1})
    path.chmod(0o640)
    link = tmp_path / "link.jsonl"
    link.symlink_to(path)
    with gapless.records(link) as records:
        assert records.compact() == 10
    assert link.is_symlink()
    assert path.stat().st_mode & 0o777 == 0o640
    assert lines(path) == [{"id": 1}]


def test_what_is_appended_during_compaction_is_kept(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(path, *({"id": number} for number in range(10)))

    def appending(name: str) -> None:
        original = getattr(os, name)

        def call(*arguments: object) -> object:
            with path.open("a") as file:
                file.write(json.dumps({"id": name}) + "\n")
            return original(*arguments)

        monkeypatch.setattr(os, name, call)

    with gapless.records(path) as records:
        appending("fsync")
        appending("rename")
        records.compact()
        assert {record["id"] for record in records} >= {*range(10), "fsync", "rename"}


@pytest.mark.parametrize("room", [0, 5])
def test_a_full_disk_appends_nothing(path: Path, monkeypatch: pytest.MonkeyPatch, room: int) -> None:
    real = os.write

    def write_some(fd: int, data: bytes) -> int:
        nonlocal left
        if left == 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        taken = min(left, len(data))
        left -= taken
        return real(fd, data[:taken])

    with gapless.records(path) as records:
        records.append({"id": 1})
        before = path.read_bytes()
        left = room
        with monkeypatch.context() as patch:
            patch.setattr(os, "write", write_some)
            with pytest.raises(OSError, match="No space"):
                records.append({"id": 2})
        assert path.read_bytes() == before
        assert len(records) == 1
        records.append({"id": 3})
        assert [record["id"] for record in records] == [1, 3]


def test_sync(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[int] = []
    monkeypatch.setattr(os, "fdatasync", synced.append)
    counts = {}
    for sync in ("always", "close", "never"):
        synced.clear()
        with gapless.records(path, sync=sync) as records:  # type: ignore[arg-type]
            records.append({"id": 1})
            records.append({"id": 2})
            records.delete(1)
            before = len(synced)
        counts[sync] = before, len(synced)
    assert counts == {"always": (4, 5), "close": (0, 1), "never": (0, 0)}
    with gapless.records(path) as records:
        synced.clear()
        records.sync()
        assert len(synced) == 2


# ---- the rest


def test_wrong_arguments(path: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"also=\('name',\)"):
        gapless.records(path, also="name")
    with pytest.raises(ValueError, match="sync='often'"):
        gapless.records(path, sync="often")  # type: ignore[arg-type]
    with pytest.raises(FileNotFoundError):
        gapless.records(path, readonly=True)
    with pytest.raises(IsADirectoryError):
        gapless.records(tmp_path)
    assert not Path(f"{tmp_path}.lock").exists()
    with pytest.raises(ValueError, match="no regular file"):
        gapless.records("/dev/null", readonly=True)


def test_closed(path: Path) -> None:
    records = gapless.records(path)
    records.append({"id": 1})
    records.close()
    records.close()
    for use in (
        lambda: records.get(1),
        lambda: len(records),
        lambda: records.append({"id": 2}),
        lambda: list(records),
    ):
        with pytest.raises(gapless.ClosedError):
            use()
    assert repr(records) == f"<gapless.Records {str(path)!r}, closed>"


def test_a_child_of_a_fork_may_read_and_not_write(path: Path) -> None:
    with gapless.records(path) as records:
        records.append({"id": 1})
        child = os.fork()
        if child == 0:
            try:
                ok = records.get(1) == {"id": 1}
                try:
                    records.append({"id": 2})
                    ok = False
                except ValueError:
                    pass
                records.close()
                os._exit(0 if ok else 1)
            finally:
                os._exit(2)
        assert os.waitpid(child, 0)[1] == 0
        with pytest.raises(gapless.LockedError):
            gapless.records(path)
        records.append({"id": 3})
        assert [record["id"] for record in records] == [1, 3]


def test_threads(path: Path) -> None:
    with gapless.records(path, also=("t",)) as records:

        def work(t: int) -> None:
            for number in range(300):
                records.append({"id": f"{t}:{number}", "t": t})
                assert records.get(f"{t}:{number}") is not None
                if number % 3 == 0:
                    records.delete(f"{t}:{number}")

        threads = [threading.Thread(target=work, args=(t,)) for t in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(records) == 800
        assert len(list(records.find("t", 2))) == 200
        assert records.check() is None


def test_the_index_takes_at_most_20_bytes_a_record(path: Path) -> None:
    with gapless.records(path) as records:
        worst = 0.0
        for number in range(0, 60_000, 500):
            records.extend({"id": number + i} for i in range(500))
            if number >= 5000:
                worst = max(worst, records.stats()["index_bytes"]["id"] / len(records))
    assert worst <= 20


def test_a_writer_that_was_dropped_without_closing_holds_no_lock(path: Path) -> None:
    records = gapless.records(path)
    records.append({"id": 1})
    running = iter(records)
    del records
    with gapless.records(path) as records:
        assert list(records) == [{"id": 1}]
    assert list(running) == [{"id": 1}]
