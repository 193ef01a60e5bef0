"""dump.rdb files that are damaged: refused with a place in the file, or taken, never worse; what was taken can be written again.

A file with its checksum is refused whatever was done to it.
"""

from __future__ import annotations

from random import Random

from gapless.engine.rdb_load import Loader
from gapless.errors import RdbError
from tests.engine.commands import Client, new_client
from tests.engine.snapshots import whole
from tests.fuzz.rdb_payload import broken, payload
from tests.support import rdb_writer as w
from tests.support.rdb_forms import length, string

LATER = 4_000_000_000_000


def entries(random: Random) -> list[bytes]:
    """Sound ones, of a few keys in one or two databases."""
    client = new_client()
    found = [w.aux(b"redis-ver", b"8.2.3"), w.select(0)]
    for number in range(random.randint(1, 6)):
        client("DEL", "k")
        body = payload(client, random)
        if random.random() < 0.3:
            found.append(w.expire_ms(random.choice([1, LATER])))
        if random.random() < 0.2:
            found.append(bytes([w.FREQ, 7]))
        found.append(body[:1] + string(b"key-%d" % number) + body[1:])
        if random.random() < 0.2:
            found.append(w.select(random.randrange(2)))
        if random.random() < 0.1:
            found.append(bytes([w.FUNCTION2]) + string(b"#!lua name=x\n"))
        if random.random() < 0.1:
            found.append(bytes([w.RESIZEDB]) + length(3) + length(1))
    client.engine.close()
    return found


def load(client: Client, data: bytes) -> bool:
    """Whether it was taken."""
    offset = -1
    try:
        loader = Loader(client.engine, data)
        while not loader.step(0):
            pass
    except RdbError as error:
        offset = error.offset
    assert client.engine.check() is None
    assert offset <= len(data)
    return offset < 0


def run_case(random: Random) -> None:
    sound = w.dump(*entries(random), version=12, checksum=random.random() < 0.2)
    summed = sound[-8:] != bytes(8)
    client = new_client()
    assert load(client, sound)
    client.engine.close()
    for _ in range(10):
        client = new_client()
        damaged = broken(bytearray(sound), random)
        taken = load(client, damaged)
        assert not (taken and summed and not damaged.startswith(sound))
        before = client("DEBUG", "DIGEST")
        copy = new_client()
        assert load(copy, whole(client.engine))
        assert copy("DEBUG", "DIGEST") == before
        client.engine.close()
        copy.engine.close()
