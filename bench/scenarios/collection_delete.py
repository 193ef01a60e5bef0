"""DEL of a sorted set of 10 M elements: what another client sees of it.

The other client sends a GET every half millisecond, meant to leave at that moment; the longest delay from a
tenth of a second before the DEL to three seconds after it. Beside it the longest in as long a time without a
DEL: what the machine itself does to a client.
"""

from __future__ import annotations

import time

from bench.context import Context
from bench.probe import probing
from bench.results import Bar
from bench.scenarios.collections import KINDS, fill_large, knows
from bench.servers import Server

LIMIT_MS = 1.0
BEFORE_SECONDS, AFTER_SECONDS = 0.1, 3.0


def run(context: Context) -> None:
    elements = context.size(10_000_000, 1_000_000)
    kind = next(kind for kind in KINDS if kind.name == "sorted set")
    what = f"DEL of a sorted set of {elements // 1_000_000} M"
    delay = context.row(f"{what}, longest delay of another client", "ms", Bar("at most", LIMIT_MS))
    idle = context.row("the same without a DEL", "ms")
    took = context.row(f"{what}, until it is answered", "ms")
    for name in context.one_by_one():
        with context.alone(name) as server:
            if not knows(server, kind.fill_one):
                delay.notes.add(f"{name} has no ZADD")
                continue
            context.progress(f"{name}: {elements:,} elements")
            fill_large(server, kind, elements)
            context.progress(f"{name}: without a DEL")
            idle.add(name, _longest_delay_ms(server, "PING")[0])
            context.progress(f"{name}: DEL")
            longest, seconds = _longest_delay_ms(server, "DEL large")
            delay.add(name, longest)
            took.add(name, seconds * 1000)


def _longest_delay_ms(server: Server, command: str) -> tuple[float, float]:
    """Of the probe's around this command; and how many seconds the command took."""
    with probing(server) as probe:
        time.sleep(1.0)
        began = time.monotonic()
        server.control.call(*command.split())
        seconds = time.monotonic() - began
        time.sleep(AFTER_SECONDS)
    return probe.longest_ms(began - BEFORE_SECONDS, began + AFTER_SECONDS), seconds
