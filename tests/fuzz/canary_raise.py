"""Must fail: shows that a wrong result is noticed."""

from __future__ import annotations

from random import Random


def run_case(random: Random) -> None:
    assert random.randrange(1000) != 0, "the canary sings"
