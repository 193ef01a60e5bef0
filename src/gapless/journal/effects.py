"""Effects as somebody reads them: a body of the journal, decoded. docs/FORMATS.md has the bytes.

Only for the eye: replay is the engine's (engine/effects_apply). Whoever reads here needs no store.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

KINDS = ["put", "patch", "change", "image", "expire", "delete", "rename", "flush", "flush all", "swap"]
TYPES = ["none", "string", "list", "set", "sorted set", "hash", "stream"]
CHANGES = ["put", "drop", "insert", "remove", "replace", "cut left", "cut to", "root"]
MARKS = {0x40: "raw", 0x80: "text"}
DB, TTL, WIDE_TTL = 0x0F, 0x10, 0x20
SECOND_TREE, ONLY_WHOLE, ALL = 0x08, 0x10, 0x10
FIRST, LAST, ANEW = 1, 2, 4
SHOWN_BYTES = 64


class EffectError(ValueError):
    """A body that is none; `offset`: of the effect that is wrong."""

    def __init__(self, offset: int, what: str) -> None:
        super().__init__(f"{what} at {offset}")
        self.offset = offset


@dataclass(frozen=True)
class Splice:
    """`put` takes the place of `cut` bytes at this offset of what was there."""

    offset: int
    cut: int
    put: bytes


@dataclass(frozen=True)
class Change:
    """What is done to a tree; or to what a record holds behind its trees (root): all of it, or splices."""

    kind: str
    tree: int = 0
    position: int | None = None
    element: bytes | None = None
    only_whole: bool = False
    splices: tuple[Splice, ...] = ()


@dataclass(frozen=True)
class Effect:
    """One effect. What a kind does not have is empty."""

    kind: str
    db: int
    key: bytes = b""
    type: str = ""
    marks: tuple[str, ...] = ()
    expire_ms: int | None = None
    value: bytes | None = None
    """put: the value as it lies in a record; image: what a record holds behind its trees."""
    changes: tuple[Change, ...] = ()
    splices: tuple[Splice, ...] = ()
    part: tuple[str, ...] = ()
    """image: first, last, anew."""
    to_db: int | None = None
    to_key: bytes = b""
    offset: int = field(default=0, compare=False)
    bytes: int = field(default=0, compare=False)

    def __str__(self) -> str:
        words = [
            f"{self.kind} {_text(self.key)}"
            if self.key or self.kind not in ("flush", "flush all", "swap")
            else self.kind
        ]
        if self.kind != "flush all":
            words.append(f"db {self.db}")
        if self.to_db is not None:
            words.append(
                f"to {_text(self.to_key)} db {self.to_db}"
                if self.kind == "rename"
                else f"with db {self.to_db}"
            )
        words += [self.type] if self.type else []
        words += [*self.marks, *self.part]
        if self.expire_ms is not None:
            words.append(f"expires {self.expire_ms}")
        elif self.kind == "expire":
            words.append("never expires")
        if self.value is not None:
            words.append(_text(self.value))
        words += [_splice_text(splice) for splice in self.splices]
        return ", ".join(words + [_change_text(change) for change in self.changes])

    def as_json(self) -> dict[str, Any]:
        """What json.dumps() takes; bytes as text where they are UTF-8, else as {"hex": ...}."""
        found: dict[str, Any] = {"kind": self.kind, "db": self.db}
        if self.kind not in ("flush", "flush all", "swap"):
            found["key"] = _json(self.key)
        if self.type:
            found["type"] = self.type
        if self.marks or self.part:
            found["marks"] = [*self.marks, *self.part]
        if self.expire_ms is not None or self.kind == "expire":
            found["expire_ms"] = self.expire_ms
        if self.to_db is not None:
            found["to_db"] = self.to_db
        if self.kind == "rename":
            found["to_key"] = _json(self.to_key)
        if self.value is not None:
            found["value"] = _json(self.value)
        if self.splices:
            found["splices"] = [_splice_json(splice) for splice in self.splices]
        if self.changes:
            found["changes"] = [_change_json(change) for change in self.changes]
        return found


def effects(body: bytes) -> Iterator[Effect]:
    """The effects of a body, in order; EffectError where it is none."""
    reader = _Reader(body, 0, len(body))
    while reader.at < reader.end:
        yield _effect(reader)


# ---- reading


class _Reader:
    """Bytes from here to there; what does not end before is an EffectError."""

    def __init__(self, body: bytes, at: int, end: int, effect: int = 0) -> None:
        self.body = body
        self.at = at
        self.end = end
        self.effect = effect

    def wrong(self, what: str) -> EffectError:
        return EffectError(self.effect, what)

    def take(self, n: int) -> bytes:
        if self.end - self.at < n:
            raise self.wrong("an effect that is cut short")
        self.at += n
        return self.body[self.at - n : self.at]

    def byte(self) -> int:
        return self.take(1)[0]

    def number(self) -> int:
        found = shift = 0
        while True:
            byte = self.byte()
            found |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                break
            if shift > 28:
                raise self.wrong("a number that does not end")
        if found >> 32:
            raise self.wrong("a number of more than 32 bits")
        return found

    def counted(self) -> bytes:
        return self.take(self.number())

    def within(self, n: int) -> _Reader:
        if self.end - self.at < n:
            raise self.wrong("an effect that is cut short")
        self.at += n
        return _Reader(self.body, self.at - n, self.at, self.effect)

    def rest(self) -> bytes:
        return self.take(self.end - self.at)


def _effect(reader: _Reader) -> Effect:
    offset = reader.effect = reader.at
    first, flags = reader.byte(), reader.byte()
    kind, number = first & 0x0F, first >> 4
    if not 1 <= kind <= len(KINDS) or number >= len(TYPES):
        raise reader.wrong("no effect")
    name = KINDS[kind - 1]
    expire_ms = None
    if flags & TTL:
        expire_ms = int.from_bytes(reader.take(8 if flags & WIDE_TTL else 6), "little")
    key_bytes, body_bytes = reader.number(), reader.number()
    key = reader.take(key_bytes)
    body = reader.within(body_bytes)
    facts = {
        "put": _put,
        "patch": _patch,
        "change": _change,
        "image": _image,
        "rename": _rename,
        "swap": _swap,
    }
    more = facts[name](body) if name in facts else {}
    marks = tuple(mark for bit, mark in MARKS.items() if flags & bit) if number == 1 else ()
    return Effect(
        name,
        flags & DB,
        key,
        TYPES[number] if number else "",
        marks,
        expire_ms,
        offset=offset,
        bytes=reader.at - offset,
        **more,
    )


def _put(body: _Reader) -> dict[str, Any]:
    return {"value": body.rest()}


def _patch(body: _Reader) -> dict[str, Any]:
    return {"splices": _splices(body)}


def _change(body: _Reader) -> dict[str, Any]:
    body.byte()
    return {"changes": _changes(body)}


def _image(body: _Reader) -> dict[str, Any]:
    part = body.byte()
    value = body.counted()[1:] if part & FIRST else None
    if part & LAST:
        body.number()
    names = {FIRST: "first", LAST: "last", ANEW: "anew"}
    return {
        "value": value,
        "part": tuple(name for bit, name in names.items() if part & bit),
        "changes": _changes(body),
    }


def _rename(body: _Reader) -> dict[str, Any]:
    return {"to_db": body.byte(), "to_key": body.rest()}


def _swap(body: _Reader) -> dict[str, Any]:
    return {"to_db": body.byte()}


def _splices(body: _Reader) -> tuple[Splice, ...]:
    found = []
    offset = 0
    while body.at < body.end:
        offset += body.number()
        cut = body.number()
        found.append(Splice(offset, cut, body.counted()))
        offset += cut
    return tuple(found)


def _changes(body: _Reader) -> tuple[Change, ...]:
    found = []
    while body.at < body.end:
        change = body.byte()
        kind = CHANGES[change & 0x07]
        if kind == "root":
            found.append(
                Change(kind, element=body.rest()) if change & ALL else Change(kind, splices=_splices(body))
            )
            break
        found.append(
            Change(
                kind,
                1 if change & SECOND_TREE else 0,
                body.number() if kind not in ("put", "drop") else None,
                body.counted() if kind in ("put", "drop", "insert", "replace") else None,
                bool(change & ONLY_WHOLE),
            )
        )
    return tuple(found)


# ---- showing


def _text(data: bytes) -> str:
    shown = repr(data[:SHOWN_BYTES])[1:]
    return shown if len(data) <= SHOWN_BYTES else f"{shown}... ({len(data)} bytes)"


def _splice_text(splice: Splice) -> str:
    return f"at {splice.offset} cut {splice.cut} put {_text(splice.put)}"


def _change_text(change: Change) -> str:
    words = [change.kind]
    if change.tree:
        words.append(f"in tree {change.tree}")
    if change.position is not None:
        words.append(str(change.position))
    if change.element is not None:
        words.append(_text(change.element))
    if change.only_whole:
        words.append("only if whole")
    return " ".join(words + [_splice_text(splice) for splice in change.splices])


def _json(data: bytes) -> Any:
    try:
        return data.decode()
    except UnicodeDecodeError:
        return {"hex": data.hex()}


def _splice_json(splice: Splice) -> dict[str, Any]:
    return {"offset": splice.offset, "cut": splice.cut, "put": _json(splice.put)}


def _change_json(change: Change) -> dict[str, Any]:
    found: dict[str, Any] = {"kind": change.kind}
    if change.tree:
        found["tree"] = change.tree
    if change.position is not None:
        found["position"] = change.position
    if change.element is not None:
        found["element"] = _json(change.element)
    if change.only_whole:
        found["only_whole"] = True
    if change.splices:
        found["splices"] = [_splice_json(splice) for splice in change.splices]
    return found
