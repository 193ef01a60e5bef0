"""What a handler in Python returns when plain values do not say it: status lines, errors, sets in order.

Plain values are replies too: None, bytes, str, int, bool, float, list, tuple, dict, set. See reply_object in
engine/reply.pyx.
"""

from __future__ import annotations


class Status:
    """A simple string: `+text`."""

    __slots__ = ("text",)

    def __init__(self, text: str) -> None:
        self.text = text


class Error:
    """An error reply inside a larger one; `text` starts with its code, such as `ERR`."""

    __slots__ = ("text",)

    def __init__(self, text: str) -> None:
        self.text = text


class NullArray:
    """`*-1` in RESP2, null in RESP3."""

    __slots__ = ()


class Verbatim:
    """Text for people: a verbatim string in RESP3, a bulk string in RESP2. `form` is three letters."""

    __slots__ = ("form", "text")

    def __init__(self, text: bytes | str, form: str = "txt") -> None:
        self.text = text
        self.form = form


class Push:
    """An out-of-band message."""

    __slots__ = ("items",)

    def __init__(self, items: list[object]) -> None:
        self.items = items


class Attribute:
    """What is told of the reply that follows it: nothing in RESP2."""

    __slots__ = ("pairs",)

    def __init__(self, pairs: dict[str, object]) -> None:
        self.pairs = pairs


class Several:
    """Replies one after the other: one with its attribute, or with pushes behind it."""

    __slots__ = ("items",)

    def __init__(self, items: list[object]) -> None:
        self.items = items


class OrderedSet:
    """A set in RESP3 whose elements come in the order given, so that two servers answer the same bytes."""

    __slots__ = ("items",)

    def __init__(self, items: list[object]) -> None:
        self.items = items


class _NoReply:
    __slots__ = ()


NO_REPLY = _NoReply()
OK = Status("OK")


class CommandError(Exception):
    """Raised by a handler: becomes an error reply. The text starts with its code, such as `ERR`."""
