"""Random commands of all types that do the same wherever they are executed: no random members, no relative times."""

from __future__ import annotations

import random

FAR_MS = 4_000_000_000_000
Command = list[bytes]


def commands(rng: random.Random) -> list[Command]:
    """One command, or several that are one transaction."""
    if rng.random() < 0.1:
        inside = [_one(rng) for _ in range(rng.randrange(2, 8))]
        return [[b"MULTI"], *inside, [b"EXEC"]]
    return [_one(rng)]


def _one(rng: random.Random) -> Command:
    words = rng.choice(_COMMANDS)(rng)
    return [word if isinstance(word, bytes) else str(word).encode() for word in words]


def _value(rng: random.Random) -> bytes:
    return rng.randbytes(rng.choice((1, 10, 10, 60, 60, 300, 3000, 30_000 if rng.random() < 0.1 else 5)))


def _n(rng: random.Random, most: int = 400) -> int:
    return rng.randrange(most)


def _many(rng: random.Random, each, most: int = 30) -> list[object]:
    found: list[object] = []
    for _ in range(rng.randrange(1, most)):
        found += each()
    return found


def _key(kind: str):
    return lambda rng: f"{kind}{rng.randrange(4)}"


_s, _h, _l, _e, _z, _x, _p = map(_key, "shlezxp")

_COMMANDS = [
    lambda r: ["SET", _s(r), _value(r)],
    lambda r: ["SET", _s(r), _value(r), "PXAT", FAR_MS + _n(r)],
    lambda r: ["APPEND", _s(r), _value(r)],
    lambda r: ["SETRANGE", _s(r), _n(r, 5000), _value(r)],
    lambda r: ["SETBIT", _s(r), _n(r, 50_000), r.randrange(2)],
    lambda r: ["INCRBY", f"n{_n(r, 3)}", _n(r)],
    lambda r: ["INCRBYFLOAT", f"f{_n(r, 3)}", "0.5"],
    lambda r: ["MSET", *_many(r, lambda: [_s(r), _value(r)], 5)],
    lambda r: ["GETDEL", _s(r)],
    lambda r: ["BITOP", "XOR", _s(r), _s(r), _s(r)],
    lambda r: ["HSET", _h(r), *_many(r, lambda: [_n(r), _value(r)])],
    lambda r: ["HDEL", _h(r), *_many(r, lambda: [_n(r)])],
    lambda r: ["HINCRBY", _h(r), f"c{_n(r, 5)}", _n(r)],
    lambda r: ["HPEXPIREAT", _h(r), FAR_MS + _n(r), "FIELDS", 1, _n(r)],
    lambda r: ["HPERSIST", _h(r), "FIELDS", 1, _n(r)],
    lambda r: [r.choice(("LPUSH", "RPUSH")), _l(r), *_many(r, lambda: [_value(r)])],
    lambda r: [r.choice(("LPOP", "RPOP")), _l(r), _n(r, 20)],
    lambda r: ["LSET", _l(r), _n(r, 30), _value(r)],
    lambda r: ["LINSERT", _l(r), "BEFORE", b"a", b"b"],
    lambda r: ["LTRIM", _l(r), _n(r, 10), -1 - _n(r, 10)],
    lambda r: ["LREM", _l(r), 1, b"b"],
    lambda r: ["LMOVE", _l(r), _l(r), "LEFT", "RIGHT"],
    lambda r: ["SADD", _e(r), *_many(r, lambda: [_n(r)])],
    lambda r: ["SADD", _e(r), *_many(r, lambda: [_value(r)])],
    lambda r: ["SREM", _e(r), *_many(r, lambda: [_n(r)])],
    lambda r: ["SMOVE", _e(r), _e(r), _n(r)],
    lambda r: ["SINTERSTORE", _e(r), _e(r), _e(r)],
    lambda r: ["SUNIONSTORE", _e(r), _e(r), _e(r)],
    lambda r: ["ZADD", _z(r), *_many(r, lambda: [_n(r), _n(r)])],
    lambda r: ["ZADD", _z(r), *_many(r, lambda: [_n(r), _value(r)])],
    lambda r: ["ZINCRBY", _z(r), _n(r), _n(r)],
    lambda r: ["ZREM", _z(r), *_many(r, lambda: [_n(r)])],
    lambda r: ["ZPOPMIN", _z(r), _n(r, 5)],
    lambda r: ["ZREMRANGEBYRANK", _z(r), 0, _n(r, 10)],
    lambda r: ["ZUNIONSTORE", _z(r), 2, _z(r), _z(r)],
    lambda r: ["GEOADD", _z(r), r.uniform(-180, 180), r.uniform(-85, 85), _n(r)],
    lambda r: ["XADD", _x(r), f"{_n(r, 10**6)}-{_n(r)}", *_many(r, lambda: [_n(r), _value(r)], 4)],
    lambda r: ["XADD", _x(r), "MAXLEN", "~", 50, f"{10**6 + _n(r, 10**9)}-1", "f", _value(r)],
    lambda r: ["XDEL", _x(r), f"{_n(r, 10**6)}-{_n(r)}"],
    lambda r: ["XTRIM", _x(r), "MAXLEN", _n(r, 100)],
    lambda r: ["XGROUP", "CREATE", _x(r), f"g{_n(r, 2)}", 0, "MKSTREAM"],
    lambda r: ["XGROUP", "DESTROY", _x(r), f"g{_n(r, 2)}"],
    lambda r: ["PFADD", _p(r), *_many(r, lambda: [_n(r, 10**6)])],
    lambda r: ["PFMERGE", _p(r), _p(r)],
    lambda r: ["DEL", r.choice(_KINDS)(r)],
    lambda r: ["RENAME", *_two(r)],
    lambda r: ["COPY", *_two(r), "REPLACE"],
    lambda r: ["PEXPIREAT", r.choice(_KINDS)(r), FAR_MS + _n(r)],
    lambda r: ["PEXPIREAT", r.choice(_KINDS)(r), 1],
    lambda r: ["PERSIST", r.choice(_KINDS)(r)],
    lambda r: ["SORT", _l(r), "BY", "nosort", "STORE", _l(r)],
    lambda r: ["FLUSHDB"] if r.random() < 0.05 else ["TOUCH", _s(r)],
]
_KINDS = [_s, _h, _l, _e, _z, _x, _p]


def _two(rng: random.Random) -> list[object]:
    kind = rng.choice(_KINDS)
    return [kind(rng), kind(rng)]
