"""The workload with collections, against a dict of what each command would leave; and a tiny run with it."""

from __future__ import annotations

import pytest

from gapless.lab.collections import ELEMENT_BYTES, TYPES, workload
from gapless.lab.crisis import CrisisOptions, run_crisis
from gapless.lab.servers import peer_targets
from gapless.lab.summary import describe, rows, to_data
from gapless.lab.waves import FOREVER, KEY_BYTES, WavePlan
from tests.lab.test_waves import commands_in

PLAN = WavePlan(
    keys=600, waves=3, ttl_ms_min=90, ttl_ms_max=1_100, value_bytes=(400, 4000, 1200), seed=7, types=TYPES
)
WORDS = {b"HSET": 2, b"ZADD": 2, b"RPUSH": 1}


class Model:
    """A server that knows HSET, ZADD, RPUSH, PEXPIRE and DEL: key -> [command, elements, deadline]."""

    def __init__(self) -> None:
        self.keys: dict[bytes, list[object]] = {}

    def execute(self, data: bytes, now_ms: int) -> int:
        count = 0
        for name, key, *rest in commands_in(data):
            count += 1
            assert len(key) == KEY_BYTES
            if name == b"DEL":
                self.keys.pop(key, None)
            elif name == b"PEXPIRE":
                self.keys[key][2] = now_ms + int(rest[0])
            else:
                # What is written over would have been deleted before.
                assert key not in self.keys or not self.live(key, now_ms)
                assert sum(map(len, rest)) == len(rest) // WORDS[name] * ELEMENT_BYTES
                assert len(set(rest[WORDS[name] - 1 :: WORDS[name]])) > 1
                self.keys[key] = [name, len(rest) // WORDS[name], FOREVER]
        return count

    def live(self, key: bytes, now_ms: int) -> bool:
        deadline = self.keys[key][2]
        return deadline == FOREVER or (isinstance(deadline, int) and deadline > now_ms)


def test_live_payload_is_what_a_server_would_hold() -> None:
    load, model = workload(PLAN), Model()
    now_ms = sent = 0
    while not load.done:
        data, commands = load.batch(20, now_ms)
        assert model.execute(data, now_ms) == commands
        sent += commands
        now_ms += 7
        load.live.advance(now_ms)
        live = [key for key in model.keys if model.live(key, now_ms)]
        assert load.live.keys == len(live)
        elements = sum(int(str(model.keys[key][1])) for key in live)
        assert load.live.bytes == KEY_BYTES * len(live) + ELEMENT_BYTES * elements
    assert sent == pytest.approx(PLAN.operations, rel=0.03)
    assert {name for name, *_ in model.keys.values()} == set(WORDS)


def test_survivors_are_what_is_left_in_the_end() -> None:
    load, model, fresh = workload(PLAN), Model(), Model()
    while not load.done:
        model.execute(load.batch(20, 0)[0], 0)
    for data, commands in workload(PLAN).survivors():
        assert fresh.execute(data, 0) == commands
    left = {key: held for key, held in model.keys.items() if held[2] == FOREVER}
    assert fresh.keys == left
    assert len(left) == pytest.approx(PLAN.keys / 20, rel=0.5)


def test_a_run_is_compared_with_its_floor() -> None:
    plan = WavePlan(keys=600, ttl_ms_min=300, ttl_ms_max=400, value_bytes=(1600, 6400), types=TYPES)
    options = CrisisOptions(plan, rate=2_000, settle_seconds=0.5, idle_seconds=0.2)
    run = run_crisis(peer_targets("auto")[0], options, lambda run, moment: None)
    assert run is not None
    assert (run.failure, run.refused) == ("", 0)
    assert not [note for note in run.notes if "gone" in note]
    ratio = run.over_floor()
    assert ratio is not None
    assert 0.8 < ratio < 4
    assert [row.cells for row in rows([run]) if row.label == "after"][-1] == (f"{ratio:.2f}",)
    assert "600 keys (hash, sorted-set, list) in 6 waves" in describe(options)
    assert "rss_over_floor" in str(to_data([run], options))
