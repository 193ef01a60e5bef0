"""An engine with a journal, on a disk that fails on demand, and what a recovery makes of what is left."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from pathlib import Path

from gapless.commands.table import COMMANDS
from gapless.engine.engine import Engine
from gapless.engine.journal_core import JournalCore
from gapless.journal.files import SYSTEM, Files
from gapless.journal.journal import Journal
from gapless.journal.recovery import recover
from tests.engine.commands import Client
from tests.journal.workload import commands

CLOCK_MS = 1_700_000_000_000
WAIT_SECONDS = 20.0


def new_engine(seed: int = 7) -> Engine:
    engine = Engine(segment_bytes=1 << 16, address_bytes=1 << 36, seed=seed)
    engine.load_commands(COMMANDS)
    engine.configure(clock_ms=CLOCK_MS, debug_command="yes")
    return engine


def digest_of(engine: Engine) -> bytes:
    """A signature of all there is; the store is sound."""
    client = Client(engine)
    assert client("DEBUG", "CHECK") == b"+OK\r\n"
    return client("DEBUG", "DIGEST")


class Journaled:
    """An engine that journals to a directory."""

    def __init__(
        self, path: Path, files: Files = SYSTEM, policy: str = "always", file_bytes: int = 1 << 20
    ) -> None:
        self.engine = new_engine()
        self.said: list[str] = []
        self.journal = Journal(
            self.engine, str(path), policy=policy, file_bytes=file_bytes, files=files, say=self.said.append
        )
        self.client = Client(self.engine)

    def open(self) -> Journaled:
        self.journal.open()
        return self

    def __enter__(self) -> Journaled:
        return self.open()

    def __exit__(self, *error: object) -> None:
        self.journal.close()

    def run(self, rng: random.Random) -> None:
        """A random command that changes something, or a transaction of several."""
        for each in commands(rng):
            self.client(*each)

    @property
    def digest(self) -> bytes:
        return digest_of(self.engine)

    def wait_until_well(self) -> None:
        """Until commands that write are taken again."""
        deadline = time.monotonic() + WAIT_SECONDS
        while True:
            counts = self.journal.core.counters()
            busy = counts["sync_errno"] or counts["write_errno"] or self.journal.rewriting
            if not busy and self.client("SET", "well", "1") == b"+OK\r\n":
                return
            assert time.monotonic() < deadline, counts
            time.sleep(0.01)


def wait_for(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + WAIT_SECONDS
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def recovered(path: Path) -> bytes:
    """The digest of what a directory's journal holds; nothing in it is changed."""
    engine = new_engine(seed=8)
    recover(JournalCore(engine), str(path))
    return digest_of(engine)
