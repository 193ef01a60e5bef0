"""A copy of a journal while it is written to."""

from __future__ import annotations

import contextlib
import os

from gapless.errors import JournalError
from gapless.journal.format import name_of, numbers_in

TYPE_CHECKING = False
if TYPE_CHECKING:
    from gapless.journal.journal import Journal

COPY_BYTES = 1 << 22
ATTEMPTS = 100


def backup(journal: Journal, target: str) -> None:
    """Write what the journal holds now to the directory `target`, which must be new or empty. O(bytes)."""
    os.makedirs(target, exist_ok=True)
    if os.listdir(target):
        raise FileExistsError(f"{target}: the directory is not empty")
    with contextlib.ExitStack() as opened:
        files, number, position = _open_files(journal, opened)
        for each, fd in files:
            copy = os.path.join(target, name_of(each))
            if each == number:
                _copy(fd, copy, position)
            elif not _link(journal.file(each), fd, copy):
                _copy(fd, copy, os.fstat(fd).st_size)
    directory = os.open(target, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


def _open_files(journal: Journal, opened: contextlib.ExitStack) -> tuple[list[tuple[int, int]], int, int]:
    """All files, by number; which is the last one, and how far it is to be copied."""
    for _ in range(ATTEMPTS):
        files: dict[int, int] = {}
        # Before the mark, for what lies before it may be based on all; after it, what was begun by then.
        _open_more(journal, files, opened)
        number, position = journal.core.mark()
        _open_more(journal, files, opened)
        if files.keys() >= set(range(min(files), number + 1)):
            return [(each, files[each]) for each in range(min(files), number + 1)], number, position
    raise JournalError(f"{journal.path}: files are cleaned faster than they can be opened")


def _open_more(journal: Journal, files: dict[int, int], opened: contextlib.ExitStack) -> None:
    for each in numbers_in(journal.path):
        if each not in files:
            # Cleaning may have removed its name meanwhile.
            with contextlib.suppress(FileNotFoundError):
                fd = os.open(journal.file(each), os.O_RDONLY | os.O_CLOEXEC)
                opened.callback(os.close, fd)
                files[each] = fd


def _link(path: str, fd: int, copy: str) -> bool:
    try:
        os.link(path, copy)
    except OSError:
        # Another file system, or the name is gone.
        return False
    if os.path.samestat(os.stat(copy), os.fstat(fd)):
        return True
    os.unlink(copy)
    return False


def _copy(source: int, path: str, size: int) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
    try:
        done = 0
        while done < size:
            copied = os.sendfile(fd, source, done, min(COPY_BYTES, size - done))
            if copied == 0:
                raise OSError(f"{path}: the file that is copied was cut short at {done} bytes")
            done += copied
        os.fsync(fd)
    finally:
        os.close(fd)
