"""One opened file of JSON lines: lines by offset, appending, and writing blanks over what was deleted.

Nothing is mapped into memory: a file that somebody else cuts short is then a short read and not a signal.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator

import orjson

from gapless.record_file.offset_index import checksum

_LINE_BYTES = 4096
_AHEAD_BYTES = 1 << 18
_SAMPLES = 16
_BLANKS = b" \t\r\n"
_SPACES_BYTES = 1 << 20


class Source:
    """A file that stays the same one, whatever its name refers to later. Closed with the last reference."""

    def __init__(self, path: str, writable: bool) -> None:
        self.path = path
        self._append_fd = -1
        self._fd = os.open(path, (os.O_RDWR if writable else os.O_RDONLY) | os.O_CLOEXEC)
        if not stat.S_ISREG(os.fstat(self._fd).st_mode):
            raise ValueError(f"{path}: it is no regular file")
        if writable:
            # Of its own: what is written to an offset through a descriptor with O_APPEND lands at the end all
            # the same.
            self._append_fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)
            if not os.path.sameopenfile(self._fd, self._append_fd):
                self.close()
                raise OSError(f"{path}: it was replaced while it was opened")

    def __del__(self) -> None:
        self.close()

    def close(self) -> None:
        for name in ("_fd", "_append_fd"):
            fd = getattr(self, name, -1)
            setattr(self, name, -1)
            if fd >= 0:
                os.close(fd)

    def stat(self) -> os.stat_result:
        return os.fstat(self._fd)

    def read(self, offset: int, size: int) -> bytes:
        """At most `size` bytes, fewer only at the end of the file."""
        data = os.pread(self._fd, size, offset)
        while len(data) < size and (more := os.pread(self._fd, size - len(data), offset + len(data))):
            data += more
        return data

    # ---- lines

    def line_at(self, offset: int) -> bytes:
        """The line from `offset` to its end, without blanks behind; empty when it was deleted."""
        data = os.pread(self._fd, _LINE_BYTES, offset)
        end = data.find(b"\n")
        if end >= 0 or len(data) < _LINE_BYTES:
            return data[: end if end >= 0 else None].rstrip(_BLANKS)
        return self._long_line(data, offset)

    def _long_line(self, data: bytes, offset: int) -> bytes:
        size = _LINE_BYTES
        while True:
            line = data.rstrip(_BLANKS)
            # Behind a record there may be any number of deleted ones, made blanks: it ends where it is whole.
            if not line or (len(line) < len(data) and _is_object(line)):
                return line
            size *= 2
            data = self.read(offset, size)
            if (end := data.find(b"\n")) >= 0:
                return data[:end].rstrip(_BLANKS)
            if len(data) < size:
                return data.rstrip(_BLANKS)

    def lines_at(self, offsets: Iterable[int]) -> Iterator[bytes]:
        """The lines at ascending offsets. Reads ahead where they are close together."""
        start, data = 0, b""
        for offset in offsets:
            end = data.find(b"\n", offset - start) if start <= offset < start + len(data) else -1
            if end < 0:
                near = data and offset - (start + len(data)) < _LINE_BYTES
                start, data = offset, os.pread(self._fd, _AHEAD_BYTES if near else _LINE_BYTES, offset)
                end = data.find(b"\n")
            yield data[offset - start : end].rstrip(_BLANKS) if end >= 0 else self.line_at(offset)

    def newline_after(self, offset: int) -> int:
        """Where the line that `offset` lies in ends: at its newline, or at the end of the file."""
        while data := os.pread(self._fd, _LINE_BYTES, offset):
            if (end := data.find(b"\n")) >= 0:
                return offset + end
            offset += len(data)
        return offset

    def newline_before(self, offset: int) -> int:
        """The newline that ends what lies before the line at `offset`; -1 when only blanks do."""
        newline = -1
        while offset > 0:
            start = max(0, offset - _LINE_BYTES)
            data = self.read(start, offset - start)
            if newline < 0:
                newline = start + data.rfind(b"\n") if b"\n" in data else -1
            if data.rstrip(_BLANKS).removeprefix(b"\xef\xbb\xbf" if start == 0 else b""):
                return newline
            offset = start
        return -1

    # ---- writing

    def append(self, data: bytes) -> int:
        """Append all of `data`, or nothing; returns where it begins.

        What other programs appended meanwhile lies before it. When the disk is full what was written of it is
        cut off again, or, if somebody has appended behind it, ended as a line of its own.
        """
        written = 0
        try:
            while written < len(data):
                written += os.write(self._append_fd, data[written:] if written else data)
        except BaseException:
            if written:
                end = os.lseek(self._append_fd, 0, os.SEEK_CUR)
                if self.stat().st_size == end:
                    os.ftruncate(self._fd, end - written)
                else:
                    os.write(self._append_fd, b"\n")
            raise
        return os.lseek(self._append_fd, 0, os.SEEK_CUR) - len(data)

    def blank(self, offset: int, size: int) -> None:
        """Write spaces over what is there."""
        while size:
            written = os.pwrite(self._fd, b" " * min(size, _SPACES_BYTES), offset)
            offset, size = offset + written, size - written

    def cut(self, size: int) -> None:
        os.ftruncate(self._fd, size)

    def sync(self) -> None:
        os.fdatasync(self._fd)

    def fingerprint(self, size: int) -> int:
        """A checksum over samples of the first `size` bytes: the first 4 KiB, the last, and 16 in between."""
        value = size
        last = max(0, size - _LINE_BYTES)
        for offset in sorted({*(last * sample // _SAMPLES for sample in range(_SAMPLES)), last}):
            value = checksum(self.read(offset, min(_LINE_BYTES, size - offset)), value)
        return value


def _is_object(line: bytes) -> bool:
    try:
        return isinstance(orjson.loads(line), dict)
    except orjson.JSONDecodeError:
        return False
