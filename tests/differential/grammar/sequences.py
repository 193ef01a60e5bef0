"""Conversations: some commands on a few connections, sent one by one or in pieces."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from tests.differential.grammar import (
    bitmaps,
    blocking,
    connection,
    generic,
    geo,
    hashes,
    hyperloglogs,
    lists,
    server,
    sets,
    sort,
    sorted_sets,
    streams,
    strings,
    transactions,
)
from tests.differential.grammar.vocabulary import MILLISECONDS, SECONDS, Args, Words

CONNECTIONS = 3
FIRST_SECONDS = 5_000
STEP_SECONDS = 100


@dataclass(frozen=True)
class Piece:
    """Commands for one connection; `together`: sent in one piece."""

    connection: int
    commands: tuple[Args, ...]
    together: bool


def generation(examples: int) -> settings:
    """How conversations are made: the same in every run, unless GAPLESS_EXAMPLES says how many random ones."""
    return settings(
        max_examples=examples,
        derandomize="GAPLESS_EXAMPLES" not in os.environ,
        deadline=None,
        print_blob=True,
        suppress_health_check=list(HealthCheck),
    )


def _any(*tables: dict[str, Words]) -> Words:
    return st.one_of([strategy for table in tables for strategy in table.values()])


GROUPS: dict[str, Words] = {
    "string": _any(strings.COMMANDS),
    "bitmap": _any(bitmaps.COMMANDS),
    "hash": st.one_of(
        _any(hashes.COMMANDS),
        _any(hashes.COMMANDS),
        _any(hashes.COMMANDS),
        _any(generic.COMMANDS),
        strings.COMMANDS["SET"],
        strings.COMMANDS["GETRANGE"],
    ),
    "list": st.one_of(
        _any(lists.COMMANDS),
        _any(lists.COMMANDS),
        _any(lists.COMMANDS),
        _any(blocking.COMMANDS),
        _any(generic.COMMANDS),
        strings.COMMANDS["SET"],
        strings.COMMANDS["GETRANGE"],
    ),
    "set": st.one_of(
        _any(sets.COMMANDS),
        _any(sets.COMMANDS),
        _any(sets.COMMANDS),
        _any(generic.COMMANDS),
        strings.COMMANDS["SET"],
        strings.COMMANDS["GETRANGE"],
    ),
    "stream": st.one_of(
        _any(streams.COMMANDS),
        _any(streams.COMMANDS),
        _any(streams.COMMANDS),
        _any(streams.COMMANDS),
        _any(generic.COMMANDS),
        strings.COMMANDS["SET"],
    ),
    "sort": st.one_of(
        _any(sort.COMMANDS), _any(sort.COMMANDS), _any(sort.COMMANDS), generic.COMMANDS["OBJECT ENCODING"]
    ),
    "hyperloglog": st.one_of(
        _any(hyperloglogs.COMMANDS),
        _any(hyperloglogs.COMMANDS),
        _any(hyperloglogs.COMMANDS),
        _any(generic.COMMANDS),
        strings.COMMANDS["SET"],
        strings.COMMANDS["APPEND"],
    ),
    "sorted set": st.one_of(
        _any(sorted_sets.COMMANDS),
        _any(sorted_sets.COMMANDS),
        _any(sorted_sets.COMMANDS),
        _any(blocking.COMMANDS),
        _any(generic.COMMANDS),
        sets.COMMANDS["SADD"],
        sets.COMMANDS["SADD numbers"],
        strings.COMMANDS["SET"],
    ),
    "geo": st.one_of(
        _any(geo.COMMANDS),
        _any(geo.COMMANDS),
        _any(geo.COMMANDS),
        geo.COMMANDS["GEOADD"],
        geo.COMMANDS["GEOADD many"],
        _any(generic.COMMANDS),
        sorted_sets.COMMANDS["ZRANGE rank"],
        strings.COMMANDS["SET"],
    ),
    "generic": st.one_of(
        _any(generic.COMMANDS), _any(generic.COMMANDS), _any(strings.COMMANDS), connection.COMMANDS["SELECT"]
    ),
    "connection": _any(connection.COMMANDS),
    "server": st.one_of(_any(server.COMMANDS), _any(server.COMMANDS), strings.COMMANDS["SET"]),
    "transactions": st.one_of(
        _any(transactions.COMMANDS),
        _any(transactions.COMMANDS),
        strings.COMMANDS["SET"],
        strings.COMMANDS["INCR"],
        strings.COMMANDS["GET"],
        generic.COMMANDS["DEL"],
        generic.COMMANDS["EXPIREAT"],
        connection.COMMANDS["SELECT"],
        connection.COMMANDS["RESET"],
        server.COMMANDS["FLUSHDB"],
        server.COMMANDS["SWAPDB"],
    ),
    "everything": st.one_of(
        _any(strings.COMMANDS),
        _any(bitmaps.COMMANDS),
        _any(hashes.COMMANDS),
        _any(lists.COMMANDS),
        _any(blocking.COMMANDS),
        _any(sets.COMMANDS),
        _any(sort.COMMANDS),
        _any(streams.COMMANDS),
        _any(hyperloglogs.COMMANDS),
        _any(sorted_sets.COMMANDS),
        _any(geo.COMMANDS),
        _any(generic.COMMANDS),
        _any(transactions.COMMANDS),
        _any({name: line for name, line in connection.COMMANDS.items() if name not in ("AUTH", "HELLO")}),
        _any(server.COMMANDS),
    ),
}


def conversations(group: str, most: int = 16) -> st.SearchStrategy[tuple[Piece, ...]]:
    """Up to `most` pieces of one to four commands of a group."""
    lines = GROUPS[group]
    connections = (
        st.sampled_from([0, 0, 0, 1, 2])
        if group in ("transactions", "everything", "connection")
        else st.just(0)
    )
    piece = st.tuples(connections, st.lists(lines, min_size=1, max_size=4), st.booleans())
    return st.lists(piece, min_size=1, max_size=most).map(_timed)


def _timed(pieces: Iterable[tuple[int, list[Args], bool]]) -> tuple[Piece, ...]:
    """Give every relative expiry a time of its own."""
    count = 0
    timed = []
    for number, lines, together in pieces:
        commands = []
        for line in lines:
            count += 1
            value = FIRST_SECONDS + STEP_SECONDS * count
            numbers = {SECONDS: b"%d" % value, MILLISECONDS: b"%d" % (1000 * value)}
            commands.append(tuple(numbers.get(word, word) for word in line))
        timed.append(
            Piece(number, tuple(commands), together and not any(_authenticates(line) for line in commands))
        )
    return tuple(timed)


def _authenticates(line: Args) -> bool:
    """May the command fail to authenticate? Redis 8.2 then says nothing at all when an earlier reply still
    waits.
    """
    return b"AUTH" in [word.upper() for word in line]
