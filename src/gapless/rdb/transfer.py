"""Keys from one place to another, a batch at a time: a dump.rdb or a server on either side.

What goes over is what DUMP says, with the absolute time at which a key expires. A server needs nothing but
SCAN, DUMP and RESTORE, so any Redis or Valkey will do. What is read from a server is not of one moment: what
is written meanwhile may be in it or not.
"""

from __future__ import annotations

import mmap
import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

import redis

from gapless.engine.engine import Engine
from gapless.engine.rdb_load import Loader, checksum

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Progress = Callable[[int, int], None]

BATCH_KEYS = 500
BATCH_BYTES = 4 << 20
FOOTER_BYTES = 10  # of a payload: version and checksum
NO_DIGEST = b"0" * 40


class Entry(NamedTuple):
    """A key: its database, its absolute expiry in ms or -1, and what DUMP says of its value."""

    db: int
    key: bytes
    expire_ms: int
    payload: bytes


@dataclass
class Tally:
    """What became of the keys."""

    read: int = 0
    written: int = 0
    there_already: int = 0
    compared: int = 0
    failed: dict[str, int] = field(default_factory=dict)
    first_failed: dict[str, bytes] = field(default_factory=dict)
    different: list[tuple[int, bytes]] = field(default_factory=list)
    functions: int = 0

    def fail(self, reason: str, key: bytes) -> None:
        self.failed[reason] = self.failed.get(reason, 0) + 1
        self.first_failed.setdefault(reason, key)

    @property
    def ok(self) -> bool:
        """Whether all that was read is where it was to go."""
        return not self.failed and not self.different


class Digests:
    """What DEBUG DIGEST-VALUE says of payloads: for servers that refuse DEBUG, and for files."""

    def __init__(self) -> None:
        from gapless.commands.table import COMMANDS

        self._engine = Engine(address_bytes=1 << 40)
        self._engine.load_commands(COMMANDS)
        self._session = self._engine.new_session()

    def _call(self, *words: bytes) -> bytes:
        return self._engine.execute(self._session, words)

    def of(self, values: list[tuple[bytes | None, int]]) -> list[bytes]:
        """Of each payload and its expiry, of which a digest says only that there is one; zeros for None."""
        names = [b"%d" % at for at in range(len(values))]
        for name, (payload, expire_ms) in zip(names, values, strict=True):
            if payload is not None:
                self._call(b"RESTORE", name, b"%d" % max(expire_ms, 0), payload, b"ABSTTL")
        found = self._call(b"DEBUG", b"DIGEST-VALUE", *names).split(b"\r\n")[1:-1] if names else []
        self._call(b"FLUSHALL")
        return [line[1:] for line in found]


class Server:
    """A server as a source or a target. Raises redis.RedisError."""

    def __init__(self, url: str, match: str = "*") -> None:
        self.url = url
        self.match = match
        self._clients: dict[int, redis.Redis] = {}
        first = redis.Redis.from_url(url)
        first.ping()
        # A database in the address means that one, none means all.
        self._only = first.connection_pool.connection_kwargs.get("db")
        self._clients[int(self._only or 0)] = first
        self._absolute: bool | None = None
        self._debug: bool | None = None
        self._digests: Digests | None = None

    def client(self, db: int) -> redis.Redis:
        """A connection to a database."""
        found = self._clients.get(db)
        if found is None:
            found = self._clients[db] = redis.Redis.from_url(self.url, db=db)
        return found

    def close(self) -> None:
        """End all connections."""
        for client in self._clients.values():
            client.close()

    def databases(self) -> dict[int, int]:
        """How many keys there are in each database that counts."""
        info: Any = next(iter(self._clients.values())).info("keyspace")
        sizes = {int(name[2:]): int(facts["keys"]) for name, facts in info.items()}
        if self._only:
            return {int(self._only): sizes.get(int(self._only), 0)}
        return sizes

    def total(self) -> int:
        """Keys in all databases that count: an upper bound where a pattern is given."""
        return sum(self.databases().values())

    def entries(self) -> Iterator[list[Entry]]:
        """All keys that match, in batches."""
        for db in sorted(self.databases()):
            cursor, done = 0, False
            client: Any = self.client(db)
            while not done:
                cursor, keys = client.scan(cursor, match=self.match, count=BATCH_KEYS)
                done = int(cursor) == 0
                if keys:
                    yield self._read(db, keys)

    def _read(self, db: int, keys: list[bytes]) -> list[Entry]:
        times = self.expiries(db, keys)
        payloads = self._pipelined(db, [("DUMP", key) for key in keys])
        return [
            Entry(db, key, time, payload)
            for key, time, payload in zip(keys, times, payloads, strict=True)
            if isinstance(payload, bytes)
        ]

    def _pipelined(self, db: int, commands: list[tuple[Any, ...]]) -> list[Any]:
        pipeline: Any = self.client(db).pipeline(transaction=False)
        for command in commands:
            pipeline.execute_command(*command)
        return list(pipeline.execute(raise_on_error=False))

    def expiries(self, db: int, keys: list[bytes]) -> list[int]:
        """When each key expires, ms; -1: never, or there is no such key."""
        if self._absolute is not False:
            found = self._pipelined(db, [("PEXPIRETIME", key) for key in keys])
            self._absolute = not any(isinstance(each, redis.ResponseError) for each in found)
            if self._absolute:
                return [max(int(each), -1) for each in found]
        # Before Redis 7.0.
        client: Any = self.client(db)
        seconds, us = client.time()
        now = int(seconds) * 1000 + int(us) // 1000
        left = self._pipelined(db, [("PTTL", key) for key in keys])
        return [now + int(each) if int(each) >= 0 else -1 for each in left]

    def write(self, entries: list[Entry], replace: bool, tally: Tally) -> None:
        """RESTORE of each."""
        for db in sorted({entry.db for entry in entries}):
            ours = [entry for entry in entries if entry.db == db]
            more = ("ABSTTL", "REPLACE") if replace else ("ABSTTL",)
            replies = self._pipelined(
                db, [("RESTORE", each.key, max(each.expire_ms, 0), each.payload, *more) for each in ours]
            )
            for entry, reply in zip(ours, replies, strict=True):
                if not isinstance(reply, Exception):
                    tally.written += 1
                elif "BUSYKEY" in str(reply) or "already exists" in str(reply):
                    tally.there_already += 1
                else:
                    tally.fail(str(reply), entry.key)

    def digests(self, entries: list[Entry]) -> list[bytes]:
        """Of what is under these keys of one database now; zeros where there is nothing."""
        db, keys = entries[0].db, [entry.key for entry in entries]
        if self._debug is not False:
            client: Any = self.client(db)
            try:
                found = client.execute_command("DEBUG", "DIGEST-VALUE", *keys)
            except redis.ResponseError:
                self._debug = False
            else:
                self._debug = True
                return [each if isinstance(each, bytes) else each.encode() for each in found]
        payloads = self._pipelined(db, [("DUMP", key) for key in keys])
        self._digests = self._digests or Digests()
        times = self.expiries(db, keys)
        found = [each if isinstance(each, bytes) else None for each in payloads]
        return self._digests.of(list(zip(found, times, strict=True)))


class File:
    """A dump.rdb as a source. Raises OSError and RdbError."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.functions: list[bytes] = []
        self._digests = Digests()

    def close(self) -> None:
        """Nothing is left open."""

    def total(self) -> int:
        """Bytes, for want of a number of keys that can be known."""
        return os.stat(self.path).st_size

    def entries(self) -> Iterator[list[Entry]]:
        """All keys that have not expired, in batches."""
        with open(self.path, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as view:
            loader = Loader(Engine(), view)
            try:
                while found := loader.payloads(BATCH_KEYS, BATCH_BYTES):
                    yield [Entry(*each) for each in found]
            finally:
                self.functions = loader.functions
                loader.close()

    def digests(self, entries: list[Entry]) -> list[bytes]:
        """Of the values that were read."""
        return self._digests.of([(entry.payload, entry.expire_ms) for entry in entries])


def copy(
    source: Server | File, target: Server, *, replace: bool = False, progress: Progress | None = None
) -> Tally:
    """Put all keys of the source into the target. progress: keys so far, of how many. O(bytes)."""
    tally = Tally()
    total = source.total() if isinstance(source, Server) else 0
    for entries in source.entries():
        tally.read += len(entries)
        target.write(entries, replace, tally)
        if progress is not None:
            progress(tally.read, total)
    if isinstance(source, File):
        tally.functions = len(source.functions)
    return tally


def compare(source: Server | File, target: Server, tally: Tally, progress: Progress | None = None) -> None:
    """Look whether each key of the source is in the target with the same value and expiry. O(bytes)."""
    total = source.total() if isinstance(source, Server) else tally.read
    for entries in source.entries():
        for db in sorted({entry.db for entry in entries}):
            ours = [entry for entry in entries if entry.db == db]
            digests = zip(source.digests(ours), target.digests(ours), strict=True)
            times = target.expiries(db, [entry.key for entry in ours])
            for entry, (here, there), time in zip(ours, digests, times, strict=True):
                # What has expired since it was read is in neither.
                if here != there or (here != NO_DIGEST and not same_time(entry.expire_ms, time)):
                    tally.different.append((db, entry.key))
        tally.compared += len(entries)
        if progress is not None:
            progress(tally.compared, total)


def same_time(first_ms: int, second_ms: int) -> bool:
    """Whether two expiries are one; servers that tell only what is left of a TTL are some ms off."""
    return first_ms == second_ms or (first_ms >= 0 and second_ms >= 0 and abs(first_ms - second_ms) < 1000)


def export(source: Server, path: str, progress: Progress | None = None) -> Tally:
    """Write all keys of a server to a dump.rdb. OSError. O(bytes)."""
    tally = Tally()
    total, version, db = source.total(), 1, -1
    temporary = f"{os.path.abspath(path)}.{os.getpid()}"
    try:
        with open(temporary, "w+b") as file:
            file.write(b"REDIS0001")
            for entries in source.entries():
                tally.read += len(entries)
                for entry in entries:
                    if entry.db != db:
                        db = entry.db
                        file.write(b"\xfe" + length(db))
                    if entry.expire_ms >= 0:
                        file.write(b"\xfc" + entry.expire_ms.to_bytes(8, "little"))
                    value, footer = entry.payload[:-FOOTER_BYTES], entry.payload[-FOOTER_BYTES:]
                    file.write(value[:1] + length(len(entry.key)) + entry.key + value[1:])
                    version = max(version, int.from_bytes(footer[:2], "little"))
                    tally.written += 1
                if progress is not None:
                    progress(tally.read, total)
            file.write(b"\xff")
            file.seek(0)
            file.write(b"REDIS%04d" % version)
            file.flush()
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as view:
                crc = checksum(0, view)
            file.seek(0, os.SEEK_END)
            file.write(crc.to_bytes(8, "little"))
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        if os.path.exists(temporary):
            os.unlink(temporary)
        raise
    return tally


def length(n: int) -> bytes:
    """As RDB writes it."""
    if n < 64:
        return bytes([n])
    if n < 16384:
        return (0x4000 | n).to_bytes(2, "big")
    return b"\x80" + n.to_bytes(4, "big")
