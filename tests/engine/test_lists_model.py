"""Lists against Python's, on segments of 1 KiB and pages of 256 bytes: packed forms, trees, extents and the change between them, with
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


class Model(History[list[bytes]]):
    make = list

    def element(self) -> bytes:
        roll = self.random.random()
        if roll < 0.02:
            return b"n" * self.random.choice([0, 63, 64, 65, 300, 2000, 5000, 9000])
        if roll < 0.5:
            return b"%d" % self.random.randrange(-40, 40)
        return b"e%d" % self.random.randrange(400)

    def some_index(self, there: list[bytes]) -> int:
        length = len(there)
        return self.random.choice(
            [0, -1, length - 1, self.random.randint(-length - 2, length + 1), self.random.randint(0, length)]
        )

    def push(self) -> None:
        key = self.key()
        new = [self.element() for _ in range(self.random.choice([1, 1, 2, 8, 40, 150]))]
        there = self.live(key)
        left, only_there = self.random.random() < 0.5, self.random.random() < 0.2
        name = ("L" if left else "R") + "PUSH" + ("X" if only_there else "")
        if only_there and not there:
            assert self.client(name, key, *new) == b":0\r\n"
            return
        there = new[::-1] + there if left else there + new
        assert self.client(name, key, *new) == b":%d\r\n" % len(there)
        self.held[key] = there

    def pop(self) -> None:
        key = self.key()
        there = self.live(key)
        left = self.random.random() < 0.5
        name = "LPOP" if left else "RPOP"
        if self.random.random() < 0.7:
            popped = self.client.bulk(name, key)
            assert popped == (there[0 if left else -1] if there else None)
            if there:
                del there[0 if left else -1]
        else:
            count = self.random.choice([1, 3, 50, len(there), len(there) // 2, len(there) * 9 // 10]) or 1
            wanted = there[:count] if left else there[::-1][:count]
            if there:
                assert self.client.bulks(name, key, count) == wanted
                there[:] = there[count:] if left else there[: max(len(there) - count, 0)]
            else:
                assert self.client(name, key, count) == b"*-1\r\n"
        self.live(key)

    def pop_of_several(self) -> None:
        keys = [self.key() for _ in range(3)]
        left = self.random.random() < 0.5
        count = self.random.choice([1, 5, 100])
        there = {key: self.live(key) for key in keys}
        first = next((key for key in keys if there[key]), None)
        reply = self.client("LMPOP", 3, *keys, "LEFT" if left else "RIGHT", "COUNT", count)
        if first is None:
            assert reply == b"*-1\r\n"
            return
        found = there[first]
        wanted = found[:count] if left else found[::-1][:count]
        assert reply.split(b"\r\n")[2] == first
        assert reply.split(b"\r\n")[5:-1:2] == wanted
        found[:] = found[count:] if left else found[: max(len(found) - count, 0)]
        self.live(first)

    def read(self) -> None:
        key = self.key()
        there = self.live(key)
        assert self.client("LLEN", key) == b":%d\r\n" % len(there)
        index = self.some_index(there)
        wanted = there[index] if -len(there) <= index < len(there) else None
        assert self.client.bulk("LINDEX", key, index) == wanted
        start, end = self.some_index(there), self.some_index(there)
        assert self.client.bulks("LRANGE", key, start, end) == self.between(there, start, end)

    def between(self, there: list[bytes], start: int, end: int) -> list[bytes]:
        length = len(there)
        start = max(start + length, 0) if start < 0 else start
        end = end + length if end < 0 else end
        return there[start : end + 1] if end >= 0 else []

    def find(self) -> None:
        key, element = self.key(), self.element()
        there = self.live(key)
        at = [i for i, other in enumerate(there) if other == element]
        rank = self.random.choice([1, 1, 2, -1, -2])
        count = self.random.choice([0, 1, 3])
        wanted = at[rank - 1 :] if rank > 0 else at[::-1][-rank - 1 :]
        wanted = wanted[:count] if count else wanted
        reply = self.client("LPOS", key, element, "RANK", rank, "COUNT", count)
        assert reply == b"*%d\r\n" % len(wanted) + b"".join(b":%d\r\n" % i for i in wanted)
        most = self.random.choice([1, 10, 100])
        reply = self.client("LPOS", key, element, "MAXLEN", most)
        assert reply == (b":%d\r\n" % at[0] if at and at[0] < most else b"$-1\r\n")

    def put(self) -> None:
        key, element = self.key(), self.element()
        there = self.live(key)
        index = self.some_index(there)
        reply = self.client("LSET", key, index, element)
        if not there:
            assert reply == b"-ERR no such key\r\n"
        elif -len(there) <= index < len(there):
            assert reply == b"+OK\r\n"
            there[index] = element
        else:
            assert reply == b"-ERR index out of range\r\n"

    def insert(self) -> None:
        key, element = self.key(), self.element()
        there = self.live(key)
        pivot = self.random.choice(there) if there and self.random.random() < 0.8 else self.element()
        after = self.random.random() < 0.5
        reply = self.client("LINSERT", key, "AFTER" if after else "BEFORE", pivot, element)
        if not there:
            assert reply == b":0\r\n"
        elif pivot in there:
            there.insert(there.index(pivot) + after, element)
            assert reply == b":%d\r\n" % len(there)
        else:
            assert reply == b":-1\r\n"

    def remove(self) -> None:
        key = self.key()
        there = self.live(key)
        element = self.random.choice(there) if there and self.random.random() < 0.8 else self.element()
        count = self.random.choice([0, 1, 2, -1, -2])
        at = [i for i, other in enumerate(there) if other == element]
        at = at[:count] if count > 0 else at[count:] if count < 0 else at
        assert self.client("LREM", key, count, element) == b":%d\r\n" % len(at)
        for i in reversed(at):
            del there[i]
        self.live(key)

    def trim(self) -> None:
        key = self.key()
        there = self.live(key)
        start = self.random.choice([0, 1, 3, len(there) // 3, len(there) - 2, self.some_index(there)])
        end = self.random.choice([-1, -2, -4, len(there) // 2, self.some_index(there)])
        assert self.client("LTRIM", key, start, end) == b"+OK\r\n"
        if there:
            there[:] = self.between(there, start, end)
        self.live(key)

    def move(self) -> None:
        source, target = self.key(), self.key()
        there = self.live(source)
        self.live(target)
        ends = [self.random.choice(["LEFT", "RIGHT"]) for _ in range(2)]
        reply = self.client.bulk("LMOVE", source, target, *ends)
        assert reply == (there[0 if ends[0] == "LEFT" else -1] if there else None)
        if reply is None:
            return
        del there[0 if ends[0] == "LEFT" else -1]
        found = self.held.setdefault(target, [])
        found.insert(0 if ends[1] == "LEFT" else len(found), reply)
        self.live(source)

    def copied(self, source: bytes, target: bytes) -> None:
        assert self.client.bulk("DUMP", source) == self.client.bulk("DUMP", target)

    def overwrite(self) -> None:
        key = self.key()
        self.client("SET", key, "no list")
        assert self.client("RPUSH", key, "a").startswith(b"-WRONGTYPE")
        assert self.client("LRANGE", key, 0, -1).startswith(b"-WRONGTYPE")
        self.client("DEL", key)
        self.drop(key)

    def limit(self) -> None:
        self.client.engine.configure(
            list_max_listpack_size=self.random.choice([-2, -1, -5, 0, 1, 3, 20, 1000])
        )

    def compare(self) -> None:
        for number in range(self.KEYS):
            key = b"key-%d" % number
            assert self.client.bulks("LRANGE", key, 0, -1) == self.live(key)
        assert self.client.engine.check() is None

    STEPS = (
        (push, 25), (pop, 12), (pop_of_several, 3), (read, 20), (find, 4), (put, 8), (insert, 8),
        (remove, 4), (trim, 2), (move, 10), (History.delete, 0.5), (History.copy, 3), (History.dump, 3),
        (overwrite, 0.5), (History.expire, 2), (History.advance, 4), (limit, 1), (History.flush, 0.5),
        (History.background, 6), (compare, 1),
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


@pytest.mark.parametrize("name", ["RPUSH", "LPUSH"])
def test_a_long_list_is_cut_and_freed(client: Client, name: str) -> None:
    numbers = [b"%016d" % n for n in range(30_000)]
    for at in range(0, len(numbers), 1000):
        client(name, "l", *numbers[at : at + 1000])
    if name == "LPUSH":
        numbers.reverse()
    assert client("LTRIM", "l", 1000, -1001) == b"+OK\r\n"
    numbers = numbers[1000:-1000]
    assert client.bulks("LRANGE", "l", 0, -1) == numbers
    assert client.engine.check() is None
    assert client.bulks("LPOP", "l", 9000) == numbers[:9000]
    assert client.bulks("RPOP", "l", 9000) == numbers[-9000:][::-1]
    numbers = numbers[9000:-9000]
    for index in (0, 1, 500, 5000, len(numbers) - 1):
        assert client.bulk("LINDEX", "l", index) == numbers[index]
    assert client("LREM", "l", 0, numbers[77]) == b":1\r\n"
    assert client("LLEN", "l") == b":%d\r\n" % (len(numbers) - 1)
    assert client("LTRIM", "l", 5, 4) == b"+OK\r\n"
    assert client("EXISTS", "l") == b":0\r\n"


ZIPLIST = (
    b"\x26\x00\x00\x00\x22\x00\x00\x00\x06\x00"
    b"\x00\x01a\x03\xf1\x02\xfd\x02\xfe\xf0\x03\xc0\x39\x30\x04\xf0\x00\x00\x80\x05\x02bc\xff"
)
OLD = [b"a", b"0", b"12", b"-16", b"12345", b"-8388608", b"bc"]


def listpack(*entries: bytes) -> bytes:
    body = b"".join(bytes([0x80 | len(e)]) + e + bytes([len(e) + 1]) for e in entries)
    return (len(body) + 7).to_bytes(4, "little") + len(entries).to_bytes(2, "little") + body + b"\xff"


def string(data: bytes) -> bytes:
    return bytes([len(data)]) + data


@pytest.mark.parametrize(
    ("body", "elements", "encoding"),
    [
        (b"\x01\x03\x01a\xc0\x07\x00", [b"a", b"7", b""], b"listpack"),
        (b"\x12\x01\x02" + string(listpack(b"a", b"b")), [b"a", b"b"], b"listpack"),
        (
            b"\x12\x02\x02" + string(listpack(b"a")) + b"\x02" + string(listpack(b"b")),
            [b"a", b"b"],
            b"quicklist",
        ),
        (b"\x12\x02\x02" + string(listpack()) + b"\x02" + string(listpack(b"b")), [b"b"], b"listpack"),
        (b"\x12\x02\x01\x01a\x02" + string(listpack(b"b")), [b"a", b"b"], b"quicklist"),
        (b"\x12\x01\x01\x01a", [b"a"], b"quicklist"),
    ],
)
def test_what_redis_wrote_is_restored(
    client: Client, body: bytes, elements: list[bytes], encoding: bytes
) -> None:
    assert client("RESTORE", "l", 0, sealed(body)) == b"+OK\r\n"
    assert client.bulks("LRANGE", "l", 0, -1) == elements
    assert client.bulk("OBJECT", "ENCODING", "l") == encoding


@pytest.mark.parametrize(
    "body",
    [
        b"\x01\x00",
        b"\x01\x02\x01a",
        b"\x12\x00",
        b"\x12\x01\x03" + string(listpack(b"a")),
        b"\x12\x01\x01\x00",
        b"\x12\x01\x02" + string(listpack()),
        b"\x12\x02\x02" + string(listpack(b"a")),
        b"\x12\x01\x02" + string(listpack(b"a")[:-1]),
        b"\x0e\x00",
        b"\x0e\x01\x00",
        b"\x0e\x01" + string(ZIPLIST[:-2] + b"\xff"),
        b"\x0a" + string(ZIPLIST[:-1]),
        b"\x0a\x0b\x0b\x00\x00\x00\x0a\x00\x00\x00\x00\x00\xff",
    ],
)
def test_no_list_is_restored_from(client: Client, body: bytes) -> None:
    assert client("RESTORE", "l", 0, sealed(body)) == BAD_FORMAT
    assert client("EXISTS", "l") == b":0\r\n"
