"""20 M keys, uniformly random GETs, pipeline 16: every look-up misses the caches."""

from __future__ import annotations

from bench.client import KEY_BYTES, fill
from bench.context import Context
from bench.results import Bar
from bench.servers import PEERS

VALUE_BYTES = 64


def run(context: Context) -> None:
    keys = context.size(20_000_000, 2_000_000)
    seconds = 1.0 if context.quick else 4.0
    millions = f"{keys // 1_000_000} M keys"
    speed = context.row(f"GET, {millions}, pipeline 16", "k req/s", Bar("at least", 2.0, PEERS))
    cpu = context.row(f"GET, {millions}, pipeline 16", "us CPU/req")
    filling = context.row(f"filling {millions}, pipeline 64", "us CPU/req")
    memory = context.row(f"RSS above key + value, {millions}", "B/key")
    with context.together() as servers:
        for server in servers:
            context.progress(f"{server.name}: {keys:,} keys")
            empty = server.settled_rss_bytes()
            filling.add(server.name, fill(server, keys, VALUE_BYTES).cpu_us_per_request)
            memory.add(server.name, (server.settled_rss_bytes() - empty) / keys - KEY_BYTES - VALUE_BYTES)
        for number, server in context.alternate(servers):
            context.progress(f"round {number + 1}: {server.name}")
            load = context.measure(
                speed,
                server,
                "get",
                keys=keys,
                value=VALUE_BYTES,
                pipeline=16,
                seconds=seconds,
                seed=number + 2,
            )
            speed.add(server.name, load.requests_per_second / 1e3)
            cpu.add(server.name, load.cpu_us_per_request)
