"""Resident bytes above key and value, 2 M keys of 16 bytes.

Judged is the growth over the empty server that has had its clients already; the whole RSS stands beside it.
"""

from __future__ import annotations

from bench.client import KEY_BYTES, fill, run_load
from bench.context import Context
from bench.results import Bar

HOUR_MS = 3_600_000
CASES = ((16, False, 20.0), (64, False, 20.0), (200, False, 20.0), (64, True, 24.0))


def run(context: Context) -> None:
    keys = context.size(2_000_000, 300_000)
    for value, with_ttl, limit in CASES:
        what = f"value {value} B" + (", TTL" if with_ttl else "")
        grown = context.row(f"RSS above key + value, {what}", "B/key", Bar("at most", limit))
        whole = context.row(f"the same, of the whole RSS, {what}", "B/key")
        ttl = {"ttl_min_ms": HOUR_MS, "ttl_max_ms": 2 * HOUR_MS} if with_ttl else {}
        for name in context.one_by_one():
            context.progress(f"{what}: {name}")
            with context.alone(name) as server:
                run_load(server, "raw", command="PING", requests=50_000, pipeline=64)
                empty = server.settled_rss_bytes()
                fill(server, keys, value, **ttl)
                full = server.settled_rss_bytes()
            grown.add(name, (full - empty) / keys - KEY_BYTES - value)
            whole.add(name, full / keys - KEY_BYTES - value)
