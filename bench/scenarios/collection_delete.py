"""DEL of a sorted set of 10 M elements: what another client sees of it.

The other client sends a GET every half millisecond, meant to leave at that moment; the longest delay from a
tenth of a second before the DEL to three seconds after it. Beside it the longest in as long a time without a
DEL: what the machine itself does to a client.
"""

from __future__ import annotations

import subprocess
import sys
import time

from bench import proc
from bench.client import LoadError
from bench.context import Context
from bench.results import Bar
from bench.scenarios.collections import KINDS, fill_large, knows
from bench.servers import Server
from gapless.lab.probe import KEY, VALUE, ProbeOrders, Samples
from gapless.lab.wire import Address

LIMIT_MS = 1.0
BEFORE_SECONDS, AFTER_SECONDS = 0.1, 3.0
INTERVAL_SECONDS = 0.0005


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
            server.control.call("SET", KEY.decode(), VALUE.decode())
            context.progress(f"{name}: without a DEL")
            idle.add(name, _longest_delay_ms(server, "PING")[0])
            context.progress(f"{name}: DEL")
            longest, seconds = _longest_delay_ms(server, "DEL large")
            delay.add(name, longest)
            took.add(name, seconds * 1000)


def _longest_delay_ms(server: Server, command: str) -> tuple[float, float]:
    """Of the probe's around this command; and how many seconds the command took."""
    orders = ProbeOrders(Address("127.0.0.1", server.port), INTERVAL_SECONDS)
    with proc.on_core(proc.load_core()):
        probe = subprocess.Popen(
            [sys.executable, "-m", "gapless.lab.probe"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
    try:
        assert probe.stdin is not None
        probe.stdin.write(orders.to_json().encode() + b"\n")
        probe.stdin.flush()
        time.sleep(1.0)
        began = time.monotonic()
        server.control.call(*command.split())
        seconds = time.monotonic() - began
        time.sleep(AFTER_SECONDS)
        said, _ = probe.communicate()
    finally:
        if probe.poll() is None:
            probe.kill()
            probe.wait()
    samples = Samples.from_bytes(said)
    around = [
        latency
        for at, latency in zip(samples.at, samples.latency, strict=True)
        if began - BEFORE_SECONDS <= at <= began + AFTER_SECONDS
    ]
    if not around:
        raise LoadError(f"{server.name}: the probe saw nothing")
    return max(around) * 1000, seconds
