"""LCS against the textbook."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.engine.data_client import DataClient, data_client

TEXTS = st.text("abc", max_size=25).map(str.encode)


@pytest.fixture
def client() -> Iterator[DataClient]:
    with data_client() as client:
        yield client


def length(a: bytes, b: bytes) -> int:
    row = [0] * (len(b) + 1)
    for x in a:
        before = row
        row = [0]
        for j, y in enumerate(b):
            row.append(before[j] + 1 if x == y else max(before[j + 1], row[j]))
    return row[-1]


def is_subsequence(part: bytes, whole: bytes) -> bool:
    rest = iter(whole)
    return all(byte in rest for byte in part)


@given(a=TEXTS, b=TEXTS, shortest=st.integers(-1, 5))
def test_against_the_textbook(a: bytes, b: bytes, shortest: int) -> None:
    with data_client() as client:
        client("MSET", "a", a, "b", b)
        expected = length(a, b)
        assert client.integer("LCS", "a", "b", "LEN") == expected
        text = client.bulk("LCS", "a", "b")
        assert text is not None
        assert len(text) == expected
        assert is_subsequence(text, a)
        assert is_subsequence(text, b)
        words = client("LCS", "a", "b", "IDX", "WITHMATCHLEN").split(b"\r\n")
        numbers = [int(word[1:]) for word in words if word[:1] == b":"]
        *flat, total = numbers
        matches = [flat[i : i + 5] for i in range(0, len(flat), 5)]
        assert total == expected == sum(match[4] for match in matches)
        assert b"".join(a[m[0] : m[1] + 1] for m in reversed(matches)) == text
        assert b"".join(b[m[2] : m[3] + 1] for m in reversed(matches)) == text
        long_enough = client("LCS", "a", "b", "MINMATCHLEN", shortest, "IDX")
        assert long_enough.split(b"\r\n")[3] == b"*%d" % sum(match[4] >= shortest for match in matches)


def test_what_is_refused(client: DataClient) -> None:
    client("MSET", "a", "x" * 600, "b", "x" * 600)
    both = "-ERR If you want both the length and indexes, please just use IDX."
    assert client.line("LCS a b LEN IDX") == both
    assert client.line("LCS a b WHAT") == "-ERR syntax error"
    assert client.line("LCS a b MINMATCHLEN") == "-ERR syntax error"
    assert client.line("LCS a b MINMATCHLEN x") == "-ERR value is not an integer or out of range"
    assert client.line("LCS a b LEN") == ":600"
    assert client.bulk("LCS", "a", "none") == b""
    client.engine.configure(proto_max_bulk_len=1 << 20)
    too_much = "-ERR Insufficient memory, transient memory for LCS exceeds proto-max-bulk-len"
    assert client.line("LCS a b") == too_much
