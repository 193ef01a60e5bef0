"""The loop over real sockets: turns, large requests, limits, errors, transactions."""

from __future__ import annotations

import logging
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from gapless.engine.engine import Engine
from gapless.engine.session import FLAG_REPLY_SKIP


def row(
    name: str, arity: int, handler: object, flags: str = "", keys: tuple[int, int, int] = (0, 0, 0)
) -> SimpleNamespace:
    return SimpleNamespace(
        name=name, arity=arity, handler=handler, flags=frozenset(flags.split()), keys=keys, subcommands=(),
        element=0, waits_if_asked=False,
    )


def python_handler(ctx: SimpleNamespace, args: list[bytes]) -> object:
    word = args[1]
    if word == b"monitor":
        ctx.session.monitor(True)
    elif word == b"skip":
        ctx.session.set_flag(FLAG_REPLY_SKIP, True)
    elif word == b"quit":
        ctx.session.kill(after_reply=True)
    elif word == b"resp3":
        ctx.session.protocol = 3
    elif word == b"fail":
        raise RuntimeError("on purpose")
    elif word == b"pause":
        ctx.engine.pause(int(args[2]), False)
    return [None, 1, b"x", True]


ROWS = (
    row("get", 2, "strings.get", "readonly fast", (1, 1, 1)),
    row("set", -3, "strings.set", "write denyoom", (1, 1, 1)),
    row("incr", 2, "strings.incr", "write denyoom fast", (1, 1, 1)),
    row("ping", -1, "connection.ping", "fast"),
    row("select", 2, "connection.select", "fast"),
    row("multi", 1, "transactions.multi"),
    row("exec", 1, "transactions.exec"),
    row("discard", 1, "transactions.discard"),
    row("watch", -2, "transactions.watch", "no_multi"),
    row("unwatch", 1, "transactions.unwatch"),
    row("python", -2, python_handler),
    row("rpush", -3, "lists.rpush", "write denyoom fast", (1, 1, 1)),
    row("llen", 2, "lists.llen", "readonly fast", (1, 1, 1)),
    row("blpop", -3, "lists.blpop", "write blocking", (1, -2, 1)),
    row("blmove", 6, "lists.blmove", "write denyoom blocking", (1, 2, 1)),
)


class Served:
    """An engine whose loop runs in a thread, on a spare port."""

    def __init__(self) -> None:
        self.engine = Engine(address_bytes=1 << 36)
        self.engine.load_commands(ROWS)
        listener = socket.socket()
        listener.bind(("127.0.0.1", 0))
        listener.listen(512)
        self.port: int = listener.getsockname()[1]
        self.engine.listen([listener.detach()])
        self.thread = threading.Thread(target=self.engine.run)

    def connect(self) -> socket.socket:
        client = socket.create_connection(("127.0.0.1", self.port))
        client.settimeout(20)
        return client


@pytest.fixture
def served() -> Iterator[Served]:
    one = Served()
    one.thread.start()
    yield one
    one.engine.stop()
    one.thread.join(20)
    assert not one.thread.is_alive()
    one.engine.close()
    assert one.engine.check() is None


def test_a_stop_before_the_start() -> None:
    one = Served()
    one.engine.stop()
    for _ in range(2):
        one.thread.start()
        one.thread.join(20)
        assert not one.thread.is_alive()
        one.thread = threading.Thread(target=one.engine.run)
        one.engine.stop()
    one.engine.close()


def read(client: socket.socket, n: int) -> bytes:
    data = b""
    while len(data) < n:
        piece = client.recv(min(1 << 20, n - len(data)))
        assert piece, data
        data += piece
    return data


def ask(client: socket.socket, request: bytes, reply: bytes) -> None:
    client.sendall(request)
    assert read(client, len(reply)) == reply


def closed(client: socket.socket) -> bool:
    try:
        return client.recv(1) == b""
    except ConnectionResetError:
        return True


def test_one_command_after_the_other(served: Served) -> None:
    with served.connect() as client:
        ask(client, b"*1\r\n$4\r\nPING\r\n", b"+PONG\r\n")
        ask(client, b"set a 1\r\n", b"+OK\r\n")
        ask(client, b"incr a\r\n", b":2\r\n")
        ask(client, b"get\r\n", b"-ERR wrong number of arguments for 'get' command\r\n")
        ask(client, b"nope a\r\n", b"-ERR unknown command 'nope', with args beginning with: 'a' \r\n")


def test_a_long_pipeline_keeps_its_order(served: Served) -> None:
    n = 20000
    with served.connect() as client:
        sender = threading.Thread(target=client.sendall, args=(b"*2\r\n$4\r\nINCR\r\n$1\r\nn\r\n" * n,))
        sender.start()
        wanted = b"".join(b":%d\r\n" % i for i in range(1, n + 1))
        assert read(client, len(wanted)) == wanted
        sender.join()
    assert served.engine.stats()["loop_batches"] >= n // 128


def test_values_far_larger_than_the_buffers(served: Served) -> None:
    value = bytes(range(256)) * 40000
    with served.connect() as client:
        client.sendall(
            b"*3\r\n$3\r\nSET\r\n$1\r\nv\r\n$%d\r\n%s\r\n*2\r\n$3\r\nGET\r\n$1\r\nv\r\n" % (len(value), value)
        )
        wanted = b"+OK\r\n$%d\r\n%s\r\n" % (len(value), value)
        assert read(client, len(wanted)) == wanted
        (session,) = served.engine.clients()
        assert session.buffers()["rbs"] == 0


def test_a_request_that_comes_in_pieces(served: Served) -> None:
    with served.connect() as client:
        for byte in b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$5\r\nhello\r\n":
            client.sendall(bytes([byte]))
            time.sleep(0.0005)
        assert read(client, 5) == b"+OK\r\n"
        ask(client, b"get k\r\n", b"$5\r\nhello\r\n")


@pytest.mark.parametrize("bad", [b"*x\r\n", b"*1\r\nfoo\r\n", b"*1\r\n$-5\r\n", b'set "x\r\n'])
def test_a_protocol_error_comes_after_earlier_replies_and_closes(served: Served, bad: bytes) -> None:
    with served.connect() as client:
        client.sendall(b"PING\r\n" + bad + b"PING\r\n")
        assert read(client, 7) == b"+PONG\r\n"
        rest = b""
        while piece := client.recv(4096):
            rest += piece
        assert rest.startswith(b"-ERR Protocol error: ")
        assert rest.count(b"\r\n") == 1


def test_a_browser_is_shown_the_door(served: Served) -> None:
    with served.connect() as client:
        client.sendall(b"POST / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert closed(client)


def test_a_client_that_dies_half_way(served: Served) -> None:
    for _ in range(50):
        client = served.connect()
        client.sendall(b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$100000\r\nabc")
        client.close()
    with served.connect() as client:
        ask(client, b"get k\r\n", b"$-1\r\n")
        deadline = time.monotonic() + 10
        while served.engine.stats()["clients"] != 1 and time.monotonic() < deadline:
            time.sleep(0.01)
        assert served.engine.stats()["clients"] == 1


def test_many_clients_at_once(served: Served) -> None:
    clients = [served.connect() for _ in range(300)]
    for i, client in enumerate(clients):
        client.sendall(b"set k%d %d\r\nget k%d\r\n" % (i, i, i))
    for i, client in enumerate(clients):
        wanted = b"+OK\r\n$%d\r\n%d\r\n" % (len(b"%d" % i), i)
        assert read(client, len(wanted)) == wanted
        client.close()


def test_requests_that_fill_what_is_read_into_to_its_end() -> None:
    """Of one turn, read in the order in which they connected: 31 that leave room for exactly one more read, then that one."""
    one = Served()
    sizes = [16384] * 30 + [15392] + [16384] * 2
    clients = [one.connect() for _ in sizes]
    for client, size in zip(clients, sizes, strict=True):
        client.sendall(b"*3\r\n$3\r\nSET\r\n$2\r\nk1\r\n$%d\r\n%s\r\n" % (size - 31, b"v" * (size - 31)))
    one.thread.start()
    for client in clients:
        assert read(client, 5) == b"+OK\r\n"
        client.close()
    one.engine.stop()
    one.thread.join(20)
    one.engine.close()
    assert one.engine.check() is None


def test_maxclients(served: Served) -> None:
    served.engine.configure(maxclients=1)
    with served.connect() as first:
        ask(first, b"PING\r\n", b"+PONG\r\n")
        with served.connect() as second:
            assert read(second, 36) == b"-ERR max number of clients reached\r\n"
            assert closed(second)


def test_output_limit_closes_a_client_that_does_not_read(served: Served) -> None:
    served.engine.set_output_limit("normal", 1 << 20, 0, 0)
    with served.connect() as client:
        client.sendall(b"*3\r\n$3\r\nSET\r\n$1\r\nv\r\n$1000000\r\n%s\r\n" % (b"x" * 1000000))
        assert read(client, 5) == b"+OK\r\n"
        client.sendall(b"get v\r\n" * 50)
        with pytest.raises((ConnectionError, AssertionError)):
            time.sleep(0.5)
            read(client, 60 << 20)
    assert served.engine.stats()["loop_output_limit_disconnections"] == 1


def test_query_limit(served: Served) -> None:
    served.engine.configure(client_query_buffer_limit=100_000)
    with served.connect() as client, pytest.raises((ConnectionError, AssertionError)):
        client.sendall(b"*3\r\n$3\r\nSET\r\n$1\r\nv\r\n$1000000\r\n%s\r\n" % (b"x" * 1000000))
        read(client, 1)
    assert served.engine.stats()["loop_query_limit_disconnections"] == 1


def test_idle_clients_are_closed_after_the_timeout(served: Served) -> None:
    served.engine.configure(timeout=1)
    with served.connect() as client:
        ask(client, b"PING\r\n", b"+PONG\r\n")
        assert closed(client)


def test_unix_socket(served: Served, tmp_path: Path) -> None:
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(tmp_path / "s"))
    listener.listen()
    served.engine.listen([listener.detach()])
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(tmp_path / "s"))
        ask(client, b"PING\r\n", b"+PONG\r\n")
        assert served.engine.clients()[0].addr == f"{tmp_path}/s:0"


def test_replies_of_python(served: Served) -> None:
    with served.connect() as client:
        ask(client, b"python x\r\nping\r\n", b"*4\r\n$-1\r\n:1\r\n$1\r\nx\r\n:1\r\n+PONG\r\n")
        ask(client, b"python resp3\r\n", b"*4\r\n_\r\n:1\r\n$1\r\nx\r\n#t\r\n")
        ask(client, b"python quit\r\nping\r\n", b"*4\r\n_\r\n:1\r\n$1\r\nx\r\n#t\r\n")
        assert closed(client)


def test_a_failing_handler_is_an_error_and_logged(served: Served, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR), served.connect() as client:
        ask(client, b"python fail\r\nping\r\n", b"-ERR internal error\r\n+PONG\r\n")
    assert "command python failed" in caplog.text


def test_transactions(served: Served) -> None:
    with served.connect() as client, served.connect() as other:
        ask(
            client,
            b"multi\r\nset a 1\r\nincr a\r\nexec\r\n",
            b"+OK\r\n+QUEUED\r\n+QUEUED\r\n*2\r\n+OK\r\n:2\r\n",
        )
        ask(client, b"watch a\r\nmulti\r\n", b"+OK\r\n+OK\r\n")
        ask(other, b"set a 9\r\n", b"+OK\r\n")
        ask(client, b"incr a\r\nexec\r\n", b"+QUEUED\r\n*-1\r\n")
        ask(client, b"get a\r\n", b"$1\r\n9\r\n")
        ask(client, b"watch a\r\nunwatch\r\nmulti\r\n", b"+OK\r\n+OK\r\n+OK\r\n")
        ask(other, b"set a 10\r\n", b"+OK\r\n")
        ask(client, b"incr a\r\nexec\r\n", b"+QUEUED\r\n*1\r\n:11\r\n")
        ask(
            client,
            b"multi\r\nget\r\nexec\r\n",
            b"+OK\r\n-ERR wrong number of arguments for 'get' command\r\n"
            b"-EXECABORT Transaction discarded because of previous errors.\r\n",
        )
        ask(client, b"exec\r\n", b"-ERR EXEC without MULTI\r\n")
        ask(client, b"multi\r\ndiscard\r\ndiscard\r\n", b"+OK\r\n+OK\r\n-ERR DISCARD without MULTI\r\n")
        ask(client, b"watch a\r\nmulti\r\nget a\r\n", b"+OK\r\n+OK\r\n+QUEUED\r\n")
        served.engine.flush()
        ask(client, b"exec\r\n", b"*-1\r\n")
        ask(client, b"watch a\r\nmulti\r\nget a\r\n", b"+OK\r\n+OK\r\n+QUEUED\r\n")
        served.engine.flush()
        ask(client, b"exec\r\n", b"*1\r\n$-1\r\n")
        ask(client, b"watch a b c\r\n", b"+OK\r\n")
    deadline = time.monotonic() + 10
    while served.engine.stats()["watchers"] and time.monotonic() < deadline:
        time.sleep(0.01)
    assert served.engine.stats()["watchers"] == 0


def test_a_watched_key_whose_time_comes(served: Served) -> None:
    with served.connect() as client:
        ask(client, b"set a 1 px 30\r\nwatch a\r\nmulti\r\nping\r\n", b"+OK\r\n+OK\r\n+OK\r\n+QUEUED\r\n")
        time.sleep(0.05)
        ask(client, b"exec\r\n", b"*-1\r\n")


def test_a_watched_key_that_has_expired_when_all_is_flushed(served: Served) -> None:
    served.engine.configure(active_expire=False)
    with served.connect() as client, served.connect() as other:
        ask(client, b"set a 1 px 30\r\nwatch a b\r\n", b"+OK\r\n+OK\r\n")
        ask(other, b"watch a\r\n", b"+OK\r\n")
        time.sleep(0.05)
        ask(other, b"ping\r\n", b"+PONG\r\n")
        served.engine.flush()
        assert served.engine.stats()["watchers"] == 3
        for one in (client, other):
            ask(one, b"multi\r\nping\r\nexec\r\n", b"+OK\r\n+QUEUED\r\n*-1\r\n")


def test_monitor(served: Served) -> None:
    with served.connect() as watcher, served.connect() as client:
        ask(watcher, b"python monitor\r\n", b"*4\r\n$-1\r\n:1\r\n$1\r\nx\r\n:1\r\n")
        ask(client, b'set "a\\n" 1\r\n', b"+OK\r\n")
        line = watcher.recv(1000)
        address = f"127.0.0.1:{client.getsockname()[1]}"
        assert line.endswith(f'[0 {address}] "set" "a\\n" "1"\r\n'.encode())


def test_a_reply_is_skipped(served: Served) -> None:
    with served.connect() as client:
        ask(
            client, b"python skip\r\nset a 1\r\nget a\r\n", b"*4\r\n$-1\r\n:1\r\n$1\r\nx\r\n:1\r\n$1\r\n1\r\n"
        )


def test_pause_holds_writes_back_and_nothing_else(served: Served) -> None:
    with served.connect() as client, served.connect() as other:
        ask(other, b"python pause 300\r\n", b"*4\r\n$-1\r\n:1\r\n$1\r\nx\r\n:1\r\n")
        start = time.monotonic()
        client.sendall(b"set a 1\r\nget a\r\n")
        ask(other, b"get a\r\n", b"$-1\r\n")
        assert read(client, 12) == b"+OK\r\n$1\r\n1\r\n"
        assert time.monotonic() - start >= 0.25


def test_a_killed_client_is_gone(served: Served) -> None:
    with served.connect() as client, served.connect() as other:
        ask(client, b"PING\r\n", b"+PONG\r\n")
        ask(other, b"PING\r\n", b"+PONG\r\n")
        oldest, newest = served.engine.clients()
        assert served.engine.kill(oldest.id)
        assert closed(client)
        assert not served.engine.kill(12345)
        ask(other, b"PING\r\n", b"+PONG\r\n")
        assert newest.addr == f"127.0.0.1:{other.getsockname()[1]}"


def test_threads_and_the_loop_share_the_engine(served: Served) -> None:
    def count() -> None:
        session = served.engine.new_session()
        for _ in range(2000):
            assert served.engine.execute(session, [b"incr", b"n"])[:1] == b":"

    threads = [threading.Thread(target=count) for _ in range(3)]
    with served.connect() as client:
        for thread in threads:
            thread.start()
        for _ in range(500):
            client.sendall(b"incr n\r\n")
            assert client.recv(100)[:1] == b":"
        for thread in threads:
            thread.join()
        ask(client, b"get n\r\n", b"$4\r\n6500\r\n")


def test_statistics(served: Served) -> None:
    served.engine.configure(slowlog_log_slower_than=0)
    with served.connect() as client:
        ask(
            client,
            b"set a 1\r\nget\r\nincr b\r\nget a\r\n",
            b"+OK\r\n-ERR wrong number of arguments for 'get' command\r\n:1\r\n$1\r\n1\r\n",
        )
    calls = {name: numbers[0] for name, numbers in served.engine.command_stats().items()}
    assert calls == {"set": 1, "incr": 1, "get": 1}
    assert served.engine.command_stats()["get"][2] == 1
    assert served.engine.error_stats() == {"ERR": 1}
    assert [entry[2] for entry in served.engine.slowlog_take()] == [
        [b"set", b"a", b"1"],
        [b"incr", b"b"],
        [b"get", b"a"],
    ]
    total, histogram = served.engine.latency_histogram("set")
    assert total == 1
    assert list(histogram.values()) == [1]
    stats = served.engine.stats()
    assert (stats["hits"], stats["misses"]) == (1, 0)


def until_blocked(served: Served, count: int) -> None:
    deadline = time.monotonic() + 20
    while served.engine.stats()["blocked_sessions"] != count:
        assert time.monotonic() < deadline
        time.sleep(0.001)


def test_clients_that_wait_and_what_they_have_sent_behind(served: Served) -> None:
    writer = served.connect()
    clients = [served.connect() for _ in range(40)]
    for at, client in enumerate(clients):
        client.sendall(b"BLPOP a b c 0\r\nBLMOVE d e LEFT RIGHT 0.05\r\nPING\r\nBLPOP f 0\r\n")
        until_blocked(served, at + 1)
        if at % 2:
            client.sendall(b"PING\r\n" * 10_000)  # more than is read at a time, and not before its turn
    for at, client in enumerate(clients):
        writer.sendall(b"RPUSH %c %03d\r\nPING\r\n" % (b"abc"[at % 3], at))
        assert read(writer, 11) == b":1\r\n+PONG\r\n"
        served_now = b"*2\r\n$1\r\n%c\r\n$3\r\n%03d\r\n*-1\r\n+PONG\r\n" % (b"abc"[at % 3], at)
        assert read(client, len(served_now)) == served_now
    until_blocked(served, 40)
    for client in clients[::4]:
        client.close()
    until_blocked(served, 30)
    writer.sendall(b"MULTI\r\nRPUSH f" + b" x" * 35 + b"\r\nLLEN f\r\nEXEC\r\nLLEN f\r\n")
    replies = b"+OK\r\n+QUEUED\r\n+QUEUED\r\n*2\r\n:35\r\n:35\r\n:5\r\n"
    assert read(writer, len(replies)) == replies
    for at, client in enumerate(clients):
        if at % 4:
            popped = b"*2\r\n$1\r\nf\r\n$1\r\nx\r\n" + b"+PONG\r\n" * (10_000 if at % 2 else 0)
            assert read(client, len(popped)) == popped
        client.close()
    until_blocked(served, 0)


def test_the_loop_may_end_while_clients_wait(served: Served) -> None:
    client = served.connect()
    client.sendall(b"BLPOP a 0\r\nPING\r\n")
    until_blocked(served, 1)
