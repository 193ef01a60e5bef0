"""Generated conversations, those of the comparison with Redis, replayed from their effects: right commands and wrong ones, blocked clients, transactions.

GAPLESS_EXAMPLES=n makes n random conversations a group; without it a few dozen, the same in every run.
"""

from __future__ import annotations

import os

import pytest
from hypothesis import given

from gapless.commands.table import COMMANDS
from gapless.engine.engine import Engine
from tests.differential.grammar.sequences import GROUPS, Piece, conversations, generation
from tests.engine.commands import Client
from tests.engine.history import START_MS
from tests.engine.replica import ReplicatingClient

EXAMPLES = int(os.environ.get("GAPLESS_EXAMPLES", "40"))
OTHERS = ("connection", "server", "everything")  # groups that need a server


def converse(pieces: tuple[Piece, ...]) -> None:
    engine = Engine(segment_bytes=1 << 12, address_bytes=1 << 34, seed=3)
    engine.load_commands(COMMANDS)
    engine.configure(clock_ms=START_MS)
    first = ReplicatingClient(engine, most=4)
    client: Client = first
    clients = {0: client}
    for piece in pieces:
        for args in piece.commands:
            client = clients.setdefault(piece.connection, Client(engine))
            if client.session.blocked:
                # It goes on waiting, and may be served; who speaks next is another.
                client.session = engine.new_session(2)
            client(*args)
    first.same()
    engine.abandon_blocked()
    clients.clear()
    del engine, client
    first.close()


@pytest.mark.parametrize("group", [group for group in GROUPS if group not in OTHERS])
def test_a_conversation_is_replayed(group: str) -> None:
    @generation(EXAMPLES)
    @given(pieces=conversations(group))
    def conversation(pieces: tuple[Piece, ...]) -> None:
        converse(pieces)

    conversation()
