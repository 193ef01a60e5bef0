"""Input that is wrong, too large, or stops half-way: the same answer and the same fate, and others notice nothing."""

from __future__ import annotations

import time

import pytest

from tests.differential.conftest import SUBJECT_IS_REDIS
from tests.differential.test_security import both
from tests.support.raw import ClosedError, RawConnection, command
from tests.support.server import Server

QUIET = 0.15
LONG_QUIET = 3.0
LIMIT = 1 << 20

WRONG = {
    "bulk over the limit": b"*2\r\n$3\r\nGET\r\n$1048577\r\n",
    "value over the limit": command("SET", "k", b"x" * (LIMIT + 1)),
    "value at the limit": command("SET", "k", b"x" * LIMIT),
    "bulk of negative length": b"*2\r\n$3\r\nGET\r\n$-1\r\n",
    "bulk of very negative length": b"*2\r\n$3\r\nGET\r\n$-9223372036854775808\r\n",
    "bulk length that is no number": b"*1\r\n$abc\r\n",
    "bulk length that overflows": b"*1\r\n$99999999999999999999\r\n",
    "array of negative length": b"*-1\r\n*-2147483648\r\n*0\r\nPING\r\n",
    "array too long": b"*2147483648\r\n",
    "array length that is no number": b"*x\r\n",
    "no dollar": b"*1\r\n!4\r\nPING\r\n",
    "bulk without its end": b"*1\r\n$4\r\nPINGxx*1\r\n$4\r\nPING\r\n",
    "unknown command": command("NONSENSE", "a", b"b" * 300, b"\x00\xff\r\n"),
    "unknown subcommand": command("CLIENT", b"x" * 300),
    "empty command": command("") + command("PING"),
    "very long name": command(b"n" * 70_000),
    "quotes that do not match": b'SET k "a\r\n',
    "very long line": b"PING " + b"x" * 100_000,
    "many unknown commands": command("NONSENSE") * 3000,
    "wrong numbers of words": command("GET") * 1000 + command("PING"),
}

UNAUTHENTICATED = {
    "eleven words": b"*11\r\n",
    "ten words": b"*10\r\n$4\r\nPING\r\n",
    "a large word": b"*2\r\n$4\r\nAUTH\r\n$16385\r\n",
    "a word that is not too large": b"*2\r\n$4\r\nAUTH\r\n$16384\r\n" + b"x" * 16384 + b"\r\n",
    "a pipeline that begins with AUTH": command("AUTH", "secret") + command("SET", "k", b"x" * 20_000),
    "a pipeline that does not": command("PING") + command("SET", "k", b"x" * 20_000),
    "a line": b"GET k\r\nAUTH secret\r\nPING\r\n",
}


def outcome(server: Server, data: bytes, password: str, quiet: float) -> tuple[bytes, bool]:
    """What came back and whether the connection was closed; meanwhile another client is served."""
    with server.connect() as other, server.connect() as wrong:
        if password:
            other.call("AUTH", password)
        assert other.call("SET", "other", "here") == b"+OK\r\n"
        try:
            wrong.send(data)
        except ClosedError:
            pass  # what it has said before is still there
        found = wrong.read_quiet(quiet)
        assert other.call("GET", "other") == b"$4\r\nhere\r\n", server.name
        return found


def outcomes(servers: tuple[Server, Server], data: bytes, password: str = "") -> list[tuple[bytes, bool]]:
    """The outcome on each side. Where they differ both are asked again and given more time: a busy machine is late."""
    found = [outcome(server, data, password, QUIET) for server in servers]
    if found[0] != found[1]:
        found = [outcome(server, data, password, LONG_QUIET) for server in servers]
    if not SUBJECT_IS_REDIS:
        with servers[1].connect() as control:
            if password:
                control.call("AUTH", password)
            assert control.call("DEBUG", "CHECK") == b"+OK\r\n"
    return found


def test_wrong_input() -> None:
    with both(proto_max_bulk_len="1mb") as servers:
        for name, data in WRONG.items():
            left, right = outcomes(servers, data)
            assert left == right, name


def test_unauthenticated_input() -> None:
    with both(requirepass="secret") as servers:
        for name, data in UNAUTHENTICATED.items():
            left, right = outcomes(servers, data, "secret")
            assert left == right, name


@pytest.mark.parametrize(
    "begun",
    [
        b"*",
        b"*3\r\n$3\r\nSET\r\n$1\r\nk",
        b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$1000000\r\n" + b"x" * 500_000,
        command("MULTI") + command("SET", "k", "v") + b"*1\r\n$4\r\nEX",
        command("WATCH", "k") + command("MULTI"),
        b"SET k ",
    ],
)
def test_a_client_that_dies_half_way(begun: bytes) -> None:
    with both() as servers:
        for server in servers:
            with server.connect() as other:
                for _ in range(20):
                    with server.connect() as dying:
                        dying.send(begun)
                assert other.call("SET", "other", "here") == b"+OK\r\n"
                deadline = time.monotonic() + 10
                while b"connected_clients:1\r\n" not in other.call("INFO", "clients"):
                    assert time.monotonic() < deadline, server.name
                assert other.call("EXISTS", "k") == b":0\r\n"


def ask_and_never_read(connection: RawConnection, count: int) -> None:
    connection.send(command("GET", "k") * count)


def disconnections(connection: RawConnection) -> bytes:
    info = connection.call("INFO", "stats")
    return info.partition(b"client_output_buffer_limit_disconnections:")[2].split(b"\r\n")[0]


@pytest.mark.parametrize(("limit", "waits"), [("normal 20mb 0 0", False), ("normal 0 5mb 1", True)])
def test_output_limits_hard_and_soft(limit: str, waits: bool) -> None:
    """Over the hard limit a client is closed at once; over the soft one when it has been so for a second."""
    with both(client_output_buffer_limit=limit) as servers:
        for server in servers:
            with server.connect(timeout=20.0) as greedy, server.connect() as other:
                assert other.call("SET", "k", b"x" * 1_000_000) == b"+OK\r\n"
                ask_and_never_read(greedy, 30)
                if waits:
                    time.sleep(0.3)
                    assert disconnections(other) == b"0", server.name
                deadline = time.monotonic() + 10
                while disconnections(other) == b"0":
                    assert time.monotonic() < deadline, server.name
                    time.sleep(0.02)
                assert other.call("GET", "k")[:10] == b"$1000000\r\n"


def test_who_catches_up_is_not_over_the_soft_limit() -> None:
    with both(client_output_buffer_limit="normal 0 5mb 2") as servers:
        for server in servers:
            with server.connect(timeout=20.0) as slow, server.connect() as other:
                assert other.call("SET", "k", b"x" * 1_000_000) == b"+OK\r\n"
                for _ in range(2):
                    ask_and_never_read(slow, 20)
                    time.sleep(1.2)
                    for _ in range(20):
                        slow.read_reply()
                assert disconnections(other) == b"0", server.name
                assert slow.call("PING") == b"+PONG\r\n"
