"""The registry of fuzzers. A new fuzzer is a module of this package, and a row here.

A fuzzer is a function that takes a `random.Random`, makes one case from it, and raises (or dies) when the
case shows an error. Everything it does must follow from that Random: then the seed of a case replays it.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from random import Random

Fuzzer = Callable[[Random], None]


@dataclass(frozen=True)
class Entry:
    name: str
    module: str  # in this package; it has a function `run_case(random)`
    must_fail: bool = False

    def load(self) -> Fuzzer:
        fuzzer: Fuzzer = import_module(f"{__package__}.{self.module}").run_case
        return fuzzer


REGISTRY = {
    entry.name: entry
    for entry in [
        Entry("canary-raise", "canary_raise", must_fail=True),
        Entry("canary-abort", "canary_abort", must_fail=True),
        Entry("resp", "resp"),
        Entry("rdb-payload", "rdb_payload"),
        Entry("rdb-stream", "rdb_stream"),
        Entry("effects", "effects"),
    ]
}


def random_of_case(seed: int, case: int) -> Random:
    return Random(f"{seed}:{case}")


def new_seed() -> int:
    return int.from_bytes(os.urandom(4), "little")
