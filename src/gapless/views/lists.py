"""A list as a sequence."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, MutableSequence
from secrets import token_bytes
from typing import Any, overload

from gapless.errors import ResponseError
from gapless.views.view import STEP, Value, View, is_value, steps


class ListView(View, MutableSequence[Any]):
    """Values by position, bytes. To read, write, insert or delete one is O(log n) wherever it is; `len` O(1).

    Assignment to a slice and `reverse` write the list anew; nobody sees it half done. Iteration goes by
    position, as a list's does: what shifts the positions meanwhile shifts what is met.
    """

    __slots__ = ()

    def __len__(self) -> int:
        return self._store.llen(self.key)

    @overload
    def __getitem__(self, at: int) -> bytes: ...
    @overload
    def __getitem__(self, at: slice) -> list[bytes]: ...
    def __getitem__(self, at: int | slice) -> bytes | list[bytes]:
        if isinstance(at, slice):
            return self._store.exclusively(lambda: self._slice(at))
        value = self._store.lindex(self.key, _index(at))
        if value is None:
            raise IndexError("list index out of range")
        return value

    def _slice(self, at: slice) -> list[bytes]:
        positions = range(*at.indices(len(self)))
        if not positions:
            return []
        first, last = sorted((positions[0], positions[-1]))
        return self._range(first, last)[:: positions.step]

    def _range(self, first: int, last: int) -> list[bytes]:
        values: list[bytes] = self._store.execute("LRANGE", self.key, first, last)
        return values

    @overload
    def __setitem__(self, at: int, value: Value) -> None: ...
    @overload
    def __setitem__(self, at: slice, value: Iterable[Value]) -> None: ...
    def __setitem__(self, at: int | slice, value: Any) -> None:
        if isinstance(at, slice):
            self._rewrite(lambda values: values.__setitem__(at, value))
        elif not self._put(_index(at), value):
            raise IndexError("list assignment index out of range")

    def __delitem__(self, at: int | slice) -> None:
        if isinstance(at, slice):
            self._rewrite(lambda values: values.__delitem__(at))
        elif self._store.list_take(self.key, _index(at)) is None:
            raise IndexError("list assignment index out of range")

    def __iter__(self) -> Iterator[bytes]:
        at = 0
        while step := self._range(at, at + STEP - 1):
            yield from step
            at += len(step)

    def __reversed__(self) -> Iterator[bytes]:
        end = len(self)
        while end > 0:
            start = max(0, end - STEP)
            yield from reversed(self._range(start, end - 1))
            end = start

    def __contains__(self, value: object) -> bool:
        return is_value(value) and self._store.execute("LPOS", self.key, value) is not None

    def __eq__(self, other: object) -> bool:
        if isinstance(other, (list, ListView)):
            return list(self) == list(other)
        return NotImplemented

    __hash__ = None  # type: ignore[assignment]

    def __lt__(self, other: list[Any] | ListView) -> bool:
        return list(self) < list(other)

    def __le__(self, other: list[Any] | ListView) -> bool:
        return list(self) <= list(other)

    def __gt__(self, other: list[Any] | ListView) -> bool:
        return list(self) > list(other)

    def __ge__(self, other: list[Any] | ListView) -> bool:
        return list(self) >= list(other)

    def __repr__(self) -> str:
        return self._shown(self, "[", "]")

    # ---- the ends

    def append(self, value: Value) -> None:
        """Put a value behind the last."""
        self._store.rpush(self.key, value)

    def appendleft(self, value: Value) -> None:
        """Put a value before the first."""
        self._store.lpush(self.key, value)

    def extend(self, values: Iterable[Value]) -> None:
        """Put values behind the last, in steps of some hundreds."""
        for step in steps(list(values) if values is self else values):
            self._store.execute("RPUSH", self.key, *step)

    def pop(self, index: int = -1) -> bytes:
        """Take a value, the last one; IndexError when it is not there. Of several threads each gets another.
        """
        value = self._store.list_take(self.key, _index(index))
        if value is None:
            raise IndexError("pop index out of range" if self else "pop from empty list")
        return value

    def popleft(self) -> bytes:
        """Take the first value; IndexError when there is none."""
        return self.pop(0)

    # ---- at a position

    def insert(self, index: int, value: Value) -> None:
        """Put a value before a position; beyond the ends, at the end."""
        self._store.list_insert(self.key, _index(index), value)

    def _put(self, index: int, value: Value) -> bool:
        """False: there is no such position."""
        try:
            self._store.execute("LSET", self.key, index, value)
        except ResponseError as error:
            if str(error) in ("ERR index out of range", "ERR no such key"):
                return False
            raise
        return True

    def _rewrite(self, change: Any) -> None:
        def rewrite() -> None:
            values: list[Any] = list(self)
            change(values)
            if not values:
                self.clear()
                return
            # Under another name first: a value that is refused leaves the list as it was.
            anew = ListView(self._store, token_bytes(16))
            try:
                anew.extend(values)
                if (ttl := self._store.pttl(self.key)) >= 0:
                    self._store.pexpire(anew.key, ttl)
                self._store.rename(anew.key, self.key)
            finally:
                anew.clear()

        self._store.exclusively(rewrite)

    # ---- by value

    def index(self, value: Any, start: int = 0, stop: int | None = None) -> int:
        """The first position of a value, from `start` and before `stop`; ValueError when there is none."""
        if is_value(value):
            if start == 0 and stop is None:
                at = self._store.execute("LPOS", self.key, value)
                if at is not None:
                    return int(at)
            else:
                found = self._store.execute("LPOS", self.key, value, "COUNT", 0)
                for at in found:
                    if at in range(*slice(start, stop).indices(len(self))):
                        return int(at)
        raise ValueError(f"{value!r} is not in list")

    def count(self, value: Any) -> int:
        """How often a value is there. O(n)."""
        return len(self._store.execute("LPOS", self.key, value, "COUNT", 0)) if is_value(value) else 0

    def remove(self, value: Any) -> None:
        """Remove the first such value; ValueError when there is none."""
        if not is_value(value) or not self._store.execute("LREM", self.key, 1, value):
            raise ValueError("list.remove(x): x not in list")

    def reverse(self) -> None:
        """Turn the order round."""
        self._rewrite(lambda values: values.reverse())


def _index(at: Any) -> int:
    try:
        return int(at.__index__())
    except AttributeError:
        raise TypeError(f"list indices must be integers or slices, not {type(at).__name__}") from None
