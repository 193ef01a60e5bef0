"""The comparison itself: a difference that is there must be found, and a server that hangs or closes too."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.differential.comparers import difference
from tests.differential.pair import DivergenceError, Pair
from tests.differential.scenario import load, split
from tests.support.raw import RawConnection
from tests.support.replies import parse
from tests.support.server import redis_server

SAME = [
    ("TTL k", b":100\r\n", b":101\r\n"),
    ("PTTL k", b":100000\r\n", b":100020\r\n"),
    ("KEYS *", b"*2\r\n$1\r\na\r\n$1\r\nb\r\n", b"*2\r\n$1\r\nb\r\n$1\r\na\r\n"),
    (
        "HELLO",
        b"*4\r\n$2\r\nid\r\n:1\r\n$4\r\nrole\r\n$1\r\nm\r\n",
        b"*4\r\n$2\r\nid\r\n:9\r\n$4\r\nrole\r\n$1\r\nm\r\n",
    ),
    ("RANDOMKEY", b"$1\r\na\r\n", b"$1\r\nb\r\n"),
]
OTHER = [
    ("TTL k", b":100\r\n", b":-1\r\n"),
    ("TTL k", b":-2\r\n", b":-1\r\n"),
    ("TTL k", b":100\r\n", b":120\r\n"),
    ("TTL k", b":100\r\n", b"$3\r\n100\r\n"),
    ("TTL k", b"-ERR a\r\n", b"-ERR b\r\n"),
    ("GET k", b"$-1\r\n", b"_\r\n"),
    ("GET k", b"$1\r\na\r\n", b"+a\r\n"),
    ("INCR k", b":1\r\n", b":2\r\n"),
    ("KEYS *", b"*1\r\n$1\r\na\r\n", b"*1\r\n$1\r\nb\r\n"),
    ("KEYS *", b"*1\r\n$1\r\na\r\n", b"*2\r\n$1\r\na\r\n$1\r\na\r\n"),
    ("RANDOMKEY", b"$1\r\na\r\n", b"$-1\r\n"),
    ("OBJECT ENCODING k", b"$3\r\nraw\r\n", b"$6\r\nembstr\r\n"),
    (
        "HELLO",
        b"*4\r\n$2\r\nid\r\n:1\r\n$4\r\nrole\r\n$1\r\nm\r\n",
        b"*4\r\n$2\r\nid\r\n:1\r\n$4\r\nrole\r\n$1\r\ns\r\n",
    ),
    ("SCAN 0", b"*2\r\n$1\r\n0\r\n*0\r\n", b"*2\r\n$1\r\nx\r\n*0\r\n"),
    ("CLIENT INFO", b"$8\r\nid=1 a=1\r\n", b"$8\r\nid=1 b=1\r\n"),
    ("CLIENT INFO", b"$9\r\nid=1 db=1\r\n", b"$9\r\nid=1 db=2\r\n"),
]


@pytest.mark.parametrize(("line", "left", "right"), SAME)
def test_the_same(line: str, left: bytes, right: bytes) -> None:
    assert difference(tuple(split(line)), left, right) is None


@pytest.mark.parametrize(("line", "left", "right"), OTHER)
def test_another(line: str, left: bytes, right: bytes) -> None:
    assert difference(tuple(split(line)), left, right)


def test_exec_compares_each_by_its_command() -> None:
    queued = [(b"TTL", b"k"), (b"GET", b"k")]
    assert difference((b"EXEC",), b"*2\r\n:100\r\n$1\r\na\r\n", b"*2\r\n:101\r\n$1\r\na\r\n", queued) is None
    assert difference((b"EXEC",), b"*2\r\n:100\r\n$1\r\na\r\n", b"*2\r\n:100\r\n$1\r\nb\r\n", queued)
    assert difference((b"EXEC",), b"*2\r\n:100\r\n$1\r\na\r\n", b"*1\r\n:100\r\n", queued)


@pytest.fixture(scope="module")
def strangers() -> Iterator[Pair]:
    """Two Redis servers that were set up differently."""
    with redis_server() as left, redis_server(timeout="77", maxclients="20") as right:
        yield Pair(left, right, subject_checks=False)


def test_another_answer_is_found(strangers: Pair) -> None:
    with strangers.session(2) as session:
        session.run(0, b"SET", b"k", b"v")
        with pytest.raises(DivergenceError, match=r"(?s)SET k v.*CONFIG GET timeout.*77"):
            session.run(0, b"CONFIG", b"GET", b"timeout")


def test_another_state_is_found(strangers: Pair) -> None:
    strangers.reset()
    strangers.controls[1].call("SET", "only-there", "1")
    with strangers.session(2) as session, pytest.raises(DivergenceError, match="only-there"):
        session.compare_state()
    strangers.reset()
    for control, value in zip(strangers.controls, ("1", "one"), strict=True):
        control.call("SELECT", "3")
        control.call("SET", "k", value)
        control.call("SELECT", "0")
    with strangers.session(2) as session, pytest.raises(DivergenceError, match="database 3"):
        session.compare_state()


def test_another_scan_is_found(strangers: Pair) -> None:
    strangers.reset()
    strangers.controls[0].call("SET", "only-here", "1")
    with strangers.session(2) as session, pytest.raises(DivergenceError, match="only-here"):
        session.scan_all(0)


def test_another_fate_is_found(strangers: Pair) -> None:
    strangers.reset()
    with strangers.session(2) as session:
        duplex = session.connection(0)
        number = duplex.identity[1][b"id"]
        strangers.controls[1].call("CLIENT", "KILL", "ID", number)
        with pytest.raises(DivergenceError, match="fate"):
            session.run(0, b"PING")


def test_silence_is_found(strangers: Pair) -> None:
    with strangers.session(2) as session:
        duplex = session.connection(0)
        duplex.right.close()
        duplex.right = RawConnection(strangers.subject.address, timeout=0.2)
        duplex.right.call("CLIENT", "NO-EVICT", "ON")
        duplex.right.send(b"CLIENT REPLY OFF\r\n")
        with pytest.raises(DivergenceError, match="no answer"):
            session.run(0, b"PING")


def test_other_bytes_are_found(strangers: Pair) -> None:
    with strangers.session(2) as session, pytest.raises(DivergenceError, match="other bytes"):
        session.exchange(0, b"CONFIG GET timeout\r\n")


def test_settings_are_put_back(strangers: Pair) -> None:
    with strangers.session(2) as session:
        session.run(0, b"CONFIG", b"SET", b"maxmemory-samples", b"9", b"timeout", b"5")
    strangers.reset()
    values = [
        parse(control.call("CONFIG", "GET", "timeout")).children[1].text for control in strangers.controls
    ]
    assert values == [b"0", b"77"]


def test_scenarios_have_names_of_their_own() -> None:
    names = [scenario.name for scenario in load(Path(__file__).parent / "scenarios")]
    assert len(names) == len(set(names)) > 50


def test_quoting() -> None:
    assert split(r'SET k "a b\x00\n\"" ' + "'x y' %{ab*3} %{x*2}y") == [
        b"SET", b"k", b'a b\x00\n"', b"x y", b"ababab", b"xxy"]  # fmt: skip
