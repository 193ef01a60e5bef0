"""What a server has, key by key, in a form two servers can be compared in: contents, order where there is one, expiry."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import hiredis

from tests.crash.client import Client
from tests.crash.draw import SHORT_LIVED
from tests.crash.unit import Args, Key

TOLERANCE_MS = 60_000
"""A relative lifetime begins when the command is executed, which the model does up to a round later."""

READS: dict[bytes, tuple[bytes, ...]] = {
    b"string": (b"GET", b"*"),
    b"hash": (b"HGETALL", b"*"),
    b"list": (b"LRANGE", b"*", b"0", b"-1"),
    b"set": (b"SMEMBERS", b"*"),
    b"zset": (b"ZRANGE", b"*", b"0", b"-1", b"WITHSCORES"),
    b"stream": (b"XINFO", b"STREAM", b"*", b"FULL", b"COUNT", b"0"),
}
_UNSTABLE = {b"radix-tree-keys", b"radix-tree-nodes", b"seen-time", b"active-time"}
"""Of XINFO STREAM: how it lies in memory, and when somebody last asked."""


@dataclass(frozen=True)
class Value:
    kind: bytes
    expires_ms: int
    """-1: never."""
    content: Any
    field_expires_ms: dict[bytes, int] = field(default_factory=dict)
    encoding: bytes = b""

    def is_as(self, other: Value) -> bool:
        return (
            (self.kind, self.content, self.encoding) == (other.kind, other.content, other.encoding)
            and _is_near(self.expires_ms, other.expires_ms)
            and self.field_expires_ms.keys() == other.field_expires_ms.keys()
            and all(_is_near(at, other.field_expires_ms[name]) for name, at in self.field_expires_ms.items())
        )


State = dict[Key, Value]


def read_databases(client: Client, databases: Iterable[int], exact: bool) -> State:
    """Everything in these databases, in five round trips.

    `exact`: encodings, too, and consumers of streams that have nothing pending.
    """
    numbers = list(databases)
    replies = client.pipeline([args for n in numbers for args in ((b"SELECT", b"%d" % n), (b"KEYS", b"*"))])
    keys = [(n, name) for n, names in zip(numbers, replies[1::2], strict=True) for name in names]
    return read_keys(client, keys, exact)


def read_keys(client: Client, keys: Sequence[Key], exact: bool) -> State:
    """What is there of these keys."""
    heads = (b"TYPE",), (b"PEXPIRETIME",), *(((b"OBJECT", b"ENCODING"),) if exact else ())
    said = _of_each(client, [(key, (*head, key[1])) for key in keys for head in heads])
    step = len(heads)
    found = [
        (key, said[at * step : (at + 1) * step]) for at, key in enumerate(keys) if said[at * step] != b"none"
    ]
    contents = _of_each(client, [(key, _reading(key[1], head[0])) for key, head in found])
    # A key may expire between two looks; who is read as nothing was not there.
    there = [
        (key, head, content)
        for (key, head), content in zip(found, contents, strict=True)
        if content is not None and content != [] and not isinstance(content, hiredis.ReplyError)
    ]
    hashes = [(key, content[::2]) for key, head, content in there if head[0] == b"hash"]
    times = _of_each(
        client,
        [(key, (b"HPEXPIRETIME", key[1], b"FIELDS", b"%d" % len(names), *names)) for key, names in hashes],
    )
    field_times = {
        key: {name: at for name, at in zip(names, ats, strict=True) if at >= 0}
        for (key, names), ats in zip(hashes, times, strict=True)
        if isinstance(ats, list)
    }
    return {
        key: Value(
            head[0],
            head[1],
            _canonical(head[0], content, exact),
            field_times.get(key, {}),
            head[2] if exact else b"",
        )
        for key, head, content in there
    }


def differences(expected: State, found: State) -> set[Key]:
    return {
        key
        for key in expected.keys() | found.keys()
        if key not in expected or key not in found or not expected[key].is_as(found[key])
    }


def is_short_lived(key: Key) -> bool:
    return key[1] in SHORT_LIVED


def _is_near(one: int, other: int) -> bool:
    return one == other or (min(one, other) > 0 and abs(one - other) <= TOLERANCE_MS)


def _reading(name: bytes, kind: bytes) -> Args:
    return tuple(name if word == b"*" else word for word in READS[kind])


def _of_each(client: Client, commands: Sequence[tuple[Key, Args]]) -> list[Any]:
    """The replies to commands on keys of several databases."""
    sent: list[Args] = []
    wanted: list[int] = []
    database = -1
    for (number, _), args in commands:
        if number != database:
            database = number
            sent.append((b"SELECT", b"%d" % number))
        wanted.append(len(sent))
        sent.append(args)
    replies = client.pipeline(sent)
    return [replies[at] for at in wanted]


def _canonical(kind: bytes, content: Any, exact: bool) -> Any:
    if kind == b"hash":
        return dict(zip(content[::2], content[1::2], strict=True))
    if kind == b"set":
        return frozenset(content)
    if kind == b"stream":
        return _stream(content, exact)
    return content


def _stream(report: list[Any], exact: bool) -> dict[bytes, Any]:
    """XINFO STREAM FULL, or a group or consumer in it, without what time and memory add."""
    named = dict(zip(report[::2], report[1::2], strict=True))
    for name in _UNSTABLE & named.keys():
        del named[name]
    if b"groups" in named:
        named[b"groups"] = [_stream(group, exact) for group in named[b"groups"]]
    elif b"consumers" in named:
        consumers = [_stream(consumer, exact) for consumer in named[b"consumers"]]
        named[b"consumers"] = [consumer for consumer in consumers if exact or consumer[b"pending"]]
        named[b"pending"] = [[entry, consumer, times] for entry, consumer, _, times in named[b"pending"]]
    elif b"pending" in named:
        named[b"pending"] = [[entry, times] for entry, _, times in named[b"pending"]]
    return named
