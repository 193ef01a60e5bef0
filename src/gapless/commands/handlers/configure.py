"""CONFIG: the configuration while the server runs."""

from __future__ import annotations

from gapless.commands.handlers.container import server_of, text_of
from gapless.commands.handlers.introspect import glob_expression
from gapless.commands.replies import OK, CommandError
from gapless.engine import session as core

TYPE_CHECKING = False
if TYPE_CHECKING:
    from gapless.commands.context import Context


def get_values(ctx: Context, args: list[bytes]) -> object:
    """CONFIG GET pattern [...]."""
    config = server_of(ctx).config
    found: dict[str, tuple[str, str]] = {}
    for pattern in args[2:]:
        text = text_of(pattern)
        if any(c in text for c in "*?["):
            for name, value in config.matching(glob_expression(text)).items():
                found.setdefault(name, (name, value))
        elif (given := config.get(text)) is not None:
            # An option asked for by its name is answered under the name as it was asked, first.
            found.setdefault(text.lower(), (text, given))
    return dict(found.values())


def set_values(ctx: Context, args: list[bytes]) -> object:
    """CONFIG SET name value [...]: all, or none when one of them can't be."""
    from gapless.server.config import SetError

    if len(args) % 2:
        raise CommandError("ERR syntax error")
    pairs = [(text_of(args[at]), text_of(args[at + 1])) for at in range(2, len(args), 2)]
    server = server_of(ctx)
    try:
        server.config.set(pairs, server.apply, bool(ctx.session.flags & core.FLAG_LOCAL))
    except SetError as error:
        raise CommandError(str(error)) from None
    return OK


def rewrite(ctx: Context, args: list[bytes]) -> object:
    """CONFIG REWRITE."""
    config = server_of(ctx).config
    if not config.path or config.path == "-":
        raise CommandError("ERR The server is running without a config file")
    try:
        config.rewrite()
    except OSError as error:
        raise CommandError(f"ERR Rewriting config file: {error.strerror}") from None
    return OK


def resetstat(ctx: Context, args: list[bytes]) -> object:
    """CONFIG RESETSTAT."""
    server_of(ctx).reset_stats()
    return OK
