"""dump.rdb: how long a million keys take to save and to load, and a million mixed keys from one Redis through
gapless to another.

The first is strings of 16 + 100 B that do not compress, saved with SAVE and BGSAVE, loaded with DEBUG RELOAD.
The exchange fails the scenario when DEBUG DIGEST is not the same on all three.
"""

from __future__ import annotations

import random
import shutil
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

from bench.client import LoadError
from bench.context import Context
from bench.results import Bar
from bench.servers import GAPLESS, PEERS, Server
from bench.wire import request

BATCH = 500
DEBUG = ("--enable-debug-command", "yes")
KEY_BYTES, VALUE_BYTES = 16, 100
LATER_MS = 4_000_000_000_000
LIMIT_SECONDS = 1.0
Command = tuple[str | int, ...]


def strings(count: int) -> Iterator[Command]:
    dice = random.Random(1)
    for number in range(count):
        yield "SET", f"{number:0{KEY_BYTES}}", f"{dice.getrandbits(VALUE_BYTES * 4):0{VALUE_BYTES}x}"


def mixed(count: int) -> Iterator[Command]:
    """Keys of every type, small and middling, some with an expiry."""
    dice = random.Random(2)
    for number in range(count):
        key, some = f"key:{number}", dice.choice((1, 3, 8, 8, 20, 150 if number % 50 == 0 else 8))
        words = [f"{dice.getrandbits(40):x}" for _ in range(some)]
        match number % 6:
            case 0:
                yield "SET", key, words[0] * some
            case 1:
                yield "HSET", key, *(word for word in words for _ in range(2))
            case 2:
                yield "SADD", key, *words
            case 3:
                yield "ZADD", key, *(item for at, word in enumerate(words) for item in (f"{at / 3}", word))
            case 4:
                yield "RPUSH", key, *words
            case 5:
                yield "XADD", key, "1-1", "field", words[0]
        if number % 4 == 0:
            yield "PEXPIREAT", key, LATER_MS + number


def fill(server: Server, commands: Iterable[Command]) -> None:
    parts: list[bytes] = []
    for command in commands:
        parts.append(request(*command))
        if len(parts) == BATCH:
            server.control.batch(b"".join(parts), len(parts))
            parts.clear()
    if parts:
        server.control.batch(b"".join(parts), len(parts))


def seconds(server: Server, *words: str) -> float:
    began = time.monotonic()
    server.control.call(*words)
    return time.monotonic() - began


def background_save(server: Server) -> float:
    began = time.monotonic()
    server.control.call("BGSAVE")
    while server.control.info("persistence")["rdb_bgsave_in_progress"] != "0":
        time.sleep(0.01)
    return time.monotonic() - began


def run(context: Context) -> None:
    count = context.size(1_000_000, 50_000)
    what = f"{count:,} strings of {KEY_BYTES} + {VALUE_BYTES} B"
    save = context.row(f"{what}, SAVE", "s", Bar("at most", 1.0, PEERS))
    background = context.row("BGSAVE until it is done, no other client", "s")
    load = context.row("loading, by DEBUG RELOAD NOSAVE", "s", Bar("at most", LIMIT_SECONDS))
    for name in context.one_by_one():
        with context.alone(name, *DEBUG) as server:
            context.progress(f"{name}: {what}")
            fill(server, strings(count))
            save.add(name, seconds(server, "SAVE"))
            background.add(name, background_save(server))
            load.add(name, seconds(server, "DEBUG", "RELOAD", "NOSAVE"))
    _exchange(context, context.size(1_000_000, 50_000))


def _exchange(context: Context, count: int) -> None:
    peers = [name for name in PEERS if name in context.servers]
    if not peers or GAPLESS not in context.servers:
        return
    row = context.row(f"{count:,} mixed keys: loaded and saved again, DEBUG DIGEST equal", "s")
    peer = peers[0]
    with context.alone(peer, *DEBUG) as first, context.alone(GAPLESS, *DEBUG) as ours:
        context.progress(f"{peer}: {count:,} mixed keys")
        fill(first, mixed(count))
        first.control.call("SAVE")
        wanted = first.control.call("DEBUG", "DIGEST")
        began = time.monotonic()
        _reload(first, ours)
        ours.control.call("SAVE")
        row.add(GAPLESS, time.monotonic() - began)
        began = time.monotonic()
        _reload(ours, first)
        first.control.call("SAVE")
        row.add(peer, time.monotonic() - began)
        if ours.control.call("DEBUG", "DIGEST") != wanted or first.control.call("DEBUG", "DIGEST") != wanted:
            raise LoadError("what came through dump.rdb is not what was there")


def _reload(source: Server, target: Server) -> None:
    """The target loads what the source has saved."""
    shutil.copy(Path(source.log).parent / "dump.rdb", Path(target.log).parent / "dump.rdb")
    target.control.call("DEBUG", "RELOAD", "NOSAVE")
