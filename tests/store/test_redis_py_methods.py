"""Store's methods against redis-py's own: names, arguments and their defaults, and what they return."""

from __future__ import annotations

import ast
import inspect
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import redis

import gapless
from gapless.commands.table import COMMANDS
from gapless.engine.store_core import StoreCore
from gapless.methods import GROUPS, command_of, redis_py_methods

# Arguments of Redis 8.4 and later.
NEWER = {"set": {"ifeq", "ifne", "ifdeq", "ifdne"}}
COMPILED = [name for name in redis_py_methods() if hasattr(StoreCore, name)]
STUB = ast.parse((Path(gapless.__file__).parent / "methods.pyi").read_text())
TYPED = {
    function.name: [arg.arg for arg in function.args.args + function.args.kwonlyargs]
    for part in STUB.body
    if isinstance(part, ast.ClassDef)
    for function in part.body
    if isinstance(function, ast.FunctionDef)
}


def parameters(function: Callable[..., Any], name: str) -> list[tuple[str, object, object]]:
    return [
        (each.name, each.default, each.kind)
        for each in inspect.signature(function).parameters.values()
        if each.name != "self"
        and each.name not in NEWER.get(name, ())
        and not (each.kind is each.VAR_KEYWORD and each.name == "kwargs")
    ]


@pytest.mark.parametrize("name", [*COMPILED, "scan_iter", "dbsize", "flushdb", "flushall", "swapdb"])
def test_arguments_of_the_compiled_are_redis_py_s(name: str) -> None:
    theirs = parameters(getattr(redis.Redis, name), name)
    ours = parameters(getattr(gapless.Store, name), name)
    if name == "get":
        # The mapping's default comes after redis-py's arguments.
        assert ours.pop()[:2] == ("default", None)
    if name == "set":
        # Without a value it is the set under the name.
        assert ours[1][1] is ...
        ours[1] = theirs[1]
    assert ours == theirs


def test_every_command_has_its_method_and_every_method_its_type() -> None:
    named = {command_of(name).partition("|")[0] for name in redis_py_methods()}
    # redis-py has no method of these.
    without = {"object", "xsetid", "keyrange", "geosearch_ro", "georadius_ro", "georadiusbymember_ro", "pfdebug", "pfselftest"}
    for row in COMMANDS:
        if row.group in GROUPS and not row.name.startswith("georadius") and row.name not in without:
            assert row.name in named, row.name
    for name, function in redis_py_methods().items():
        if name not in COMPILED and name not in ("scan_iter", "keys"):
            ours = [each for each in TYPED[name] if each != "self"]
            assert ours == [each for each, _, kind in parameters(function, name) if kind not in (2, 4)], name


def test_redis_py_comes_when_it_is_needed_and_not_before() -> None:
    program = (
        "import sys, gapless; s = gapless.open(); s.hset('h', 'f', 1); s.execute('HGETALL', 'h');"
        "print(s.hash('h'), s.set('s'), s.set('s') == set(), s.hash('h').setdefault('g', 1), s.hash('h').pop('g'));"
    )
    for further, there in (("", False), ("s.hgetall('h')", True)):
        run = [sys.executable, "-c", f"{program} {further}\nsys.exit('redis' in sys.modules)"]
        assert subprocess.run(run, check=False).returncode == there


# Local time, as redis-py reads it; the same the whole day, since the names of tests have it.
LATER = datetime.combine(datetime.now().date(), datetime.min.time()) + timedelta(days=2)
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
    ("expireat", "t", 1_500_000_000), ("ttl", "k"), ("ttl", "missing"), ("ttl", "long"), ("pttl", "k"),
    ("expiretime", "at"), ("pexpiretime", "at"), ("expiretime", "k"), ("persist", "long"), ("persist", "k"),
    ("rename", "k", "z"), ("renamenx", "k", "i"), ("renamenx", "k", "z"), ("copy", "k", "z"), ("copy", "k", "i"),
    ("copy", "k", "i", {"replace": True}), ("copy", "k", "k2", 1), ("move", "k", 1), ("move", "missing", 1),
    ("type", "k"), ("type", "missing"), ("keys", "?"), ("keys",), ("object", "encoding", "i"), ("object", "refcount", "k"),
    ("dump", "k"), ("dump", "missing"), ("wait", 0, 1), ("waitaof", 0, 0, 1), ("dbsize",), ("swapdb", 0, 1), ("flushdb",),
    ("flushall",),
    ("hset", "h", "f", "v"), ("hset", "h", "new", 5), ("hset", "h", None, None, {"x": 1, "f": 2}),
    ("hset", "h", {"items": ["x", 1, "y", 2]}), ("hset", "h"), ("hget", "h", "f"), ("hget", "h", "no"),
    ("hget", "no", "f"), ("hdel", "h", "f"), ("hdel", "h", "f", "g", "no"), ("hexists", "h", "f"), ("hexists", "h", "no"),
    ("hlen", "h"), ("hgetall", "h"), ("hgetall", "no"), ("hkeys", "h"), ("hvals", "h"), ("hincrby", "h", "n", 5),
    ("hincrbyfloat", "h", "n", 0.5), ("hmget", "h", ["f", "no"]), ("hmget", "h", "f", "g"), ("hsetnx", "h", "f", "w"),
    ("hmset", "h", {"f": 1}), ("hstrlen", "h", "f"), ("hscan", "h"), ("hscan", "h", 0, "f*", 5),
    ("hscan", "h", {"no_values": True}), ("hrandfield", "h", 10), ("hrandfield", "h", 10, True), ("hgetdel", "h", "f", "no"),
    ("hgetex", "h", "f", {"ex": 10}), ("hsetex", "h", "f", "w", {"px": timedelta(seconds=5)}), ("hexpire", "h", 100, "f", "no"),
    ("hpexpire", "h", timedelta(seconds=9), "f"), ("hexpireat", "h", LATER, "f"), ("httl", "h", "f", "no"),
    ("hpersist", "h", "f"), ("hexpiretime", "h", "f"), ("hincrby", "h", "f"), ("hget", "k", "f"), ("hset", "k", "f", "v"),
    ("sadd", "s", "a"), ("sadd", "s", "d", "e", 5), ("sadd", "s"), ("srem", "s", "a"), ("srem", "s", "a", "b", "z"),
    ("sismember", "s", "a"), ("sismember", "s", "z"), ("smismember", "s", "a", "z"), ("scard", "s"), ("smembers", "s"),
    ("smembers", "no"), ("sinter", "s", "s2"), ("sunion", ["s", "s2"]), ("sdiff", "s", "s2"), ("sinterstore", "d", "s", "s2"),
    ("sunionstore", "d", "s", "s2"), ("sdiffstore", "d", ["s", "s2"]), ("sintercard", 2, ["s", "s2"]), ("smove", "s", "s2", "a"),
    ("smove", "s", "s2", "z"), ("spop", "s", 10), ("spop", "no"), ("srandmember", "s", 10), ("sscan", "s"),
    ("sscan", "s", 0, "a*"), ("sadd", "k", "a"),
    ("rpush", "l", "v"), ("rpush", "l", 1, 2.5, b"x"), ("rpush", "l"), ("lpush", "l", "v"), ("lpush", "no", "v", "w"),
    ("lpushx", "l", "v"), ("rpushx", "no", "v"), ("lpop", "l"), ("lpop", "no"), ("lpop", "l", 2), ("lpop", "no", 2),
    ("rpop", "l"), ("rpop", "l", 10), ("lindex", "l", 0), ("lindex", "l", -1), ("lindex", "l", 99), ("lindex", "no", 0),
    ("llen", "l"), ("lrange", "l", 0, -1), ("lrange", "no", 0, -1), ("lset", "l", 1, "w"), ("lset", "l", 99, "w"),
    ("lset", "no", 0, "w"), ("linsert", "l", "before", "b", "w"), ("linsert", "l", "after", "no", "w"), ("lrem", "l", 0, "a"),
    ("ltrim", "l", 1, 2), ("lpos", "l", "a"), ("lpos", "l", "a", {"count": 0}), ("lpos", "l", "z"), ("lpos", "l", "z", {"count": 1}),
    ("lmove", "l", "l2", "LEFT", "RIGHT"), ("lmove", "no", "l2"), ("rpoplpush", "l", "l2"), ("lmpop", 2, "no", "l", {"direction": "LEFT"}),
    ("lmpop", 1, "l", {"direction": "RIGHT", "count": 2}), ("blpop", ["no", "l"], 1), ("brpop", "l", 1), ("blpop", "no", 0.01),
    ("blmove", "l", "l2", 1), ("brpoplpush", "l", "l2", 1), ("blmpop", 1, 1, "l", {"direction": "LEFT"}), ("rpush", "k", "v"),
    ("zadd", "z", {"a": 5}), ("zadd", "z", {"new": 1.5}), ("zadd", "z", {"x": 1, "y": "2"}), ("zadd", "z", {}),
    ("zadd", "z", {"a": 9}, {"xx": True, "ch": True}), ("zadd", "z", {"a": 9}, {"incr": True}), ("zadd", "z", {"a": 9}, {"nx": True}),
    ("zadd", "z", {"a": 0}, {"gt": True}), ("zadd", "z", {"a": 1}, {"nx": True, "xx": True}), ("zscore", "z", "a"), ("zscore", "z", "no"),
    ("zscore", "no", "a"), ("zmscore", "z", ["a", "no"]), ("zrem", "z", "a"), ("zrem", "z", "a", "b", "no"), ("zcard", "z"),
    ("zincrby", "z", 2, "a"), ("zrank", "z", "b"), ("zrank", "z", "no"), ("zrank", "z", "b", True), ("zrevrank", "z", "b"),
    ("zrange", "z", 0, -1), ("zrange", "z", 0, -1, {"withscores": True}), ("zrange", "z", 1, 3, {"byscore": True, "desc": False}),
    ("zrevrange", "z", 0, 1, {"withscores": True}), ("zrangebyscore", "z", 1, "(3"), ("zrangebyscore", "z", 1, 3, {"withscores": True}),
    ("zrevrangebyscore", "z", 3, 1, {"start": 0, "num": 1}), ("zrangebylex", "z", "-", "+"), ("zrevrangebylex", "z", "+", "-"),
    ("zcount", "z", 1, "+inf"), ("zlexcount", "z", "-", "+"), ("zpopmin", "z"), ("zpopmax", "z", 2), ("zpopmin", "no"),
    ("zmpop", 2, ["no", "z"], {"min": True}), ("zmpop", 1, ["no"], {"max": True}),
    ("zremrangebyrank", "z", 0, 0), ("zremrangebyscore", "z", 1, 2),
    ("zremrangebylex", "z", "[a", "[b"), ("zunion", ["z", "z2"], {"withscores": True}), ("zinter", ["z", "z2"]), ("zdiff", ["z", "z2"]),
    ("zunionstore", "d", ["z", "z2"], {"aggregate": "MAX"}), ("zinterstore", "d", {"z": 2, "z2": 3}), ("zdiffstore", "d", ["z", "z2"]),
    ("zintercard", 2, ["z", "z2"]), ("zrangestore", "d", "z", 0, 1), ("zscan", "z"), ("zrandmember", "z", 10),
    ("zrandmember", "z", 10, True), ("zadd", "k", {"a": 1}), ("zadd", "z", {"a": "x"}), ("zadd", "z", {"a": float("nan")}),
    ("geoadd", "g", [13.361389, 38.115556, "Palermo", 15.087269, 37.502669, "Catania"]), ("geodist", "g", "a", "b", "km"),
    ("geodist", "g", "a", "no"), ("geohash", "g", "a", "no"), ("geopos", "g", "a", "no"),
    ("georadius", "g", 15, 37, 200, {"unit": "km", "withdist": True, "sort": "ASC"}), ("georadiusbymember", "g", "a", 200, {"unit": "km"}),
    ("geosearch", "g", {"member": "a", "radius": 200, "unit": "km", "withcoord": True, "withdist": True, "withhash": True}),
    ("geosearch", "g", {"longitude": 15, "latitude": 37, "width": 400, "height": 400, "unit": "km", "sort": "DESC"}),
    ("geosearchstore", "d", "g", {"member": "a", "radius": 200, "unit": "km"}),
    ("pfadd", "p", "a"), ("pfadd", "p", "new"), ("pfcount", "p"), ("pfcount", "p", "p2"), ("pfmerge", "d", "p", "p2"),
    ("sort", "l", {"alpha": True}), ("sort", "s2", {"alpha": True, "desc": True, "start": 0, "num": 1}),
    ("sort", "l", {"by": "nosort", "get": ["#", "w_*"], "groups": True}), ("sort", "l", {"alpha": True, "store": "d"}), ("sort", "l"),
    ("sort_ro", "l", {"alpha": True}),
    ("xadd", "x", {"f": "v"}, "9-1"), ("xadd", "x", {"f": 1, "g": 2}, "9-*", {"maxlen": 2, "approximate": False}),
    ("xadd", "x", {"f": "v"}, "1-1"), ("xadd", "x", {}), ("xadd", "no", {"f": "v"}, "1-1", {"nomkstream": True}), ("xlen", "x"),
    ("xrange", "x"), ("xrange", "x", "(1-0", "+", 1), ("xrange", "no"), ("xrevrange", "x"), ("xrevrange", "x", "+", "-", 1),
    ("xread", {"streams": {"x": "0-0", "no": 0}}), ("xread", {"streams": {"x": "0-0"}, "count": 1}), ("xread", {"streams": {"x": "$"}}),
    ("xdel", "x", "1-0", "7-7"), ("xtrim", "x", 1), ("xtrim", "x", {"maxlen": 1, "approximate": False}),
    ("xtrim", "x", {"minid": "2-0", "approximate": False}), ("xgroup_create", "x", "g2", "0"), ("xgroup_create", "x", "group"),
    ("xgroup_create", "no", "g", {"mkstream": True}), ("xgroup_destroy", "x", "group"), ("xgroup_setid", "x", "group", "0"),
    ("xgroup_createconsumer", "x", "group", "c9"), ("xgroup_delconsumer", "x", "group", "c1"),
    ("xreadgroup", "group", "c1", {"x": ">"}), ("xreadgroup", "group", "c1", {"x": "0"}), ("xack", "x", "group", "1-0"),
    ("xpending", "x", "group"), ("xpending_range", "x", "group", "-", "+", 10), ("xclaim", "x", "group", "c2", 0, ["1-0"]),
    ("xclaim", "x", "group", "c2", 0, ["1-0"], {"justid": True}), ("xautoclaim", "x", "group", "c2", 0),
    ("xinfo_stream", "x"), ("xinfo_stream", "x", True), ("xinfo_groups", "x"), ("xinfo_consumers", "x", "group"),
    ("xadd", "k", {"f": "v"}), ("xlen", "k"),
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
    client.hset("h", mapping={"f": "v", "g": "w", "n": 3})
    client.sadd("s", "a", "b", "c")
    client.sadd("s2", "b", "x")
    client.rpush("l", "a", "b", "c", "a")
    client.rpush("l2", "x")
    client.zadd("z", {"a": 1, "b": 2, "c": 3.5})
    client.zadd("z2", {"b": 1, "x": 2})
    client.geoadd("g", [13.361389, 38.115556, "a", 15.087269, 37.502669, "b"])
    client.pfadd("p", "a", "b")
    client.pfadd("p2", "c")
    client.xadd("x", {"f": "v"}, "1-0")
    client.xadd("x", {"f": "w", "g": 1}, "2-0")
    client.xgroup_create("x", "group", "0")
    client.xreadgroup("group", "c1", {"x": ">"}, 1)


def everything(client: redis.Redis) -> dict[bytes, bytes]:
    keys = client.keys()
    return dict(zip(keys, map(client.dump, keys), strict=True))


def result(call: tuple[Any, ...], on: Any) -> Any:
    name, *args = call
    known = inspect.signature(getattr(redis.Redis, name)).parameters
    keywords = args and isinstance(args[-1], dict) and args[-1] and args[-1].keys() <= known.keys()
    options = args.pop() if keywords else {}
    try:
        value = getattr(on, name)(*args, **options)
    except (redis.RedisError, gapless.GaplessError) as error:
        text = str(error)
        return "error", text.removeprefix("ERR ")
    return sorted(value) if name in ("keys", "hrandfield", "srandmember", "zrandmember") else value


@pytest.fixture
def store() -> Iterator[gapless.Store]:
    with gapless.open() as opened:
        opened.clock_ms = int(time.time() * 1000)
        yield opened
        assert opened.check() is None


@pytest.mark.parametrize("call", CALLS, ids=str)
def test_results_are_redis_py_s(store: gapless.Store, call: tuple[Any, ...]) -> None:
    # What waits has to see the time pass.
    now = store.clock_ms
    waits = 0.01 in call
    # Over RESP3 redis-py leaves the names of a consumer's fields bytes.
    client = store.redis(protocol=2 if call == ("xinfo_stream", "x", True) else None)
    fill(client)
    store.clock_ms = 0 if waits else now
    theirs = result(call, client)
    store.clock_ms = now
    after = everything(client)
    fill(client)
    store.clock_ms = 0 if waits else now
    ours = result(call, store)
    store.clock_ms = now
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
