"""Scripted conversations (see `scenario`): the edges of every command, protocol errors, several
connections.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.differential.pair import Pair
from tests.differential.scenario import Scenario, load

SCENARIOS = load(Path(__file__).parent / "scenarios")


@pytest.mark.parametrize("protocol", [2, 3])
@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name.replace(" ", "_"))
def test_same_answers(pair: Pair, scenario: Scenario, protocol: int) -> None:
    with pair.session(protocol) as session:
        scenario.play(session)
