"""dump.rdb between a real Redis and gapless, there and back: the same data by DEBUG DIGEST."""

from __future__ import annotations

import random
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import redis

from tests.support.random_data import commands
from tests.support.server import Server, gapless_server, redis_server, running

KEYS = 1500
DEBIAN = "redis-server"


@contextmanager
def debian_redis(**options: str) -> Iterator[Server]:
    """The redis-server of the machine: Debian 12's is 7.0."""
    path = shutil.which(DEBIAN)
    assert path is not None
    with running("redis-server", [path], options) as server:
        yield server


def client(server: Server) -> redis.Redis:
    return redis.Redis(port=server.port, protocol=2, socket_timeout=60)


def fill(server: Server, seed: int, field_expiry: bool = True) -> None:
    pipeline = client(server).pipeline(transaction=False)
    for command in commands(random.Random(seed), KEYS, field_expiry):
        pipeline.execute_command(*command)
    pipeline.execute()


def digest(server: Server) -> object:
    return client(server).execute_command("DEBUG", "DIGEST")


def expiries(server: Server) -> dict[tuple[int, bytes], int]:
    found = {}
    for db in (0, 3, 15):
        connection = redis.Redis(port=server.port, db=db, protocol=2)
        keys = list(connection.scan_iter(count=1000))
        pipeline = connection.pipeline(transaction=False)
        for key in keys:
            pipeline.pexpiretime(key)
        found.update({(db, key): time for key, time in zip(keys, pipeline.execute(), strict=True)})
    return found


def encodings(server: Server) -> dict[bytes, bytes]:
    connection = client(server)
    return {key: connection.object("ENCODING", key) for key in connection.scan_iter(count=1000)}


def saved(server: Server) -> Path:
    assert client(server).execute_command("SAVE")
    return Path(client(server).config_get("dir")["dir"]) / "dump.rdb"


def options_with(path: Path, directory: Path, name: str) -> dict[str, str]:
    """A server that will load a copy of this file."""
    place = directory / name
    place.mkdir()
    shutil.copy(path, place / "dump.rdb")
    return {"dir": str(place)}


def test_redis_8_there_and_back(tmp_path: Path) -> None:
    with redis_server() as first:
        fill(first, 1)
        # So that its encodings are those of what has been loaded, too.
        client(first).execute_command("DEBUG", "RELOAD")
        wanted, times, names = digest(first), expiries(first), encodings(first)
        file = saved(first)
        with gapless_server(**options_with(file, tmp_path, "gapless")) as ours:
            assert digest(ours) == wanted
            assert expiries(ours) == times
            assert encodings(ours) == names
            info = client(ours).info("persistence")
            assert info["rdb_last_load_keys_loaded"] == len(times)
            assert client(ours).execute_command("SAVE")
            assert (tmp_path / "gapless" / "dump.rdb").read_bytes()[:9] == b"REDIS0012"
            assert client(ours).execute_command("DEBUG", "RELOAD")
            assert digest(ours) == wanted
    with redis_server(**options_with(tmp_path / "gapless" / "dump.rdb", tmp_path, "redis")) as second:
        assert digest(second) == wanted
        assert expiries(second) == times
        assert client(second).info("persistence")["rdb_last_load_keys_loaded"] == len(times)


@pytest.mark.parametrize("option", ["rdbcompression", "rdbchecksum"])
def test_redis_8_without(tmp_path: Path, option: str) -> None:
    with gapless_server(**{option: "no"}) as ours:
        fill(ours, 2)
        wanted = digest(ours)
        file = saved(ours)
        with redis_server(**options_with(file, tmp_path, "redis")) as theirs:
            assert digest(theirs) == wanted
            theirs_file = saved(theirs)
            with gapless_server(**options_with(theirs_file, tmp_path, "gapless")) as again:
                assert digest(again) == wanted


@pytest.mark.skipif(shutil.which(DEBIAN) is None, reason="this machine has no redis-server 7.0 (apt-get install redis-server)")
def test_redis_7_there_and_back(tmp_path: Path) -> None:
    with debian_redis() as first:
        fill(first, 3, field_expiry=False)
        wanted, times = digest(first), expiries(first)
        file = saved(first)
        with gapless_server(**options_with(file, tmp_path, "gapless")) as ours:
            # (Redis 7.0 digests scores by more digits than 8.2 does: only its own digests can be compared.)
            assert expiries(ours) == times
            assert client(ours).execute_command("SAVE")
    ours_file = tmp_path / "gapless" / "dump.rdb"
    assert ours_file.read_bytes()[:9] == b"REDIS0010"
    with debian_redis(**options_with(ours_file, tmp_path, "redis")) as second:
        assert digest(second) == wanted
        assert expiries(second) == times
