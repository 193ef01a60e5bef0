"""Fields of hashes go when their time has come though nobody looks for them; the audit compares who is due with what is there."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

import pytest

from gapless.commands import generic, hashes, server, string, transactions
from gapless.engine.engine import Engine
from tests.engine.data_client import NOW_MS, DataClient
from tests.engine.history import HISTORIES


def new_client(address_bytes: int = 1 << 36) -> DataClient:
    engine = Engine(segment_bytes=1 << 16, address_bytes=address_bytes, seed=7)
    rows = [*hashes.COMMANDS, *generic.COMMANDS, *string.COMMANDS, *transactions.COMMANDS]
    rows += [row for row in server.COMMANDS if row.name in ("flushall", "flushdb", "swapdb")]
    engine.load_commands(tuple(rows))
    engine.configure(clock_ms=NOW_MS)
    return DataClient(engine)


@pytest.fixture
def client() -> Iterator[DataClient]:
    client = new_client()
    yield client
    assert client.engine.check() is None
    client.engine.close()


def settle(client: DataClient, now_ms: int, slice_us: int = 200) -> int:
    """Let the background work come to an end; how many slices it took."""
    client.engine.configure(clock_ms=now_ms)
    slices = 0
    while client.engine.background(slice_us):
        slices += 1
        assert slices < 100_000
    assert client.engine.check() is None
    return slices


def noted(client: DataClient) -> int:
    return sum(hashes for _, _, _, hashes in client.engine.databases())


def keys(client: DataClient) -> int:
    return sum(keys for _, keys, _, _ in client.engine.databases())


def put(client: DataClient, key: str, fields: int, ttl_ms: int | None = None, first: int = 0) -> None:
    for begin in range(first, first + fields, 1000):
        end = min(begin + 1000, first + fields)
        words = [word for n in range(begin, end) for word in (f"field-{n}", "value")]
        if ttl_ms is None:
            client("HSET", key, *words)
        else:
            client("HSETEX", key, "PX", ttl_ms, "FIELDS", end - begin, *words)


@pytest.mark.parametrize("others", [0, 3, 600])
def test_they_go_when_their_time_comes(client: DataClient, others: int) -> None:
    if others:
        put(client, "h", others)
    client("HSETEX", "h", "PX", 50, "FIELDS", 2, "a", 1, "b", 2)
    client("HSETEX", "h", "PX", 5000, "FIELDS", 1, "c", 3)
    assert noted(client) == 1
    settle(client, NOW_MS + 49)
    assert client.integer("HLEN", "h") == others + 3
    settle(client, NOW_MS + 50)
    assert client.integer("HLEN", "h") == others + 1
    assert noted(client) == 1
    settle(client, NOW_MS + 5000)
    assert client.integer("EXISTS", "h") == (others > 0)
    assert client.integer("HLEN", "h") == others
    assert noted(client) == 0
    assert client.engine.stats()["fields_expired"] == 3


def test_a_large_hash_is_walked_in_slices_and_then_it_is_gone(client: DataClient) -> None:
    for group in range(40):
        put(client, "h", 1000, 1000 + 1000 * group, first=1000 * group)
    left = 40
    while left:
        slices = settle(client, NOW_MS + 1000 * (41 - left), 20)
        left -= 1
        assert client.integer("HLEN", "h") >= 1000 * left
        settle(client, NOW_MS + 1000 * (40 - left) + 41)
        assert client.integer("HLEN", "h") == 1000 * left
        assert slices > 5 or left < 30
    assert client.integer("EXISTS", "h") == 0
    assert noted(client) == 0


def test_a_walk_is_as_rare_as_the_hash_is_large(client: DataClient) -> None:
    put(client, "h", 50_000)
    client("HSETEX", "h", "PX", 1, "FIELDS", 1, "a", 1)
    assert settle(client, NOW_MS + 49) == 0
    settle(client, NOW_MS + 50)
    assert client.integer("HLEN", "h") == 50_000


def test_what_changes_while_a_walk_goes_on(client: DataClient) -> None:
    put(client, "h", 30_000, 500)
    put(client, "other", 30_000, 10_000)
    client.engine.configure(clock_ms=NOW_MS + 600)
    client.engine.background(20)
    left = client.integer("HLEN", "h")
    assert 0 < left < 30_000
    put(client, "h", 300, 1, first=50_000)  # on both sides of where the walk is
    settle(client, NOW_MS + 700)
    assert client.integer("EXISTS", "h") == 0
    put(client, "h", 30_000, 500)
    client.engine.configure(clock_ms=NOW_MS + 1300)
    client.engine.background(20)
    assert 0 < client.integer("HLEN", "h") < 30_000
    client("RENAME", "other", "h")
    settle(client, NOW_MS + 9999)
    assert client.integer("HLEN", "h") == 30_000
    settle(client, NOW_MS + 10_100)
    assert client.integer("EXISTS", "h") == 0


def test_a_hash_that_is_due_when_the_one_before_it_was(client: DataClient) -> None:
    for key in ("h", "other"):
        put(client, key, 20_000, 500)
    client.engine.configure(clock_ms=NOW_MS + 600)
    while client.integer("HLEN", "h") == 20_000 and client.integer("HLEN", "other") == 20_000:
        client.engine.background(20)
    walked, untouched = ("h", "other") if client.integer("HLEN", "other") == 20_000 else ("other", "h")
    assert client.integer("HLEN", walked) > 0
    client("RENAME", untouched, walked)
    settle(client, NOW_MS + 700)
    assert client.integer("EXISTS", "h", "other") == 0


CHANGES = (
    ("DEL", "{}"), ("RENAME", "{}", "other"), ("COPY", "{}", "other"), ("MOVE", "{}", 1), ("SWAPDB", 0, 1),
    ("PEXPIRE", "{}", 1), ("PEXPIRE", "{}", 2000), ("PERSIST", "{}"), ("FLUSHDB",), ("FLUSHALL",), ("HPERSIST", "{}", "FIELDS", 1, "field-1"),
    ("HDEL", "{}", "field-1"), ("HSET", "{}", "field-1", "new"), ("HPEXPIRE", "{}", 10, "FIELDS", 1, "field-2"),
    ("HPEXPIRE", "{}", 5000, "FIELDS", 1, "field-1"), ("HPEXPIRE", "{}", 0, "FIELDS", 1, "field-1"),
    ("COPY", "second", "{}", "REPLACE"), ("RENAME", "second", "{}"), ("COPY", "text", "{}", "REPLACE"), ("RENAME", "text", "{}"),
    ("COPY", "{}", "text", "REPLACE"), ("RENAME", "{}", "text"), ("RESTORE", "{}", 0, "payload", "REPLACE"),
    ("HSET", "{}", "long", "x" * 2000), ("HGETEX", "{}", "EX", 3, "FIELDS", 1, "field-0"), ("HGETDEL", "{}", "FIELDS", 1, "field-1"),
)  # fmt: skip


@pytest.mark.parametrize("fields", [2, 3, 500])
@pytest.mark.parametrize("change", CHANGES, ids=lambda words: " ".join(map(str, words))[:40])
def test_what_happens_to_the_key_happens_to_its_place_among_the_due(
    client: DataClient, change: tuple[str | int, ...], fields: int
) -> None:
    for key in ("h", "second"):
        put(client, key, fields)
        client("HPEXPIRE", key, 1000, "FIELDS", 1, "field-1")
    client("APPEND", "text", "no hash")
    assert client.engine.check() is None
    payload = client.bulk("DUMP", "second")
    words = [word.format("h") if isinstance(word, str) else word for word in change]
    reply = client(*(payload if word == "payload" and payload else word for word in words))
    assert not reply.startswith(b"-")
    assert client.engine.check() is None
    settle(client, NOW_MS + 100)
    settle(client, NOW_MS + 10_000)
    assert noted(client) == 0


def test_a_hash_becomes_a_tree_with_what_is_due_of_it(client: DataClient) -> None:
    client("HSETEX", "h", "PX", 70, "FIELDS", 1, "early", 1)
    for n in range(300):
        client("HSET", "h", f"field-{n}", "x" * 20)
    assert noted(client) == 1
    settle(client, NOW_MS + 70)
    assert client.integer("HLEN", "h") == 300
    assert noted(client) == 0


def test_the_watching_and_the_waiting_are_told(client: DataClient) -> None:
    for fields in (2, 500):
        put(client, "h", fields, 100)
        client("WATCH", "h")
        now = client.engine.stats()["fields_expired"]
        settle(client, NOW_MS + 100)
        assert client.engine.stats()["fields_expired"] == now + fields
        client("MULTI")
        client("EXISTS", "h")
        assert client("EXEC") == b"*-1\r\n"
        client.engine.configure(clock_ms=NOW_MS)


def test_nothing_goes_while_expiry_is_off(client: DataClient) -> None:
    client.engine.configure(active_expire=0)
    put(client, "h", 3, 10)
    put(client, "large", 500, 10)
    settle(client, NOW_MS + 1000)
    assert client.integer("EXISTS", "h", "large") == 2
    assert noted(client) == 2
    client.engine.configure(active_expire=1)
    settle(client, NOW_MS + 1000)
    assert client.integer("EXISTS", "h", "large") == 0


def test_evicted_hashes_are_not_due_any_more() -> None:
    client = new_client(address_bytes=1 << 30)
    client.engine.configure(maxmemory=3 << 20)
    client.engine.set_policy("allkeys-lru")
    for n in range(3000):
        put(client, f"h{n}", 40 if n % 3 else 300, 10**6)
    assert client.engine.stats()["evicted"] > 100
    assert 0 < noted(client) <= keys(client)
    settle(client, NOW_MS + 2 * 10**6)
    assert noted(client) == keys(client) == 0
    client.engine.close()


def test_hashes_cost_their_place_and_give_it_back(client: DataClient) -> None:
    for n in range(20_000):
        client("HSETEX", f"h{n}", "PX", 1000 + n, "FIELDS", 1, "a", 1)
    assert noted(client) == 20_000
    # 16 bytes and what a tree adds.
    assert client.engine.stats()["pages_used"] * 4096 < 20_000 * 24
    settle(client, NOW_MS + 30_000)
    assert keys(client) == noted(client) == 0
    assert client.engine.stats()["pages_used"] == 0


def test_a_full_store_goes_on_when_there_is_room() -> None:
    client = new_client(address_bytes=2 << 20)
    n = 0
    while not client("HSETEX", f"h{n}", "PX", 1000 + n % 7, "FIELDS", 2, "a", 1, "b", "x" * 300).startswith(b"-"):
        client("HPERSIST", f"h{n}", "FIELDS", 1, "b")
        n += 1
    assert client.engine.check() is None
    settle(client, NOW_MS + 2000)
    client("DEL", *(f"h{i}" for i in range(0, n, 2)))
    settle(client, NOW_MS + 3000)
    settle(client, NOW_MS + 3100)  # the next try
    assert noted(client) == 0
    assert keys(client) == n // 2
    client.engine.close()


@pytest.mark.parametrize("seed", range(HISTORIES))
def test_histories(seed: int) -> None:
    random = Random(seed)
    client = new_client(address_bytes=1 << 36 if seed % 2 else 3 << 20)
    now = NOW_MS
    for _ in range(1500):
        key = f"h{random.randrange(6)}"
        names = [f"f{random.randrange(random.choice([5, 300]))}" for _ in range(random.randrange(1, 40))]
        ttl = random.choice([1, 20, 300, 5000, 10**7])
        pick = random.randrange(100)
        if pick < 30:
            client("HSET", key, *(word for name in names for word in (name, "v" * random.choice([1, 30, 700]))))
        elif pick < 55:
            client("HPEXPIRE", key, ttl, "FIELDS", len(names), *names)
        elif pick < 60:
            client("HPERSIST", key, "FIELDS", len(names), *names)
        elif pick < 65:
            client("HDEL", key, *names)
        elif pick < 70:
            client(random.choice(["RENAME", "COPY"]), key, f"h{random.randrange(6)}")
        elif pick < 72:
            client("COPY", key, f"h{random.randrange(6)}", "DB", random.randrange(2), "REPLACE")
        elif pick < 75:
            client("DEL", key)
        elif pick < 77:
            client("PEXPIRE", key, ttl)
        elif pick < 78:
            client(*random.choice([("FLUSHDB",), ("SWAPDB", 0, 1)]))
        elif pick < 90:
            now += random.choice([0, 1, 10, 400])
            client.engine.configure(clock_ms=now)
        else:
            client.engine.background(random.choice([1, 20, 500]))
        if random.random() < 0.1:
            assert client.engine.check() is None
    settle(client, now + 10**9)
    assert noted(client) == 0
    client.engine.close()
