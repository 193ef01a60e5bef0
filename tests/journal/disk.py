"""A disk that fails on demand: real files, and beside them what would be left of them if the power went now."""

from __future__ import annotations

import errno
import os
import random
import threading
from pathlib import Path

from gapless.journal.files import Files


class Disk(Files):
    """Files of one directory. What was written and not synced is lost from some point on when the power goes.

    `full`: bytes that may still be written besides what is reserved, None for any; it fails what would go
    beyond (a write is cut short). `fail_sync`: the next sync fails. `lie`: syncs say yes and do nothing. `fail_write`: an errno that
    all writes fail with. `short`: at most so many bytes are taken by a write.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.lock = threading.RLock()
        self.full: int | None = None
        self.fail_sync = False
        self.lie = False
        self.fail_write = 0
        self.short = 0
        # In order: (name, offset, bytes); offset -1: cut to so many bytes; -2: the file is made.
        self.pending: list[tuple[str, int, bytes | int]] = []
        self.durable: dict[str, bytearray] = {}
        self.names: dict[int, str] = {}
        self.reserved: dict[int, int] = {}

    def _name(self, fd: int) -> str:
        return self.names[fd]

    def open(self, path: str, flags: int) -> int:
        with self.lock:
            fd = super().open(path, flags)
            name = os.path.basename(path)
            self.names[fd] = name
            if flags & os.O_CREAT:
                self.pending.append((name, -2, 0))
            return fd

    def close(self, fd: int) -> None:
        with self.lock:
            self.names.pop(fd, None)
            self.reserved.pop(fd, None)
            super().close(fd)

    def write(self, fd: int, data: bytes, offset: int) -> int:
        with self.lock:
            if self.fail_write:
                raise OSError(self.fail_write, os.strerror(self.fail_write))
            if self.short:
                data = data[: self.short]
            if self.full is not None:
                data = data[: max(0, self.reserved.get(fd, 0) - offset) + self.full]
                self.full -= max(0, offset + len(data) - max(offset, self.reserved.get(fd, 0)))
                if not data:
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            written = super().write(fd, data, offset)
            self.pending.append((self._name(fd), offset, data[:written]))
            return written

    def reserve(self, fd: int, offset: int, size: int) -> None:
        with self.lock:
            if self.full is not None and self.full < size:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            if self.full is not None:
                self.full -= size
            self.reserved[fd] = offset + size

    def sync(self, fd: int) -> None:
        with self.lock:
            name = self._name(fd)
            if self.fail_sync:
                self.fail_sync = False
                # As Linux does it: what could not be written is forgotten.
                self.pending = [each for each in self.pending if each[0] != name or each[1] == -2]
                raise OSError(errno.EIO, os.strerror(errno.EIO))
            super().sync(fd)
            if not self.lie:
                self._settle(lambda each: each[0] == name and each[1] != -2)

    def truncate(self, fd: int, size: int) -> None:
        with self.lock:
            super().truncate(fd, size)
            self.pending.append((self._name(fd), -1, size))

    def unlink(self, path: str) -> None:
        with self.lock:
            super().unlink(path)
            name = os.path.basename(path)
            self.pending = [each for each in self.pending if each[0] != name]
            self.durable.pop(name, None)

    def sync_directory(self, path: str) -> None:
        with self.lock:
            super().sync_directory(path)
            self._settle(lambda each: each[1] == -2)

    def _settle(self, done) -> None:
        rest = []
        for each in self.pending:
            if done(each):
                _apply(self.durable, each)
            else:
                rest.append(each)
        self.pending = rest

    def after_power_cut(self, target: Path, rng: random.Random) -> None:
        """Writes what is left to a directory: of what was not synced, some beginning, whose last write may be torn."""
        with self.lock:
            left = {name: bytearray(data) for name, data in self.durable.items()}
            kept = self.pending[: rng.randrange(len(self.pending) + 1)]
            if kept and rng.random() < 0.5:
                name, offset, data = kept[-1]
                if isinstance(data, bytes):
                    kept[-1] = (name, offset, data[: rng.randrange(len(data) + 1)])
            for each in kept:
                _apply(left, each)
        target.mkdir()
        for name, data in left.items():
            (target / name).write_bytes(data)


def _apply(files: dict[str, bytearray], each: tuple[str, int, bytes | int]) -> None:
    name, offset, data = each
    file = files.setdefault(name, bytearray())
    if isinstance(data, bytes):
        file.extend(bytes(max(0, offset + len(data) - len(file))))
        file[offset : offset + len(data)] = data
    elif offset == -1:
        del file[data:]
