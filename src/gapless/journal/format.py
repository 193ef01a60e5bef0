"""Names and headers of a journal's files. docs/FORMATS.md has them byte by byte."""

from __future__ import annotations

import os
import re
import struct
from typing import NamedTuple

from gapless.engine.crc32c import checksum
from gapless.errors import DamagedError, FormatError

MAGIC = b"GAPLJRNL"
VERSION = 1
HEADER_BYTES = 64
STORE_ID_BYTES = 16
LOCK_NAME = "journal.lock"
_HEADER = struct.Struct("<8sII16sIIq8s4x")
_CHECKSUM = struct.Struct("<I")
_CHECKSUM_AT = HEADER_BYTES - _CHECKSUM.size
_NAME = re.compile(r"journal-(\d{10})\.gpj")


class Header(NamedTuple):
    """What a file's first bytes say."""

    store_id: bytes
    number: int
    time_ms: int
    # The first of a journal that begins with images of what was in memory: until a frame says that files
    # before it are needed no more, it counts for nothing, and these do.
    begins: bool = False


def name_of(number: int) -> str:
    """The name of the file with this number."""
    return f"journal-{number:010d}.gpj"


def number_of(name: str) -> int | None:
    """The number in a file's name; None when it is no journal's."""
    match = _NAME.fullmatch(name)
    return int(match[1]) if match else None


def numbers_in(path: str) -> list[int]:
    """The numbers of the journal files in a directory, ascending. OSError."""
    found = (number_of(name) for name in os.listdir(path))
    return sorted(number for number in found if number is not None)


def header_bytes(header: Header) -> bytes:
    """The header of a new file."""
    made = _HEADER.pack(
        MAGIC, VERSION, HEADER_BYTES, header.store_id, header.number, header.begins, header.time_ms, bytes(8)
    )
    return made + _CHECKSUM.pack(checksum(made))


def read_header(path: str, data: bytes, number: int) -> Header:
    """The header in a file's first bytes. FormatError for a format of another version, DamagedError."""
    if data[: len(MAGIC)] == MAGIC and len(data) >= len(MAGIC) + 4:
        version = int.from_bytes(data[len(MAGIC) : len(MAGIC) + 4], "little")
        # Of another version the rest may be anything, its checksum included.
        if version > VERSION:
            raise FormatError(
                f"{path}: it was written by a newer gapless, in format {version} of the journal; "
                f"this one reads format {VERSION}"
            )
    if len(data) < HEADER_BYTES:
        raise DamagedError(path, 0, f"{len(data)} bytes are no header")
    if checksum(data[:_CHECKSUM_AT]) != _CHECKSUM.unpack_from(data, _CHECKSUM_AT)[0]:
        raise DamagedError(path, 0, "the header's checksum is wrong")
    magic, version, length, store_id, inside, begins, time_ms, _ = _HEADER.unpack_from(data)
    if magic != MAGIC or version != VERSION or length != HEADER_BYTES:
        raise DamagedError(path, 0, "it is no journal file")
    if inside != number:
        raise DamagedError(path, 0, f"it says that it is number {inside}")
    return Header(store_id, inside, time_ms, bool(begins))
