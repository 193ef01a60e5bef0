"""Commands on data without a server: an engine with those rows of the real table that need none."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

from gapless.commands import bitmap, generic, hyperloglog, server, sets, string, transactions
from gapless.engine.engine import Engine

Word = bytes | str | int
NOW_MS = 1_800_000_000_000


class DataClient:
    """Runs commands; a reply is what goes over the wire. Time stands still until a test moves it."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.session = engine.new_session()

    def __call__(self, *args: Word) -> bytes:
        words = [arg if isinstance(arg, bytes) else str(arg).encode() for arg in args]
        return self.engine.execute(self.session, words)

    def line(self, text: str) -> str:
        """A command in words without spaces, and what is left of its reply without line ends."""
        return self(*text.split()).decode("latin-1").rstrip("\r\n").replace("\r\n", " ")

    def bulk(self, *args: Word) -> bytes | None:
        """The reply must be a bulk string or null."""
        reply = self(*args)
        assert reply[:1] == b"$", reply
        length, _, text = reply[1:].partition(b"\r\n")
        return None if length == b"-1" else text[: int(length)]

    def integer(self, *args: Word) -> int:
        """The reply must be an integer."""
        reply = self(*args)
        assert reply[:1] == b":", reply
        return int(reply[1:])

    def integers(self, *args: Word) -> list[int | None]:
        """The reply must be an array of integers and nulls."""
        reply = self(*args)
        assert reply[:1] == b"*", reply
        return [None if word == b"$-1" else int(word[1:]) for word in reply.split(b"\r\n")[1:-1]]


@cache
def _engine() -> Engine:
    """One for all: an engine reserves so many addresses that only some dozens fit a process.

    Small segments, so that cleaning and large values come early.
    """
    engine = Engine(segment_bytes=1 << 16, address_bytes=1 << 36, seed=7)
    groups = (string, bitmap, hyperloglog, sets, generic, transactions)
    rows = [row for group in groups for row in group.COMMANDS]
    rows += [row for row in server.COMMANDS if row.name in ("flushall", "flushdb", "swapdb")]
    engine.load_commands(tuple(rows))
    return engine


@contextmanager
def data_client() -> Iterator[DataClient]:
    """On an empty engine that audits itself at the end."""
    client = DataClient(_engine())
    client.engine.configure(clock_ms=NOW_MS, proto_max_bulk_len=512 << 20, hll_sparse_max_bytes=3000)
    client.engine.flush()
    yield client
    assert client.engine.check() is None
