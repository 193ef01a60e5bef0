"""MONITOR: from now on the connection is shown every command."""

from __future__ import annotations

from gapless.commands.replies import OK, CommandError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from gapless.commands.context import Context


def monitor(ctx: Context, args: list[bytes]) -> object:
    """MONITOR"""
    from gapless.engine.session import FLAG_IN_EXEC

    if ctx.session.flags & FLAG_IN_EXEC:
        raise CommandError("ERR MONITOR isn't allowed for DENY BLOCKING client")
    ctx.session.monitor(True)
    return OK
