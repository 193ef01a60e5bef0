"""HyperLogLogs against a dict of registers. That their bytes are Redis's is for the differential test to say."""

from __future__ import annotations

from collections.abc import Iterator
from math import sqrt
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.engine.data_client import DataClient, data_client

MASK = 2**64 - 1
MULTIPLIER = 0xC6A4A7935BD1E995
INVERSE = pow(MULTIPLIER, -1, 2**64)
SEED = 0xADC83B19
REGISTERS = 16384
EMPTY = b"HYLL\x01" + bytes(10) + b"\x80\x7f\xff"
CORRUPT = b"-INVALIDOBJ Corrupted HLL object detected\r\n"

registers = st.integers(0, REGISTERS - 1) | st.integers(0, 12) | st.integers(REGISTERS - 4, REGISTERS - 1)
values = st.integers(1, 4) | st.integers(1, 51)


@pytest.fixture
def client() -> Iterator[DataClient]:
    with data_client() as client:
        yield client


def element(register: int, value: int) -> bytes:
    """Eight bytes whose MurmurHash64A raises this register to this value: the hash, backwards."""
    zeros = value - 1
    number = ((1 << zeros if zeros < 50 else 0) << 14 | register) & MASK
    number ^= number >> 47
    number = number * INVERSE & MASK
    number ^= number >> 47
    number = number * INVERSE & MASK
    word = (number ^ SEED ^ 8 * MULTIPLIER & MASK) & MASK
    word = word * INVERSE & MASK
    word ^= word >> 47
    return (word * INVERSE & MASK).to_bytes(8, "little")


def registers_of(client: DataClient, key: str) -> dict[int, int]:
    """Those that are not 0. The key stays as it is."""
    client("DEL", "copy")
    client("COPY", key, "copy")
    found = client.integers("PFDEBUG", "GETREG", "copy")
    assert len(found) == REGISTERS
    return {i: value for i, value in enumerate(found) if value}


def estimate_is_near(found: int, count: int) -> bool:
    return abs(found - count) <= 6 * 1.04 / sqrt(REGISTERS) * count + 1


@given(
    st.lists(st.lists(st.tuples(registers, values), min_size=1, max_size=12), min_size=1, max_size=12),
    st.sampled_from([0, 30, 60, 3000]),
)
def test_adding(steps: list[list[tuple[int, int]]], sparse_bytes: int) -> None:
    model: dict[int, int] = {}
    with data_client() as client:
        client.engine.configure(hll_sparse_max_bytes=sparse_bytes)
        for n, step in enumerate(steps):
            changes = n == 0
            for register, value in step:
                changes |= model.get(register, 0) < value
                model[register] = max(model.get(register, 0), value)
            assert client.integer("PFADD", "h", *(element(*each) for each in step)) == changes
            client.engine.background()
        assert registers_of(client, "h") == model
        value = client.bulk("GET", "h")
        assert value is not None
        dense = len(value) == 12304
        assert dense == (value[4] == 0)
        assert dense or (len(value) <= max(sparse_bytes, 18) and max(model.values()) <= 32)
        count = client.integer("PFCOUNT", "h")
        client("PFDEBUG", "TODENSE", "h")
        client("PFADD", "h", element(0, 51))
        client("PFADD", "h2", *(element(*each) for step in steps for each in step))
        assert client.integer("PFCOUNT", "h2") == count


@given(
    st.lists(st.lists(st.tuples(registers, values), max_size=30), min_size=1, max_size=5),
    st.lists(st.booleans(), min_size=5, max_size=5),
    st.sampled_from([0, 60, 3000]),
    st.sampled_from(["ON", "OFF"]),
)
def test_merging(parts: list[list[tuple[int, int]]], dense: list[bool], sparse_bytes: int, simd: str) -> None:
    model: dict[int, int] = {}
    with data_client() as client:
        client("PFDEBUG", "SIMD", simd)
        client.engine.configure(hll_sparse_max_bytes=sparse_bytes)
        names = [f"h{i}" for i in range(len(parts))]
        for name, part, makes_dense in zip(names, parts, dense, strict=False):
            client("PFADD", name, *(element(*each) for each in part))
            if makes_dense:
                client("PFDEBUG", "TODENSE", name)
            for register, value in part:
                model[register] = max(model.get(register, 0), value)
        together = client.integer("PFCOUNT", *names, "missing")
        assert client("PFMERGE", names[0], *names[1:], "missing") == b"+OK\r\n"
        assert client.integer("PFCOUNT", names[0]) == together
        assert registers_of(client, names[0]) == model
        client("PFDEBUG", "SIMD", "ON")


@pytest.mark.parametrize("simd", ["ON", "OFF"])
def test_every_register_holds_every_value(client: DataClient, simd: str) -> None:
    client("PFDEBUG", "SIMD", simd)
    model = {i: i * 7 % 64 for i in range(REGISTERS)}
    bits = sum(value << 6 * i for i, value in model.items())
    client("SET", "h", b"HYLL" + bytes(11) + b"\x80" + bits.to_bytes(12288, "little"))
    client("PFMERGE", "merged", "h")
    for key in ("h", "merged"):
        assert registers_of(client, key) == {i: value for i, value in model.items() if value}
    client("PFADD", "h", element(0, 3), element(REGISTERS - 1, 51), element(9, 51))
    model |= {0: 3, 9: max(51, model[9]), REGISTERS - 1: max(51, model[REGISTERS - 1])}
    assert registers_of(client, "h") == {i: value for i, value in model.items() if value}
    client("PFDEBUG", "SIMD", "ON")


def test_the_estimate_is_near(client: DataClient) -> None:
    for n in (1, 10, 100, 1000, 10_000, 100_000):
        for begin in range(0, n, 1000):
            client("PFADD", f"h{n}", *range(begin, min(begin + 1000, n)))
        assert estimate_is_near(client.integer("PFCOUNT", f"h{n}"), n)
    assert estimate_is_near(client.integer("PFCOUNT", "h100", "h1000", "h100000"), 100_000)


def test_the_estimate_is_kept_until_a_register_changes(client: DataClient) -> None:
    client("PFADD", "h", "a", "b")
    assert client.integer("PFCOUNT", "h") == 2
    value = client.bulk("GET", "h")
    assert value is not None
    assert value[8:16] == b"\x02" + bytes(7)
    client("SETRANGE", "h", 8, b"\x07")
    assert client.integer("PFCOUNT", "h") == 7
    assert client.integer("PFADD", "h", "a") == 0
    assert client.integer("PFCOUNT", "h") == 7
    assert client.integer("PFADD", "h", "c") == 1
    assert client.integer("PFCOUNT", "h") == 3


def test_ascending_registers_end_as_they_do_one_by_one(client: DataClient) -> None:
    """PFMERGE goes on where it was, PFADD begins anew: the runs are the same."""
    random = Random(5)
    for density in (3, 40, 400, 1500):
        client.engine.configure(hll_sparse_max_bytes=16000)
        for part in ("a", "b"):
            client("DEL", part)
            client(
                "PFADD",
                part,
                *(element(random.randrange(density * 4), random.randrange(1, 6)) for _ in range(density)),
            )
        merged = registers_of(client, "b")
        for register, value in registers_of(client, "a").items():
            merged[register] = max(merged.get(register, 0), value)
        client("COPY", "a", "one by one", "REPLACE")
        client(
            "PFADD", "one by one", *(element(register, value) for register, value in sorted(merged.items()))
        )
        client("PFMERGE", "a", "b")
        assert client.bulk("PFDEBUG", "DECODE", "a") == client.bulk("PFDEBUG", "DECODE", "one by one")


@given(st.binary(max_size=60), st.sampled_from([b"\x00", b"\x01", b"\x02"]), st.booleans())
def test_what_is_corrupt_is_refused(body: bytes, form: bytes, whole: bool) -> None:
    with data_client() as client:
        if whole:
            body = (body or b"\x00") * (12288 // max(len(body), 1) + 1)
            body = body[:12288]
        value = b"HYLL" + form + bytes(10) + b"\x80" + body
        client("SET", "h", value)
        client("PFADD", "good", "a")
        for command in (
            ("PFADD", "h"), ("PFCOUNT", "h"), ("PFCOUNT", "good", "h"), ("PFMERGE", "new", "h", "good"),
            ("PFADD", "h", "a", "b"), ("PFMERGE", "h", "good"), ("PFDEBUG", "DECODE", "h"),
            ("PFDEBUG", "TODENSE", "h"), ("PFDEBUG", "GETREG", "h"), ("PFADD", "h", "c"),
        ):  # fmt: skip
            reply = client(*command)
            if reply[:1] == b"-":
                assert reply.startswith((CORRUPT, b"-WRONGTYPE ", b"-ERR HLL encoding")), reply
                assert client.integer("EXISTS", "new") == 0 or command[1] != "new"
            else:
                assert form != b"\x02"


def test_values_too_long_for_any_registers_are_refused(client: DataClient) -> None:
    for n in (16_384, 32_768, 32_769, 200_000):
        client("SET", "h", EMPTY[:16] + b"\x00" * n)
        changes = client("PFADD", "h", element(REGISTERS - 1, 2))
        assert changes == (b":1\r\n" if n == 16_384 else changes)
        if n > 32_768:
            assert changes == CORRUPT
        assert client("PFCOUNT", "h") == (b":1\r\n" if n == 16_384 else CORRUPT)


def test_self_test(client: DataClient) -> None:
    assert client("PFSELFTEST") == b"+OK\r\n"


def test_no_room_changes_nothing(client: DataClient) -> None:
    client("PFADD", "h", "a")
    before = client.bulk("GET", "h")
    client.engine.configure(maxmemory=1)
    try:
        assert client("PFADD", "h", "b").startswith(b"-OOM")
        assert client("PFMERGE", "h", "h").startswith(b"-OOM")
    finally:
        client.engine.configure(maxmemory=0)
    assert client.bulk("GET", "h") == before
