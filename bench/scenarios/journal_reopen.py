"""From the start of a server to its first reply, on the files of 5 M keys of 16 and values of 100 bytes.

Redis loads the commands it appended (aof-use-rdb-preamble no, nothing rewritten), and the snapshot it makes
of them (yes, rewritten once); gapless its journal, closed by SIGTERM, and once more after SIGKILL. The files
are in the system's cache.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

from bench.client import LoadError, fill
from bench.context import Context
from bench.results import Bar, Row
from bench.servers import GAPLESS, Server

PEER = "redis-8.2"
AOF, SNAPSHOT = f"{PEER} AOF", f"{PEER} snapshot"
VALUE_BYTES = 100
REWRITE_SECONDS_MAX = 600.0
NEVER_BY_ITSELF = ("--auto-aof-rewrite-percentage", "0")


def run(context: Context) -> None:
    keys = context.size(5_000_000, 200_000)
    size = f"{keys / 1e6:g} M keys"
    ready = context.row(
        f"start until ready, {size}", "s", Bar("at most", 0.5, (AOF,)), Bar("at most", 1.0, (SNAPSHOT,))
    )
    killed = context.row(f"start until ready after SIGKILL, {size}", "s")
    with tempfile.TemporaryDirectory(prefix="gapless-bench-") as directory:
        if PEER in context.servers:
            data = Path(directory) / PEER
            _filled(context, PEER, data, keys, *NEVER_BY_ITSELF, "--aof-use-rdb-preamble", "no")
            _measure(context, ready, AOF, PEER, data, keys, *NEVER_BY_ITSELF)
            with context.alone(PEER, *NEVER_BY_ITSELF, data=data) as server:
                context.progress(f"{PEER}: rewriting")
                _rewrite(server)
            _measure(context, ready, SNAPSHOT, PEER, data, keys, *NEVER_BY_ITSELF)
        if GAPLESS in context.servers:
            data = Path(directory) / GAPLESS
            _filled(context, GAPLESS, data, keys)
            _measure(context, ready, GAPLESS, GAPLESS, data, keys)
            for _ in range(context.rounds):
                with context.alone(GAPLESS, data=data) as server:
                    server.process.kill()
                    server.process.wait()
                _measure_once(context, killed, GAPLESS, GAPLESS, data, keys)


def _filled(context: Context, name: str, data: Path, keys: int, *options: str) -> None:
    data.mkdir()
    with context.alone(name, *options, data=data) as server:
        context.progress(f"{name}: {keys:,} keys")
        fill(server, keys, VALUE_BYTES)


def _measure(
    context: Context, row: Row, subject: str, name: str, data: Path, keys: int, *options: str
) -> None:
    for _ in range(context.rounds):
        _measure_once(context, row, subject, name, data, keys, *options)


def _measure_once(
    context: Context, row: Row, subject: str, name: str, data: Path, keys: int, *options: str
) -> None:
    context.wait_for_quiet()
    context.progress(f"{subject}: starting")
    began = time.monotonic()
    with context.alone(name, *options, data=data) as server:
        seconds = time.monotonic() - began
        if server.keys() != keys:
            raise LoadError(f"{subject}: {server.keys():,} keys came back, not {keys:,}")
        row.add(subject, seconds)


def _rewrite(server: Server) -> None:
    server.control.call("BGREWRITEAOF")
    deadline = time.monotonic() + REWRITE_SECONDS_MAX
    while server.control.info("persistence").get("aof_rewrite_in_progress") != "0":
        if time.monotonic() > deadline:
            raise LoadError(f"{server.name}: the rewrite took more than {REWRITE_SECONDS_MAX:.0f} s")
        time.sleep(0.1)
