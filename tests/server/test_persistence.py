"""SAVE, BGSAVE, save points, loading and the end, as an operator of Redis knows them."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.raw import RawConnection, command
from tests.support.rdb_writer import dump, expire_ms, text
from tests.support.server import Server, gapless_server, spare_port

SECONDS = 30.0
LOADING = b"-LOADING Redis is loading the dataset in memory\r\n"


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def info(connection: RawConnection) -> dict[str, str]:
    reply = connection.call("INFO", "persistence").decode()
    return dict(line.split(":", 1) for line in reply.split("\r\n") if ":" in line)


def idle(connection: RawConnection) -> bool:
    return info(connection)["rdb_bgsave_in_progress"] == "0"


def dump_of(server: Server) -> Path:
    return server.directory / "dump.rdb"


def test_save_and_lastsave() -> None:
    with gapless_server() as server, server.connect() as c:
        started = int(c.call("LASTSAVE")[1:])
        c.call("SET", "a", "1")
        c.call("SET", "b", "1")
        assert info(c)["rdb_changes_since_last_save"] == "2"
        time.sleep(1.1)
        assert c.call("SAVE") == b"+OK\r\n"
        assert int(c.call("LASTSAVE")[1:]) > started
        found = info(c)
        assert found["rdb_changes_since_last_save"] == "0"
        assert found["rdb_saves"] == "1"
        assert dump_of(server).read_bytes().startswith(b"REDIS0010")
        assert [path.name for path in server.directory.glob("*.rdb")] == ["dump.rdb"]
        assert c.call("SAVE", "now").startswith(b"-ERR wrong number")
        c.call("MULTI")
        assert c.call("SAVE").startswith(b"-ERR Command not allowed inside a transaction")
        c.call("DISCARD")


def test_bgsave_is_of_its_moment() -> None:
    with gapless_server(save="") as server, server.connect() as c:
        c.call("DEBUG", "POPULATE", "200000", "key", "100")
        before = c.call("DEBUG", "DIGEST")
        assert c.call("BGSAVE") == b"+Background saving started\r\n"
        assert c.call("BGSAVE") == b"-ERR Background save already in progress\r\n"
        assert c.call("BGSAVE", "SCHEDULE") == b"-ERR Background save already in progress\r\n"
        assert c.call("SAVE") == b"-ERR Background save already in progress\r\n"
        found = info(c)
        assert found["rdb_bgsave_in_progress"] == "1"
        assert found["current_save_keys_total"] == "200000"
        number = 0
        while not idle(c):
            c.call("SET", f"key:{number}", "changed")
            c.call("DEL", f"key:{199_999 - number}")
            number += 1
        found = info(c)
        assert (found["rdb_last_bgsave_status"], found["rdb_saves"]) == ("ok", "1")
        assert int(found["rdb_changes_since_last_save"]) > 0
        assert int(found["rdb_last_bgsave_time_sec"]) >= 0
        assert c.call("DEBUG", "RELOAD", "NOSAVE") == b"+OK\r\n"
        assert c.call("DEBUG", "DIGEST") == before
        assert c.call("DEBUG", "CHECK") == b"+OK\r\n"


def test_bgsave_in_a_transaction_is_scheduled() -> None:
    with gapless_server(save="") as server, server.connect() as c:
        c.call("MULTI")
        c.call("BGSAVE")
        assert c.call("EXEC") == b"*1\r\n+Background saving scheduled\r\n"
        until(lambda: info(c)["rdb_saves"] == "1")
        assert c.call("BGSAVE", "LATER") == b"-ERR syntax error\r\n"


def test_flushall_ends_a_bgsave() -> None:
    with gapless_server(save="") as server, server.connect() as c:
        c.call("DEBUG", "POPULATE", "200000", "key", "100")
        c.call("BGSAVE")
        c.call("FLUSHALL")
        assert idle(c)
        time.sleep(0.3)
        assert list(server.directory.glob("*.rdb")) == []
        assert info(c)["rdb_last_bgsave_status"] == "ok"
        c.call("SET", "a", "1")
        assert c.call("CONFIG", "SET", "save", "3600 1000") == b"+OK\r\n"
        c.call("FLUSHALL")
        # As Redis does: with save points the file is left without keys, too.
        assert b"\xfb" not in dump_of(server).read_bytes()


def test_save_points() -> None:
    with gapless_server(save="1 3") as server, server.connect() as c:
        time.sleep(1.2)
        c.call("SET", "a", "1")
        c.call("SET", "b", "1")
        time.sleep(0.3)
        assert not dump_of(server).exists()
        c.call("SET", "c", "1")
        until(dump_of(server).exists)
        until(lambda: idle(c))
        assert info(c)["rdb_changes_since_last_save"] == "0"
        assert "3 changes in 1 seconds. Saving..." in server.log_tail()


def test_a_failure_refuses_writes_until_it_works_again(tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    with gapless_server(save="3600 1000000", enable_protected_configs="yes") as server, server.connect() as c:
        assert c.call("CONFIG", "SET", "dir", str(gone)) == b"+OK\r\n"
        gone.rmdir()
        assert c.call("BGSAVE") == b"+Background saving started\r\n"
        until(lambda: info(c)["rdb_last_bgsave_status"] == "err")
        assert c.call("SET", "a", "1").startswith(b"-MISCONF Redis is configured to save RDB snapshots")
        assert c.call("PING").startswith(b"-MISCONF")
        assert c.call("GET", "a") == b"$-1\r\n"
        c.call("MULTI")
        assert c.call("SET", "a", "1").startswith(b"-MISCONF")
        assert c.call("EXEC").startswith(b"-EXECABORT")
        assert c.call("SHUTDOWN", "SAVE") == b"-ERR Errors trying to SHUTDOWN. Check logs.\r\n"
        assert c.call("CONFIG", "SET", "stop-writes-on-bgsave-error", "no") == b"+OK\r\n"
        assert c.call("SET", "a", "1") == b"+OK\r\n"
        assert c.call("CONFIG", "SET", "stop-writes-on-bgsave-error", "yes") == b"+OK\r\n"
        assert c.call("SAVE") == b"-ERR\r\n"
        there = tmp_path / "there"
        there.mkdir()
        assert c.call("CONFIG", "SET", "dir", str(there)) == b"+OK\r\n"
        assert c.call("SAVE") == b"+OK\r\n"
        assert c.call("SET", "a", "2") == b"+OK\r\n"
        assert [path.name for path in there.iterdir()] == ["dump.rdb"]


@pytest.mark.parametrize(
    ("save", "words", "saves"),
    [
        ("", ["SHUTDOWN"], False),
        ("", ["SHUTDOWN", "SAVE"], True),
        ("3600 1000", ["SHUTDOWN"], True),
        ("3600 1000", ["SHUTDOWN", "NOSAVE"], False),
    ],
)
def test_shutdown(save: str, words: list[str], saves: bool) -> None:
    with gapless_server(save=save) as server:
        with server.connect() as c:
            c.call("SET", "a", "1")
            c.send(command(*words))
            assert server.wait() == 0
        assert dump_of(server).exists() == saves


def test_sigterm_saves_where_there_are_save_points_and_the_start_loads() -> None:
    with gapless_server(save="3600 1000") as server:
        with server.connect() as c:
            c.call("DEBUG", "POPULATE", "1000")
            before = c.call("DEBUG", "DIGEST")
        assert server.stop() == 0
        server.start()
        with server.connect() as c:
            until(lambda: info(c)["loading"] == "0")
            assert c.call("DBSIZE") == b":1000\r\n"
            assert info(c)["rdb_last_load_keys_loaded"] == "1000"
            assert info(c)["rdb_changes_since_last_save"] == "0"
            assert c.call("DEBUG", "DIGEST") == before
        assert "Done loading RDB, keys loaded: 1000" in server.log_tail()


def test_expired_keys_are_counted(tmp_path: Path) -> None:
    (tmp_path / "dump.rdb").write_bytes(dump(text(b"a", b"1"), expire_ms(1000) + text(b"b", b"1")))
    with gapless_server(dir=str(tmp_path)) as server, server.connect() as c:
        until(lambda: info(c)["loading"] == "0")
        found = info(c)
        assert (found["rdb_last_load_keys_loaded"], found["rdb_last_load_keys_expired"]) == ("1", "1")


def test_functions_are_kept(tmp_path: Path) -> None:
    code = b"#!lua name=mylib\nredis.register_function('f', function() end)"
    function = b"\xf5" + bytes([len(code)]) + code
    (tmp_path / "dump.rdb").write_bytes(dump(function, text(b"a", b"1")))
    with gapless_server(dir=str(tmp_path)) as server, server.connect() as c:
        until(lambda: info(c)["loading"] == "0")
        assert c.call("SAVE") == b"+OK\r\n"
        assert "1 library of functions kept aside" in server.log_tail()
    assert function in (tmp_path / "dump.rdb").read_bytes()


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (dump(text(b"a", b"1"))[:-9], "ends before its end was marked (offset 14)"),
        (dump(text(b"a", b"1"))[:-1] + b"\0", "the checksum is wrong: the file is damaged (offset 14)"),
        (b"", "the file is empty"),
    ],
)
def test_a_damaged_file_ends_the_start(tmp_path: Path, data: bytes, reason: str) -> None:
    (tmp_path / "dump.rdb").write_bytes(data)
    argv = [sys.executable, "-m", "gapless", "serve", "--port", str(spare_port()), "--dir", str(tmp_path)]
    ended = subprocess.run(argv, capture_output=True, text=True, timeout=60)
    assert ended.returncode == 1
    assert reason in ended.stdout
    # And the damaged file is not written over.
    assert (tmp_path / "dump.rdb").read_bytes() == data


def test_a_large_file_is_loaded_while_the_server_answers(tmp_path: Path) -> None:
    value = os.urandom(1000)
    keys = [text(b"key:%d" % number, value) for number in range(300_000)]
    (tmp_path / "dump.rdb").write_bytes(dump(*keys, checksum=False))
    port = spare_port()
    argv = [sys.executable, "-m", "gapless", "serve", "--port", str(port), "--dir", str(tmp_path), "--save", ""]
    with subprocess.Popen(argv, stdout=subprocess.DEVNULL) as process:
        try:
            with connected(port) as c:
                seen = []
                while (found := info(c))["loading"] == "1":
                    seen.append(found)
                    reply = c.call("GET", "key:1")
                    assert reply in (LOADING, b"$1000\r\n" + value + b"\r\n")
                assert c.call("DBSIZE") == b":%d\r\n" % len(keys)
        finally:
            process.terminate()
    assert seen
    for one in seen:
        assert int(one["loading_loaded_bytes"]) <= int(one["loading_total_bytes"])


def connected(port: int) -> RawConnection:
    """To a server that has just been started, and may be loading."""
    deadline = time.monotonic() + SECONDS
    while True:
        try:
            return RawConnection(("127.0.0.1", port), 10)
        except OSError:
            assert time.monotonic() < deadline
            time.sleep(0.002)


def test_dbfilename_is_a_name() -> None:
    with gapless_server(enable_protected_configs="yes") as server, server.connect() as c:
        assert b"can't be a path, just a filename" in c.call("CONFIG", "SET", "dbfilename", "a/b.rdb")
        assert c.call("CONFIG", "SET", "dbfilename", "other.rdb") == b"+OK\r\n"
        assert c.call("SAVE") == b"+OK\r\n"
        assert (server.directory / "other.rdb").exists()
