"""Every command that writes, on small and on large values: its effects make another store the same, byte by byte.

A new command is forgotten by nobody: `test_every_command_that_writes_is_here` compares with the command table.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import pytest

from gapless.commands.row import Command
from gapless.commands.table import COMMANDS
from gapless.engine import effects_core
from gapless.engine.engine import Engine
from tests.engine.history import START_MS
from tests.engine.replica import ReplicatingClient

LONG = "v" * 3000
HUGE = "h" * 200_000
SOON = START_MS + 60_000

# By command: its arguments, often in several forms. Keys are those of populate(); a name ends in 1 where the value is small, in 2 where it is large.
WRITES: dict[str, list[str]] = {
    "append": ["s1 x", "s2 x", "none x"],
    "decr": ["n1", "none"],
    "decrby": ["n1 70"],
    "getdel": ["s1", "s2"],
    "getex": ["s1 PX 500", "t1 PERSIST"],
    "getset": ["s2 other"],
    "incr": ["n1"],
    "incrby": ["n1 1000000"],
    "incrbyfloat": ["n1 0.5"],
    "mset": ["s1 a none b"],
    "msetnx": ["none a none2 b"],
    "psetex": ["s1 5000 v"],
    "set": ["s1 v", "s1 w KEEPTTL", f"s1 {HUGE}", f"t1 v PXAT {SOON}", "h2 v"],
    "setex": ["s1 50 v"],
    "setnx": ["none v"],
    "setrange": ["s1 2 xyz", "s2 2900 xyz", "s2 5000 xyz", "none 5 x"],
    "bitfield": ["s2 SET u8 80 255 INCRBY i16 #40 7", "s1 OVERFLOW FAIL INCRBY u8 900 300", "none SET u4 3 1"],
    "bitop": ["AND s1 s1 s2", "NOT none s2"],
    "setbit": ["s2 77 1", "n1 7 0", "s1 9000 1", "none 3 1"],
    "pfadd": ["none a b c", "pf1 d", "pf2 e f g"],
    "pfdebug": ["GETREG pf1"],
    "pfmerge": ["pf1 pf2", "none pf1"],
    "hdel": ["h1 f1", "h2 f7", "h1 f0 f1 f2 f3"],
    "hexpire": ["h1 50 FIELDS 1 f1", "h2 50 FIELDS 2 f1 f2"],
    "hexpireat": [f"h1 {SOON // 1000} FIELDS 1 f1", f"h2 {SOON // 1000} FIELDS 1 f1"],
    "hgetdel": ["h1 FIELDS 1 f1", "h2 FIELDS 1 f1"],
    "hgetex": ["h1 PX 500 FIELDS 1 f1", "h2 PX 500 FIELDS 1 f1"],
    "hincrby": ["h1 n 5", "h2 n 5"],
    "hincrbyfloat": ["h1 n 0.25", "h2 n 0.25"],
    "hmset": ["h1 f1 a f9 b", "h2 f1 a x b"],
    "hpersist": ["h1 FIELDS 1 e", "h2 FIELDS 1 e"],
    "hpexpire": ["h1 5 FIELDS 1 f1", "h2 5 FIELDS 1 f1", "h2 0 FIELDS 1 f1"],
    "hpexpireat": [f"h1 {SOON} FIELDS 1 f1", f"h2 {SOON} FIELDS 1 f1"],
    "hset": ["h1 f1 other", "h2 f1 other", f"h1 f1 {LONG}", f"h2 f1 {LONG}", "none f v"],
    "hsetex": ["h1 PX 500 FIELDS 1 f1 v", "h2 PX 500 FIELDS 1 f1 v"],
    "hsetnx": ["h1 new v", "h2 new v"],
    "linsert": ["l1 BEFORE e1 x", "l2 AFTER e40 x"],
    "lmove": ["l1 l2 LEFT RIGHT", "l2 l2 RIGHT LEFT", "l2 none LEFT LEFT"],
    "lmpop": ["2 none l2 RIGHT COUNT 3", "1 l1 LEFT COUNT 100"],
    "lpop": ["l1", "l2 50", "l2 1000"],
    "lpush": ["l1 a b", "l2 a b", f"l2 {LONG}", "none a"],
    "lpushx": ["l1 a", "l2 a"],
    "lrem": ["l1 0 e1", "l2 -1 e50", "l2 0 same"],
    "lset": ["l1 0 x", "l2 30 x", f"l2 -1 {LONG}"],
    "ltrim": ["l1 1 1", "l2 40 -40", "l2 2 -3", "l2 5 1"],
    "rpop": ["l1", "l2 3"],
    "rpoplpush": ["l2 l1"],
    "rpush": ["l1 a", "l2 a b c", "none a"],
    "rpushx": ["l2 a"],
    "blmove": ["l1 l2 LEFT RIGHT 1"],
    "blmpop": ["1 1 l2 LEFT COUNT 2"],
    "blpop": ["l1 1"],
    "brpop": ["l2 1"],
    "brpoplpush": ["l2 none 1"],
    "bzmpop": ["1 1 z2 MIN COUNT 2"],
    "bzpopmax": ["z1 1"],
    "bzpopmin": ["z2 1"],
    "sadd": ["m1 x", "m2 x", f"m2 {LONG}", "i1 700000", "i1 word", "none 1 2 3"],
    "sdiffstore": ["none m2 m1", "m1 m1 m1"],
    "sinterstore": ["h2 m2 m2"],
    "smove": ["m1 m2 e1", "m2 none e7"],
    "spop": ["m1", "m2 150", "m2 1000"],
    "srem": ["m1 e1", "m2 e1 e2 e3"],
    "sunionstore": ["m1 m1 m2 i1"],
    "sort": ["l2 ALPHA STORE l1", "m2 ALPHA STORE none"],
    "xack": ["x1 g 1-1", "x2 g 5-1 6-1"],
    "xackdel": ["x1 g DELREF IDS 1 1-1", "x2 g KEEPREF IDS 2 5-1 6-1"],
    "xadd": ["x1 1000-1 f v", "x2 1000-1 f v", "x2 MAXLEN 20 1001-1 f v", f"x2 1002-1 f {LONG}", "none 1-1 f v", f"x1 1001-1 {LONG} v"],
    "xautoclaim": ["x1 g other 0 0", "x2 g other 0 0 COUNT 5"],
    "xclaim": ["x1 g other 0 1-1", "x2 g other 0 5-1 6-1 9999-1", "x2 g other 0 90-1 FORCE JUSTID"],
    "xdel": ["x1 1-1", "x2 1-1 50-1 200-1"],
    "xdelex": ["x1 DELREF IDS 1 1-1", "x2 DELREF IDS 2 5-1 6-1"],
    "xgroup create": ["x1 new 0", "x2 new $", "none new 0 MKSTREAM"],
    "xgroup createconsumer": ["x1 g new", "x2 g new"],
    "xgroup delconsumer": ["x1 g c", "x2 g c"],
    "xgroup destroy": ["x1 g", "x2 g"],
    "xgroup setid": ["x1 g 0", "x2 g 7-1"],
    "xreadgroup": ["GROUP g c STREAMS x1 >", "GROUP g new COUNT 3 STREAMS x1 x2 > >", "GROUP g c STREAMS x2 0", "GROUP g d NOACK STREAMS x2 >"],
    "xsetid": ["x1 2000-1", "x2 2000-1 ENTRIESADDED 5000 MAXDELETEDID 3-1"],
    "xtrim": ["x1 MAXLEN 1", "x2 MAXLEN 30", "x2 MINID ~ 90", "x2 MAXLEN 0", "x2 MAXLEN 10 ACKED"],
    "zadd": ["z1 5 new", "z2 5 e3", "z2 INCR 5 e3", f"z2 7 {LONG}", "none 1 a", "z2 -0 e5"],
    "zdiffstore": ["none 2 z2 z1"],
    "zincrby": ["z1 2.5 e1", "z2 2.5 e1"],
    "zinterstore": ["z1 2 z1 z2"],
    "zmpop": ["1 z1 MIN", "1 z2 MAX COUNT 7"],
    "zpopmax": ["z1", "z2 5"],
    "zpopmin": ["z1 100", "z2"],
    "zrangestore": ["none z2 10 20", "z1 z2 0 -1"],
    "zrem": ["z1 e1", "z2 e1 e2"],
    "zremrangebylex": ["z1 - +", "lex2 [e10 (e20"],
    "zremrangebyrank": ["z1 0 0", "z2 5 9"],
    "zremrangebyscore": ["z1 0 1", "z2 (10 20"],
    "zunionstore": ["z1 2 z1 z2 WEIGHTS 2 3"],
    "geoadd": ["geo 13.4 52.5 here", "none 1 1 there"],
    "georadius": ["geo 13 52 500 km STORE none"],
    "georadiusbymember": ["geo e1 9000 km STOREDIST z1"],
    "geosearchstore": ["none geo FROMLONLAT 13 52 BYRADIUS 900 km"],
    "copy": ["s1 none", "s2 h2 REPLACE", "h2 none", "l2 l1 REPLACE", "x2 none DB 1", "z2 none", "m2 none", "huge none"],
    "del": ["s1", "h2 l2 m2 z2 x2 huge"],
    "expire": ["s1 50", "h2 50", "huge 50", "x2 50", "s1 -1"],
    "expireat": [f"z2 {SOON // 1000}"],
    "move": ["s1 1", "h2 1", "huge 1"],
    "persist": ["t1", "th2"],
    "pexpire": ["m2 50"],
    "pexpireat": [f"l2 {SOON}"],
    "rename": ["s1 none", "n1 h2", "l2 none", "none s1", "x2 z2", "huge s2", "m2 z1", "t1 none", "eh2 none2"],
    "renamenx": ["s1 none", "m2 none"],
    "restore": [],
    "unlink": ["h2 s1"],
    "flushall": [""],
    "flushdb": ["", "ASYNC"],
    "swapdb": ["0 1"],
    # Rows that do not say that they write, and do.
    "pfcount": ["pf1", "pf2"],
    "debug populate": ["20 p 100"],
    "hget": ["eh2 f1"],
    "hgetall": ["eh1"],
    "sort_ro": ["z1 BY none", "z2 ALPHA"],
    "get": ["s1"],
}  # fmt: skip


def names(rows: Iterable[Command], before: str = "") -> Iterator[tuple[str, Command]]:
    for row in rows:
        yield before + row.name, row
        yield from names(row.subcommands, before + row.name + " ")


def test_every_command_that_writes_is_here() -> None:
    assert {name for name, row in names(COMMANDS) if "write" in row.flags} <= WRITES.keys()


def populate(client: ReplicatingClient) -> None:
    """Two of every type: a small one, a large one; some with a TTL, with fields that expire, with groups."""
    client("SET", "s1", "text")
    client("SET", "s2", LONG)
    client("SET", "huge", HUGE)
    client("SET", "n1", 41)
    client("SET", "t1", "text", "PX", 90_000)
    for key, count in (("1", 3), ("2", 700)):
        elements = [f"e{i}" for i in range(count)]
        fields = [word for i in range(count) for word in (f"f{i}", f"value-{i}")]
        client("HSET", "h" + key, *fields, "n", 7, "e", "v")
        client("HPEXPIRE", "h" + key, 10**6, "FIELDS", 1, "e")
        client("HSET", "eh" + key, *fields)
        client("HPEXPIRE", "eh" + key, 1, "FIELDS", 2, "f1", "f2")
        client("HSET", "th" + key, *fields)
        client("PEXPIRE", "th" + key, 10**6)
        client("RPUSH", "l" + key, *elements, "same", "same")
        client("SADD", "m" + key, *elements)
        client("ZADD", "z" + key, *(word for i in range(count) for word in (str(i % 40), f"e{i}")))
        client("ZADD", "lex" + key, *(word for i in range(count) for word in ("0", f"e{i}")))
        client("PFADD", "pf" + key, *(f"e{i}" for i in range(4000 if count > 3 else 3)))
        client("XGROUP", "CREATE", "x" + key, "g", 0, "MKSTREAM")
        for i in range(1, count + 1):
            client("XADD", "x" + key, f"{i}-1", "f", f"value-{i}", "g", "w" * 20)
        client("XREADGROUP", "GROUP", "g", "c", "COUNT", count // 2, "STREAMS", "x" + key, ">")
    client("SADD", "i1", 1, 2, 3)
    client("GEOADD", "geo", *(word for i in range(300) for word in (str(10 + i / 20), "52", f"e{i}")))
    client.engine.configure(clock_ms=START_MS + 5)


def replicating(segment_bytes: int) -> ReplicatingClient:
    engine = Engine(segment_bytes=segment_bytes, address_bytes=1 << 34, seed=3)
    engine.load_commands(COMMANDS)
    engine.configure(clock_ms=START_MS, debug_command="yes")
    return ReplicatingClient(engine, most=1)


@pytest.mark.parametrize("segment_bytes", [1 << 12, 1 << 20])
@pytest.mark.parametrize("name", WRITES)
def test_what_a_command_writes_is_replayed(name: str, segment_bytes: int) -> None:
    client = replicating(segment_bytes)
    populate(client)
    client.same()
    changed = False
    lines = [line.split() for line in WRITES[name]]
    if name == "restore":
        for key in ("s2", "h1", "h2", "l2", "m2", "z2", "x2", "i1"):
            payload = client.bulk("DUMP", key)
            assert payload is not None
            changed = client.write("RESTORE", "none", 0, payload, "REPLACE") or changed
            client.same()
            changed = client.write("RESTORE", key, SOON, payload, "REPLACE", "ABSTTL") or changed
            client.same()
    for line in lines:
        changed = client.write(*name.split(), *line) or changed
        client.same()
    # A reader of what is there writes nothing.
    assert changed or name == "get"
    client.close()


@pytest.mark.parametrize("name", WRITES)
def test_effects_of_keys_said_twice_are_said_once(name: str) -> None:
    """But for those that say where in a value, in a list or among databases: whoever replays is never told these twice."""
    client = replicating(1 << 20)
    populate(client)
    client.same()
    for line in WRITES[name]:
        client.bodies.clear()
        client(*name.split(), *line.split())
        for body, time_ms, file in client.bodies:
            if all(kind in ("put", "delete", "expire", "image", "flush") for kind in client.kinds(body)):
                effects_core.apply(client.copy, body, time_ms, file)
    client.same()
    client.close()


def test_what_is_evicted_is_deleted() -> None:
    client = replicating(1 << 14)
    client.engine.configure(maxmemory=3 << 20)
    client.engine.set_policy("allkeys-lru")
    for number in range(3000):
        client("SET", f"key-{number}", "v" * 1500)
        if number % 20 == 0:
            client("HSET", f"hash-{number}", *(word for i in range(60) for word in (f"f{i}", "v" * 20)))
    assert client.engine.stats()["evicted"] > 100
    client.same()
    client.close()


def test_what_has_expired_needs_no_effect() -> None:
    client = replicating(1 << 14)
    for number in range(50):
        client("SET", f"key-{number}", "v", "PX", 10 + number)
        client("HSET", f"hash-{number}", *(word for i in range(60) for word in (f"f{i}", "v" * 20)))
        client("PEXPIRE", f"hash-{number}", 10 + number)
    client.engine.configure(clock_ms=START_MS + 40)
    client.catch_up()
    before = len(client.bodies)
    assert client("GET", "key-5") == b"$-1\r\n"
    while client.engine.background(1000):
        pass
    client.catch_up()
    assert all(body == b"" for body, _, _ in client.bodies[before:])
    client.same()
    client("RPUSH", "hash-5", "another")
    client("PERSIST", "hash-45")
    client.same()
    client.close()


def test_fields_that_expire_in_the_background_are_dropped() -> None:
    client = replicating(1 << 14)
    for number in range(20):
        fields = [f"f{i}" for i in range(5 if number % 2 else 300)]
        client("HSET", f"hash-{number}", *(word for field in fields for word in (field, "value")))
        client("HPEXPIRE", f"hash-{number}", 20, "FIELDS", 3, "f1", "f2", "f4")
        client("HPEXPIRE", f"hash-{number}", 900, "FIELDS", 1, "f3")
    for step in (30, 400, 2000, 4000):
        client.engine.configure(clock_ms=START_MS + step)
        while client.engine.background(1000):
            client.catch_up()
        client.same()
    assert client("HEXISTS", "hash-2", "f1") == b":0\r\n"
    client.close()


def test_a_transaction_is_in_one_body() -> None:
    client = replicating(1 << 14)
    client("MULTI")
    for number in range(20):
        client("INCR", "n")
        client("RPUSH", "l", "element" * 30, number)
    client.catch_up()
    before = len(client.bodies)
    client("EXEC")
    client.catch_up()
    bodies = [body for body, _, _ in client.bodies[before:] if body]
    assert len(bodies) == 1
    client.same()
    client.close()
