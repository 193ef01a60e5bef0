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


class JournalError(GaplessError, NotImplementedError):
    """A store that lasts was asked for; this version keeps its keys in memory only."""


class RdbError(GaplessError):
    """A dump.rdb that can't be read; `offset` is where, bytes from its beginning."""

    def __init__(self, reason: str, offset: int) -> None:
        super().__init__(f"{reason} (offset {offset})")
        self.reason = reason
        self.offset = offset


class ClosedError(GaplessError):
    """The store was closed."""


class LockedError(GaplessError):
    """Another process writes there; the text names it."""


class RecordsWarning(UserWarning):
    """Something in a file of records is not what it should be, and was left out."""
