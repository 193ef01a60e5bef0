"""`gapless check` and `gapless dump`: what they print, their exit codes, and that they leave a journal as it is."""

from __future__ import annotations

import json
import os
import random
import re
import subprocess
import sys
from pathlib import Path

import pytest

import gapless
from gapless.commands.table import COMMANDS
from gapless.journal.format import MAGIC, VERSION, name_of
from gapless.journal.salvage import examine, search
from tests.journal.harness import Journaled, digest_of, recovered

FILE_BYTES = 4096
LINE = re.compile(r"journal-\d{10}\.gpj:\d+ \d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} UTC ")


def run(*arguments: object) -> tuple[int, str, str]:
    inherited = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "FORCE_COLOR")}
    ended = subprocess.run(
        [sys.executable, "-m", "gapless", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=60,
        env={**inherited, "COLUMNS": "160"},
    )
    assert "Traceback" not in ended.stderr
    assert "\x1b" not in ended.stdout + ended.stderr
    return ended.returncode, ended.stdout, ended.stderr


def contents(path: Path) -> dict[str, bytes]:
    return {each.name: each.read_bytes() for each in path.iterdir()}


def flip(path: Path, offset: int) -> None:
    data = bytearray(path.read_bytes())
    data[offset] ^= 1
    path.write_bytes(data)


@pytest.fixture
def small(tmp_path: Path) -> Path:
    path = tmp_path / "small"
    with gapless.open(path) as store:
        store.set("name", "Ada")
        store.rpush("list", "a", "b")
        store.rename("list", "queue")
        store.expire("name", 10_000)
    return path


@pytest.fixture
def large(tmp_path: Path) -> Path:
    """Several files of random history."""
    path, rng = tmp_path / "large", random.Random(3)
    with Journaled(path, policy="no", file_bytes=FILE_BYTES) as store:
        while store.journal.sizes()[0] < 5:
            store.run(rng)
    return path


def test_a_sound_journal(small: Path) -> None:
    before = contents(small)
    status, said, complained = run("check", small)
    assert (status, complained) == (0, "")
    assert {"sound", "closed", "never"} & set(said.split()) == {"sound", "closed"}
    told = json.loads(run("check", small, "--json")[1])
    assert told["sound"]
    assert told["closed"]
    assert (told["files"], told["keys"], told["databases"], told["damages"]) == (1, 2, {"0": 2}, [])
    assert contents(small) == before


def test_what_a_crash_has_torn_is_no_damage(small: Path) -> None:
    file = small / name_of(1)
    file.write_bytes(file.read_bytes()[:-30])
    status, said, _ = run("check", small)
    assert status == 0
    assert "not closed, " in said
    assert "bytes torn off by a crash" in said


def test_damage_is_named_and_what_can_be_read_is_written_elsewhere(large: Path, tmp_path: Path) -> None:
    second = large / name_of(2)
    flip(second, second.stat().st_size // 2)
    before = contents(large)
    status, said, complained = run("check", large)
    assert status == 1
    assert "damaged" in said
    assert re.search(rf"damaged: {second}, offset \d+: \d+ bytes are no good frame\n", complained)
    assert complained.count("no good frame") == 1
    fixed = tmp_path / "fixed"
    assert run("check", large, "--repair", fixed)[0] == 1
    assert contents(large) == before
    assert run("check", fixed)[0] == 0
    salvaged = examine(str(large)).engine
    salvaged.load_commands(COMMANDS)
    salvaged.configure(debug_command="yes")
    assert recovered(fixed) == digest_of(salvaged)
    status, _, complained = run("check", large, "--repair", fixed)
    assert (status, complained) == (
        2,
        f"error: --repair {fixed}: it is there already, and no empty directory\n",
    )


def test_a_sound_journal_is_copied_as_it_is(large: Path, tmp_path: Path) -> None:
    assert run("check", large, "--repair", tmp_path / "copy")[0] == 0
    assert recovered(tmp_path / "copy") == recovered(large)


def test_every_byte_counts(small: Path) -> None:
    """Whatever bit changes, somebody is told: as damage, as a newer version, or at the end as torn."""

    def is_told() -> bool:
        try:
            found = examine(str(small)).found
        except gapless.GaplessError:
            return True
        return bool(found.damages or found.torn_bytes)

    file = small / name_of(1)
    for offset in range(file.stat().st_size):
        flip(file, offset)
        assert is_told(), offset
        flip(file, offset)
    assert not is_told()


def test_a_missing_file_is_named(large: Path) -> None:
    (large / name_of(2)).unlink()
    status, _, complained = run("check", large)
    assert status == 1
    assert (
        f"damaged: {large / name_of(2)}, offset 0: the file is missing, and later ones are there"
        in complained
    )
    assert {stretch.frames.number for stretch in search(str(large)).stretches} >= {1, 3}


def test_wrong_use_and_what_can_not_be_read(small: Path, tmp_path: Path) -> None:
    for command in ("check", "dump"):
        assert run(command, tmp_path)[0::2] == (2, f"error: {tmp_path}: there is no journal in it\n")
        missing = tmp_path / "missing"
        assert run(command, missing)[0::2] == (2, f"error: {missing}: No such file or directory\n")
    file = small / name_of(1)
    data = bytearray(file.read_bytes())
    data[len(MAGIC)] = VERSION + 1
    file.write_bytes(data)
    for command in ("check", "dump"):
        status, _, complained = run(command, small)
        assert status == 2
        assert f"format {VERSION + 1} of the journal" in complained


def test_dump(small: Path) -> None:
    status, said, complained = run("dump", small)
    assert (status, complained) == (0, "")
    lines = said.splitlines()
    assert all(LINE.match(line) for line in lines)
    effects = [LINE.sub("", line) for line in lines]
    assert effects[0] == "put 'name', db 0, string, 'Ada'"
    assert "put 'list', db 0, list, '\\x00\\x02\\x01a\\x01b'" in effects
    assert "delete 'list', db 0" in effects
    assert effects[-2].startswith("expire 'name', db 0, expires 1")
    assert effects[-1] == "closed"


def test_dump_as_json(small: Path) -> None:
    told = [json.loads(line) for line in run("dump", small, "--json")[1].splitlines()]
    put = told[0]
    assert (put["file"], put["kind"], put["key"], put["value"]) == (name_of(1), "put", "name", "Ada")
    assert put["time_ms"] > 1_700_000_000_000
    assert told[-1]["kind"] == "closed"
    assert [each["offset"] for each in told] == sorted(each["offset"] for each in told)


def test_dump_of_some_keys(small: Path) -> None:
    said = run("dump", small, "--key", "n[a-b]m?")[1]
    assert [LINE.sub("", line).split()[0] for line in said.splitlines()] == ["put", "expire"]
    assert "queue" in run("dump", small, "--key", "queue")[1]


def test_dump_from_a_file(large: Path) -> None:
    whole, part = run("dump", large)[1], run("dump", large, "--from", "3")[1]
    assert part.startswith(name_of(3))
    assert whole.endswith(part)
    assert run("dump", large, "--from", name_of(3))[1] == part
    assert run("dump", large, "--from", "99")[0::2] == (
        2,
        f"error: --from 99: there is no such file in {large}\n",
    )


def test_dump_passes_over_what_is_damaged(large: Path) -> None:
    whole = run("dump", large)[1].splitlines()
    second = large / name_of(2)
    flip(second, second.stat().st_size // 2)
    status, said, complained = run("dump", large)
    assert status == 1
    assert complained.startswith(f"damaged: {second}")
    rest = said.splitlines()
    assert 0 < len(whole) - len(rest) < len(whole) / 2
    assert set(rest) < set(whole)


def test_dump_ends_quietly_when_nobody_reads_on(large: Path) -> None:
    command = f"{sys.executable} -m gapless dump {large} | head -1"
    ended = subprocess.run(["sh", "-c", command], capture_output=True, text=True, timeout=60, check=False)
    assert LINE.match(ended.stdout)
    assert ended.stderr == ""
