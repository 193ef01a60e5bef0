"""Clients that wait: thousands of them, what they cost, and what becomes of what they send meanwhile."""

from __future__ import annotations

import socket
import threading
import time

import pytest

from tests.server.test_many_clients import DESCRIPTORS_KEPT, connect, open_files
from tests.server.test_memory_bound import info, resident
from tests.support.raw import RawConnection, command
from tests.support.server import gapless_server

WAITING = 5_000
BLOCKED_BYTES_MAX = 1024
"""A client and what its waiting for one key takes."""
BUSY_PUSHES = 20_000
SERVED = b"*2\r\n$5\r\nqueue\r\n$5\r\n%05d\r\n"


def until(connection: RawConnection, name: bytes, wanted: int) -> None:
    deadline = time.monotonic() + 30
    while info(connection, name) != wanted:
        assert time.monotonic() < deadline, f"{name.decode()} is {info(connection, name)}, not {wanted}"
        time.sleep(0.005)


def read(one: socket.socket, size: int) -> bytes:
    one.settimeout(30)
    got = b""
    while len(got) < size:
        data = one.recv(size - len(got))
        assert data, "closed"
        got += data
    return got


def test_thousands_wait_for_one_key() -> None:
    """One push serves one of them; they are served in the order in which they came."""
    with open_files(WAITING + DESCRIPTORS_KEPT) as files, gapless_server(maxclients="10100") as server:
        count = min(WAITING, files - DESCRIPTORS_KEPT)
        with server.connect(60.0) as connection:
            sockets = connect(server, count)
            before = resident(server)
            for at, one in enumerate(sockets):
                one.sendall(command("BLPOP", "queue", f"own{at}", "0"))
                if at % 100 == 99:
                    until(connection, b"blocked_clients", at + 1)
            until(connection, b"blocked_clients", count)
            assert info(connection, b"total_blocking_keys") == count + 1
            each = (resident(server) - before) / count
            assert each < BLOCKED_BYTES_MAX, f"{each:.0f} bytes a client that waits"
            start = time.monotonic()
            for at in range(100):
                assert connection.call("RPUSH", "queue", f"{at:05}") == b":1\r\n"
            took = (time.monotonic() - start) / 100
            for at, one in enumerate(sockets[:100]):
                assert read(one, len(SERVED % at)) == SERVED % at
            assert took < 0.005, f"{took * 1000:.1f} ms a push"
            # The rest at one blow.
            connection.call("RPUSH", "queue", *(f"{at:05}" for at in range(100, count)))
            for at, one in enumerate(sockets[100:], 100):
                assert read(one, len(SERVED % at)) == SERVED % at
            until(connection, b"blocked_clients", 0)
            assert info(connection, b"total_blocking_keys") == 0
            assert connection.call("EXISTS", "queue") == b":0\r\n"
            assert connection.call("DEBUG", "CHECK") == b"+OK\r\n"
            for one in sockets:
                one.close()


def test_thousands_time_out() -> None:
    with open_files(WAITING + DESCRIPTORS_KEPT) as files, gapless_server(maxclients="10100") as server:
        count = min(WAITING, files - DESCRIPTORS_KEPT) // 2
        with server.connect(60.0) as connection:
            sockets = connect(server, count)
            for at, one in enumerate(sockets):
                one.sendall(command("BLPOP", f"k{at % 7}", f"{0.3 + at * 7 % 100 / 1000}"))
            for one in sockets:
                assert read(one, 5) == b"*-1\r\n"
            assert info(connection, b"blocked_clients") == info(connection, b"clients_in_timeout_table") == 0
            for one in sockets:
                one.close()


def test_pushes_and_pops_under_load() -> None:
    """Producers and consumers that pipeline and wait: everything is taken once."""
    with gapless_server() as server:
        taken: list[list[bytes]] = [[] for _ in range(8)]

        def consume(mine: list[bytes]) -> None:
            with server.connect(30.0) as connection:
                while True:
                    for reply in connection.pipeline([(b"BLPOP", b"q1", b"q2", b"0")] * 4):
                        element = reply.split(b"\r\n")[4]
                        if element == b"end":
                            return
                        mine.append(element)

        def produce(first: int) -> None:
            with server.connect(30.0) as connection:
                for at in range(first, first + BUSY_PUSHES, 50):
                    numbers = [b"%d" % n for n in range(at, at + 50)]
                    connection.pipeline([(b"RPUSH", b"q%d" % (1 + int(n) % 2), n) for n in numbers])

        consumers = [threading.Thread(target=consume, args=(mine,)) for mine in taken]
        producers = [threading.Thread(target=produce, args=(n * BUSY_PUSHES,)) for n in range(2)]
        for thread in (*consumers, *producers):
            thread.start()
        for thread in producers:
            thread.join()
        with server.connect() as connection:
            while connection.call("EXISTS", "q1", "q2") != b":0\r\n":
                time.sleep(0.01)
            while any(thread.is_alive() for thread in consumers):
                connection.call("RPUSH", "q1", "end")
                time.sleep(0.002)
            connection.call("DEL", "q1")
            everything = sorted(int(each) for mine in taken for each in mine)
            assert everything == list(range(2 * BUSY_PUSHES))
            assert connection.call("DEBUG", "CHECK") == b"+OK\r\n"


def test_input_behind_a_command_that_waits_stays_outside() -> None:
    """However much a client sends while it waits, the server does not read it before it may be done."""
    with gapless_server() as server, server.connect() as connection, server.connect(60.0) as waiting:
        value = b"x" * 100_000
        count = 400
        before = resident(server)
        waiting.send(command("BLPOP", "k", "0"))
        until(connection, b"blocked_clients", 1)

        def send() -> None:
            for at in range(count):
                waiting.send(command("SET", f"key{at % 3}", value))

        sending = threading.Thread(target=send)
        sending.start()
        time.sleep(0.3)
        assert sending.is_alive(), "all was read"
        assert resident(server) - before < 4 << 20
        assert connection.call("EXISTS", "key0") == b":0\r\n"
        connection.call("RPUSH", "k", "a")
        assert waiting.read_reply() == b"*2\r\n$1\r\nk\r\n$1\r\na\r\n"
        assert [waiting.read_reply() for _ in range(count)] == [b"+OK\r\n"] * count
        sending.join()
        assert connection.call("DBSIZE") == b":3\r\n"


def test_who_goes_is_forgotten_at_once() -> None:
    with gapless_server() as server, server.connect() as connection:
        for behind in (b"", command("PING"), b"*1\r\n$4\r\nPI"):
            waiting = server.connect()
            waiting.send(command("BLPOP", "k", "0") + behind)
            until(connection, b"blocked_clients", 1)
            waiting.close()
            until(connection, b"blocked_clients", 0)
            assert connection.call("RPUSH", "k", "a") == b":1\r\n"
            assert connection.call("DEL", "k") == b":1\r\n"
        with server.connect() as waiting:
            waiting.send(command("BLPOP", "k", "0"))
            until(connection, b"blocked_clients", 1)
            waiting.shutdown_write()
            until(connection, b"blocked_clients", 0)


def test_who_waits_is_not_idle() -> None:
    with gapless_server(timeout="1") as server, server.connect() as waiting:
        waiting.send(command("BLPOP", "k", "0"))
        time.sleep(2.5)
        with server.connect() as connection:
            connection.call("RPUSH", "k", "a")
        assert waiting.read_reply() == b"*2\r\n$1\r\nk\r\n$1\r\na\r\n"


def test_what_waiting_takes_counts_as_the_clients_memory() -> None:
    with gapless_server() as server, server.connect() as connection, server.connect() as waiting:
        number = waiting.call("CLIENT", "ID")[1:-2]
        waiting.send(command("BLPOP", b"k" * 1_000_000, "0"))
        until(connection, b"blocked_clients", 1)
        line = connection.call("CLIENT", "LIST", "ID", number).decode()
        memory = int(line.partition("tot-mem=")[2].split()[0])
        assert 1_000_000 < memory < 4_000_000
        assert connection.call("CONFIG", "SET", "maxmemory-clients", "500000") == b"+OK\r\n"
        connection.call("SET", "a", "x" * 20_000)
        with pytest.raises(ConnectionError):
            waiting.read_reply()
        until(connection, b"blocked_clients", 0)


def test_the_end_of_the_server_is_the_end_of_waiting() -> None:
    with gapless_server() as server:
        with server.connect() as waiting, server.connect() as connection:
            waiting.send(command("BLPOP", "k", "10"))
            until(connection, b"blocked_clients", 1)
            assert server.stop() == 0
            with pytest.raises(ConnectionError):
                waiting.read_reply()
        server.start()
