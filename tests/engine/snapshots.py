"""Snapshots while a history goes on: what was there when one began, and whether its file holds just that."""

from __future__ import annotations

from gapless.engine.engine import Engine
from gapless.engine.rdb_load import Loader
from gapless.engine.snapshot import Snapshot
from tests.engine.commands import Client, new_client_of_all

DATABASES = 16
STEP_US = 0  # a few buckets


def whole(engine: Engine, background: bool = False) -> bytes:
    """The file of a store, in one go."""
    return finished(Snapshot(engine, {b"redis-ver": b"8.2.3"}, [], True, background), b"")


def finished(snapshot: Snapshot, begun: bytes) -> bytes:
    while not snapshot.done:
        begun += snapshot.step(1000)
    begun += snapshot.tail()
    head = snapshot.head()
    assert begun[:5] == head[:5]
    return head + begun[len(head) :]


def loaded(data: bytes, now: int, seed: int = 1) -> Client:
    """A store of what is in a file, at a time."""
    client = new_client_of_all(seed, now)
    loader = Loader(client.engine, data)
    while not loader.step(1000):
        pass
    assert client.engine.check() is None
    return client


def keys(client: Client) -> dict[tuple[int, bytes], tuple[bytes, ...]]:
    """What digests do not tell of each key: when it expires, and all of a stream's groups."""
    found = {}
    for db in range(DATABASES):
        client("SELECT", db)
        for key in client.bulks("KEYS", "*"):
            if client("TYPE", key) == b"+hash\r\n" and not client.bulks("HKEYS", key):
                # Nothing but fields whose time has come: as good as not there, and not in a file.
                client("DEL", key)
            if client("TYPE", key) == b"+none\r\n":
                continue
            told = [client("PEXPIRETIME", key), client("TYPE", key)]
            if told[1] == b"+stream\r\n":
                words = client("XINFO", "STREAM", key, "FULL", "COUNT", 0).split(b"\r\n")
                assert words[8] == b"radix-tree-nodes"  # of which there are as many as fit
                # Sorted: the order of long names depends on the sizes of pages.
                told += sorted(words[:9] + words[10:])
            found[db, key] = tuple(told)
    client("SELECT", 0)
    return found


class Watched:
    """A snapshot of a client's store that has just begun."""

    def __init__(self, client: Client, now: int) -> None:
        self.now = now
        self.keys = keys(client)
        self.digest = client("DEBUG", "DIGEST")
        self.snapshot = Snapshot(client.engine, {}, [], True, True)
        self.data = b""

    def step(self) -> bool:
        """A little more of it; at its end what is in its file must be what was there."""
        self.data += self.snapshot.step(STEP_US)
        if not self.snapshot.done:
            return False
        copy = loaded(finished(self.snapshot, self.data), self.now)
        there = keys(copy)
        assert [
            (key, there.get(key), told) for key, told in self.keys.items() if there.get(key) != told
        ] == []
        assert len(there) == len(self.keys)
        assert copy("DEBUG", "DIGEST") == self.digest
        copy.engine.close()
        return True
