"""The writer's lock: a file beside the data, locked with flock(2), that holds the writer's process id.

Not on the data itself: compacting puts another file in its place. The kernel lets go of the lock when the
process ends, however it ends, so that a lock file that is left over locks nothing.
"""

from __future__ import annotations

import fcntl
import os

from gapless.errors import LockedError


class WriterLock:
    """Held from its making to `release()`. Raises LockedError when another writer has it."""

    def __init__(self, path: str, data_path: str) -> None:
        self._path = path
        while True:
            fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                holder = os.pread(fd, 32, 0).strip().decode(errors="replace")
                os.close(fd)
                raise LockedError(_refusal(data_path, holder)) from None
            # The one who held it may have removed the file between the two calls.
            try:
                if os.path.samestat(os.fstat(fd), os.stat(path)):
                    break
            except FileNotFoundError:
                pass
            os.close(fd)
        self._fd = fd
        os.ftruncate(fd, 0)
        os.pwrite(fd, b"%d\n" % os.getpid(), 0)

    def __del__(self) -> None:
        # Of a writer that was not closed, or a copy of it in a forked child: the file is left.
        fd, self._fd = getattr(self, "_fd", -1), -1
        if fd >= 0:
            os.close(fd)

    def disown(self) -> None:
        """In the child of a fork: closes its copy; the parent's stays locked."""
        self.__del__()

    def release(self) -> None:
        os.unlink(self._path)
        self.__del__()


def _refusal(data_path: str, holder: str) -> str:
    if holder == str(os.getpid()):
        who = f"this process (pid {holder}) has it open for writing already"
    elif holder:
        who = f"process {holder} has it open for writing"
    else:
        who = "another process has it open for writing"
    return f"{data_path}: {who}; close it there, or open it with readonly=True"
