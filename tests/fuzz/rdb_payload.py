"""RESTORE of payloads that are broken inside under a right checksum: refused or taken, never worse."""

from __future__ import annotations

from random import Random

from tests.engine.commands import new_client
from tests.engine.test_rdb import BAD_FORMAT, sealed

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


def run_case(random: Random) -> None:
    client = new_client()
    word = random.randbytes(random.randint(1, 12))
    parts = [word if random.random() < 0.7 else random.randbytes(5) for _ in range(random.randint(0, 40))]
    kind = random.randrange(3)
    if kind == 0:
        client("SET", "k", b"".join(parts))
    elif kind == 1:
        scores = [random.choice([random.randrange(99), random.random(), -0.0]) for _ in range(random.randint(1, 200))]
        pairs = [text for i, score in enumerate(scores) for text in (str(score), b"%d" % i, str(-score), word)]
        client("ZADD", "k", *pairs)
    else:
        numbers = [b"%d" % random.randrange(-(10**9), 10**9) for _ in range(random.randint(0, 9))]
        client("SADD", "k", b"1", *numbers, *(parts if random.random() < 0.5 else ()))
    payload = client.bulk("DUMP", "k")
    assert payload is not None
    for _ in range(20):
        answer = client("RESTORE", "k", 0, sealed(broken(bytearray(payload[:-10]), random)), "REPLACE")
        assert answer in ANSWERS, answer
        assert client("EXISTS", "k") == b":1\r\n"
    assert client.engine.check() is None
    client.engine.close()
