"""RESP2 replies as Python values."""

from __future__ import annotations


def decode(data: bytes) -> object:
    """One whole reply: bytes, int, None, list; status lines and errors as str, with their `+` or `-`."""
    value, end = _decode(data, 0)
    assert end == len(data), data
    return value


def _decode(data: bytes, at: int) -> tuple[object, int]:
    end = data.index(b"\r\n", at)
    kind, line, at = data[at : at + 1], data[at + 1 : end], end + 2
    if kind in b"+-":
        return (kind + line).decode(), at
    if kind == b":":
        return int(line), at
    size = int(line)
    if size < 0:
        return None, at
    if kind == b"$":
        return data[at : at + size], at + size + 2
    assert kind == b"*", data
    items = []
    for _ in range(size):
        item, at = _decode(data, at)
        items.append(item)
    return items, at
