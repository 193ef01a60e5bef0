"""KEYRANGE against sorted(); what the ordered index does when it is switched, flushed and swapped. Histories: test_keyspace_model."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gapless.engine.store_core import StoreCore
from gapless.errors import OutOfMemoryError
from tests.engine.data_client import NOW_MS, DataClient, data_client

SHARED = b"s" * 1500
keys = (
    st.binary(max_size=4)
    | st.text("ab", max_size=12).map(str.encode)
    | st.sampled_from(
        [b"", b"\xff", b"\xff\xff", b"a" * 300, SHARED, SHARED + b"a", SHARED + b"b", b"k" * 5000]
    )
)
bounds = st.one_of(
    keys, keys.map(lambda key: b"[" + key), keys.map(lambda key: b"(" + key), st.sampled_from([b"-", b"+"])
)


@pytest.fixture
def client() -> Iterator[DataClient]:
    with data_client() as client:
        client.engine.configure(ordered_keys=True)
        yield client
        client.engine.configure(ordered_keys=False)


def replied(reply: bytes) -> list[bytes | None]:
    """The bulk strings and nulls of an array."""
    assert reply[:1] == b"*", reply
    rest = reply.partition(b"\r\n")[2]
    found: list[bytes | None] = []
    while rest:
        head, _, rest = rest.partition(b"\r\n")
        n = int(head[1:])
        found.append(None if n < 0 else rest[:n])
        rest = rest[n + 2 :] if n >= 0 else rest
    assert len(found) == int(reply[1 : reply.index(b"\r\n")])
    return found


def within(key: bytes, low: bytes, high: bytes, lexical: bool) -> bool:
    if not lexical:
        return low <= key and (key < high or not high)
    above = low == b"-" or (low != b"+" and (key >= low[1:] if low[:1] == b"[" else key > low[1:]))
    below = high == b"+" or (high != b"-" and (key <= high[1:] if high[:1] == b"[" else key < high[1:]))
    return above and below


@given(
    there=st.sets(keys, max_size=25),
    expired=st.sets(keys, max_size=4),
    low=bounds,
    high=bounds,
    lexical=st.booleans(),
    backwards=st.booleans(),
    limit=st.none() | st.tuples(st.integers(-2, 8), st.integers(-2, 8)),
)
def test_ranges(
    there: set[bytes], expired: set[bytes], low: bytes, high: bytes, lexical: bool, backwards: bool,
    limit: tuple[int, int] | None,
) -> None:  # fmt: skip
    with data_client() as client:
        client.engine.configure(ordered_keys=True)
        for key in there | expired:
            client("SET", key, b"v" + key)
        for key in expired:
            client("PEXPIRE", key, 5)
        client.engine.configure(clock_ms=NOW_MS + 10)
        words = [
            *(["BYLEX"] if lexical else []),
            *(["REV"] if backwards else []),
            *(["LIMIT", *limit] if limit else []),
        ]
        reply = client("KEYRANGE", low, high, *words)
        if lexical and not all(each in (b"-", b"+") or each[:1] in (b"[", b"(") for each in (low, high)):
            assert reply == b"-ERR min or max not valid string range item\r\n"
        else:
            expected = sorted(
                (key for key in there - expired if within(key, low, high, lexical)), reverse=backwards
            )
            if limit:
                offset, count = limit
                expected = [] if offset < 0 else expected[offset : None if count < 0 else offset + count]
            assert replied(reply) == expected
            pairs = [each for key in expected for each in (key, b"v" + key)]
            assert replied(client("KEYRANGE", low, high, *words, "WITHVALUES")) == pairs
        client.engine.configure(ordered_keys=False)


def test_what_is_wrong(client: DataClient) -> None:
    assert client.line("KEYRANGE a") == "-ERR wrong number of arguments for 'keyrange' command"
    for words in ("nonsense", "LIMIT", "LIMIT 1", "REV LIMIT 0"):
        assert client.line(f"KEYRANGE a b {words}") == "-ERR syntax error"
    assert client.line("KEYRANGE a b LIMIT x 1") == "-ERR value is not an integer or out of range"
    client.engine.configure(ordered_keys=False)
    assert client.line("KEYRANGE a b") == "-ERR Keys are not in order: ordered-keys is no"


def test_values_that_are_no_strings_are_null(client: DataClient) -> None:
    client("SET", "a", "1")
    client("SADD", "b", "x")
    assert replied(client("KEYRANGE", "a", "c", "WITHVALUES")) == [b"a", b"1", b"b", None]


def test_it_follows_every_change(client: DataClient) -> None:
    def there() -> list[bytes | None]:
        assert client.engine.check() is None
        return replied(client("KEYRANGE", "", ""))

    client("MSET", "b", 1, "a", 2, "c", 3)
    assert there() == [b"a", b"b", b"c"]
    client("RENAME", "b", "z")
    client("RENAME", "a", "c")
    assert there() == [b"c", b"z"]
    client("COPY", "z", "c", "REPLACE")
    client("COPY", "z", "y")
    client("MOVE", "z", 1)
    assert there() == [b"c", b"y"]
    client("SWAPDB", 0, 1)
    assert there() == [b"z"]
    client("SWAPDB", 0, 1)
    client("SET", "c", "x", "PX", 5)
    client.engine.configure(clock_ms=NOW_MS + 10)
    assert there() == [b"y"]
    client("GET", "c")
    client("FLUSHDB")
    assert there() == []
    client("SET", "new", 1)
    assert there() == [b"new"]
    client("FLUSHALL")
    assert there() == []


def test_it_is_built_while_keys_come_and_go() -> None:
    with data_client() as client:
        for number in range(3000):
            client("SET", f"key-{number}", "x" * 30)
        client.engine.configure(ordered_keys=True)
        steps = 0
        while client("KEYRANGE", "", "", "LIMIT", 0, 1).startswith(
            b"-ERR The ordered index of keys is being built"
        ):
            client("DEL", f"key-{steps * 7}")
            client("SET", f"new-{steps}", "y")
            client("RENAME", f"key-{steps * 7 + 1}", f"other-{steps}")
            if steps == 3:
                client("SWAPDB", 0, 1)
                client("SET", "in the other", 1)
                client("SWAPDB", 0, 1)
            assert client.engine.check() is None
            client.engine.background(20)
            steps += 1
        assert steps > 3
        found = replied(client("KEYRANGE", "", ""))
        assert found == sorted(client("KEYS", "*").split(b"\r\n")[2::2])
        client.engine.configure(ordered_keys=False)
        assert client.engine.check() is None


def test_a_build_that_finds_no_room_leaves_nothing() -> None:
    store = StoreCore(segment_bytes=1024, address_bytes=256 << 10, databases=1)
    for number in range(4000):
        try:
            store.set(b"a rather long key, so that pages run out: %d" % number, b"")
        except OutOfMemoryError:
            break
    store.ordered_keys = True
    for _ in range(10_000):
        if store.background(1000) == 0:
            break
    assert store.check() is None
    assert not store.ordered_keys
    assert store.set(b"a rather long key, so that pages run out: 1", b"x")


def test_a_key_without_a_page_is_refused() -> None:
    store = StoreCore(segment_bytes=1024, address_bytes=64 << 10, databases=1)
    store.ordered_keys = True
    written = 0
    with pytest.raises(OutOfMemoryError):
        for number in range(4000):
            store.set(b"a rather long key, so that pages run out first: %d" % number, b"")
            written += 1
    assert store.check() is None
    assert len(store) == written
    assert store.delete(b"a rather long key, so that pages run out first: 1")
    assert store.check() is None
