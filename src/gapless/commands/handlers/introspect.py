"""COMMAND and its subcommands, from the rows of the table."""

from __future__ import annotations

import re

from gapless.commands.handlers.container import shown_in_error, text_of
from gapless.commands.replies import CommandError, OrderedSet, Status
from gapless.commands.row import CATEGORIES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from gapless.commands.context import Context
    from gapless.commands.row import Arg, Command, Keys


def _words(words: list[str]) -> OrderedSet:
    return OrderedSet([Status(word) for word in words])


def _key_spec(spec: Keys) -> dict[object, object]:
    found: dict[object, object] = {}
    if spec.note:
        found["notes"] = spec.note
    found["flags"] = _words(spec.flags.split())
    if spec.unknown is not None:
        return {**found, **{name: {"type": "unknown", "spec": {}} for name in ("begin_search", "find_keys")}}
    if spec.keyword:
        found["begin_search"] = {
            "type": "keyword",
            "spec": {"keyword": spec.keyword, "startfrom": spec.index},
        }
    else:
        found["begin_search"] = {"type": "index", "spec": {"index": spec.index}}
    if spec.counted:
        found["find_keys"] = {"type": "keynum", "spec": {"keynumidx": 0, "firstkey": 1, "keystep": spec.step}}
    else:
        found["find_keys"] = {
            "type": "range",
            "spec": {"lastkey": spec.last, "keystep": spec.step, "limit": spec.limit},
        }
    return found


def _info(row: Command) -> list[object]:
    return [
        row.full_name,
        row.arity,
        _words(row.ordered_flags),
        *row.keys,
        _words(["@" + category for category in row.categories]),
        OrderedSet(list(row.tips)),
        OrderedSet([_key_spec(spec) for spec in row.key_specs]),
        # Redis answers a set when there are none.
        [_info(sub) for sub in shown(row)] or OrderedSet([]),
    ]


def shown(row: Command) -> tuple[Command, ...]:
    """The subcommands that COMMAND tells of."""
    # Redis has no rows for the subcommands of DEBUG.
    return () if row.name == "debug" else row.subcommands


def _arg(arg: Arg) -> dict[object, object]:
    found: dict[object, object] = {"name": arg.name, "type": arg.type}
    if arg.type not in ("oneof", "block"):
        found["display_text"] = arg.text
    if arg.key_spec is not None:
        found["key_spec_index"] = arg.key_spec
    if arg.token is not None:
        found["token"] = arg.token
    if arg.since:
        found["since"] = arg.since
    if arg.deprecated:
        found["deprecated_since"] = arg.deprecated
    if arg.flags:
        found["flags"] = _words(arg.flags.split())
    if arg.args:
        found["arguments"] = [_arg(one) for one in arg.args]
    return found


def _docs(row: Command) -> dict[object, object]:
    found: dict[object, object] = {"summary": row.summary, "since": row.since, "group": row.group}
    if row.complexity is not None:
        found["complexity"] = row.complexity
    flags = [*row.doc_flags.split(), *(["deprecated"] if row.deprecated else [])]
    if flags:
        found["doc_flags"] = _words(flags)
    if row.deprecated:
        found["deprecated_since"], found["replaced_by"] = row.deprecated
    if row.history:
        found["history"] = OrderedSet([[since, note] for since, note in row.history])
    if row.args:
        found["arguments"] = [_arg(arg) for arg in row.args]
    if shown(row):
        found["subcommands"] = {sub.full_name: _docs(sub) for sub in shown(row)}
    return found


def command(ctx: Context, args: list[bytes]) -> object:
    """COMMAND: all rows."""
    from gapless.commands.table import COMMANDS

    if len(args) > 1:
        raise CommandError(f"ERR unknown subcommand '{shown_in_error(args[1][:128])}'. Try COMMAND HELP.")
    return [_info(row) for row in COMMANDS]


def count(ctx: Context, args: list[bytes]) -> object:
    """COMMAND COUNT."""
    from gapless.commands.table import COMMANDS

    return len(COMMANDS)


def info(ctx: Context, args: list[bytes]) -> object:
    """COMMAND INFO [name ...]."""
    from gapless.commands.table import COMMANDS, look_up

    if len(args) == 2:
        return [_info(row) for row in COMMANDS]
    rows = [look_up(name) for name in args[2:]]
    return [None if row is None else _info(row) for row in rows]


def docs(ctx: Context, args: list[bytes]) -> object:
    """COMMAND DOCS [name ...]; names that do not exist are left out."""
    from gapless.commands.table import COMMANDS, look_up

    rows = list(COMMANDS) if len(args) == 2 else [look_up(name) for name in args[2:]]
    return {row.full_name: _docs(row) for row in rows if row is not None}


def list_names(ctx: Context, args: list[bytes]) -> object:
    """COMMAND LIST [FILTERBY MODULE name | ACLCAT category | PATTERN pattern]."""
    from gapless.commands.table import COMMANDS

    rows = [row for top in COMMANDS for row in (top, *shown(top))]
    if len(args) == 2:
        return [row.full_name for row in rows]
    if len(args) != 5 or args[2].upper() != b"FILTERBY":
        raise CommandError("ERR syntax error")
    kind, wanted = args[3].upper(), text_of(args[4])
    if kind == b"MODULE":
        return []
    if kind == b"ACLCAT":
        if wanted.lower() not in CATEGORIES:
            return []
        return [row.full_name for row in rows if wanted.lower() in row.categories]
    if kind == b"PATTERN":
        matches = glob_expression(wanted)
        return [row.full_name for row in rows if matches.fullmatch(row.full_name)]
    raise CommandError("ERR syntax error")


def glob_expression(pattern: str) -> re.Pattern[str]:
    """Redis's glob as a regular expression, case ignored: * ? [set] [^set] and backslash."""
    out: list[str] = []
    at = 0
    while at < len(pattern):
        c = pattern[at]
        if c == "*":
            out.append(".*")
        elif c == "?":
            out.append(".")
        elif c == "[" and "]" in pattern[at + 1 :]:
            end = pattern.index("]", at + 1)
            inner = pattern[at + 1 : end]
            negate = inner.startswith("^")
            inner = inner[1:] if negate else inner
            body = re.escape(inner).replace(r"\-", "-")
            out.append(f"[{'^' if negate else ''}{body}]" if body else "(?!)")
            at = end
        elif c == "\\" and at + 1 < len(pattern):
            at += 1
            out.append(re.escape(pattern[at]))
        else:
            out.append(re.escape(c))
        at += 1
    try:
        return re.compile("".join(out), re.IGNORECASE | re.DOTALL)
    except re.error:
        return re.compile(re.escape(pattern), re.IGNORECASE)


def _flags(row: Command, spec: Keys, words: list[bytes]) -> str:
    # Two commands do to their key what their options say.
    if row.name == "set":
        options = [word.upper() for word in words[3:]]
        return "RW access update" if b"GET" in options else "OW update"
    if row.name == "bitfield":
        options = [word.upper() for word in words[2:]]
        return "RW access update" if b"SET" in options or b"INCRBY" in options else "RO access"
    return spec.flags


def _keys(args: list[bytes]) -> list[tuple[bytes, str]]:
    from gapless.commands.table import look_up

    words = args[2:]
    row = None if b"|" in words[0] else look_up(words[0])
    if row is not None and len(words) > 1 and shown(row):
        row = look_up(words[0] + b"|" + words[1])
    if row is None:
        raise CommandError("ERR Invalid command specified")
    if not row.key_specs:
        raise CommandError("ERR The command has no key arguments")
    if not row.takes(len(words)):
        raise CommandError("ERR Invalid number of arguments specified for command")
    found = [(words[at], _flags(row, spec, words)) for spec in row.key_specs for at in spec.positions(words)]
    if not found:
        raise CommandError("ERR Invalid arguments specified for command")
    return found


def getkeys(ctx: Context, args: list[bytes]) -> object:
    """COMMAND GETKEYS command [argument ...]."""
    return [key for key, _ in _keys(args)]


def getkeysandflags(ctx: Context, args: list[bytes]) -> object:
    """COMMAND GETKEYSANDFLAGS command [argument ...]."""
    return [[key, _words(flags.split())] for key, flags in _keys(args)]
