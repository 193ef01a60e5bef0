"""SHUTDOWN: ends the server."""

from __future__ import annotations

import logging

from gapless.commands.replies import NO_REPLY, CommandError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from gapless.commands.context import Context

logger = logging.getLogger("gapless.server")


def shutdown(ctx: Context, args: list[bytes]) -> object:
    """SHUTDOWN [NOSAVE | SAVE] [NOW] [FORCE] [ABORT]

    No reply: the connection closes. There is nowhere to save to: SAVE is refused, unless FORCE is given too.
    """
    words = [arg.upper() for arg in args[1:]]
    known = {b"NOSAVE", b"SAVE", b"NOW", b"FORCE", b"ABORT"}
    if not known.issuperset(words) or {b"SAVE", b"NOSAVE"}.issubset(words):
        raise CommandError("ERR syntax error")
    if b"ABORT" in words:
        if len(words) > 1:
            raise CommandError("ERR syntax error")
        raise CommandError("ERR No shutdown in progress.")
    if ctx.server is None or not ctx.engine.running:
        raise CommandError("ERR the store belongs to a program that has to close it itself")
    if b"SAVE" in words and b"FORCE" not in words:
        logger.error("SHUTDOWN SAVE: the store is in memory only, there is nowhere to save to")
        raise CommandError("ERR Errors trying to SHUTDOWN. Check logs.")
    logger.info("user requested shutdown")
    ctx.server.shut_down()
    return NO_REPLY
