"""DUMP and RESTORE: Redis's payloads byte for byte, and no others are taken."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.engine.commands import Client, new_client
from tests.support.rdb_forms import HASH_EXPIRIES_OLD, HASH_ZIPLIST, HASH_ZIPMAP, old_hash, string, ziplist

BAD_FORMAT = b"-ERR Bad data format\r\n"
BAD_FOOTER = b"-ERR DUMP payload version or checksum are wrong\r\n"

# What redis-server 8.2.3 answers to DUMP.
PAYLOADS = {
    b"": "00000c0096ed6880f5553c93",
    b"0": "00c0000c00533693b8027a9d41",
    b"-1": "00c0ff0c00c7e54ae47f22038c",
    b"127": "00c07f0c00c6c3dff1a87e5b5d",
    b"128": "00c180000c00200c8775eae5d52c",
    b"-129": "00c17fff0c00dc16b6e8aeaa1ac9",
    b"32768": "00c2008000000c008eae1a2d2f973759",
    b"2147483647": "00c2ffffff7f0c00e702d15e1a0433e8",
    b"2147483648": "000a323134373438333634380c002cc71d63b637e8a7",
    b"-2147483648": "00c2000000800c000c39b3fec97f1fce",
    b"00": "000230300c001993b04fc737f119",
    b"a" * 20: "001461616161616161616161616161616161616161610c0048c25f9ee13b32b8",
    b"a" * 21: "00c30615016161e00a000c00367a87a8fd6ba121",
    b"a" * 30 + b"b" * 30: "00c30e3c016161e013000062e012000162620c00b3434d98d7c97876",
    b"abc" * 7: "00c30b150361626361e006020162630c00c97745cc74c1670f",
    b"x" * 300: "00c30c412c017878e0ff00e017000178780c003b452d9a714c93cd",
    b"0123456789abcdefghi" + b"ghi0123456789" * 9: (
        "00c3214088123031323334353637383961626364656667686920020030e00015e05d0c0138390c006e692c18c7caa4e5"
    ),
}


def crc64(data: bytes) -> int:
    """Bit by bit: another way than the one under test."""
    crc = 0
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x95AC9329AC4BC9B5 if crc & 1 else 0)
    return crc


def sealed(body: bytes, version: int = 12) -> bytes:
    body += version.to_bytes(2, "little")
    return body + crc64(body).to_bytes(8, "little")


def test_the_reference_checksum_is_the_published_one() -> None:
    assert crc64(b"123456789") == 0xE9C6D914C4B8D9CA


@pytest.mark.parametrize(("value", "payload"), PAYLOADS.items())
def test_payloads_are_those_of_redis(client: Client, value: bytes, payload: str) -> None:
    client("SET", "k", value)
    assert client.bulk("DUMP", "k") == bytes.fromhex(payload)
    assert client("RESTORE", "copy", 0, bytes.fromhex(payload)) == b"+OK\r\n"
    assert client.bulk("GET", "copy") == value


def test_dump_of_nothing(client: Client) -> None:
    assert client("DUMP", "none") == b"$-1\r\n"


REPETITIVE = st.lists(
    st.one_of(st.binary(max_size=40), st.sampled_from([b"lorem ", b"ipsum ", b"\0" * 300, b"ab" * 20])),
    max_size=60,
).map(b"".join)


@given(st.one_of(st.binary(max_size=2000), REPETITIVE, st.integers(-(2**66), 2**66).map(lambda n: b"%d" % n)))
def test_what_is_dumped_is_restored(value: bytes) -> None:
    client = new_client()
    client("SET", "k", value)
    payload = client.bulk("DUMP", "k")
    assert payload is not None
    assert payload == sealed(payload[:-10])
    assert client("RESTORE", "copy", 0, payload) == b"+OK\r\n"
    assert client.bulk("GET", "copy") == value
    assert client.engine.check() is None
    client.engine.close()


@pytest.mark.parametrize("size", [63, 64, 16_383, 16_384, 70_000, 1_000_000])
def test_lengths_and_large_values(client: Client, size: int) -> None:
    value = bytes((i * i >> 3) & 0xFF for i in range(size))
    client("SET", "k", value)
    payload = client.bulk("DUMP", "k")
    assert payload is not None
    client("RESTORE", "copy", 0, payload)
    assert client.bulk("GET", "copy") == value


# ---- options


def test_restore_takes_a_ttl_and_refuses_to_overwrite(client: Client) -> None:
    now = 1_700_000_000_000
    client.engine.configure(clock_ms=now)
    payload = bytes.fromhex(PAYLOADS[b"127"])
    assert client("RESTORE", "k", 5000, payload) == b"+OK\r\n"
    assert client("PTTL", "k") == b":5000\r\n"
    assert client("RESTORE", "k", 0, payload) == b"-BUSYKEY Target key name already exists.\r\n"
    assert client("RESTORE", "k", now + 7, payload, "ABSTTL", "REPLACE") == b"+OK\r\n"
    assert client("PTTL", "k") == b":7\r\n"
    assert client("RESTORE", "k", 0, payload, "replace") == b"+OK\r\n"
    assert client("PTTL", "k") == b":-1\r\n"
    assert client("RESTORE", "k", now, payload, "ABSTTL", "REPLACE") == b"+OK\r\n"
    assert client("EXISTS", "k") == b":0\r\n"
    # Later than there is time is long ago.
    assert client("RESTORE", "k", 2**63 - 1, payload) == b"+OK\r\n"
    assert client("EXISTS", "k") == b":0\r\n"
    assert client("RESTORE", "k", 2**63 - 1, payload, "ABSTTL") == b"+OK\r\n"
    assert client.bulk("GET", "k") == b"127"


def test_restore_sets_idle_time_and_frequency(client: Client) -> None:
    client.engine.configure(clock_ms=1_700_000_000_000)
    payload = bytes.fromhex(PAYLOADS[b"127"])
    client("RESTORE", "k", 0, payload, "IDLETIME", 1000)
    assert client("OBJECT", "IDLETIME", "k") == b":1000\r\n"
    client.engine.set_policy("allkeys-lfu")
    client("RESTORE", "k", 0, payload, "FREQ", 200, "REPLACE")
    assert client("OBJECT", "FREQ", "k") == b":200\r\n"


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (("x",), b"-ERR value is not an integer or out of range\r\n"),
        ((-1,), b"-ERR Invalid TTL value, must be >= 0\r\n"),
        ((0,), BAD_FOOTER),
        ((0, "IDLETIME"), b"-ERR syntax error\r\n"),
        ((0, "IDLETIME", -1), b"-ERR Invalid IDLETIME value, must be >= 0\r\n"),
        ((0, "FREQ", 256), b"-ERR Invalid FREQ value, must be >= 0 and <= 255\r\n"),
        ((0, "FREQ", 1, "IDLETIME", 1), b"-ERR syntax error\r\n"),
        ((0, "IDLETIME", 1, "FREQ", 1), b"-ERR syntax error\r\n"),
        ((0, "WHAT"), b"-ERR syntax error\r\n"),
    ],
)
def test_restore_errors(client: Client, words: tuple[str | int, ...], error: bytes) -> None:
    ttl, *options = words
    assert client("RESTORE", "k", ttl, "no payload", *options) == error


# ---- what is no payload


def test_every_flipped_bit_is_noticed(client: Client) -> None:
    payload = bytes.fromhex(PAYLOADS[b"abc" * 7])
    for bit in range(len(payload) * 8):
        broken = bytearray(payload)
        broken[bit // 8] ^= 1 << bit % 8
        assert client("RESTORE", "k", 0, bytes(broken)) == BAD_FOOTER
    for n in range(len(payload)):
        assert client("RESTORE", "k", 0, payload[:n]) == BAD_FOOTER
    assert client("EXISTS", "k") == b":0\r\n"


@pytest.mark.parametrize(
    "body",
    [
        b"",  # the version's low byte is the type
        b"\x01\x00",  # a list
        b"\x00\x7f\xff",  # longer than there is
        b"\x00\x82",  # no length
        b"\x00\xc4\x00",  # no encoding
        b"\x00\x81" + b"\xff" * 8,  # 2^64 - 1 bytes
        b"\x00\xc3\x01\x05\x00",  # LZF: literals missing
        b"\x00\xc3\x02\x03\x20\x00",  # LZF: copies from before the start
        b"\x00\xc3\x03\x05\x01ab",  # LZF: says 5, holds 2
        b"\x00\xc3\xc0\x01\x05",  # LZF: a number where a length must be
        b"\x00\xc3\x02\x81" + b"\x7f" * 8 + b"\x00a",  # LZF: says 9 EB
    ],
)
def test_a_sealed_lie_is_bad_data(client: Client, body: bytes) -> None:
    client("SET", "k", "old")
    assert client("RESTORE", "k", 0, sealed(body), "REPLACE") == BAD_FORMAT
    assert client.bulk("GET", "k") == b"old"


def test_other_types_and_newer_versions(client: Client) -> None:
    assert client("RESTORE", "k", 0, sealed(b"\x07\x01\x01a")) == BAD_FORMAT
    assert client("RESTORE", "k", 0, sealed(b"\x00\x01a", version=13)) == BAD_FOOTER
    assert client("RESTORE", "k", 0, sealed(b"\x00\x01a", version=1)) == b"+OK\r\n"


FIELDS = [(b"a", b"1"), (b"b", b""), (b"c" * 300, b"d" * 5000), (b"17", b"-3")]


@pytest.mark.parametrize("kind", [HASH_ZIPMAP, HASH_ZIPLIST, HASH_EXPIRIES_OLD])
def test_hashes_of_old(client: Client, kind: int) -> None:
    assert client("RESTORE", "h", 0, sealed(old_hash(kind, FIELDS))) == b"+OK\r\n"
    expected = [word for pair in FIELDS for word in pair]
    assert client.bulks("HGETALL", "h") == expected or set(client.bulks("HGETALL", "h")) == set(expected)
    for wrong in ([], [*FIELDS, FIELDS[0]]):
        assert client("RESTORE", "wrong", 0, sealed(old_hash(kind, wrong))) == BAD_FORMAT
    body = old_hash(kind, FIELDS[:2])
    if kind != HASH_EXPIRIES_OLD:  # the footer counts as readable: a string of it may end there
        for end in range(1, len(body)):
            assert client("RESTORE", "wrong", 0, sealed(body[:end])) == BAD_FORMAT
    assert client("EXISTS", "wrong") == b":0\r\n"


def test_numbers_of_a_ziplist(client: Client) -> None:
    numbers = [0, 12, 13, -1, -128, 127, 128, 2**63 - 1, -(2**63)]
    words = [word for at, number in enumerate(numbers) for word in (b"f%d" % at, number)]
    assert client("RESTORE", "h", 0, sealed(bytes([HASH_ZIPLIST]) + string(ziplist(words)))) == b"+OK\r\n"
    assert client.bulks("HGETALL", "h")[1::2] == [b"%d" % number for number in numbers]
