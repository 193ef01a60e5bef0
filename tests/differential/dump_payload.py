"""What DUMP sends for a string, made, and for a hash, list, set or stream, read, independently of the code under test.

type (1 byte, 0: string) | length and encoding | bytes | RDB version (2 bytes) | CRC-64 (8 bytes)

Version and checksum are little-endian. `hash_of`, `list_of`, `set_of` and `stream_of` read.
"""

from __future__ import annotations

from dataclasses import dataclass, field

FOOTER_BYTES = 10
LZF_ENCODING = 0xC3
CRC64_POLYNOMIAL_REFLECTED = 0x95AC9329AC4BC9B5


HASH_TYPES = {4: (False, False), 16: (True, False), 24: (False, True), 25: (True, True)}
"""Type: whether it is a listpack, whether with expiries."""


def is_hash(payload: bytes) -> bool:
    """Is it a hash in one of the forms that Redis 8.2 writes?"""
    return len(payload) > FOOTER_BYTES and payload[0] in HASH_TYPES


def hash_of(payload: bytes) -> tuple[int, list[tuple[bytes, bytes, int]]]:
    """Type and fields with value and expiry (0: none), in order of their names: how they lie is each server's own."""
    packed, expiring = HASH_TYPES[payload[0]]
    at, earliest = 1, 0
    if expiring:
        earliest, at = int.from_bytes(payload[1:9], "little"), 9
    if packed:
        words = _listpack(_string(payload, at)[0])
        step = 3 if expiring else 2
        rows = [words[i : i + step] for i in range(0, len(words), step)]
        return payload[0], sorted((row[0], row[1], int(row[2]) if expiring else 0) for row in rows)
    count, at = _length(payload, at)
    fields = []
    for _ in range(count):
        distance = 0
        if expiring:
            distance, at = _length(payload, at)
        name, at = _string(payload, at)
        value, at = _string(payload, at)
        fields.append((name, value, earliest + distance - 1 if distance else 0))
    return payload[0], sorted(fields)


SET_TABLE, SET_INTSET, SET_LISTPACK = SET_TYPES = (2, 11, 20)


def is_set(payload: bytes) -> bool:
    """Is it a set in one of the forms that Redis 8.2 writes?"""
    return len(payload) > FOOTER_BYTES and payload[0] in SET_TYPES


def set_of(payload: bytes) -> tuple[int, list[bytes]]:
    """Type and members, sorted: how they lie is each server's own, and how wide an intset once had to be."""
    members = []
    if payload[0] == SET_TABLE:
        count, at = _length(payload, 1)
        for _ in range(count):
            member, at = _string(payload, at)
            members.append(member)
    elif payload[0] == SET_LISTPACK:
        members = _listpack(_string(payload, 1)[0])
    else:
        blob, _ = _string(payload, 1)
        width = int.from_bytes(blob[:4], "little")
        starts = range(8, len(blob), width)
        members = [b"%d" % int.from_bytes(blob[at : at + width], "little", signed=True) for at in starts]
    return payload[0], sorted(members)


LIST_QUICKLIST_2 = 18
LIST_PLAIN = 1


def is_list(payload: bytes) -> bool:
    """Is it a list in the form that Redis 8.2 writes?"""
    return len(payload) > FOOTER_BYTES and payload[0] == LIST_QUICKLIST_2


def list_of(payload: bytes) -> list[bytes]:
    """Elements, whatever nodes they lie in."""
    count, at = _length(payload, 1)
    elements = []
    for _ in range(count):
        container, at = _length(payload, at)
        node, at = _string(payload, at)
        elements += [node] if container == LIST_PLAIN else _listpack(node)
    assert at == len(payload) - FOOTER_BYTES
    return elements


STREAM = 21


@dataclass
class Stream:
    """Nodes are lists of entries: ID, names and values. Groups: name, last ID, entries read, pending ones with their deliveries, and consumers
    with the IDs of theirs. All times are in `times`, in order.
    """

    nodes: list[list[tuple[tuple[int, int], tuple[bytes, ...]]]] = field(default_factory=list)
    numbers: list[int] = field(default_factory=list)
    groups: list[tuple[object, ...]] = field(default_factory=list)
    times: list[int] = field(default_factory=list)

    def shape(self) -> tuple[object, ...]:
        """All but the times, of which those that are no times (-1: never) count."""
        return self.nodes, self.numbers, self.groups, [time for time in self.times if time < 0]


def is_stream(payload: bytes) -> bool:
    """Is it a stream in the form that Redis 8.2 writes?"""
    return len(payload) > FOOTER_BYTES and payload[0] == STREAM


def stream_of(payload: bytes) -> Stream:
    """What the payload says, deleted entries left out."""
    stream = Stream()
    count, at = _length(payload, 1)
    for _ in range(count):
        key, at = _string(payload, at)
        pack, at = _string(payload, at)
        stream.nodes.append(_entries(_id(key), _listpack(pack)))
    for _ in range(8):
        number, at = _length(payload, at)
        stream.numbers.append(number)
    count, at = _length(payload, at)
    for _ in range(count):
        at = _group(payload, at, stream)
    return stream


def _id(key: bytes) -> tuple[int, int]:
    return int.from_bytes(key[:8], "big"), int.from_bytes(key[8:16], "big")


def _entries(first: tuple[int, int], words: list[bytes]) -> list[tuple[tuple[int, int], tuple[bytes, ...]]]:
    fields = int(words[2])
    names = words[3 : 3 + fields]
    at, found = 4 + fields, []
    while at < len(words):
        flags, ms, seq = map(int, words[at : at + 3])
        at += 3
        if flags & 2:
            pairs = [word for pair in zip(names, words[at : at + fields], strict=True) for word in pair]
            at += fields + 1
        else:
            count = int(words[at])
            pairs = words[at + 1 : at + 1 + 2 * count]
            at += 2 * count + 2
        if not flags & 1:
            found.append((((first[0] + ms) % 2**64, (first[1] + seq) % 2**64), tuple(pairs)))
    return found


def _time(payload: bytes, at: int, stream: Stream) -> int:
    stream.times.append(int.from_bytes(payload[at : at + 8], "little", signed=True))
    return at + 8


def _group(payload: bytes, at: int, stream: Stream) -> int:
    name, at = _string(payload, at)
    numbers, pending, consumers = [], [], []
    for _ in range(3):
        number, at = _length(payload, at)
        numbers.append(number)
    count, at = _length(payload, at)
    for _ in range(count):
        entry = _id(payload[at : at + 16])
        deliveries, at = _length(payload, _time(payload, at + 16, stream))
        pending.append((entry, deliveries))
    count, at = _length(payload, at)
    for _ in range(count):
        consumer, at = _string(payload, at)
        at = _time(payload, _time(payload, at, stream), stream)
        owned, at = _length(payload, at)
        consumers.append((consumer, [_id(payload[at + 16 * i : at + 16 * i + 16]) for i in range(owned)]))
        at += 16 * owned
    stream.groups.append((name, numbers, pending, consumers))
    return at


def _string(payload: bytes, at: int) -> tuple[bytes, int]:
    first = payload[at]
    if first == LZF_ENCODING:
        compressed, at = _length(payload, at + 1)
        _, at = _length(payload, at)
        return _decompress(payload[at : at + compressed]), at + compressed
    if first >> 6 == 3:
        size = 1 << (first & 3)
        return b"%d" % int.from_bytes(payload[at + 1 : at + 1 + size], "little", signed=True), at + 1 + size
    length, at = _length(payload, at)
    return payload[at : at + length], at + length


def _listpack(data: bytes) -> list[bytes]:
    at, words = 6, []
    while data[at] != 0xFF:
        first = data[at]
        if first < 0x80:
            head, word = 1, b"%d" % first
        elif 0xC0 <= first < 0xE0:
            number = (first & 0x1F) << 8 | data[at + 1]
            head, word = 2, b"%d" % (number - 0x2000 if number & 0x1000 else number)
        elif first > 0xF0:
            head = 1 + {0xF1: 2, 0xF2: 3, 0xF3: 4, 0xF4: 8}[first]
            word = b"%d" % int.from_bytes(data[at + 1 : at + head], "little", signed=True)
        else:
            start, length = {8: (1, first & 0x3F), 0xE: (2, (first & 15) << 8 | data[at + 1])}.get(
                first >> 4 if first >= 0xC0 else 8, (5, int.from_bytes(data[at + 1 : at + 5], "little"))
            )
            head, word = start + length, data[at + start : at + start + length]
        words.append(word)
        at += head + max(1, -(-head.bit_length() // 7))
    return words


def seal(body: bytes, version: int = 12) -> bytes:
    """`body` (type, length, bytes) with the footer that makes RESTORE accept it."""
    unsealed = body + version.to_bytes(2, "little")
    return unsealed + crc64(unsealed).to_bytes(8, "little")


def crc64(data: bytes) -> int:
    """CRC-64 as RDB uses it: reflected, no initial value, no final complement. O(8 n)."""
    crc = 0
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (CRC64_POLYNOMIAL_REFLECTED if crc & 1 else 0)
    return crc


def _length(payload: bytes, at: int) -> tuple[int, int]:
    first = payload[at]
    if first >> 6 == 0:
        return first & 0x3F, at + 1
    if first >> 6 == 1:
        return (first & 0x3F) << 8 | payload[at + 1], at + 2
    size = {0x80: 4, 0x81: 8}[first]
    return int.from_bytes(payload[at + 1 : at + 1 + size], "big"), at + 1 + size


def _decompress(data: bytes) -> bytes:
    out = bytearray()
    at = 0
    while at < len(data):
        control = data[at]
        at += 1
        if control < 32:
            out += data[at : at + control + 1]
            at += control + 1
            continue
        length = control >> 5
        if length == 7:
            length += data[at]
            at += 1
        distance = ((control & 0x1F) << 8 | data[at]) + 1
        at += 1
        for _ in range(length + 2):
            out.append(out[-distance])
    return bytes(out)
