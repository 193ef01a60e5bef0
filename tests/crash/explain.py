"""Where two values of a key differ, for a reader."""

from __future__ import annotations

from itertools import zip_longest
from typing import Any

from tests.crash.state import Value

_AROUND = 12
_SHOWN = 200
_PLACES_MAX = 6


def explain(expected: Value | None, found: Value | None) -> list[str]:
    """Lines; whole values where one is missing."""
    if expected is None or found is None:
        return [f"expected {_shown(expected)}", f"found    {_shown(found)}"]
    lines = []
    for name in ("kind", "encoding", "expires_ms", "field_expires_ms", "content"):
        lines += _differences(name, getattr(expected, name), getattr(found, name))
    return lines


def _differences(where: str, expected: Any, found: Any) -> list[str]:
    if expected == found:
        return []
    if isinstance(expected, dict) and isinstance(found, dict):
        return _places(where, [(name, expected.get(name), found.get(name)) for name in {**expected, **found}])
    if isinstance(expected, list) and isinstance(found, list):
        lengths = (
            [f"{where}: expected {len(expected)}, found {len(found)}"] if len(expected) != len(found) else []
        )
        return lengths + _places(where, [(at, *pair) for at, pair in enumerate(zip_longest(expected, found))])
    if isinstance(expected, frozenset) and isinstance(found, frozenset):
        missing, more = sorted(expected - found), sorted(found - expected)
        return [f"{where}: {len(missing)} missing, {len(more)} more: {_shown(missing)}, {_shown(more)}"]
    if (
        isinstance(expected, bytes)
        and isinstance(found, bytes)
        and max(len(expected), len(found)) > 2 * _AROUND
    ):
        at = next(at for at, pair in enumerate(zip_longest(expected, found)) if pair[0] != pair[1])
        part = slice(max(0, at - _AROUND), at + _AROUND)
        sizes = f"{len(expected)} and {len(found)} bytes"
        return [f"{where}: {sizes}, from {at} on: expected ..{expected[part]!r}.., found ..{found[part]!r}.."]
    return [f"{where}: expected {_shown(expected)}, found {_shown(found)}"]


def _places(where: str, places: list[tuple[object, Any, Any]]) -> list[str]:
    lines = [
        line for at, expected, found in places for line in _differences(f"{where}[{at!r}]", expected, found)
    ]
    more = len(lines) - _PLACES_MAX
    return lines[:_PLACES_MAX] + ([f"{where}: and {more} more"] if more > 0 else [])


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."
