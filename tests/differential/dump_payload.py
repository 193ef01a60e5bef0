"""What DUMP sends for a string, made independently of the code under test.

type (1 byte, 0: string) | length and encoding | bytes | RDB version (2 bytes) | CRC-64 (8 bytes)

Version and checksum are little-endian.
"""

from __future__ import annotations

CRC64_POLYNOMIAL_REFLECTED = 0x95AC9329AC4BC9B5


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
