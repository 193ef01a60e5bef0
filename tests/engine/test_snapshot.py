"""A snapshot in the background is of the moment when it began, whatever is written until it ends."""

from __future__ import annotations

import random

import pytest

from gapless.commands.table import COMMANDS
from gapless.engine.engine import Engine
from gapless.engine.snapshot import Snapshot
from tests.engine import (
    test_hashes_model,
    test_lists_model,
    test_sets_model,
    test_sorted_sets_model,
    test_streams_model,
)
from tests.engine.commands import Client, new_client_of_all
from tests.engine.history import HISTORIES, START_MS
from tests.engine.snapshots import Watched, finished, keys, loaded, whole

MODELS = (
    test_hashes_model.Model,
    test_lists_model.Model,
    test_sets_model.Model,
    test_sorted_sets_model.Model,
    test_streams_model.Model,
)


def watching(model: type) -> type:
    """The history of a type with snapshots going on beside it."""

    class WithSnapshots(model):  # type: ignore[misc]
        watched: Watched | None = None
        checked = 0

        def snapshot(self) -> None:
            if self.watched is None:
                self.watched = Watched(self.client, self.now)
            elif self.watched.step():
                self.watched = None
                self.checked += 1

        STEPS = (*model.STEPS, (snapshot, 0.15 * sum(weight for _, weight in model.STEPS)))

    return WithSnapshots


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__module__.split("_", 1)[1])
@pytest.mark.parametrize("seed", range(HISTORIES))
def test_histories_of_types(model: type, seed: int) -> None:
    history = watching(model)(seed)
    history.run(1500)
    assert history.checked > 0


class Databases:
    """Strings and some collections in three databases: all that moves keys between places, and that ends them."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        engine = Engine(segment_bytes=1024, address_bytes=1 << 26, seed=seed)
        engine.load_commands(COMMANDS)
        self.now = START_MS
        engine.configure(clock_ms=self.now)
        self.client = Client(engine)
        self.watched: Watched | None = None
        self.checked = 0

    def key(self) -> bytes:
        return b"k%d" % int(self.random.triangular(0, 600, 0))

    def value(self) -> bytes:
        return self.random.randbytes(self.random.choice([0, 5, 40, 40, 300, 1500]))

    def write(self) -> None:
        client, key = self.client, self.key()
        match self.random.randrange(12):
            case 0 | 1 | 2:
                client("SET", key, self.value())
            case 3:
                client("SET", key, self.value(), "PX", self.random.choice([1, 50, 100000]), "GET")
            case 4:
                client("APPEND", key, self.value())
            case 5:
                client("DEL", key)
            case 6:
                client("RENAME", key, self.key())
            case 7:
                client("MOVE", key, self.random.randrange(3))
            case 8:
                client("COPY", key, self.key(), "DB", self.random.randrange(3), "REPLACE")
            case 9:
                client("PEXPIRE", key, self.random.choice([1, 100, 1000000]))
            case 10:
                client("HSET", b"h" + key, self.key(), self.value(), self.key(), self.value())
            case 11:
                client("PFADD", b"p" + key, self.value())
                client("PFCOUNT", b"p" + key)

    def rarely(self) -> None:
        client = self.client
        match self.random.randrange(10):
            case 0 | 1:
                client("SELECT", self.random.randrange(3))
            case 2:
                client("SWAPDB", self.random.randrange(3), self.random.randrange(3))
            case 3:
                client("FLUSHDB")
            case 4:
                self.now += self.random.choice([1, 60, 1000])
                client.engine.configure(clock_ms=self.now)
            case 5:
                client("KEYS", "*")
            case 6:
                client.engine.configure(maxmemory=self.random.choice([0, 400_000]))
                client.engine.set_policy(self.random.choice(["noeviction", "allkeys-lfu", "volatile-lru"]))
            case _:
                client.engine.background(self.random.choice([1, 50, 1000]), self.random.random() < 0.5)

    def snapshot(self) -> None:
        if self.watched is None:
            selected = self.client.session.db
            self.watched = Watched(self.client, self.now)
            self.client.session.db = selected
        elif self.random.random() < 0.02:
            self.watched.snapshot.abandon()
            self.watched = None
        elif self.watched.step():
            self.watched = None
            self.checked += 1


@pytest.mark.parametrize("seed", range(2 * HISTORIES))
def test_databases_flushed_swapped_and_evicted(seed: int) -> None:
    history = Databases(seed)
    for _ in range(6000):
        roll = history.random.random()
        if roll < 0.9:
            history.write()
        elif roll < 0.95:
            history.rarely()
        else:
            history.snapshot()
    assert history.checked > 0
    history.watched = None
    assert history.client.engine.check() is None


@pytest.fixture
def client() -> Client:
    return new_client_of_all(now_ms=START_MS)


def test_a_database_flushed_before_is_not_in_it(client: Client) -> None:
    client("DEBUG", "POPULATE", 3000, "old")
    client("FLUSHDB")
    client("DEBUG", "POPULATE", 3000, "new")
    watched = Watched(client, START_MS)
    client("FLUSHDB")
    client("DEBUG", "POPULATE", 3000, "newer")
    while not watched.step():
        client.engine.background(10)


def test_keys_written_while_it_runs_come_into_the_next(client: Client) -> None:
    client("DEBUG", "POPULATE", 5000)
    watched = Watched(client, START_MS)
    turn = 0
    while not watched.step():
        client("SET", f"key:{turn}", "changed")
        client("SET", f"more:{turn}", "new")
        turn += 1
    assert turn > 100
    assert loaded(whole(client.engine), START_MS)("DEBUG", "DIGEST") == client("DEBUG", "DIGEST")
    assert Watched(client, START_MS).keys == keys(client)


def test_what_had_expired_is_not_in_it(client: Client) -> None:
    client("SET", "gone", "1", "PX", 10)
    client("SET", "stays", "1", "PX", 20)
    client("HSET", "h", "f", "1")
    client("HPEXPIRE", "h", 10, "FIELDS", 1, "f")
    client.engine.configure(clock_ms=START_MS + 10)
    snapshot = Snapshot(client.engine, {}, [], True, True)
    client.engine.configure(clock_ms=START_MS + 1000)
    copy = loaded(finished(snapshot, b""), START_MS + 10)
    assert copy.bulks("KEYS", "*") == [b"stays"]
    assert copy("PEXPIRETIME", "stays") == b":%d\r\n" % (START_MS + 20)


def test_one_at_a_time_and_one_that_is_abandoned_makes_way(client: Client) -> None:
    client("DEBUG", "POPULATE", 5000)
    first = Snapshot(client.engine, {}, [], True, True)
    first.step(0)
    first.abandon()
    client("SET", "key:1", "changed")
    watched = Watched(client, START_MS)
    assert first.done
    client("SET", "key:2", "changed")
    while not watched.step():
        pass


def test_the_version_is_what_the_data_need(client: Client) -> None:
    client("SADD", "s", "a", "b")
    client("ZADD", "z", 1, "a")
    client("RPUSH", "l", "a")
    client("XADD", "x", "1-1", "f", "v")
    client("HSET", "h", "f", "v")
    assert whole(client.engine)[:9] == b"REDIS0010"
    client("XGROUP", "CREATE", "x", "g", "0")
    client("XREADGROUP", "GROUP", "g", "c", "STREAMS", "x", ">")
    assert whole(client.engine)[:9] == b"REDIS0010"
    client.engine.configure(clock_ms=START_MS + 5)
    client("XREADGROUP", "GROUP", "g", "c", "STREAMS", "x", ">")
    assert whole(client.engine)[:9] == b"REDIS0011"
    client("HPEXPIRE", "h", 1000, "FIELDS", 1, "f")
    data = whole(client.engine)
    assert data[:9] == b"REDIS0012"
    # The checksum is that of the file as it is, though its version was told last.
    assert loaded(data, START_MS)("DEBUG", "DIGEST") == client("DEBUG", "DIGEST")


def test_keys_put_in_in_the_order_of_a_scan(client: Client) -> None:
    """The buckets of a growing index then fill one after the other, the more so if another database has its order."""
    client("DEBUG", "POPULATE", 100_000)
    cursor = b"0"
    while True:
        words = client("SCAN", cursor, "COUNT", 1000).split(b"\r\n")
        cursor = words[2]
        for key in words[5::2]:
            if key:
                client("COPY", key, key, "DB", 1)
        if cursor == b"0":
            break
    client("SELECT", 1)
    assert client("DBSIZE") == b":100000\r\n"
    client("FLUSHDB")
    assert client.engine.check() is None
