"""A key that is given another expiry of the same window stays where it lies: sessions that are renewed leave nothing to clean."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.engine.data_client import NOW_MS, DataClient, data_client

WINDOW_MS = 1 << 14
"""Of what has 600 seconds left: 2^k ms, at most 1/32 of that."""
BEGIN = NOW_MS // WINDOW_MS * WINDOW_MS + 40 * WINDOW_MS
"""A window some 600 seconds ahead."""

FORMS: dict[str, tuple[str, ...]] = {
    "string": ("SET", "k", "some value"),
    "counter": ("SET", "k", "17"),
    "grown": ("SETRANGE", "k", "30", "x"),
    "large": ("SET", "k", "v" * 100_000),
    "packed": ("SADD", "k", "a", "b"),
    "tree": ("SADD", "k", *(f"member:{n:04}" for n in range(1000))),
}


@pytest.fixture
def client() -> Iterator[DataClient]:
    with data_client() as client:
        yield client
        assert client.engine.check() is None


def appended(client: DataClient) -> int:
    return client.engine.stats()["log_bytes_appended"]


@pytest.mark.parametrize("form", FORMS)
def test_expire_within_the_window(client: DataClient, form: str) -> None:
    client(*FORMS[form])
    client("PEXPIREAT", "k", BEGIN)
    before, dump, encoding = appended(client), client("DUMP", "k"), client("OBJECT", "ENCODING", "k")
    for expiry in (BEGIN + 7, BEGIN + WINDOW_MS - 1, BEGIN):
        client("PEXPIREAT", "k", expiry)
        assert client.integer("PEXPIRETIME", "k") == expiry
        assert appended(client) == before
    assert (client("DUMP", "k"), client("OBJECT", "ENCODING", "k")) == (dump, encoding)


@pytest.mark.parametrize("expiry", [BEGIN - 1, BEGIN + WINDOW_MS, BEGIN + 1000 * WINDOW_MS, 1 << 48])
def test_expire_in_another_window(client: DataClient, expiry: int) -> None:
    client("SET", "k", "v", "PXAT", BEGIN)
    before = appended(client)
    client("PEXPIREAT", "k", expiry)
    assert client.integer("PEXPIRETIME", "k") == expiry
    assert appended(client) > before


def test_set_again_within_the_window(client: DataClient) -> None:
    client("SET", "k", "first", "PXAT", BEGIN)
    before = appended(client)
    client("SET", "k", "again", "PXAT", BEGIN + 100)
    assert (client.bulk("GET", "k"), client.integer("PEXPIRETIME", "k")) == (b"again", BEGIN + 100)
    assert appended(client) == before
    client("SET", "k", "again")
    assert client.integer("PEXPIRETIME", "k") == -1
    assert appended(client) > before


def test_what_has_come_near_moves_to_a_window_that_ends_near(client: DataClient) -> None:
    """The window of the time that was left when it was put is too wide by now: what dies in it would lie there dead."""
    client("SET", "k", "v", "PXAT", BEGIN)
    client.engine.configure(clock_ms=BEGIN - 1000)
    before = appended(client)
    client("PEXPIREAT", "k", BEGIN + 1)
    assert appended(client) > before


def test_the_new_expiry_is_the_one_that_counts(client: DataClient) -> None:
    client("SET", "later", "v", "PXAT", BEGIN)
    client("PEXPIREAT", "later", BEGIN + 500)
    client("SET", "earlier", "v", "PXAT", BEGIN + 500)
    client("PEXPIREAT", "earlier", BEGIN)
    client.engine.configure(clock_ms=BEGIN + 250)
    assert (client.bulk("GET", "later"), client.bulk("GET", "earlier")) == (b"v", None)
    client.engine.configure(clock_ms=BEGIN + 501)
    assert client.bulk("GET", "later") is None
    client.engine.configure(clock_ms=BEGIN + 2 * WINDOW_MS)
    client.engine.background()
    assert client.engine.stats()["log_records_live"] == 0
