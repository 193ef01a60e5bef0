"""The judge of the crash loop, on two servers that keep nothing: what it lets pass and what it does not."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from random import Random

import pytest

from tests.crash.client import Client
from tests.crash.explain import explain
from tests.crash.load import Outcome
from tests.crash.model import LostError, Model
from tests.crash.state import Value
from tests.crash.unit import Args, Unit
from tests.crash.workload import Workload
from tests.support.server import Server, redis_server

DATABASES = (0, 1)


@pytest.fixture(scope="module")
def servers() -> Iterator[tuple[Server, Server]]:
    with redis_server() as one, redis_server() as other:
        yield one, other


class Judged:
    """A model, and a subject whose state the test makes up."""

    def __init__(self, servers: tuple[Server, Server]) -> None:
        self.model = Model(servers[0].unix_socket, exact=True)
        self.subject = Client(servers[1].unix_socket)
        self._reader = Client(servers[1].unix_socket)
        for server in servers:
            Client(server.unix_socket).call(b"FLUSHALL")

    def settle(
        self, acknowledged: Sequence[Unit], in_flight: Sequence[Unit], came_back: Sequence[Args]
    ) -> int:
        self.subject.pipeline(came_back)
        return self.model.settle(DATABASES, Outcome(list(acknowledged), {}, list(in_flight)), self._reader)


@pytest.fixture
def judged(servers: tuple[Server, Server]) -> Judged:
    return Judged(servers)


def words(text: str) -> Args:
    return tuple(text.encode().split())


def unit(text: str, *keys: bytes, pops: bool = False) -> Unit:
    commands = [words(command) for command in text.split(";")]
    if len(commands) > 1:
        commands = [(b"MULTI",), *commands, (b"EXEC",)]
    return Unit(tuple(commands), frozenset((0, key) for key in keys) or None, pops)


def sent(units: Sequence[Unit]) -> list[Args]:
    return [args for each in units for args in each.commands]


@pytest.mark.parametrize("survivors", range(4))
def test_any_first_part_of_what_is_in_flight_may_have_happened(judged: Judged, survivors: int) -> None:
    acknowledged = [unit("SET a 1", b"a"), unit("RPUSH l x y", b"l")]
    in_flight = [unit("SET a 2", b"a"), unit("SET b 1; LPOP l", b"b", b"l"), unit("FLUSHDB")]
    there = sent([*acknowledged, *in_flight[:survivors]])
    assert judged.settle(acknowledged, in_flight, there) == survivors


@pytest.mark.parametrize(
    ("acknowledged", "came_back"),
    [
        ([unit("SET a 1", b"a"), unit("SET b 1", b"b")], "SET a 1"),
        ([unit("SET a 1", b"a"), unit("SET b 1", b"b")], "SET a 1; SET b 1; SET c 1"),
        ([unit("SET a 1", b"a")], "SET a 2"),
        ([unit("SET a 1 PXAT 4000000000000", b"a")], "SET a 1"),
        ([unit("SET a 1 PXAT 4000000000000", b"a")], "SET a 1 PXAT 4000000100000"),
        ([unit("RPUSH l a b", b"l")], "RPUSH l b a"),
        ([unit("HSET h f v", b"h"), unit("HPEXPIREAT h 4000000000000 FIELDS 1 f", b"h")], "HSET h f v"),
        (
            [unit("XADD x 1-1 f v", b"x"), unit("XGROUP CREATE x g 0", b"x"), unit("XREADGROUP GROUP g c STREAMS x >", b"x")],
            "XADD x 1-1 f v; XGROUP CREATE x g 0; XGROUP CREATECONSUMER x g c",
        ),
        ([unit("XADD x 1-1 f v", b"x"), unit("XDEL x 1-1", b"x")], "XADD x 1-0 f v; XDEL x 1-0"),
        ([unit("SET a 1", b"a")], "SET a 1; MOVE a 1"),
        ([unit("RPUSH l 1", b"l")], "SADD l 1"),
    ],
)  # fmt: skip
def test_what_was_acknowledged_and_is_not_there_is_found(
    judged: Judged, acknowledged: list[Unit], came_back: str
) -> None:
    with pytest.raises(LostError):
        judged.settle(
            acknowledged,
            [unit("INCR unrelated", b"unrelated")],
            [words(each) for each in came_back.split(";")],
        )


@pytest.mark.parametrize("half", ["SET a 1", "SET b 1", "SET a 1; SET b 1; LPUSH l x"])
def test_half_a_transaction_is_found(judged: Judged, half: str) -> None:
    transaction = unit("SET a 1; SET b 1; LPUSH l x; LPUSH l y", b"a", b"b", b"l")
    with pytest.raises(LostError):
        judged.settle([], [transaction], [words(each) for each in half.split(";")])


def test_a_unit_in_flight_does_not_happen_before_an_earlier_one(judged: Judged) -> None:
    with pytest.raises(LostError):
        judged.settle([], [unit("SET a 1", b"a"), unit("SET b 1", b"b")], [words("SET b 1")])


def test_an_spop_in_flight_may_take_any_members_but_no_more_than_asked(judged: Judged) -> None:
    acknowledged, popping = [unit("SADD e 1 2 3 4", b"e")], [unit("SPOP e 2", b"e", pops=True)]
    assert judged.settle(acknowledged, popping, [words("SADD e 1 4")]) == 1
    with pytest.raises(LostError):
        judged.settle([], popping, [words("SREM e 1 4")] * 2 + [words("SADD e 5")])


def test_a_short_lived_key_may_go_between_two_looks(judged: Judged) -> None:
    acknowledged = [unit("SET t0 1 PXAT 1", b"t0")]
    assert judged.settle(acknowledged, [], [words("SET t0 1 PX 1")]) == 0


def test_both_servers_make_the_same_of_every_command(judged: Judged) -> None:
    """A command whose effect does not follow from the keys alone would look like a loss."""
    workload = Workload(Random(1), DATABASES)
    units = [each for _ in range(250) for each in workload.batch() if not each.pops]
    assert judged.settle(units, [], sent(units)) == 0


def test_few_commands_are_refused() -> None:
    """A workload of errors would test nothing."""
    workload = Workload(Random(2), DATABASES)
    units = [each for _ in range(300) for each in workload.batch()]
    with redis_server() as server:
        replies = Client(server.unix_socket).pipeline(sent(units))
    assert sum(isinstance(reply, Exception) for reply in replies) < len(replies) / 20


def test_a_difference_is_explained() -> None:
    def value(content: object, expires_ms: int = -1) -> Value:
        return Value(b"any", expires_ms, content)

    assert explain(value(b"a", 5), value(b"b")) == [
        "expires_ms: expected 5, found -1",
        "content: expected b'a', found b'b'",
    ]
    assert explain(value({b"f": b"1", b"g": b"2"}), value({b"f": b"1"})) == [
        "content[b'g']: expected b'2', found None"
    ]
    assert explain(value(frozenset([b"a", b"b"])), value(frozenset([b"b", b"c"]))) == [
        "content: 1 missing, 1 more: [b'a'], [b'c']"
    ]
    assert explain(value([b"a", b"b"]), value([b"a", b"x", b"b"]))[0] == "content: expected 2, found 3"
    assert "from 50 on" in explain(value(b"x" * 100), value(b"x" * 50 + b"y" * 50))[0]
    assert explain(None, value(b"a"))[0] == "expected None"
