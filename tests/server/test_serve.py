"""`gapless serve` as an operator meets it: start, sockets, signals, logs, wrong options."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from gapless.version import VERSION
from tests.support.raw import RawConnection, command
from tests.support.server import Server, gapless_server, spare_port


def run(*argv: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    """A server that is expected to end by itself."""
    return subprocess.run(
        [sys.executable, "-m", "gapless", "serve", *argv],
        input=stdin,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def config_get(server: Server, name: str) -> bytes:
    with server.connect() as connection:
        return connection.call("CONFIG", "GET", name).split(b"\r\n")[-2]


def test_version_and_help() -> None:
    for argv in (["-v"], ["--version"]):
        assert run(*argv).stdout == f"gapless {VERSION}\n"
    ended = run("--help")
    assert ended.stdout.startswith("Usage: gapless serve")
    assert ended.returncode == 0


def test_a_wrong_option_ends_with_its_place(tmp_path: Path) -> None:
    path = tmp_path / "redis.conf"
    path.write_text("port 1\nmaxmemory abc\n")
    ended = run(str(path))
    assert ended.returncode == 1
    assert f"{path}, at line 2\n>>> 'maxmemory abc'\nargument must be a memory value" in ended.stderr
    assert run("--port", "x").returncode == 1


def test_nothing_to_listen_on() -> None:
    ended = run("--port", "0")
    assert ended.returncode == 1
    assert "Configured to not listen anywhere, exiting." in ended.stdout


def test_a_port_that_is_taken() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        ended = run("--port", str(taken.getsockname()[1]), "--bind", "127.0.0.1")
    assert ended.returncode == 1
    assert "Failed listening on port" in ended.stdout


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_cleanly(number: signal.Signals, tmp_path: Path) -> None:
    pidfile = tmp_path / "pid"
    with gapless_server(pidfile=str(pidfile)) as server:
        assert pidfile.read_text() == f"{server.pid}\n"
        assert Path(server.unix_socket).is_socket()
        with server.connect() as connection:
            connection.call("SET", "key", "value")
            assert server._process is not None
            server._process.send_signal(number)
            assert server.wait() == 0
        assert not pidfile.exists()
        assert not Path(server.unix_socket).exists()
        assert "Ready to accept connections tcp" in server.log_tail()
        assert "ready to exit" in server.log_tail()


def test_shutdown_ends_it_cleanly() -> None:
    with gapless_server() as server:
        with server.connect() as connection:
            connection.send(command("SHUTDOWN", "NOSAVE"))
        assert server.wait() == 0


def test_unix_socket_alone_with_permissions(tmp_path: Path) -> None:
    path = tmp_path / "socket"
    argv = [sys.executable, "-m", "gapless", "serve", "-"]
    text = f"port 0\nunixsocket {path}\nunixsocketperm 700\nio-threads 4\nsave \"\"\nlogfile {tmp_path}/log\n"
    with subprocess.Popen(argv, stdin=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        process.stdin.write(text)
        process.stdin.close()
        try:
            with socket.socket(socket.AF_UNIX) as client:
                client.settimeout(10)
                for _ in range(1000):
                    try:
                        client.connect(str(path))
                        break
                    except OSError:
                        time.sleep(0.01)
                client.sendall(b"PING\r\n")
                assert client.recv(100) == b"+PONG\r\n"
            assert path.stat().st_mode & 0o777 == 0o700
        finally:
            process.terminate()
    assert process.returncode == 0
    log = (tmp_path / "log").read_text()
    assert "'io-threads 4' (the configuration file standard input, at line 4) means nothing here" in log


def test_config_set_moves_the_port() -> None:
    port = spare_port()
    with gapless_server() as server, server.connect() as old:
        assert old.call("CONFIG", "SET", "port", str(port)) == b"+OK\r\n"
        with pytest.raises(OSError):
            server.connect(timeout=1)
        with RawConnection(("127.0.0.1", port), 10) as moved:
            assert moved.call("PING") == b"+PONG\r\n"
            assert moved.call("CONFIG", "SET", "bind", "203.0.113.1") == (
                b"-ERR CONFIG SET failed (possibly related to argument 'bind') - "
                b"Failed to bind to specified addresses.\r\n"
            )
        with RawConnection(("127.0.0.1", port), 10) as again:
            assert again.call("PING") == b"+PONG\r\n"
        assert old.call("PING") == b"+PONG\r\n"


def test_maxclients_refuses_one_more() -> None:
    with gapless_server() as server, server.connect() as first:
        assert first.call("CONFIG", "SET", "maxclients", "1") == b"+OK\r\n"
        with socket.create_connection(server.address, 10) as second:
            assert second.recv(100) == b"-ERR max number of clients reached\r\n"
        assert first.call("PING") == b"+PONG\r\n"
        reply = first.call("CONFIG", "SET", "maxclients", "4000000000")
        assert b"not able to handle the specified number of clients, try with" in reply
        assert first.call("CONFIG", "GET", "maxclients").endswith(b"$1\r\n1\r\n")


def test_a_password_for_whoever_comes_later() -> None:
    with gapless_server() as server, server.connect() as before:
        assert before.call("CONFIG", "SET", "requirepass", "secret") == b"+OK\r\n"
        with server.connect() as after:
            assert after.call("PING") == b"-NOAUTH Authentication required.\r\n"
            assert after.call("AUTH", "wrong").startswith(b"-WRONGPASS")
            assert after.call("AUTH", "secret") == b"+OK\r\n"
        assert before.call("CONFIG", "SET", "requirepass", "") == b"+OK\r\n"


def test_settings_reach_the_engine() -> None:
    with gapless_server(maxmemory="123mb", maxmemory_policy="allkeys-lfu", databases="3") as server:
        assert config_get(server, "maxmemory") == str(123 << 20).encode()
        with server.connect() as connection:
            assert b"maxmemory_policy:allkeys-lfu" in connection.call("INFO", "memory")
            assert connection.call("SELECT", "2") == b"+OK\r\n"
            assert connection.call("SELECT", "3") == b"-ERR DB index is out of range\r\n"


def test_pauses_end_and_do_not_add_up() -> None:
    with gapless_server() as server, server.connect() as connection, server.connect() as other:
        assert connection.call("CLIENT", "PAUSE", "50", "ALL") == b"+OK\r\n"
        assert connection.call("PING") == b"+PONG\r\n"
        assert connection.call("CLIENT", "PAUSE", "100000", "WRITE") == b"+OK\r\n"
        assert connection.call("GET", "key") == b"$-1\r\n"
        other.send(command("SET", "key", "value"))
        assert connection.call("CLIENT", "UNPAUSE") == b"+OK\r\n"
        assert other.read_reply() == b"+OK\r\n"


def test_rdbcompression_reaches_dump() -> None:
    with gapless_server(rdbcompression="no") as server, server.connect() as connection:
        connection.call("SET", "key", "x" * 200)
        assert b"x" * 200 in connection.call("DUMP", "key")
        assert connection.call("CONFIG", "SET", "rdbcompression", "yes") == b"+OK\r\n"
        assert len(connection.call("DUMP", "key")) < 50


def test_knobs_of_defragmentation_are_the_cleaners() -> None:
    from gapless.engine.engine import Engine
    from gapless.server.config import Config
    from gapless.server.server import Server

    engine, config = Engine(address_bytes=1 << 30), Config()
    server = Server(engine, config)

    def holes() -> tuple[int, int]:
        stats = engine.stats()
        return stats["cleaner_holes_start"], stats["cleaner_holes_full"]

    own = holes()
    server.apply({"active-defrag-threshold-upper"})
    assert holes() == own
    config.set([("active-defrag-threshold-lower", "40")], server.apply)
    assert holes() == (400, 410)
    config.set([("active-defrag-threshold-lower", "10")], server.apply)
    assert holes() == own


@pytest.mark.parametrize("version", ["7.0", "8.2"])
def test_starts_with_the_configuration_a_version_comes_with(version: str, tmp_path: Path) -> None:
    """From a file as it is, paths and port aside, and writes its own values back to it."""
    port = spare_port()
    text = (Path(__file__).parent / "conf" / f"redis-{version}.conf").read_text()
    own = {"daemonize": "no", "port": str(port), "dir": str(tmp_path), "logfile": '""', "pidfile": '""'}
    for name, value in own.items():
        text = re.sub(rf"^{name} .*$", f"{name} {value}", text, flags=re.MULTILINE)
    path = tmp_path / "redis.conf"
    path.write_text(text)
    with subprocess.Popen(
        [sys.executable, "-m", "gapless", "serve", str(path)], stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            for _ in range(1000):
                try:
                    connection = RawConnection(("127.0.0.1", port))
                    break
                except OSError:
                    time.sleep(0.01)
            with connection:
                assert connection.call("CONFIG", "SET", "maxmemory", "100mb") == b"+OK\r\n"
                assert connection.call("CONFIG", "REWRITE") == b"+OK\r\n"
        finally:
            process.terminate()
            log = process.communicate(timeout=30)[0]
    assert "\nmaxmemory 100mb\n" in path.read_text()
    assert "means nothing here" not in log
    assert " # " not in log.replace("# Received SIGTERM", "").replace("# gapless is now ready", ""), log
