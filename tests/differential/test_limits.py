"""Limits that need servers set up for them: default sizes, clients, idle time, buffers, memory."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.differential.conftest import SUBJECT_IS_REDIS
from tests.differential.pair import Pair
from tests.support.raw import ClosedError, RawConnection, command
from tests.support.server import Server, gapless_server, redis_server

start_subject = redis_server if SUBJECT_IS_REDIS else gapless_server


@contextmanager
def pair_with(**options: str) -> Iterator[Pair]:
    """Both servers with the same options; the subject audits itself at the end."""
    with redis_server(**options) as reference, start_subject(**options) as subject:
        pair = Pair(reference, subject, subject_checks=not SUBJECT_IS_REDIS)
        yield pair
        pair.check()


def first_words(connection: RawConnection) -> tuple[bytes, bool]:
    """What the server says to a new client unasked, and whether it closes."""
    return connection.read_quiet(0.3)


def closed_within(connection: RawConnection, seconds: float) -> bool:
    return connection.read_quiet(seconds)[1]


def test_the_largest_string() -> None:
    """512 MiB, reached without sending it."""
    with pair_with() as pair, pair.session(2) as session:
        for line in (
            b"SETRANGE k 536870911 x",
            b"STRLEN k",
            b"APPEND k y",
            b"SETRANGE k 536870912 x",
            b"GETRANGE k 536870905 536870920",
            b"GETBIT k 4294967289",
            b"SETBIT k 4294967295 1",
            b"SETBIT k 4294967296 1",
            b"BITPOS k 1",
            b"BITPOS k 1 -1 -1",
            b"BITFIELD k GET u8 4294967288",
            b"BITFIELD k SET u8 4294967289 1",
            b"SETBIT other 4294967295 1",
            b"STRLEN other",
            b"DEL k other",
        ):
            session.run(0, *line.split())
        session.exchange(0, b"*2\r\n$4\r\nECHO\r\n$536870913\r\n")


def test_too_many_clients() -> None:
    with pair_with(maxclients="5") as pair:
        said = []
        for server, control in zip((pair.reference, pair.subject), pair.controls, strict=True):
            # The one that looks whether all is well at the end is a client, too: it has its place from the start.
            assert control.call("PING") == b"+PONG\r\n"
            connections = [server.connect() for _ in range(4)]
            for connection in connections:
                assert connection.call("PING") == b"+PONG\r\n"
            with server.connect() as refused:
                said.append(first_words(refused))
            for connection in connections:
                connection.close()
        assert said[0] == said[1]
        assert said[0][1]


def test_idle_clients_are_closed() -> None:
    with pair_with(timeout="1") as pair:
        idle = [(server.connect(), server) for server in (pair.reference, pair.subject)]
        for connection, _ in idle:
            assert connection.call("PING") == b"+PONG\r\n"
        for connection, server in idle:
            assert closed_within(connection, 5.0), server.name


def test_query_buffer_limit() -> None:
    """A client that sends one endless command is closed, others are not."""
    with pair_with(client_query_buffer_limit="1mb") as pair:
        for server in (pair.reference, pair.subject):
            with server.connect() as greedy, server.connect() as other:
                with pytest.raises(ClosedError):
                    send_until_closed(greedy, b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$100000000\r\n", b"x" * 65536)
                assert other.call("PING") == b"+PONG\r\n", server.name


def test_output_buffer_limit() -> None:
    """A client that asks and never reads is closed, others are not."""
    with pair_with(client_output_buffer_limit="normal 1mb 0 0") as pair:
        for server in (pair.reference, pair.subject):
            with server.connect(timeout=5.0) as greedy, server.connect() as other:
                assert other.call("SET", "k", b"x" * 500_000) == b"+OK\r\n"
                with pytest.raises(ClosedError):
                    send_until_closed(greedy, b"", command("GET", "k") * 20)
                assert other.call("PING") == b"+PONG\r\n", server.name


def send_until_closed(connection: RawConnection, start: bytes, again: bytes) -> None:
    """Send and never read, until the server hangs up (`ClosedError`) or ten seconds have passed."""
    deadline = time.monotonic() + 10.0
    connection.send(start)
    while time.monotonic() < deadline:
        connection.send(again)
        time.sleep(0.002)


POLICIES = (
    "noeviction allkeys-lru allkeys-lfu allkeys-random volatile-lru volatile-lfu volatile-random volatile-ttl"
)


@pytest.mark.parametrize("policy", POLICIES.split())
def test_memory_is_full(policy: str) -> None:
    """Writes are refused or keys evicted as the policy says; reads and deletes go on."""
    options = {"maxmemory": "64mb", "maxmemory_policy": policy}
    with pair_with(**options) as pair:
        outcomes = [fill(server) for server in (pair.reference, pair.subject)]
        assert outcomes[0] == outcomes[1]


def fill(server: Server) -> dict[str, bytes | bool]:
    """Write 120 MB and tell what came of it."""
    value = b"x" * 10_000
    with server.connect() as connection:
        connection.call("SET", "first", "1")
        replies = set()
        for start in range(0, 12_000, 200):
            batch = [(b"SET", b"k%d" % i, value) for i in range(start, start + 200)]
            replies.update(connection.pipeline(batch))
        evicted = connection.call("INFO", "stats").partition(b"evicted_keys:")[2].split(b"\r\n")[0] != b"0"
        outcome: dict[str, bytes | bool] = {
            "refused": b"".join(sorted(reply for reply in replies if reply != b"+OK\r\n")),
            "evicted": evicted,
            "incremented while full": connection.call("INCR", "n"),
            "deleted": connection.call("DEL", "n")[:1],
        }
        if not evicted:
            outcome["read"] = connection.call("GET", "k0")
            outcome["first"] = connection.call("GET", "first")
        return outcome


def test_volatile_keys_are_evicted_and_only_those() -> None:
    for policy in ("volatile-lru", "volatile-lfu", "volatile-random", "volatile-ttl"):
        with pair_with(maxmemory="64mb", maxmemory_policy=policy) as pair:
            for server in (pair.reference, pair.subject):
                with server.connect() as connection:
                    stay = [(b"SET", b"stay%d" % i, b"x" * 1000) for i in range(2000)]
                    connection.pipeline(stay)
                    for start in range(0, 12_000, 200):
                        batch = [
                            (b"SET", b"k%d" % i, b"x" * 10_000, b"EX", b"%d" % (1000 + i))
                            for i in range(start, start + 200)
                        ]
                        assert set(connection.pipeline(batch)) == {b"+OK\r\n"}, server.name
                    assert connection.call("EXISTS", *(line[1] for line in stay)) == b":2000\r\n", server.name


def test_a_client_that_dies_while_many_others_talk() -> None:
    with pair_with() as pair:
        for server in (pair.reference, pair.subject):
            for _ in range(50):
                with server.connect() as dying:
                    dying.send(b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$10000000\r\n" + b"x" * 100_000)
            with server.connect() as connection:
                assert connection.call("EXISTS", "k") == b":0\r\n"


@pytest.mark.parametrize("count", [1000])
def test_many_clients(count: int) -> None:
    with pair_with() as pair:
        for server in (pair.reference, pair.subject):
            connections = [server.connect() for _ in range(count)]
            for connection in connections:
                connection.send(command("INCR", "n"))
            replies = {connection.read_reply() for connection in connections}
            assert replies == {b":%d\r\n" % i for i in range(1, count + 1)}, server.name
            for connection in connections:
                connection.close()


def test_shutdown_ends_cleanly() -> None:
    with pair_with() as pair:
        for server in (pair.reference, pair.subject):
            with server.connect() as connection, pytest.raises(ClosedError):
                connection.call("SHUTDOWN", "NOSAVE")
            assert server.wait() == 0, server.log_tail()
            server.start()
        pair.forget_controls()


def test_sigterm_ends_cleanly() -> None:
    with pair_with() as pair:
        for server in (pair.reference, pair.subject):
            with server.connect() as connection:
                connection.call("SET", "k", "v")
                assert server.stop() == 0, server.log_tail()
                assert closed_within(connection, 1.0)
            server.start()
        pair.forget_controls()
