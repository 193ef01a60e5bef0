"""A client whose engine records effects, which are replayed in a second engine: with other segments, pages and another seed, but no other content."""

from __future__ import annotations

import gc
import random

from gapless.commands.table import COMMANDS
from gapless.engine import effects_core
from gapless.engine.engine import Engine
from gapless.journal.effects import effects
from tests.engine.commands import Client


class ReplicatingClient(Client):
    """Bodies are taken after every `most` commands at most, and go to files that change meanwhile."""

    def __init__(
        self, engine: Engine, protocol: int = 2, most: int = 1, segment_bytes: int = 1 << 14
    ) -> None:
        super().__init__(engine, protocol)
        self.random = random.Random(most)
        self.most = most
        self.waiting = 0
        self.file = 1
        self.bodies: list[tuple[bytes, int, int]] = []
        effects_core.record(engine, True, self.file)
        self.copy = Engine(segment_bytes=segment_bytes, address_bytes=1 << 34, seed=99)
        self.copy.load_commands(COMMANDS)

    def __call__(self, *args: bytes | str | int) -> bytes:
        reply = super().__call__(*args)
        self.waiting -= 1
        if self.waiting <= 0:
            self.catch_up()
            self.waiting = self.random.randint(1, self.most)
        return reply

    def write(self, *args: bytes | str | int) -> bool:
        """Whether a command has effects; it may not fail."""
        self.catch_up()
        before = len(self.bodies)
        reply = self(*args)
        assert not reply.startswith(b"-"), (args, reply)
        self.catch_up()
        return any(body for body, _, _ in self.bodies[before:])

    @staticmethod
    def kinds(body: bytes) -> list[str]:
        return [effect.kind for effect in effects(body)]

    def catch_up(self) -> None:
        body, time_ms = effects_core.take(self.engine)
        self.bodies.append((body, time_ms, self.file))
        if body:
            self.apply(body, time_ms)
        if self.random.random() < 0.05:
            self.file += 1
            effects_core.change_file(self.engine, self.file)

    def apply(self, body: bytes, time_ms: int) -> None:
        assert effects_core.apply(self.copy, body, time_ms, self.file) == 0

    def same(self) -> None:
        """Both hold the same, byte by byte, and are sound."""
        self.catch_up()
        self.copy.configure(clock_ms=effects_core.now_ms(self.engine))
        for db in range(self.engine.database_count):
            held = effects_core.held(self.engine, db)
            copied = effects_core.held(self.copy, db)
            for key in held.keys() | copied.keys():
                assert held.get(key) == copied.get(key), (db, key)
        assert Client(self.copy)("DEBUG", "DIGEST") == Client(self.engine)("DEBUG", "DIGEST")
        assert self.engine.check() is None
        assert self.copy.check() is None

    def close(self) -> None:
        self.engine.close()
        self.copy.close()
        # Sessions and engines know each other, and each engine has a range of addresses.
        del self.engine, self.copy, self.session
        gc.collect()
