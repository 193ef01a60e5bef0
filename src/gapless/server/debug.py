"""DEBUG: what developers and tests need. What looks at keys is compiled (generic.debug_...)."""

from __future__ import annotations

import logging
import os
import re
import signal
import time

from gapless.commands.handlers.container import too_many_words
from gapless.commands.replies import OK, Attribute, CommandError, Error, Push, Several, Verbatim
from gapless.commands.row import Command
from gapless.server import measures, persistence
from gapless.server.helping import help_lines

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from gapless.commands.context import Context

    Function = Callable[[Context, list[bytes]], object]

logger = logging.getLogger("gapless.server")

LEADING_INTEGER = re.compile(rb"\s*[-+]?\d+")
LEADING_NUMBER = re.compile(rb"\s*[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?")
TYPES = "string|integer|double|bignum|null|array|set|map|attrib|push|verbatim|true|false"


def _integer(word: bytes) -> int:
    """As C's atoi: the number it begins with, else 0."""
    found = LEADING_INTEGER.match(word)
    return int(found[0]) if found else 0


def unknown(ctx: Context, args: list[bytes]) -> object:
    """DEBUG with any other word."""
    raise too_many_words(args)


def taking(count: int, function: Function) -> Function:
    """`function` for exactly so many words after its name; others get Redis's error."""

    def checked(ctx: Context, args: list[bytes]) -> object:
        if len(args) != count + 2:
            raise too_many_words(args)
        return function(ctx, args)

    return checked


def sleep(ctx: Context, args: list[bytes]) -> object:
    """DEBUG SLEEP seconds: nobody is served meanwhile."""
    found = LEADING_NUMBER.match(args[2])
    seconds = float(found[0]) if found else 0.0
    if seconds > 0:
        time.sleep(seconds)
    return OK


def set_active_expire(ctx: Context, args: list[bytes]) -> object:
    """DEBUG SET-ACTIVE-EXPIRE 0|1"""
    ctx.engine.configure(active_expire=_integer(args[2]) != 0)
    return OK


def change_repl_id(ctx: Context, args: list[bytes]) -> object:
    """DEBUG CHANGE-REPL-ID"""
    measures.history(ctx.engine).replication = os.urandom(20).hex()
    return OK


def error(ctx: Context, args: list[bytes]) -> object:
    """DEBUG ERROR text: that error."""
    return Error(args[2].decode("utf-8", "surrogateescape").replace("\r", " ").replace("\n", " "))


def log(ctx: Context, args: list[bytes]) -> object:
    """DEBUG LOG message"""
    logger.warning("DEBUG LOG: %s", args[2].decode("utf-8", "backslashreplace"))
    return OK


def accepted(ctx: Context, args: list[bytes]) -> object:
    """Switches for parts that Redis has and this server has not: there is nothing to switch."""
    return OK


def reload(ctx: Context, args: list[bytes]) -> object:
    """DEBUG RELOAD [MERGE] [NOFLUSH] [NOSAVE]: refused, nothing of the store is on disk."""
    if any(word.upper() not in (b"MERGE", b"NOFLUSH", b"NOSAVE") for word in args[2:]):
        raise CommandError("ERR DEBUG RELOAD only supports the MERGE, NOFLUSH and NOSAVE options.")
    raise CommandError("ERR there is nothing to reload: the store is in memory only")


def protocol(ctx: Context, args: list[bytes]) -> object:
    """DEBUG PROTOCOL type: a reply of that type."""
    kind = args[2].decode("latin-1").lower()
    replies: dict[str, object] = {
        "string": b"Hello World",
        "integer": 12345,
        "double": 3.141,
        "bignum": 1234567999999999999999999999999999999,
        "null": None,
        "array": [0, 1, 2],
        "set": {0, 1, 2},
        "map": {0: False, 1: True, 2: False},
        "attrib": Several(
            [
                Attribute({"key-popularity": ["key:123", 90]}),
                "Some real reply following the attribute",
            ]
        ),
        "push": Several(["Some real reply following the push reply", Push(["server-cpu-usage", 42])]),
        "verbatim": Verbatim("This is a verbatim\nstring"),
        "true": True,
        "false": False,
    }
    if kind == "push" and ctx.session.protocol < 3:
        raise CommandError("ERR RESP2 is not supported by this command")
    if kind not in replies:
        raise CommandError(f"ERR Wrong protocol type name. Please use one of the following: {TYPES}")
    return replies[kind]


def abort(ctx: Context, args: list[bytes]) -> object:
    """DEBUG PANIC, ASSERT: ends the process as a failed invariant does."""
    logger.critical("DEBUG %s", args[1].decode("latin-1").upper())
    os.abort()


def segfault(ctx: Context, args: list[bytes]) -> object:
    """DEBUG SEGFAULT"""
    os.kill(os.getpid(), signal.SIGSEGV)
    return OK


def structsize(ctx: Context, args: list[bytes]) -> object:
    """DEBUG STRUCTSIZE: what the engine's structures take, bytes."""
    return "bits:64 segment:64 bucket:64 slot:8"


def help_text(ctx: Context, args: list[bytes]) -> object:
    """DEBUG HELP"""
    return help_lines(
        "DEBUG",
        (
            ("ASSERT", "End the process as a failed invariant does."),
            ("CHANGE-REPL-ID", "A new replication id."),
            ("CHECK", "Walk everything and verify every invariant; OK, or what is wrong."),
            ("DIGEST", "A signature of all databases."),
            ("DIGEST-VALUE <key> [<key> ...]", "The signatures of these keys' values."),
            ("ERROR <text>", "Reply with this error."),
            ("LOADAOF", "Empty the store, and load its journal again."),
            ("LOG <message>", "Write <message> to the log."),
            ("OBJECT <key>", "How a key is kept."),
            ("PANIC", "End the process as a failed invariant does."),
            (
                "POPULATE <count> [<prefix>] [<size>]",
                "Create <count> keys <prefix>:<number> (prefix: key) of <size> bytes.",
            ),
            ("PROTOCOL <type>", f"Reply with a value of that type: {TYPES}."),
            ("RELOAD [MERGE] [NOFLUSH] [NOSAVE]", "Load the store from disk again, when it is on disk."),
            ("SDSLEN <key>", "What a key and its string take."),
            ("SEGFAULT", "Crash."),
            ("SET-ACTIVE-EXPIRE <0|1>", "Whether keys are deleted in time, or when looked at."),
            ("SLEEP <seconds>", "Serve nobody for so long."),
            ("GLOB <pattern> <text>", "1 when the glob pattern matches, else 0."),
            ("STRUCTSIZE", "The sizes of the engine's structures."),
        ),
    )


def _row(name: str, summary: str, handler: str | Function, *, arity: int = -2) -> Command:
    return Command(
        name,
        "server",
        "1.0.0",
        arity=arity,
        handler=handler,
        summary=summary,
        flags="admin noscript loading stale protected",
        complexity=None,
    )


# Arity is that of DEBUG itself: the functions answer a wrong number of words as Redis does.
SUBCOMMANDS: tuple[Command, ...] = (
    _row("assert", "Aborts the process.", taking(0, abort)),
    _row("change-repl-id", "Makes a new replication id.", taking(0, change_repl_id)),
    _row("check", "Verifies every invariant.", "generic.debug_check"),
    _row("dict-resizing", "Accepted, without effect.", taking(1, accepted)),
    _row("digest", "A signature of all databases.", "generic.debug_digest"),
    _row("digest-value", "Signatures of values.", "generic.debug_digest_value"),
    _row("error", "Replies with an error.", taking(1, error)),
    _row("help", "Lists the subcommands.", taking(0, help_text)),
    _row("loadaof", "Loads the journal again.", taking(0, persistence.loadaof)),
    _row("log", "Writes to the log.", taking(1, log)),
    _row("object", "How a key is kept.", "generic.debug_object"),
    _row("panic", "Aborts the process.", taking(0, abort)),
    _row("populate", "Creates keys.", "generic.debug_populate"),
    _row("protocol", "A reply of a type.", taking(1, protocol)),
    _row("quicklist-packed-threshold", "Accepted, without effect.", taking(1, accepted)),
    _row("reload", "Loads the store from disk again.", reload),
    _row("replybuffer", "Accepted, without effect.", taking(2, accepted)),
    _row("sdslen", "What a key and its string take.", "generic.debug_sdslen"),
    _row("segfault", "Crashes.", taking(0, segfault)),
    _row("set-active-expire", "Turns deletion in time on or off.", taking(1, set_active_expire)),
    _row("set-disable-deny-scripts", "Accepted, without effect.", taking(1, accepted)),
    _row("sleep", "Serves nobody for a while.", taking(1, sleep)),
    _row("glob", "Tries a glob pattern.", "generic.debug_glob"),
    _row("structsize", "Sizes of structures.", taking(0, structsize)),
)
