"""A client that shows what a server really sent: every reply as the exact bytes on the wire.

A client library hides the difference between `$-1` and `_`, or between a set and an array; tests that
compare two servers byte for byte need what is below that. `RawConnection` finds where a reply ends and
decodes nothing.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Iterable
from types import TracebackType

Address = tuple[str, int] | str
"""TCP host and port, or the path of a Unix socket."""

SCALARS = frozenset(b"+-:_,#(")
BULKS = frozenset(b"$=!")
SEQUENCES = frozenset(b"*~>")
PAIRS = frozenset(b"%|")


class ClosedError(ConnectionError):
    """The server closed the connection; `partial` is what came of the reply before that."""

    def __init__(self, partial: bytes) -> None:
        super().__init__(f"closed by the server after {partial!r}")
        self.partial = partial


class MalformedError(AssertionError):
    """The server sent bytes that are no RESP."""


def command(*args: bytes | str | int | float) -> bytes:
    """A command as RESP's array of bulk strings."""
    encoded = [a if isinstance(a, bytes) else str(a).encode() for a in args]
    return b"*%d\r\n" % len(encoded) + b"".join(b"$%d\r\n%s\r\n" % (len(a), a) for a in encoded)


class RawConnection:
    """One blocking connection. Every wait is bounded by `timeout` seconds and ends in `TimeoutError`."""

    def __init__(self, address: Address, timeout: float = 10.0) -> None:
        family = socket.AF_UNIX if isinstance(address, str) else socket.AF_INET
        self._socket = socket.socket(family, socket.SOCK_STREAM)
        self._socket.settimeout(timeout)
        self._timeout = timeout
        self._socket.connect(address)
        if family == socket.AF_INET:
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._buffer = bytearray()
        self._read = 0

    def __enter__(self) -> RawConnection:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        self._socket.close()

    def local_address(self) -> str:
        """`host:port` of this end, as CLIENT LIST writes it."""
        host, port = self._socket.getsockname()
        return f"{host}:{port}"

    def remote_address(self) -> str:
        """`host:port` of the server's end."""
        host, port = self._socket.getpeername()
        return f"{host}:{port}"

    def shutdown_write(self) -> None:
        """Tell the server that nothing more will come, as a client does that dies half-way."""
        self._socket.shutdown(socket.SHUT_WR)

    def send(self, data: bytes) -> None:
        """Send bytes as they are. Raises `ClosedError` when the server is already gone."""
        try:
            self._socket.sendall(data)
        except (BrokenPipeError, ConnectionResetError):
            raise ClosedError(b"") from None

    def call(self, *args: bytes | str | int | float) -> bytes:
        """Send one command, return the bytes of its reply."""
        self.send(command(*args))
        return self.read_reply()

    def pipeline(self, commands: Iterable[tuple[bytes, ...]]) -> list[bytes]:
        """Send all commands at once, then read one reply for each."""
        batch = [command(*args) for args in commands]
        self.send(b"".join(batch))
        return [self.read_reply() for _ in batch]

    def read_reply(self) -> bytes:
        """The bytes of exactly one reply: an attribute belongs to the reply it precedes, a push is one of
        its own.
        """
        start = self._read
        try:
            self._skip_reply()
        except ClosedError:
            raise ClosedError(bytes(self._buffer[start:])) from None
        reply = bytes(self._buffer[start : self._read])
        if self._read == len(self._buffer):
            self._buffer.clear()
            self._read = 0
        return reply

    def read_quiet(self, quiet: float, at_least: int = 0) -> tuple[bytes, bool]:
        """Everything until the server closes or says nothing for `quiet` seconds: (bytes, closed).

        With `at_least`, silence counts only after that many bytes; the connection's timeout still bounds
        the wait.
        """
        deadline = time.monotonic() + self._timeout
        closed = False
        try:
            while True:
                enough = len(self._buffer) - self._read >= at_least
                wait = quiet if enough else max(0.001, deadline - time.monotonic())
                self._socket.settimeout(wait)
                try:
                    self._fill()
                except TimeoutError:
                    break
                except ClosedError:
                    closed = True
                    break
        finally:
            self._socket.settimeout(self._timeout)
        data = bytes(self._buffer[self._read :])
        self._buffer.clear()
        self._read = 0
        return data, closed

    def _fill(self) -> None:
        try:
            data = self._socket.recv(65536)
        except ConnectionResetError:
            data = b""
        if not data:
            raise ClosedError(b"")
        self._buffer += data

    def _line(self) -> bytes:
        searched = self._read
        while (end := self._buffer.find(b"\r\n", searched)) < 0:
            searched = max(self._read, len(self._buffer) - 1)
            self._fill()
        line = bytes(self._buffer[self._read : end])
        self._read = end + 2
        return line

    def _skip_reply(self) -> None:
        line = self._line()
        kind = line[0] if line else 0
        if kind in SCALARS:
            return
        try:
            count = int(line[1:])
        except ValueError:
            raise MalformedError(f"no RESP: {line!r}") from None
        if kind in BULKS:
            if count >= 0:
                self._skip_bulk(count)
        elif kind in SEQUENCES:
            for _ in range(count):
                self._skip_reply()
        elif kind in PAIRS:
            for _ in range(2 * count):
                self._skip_reply()
            if kind == ord("|"):
                self._skip_reply()
        else:
            raise MalformedError(f"no RESP: {line!r}")

    def _skip_bulk(self, length: int) -> None:
        end = self._read + length + 2
        while len(self._buffer) < end:
            self._fill()
        if self._buffer[end - 2 : end] != b"\r\n":
            raise MalformedError(f"bulk of {length} bytes does not end in CR LF")
        self._read = end
