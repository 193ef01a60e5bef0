"""The embedded API: the mapping, redis-py's methods, pipelines, redis-py itself, a server beside it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from datetime import timedelta

import pytest
import redis

import gapless


@pytest.fixture
def store() -> Iterator[gapless.Store]:
    with gapless.open() as opened:
        yield opened
        assert opened.check() is None


def test_mapping(store: gapless.Store) -> None:
    store["a"] = "1"
    store[b"b"] = b"2"
    assert store["a"] == b"1"
    assert b"b" in store
    assert "c" not in store
    assert len(store) == 2
    assert sorted(store) == [b"a", b"b"]
    assert dict(store.items()) == {b"a": b"1", b"b": b"2"}
    del store["a"]
    with pytest.raises(KeyError):
        store["a"]
    with pytest.raises(KeyError):
        del store["a"]
    assert store.pop("b") == b"2"
    store.update({"x": "1", "y": "2"})
    store.clear()
    assert len(store) == 0


def test_get_returns_the_default(store: gapless.Store) -> None:
    assert store.get("missing") is None
    assert store.get("missing", b"other") == b"other"


def test_set_options(store: gapless.Store) -> None:
    assert store.set("k", "1", nx=True) is True
    assert store.set("k", "2", nx=True) is None
    assert store.set("k", "2", xx=True, get=True) == b"1"
    assert store.set("k", "3", ex=timedelta(seconds=5)) is True
    assert store.set("k", "4", keepttl=True)
    assert 4 <= store.ttl("k") <= 5
    with pytest.raises(gapless.ResponseError, match="invalid expire time in 'set' command"):
        store.set("k", "5", ex=0)
    with pytest.raises(gapless.ResponseError, match="syntax error"):
        store.set("k", "5", ex=1, px=1)
    with pytest.raises(TypeError):
        store.set("k", None)  # type: ignore[arg-type]


def test_keys_expire_to_the_millisecond(store: gapless.Store) -> None:
    start = time.monotonic()
    store.set("k", "v", px=30)
    assert store.get("k") == b"v" or time.monotonic() - start > 0.03
    time.sleep(0.04)
    assert store.get("k") is None
    assert "k" not in store
    assert store.ttl("k") == -2
    store["k"] = "v"
    assert store.ttl("k") == -1
    assert store.expire("k", 100)
    assert store.ttl("k") == 100
    assert store.persist("k")
    assert not store.expire("k", 100, xx=True)


def test_numbers(store: gapless.Store) -> None:
    assert store.incr("n") == 1
    assert store.incrby("n", 41) == 42
    assert store.decr("n", 2) == 40
    assert store.incrbyfloat("n", 0.5) == 40.5
    with pytest.raises(gapless.ResponseError, match="not an integer"):
        store.incr("n")
    store["n"] = 2**63 - 1  # type: ignore[assignment]
    with pytest.raises(gapless.ResponseError, match="overflow"):
        store.incr("n")


def test_what_goes_through_commands(store: gapless.Store) -> None:
    store.mset({"a": "x", "b": "y"})
    assert store.mget("a", "missing", "b") == [b"x", None, b"y"]
    assert store.append("a", "yz") == 3
    assert store.getrange("a", 1, 2) == b"yz"
    assert store.setbit("bits", 7, 1) == 0
    assert store.bitcount("bits") == 1
    assert sorted(store.keys("?")) == [b"a", b"b"]
    assert store.getdel("a") == b"xyz"
    saved = store.dump("b")
    assert store.restore("c", 0, saved)
    assert store["c"] == b"y"
    assert store.execute("ECHO", "hello") == b"hello"
    with pytest.raises(gapless.ResponseError, match="unknown command"):
        store.execute("NOSUCH")


def test_pipeline(store: gapless.Store) -> None:
    with store.pipeline() as pipe:
        assert pipe.set("a", "1").incr("a").get("a").execute() == [True, 2, b"2"]
        pipe.set("b", "x").incr("b")
        with pytest.raises(gapless.ResponseError):
            pipe.execute()
        assert len(pipe) == 0


def test_redis_py_works_on_it(store: gapless.Store) -> None:
    for protocol in (2, 3):
        client = store.redis(protocol=protocol, decode_responses=True)
        client.flushall()
        assert client.set("k", "v", ex=10)
        assert client.get("k") == "v"
        assert store["k"] == b"v"
        with client.pipeline() as pipe:
            pipe.watch("k")
            pipe.multi()
            pipe.get("k")
            pipe.strlen("k")
            assert pipe.execute() == ["v", 1]
        with client.pipeline() as pipe:
            pipe.watch("k")
            store["k"] = "changed"
            pipe.multi()
            pipe.get("k")
            with pytest.raises(redis.WatchError):
                pipe.execute()
        with pytest.raises(redis.ResponseError):
            client.incr("k")
        client.close()


def test_asyncio_redis_works_on_it(store: gapless.Store) -> None:
    async def use() -> None:
        client = store.aioredis()
        assert await client.set("k", b"v" * 100_000)
        assert await client.get("k") == b"v" * 100_000
        async with client.pipeline() as pipe:
            assert await pipe.set("a", 1).incr("a").execute() == [True, 2]
        await client.aclose()

    asyncio.run(use())


def test_serve_lets_clients_look_inside(store: gapless.Store) -> None:
    store["k"] = "v"
    client = redis.Redis(port=store.serve(0))
    assert client.get("k") == b"v"
    client.set("other", "w")
    assert store["other"] == b"w"
    with pytest.raises(RuntimeError):
        store.serve(0)
    client.close()


def test_mset_sets_all_or_nothing() -> None:
    with gapless.open(maxmemory=8 << 20) as store:
        store["kept"] = b"before"
        for value in (b"v" * 300_000, b"v" * 100):
            large = {f"key:{number}": value for number in range(9_000_000 // len(value))}
            with pytest.raises(gapless.OutOfMemoryError):
                store.mset({"kept": b"after"} | large)
            assert list(store) == [b"kept"]
            assert store["kept"] == b"before"
        assert store.mset({"kept": b"after", "more": b"v" * 1_000_000})


def test_maxmemory() -> None:
    with gapless.open(maxmemory=8 << 20) as store:
        with pytest.raises(gapless.OutOfMemoryError):
            for number in range(200_000):
                store[b"%d" % number] = b"x" * 100
        assert store.get(b"0") == b"x" * 100
        assert store.check() is None
    with gapless.open(maxmemory=8 << 20, policy="allkeys-lru") as store:
        for number in range(200_000):
            store[b"%d" % number] = b"x" * 100
        assert store.memory()["bytes_committed"] <= 8 << 20
        assert store.stats()["evicted"] > 0
        assert store.check() is None


def test_memory_is_given_back(store: gapless.Store) -> None:
    for number in range(100_000):
        store[b"%d" % number] = b"x" * 100
    store.clear()
    while store.background():
        pass
    # The segment that is open for writing stays.
    assert store.stats()["segments"] <= 1
    assert store.memory()["bytes_live"] == 0


def test_closed() -> None:
    store = gapless.open()
    store.close()
    store.close()
    for use in (lambda: store["k"], lambda: len(store), lambda: store.execute("PING"), store.clear):
        with pytest.raises(gapless.ClosedError):
            use()


def test_keys_in_order() -> None:
    with gapless.open(ordered_keys=True) as store:
        names = [*sorted(f"user:{number}".encode() for number in range(1000)), b"z"]
        store.mset(dict.fromkeys(names, b"v"))
        assert list(store.range()) == names
        assert list(store.range(reverse=True)) == names[::-1]
        assert list(store.range("user:5", b"user:6")) == [name for name in names if name[:6] == b"user:5"]
        assert list(store.prefix("user:99")) == [b"user:99", *(f"user:99{n}".encode() for n in range(10))]
        assert list(store.prefix("user:99", reverse=True)) == list(store.prefix("user:99"))[::-1]
        assert list(store.prefix("")) == names
        store.set(b"\xff\xff", b"v")
        assert list(store.prefix(b"\xff")) == [b"\xff\xff"]
        walk = store.range()
        assert next(walk) == names[0]
        store.delete(*names[:990])
        store["zz"] = b"new"
        assert [name for name in walk if name > names[300]] == [*names[990:], b"zz", b"\xff\xff"]
        store.flushdb()
        assert list(store.range()) == []
        assert store.check() is None


def test_keys_are_in_no_order_unless_asked_for(store: gapless.Store) -> None:
    store["a"] = b"1"
    assert not store.ordered_keys
    with pytest.raises(gapless.ResponseError, match="ordered-keys is no"):
        next(store.range())
    store.ordered_keys = True
    while store.background():
        pass
    assert store.ordered_keys
    assert list(store.range()) == [b"a"]
