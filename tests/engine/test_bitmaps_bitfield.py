"""BITFIELD against Python's integers."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.engine.data_client import DataClient, data_client

LIMIT = 2**63
NO_TYPE = "-ERR Invalid bitfield type. Use something like i16 u8. Note that u64 is not supported but i64 is."
NO_OFFSET = "-ERR bit offset is not an integer or out of range"
TYPES = st.tuples(st.just("i"), st.integers(1, 64)) | st.tuples(st.just("u"), st.integers(1, 63))
OPERANDS = st.integers(-300, 300) | st.integers(-LIMIT, LIMIT - 1) | st.sampled_from([-LIMIT, LIMIT - 1])
STEPS = st.tuples(
    st.sampled_from(["GET", "SET", "INCRBY"]),
    TYPES,
    st.integers(0, 90),
    OPERANDS,
    st.sampled_from(["WRAP", "SAT", "FAIL"]),
)


@pytest.fixture
def client() -> Iterator[DataClient]:
    with data_client() as client:
        yield client


def fitted(value: int, low: int, high: int, overflow: str) -> int | None:
    if low <= value <= high:
        return value
    if overflow == "FAIL":
        return None
    if overflow == "SAT":
        return high if value > high else low
    return (value - low) % (high - low + 1) + low


class Field:
    """The bits of a value as one integer, bit 0 the highest of 200."""

    def __init__(self) -> None:
        self.bits = 0
        self.length = 0

    def step(self, verb: str, sign: str, width: int, offset: int, operand: int, overflow: str) -> int | None:
        shift = 200 - offset - width
        mask = (1 << width) - 1
        low, high = (-(1 << (width - 1)), (1 << (width - 1)) - 1) if sign == "i" else (0, mask)
        raw = self.bits >> shift & mask
        old = raw - (mask + 1) if raw > high else raw
        if verb == "GET":
            return old
        self.length = max(self.length, (offset + width + 7) // 8)
        if verb == "SET" and sign == "u" and operand < 0:
            new = fitted(operand % (1 << 64), low, high, overflow)
        else:
            new = fitted(operand + (old if verb == "INCRBY" else 0), low, high, overflow)
        if new is None:
            return None
        self.bits = self.bits & ~(mask << shift) | (new & mask) << shift
        return old if verb == "SET" else new


@given(st.lists(STEPS, min_size=1, max_size=8))
def test_against_integers(steps: list[tuple[str, tuple[str, int], int, int, str]]) -> None:
    field = Field()
    words: list[str | int] = []
    expected = []
    for verb, (sign, width), offset, operand, overflow in steps:
        expected.append(field.step(verb, sign, width, offset, operand, overflow))
        words += ["OVERFLOW", overflow, verb, f"{sign}{width}", offset]
        if verb != "GET":
            words.append(operand)
    with data_client() as client:
        assert client.integers("BITFIELD", "k", *words) == expected
        value = client.bulk("GET", "k") or b""
        assert value == field.bits.to_bytes(25, "big")[: field.length]


def test_offsets_in_fields(client: DataClient) -> None:
    assert client.line("BITFIELD k SET u8 #2 255 GET u8 16 GET u4 #5 GET i4 #5") == "*4 :0 :255 :15 :-1"
    assert client.line("BITFIELD k GET u8 #4611686018427387904") == "*1 :0"
    for offset in ("#9223372036854775807", "#-1", "-1", "#", "x", "4294967296"):
        assert client.line(f"BITFIELD k GET u8 {offset}") == NO_OFFSET


@pytest.mark.parametrize("kind", ["u64", "i65", "u0", "i0", "x8", "i", "u-1", "I8", "u08"])
def test_types(client: DataClient, kind: str) -> None:
    assert client.line(f"BITFIELD k SET {kind} 0 1") == NO_TYPE
    assert client.line("EXISTS k") == ":0"


def test_what_is_refused(client: DataClient) -> None:
    assert client.line("BITFIELD k WHAT") == "-ERR syntax error"
    assert client.line("BITFIELD k SET u8 0") == "-ERR syntax error"
    assert client.line("BITFIELD k OVERFLOW MAYBE") == "-ERR Invalid OVERFLOW type specified"
    assert client.line("BITFIELD k SET u8 0 x") == "-ERR value is not an integer or out of range"
    assert client.line("BITFIELD_RO k SET u8 0 1") == "-ERR BITFIELD_RO only supports the GET subcommand"
    assert client.line("BITFIELD_RO k GET u8 0") == "*1 :0"
    assert client.line("BITFIELD k") == "*0"
    assert client.line("EXISTS k") == ":0"
    assert client.line("BITFIELD k OVERFLOW FAIL INCRBY u2 100 9") == "*1 $-1"
    assert client.line("STRLEN k") == ":13"
