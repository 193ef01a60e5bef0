"""Random histories of every type, replayed from their effects: the copy is the same, byte by byte, whatever was done.

The histories are those of the types' model tests, with commands that are there for other reasons thrown in; seeds replay.
"""

from __future__ import annotations

from typing import Any, cast

import pytest

from tests.engine import (
    history,
    test_hashes_model,
    test_lists_model,
    test_sets_model,
    test_sorted_sets_model,
    test_streams_model,
)
from tests.engine.commands import Client
from tests.engine.history import HISTORIES, History
from tests.engine.replica import ReplicatingClient

MODELS = {
    "hash": test_hashes_model.Model,
    "list": test_lists_model.Model,
    "set": test_sets_model.Model,
    "sorted set": test_sorted_sets_model.Model,
    "stream": test_streams_model.Model,
}
STEPS = 1200


def same(model: History[Any]) -> None:
    cast(ReplicatingClient, model.client).same()


def move(model: History[Any]) -> None:
    """A key to another database and back, the databases swapped meanwhile: the model sees nothing of it."""
    key = model.key()
    if not model.live(key):
        return
    assert model.client("MOVE", key, 1) == b":1\r\n"
    model.client("SWAPDB", 1, 2)
    model.client("SELECT", 2)
    assert model.client("MOVE", key, 0) == b":1\r\n"
    model.client("SELECT", 0)
    model.client("SWAPDB", 1, 2)


@pytest.mark.parametrize("most", [1, 30])
@pytest.mark.parametrize("seed", range(max(HISTORIES // 2, 1)))
@pytest.mark.parametrize("kind", MODELS)
def test_a_history_is_replayed(monkeypatch: pytest.MonkeyPatch, kind: str, seed: int, most: int) -> None:
    def replicating(engine: Any, protocol: int = 2) -> Client:
        return ReplicatingClient(engine, protocol, most, 1 << (10 + 2 * (seed % 4)))

    monkeypatch.setattr(history, "Client", replicating)
    model = MODELS[kind]
    steps = (*model.STEPS, (same, 6), (move, 2))
    type("Replayed", (model,), {"STEPS": steps})(seed).run(STEPS)
