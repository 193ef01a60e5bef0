"""The commands of strings: what they answer, and that they keep what a plain dict keeps."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.engine.data_client import NOW_MS, DataClient, data_client

SYNTAX = "-ERR syntax error"
NO_INTEGER = "-ERR value is not an integer or out of range"
TOO_LONG = "-ERR string exceeds maximum allowed size (proto-max-bulk-len)"


@pytest.fixture
def client() -> Iterator[DataClient]:
    with data_client() as client:
        yield client


def converse(client: DataClient, *exchanges: tuple[str, str]) -> None:
    for command, reply in exchanges:
        assert client.line(command) == reply, command


def test_conditions_of_set(client: DataClient) -> None:
    converse(
        client,
        ("SET k v XX", "$-1"),
        ("SET k v XX GET", "$-1"),
        ("SET k v NX", "+OK"),
        ("SET k w NX", "$-1"),
        ("SET k w NX GET", "$1 v"),
        ("SET k w XX GET", "$1 v"),
        ("SET k x GET GET", "$1 w"),
        ("SET k v NX XX", SYNTAX),
        ("SET k v XX NX", SYNTAX),
        ("SET k v IFEQ x", SYNTAX),
        ("SET k v EX", SYNTAX),
        ("GET k", "$1 x"),
        ("set k y nx get px 1000", "$1 x"),
        ("SET k", "-ERR wrong number of arguments for 'set' command"),
    )


@pytest.mark.parametrize(
    ("options", "expiry"),
    [
        ("EX 10", NOW_MS + 10_000),
        ("PX 10", NOW_MS + 10),
        ("EXAT 1900000000", 1_900_000_000_000),
        ("PXAT 1900000000123", 1_900_000_000_123),
        ("ex 10 EX 20", NOW_MS + 20_000),
        ("PXAT 9223372036854775807", 9_223_372_036_854_775_807),
        ("KEEPTTL KEEPTTL", NOW_MS + 5_000),
        ("", -1),
    ],
)
def test_expiry_of_set(client: DataClient, options: str, expiry: int) -> None:
    client.line("SET k old PX 5000")
    assert client.line(f"SET k v {options}") == "+OK"
    assert client.integer("PEXPIRETIME", "k") == expiry


@pytest.mark.parametrize(
    "options", ["EX 1 PX 1", "EX 1 KEEPTTL", "KEEPTTL EX 1", "PX 1 EXAT 1", "PERSIST", "EX 1 PERSIST"]
)
def test_expiry_options_that_exclude_each_other(client: DataClient, options: str) -> None:
    assert client.line(f"SET k v {options}") == SYNTAX
    assert client.line("EXISTS k") == ":0"


@pytest.mark.parametrize(
    "time",
    ["EX 0", "PX -1", "EX 9223372036854775807", "PX 9223372036854775807", "EXAT 9223372036854776", "PXAT 0"],
)
@pytest.mark.parametrize("command", ["SET k v", "GETEX k"])
def test_invalid_expiry(client: DataClient, command: str, time: str) -> None:
    client.line("SET k old")
    name = command.split(maxsplit=1)[0].lower()
    assert client.line(f"{command} {time}") == f"-ERR invalid expire time in '{name}' command"
    assert client.line("GET k") == "$3 old"
    assert client.line("TTL k") == ":-1"


def test_an_expiry_in_the_past_deletes(client: DataClient) -> None:
    converse(
        client,
        ("SET k v", "+OK"),
        ("SET k w EXAT 1", "+OK"),
        ("GET k", "$-1"),
        ("SET k v", "+OK"),
        ("SET k w PXAT 1 GET", "$1 v"),
        ("EXISTS k", ":0"),
        ("SET k v", "+OK"),
        ("GETEX k PXAT 1", "$1 v"),
        ("EXISTS k", ":0"),
    )


@pytest.mark.parametrize("reaped", [True, False])
def test_a_key_born_expired_is_a_key_until_somebody_looks(client: DataClient, reaped: bool) -> None:
    client.engine.configure(active_expire=reaped)
    for n in range(3000):
        converse(client, (f"SET k{n} v PXAT {NOW_MS - 1 - 1000 * n}", "+OK"))
    converse(client, ("SET seen v EXAT 1", "+OK"), ("EXISTS seen", ":0"))
    # Holes, so that the cleaner moves what is there, expired or not.
    for n in range(3000):
        client("SET", "again", b"v" * (100 + n))
    client.engine.configure(clock_ms=NOW_MS + 64)
    for _ in range(10_000):
        client("EXISTS", "again")
    assert client.engine.stats()["keys"] == (1 if reaped else 3001)
    client.engine.configure(active_expire=True, clock_ms=NOW_MS + 200)
    for _ in range(10_000):
        client("EXISTS", "again")
    assert client.engine.stats()["keys"] == 1


def test_setex_and_psetex(client: DataClient) -> None:
    converse(
        client,
        ("SETEX k 10 v", "+OK"),
        ("PEXPIRETIME k", f":{NOW_MS + 10_000}"),
        ("PSETEX k 10 w", "+OK"),
        ("PEXPIRETIME k", f":{NOW_MS + 10}"),
        ("GET k", "$1 w"),
        ("SETEX k 0 v", "-ERR invalid expire time in 'setex' command"),
        ("PSETEX k -5 v", "-ERR invalid expire time in 'psetex' command"),
        ("SETEX k a v", NO_INTEGER),
    )
    client.engine.configure(clock_ms=NOW_MS + 10)
    assert client.line("GET k") == "$-1"


def test_getex(client: DataClient) -> None:
    converse(
        client,
        ("GETEX k EX abc", "$-1"),
        ("SET k v", "+OK"),
        ("GETEX k", "$1 v"),
        ("GETEX k EX 5 EX 10", "$1 v"),
        ("PEXPIRETIME k", f":{NOW_MS + 10_000}"),
        ("GETEX k", "$1 v"),
        ("PTTL k", ":10000"),
        ("GETEX k PERSIST PERSIST", "$1 v"),
        ("PTTL k", ":-1"),
        ("GETEX k PERSIST EX 10", SYNTAX),
        ("GETEX k EX 10 PERSIST", SYNTAX),
        ("GETEX k EX 10 PX 10", SYNTAX),
        ("GETEX k KEEPTTL", SYNTAX),
        ("GETEX k EX", SYNTAX),
    )


def test_getset_getdel_setnx(client: DataClient) -> None:
    converse(
        client,
        ("GETSET k a", "$-1"),
        ("PEXPIRE k 1000", ":1"),
        ("GETSET k b", "$1 a"),
        ("PTTL k", ":-1"),
        ("SETNX k c", ":0"),
        ("GETDEL k", "$1 b"),
        ("GETDEL k", "$-1"),
        ("SETNX k c", ":1"),
        ("GET k", "$1 c"),
    )


@pytest.mark.parametrize("size", [1, 70_000, 3_000_000])
def test_the_old_value_is_answered_not_the_new(client: DataClient, size: int) -> None:
    """A value of the same length is overwritten where it lies."""
    client("SET", "k", b"a" * size)
    assert client.bulk("GETSET", "k", b"b" * size) == b"a" * size
    assert client.bulk("SET", "k", b"c" * size, "GET") == b"b" * size
    assert client.bulk("GETDEL", "k") == b"c" * size


@pytest.mark.parametrize("count", [1, 15, 16, 17, 100])
def test_several_keys(client: DataClient, count: int) -> None:
    pairs = [(f"k{i}", f"v{i}") for i in range(count)]
    assert client("MSET", *(word for pair in pairs for word in pair)) == b"+OK\r\n"
    reply = client("MGET", "none", *(key for key, _ in pairs))
    assert reply.split(b"\r\n")[3:-1:2] == [value.encode() for _, value in pairs]
    assert reply.startswith(b"*%d\r\n$-1\r\n" % (count + 1))
    assert client("MSETNX", "new", "1", *(word for pair in pairs for word in pair)) == b":0\r\n"
    assert client.line("EXISTS new") == ":0"


def test_pairs_of_mset(client: DataClient) -> None:
    converse(
        client,
        ("MSET a 1 a 2", "+OK"),
        ("GET a", "$1 2"),
        ("MSETNX b 1 b 2", ":1"),
        ("GET b", "$1 2"),
        ("MSET a 1 b", "-ERR wrong number of arguments for 'mset' command"),
        ("MSETNX a 1 b", "-ERR wrong number of arguments for 'msetnx' command"),
    )


@pytest.mark.parametrize("command", ["GETRANGE", "SUBSTR"])
@given(
    value=st.binary(max_size=12),
    first=st.integers(-15, 15) | st.sampled_from([-(2**63), 2**63 - 1]),
    last=st.integers(-15, 15) | st.sampled_from([-(2**63), 2**63 - 1]),
)
def test_getrange(command: str, value: bytes, first: int, last: int) -> None:
    n = len(value)
    start = max(first + n, 0) if first < 0 else first
    end = max(last + n, 0) if last < 0 else last
    expected = b"" if first < 0 and last < 0 and first > last else value[start : end + 1]
    with data_client() as client:
        client("SET", "k", value)
        assert client.bulk(command, "k", first, last) == expected


def test_lengths_are_limited(client: DataClient) -> None:
    client.engine.configure(proto_max_bulk_len=1 << 20)
    converse(
        client,
        ("SETRANGE k 1048576 x", TOO_LONG),
        ("SETRANGE k 9223372036854775807 x", TOO_LONG),
        ("SETRANGE k 9223372036854775807 ", "-ERR wrong number of arguments for 'setrange' command"),
        ("SETRANGE k -1 x", "-ERR offset is out of range"),
        ("SETRANGE k 1.5 x", NO_INTEGER),
        ("EXISTS k", ":0"),
        ("SETRANGE k 1048575 x", ":1048576"),
        ("APPEND k y", TOO_LONG),
        ("STRLEN k", ":1048576"),
    )
    assert client("SETRANGE", "none", 9, "") == b":0\r\n"
    assert client("EXISTS", "none") == b":0\r\n"


KEYS = st.sampled_from(["a", "b", "c"])
VALUES = st.binary(max_size=20) | st.integers(1, 3).map(lambda n: bytes([n]) * 30_000 * n)
STEPS = st.tuples(
    st.sampled_from(["SET", "GETSET", "APPEND", "SETRANGE", "GETDEL", "PEXPIRE"]),
    KEYS,
    st.integers(0, 100_000) | st.integers(0, 30),
    VALUES,
)


@given(st.lists(STEPS, max_size=30))
def test_values_against_a_dict(steps: list[tuple[str, str, int, bytes]]) -> None:
    model: dict[str, bytes] = {}
    with data_client() as client:
        for name, key, number, value in steps:
            old = model.get(key, b"")
            if name in ("SET", "GETSET"):
                client(name, key, value)
                model[key] = value
            elif name == "APPEND":
                assert client.integer(name, key, value) == len(old) + len(value)
                model[key] = old + value
            elif name == "SETRANGE":
                if value:
                    model[key] = old[:number].ljust(number, b"\0") + value + old[number + len(value) :]
                assert client.integer(name, key, number, value) == len(model.get(key, b""))
            elif name == "GETDEL":
                assert client.bulk(name, key) == model.pop(key, None)
            else:
                client(name, key, number + 1)
            client.engine.background()
        for key in "abc":
            assert client.bulk("GET", key) == model.get(key)
            assert client.integer("STRLEN", key) == len(model.get(key, b""))
