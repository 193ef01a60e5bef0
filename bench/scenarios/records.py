"""`gapless.records()` on lines of 200 bytes against what it replaces: a scan, and a dict of all records.

Every measurement is a fresh process (bench/records_worker.py); the file is in the system's cache. The scan is
measured to the last line, what a look-up of a key that is not there takes too. Bytes a record are those that
the index counts itself; what the process has grown by is a row of its own. The dict has a tenth of the lines
only.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

from bench import proc
from bench.context import Context
from bench.records_worker import make
from bench.results import Bar
from bench.servers import GAPLESS

SCAN, DICT = "scan", "dict"
ROWS = {
    "build_mb_s": ("index built", "MB/s", (Bar("at least", 150),)),
    "build_fields_mb_s": ("index built, with name and city", "MB/s", ()),
    "reopen_s": ("opened again with its hint", "s", (Bar("at most", 0.5),)),
    "get_us": ("get", "us", (Bar("at most", 1 / 10_000, (SCAN,)), Bar("at most", 50))),
    "find_us": ("find, two records a value", "us", ()),
    "append_us": ("append", "us", ()),
    "delete_us": ("delete", "us", ()),
    "compact_mb_s": ("compact, and index again", "MB/s", ()),
    "bytes": ("index of the key", "B/record", (Bar("at most", 20),)),
    "rss_bytes": ("what the process grew by", "B/record", ()),
    "name_bytes": ("index of a field with half as many values as records", "B/record", ()),
    "city_bytes": ("index of a field with four values", "B/record", ()),
}


def run(context: Context) -> None:
    count = context.size(5_000_000, 200_000)
    rows = {name: context.row(text, unit, *bars) for name, (text, unit, bars) in ROWS.items()}
    with tempfile.TemporaryDirectory(prefix="gapless-bench-") as directory:
        for number in range(context.rounds):
            path, tenth = Path(directory) / "records.jsonl", Path(directory) / "tenth.jsonl"
            make(path, count)
            make(tenth, count // 10)
            for subject, file in ((SCAN, path), (DICT, tenth), (GAPLESS, path)):
                context.progress(f"round {number + 1}: {subject}")
                context.wait_for_quiet()
                for name, value in _worker(context, subject, file).items():
                    rows[name].add(subject, value)


def _worker(context: Context, subject: str, path: Path) -> dict[str, float]:
    command = [sys.executable, "-m", "bench.records_worker", subject, str(path)]
    with proc.on_core(proc.load_core()):
        run = subprocess.run(command, capture_output=True, text=True, check=False, cwd=proc.REPOSITORY)
    if run.returncode:
        said = run.stderr.strip().splitlines()
        context.failures.append(f"{context.scenario}: {subject}: {said[-1] if said else run.returncode}")
        return {}
    measured: dict[str, float] = json.loads(run.stdout)
    return measured
