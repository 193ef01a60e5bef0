"""A random history of commands on a few keys of one type beside a model of Python's own: what the types' histories share.

The steps that are a type's own, and the comparison, are its test's. Seeds replay.
"""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from typing import Any, ClassVar, Generic, TypeVar

from gapless.commands.table import COMMANDS
from gapless.engine.engine import Engine
from tests.engine.commands import Client

HISTORIES = int(os.environ.get("GAPLESS_HISTORIES", "6"))
START_MS = 1_700_000_000_000

Value = TypeVar("Value")


class History(Generic[Value]):
    KEYS: ClassVar[int] = 5
    STEPS: ClassVar[tuple[tuple[Callable[[Any], None], float], ...]]
    make: ClassVar[Callable[..., Any]]
    """A value without elements, or a copy of one."""

    def __init__(self, seed: int, segment_bytes: int = 1024, address_bytes: int = 1 << 26) -> None:
        self.random = random.Random(seed)
        engine = Engine(segment_bytes=segment_bytes, address_bytes=address_bytes, seed=seed)
        engine.load_commands(COMMANDS)
        engine.configure(clock_ms=START_MS)
        self.client = Client(engine)
        self.held: dict[bytes, Value] = {}
        self.expires: dict[bytes, int] = {}
        self.now = START_MS

    def compare(self) -> None:
        raise NotImplementedError

    # ---- the model

    def key(self) -> bytes:
        return b"key-%d" % self.random.randrange(self.KEYS)

    def drop(self, key: bytes) -> None:
        self.held.pop(key, None)
        self.expires.pop(key, None)

    def hold(self, key: bytes, value: Value) -> None:
        """The key's value is another, without expiry."""
        self.drop(key)
        if value:
            self.held[key] = value

    def live(self, key: bytes) -> Any:
        """What the key holds; what has expired is gone, and a value without elements with it."""
        if self.expires.get(key, self.now + 1) <= self.now:
            self.drop(key)
        found = self.held.get(key)
        if not found:
            self.drop(key)
            return type(self).make()
        return found

    # ---- steps

    def delete(self) -> None:
        key = self.key()
        self.client(self.random.choice(["DEL", "UNLINK"]), key)
        self.drop(key)

    def copy(self) -> None:
        source, target = self.key(), self.key()
        if source == target or not self.live(source):
            return
        expiry = self.expires.get(source)
        if self.random.random() < 0.5:
            assert self.client("COPY", source, target, "REPLACE") == b":1\r\n"
            self.hold(target, type(self).make(self.held[source]))
            self.copied(source, target)
        else:
            assert self.client("RENAME", source, target) == b"+OK\r\n"
            self.hold(target, self.held[source])
            self.drop(source)
        if expiry is not None:
            self.expires[target] = expiry

    def copied(self, source: bytes, target: bytes) -> None:
        """What else holds after COPY."""

    def dump(self) -> None:
        source, target = self.key(), self.key()
        if not self.live(source):
            return
        self.client("PERSIST", source)
        self.expires.pop(source, None)
        payload = self.client.bulk("DUMP", source)
        assert payload is not None
        assert self.client("RESTORE", target, 0, payload, "REPLACE") == b"+OK\r\n"
        self.hold(target, type(self).make(self.live(source)))
        digests = self.client("DEBUG", "DIGEST-VALUE", source, target).split(b"\r\n")
        assert digests[1] == digests[2]

    def expire(self) -> None:
        key, ttl = self.key(), self.random.choice([1, 300, 10**7, 10**9])
        if self.live(key):
            assert self.client("PEXPIRE", key, ttl) == b":1\r\n"
            self.expires[key] = self.now + ttl

    def advance(self) -> None:
        self.now += self.random.choice([1, 10, 500])
        self.client.engine.configure(clock_ms=self.now)

    def flush(self) -> None:
        if self.random.random() < 0.2:
            self.client("FLUSHALL")
            self.held.clear()
            self.expires.clear()

    def background(self) -> None:
        self.client.engine.background(self.random.choice([1, 50, 1000]), self.random.random() < 0.5)

    # ---- the whole

    def run(self, steps: int) -> None:
        actions = [action for action, _ in self.STEPS]
        weights = [weight for _, weight in self.STEPS]
        for action in self.random.choices(actions, weights, k=steps):
            action(self)
        self.compare()
        self.client("FLUSHALL")
        self.client.engine.purge()
        assert self.client.engine.check() is None
        self.client.engine.close()
