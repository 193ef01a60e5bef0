"""As much of a RESP2 client as a benchmark needs: one command, one reply."""

from __future__ import annotations

import socket

Reply = str | int | None | list["Reply"]


class ServerError(Exception):
    """The server answered with an error."""


def request(*words: str | int) -> bytes:
    """A command as it is sent."""
    parts = [str(word).encode() for word in words]
    return b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%s\r\n" % (len(part), part) for part in parts)


class Connection:
    def __init__(self, port: int, timeout_seconds: float = 60.0) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout_seconds)
        self._file = self._socket.makefile("rb")

    def call(self, *words: str | int) -> Reply:
        """Send one command and read its reply. Raises ServerError, or OSError when the connection breaks."""
        self._socket.sendall(request(*words))
        return self._read()

    def reply_bytes(self, *words: str | int) -> int:
        """Send one command; how many bytes its reply takes on the wire. Raises ServerError."""
        self._socket.sendall(request(*words))
        return self._skip()

    def exchange(self, sent: bytes, reply_bytes: int) -> None:
        """Send a request whose reply is known to take so many bytes, and take them in without looking at
        them.
        """
        self._socket.sendall(sent)
        view = memoryview(bytearray(min(reply_bytes, 1 << 20)))
        while reply_bytes:
            got = self._socket.recv_into(view[: min(len(view), reply_bytes)])
            if not got:
                raise ConnectionError("the server closed the connection")
            reply_bytes -= got

    def batch(self, sent: bytes, count: int) -> list[Reply]:
        """Send `count` commands at once and read their replies. Raises ServerError for the first that is
        refused.
        """
        self._socket.sendall(sent)
        return [self._read() for _ in range(count)]

    def info(self, section: str) -> dict[str, str]:
        """One section of INFO; empty when the server does not know it."""
        text = self.call("INFO", section)
        lines = text.splitlines() if isinstance(text, str) else []
        return dict(line.split(":", 1) for line in lines if ":" in line and not line.startswith("#"))

    def close(self) -> None:
        self._file.close()
        self._socket.close()

    def _skip(self) -> int:
        line = self._file.readline()
        if line[:1] == b"-":
            raise ServerError(line[1:-2].decode())
        size = len(line)
        if line[:1] == b"$" and line[1:2] != b"-":
            size += len(self._file.read(int(line[1:]) + 2))
        elif line[:1] == b"*":
            size += sum(self._skip() for _ in range(int(line[1:])))
        return size

    def _read(self) -> Reply:
        line = self._file.readline()
        if not line.endswith(b"\r\n"):
            raise ConnectionError("the server closed the connection")
        kind, rest = line[:1], line[1:-2]
        if kind == b"+":
            return rest.decode()
        if kind == b"-":
            raise ServerError(rest.decode())
        if kind == b":":
            return int(rest)
        if kind == b"$":
            if (length := int(rest)) < 0:
                return None
            return self._file.read(length + 2)[:-2].decode(errors="replace")
        if kind == b"*":
            return [self._read() for _ in range(int(rest))] if int(rest) >= 0 else None
        raise ServerError(f"reply of unknown type {kind!r}")
