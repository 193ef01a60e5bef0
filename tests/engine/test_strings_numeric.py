"""Strings as numbers: INCR and its kin, INCRBYFLOAT."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.engine.data_client import NOW_MS, DataClient, data_client

LIMIT = 2**63
NO_INTEGER = b"-ERR value is not an integer or out of range\r\n"
OVERFLOW = b"-ERR increment or decrement would overflow\r\n"
NO_FLOAT = b"-ERR value is not a valid float\r\n"
INTEGERS = st.integers(-LIMIT, LIMIT - 1) | st.integers(-10, 10) | st.sampled_from([-LIMIT, LIMIT - 1])


@pytest.fixture
def client() -> Iterator[DataClient]:
    with data_client() as client:
        yield client


@given(number=INTEGERS, delta=INTEGERS)
def test_sums_fit_or_are_refused(number: int, delta: int) -> None:
    with data_client() as client:
        for command, sign in (("INCRBY", 1), ("DECRBY", -1)):
            client("SET", "n", number)
            total = number + sign * delta
            if sign < 0 and delta == -LIMIT:
                expected = b"-ERR decrement would overflow\r\n"
            else:
                expected = b":%d\r\n" % total if -LIMIT <= total < LIMIT else OVERFLOW
            assert client(command, "n", delta) == expected
            assert client.bulk("GET", "n") == (b"%d" % (number if expected[:1] == b"-" else total))


def test_counters_begin_at_zero_and_keep_their_ttl(client: DataClient) -> None:
    assert client.line("INCR n") == ":1"
    assert client.line("DECR m") == ":-1"
    client.line("PEXPIRE n 5000")
    for expected in range(2, 200):
        assert client.integer("INCR", "n") == expected
    assert client.integer("PEXPIRETIME", "n") == NOW_MS + 5_000


@pytest.mark.parametrize(
    "text", ["", " 1", "1 ", "+1", "01", "-0", "1.0", "0x1", "1e3", str(LIMIT), "\x00", "1\x00"]
)
def test_what_is_no_integer(client: DataClient, text: str) -> None:
    client("SET", "n", text)
    assert client("INCR", "n") == NO_INTEGER
    assert client("INCRBY", "m", text) == NO_INTEGER
    assert client.bulk("GET", "n") == text.encode()
    assert client.line("EXISTS m") == ":0"


@pytest.mark.parametrize(
    ("old", "delta", "total"),
    [
        (None, "0.1", "0.1"),
        ("10.50", "0.1", "10.6"),
        ("5.0e3", "2.0e2", "5200"),
        ("3", "-3", "0"),
        ("-0", "0", "0"),
        ("0", "-0.000000000000000000001", "0"),
        ("1", "1e17", "100000000000000001"),
        ("0x10", "1", "17"),
        ("1.5", "1e-17", "1.50000000000000001"),
        ("9999999999999999999", "1", "10000000000000000000"),
    ],
)
def test_incrbyfloat(client: DataClient, old: str | None, delta: str, total: str) -> None:
    if old is not None:
        client("SET", "n", old, "PX", 5_000)
    answer = client.bulk("INCRBYFLOAT", "n", delta)
    assert answer == total.encode()
    assert client.bulk("GET", "n") == answer
    assert client.integer("PEXPIRETIME", "n") == (-1 if old is None else NOW_MS + 5_000)


@pytest.mark.parametrize("text", ["", " 1", "1 ", "abc", "1e", "nan", "1_0", "1\x00", "1e5000", "1" * 5200])
def test_what_is_no_float(client: DataClient, text: str) -> None:
    assert client("INCRBYFLOAT", "n", text) == NO_FLOAT
    client("SET", "n", text)
    assert client("INCRBYFLOAT", "n", "1") == NO_FLOAT


def test_infinity_is_refused(client: DataClient) -> None:
    assert client("INCRBYFLOAT", "n", "inf") == b"-ERR increment would produce NaN or Infinity\r\n"
    client("SET", "n", "-inf")
    assert client("INCRBYFLOAT", "n", "inf") == b"-ERR increment would produce NaN or Infinity\r\n"
