"""Just enough RESP2 for the experiments: a blocking connection for control, and its socket for those who
count bytes.

A client library would hide what the experiments need to see: the moment a byte leaves and the moment one
arrives.
"""

from __future__ import annotations

import socket
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit


class ServerError(Exception):
    """An error reply."""


class TargetError(Exception):
    """A server that can't be found, reached, started or measured; the message says which and why."""


def command(*args: bytes | str | int) -> bytes:
    """One command as RESP."""
    parts = [b"*%d\r\n" % len(args)]
    for arg in args:
        data = arg if isinstance(arg, bytes) else str(arg).encode()
        parts.append(b"$%d\r\n%b\r\n" % (len(data), data))
    return b"".join(parts)


@dataclass(frozen=True, slots=True)
class Address:
    """Where a server listens and how to log in."""

    host: str = "127.0.0.1"
    port: int = 6379
    unix_path: str = ""
    username: str = ""
    password: str = ""
    db: int = 0

    @classmethod
    def parse(cls, url: str) -> Address:
        """From redis://[user:password@]host[:port][/db] or unix://[user:password@]/path[?db=n].

        Raises ValueError when it is neither.
        """
        parts = urlsplit(url)
        username, password = unquote(parts.username or ""), unquote(parts.password or "")
        if parts.scheme == "redis" and parts.hostname:
            db = parts.path.strip("/") or "0"
            if not db.isdigit():
                raise ValueError(f"{url}: the database must be a number")
            return cls(parts.hostname, parts.port or 6379, "", username, password, int(db))
        if parts.scheme == "unix" and parts.path:
            name, _, db = parts.query.partition("=")
            if parts.query and (name != "db" or not db.isdigit()):
                raise ValueError(f"{url}: only ?db=NUMBER may follow the path")
            return cls("", 0, parts.path, username, password, int(db or 0))
        raise ValueError(f"{url}: expected redis://host:port or unix:///path")

    def __str__(self) -> str:
        return self.unix_path or f"{self.host}:{self.port}"

    @property
    def is_local(self) -> bool:
        return bool(self.unix_path) or self.host in ("localhost", "::1") or self.host.startswith("127.")


class Connection:
    """A connection that is logged in. Raises TargetError when it can't be, OSError when it breaks later."""

    def __init__(self, address: Address, timeout_seconds: float = 30.0) -> None:
        try:
            if address.unix_path:
                self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
                self.socket.settimeout(timeout_seconds)
                self.socket.connect(address.unix_path)
            else:
                self.socket = socket.create_connection((address.host, address.port), timeout_seconds)
                self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        except OSError as error:
            raise TargetError(f"can't connect to {address}: {error.strerror or error}") from error
        self._file = self.socket.makefile("rb")
        try:
            if address.password:
                self.call("AUTH", *([address.username] if address.username else []), address.password)
            if address.db:
                self.call("SELECT", address.db)
        except ServerError as error:
            self.close()
            raise TargetError(f"{address} refused the login: {error}") from error

    def call(self, *args: bytes | str | int) -> object:
        """Send one command, return its reply: bytes, int, None or a list of these. Raises ServerError on an
        error."""
        self.socket.sendall(command(*args))
        return self.reply()

    def text(self, *args: bytes | str | int) -> str:
        """The reply of `call` as text."""
        reply = self.call(*args)
        return reply.decode(errors="replace") if isinstance(reply, bytes) else str(reply)

    def info(self, section: str) -> dict[str, str]:
        """The fields of a section of INFO."""
        lines = self.text("INFO", section).splitlines()
        return dict(line.split(":", 1) for line in lines if ":" in line and not line.startswith("#"))

    def reply(self) -> object:
        """The next reply. Raises ServerError when it is an error."""
        line = self._file.readline()
        if not line.endswith(b"\r\n"):
            raise ConnectionResetError("the server closed the connection")
        kind, rest = line[:1], line[1:-2]
        if kind == b"-":
            raise ServerError(rest.decode(errors="replace"))
        if kind == b"+":
            return rest
        if kind == b":":
            return int(rest)
        if kind == b"$":
            return None if rest == b"-1" else self._file.read(int(rest) + 2)[:-2]
        if kind == b"*":
            return None if rest == b"-1" else [self.reply() for _ in range(int(rest))]
        raise ConnectionError(f"not a RESP2 reply: {line[:40]!r}")

    def close(self) -> None:
        self._file.close()
        self.socket.close()
