"""The machine's Debian package index, some 60,000 records, in gapless and its peers: the same queries, the
same replies.

See bench/packages.py for what is stored where. A query is timed from its first command, sent in one batch, to
its last reply. Replies that differ fail the scenario. Commands that a server has not are left out for all.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator

from bench import proc
from bench.client import LoadError
from bench.context import Context
from bench.packages import UNORDERED, Command, NoIndexError, commands, queries, records
from bench.results import Bar
from bench.scenarios.collections import knows
from bench.servers import PEERS, Server
from bench.wire import Reply, request

BATCH = 200
Batch = tuple[bytes, int]


def run(context: Context) -> None:
    context.progress("reading the package index")
    try:
        found = records()[: context.size(1_000_000, 5_000)]
    except NoIndexError as error:
        raise LoadError(str(error)) from None
    asked = queries(found)
    with context.together() as servers:
        every = {command[0] for command in commands(found)} | {query[0][0] for query in asked.values()}
        missing = {name for name in every if not all(knows(server, name) for server in servers)}
        loading = context.row(f"loading {len(found):,} records", "s")
        loading_cpu = context.row("CPU of that", "s")
        memory = context.row("RSS above the empty server", "MB", Bar("at most", 1.0, PEERS))
        for row in (loading,) if missing else ():
            row.notes.add(f"left out: {', '.join(sorted(missing))}")
        sent = list(_batches(command for command in commands(found) if command[0] not in missing))
        for server in servers:
            empty, cpu, began = server.settled_rss_bytes(), server.cpu_seconds(), time.monotonic()
            for number, (data, count) in enumerate(sent):
                if number % 100 == 0:
                    context.progress(f"loading into {server.name}: {number * 100 // len(sent)} %")
                server.control.batch(data, count)
            loading.add(server.name, time.monotonic() - began)
            loading_cpu.add(server.name, server.cpu_seconds() - cpu)
            memory.add(server.name, (server.settled_rss_bytes() - empty) / 1e6)
        for what, query in asked.items():
            if query[0][0] not in missing:
                _ask(context, servers, what, query)


def _batches(every: Iterable[Command]) -> Iterator[Batch]:
    parts: list[bytes] = []
    for command in every:
        parts.append(request(*command))
        if len(parts) == BATCH:
            yield b"".join(parts), BATCH
            parts.clear()
    if parts:
        yield b"".join(parts), len(parts)


def _ask(context: Context, servers: list[Server], what: str, query: list[Command]) -> None:
    took = context.row(what, "ms")
    cpu = context.row(what, "ms CPU")
    data = b"".join(request(*command) for command in query)
    replies: dict[str, list[Reply]] = {}
    for number, server in context.alternate(servers):
        context.progress(f"{what}, round {number + 1}: {server.name}")
        with proc.on_core(proc.load_core()):
            used, began = server.cpu_seconds(), time.monotonic()
            answered = server.control.batch(data, len(query))
            took.add(server.name, (time.monotonic() - began) * 1000)
            cpu.add(server.name, (server.cpu_seconds() - used) * 1000)
        replies[server.name] = [_in_order(query[0][0], reply) for reply in answered]
    first = servers[0].name
    for server in servers[1:]:
        if replies[server.name] != replies[first]:
            raise LoadError(f"{what}: {server.name} replies otherwise than {first}")


def _in_order(command: str, reply: Reply) -> Reply:
    if command not in UNORDERED or not isinstance(reply, list):
        return reply
    if command == "HGETALL":
        pairs = sorted(zip(reply[::2], reply[1::2], strict=True), key=str)
        return [part for pair in pairs for part in pair]
    return sorted(reply, key=str)
