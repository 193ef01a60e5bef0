"""An owner's endless history: batches of units over databases of its own, so that what must be there follows from it alone."""

from __future__ import annotations

from random import Random

from tests.crash.commands import TYPES, burst, pop, short_lived
from tests.crash.draw import SHORT_LIVED, Draw
from tests.crash.unit import Args, Key, Unit

_MAKERS = [makers for name, makers in TYPES.items() for _ in range(2 if name == "generic" else 3)]
_TRANSACTION_COMMANDS_MAX = 8
_DEPTHS = (1, 1, 2, 4, 16, 16, 40)
"""How many units a pipeline has."""


class Workload:
    """`alone`: nobody else is there, every database is its own, and it may empty all at once."""

    def __init__(self, rng: Random, databases: tuple[int, ...], *, alone: bool = False) -> None:
        self.databases = databases
        self._alone = alone
        self._rng = rng
        self._selected = -1

    def reconnected(self) -> None:
        """The next unit selects its database anew."""
        self._selected = -1

    def batch(self) -> list[Unit]:
        """The units of one pipeline. Nothing follows an SPOP, so that what is left tells which members it took."""
        units: list[Unit] = []
        for _ in range(self._rng.choice(_DEPTHS)):
            units.append(self._unit())
            if units[-1].pops:
                break
        return units

    def _unit(self) -> Unit:
        rng = self._rng
        if self._selected < 0 or rng.randrange(15) == 0:
            database = rng.choice(self.databases)
        else:
            database = self._selected
        d = Draw(rng, database, self.databases)
        dice = rng.random()
        if dice < 0.12:
            return self._sent(d, _transaction(d), whole=True)
        if dice < 0.13:
            return self._sent(d, burst(d), whole=True)
        if dice < 0.16:
            key = rng.choice(SHORT_LIVED)
            d.touched.add((database, key))
            commands = short_lived(d, key)
            return self._sent(d, commands, whole=len(commands) > 1)
        if dice < 0.18:
            return self._sent(d, [pop(d)], pops=True)
        if dice < 0.182:
            return self._sent(d, [(b"FLUSHALL" if self._alone else b"FLUSHDB",)], everything=True)
        if dice < 0.19:
            swap = (b"SWAPDB", b"%d" % database, b"%d" % d.other_database())
            return self._sent(d, [swap], everything=True)
        return self._sent(d, [rng.choice(rng.choice(_MAKERS))(d)])

    def _sent(
        self,
        d: Draw,
        commands: list[Args],
        *,
        whole: bool = False,
        pops: bool = False,
        everything: bool = False,
    ) -> Unit:
        if whole:
            commands = [(b"MULTI",), *commands, (b"EXEC",)]
        if d.database != self._selected:
            commands = [(b"SELECT", b"%d" % d.database), *commands]
            self._selected = d.database
        touched: frozenset[Key] | None = None if everything else frozenset(d.touched)
        return Unit(tuple(commands), touched, pops)


def _transaction(d: Draw) -> list[Args]:
    """Several keys of several types; each writes its number as well, so that halves are seen whatever the rest does."""
    number = b"%d" % d.rng.getrandbits(40)
    count = d.rng.randint(1, _TRANSACTION_COMMANDS_MAX)
    middle = [d.rng.choice(d.rng.choice(_MAKERS))(d) for _ in range(count)]
    d.touched.update({(d.database, b"first"), (d.database, b"last")})
    return [(b"SET", b"first", number), *middle, (b"SET", b"last", number)]
