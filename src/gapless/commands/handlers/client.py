"""CLIENT: connections, seen and controlled."""

from __future__ import annotations

import time

from gapless.commands.handlers.container import clean_name, integer, shown_in_error, text_of, too_many_words
from gapless.commands.handlers.session import NAME_ERROR
from gapless.commands.replies import NO_REPLY, OK, CommandError, Verbatim
from gapless.engine import session as core

TYPE_CHECKING = False
if TYPE_CHECKING:
    from gapless.commands.context import Context
    from gapless.engine.session import Session


SYNTAX = "ERR syntax error"
TYPES = {"normal": "normal", "master": "master", "replica": "replica", "slave": "replica", "pubsub": "pubsub"}


def _type_of(session: Session) -> str:
    return "replica" if session.flags & core.FLAG_MONITOR else "normal"


def describe(session: Session) -> str:
    """The line of CLIENT LIST."""
    now = time.time()
    buffers = session.buffers()
    flags = session.flags
    letters = "".join(
        letter
        for letter, on in (
            ("O", flags & core.FLAG_MONITOR),
            ("x", flags & (core.FLAG_MULTI | core.FLAG_IN_EXEC)),
            ("b", session.blocked),
            ("d", flags & core.FLAG_DIRTY_CAS),
            ("c", flags & core.FLAG_CLOSE_AFTER_REPLY),
            ("A", flags & core.FLAG_CLOSE_NOW),
            ("U", flags & core.FLAG_UNIX_SOCKET),
            ("e", flags & core.FLAG_NO_EVICT),
            ("T", flags & core.FLAG_NO_TOUCH),
        )
        if on
    )
    fields = (
        ("id", session.id),
        ("addr", session.addr),
        ("laddr", session.laddr),
        ("fd", session.fd),
        ("name", session.name),
        ("age", max(0, int(now - session.created))),
        ("idle", max(0, int(now - session.active))),
        ("flags", letters or "N"),
        ("db", session.db),
        ("sub", 0),
        ("psub", 0),
        ("ssub", 0),
        ("multi", session.multi_count),
        ("watch", session.watched),
        ("qbuf", buffers["qbuf"]),
        ("qbuf-free", buffers["qbuf_free"]),
        ("argv-mem", buffers["argv_mem"]),
        ("multi-mem", session.multi_bytes),
        ("rbs", buffers["rbs"]),
        ("rbp", buffers["rbp"]),
        ("obl", buffers["obl"]),
        ("oll", 0),
        ("omem", 0),
        ("tot-mem", buffers["tot_mem"]),
        ("events", "r"),
        ("cmd", session.last_command),
        ("user", session.user),
        ("redir", -1),
        ("resp", session.protocol),
        ("lib-name", session.lib_name),
        ("lib-ver", session.lib_ver),
        ("io-thread", 0),
        ("tot-net-in", buffers["net_in"]),
        ("tot-net-out", buffers["net_out"]),
        ("tot-cmds", buffers["commands"]),
    )
    return " ".join(f"{name}={value}" for name, value in fields)


def client_id(ctx: Context, args: list[bytes]) -> object:
    """CLIENT ID."""
    return ctx.session.id


def getname(ctx: Context, args: list[bytes]) -> object:
    """CLIENT GETNAME."""
    return ctx.session.name or None


def setname(ctx: Context, args: list[bytes]) -> object:
    """CLIENT SETNAME name."""
    if not clean_name(args[2]):
        raise CommandError(NAME_ERROR)
    ctx.session.name = text_of(args[2])
    return OK


def setinfo(ctx: Context, args: list[bytes]) -> object:
    """CLIENT SETINFO LIB-NAME|LIB-VER value."""
    attribute = text_of(args[2]).lower()
    if attribute not in ("lib-name", "lib-ver"):
        raise CommandError(f"ERR Unrecognized option '{shown_in_error(args[2])}'")
    if not clean_name(args[3]):
        raise CommandError(f"ERR {text_of(args[2])} cannot contain spaces, newlines or special characters.")
    if attribute == "lib-name":
        ctx.session.lib_name = text_of(args[3])
    else:
        ctx.session.lib_ver = text_of(args[3])
    return OK


def getredir(ctx: Context, args: list[bytes]) -> object:
    """CLIENT GETREDIR: -1, nothing is tracked for this connection."""
    return -1


def info(ctx: Context, args: list[bytes]) -> object:
    """CLIENT INFO."""
    return Verbatim(describe(ctx.session) + "\n")


def _client_type(text: bytes) -> str:
    kind = TYPES.get(text_of(text).lower())
    if kind is None:
        raise CommandError(f"ERR Unknown client type '{shown_in_error(text)}'")
    return kind


def list_clients(ctx: Context, args: list[bytes]) -> object:
    """CLIENT LIST [TYPE type] [ID id ...]."""
    sessions = ctx.engine.clients()
    if len(args) == 4 and args[2].upper() == b"TYPE":
        kind = _client_type(args[3])
        sessions = [session for session in sessions if _type_of(session) == kind]
    elif len(args) > 3 and args[2].upper() == b"ID":
        ids = [integer(arg, "ERR Invalid client ID") for arg in args[3:]]
        by_id = {session.id: session for session in sessions}
        sessions = [by_id[one] for one in ids if one in by_id]
    elif len(args) != 2:
        raise CommandError(SYNTAX)
    return Verbatim("".join(describe(session) + "\n" for session in sessions))


class _Filter:
    """What CLIENT KILL's options say."""

    def __init__(self, args: list[bytes]) -> None:
        self.ids: set[int] = set()
        self.addr: str | None = None
        self.laddr: str | None = None
        self.kind: str | None = None
        self.user: str | None = None
        self.skip_me = True
        self.age_least = 0
        at = 2
        while at < len(args):
            if at + 1 >= len(args):
                raise CommandError(SYNTAX)
            at = self._take(args, at)

    def _take(self, args: list[bytes], at: int) -> int:
        word, value = args[at].upper(), args[at + 1]
        if word == b"ID":
            self.ids = set()  # a second ID replaces the first
            while at + 1 < len(args):
                try:
                    n = integer(args[at + 1])
                except CommandError:
                    if not self.ids:
                        raise CommandError("ERR client-id should be greater than 0") from None
                    break
                if n < 1:
                    raise CommandError("ERR client-id should be greater than 0")
                self.ids.add(n)
                at += 1
            return at + 1
        if word == b"MAXAGE":
            self.age_least = integer(value, "ERR maxage is not an integer or out of range")
            if self.age_least <= 0:
                raise CommandError("ERR maxage should be greater than 0")
        elif word == b"TYPE":
            self.kind = _client_type(value)
        elif word == b"ADDR":
            self.addr = text_of(value)
        elif word == b"LADDR":
            self.laddr = text_of(value)
        elif word == b"USER":
            if value != b"default":
                raise CommandError(f"ERR No such user '{shown_in_error(value)}'")
            self.user = text_of(value)
        elif word == b"SKIPME" and value.lower() in (b"yes", b"no"):
            self.skip_me = value.lower() == b"yes"
        else:
            raise CommandError(SYNTAX)
        return at + 2

    def hits(self, session: Session, own: int) -> bool:
        """Whether this session is to be closed."""
        return not (
            (self.ids and session.id not in self.ids)
            or (self.addr is not None and session.addr != self.addr)
            or (self.laddr is not None and session.laddr != self.laddr)
            or (self.kind is not None and _type_of(session) != self.kind)
            or (self.user is not None and session.user != self.user)
            or (self.age_least and time.time() - session.created < self.age_least)
            or (self.skip_me and session.id == own)
        )


def kill(ctx: Context, args: list[bytes]) -> object:
    """CLIENT KILL address, or with filters."""
    own = ctx.session.id
    if len(args) == 3:
        address = text_of(args[2])
        for session in ctx.engine.clients():
            if session.addr == address:
                session.kill(session.id == own)
                return OK
        raise CommandError("ERR No such client")
    wanted = _Filter(args)
    killed = 0
    for session in ctx.engine.clients():
        if wanted.hits(session, own):
            session.kill(session.id == own)
            killed += 1
    return killed


def _switch(ctx: Context, args: list[bytes], flag: int) -> object:
    word = args[2].upper()
    if word not in (b"ON", b"OFF"):
        raise CommandError(SYNTAX)
    ctx.session.set_flag(flag, word == b"ON")
    return OK


def no_evict(ctx: Context, args: list[bytes]) -> object:
    """CLIENT NO-EVICT ON|OFF."""
    return _switch(ctx, args, core.FLAG_NO_EVICT)


def no_touch(ctx: Context, args: list[bytes]) -> object:
    """CLIENT NO-TOUCH ON|OFF."""
    return _switch(ctx, args, core.FLAG_NO_TOUCH)


def reply_mode(ctx: Context, args: list[bytes]) -> object:
    """CLIENT REPLY ON|OFF|SKIP."""
    word = args[2].upper()
    session = ctx.session
    if word == b"ON":
        session.set_flag(core.FLAG_REPLY_OFF, False)
        return OK
    if word == b"OFF":
        session.set_flag(core.FLAG_REPLY_OFF, True)
        return NO_REPLY
    if word == b"SKIP":
        if not session.flags & core.FLAG_REPLY_OFF:
            session.set_flag(core.FLAG_REPLY_SKIP, True)
        return NO_REPLY
    raise CommandError(SYNTAX)


def pause(ctx: Context, args: list[bytes]) -> object:
    """CLIENT PAUSE ms [WRITE|ALL]."""
    everything = True
    if len(args) > 4:
        raise too_many_words(args)
    if len(args) == 4:
        word = args[3].upper()
        if word not in (b"WRITE", b"ALL"):
            raise CommandError("ERR CLIENT PAUSE mode must be WRITE or ALL")
        everything = word == b"ALL"
    ms = integer(args[2], "ERR timeout is not an integer or out of range")
    if ms < 0:
        raise CommandError("ERR timeout is negative")
    if ms + int(time.time() * 1000) >= 2**63:
        raise CommandError("ERR timeout is out of range")
    ctx.engine.pause(ms, everything)
    return OK


def unpause(ctx: Context, args: list[bytes]) -> object:
    """CLIENT UNPAUSE."""
    ctx.engine.unpause()
    return OK


def unblock(ctx: Context, args: list[bytes]) -> object:
    """CLIENT UNBLOCK id [TIMEOUT|ERROR]."""
    if len(args) > 4:
        raise too_many_words(args)
    reason = args[3].upper() if len(args) == 4 else b"TIMEOUT"
    if reason not in (b"TIMEOUT", b"ERROR"):
        raise CommandError("ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR")
    client = integer(args[2])
    return int(client > 0 and ctx.engine.unblock(client, reason == b"ERROR"))
