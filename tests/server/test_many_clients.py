"""Ten thousand clients, and one that wants the server for itself."""

from __future__ import annotations

import resource
import select
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager

from tests.server.test_memory_bound import info, resident
from tests.support.raw import command
from tests.support.server import Server, gapless_server

WANTED = 10_000
DESCRIPTORS_KEPT = 100
CLIENT_BYTES_MAX = 2048
# What a client may have done before others get their turn.
SHARE = 128


@contextmanager
def open_files(wanted: int) -> Iterator[int]:
    """Raises this process's limit of open files as far as it goes; how many there may be."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, most), hard))
    try:
        yield max(soft, most)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def connect(server: Server, count: int) -> list[socket.socket]:
    sockets = []
    for _ in range(count):
        one = socket.socket()
        one.connect(server.address)
        sockets.append(one)
    return sockets


def converse(sockets: list[socket.socket], requests: list[bytes], wanted: bytes) -> None:
    """Everybody sends, then everybody's answer is read."""
    for one, request in zip(sockets, requests, strict=True):
        one.sendall(request)
    for one in sockets:
        one.settimeout(30)
        got = b""
        while len(got) < len(wanted):
            got += one.recv(100)
        assert got == wanted


def test_ten_thousand_clients() -> None:
    with open_files(WANTED + DESCRIPTORS_KEPT) as files, gapless_server(maxclients="10100") as server:
        count = min(WANTED, files - DESCRIPTORS_KEPT)
        with server.connect(60.0) as connection:
            before = resident(server)
            sockets = connect(server, count)
            try:
                converse(sockets, [command("SET", f"k{i}", "value") for i in range(count)], b"+OK\r\n")
                converse(sockets, [command("GET", f"k{i}") for i in range(count)], b"$5\r\nvalue\r\n")
                assert info(connection, b"connected_clients") == count + 1
                assert connection.call("DBSIZE") == b":%d\r\n" % count
                # A client that has nothing to say has no buffers. (The records are some 30 bytes each.)
                each = (resident(server) - before) / count
                assert each < CLIENT_BYTES_MAX, f"{each:.0f} bytes a client"
            finally:
                for one in sockets:
                    one.close()
            deadline = time.monotonic() + 30
            while info(connection, b"connected_clients") > 1:
                assert time.monotonic() < deadline
            assert connection.call("DEBUG", "CHECK") == b"+OK\r\n"


def test_a_long_pipeline_does_not_hold_up_others() -> None:
    """Both have sent by the time the server looks: what the other reads shows how much of the pipeline came before it."""
    total = 40_000
    with (
        gapless_server() as server,
        server.connect() as sleeper,
        server.connect() as greedy,
        server.connect() as other,
    ):
        for connection in (greedy, other):
            connection.call("PING")
        turns = info(other, b"eventloop_cycles")
        sleeper.send(command("DEBUG", "SLEEP", "0.3"))
        time.sleep(0.1)
        greedy.send(command("INCR", "n") * total)
        other.send(command("INCRBY", "seen", "0") + command("GET", "n"))
        assert other.read_reply() == b":0\r\n"
        reply = other.read_reply().split(b"\r\n")
        # A share, and one more when the two are met in different turns.
        assert reply == [b"$-1", b""] or int(reply[1]) <= 2 * SHARE
        start = time.monotonic()
        assert other.call("PING") == b"+PONG\r\n"
        assert time.monotonic() - start < 0.2
        for _ in range(total):
            greedy.read_reply()
        assert info(other, b"eventloop_cycles") - turns >= total // (2 * SHARE)
        assert sleeper.read_reply() == b"+OK\r\n"


def test_a_client_that_never_reads_does_not_hold_up_others() -> None:
    with gapless_server() as server, server.connect() as greedy, server.connect() as other:
        other.call("SET", "k", b"x" * 100_000)
        greedy.send(command("GET", "k") * 200)
        for _ in range(100):
            start = time.monotonic()
            assert other.call("PING") == b"+PONG\r\n"
            assert time.monotonic() - start < 0.5
        assert info(other, b"connected_clients") == 2
        assert not select.select([greedy._socket], [], [], 0)[2]
