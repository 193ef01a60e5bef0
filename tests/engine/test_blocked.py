"""Sessions that wait, without a server: random steps against the rules, on small segments. Also for AddressSanitizer builds."""

from __future__ import annotations

import random

import pytest

from gapless.commands.table import COMMANDS
from gapless.engine.engine import Engine
from tests.engine.commands import Client

SESSIONS = 6
STEPS = 3000


def engine() -> Engine:
    made = Engine(segment_bytes=1 << 16, address_bytes=1 << 36, seed=7)
    made.load_commands(COMMANDS)
    return made


def waiting(on: Engine) -> int:
    return on.stats()["blocked_sessions"]


@pytest.mark.parametrize("seed", range(4))
def test_everything_is_taken_once_and_nobody_waits_for_what_is_there(seed: int) -> None:
    """Elements are never lost nor doubled; after a step no list is there that somebody waits for."""
    chance = random.Random(seed)
    on = engine()
    writer = Client(on)
    clients = [Client(on, protocol=2 + n % 2) for n in range(SESSIONS)]
    wanted: dict[int, list[str]] = {}
    alive: set[bytes] = set()
    taken: list[bytes] = []
    pushed = 0
    keys = ["a", "b", "c", "a long name that does not fit anywhere" * 20]

    def collect() -> None:
        for n in list(wanted):
            reply = clients[n].session.wait(0)
            # What was moved is still there.
            if reply is not None and wanted.pop(n)[0] != "BLMOVE":
                receive(reply)

    def receive(reply: bytes) -> None:
        words = reply.split(b"\r\n")
        taken.extend(word for word in words if word.startswith(b"e:") and word in alive)
        alive.difference_update(taken)

    def wait(n: int) -> None:
        names = chance.sample(keys, chance.randint(1, len(keys)))
        timeout = chance.choice(["0", "0", "0.001"])
        if chance.random() < 0.3:
            args = ["BLMOVE", names[0], chance.choice(keys), "LEFT", "RIGHT", timeout]
        elif chance.random() < 0.5:
            args = ["BLMPOP", timeout, str(len(names)), *names, "LEFT", "COUNT", "2"]
        else:
            args = [chance.choice(["BLPOP", "BRPOP"]), *names, timeout]
        reply = clients[n](*args)
        if clients[n].session.blocked:
            wanted[n] = [args[0], *names] if args[0] != "BLMOVE" else [args[0], names[0]]
        elif args[0] != "BLMOVE":
            receive(reply)

    for step in range(STEPS):
        collect()
        free = [n for n in range(SESSIONS) if n not in wanted]
        what = chance.random()
        if what < 0.45 and free:
            wait(chance.choice(free))
        elif what < 0.8:
            elements = [b"e:%d" % n for n in range(pushed, pushed + chance.randint(1, 3))]
            pushed += len(elements)
            alive.update(elements)
            if chance.random() < 0.3:
                assert writer("MULTI") == b"+OK\r\n"
                writer("RPUSH", "other", *elements)
                writer("RENAME", "other", "a" if not writer.engine.size(0) else "other")
                writer("EXEC")
                writer("LMOVE", "other", chance.choice(keys), "LEFT", "LEFT")
            else:
                writer("RPUSH", chance.choice(keys), *elements)
        elif what < 0.85 and wanted:
            n = chance.choice(list(wanted))
            # Of the millisecond that it waits the end may have come since, while others were looked after.
            assert on.unblock(clients[n].session.id, chance.random() < 0.5) or not clients[n].session.blocked
        elif what < 0.9 and wanted:
            gone = chance.choice(list(wanted))
            collect()
            if gone in wanted:
                del wanted[gone]
                clients[gone] = Client(on, protocol=2 + gone % 2)
        elif what < 0.95:
            on.background(200)
        else:
            writer("SWAPDB", "0", "1")
        if step % 50 == 0:
            assert on.check() is None
        collect()
        for names in wanted.values():
            for name in names[1:]:
                assert writer("EXISTS", name) == b":0\r\n", (step, names)
    for client in clients:
        client.session.abandon()
    assert waiting(on) == 0
    stats = on.stats()
    assert stats["blocked_keys"] == stats["blocked_deadlines"] == 0
    left = set()
    for db in ("0", "1"):
        writer("SELECT", db)
        for key in writer.bulks("KEYS", "*"):
            left.update(word for word in writer("LRANGE", key, "0", "-1").split(b"\r\n") if word[:2] == b"e:")
    assert left == alive
    assert len(taken) == len(set(taken))
    assert len(left) + len(taken) == pushed
    assert on.check() is None


def test_a_key_that_grows_under_many_names() -> None:
    """One session that waits for thousands of keys, some of them twice."""
    on = engine()
    one, writer = Client(on), Client(on)
    names = [f"k{n % 3000}" for n in range(4000)]
    assert one("BLPOP", *names, "0") == b""
    assert on.stats()["blocked_keys"] == 3000
    writer("RPUSH", "k2999", "x")
    assert one.session.wait(0) == b"*2\r\n$5\r\nk2999\r\n$1\r\nx\r\n"
    assert on.stats()["blocked_keys"] == 0


def test_an_engine_may_end_while_somebody_waits() -> None:
    on = engine()
    one = Client(on)
    one("BLPOP", "k", "0")
    assert waiting(on) == 1
    del one, on


def test_a_session_that_waits_can_give_no_other_command() -> None:
    one = Client(engine())
    assert one("BLPOP", "k", "0") == b""
    with pytest.raises(RuntimeError):
        one("PING")
    one.session.abandon()
    assert one("PING") == b"+PONG\r\n"
