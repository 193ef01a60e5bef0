"""A hash as a mapping."""

from __future__ import annotations

from collections.abc import ItemsView, Iterable, Iterator, Mapping, MutableMapping, ValuesView
from itertools import chain
from typing import Any, overload

from gapless.views.view import Value, View, is_value, pair

_REQUIRED: Any = object()


class HashItems(ItemsView[Any, bytes]):
    """The pairs, read a step of fields at a time."""

    _mapping: HashView

    def __iter__(self) -> Iterator[tuple[bytes, bytes]]:
        return self._mapping._pairs()


class HashValues(ValuesView[bytes]):
    """The values, read a step of fields at a time."""

    _mapping: HashView

    def __iter__(self) -> Iterator[bytes]:
        return (value for _, value in self._mapping._pairs())


class HashView(View, MutableMapping[Any, bytes]):
    """field -> value. One field O(log n); `len` O(1), counting fields whose time has come until somebody
    looks at them.

    Iteration survives changes: a field that is there all the while is met once, one that comes or goes
    meanwhile may be.
    """

    __slots__ = ()

    def __getitem__(self, field: Value) -> bytes:
        value = self._store.hget(self.key, field)
        if value is None:
            raise KeyError(field)
        return value

    def __setitem__(self, field: Value, value: Value) -> None:
        self._store.hset(self.key, field, value)

    def __delitem__(self, field: Value) -> None:
        if not self._store.hdel(self.key, field):
            raise KeyError(field)

    def __contains__(self, field: object) -> bool:
        return is_value(field) and self._store.hexists(self.key, field)

    def __len__(self) -> int:
        return self._store.hlen(self.key)

    def __iter__(self) -> Iterator[bytes]:
        return (field for field, _ in self._pairs())

    def __repr__(self) -> str:
        return self._shown(self.items(), "{", "}", pair)

    def _pairs(self) -> Iterator[tuple[bytes, bytes]]:
        for step in self._scan("HSCAN"):
            yield from zip(step[::2], step[1::2], strict=True)

    @overload
    def get(self, field: Value) -> bytes | None: ...
    @overload
    def get(self, field: Value, default: bytes) -> bytes: ...
    @overload
    def get(self, field: Value, default: Any) -> Any: ...
    def get(self, field: Value, default: Any = None) -> Any:
        """The value, or `default`."""
        value = self._store.hget(self.key, field)
        return default if value is None else value

    def items(self) -> HashItems:
        """The pairs, as a dict's."""
        return HashItems(self)

    def values(self) -> HashValues:
        """The values, as a dict's."""
        return HashValues(self)

    def pop(self, field: Value, default: Any = _REQUIRED) -> Any:
        """Delete a field; its value, else `default`, else KeyError. Of several threads one gets the value."""
        (value,) = self._store.execute("HGETDEL", self.key, "FIELDS", 1, field)
        if value is not None:
            return value
        if default is _REQUIRED:
            raise KeyError(field)
        return default

    def popitem(self) -> tuple[bytes, bytes]:
        """Delete some field; the field and its value. KeyError when there is none."""

        def pop() -> tuple[bytes, bytes]:
            for field, value in self._pairs():
                self._store.hdel(self.key, field)
                return field, value
            raise KeyError("popitem(): the hash is empty")

        return self._store.exclusively(pop)

    def setdefault(self, field: Value, default: Value = b"") -> bytes:
        """The value, `default` after it was set when there was none."""

        def set_default() -> bytes:
            self._store.execute("HSETNX", self.key, field, default)
            return self[field]

        return self._store.exclusively(set_default)

    def update(  # type: ignore[override]
        self, other: Mapping[Any, Value] | Iterable[tuple[Any, Value]] = (), /, **fields: Value
    ) -> None:
        """Set fields, all or none of them: one command."""
        pairs = [*(other.items() if isinstance(other, Mapping) else other), *fields.items()]
        if pairs:
            self._store.execute("HSET", self.key, *chain.from_iterable(pairs))
