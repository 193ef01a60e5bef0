"""The floor: what a server that does nothing reaches with this load generator on this machine."""

from __future__ import annotations

from bench.client import floor_running
from bench.context import Context


def run(context: Context) -> None:
    seconds = 0.5 if context.quick else 1.5
    for pipeline in (16, 64, 1):
        for op in ("set", "get"):
            what = f"{op.upper()}, pipeline {pipeline}"
            speed, cpu = context.row(what, "k req/s"), context.row(what, "us CPU/req")
            for number in range(context.rounds):
                context.progress(f"{what}, round {number + 1}")
                with floor_running(op, 64) as floor:
                    load = context.measure(speed, floor, op, pipeline=pipeline, seconds=seconds, unchecked="")
                speed.add(floor.name, load.requests_per_second / 1e3)
                cpu.add(floor.name, load.cpu_us_per_request)
