"""A set as Python's."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, MutableSet
from collections.abc import Set as AbstractSet
from itertools import chain
from typing import Any

from gapless.views.view import Value, View, is_value, steps


class SetView(View, MutableSet[Any]):
    """Members, bytes. One member O(log n), `len` O(1); what makes a new set (`|`, `&`...) makes one of
    Python's.

    Iteration survives changes: a member that is there all the while is met once, one that comes or goes
    meanwhile may be.
    """

    __slots__ = ()

    def __contains__(self, member: object) -> bool:
        return is_value(member) and bool(self._store.sismember(self.key, member))

    def __iter__(self) -> Iterator[bytes]:
        return chain.from_iterable(self._scan("SSCAN"))

    def __len__(self) -> int:
        return self._store.scard(self.key)

    def __repr__(self) -> str:
        return self._shown(self, "{", "}")

    @classmethod
    def _from_iterable(cls, members: Iterable[Any]) -> set[Any]:
        return set(members)

    # ---- changes

    def add(self, member: Value) -> None:
        """Add a member."""
        self._store.sadd(self.key, member)

    def discard(self, member: Value) -> None:
        """Remove a member if it is there."""
        self._store.srem(self.key, member)

    def remove(self, member: Value) -> None:
        """Remove a member; KeyError when it is not there."""
        if not self._store.srem(self.key, member):
            raise KeyError(member)

    def pop(self) -> bytes:
        """Remove a member, any of them as likely; KeyError when there is none."""
        member: bytes | None = self._store.execute("SPOP", self.key)
        if member is None:
            raise KeyError("pop from an empty set")
        return member

    def update(self, *others: Iterable[Value]) -> None:
        """Add the members of others, in steps of some hundreds."""
        for step in steps(chain.from_iterable(others)):
            self._store.execute("SADD", self.key, *step)

    def __ior__(self, other: Iterable[Value]) -> SetView:  # type: ignore[override,misc]
        self.update(other)
        return self

    def __isub__(self, other: Iterable[Value]) -> SetView:  # type: ignore[misc]
        for step in steps(list(other) if other is self else other):
            self._store.execute("SREM", self.key, *step)
        return self

    # ---- two sets of one store, without taking their members out

    def _both(self, other: object, command: str, otherwise: Callable[[Any], Any]) -> Any:
        if isinstance(other, SetView) and other._store is self._store:
            return set(self._store.execute(command, self.key, other.key))
        return otherwise(other)

    def __and__(self, other: AbstractSet[Any]) -> set[bytes]:
        return self._both(other, "SINTER", super().__and__)  # type: ignore[no-any-return]

    def __or__(self, other: AbstractSet[Any]) -> set[Any]:
        return self._both(other, "SUNION", super().__or__)  # type: ignore[no-any-return]

    def __sub__(self, other: AbstractSet[Any]) -> set[bytes]:
        return self._both(other, "SDIFF", super().__sub__)  # type: ignore[no-any-return]
