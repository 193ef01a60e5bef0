"""The lab's probe beside a benchmark: another client, whose every GET is meant to leave at its moment."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from bench import proc
from bench.client import LoadError
from bench.servers import Server
from gapless.lab.probe import KEY, VALUE, ProbeOrders, Samples
from gapless.lab.wire import Address

INTERVAL_SECONDS = 0.0005


class Probe:
    """What was seen is there when the probe has ended."""

    def __init__(self, server: str) -> None:
        self.samples = Samples()
        self._server = server

    def longest_ms(self, first: float, last: float) -> float:
        """Of the GETs meant to leave between two moments of time.monotonic(). Raises LoadError if
        there were none.
        """
        around = [
            latency
            for at, latency in zip(self.samples.at, self.samples.latency, strict=True)
            if first <= at <= last
        ]
        if not around:
            raise LoadError(f"{self._server}: the probe saw nothing")
        return max(around) * 1000


@contextmanager
def probing(server: Server) -> Iterator[Probe]:
    """A probe of `server` from a moment after now until the block ends."""
    server.control.call("SET", KEY.decode(), VALUE.decode())
    orders = ProbeOrders(Address("127.0.0.1", server.port), INTERVAL_SECONDS)
    probe = Probe(server.name)
    with proc.on_core(proc.load_core()):
        process = subprocess.Popen(
            [sys.executable, "-m", "gapless.lab.probe"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
    try:
        assert process.stdin is not None
        process.stdin.write(orders.to_json().encode() + b"\n")
        process.stdin.flush()
        yield probe
        said, _ = process.communicate()
        probe.samples = Samples.from_bytes(said)
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
