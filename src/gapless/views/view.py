"""What the views of collections have in common."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TYPE_CHECKING, Any, TypeGuard

if TYPE_CHECKING:
    from gapless.store import Store

Value = bytes | str | int | float | bytearray | memoryview
"""What may be an element; what comes back is bytes.

A store keeps what redis-py would send for it.
"""

STEP = 512
"""Elements read at a time by what goes through a whole collection."""
_SHOWN = 6


class View:
    """A store and a key."""

    __slots__ = ("_store", "key")

    def __init__(self, store: Store, key: bytes | str) -> None:
        self._store = store
        self.key = key

    def clear(self) -> None:
        """Delete the key. O(1)."""
        self._store.delete(self.key)

    def _scan(self, command: str) -> Iterator[list[bytes]]:
        """The steps of HSCAN or SSCAN: what is there all the while is met once."""
        cursor = b"0"
        while True:
            cursor, step = self._store.execute(command, self.key, cursor, "COUNT", STEP)
            yield step
            if cursor == b"0":
                return

    def _shown(self, parts: Iterable[Any], opening: str, closing: str, text: Any = repr) -> str:
        first = list(islice(parts, _SHOWN + 1))
        inside = ", ".join(text(part) for part in first[:_SHOWN]) + (", ..." if len(first) > _SHOWN else "")
        return f"{type(self).__name__}({self.key!r}, {opening}{inside}{closing})"


def is_value(value: object) -> TypeGuard[Value]:
    """Whether it can be an element at all: what redis-py would send."""
    return isinstance(value, (bytes, str, int, float, bytearray, memoryview)) and not isinstance(value, bool)


def pair(item: tuple[Any, Any]) -> str:
    """As a dict shows an item."""
    return f"{item[0]!r}: {item[1]!r}"


def steps(values: Iterable[Any]) -> Iterator[list[Any]]:
    """Values cut into lists of STEP, for commands that take many."""
    rest = iter(values)
    while step := list(islice(rest, STEP)):
        yield step
