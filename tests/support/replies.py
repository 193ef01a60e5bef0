"""A reply as a tree, for the few that two servers may answer differently: times, identifiers, orders."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Reply:
    """One node: RESP's type character, and the text of a scalar or bulk, or the children of an aggregate.

    A null of any shape has neither. A map's children are its keys and values in turn. Attributes are dropped.
    """

    kind: str
    text: bytes | None = None
    children: tuple[Reply, ...] = ()
    null: bool = False

    @property
    def is_error(self) -> bool:
        return self.kind in "-!"

    @property
    def is_bulk(self) -> bool:
        return self.kind in "$=" and not self.null

    @property
    def integer(self) -> int:
        """The value of an integer reply; `ValueError` for any other."""
        if self.kind != ":" or self.text is None:
            raise ValueError(f"no integer: {self}")
        return int(self.text)

    @property
    def payload(self) -> bytes:
        """The text without a verbatim string's format; `ValueError` for a null or an aggregate."""
        if self.text is None:
            raise ValueError(f"no text: {self}")
        return self.text[4:] if self.kind == "=" else self.text

    def pairs(self) -> dict[bytes, Reply]:
        """A map, or RESP2's flat array in its place."""
        return {k.payload: v for k, v in zip(self.children[::2], self.children[1::2], strict=True)}


def parse(raw: bytes) -> Reply:
    """The tree of exactly one reply's bytes; `ValueError` when bytes are left over."""
    reply, end = _parse(raw, 0)
    if end != len(raw):
        raise ValueError(f"{len(raw) - end} bytes after the reply {raw[:end]!r}")
    return reply


def _parse(raw: bytes, start: int) -> tuple[Reply, int]:
    line_end = raw.index(b"\r\n", start)
    kind = chr(raw[start])
    text = raw[start + 1 : line_end]
    end = line_end + 2
    if kind == "_":
        return Reply(kind, null=True), end
    if kind in "+-:,#(":
        return Reply(kind, text), end
    count = int(text)
    if count < 0:
        return Reply(kind, null=True), end
    if kind in "$=!":
        return Reply(kind, raw[end : end + count]), end + count + 2
    children = []
    for _ in range(2 * count if kind in "%|" else count):
        child, end = _parse(raw, end)
        children.append(child)
    if kind == "|":
        return _parse(raw, end)
    return Reply(kind, children=tuple(children)), end
