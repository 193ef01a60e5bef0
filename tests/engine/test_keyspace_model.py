"""The core against a dict, on segments so small that cleaning, splits, expiry, eviction happen all the time.

Every history is random; its seed is in the test's name. Every history ends with the audit.
"""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from gapless.engine.store_core import StoreCore, layout
from gapless.errors import OutOfMemoryError, ResponseError

START_MS = 1_700_000_000_000
HISTORIES = int(os.environ.get("GAPLESS_HISTORIES", "6"))
STEPS = 4000

# Bits of Policy in keyspace.pxd.
ALLKEYS_LRU, ALLKEYS_LFU, ALLKEYS_RANDOM = 16 | 1, 16 | 2, 16 | 4
VOLATILE_LRU, VOLATILE_LFU, VOLATILE_RANDOM, VOLATILE_TTL = 1, 2, 4, 8


@dataclass
class Entry:
    value: bytes
    expire_ms: int | None = None


@dataclass
class Model:
    """What must be in the store, and a store beside it. `may_lose` tells what eviction may take."""

    random: random.Random
    store: StoreCore
    databases: int
    may_lose: Callable[[Entry], bool] = lambda entry: False
    now: int = START_MS
    keys: list[dict[bytes, Entry]] = field(default_factory=list)
    ordered: bool = False
    refused: int = 0
    lost: int = 0

    def __post_init__(self) -> None:
        self.keys = [{} for _ in range(self.databases)]
        self.store.clock_ms = self.now

    @property
    def live(self) -> dict[bytes, Entry]:
        return self.keys[self.store.db]

    def some_key(self) -> bytes:
        roll = self.random.random()
        if roll < 0.02:
            return self.random.choice([b"", b"k" * 125, b"l" * 126, b"m" * 127, b"n" * 128, b"o" * 700])
        if roll < 0.03:
            return b"long" + bytes(self.random.choices(b"ab", k=3)) + b"x" * 5000
        return b"%d" % self.random.randrange(300)

    def some_value(self) -> bytes:
        roll = self.random.random()
        if roll < 0.80:
            size = self.random.randrange(60)
        elif roll < 0.95:
            size = self.random.randrange(60, 200)
        elif roll < 0.995:
            size = self.random.randrange(200, 9000)
        else:
            size = self.random.choice([1 << 20, (1 << 20) + 1, 3 << 19])
        return self.random.randbytes(size)

    def some_ttl(self) -> int:
        return self.random.choice([1, 5, 30, 100, 1000, 5000, 60_000, 3_600_000, 1 << 40, 1 << 50])

    def drop_expired(self) -> None:
        for keys in self.keys:
            for key in [k for k, e in keys.items() if e.expire_ms is not None and e.expire_ms <= self.now]:
                del keys[key]

    def look(self, key: bytes, db: int | None = None) -> Entry | None:
        """The entry, after it was dropped from the model in case eviction took it."""
        db = self.store.db if db is None else db
        entry = self.keys[db].get(key)
        if entry is not None and self.may_lose(entry):
            here, self.store.db = self.store.db, db
            if not self.store.exists(key):
                del self.keys[db][key]
                self.lost += 1
                entry = None
            self.store.db = here
        return entry

    def attempt(self, change: Callable[[], object]) -> bool:
        try:
            change()
        except OutOfMemoryError:
            self.refused += 1
            return False
        return True

    def kept_ttl(self, key: bytes, old: Entry | None) -> int | None:
        """The TTL after a change that keeps it; eviction may have taken the old key meanwhile."""
        found = self.store.pexpiretime(key)
        expected = -1 if old is None or old.expire_ms is None else old.expire_ms
        assert found == expected or (found == -1 and old is not None and self.may_lose(old))
        return None if found == -1 else found

    # ---- steps

    def put(self) -> None:
        key, value = self.some_key(), self.some_value()
        if self.attempt(lambda: self.store.set(key, value)):
            self.live[key] = Entry(value)

    def set_ttl(self) -> None:
        key, value, ttl = self.some_key(), self.some_value(), self.some_ttl()
        if self.attempt(lambda: self.store.psetex(key, ttl, value)):
            self.live[key] = Entry(value, self.now + ttl)

    def set_keepttl(self) -> None:
        key, value = self.some_key(), self.some_value()
        old = self.look(key)
        if self.attempt(lambda: self.store.set(key, value, keepttl=True)):
            self.live[key] = Entry(value, self.kept_ttl(key, old))

    def overwrite(self) -> None:
        key = self.some_key()
        old = self.look(key)
        if old is not None:
            value = self.random.randbytes(len(old.value))
            if self.attempt(lambda: self.store.set(key, value)):
                self.live[key] = Entry(value)

    def get(self) -> None:
        key = self.some_key()
        entry = self.look(key)
        assert self.store.get(key) == (None if entry is None else entry.value)

    def delete(self) -> None:
        key = self.some_key()
        entry = self.look(key)
        assert self.store.delete(key) == (entry is not None)
        self.live.pop(key, None)

    def expire(self) -> None:
        key, ttl = self.some_key(), self.random.choice([-5, 0, self.some_ttl()])
        entry = self.look(key)
        done: list[bool] = []
        if not self.attempt(lambda: done.append(self.store.pexpire(key, ttl))):
            return
        if entry is None:
            assert done == [False]
            return
        if not done[0]:
            assert self.may_lose(entry)
            self.live.pop(key, None)
            return
        entry.expire_ms = self.now + ttl
        if ttl <= 0:
            del self.live[key]

    def persist(self) -> None:
        key = self.some_key()
        entry = self.look(key)
        done: list[bool] = []
        if not self.attempt(lambda: done.append(self.store.persist(key))):
            return
        expected = entry is not None and entry.expire_ms is not None
        if entry is None or not self.may_lose(entry):
            assert done == [expected]
        if entry is not None and done[0]:
            entry.expire_ms = None

    def ttl(self) -> None:
        key = self.some_key()
        entry = self.look(key)
        left = self.store.pttl(key)
        if entry is None:
            assert left == -2
        else:
            assert left == (-1 if entry.expire_ms is None else entry.expire_ms - self.now)

    def append(self) -> None:
        key, more = self.some_key(), self.some_value()[:4000]
        old = self.look(key)
        if self.attempt(lambda: self.store.append(key, more)):
            if old is not None and self.may_lose(old) and self.store.strlen(key) == len(more):
                old = Entry(b"", old.expire_ms)
            self.live[key] = Entry((old.value if old else b"") + more, self.kept_ttl(key, old))

    def setrange(self) -> None:
        key, more, offset = (
            self.some_key(),
            self.random.randbytes(self.random.randrange(40)),
            self.random.randrange(300),
        )
        old = self.look(key)
        if not self.attempt(lambda: self.store.setrange(key, offset, more)) or not more:
            return
        value = self.store.get(key)
        assert value is not None
        before = old.value if old else b""
        expected = before[:offset].ljust(offset, b"\0") + more + before[offset + len(more) :]
        if value != expected:
            assert old is not None
            assert self.may_lose(old)
            assert value == b"\0" * offset + more
        self.live[key] = Entry(value, self.kept_ttl(key, old))

    def incr(self) -> None:
        key = b"n%d" % self.random.randrange(20)
        old = self.look(key)
        by = self.random.choice([1, -1, 10**6])
        totals: list[int] = []
        if self.attempt(lambda: totals.append(self.store.incr(key, by))):
            assert totals[0] == (int(old.value) if old else 0) + by or (
                old is not None and self.may_lose(old)
            )
            self.live[key] = Entry(b"%d" % totals[0], self.kept_ttl(key, old))

    def rename(self) -> None:
        source, target = self.some_key(), self.some_key()
        entry = self.look(source)
        self.look(target)
        if entry is None:
            with pytest.raises(ResponseError, match="no such key"):
                self.store.rename(source, target)
            return
        try:
            self.store.rename(source, target)
        except OutOfMemoryError:
            self.refused += 1
            return
        except ResponseError:
            assert self.may_lose(entry)
            return
        del self.live[source]
        self.live[target] = entry

    def copy(self) -> None:
        source, target, to_db = self.some_key(), self.some_key(), self.random.randrange(self.databases)
        if (source, self.store.db) == (target, to_db):
            return
        replace = self.random.random() < 0.5
        entry, other = self.look(source), self.look(target, to_db)
        done: list[bool] = []
        if not self.attempt(lambda: done.append(self.store.copy(source, target, to_db, replace))):
            return
        expected = entry is not None and (replace or other is None)
        if (entry is None or not self.may_lose(entry)) and (other is None or not self.may_lose(other)):
            assert done == [expected]
        if done[0]:
            assert entry is not None
            self.keys[to_db][target] = Entry(entry.value, entry.expire_ms)

    def flush(self) -> None:
        roll = self.random.random()
        if roll < 0.15:
            self.store.flushdb()
            self.live.clear()
        elif roll < 0.2:
            self.store.flushall()
            for keys in self.keys:
                keys.clear()

    def swap(self) -> None:
        first, second = (self.random.randrange(self.databases) for _ in range(2))
        self.store.swapdb(first, second)
        self.keys[first], self.keys[second] = self.keys[second], self.keys[first]

    def select(self) -> None:
        self.store.db = self.random.randrange(self.databases)

    def advance(self) -> None:
        self.now += self.random.choice([0, 1, 1, 7, 40, 500, 3000, 100_000])
        self.store.clock_ms = self.now
        self.drop_expired()

    def background(self) -> None:
        self.store.background(self.random.choice([1, 20, 500]), self.random.random() < 0.5)

    def scan(self) -> None:
        """Every key that is there all the while is returned, whatever is written between the steps."""
        before = {key for key, entry in self.live.items() if not self.may_lose(entry)}
        found: set[bytes] = set()
        written: set[bytes] = set()
        cursor, db = 0, self.store.db
        while True:
            cursor, keys = self.store.scan_step(cursor, self.random.choice([1, 10]))
            found.update(keys)
            if cursor == 0:
                break
            if self.random.random() < 0.3:
                key = self.some_key()
                if self.attempt(lambda key=key: self.store.set(key, b"scan")):  # type: ignore[misc]
                    self.live[key] = Entry(b"scan")
                    written.add(key)
            if self.random.random() < 0.1:
                self.store.background(50)
        assert db == self.store.db
        assert before <= found
        assert all(key in written or self.live.get(key) or key in before for key in found)

    def compare(self) -> None:
        """Everything: all keys, all values, all TTLs."""
        here = self.store.db
        for db in range(self.databases):
            self.store.db = db
            for key in list(self.keys[db]):
                self.look(key)
            found: list[bytes] = []
            cursor = 0
            while True:
                cursor, keys = self.store.scan_step(cursor, 100)
                found += keys
                if cursor == 0:
                    break
            assert sorted(found) == sorted(self.keys[db]), (db, here)
            for key, entry in self.keys[db].items():
                assert self.store.get(key) == entry.value
                assert self.store.pexpiretime(key) == (-1 if entry.expire_ms is None else entry.expire_ms)
            assert self.store.mget(list(self.keys[db])) == [e.value for e in self.keys[db].values()]
            assert len(self.store) >= len(self.keys[db])
            key = self.store.randomkey()
            assert key in self.keys[db] if self.keys[db] else key is None, key
        self.store.db = here

    def settle(self) -> None:
        """Background work comes to an end."""
        for _ in range(100_000):
            if self.store.background(1000) == 0:
                return
        raise AssertionError("background work never ends")

    def check(self) -> None:
        assert self.store.check() is None

    def order(self) -> None:
        """The ordered index is taken away, or built beside all else; the audit compares it with the keys."""
        if self.ordered:
            self.store.ordered_keys = self.random.random() < 0.8

    STEPS = (
        (put, 30), (set_ttl, 15), (set_keepttl, 4), (overwrite, 6), (get, 20), (delete, 10), (expire, 6),
        (persist, 3), (ttl, 4), (append, 8), (setrange, 4), (incr, 4), (rename, 3), (copy, 3), (flush, 0.6),
        (swap, 0.3), (order, 0.5), (select, 2), (advance, 8), (background, 6), (scan, 0.5), (compare, 0.2), (check, 1.5),
    )  # fmt: skip

    def run(self, steps: int) -> None:
        actions = [action for action, _ in self.STEPS]
        weights = [weight for _, weight in self.STEPS]
        for action in self.random.choices(actions, weights, k=steps):
            action(self)
        self.compare()
        self.check()
        self.settle()
        self.compare()
        self.check()


def history(seed: int, *, maxmemory: int = 0, policy: int = 0, address_bytes: int = 4 << 20,
            may_lose: Callable[[Entry], bool] = lambda entry: False, ordered: bool = False) -> Model:  # fmt: skip
    store = StoreCore(segment_bytes=1024, address_bytes=address_bytes, databases=2, seed=seed)
    store.maxmemory = maxmemory
    store.policy = policy
    store.ordered_keys = ordered
    model = Model(random.Random(seed), store, 2, may_lose, ordered=ordered)
    model.run(STEPS)
    return model


@pytest.mark.parametrize("seed", range(HISTORIES))
def test_history(seed: int) -> None:
    model = history(seed)
    assert model.refused == 0


@pytest.mark.parametrize("seed", range(100, 100 + HISTORIES))
def test_history_without_room(seed: int) -> None:
    """The reserved range fills up: what does not fit is refused, and nothing else is lost."""
    model = history(seed, address_bytes=24 << 10)
    assert model.refused > 0


@pytest.mark.parametrize("seed", range(200, 200 + HISTORIES))
def test_history_within_maxmemory(seed: int) -> None:
    model = history(seed, maxmemory=64 << 10)
    assert model.refused > 0


@pytest.mark.parametrize("policy", [ALLKEYS_LRU, ALLKEYS_LFU, ALLKEYS_RANDOM])
@pytest.mark.parametrize("seed", range(300, 300 + HISTORIES // 2))
def test_history_with_eviction_of_all_keys(seed: int, policy: int) -> None:
    model = history(seed, maxmemory=40 << 10, policy=policy, may_lose=lambda entry: True)
    assert model.lost > 0


@pytest.mark.parametrize("policy", [VOLATILE_LRU, VOLATILE_LFU, VOLATILE_RANDOM, VOLATILE_TTL])
@pytest.mark.parametrize("seed", range(400, 400 + HISTORIES // 2))
def test_history_with_eviction_of_volatile_keys(seed: int, policy: int) -> None:
    history(seed, maxmemory=64 << 10, policy=policy, may_lose=lambda entry: entry.expire_ms is not None)


@pytest.mark.parametrize("seed", range(500, 500 + HISTORIES))
def test_history_with_keys_in_order(seed: int) -> None:
    model = history(seed, ordered=True)
    assert model.refused == 0


@pytest.mark.parametrize("seed", range(600, 600 + HISTORIES))
def test_history_with_keys_in_order_without_room(seed: int) -> None:
    """A key that the ordered index has no page for is refused."""
    model = history(seed, ordered=True, address_bytes=24 << 10)
    assert model.refused > 0


@pytest.mark.parametrize("seed", range(700, 700 + HISTORIES // 2))
def test_history_with_keys_in_order_and_eviction(seed: int) -> None:
    model = history(seed, ordered=True, maxmemory=60 << 10, policy=ALLKEYS_LRU, may_lose=lambda entry: True)
    assert model.lost > 0


def test_everything_expired_leaves_nothing() -> None:
    store = StoreCore(segment_bytes=1024, address_bytes=4 << 20, databases=1)
    store.clock_ms = START_MS
    for number in range(5000):
        store.psetex(b"key-%d" % number, 1 + number % 700, b"value" * 4)
    store.clock_ms = START_MS + 10_000
    while store.background(1000):
        pass
    assert len(store) == 0
    assert store.counters()["segments"] == 0
    assert store.counters()["expired"] == 5000
    assert store.check() is None


def test_segments_of_one_window_become_expired_by_and_by() -> None:
    """So many of them at a time; meanwhile no key of theirs is seen, and more may come into the same window."""
    store = StoreCore(segment_bytes=1024, address_bytes=8 << 20, databases=1)
    store.clock_ms = START_MS
    for number in range(5000):
        store.psetex(b"key-%d" % number, 20, b"value" * 18)
    assert store.counters()["segments"] > 500
    store.clock_ms = START_MS + 10_000
    assert store.check() is None
    assert store.get(b"key-0") is None
    assert store.background(1) > 0
    store.psetex(b"another", 1, b"value")
    assert store.check() is None
    store.clock_ms += 200
    while store.background(1000):
        assert store.check() is None
    assert len(store) == 0
    assert store.counters()["segments"] == 0
    assert store.counters()["expired"] == 5001


def test_a_clock_that_was_set_back_keeps_nothing() -> None:
    """The windows of the time that comes a second time have been reaped already."""
    store = StoreCore(segment_bytes=1024, address_bytes=4 << 20, databases=1)
    store.clock_ms = START_MS + 10_000
    store.psetex(b"before", 1, b"value")
    store.clock_ms = START_MS
    store.psetex(b"after", 1, b"value")
    store.clock_ms = START_MS + 10_500
    while store.background(1000):
        pass
    assert len(store) == 0
    assert store.counters()["segments"] == 0
    assert store.check() is None


def test_layout() -> None:
    assert layout() == {
        "segment": 64,
        "bucket": 64,
        "record_16_64": 85,
        "record_16_64_ttl": 91,
        "mark_database": 0x0F,
        "mark_wide_ttl": 0x10,
        "mark_key_in_extent": 0x20,
        "mark_raw": 0x40,
        "mark_text": 0x80,
    }
