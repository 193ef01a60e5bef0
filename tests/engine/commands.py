"""Compiled commands without a server: an engine, a session, a table of rows that say what they must."""

from __future__ import annotations

from dataclasses import dataclass

from gapless.commands.table import COMMANDS
from gapless.engine.engine import Engine

ONE_KEY = [
    *("copy", "del", "dump", "exists", "expire", "expireat", "expiretime", "move", "persist", "pexpire"),
    *("pexpireat", "pexpiretime", "pttl", "rename", "renamenx", "restore", "touch", "ttl", "type", "unlink"),
]
NO_KEY = ["dbsize", "flushall", "flushdb", "keys", "randomkey", "scan", "swapdb", "time", "wait", "waitaof"]
DEBUG = ["check", "digest", "digest-value", "object", "populate", "glob"]
STRINGS = ["append", "get", "set", "setrange"]
STREAMS = {
    "streams": ["xadd", "xdel", "xrange", "xrevrange", "xtrim"],
    "streams_claim": ["xautoclaim"],
    "streams_pending": ["xpending"],
}


@dataclass(frozen=True)
class Row:
    name: str
    handler: str
    keys: tuple[int, int, int] = (0, 0, 0)
    arity: int = -1
    flags: frozenset[str] = frozenset()
    subcommands: tuple[Row, ...] = ()
    element: int = 0
    waits_if_asked: bool = False


def rows() -> tuple[Row, ...]:
    first = (1, 1, 1)
    objects = tuple(
        Row(name, "generic.object", arity=2 if name == "help" else 3)
        for name in ("encoding", "freq", "help", "idletime", "refcount")
    )
    groups = tuple(Row(name, f"streams_groups.xgroup_{name}") for name in ("create", "delconsumer"))
    debug = tuple(Row(name, f"generic.debug_{name.replace('-', '_')}") for name in DEBUG)
    return (
        *(Row(name, f"generic.{name}", first) for name in ONE_KEY),
        *(Row(name, f"generic.{name}") for name in NO_KEY),
        *(Row(name, f"strings.{name}", first) for name in STRINGS),
        Row("sadd", "sets.sadd", first),
        Row("zadd", "sorted_sets.zadd", first),
        *(Row(name, f"{module}.{name}", first) for module, names in STREAMS.items() for name in names),
        Row("xreadgroup", "streams_read.xreadgroup"),
        Row("xgroup", "streams_groups.xgroup", subcommands=groups),
        Row("xinfo", "streams_info.xinfo", subcommands=(Row("stream", "streams_info.xinfo_stream"),)),
        Row("scard", "sets.scard", first),
        Row("hlen", "hashes.hlen", first),
        Row("hset", "hashes.hset", first),
        Row("hgetall", "hashes.hgetall", first),
        Row("hexpireat", "hashes_expiry.hexpireat", first),
        Row("object", "generic.object", subcommands=objects),
        Row("debug", "generic.debug_check", subcommands=debug),
        Row("memory", "generic.memory_usage", subcommands=(Row("usage", "generic.memory_usage"),)),
        Row("select", "connection.select"),
        Row("multi", "transactions.multi"),
        Row("exec", "transactions.exec"),
        Row("watch", "transactions.watch", first),
    )


class Client:
    """Runs commands; a reply is what goes over the wire."""

    def __init__(self, engine: Engine, protocol: int = 2) -> None:
        self.engine = engine
        self.session = engine.new_session(protocol)

    def __call__(self, *args: bytes | str | int) -> bytes:
        words = [arg if isinstance(arg, bytes) else str(arg).encode() for arg in args]
        return self.engine.execute(self.session, words)

    def bulk(self, *args: bytes | str | int) -> bytes | None:
        """The reply must be a bulk string or null."""
        reply = self(*args)
        assert reply[:1] == b"$", reply
        length, _, text = reply[1:].partition(b"\r\n")
        return None if length == b"-1" else text[: int(length)]

    def bulks(self, *args: bytes | str | int) -> list[bytes]:
        """The reply must be an array of bulk strings without line ends in them."""
        reply = self(*args)
        assert reply[:1] == b"*", reply
        return reply.split(b"\r\n")[2::2]


def new_client_of_all(seed: int = 7, now_ms: int = 0) -> Client:
    """The same with every command there is. now_ms: what time it is; 0: the clock's."""
    engine = Engine(segment_bytes=1 << 16, address_bytes=1 << 36, seed=seed)
    engine.load_commands(COMMANDS)
    engine.configure(clock_ms=now_ms)
    return Client(engine)


def new_client(protocol: int = 2) -> Client:
    """On segments of 64 KiB: cleaning and large values come early."""
    engine = Engine(segment_bytes=1 << 16, address_bytes=1 << 36, seed=7)
    engine.load_commands(rows())
    return Client(engine, protocol)
