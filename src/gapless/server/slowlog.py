"""SLOWLOG: the commands that took longest lately.

The engine collects what was slower than slowlog-log-slower-than; the log takes it over when somebody looks,
or 10 times a second.
"""

from __future__ import annotations

from collections import deque
from itertools import islice
from weakref import WeakKeyDictionary

from gapless.commands.handlers.container import integer, too_many_words
from gapless.commands.replies import OK, CommandError
from gapless.server import settings
from gapless.server.helping import help_lines

TYPE_CHECKING = False
if TYPE_CHECKING:
    from gapless.commands.context import Context
    from gapless.engine.engine import Engine
    from gapless.server.server import Server

MAX_LEN = 128
GET_DEFAULT = 10


class Slowlog:
    """The entries, newest first: [id, Unix time, microseconds, arguments, address, client's name]."""

    __slots__ = ("entries", "next_id")

    def __init__(self) -> None:
        self.entries: deque[list[object]] = deque()
        self.next_id = 0

    def collect(self, engine: Engine, most: int) -> None:
        """Takes over what the engine has noticed; keeps at most `most` entries."""
        for at, microseconds, arguments, address, name in engine.slowlog_take():
            self.entries.appendleft([self.next_id, int(at), microseconds, arguments, address, name])
            self.next_id += 1
        while len(self.entries) > most:
            self.entries.pop()


_logs: WeakKeyDictionary[Engine, Slowlog] = WeakKeyDictionary()


def collect(engine: Engine, server: Server | None) -> Slowlog:
    """The engine's log, up to date; for the server's periodic task too."""
    log = _logs.get(engine)
    if log is None:
        log = _logs[engine] = Slowlog()
    log.collect(engine, settings.number(server, "slowlog-max-len", MAX_LEN))
    return log


def get(ctx: Context, args: list[bytes]) -> object:
    """SLOWLOG GET [count]; -1: all."""
    if len(args) > 3:
        raise too_many_words(args)
    count = GET_DEFAULT
    if len(args) == 3:
        wrong = "ERR count should be greater than or equal to -1"
        count = integer(args[2], wrong)
        if count < -1:
            raise CommandError(wrong)
    entries = collect(ctx.engine, ctx.server).entries
    return list(entries if count == -1 else islice(entries, count))


def length(ctx: Context, args: list[bytes]) -> object:
    """SLOWLOG LEN"""
    return len(collect(ctx.engine, ctx.server).entries)


def reset(ctx: Context, args: list[bytes]) -> object:
    """SLOWLOG RESET"""
    collect(ctx.engine, ctx.server).entries.clear()
    return OK


def help_text(ctx: Context, args: list[bytes]) -> object:
    """SLOWLOG HELP"""
    return help_lines(
        "SLOWLOG",
        (
            (
                "GET [<count>]",
                "The newest <count> entries (default: 10, -1: all), each of an id, Unix time, duration in\n"
                "microseconds, arguments, address of the client, name of the client.",
            ),
            ("LEN", "The number of entries."),
            ("RESET", "Empty the log."),
        ),
    )
