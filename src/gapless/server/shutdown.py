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

    No reply: the connection closes. Saves where there are save points, or as it is told; when that fails it goes on, unless FORCE is given.
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
    logger.info("user requested shutdown")
    save = True if b"SAVE" in words else False if b"NOSAVE" in words else None
    if not ctx.server.persistence.end(save) and b"FORCE" not in words:
        logger.error("Error trying to save the DB, can't exit")
        raise CommandError("ERR Errors trying to SHUTDOWN. Check logs.")
    ctx.server.shut_down()
    return NO_REPLY
