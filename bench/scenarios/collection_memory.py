"""Resident bytes of collections: an element of one of 1 M, all elements 16 bytes; a hash of 5 fields of 10
bytes.

Growth over the empty server that has had its clients already; the payload is in it.
"""

from __future__ import annotations

from collections.abc import Callable

from bench.client import run_load
from bench.context import Context
from bench.results import Bar
from bench.scenarios.collections import KINDS, fill_large, knows
from bench.servers import GAPLESS, PEERS, Server

ELEMENT_LIMIT = 0.7
COLLECTION_LIMIT = 0.9
FIELDS = " ".join(f"field-{number:04d} value-{number:04d}" for number in range(5))


def run(context: Context) -> None:
    elements = context.size(1_000_000, 200_000)
    for kind in KINDS:
        _measure(
            context,
            f"an element of a {kind.name} of {elements // 1000:,} k",
            ELEMENT_LIMIT,
            elements,
            kind.steps[0].command,
            lambda server, kind=kind: fill_large(server, kind, elements),  # type: ignore[misc]
        )
    _measure(
        context,
        f"a hash of 5 fields of 10 B, {elements // 1000:,} k of them",
        COLLECTION_LIMIT,
        elements,
        "HSET",
        lambda server: _fill_hashes(server, elements),
    )


def _fill_hashes(server: Server, count: int) -> None:
    run_load(server, "raw", command=f"HSET h{{p}} {FIELDS}", keys=count, requests=count, pipeline=64)


def _measure(
    context: Context, what: str, limit: float, count: int, command: str, fill: Callable[[Server], None]
) -> None:
    row = context.row(what, "B", Bar("at most", limit, PEERS))
    for name in context.one_by_one():
        context.progress(f"{what}: {name}")
        with context.alone(name) as server:
            if name == GAPLESS and not knows(server, command):
                row.notes.add(f"{name} has no {command.split(maxsplit=1)[0]}")
                continue
            run_load(server, "raw", command="PING", requests=50_000, pipeline=64)
            empty = server.settled_rss_bytes()
            fill(server)
            row.add(name, (server.settled_rss_bytes() - empty) / count)

