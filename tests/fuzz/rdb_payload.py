"""RESTORE of payloads that are broken inside under a right checksum: refused or taken, never worse."""

from __future__ import annotations

from random import Random

from tests.engine.commands import Client, new_client
from tests.engine.test_rdb import BAD_FORMAT, sealed
from tests.support.rdb_forms import HASH_EXPIRIES_OLD, HASH_ZIPLIST, HASH_ZIPMAP, old_hash

ANSWERS = (b"+OK\r\n", BAD_FORMAT)


def broken(body: bytearray, random: Random) -> bytes:
    for _ in range(random.randint(1, 4)):
        at = random.randrange(len(body)) if body else 0
        if random.random() < 0.5 and body:
            body[at] = random.randrange(256)
        elif random.random() < 0.5 and body:
            del body[at]
        else:
            body.insert(at, random.randrange(256))
    return bytes(body)


def words(random: Random, most: int) -> list[bytes]:
    word = random.randbytes(random.randint(1, 12))
    texts = [word if random.random() < 0.7 else random.randbytes(5) for _ in range(random.randint(0, most))]
    return [b"%d" % random.randrange(-300, 10**9) if random.random() < 0.3 else text for text in texts]


def fields(random: Random, most: int) -> list[tuple[bytes, bytes]]:
    return [(b"%d" % n if n % 3 else b"field-%d" % n, word) for n, word in enumerate(words(random, most))]


def payload(client: Client, random: Random) -> bytes:
    """A sound one, without its footer: of a string, a set, a sorted set, a hash, small or on a tree, or in a form of old."""
    kind = random.choice(["string", "set", "many", "sorted set", "hash", "hash", "many fields", "old"])
    if kind == "old":
        form = random.choice([HASH_ZIPMAP, HASH_ZIPLIST, HASH_EXPIRIES_OLD])
        return old_hash(form, [(b"first", b"1"), *fields(random, 30)])
    if kind == "string":
        client("SET", "k", b"".join(words(random, 40)))
    elif kind == "set":
        client("SADD", "k", b"1", *words(random, 20))
    elif kind == "sorted set":
        scores = [
            random.choice([random.randrange(99), random.random(), -0.0])
            for _ in range(random.randint(1, 200))
        ]
        pairs = [
            text for i, score in enumerate(scores) for text in (str(score), b"%d" % i, str(-score), b"word")
        ]
        client("ZADD", "k", *pairs)
    elif kind == "many":
        client("SADD", "k", *range(random.randint(100, 700)), *words(random, 20))
    else:
        found = fields(random, 30 if kind == "hash" else 700)
        client("HSET", "k", "first", "1", *(word for pair in found for word in pair))
        if random.random() < 0.5:
            names = [name for name, _ in found[: random.randint(0, 40)]]
            client("HEXPIREAT", "k", 5_000_000_000, "FIELDS", len(names) + 1, "first", *names)
    dumped = client.bulk("DUMP", "k")
    assert dumped is not None
    return dumped[:-10]


def run_case(random: Random) -> None:
    client = new_client()
    body = payload(client, random)
    assert client("RESTORE", "k", 0, sealed(body), "REPLACE") == b"+OK\r\n"
    for _ in range(20):
        before = client("DEBUG", "DIGEST-VALUE", "k")
        answer = client("RESTORE", "k", 0, sealed(broken(bytearray(body), random)), "REPLACE")
        assert answer in ANSWERS, answer
        assert answer == b"+OK\r\n" or client("DEBUG", "DIGEST-VALUE", "k") == before
        assert client.engine.check() is None
        client("DUMP", "k")
        client.engine.background()
    client.engine.close()
