"""Store's methods against redis-py's own: names, arguments and their defaults, and what they return."""

from __future__ import annotations

import inspect
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
import redis

import gapless
from gapless.commands.table import COMMANDS

# Arguments of Redis 8.4 and later, and of redis-py's cluster.
NEWER = {"set": {"ifeq", "ifne", "ifdeq", "ifdne"}}
GROUPS = ("string", "bitmap", "generic")
METHODS = [
    *sorted({"del": "delete"}.get(row.name, row.name) for row in COMMANDS if row.group in GROUPS),
    *("scan_iter", "dbsize", "flushdb", "flushall", "swapdb"),
]


def parameters(function: Callable[..., Any], name: str) -> list[tuple[str, object, object]]:
    return [
        (each.name, each.default, each.kind)
        for each in inspect.signature(function).parameters.values()
        if each.name != "self"
        and each.name not in NEWER.get(name, ())
        and not (each.kind is each.VAR_KEYWORD and each.name == "kwargs")
    ]


@pytest.mark.parametrize("name", METHODS)
def test_arguments_are_redis_py_s(name: str) -> None:
    theirs = parameters(getattr(redis.Redis, name), name)
    ours = parameters(getattr(gapless.Store, name), name)
    if name == "get":
        # The mapping's default comes after redis-py's arguments.
        assert ours.pop()[:2] == ("default", None)
    assert ours == theirs


LATER = datetime.now() + timedelta(days=1)  # local time, as redis-py reads it
CALLS: list[tuple[Any, ...]] = [
    ("set", "k", "v"), ("set", "k", 5, {"ex": 10}), ("set", "k", 1.5, {"px": timedelta(seconds=5)}),
    ("set", "k", b"v", {"nx": True}), ("set", "k", "w", {"xx": True, "get": True}), ("set", "n", "v", {"get": True}),
    ("set", "k", "v", {"exat": LATER}), ("set", "k", "v", {"pxat": LATER}), ("set", "k", "v", {"keepttl": True}),
    ("get", "k"), ("get", "missing"), ("getset", "k", "w"), ("getset", "missing", "w"), ("getdel", "k"),
    ("getex", "k"), ("getex", "k", {"ex": 10}), ("getex", "k", {"px": timedelta(seconds=5)}),
    ("getex", "k", {"exat": LATER}), ("getex", "k", {"persist": True}), ("setex", "k", 10, "v"),
    ("setex", "k", timedelta(seconds=5), "v"), ("psetex", "k", 10_000, "v"), ("setnx", "k", "v"), ("setnx", "n", "v"),
    ("append", "k", "v"), ("strlen", "k"), ("setrange", "k", 3, "v"), ("getrange", "k", 0, -1), ("substr", "k", 1),
    ("incr", "i"), ("incrby", "i", 5), ("decr", "i"), ("decrby", "i", 5), ("incrbyfloat", "i", 0.25),
    ("incrbyfloat", "i"), ("mset", {"a": 1, "b": 2}), ("msetnx", {"a": 1, "x": 2}), ("msetnx", {"y": 1, "x": 2}),
    ("mget", "a", "b", "missing"), ("mget", ["a", "missing"]), ("lcs", "k", "i"), ("lcs", "k", "i", {"len": True}),
    ("lcs", "k", "k", {"idx": True, "minmatchlen": 1, "withmatchlen": True}),
    ("setbit", "bits", 7, 1), ("getbit", "bits", 7), ("bitcount", "bits"), ("bitcount", "bits", 0, 3, "BIT"),
    ("bitpos", "bits", 1), ("bitpos", "bits", 0, 0, -1, "BIT"), ("bitop", "NOT", "d", "bits"),
    ("bitfield_ro", "bits", "u8", 0), ("bitfield_ro", "bits", "u8", 0, [("u4", "#1")]),
    ("exists", "a", "k", "a"), ("delete", "a"), ("delete", "missing"), ("unlink", "k", "b"), ("touch", "k", "missing"),
    ("expire", "k", 100), ("expire", "k", timedelta(hours=1), {"nx": True}), ("expire", "k", 50, {"gt": True}),
    ("expire", "missing", 5), ("pexpire", "k", 5000), ("expireat", "k", LATER), ("pexpireat", "k", LATER, {"lt": True}),
    ("expireat", "t", int(time.time()) - 10), ("ttl", "k"), ("ttl", "missing"), ("ttl", "long"), ("pttl", "k"),
    ("expiretime", "at"), ("pexpiretime", "at"), ("expiretime", "k"), ("persist", "long"), ("persist", "k"),
    ("rename", "k", "z"), ("renamenx", "k", "i"), ("renamenx", "k", "z"), ("copy", "k", "z"), ("copy", "k", "i"),
    ("copy", "k", "i", {"replace": True}), ("copy", "k", "k2", 1), ("move", "k", 1), ("move", "missing", 1),
    ("type", "k"), ("type", "missing"), ("keys", "?"), ("keys",), ("object", "encoding", "i"), ("object", "refcount", "k"),
    ("dump", "k"), ("dump", "missing"), ("wait", 0, 1), ("waitaof", 0, 0, 1), ("dbsize",), ("swapdb", 0, 1), ("flushdb",),
    ("flushall",),
    # errors
    ("incr", "k"), ("set", "k", "v", {"ex": 0}), ("rename", "missing", "z"),
    ("incr", "i", 1 << 70), ("setrange", "k", -1, "v"), ("expire", "k", 5, {"nx": True, "gt": True}), ("copy", "k", "k"),
    ("setex", "k", 0, "v"), ("bitop", "NOT", "d", "a", "b"), ("setbit", "k", 1 << 40, 1), ("swapdb", 0, 99),
]  # fmt: skip


def fill(client: redis.Redis) -> None:
    client.flushall()
    client.mset({"k": "value", "i": 10, "a": "1", "b": "2", "bits": b"\x0f"})
    client.set("long", "v", ex=1000)
    client.set("at", "v", exat=4_000_000_000)
    client.set("t", "v")


def everything(client: redis.Redis) -> dict[bytes, bytes]:
    keys = client.keys()
    return dict(zip(keys, map(client.dump, keys), strict=True))


def result(call: tuple[Any, ...], on: Any) -> Any:
    name, *args = call
    options = args.pop() if args and isinstance(args[-1], dict) and name not in ("mset", "msetnx") else {}
    try:
        value = getattr(on, name)(*args, **options)
    except (redis.RedisError, gapless.GaplessError) as error:
        text = str(error)
        return "error", text.removeprefix("ERR ")
    return sorted(value) if name == "keys" else value


@pytest.fixture
def store() -> Iterator[gapless.Store]:
    with gapless.open() as opened:
        yield opened
        assert opened.check() is None


@pytest.mark.parametrize("call", CALLS, ids=str)
def test_results_are_redis_py_s(store: gapless.Store, call: tuple[Any, ...]) -> None:
    client = store.redis()
    fill(client)
    theirs = result(call, client)
    after = everything(client)
    fill(client)
    ours = result(call, store)
    if call[0] in ("pttl", "getex"):
        assert type(ours) is type(theirs)
    else:
        assert (ours, type(ours)) == (theirs, type(theirs))
    assert everything(client) == after


def test_bitfield_builds_as_redis_py_s(store: gapless.Store) -> None:
    assert store.bitfield("b").incrby("u8", 0, 255).incrby("u8", 0, 1).get("u4", 4).execute() == [255, 0, 0]
    assert store.bitfield("b", default_overflow="SAT").incrby("u8", 0, 300).execute() == [255]
    pipe = store.pipeline()
    pipe.bitfield("b").set("u8", 0, 7).execute()
    assert pipe.get("b").execute() == [[255], b"\x07"]


def test_restore_takes_what_dump_gave(store: gapless.Store) -> None:
    store["k"] = "v"
    saved = store.dump("k")
    assert saved is not None
    assert store.restore("other", 10_000, saved, idletime=5) == b"OK"
    assert store.ttl("other") == 10
    with pytest.raises(gapless.ResponseError, match="BUSYKEY"):
        store.restore("other", 0, saved)
    assert store.restore("other", 0, saved, replace=True) == b"OK"


def test_every_command_can_be_queued(store: gapless.Store) -> None:
    pipe = store.pipeline()
    assert pipe.set("k", 1).execute_command("APPEND", "k", 2).incr("k").delete("k").execute() == [
        True,
        2,
        13,
        1,
    ]
    for name in ("close", "serve", "redis", "nosuch", "items"):
        with pytest.raises(AttributeError, match="execute_command"):
            getattr(pipe, name)


def test_an_error_says_which_command_of_the_pipeline(store: gapless.Store) -> None:
    pipe = store.pipeline().set("k", "x").incr("k").set("k", "y")
    with pytest.raises(gapless.ResponseError) as caught:
        pipe.execute()
    assert caught.value.__notes__ == ["command 2 of the pipeline: incr('k',)"]
    assert store["k"] == b"y"
    first, second = store.pipeline(transaction=False).incr("k").get("k").execute(raise_on_error=False)
    assert isinstance(first, gapless.ResponseError)
    assert second == b"y"
