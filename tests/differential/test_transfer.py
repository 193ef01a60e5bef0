"""`gapless import` and `gapless export` between a real Redis, gapless and files."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.differential.test_dump_file import client, digest, expiries, fill, options_with, saved
from tests.support.rdb_writer import dump, expire_ms, select, text
from tests.support.server import gapless_server, redis_server


def gapless(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "gapless", *arguments], capture_output=True, text=True, timeout=120
    )


def test_from_redis_to_gapless_and_back() -> None:
    with redis_server() as theirs, gapless_server() as ours, redis_server(enable_debug_command="no") as third:
        fill(theirs, 4)
        keys = len(expiries(theirs))
        ended = gapless("import", theirs.url, "--to", ours.url)
        assert ended.returncode == 0, ended.stdout + ended.stderr
        assert f"{keys} keys read, {keys} written" in ended.stdout
        assert f"{keys} of {keys} keys are the same on both sides" in ended.stdout
        assert digest(ours) == digest(theirs)
        assert expiries(ours) == expiries(theirs)
        # A server that refuses DEBUG is compared by what it dumps.
        ended = gapless("import", ours.url, "--to", third.url)
        assert ended.returncode == 0, ended.stdout + ended.stderr
        assert f"{keys} of {keys} keys are the same on both sides" in ended.stdout
        assert expiries(third) == expiries(theirs)


def test_keys_that_are_there_and_that_differ() -> None:
    with redis_server() as theirs, gapless_server() as ours:
        client(theirs).mset({"user:1": "a", "user:2": "b", "other": "c"})
        client(ours).mset({"user:1": "a", "user:2": "different"})
        ended = gapless("import", theirs.url, "--to", ours.url, "--match", "user:*")
        assert ended.returncode == 1
        assert "2 keys read, 0 written" in ended.stdout
        assert "1 of 2 keys are the same on both sides" in ended.stdout
        assert "differs: database 0, b'user:2'" in ended.stdout
        ended = gapless("import", theirs.url, "--to", ours.url, "--match", "user:*", "--replace")
        assert ended.returncode == 0, ended.stdout
        assert client(ours).get("user:2") == b"b"
        assert client(ours).exists("other") == 0


def test_a_file_into_a_server_and_a_server_into_a_file(tmp_path: Path) -> None:
    with redis_server() as theirs, gapless_server() as ours:
        fill(theirs, 5)
        ended = gapless("import", str(saved(theirs)), "--to", ours.url)
        assert ended.returncode == 0, ended.stdout + ended.stderr
        assert digest(ours) == digest(theirs)
        assert expiries(ours) == expiries(theirs)
        ended = gapless("export", str(tmp_path / "out.rdb"), "--from", ours.url)
        assert ended.returncode == 0, ended.stderr
        with redis_server(**options_with(tmp_path / "out.rdb", tmp_path, "again")) as again:
            assert digest(again) == digest(theirs)
            assert expiries(again) == expiries(theirs)


def test_wrong_use(tmp_path: Path) -> None:
    damaged = tmp_path / "damaged.rdb"
    damaged.write_bytes(dump(text(b"a", b"1"), select(3), expire_ms(4 * 10**12) + text(b"b", b"2"))[:-1] + b"\0")
    with gapless_server() as ours:
        ended = gapless("import", str(damaged), "--to", ours.url)
        assert ended.returncode == 1
        assert "the checksum is wrong" in ended.stderr
        ended = gapless("import", str(tmp_path / "none.rdb"), "--to", ours.url)
        assert ended.returncode == 1
        assert "No such file" in ended.stderr
        assert gapless("import", str(damaged), "--to", ours.url, "--match", "x").returncode == 2
    assert gapless("import", str(damaged), "--to", "http://nowhere").returncode == 2
    assert gapless("import", str(damaged), "--to", "redis://127.0.0.1:1").returncode == 1
