"""AUTH, HELLO, QUIT, RESET: a connection and who speaks over it."""

from __future__ import annotations

from gapless.commands.handlers.container import clean_name, integer, server_of, shown_in_error, text_of
from gapless.commands.replies import OK, CommandError, Status
from gapless.engine import session as core

TYPE_CHECKING = False
if TYPE_CHECKING:
    from gapless.commands.context import Context

REDIS_VERSION = "8.2.3"
WRONG_PASSWORD = "WRONGPASS invalid username-password pair or user is disabled."
NAME_ERROR = "ERR Client names cannot contain spaces, newlines or special characters."


def _same(a: bytes, b: bytes) -> bool:
    """In a time that tells nothing of where they differ. (hmac would bring OpenSSL, megabytes.)"""
    different = len(a) ^ len(b)
    for x, y in zip(a, b, strict=False):
        different |= x ^ y
    return different == 0


def _log_in(ctx: Context, user: bytes, password: bytes) -> None:
    wanted = server_of(ctx).config.text("requirepass")
    right = not wanted or _same(wanted.encode("utf-8", "surrogateescape"), password)
    if user != b"default" or not right:
        raise CommandError(WRONG_PASSWORD)
    ctx.session.authenticated = True


def auth(ctx: Context, args: list[bytes]) -> object:
    """AUTH [user] password."""
    if len(args) > 3:
        raise CommandError("ERR syntax error")
    if len(args) == 2:
        if not server_of(ctx).config.text("requirepass"):
            raise CommandError(
                "ERR AUTH <password> called without any password configured for the default user. "
                "Are you sure your configuration is correct?"
            )
        _log_in(ctx, b"default", args[1])
    else:
        _log_in(ctx, args[1], args[2])
    return OK


def hello(ctx: Context, args: list[bytes]) -> object:
    """HELLO [protocol [AUTH user password] [SETNAME name]]."""
    session = ctx.session
    protocol = session.protocol
    at = 1
    if len(args) > 1:
        protocol = integer(args[1], "ERR Protocol version is not an integer or out of range")
        if protocol not in (2, 3):
            raise CommandError("NOPROTO unsupported protocol version")
        at = 2
    login: tuple[bytes, bytes] | None = None
    name: bytes | None = None
    while at < len(args):
        word = args[at].upper()
        if word == b"AUTH" and at + 2 < len(args):
            login = (args[at + 1], args[at + 2])
            at += 3
        elif word == b"SETNAME" and at + 1 < len(args):
            name = args[at + 1]
            if not clean_name(name):
                raise CommandError(NAME_ERROR)
            at += 2
        else:
            raise CommandError(f"ERR Syntax error in HELLO option '{shown_in_error(args[at])}'")
    if login is not None:
        _log_in(ctx, *login)
    if not session.authenticated and server_of(ctx).config.text("requirepass"):
        raise CommandError(
            "NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO <proto> "
            "AUTH <user> <pass> option can be used to authenticate the client and select the RESP protocol "
            "version at the same time"
        )
    if name is not None:
        session.name = text_of(name)
    if len(args) > 1:
        session.protocol = protocol
    return {
        "server": "redis",
        "version": REDIS_VERSION,
        "proto": protocol,
        "id": session.id,
        "mode": "standalone",
        "role": "master",
        "modules": [],
    }


def quit_session(ctx: Context, args: list[bytes]) -> object:
    """QUIT: the reply, then the end."""
    ctx.session.set_flag(core.FLAG_CLOSE_AFTER_REPLY, True)
    return OK


def reset(ctx: Context, args: list[bytes]) -> object:
    """RESET: as if the connection were new."""
    session = ctx.session
    session.forget_transaction()
    session.monitor(False)
    session.db = 0
    session.protocol = 2
    session.name = ""
    session.user = "default"
    for flag in (core.FLAG_NO_EVICT, core.FLAG_NO_TOUCH, core.FLAG_REPLY_OFF, core.FLAG_REPLY_SKIP):
        session.set_flag(flag, False)
    session.authenticated = not server_of(ctx).config.text("requirepass")
    return Status("RESET")
