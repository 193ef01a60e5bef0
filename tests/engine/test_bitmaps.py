"""The commands of bitmaps against Python's integers."""

from __future__ import annotations

import operator
from collections.abc import Iterator
from functools import reduce
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.engine.data_client import DataClient, data_client

NO_OFFSET = "-ERR bit offset is not an integer or out of range"
BYTES = st.binary(max_size=40) | st.sampled_from(
    [b"\xff" * 40, b"\x00" * 40, b"\x00" * 70 + b"\x01", b"\xff" * 70 + b"\xfe"]
)
POSITIONS = st.integers(-700, 700) | st.integers(-5, 5) | st.sampled_from([-(2**63), 2**63 - 1])
SIZES = st.sampled_from([0, 1, 7, 8, 9, 4095, 4096, 4097, 9000])


@pytest.fixture
def client() -> Iterator[DataClient]:
    with data_client() as client:
        yield client


def bits_of(value: bytes) -> str:
    return "".join(f"{byte:08b}" for byte in value)


def clipped(first: int, last: int, n: int) -> tuple[int, int]:
    first = max(first + n, 0) if first < 0 else first
    last = max(last + n, 0) if last < 0 else last
    return first, min(last, n - 1)


@given(
    st.lists(
        st.tuples(st.integers(0, 500) | st.integers(0, 800_000), st.integers(0, 1)), min_size=1, max_size=30
    )
)
def test_setbit_and_getbit(steps: list[tuple[int, int]]) -> None:
    model: dict[int, int] = {}
    with data_client() as client:
        for offset, bit in steps:
            assert client.integer("SETBIT", "k", offset, bit) == model.get(offset, 0)
            model[offset] = bit
            assert client.integer("STRLEN", "k") == max(model) // 8 + 1
            client.engine.background()
        for offset, bit in model.items():
            assert client.integer("GETBIT", "k", offset) == bit
        assert client.integer("BITCOUNT", "k") == sum(model.values())
        assert client.integer("GETBIT", "k", max(model) + 8) == 0


def test_offsets_end_at_the_longest_value(client: DataClient) -> None:
    client.engine.configure(proto_max_bulk_len=1 << 20)
    for offset in ("8388608", "-1", "abc", "1.5", "9223372036854775808"):
        assert client.line(f"SETBIT k {offset} 1") == NO_OFFSET
        assert client.line(f"GETBIT k {offset}") == NO_OFFSET
    for bit in ("2", "-1", "x"):
        assert client.line(f"SETBIT k 1 {bit}") == "-ERR bit is not an integer or out of range"
    assert client.line("EXISTS k") == ":0"
    assert client.line("SETBIT k 8388607 1") == ":0"
    assert client.line("STRLEN k") == ":1048576"


@given(value=BYTES, first=POSITIONS, last=POSITIONS, unit=st.sampled_from(["", "BYTE", "bit"]))
def test_bitcount(value: bytes, first: int, last: int, unit: str) -> None:
    bits = bits_of(value)
    n = len(bits) if unit == "bit" else len(value)
    expected = 0
    if not (first < 0 and last < 0 and first > last):
        start, end = clipped(first, last, n)
        scale = 1 if unit == "bit" else 8
        expected = bits[start * scale : (end + 1) * scale].count("1")
    with data_client() as client:
        client("SET", "k", value)
        assert client.integer("BITCOUNT", "k", first, last, *unit.split()) == expected
        assert client.integer("BITCOUNT", "k") == bits.count("1")


@given(
    value=BYTES.filter(bool),
    bit=st.integers(0, 1),
    first=POSITIONS,
    last=POSITIONS,
    unit=st.sampled_from(["", "BYTE", "BIT"]),
)
def test_bitpos(value: bytes, bit: int, first: int, last: int, unit: str) -> None:
    bits = bits_of(value)
    scale = 1 if unit == "BIT" else 8
    start, end = clipped(first, last, len(bits) // scale)
    expected = bits.find(str(bit), start * scale, (end + 1) * scale) if start <= end else -1
    with data_client() as client:
        client("SET", "k", value)
        assert client.integer("BITPOS", "k", bit, first, last, *unit.split()) == expected
        if bits.find("0") < 0:
            assert client.integer("BITPOS", "k", 0) == len(bits)


def test_bitpos_of_nothing(client: DataClient) -> None:
    assert client.line("BITPOS k 0") == ":0"
    assert client.line("BITPOS k 1") == ":-1"
    assert client.line("BITPOS k 2") == "-ERR The bit argument must be 1 or 0."
    assert client.line("BITPOS k a") == "-ERR value is not an integer or out of range"
    assert client.line("BITPOS k 0 0 1 WORD") == "-ERR syntax error"
    assert client.line("BITPOS k 0 0 1 BIT x") == "-ERR syntax error"
    assert client.line("BITCOUNT k 0") == "-ERR syntax error"
    assert client.line("BITCOUNT k 0 1 WORD") == "-ERR syntax error"


def combined(name: str, sources: list[bytes]) -> bytes:
    n = max(len(source) for source in sources)
    numbers = [int.from_bytes(source.ljust(n, b"\0"), "big") for source in sources]
    first, rest = numbers[0], reduce(operator.or_, numbers[1:], 0)
    everything = (1 << 8 * n) - 1
    if name == "ONE":
        once = twice = 0
        for number in numbers:
            twice |= once & number
            once |= number
        result = once & ~twice
    else:
        result = {
            "AND": reduce(operator.and_, numbers),
            "OR": reduce(operator.or_, numbers),
            "XOR": reduce(operator.xor, numbers),
            "NOT": everything ^ first,
            "DIFF": first & ~rest,
            "DIFF1": rest & ~first,
            "ANDOR": first & rest,
        }[name]
    return result.to_bytes(n, "big")


@pytest.mark.parametrize("name", ["AND", "OR", "XOR", "NOT", "DIFF", "DIFF1", "ANDOR", "ONE"])
@given(
    sizes=st.lists(SIZES, min_size=2, max_size=5),
    # A seed: 9,000 bytes that hypothesis itself makes are, now and then, more than it likes to make.
    random=st.integers(0, 2**32 - 1).map(Random),
    to=st.sampled_from(["d", "s0"]),
)
def test_bitop(name: str, sizes: list[int], random: Random, to: str) -> None:
    sources = [random.randbytes(size) for size in sizes[: 1 if name == "NOT" else None]]
    expected = combined(name, sources)
    with data_client() as client:
        keys = [f"s{i}" for i in range(len(sources))]
        for key, source in zip(keys, sources, strict=True):
            if source:
                client("SET", key, source, "EX", 100)
        assert client.integer("BITOP", name, to, *keys) == len(expected)
        assert client.bulk("GET", to) == (expected or None)
        if expected:
            assert client.line(f"TTL {to}") == ":-1"


def test_bitop_refuses(client: DataClient) -> None:
    client("SET", "a", "x")
    client("SET", "d", "old")
    assert client.line("BITOP NOT d a a") == "-ERR BITOP NOT must be called with a single source key."
    for name in ("DIFF", "DIFF1", "ANDOR"):
        expected = f"-ERR BITOP {name} must be called with at least two source keys."
        assert client.line(f"BITOP {name} d a") == expected
    assert client.line("BITOP NAND d a") == "-ERR syntax error"
    assert client.line("GET d") == "$3 old"
    assert client.line("BITOP AND d none") == ":0"
    assert client.line("EXISTS d") == ":0"
