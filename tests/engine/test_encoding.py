"""What OBJECT ENCODING answers: what a string remembers of its making, wherever the record goes meanwhile."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.engine.data_client import DataClient, data_client

FITS = 40  # key `k` and such a value take 41 bytes
FITS_WITH_TTL = 32


@pytest.fixture
def client() -> Iterator[DataClient]:
    with data_client() as client:
        yield client


MAKINGS = [
    (["SET k 123"], "int"),
    (["SET k 9223372036854775808"], "embstr"),
    ([f"SET k {'x' * FITS}"], "embstr"),
    ([f"SET k {'x' * (FITS + 1)}"], "raw"),
    ([f"SET k {'x' * FITS_WITH_TTL} EX 100"], "embstr"),
    ([f"SET k {'x' * (FITS_WITH_TTL + 1)} EX 100"], "raw"),
    ([f"SET k {'x' * FITS} EX 100", f"SET k {'x' * FITS_WITH_TTL} KEEPTTL"], "embstr"),
    (["APPEND k 12"], "int"),
    (["SET k ab", "APPEND k c"], "raw"),
    (["SET k 1", "APPEND k 2"], "raw"),
    (["SET k 1", "APPEND k 2", "INCR k"], "int"),
    (["SET k 1", "APPEND k 2", "SET k 34"], "int"),
    (["SET k ab", "APPEND k c", "GETSET k xyz"], "embstr"),
    (["SETRANGE k 0 12"], "raw"),
    (["SET k 12", "SETRANGE k 1 3"], "raw"),
    (["SETBIT k 1 1"], "raw"),
    (["SET k 12", "SETBIT k 0 0"], "raw"),
    (["BITFIELD k SET u8 0 49"], "raw"),
    (["SET k 12", "BITFIELD k GET u8 0"], "int"),
    (["SET k 12", "BITFIELD k OVERFLOW FAIL INCRBY u2 0 9"], "raw"),
    (["SET a 12", "BITOP OR k a a"], "raw"),
    (["INCRBYFLOAT k 3"], "embstr"),
    (["SET k 10", "INCRBYFLOAT k 0"], "embstr"),
    (["INCRBYFLOAT k 3", "INCR k"], "int"),
    (["INCRBYFLOAT k 3", "SET k 4"], "int"),
    (["INCRBYFLOAT k 3", "APPEND k 4"], "raw"),
    (["INCRBYFLOAT a 3", "RENAME a k"], "embstr"),
    (["INCRBYFLOAT a 3", "COPY a k"], "embstr"),
    (["INCRBYFLOAT k 3", "EXPIRE k 100"], "embstr"),
    ([f"SET {'l' * 50} abc", f"RENAME {'l' * 50} k"], "raw"),
    ([f"SET {'l' * 50} abc", f"COPY {'l' * 50} k"], "raw"),
    ([f"SET {'l' * 50} 12", f"RENAME {'l' * 50} k"], "int"),
    (["SET a abc", f"APPEND a {'x' * 9}", "RENAME a k"], "raw"),
    ([f"SET k {'x' * FITS}", "EXPIRE k 100", "PERSIST k"], "raw"),
    ([f"SET k {'x' * FITS}", "GETEX k EX 100", "GETEX k PERSIST"], "raw"),
    ([f"SET k {'x' * FITS_WITH_TTL}", "EXPIRE k 100", "PERSIST k"], "embstr"),
    (["SET k 12", "EXPIRE k 100", "PERSIST k"], "int"),
]


@pytest.mark.parametrize(("commands", "encoding"), MAKINGS, ids=lambda value: str(value)[:60])
def test_encoding_after(client: DataClient, commands: list[str], encoding: str) -> None:
    for command in commands:
        assert not client.line(command).startswith("-"), command
    assert client.line("OBJECT ENCODING k").split()[-1] == encoding


def test_marks_survive_the_cleaner(client: DataClient) -> None:
    """Records are moved to other segments, those with room for more are written anew: the marks go along."""
    keys = 600
    moved = client.engine.stats()["cleaner_records_moved"]
    for n in range(keys):
        client("SET", f"raw:{n}", b"v" * 20)
        client("APPEND", f"raw:{n}", b"w" * (n % 40))
        client("INCRBYFLOAT", f"text:{n}", n)
        client("SET", f"int:{n}", n)
        client("SET", f"hole:{n}", b"h" * 300)
    for n in range(keys):
        client("DEL", f"hole:{n}")
    for _ in range(20):
        for n in range(keys):
            client("SET", f"again:{n}", b"a" * (100 + n))
    assert client.engine.stats()["cleaner_records_moved"] > moved + keys
    for n in range(keys):
        assert client.bulk("OBJECT", "ENCODING", f"raw:{n}") == b"raw"
        assert client.bulk("OBJECT", "ENCODING", f"text:{n}") == b"embstr"
        assert client.bulk("OBJECT", "ENCODING", f"int:{n}") == b"int"
