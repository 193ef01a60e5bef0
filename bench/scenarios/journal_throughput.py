"""SET of 64 bytes by servers that keep what they acknowledge: everysec with pipelines, always without.

50 clients, 1 M keys; each server's files in a directory of its own on the disk of the temporary files.
"""

from __future__ import annotations

import tempfile
from contextlib import ExitStack
from pathlib import Path

from bench.client import fill
from bench.context import Context
from bench.results import Bar
from bench.servers import GAPLESS

PEER = "redis-8.2"
POLICIES = (("everysec", 16, 1.5), ("always", 1, 1.0))


def run(context: Context) -> None:
    keys = context.size(1_000_000, 100_000)
    seconds = 0.7 if context.quick else 5.0
    for policy, pipeline, limit in POLICIES:
        what = f"SET, appendfsync {policy}, pipeline {pipeline}"
        row = context.row(what, "k req/s", Bar("at least", limit, (PEER,)))
        cpu = context.row(f"{what}: server CPU", "us CPU/req")
        with ExitStack() as stack:
            directory = stack.enter_context(tempfile.TemporaryDirectory(prefix="gapless-bench-"))
            servers = []
            for name in context.servers:
                if name in (PEER, GAPLESS):
                    data = Path(directory) / name
                    data.mkdir()
                    servers.append(
                        stack.enter_context(context.alone(name, "--appendfsync", policy, data=data))
                    )
            for server in servers:
                context.progress(f"{server.name}: {keys:,} keys")
                server.set_config("appendfsync", "no")
                fill(server, keys)
                server.set_config("appendfsync", policy)
            for number, server in context.alternate(servers):
                context.progress(f"{what}, round {number + 1}: {server.name}")
                load = context.measure(
                    row,
                    server,
                    "set",
                    keys=keys,
                    value=64,
                    pipeline=pipeline,
                    seconds=seconds,
                    seed=number + 2,
                )
                row.add(server.name, load.requests_per_second / 1e3)
                cpu.add(server.name, load.cpu_us_per_request)
