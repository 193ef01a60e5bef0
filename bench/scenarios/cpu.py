"""Server CPU per request over a fixed number of requests, with pipeline 16 and without.

Noise of other programs hardly touches it, unlike requests per second.
"""

from __future__ import annotations

from bench.client import fill, floor_running
from bench.context import Context
from bench.results import Bar
from bench.servers import PEERS

LIMITS = {16: 0.55, 1: 0.9}


def run(context: Context) -> None:
    keys = context.size(1_000_000, 200_000)
    with context.together() as servers:
        for server in servers:
            context.progress(f"{server.name}: {keys:,} keys")
            fill(server, keys)
        for pipeline, limit in LIMITS.items():
            requests = context.size(2_000_000, 300_000) if pipeline > 1 else context.size(250_000, 50_000)
            for op in ("set", "get"):
                what = f"{op.upper()}, " + (f"pipeline {pipeline}" if pipeline > 1 else "no pipeline")
                row = context.row(what, "us CPU/req", Bar("at most", limit, PEERS))
                for number, server in context.alternate(servers):
                    context.progress(f"{what}, round {number + 1}: {server.name}")
                    load = context.measure(
                        row,
                        server,
                        op,
                        keys=keys,
                        value=64,
                        pipeline=pipeline,
                        requests=requests,
                        seed=number + 2,
                    )
                    row.add(server.name, load.cpu_us_per_request)
                with floor_running(op, 64) as floor:
                    load = context.measure(
                        row, floor, op, keys=keys, pipeline=pipeline, requests=requests, unchecked=""
                    )
                    row.add(floor.name, load.cpu_us_per_request)
