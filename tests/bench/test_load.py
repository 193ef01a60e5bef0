"""The load generator says what is there, and notices what is wrong."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator

import pytest

from bench.client import KEY_BYTES, LoadError, compiled, fill, floor_running, run_load
from bench.servers import Server, running
from bench.wire import request

KEYS = 3000


@pytest.fixture(scope="module")
def redis() -> Iterator[Server]:
    with running("redis-8.2") as server:
        yield server


@pytest.fixture
def server(redis: Server) -> Server:
    redis.control.call("FLUSHALL")
    return redis


def test_fill_sets_every_key_once(server: Server) -> None:
    load = fill(server, KEYS, 64)
    assert (load.replies, server.keys()) == (KEYS, KEYS)
    value = server.control.call("GET", f"key:{KEYS - 1:012}")
    assert value == f"{KEYS - 1:012}" + "x" * 52


def test_get_counts_hits(server: Server) -> None:
    fill(server, KEYS)
    load = run_load(server, "get", keys=2 * KEYS, requests=20_000, pipeline=7, clients=3)
    assert load.replies == load.result["gets"] == 20_000
    assert 0.45 < load.result["hits"] / load.result["gets"] < 0.55


def test_a_wrong_value_is_noticed(server: Server) -> None:
    fill(server, KEYS)
    for number in range(KEYS):
        server.control.call("SET", f"key:{number:012}", "y" * 64)
    with pytest.raises(LoadError, match="1000 wrong replies"):
        run_load(server, "get", keys=KEYS, requests=1000)


def test_an_error_is_noticed(server: Server) -> None:
    with pytest.raises(LoadError, match="unknown command 'NONSENSE'"):
        run_load(server, "raw", command="NONSENSE", requests=100)


@pytest.mark.parametrize("op", ["fill", "set"])
def test_the_generator_knows_the_live_bytes(server: Server, op: str) -> None:
    sizes = {"value_min": 0, "value_max": 3000}
    load = fill(server, KEYS, **sizes)
    if op == "set":
        load = run_load(server, "set", keys=KEYS, requests=KEYS, clients=1, **sizes)
    lengths = [server.control.call("STRLEN", f"key:{number:012}") for number in range(KEYS)]
    assert load.result["live_bytes"] == sum(int(str(length)) + KEY_BYTES for length in lengths)
    assert load.result["live_keys"] == KEYS


def test_keys_get_their_ttl(server: Server) -> None:
    run_load(server, "fill", keys=100, ttl_min_ms=50_000, ttl_max_ms=60_000)
    left = [int(str(server.control.call("PTTL", f"key:{number:012}"))) for number in range(100)]
    assert 40_000 < min(left) < max(left) <= 60_000


def test_a_miss_is_set_afterwards(server: Server) -> None:
    load = run_load(server, "cache", keys=KEYS, requests=60_000, warmup=40_000, dist="zipf", theta=0.9)
    assert load.result["gets_counted"] < 20_000
    assert load.result["hits"] / load.result["gets_counted"] > 0.9
    assert server.keys() > KEYS // 2


def test_the_floor_answers_all() -> None:
    with floor_running("get", 64) as floor:
        load = run_load(floor, "get", requests=50_000, pipeline=16, unchecked="")
    assert load.replies == 50_000
    assert load.cpu_us_per_request > 0


def test_bad_options_are_refused() -> None:
    run = subprocess.run([str(compiled("load")), "--op", "dance"], capture_output=True, check=False)
    assert run.returncode == 2


def test_numbers_are_put_into_a_command(server: Server) -> None:
    run_load(server, "raw", command="HSET h{p} f{n} v", keys=10, requests=30, clients=1)
    assert server.keys() == 10
    assert server.control.call("HLEN", f"h{0:012}") == 3
    fields = [server.control.call("HKEYS", f"h{number:012}") for number in range(10)]
    met = sorted(field for keys in fields if isinstance(keys, list) for field in keys)  # type: ignore[type-var]
    assert met == [f"f{number:012}" for number in range(30)]
    run_load(server, "raw", command="SADD s {k}:{e}", keys=3, key_start=5, elements=2, requests=1000)
    assert server.control.call("SCARD", "s") == 6
    assert server.control.call("SISMEMBER", "s", f"{7:012}:{1:012}") == 1


def test_large_replies_are_taken_in_whole(server: Server) -> None:
    run_load(server, "raw", command="RPUSH l element-{n}", requests=50_000)
    size = server.control.reply_bytes("LRANGE", "l", 0, -1)
    assert size == len(b"*50000\r\n") + 50_000 * len(b"$20\r\nelement-000000000000\r\n")
    server.control.exchange(request("LRANGE", "l", 0, -1), size)
    assert server.control.call("LLEN", "l") == 50_000


def test_a_rate_is_kept(server: Server) -> None:
    load = run_load(server, "set", keys=KEYS, rate=5_000, clients=5, pipeline=4, seconds=1.0)
    assert 0.9 < load.seconds < 1.5
    assert 4_000 < load.replies <= 5_100
