"""A blocking connection for control and comparison; errors are replies like others."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from typing import Any

import hiredis

from tests.crash.unit import Args

RECEIVE_BYTES = 1 << 20
_CHUNK_BYTES = 4 << 20


def packed(commands: Sequence[Args]) -> bytes:
    parts: list[bytes] = []
    for args in commands:
        parts.append(b"*%d\r\n" % len(args))
        parts += [b"$%d\r\n%b\r\n" % (len(word), word) for word in args]
    return b"".join(parts)


def connected(path: str, timeout_seconds: float) -> socket.socket:
    """Raises OSError when nobody listens at that Unix socket."""
    link = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    link.settimeout(timeout_seconds)
    try:
        link.connect(path)
    except OSError:
        link.close()
        raise
    return link


class Client:
    def __init__(self, path: str, timeout_seconds: float = 30.0) -> None:
        self._socket = connected(path, timeout_seconds)
        self._reader = hiredis.Reader()

    def call(self, *words: bytes) -> Any:
        """Raises OSError when the server goes."""
        return self.pipeline([words])[0]

    def pipeline(self, commands: Sequence[Args]) -> list[Any]:
        replies: list[Any] = []
        data = packed(commands)
        if len(data) <= _CHUNK_BYTES:
            self._socket.sendall(data)
        else:
            # In halves: two sides that only write would wait for each other.
            half = len(commands) // 2
            if half:
                return self.pipeline(commands[:half]) + self.pipeline(commands[half:])
            self._socket.sendall(data)
        while len(replies) < len(commands):
            if (reply := self._reader.gets()) is not False:
                replies.append(reply)
                continue
            data = self._socket.recv(RECEIVE_BYTES)
            if not data:
                raise ConnectionResetError("the server closed the connection")
            self._reader.feed(data)
        return replies

    def send(self, *words: bytes) -> None:
        """Without waiting for the reply: nothing may be called afterwards."""
        self._socket.sendall(packed([words]))

    def close(self) -> None:
        self._socket.close()
