"""The table of commands against a real Redis: what COMMAND tells of each command, and the keys it finds."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import redis

from tests.differential.comparers import ONLY_IN_GAPLESS
from tests.support.server import Server, gapless_server, redis_server

# Ours are in words of our own; Redis's are not a fact about a command.
WORDS = frozenset((b"summary", b"complexity", b"history", b"replaced_by", b"notes"))
NOT_HERE = frozenset(
    f"{parent}|{name}".encode()
    for parent, names in {
        "client": ("caching", "tracking", "trackinginfo"),
        "acl": ("deluser", "dryrun", "getuser", "load", "log", "save", "setuser"),
    }.items()
    for name in names
)


@pytest.fixture(scope="module")
def pair() -> Iterator[tuple[Server, Server]]:
    with redis_server() as real, gapless_server() as ours:
        yield real, ours


def ask(server: Server, *words: str | bytes, protocol: int = 3) -> object:
    client = redis.Redis(port=server.port, protocol=protocol)
    connection = client.connection_pool.get_connection()
    try:
        connection.send_command(*words)
        return connection.read_response()
    finally:
        connection.disconnect()


def facts(reply: object) -> object:
    if isinstance(reply, dict):
        return {
            name: facts(value) for name, value in reply.items() if name not in WORDS and name not in NOT_HERE
        }
    if isinstance(reply, list):
        return [facts(value) for value in reply]
    return reply


def rows(server: Server) -> dict[bytes, list[object]]:
    found: dict[bytes, list[object]] = {}
    reply = ask(server, "COMMAND", "INFO")
    assert isinstance(reply, list)
    for row in reply:
        *own, subcommands = row
        found[own[0]] = own
        found.update((sub[0], sub) for sub in subcommands)
    return found


def test_command_info_has_the_facts_of_redis(pair: tuple[Server, Server]) -> None:
    real, ours = (rows(server) for server in pair)
    assert len(ours) > 120
    for name, row in ours.items():
        if name in ONLY_IN_GAPLESS:
            continue
        assert facts(row) == facts(real[name]), name


def test_command_docs_has_the_facts_of_redis(pair: tuple[Server, Server]) -> None:
    real, ours = (facts(ask(server, "COMMAND", "DOCS")) for server in pair)
    assert isinstance(real, dict)
    assert isinstance(ours, dict)
    assert len(ours) > 80
    for name, docs in ours.items():
        if name in ONLY_IN_GAPLESS:
            continue
        assert docs == real[name], name


@pytest.mark.parametrize(
    "words",
    [
        "GET a",
        "MSET a 1 b 2",
        "BITOP AND to a b c",
        "OBJECT ENCODING a",
        "MEMORY USAGE a",
        "SET a 1",
        "SET a 1 GET",
        "BITFIELD a GET u8 0",
        "BITFIELD a SET u8 0 1",
        "COPY a b",
        "PING",
        "GET",
        "NOSUCH a",
    ],
)
@pytest.mark.parametrize("subcommand", ["GETKEYS", "GETKEYSANDFLAGS"])
def test_command_finds_keys_as_redis_does(pair: tuple[Server, Server], subcommand: str, words: str) -> None:
    replies = []
    for server in pair:
        try:
            replies.append(ask(server, "COMMAND", subcommand, *words.split()))
        except redis.ResponseError as error:
            replies.append(str(error))
    assert replies[0] == replies[1]


def test_debug_is_refused_unless_allowed() -> None:
    with (
        gapless_server(enable_debug_command="no") as server,
        pytest.raises(redis.ResponseError, match="DEBUG command not allowed"),
    ):
        ask(server, "DEBUG", "SLEEP", "0")
    with gapless_server(enable_debug_command="yes") as server:
        assert ask(server, "DEBUG", "SLEEP", "0") == b"OK"


@pytest.mark.parametrize("command", ["FLUSHALL", "FLUSHDB", "SWAPDB 0 1"])
def test_emptying_a_database_ends_what_watch_has_seen(pair: tuple[Server, Server], command: str) -> None:
    for server in pair:
        watcher = redis.Redis(port=server.port)
        other = redis.Redis(port=server.port)
        other.set("watched", "1")
        with watcher.pipeline() as pipe:
            pipe.watch("watched")
            other.execute_command(*command.split())
            pipe.multi()
            pipe.set("watched", "2")
            with pytest.raises(redis.WatchError):
                pipe.execute()
        other.flushall()
