"""FLUSHALL, FLUSHDB, SWAPDB: whole databases. In Python, for they end what WATCH has seen."""

from __future__ import annotations

from gapless.commands.handlers.container import integer
from gapless.commands.replies import OK, CommandError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from gapless.commands.context import Context

INT_MAX = 2**31 - 1


def _check_options(args: list[bytes]) -> None:
    # SYNC and ASYNC are the same here: O(1) now, the memory follows in slices.
    if len(args) > 2 or (len(args) == 2 and args[1].upper() not in (b"SYNC", b"ASYNC")):
        raise CommandError("ERR syntax error")


def flushall(ctx: Context, args: list[bytes]) -> object:
    """FLUSHALL [ASYNC|SYNC]."""
    _check_options(args)
    ctx.engine.flush()
    if ctx.server is not None:
        ctx.server.persistence.flushed()
    return OK


def flushdb(ctx: Context, args: list[bytes]) -> object:
    """FLUSHDB [ASYNC|SYNC]."""
    _check_options(args)
    ctx.engine.flush(ctx.session.db)
    return OK


def _index(text: bytes, error: str) -> int:
    n = integer(text, error)
    if not -INT_MAX - 1 <= n <= INT_MAX:
        raise CommandError(error)
    return n


def swapdb(ctx: Context, args: list[bytes]) -> object:
    """SWAPDB first second."""
    first = _index(args[1], "ERR invalid first DB index")
    second = _index(args[2], "ERR invalid second DB index")
    count = ctx.engine.database_count
    if not (0 <= first < count and 0 <= second < count):
        raise CommandError("ERR DB index is out of range")
    ctx.engine.swap(first, second)
    return OK
