"""A sorted set as a mapping in order."""

from __future__ import annotations

from collections.abc import ItemsView, Iterable, Iterator, Mapping, MutableMapping, ValuesView
from itertools import chain
from typing import Any

from gapless.views.view import STEP, Value, View, is_value, pair

_REQUIRED: Any = object()
Pair = tuple[bytes, float]
_INFINITE = float("inf")


class SortedSetItems(ItemsView[Any, float]):
    """The pairs, in order, read a step at a time."""

    _mapping: SortedSetView

    def __iter__(self) -> Iterator[Pair]:
        return self._mapping._walk(False)

    def __reversed__(self) -> Iterator[Pair]:
        return self._mapping._walk(True)


class SortedSetValues(ValuesView[float]):
    """The scores, in order, read a step at a time."""

    _mapping: SortedSetView

    def __iter__(self) -> Iterator[float]:
        return (score for _, score in self._mapping._walk(False))

    def __reversed__(self) -> Iterator[float]:
        return (score for _, score in self._mapping._walk(True))


class SortedSetView(View, MutableMapping[Any, float]):
    """member -> score, in the order of scores, members of one score in that of their bytes. One member or
    rank O(log n), `len` O(1).

    Iteration survives changes: each step goes on behind the last pair of the one before, so a member whose
    score does not change is met once and in order, and one whose score changes may be met at the old place,
    at the new one, or at both.
    """

    __slots__ = ()

    def __getitem__(self, member: Value) -> float:
        score = self._store.zscore(self.key, member)
        if score is None:
            raise KeyError(member)
        return score

    def __setitem__(self, member: Value, score: float) -> None:
        self._store.zadd(self.key, {member: score})

    def __delitem__(self, member: Value) -> None:
        if not self._store.zrem(self.key, member):
            raise KeyError(member)

    def __contains__(self, member: object) -> bool:
        return is_value(member) and self._store.zscore(self.key, member) is not None

    def __len__(self) -> int:
        return self._store.zcard(self.key)

    def __iter__(self) -> Iterator[bytes]:
        return (member for member, _ in self._walk(False))

    def __reversed__(self) -> Iterator[bytes]:
        return (member for member, _ in self._walk(True))

    def __repr__(self) -> str:
        return self._shown(self._walk(False), "{", "}", pair)

    def items(self) -> SortedSetItems:
        """The pairs, in order."""
        return SortedSetItems(self)

    def values(self) -> SortedSetValues:
        """The scores, in order."""
        return SortedSetValues(self)

    # ---- changes

    def pop(self, member: Value, default: Any = _REQUIRED) -> Any:
        """Delete a member; its score, else `default`, else KeyError. Of several threads one gets the score.
        """

        def pop() -> float | None:
            score = self._store.zscore(self.key, member)
            if score is not None:
                self._store.zrem(self.key, member)
            return score

        score = self._store.exclusively(pop)
        if score is not None:
            return score
        if default is _REQUIRED:
            raise KeyError(member)
        return default

    def popmin(self) -> Pair:
        """Delete the first member; the member and its score. KeyError when there is none."""
        return self._pop("ZPOPMIN", "popmin")

    def popmax(self) -> Pair:
        """Delete the last member; the member and its score. KeyError when there is none."""
        return self._pop("ZPOPMAX", "popmax")

    def popitem(self) -> Pair:
        """Delete the last member, as a dict does; the member and its score. KeyError when there is none."""
        return self._pop("ZPOPMAX", "popitem")

    def _pop(self, command: str, name: str) -> Pair:
        popped = _pairs(self._store.execute(command, self.key))
        if not popped:
            raise KeyError(f"{name}(): the sorted set is empty")
        return popped[0]

    def setdefault(self, member: Value, default: float = 0.0) -> float:
        """The score, `default` after it was set when there was none."""

        def set_default() -> float:
            self._store.execute("ZADD", self.key, "NX", default, member)
            return self[member]

        return self._store.exclusively(set_default)

    def update(  # type: ignore[override]
        self, other: Mapping[Any, float] | Iterable[tuple[Any, float]] = (), /, **members: float
    ) -> None:
        """Set scores, all or none of them: one command."""
        pairs = [*(other.items() if isinstance(other, Mapping) else other), *members.items()]
        if pairs:
            swapped = ((score, member) for member, score in pairs)
            self._store.execute("ZADD", self.key, *chain.from_iterable(swapped))

    def increment(self, member: Value, amount: float = 1.0) -> float:
        """Add to a score (0 for a new member); the sum."""
        return float(self._store.execute("ZINCRBY", self.key, amount, member))

    # ---- ranks and ranges

    def rank(self, member: Value, *, reverse: bool = False) -> int:
        """How many members come before it, or with `reverse` behind it. KeyError when it is not there."""
        rank = self._store.execute("ZREVRANK" if reverse else "ZRANK", self.key, member)
        if rank is None:
            raise KeyError(member)
        return int(rank)

    def range(self, start: int = 0, stop: int | None = None, *, reverse: bool = False) -> list[Pair]:
        """The pairs of ranks from `start` and before `stop`, as a slice has them: `range(-10)` are the last
        ten.
        """
        if stop == 0:
            return []
        return self._by_rank(start, -1 if stop is None else stop - 1, reverse)

    def between(
        self,
        low: float | str = -_INFINITE,
        high: float | str = _INFINITE,
        *,
        reverse: bool = False,
        limit: int | None = None,
    ) -> list[Pair]:
        """The pairs whose scores are from `low` to `high`, both included; a bound "(5" leaves out 5. At most
        `limit`.
        """
        command, first, last = ("ZREVRANGEBYSCORE", high, low) if reverse else ("ZRANGEBYSCORE", low, high)
        most = () if limit is None else ("LIMIT", 0, limit)
        return _pairs(self._store.execute(command, self.key, first, last, "WITHSCORES", *most))

    def count(self, low: float | str = -_INFINITE, high: float | str = _INFINITE) -> int:
        """How many scores are from `low` to `high`. O(log n)."""
        return int(self._store.execute("ZCOUNT", self.key, low, high))

    def remove_between(self, low: float | str = -_INFINITE, high: float | str = _INFINITE) -> int:
        """Delete the members whose scores are from `low` to `high`; how many there were."""
        return int(self._store.execute("ZREMRANGEBYSCORE", self.key, low, high))

    def _by_rank(self, first: int, last: int, reverse: bool) -> list[Pair]:
        command = "ZREVRANGE" if reverse else "ZRANGE"
        return _pairs(self._store.execute(command, self.key, first, last, "WITHSCORES"))

    def _walk(self, reverse: bool) -> Iterator[Pair]:
        step = self._by_rank(0, STEP - 1, reverse)
        rank = len(step)
        while step:
            yield from step
            last = step[-1]
            rank, step = self._store.exclusively(lambda: self._behind(last, rank, reverse))  # noqa: B023

    def _behind(self, last: Pair, rank: int, reverse: bool) -> tuple[int, list[Pair]]:
        """The pairs behind the one that was the last before this rank, and the rank behind them."""
        found = self._by_rank(rank - 1, rank - 1 + STEP, reverse)
        if not found or found[0] != last:
            # Something before it came or went, or it did itself.
            rank = self._bisect(last, reverse)
            found = [last, *self._by_rank(rank, rank + STEP - 1, reverse)]
        return rank + len(found) - 1, found[1:]

    def _bisect(self, last: Pair, reverse: bool) -> int:
        """The rank of the first pair behind this one."""
        low, high = 0, len(self)
        while low < high:
            middle = (low + high) // 2
            ((member, score),) = self._by_rank(middle, middle, reverse)
            here, there = (score, member), (last[1], last[0])
            if here < there if reverse else here > there:
                high = middle
            else:
                low = middle + 1
        return low


def _pairs(reply: list[bytes]) -> list[Pair]:
    return [(reply[at], float(reply[at + 1])) for at in range(0, len(reply), 2)]
