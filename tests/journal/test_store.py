"""The embedded API on a directory: what is there again, who may have it, what is told when it can't be."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

import gapless
from gapless.journal.format import numbers_in
from tests.journal.harness import wait_for

HELD = """
import gapless, sys
store = gapless.open(sys.argv[1])
print("open", flush=True)
sys.stdin.read()
"""


@pytest.mark.parametrize("sync", ["always", "everysec", "never"])
def test_what_was_set_is_there_again(tmp_path: Path, sync: str) -> None:
    with gapless.open(tmp_path / "data", sync=sync) as store:
        store["a"] = "1"
        store.set("b", "2", ex=1000)
        store.incr("n", 5)
        store.append("a", "x" * 200_000)
        del store["n"]
        store.hset("h", mapping={"f": "v", "g": "w"})
        store.db = 3
        store["c"] = "3"
    with gapless.open(tmp_path / "data", sync=sync) as store:
        assert store["a"] == b"1" + b"x" * 200_000
        assert 990 < store.ttl("b") <= 1000
        assert "n" not in store
        assert store.hgetall("h") == {b"f": b"v", b"g": b"w"}
        store.db = 3
        assert dict(store.items()) == {b"c": b"3"}
        assert store.check() is None


def test_a_transaction_is_one_batch(tmp_path: Path) -> None:
    with gapless.open(tmp_path) as store:
        before = _frames(tmp_path)
        with store.transaction():
            for i in range(100):
                store[f"k{i}"] = "v"
            store.rpush("l", *range(1000))
        assert _frames(tmp_path) == before + 1
        with store.pipeline() as pipe:
            pipe.set("a", 1)
            pipe.incr("a")
            pipe.execute()
        assert _frames(tmp_path) == before + 2
        with pytest.raises(ZeroDivisionError), store.transaction():
            store["stays"] = "1"
            raise ZeroDivisionError
        assert store["stays"] == b"1"


def _frames(path: Path) -> int:
    from gapless.journal.survey import survey

    return sum(each.extent.frames for each in survey(str(path)).files)


def test_a_second_process_hears_who_has_the_store(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HELD, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"open\n"
        with pytest.raises(gapless.LockedError, match=rf"process {other.pid} has it open"):
            gapless.open(tmp_path)
        # Who only reads asks nobody.
        with gapless.open(tmp_path, readonly=True) as store:
            assert len(store) == 0
        other.kill()
    with (
        gapless.open(tmp_path) as store,
        pytest.raises(gapless.LockedError, match=r"this process \(pid \d+\)"),
    ):
        gapless.open(tmp_path)
    assert not store.opened


def test_reading_only_writes_nothing(tmp_path: Path) -> None:
    with gapless.open(tmp_path) as store:
        store["a"] = "1"
    before = {each.name: each.read_bytes() for each in tmp_path.iterdir()}
    with gapless.open(tmp_path, readonly=True) as store:
        assert store["a"] == b"1"
        for change in (
            lambda: store.set("a", "2"),
            lambda: store.delete("a"),
            lambda: store.expire("a", 1),
            lambda: store.hset("h", "f", "v"),
            store.flushall,
            lambda: store.rename("a", "b"),
            lambda: store.incr("n"),
            lambda: store.mset({"x": "y"}),
        ):
            with pytest.raises(gapless.ReadOnlyError, match="readonly=True"):
                change()
        assert store["a"] == b"1"
    assert {each.name: each.read_bytes() for each in tmp_path.iterdir()} == before


def test_what_a_killed_process_wrote_is_there(tmp_path: Path) -> None:
    program = "import gapless, os, sys; s = gapless.open(sys.argv[1], sync='never'); s['a'] = '1'; os.kill(os.getpid(), 9)"
    assert subprocess.run([sys.executable, "-c", program, str(tmp_path)]).returncode == -9
    with gapless.open(tmp_path) as store:
        assert store["a"] == b"1"


def test_a_store_that_was_not_closed_is_closed_at_the_end_of_the_program(tmp_path: Path) -> None:
    program = "import gapless, sys; s = gapless.open(sys.argv[1]); s['a'] = '1'"
    subprocess.run([sys.executable, "-c", program, str(tmp_path)], check=True)
    from gapless.engine.frames import CLOSED
    from gapless.journal.survey import survey

    assert survey(str(tmp_path)).files[-1].extent.last_kind == CLOSED
    assert not (tmp_path / "journal.lock").exists()


def test_a_store_that_is_forgotten_is_closed(tmp_path: Path) -> None:
    store = gapless.open(tmp_path)
    store["a"] = "1"
    del store
    with gapless.open(tmp_path) as store:
        assert store["a"] == b"1"


def test_a_torn_end_is_cut_with_a_warning(tmp_path: Path) -> None:
    with gapless.open(tmp_path) as store:
        store["a"] = "1"
    file = tmp_path / "journal-0000000001.gpj"
    file.write_bytes(file.read_bytes() + b"GPJF\x07")
    with pytest.warns(gapless.JournalWarning, match="5 bytes were cut off"), gapless.open(tmp_path) as store:
        assert store["a"] == b"1"


def test_the_child_of_a_fork_hears_what_to_do(tmp_path: Path) -> None:
    with gapless.open(tmp_path) as store:
        store["a"] = "1"
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            try:
                store["b"] = "2"
            except gapless.ClosedError as error:
                os.write(writing, str(error).encode())
            try:
                gapless.open(tmp_path)
            except gapless.LockedError as error:
                os.write(writing, b" | " + str(error).encode())
            os._exit(0)
        os.waitpid(child, 0)
        told = os.read(reading, 10_000).decode()
        assert "open one of your own after os.fork()" in told
        assert f"process {os.getpid()} has it open" in told
        store["c"] = "3"
    with gapless.open(tmp_path) as store:
        assert set(store) == {b"a", b"c"}


def test_a_backup_is_the_store_as_it_was_then(tmp_path: Path) -> None:
    with gapless.open(tmp_path / "data") as store:
        store["a"] = "1"
        stop = threading.Event()

        def write() -> None:
            n = 0
            while not stop.is_set():
                n += 1
                with store.transaction():
                    store["n"] = str(n)
                    store["m"] = str(n)

        thread = threading.Thread(target=write)
        thread.start()
        for i in range(5):
            store.backup(tmp_path / f"copy-{i}")
        stop.set()
        thread.join()
        with pytest.raises(FileExistsError):
            store.backup(tmp_path / "copy-0")
    for i in range(5):
        with gapless.open(tmp_path / f"copy-{i}") as copy:
            assert copy["a"] == b"1"
            assert copy.get("n") == copy.get("m")


@pytest.mark.parametrize("before", [True, False])
def test_cleaning_while_a_backup_begins_takes_nothing_from_it(tmp_path: Path, before: bool) -> None:
    with gapless.open(tmp_path / "data") as store:
        journal = store._journal
        assert journal is not None
        for i in range(2000):
            store[f"k{i % 100}"] = f"v{i}"

        class Core:
            """The core, whose files are all written anew before or after the mark of a backup."""

            def mark(self) -> tuple[int, int]:
                marked = (0, 0) if before else core.mark()
                first, rewrites = min(numbers_in(journal.path)), journal.rewrites
                assert journal.rewrite()
                wait_for(lambda: journal.rewrites > rewrites and min(numbers_in(journal.path)) > first)
                return core.mark() if before else marked

            def __getattr__(self, name: str) -> object:
                return getattr(core, name)

        core, journal.core = journal.core, Core()  # type: ignore[assignment]
        store.backup(tmp_path / "copy")
        journal.core = core
        there = dict(store.items())
    with gapless.open(tmp_path / "copy") as copy:
        assert dict(copy.items()) == there
        assert copy.check() is None


def test_a_store_in_memory_has_nothing_to_back_up(tmp_path: Path) -> None:
    with gapless.open() as store:
        store.sync()
        with pytest.raises(gapless.JournalError, match="in memory only"):
            store.backup(tmp_path / "copy")


def test_threads_share_a_sync(tmp_path: Path) -> None:
    with gapless.open(tmp_path, sync="always") as store:

        def write(name: str) -> None:
            for i in range(50):
                store[f"{name}{i}"] = "v"

        threads = [threading.Thread(target=write, args=(name,)) for name in "abcdefgh"]
        for each in threads:
            each.start()
        for each in threads:
            each.join()
    with gapless.open(tmp_path) as store:
        assert len(store) == 400


@pytest.mark.parametrize("members", [3, 500])
def test_what_sorting_makes_of_a_sorted_set_lasts(tmp_path: Path, members: int) -> None:
    """SORT changes what OBJECT ENCODING says of it, and nothing else."""
    with gapless.open(tmp_path / "data") as store:
        for number in range(100):
            store.zadd(f"z{number}", {f"m{member}": member for member in range(members)})
            store.execute("SORT", f"z{number}", "ALPHA", "STORE", "list")
        assert store.execute("OBJECT", "ENCODING", "z7") == b"skiplist"
    with gapless.open(tmp_path / "data", readonly=True) as store:
        assert store.execute("OBJECT", "ENCODING", "z7") == b"skiplist"
        assert store.zcard("z7") == members
        assert store.llen("list") == members
