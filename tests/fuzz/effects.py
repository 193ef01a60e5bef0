"""Bodies of effects that are damaged in spite of their checksum: refused or taken, and the store is sound either way."""

from __future__ import annotations

from random import Random

from gapless.commands.table import COMMANDS
from gapless.engine import effects_core
from gapless.engine.engine import Engine
from tests.engine.commands import Client
from tests.engine.history import START_MS
from tests.engine.replica import ReplicatingClient
from tests.fuzz.rdb_payload import broken

READERS = {
    b"string": ["STRLEN"],
    b"list": ["LRANGE 0 -1"],
    b"set": ["SMEMBERS", "SRANDMEMBER 3"],
    b"zset": ["ZRANGE 0 -1 WITHSCORES", "ZRANDMEMBER 3"],
    b"hash": ["HGETALL", "HRANDFIELD 3", "HGET f1"],
    b"stream": ["XRANGE - +", "XREVRANGE + -"],
}


def commands(client: ReplicatingClient, random: Random) -> None:
    """Some of every type, small and large, changed here and there."""
    many = [
        word for i in range(random.choice([3, 90])) for word in (f"{i}", f"e{i}" + "x" * random.randrange(30))
    ]
    kind = random.randrange(6)
    if kind == 0:
        client("SET", "s", "v" * random.choice([3, 3000]))
        client("APPEND", "s", "tail")
        client("SETRANGE", "s", 1, "xy")
    elif kind == 1:
        client("HSET", "h", *many)
        client("HSET", "h", "1", "other", "new", "field")
        client("HPEXPIRE", "h", 500, "FIELDS", 1, "1")
        client("HDEL", "h", "2")
    elif kind == 2:
        client("RPUSH", "l", *many)
        client("LPUSH", "l", "x")
        client("LSET", "l", 2, "y" * random.randrange(2000))
        client("LREM", "l", 1, "e1")
        client("LTRIM", "l", 1, -2)
    elif kind == 3:
        client("SADD", "m", *many)
        client("SREM", "m", "1")
        client("COPY", "m", "m2")
    elif kind == 4:
        client("ZADD", "z", *many)
        client("ZADD", "z", 50, "e1")
        client("ZREM", "z", "e2")
    else:
        for i in range(random.choice([3, 70])):
            client("XADD", "x", f"{i + 1}-1", "f", "v" * random.randrange(60))
        client("XGROUP", "CREATE", "x", "g", 0)
        client("XREADGROUP", "GROUP", "g", "c", "COUNT", 30, "STREAMS", "x", ">")
        client("XACK", "x", "g", "1-1")
        client("XDEL", "x", "2-1")
        client("XTRIM", "x", "MAXLEN", 40)
    client("PEXPIRE", "shlmzx"[kind], 10**6)
    client("RENAME", "shlmzx"[kind], "other")
    client("SWAPDB", 0, 1)


def read(client: Client) -> None:
    for key in client.bulks("KEYS", "*") if client("DBSIZE") != b":0\r\n" else []:
        kind = client("TYPE", key)[1:-2]
        client("OBJECT", "ENCODING", key)
        client("DEBUG", "DIGEST-VALUE", key)
        for line in READERS[kind]:
            name, *rest = line.split()
            client(name, key, *rest)


def run_case(random: Random) -> None:
    engine = Engine(segment_bytes=1 << 14, address_bytes=1 << 32, seed=5)
    engine.load_commands(COMMANDS)
    engine.configure(clock_ms=START_MS, debug_command="yes")
    client = ReplicatingClient(engine, most=random.choice([1, 5, 100]))
    for _ in range(random.randint(1, 4)):
        commands(client, random)
    client.same()
    for _ in range(8):
        copy = Engine(segment_bytes=1 << 14, address_bytes=1 << 32, seed=6)
        copy.load_commands(COMMANDS)
        copy.configure(clock_ms=START_MS, debug_command="yes")
        damaged = random.randrange(len(client.bodies))
        for number, (body, time_ms, file) in enumerate(client.bodies):
            hurt = broken(bytearray(body), random) if number == damaged else body
            try:
                effects_core.apply(copy, hurt, time_ms, file, random.random() < 0.5)
            except ValueError:
                break
        assert copy.check() is None
        read(Client(copy))
        assert copy.check() is None
        copy.background(1000)
        copy.close()
    client.close()
