"""What a crash may leave whole or not at all: a command, or a transaction of several."""

from __future__ import annotations

from dataclasses import dataclass

Args = tuple[bytes, ...]
Key = tuple[int, bytes]
"""Database and name."""


@dataclass(frozen=True, slots=True)
class Unit:
    commands: tuple[Args, ...]
    """As sent: a SELECT in front where the database changes, MULTI and EXEC around a transaction."""
    touched: frozenset[Key] | None
    """The keys it may change; None: any of its owner's."""
    pops: bool = False
    """An SPOP: which members went only its reply tells, or what is left."""

    def __str__(self) -> str:
        return "; ".join(" ".join(_shown(word) for word in args) for args in self.commands)


def _shown(word: bytes) -> str:
    text = repr(word)[2:-1]
    return text if len(text) <= 60 else f"{text[:40]}...({len(word)} bytes)"
