"""One measurement of a file of JSON lines: `python -m bench.records_worker SUBJECT FILE`, a fresh process.

Prints JSON: seconds, microseconds an operation, and bytes a record.
"""

from __future__ import annotations

import collections
import gc
import json
import os
import random
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import orjson

import gapless
from bench import proc

GETS = 20_000
FINDS = 2_000
WRITES = 5_000
_CITIES = ("Berlin", "Paris", "Oslo", "Roma")
_LINE_BYTES = 200


def make(path: Path, count: int) -> None:
    """`count` lines of 200 bytes: a unique key, a name that two share on average, and fields of all kinds."""
    rng = random.Random(1)
    with path.open("wb", buffering=1 << 20) as file:
        for number in range(count):
            record = {
                "id": f"user:{number:08d}",
                "name": f"name:{rng.randrange(max(1, count // 2)):07d}",
                "age": rng.randrange(90),
                "city": rng.choice(_CITIES),
                "active": True,
                "score": round(rng.random(), 6),
                "note": "",
            }
            record["note"] = "x" * (_LINE_BYTES - 1 - len(orjson.dumps(record)))
            file.write(orjson.dumps(record, option=orjson.OPT_APPEND_NEWLINE))


def scanned(path: Path) -> Iterator[dict[str, Any]]:
    with path.open("rb", buffering=1 << 20) as file:
        for line in file:
            yield orjson.loads(line)


def scan(path: Path) -> dict[str, float]:
    """What is replaced: read and parse line after line until the key comes. Measured for the last one."""
    start = time.perf_counter()
    collections.deque(scanned(path), maxlen=1)
    return {"get_us": (time.perf_counter() - start) * 1e6}


def dictionary(path: Path) -> dict[str, float]:
    """A dict of all records in memory, and one of lists by name."""
    gc.collect()
    before = proc.rss_bytes(_self())
    start = time.perf_counter()
    found = {record["id"]: record for record in scanned(path)}
    seconds = time.perf_counter() - start
    size = (proc.rss_bytes(_self()) - before) / len(found)
    return {
        "build_mb_s": path.stat().st_size / 1e6 / seconds,
        "bytes": size,
        "get_us": _each(GETS, len(found), lambda number: found[f"user:{number:08d}"]),
    }


def records(path: Path) -> dict[str, float]:
    Path(f"{path}.hint").unlink(missing_ok=True)
    gc.collect()
    before = proc.rss_bytes(_self())
    start = time.perf_counter()
    opened = gapless.records(path)
    measured = {"build_mb_s": path.stat().st_size / 1e6 / (time.perf_counter() - start)}
    count = len(opened)
    measured["bytes"] = opened.stats()["index_bytes"]["id"] / count
    measured["rss_bytes"] = (proc.rss_bytes(_self()) - before) / count
    measured["get_us"] = _each(GETS, count, lambda number: opened.get(f"user:{number:08d}"))
    opened.close()
    start = time.perf_counter()
    opened = gapless.records(path)
    measured["reopen_s"] = time.perf_counter() - start
    measured["append_us"] = _each(WRITES, count, lambda number: opened.append({"id": "new", "n": number}))
    measured["delete_us"] = _each(WRITES, count, lambda number: opened.delete(f"user:{number:08d}"))
    opened.close()
    Path(f"{path}.hint").unlink()
    start = time.perf_counter()
    opened = gapless.records(path, also=("name", "city"))
    measured["build_fields_mb_s"] = path.stat().st_size / 1e6 / (time.perf_counter() - start)
    sizes = opened.stats()["index_bytes"]
    measured["name_bytes"], measured["city_bytes"] = (sizes[field] / count for field in ("name", "city"))
    measured["find_us"] = _each(
        FINDS, count // 2, lambda number: list(opened.find("name", f"name:{number:07d}"))
    )
    start = time.perf_counter()
    opened.compact()
    measured["compact_mb_s"] = path.stat().st_size / 1e6 / (time.perf_counter() - start)
    opened.close()
    return measured


def _each(times: int, below: int, call: Callable[[int], object]) -> float:
    rng = random.Random(2)
    numbers = [rng.randrange(below) for _ in range(times)]
    start = time.perf_counter()
    for number in numbers:
        call(number)
    return (time.perf_counter() - start) / times * 1e6


def _self() -> int:
    return os.getpid()


SUBJECTS = {"scan": scan, "dict": dictionary, "gapless": records}


if __name__ == "__main__":
    print(json.dumps(SUBJECTS[sys.argv[1]](Path(sys.argv[2]))))
