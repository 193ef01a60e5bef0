"""EXPIRE and its kin: when a key dies, under which conditions, and what it says of it."""

from __future__ import annotations

import pytest

from tests.engine.commands import Client

NOW = 1_700_000_000_000
INT64_MAX = 2**63 - 1


@pytest.fixture(autouse=True)
def _clock(client: Client) -> None:
    client.engine.configure(clock_ms=NOW)


@pytest.mark.parametrize(
    ("command", "argument", "expiry_ms"),
    [
        ("EXPIRE", 100, NOW + 100_000),
        ("PEXPIRE", 1, NOW + 1),
        ("EXPIREAT", NOW // 1000 + 5, NOW + 5000),
        ("PEXPIREAT", NOW + 7, NOW + 7),
        ("PEXPIREAT", INT64_MAX, INT64_MAX),
    ],
)
def test_a_key_dies_on_its_millisecond(client: Client, command: str, argument: int, expiry_ms: int) -> None:
    client("SET", "a", "1")
    assert client(command, "a", argument) == b":1\r\n"
    assert client("PEXPIRETIME", "a") == b":%d\r\n" % expiry_ms
    assert client("PTTL", "a") == b":%d\r\n" % (expiry_ms - NOW)
    client.engine.configure(clock_ms=expiry_ms - 1)
    assert client("EXISTS", "a") == b":1\r\n"
    client.engine.configure(clock_ms=expiry_ms)
    assert client("EXISTS", "a") == b":0\r\n"
    assert client("TTL", "a") == b":-2\r\n"


@pytest.mark.parametrize(
    ("ttl_ms", "seconds"),
    [(1499, 1), (1500, 2), (499, 0), (INT64_MAX - NOW, (INT64_MAX - NOW + 500) // 1000)],
)
def test_seconds_are_rounded_to_the_nearest(client: Client, ttl_ms: int, seconds: int) -> None:
    client("SET", "a", "1")
    client("PEXPIREAT", "a", NOW + ttl_ms)
    assert client("TTL", "a") == b":%d\r\n" % seconds
    assert client("EXPIRETIME", "a") == b":%d\r\n" % ((NOW + ttl_ms + 500) // 1000)


@pytest.mark.parametrize(
    ("command", "argument"), [("EXPIRE", 0), ("EXPIRE", -1), ("PEXPIREAT", NOW), ("EXPIREAT", -5)]
)
def test_a_time_that_has_passed_deletes(client: Client, command: str, argument: int) -> None:
    client("SET", "a", "1")
    assert client(command, "a", argument) == b":1\r\n"
    assert client("EXISTS", "a") == b":0\r\n"


@pytest.mark.parametrize(
    ("before", "ttl", "option", "taken"),
    [
        (None, 10, "NX", True),
        (20, 10, "NX", False),
        (None, 10, "XX", False),
        (20, 10, "XX", True),
        (None, 10, "GT", False),
        (20, 10, "GT", False),
        (20, 20, "GT", False),
        (20, 30, "GT", True),
        (None, 10, "LT", True),
        (20, 10, "LT", True),
        (20, 20, "LT", False),
        (20, 30, "LT", False),
    ],
)
def test_conditions(client: Client, before: int | None, ttl: int, option: str, taken: bool) -> None:
    client("SET", "a", "1")
    if before is not None:
        client("EXPIRE", "a", before)
    assert client("EXPIRE", "a", ttl, option.lower()) == (b":1\r\n" if taken else b":0\r\n")
    assert client("TTL", "a") == b":%d\r\n" % (ttl if taken else -1 if before is None else before)


@pytest.mark.parametrize(
    ("command", "error"),
    [
        (("EXPIRE", "a", "x"), b"-ERR value is not an integer or out of range\r\n"),
        (("EXPIRE", "a", "x", "what"), b"-ERR Unsupported option what\r\n"),
        (("EXPIRE", "a", 1, "what\r\nelse"), b"-ERR Unsupported option what  else\r\n"),
        (
            ("EXPIRE", "a", 1, "NX", "GT"),
            b"-ERR NX and XX, GT or LT options at the same time are not compatible\r\n",
        ),
        (("EXPIRE", "a", 1, "GT", "LT"), b"-ERR GT and LT options at the same time are not compatible\r\n"),
        (("EXPIRE", "a", INT64_MAX), b"-ERR invalid expire time in 'expire' command\r\n"),
        (("EXPIREAT", "a", INT64_MAX // 1000 + 1), b"-ERR invalid expire time in 'expireat' command\r\n"),
        (("PEXPIRE", "a", INT64_MAX - NOW + 1), b"-ERR invalid expire time in 'pexpire' command\r\n"),
        (("EXPIRE", "none", -INT64_MAX), b"-ERR invalid expire time in 'expire' command\r\n"),
    ],
)
def test_errors(client: Client, command: tuple[str | int, ...], error: bytes) -> None:
    client("SET", "a", "1")
    assert client(*command) == error
    assert client("TTL", "a") == b":-1\r\n"


@pytest.mark.parametrize("size", [5, 100_000])
def test_persist(client: Client, size: int) -> None:
    assert client("PERSIST", "a") == b":0\r\n"
    client("SET", "a", "v" * size, "EX", 10)
    assert client("PERSIST", "a") == b":1\r\n"
    assert client("PERSIST", "a") == b":0\r\n"
    client.engine.configure(clock_ms=NOW + 60_000)
    assert client.bulk("GET", "a") == b"v" * size


def test_what_is_not_there_has_no_ttl(client: Client) -> None:
    for command in ("TTL", "PTTL", "EXPIRETIME", "PEXPIRETIME"):
        assert client(command, "none") == b":-2\r\n"
    assert client("EXPIRE", "none", 10) == b":0\r\n"


def test_a_long_key_beside_a_large_value_gets_a_ttl_and_loses_it(client: Client) -> None:
    """A record has room for 8 KiB here: with the length of the key the header's growth by a TTL comes to its end."""
    value = b"v" * 100
    for size in range(8192 - 60, 8192 - 10):
        key = b"k" * size
        assert client("SET", key, value) == b"+OK\r\n"
        for command, argument in (("EXPIRE", 100), ("PEXPIREAT", INT64_MAX)):
            assert client(command, key, argument) == b":1\r\n"
            assert client.bulk("GET", key) == value
        assert client("PERSIST", key) == b":1\r\n"
        assert client.bulk("GET", key) == value
