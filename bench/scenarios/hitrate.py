"""Hit rate of a cache under maxmemory: Zipf-distributed GETs, each miss SET in the client's next batch.

Once at the same maxmemory, as an operator would compare, and once at the same number of resident keys, which
compares the policies alone: gapless is then given the maxmemory at which it holds as many keys as the peer.
"""

from __future__ import annotations

from bench.client import LoadError, run_load
from bench.context import Context
from bench.results import Bar, Row
from bench.servers import GAPLESS, PEERS, Server

VALUE_BYTES = 200
THETAS = (0.99, 0.8)
POLICIES = ("allkeys-lfu", "allkeys-lru")
NO_WORSE = 0.999
"""The sampling error of a hit rate over some million GETs is below 0.1 %."""
KEYS_TOLERANCE = 0.01
ADJUSTMENTS_MAX = 8


def run(context: Context) -> None:
    universe = context.size(4_000_000, 1_000_000)
    limit_bytes = context.size(256, 64) << 20
    for policy in POLICIES:
        for theta in THETAS:
            what = f"{policy}, Zipf {theta}"
            context.progress(what)
            no_worse = Bar("at least", NO_WORSE, PEERS)
            same_bytes = context.row(f"{what}, same maxmemory", "% hits", no_worse)
            same_keys = context.row(f"{what}, same number of keys", "% hits", no_worse)
            resident = context.row(f"{what}, keys held at the same maxmemory", "k keys")
            held: dict[str, int] = {}
            for name in context.one_by_one():
                context.progress(f"{what}: {name}")
                options = ("--maxmemory", str(limit_bytes), "--maxmemory-policy", policy)
                with context.alone(name, *options) as server:
                    rate = _hit_rate(context, server, universe, theta)
                    held[name] = server.keys()
                    resident.add(name, held[name] / 1e3)
                    same_bytes.add(name, rate)
                    if name != GAPLESS:
                        same_keys.add(name, rate)
                    elif peers := [held[peer] for peer in PEERS if peer in held]:
                        _at_same_keys(context, server, same_keys, max(peers), universe, theta)


def _hit_rate(context: Context, server: Server, universe: int, theta: float) -> float:
    """Percent of hits after a warm-up that fills the memory several times over."""
    gets, warmup = context.size(4_000_000, 1_000_000), context.size(6_000_000, 1_500_000)
    load = run_load(
        server, "cache", keys=universe, value=VALUE_BYTES, dist="zipf", theta=theta, pipeline=16,
        requests=warmup + gets, warmup=warmup,
    )  # fmt: skip
    if load.result["errors"]:
        raise LoadError(f"{server.name}: {load.result['first_error']}")
    return 100.0 * float(load.result["hits"]) / float(load.result["gets_counted"])


def _at_same_keys(
    context: Context, server: Server, row: Row, wanted_keys: int, universe: int, theta: float
) -> None:
    """Move gapless's maxmemory until it holds as many keys as the peer, then measure from empty."""
    per_key_bytes = VALUE_BYTES + 16 + 24
    limit_bytes = int(str(server.control.info("memory")["maxmemory"]))
    for _ in range(ADJUSTMENTS_MAX):
        surplus = server.keys() - wanted_keys
        if abs(surplus) <= KEYS_TOLERANCE * wanted_keys:
            break
        limit_bytes -= surplus * per_key_bytes
        server.set_config("maxmemory", limit_bytes)
        run_load(
            server, "cache", keys=universe, value=VALUE_BYTES, dist="zipf", theta=theta, pipeline=16,
            requests=context.size(1_000_000, 300_000), seed=7,
        )  # fmt: skip
    server.control.call("FLUSHALL")
    row.add(server.name, _hit_rate(context, server, universe, theta))
    if abs(server.keys() - wanted_keys) > 2 * KEYS_TOLERANCE * wanted_keys:
        row.notes.add(f"gapless held {server.keys() / wanted_keys:.2f} times the peer's keys")
