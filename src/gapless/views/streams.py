"""A stream as an iterable that can be appended to."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import chain
from typing import Any

from gapless.views.view import STEP, Value, View, is_value

Entry = tuple[bytes, dict[bytes, bytes]]


class StreamView(View):
    """Entries (ID, fields) in the order of their IDs. One entry O(log n), `len` O(1).

    Iteration survives changes: each step goes on behind the last ID of the one before, and so meets what is
    appended meanwhile.
    """

    __slots__ = ()

    def append(
        self,
        fields: Mapping[Any, Value],
        id: str | bytes = "*",
        *,
        maxlen: int | None = None,
        about: bool = True,
    ) -> bytes:
        """Add an entry; its ID. With `maxlen` the oldest go beyond so many entries, `about` as many as is
        cheap.
        """
        trim = () if maxlen is None else ("MAXLEN", "~" if about else "=", maxlen)
        pairs = chain.from_iterable(fields.items())
        added: bytes = self._store.execute("XADD", self.key, *trim, id, *pairs)
        return added

    def __len__(self) -> int:
        return int(self._store.execute("XLEN", self.key))

    def __iter__(self) -> Iterator[Entry]:
        start = b"-"
        while step := self._range(start, b"+", STEP, False):
            yield from step
            start = b"(" + step[-1][0]

    def __reversed__(self) -> Iterator[Entry]:
        end = b"+"
        while step := self._range(b"-", end, STEP, True):
            yield from step
            end = b"(" + step[-1][0]

    def __contains__(self, id: object) -> bool:
        return is_value(id) and bool(self._range(id, id, 1, False))

    def __getitem__(self, id: str | bytes) -> dict[bytes, bytes]:
        for _, fields in self._range(id, id, 1, False):
            return fields
        raise KeyError(id)

    def __delitem__(self, id: str | bytes) -> None:
        if not self._store.execute("XDEL", self.key, id):
            raise KeyError(id)

    def __repr__(self) -> str:
        return self._shown(self, "[", "]")

    def range(
        self,
        first: str | bytes = "-",
        last: str | bytes = "+",
        *,
        limit: int | None = None,
        reverse: bool = False,
    ) -> list[Entry]:
        """The entries whose IDs are from `first` to `last`, both included; "(ID" leaves out that one. At most
        `limit`.
        """
        return self._range(first, last, limit, reverse)

    def _range(self, first: Any, last: Any, limit: int | None, reverse: bool) -> list[Entry]:
        most = () if limit is None else ("COUNT", limit)
        command, start, end = ("XREVRANGE", last, first) if reverse else ("XRANGE", first, last)
        return [_entry(*entry) for entry in self._store.execute(command, self.key, start, end, *most)]

    def trim(self, maxlen: int | None = None, *, minid: str | bytes | None = None) -> int:
        """Delete the oldest entries beyond `maxlen`, or those before `minid`; how many there were."""
        if (maxlen is None) == (minid is None):
            raise TypeError("trim() takes either maxlen or minid")
        limit: tuple[Any, ...] = ("MINID", minid) if maxlen is None else ("MAXLEN", maxlen)
        return int(self._store.execute("XTRIM", self.key, *limit))


def _entry(id: bytes, fields: list[bytes]) -> Entry:
    return id, dict(zip(fields[::2], fields[1::2], strict=True))
