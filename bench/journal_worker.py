"""One measurement of one embedded store that keeps its keys in files, in a process of its own.

`python -m bench.journal_worker SUBJECT MODE KEYS DIRECTORY` prints JSON. MODE is everysec (operations a
second where a crash of the machine may cost the last moments), always (where each operation is on the disk
when it returns), fill, or reopen (seconds to open what `fill` closed, until the first get).

The loops are the same for all: `put(key, value)`, `get(key)`, `put_many(pairs)` for a transaction. Who needs
a transaction for a single operation opens one for each.
"""

from __future__ import annotations

import gc
import importlib
import json
import random
import sqlite3
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

KEY_BYTES = 16
VALUE_BYTES = 100
TRANSACTION_KEYS = 100
_MAP_BYTES = 16 << 30
_SLOW_SHARE = 10

Pair = tuple[bytes, bytes]


@dataclass
class Subject:
    put: Callable[[bytes, bytes], Any]
    get: Callable[[bytes], Any]
    put_many: Callable[[Sequence[Pair]], Any]
    close: Callable[[], Any]


def _gapless(path: Path, always: bool) -> Subject:
    gapless: Any = importlib.import_module("gapless")
    store = gapless.open(str(path), sync="always" if always else "everysec")

    def put_many(pairs: Sequence[Pair]) -> None:
        with store.transaction():
            for key, value in pairs:
                store.set(key, value)

    return Subject(store.set, store.get, put_many, store.close)


def _plyvel(path: Path, always: bool) -> Subject:
    plyvel: Any = importlib.import_module("plyvel")
    store = plyvel.DB(str(path), create_if_missing=True)

    def put_many(pairs: Sequence[Pair]) -> None:
        with store.write_batch(transaction=True, sync=always) as batch:
            for key, value in pairs:
                batch.put(key, value)

    def put_synced(key: bytes, value: bytes) -> None:
        store.put(key, value, sync=True)

    return Subject(put_synced if always else store.put, store.get, put_many, store.close)


def _lmdb(path: Path, always: bool) -> Subject:
    lmdb: Any = importlib.import_module("lmdb")
    store = lmdb.open(str(path), map_size=_MAP_BYTES, writemap=not always, map_async=not always)

    def put(key: bytes, value: bytes) -> None:
        with store.begin(write=True) as transaction:
            transaction.put(key, value)

    def get(key: bytes) -> Any:
        with store.begin() as transaction:
            return transaction.get(key)

    def put_many(pairs: Sequence[Pair]) -> None:
        with store.begin(write=True) as transaction:
            for key, value in pairs:
                transaction.put(key, value)

    return Subject(put, get, put_many, store.close)


def _rocksdict(path: Path, always: bool) -> Subject:
    rocksdict: Any = importlib.import_module("rocksdict")
    store = rocksdict.Rdict(str(path), rocksdict.Options(raw_mode=True))
    synced = rocksdict.WriteOptions()
    synced.sync = always

    def put_many(pairs: Sequence[Pair]) -> None:
        batch = rocksdict.WriteBatch(raw_mode=True)
        for key, value in pairs:
            batch.put(key, value)
        store.write(batch, synced)

    def put_synced(key: bytes, value: bytes) -> None:
        store.put(key, value, synced)

    return Subject(put_synced if always else store.__setitem__, store.get, put_many, store.close)


def _diskcache(path: Path, always: bool) -> Subject:
    diskcache: Any = importlib.import_module("diskcache")
    store = diskcache.Cache(str(path), sqlite_synchronous=2 if always else 1)

    def put_many(pairs: Sequence[Pair]) -> None:
        with store.transact():
            for key, value in pairs:
                store.set(key, value)

    return Subject(store.set, store.get, put_many, store.close)


def _sqlite(path: Path, always: bool) -> Subject:
    path.mkdir(exist_ok=True)
    store = sqlite3.connect(path / "keys.sqlite", isolation_level=None)
    store.execute("PRAGMA journal_mode=WAL")
    store.execute(f"PRAGMA synchronous={'FULL' if always else 'NORMAL'}")
    store.execute("CREATE TABLE IF NOT EXISTS keys (key BLOB PRIMARY KEY, value BLOB) WITHOUT ROWID")

    def put(key: bytes, value: bytes) -> None:
        store.execute("INSERT OR REPLACE INTO keys VALUES (?, ?)", (key, value))

    def get(key: bytes) -> Any:
        row = store.execute("SELECT value FROM keys WHERE key = ?", (key,)).fetchone()
        return None if row is None else row[0]

    def put_many(pairs: Sequence[Pair]) -> None:
        store.execute("BEGIN")
        store.executemany("INSERT OR REPLACE INTO keys VALUES (?, ?)", pairs)
        store.execute("COMMIT")

    return Subject(put, get, put_many, store.close)


SUBJECTS: dict[str, Callable[[Path, bool], Subject]] = {
    "plyvel": _plyvel,
    "lmdb": _lmdb,
    "rocksdict": _rocksdict,
    "diskcache": _diskcache,
    "sqlite": _sqlite,
    "gapless": _gapless,
}
_SLOW = {"diskcache", "sqlite"}


def _pairs(count: int) -> list[Pair]:
    source = random.Random(count)
    return [(source.randbytes(KEY_BYTES), source.randbytes(VALUE_BYTES)) for _ in range(count)]


def everysec(name: str, count: int, path: Path) -> dict[str, float]:
    """Thousands of operations a second. Who is slow by nature gets a tenth of the keys."""
    pairs = _pairs(count // _SLOW_SHARE if name in _SLOW else count)
    shuffled = [key for key, _ in pairs]
    random.Random(1).shuffle(shuffled)
    subject = SUBJECTS[name](path, False)
    gc.collect()
    gc.disable()
    put, get = subject.put, subject.get
    began = time.perf_counter()
    for key, value in pairs:
        put(key, value)
    written = time.perf_counter()
    for key in shuffled:
        get(key)
    read = time.perf_counter()
    _check(subject, pairs)
    subject.close()
    return {"set": len(pairs) / 1e3 / (written - began), "get": len(pairs) / 1e3 / (read - written)}


def always(name: str, count: int, path: Path) -> dict[str, float]:
    """Sets a second: one by one, and in transactions of 100, of which there are a tenth as many."""
    pairs = _pairs(count)
    batches = [_pairs(TRANSACTION_KEYS + number)[:TRANSACTION_KEYS] for number in range(max(1, count // 10))]
    subject = SUBJECTS[name](path, True)
    put, put_many = subject.put, subject.put_many
    began = time.perf_counter()
    for key, value in pairs:
        put(key, value)
    single = time.perf_counter()
    for batch in batches:
        put_many(batch)
    ended = time.perf_counter()
    _check(subject, pairs + batches[-1])
    subject.close()
    return {
        "single": count / (single - began),
        "transaction": len(batches) * TRANSACTION_KEYS / (ended - single),
    }


def fill(name: str, count: int, path: Path) -> dict[str, float]:
    subject = SUBJECTS[name](path, False)
    pairs = _pairs(count)
    for at in range(0, count, 1000):
        subject.put_many(pairs[at : at + 1000])
    subject.close()
    return {}


def reopen(name: str, count: int, path: Path) -> dict[str, float]:
    key, value = _pairs(count)[count // 2]
    began = time.perf_counter()
    subject = SUBJECTS[name](path, False)
    found = subject.get(key)
    seconds = time.perf_counter() - began
    if found != value:
        raise SystemExit("a key has another value than was put before it was closed")
    subject.close()
    return {"reopen": seconds}


def _check(subject: Subject, pairs: Sequence[Pair]) -> None:
    for key, value in pairs[:: max(1, len(pairs) // 100)]:
        if subject.get(key) != value:
            raise SystemExit(f"{key!r} has another value than was put")


MODES = {"everysec": everysec, "always": always, "fill": fill, "reopen": reopen}


if __name__ == "__main__":
    print(json.dumps(MODES[sys.argv[2]](sys.argv[1], int(sys.argv[3]), Path(sys.argv[4]))))
