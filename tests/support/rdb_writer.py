"""dump.rdb files of any version, put together by hand: independent of the code under test."""

from __future__ import annotations

from tests.support.rdb_forms import length, string

SLOT_INFO, FUNCTION2, FUNCTION_PRE_GA, MODULE_AUX, IDLE, FREQ = range(244, 250)
AUX, RESIZEDB, EXPIRETIME_MS, EXPIRETIME, SELECTDB, EOF = range(250, 256)
POLYNOMIAL = 0x95AC9329AC4BC9B5


def crc64(data: bytes) -> int:
    """Bit by bit."""
    crc = 0
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc >> 1) ^ (POLYNOMIAL if crc & 1 else 0)
    return crc


def dump(*entries: bytes, version: int = 11, magic: bytes = b"REDIS", checksum: bool = True) -> bytes:
    """A whole file of these entries."""
    digits = b"%04d" % version if magic == b"REDIS" else b"%03d" % version
    body = magic + digits + b"".join(entries) + bytes([EOF])
    if version < 5:
        return body
    return body + (crc64(body) if checksum else 0).to_bytes(8, "little")


def key(name: bytes, kind: int, value: bytes) -> bytes:
    return bytes([kind]) + string(name) + value


def text(name: bytes, value: bytes) -> bytes:
    return key(name, 0, string(value))


def select(db: int) -> bytes:
    return bytes([SELECTDB]) + length(db)


def expire_ms(ms: int) -> bytes:
    return bytes([EXPIRETIME_MS]) + ms.to_bytes(8, "little")


def expire_seconds(seconds: int) -> bytes:
    return bytes([EXPIRETIME]) + seconds.to_bytes(4, "little")


def aux(name: bytes, value: bytes) -> bytes:
    return bytes([AUX]) + string(name) + string(value)
