"""The expected state: a server that keeps nothing, is never killed, and is told what was acknowledged."""

from __future__ import annotations

import time
from collections.abc import Sequence

from tests.crash.client import Client
from tests.crash.load import Outcome
from tests.crash.state import State, Value, differences, is_short_lived, read_databases, read_keys
from tests.crash.unit import Args, Key, Unit

_AGAIN_SECONDS = 0.01


class LostError(AssertionError):
    """What came back is no state that the server could have: the keys with what was expected and found."""

    def __init__(self, why: str, wrong: dict[Key, tuple[Value | None, Value | None]]) -> None:
        super().__init__(why)
        self.wrong = wrong


class Model:
    def __init__(self, path: str, exact: bool) -> None:
        self._path = path
        self._exact = exact
        # Apart, as reading selects databases.
        self._reader = Client(path)
        self._feeders: dict[tuple[int, ...], Client] = {}

    def settle(self, databases: tuple[int, ...], outcome: Outcome, subject: Client) -> int:
        """Bring these databases up to the state of `subject`: everything acknowledged, and as many of the other units
        as it takes. Returns how many. Raises LostError when no number of them explains it.

        One SPOP may be among the others, the last; what it took is what is missing.
        """
        feeder = self._feeder(databases)
        feeder.pipeline(_as_it_went(outcome))
        found = read_databases(subject, databases, self._exact)
        expected = read_databases(self._reader, databases, self._exact)
        wrong = self._again(subject, expected, found, differences(expected, found))
        nearest, best, taken = _described(wrong, expected, found), 0, 0
        for unit in outcome.unacknowledged:
            if not wrong:
                return taken
            feeder.pipeline(_resolved(unit, expected, found) if unit.pops else unit.commands)
            taken += 1
            if unit.touched is None:
                touched = expected.keys() | found.keys()
                expected = read_databases(self._reader, databases, self._exact)
                touched |= expected.keys()
            else:
                touched = set(unit.touched)
                for key in touched:
                    expected.pop(key, None)
                expected.update(read_keys(self._reader, sorted(touched), self._exact))
            now = differences(
                {key: value for key, value in expected.items() if key in touched},
                {key: value for key, value in found.items() if key in touched},
            )
            wrong = self._again(subject, expected, found, (wrong - touched) | now)
            if len(wrong) < len(nearest):
                nearest = _described(wrong, expected, found)
                best = taken
        if wrong:
            raise LostError(
                f"databases {databases} have what neither {len(outcome.acknowledged)} acknowledged units nor these and a "
                f"first part of {len(outcome.unacknowledged)} others make; nearest with {best} of these: "
                f"{len(nearest)} keys differ",
                nearest,
            )
        return taken

    def _again(self, subject: Client, expected: State, found: State, wrong: set[Key]) -> set[Key]:
        """A short-lived key may have gone between the look at the one and at the other: both are looked at once more."""
        doubtful = sorted(key for key in wrong if is_short_lived(key))
        if not doubtful:
            return wrong
        time.sleep(_AGAIN_SECONDS)
        for state, where in ((found, subject), (expected, self._reader)):
            for key in doubtful:
                state.pop(key, None)
            state.update(read_keys(where, doubtful, self._exact))
        return {key for key in wrong if key not in doubtful} | differences(
            {key: expected[key] for key in doubtful if key in expected},
            {key: found[key] for key in doubtful if key in found},
        )

    def _feeder(self, databases: tuple[int, ...]) -> Client:
        if databases not in self._feeders:
            self._feeders[databases] = Client(self._path)
        return self._feeders[databases]


def _described(
    wrong: set[Key], expected: State, found: State
) -> dict[Key, tuple[Value | None, Value | None]]:
    return {key: (expected.get(key), found.get(key)) for key in sorted(wrong)}


def _as_it_went(outcome: Outcome) -> list[Args]:
    commands: list[Args] = []
    for number, unit in enumerate(outcome.acknowledged):
        if unit.pops:
            *before, (_, key, _) = unit.commands
            commands += before
            if members := outcome.popped.get(number):
                commands.append((b"SREM", key, *members))
        else:
            commands += unit.commands
    return commands


def _resolved(unit: Unit, expected: State, found: State) -> Sequence[Args]:
    """An SPOP that was not answered, as the SREM of what is missing; of too much that is missing, as nothing."""
    *before, (_, name, count) = unit.commands
    (key,) = unit.touched or {}
    there, left = (state[key].content if key in state else frozenset() for state in (expected, found))
    if not isinstance(there, frozenset) or not isinstance(left, frozenset):
        return before
    missing = there - left
    as_asked = len(missing) == min(int(count), len(there)) > 0
    return [*before, *([(b"SREM", name, *missing)] if as_asked else [])]
