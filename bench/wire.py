"""As much of a RESP2 client as a benchmark needs: one command, one reply."""

from __future__ import annotations

import socket

Reply = str | int | None | list["Reply"]


class ServerError(Exception):
    """The server answered with an error."""


class Connection:
    def __init__(self, port: int, timeout_seconds: float = 60.0) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout_seconds)
        self._file = self._socket.makefile("rb")

    def call(self, *words: str | int) -> Reply:
        """Send one command and read its reply. Raises ServerError, or OSError when the connection breaks."""
        parts = [str(word).encode() for word in words]
        request = b"".join(b"$%d\r\n%s\r\n" % (len(part), part) for part in parts)
        self._socket.sendall(b"*%d\r\n%s" % (len(parts), request))
        return self._read()

    def info(self, section: str) -> dict[str, str]:
        """One section of INFO; empty when the server does not know it."""
        text = self.call("INFO", section)
        lines = text.splitlines() if isinstance(text, str) else []
        return dict(line.split(":", 1) for line in lines if ":" in line and not line.startswith("#"))

    def close(self) -> None:
        self._file.close()
        self._socket.close()

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
