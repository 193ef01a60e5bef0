"""The parser of requests: however the bytes are cut, the same requests come out; errors are Redis's own."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gapless.engine.resp import parse_pieces

requests_strategy = st.lists(st.lists(st.binary(max_size=40), min_size=1, max_size=6), max_size=8)


def encode(args: list[bytes]) -> bytes:
    return b"*%d\r\n" % len(args) + b"".join(b"$%d\r\n%s\r\n" % (len(arg), arg) for arg in args)


@given(requests_strategy, st.lists(st.integers(min_value=0, max_value=400), max_size=12))
def test_any_cut_gives_the_same_requests(requests: list[list[bytes]], cuts: list[int]) -> None:
    data = b"".join(map(encode, requests))
    places = sorted({0, len(data), *(cut for cut in cuts if cut < len(data))})
    pieces = [data[start:end] for start, end in pairwise(places)]
    assert parse_pieces(pieces) == (requests, None, 0)


def test_byte_by_byte() -> None:
    data = encode([b"SET", b"key", b"x" * 200]) + b"PING\r\n" + encode([b""])
    assert parse_pieces([data[i : i + 1] for i in range(len(data))]) == (
        [[b"SET", b"key", b"x" * 200], [b"PING"], [b""]],
        None,
        0,
    )


def test_many_arguments() -> None:
    args = [b"%d" % i for i in range(5000)]
    data = encode(args)
    assert parse_pieces([data]) == ([args], None, 0)
    assert parse_pieces([data[:20001], data[20001:]]) == ([args], None, 0)


def test_a_request_that_is_not_complete_stays() -> None:
    assert parse_pieces([b"*2\r\n$3\r\nGET\r\n$5\r\nab"]) == ([], None, 19)


@pytest.mark.parametrize("data", [b"*0\r\n", b"*-1\r\n", b"*-10\r\n", b"\r\n", b"\n", b"   \r\n"])
def test_nothing_is_skipped(data: bytes) -> None:
    assert parse_pieces([data + encode([b"PING"])]) == ([[b"PING"]], None, 0)


@pytest.mark.parametrize(
    ("line", "args"),
    [
        (b"set a b", [b"set", b"a", b"b"]),
        (b"  set \t a  b ", [b"set", b"a", b"b"]),
        (b'set "a b" c', [b"set", b"a b", b"c"]),
        (rb'set "\x41\n\t\"\\" ' + rb"'it\'s \n'", [b"set", b'A\n\t"\\', b"it's \\n"]),
        (b'set ""', [b"set", b""]),
        (b'a"b c"', [b"ab c"]),
    ],
)
def test_inline(line: bytes, args: list[bytes]) -> None:
    assert parse_pieces([line + b"\r\n"]) == ([args], None, 0)
    assert parse_pieces([line + b"\n"]) == ([args], None, 0)


@pytest.mark.parametrize(
    ("data", "error"),
    [
        (b'set "a\r\n', "unbalanced quotes in request"),
        (b"set 'a'b\r\n", "unbalanced quotes in request"),
        (b"x" * 65537, "too big inline request"),
        (b"*" + b"1" * 65537, "too big mbulk count string"),
        (b"*1\r\n$" + b"1" * 65537, "too big bulk count string"),
        (b"*abc\r\n", "invalid multibulk length"),
        (b"*\r\n", "invalid multibulk length"),
        (b"*01\r\n", "invalid multibulk length"),
        (b"*2147483648\r\n", "invalid multibulk length"),
        (b"*1\r\nfoo\r\n", "expected '$', got 'f'"),
        (b"*1\r\n$-1\r\n", "invalid bulk length"),
        (b"*1\r\n$x\r\n", "invalid bulk length"),
        (b"*1\r\n$536870913\r\n", "invalid bulk length"),
    ],
)
def test_errors(data: bytes, error: str) -> None:
    requests, text, _ = parse_pieces([encode([b"PING"]), data])
    assert requests == [[b"PING"]]
    assert text == f"ERR Protocol error: {error}"


def test_limits_before_authentication() -> None:
    def error(data: bytes) -> str | None:
        return parse_pieces([data], authenticated=False)[1]

    assert error(encode([b"a"] * 10)) is None
    assert error(b"*11\r\n") == "ERR Protocol error: unauthenticated multibulk length"
    assert error(encode([b"x" * 16384])) is None
    assert error(b"*1\r\n$16385\r\n") == "ERR Protocol error: unauthenticated bulk length"
