"""Sets against Python's, on segments of 1 KiB and pages of 256 bytes: packed forms, trees, extents and the change between them, with
keys copied, renamed, expired, flushed and cleaned in between.

Every history is random; its seed is in the test's name. Every history ends with the audit, which walks every tree.
"""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from gapless.commands.table import COMMANDS
from gapless.engine.engine import Engine
from tests.engine.commands import Client
from tests.engine.test_rdb import BAD_FORMAT, sealed

HISTORIES = int(os.environ.get("GAPLESS_HISTORIES", "6"))
STEPS = 3000
START_MS = 1_700_000_000_000
KEYS = 5


@dataclass
class Model:
    random: random.Random
    client: Client
    sets: dict[bytes, set[bytes]] = field(default_factory=dict)
    expires: dict[bytes, int] = field(default_factory=dict)
    now: int = START_MS

    def key(self) -> bytes:
        return b"key-%d" % self.random.randrange(KEYS)

    def member(self) -> bytes:
        roll = self.random.random()
        if roll < 0.02:
            return b"n" * self.random.choice([0, 63, 64, 65, 300, 2000, 5000])
        if roll < 0.5:
            return b"%d" % self.random.randrange(-40, 40)
        return b"m%d" % self.random.randrange(400)

    def live(self, key: bytes) -> set[bytes]:
        """What the key holds; what has expired is gone, and a set without members with it."""
        if self.expires.get(key, self.now + 1) <= self.now:
            self.drop(key)
        found = self.sets.get(key, set())
        if not found:
            self.drop(key)
        return found

    def drop(self, key: bytes) -> None:
        self.sets.pop(key, None)
        self.expires.pop(key, None)

    def hold(self, key: bytes, members: set[bytes]) -> None:
        """The key's value is another, without expiry."""
        self.drop(key)
        if members:
            self.sets[key] = members

    def members(self, *args: bytes | str | int) -> list[bytes]:
        found = self.client.bulks(*args)
        assert len(found) == len(set(found))
        return found

    def add(self) -> None:
        key = self.key()
        new = [self.member() for _ in range(self.random.choice([1, 1, 2, 8, 40, 150]))]
        there = self.live(key)
        assert self.client("SADD", key, *new) == b":%d\r\n" % len(set(new) - there)
        there.update(new)
        self.sets[key] = there

    def ask(self) -> None:
        key, member, other = self.key(), self.member(), self.member()
        there = self.live(key)
        assert self.client("SISMEMBER", key, member) == b":%d\r\n" % (member in there)
        reply = self.client("SMISMEMBER", key, member, other)
        assert reply == b"*2\r\n:%d\r\n:%d\r\n" % (member in there, other in there)
        assert self.client("SCARD", key) == b":%d\r\n" % len(there)

    def remove(self) -> None:
        key = self.key()
        there = self.live(key)
        known = sorted(there)
        names = {
            self.random.choice(known) if known and self.random.random() < 0.8 else self.member()
            for _ in range(self.random.choice([1, 6, 60]))
        }
        assert self.client("SREM", key, *names) == b":%d\r\n" % len(names & there)
        there -= names
        self.live(key)

    def pop(self) -> None:
        key = self.key()
        there = self.live(key)
        if self.random.random() < 0.5:
            member = self.client.bulk("SPOP", key)
            assert (member is None) == (not there)
            if member is not None:
                there.remove(member)
        else:
            count = self.random.choice([0, 1, 3, 50, len(there), len(there) * 9 // 10])
            popped = self.members("SPOP", key, count)
            assert len(popped) == min(count, len(there))
            assert there.issuperset(popped)
            there.difference_update(popped)
        self.live(key)

    def draw(self) -> None:
        key = self.key()
        there = self.live(key)
        count = self.random.choice([1, 3, 50, 1000])
        found = self.members("SRANDMEMBER", key, count)
        assert len(found) == min(count, len(there))
        assert there.issuperset(found)
        found = self.client.bulks("SRANDMEMBER", key, -count)
        assert len(found) == (count if there else 0)
        assert there.issuperset(found)

    def move(self) -> None:
        source, target = self.key(), self.key()
        there = self.live(source)
        member = self.random.choice(sorted(there)) if there and self.random.random() < 0.8 else self.member()
        had = member in there
        self.live(target)
        assert self.client("SMOVE", source, target, member) == b":%d\r\n" % had
        if had:
            there.remove(member)
            self.sets.setdefault(target, set()).add(member)
            self.live(source)

    def combine(self) -> None:
        keys = [self.key() for _ in range(self.random.choice([1, 2, 2, 3]))]
        operands = [set(self.live(key)) for key in keys]
        target = self.key()
        self.live(target)
        for name, operation in (
            ("SINTER", set.intersection), ("SUNION", set.union), ("SDIFF", set.difference),
        ):  # fmt: skip
            wanted = operation(*operands)
            assert set(self.members(name, *keys)) == wanted
        wanted = set.intersection(*operands)
        assert self.client("SINTERCARD", len(keys), *keys) == b":%d\r\n" % len(wanted)
        limited = self.client("SINTERCARD", len(keys), *keys, "LIMIT", 5)
        assert limited == b":%d\r\n" % min(5, len(wanted))
        name, operation = self.random.choice(
            [("SINTERSTORE", set.intersection), ("SUNIONSTORE", set.union), ("SDIFFSTORE", set.difference)]
        )
        wanted = operation(*operands)
        assert self.client(name, target, *keys) == b":%d\r\n" % len(wanted)
        self.hold(target, wanted)

    def delete(self) -> None:
        key = self.key()
        self.client(self.random.choice(["DEL", "UNLINK"]), key)
        self.drop(key)

    def copy(self) -> None:
        source, target = self.key(), self.key()
        if source == target or not self.live(source):
            return
        expiry = self.expires.get(source)
        if self.random.random() < 0.5:
            assert self.client("COPY", source, target, "REPLACE") == b":1\r\n"
            self.hold(target, set(self.sets[source]))
        else:
            assert self.client("RENAME", source, target) == b"+OK\r\n"
            self.hold(target, self.sets[source])
            self.drop(source)
        if expiry is not None:
            self.expires[target] = expiry

    def dump(self) -> None:
        source, target = self.key(), self.key()
        if not self.live(source):
            return
        self.client("PERSIST", source)
        self.expires.pop(source, None)
        payload = self.client.bulk("DUMP", source)
        assert payload is not None
        assert self.client("RESTORE", target, 0, payload, "REPLACE") == b"+OK\r\n"
        self.hold(target, set(self.sets[source]))
        digests = self.client("DEBUG", "DIGEST-VALUE", source, target).split(b"\r\n")
        assert digests[1] == digests[2]

    def overwrite(self) -> None:
        key = self.key()
        self.client("SET", key, "no set")
        assert self.client("SADD", key, "a").startswith(b"-WRONGTYPE")
        assert self.client("SUNION", b"missing", key).startswith(b"-WRONGTYPE")
        self.client("DEL", key)
        self.drop(key)

    def expire(self) -> None:
        key, ttl = self.key(), self.random.choice([1, 300, 10**7, 10**9])
        if self.live(key):
            assert self.client("PEXPIRE", key, ttl) == b":1\r\n"
            self.expires[key] = self.now + ttl

    def advance(self) -> None:
        self.now += self.random.choice([1, 10, 500])
        self.client.engine.configure(clock_ms=self.now)

    def scan(self) -> None:
        key = self.key()
        cursor, found, there = b"0", [], set(self.live(key))
        while True:
            words = self.client("SSCAN", key, cursor, "COUNT", 7).split(b"\r\n")
            cursor = words[2]
            found += words[5::2]
            if cursor == b"0":
                break
            self.add()
            self.remove()
            there &= self.live(key)
        assert there <= set(found)

    def limit(self) -> None:
        self.client.engine.configure(
            set_max_intset_entries=self.random.choice([0, 20, 512]),
            set_max_listpack_entries=self.random.choice([0, 20, 128]),
            set_max_listpack_value=self.random.choice([2, 64, 1000]),
        )

    def background(self) -> None:
        self.client.engine.background(self.random.choice([1, 50, 1000]), self.random.random() < 0.5)

    def flush(self) -> None:
        if self.random.random() < 0.2:
            self.client("FLUSHALL")
            self.sets.clear()
            self.expires.clear()

    def compare(self) -> None:
        for number in range(KEYS):
            key = b"key-%d" % number
            assert set(self.members("SMEMBERS", key)) == self.live(key)
        assert self.client.engine.check() is None

    STEPS = (
        (add, 20), (ask, 20), (remove, 12), (pop, 4), (draw, 3), (move, 8), (combine, 6), (delete, 1), (copy, 3),
        (dump, 2), (overwrite, 0.5), (expire, 2), (advance, 4), (scan, 1), (limit, 0.5), (flush, 0.5),
        (background, 6), (compare, 1),
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


@pytest.fixture
def client() -> Iterator[Client]:
    engine = Engine(segment_bytes=1 << 16, address_bytes=1 << 30, seed=1)
    engine.load_commands(COMMANDS)
    yield Client(engine)
    assert engine.check() is None
    engine.close()


@pytest.mark.parametrize("count", [1, 10, 30])
def test_drawing_is_fair(client: Client, count: int) -> None:
    """Few are sampled, more are walked."""
    members = [b"member-%d" % i for i in range(300)]
    client("SADD", "s", *members)
    drawn = dict.fromkeys(members, 0)
    for _ in range(12_000 // count):
        for member in client.bulks("SRANDMEMBER", "s", count):
            drawn[member] += 1
    # 40 times each on average, with a deviation of 6.
    assert 10 < min(drawn.values()) <= max(drawn.values()) < 70


@pytest.mark.parametrize(
    ("members", "encoding"),
    [
        ([b"%d" % (n * 1000) for n in range(-100, 400)], b"intset"),
        ([b"%d" % n for n in (1 << 40, -5)], b"intset"),
        ([b"m%d" % n for n in range(128)], b"listpack"),
        ([b"7", b"1000", b"-1000", b"100000", b"1" * 18, b"", b"x" * 64], b"listpack"),
        ([b"m%d" % n for n in range(2000)], b"hashtable"),
        ([b"x" * 65, b"y" * 5000], b"hashtable"),
    ],
)
def test_what_is_dumped_is_restored(client: Client, members: list[bytes], encoding: bytes) -> None:
    client("SADD", "s", *members)
    assert client.bulk("OBJECT", "ENCODING", "s") == encoding
    payload = client.bulk("DUMP", "s")
    assert payload is not None
    assert client("RESTORE", "t", 0, payload) == b"+OK\r\n"
    assert client.bulk("OBJECT", "ENCODING", "t") == encoding
    assert client("SDIFF", "s", "t") == client("SDIFF", "t", "s") == b"*0\r\n"
    assert client("SCARD", "t") == b":%d\r\n" % len(members)


@pytest.mark.parametrize(
    "body",
    [
        b"\x02\x00",
        b"\x02\x02\x01a\x01a",
        b"\x02\x02\x01a",
        b"\x0b\x08\x02\x00\x00\x00\x00\x00\x00\x00",
        b"\x0b\x0a\x03\x00\x00\x00\x01\x00\x00\x00\x01\x00",
        b"\x0b\x0c\x02\x00\x00\x00\x02\x00\x00\x00\x01\x00\x01\x00",
        b"\x0b\x0a\x02\x00\x00\x00\x02\x00\x00\x00\x01\x00",
        b"\x0b\x04\x02\x00\x00\x00",
        b"\x14\x07\x07\x00\x00\x00\x00\x00\xff",
        b"\x14\x0b\x0b\x00\x00\x00\x02\x00\x01\x01\x01\x01\xff",
    ],
)
def test_no_set_is_restored_from(client: Client, body: bytes) -> None:
    assert client("RESTORE", "s", 0, sealed(body)) == BAD_FORMAT
    assert client("EXISTS", "s") == b":0\r\n"
