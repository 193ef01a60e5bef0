"""RESP as Python values, for what goes through commands inside the process."""

from __future__ import annotations

from typing import Any

from gapless.errors import OutOfMemoryError, ResponseError


def read_reply(data: bytes, at: int = 0) -> tuple[Any, int]:
    """The RESP2 reply that starts at `at`, and where the next one does. Errors are returned, not raised."""
    end = data.index(b"\r\n", at)
    kind, line, at = data[at : at + 1], data[at + 1 : end], end + 2
    if kind == b"+":
        return line, at
    if kind == b"-":
        text = line.decode(errors="replace")
        return (OutOfMemoryError if text.startswith("OOM ") else ResponseError)(text), at
    if kind == b":":
        return int(line), at
    count = int(line)
    if count < 0:
        return None, at
    if kind == b"$":
        return data[at : at + count], at + count + 2
    items = []
    for _ in range(count):
        item, at = read_reply(data, at)
        items.append(item)
    return items, at


def encode(value: object) -> bytes:
    """An argument of a command, as redis-py sends it."""
    if isinstance(value, bytes):
        return value
    if isinstance(value, str):
        return value.encode()
    if isinstance(value, (bytearray, memoryview)):
        return bytes(value)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError(
            f"an argument must be bytes, str, int or float, not {type(value).__name__}: {value!r}"
        )
    return repr(value).encode()


class RequestReader:
    """Cuts a stream of requests, written by a client library, into commands."""

    def __init__(self) -> None:
        self._pending = b""

    def feed(self, data: bytes) -> list[list[bytes]]:
        """The commands that are complete now; O(len(data)) when they are."""
        data = self._pending + data
        commands, at = [], 0
        while at < len(data):
            try:
                command, at = self._command(data, at)
            except (IndexError, ValueError):
                break
            commands.append(command)
        self._pending = data[at:]
        return commands

    @staticmethod
    def _command(data: bytes, at: int) -> tuple[list[bytes], int]:
        end = data.index(b"\r\n", at)
        count, at = int(data[at + 1 : end]), end + 2
        command = []
        for _ in range(count):
            end = data.index(b"\r\n", at)
            start = end + 2
            at = start + int(data[at + 1 : end]) + 2
            if at > len(data):
                raise IndexError
            command.append(data[start : at - 2])
        return command, at
