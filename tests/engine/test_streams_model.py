"""Streams against Python's lists and dicts, on segments of 1 KiB and pages of 256 bytes: tails, blocks, tables packed and on trees, large
entries, with keys copied, renamed, dumped, expired, flushed and cleaned in between.

Every history is random; its seed is in the test's name. Every history ends with the audit, which walks every tree.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from gapless.commands.table import COMMANDS
from gapless.engine.engine import Engine
from tests.engine.commands import Client
from tests.engine.history import HISTORIES, History
from tests.engine.test_rdb import BAD_FORMAT, sealed
from tests.support.replies import Reply, parse

STEPS = 2500

Id = tuple[int, int]
Fields = tuple[bytes, ...]


def text(entry: Id) -> bytes:
    return b"%d-%d" % entry


def id_of(reply: Reply) -> Id:
    ms, _, seq = reply.payload.partition(b"-")
    return int(ms), int(seq)


def entry_of(reply: Reply) -> tuple[Id, Fields]:
    return id_of(reply.children[0]), tuple(word.payload for word in reply.children[1].children)


@dataclass
class Pending:
    consumer: bytes
    count: int = 1


@dataclass
class Group:
    last: Id
    consumers: set[bytes] = field(default_factory=set)
    pending: dict[Id, Pending] = field(default_factory=dict)

    def owned(self, consumer: bytes) -> list[Id]:
        return sorted(entry for entry, state in self.pending.items() if state.consumer == consumer)


@dataclass
class Stream:
    entries: dict[Id, Fields] = field(default_factory=dict)
    last: Id = (0, 0)
    groups: dict[bytes, Group] = field(default_factory=dict)

    def needs(self, entry: Id) -> bool:
        return any(entry > group.last or entry in group.pending for group in self.groups.values())


class Model(History[Stream]):
    KEYS = 4

    def call(self, *args: bytes | str | int) -> Reply:
        reply = parse(self.client(*args))
        assert not reply.is_error, (args, reply)
        return reply

    def live(self, key: bytes) -> Stream | None:
        if self.expires.get(key, self.now + 1) <= self.now:
            self.drop(key)
        return self.held.get(key)

    def group(self, stream: Stream) -> tuple[bytes, Group] | None:
        return self.random.choice(sorted(stream.groups.items())) if stream.groups else None

    def consumer(self) -> bytes:
        return self.random.choice(
            [b"a", b"b", b"consumer", b"\x00", b"\x00\x00", b"", b"n" * 40, b"n" * 41, b"m" * 3000]
        )

    def some_id(self, stream: Stream) -> Id:
        known = sorted(stream.entries)
        if known and self.random.random() < 0.8:
            return self.random.choice(known)
        return self.random.randrange(stream.last[0] + 2), self.random.randrange(3)

    def fields(self) -> Fields:
        roll = self.random.random()
        if roll < 0.02:
            return (
                b"large",
                b"x" * self.random.choice([40, 60, 1000, 5000]),
                b"n" * self.random.choice([1, 50]),
                b"",
            )
        if roll < 0.7:
            return b"f", b"%d" % self.random.randrange(1000)
        return tuple(
            self.random.choice([b"f", b"g", b"", b"7"]) for _ in range(2 * self.random.choice([1, 2, 5]))
        )

    def add(self) -> None:
        key = self.key()
        stream = self.live(key)
        if stream is None:
            stream = self.held[key] = Stream()
        for _ in range(self.random.choice([1, 1, 4, 30])):
            ms, seq = stream.last
            if self.random.random() < 0.3:
                ms, seq = ms + self.random.choice([1, 1, 200, 10**6]), self.random.choice([0, 1, 10**9])
            else:
                seq += self.random.choice([1, 1, 1, 300])
            fields = self.fields()
            assert self.client.bulk("XADD", key, text((ms, seq)), *fields) == text((ms, seq))
            stream.last = ms, seq
            stream.entries[ms, seq] = fields

    def read(self) -> None:
        key = self.key()
        stream = self.live(key) or Stream()
        low, high = sorted((self.some_id(stream), self.some_id(stream)))
        if self.random.random() < 0.3:
            high = 10**15, 0
        wanted = sorted((entry, fields) for entry, fields in stream.entries.items() if low <= entry <= high)
        count = self.random.choice([1, 7, 1000])
        found = self.call("XRANGE", key, text(low), text(high), "COUNT", count)
        assert [entry_of(child) for child in found.children] == wanted[:count]
        found = self.call("XREVRANGE", key, text(high), text(low), "COUNT", count)
        assert [entry_of(child) for child in found.children] == wanted[::-1][:count]
        assert self.call("XLEN", key).integer == len(stream.entries)
        found = self.call("XREAD", "COUNT", count, "STREAMS", key, text(low))
        wanted = sorted((entry, fields) for entry, fields in stream.entries.items() if low < entry)
        assert (
            [entry_of(child) for child in found.children[0].children[1].children] == wanted[:count]
            if wanted
            else found.null
        )

    def delete(self) -> None:
        key = self.key()
        stream = self.live(key) or Stream()
        gone = {self.some_id(stream) for _ in range(self.random.choice([1, 5, 30]))}
        assert self.call("XDEL", key, *map(text, gone)).integer == len(gone & stream.entries.keys())
        for entry in gone:
            stream.entries.pop(entry, None)

    def delete_as(self) -> None:
        key = self.key()
        stream = self.live(key)
        if stream is None:
            return
        gone = [self.some_id(stream) for _ in range(3)]
        how = self.random.choice(["KEEPREF", "DELREF", "ACKED"])
        wanted = []
        for entry in gone:
            if how == "ACKED" and stream.needs(entry):
                wanted.append(2)
                continue
            if how == "DELREF":
                for group in stream.groups.values():
                    group.pending.pop(entry, None)
            wanted.append(1 if stream.entries.pop(entry, None) is not None else -1)
        found = self.call("XDELEX", key, how, "IDS", 3, *map(text, gone))
        assert [child.integer for child in found.children] == wanted

    def trim(self) -> None:
        key = self.key()
        stream = self.live(key)
        if stream is None:
            return
        before = sorted(stream.entries)
        how = self.random.choice(["KEEPREF", "DELREF", "ACKED"])
        roll = self.random.random()
        if roll < 0.3:
            # Approximate: never more than was asked for, and only from the front.
            length = self.random.randrange(len(before) + 2)
            gone = self.call("XTRIM", key, "MAXLEN", "~", length).integer
            assert gone <= max(0, len(before) - length)
            for entry in before[:gone]:
                del stream.entries[entry]
            return
        if roll < 0.7:
            length = self.random.choice([0, 3, len(before) // 2, len(before)])
            args: tuple[str | bytes | int, ...] = ("MAXLEN", length)
            chosen = before
            most = max(0, len(before) - length)
        else:
            least = self.some_id(stream)
            args = ("MINID", text(least))
            chosen = [entry for entry in before if entry < least]
            most = len(chosen)
        if how == "ACKED":
            chosen = [entry for entry in chosen if not stream.needs(entry)]
        chosen = chosen[:most]
        assert self.call("XTRIM", key, *args, how).integer == len(chosen)
        for entry in chosen:
            del stream.entries[entry]
            if how == "DELREF":
                for group in stream.groups.values():
                    group.pending.pop(entry, None)

    def make_group(self) -> None:
        key = self.key()
        name = self.random.choice(
            [b"g", b"h", b"", b"\x00\xff", b"long" * 20, b"long" * 19 + b"lone", b"x" * 2000]
        )
        stream = self.live(key)
        if stream is None:
            stream = self.held[key] = Stream()
        start = self.random.choice([(0, 0), self.some_id(stream), stream.last])
        reply = self.client("XGROUP", "CREATE", key, name, text(start), "MKSTREAM")
        assert reply.startswith(b"-BUSYGROUP") if name in stream.groups else reply == b"+OK\r\n"
        stream.groups.setdefault(name, Group(start))

    def change_group(self) -> None:
        key = self.key()
        stream = self.live(key)
        found = self.group(stream) if stream else None
        if stream is None or found is None:
            return
        name, group = found
        roll = self.random.random()
        consumer = self.consumer()
        if roll < 0.2:
            assert self.call("XGROUP", "DESTROY", key, name).integer == 1
            del stream.groups[name]
        elif roll < 0.5:
            owned = group.owned(consumer)
            assert self.call("XGROUP", "DELCONSUMER", key, name, consumer).integer == len(owned)
            group.consumers.discard(consumer)
            for entry in owned:
                del group.pending[entry]
        elif roll < 0.8:
            made = self.call("XGROUP", "CREATECONSUMER", key, name, consumer).integer
            assert made == (consumer not in group.consumers)
            group.consumers.add(consumer)
        else:
            group.last = self.some_id(stream)
            self.call("XGROUP", "SETID", key, name, text(group.last))

    def read_group(self) -> None:
        key = self.key()
        stream = self.live(key)
        found = self.group(stream) if stream else None
        if stream is None or found is None:
            return
        name, group = found
        consumer, count = self.consumer(), self.random.choice([1, 5, 100])
        noack = ("NOACK",) if self.random.random() < 0.1 else ()
        if self.random.random() < 0.3:
            reply = self.call("XREADGROUP", "GROUP", name, consumer, "COUNT", count, "STREAMS", key, "0")
            entries = reply.children[0].children[1].children
            owned = group.owned(consumer)[:count]
            assert [id_of(child.children[0]) for child in entries] == owned
            for entry, child in zip(owned, entries, strict=True):
                if entry in stream.entries:
                    assert entry_of(child) == (entry, stream.entries[entry])
                    group.pending[entry].count += 1
                else:
                    assert child.children[1].null
        else:
            reply = self.call(
                "XREADGROUP", "GROUP", name, consumer, "COUNT", count, *noack, "STREAMS", key, ">"
            )
            new = sorted((entry, fields) for entry, fields in stream.entries.items() if entry > group.last)[
                :count
            ]
            shown = [] if reply.null else reply.children[0].children[1].children
            assert [entry_of(child) for child in shown] == new
            for entry, _ in new:
                group.last = entry
                if not noack:
                    group.pending[entry] = Pending(consumer)
        group.consumers.add(consumer)

    def acknowledge(self) -> None:
        key = self.key()
        stream = self.live(key)
        found = self.group(stream) if stream else None
        if stream is None or found is None:
            return
        name, group = found
        known = sorted(group.pending)
        done = {
            self.random.choice(known) if known else self.some_id(stream)
            for _ in range(self.random.choice([1, 8, 60]))
        }
        assert self.call("XACK", key, name, *map(text, done)).integer == len(done & group.pending.keys())
        for entry in done:
            group.pending.pop(entry, None)

    def claim(self) -> None:
        key = self.key()
        stream = self.live(key)
        found = self.group(stream) if stream else None
        if stream is None or found is None:
            return
        name, group = found
        consumer = self.consumer()
        group.consumers.add(consumer)
        if self.random.random() < 0.5:
            count = self.random.choice([1, 5, 100])
            start = self.some_id(stream)
            reply = self.call("XAUTOCLAIM", key, name, consumer, 0, text(start), "COUNT", count, "JUSTID")
            chosen = [entry for entry in sorted(group.pending) if entry >= start][:count]
            gone = [entry for entry in chosen if entry not in stream.entries]
            assert [id_of(child) for child in reply.children[2].children] == gone
            claimed = [entry for entry in chosen if entry in stream.entries]
            assert [id_of(child) for child in reply.children[1].children] == claimed
            for entry in gone:
                del group.pending[entry]
        else:
            wanted = [self.some_id(stream) for _ in range(4)]
            reply = self.call("XCLAIM", key, name, consumer, 0, *map(text, wanted), "FORCE", "RETRYCOUNT", 3)
            claimed = [entry for entry in wanted if entry in stream.entries]
            assert [entry_of(child) for child in reply.children] == [
                (entry, stream.entries[entry]) for entry in claimed
            ]
            for entry in wanted:
                group.pending.pop(entry, None)
            for entry in claimed:
                group.pending[entry] = Pending(consumer, 3)
        for entry in claimed:
            group.pending[entry].consumer = consumer

    def ask_pending(self) -> None:
        key = self.key()
        stream = self.live(key)
        found = self.group(stream) if stream else None
        if stream is None or found is None:
            return
        name, group = found
        reply = self.call("XPENDING", key, name)
        assert reply.children[0].integer == len(group.pending)
        if group.pending:
            assert [id_of(child) for child in reply.children[1:3]] == [min(group.pending), max(group.pending)]
        reply = self.call("XPENDING", key, name, "-", "+", 10_000)
        assert [
            (id_of(child.children[0]), child.children[1].payload, child.children[3].integer)
            for child in reply.children
        ] == [(entry, state.consumer, state.count) for entry, state in sorted(group.pending.items())]
        reply = self.call("XINFO", "CONSUMERS", key, name)
        assert {
            child.pairs()[b"name"].payload: child.pairs()[b"pending"].integer for child in reply.children
        } == {consumer: len(group.owned(consumer)) for consumer in group.consumers}

    def remove(self) -> None:
        key = self.key()
        self.client("DEL", key)
        self.drop(key)

    def copy(self) -> None:
        source, target = self.key(), self.key()
        stream = self.live(source)
        if source == target or stream is None:
            return
        expiry = self.expires.get(source)
        roll = self.random.random()
        if roll < 0.4:
            assert self.client("COPY", source, target, "REPLACE") == b":1\r\n"
        elif roll < 0.7:
            assert self.client("RENAME", source, target) == b"+OK\r\n"
            self.drop(source)
        else:
            payload = self.client.bulk("DUMP", source)
            assert payload is not None
            assert self.client("RESTORE", target, 0, payload, "REPLACE") == b"+OK\r\n"
            assert self.client.bulk("DUMP", target) == payload
            expiry = None
        self.drop(target)
        self.held[target] = copy.deepcopy(stream)
        if expiry is not None:
            self.expires[target] = expiry

    def limit(self) -> None:
        self.client.engine.configure(
            stream_node_max_entries=self.random.choice([0, 3, 100]),
            stream_node_max_bytes=self.random.choice([0, 100, 4096]),
        )

    def compare(self) -> None:
        for number in range(self.KEYS):
            key = b"key-%d" % number
            stream = self.live(key)
            found = [entry_of(child) for child in self.call("XRANGE", key, "-", "+").children]
            assert found == (sorted(stream.entries.items()) if stream else [])
            if stream is None:
                continue
            info = self.call("XINFO", "STREAM", key).pairs()
            assert id_of(info[b"last-generated-id"]) == stream.last
            assert info[b"length"].integer == len(found)
            assert id_of(info[b"recorded-first-entry-id"]) == (found[0][0] if found else (0, 0))
            groups = self.call("XINFO", "GROUPS", key).children
            assert {
                group.pairs()[b"name"].payload: group.pairs()[b"pending"].integer for group in groups
            } == {name: len(group.pending) for name, group in stream.groups.items()}
        assert self.client.engine.check() is None

    STEPS = (
        (add, 20), (read, 12), (delete, 6), (delete_as, 4), (trim, 3), (make_group, 4), (change_group, 4),
        (read_group, 12), (acknowledge, 6), (claim, 4), (ask_pending, 5), (remove, 0.7), (copy, 3),
        (History.expire, 2), (History.advance, 4), (limit, 0.5), (History.flush, 0.4),
        (History.background, 6), (compare, 1),
    )  # fmt: skip


@pytest.mark.parametrize("seed", range(HISTORIES))
def test_history(seed: int) -> None:
    Model(seed).run(STEPS)


@pytest.mark.parametrize("seed", range(HISTORIES // 2))
def test_history_on_pages_of_4_kib(seed: int) -> None:
    Model(seed, segment_bytes=1 << 20, address_bytes=1 << 30).run(STEPS)


@pytest.fixture
def client() -> Iterator[Client]:
    engine = Engine(segment_bytes=1 << 16, address_bytes=1 << 30, seed=1)
    engine.load_commands(COMMANDS)
    yield Client(engine)
    assert engine.check() is None
    engine.close()


def test_every_number_of_deliveries_is_kept(client: Client) -> None:
    client("XADD", "s", "1-1", "a", "1")
    client("XGROUP", "CREATE", "s", "g", "0")
    assert (
        client("XCLAIM", "s", "g", "c", "0", "1-1", "FORCE", "RETRYCOUNT", (1 << 63) - 1, "JUSTID")
        == b"*1\r\n$3\r\n1-1\r\n"
    )
    assert client("XPENDING", "s", "g", "-", "+", 1).endswith(b":9223372036854775807\r\n")


def test_names_that_begin_alike_stay_apart(client: Client) -> None:
    """Beyond half an element only a hash tells names apart."""
    names = [b"n" * 5000 + b"%d" % i for i in range(20)] + [b"n" * n for n in (499, 500, 501, 502, 505, 600)]
    names += [b"\x00" * n for n in range(5)] + [b"\x00\xff", b"\x00\x00\xff", b"\xff\x00"]
    for name in names:
        assert client("XGROUP", "CREATE", "s", name, "0", "MKSTREAM") == b"+OK\r\n"
        assert client("XGROUP", "CREATECONSUMER", "s", name, name) == b":1\r\n"
    found = [group.pairs()[b"name"].payload for group in parse(client("XINFO", "GROUPS", "s")).children]
    assert sorted(found) == sorted(names)
    assert [name for name in found if len(name) < 500] == sorted(name for name in names if len(name) < 500)
    for name in names:
        assert client("XGROUP", "DESTROY", "s", name) == b":1\r\n"
    assert client("XINFO", "GROUPS", "s") == b"*0\r\n"


def test_many_groups_and_consumers(client: Client) -> None:
    """More than a byte can number."""
    for i in range(1, 400):
        client("XADD", "s", f"{i}-1", "a", i)
    for i in range(100):
        client("XGROUP", "CREATE", "s", f"g{i}", "0")
        client("XREADGROUP", "GROUP", f"g{i}", f"c{i}", "COUNT", 3, "STREAMS", "s", ">")
    for i in range(300):
        client("XREADGROUP", "GROUP", "g99", f"c{i}", "COUNT", 1, "STREAMS", "s", ">")
    consumers = parse(client("XINFO", "CONSUMERS", "s", "g99")).children
    pending = {row.pairs()[b"name"].payload: row.pairs()[b"pending"].integer for row in consumers}
    assert pending == {b"c%d" % i: 4 if i == 99 else 1 for i in range(300)}
    history = parse(client("XREADGROUP", "GROUP", "g99", "c299", "STREAMS", "s", "0"))
    assert [id_of(row.children[0]) for row in history.children[0].children[1].children] == [(303, 1)]
    assert client("XGROUP", "DESTROY", "s", "g98") == b":1\r\n"
    assert parse(client("XPENDING", "s", "g97")).children[0].integer == 3
    assert client("XGROUP", "DELCONSUMER", "s", "g99", "c99") == b":4\r\n"
    assert parse(client("XPENDING", "s", "g99")).children[0].integer == 299


def test_a_capped_stream_stays_small(client: Client) -> None:
    for i in range(5000):
        client("XADD", "s", "MAXLEN", 10, f"{i}-1", "name", "value")
    usage = int(client("MEMORY", "USAGE", "s")[1:-2])
    assert usage < 8000
    assert client("XLEN", "s") == b":10\r\n"


@pytest.mark.parametrize(
    "body",
    [
        b"\x15",
        b"\x15\x00",
        b"\x15\x01\x10" + b"\x00" * 16,
        b"\x15\x01\x02ab\x00",
        b"\x15" + b"\x00" * 9 + b"\x01",
        b"\x15" + b"\x00" * 9 + b"\x01\x01g\x00\x00\x00\x01" + b"\x00" * 24 + b"\x01\x00",
        b"\x15" + b"\x00" * 9 + b"\x02\x01g\x00\x00\x00\x00\x00\x01g\x00\x00\x00\x00\x00",
        b"\x15\x00\x01" + b"\x00" * 8,
        b"\x15" + b"\x00" * 9 + b"\x01\x01g\x00\x00\x00\x00\x01\x01c" + b"\x00" * 16 + b"\x01" + b"\x00" * 16,
    ],
)
def test_no_stream_is_restored_from(client: Client, body: bytes) -> None:
    assert client("RESTORE", "s", 0, sealed(body)) == BAD_FORMAT
    assert client("EXISTS", "s") == b":0\r\n"


def test_older_forms_are_restored(client: Client) -> None:
    """15 and 19, as earlier Redis wrote them: one entry, a group that was given it, a consumer for whom it is pending."""
    pack = bytearray(
        b"\x00\x00\x00\x00\x0a\x00"
        + b"\x01\x01\x00\x01\x01\x01\x81a\x02\x00\x01\x02\x01\x00\x01\x00\x01\x07\x01\x04\x01\xff"
    )
    pack[0] = len(pack)
    entry = b"\x00" * 7 + b"\x05" + b"\x00" * 7 + b"\x01"
    entries = b"\x01\x10" + entry + bytes([len(pack)]) + bytes(pack)
    pending = b"\x01" + entry + b"\x10" + b"\x00" * 7 + b"\x03"
    consumers = b"\x01\x01c" + b"\x20" + b"\x00" * 7 + b"\x01" + entry
    oldest = b"\x0f" + entries + b"\x01\x05\x01" + b"\x01\x01g\x05\x01" + pending + consumers
    older = (
        b"\x13"
        + entries
        + b"\x01\x05\x01\x05\x01\x00\x00\x01"
        + b"\x01\x01g\x05\x01\x01"
        + pending
        + consumers
    )
    for body in (oldest, older):
        assert client("RESTORE", "s", 0, sealed(body), "REPLACE") == b"+OK\r\n"
        assert client("XRANGE", "s", "-", "+") == b"*1\r\n*2\r\n$3\r\n5-1\r\n*2\r\n$1\r\na\r\n$1\r\n7\r\n"
        groups = parse(client("XINFO", "GROUPS", "s")).children[0].pairs()
        assert [groups[name].integer for name in (b"consumers", b"pending", b"entries-read", b"lag")] == [
            1,
            1,
            1,
            0,
        ]
        assert client("XPENDING", "s", "g", "-", "+", 1, "c").endswith(b":3\r\n")
