"""CONFIG: the configuration while the server runs."""

from __future__ import annotations

from gapless.commands.handlers.container import help_text, server_of, text_of
from gapless.commands.handlers.introspect import glob_expression
from gapless.commands.replies import OK, CommandError
from gapless.server.config import SetError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from gapless.commands.context import Context

__all__ = ["get_values", "help_text", "resetstat", "rewrite", "set_values"]


def get_values(ctx: Context, args: list[bytes]) -> object:
    """CONFIG GET pattern [...]."""
    texts = server_of(ctx).config.texts()
    found: dict[object, object] = {}
    for pattern in args[2:]:
        text = text_of(pattern).lower()
        if text in texts:
            found[text] = texts[text]
        elif any(c in text for c in "*?["):
            matches = glob_expression(text)
            found.update((name, value) for name, value in texts.items() if matches.fullmatch(name))
    return found


def set_values(ctx: Context, args: list[bytes]) -> object:
    """CONFIG SET name value [...]: all, or none when one of them can't be."""
    if len(args) % 2:
        raise CommandError("ERR wrong number of arguments for 'config|set' command")
    pairs = [(text_of(args[at]).lower(), text_of(args[at + 1])) for at in range(2, len(args), 2)]
    try:
        server_of(ctx).set_options(pairs)
    except SetError as error:
        if error.unknown:
            raise CommandError(
                f"ERR Unknown option or number of arguments for CONFIG SET - '{error.name}'"
            ) from None
        raise CommandError(
            f"ERR CONFIG SET failed (possibly related to argument '{error.name}') - {error.reason}"
        ) from None
    return OK


def rewrite(ctx: Context, args: list[bytes]) -> object:
    """CONFIG REWRITE."""
    try:
        server_of(ctx).config.rewrite()
    except ValueError:
        raise CommandError("ERR The server is running without a config file") from None
    except OSError as error:
        raise CommandError(f"ERR Rewriting config file: {error.strerror}") from None
    return OK


def resetstat(ctx: Context, args: list[bytes]) -> object:
    """CONFIG RESETSTAT."""
    server_of(ctx).reset_stats()
    return OK
