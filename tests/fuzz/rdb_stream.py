"""RESTORE of streams that are broken inside under a right checksum: refused, leaving what was there, or taken; and then sound in use."""

from __future__ import annotations

from random import Random

from gapless.engine.rdb import set_compression
from tests.engine.commands import Client, new_client
from tests.engine.test_rdb import BAD_FORMAT, sealed
from tests.fuzz.rdb_payload import ANSWERS, broken


def make(client: Client, random: Random) -> None:
    """A stream with one group or two, some of its entries deleted, some pending."""
    client("XGROUP", "CREATE", "k", "g", "0", "MKSTREAM")
    for i in range(1, random.choice([2, 5, 40, 150])):
        fields = random.choice(
            [(b"f", b"%d" % i), (b"f", b"v" * random.randrange(70)), (b"a", b"b", b"c", b"-5")]
        )
        client("XADD", "k", f"{i}-{random.randrange(3)}", *fields)
    for consumer in random.sample([b"c", b"d", b"", b"\x00e"], random.randrange(4)):
        client("XREADGROUP", "GROUP", "g", consumer, "COUNT", random.randrange(1, 30), "STREAMS", "k", ">")
    client("XDEL", "k", *(f"{random.randrange(60)}-1" for _ in range(8)))
    client("XGROUP", "CREATE", "k", "h", "3-0")


def use(client: Client, random: Random) -> None:
    """Whatever it is, nothing in it leads astray."""
    client("XINFO", "STREAM", "k", "FULL", "COUNT", "0")
    client("XRANGE", "k", "-", "+")
    client("XREVRANGE", "k", "+", "-", "COUNT", "9")
    for name in ("g", "h"):
        client("XREADGROUP", "GROUP", name, "c", "COUNT", "20", "STREAMS", "k", ">")
        client("XPENDING", "k", name, "-", "+", "100")
        client("XAUTOCLAIM", "k", name, "new", "0", "-", "COUNT", "5")
        client("XGROUP", "DELCONSUMER", "k", name, "c")
    client("XADD", "k", "*", "f", "v")
    client("XDEL", "k", *(f"{random.randrange(60)}-1" for _ in range(8)))
    client("XTRIM", "k", "MAXLEN", random.choice(["=", "~"]), random.randrange(60))
    payload = client.bulk("DUMP", "k")
    assert payload is not None
    assert client("RESTORE", "copy", 0, payload, "REPLACE") == b"+OK\r\n"
    assert client.bulk("DUMP", "copy") == payload


def run_case(random: Random) -> None:
    client = new_client()
    # Compressed, most of what is broken would be broken for LZF alone.
    set_compression(random.random() < 0.2)
    make(client, random)
    payload = client.bulk("DUMP", "k")
    assert payload is not None
    for _ in range(20):
        before = client("DEBUG", "DIGEST-VALUE", "k")
        answer = client("RESTORE", "k", 0, sealed(broken(bytearray(payload[:-10]), random)), "REPLACE")
        assert answer in ANSWERS, answer
        if answer == BAD_FORMAT:
            assert client("DEBUG", "DIGEST-VALUE", "k") == before
        elif client("TYPE", "k") == b"+stream\r\n":
            use(client, random)
    set_compression(True)
    assert client.engine.check() is None
    client.engine.close()
