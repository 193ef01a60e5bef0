"""What compacting the files costs others, and how large the files get.

2 GB of values of 1000 bytes are rewritten by BGREWRITEAOF while 20,000 of them a second are overwritten:
memory beyond what was resident before, the private memory of a forked child included, and the longest delay
of a probe. Then overwrites at full speed, five times over: bytes in files over live keys and values, every 50
ms.
"""

from __future__ import annotations

import contextlib
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bench import proc
from bench.client import KEY_BYTES, fill, run_load
from bench.context import Context
from bench.probe import probing
from bench.results import Bar
from bench.servers import GAPLESS, Server

PEER = "redis-8.2"
VALUE_BYTES = 1000
RATE = 20_000
BEFORE_SECONDS = 3.0
EXTRA_MB_MAX = 64.0
DELAY_MS_MAX = 2.0
SMALL_VALUE_BYTES = 200
TIMES_OVER = 5
SIZE_LIMIT = 2.2
SAMPLE_MS = 50


def _compared(context: Context) -> Iterator[str]:
    return (name for name in context.one_by_one() if name in (PEER, GAPLESS))


@contextlib.contextmanager
def _alone(context: Context, name: str) -> Iterator[tuple[Server, Path]]:
    """A server with a directory of its own."""
    with (
        tempfile.TemporaryDirectory(prefix="gapless-bench-") as directory,
        context.alone(name, data=Path(directory)) as server,
    ):
        yield server, Path(directory)


def compaction(context: Context) -> None:
    keys = context.size(2_000_000, 100_000)
    seconds = 10.0 if context.quick else 60.0
    size = f"{keys * VALUE_BYTES / 1e9:g} GB"
    extra = context.row(
        f"compacting {size} under writes: peak extra memory", "MB", Bar("at most", EXTRA_MB_MAX)
    )
    delay = context.row("longest delay of a probe meanwhile", "ms", Bar("at most", DELAY_MS_MAX))
    idle = context.row("the same before, under the same writes", "ms")
    took = context.row("the compaction", "s")
    for name in _compared(context):
        with _alone(context, name) as (server, _):
            context.progress(f"{name}: {keys:,} keys")
            fill(server, keys, VALUE_BYTES)
            context.progress(f"{name}: compacting")
            watch = _Watch(server)
            with probing(server) as probe:
                run_load(
                    server,
                    "set",
                    keys=keys,
                    value=VALUE_BYTES,
                    rate=RATE,
                    clients=10,
                    pipeline=4,
                    seconds=seconds,
                    on_progress=watch,
                    progress_ms=SAMPLE_MS,
                )
            if not watch.ended:
                extra.notes.add(f"{name}: not done after {seconds:.0f} s")
            extra.add(name, watch.extra_bytes / 1e6)
            delay.add(name, probe.longest_ms(watch.began, watch.ended or time.monotonic()))
            idle.add(name, probe.longest_ms(watch.began - BEFORE_SECONDS / 2, watch.began))
            took.add(name, (watch.ended or time.monotonic()) - watch.began)


def size(context: Context) -> None:
    keys = context.size(2_000_000, 100_000)
    worst = context.row(
        "bytes in files / live under endless overwrites, worst", "x", Bar("at most", SIZE_LIMIT)
    )
    blocks = context.row("the same, with what is reserved on the disk", "x")
    after = context.row("bytes in files / live at the end", "x")
    live_bytes = keys * (KEY_BYTES + SMALL_VALUE_BYTES)
    for name in _compared(context):
        with _alone(context, name) as (server, directory):
            context.progress(name)
            fill(server, keys, SMALL_VALUE_BYTES)
            sizes: list[tuple[int, int]] = []

            def sample(_: dict[str, Any], sizes: list[tuple[int, int]] = sizes, at: Path = directory) -> None:
                sizes.append(_bytes_in(at))

            run_load(
                server,
                "set",
                keys=keys,
                value=SMALL_VALUE_BYTES,
                requests=TIMES_OVER * keys,
                on_progress=sample,
                progress_ms=SAMPLE_MS,
            )
            sample({})
        worst.add(name, max(written for written, _ in sizes) / live_bytes)
        blocks.add(name, max(taken for _, taken in sizes) / live_bytes)
        after.add(name, sizes[-1][0] / live_bytes)


class _Watch:
    """Called all along the load: starts the compaction when the load has settled, then looks at memory
    until it is done.
    """

    def __init__(self, server: Server) -> None:
        self.extra_bytes = 0
        self.began = self.ended = 0.0
        self._server = server
        self._settled = time.monotonic() + BEFORE_SECONDS
        self._before_bytes = 0

    def __call__(self, _: dict[str, Any]) -> None:
        pid = self._server.pid
        if not self.began:
            if time.monotonic() >= self._settled:
                self._before_bytes = proc.rss_bytes_quick(pid)
                self.began = time.monotonic()
                self._server.control.call("BGREWRITEAOF")
        elif not self.ended:
            now_bytes = proc.rss_bytes_quick(pid) + sum(map(proc.private_bytes, proc.children(pid)))
            self.extra_bytes = max(self.extra_bytes, now_bytes - self._before_bytes)
            if self._server.control.info("persistence").get("aof_rewrite_in_progress") == "0":
                self.ended = time.monotonic()


def _bytes_in(directory: Path) -> tuple[int, int]:
    """Lengths of all files, and what they take on the disk."""
    written = taken = 0
    for path in directory.rglob("*"):
        with contextlib.suppress(FileNotFoundError):
            state = path.stat()
            if path.is_file():
                written += state.st_size
                taken += state.st_blocks * 512
    return written, taken
