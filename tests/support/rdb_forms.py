"""Values in the forms that RDB has had, made independently of the code under test."""

from __future__ import annotations

from collections.abc import Sequence

HASH, HASH_ZIPMAP, HASH_ZIPLIST, HASH_EXPIRIES_OLD = 4, 9, 13, 22


def length(n: int) -> bytes:
    if n < 64:
        return bytes([n])
    return (0x4000 | n).to_bytes(2, "big") if n < 16384 else b"\x80" + n.to_bytes(4, "big")


def string(data: bytes) -> bytes:
    return length(len(data)) + data


def zipmap(fields: Sequence[tuple[bytes, bytes]], unused: int = 0) -> bytes:
    """`unused` bytes lie behind each value."""

    def head(n: int) -> bytes:
        return bytes([n]) if n < 254 else b"\xfe" + n.to_bytes(4, "little")

    body = b"".join(
        head(len(name)) + name + head(len(value)) + bytes([unused]) + value + bytes(unused)
        for name, value in fields
    )
    return bytes([min(len(fields), 254)]) + body + b"\xff"


def ziplist(words: Sequence[bytes | int]) -> bytes:
    """Numbers in their own form, texts as texts."""
    body, before, last = b"", 0, 10
    for word in words:
        last = 10 + len(body)
        entry = bytes([before]) if before < 254 else b"\xfe" + before.to_bytes(4, "little")
        if isinstance(word, bytes):
            entry += bytes([len(word)]) if len(word) < 64 else (0x4000 | len(word)).to_bytes(2, "big")
            entry += word
        elif 0 <= word <= 12:
            entry += bytes([0xF1 + word])
        elif -128 <= word < 128:
            entry += b"\xfe" + word.to_bytes(1, "little", signed=True)
        else:
            entry += b"\xe0" + word.to_bytes(8, "little", signed=True)
        body += entry
        before = len(entry)
    head = (11 + len(body)).to_bytes(4, "little") + last.to_bytes(4, "little")
    return head + len(words).to_bytes(2, "little") + body + b"\xff"


def old_hash(kind: int, fields: Sequence[tuple[bytes, bytes]]) -> bytes:
    """Type and value, as DUMP has them before its footer."""
    if kind == HASH_ZIPMAP:
        body = string(zipmap(fields, len(fields) % 4))
    elif kind == HASH_ZIPLIST:
        body = string(ziplist([word for pair in fields for word in pair]))
    else:
        time = b"\x81" + (5_000_000_000_000).to_bytes(8, "big")
        body = length(len(fields)) + b"".join(
            (time if at % 2 else length(0)) + string(name) + string(value)
            for at, (name, value) in enumerate(fields)
        )
    return bytes([kind]) + body
