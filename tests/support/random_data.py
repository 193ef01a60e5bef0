"""Random keys of all types and encodings, with expiries of keys and of fields, as commands for any server."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

Command = tuple[object, ...]
SIZES = (0, 1, 5, 20, 21, 64, 65, 300, 2000, 20_000)
COUNTS = (1, 3, 20, 128, 129, 700)
LATER_MS = 4_000_000_000_000


def word(random: Random) -> bytes:
    roll = random.random()
    if roll < 0.3:
        return b"%d" % random.choice([0, -1, 12, 127, 128, 70_000, 2**31, -(2**63), random.randrange(10**12)])
    size = random.choice(SIZES[: 7 if roll < 0.9 else 10])
    return (random.randbytes(3) * (size // 3 + 1))[:size] if roll < 0.6 else random.randbytes(size)


def members(random: Random, integers: bool = False) -> list[bytes]:
    count = random.choice(COUNTS)
    if integers:
        spread = random.choice([200, 10**5, 10**12])
        return list({b"%d" % random.randrange(-spread, spread) for _ in range(count)})
    return list({b"%d:" % at + word(random) for at in range(count)})


def score(random: Random) -> float | int | str:
    return random.choice([0, -1, 3, 1.5, 1e300, "inf", "-inf", random.random(), random.randrange(10**15)])


def stream(random: Random, key: bytes) -> Iterator[Command]:
    entries = random.choice([0, 1, 30, 250])
    for at in range(entries):
        fields = [b"f", word(random)] if at % 7 else [b"f", b"x", word(random), b"y"]
        yield ("XADD", key, f"{at + 1}-{at % 3}", *fields)
    for group in range(random.choice([0, 0, 1, 3])):
        yield ("XGROUP", "CREATE", key, f"g{group}", "0", "MKSTREAM")
        for consumer in range(random.choice([0, 1, 2])):
            yield ("XREADGROUP", "GROUP", f"g{group}", f"c{consumer}", "COUNT", 10, "STREAMS", key, ">")
        yield ("XACK", key, f"g{group}", "1-0", "3-2")
    if entries > 1 and random.random() < 0.5:
        yield ("XDEL", key, "2-1")
        yield ("XTRIM", key, "MAXLEN", entries // 2)


def commands(random: Random, keys: int, field_expiry: bool = True) -> Iterator[Command]:
    """What fills a server. field_expiry: it knows of fields that expire."""
    for at in range(keys):
        if at % 50 == 0:
            yield ("SELECT", random.choice([0, 0, 0, 3, 15]))
        key = b"key:%d:" % at + word(random)[:100]
        match random.randrange(8):
            case 0 | 1 | 2:
                yield ("SET", key, word(random))
            case 3:
                yield ("SADD", key, *members(random, random.random() < 0.5))
            case 4:
                pairs = [item for member in members(random) for item in (score(random), member)]
                yield ("ZADD", key, *pairs)
            case 5:
                found = members(random)
                yield ("HSET", key, *(item for name in found for item in (name, word(random))))
                if field_expiry and random.random() < 0.4:
                    some = found[: random.randint(1, len(found))]
                    yield ("HPEXPIREAT", key, LATER_MS + at, "FIELDS", len(some), *some)
            case 6:
                yield ("RPUSH", key, *members(random))
            case 7:
                yield from stream(random, key)
        if random.random() < 0.3:
            yield ("PEXPIREAT", key, LATER_MS + random.randrange(10**9))
    yield ("SELECT", 0)
    yield ("PFADD", "hyperloglog", *members(random))
    yield ("SETBIT", "bits", 100_000, 1)
    yield ("SET", "large", random.randbytes(3 << 20))
