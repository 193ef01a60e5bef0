"""SET and GET of 64 bytes, 1 M keys, 50 clients, pipeline 16 and 64: requests per second."""

from __future__ import annotations

from bench.client import fill
from bench.context import Context
from bench.results import Bar
from bench.servers import PEERS

LIMITS = {16: 1.5, 64: 2.0}


def run(context: Context) -> None:
    keys = context.size(1_000_000, 200_000)
    seconds = 0.7 if context.quick else 2.5
    with context.together() as servers:
        for server in servers:
            context.progress(f"{server.name}: {keys:,} keys")
            fill(server, keys)
        for pipeline, limit in LIMITS.items():
            for op in ("set", "get"):
                what = f"{op.upper()}, pipeline {pipeline}"
                row = context.row(what, "k req/s", Bar("at least", limit, PEERS))
                for number, server in context.alternate(servers):
                    context.progress(f"{what}, round {number + 1}: {server.name}")
                    load = context.measure(
                        row,
                        server,
                        op,
                        keys=keys,
                        value=64,
                        pipeline=pipeline,
                        seconds=seconds,
                        seed=number + 2,
                    )
                    row.add(server.name, load.requests_per_second / 1e3)
