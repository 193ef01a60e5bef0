"""redis-py as applications use it: both protocols, its own parser and hiredis's, TCP and Unix sockets."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
import redis
from redis._parsers import _HiredisParser, _RESP2Parser, _RESP3Parser
from redis.backoff import NoBackoff
from redis.connection import ConnectionPool, UnixDomainSocketConnection
from redis.retry import Retry

from tests.support.server import Server

PARSERS: dict[str, dict[int, Any]] = {
    "python": {2: _RESP2Parser, 3: _RESP3Parser},
    "hiredis": {2: _HiredisParser, 3: _HiredisParser},
}

ONCE = Retry(NoBackoff(), 0)

Client = Any
"""A redis.Redis; its own annotations describe both the sync and the asyncio client at once."""


@pytest.fixture(params=[2, 3], ids=["RESP2", "RESP3"])
def protocol(request: pytest.FixtureRequest) -> int:
    number: int = request.param
    return number


@pytest.fixture(params=["python", "hiredis"])
def pool(request: pytest.FixtureRequest, server: Server, protocol: int) -> Iterator[ConnectionPool]:
    pool = ConnectionPool(
        host="127.0.0.1",
        port=server.port,
        protocol=protocol,
        parser_class=PARSERS[request.param][protocol],
        socket_timeout=5,
    )
    yield pool
    pool.disconnect()


@pytest.fixture
def client(pool: ConnectionPool) -> Client:
    return redis.Redis(connection_pool=pool)


def test_values(client: Client) -> None:
    assert client.set("k", b"\x00\xff\r\n") is True
    assert client.get("k") == b"\x00\xff\r\n"
    assert client.get("missing") is None
    assert client.set("k", "w", nx=True) is None
    assert client.set("k", "w", xx=True, get=True) == b"\x00\xff\r\n"
    assert client.set("n", 5, ex=100) is True
    assert 0 < client.ttl("n") <= 100
    assert client.incr("n", 37) == 42
    assert client.incrbyfloat("n", 0.5) == 42.5
    assert client.append("k", "xyz") == 4
    assert client["k"] == b"wxyz"
    assert client.getrange("k", 1, 2) == b"xy"
    assert client.mset({"a": 1, "b": 2})
    assert client.mget("a", "missing", "b") == [b"1", None, b"2"]
    assert client.msetnx({"a": 1, "z": 2}) in (0, False)
    assert client.getdel("a") == b"1"
    assert client.getex("b", px=100_000) == b"2"
    assert 0 < client.pttl("b") <= 100_000
    assert client.strlen("k") == 4
    assert client.lcs("k", "k", len=True) == 4
    assert client.delete("k", "n", "missing") == 2
    assert sorted(client.keys()) == [b"b"]
    client.set("big", b"x" * 3_000_000)
    assert client.get("big") == b"x" * 3_000_000


def test_bits(client: Client) -> None:
    assert client.setbit("bits", 7, 1) == 0
    assert client.getbit("bits", 7) == 1
    assert client.bitcount("bits") == 1
    assert client.bitpos("bits", 1) == 7
    assert client.bitop("NOT", "other", "bits") == 1
    assert client.get("other") == b"\xfe"
    assert client.bitfield("bits").set("u8", 8, 255).get("u8", 8).incrby("u8", 8, 1, "SAT").execute() == [
        0,
        255,
        255,
    ]


def test_keys(client: Client) -> None:
    client.set("a", 1)
    assert client.exists("a", "a", "b") == 2
    assert client.type("a") == b"string"
    assert client.rename("a", "b") is True
    assert client.expire("b", 1000)
    assert client.expiretime("b") > time.time()
    assert client.persist("b")
    assert client.ttl("b") == -1
    assert client.copy("b", "c")
    assert client.dbsize() == 2
    assert client.randomkey() in (b"b", b"c")
    payload = client.dump("b")
    assert isinstance(payload, bytes)
    assert client.restore("d", 0, payload)
    assert client.get("d") == b"1"
    assert client.touch("b", "c") == 2
    assert client.unlink("b") == 1
    assert client.object("encoding", "c") in (b"int", "int")
    with pytest.raises(redis.ResponseError, match="no such key"):
        client.rename("missing", "x")


def test_scan_iter(client: Client) -> None:
    wanted = {f"key:{i}".encode() for i in range(2000)}
    client.mset(dict.fromkeys(wanted, 1))
    client.set("other", 1)
    assert set(client.scan_iter("key:*", count=50)) == wanted
    assert set(client.scan_iter()) == wanted | {b"other"}
    assert set(client.scan_iter(_type="string")) == wanted | {b"other"}


@pytest.mark.parametrize("transaction", [True, False])
def test_pipeline(client: Client, transaction: bool) -> None:
    with client.pipeline(transaction=transaction) as pipe:
        pipe.set("a", 1).incr("a").get("a").ttl("a")
        assert pipe.execute() == [True, 2, b"2", -1]
        pipe.set("s", "text").incr("s").set("after", 1)
        with pytest.raises(redis.ResponseError, match=r"(?s)INCR.*s.*not an integer"):
            pipe.execute()
        assert client.get("after") == b"1"
        pipe.incr("s").get("a")
        first, second = pipe.execute(raise_on_error=False)
        assert isinstance(first, redis.ResponseError)
        assert second == b"2"
        for i in range(5000):
            pipe.set(f"k{i}", i)
        assert pipe.execute() == [True] * 5000
    assert client.dbsize() == 5003


def test_pipeline_that_aborts(client: Client) -> None:
    with client.pipeline() as pipe:
        pipe.set("a", 1)
        pipe.execute_command("NONSENSE")
        with pytest.raises(redis.ResponseError, match="unknown command"):
            pipe.execute()
    assert client.exists("a") == 0


def test_watch_error(client: Client) -> None:
    client.set("a", 1)
    with client.pipeline() as pipe:
        pipe.watch("a")
        client.set("a", 2)
        pipe.multi()
        pipe.set("a", 3)
        with pytest.raises(redis.WatchError):
            pipe.execute()
    assert client.get("a") == b"2"


def test_watch_loop_counts_right(client: Client) -> None:
    """Threads that read, add one and write, and start over when another was faster."""
    threads, rounds = 4, 25

    def add_one(pipe: Any) -> None:
        value = int(pipe.get("counter") or 0)
        pipe.multi()
        pipe.set("counter", value + 1)

    def work() -> None:
        for _ in range(rounds):
            client.transaction(add_one, "counter")

    workers = [threading.Thread(target=work) for _ in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert client.get("counter") == str(threads * rounds).encode()


def test_what_the_client_says_of_itself(client: Client) -> None:
    client.client_setname("tester")
    assert client.client_getname() in (b"tester", "tester")
    info = client.client_info()
    assert info["lib-name"].startswith("redis-py")
    assert info["name"] == "tester"
    assert str(info["db"]) == "0"
    mine = client.client_id()
    assert [row["id"] for row in client.client_list(client_id=[mine])] == [str(mine)]
    assert client.client_list()


def test_server_commands(client: Client) -> None:
    assert client.ping() is True
    assert client.echo("x") == b"x"
    info = client.info()
    assert info["redis_version"].startswith("8.2")
    assert isinstance(info["used_memory"], int)
    assert isinstance(info["mem_fragmentation_ratio"], float)
    assert client.info("keyspace") == {}
    client.set("a", 1)
    assert client.info("keyspace")["db0"]["keys"] == 1
    assert client.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}
    assert client.config_set("maxmemory-policy", "allkeys-lru") is True
    assert client.config_set("maxmemory-policy", "noeviction") is True
    with pytest.raises(redis.ResponseError, match="CONFIG SET failed"):
        client.config_set("maxmemory-policy", "nonsense")
    assert abs(client.time()[0] - time.time()) < 10
    commands = client.command()
    assert commands["get"]["arity"] == 2
    assert client.command_count() == len(commands)
    assert client.command_getkeys("MSET", "a", 1, "b", 2) in ([b"a", b"b"], ["a", "b"])
    assert isinstance(client.memory_stats(), dict)
    assert client.memory_usage("a") > 0
    assert client.slowlog_reset() is True
    assert isinstance(client.slowlog_len(), int)
    assert isinstance(client.slowlog_get(), list)
    assert client.latency_latest() == []
    assert client.config_resetstat() is True
    assert client.swapdb(0, 1) is True
    assert client.dbsize() == 0
    assert client.flushall(asynchronous=True) is True
    assert client.wait(0, 0) == 0


def test_slow_commands_are_logged(client: Client) -> None:
    client.config_set("slowlog-log-slower-than", 0)
    client.slowlog_reset()
    client.set("slow", "v")
    entries = client.slowlog_get()
    client.config_set("slowlog-log-slower-than", 10_000)
    commands = [entry["command"] for entry in entries]
    assert b"SET slow v" in commands
    assert all(entry["duration"] >= 0 and entry["id"] >= 0 for entry in entries)


def test_monitor(client: Client) -> None:
    with client.monitor() as monitor:
        client.set("a", "b c")
        while not (line := monitor.next_command())["command"].startswith("SET "):
            pass
        assert line["command"] == "SET a b c"
        assert line["db"] == 0
        assert line["client_address"] == "127.0.0.1"


def test_decoded_responses(server: Server, protocol: int) -> None:
    with redis.Redis(port=server.port, protocol=protocol, decode_responses=True) as client:
        client.set("ключ", "значение")
        assert client.get("ключ") == "значение"
        assert client.keys() == ["ключ"]
        assert client.type("ключ") == "string"
        assert "redis_version" in client.info()


def test_databases(server: Server, protocol: int) -> None:
    with (
        redis.Redis(port=server.port, protocol=protocol, db=0) as zero,
        redis.Redis(port=server.port, protocol=protocol, db=9) as nine,
    ):
        zero.set("a", 0)
        nine.set("a", 9)
        assert (zero.get("a"), nine.get("a")) == (b"0", b"9")
        assert zero.move("a", 9) in (0, False)
        assert str(nine.client_info()["db"]) == "9"
    with pytest.raises(redis.ResponseError, match="out of range"):
        redis.Redis(port=server.port, protocol=protocol, db=99).ping()


def test_unix_socket(server: Server, protocol: int) -> None:
    pool = ConnectionPool(
        connection_class=UnixDomainSocketConnection, path=server.unix_socket, protocol=protocol
    )
    client: Client = redis.Redis(connection_pool=pool)
    client.set("a", 1)
    assert client.get("a") == b"1"
    assert client.client_info()["addr"].startswith(server.unix_socket)
    pool.disconnect()


def test_pool_of_connections(server: Server, protocol: int) -> None:
    pool: Any = redis.connection.BlockingConnectionPool(
        port=server.port, protocol=protocol, max_connections=5, timeout=10
    )
    client = redis.Redis(connection_pool=pool)

    def work() -> None:
        for _ in range(200):
            client.incr("n")

    workers = [threading.Thread(target=work) for _ in range(12)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert client.get("n") == b"2400"
    pool.disconnect()


def test_password(locked: Server, protocol: int) -> None:
    with pytest.raises(redis.AuthenticationError, match=r"(?i)authenticat"):
        redis.Redis(port=locked.port, protocol=protocol, retry=ONCE).get("a")
    with pytest.raises(redis.AuthenticationError, match="invalid username-password pair"):
        redis.Redis(port=locked.port, protocol=protocol, password="wrong", retry=ONCE).ping()
    with redis.Redis(port=locked.port, protocol=protocol, password="secret") as client:
        assert client.ping() is True
    with redis.Redis(port=locked.port, protocol=protocol, username="default", password="secret") as client:
        assert client.set("a", 1) is True
    with redis.from_url(f"redis://:secret@127.0.0.1:{locked.port}/3?protocol={protocol}") as client:
        assert str(client.client_info()["db"]) == "3"


def test_timeout_and_reconnection(server: Server, protocol: int) -> None:
    with redis.Redis(port=server.port, protocol=protocol, socket_timeout=0.2, retry=ONCE) as client:
        client.set("a", 1)
        with pytest.raises(redis.TimeoutError):
            client.execute_command("DEBUG", "SLEEP", "0.6")
        time.sleep(0.6)
        assert client.get("a") == b"1"


def test_killed_connection_is_opened_anew(client: Client, pool: ConnectionPool, server: Server) -> None:
    connection: Any = pool.get_connection()
    connection.send_command("CLIENT", "ID")
    victim = connection.read_response()
    pool.release(connection)
    with redis.Redis(port=server.port) as killer:
        killer.client_kill_filter(_id=str(victim))
    assert client.set("a", 1) is True


def test_health_check(server: Server, protocol: int) -> None:
    with redis.Redis(port=server.port, protocol=protocol, health_check_interval=1) as client:
        client.set("a", 1)
        time.sleep(1.2)
        assert client.get("a") == b"1"


def test_commands_that_wait(client: Client) -> None:
    got: list[Any] = []

    def wait() -> None:
        got.append(client.blpop(["other", "queue"], timeout=4))
        got.append(client.brpop("queue", timeout=4))
        got.append(client.blmove("queue", "done", 4, "LEFT", "RIGHT"))
        got.append(client.brpoplpush("queue", "done", 4))
        got.append(client.blmpop(4, 2, "other", "queue", direction="LEFT", count=2))

    thread = threading.Thread(target=wait)
    thread.start()
    for elements in (["a"], ["b"], ["c"], ["d"], ["e", "f", "g"]):
        time.sleep(0.02)
        client.rpush("queue", *elements)
    thread.join()
    pairs = [tuple(each) for each in got[:2]]
    assert pairs == [(b"queue", b"a"), (b"queue", b"b")]
    assert got[2:] == [b"c", b"d", [b"queue", [b"e", b"f"]]]
    assert client.lrange("done", 0, -1) == [b"d", b"c"]
    assert client.blpop("nothing", timeout=0.02) is None
    assert client.blmove("nothing", "done", 0.02) is None
    with pytest.raises(redis.ResponseError, match="timeout is negative"):
        client.blpop("nothing", timeout=-1)
