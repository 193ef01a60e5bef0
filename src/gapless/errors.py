"""What the embedded API raises."""

from __future__ import annotations


class GaplessError(Exception):
    """The base of all errors of a store."""


class ResponseError(GaplessError):
    """A command was refused; the text is the server's error reply, its code included ("WRONGTYPE ...")."""


class WrongTypeError(ResponseError, TypeError):
    """The key holds another type than the command is for."""


class OutOfMemoryError(ResponseError, MemoryError):
    """`maxmemory` is reached and nothing may be evicted. Nothing was changed; reading and deleting go on."""


class JournalError(GaplessError):
    """What was written may not last: the disk is full, or fails. The text says what was kept."""


class DamagedError(GaplessError):
    """A journal is not what was written; the text names file and offset. `gapless check` says more."""

    def __init__(self, path: str, offset: int, what: str) -> None:
        super().__init__(f"{path}, offset {offset}: {what}")
        self.path = path
        self.offset = offset


class FormatError(GaplessError):
    """A file was written in a format that this version does not know."""


class ReadOnlyError(ResponseError):
    """The store was opened for reading only."""


class JournalWarning(UserWarning):
    """A journal's end was torn, as a crash leaves it, and has been cut."""


class ClosedError(GaplessError):
    """The store was closed."""


class LockedError(GaplessError):
    """Another process writes there; the text names it."""


class RecordsWarning(UserWarning):
    """Something in a file of records is not what it should be, and was left out."""
