"""The scenarios, by name, in the order of the table of bars."""

from __future__ import annotations

from collections.abc import Callable

from bench.context import Context
from bench.scenarios import (
    bigkeys,
    collection_delete,
    collection_memory,
    collection_replies,
    collections,
    cpu,
    crisis,
    embedded,
    floor,
    hitrate,
    journal_compaction,
    journal_embedded,
    journal_reopen,
    journal_throughput,
    memory,
    overwrite,
    packages,
    rdb,
    records,
    slices,
    throughput,
)

SCENARIOS: dict[str, Callable[[Context], None]] = {
    "crisis": crisis.run,
    "crisis-types": crisis.types,
    "memory": memory.run,
    "overwrite": overwrite.run,
    "throughput": throughput.run,
    "cpu": cpu.run,
    "bigkeys": bigkeys.run,
    "collections": collections.large,
    "collections-small": collections.small,
    "collections-memory": collection_memory.run,
    "collections-replies": collection_replies.run,
    "collections-delete": collection_delete.run,
    "packages": packages.run,
    "rdb": rdb.run,
    "hitrate": hitrate.run,
    "embedded": embedded.run,
    "records": records.run,
    "journal-throughput": journal_throughput.run,
    "journal-reopen": journal_reopen.run,
    "journal-compaction": journal_compaction.compaction,
    "journal-size": journal_compaction.size,
    "journal-embedded": journal_embedded.run,
    "floor": floor.run,
    "slices": slices.run,
}
"""`slices` is last: it also reports what gapless said of its slices in all the others of the same run."""
