"""OBJECT FREQ and IDLETIME after a switch between LFU and other policies: what was stored in one form is read in the other.

Redis keeps 24 bits: seconds, or minutes above a counter of 8 bits; a switch leaves them as they are.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.engine.data_client import NOW_MS, DataClient, data_client

NOW = NOW_MS // 1000
BITS = (1 << 24) - 1


@pytest.fixture
def client() -> Iterator[DataClient]:
    with data_client() as client:
        yield client
        client.engine.configure(maxmemory_policy="noeviction")


def seconds_as_counter(then: int, now: int) -> int:
    field = then & BITS
    return max((field & 0xFF) - ((now // 60 - (field >> 8)) & 0xFFFF), 0)


def counter_as_idle(counter: int, then: int, now: int) -> int:
    field = (then // 60 & 0xFFFF) << 8 | counter
    clock = now & BITS
    return clock - field if clock >= field else clock + BITS - field


@pytest.mark.parametrize("then", [NOW, NOW + 1, NOW + 77_777, NOW + 10_000_000])
def test_a_switch_and_back(client: DataClient, then: int) -> None:
    client.engine.configure(clock_ms=then * 1000)
    client("SET", "before", "v")
    client.engine.configure(clock_ms=(then + 3) * 1000, maxmemory_policy="allkeys-lfu")
    assert client.integer("OBJECT", "FREQ", "before") == seconds_as_counter(then, then + 3)
    client("SET", "between", "v")
    assert client.integer("OBJECT", "FREQ", "between") == 5
    client.engine.configure(clock_ms=(then + 9) * 1000, maxmemory_policy="allkeys-lru")
    assert client.integer("OBJECT", "IDLETIME", "between") == counter_as_idle(5, then + 3, then + 9)
    client("SET", "after", "v")
    assert client.integer("OBJECT", "IDLETIME", "after") == 0
    client.engine.configure(clock_ms=(then + 69) * 1000)
    assert client.integer("OBJECT", "IDLETIME", "after") == 60
    client("GET", "between")
    assert client.integer("OBJECT", "IDLETIME", "between") == 0


def test_a_counter_that_redis_would_find_in_the_seconds(client: DataClient) -> None:
    """A time whose seconds, read as minutes above a counter, are of the last hour."""
    then = next(s for s in range(NOW | 0xFF, NOW + (1 << 25), 256) if (s // 60 - (s >> 8)) & 0xFFFF < 60)
    client.engine.configure(clock_ms=then * 1000)
    client("SET", "k", "v")
    client.engine.configure(maxmemory_policy="allkeys-lfu")
    assert client.integer("OBJECT", "FREQ", "k") == seconds_as_counter(then, then) > 0


@pytest.mark.parametrize("policy", ["allkeys-lfu", "allkeys-lru"])
@pytest.mark.parametrize("minutes", [1, 90, 500])
def test_what_is_used_after_a_switch_is_never_taken_for_older(client: DataClient, policy: str, minutes: int) -> None:
    client.engine.configure(maxmemory_policy="allkeys-lru" if policy == "allkeys-lfu" else "allkeys-lfu", clock_ms=NOW_MS)
    for n in range(500):
        client("SET", f"old:{n}", n)
    client.engine.configure(maxmemory_policy=policy, lfu_decay_time=0)
    now = NOW_MS
    for minute in range(minutes):
        now += 60_000
        client.engine.configure(clock_ms=now)
        client("SET", "k", minute)
        if policy == "allkeys-lfu":
            assert client.integer("OBJECT", "FREQ", "k") >= 5
        else:
            assert client.integer("OBJECT", "IDLETIME", "k") == 0
    client.engine.configure(lfu_decay_time=1)
