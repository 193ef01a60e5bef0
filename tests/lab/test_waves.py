"""The workload and the live payload it knows of, against a plain dict."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from gapless.lab.waves import FOREVER, KEY_BYTES, LiveSet, WavePlan, Workload, unlink

PLAN = WavePlan(keys=6_000, waves=3, ttl_ms_min=90, ttl_ms_max=1_100, value_bytes=(20, 200, 60), seed=7)


def commands_in(data: bytes) -> Iterator[list[bytes]]:
    """The commands of well-formed RESP, read by their lengths."""
    at = 0

    def line() -> bytes:
        nonlocal at
        end = data.index(b"\r\n", at)
        found = data[at:end]
        at = end + 2
        return found

    while at < len(data):
        arguments = []
        count = line()
        assert count[:1] == b"*"
        for _ in range(int(count[1:])):
            length = line()
            assert length[:1] == b"$"
            end = at + int(length[1:])
            arguments.append(data[at:end])
            assert data[end : end + 2] == b"\r\n"
            at = end + 2
        yield arguments


class Model:
    """A server that knows SET, SET PX and DEL: key -> (value length, deadline)."""

    def __init__(self) -> None:
        self.keys: dict[bytes, tuple[int, int]] = {}

    def execute(self, data: bytes, now_ms: int) -> int:
        count = 0
        for name, key, *rest in commands_in(data):
            count += 1
            assert len(key) == KEY_BYTES
            if name == b"DEL":
                self.keys.pop(key, None)
            elif len(rest) == 1:
                self.keys[key] = (len(rest[0]), FOREVER)
            else:
                value, px, ttl = rest
                assert (name, px) == (b"SET", b"PX")
                assert PLAN.ttl_ms_min <= int(ttl) <= PLAN.ttl_ms_max
                self.keys[key] = (len(value), now_ms + int(ttl))
        return count

    def live(self, now_ms: int) -> dict[bytes, tuple[int, int]]:
        return {key: held for key, held in self.keys.items() if held[1] == FOREVER or held[1] > now_ms}


def test_live_payload_is_what_a_server_would_hold() -> None:
    workload, model = Workload(PLAN), Model()
    now_ms = 0
    while not workload.done:
        data, commands = workload.batch(50, now_ms)
        assert model.execute(data, now_ms) == commands
        now_ms += 7
        workload.live.advance(now_ms)
        live = model.live(now_ms)
        assert workload.live.keys == len(live)
        assert workload.live.bytes == sum(KEY_BYTES + length for length, _ in live.values())
        assert workload.live.keys_with_ttl == sum(1 for _, deadline in live.values() if deadline)
    workload.live.advance(workload.live.last_deadline_ms)
    assert workload.live.keys_with_ttl == 0
    assert workload.live.keys == len(model.live(1 << 30)) == pytest.approx(PLAN.keys / 20, rel=0.2)
    expected = sorted(model.live(1 << 30))
    assert sorted(next(commands_in(unlink(workload.live.live_keys())))[1:]) == expected


def test_every_target_gets_the_same_commands() -> None:
    first, second, other = Workload(PLAN), Workload(PLAN), Workload(WavePlan(seed=8, keys=6_000))
    one = b"".join(first.batch(100, now)[0] for now in range(0, 1000, 10))
    assert one == b"".join(second.batch(100, now)[0] for now in range(0, 1000, 10))
    assert one != b"".join(other.batch(100, now)[0] for now in range(0, 1000, 10))


def test_the_plan_is_kept() -> None:
    workload, model = Workload(PLAN), Model()
    commands = deletions = 0
    while not workload.done:
        wave = workload.waves_loaded
        data, count = workload.batch(10, 0)
        model.execute(data, 0)
        commands += count
        deletions += data.count(b"$3\r\nDEL\r\n")
        if workload.waves_loaded == wave and not workload.done:
            sizes = {len(arguments[2]) for arguments in commands_in(data) if arguments[0] == b"SET"}
            assert sizes <= set(PLAN.sizes(wave))
    assert workload.waves_loaded == PLAN.waves
    assert commands == pytest.approx(PLAN.operations, rel=0.03)
    assert deletions == pytest.approx(PLAN.keys * PLAN.delete, rel=0.15)


def test_a_key_lives_until_its_deadline() -> None:
    live = LiveSet(3)
    live.advance(5)
    live.put(0, 100, 10)
    live.put(1, 30, FOREVER)
    live.advance(9)
    assert (live.bytes, live.keys, live.keys_with_ttl) == (130, 2, 1)
    live.advance(10)
    assert (live.bytes, live.keys, live.keys_with_ttl) == (30, 1, 0)
    live.drop(0)
    live.drop(2)
    assert (live.bytes, live.live_keys()) == (30, [1])


def test_rewriting_replaces_payload_and_deadline() -> None:
    live = LiveSet(1)
    live.put(0, 100, 10)
    live.put(0, 40, 20)
    live.advance(15)
    assert (live.bytes, live.keys_with_ttl) == (40, 1)
    live.put(0, 70, FOREVER)
    live.advance(1000)
    assert (live.bytes, live.keys, live.keys_with_ttl) == (70, 1, 0)
    live.put(0, 10, 2000)
    live.advance(2000)
    assert (live.bytes, live.keys) == (0, 0)


@pytest.mark.parametrize(
    "wrong",
    [
        {"waves": 0},
        {"keys": 2, "waves": 3},
        {"keys": 100_000_000},
        {"ttl_ms_min": 0},
        {"ttl_ms_min": 20_000},
        {"long_lived": 1.5},
        {"value_bytes": ()},
        {"value_bytes": (0,)},
        {"spread": 1.0},
        {"delete": -0.1},
    ],
)
def test_an_impossible_plan_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError):
        WavePlan(**wrong)  # type: ignore[arg-type]
