"""A command that writes several elements of a tree writes all of them or none, however little room there is."""

from __future__ import annotations

import pytest

from gapless.engine.engine import Engine
from tests.engine.commands import Client, rows


def few_pages() -> Client:
    """Addresses for five hundred pages, and for as much of anything else."""
    engine = Engine(segment_bytes=1 << 16, address_bytes=2 << 20, seed=7)
    engine.load_commands(rows())
    return Client(engine)


@pytest.mark.parametrize("command", ["HSET", "SADD"])
@pytest.mark.parametrize("value_bytes", [20, 900])
def test_all_or_nothing(command: str, value_bytes: int) -> None:
    client = few_pages()

    def elements(first: int, count: int) -> list[bytes]:
        step = 2 if command == "HSET" else 1
        return [b"%0*d" % (value_bytes, n) for n in range(first * step, (first + count) * step)]

    written, refused = 0, 0
    while refused < 12:
        count = (400, 200, 100, 70, 50, 30, 20, 10, 5, 3, 2, 1)[refused]
        reply = client(command, "k", *elements(written, count))
        if reply == b":%d\r\n" % count:
            written += count
        else:
            assert reply.startswith(b"-OOM"), reply
            assert client("HLEN" if command == "HSET" else "SCARD", "k") == b":%d\r\n" % written
            assert client.engine.check() is None
            refused += 1
    assert written > 200
    assert client("DEL", "k") == b":1\r\n"
    while client.engine.background():
        pass
    assert client(command, "k", *elements(0, 100)) == b":100\r\n"
    assert client.engine.check() is None
    client.engine.close()
