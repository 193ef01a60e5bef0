"""ACL, as far as there are users: one, `default`, who may do everything."""

from __future__ import annotations

import os

from gapless.commands.handlers.container import integer, server_of, shown_in_error, text_of, too_many_words
from gapless.commands.handlers.introspect import shown
from gapless.commands.replies import CommandError
from gapless.commands.row import CATEGORIES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from gapless.commands.context import Context

BITS_MAX = 4096


def whoami(ctx: Context, args: list[bytes]) -> object:
    """ACL WHOAMI."""
    return ctx.session.user


def users(ctx: Context, args: list[bytes]) -> object:
    """ACL USERS."""
    return ["default"]


def list_users(ctx: Context, args: list[bytes]) -> object:
    """ACL LIST."""
    password = server_of(ctx).config.text("requirepass")
    # Here, because OpenSSL takes megabytes that an idle server can do without.
    import hashlib

    digest = hashlib.sha256(password.encode("utf-8", "surrogateescape")).hexdigest()
    login = f"sanitize-payload #{digest}" if password else "nopass sanitize-payload"
    return [f"user default on {login} ~* &* +@all"]


def cat(ctx: Context, args: list[bytes]) -> object:
    """ACL CAT [category]."""
    if len(args) > 3:
        raise too_many_words(args)
    if len(args) == 2:
        return list(CATEGORIES)
    wanted = text_of(args[2]).lower()
    if wanted not in CATEGORIES:
        raise CommandError(f"ERR Unknown category '{shown_in_error(args[2])}'")
    from gapless.commands.table import COMMANDS

    return [row.full_name for top in COMMANDS for row in (top, *shown(top)) if wanted in row.categories]


def genpass(ctx: Context, args: list[bytes]) -> object:
    """ACL GENPASS [bits]: hexadecimal digits."""
    bits = 256
    if len(args) == 3:
        bits = integer(args[2])
        if not 0 < bits <= BITS_MAX:
            raise CommandError(
                "ERR ACL GENPASS argument must be the number of bits for the output password, a positive "
                f"number up to {BITS_MAX}"
            )
    digits = (bits + 3) // 4
    return os.urandom((digits + 1) // 2).hex()[:digits]
