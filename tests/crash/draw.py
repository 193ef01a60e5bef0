"""Random words for commands: keys of one owner, elements that meet again, times, sizes from nothing to large."""

from __future__ import annotations

import time
from random import Random

from tests.crash.unit import Key

KEYS = {
    "string": (b"s0", b"s1", b"S"),
    "number": (b"n0", b"n1"),
    "bitmap": (b"b0", b"B"),
    "hyperloglog": (b"p0", b"p1", b"P"),
    "hash": (b"h0", b"h1", b"H"),
    "list": (b"l0", b"l1", b"L"),
    "set": (b"e0", b"e1", b"E"),
    "sorted set": (b"z0", b"z1", b"Z"),
    "geo": (b"g0", b"G"),
    "stream": (b"x0", b"x1", b"X"),
}
"""A large name is that of a large value: its commands come with hundreds of elements."""
SHORT_LIVED = (b"t0", b"t1", b"t2")
STEP_MS = 10**8
"""Absolute times are multiples of this and relative ones half a step beside: no two are closer than a round takes."""
FIRST_STEP = 40_000
"""In the year 2096."""
_LARGE = frozenset(b"SBPHLEZGX")


def is_large(key: bytes) -> bool:
    return key[0] in _LARGE


class Draw:
    """One unit's words, all of `database` unless said otherwise; `touched` gathers the keys it asked for."""

    def __init__(self, rng: Random, database: int, databases: tuple[int, ...]) -> None:
        self.rng = rng
        self.database = database
        self.databases = databases
        self.touched: set[Key] = set()

    def key(self, kind: str, database: int | None = None) -> bytes:
        name = self.rng.choice(KEYS[kind])
        self.touched.add((self.database if database is None else database, name))
        return name

    def some_keys(self, kind: str) -> list[bytes]:
        return [self.key(kind) for _ in range(self.rng.randint(1, 3))]

    def other_database(self) -> int:
        return self.rng.choice([number for number in self.databases if number != self.database])

    def one_in(self, n: int) -> bool:
        return self.rng.randrange(n) == 0

    def integer(self, low: int = -40, high: int = 40) -> bytes:
        return b"%d" % self.rng.randint(low, high)

    def count(self, key: bytes) -> int:
        """How many elements: a few, and for a large key now and then some hundred."""
        return self.rng.randint(60, 300) if is_large(key) and self.one_in(4) else self.rng.randint(1, 4)

    def element(self, key: bytes) -> bytes:
        number = self.rng.randrange(1200 if is_large(key) else 24)
        if self.one_in(400):
            return b"e%d:" % number + b"y" * self.rng.randint(1000, 3000)
        return b"%d" % number if number % 3 == 0 else b"e%d" % number

    def elements(self, key: bytes) -> list[bytes]:
        return [self.element(key) for _ in range(self.count(key))]

    def value(self, key: bytes = b"") -> bytes:
        if is_large(key or b"s") and self.one_in(4):
            return self._bytes(self.rng.choice([1500, 5000, 40_000, 150_000, 300_000]))
        if self.one_in(30):
            return self._bytes(self.rng.randint(60, 1200))
        if self.one_in(3):
            return self.integer(-(10**9), 10**9)
        return b"v" * self.rng.randint(0, 12) + self.integer()

    def _bytes(self, length: int) -> bytes:
        seed = self.rng.randbytes(61)
        return (seed * (length // 61 + 1))[:length]

    def offset(self, key: bytes) -> bytes:
        return self.integer(0, 200_000 if is_large(key) else 300)

    def score(self) -> bytes:
        return self.integer(-30, 30) if self.one_in(2) else b"%.3f" % self.rng.uniform(-30, 30)

    def time_ms(self) -> int:
        return STEP_MS * (FIRST_STEP + self.rng.randrange(1000))

    def lifetime_ms(self) -> int:
        """From now; ends as far from every absolute time as can be."""
        return self.time_ms() + STEP_MS // 2 - time.time_ns() // 1_000_000

    def expiry(self) -> tuple[bytes, bytes]:
        """The option of SET, GETEX and HSETEX, and its number."""
        what = self.rng.choice([b"EX", b"PX", b"EXAT", b"PXAT"])
        at = self.time_ms() if what.endswith(b"AT") else self.lifetime_ms()
        return what, b"%d" % (at if what.startswith(b"P") else at // 1000)

    def moment_ms(self) -> bytes:
        """A time that comes during this round or the next."""
        return b"%d" % (time.time_ns() // 1_000_000 + self.rng.randint(1, 800))

    def side(self) -> bytes:
        return self.rng.choice([b"LEFT", b"RIGHT"])
