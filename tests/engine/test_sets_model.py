"""Sets against Python's, on segments of 1 KiB and pages of 256 bytes: packed forms, trees, extents and the change between them, with
keys copied, renamed, expired, flushed and cleaned in between.

Every history is random; its seed is in the test's name. Every history ends with the audit, which walks every tree.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from gapless.commands.table import COMMANDS
from gapless.engine.engine import Engine
from tests.engine.commands import Client
from tests.engine.history import HISTORIES, History
from tests.engine.test_rdb import BAD_FORMAT, sealed

STEPS = 3000


class Model(History[set[bytes]]):
    make = set

    def member(self) -> bytes:
        roll = self.random.random()
        if roll < 0.02:
            return b"n" * self.random.choice([0, 63, 64, 65, 300, 2000, 5000])
        if roll < 0.5:
            return b"%d" % self.random.randrange(-40, 40)
        return b"m%d" % self.random.randrange(400)

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
        self.held[key] = there

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
            self.held.setdefault(target, set()).add(member)
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

    def overwrite(self) -> None:
        key = self.key()
        self.client("SET", key, "no set")
        assert self.client("SADD", key, "a").startswith(b"-WRONGTYPE")
        assert self.client("SUNION", b"missing", key).startswith(b"-WRONGTYPE")
        self.client("DEL", key)
        self.drop(key)

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

    def compare(self) -> None:
        for number in range(self.KEYS):
            key = b"key-%d" % number
            assert set(self.members("SMEMBERS", key)) == self.live(key)
        assert self.client.engine.check() is None

    STEPS = (
        (add, 20), (ask, 20), (remove, 12), (pop, 4), (draw, 3), (move, 8), (combine, 6),
        (History.delete, 1), (History.copy, 3), (History.dump, 2), (overwrite, 0.5), (History.expire, 2),
        (History.advance, 4), (scan, 1), (limit, 0.5), (History.flush, 0.5), (History.background, 6),
        (compare, 1),
    )  # fmt: skip


@pytest.mark.parametrize("seed", range(HISTORIES))
def test_history(seed: int) -> None:
    Model(seed).run(STEPS)


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
