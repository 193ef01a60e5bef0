"""SAVE, BGSAVE, LASTSAVE."""

from __future__ import annotations

from gapless.commands.replies import OK, CommandError, Status
from gapless.engine.session import FLAG_IN_EXEC
from gapless.server import measures

TYPE_CHECKING = False
if TYPE_CHECKING:
    from gapless.commands.context import Context
    from gapless.server.persistence import Persistence


def _persistence(ctx: Context) -> Persistence:
    if ctx.server is None:
        raise CommandError("ERR the store belongs to a program, and to no server")
    return ctx.server.persistence


def save(ctx: Context, args: list[bytes]) -> object:
    """SAVE: O(keys), and everybody waits."""
    persistence = _persistence(ctx)
    if persistence.running is not None:
        raise CommandError("ERR Background save already in progress")
    if not persistence.save():
        raise CommandError("ERR")
    return OK


def bgsave(ctx: Context, args: list[bytes]) -> object:
    """BGSAVE [SCHEDULE]: O(1), what it does goes on in slices."""
    persistence = _persistence(ctx)
    if len(args) > 2 or (len(args) == 2 and args[1].upper() != b"SCHEDULE"):
        raise CommandError("ERR syntax error")
    if persistence.running is not None:
        raise CommandError("ERR Background save already in progress")
    if ctx.session.flags & FLAG_IN_EXEC:
        persistence.scheduled = True
        return Status("Background saving scheduled")
    persistence.save_in_background()
    return Status("Background saving started")


def lastsave(ctx: Context, args: list[bytes]) -> object:
    """LASTSAVE: without a save, when the server started."""
    return int(measures.STARTED) if ctx.server is None else ctx.server.persistence.saved_at
