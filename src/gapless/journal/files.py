"""The seam between the journal and the file system: every call that changes a file. Tests put faults here.

What runs for every batch, `write`, `sync` and `reserve`, is done by the compiled part itself as long as this
very class is used.
"""

from __future__ import annotations

import os

from gapless.engine.journal import reserve


class Files:
    """The system's own calls. They raise OSError, which names the path where there is one."""

    def open(self, path: str, flags: int) -> int:
        """A descriptor, of a file that is made with the permissions of the umask."""
        return os.open(path, flags | os.O_CLOEXEC, 0o666)

    def close(self, fd: int) -> None:
        os.close(fd)

    def write(self, fd: int, data: bytes, offset: int) -> int:
        """Write at an offset; how many bytes it took."""
        return os.pwrite(fd, data, offset)

    def sync(self, fd: int) -> None:
        """What was written is on disk when it returns."""
        os.fdatasync(fd)

    def reserve(self, fd: int, offset: int, size: int) -> None:
        """Room on the disk; the file's length stays."""
        reserve(fd, offset, size)

    def truncate(self, fd: int, size: int) -> None:
        os.ftruncate(fd, size)

    def unlink(self, path: str) -> None:
        os.unlink(path)

    def sync_directory(self, path: str) -> None:
        """What files a directory has is on disk when it returns."""
        fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)


SYSTEM = Files()
"""The file system itself."""
