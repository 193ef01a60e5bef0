"""The hint file: an index kept beside its data, and a log of what was deleted since.

See docs/FORMATS.md for the bytes. What a hint says is used only while all of it agrees: its checksums, the
fields it indexes, and the data it was made of. The log serves three ends: a delete is decided once its entry
is written and finished by the next writer if a crash came between; readers learn of deletes, which change the
data in place; the hint itself stays good after them.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple

import orjson

from gapless.record_file.offset_index import OffsetIndex, checksum
from gapless.record_file.source import Source

MAGIC = b"GAPLHINT"
VERSION = 1
_HEAD = struct.Struct("<8sIIQ")
_ENTRY = struct.Struct("<4sIQ")
_DELETED, _STAMPED = b"DELE", b"STMP"
_DELETE = struct.Struct("<QQQQ")
_STAMP = struct.Struct("<QQQqQ")
_ALIGN = 8
_HEADER_BYTES_MAX = 1 << 24


class HintError(Exception):
    """The hint can't be used; the text says why."""


class Delete(NamedTuple):
    """The line that a deleted record was: its offset, length and checksum, and the newline that goes with it
    + 1, or 0."""

    offset: int
    size: int
    checksum: int
    newline: int


class Stamp(NamedTuple):
    """The data as it was when it and the index agreed."""

    device: int
    inode: int
    size: int
    mtime_ns: int
    fingerprint: int


@dataclass
class Loaded:
    """What a hint gave: the index, and the lines that it says are no records."""

    index: OffsetIndex
    skipped: list[list[Any]]
    skipped_count: int


class Hint:
    """An opened hint file. Raises HintError when it is none, FileNotFoundError when there is none."""

    def __init__(self, path: str, writable: bool = False) -> None:
        self._fd = os.open(path, (os.O_RDWR | os.O_APPEND if writable else os.O_RDONLY) | os.O_CLOEXEC)
        self.identity = identity(os.fstat(self._fd))
        self._header = self._read_header()
        try:
            self._log_start: int = self._header["log_at"]
            self._seed: int = self._header["arrays_checksum"]
            self.fields: tuple[str, tuple[str, ...]] = self._header["key"], tuple(self._header["also"])
            self.stamp = Stamp(*self._header["stamp"])
        except (KeyError, TypeError) as error:
            raise HintError(f"its header lacks {error}") from None
        self._position: int = self._log_start
        self.unsettled: list[Delete] = []

    def __del__(self) -> None:
        self.close()

    def close(self) -> None:
        fd, self._fd = getattr(self, "_fd", -1), -1
        if fd >= 0:
            os.close(fd)

    # ---- the snapshot

    def _read_header(self) -> dict[str, Any]:
        head = os.pread(self._fd, _HEAD.size, 0)
        if len(head) < _HEAD.size:
            raise HintError("it is cut short")
        magic, version, size, expected = _HEAD.unpack(head)
        if magic != MAGIC:
            raise HintError("it is no hint file")
        if version != VERSION:
            raise HintError(f"it has format version {version}, this program reads {VERSION}")
        text = os.pread(self._fd, min(size, _HEADER_BYTES_MAX), _HEAD.size)
        if len(text) != size or checksum(text, version) != expected:
            raise HintError("its header is damaged")
        header: dict[str, Any] = orjson.loads(text)
        self._arrays_start = _aligned(_HEAD.size + size)
        return header

    def load(self) -> Loaded:
        """The index as it was written. Raises HintError."""
        header = self._header
        index = OffsetIndex(header["key"], tuple(header["also"]), header["hash_seed"])
        position, value = self._arrays_start, 0

        def fill(view: memoryview) -> None:
            nonlocal position, value
            left = view
            while left:
                if not (size := os.preadv(self._fd, [left], position)):
                    raise HintError("it is cut short")
                position, left = position + size, left[size:]
            if view:
                value = checksum(view, value)

        size = os.fstat(self._fd).st_size
        if size < self._log_start or header["counters"]["count"] * 6 > size:
            raise HintError("it is cut short")
        try:
            index.restore(header["counters"], fill)
        except (KeyError, TypeError, ValueError) as error:
            raise HintError(f"its header is damaged: {error}") from None
        if position != self._log_start or value != self._seed:
            raise HintError("its index is damaged")
        return Loaded(index, header["skipped"], header["skipped_count"])

    # ---- the log

    def news(self) -> list[Delete]:
        """Deletes logged since the last call. What was stamped since is settled, the rest is in
        `unsettled`."""
        found: list[Delete] = []
        size = os.fstat(self._fd).st_size
        if size <= self._position:
            return found
        data = os.pread(self._fd, size - self._position, self._position)
        at = 0
        while at + _ENTRY.size <= len(data):
            kind, size, expected = _ENTRY.unpack_from(data, at)
            payload = data[at + _ENTRY.size : at + _ENTRY.size + size]
            if len(payload) < size or self._entry_checksum(kind, payload) != expected:
                break  # being written, or cut off by a crash: then the next writer begins a new hint
            if kind == _DELETED and size == _DELETE.size:
                found.append(Delete(*_DELETE.unpack(payload)))
                self.unsettled.append(found[-1])
            elif kind == _STAMPED and size == _STAMP.size:
                self.stamp = Stamp(*_STAMP.unpack(payload))
                self.unsettled.clear()
            at += _ENTRY.size + size
        self._position += at
        return found

    @property
    def torn(self) -> bool:
        """Whether the log ends within an entry."""
        return os.fstat(self._fd).st_size != self._position

    def _entry_checksum(self, kind: bytes, payload: bytes) -> int:
        return checksum(kind + payload, self._seed)

    def _log(self, kind: bytes, payload: bytes) -> None:
        entry = _ENTRY.pack(kind, len(payload), self._entry_checksum(kind, payload)) + payload
        if os.write(self._fd, entry) != len(entry):
            raise OSError("the hint file could not be written whole")
        self._position += len(entry)

    def log_delete(self, delete: Delete) -> None:
        self._log(_DELETED, _DELETE.pack(*delete))
        self.unsettled.append(delete)

    def log_stamp(self, stamp: Stamp) -> None:
        self._log(_STAMPED, _STAMP.pack(*stamp))
        self.stamp = stamp
        self.unsettled.clear()

    def sync(self) -> None:
        os.fdatasync(self._fd)

    # ---- agreeing with the data

    def disagreement(self, source: Source) -> str | None:
        """Why the data is not, or not only with more at its end, what the hint was made of; None when it
        is."""
        stat, stamp = source.stat(), self.stamp
        if (stat.st_dev, stat.st_ino) != (stamp.device, stamp.inode):
            return "the data is another file"
        if stat.st_size < stamp.size:
            return "the data is shorter"
        if stat.st_size == stamp.size and not self.unsettled:
            return None if stat.st_mtime_ns == stamp.mtime_ns else "the data was changed in place"
        return (
            None if source.fingerprint(stamp.size) == stamp.fingerprint else "the data was changed in place"
        )


def write_hint(
    path: str, index: OffsetIndex, stamp: Stamp, skipped: Iterable[tuple[int, int, str]], skipped_count: int
) -> None:
    """Write a new hint file and put it in the place of the old one. Its log is empty."""
    arrays = index.arrays()
    value = 0
    for array in arrays:
        if array:
            value = checksum(array, value)
    header: dict[str, Any] = {
        "key": index.key,
        "also": index.also,
        "hash_seed": index.seed,
        "stamp": list(stamp),
        "counters": index.counters(),
        "skipped": [list(each) for each in skipped],
        "skipped_count": skipped_count,
        "arrays_checksum": value,
        "log_at": 0,
    }
    # The header says where the log begins, which depends on the header's own length.
    arrays_bytes = sum(map(len, arrays))
    while True:
        text = orjson.dumps(header)
        log_at = _aligned(_HEAD.size + len(text)) + arrays_bytes
        if log_at == header["log_at"]:
            break
        header["log_at"] = log_at
    temporary = f"{path}.new"
    with open(temporary, "wb", buffering=0) as file:
        head = _HEAD.pack(MAGIC, VERSION, len(text), checksum(text, VERSION)) + text
        _write_all(file.fileno(), head.ljust(_aligned(len(head)), b"\0"))
        for array in arrays:
            _write_all(file.fileno(), array)
    os.replace(temporary, path)


def identity(stat: os.stat_result) -> tuple[int, int]:
    return stat.st_dev, stat.st_ino


def _aligned(size: int) -> int:
    return -(-size // _ALIGN) * _ALIGN


def _write_all(fd: int, data: bytes | memoryview) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]
