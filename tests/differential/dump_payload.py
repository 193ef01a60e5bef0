"""What DUMP sends for a string, read independently of the code under test.

type (1 byte, 0: string) | length and encoding | bytes | RDB version (2 bytes) | CRC-64 (8 bytes)

Version and checksum are little-endian.
"""

from __future__ import annotations

FOOTER_BYTES = 10
TYPE_STRING = 0
LZF_ENCODING = 0xC3
CRC64_POLYNOMIAL_REFLECTED = 0x95AC9329AC4BC9B5


def is_compressed(payload: bytes) -> bool:
    """Is it a string in LZF?"""
    return len(payload) > FOOTER_BYTES + 2 and payload[0] == TYPE_STRING and payload[1] == LZF_ENCODING


def string_of(payload: bytes) -> bytes:
    """The string of a compressed payload; `ValueError` when the lengths in it do not add up."""
    compressed_length, at = _length(payload, 2)
    length, at = _length(payload, at)
    if at + compressed_length != len(payload) - FOOTER_BYTES:
        raise ValueError("the compressed length is wrong")
    text = _decompress(payload[at : at + compressed_length])
    if len(text) != length:
        raise ValueError(f"{len(text)} bytes, not {length}")
    return text


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
