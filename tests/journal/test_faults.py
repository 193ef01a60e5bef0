"""What a journal keeps when the disk does not do as it is told: at every moment of a random run what can be recovered is what was
acknowledged, or more.
"""

from __future__ import annotations

import errno
import random
from pathlib import Path

import pytest

from gapless.errors import JournalError
from gapless.journal.format import HEADER_BYTES
from tests.journal.disk import Disk
from tests.journal.harness import Journaled, recovered, wait_for

STEPS = 60


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("short", [0, 7])
def test_always_loses_nothing_in_a_power_cut(tmp_path: Path, seed: int, short: int) -> None:
    rng = random.Random(seed)
    disk = Disk(tmp_path / "data")
    disk.short = short
    store = Journaled(tmp_path / "data", disk, "always", file_bytes=3000).open()
    states = [store.digest]
    for step in range(STEPS):
        store.run(rng)
        states.append(store.digest)
        disk.after_power_cut(tmp_path / f"cut-{step}", rng)
        assert recovered(tmp_path / f"cut-{step}") == states[-1], step
    assert store.journal.core.number > 2
    store.journal.close()
    assert recovered(tmp_path / "data") == states[-1]


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("lie", [False, True])
def test_everysec_loses_what_was_not_synced_and_no_more(tmp_path: Path, seed: int, lie: bool) -> None:
    rng = random.Random(seed)
    disk = Disk(tmp_path / "data")
    store = Journaled(tmp_path / "data", disk, "everysec", file_bytes=3000).open()
    disk.lie = lie
    states = [store.digest]
    synced = 0
    for step in range(STEPS):
        store.run(rng)
        states.append(store.digest)
        if rng.random() < 0.1:
            store.journal.sync()
            synced = len(states) - 1 if not lie else 0
        disk.after_power_cut(tmp_path / f"cut-{step}", rng)
        assert recovered(tmp_path / f"cut-{step}") in states[synced:], step
    store.journal.close()


def test_a_recovery_goes_on_where_a_power_cut_ended(tmp_path: Path) -> None:
    rng = random.Random(5)
    path = tmp_path / "data-0"
    expected = None
    for round_ in range(12):
        disk = Disk(path)
        store = Journaled(path, disk, "always", file_bytes=2000)
        for file in path.glob("*.gpj"):
            disk.durable[file.name] = bytearray(file.read_bytes())
        store.open()
        if expected is not None:
            assert store.digest == expected, round_
        for _ in range(rng.randrange(20)):
            store.run(rng)
        expected = store.digest
        path = tmp_path / f"data-{round_ + 1}"
        disk.after_power_cut(path, rng)
        store.journal.close()


@pytest.mark.parametrize("why", [errno.ENOSPC, errno.EIO, errno.EDQUOT])
def test_a_failed_write_is_not_acknowledged_and_written_when_it_can_be(tmp_path: Path, why: int) -> None:
    disk = Disk(tmp_path / "data")
    with Journaled(tmp_path / "data", disk, "everysec") as store:
        store.client("SET", "a", "1")
        disk.fail_write = why
        with pytest.raises(JournalError, match="in memory only"):
            store.client("SET", "b", "2")
        assert store.client("SET", "c", "3").startswith(b"-MISCONF Errors writing to the AOF file: ")
        assert store.client("PING").startswith(b"-MISCONF")
        assert store.client("GET", "b") == b"$1\r\n2\r\n"
        assert store.client("GET", "c") == b"$-1\r\n"
        wait_for(lambda: store.said)
        disk.fail_write = 0
        store.wait_until_well()
        digest = store.digest
        assert "refused" in store.said[0]
        assert "again" in store.said[-1]
    assert recovered(tmp_path / "data") == digest


def test_a_full_disk_is_noticed_before_a_command_is_executed(tmp_path: Path) -> None:
    disk = Disk(tmp_path / "data")
    with Journaled(tmp_path / "data", disk, "everysec", file_bytes=1 << 30) as store:
        disk.full = 3 << 20
        taken = 0
        while store.client("SET", "k", bytes(100_000)) == b"+OK\r\n":
            taken += 1
            assert taken < 1000
        # It was refused while there was still room for what had been executed; a successor's header was written at most.
        assert (3 << 20) - disk.full in (0, HEADER_BYTES)
        assert (
            store.client("SET", "k", "1")
            == b"-MISCONF Errors writing to the AOF file: No space left on device\r\n"
        )
        assert store.client("MULTI") == b"+OK\r\n"
        assert store.client("SET", "k", "1").startswith(b"-MISCONF")
        assert store.client("EXEC").startswith(b"-EXECABORT")
        assert store.client("STRLEN", "k") == b":100000\r\n"
        disk.full = None
        store.wait_until_well()
        digest = store.digest
    assert recovered(tmp_path / "data") == digest


@pytest.mark.parametrize("seed", range(6))
def test_after_a_failed_sync_all_is_written_anew_before_anything_is_acknowledged(
    tmp_path: Path, seed: int
) -> None:
    rng = random.Random(seed)
    disk = Disk(tmp_path / "data")
    store = Journaled(tmp_path / "data", disk, "always", file_bytes=4000).open()
    states = [store.digest]
    for step in range(30):
        store.run(rng)
        states.append(store.digest)
        if step % 7 == 6:
            acknowledged = len(states) - 1
            disk.fail_sync = True
            # Unless the keeper has met with it before: then the command is refused.
            try:
                assert store.client("SET", f"lost-{step}", "1").startswith(b"-MISCONF")
            except JournalError:
                pass
            states.append(store.digest)
            disk.after_power_cut(tmp_path / f"between-{step}", rng)
            assert recovered(tmp_path / f"between-{step}") in states[acknowledged:]
            store.wait_until_well()
            states.append(store.digest)
        disk.after_power_cut(tmp_path / f"cut-{step}", rng)
        assert recovered(tmp_path / f"cut-{step}") == states[-1], step
    store.journal.close()
    assert recovered(tmp_path / "data") == states[-1]
