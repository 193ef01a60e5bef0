"""The longest background slice: of this scenario's own churn, and of all scenarios that ran before it.

Beside it, how long the machine holds up a loop that only reads the clocks: a virtual machine pauses both.
"""

from __future__ import annotations

import time

from bench import proc
from bench.client import fill, run_load
from bench.context import Context
from bench.results import Bar
from bench.servers import GAPLESS

LIMIT_US = 500.0
IDLE_LOOP = "bare loop"


def run(context: Context) -> None:
    if GAPLESS in context.servers:
        _churn(context)
    seconds = context.size(20, 1)
    context.progress("a bare loop")
    pause = context.row(f"longest pause of a loop that reads the clocks, {seconds} s", "us")
    pause.add(IDLE_LOOP, _longest_pause_us(seconds))
    for scenario, slice_us in context.longest_slice_us.items():
        row = context.row(f"longest background slice in {scenario}", "us", Bar("at most", LIMIT_US))
        row.add(GAPLESS, slice_us)
    if not context.longest_slice_us:
        row = context.row("longest background slice", "us", Bar("at most", LIMIT_US))
        row.notes.add("gapless did not say")


def _churn(context: Context) -> None:
    """Everything that leaves work behind: keys that expire together, overwrites of other sizes, FLUSHALL."""
    keys = context.size(1_000_000, 200_000)
    for number in range(context.rounds):
        context.progress(f"round {number + 1}")
        with context.alone(GAPLESS) as server:
            fill(server, keys, 100, ttl_min_ms=1000, ttl_max_ms=3000)
            fill(server, keys, 64, key_start=keys, value_min=20, value_max=380)
            run_load(server, "set", keys=keys, key_start=keys, requests=2 * keys, value_min=20, value_max=380)
            server.control.call("FLUSHALL")
            fill(server, keys, 300)
            time.sleep(1.0)


def _longest_pause_us(seconds: int) -> float:
    """As a slice is measured: the thread's CPU time between two looks, at most the time that passed."""
    longest = 0
    with proc.on_core(proc.server_core()):
        end = time.monotonic_ns() + seconds * 10**9
        passed, used = time.monotonic_ns(), time.thread_time_ns()
        while passed < end:
            before = passed, used
            passed, used = time.monotonic_ns(), time.thread_time_ns()
            longest = max(longest, min(passed - before[0], used - before[1]))
    return longest / 1000
