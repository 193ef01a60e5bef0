"""Runs the load generator (bench/load/load.c, compiled on first use) against a server and measures both."""

from __future__ import annotations

import contextlib
import hashlib
import json
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from bench import proc
from bench.servers import Server, spare_port

SOURCES = Path(__file__).resolve().parent / "load"
KEY_BYTES = 16


class LoadError(Exception):
    """The load generator failed, or a server answered wrongly."""


def compiled(name: str) -> Path:
    """The binary of bench/load/NAME.c, rebuilt when a source has changed. Raises LoadError."""
    text = b"".join(path.read_bytes() for path in sorted(SOURCES.glob("*.[ch]")))
    binary = proc.REPOSITORY / "build" / "bench" / f"{name}-{hashlib.sha256(text).hexdigest()[:12]}"
    if binary.exists():
        return binary
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if compiler is None:
        raise LoadError("no C compiler: install gcc")
    binary.parent.mkdir(parents=True, exist_ok=True)
    flags = ["-O2", "-Wall", "-Wextra"]
    command = [compiler, *flags, "-o", str(binary), str(SOURCES / f"{name}.c"), "-lm"]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    if run.returncode:
        raise LoadError(f"{name}.c does not compile: {run.stderr}")
    return binary


@dataclass(frozen=True)
class Load:
    """One run of the generator, and what the server spent on it."""

    seconds: float
    replies: int
    server_cpu_seconds: float
    load_cpu_seconds: float
    others_share: float
    """Of the two cores' time, what neither server nor generator used: other programs and stolen time."""
    result: dict[str, Any]

    @property
    def requests_per_second(self) -> float:
        return self.replies / self.seconds

    @property
    def cpu_us_per_request(self) -> float:
        return self.server_cpu_seconds * 1e6 / self.replies

    @property
    def server_utilization(self) -> float:
        return self.server_cpu_seconds / self.seconds

    @property
    def load_bound(self) -> bool:
        """The generator, not the server, was the limit: the server can do more than was seen."""
        return self.load_cpu_seconds / self.seconds > 0.95 and self.server_utilization < 0.93


class Target(Protocol):
    """What the generator can be pointed at."""

    @property
    def name(self) -> str: ...
    @property
    def port(self) -> int: ...
    def cpu_seconds(self) -> float: ...


Sampler = Callable[[dict[str, Any]], None]


def run_load(server: Target, op: str, *, on_progress: Sampler | None = None, **options: str | float) -> Load:
    """Run `op` with the generator's options (underscores for dashes; "" for a flag).

    Raises LoadError on any error and any wrong answer; only `cache` may meet errors, which its caller counts.
    """
    if on_progress is not None:
        options.setdefault("progress_ms", 100)
    arguments: list[str] = []
    for name, value in options.items():
        arguments += [f"--{name.replace('_', '-')}", *([str(value)] if value != "" else [])]
    cpu_before, busy_before, began = server.cpu_seconds(), proc.machine_busy_seconds(), time.monotonic()
    command = [str(compiled("load")), "--port", str(server.port), "--op", op, *arguments]
    with proc.on_core(proc.load_core()):
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    last: dict[str, Any] = {}
    with _killed_at_end(process):
        assert process.stdout is not None
        assert process.stderr is not None
        for line in process.stdout:
            last = json.loads(line)
            if on_progress is not None and "errors" not in last:
                on_progress(last)
        complaint = process.stderr.read().strip()
        process.wait()
    cpu, busy, wall = (
        server.cpu_seconds() - cpu_before,
        proc.machine_busy_seconds() - busy_before,
        time.monotonic() - began,
    )
    if "errors" not in last:
        raise LoadError(f"{server.name}: {complaint or 'the load generator died'}")
    tolerated = op == "cache" and last["wrong"] == 0
    if process.returncode and not tolerated:
        errors = f"{last['errors']} errors (first: {last['first_error']!r})"
        raise LoadError(f"{server.name}: {op}: {errors}, {last['wrong']} wrong replies")
    others = max(0.0, busy - cpu - last["load_cpu_seconds"]) / (wall * len(proc.cores()))
    return Load(last["seconds"], last["replies"], cpu, last["load_cpu_seconds"], others, last)


@contextlib.contextmanager
def _killed_at_end(process: subprocess.Popen[str]) -> Iterator[None]:
    try:
        yield
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()


def fill(server: Server, keys: int, value: int = 64, **options: float) -> Load:
    """SET every key once."""
    merged: dict[str, str | float] = {"keys": keys, "value": value, "pipeline": 64, **options}
    load = run_load(server, "fill", on_progress=None, **merged)
    if "ttl_min_ms" not in options and server.keys() < keys:
        raise LoadError(f"{server.name}: {keys} keys were set, {server.keys()} are there")
    return load


@dataclass(frozen=True)
class Floor:
    """bench/load/floor.c at work: it answers without looking. No server can cost less than this here."""

    pid: int
    port: int
    name: str = "floor"

    def cpu_seconds(self) -> float:
        return proc.cpu_seconds(self.pid)


@contextlib.contextmanager
def floor_running(op: str, value: int) -> Iterator[Floor]:
    """The floor for one shape of request: GET or SET of 16-byte keys."""
    key = "k" * KEY_BYTES
    request = f"*2\r\n$3\r\nGET\r\n$16\r\n{key}\r\n"
    if op == "set":
        request = f"*3\r\n$3\r\nSET\r\n$16\r\n{key}\r\n${value}\r\n{'x' * value}\r\n"
    port = spare_port()
    command = [str(compiled("floor")), str(port), str(len(request)), str(value if op == "get" else 0)]
    with proc.on_core(proc.server_core()):
        process = subprocess.Popen(command)
    try:
        _wait_for(port)
        yield Floor(process.pid, port)
    finally:
        process.kill()
        process.wait()


def _wait_for(port: int) -> None:
    deadline = time.monotonic() + 5
    while True:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
            return
        except OSError:
            if time.monotonic() > deadline:
                raise LoadError("the floor server does not listen") from None
            time.sleep(0.02)
