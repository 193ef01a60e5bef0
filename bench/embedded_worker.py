"""One measurement of one embedded store in a process of its own.

`python -m bench.embedded_worker SUBJECT MODE KEYS`, MODE being time, rss or rss_ttl; prints JSON.

The loops call bound methods with positional arguments, the same for all: `put(key, value)`,
`put(key, value, ttl)`, `get(key)`. burner-redis is asynchronous, so its loops await.

Order matters more than anything: keys met in the order in which they were made lie side by side in memory,
and a bytes object remembers its hash. So there is a shuffled get, one with equal keys in new objects, as they
come from a socket, and one in order.
"""

from __future__ import annotations

import asyncio
import gc
import importlib
import json
import os
import random
import sys
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bench import proc

KEY_BYTES = 16
VALUE_BYTES = 100
TTL_SECONDS = 600

Pair = tuple[bytes, bytes]


@dataclass
class Subject:
    """`put_ttl` is None where there is no TTL; `slices` tells the longest background slice, if any."""

    put: Callable[[bytes, bytes], Any]
    get: Callable[[bytes], Any]
    put_ttl: Callable[[bytes, bytes, int], Any] | None = None
    awaits: bool = False
    slices: Callable[[], float | None] = lambda: None
    owner: object = None


def _dict() -> Subject:
    store: dict[bytes, bytes] = {}
    return Subject(store.__setitem__, store.get)


def _cachebox() -> Subject:
    from cachebox import VTTLCache

    store: Any = VTTLCache(0)
    return Subject(store.insert, store.get, store.insert)


def _burner_redis() -> Subject:
    from burner_redis import BurnerRedis

    store: Any = BurnerRedis()
    return Subject(store.set, store.get, store.set, awaits=True)


def _gapless() -> Subject:
    gapless: Any = importlib.import_module("gapless")
    store = gapless.open()

    def slices() -> float | None:
        for report in (store.stats(), store.memory()):
            if isinstance(report, Mapping) and "longest_slice_us" in report:
                return float(report["longest_slice_us"])
        return None

    return Subject(store.set, store.get, store.set, slices=slices, owner=store)


SUBJECTS: dict[str, Callable[[], Subject]] = {
    "dict": _dict,
    "cachebox": _cachebox,
    "burner-redis": _burner_redis,
    "gapless": _gapless,
}


def _time_puts(subject: Subject, pairs: Sequence[Pair], ttl: bool) -> float:
    if subject.awaits:
        return asyncio.run(_await_puts(subject, pairs, ttl))
    put: Any = subject.put_ttl if ttl else subject.put
    began = time.perf_counter()
    if ttl:
        for key, value in pairs:
            put(key, value, TTL_SECONDS)
    else:
        for key, value in pairs:
            put(key, value)
    return (time.perf_counter() - began) * 1e6 / len(pairs)


async def _await_puts(subject: Subject, pairs: Sequence[Pair], ttl: bool) -> float:
    put: Callable[..., Awaitable[object]] = subject.put
    began = time.perf_counter()
    if ttl:
        for key, value in pairs:
            await put(key, value, TTL_SECONDS)
    else:
        for key, value in pairs:
            await put(key, value)
    return (time.perf_counter() - began) * 1e6 / len(pairs)


def _time_gets(subject: Subject, keys: Sequence[bytes]) -> float:
    if subject.awaits:
        return asyncio.run(_await_gets(subject, keys))
    get = subject.get
    began = time.perf_counter()
    for key in keys:
        get(key)
    return (time.perf_counter() - began) * 1e6 / len(keys)


async def _await_gets(subject: Subject, keys: Sequence[bytes]) -> float:
    get: Callable[[bytes], Awaitable[object]] = subject.get
    began = time.perf_counter()
    for key in keys:
        await get(key)
    return (time.perf_counter() - began) * 1e6 / len(keys)


def _check(subject: Subject, pairs: Iterable[Pair]) -> None:
    """What was put is there: a fast wrong answer is no answer."""

    async def awaited(key: bytes) -> object:
        return await subject.get(key)

    for key, value in pairs:
        found = asyncio.run(awaited(key)) if subject.awaits else subject.get(key)
        if found != value:
            raise SystemExit(f"{key!r} has another value than was put")


def measure_times(make: Callable[[], Subject], count: int) -> dict[str, float | None]:
    """Microseconds per operation. The collector is off, as it would only walk the lists of keys."""
    source = random.Random(count)
    pairs = [(source.randbytes(KEY_BYTES), source.randbytes(VALUE_BYTES)) for _ in range(count)]
    shuffled = [key for key, _ in pairs]
    source.shuffle(shuffled)
    fresh = [bytes(bytearray(key)) for key in shuffled]
    absent = [source.randbytes(KEY_BYTES) for _ in range(count)]
    gc.collect()
    gc.disable()
    subject = make()
    times: dict[str, float | None] = {
        "set": _time_puts(subject, pairs, ttl=False),
        "set_again": _time_puts(subject, pairs, ttl=False),
        "get": _time_gets(subject, shuffled),
        "get_fresh": _time_gets(subject, fresh),
        "get_in_order": _time_gets(subject, [key for key, _ in pairs]),
        "get_missing": _time_gets(subject, absent),
    }
    _check(subject, pairs[:: max(1, count // 100)])
    if (slice_us := subject.slices()) is not None:
        times["longest_slice_us"] = slice_us
    del subject
    gc.collect()
    subject = make()
    if subject.put_ttl is not None:
        times["set_ttl"] = _time_puts(subject, pairs, ttl=True)
        times["set_ttl_again"] = _time_puts(subject, pairs, ttl=True)
        times["get_ttl"] = _time_gets(subject, shuffled)
        _check(subject, pairs[:: max(1, count // 100)])
    return times


def measure_rss(make: Callable[[], Subject], count: int, ttl: bool) -> dict[str, float | None]:
    """Growth of resident bytes per key. Only the store keeps the keys and values that are made."""
    source = random.Random(count)
    subject = make()
    if ttl and subject.put_ttl is None:
        return {}
    own = proc.rss_bytes(os.getpid())

    def pairs(number: int) -> list[Pair]:
        return [(source.randbytes(KEY_BYTES), source.randbytes(VALUE_BYTES)) for _ in range(number)]

    chunk = 1000
    for _ in range(count // chunk):
        _time_puts(subject, pairs(chunk), ttl)
    gc.collect()
    grown = proc.rss_bytes(os.getpid()) - own
    return {"bytes_per_key": grown / (count // chunk * chunk), "longest_slice_us": subject.slices()}


def main() -> None:
    name, mode, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
    make = SUBJECTS[name]
    measured = measure_times(make, count) if mode == "time" else measure_rss(make, count, mode == "rss_ttl")
    print(json.dumps(measured))


if __name__ == "__main__":
    main()
