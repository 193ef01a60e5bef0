"""`gapless lab crisis`, run as an operator would, and held against its bars.

Resident memory over live payload is judged plain, and as growth over the empty server less 20 bytes a key (24
with a TTL): the second tells the store from the interpreter around it.

With hashes, sorted sets and lists the bars are others: half of what Redis keeps with activedefrag, and little
more than a fresh server takes for the same survivors.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from bench.client import LoadError
from bench.context import Context
from bench.results import Bar, Row
from bench.servers import GAPLESS, REGISTRY

MOMENTS = (("churning_worst", "worst while churning", 1.3), ("after", "after the waves", 1.15))
RATIOS = (("plain", "RSS / live payload"), ("above_allowance", "(RSS - base - fixed cost) / live payload"))
PHASES = ("churning", "expiring")
PEER = "redis-8.2"
PROBE_LIMIT = 0.2
TYPES_LIMIT = 0.5
FLOOR_LIMIT = 1.3


def run(context: Context) -> None:
    rows: dict[str, Row] = {}
    for ratio, text in RATIOS:
        for moment, when, limit in MOMENTS:
            rows[f"{ratio} {moment}"] = context.row(f"{text}, {when}", "x", Bar("at most", limit))
    for phase in PHASES:
        bar = Bar("at most", PROBE_LIMIT, (PEER, f"{PEER}-defrag"))
        rows[phase] = context.row(f"p99.9 of the probe while {phase}", "ms", bar)
    rows["cpu"] = context.row("server CPU", "s")
    for number in range(context.rounds):
        context.progress(f"round {number + 1} (a minute or two for each server)")
        for server in _lab(context):
            _take(rows, server)
            if server["longest_slice_us"] is not None:
                context.note_slice(context.scenario, server["longest_slice_us"])


def types(context: Context) -> None:
    after = context.row(
        "RSS / live payload, after the waves", "x", Bar("at most", TYPES_LIMIT, (f"{PEER}-defrag",))
    )
    floor = context.row("RSS / that of a fresh server with the survivors", "x", Bar("at most", FLOOR_LIMIT))
    worst = context.row("RSS / live payload, worst while churning", "x")
    probe = context.row("p99.9 of the probe while churning", "ms")
    cpu = context.row("server CPU", "s")
    for number in range(context.rounds):
        context.progress(f"round {number + 1} (a minute or two for each server)")
        for server in _lab(context, "--types"):
            subject = _subject(server)
            refused = f": {server['commands_refused']} commands refused" if server["commands_refused"] else ""
            if server["failure"] or refused:
                after.notes.add(f"{subject} failed: {server['failure'] or ''}{refused}")
                continue
            after.add(subject, server["rss_over_payload"]["after"]["plain"])
            worst.add(subject, server["rss_over_payload"]["churning_worst"]["plain"])
            floor.add(subject, server["rss_over_floor"])
            probe.add(subject, server["probe_ms"]["churning"]["p999"])
            cpu.add(subject, server["server_cpu_seconds"])
            if server["longest_slice_us"] is not None:
                context.note_slice(context.scenario, server["longest_slice_us"])


def _lab(context: Context, *options: str) -> list[dict[str, Any]]:
    """One experiment with gapless and each Redis that is to be measured."""
    with tempfile.TemporaryDirectory(prefix="gapless-bench-") as directory:
        result = Path(directory) / "crisis.json"
        command = [sys.executable, "-m", "gapless", "lab", "crisis", "--json", str(result)]
        command += ["--no-report", *options]
        for name in context.servers:
            if name != GAPLESS:
                command += ["--peer", REGISTRY[name].command()[0]]
        if GAPLESS not in context.servers:
            command += ["--no-gapless"]
        if context.quick:
            command += ["--quick"]
        run = subprocess.run(command, capture_output=True, text=True, check=False)
        if run.returncode or not result.exists():
            said = (run.stderr or run.stdout).strip().splitlines()
            raise LoadError(f"gapless lab crisis failed: {said[-1] if said else run.returncode}")
        runs = json.loads(result.read_text())["runs"]
        return [server for server in runs if isinstance(server, dict)]


def _take(rows: dict[str, Row], server: dict[str, Any]) -> None:
    subject = _subject(server)
    if server["failure"]:
        rows["cpu"].notes.add(f"{subject} failed: {server['failure']}")
        return
    for moment, _, _ in MOMENTS:
        ratios = server["rss_over_payload"][moment]
        for ratio, _ in RATIOS:
            rows[f"{ratio} {moment}"].add(subject, ratios[ratio])
    for phase in PHASES:
        rows[phase].add(subject, server["probe_ms"][phase]["p999"])
    rows["cpu"].add(subject, server["server_cpu_seconds"])


def _subject(server: dict[str, Any]) -> str:
    """The registry's name for what the experiment calls, say, `Redis 8.2.3`, `activedefrag yes`."""
    product, _, version = server["name"].lower().partition(" ")
    if product == GAPLESS:
        return GAPLESS
    name = f"{product}-{'.'.join(version.split('.')[:2])}"
    return f"{name}-defrag" if server["variant"].endswith("yes") else name
