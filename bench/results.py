"""A measured row, the bars it is held against, and the verdict."""

from __future__ import annotations

import statistics
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal

from bench.servers import GAPLESS

Direction = Literal["at least", "at most"]


@dataclass(frozen=True)
class Bar:
    """What gapless has to reach: a ratio to the best of `against`, or, with nobody there, the value itself.

    `direction` also says which peer is the best: the largest where gapless has to reach at least `limit`.
    """

    direction: Direction
    limit: float
    against: tuple[str, ...] = ()


@dataclass(frozen=True)
class Verdict:
    bar: Bar
    value: float
    """The ratio, or gapless's own value."""
    peer: str
    met: bool


@dataclass
class Row:
    """One line of the table: samples of every subject, in the order they were taken."""

    scenario: str
    what: str
    unit: str
    bars: tuple[Bar, ...] = ()
    samples: dict[str, list[float]] = field(default_factory=dict)
    notes: set[str] = field(default_factory=set)

    def add(self, subject: str, value: float) -> None:
        self.samples.setdefault(subject, []).append(value)

    def median(self, subject: str) -> float | None:
        taken = self.samples.get(subject)
        return statistics.median(taken) if taken else None

    def verdicts(self) -> list[Verdict]:
        """One for each bar that can be judged: gapless was measured, and somebody to compare it with."""
        mine = self.median(GAPLESS)
        return [] if mine is None else [v for bar in self.bars if (v := self._judge(bar, mine))]

    def unjudged(self) -> list[Bar]:
        judged = [verdict.bar for verdict in self.verdicts()]
        return [bar for bar in self.bars if bar not in judged]

    def _judge(self, bar: Bar, mine: float) -> Verdict | None:
        value, peer = mine, ""
        if bar.against:
            medians = {name: median for name in bar.against if (median := self.median(name)) is not None}
            if not medians:
                return None
            pick = max if bar.direction == "at least" else min
            peer = pick(medians, key=lambda name: medians[name])
            if not medians[peer]:
                return None
            value = mine / medians[peer]
        met = value >= bar.limit if bar.direction == "at least" else value <= bar.limit
        return Verdict(bar, value, peer, met)


def count_met(rows: Iterable[Row]) -> tuple[int, int, int]:
    """Bars met, missed, and not judged."""
    verdicts = [verdict for row in rows for verdict in row.verdicts()]
    met = sum(verdict.met for verdict in verdicts)
    return met, len(verdicts) - met, sum(len(row.unjudged()) for row in rows)
