"""Clients that wait, several at a time: whom a command serves, with what and in which order, is what Redis does.

Random steps of four connections that wait and one that does not; after each step the replies that have come are
compared. Nobody times out. SWAPDB is left to the scenarios: of several keys that it makes ready Redis serves first which
comes first in a table with a random seed. SORT STORE likewise: where it writes a list over a key of another type,
Redis leaves those asleep who wait for a list.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.differential.pair import Pair
from tests.differential.test_sequences import EXAMPLES
from tests.support.raw import RawConnection, command
from tests.support.replies import parse

Args = tuple[bytes, ...]
Step = tuple[str, int, tuple[Args, ...]]

WAITING = 4
FOREVER = b"0"

keys = st.sampled_from([b"a", b"a", b"b", b"c"])
elements = st.lists(st.sampled_from([b"1", b"2", b"3"]), min_size=1, max_size=3)
ends = st.sampled_from([b"LEFT", b"RIGHT"])
databases = st.sampled_from([b"0", b"1"])
waiters = st.integers(0, WAITING - 1)


def line(*parts: bytes | st.SearchStrategy[bytes]) -> st.SearchStrategy[Args]:
    return st.tuples(*(st.just(part) if isinstance(part, bytes) else part for part in parts))


def with_keys(before: Args, after: Args) -> st.SearchStrategy[Args]:
    return st.lists(keys, min_size=1, max_size=3).map(lambda names: (*before, *names, *after))


def counted(name: bytes, ends: st.SearchStrategy[bytes]) -> st.SearchStrategy[Args]:
    """BLMPOP, BZMPOP."""
    return st.tuples(
        st.lists(keys, min_size=1, max_size=3), ends, st.sampled_from([(), (b"COUNT", b"2")])
    ).map(lambda t: (name, FOREVER, b"%d" % len(t[0]), *t[0], t[1], *t[2]))


def reading(before: Args, wanted: st.SearchStrategy[bytes]) -> st.SearchStrategy[Args]:
    """XREAD, XREADGROUP."""
    return st.lists(st.tuples(keys, wanted), min_size=1, max_size=2).map(
        lambda pairs: (*before, b"BLOCK", FOREVER, b"STREAMS", *(k for k, _ in pairs), *(i for _, i in pairs))
    )


ids = st.integers(1, 30).map(lambda n: b"%d-1" % n)
sides = st.sampled_from([b"MIN", b"MAX"])
members = st.sampled_from([(b"1", b"a"), (b"2", b"b"), (b"1", b"c", b"3", b"d")])

GENERAL = st.one_of(
    line(b"DEL", keys),
    line(b"SET", keys, b"x"),
    line(b"RENAME", b"spare", keys),
    line(b"COPY", b"spare", keys, b"REPLACE"),
    line(b"MOVE", keys, databases),
    line(b"SELECT", databases),
    line(b"FLUSHDB"),
)

# Of each type what waits, and what brings something.
TYPES: dict[str, tuple[st.SearchStrategy[Args], st.SearchStrategy[Args]]] = {
    "list": (
        st.one_of(
            with_keys((b"BLPOP",), (FOREVER,)),
            with_keys((b"BRPOP",), (FOREVER,)),
            line(b"BLMOVE", keys, keys, ends, ends, FOREVER),
            line(b"BRPOPLPUSH", keys, keys, FOREVER),
            counted(b"BLMPOP", ends),
        ),
        st.one_of(
            st.tuples(st.sampled_from([b"RPUSH", b"LPUSH"]), keys, elements).map(
                lambda t: (t[0], t[1], *t[2])
            ),
            st.tuples(st.sampled_from([b"RPUSH", b"LPUSH"]), keys, elements).map(
                lambda t: (t[0], t[1], *t[2])
            ),
            line(b"LPOP", keys),
            line(b"RPUSH", b"spare", b"s1", b"s2"),
            line(b"LMOVE", b"spare", keys, ends, ends),
        ),
    ),
    "sorted set": (
        st.one_of(
            with_keys((b"BZPOPMIN",), (FOREVER,)),
            with_keys((b"BZPOPMAX",), (FOREVER,)),
            counted(b"BZMPOP", sides),
        ),
        st.one_of(
            st.tuples(keys, members).map(lambda t: (b"ZADD", t[0], *t[1])),
            st.tuples(keys, members).map(lambda t: (b"ZADD", t[0], *t[1])),
            line(b"ZADD", b"spare", b"5", b"e"),
            line(b"ZINCRBY", keys, b"1", b"a"),
            line(b"ZUNIONSTORE", keys, b"2", b"spare", keys),
            line(b"ZRANGESTORE", keys, b"spare", b"0", b"-1"),
        ),
    ),
    "stream": (
        st.one_of(
            reading((b"XREAD",), st.one_of(ids, st.just(b"$"), st.just(b"0"), st.just(b"+"))),
            reading((b"XREADGROUP", b"GROUP", b"g", b"one"), st.just(b">")),
            reading((b"XREADGROUP", b"GROUP", b"g", b"two", b"COUNT", b"1", b"NOACK"), st.just(b">")),
        ),
        st.one_of(
            line(b"XADD", keys, ids, b"f", b"v"),
            line(b"XADD", keys, ids, b"f", b"v"),
            line(b"XADD", b"spare", ids, b"f", b"v"),
            line(b"XGROUP", b"CREATE", keys, b"g", b"$", b"MKSTREAM"),
            line(b"XGROUP", b"CREATE", keys, b"g", b"0", b"MKSTREAM"),
            line(b"XGROUP", b"DESTROY", keys, b"g"),
            line(b"XTRIM", keys, b"MAXLEN", b"1"),
            line(b"XDEL", keys, ids),
        ),
    ),
}


def script(names: tuple[str, ...]) -> st.SearchStrategy[list[Step]]:
    """Steps with commands of these types."""
    waiting = st.tuples(st.one_of(*(TYPES[name][0] for name in names)))
    bringing = st.one_of(*(TYPES[name][1] for name in names))
    changes = st.one_of(bringing, bringing, bringing, GENERAL)
    steps: st.SearchStrategy[Step] = st.one_of(
        st.tuples(st.just("wait"), waiters, waiting),
        st.tuples(st.just("wait"), waiters, waiting),
        st.tuples(st.just("change"), st.just(0), st.tuples(changes)),
        st.tuples(st.just("change"), st.just(0), st.tuples(changes)),
        st.tuples(st.just("change"), st.just(0), st.lists(changes, min_size=2, max_size=4).map(tuple)),
        st.tuples(st.just("select"), waiters, st.tuples(line(b"SELECT", databases))),
        st.tuples(st.sampled_from(["unblock", "close"]), waiters, st.just(())),
    )
    return st.lists(steps, min_size=4, max_size=30)


class Side:
    """One server: connections that may wait, and one that does not."""

    def __init__(self, server: object, protocol: int) -> None:
        self._connect = server.connect  # type: ignore[attr-defined]
        self._protocol = protocol
        self.control: RawConnection = self._open()
        self.waiters: list[RawConnection] = [self._open() for _ in range(WAITING)]
        self.ids = [self._id(connection) for connection in self.waiters]

    def _open(self) -> RawConnection:
        connection: RawConnection = self._connect()
        connection.call("HELLO", self._protocol)
        return connection

    @staticmethod
    def _id(connection: RawConnection) -> bytes:
        return connection.call("CLIENT", "ID")[1:-2]

    def close(self) -> None:
        for connection in (self.control, *self.waiters):
            connection.close()

    def take(self, step: Step) -> list[bytes]:
        """What everybody has been told since the step before, the one who does not wait first."""
        kind, number, commands = step
        told = b""
        if kind == "change":
            # In one piece: who waits is served behind each, or behind the whole transaction.
            lines = [(b"MULTI",), *commands, (b"EXEC",)] if len(commands) > 1 else list(commands)
            told = b"".join(self.control.pipeline(lines))
        elif kind == "unblock":
            told = self.control.call("CLIENT", "UNBLOCK", self.ids[number])
        elif kind == "close":
            self.waiters[number].close()
            self.waiters[number] = self._open()
            self.ids[number] = self._id(self.waiters[number])
        else:
            self.waiters[number].send(command(*commands[0]))
        self.control.call("PING")
        self.control.call("PING")
        return [told, *(connection.read_quiet(0.0005)[0] for connection in self.waiters)]

    def blocked(self) -> list[bytes]:
        clients = parse(self.control.call("INFO", "clients")).payload
        return re.findall(rb"^(?:blocked_clients|total_blocking_keys.*):\d+", clients, re.MULTILINE)


@contextmanager
def both(pair: Pair, protocol: int) -> Iterator[tuple[Side, Side]]:
    sides = Side(pair.reference, protocol), Side(pair.subject, protocol)
    try:
        yield sides
    finally:
        for side in sides:
            side.close()


@pytest.mark.timeout(0)
@pytest.mark.parametrize("protocol", [2, 3])
@pytest.mark.parametrize("names", [*((name,) for name in TYPES), tuple(TYPES)], ids=" and ".join)
def test_who_is_served(servers: Pair, names: tuple[str, ...], protocol: int) -> None:
    @settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
    @given(script(names))
    def conversation(steps: list[Step]) -> None:
        servers.reset()
        with both(servers, protocol) as (left, right):
            for at, step in enumerate(steps):
                expected, found = left.take(step), right.take(step)
                assert found == expected, f"step {at} of {steps}"
            assert right.blocked() == left.blocked(), steps
            with servers.session(protocol) as session:
                session.compare_state()
        servers.check()

    conversation()


def numbers_of(control: RawConnection, section: str, pattern: bytes) -> list[bytes]:
    found = re.findall(pattern, parse(control.call("INFO", section)).payload, re.MULTILINE)
    return sorted(b" ".join(each) if isinstance(each, tuple) else each for each in found)


def test_what_statistics_tell(pair: Pair) -> None:
    """A command that waits is counted once, when it has replied; whether it failed is what it replied."""
    told = []
    for server in (pair.reference, pair.subject):
        side = Side(server, 2)
        try:
            side.control.call("CONFIG", "RESETSTAT")
            side.take(("wait", 0, ((b"BLPOP", b"a", b"b", FOREVER),)))
            side.take(("wait", 1, ((b"BRPOP", b"a", b"1000"),)))
            side.take(("wait", 2, ((b"BLMOVE", b"a", b"s", b"LEFT", b"LEFT", FOREVER),)))
            side.take(("wait", 3, ((b"BLMPOP", FOREVER, b"1", b"a", b"LEFT"),)))
            while_waiting = [
                *numbers_of(side.control, "clients", rb"^(?:blocked|clients_in|total_blocking).*:\d+"),
                *numbers_of(side.control, "commandstats", rb"^cmdstat_b.*"),
                re.findall(rb" flags=\w+| cmd=\w+", side.control.call("CLIENT", "LIST", "ID", *side.ids)),
            ]
            side.control.call("SET", "s", "x")
            side.control.call("RPUSH", "a", "1")
            side.control.call("RPUSH", "a", "2", "3")
            side.take(("wait", 1, ((b"BLPOP", b"a", FOREVER),)))
            side.take(("wait", 0, ((b"BLPOP", b"none", b"0.001"),)))
            side.control.call("CLIENT", "UNBLOCK", side.ids[3])
            side.take(("wait", 3, ((b"BLPOP", b"none", FOREVER),)))
            side.control.call("CLIENT", "UNBLOCK", side.ids[3], "ERROR")
            told.append(
                (
                    while_waiting,
                    numbers_of(side.control, "clients", rb"^(?:blocked|clients_in|total_blocking).*:\d+"),
                    numbers_of(side.control, "commandstats", rb"^(cmdstat_b\w+:calls=\d+).*(rejected.*)\r"),
                    numbers_of(side.control, "errorstats", rb"^errorstat.*"),
                    re.findall(rb" tot-cmds=\d+", side.control.call("CLIENT", "LIST", "ID", *side.ids)),
                )
            )
        finally:
            side.close()
    assert told[1] == told[0]


def test_a_client_held_back_by_a_pause_counts_as_blocked(pair: Pair) -> None:
    told = []
    for server in (pair.reference, pair.subject):
        side = Side(server, 2)
        try:
            side.control.call("CLIENT", "PAUSE", "200", "WRITE")
            side.take(("wait", 0, ((b"SET", b"k", b"v"),)))
            told.append(
                (
                    side.blocked(),
                    re.findall(rb" flags=\w+", side.control.call("CLIENT", "LIST", "ID", *side.ids)),
                    side.control.call("CLIENT", "UNBLOCK", side.ids[0]),
                    side.waiters[0].read_reply(),
                )
            )
        finally:
            side.close()
    assert told[1] == told[0]


def test_a_stream_restored_in_place_of_another(pair: Pair) -> None:
    """Who waits for a group of the one before is told that it is gone."""
    with both(pair, 2) as (left, right):
        left.control.call("XADD", "spare", "1-1", "f", "v")
        payload = parse(left.control.call("DUMP", "spare")).payload
        told = []
        for side in (left, right):
            side.control.call("XGROUP", "CREATE", "a", "g", "$", "MKSTREAM")
            wait = (b"XREADGROUP", b"GROUP", b"g", b"one", b"BLOCK", FOREVER, b"STREAMS", b"a", b">")
            side.take(("wait", 0, (wait,)))
            told.append(
                side.take(("change", 0, ((b"RESTORE", b"a", b"0", payload, b"REPLACE"),))) + side.blocked()
            )
        assert told[1] == told[0]
        assert told[0][1].startswith(b"-NOGROUP")


def test_monitor_sees_what_was_sent(pair: Pair) -> None:
    """Not what a command that waits keeps of it."""
    told = []
    for server in (pair.reference, pair.subject):
        side = Side(server, 2)
        try:
            side.waiters[1].call("MONITOR")
            side.take(("wait", 0, ((b"XREAD", b"BLOCK", FOREVER, b"STREAMS", b"a", b"b", b"$", b"$"),)))
            seen = side.take(("change", 0, ((b"XADD", b"b", b"5-5", b"f", b"v"),)))
            told.append([re.sub(rb"[\d.]+ \[0 [^]]*\]", b"", part) for part in seen])
        finally:
            side.close()
    assert told[1] == told[0]
