"""Generated conversations: gapless answers what Redis answers, byte for byte, and ends in the same state.

GAPLESS_EXAMPLES=n makes n random conversations a test (`--hypothesis-seed` repeats them); without it a few
dozen, the same in every run.
"""

from __future__ import annotations

import math
import os
import time

import pytest
from hypothesis import given

from tests.differential.grammar.sequences import GROUPS, Piece, conversations, generation
from tests.differential.pair import Pair

EXAMPLES = int(os.environ.get("GAPLESS_EXAMPLES", "60"))
SHRINK_SECONDS = 20.0


def converse(pair: Pair, protocol: int, pieces: tuple[Piece, ...]) -> None:
    pair.reset()
    with pair.session(protocol) as session:
        for piece in pieces:
            if piece.together:
                session.batch(piece.connection, list(piece.commands))
            else:
                for args in piece.commands:
                    session.run(piece.connection, *args)
        session.compare_state()
    pair.check()


@pytest.mark.timeout(0)
@pytest.mark.parametrize("protocol", [2, 3])
@pytest.mark.parametrize("group", GROUPS)
def test_same_answers(servers: Pair, group: str, protocol: int) -> None:
    failed: set[tuple[Piece, ...]] = set()
    patience_ends = math.inf

    @generation(EXAMPLES)
    @given(pieces=conversations(group))
    def conversation(pieces: tuple[Piece, ...]) -> None:
        nonlocal patience_ends
        if time.monotonic() > patience_ends and pieces not in failed:
            return  # tells hypothesis that nothing smaller fails: enough shrinking
        try:
            converse(servers, protocol, pieces)
        except Exception:
            failed.add(pieces)
            patience_ends = min(patience_ends, time.monotonic() + SHRINK_SECONDS)
            raise

    conversation()
