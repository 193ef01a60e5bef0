"""Hashes against dicts of dicts, on segments of 1 KiB and pages of 256 bytes: packed forms, trees, extents and the change between
them, with keys copied, renamed, expired, flushed and cleaned in between.

Every history is random; its seed is in the test's name. Every history ends with the audit, which walks every tree.
"""

from __future__ import annotations

import os
import random
from dataclasses import dataclass, field

import pytest

from gapless.commands.table import COMMANDS
from gapless.engine.engine import Engine
from tests.engine.commands import Client

HISTORIES = int(os.environ.get("GAPLESS_HISTORIES", "6"))
STEPS = 3000
START_MS = 1_700_000_000_000


@dataclass
class Entry:
    value: bytes
    expire_ms: int | None = None


@dataclass
class Model:
    random: random.Random
    client: Client
    hashes: dict[bytes, dict[bytes, Entry]] = field(default_factory=dict)
    now: int = START_MS

    def key(self) -> bytes:
        return b"key-%d" % self.random.randrange(5)

    def name(self) -> bytes:
        roll = self.random.random()
        if roll < 0.01:
            return b"n" * self.random.choice([63, 64, 65, 300, 2000])
        return b"f%d" % self.random.randrange(30 if roll < 0.5 else 400)

    def value(self) -> bytes:
        roll = self.random.random()
        if roll < 0.05:
            return self.random.randbytes(self.random.choice([0, 41, 64, 65, 300, 1100, 5000]))
        return b"%d" % self.random.randrange(10 ** self.random.randrange(1, 18))

    def live(self, key: bytes) -> dict[bytes, Entry]:
        """The fields that are there; what has expired is gone, and a hash without fields with it."""
        found = self.hashes.get(key, {})
        for name in [n for n, e in found.items() if e.expire_ms is not None and e.expire_ms <= self.now]:
            del found[name]
        if not found:
            self.hashes.pop(key, None)
        return found

    def put(self) -> None:
        key = self.key()
        pairs = [(self.name(), self.value()) for _ in range(self.random.choice([1, 1, 2, 8, 40]))]
        fields = self.live(key)
        new = len({name for name, _ in pairs} - fields.keys())
        reply = self.client("HSET", key, *(word for pair in pairs for word in pair))
        assert reply == b":%d\r\n" % new
        for name, value in pairs:
            fields[name] = Entry(value)
        self.hashes[key] = fields

    def get(self) -> None:
        key, name = self.key(), self.name()
        entry = self.live(key).get(name)
        assert self.client.bulk("HGET", key, name) == (None if entry is None else entry.value)
        assert self.client("HEXISTS", key, name) == b":%d\r\n" % (entry is not None)

    def remove(self) -> None:
        key = self.key()
        fields = self.live(key)
        known = list(fields)
        names = {
            self.random.choice(known) if known and self.random.random() < 0.7 else self.name()
            for _ in range(6)
        }
        assert self.client("HDEL", key, *names) == b":%d\r\n" % len(names & fields.keys())
        for name in names:
            fields.pop(name, None)
        self.live(key)

    def add(self) -> None:
        key, name, more = self.key(), self.name(), self.random.randrange(-1000, 1000)
        fields = self.live(key)
        entry = fields.get(name, Entry(b"0"))
        reply = self.client("HINCRBY", key, name, more)
        if entry.value.isdigit() and not (len(entry.value) > 1 and entry.value[0] == 48):
            total = int(entry.value) + more
            assert reply == b":%d\r\n" % total
            fields[name] = Entry(b"%d" % total, entry.expire_ms)
            self.hashes[key] = fields
        elif not entry.value.lstrip(b"-").isdigit():
            assert reply.startswith(b"-ERR hash value")
        else:
            value = self.client.bulk("HGET", key, name)
            assert value is not None
            fields[name] = Entry(value, entry.expire_ms)

    def expire(self) -> None:
        key = self.key()
        fields = self.live(key)
        names = {self.name() for _ in range(3)} | set(list(fields)[:2])
        ttl = self.random.choice([1, 50, 1000, 100_000])
        if fields and self.random.random() < 0.3:
            self.client("HPERSIST", key, "FIELDS", len(names), *names)
            for name in names & fields.keys():
                fields[name].expire_ms = None
            return
        self.client("HPEXPIRE", key, ttl, "FIELDS", len(names), *names)
        for name in names & fields.keys():
            fields[name].expire_ms = self.now + ttl

    def delete(self) -> None:
        key = self.key()
        self.live(key)
        self.client(self.random.choice(["DEL", "UNLINK"]), key)
        self.hashes.pop(key, None)

    def copy(self) -> None:
        source, target = self.key(), self.key()
        if source == target or not self.live(source):
            return
        if self.random.random() < 0.5:
            assert self.client("COPY", source, target, "REPLACE") == b":1\r\n"
            self.hashes[target] = {n: Entry(e.value, e.expire_ms) for n, e in self.live(source).items()}
        else:
            assert self.client("RENAME", source, target) == b"+OK\r\n"
            self.hashes[target] = self.hashes.pop(source)

    def dump(self) -> None:
        source, target = self.key(), self.key()
        if not self.live(source):
            return
        self.client("PERSIST", source)
        payload = self.client.bulk("DUMP", source)
        assert payload is not None
        assert self.client("RESTORE", target, 0, payload, "REPLACE") == b"+OK\r\n"
        self.hashes[target] = {n: Entry(e.value, e.expire_ms) for n, e in self.live(source).items()}
        digests = self.client("DEBUG", "DIGEST-VALUE", source, target).split(b"\r\n")
        assert digests[1] == digests[2]

    def overwrite(self) -> None:
        key = self.key()
        self.client("SET", key, "no hash")
        assert self.client("HSET", key, "a", "b").startswith(b"-WRONGTYPE")
        self.client("DEL", key)
        self.hashes.pop(key, None)

    def live_long(self) -> None:
        self.client("PEXPIRE", self.key(), self.random.choice([10**7, 10**9]))

    def advance(self) -> None:
        self.now += self.random.choice([1, 10, 500])
        self.client.engine.configure(clock_ms=self.now)

    def scan(self) -> None:
        key = self.key()
        cursor, found, there = b"0", [], set(self.live(key))
        while True:
            words = self.client("HSCAN", key, cursor, "COUNT", 7, "NOVALUES").split(b"\r\n")
            cursor = words[2]
            found += words[5::2]
            if cursor == b"0":
                break
            self.put()
            self.remove()
            there &= set(self.live(key))
        assert there <= set(found)
        assert len(found) == len(set(found))

    def background(self) -> None:
        self.client.engine.background(self.random.choice([1, 50, 1000]), self.random.random() < 0.5)

    def flush(self) -> None:
        if self.random.random() < 0.2:
            self.client("FLUSHALL")
            self.hashes.clear()

    def compare(self) -> None:
        for number in range(5):
            key = b"key-%d" % number
            fields = self.live(key)
            reply = self.client("HMGET", key, *fields) if fields else b""
            for name, entry in fields.items():
                assert self.client.bulk("HGET", key, name) == entry.value
            assert reply.count(b"$-1") == 0
            assert self.client("HGETALL", key).startswith(b"*%d\r\n" % (2 * len(fields)))
            count = self.client("HLEN", key)
            assert int(count[1:]) >= len(fields)
        assert self.client.engine.check() is None

    STEPS = (
        (put, 20), (get, 20), (remove, 10), (add, 5), (expire, 6), (delete, 1.5), (copy, 3), (dump, 2), (overwrite, 0.5),
        (live_long, 1), (advance, 6), (scan, 1), (flush, 0.5), (background, 6), (compare, 1),
    )  # fmt: skip

    def run(self, steps: int) -> None:
        actions = [action for action, _ in self.STEPS]
        weights = [weight for _, weight in self.STEPS]
        for action in self.random.choices(actions, weights, k=steps):
            action(self)
        self.compare()
        self.client("FLUSHALL")
        self.client.engine.purge()
        assert self.client.engine.check() is None


@pytest.mark.parametrize("seed", range(HISTORIES))
def test_history(seed: int) -> None:
    engine = Engine(segment_bytes=1024, address_bytes=1 << 26, seed=seed)
    engine.load_commands(COMMANDS)
    engine.configure(clock_ms=START_MS)
    Model(random.Random(seed), Client(engine)).run(STEPS)
    engine.close()


def test_eviction_gives_pages_back() -> None:
    engine = Engine(segment_bytes=1 << 14, address_bytes=1 << 30, seed=1)
    engine.load_commands(COMMANDS)
    engine.configure(maxmemory=3 << 20)
    engine.set_policy("allkeys-lru")
    client = Client(engine)
    for number in range(400):
        words = [word for i in range(300) for word in (b"field-%d" % i, b"value-%d" % number)]
        assert client("HSET", b"hash-%d" % number, *words) == b":300\r\n"
    stats = engine.stats()
    assert stats["evicted"] > 100
    assert stats["bytes_committed"] <= 3 << 20
    assert engine.check() is None
    engine.close()


def test_deleting_a_large_hash_is_left_to_the_background() -> None:
    engine = Engine(segment_bytes=1 << 20, address_bytes=1 << 34, seed=1)
    engine.load_commands(COMMANDS)
    client = Client(engine)
    for start in range(0, 200_000, 1000):
        client("HSET", "large", *(b"%d" % i for i in range(2 * start, 2 * start + 2000)))
    pages = engine.stats()["pages_used"]
    assert pages > 500
    assert client("DEL", "large") == b":1\r\n"
    assert engine.stats()["pages_retired"] >= pages - 40
    assert engine.check() is None
    slices = 0
    while engine.stats()["pages_used"]:
        engine.background(1)
        slices += 1
    assert slices > 3
    assert engine.check() is None
    while engine.background(1000):
        pass
    assert engine.stats()["pages_cached"] <= 64
    engine.close()
