"""The embedded store with a path, against the stores of PyPI that keep their keys in files.

Every measurement is a fresh process (bench/journal_worker.py) on a fresh directory, alternated; the same loop
for all.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

from bench import proc
from bench.context import Context
from bench.journal_worker import TRANSACTION_KEYS
from bench.results import Bar, Row
from bench.servers import GAPLESS

PLYVEL, LMDB, ROCKSDICT, DISKCACHE, SQLITE = "plyvel", "lmdb", "rocksdict", "diskcache", "sqlite"
SET_BARS = (Bar("at least", 1.0, (PLYVEL, LMDB, ROCKSDICT)), Bar("at least", 30.0, (DISKCACHE,)))
GET_BARS = (Bar("at least", 2.0, (LMDB,)), Bar("at least", 10.0, (DISKCACHE,)))
ALWAYS_BARS = (Bar("at least", 1.0, (PLYVEL, ROCKSDICT, SQLITE)),)
REOPEN_SECONDS_MAX = 0.3


def run(context: Context) -> None:
    keys, synced = context.size(1_000_000, 50_000), context.size(3_000, 200)
    rows = {
        "set": context.row("set, everysec", "k/s", *SET_BARS),
        "get": context.row("get, everysec", "k/s", *GET_BARS),
        "single": context.row("set, always", "/s", *ALWAYS_BARS),
        "transaction": context.row(f"set, always, in transactions of {TRANSACTION_KEYS}", "/s", *ALWAYS_BARS),
        "reopen": context.row(
            f"reopen {keys / 1e6:g} M keys, first get", "s", Bar("at most", REOPEN_SECONDS_MAX)
        ),
    }
    missing: set[str] = set()
    for number in range(context.rounds):
        for subject, modes in {
            PLYVEL: ("everysec", "always", "reopen"),
            LMDB: ("everysec", "reopen"),
            ROCKSDICT: ("everysec", "always", "reopen"),
            DISKCACHE: ("everysec",),
            SQLITE: ("always",),
            GAPLESS: ("everysec", "always", "reopen"),
        }.items():
            if subject == GAPLESS and GAPLESS not in context.servers:
                continue
            for mode in modes:
                if subject not in missing:
                    context.progress(f"round {number + 1}: {subject}, {mode}")
                    count = synced if mode == "always" else keys
                    _measure(context, rows, missing, subject, mode, count)


def _measure(
    context: Context, rows: dict[str, Row], missing: set[str], subject: str, mode: str, count: int
) -> None:
    with tempfile.TemporaryDirectory(prefix="gapless-bench-") as directory:
        data = Path(directory) / "data"
        steps = ("fill", "reopen") if mode == "reopen" else (mode,)
        for step in steps:
            context.wait_for_quiet()
            command = [sys.executable, "-m", "bench.journal_worker", subject, step, str(count), str(data)]
            with proc.on_core(proc.load_core()):
                run = subprocess.run(
                    command, capture_output=True, text=True, check=False, cwd=proc.REPOSITORY
                )
            if run.returncode:
                said = run.stderr.strip().splitlines()
                why = said[-1] if said else run.returncode
                context.failures.append(f"{context.scenario}: {subject}: {why}")
                missing.add(subject)
                return
            measured: dict[str, float] = json.loads(run.stdout)
            for name, value in measured.items():
                rows[name].add(subject, value)
