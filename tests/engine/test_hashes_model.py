"""Hashes against dicts of dicts, on segments of 1 KiB and pages of 256 bytes: packed forms, trees, extents and the change between
them, with keys copied, renamed, expired, flushed and cleaned in between.

Every history is random; its seed is in the test's name. Every history ends with the audit, which walks every tree.
"""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from gapless.commands.table import COMMANDS
from gapless.engine.engine import Engine
from tests.engine.commands import Client
from tests.engine.history import HISTORIES, History

STEPS = 3000


@dataclass
class Entry:
    value: bytes
    expire_ms: int | None = None


Fields = dict[bytes, Entry]


def copy_of(fields: Fields | None = None) -> Fields:
    return {name: Entry(entry.value, entry.expire_ms) for name, entry in (fields or {}).items()}


class Model(History[Fields]):
    make = staticmethod(copy_of)

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
        found = self.held.get(key, {})
        for name in [n for n, e in found.items() if e.expire_ms is not None and e.expire_ms <= self.now]:
            del found[name]
        if not found:
            self.held.pop(key, None)
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
        self.held[key] = fields

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
            self.held[key] = fields
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

    def overwrite(self) -> None:
        key = self.key()
        self.client("SET", key, "no hash")
        assert self.client("HSET", key, "a", "b").startswith(b"-WRONGTYPE")
        self.client("DEL", key)
        self.held.pop(key, None)

    def live_long(self) -> None:
        self.client("PEXPIRE", self.key(), self.random.choice([10**7, 10**9]))

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

    def settle(self) -> None:
        """Once the background has nothing to do, what has expired is not even counted."""
        while self.client.engine.background(1000):
            pass
        for number in range(self.KEYS):
            key = b"key-%d" % number
            assert self.client("HLEN", key) == b":%d\r\n" % len(self.live(key))
        noted = sum(hashes for _, _, _, hashes in self.client.engine.databases())
        assert noted >= sum(any(e.expire_ms is not None for e in fields.values()) for fields in self.held.values())

    def compare(self) -> None:
        for number in range(self.KEYS):
            key = b"key-%d" % number
            fields = self.live(key)
            values = b"".join(b"$%d\r\n%b\r\n" % (len(entry.value), entry.value) for entry in fields.values())
            if fields:
                assert self.client("HMGET", key, *fields) == b"*%d\r\n%b" % (len(fields), values)
            for name, entry in fields.items():
                assert self.client.bulk("HGET", key, name) == entry.value
            assert self.client("HGETALL", key).startswith(b"*%d\r\n" % (2 * len(fields)))
        self.settle()
        assert self.client.engine.check() is None

    STEPS = (
        (put, 20), (get, 20), (remove, 10), (add, 5), (expire, 6), (History.delete, 1.5), (History.copy, 3),
        (History.dump, 2), (overwrite, 0.5), (live_long, 1), (History.advance, 6), (scan, 1),
        (History.flush, 0.5), (History.background, 6), (settle, 2), (compare, 1),
    )  # fmt: skip


@pytest.mark.parametrize("seed", range(HISTORIES))
def test_history(seed: int) -> None:
    Model(seed).run(STEPS)


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
