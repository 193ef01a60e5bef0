"""The decoder of effects: every one that an engine records can be read, and says what was done."""

from __future__ import annotations

import contextlib
import json
from random import Random

import pytest

from gapless.commands.table import COMMANDS
from gapless.engine.engine import Engine
from gapless.journal.effects import EffectError, effects
from tests.engine.history import START_MS
from tests.engine.replica import ReplicatingClient
from tests.engine.test_effects_commands import WRITES, populate


def recorded(*lines: str) -> list[bytes]:
    engine = Engine(segment_bytes=1 << 20, address_bytes=1 << 34, seed=3)
    engine.load_commands(COMMANDS)
    engine.configure(clock_ms=START_MS, debug_command="yes")
    client = ReplicatingClient(engine, most=1)
    for line in lines or [f"{name} {line}" for name in WRITES for line in WRITES[name]]:
        if not lines:
            populate(client)
        client(*line.split())
    bodies = [body for body, _, _ in client.bodies if body]
    client.close()
    return bodies


@pytest.mark.parametrize(
    ("lines", "text"),
    [
        (["SET k v"], "put 'k', db 0, string, 'v'"),
        (["SET k v PX 1000"], f"put 'k', db 0, string, expires {START_MS + 1000}, 'v'"),
        ([f"SET k {'v' * 50}", "APPEND k w"], "patch 'k', db 0, string, raw, at 50 cut 0 put 'w'"),
        (["SET k v", "PERSIST k", "PEXPIRE k 7"], f"expire 'k', db 0, expires {START_MS + 7}"),
        (["SET k v PX 1000", "PERSIST k"], "expire 'k', db 0, never expires"),
        (["SET k v", "DEL k"], "delete 'k', db 0"),
        (["SELECT 3", "SET k v", "FLUSHDB"], "flush, db 3"),
        (["SET k v", "FLUSHALL"], "flush all"),
        (["SWAPDB 0 2"], "swap, db 0, with db 2"),
        ([f"RPUSH k {'e ' * 3000}", "LPUSH k x"], "insert 0 'x'"),
        ([f"RPUSH k {'e ' * 3000}", "LTRIM k 0 99"], "cut to 100"),
        ([f"RPUSH k {'e ' * 3000}", "RENAME k l"], "rename 'k', db 0, to 'l' db 0"),
        ([f"SADD k {' '.join(map(str, range(3000)))}", "SREM k 77"], "change 'k', db 0, set, drop '77'"),
    ],
)
def test_what_an_effect_says(lines: list[str], text: str) -> None:
    *_, last = recorded(*lines)
    assert text in "; ".join(map(str, effects(last)))


def test_every_effect_can_be_read() -> None:
    kinds = set()
    for body in recorded():
        found = list(effects(body))
        assert sum(effect.bytes for effect in found) == len(body)
        for effect in found:
            kinds.add(effect.kind)
            assert json.loads(json.dumps(effect.as_json()))["kind"] == effect.kind
            assert str(effect).startswith(effect.kind)
    assert kinds == {
        *("put", "patch", "change", "image", "expire", "delete", "rename", "flush", "flush all", "swap"),
    }


def test_a_damaged_body_is_told_from_others() -> None:
    random = Random(1)
    bodies = recorded("SET k v", "RPUSH l a b c", "HSET h f v g w", "XADD s 1-1 f v", "RENAME s t")
    refused = 0
    for _ in range(2000):
        body = bytearray(random.choice(bodies))
        for _ in range(random.randint(1, 3)):
            body[random.randrange(len(body))] = random.randrange(256)
        with contextlib.suppress(EffectError):
            list(map(str, effects(bytes(body[: random.randint(1, len(body))]))))
            continue
        refused += 1
    assert refused > 500
    with pytest.raises(EffectError, match="cut short") as caught:
        list(effects(bodies[0] + bodies[0][:-1]))
    assert caught.value.offset == len(bodies[0])
