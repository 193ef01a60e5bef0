"""Random overwrites with new sizes at constant live bytes, three times over; RSS is sampled all along.

Live payload is what the generator knows. Every key is allowed its fixed cost, that of the memory bar. Judged
twice: the whole process, and its growth over the empty server, which tells the store from the interpreter.
"""

from __future__ import annotations

import time
from typing import Any

from bench import proc
from bench.client import KEY_BYTES, fill, run_load
from bench.context import Context
from bench.results import Bar
from bench.servers import Server

VALUE_BYTES_MIN = 20
VALUE_BYTES_MAX = 380
COST_PER_KEY_BYTES = 20
TIMES_OVER = 3
EASED_SECONDS = 5.0
LIMIT_DURING = 1.3
LIMIT_AFTER = 1.1


class Worst:
    """The highest RSS over live payload, sampled while the generator runs."""

    def __init__(self, server: Server, keys: int) -> None:
        self.server = server
        self.allowance_bytes = keys * COST_PER_KEY_BYTES
        self.empty_bytes = server.settled_rss_bytes()
        self.whole = self.grown = self.plain = 0.0

    def sample(self, progress: dict[str, Any]) -> None:
        rss_bytes, live_bytes = proc.rss_bytes_quick(self.server.pid), progress["live_bytes"]
        whole, grown = self.ratios(rss_bytes, live_bytes)
        self.whole, self.grown = max(self.whole, whole), max(self.grown, grown)
        self.plain = max(self.plain, rss_bytes / live_bytes)

    def ratios(self, rss_bytes: int, live_bytes: int) -> tuple[float, float]:
        above = rss_bytes - self.allowance_bytes
        return above / live_bytes, (above - self.empty_bytes) / live_bytes


def run(context: Context) -> None:
    keys = context.size(2_000_000, 200_000)
    after = f"{EASED_SECONDS:.0f} s after the load"
    whole = context.row("(RSS - fixed cost) / live, worst", "x", Bar("at most", LIMIT_DURING))
    whole_after = context.row(f"(RSS - fixed cost) / live, {after}", "x", Bar("at most", LIMIT_AFTER))
    grown = context.row("the same above the empty server, worst", "x", Bar("at most", LIMIT_DURING))
    grown_after = context.row(f"the same above the empty server, {after}", "x", Bar("at most", LIMIT_AFTER))
    plain = context.row("RSS / live, worst", "x")
    cpu = context.row("CPU of an overwrite", "us CPU/req")
    sizes = {"value_min": VALUE_BYTES_MIN, "value_max": VALUE_BYTES_MAX}
    for name in context.one_by_one(["redis-8.2-defrag"]):
        context.progress(name)
        with context.alone(name) as server:
            run_load(server, "raw", command="PING", requests=50_000, pipeline=64)
            worst = Worst(server, keys)
            fill(server, keys, KEY_BYTES, **sizes)
            load = run_load(
                server,
                "set",
                keys=keys,
                requests=TIMES_OVER * keys,
                pipeline=16,
                on_progress=worst.sample,
                **sizes,
            )
            worst.sample(load.result)
            time.sleep(EASED_SECONDS)
            eased = worst.ratios(server.rss_bytes(), load.result["live_bytes"])
        for row, value in (
            (whole, worst.whole), (whole_after, eased[0]), (grown, worst.grown), (grown_after, eased[1]),
            (plain, worst.plain), (cpu, load.cpu_us_per_request),
        ):  # fmt: skip
            row.add(name, value)
