"""Sorted sets against dicts, on segments of 1 KiB and pages of 256 bytes: packed forms, trees, extents and the change between them, with
keys copied, renamed, expired, flushed and cleaned in between.

Every history is random; its seed is in the test's name. Every history ends with the audit, which walks every tree.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import pytest

from gapless.commands.table import COMMANDS
from gapless.engine.engine import Engine
from tests.engine.commands import Client
from tests.engine.history import HISTORIES, History
from tests.engine.test_rdb import BAD_FORMAT, sealed

STEPS = 3000
PREFIX = b"p" * 300

Scores = dict[bytes, float]


def in_order(scores: Scores) -> list[tuple[bytes, float]]:
    return sorted(scores.items(), key=lambda pair: (pair[1], pair[0]))


class Model(History[Scores]):
    make = dict

    def member(self) -> bytes:
        roll = self.random.random()
        if roll < 0.02:
            return b"n" * self.random.choice([0, 63, 64, 65, 300, 2000, 5000])
        if roll < 0.1:
            return PREFIX + b"%d" % self.random.randrange(60)
        if roll < 0.5:
            return b"%d" % self.random.randrange(-40, 40)
        return b"m%d" % self.random.randrange(400)

    def score(self) -> float:
        roll = self.random.random()
        if roll < 0.1:
            return self.random.choice([0.0, 1.0, math.inf, -math.inf])
        if roll < 0.6:
            return float(self.random.randrange(-5, 20))
        return self.random.choice([1.0, -1.0]) * self.random.random() * 10 ** self.random.randrange(-9, 20)

    def known(self, key: bytes) -> bytes:
        there = self.live(key)
        return self.random.choice(list(there)) if there and self.random.random() < 0.8 else self.member()

    def pairs(self, *args: bytes | str | int) -> list[tuple[bytes, float]]:
        found = self.client.bulks(*args)
        return list(zip(found[::2], map(float, found[1::2]), strict=True))

    def add(self) -> None:
        key = self.key()
        there = self.live(key)
        new = [(self.known(key), self.score()) for _ in range(self.random.choice([1, 1, 2, 8, 40, 150]))]
        option = self.random.choice(["", "", "", "NX", "XX", "GT", "LT"])
        changed = 0
        for member, score in new:
            known = member in there
            if (known and option == "NX") or (not known and option == "XX"):
                continue
            if known and (
                (option == "GT" and score <= there[member]) or (option == "LT" and score >= there[member])
            ):
                continue
            changed += not known or there[member] != score
            there[member] = score
        words = [word for member, score in new for word in (repr(score), member)]
        options = [option, "CH"] if option else ["CH"]
        assert self.client("ZADD", key, *options, *words) == b":%d\r\n" % changed
        if there:
            self.held[key] = there

    def increase(self) -> None:
        key = self.key()
        there = self.live(key)
        member, by = self.known(key), self.score()
        score = there.get(member, 0.0) + by
        if math.isnan(score):
            assert self.client("ZINCRBY", key, repr(by), member).startswith(b"-ERR resulting score is not")
            return
        found = self.client.bulk("ZINCRBY", key, repr(by), member)
        assert found is not None
        assert float(found) == score
        there[member] = score
        self.held[key] = there

    def ask(self) -> None:
        key = self.key()
        there = self.live(key)
        member = self.known(key)
        order = [name for name, _ in in_order(there)]
        found = self.client.bulk("ZSCORE", key, member)
        assert (float(found) if found is not None else None) == there.get(member)
        known = member in there
        rank = order.index(member) if known else 0
        assert self.client("ZRANK", key, member) == (b":%d\r\n" % rank if known else b"$-1\r\n")
        back = len(order) - 1 - rank
        assert self.client("ZREVRANK", key, member) == (b":%d\r\n" % back if known else b"$-1\r\n")
        assert self.client("ZCARD", key) == b":%d\r\n" % len(there)

    def remove(self) -> None:
        key = self.key()
        there = self.live(key)
        names = {self.known(key) for _ in range(self.random.choice([1, 6, 60]))}
        assert self.client("ZREM", key, *names) == b":%d\r\n" % len(names & there.keys())
        for name in names:
            there.pop(name, None)
        self.live(key)

    def span(self, order: list[tuple[bytes, float]]) -> tuple[list[bytes | str | int], int, int]:
        """The words of a range by rank or by score, and the ranks it has."""
        if self.random.random() < 0.5:
            low, high = (self.random.randrange(-len(order) - 2, len(order) + 2) for _ in range(2))
            first, end = (n + len(order) if n < 0 else n for n in (low, high))
            return [low, high], max(first, 0), end + 1
        low_score, high_score = self.score(), self.score()
        low_open, high_open = self.random.random() < 0.5, self.random.random() < 0.5
        inside = [
            rank
            for rank, (_, score) in enumerate(order)
            if (score > low_score if low_open else score >= low_score)
            and (score < high_score if high_open else score <= high_score)
        ]
        words: list[bytes | str | int] = [
            ("(" if low_open else "") + repr(low_score),
            ("(" if high_open else "") + repr(high_score),
        ]
        return words, inside[0] if inside else 0, inside[-1] + 1 if inside else 0

    def ask_range(self) -> None:
        key = self.key()
        order = in_order(self.live(key))
        words, first, end = self.span(order)
        by = ["BYSCORE"] if isinstance(words[0], str) else []
        wanted = order[first : max(end, 0)]
        assert self.pairs("ZRANGE", key, *words, *by, "WITHSCORES") == wanted
        if by:
            offset, count = self.random.randrange(5), self.random.randrange(-1, 9)
            limited = wanted[::-1][offset : None if count < 0 else offset + count]
            limit = ["LIMIT", offset, count]
            assert self.pairs("ZREVRANGEBYSCORE", key, *words[::-1], *limit, "WITHSCORES") == limited
            assert self.client("ZCOUNT", key, *words) == b":%d\r\n" % len(wanted)
        else:
            back = order[::-1][first : max(end, 0)]
            assert self.pairs("ZREVRANGE", key, *words, "WITHSCORES") == back
        target = self.key()
        self.live(target)
        if self.random.random() < 0.3:
            assert self.client("ZRANGESTORE", target, key, *words, *by) == b":%d\r\n" % len(wanted)
            self.hold(target, dict(wanted))

    def remove_range(self) -> None:
        key = self.key()
        there = self.live(key)
        order = in_order(there)
        words, first, end = self.span(order)
        gone = order[first : max(end, 0)]
        name = "ZREMRANGEBYSCORE" if isinstance(words[0], str) else "ZREMRANGEBYRANK"
        assert self.client(name, key, *words) == b":%d\r\n" % len(gone)
        for member, _ in gone:
            del there[member]
        self.live(key)

    def pop(self) -> None:
        key = self.key()
        there = self.live(key)
        count = self.random.choice([1, 3, 50, len(there)])
        if self.random.random() < 0.5:
            gone = in_order(there)[:count]
            assert self.pairs("ZPOPMIN", key, count) == gone
        else:
            gone = in_order(there)[::-1][:count]
            assert self.pairs("ZPOPMAX", key, count) == gone
        for member, _ in gone:
            del there[member]
        self.live(key)

    def draw(self) -> None:
        key = self.key()
        there = self.live(key)
        count = self.random.choice([1, 3, 50, 1000])
        found = self.pairs("ZRANDMEMBER", key, count, "WITHSCORES")
        assert len(found) == len(dict(found)) == min(count, len(there))
        assert there.items() >= dict(found).items()
        found = self.pairs("ZRANDMEMBER", key, -count, "WITHSCORES")
        assert len(found) == (count if there else 0)
        assert there.items() >= dict(found).items()

    def combine(self) -> None:
        keys = [self.key() for _ in range(self.random.choice([1, 2, 2, 3]))]
        operands = [dict(self.live(key)) for key in keys]
        target = self.key()
        self.live(target)
        join = self.random.choice([min, max])
        everything = set().union(*operands)
        union = {name: join(scores[name] for scores in operands if name in scores) for name in everything}
        common = set(operands[0]).intersection(*operands[1:])
        both = {name: union[name] for name in common}
        first = {
            name: score for name, score in operands[0].items() if not any(name in o for o in operands[1:])
        }
        aggregate = ["AGGREGATE", join.__name__.upper()]
        for name, wanted, more in (
            ("ZUNION", union, aggregate),
            ("ZINTER", both, aggregate),
            ("ZDIFF", first, []),
        ):
            assert self.pairs(name, len(keys), *keys, *more, "WITHSCORES") == in_order(wanted)
        assert self.client("ZINTERCARD", len(keys), *keys) == b":%d\r\n" % len(both)
        name, wanted, more = self.random.choice(
            [("ZUNIONSTORE", union, aggregate), ("ZINTERSTORE", both, aggregate), ("ZDIFFSTORE", first, [])]
        )
        assert self.client(name, target, len(keys), *keys, *more) == b":%d\r\n" % len(wanted)
        self.hold(target, wanted)

    def overwrite(self) -> None:
        key = self.key()
        self.client("SET", key, "no set")
        assert self.client("ZADD", key, 1, "a").startswith(b"-WRONGTYPE")
        assert self.client("ZUNION", 2, b"missing", key).startswith(b"-WRONGTYPE")
        self.client("DEL", key)
        self.drop(key)

    def scan(self) -> None:
        key = self.key()
        cursor, found, there = b"0", [], set(self.live(key))
        while True:
            words = self.client("ZSCAN", key, cursor, "COUNT", 7).split(b"\r\n")
            cursor = words[2]
            found += words[5::4]
            if cursor == b"0":
                break
            self.add()
            self.remove()
            there &= self.live(key).keys()
        assert there <= set(found)

    def limit(self) -> None:
        self.client.engine.configure(
            zset_max_listpack_entries=self.random.choice([0, 20, 128]),
            zset_max_listpack_value=self.random.choice([2, 64, 1000]),
        )

    def compare(self) -> None:
        for number in range(self.KEYS):
            key = b"key-%d" % number
            assert self.pairs("ZRANGE", key, 0, -1, "WITHSCORES") == in_order(self.live(key))
        assert self.client.engine.check() is None

    STEPS = (
        (add, 25), (increase, 8), (ask, 20), (remove, 8), (ask_range, 10), (remove_range, 3), (pop, 4),
        (draw, 3), (combine, 5), (History.delete, 1), (History.copy, 3), (History.dump, 2),
        (overwrite, 0.5), (History.expire, 2), (History.advance, 4), (scan, 1), (limit, 0.5),
        (History.flush, 0.5), (History.background, 6), (compare, 1),
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


@pytest.mark.parametrize("size", [1, 20, 2000])
def test_minus_zero_stays_where_redis_keeps_it(client: Client, size: int) -> None:
    """Its order is that of 0: by member."""
    for entries, shown in ((128, b"0"), (0, b"-0")):
        client.engine.configure(zset_max_listpack_entries=entries)
        client("DEL", "z")
        names = [b"%04d" % n for n in range(size)]
        for name in names:
            client("ZADD", "z", "-0" if name == names[size // 2] else "0", name)
        kept = client.bulk("OBJECT", "ENCODING", "z") == b"skiplist"
        found = client.bulks("ZRANGE", "z", 0, -1, "WITHSCORES")
        assert found[::2] == names
        # Beyond a listpack's size it has become one of 0 or never was in one.
        wanted = b"-0" if kept and (size // 2 >= entries or shown == b"-0") else b"0"
        assert found[1::2][size // 2] == client.bulk("ZSCORE", "z", names[size // 2]) == wanted
        assert client("ZCOUNT", "z", 0, 0) == client("ZCOUNT", "z", "-0", "-0") == b":%d\r\n" % size
        assert client("ZRANK", "z", names[-1]) == b":%d\r\n" % (size - 1)


def test_a_member_of_100_mib(client: Client) -> None:
    large = b"m" * (100 << 20)
    assert client("ZADD", "z", 5, large, 6, large + b"x", 4, "a") == b":3\r\n"
    assert client("ZRANK", "z", large + b"x") == b":2\r\n"
    assert client.bulk("ZINCRBY", "z", 5, large) == b"10"
    assert client("ZRANK", "z", large) == b":2\r\n"
    assert client("ZREM", "z", large, large + b"x") == b":2\r\n"


def test_a_union_gathers_each_member_once(client: Client) -> None:
    """However often its key is named."""
    members = [b"member-%d" % i for i in range(3000)]
    client("ZADD", "z", *(word for i, member in enumerate(members) for word in (i, member)))
    assert client("ZUNIONSTORE", "u", 500, *["z"] * 500) == b":3000\r\n"
    assert client.bulk("ZSCORE", "u", members[7]) == b"3500"
    assert client("ZINTERSTORE", "u", 500, *["z"] * 500) == b":3000\r\n"
    assert client.bulks("ZRANGE", "u", 0, -1) == members


@pytest.mark.parametrize("count", [1, 10, 30])
def test_drawing_is_fair(client: Client, count: int) -> None:
    """Few are sampled, more are walked."""
    members = [b"member-%d" % i for i in range(300)]
    client("ZADD", "z", *(word for member in members for word in (1, member)))
    drawn = dict.fromkeys(members, 0)
    for _ in range(12_000 // count):
        for member in client.bulks("ZRANDMEMBER", "z", count):
            drawn[member] += 1
    # 40 times each on average, with a deviation of 6.
    assert 10 < min(drawn.values()) <= max(drawn.values()) < 70


@pytest.mark.parametrize(
    "body",
    [
        # Two members, from the highest score on.
        b"\x05\x02\x01b" + b"\x00" * 6 + b"\x00@\x01a" + b"\x00" * 6 + b"\xf0?",
        b"\x03\x02\x01b\x012\x01a\x03001",
        b"\x0c\x15\x15\x00\x00\x00\x12\x00\x00\x00\x04\x00\x00\x01a\x03\xf2\x02\x01b\x03\xf3\xff",
        b"\x11\x11\x11\x00\x00\x00\x04\x00\x81a\x02\x01\x01\x81b\x02\x02\x01\xff",
    ],
)
def test_every_form_is_restored(client: Client, body: bytes) -> None:
    assert client("RESTORE", "z", 0, sealed(body)) == b"+OK\r\n"
    assert client.bulks("ZRANGE", "z", 0, -1, "WITHSCORES") == [b"a", b"1", b"b", b"2"]
    assert client.bulk("OBJECT", "ENCODING", "z") == b"listpack"


@pytest.mark.parametrize(
    "body",
    [
        b"\x05\x00",
        b"\x05\x02\x01a" + b"\x00" * 8,
        b"\x05\x01\x01a" + b"\x00" * 6 + b"\xf8\x7f",
        b"\x05\x02\x01a" + b"\x00" * 8 + b"\x01a" + b"\x00" * 8,
        b"\x03\x01\x01a\xfd",
        b"\x03\x01\x01a\x03abc",
        b"\x03\x01\x01a\x09123",
        b"\x0c\x15\x15\x00\x00\x00\x12\x00\x00\x00\x04\x00\x00\x01a\x03\xf2\x07\x01b\x03\xf3\xff",
        b"\x0c\x15\x15\x00\x00\x00\x10\x00\x00\x00\x04\x00\x00\x01a\x03\xf2\x02\x01b\x03\xf3\xff",
        b"\x0c\x0b\x0b\x00\x00\x00\x0a\x00\x00\x00\x00\x00\xff",
        b"\x11\x07\x07\x00\x00\x00\x00\x00\xff",
        b"\x11\x0c\x0c\x00\x00\x00\x02\x00\x81a\x02\xf1\xff",
        b"\x11\x0a\x0a\x00\x00\x00\x01\x00\x81a\x02\xff",
        b"\x11\x0d\x0d\x00\x00\x00\x02\x00\x81a\x02\x81b\x02\xff",
    ],
)
def test_no_sorted_set_is_restored_from(client: Client, body: bytes) -> None:
    assert client("RESTORE", "z", 0, sealed(body)) == BAD_FORMAT
    assert client("EXISTS", "z") == b":0\r\n"
