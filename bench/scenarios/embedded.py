"""The embedded store against a dict and the caches of PyPI: time per operation, and resident bytes per key.

Every measurement is a fresh process (bench/embedded_worker.py), all with the same loop, alternated.
"""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

from bench import proc
from bench.context import Context
from bench.embedded_worker import SUBJECTS
from bench.results import Bar, Row
from bench.servers import GAPLESS

CACHEBOX, BURNER, DICT = "cachebox", "burner-redis", "dict"
SPEED = (Bar("at most", 1.0, (CACHEBOX,)), Bar("at most", 0.5, (BURNER,)))
RSS = (Bar("at most", 0.6, (DICT,)), Bar("at most", 0.5, (CACHEBOX,)), Bar("at most", 1 / 3, (BURNER,)))
TIMES = {
    "set": ("set, new keys", SPEED),
    "set_again": ("set, keys that exist", SPEED),
    "set_ttl": ("set with a TTL, new keys", SPEED),
    "set_ttl_again": ("set with a TTL, keys that exist", SPEED),
    "get": ("get, shuffled", SPEED),
    "get_fresh": ("get, shuffled, key objects not seen before", SPEED),
    "get_ttl": ("get of keys with a TTL, shuffled", SPEED),
    "get_in_order": ("get, in the order of the sets", ()),
    "get_missing": ("get of a key that is not there", ()),
}


def run(context: Context) -> None:
    keys = context.size(200_000, 50_000)
    times = {name: context.row(text, "us", *bars) for name, (text, bars) in TIMES.items()}
    memory_keys = context.size(1_000_000, 200_000)
    rss = context.row(f"RSS per key, {memory_keys:,} keys", "B", *RSS)
    rss_ttl = context.row(f"RSS per key with a TTL, {memory_keys:,} keys", "B")
    missing: set[str] = set()
    for number in range(context.rounds):
        for subject in SUBJECTS:
            if subject in missing or (subject == GAPLESS and GAPLESS not in context.servers):
                continue
            context.wait_for_quiet()
            context.progress(f"round {number + 1}: {subject}")
            measured = _worker(context, missing, subject, "time", keys)
            for name, microseconds in measured.items():
                times[name].add(subject, microseconds)
            for row, mode in ((rss, "rss"), (rss_ttl, "rss_ttl")):
                _add(row, subject, _worker(context, missing, subject, mode, memory_keys))


def _add(row: Row, subject: str, measured: dict[str, Any]) -> None:
    if "bytes_per_key" in measured:
        row.add(subject, measured["bytes_per_key"])


def _worker(context: Context, missing: set[str], subject: str, mode: str, keys: int) -> dict[str, Any]:
    command = [sys.executable, "-m", "bench.embedded_worker", subject, mode, str(keys)]
    with proc.on_core(proc.load_core()):
        run = subprocess.run(command, capture_output=True, text=True, check=False, cwd=proc.REPOSITORY)
    if run.returncode:
        said = run.stderr.strip().splitlines()
        context.failures.append(f"embedded: {subject}: {said[-1] if said else run.returncode}")
        missing.add(subject)
        return {}
    measured: dict[str, Any] = json.loads(run.stdout)
    if (slice_us := measured.pop("longest_slice_us", None)) is not None:
        context.note_slice(context.scenario, slice_us)
    return measured
