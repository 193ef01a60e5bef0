"""maxmemory bounds the process: what the system says is resident, clients' buffers included."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.raw import RawConnection, command
from tests.support.server import Server, gapless_server

MEGABYTE = 1 << 20
LIMIT = 64 * MEGABYTE
# Over the limit clients may be by a 32nd part of it and 1 MiB before they are closed; the rest is one reply being made,
# and what malloc has not given back yet.
TOLERANCE = LIMIT // 32 + 5 * MEGABYTE
VALUE = b"x" * 1000
KEYS = 60_000


def resident(server: Server) -> int:
    text = Path(f"/proc/{server.pid}/status").read_text()
    return int(text.partition("VmRSS:")[2].split()[0]) * 1024


class Watch:
    """The most the process has had resident since the start, looked at every few milliseconds."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.most = 0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look)

    def __enter__(self) -> Watch:
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._over.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._over.wait(0.003):
            self.most = max(self.most, resident(self.server))


def fill(connection: RawConnection, count: int = KEYS) -> set[bytes]:
    replies: set[bytes] = set()
    for start in range(0, count, 2000):
        batch = [(b"SET", b"k%d" % i, VALUE) for i in range(start, start + 2000)]
        replies.update(connection.pipeline(batch))
    return replies


def test_a_lowered_limit_stops_nobody() -> None:
    """What is over goes in slices: who writes meanwhile is let through, and waits for no more than a slice."""
    with gapless_server(maxmemory="512mb", maxmemory_policy="allkeys-lru") as server, server.connect() as connection:
        assert fill(connection, 300_000) == {b"+OK\r\n"}
        assert resident(server) > 300 * MEGABYTE
        assert connection.call("CONFIG", "SET", "maxmemory", LIMIT) == b"+OK\r\n"
        worst, deadline = 0.0, time.monotonic() + 30
        while resident(server) > LIMIT + TOLERANCE:
            assert time.monotonic() < deadline
            began = time.monotonic()
            assert connection.call("SET", "k", VALUE) == b"+OK\r\n"
            worst = max(worst, time.monotonic() - began)
        assert worst < 0.1
        assert connection.call("DEBUG", "CHECK") == b"+OK\r\n"


def test_what_a_command_makes_of_little_is_asked_for() -> None:
    """COPY, BITOP and RESTORE take more than their arguments: that counts before it is there."""
    with gapless_server(maxmemory=str(LIMIT)) as server, server.connect() as connection:
        oom = b"-OOM command not allowed when used memory > 'maxmemory'.\r\n"
        assert connection.call("SET", "small", b"a" * 100_000) == b"+OK\r\n"
        small = connection.call("DUMP", "small")
        assert connection.call("SET", "large", b"a" * (30 * MEGABYTE)) == b"+OK\r\n"
        assert connection.call("COPY", "large", "copy") == oom
        assert connection.call("BITOP", "NOT", "not", "large") == oom
        assert connection.call("EXISTS", "copy", "not") == b":0\r\n"
        payload = small.partition(b"\r\n")[2][:-2]
        assert connection.call("RESTORE", "again", 0, payload) == b"+OK\r\n"
        assert connection.call("COPY", "small", "copy") == b":1\r\n"
        assert connection.call("DEBUG", "CHECK") == b"+OK\r\n"


def info(connection: RawConnection, name: bytes) -> int:
    return int(connection.call("INFO", "everything").partition(b"\r\n" + name + b":")[2].split(b"\r\n")[0])


@contextmanager
def unread(server: Server, count: int, receive_bytes: int = 4096) -> Iterator[list[socket.socket]]:
    """Sockets that take in little of what they are sent, and of which nothing is read."""
    sockets = []
    for _ in range(count):
        one = socket.socket()
        one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
        one.connect(server.address)
        one.setblocking(False)
        sockets.append(one)
    try:
        yield sockets
    finally:
        for one in sockets:
            one.close()


def send_what_fits(one: socket.socket, data: bytes) -> bool:
    """Whether the other end is still there."""
    try:
        one.send(data)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return True


def test_slow_readers_of_large_replies() -> None:
    keys = [b"k%d" % i for i in range(300)]
    ask = command("MGET", *keys) * 4
    with (
        gapless_server(maxmemory="64mb", maxmemory_policy="allkeys-lru") as server,
        Watch(server) as watch,
        server.connect(30.0) as connection,
        unread(server, 20) as readers,
    ):
        assert fill(connection) == {b"+OK\r\n"}
        assert watch.most <= LIMIT + TOLERANCE
        for _ in range(20):
            for one in readers:
                send_what_fits(one, ask)
            assert fill(connection, 2000) == {b"+OK\r\n"}
        assert info(connection, b"evicted_clients") > 0
        assert connection.call("SET", "after", "1") == b"+OK\r\n"
        assert connection.call("DEBUG", "CHECK") == b"+OK\r\n"
    assert watch.most <= LIMIT + TOLERANCE, f"{watch.most / MEGABYTE:.1f} MB"


def test_clients_that_send_halves_of_large_values() -> None:
    head = b"*3\r\n$3\r\nSET\r\n$3\r\nbig\r\n$20000000\r\n"
    with (
        gapless_server(maxmemory="64mb", maxmemory_policy="allkeys-lru") as server,
        Watch(server) as watch,
        server.connect(30.0) as connection,
        unread(server, 12) as senders,
    ):
        assert fill(connection) == {b"+OK\r\n"}
        for one in senders:
            one.setblocking(True)
            one.sendall(head)
        # What they announce takes nothing yet: no key has to go for it.
        assert info(connection, b"evicted_clients") == 0
        for _ in range(100):
            for one in senders:
                one.setblocking(False)
                send_what_fits(one, b"x" * 100_000)
            connection.call("PING")
        assert info(connection, b"evicted_clients") > 0
        assert connection.call("SET", "after", "1") == b"+OK\r\n"
        assert connection.call("DEBUG", "CHECK") == b"+OK\r\n"
    assert watch.most <= LIMIT + TOLERANCE, f"{watch.most / MEGABYTE:.1f} MB"


def test_who_reads_while_memory_is_full_goes_on() -> None:
    with (
        gapless_server(maxmemory="64mb") as server,
        Watch(server) as watch,
        server.connect(30.0) as connection,
    ):
        replies = fill(connection, 100_000)
        assert replies == {b"+OK\r\n", b"-OOM command not allowed when used memory > 'maxmemory'.\r\n"}
        ask = [(b"MGET", *(b"k%d" % i for i in range(300)))]
        for _ in range(50):
            assert len(connection.pipeline(ask)[0]) > 300 * len(VALUE)
        assert connection.call("INCR", "n") == b"-OOM command not allowed when used memory > 'maxmemory'.\r\n"
        for start in range(0, 20_000, 1000):
            connection.call("DEL", *(b"k%d" % i for i in range(start, start + 1000)))
        deadline = time.monotonic() + 10
        while connection.call("SET", "n", "1") != b"+OK\r\n":
            assert time.monotonic() < deadline
            time.sleep(0.01)
        assert info(connection, b"evicted_clients") == 0
    assert watch.most <= LIMIT + TOLERANCE, f"{watch.most / MEGABYTE:.1f} MB"


def test_clients_have_a_limit_of_their_own() -> None:
    """maxmemory-clients, as Redis has it: the largest is closed, one with CLIENT NO-EVICT is not."""
    with (
        gapless_server(maxmemory_clients="8mb") as server,
        server.connect(30.0) as connection,
        unread(server, 2) as readers,
    ):
        connection.call("SET", "k", b"x" * MEGABYTE)
        protected, other = readers
        send_what_fits(protected, b"CLIENT NO-EVICT ON\r\n" + command("GET", "k") * 30)
        deadline = time.monotonic() + 10
        while info(connection, b"mem_clients_normal") < 20 * MEGABYTE:
            assert time.monotonic() < deadline
        send_what_fits(other, command("GET", "k") * 10)
        while info(connection, b"evicted_clients") == 0:
            assert time.monotonic() < deadline
        assert info(connection, b"evicted_clients") == 1
        assert info(connection, b"connected_clients") == 2
