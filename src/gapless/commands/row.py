"""The row of the command table: all there is to know about a command, as data.

Dispatch, COMMAND and all its subcommands, the categories of ACL and the help derive from rows; a new command
is a handler, a row and a test. Plain classes with slots: a server keeps hundreds of them as long as it lives.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from gapless.commands.context import Context

    Handler = str | Callable[[Context, list[bytes]], object]

# The order in which COMMAND INFO names flags and categories.
FLAG_ORDER = (
    "write", "readonly", "denyoom", "module", "admin", "pubsub", "noscript", "blocking", "loading", "stale",
    "skip_monitor", "skip_slowlog", "asking", "fast", "no_auth", "may_replicate", "no_mandatory_keys",
    "no_async_loading", "no_multi", "movablekeys", "allow_busy",
)  # fmt: skip
CATEGORIES = (
    "keyspace", "read", "write", "set", "sortedset", "list", "hash", "string", "bitmap", "hyperloglog", "geo",
    "stream", "pubsub", "admin", "fast", "slow", "blocking", "dangerous", "connection", "transaction",
    "scripting",
)  # fmt: skip


class Arg:
    """An argument as COMMAND DOCS describes it. `flags`: optional, multiple, multiple_token."""

    __slots__ = ("args", "deprecated", "flags", "key_spec", "name", "since", "text", "token", "type")

    def __init__(
        self,
        name: str,
        type: str,
        *args: Arg,
        token: str | None = None,
        flags: str = "",
        since: str | None = None,
        deprecated: str | None = None,
        key_spec: int | None = None,
        text: str | None = None,
    ) -> None:
        self.name = name
        self.type = type
        self.args = args
        self.token = token
        self.flags = flags
        self.since = since
        self.deprecated = deprecated
        self.key_spec = key_spec
        self.text = text or name


class Keys:
    """Where keys are among the arguments and what happens to them.

    The first is at `index`; `last` counts from it, or from the end when negative; every `step`-th is one.
    `counted`: at `index` is how many there are, and they follow.
    `keyword`: they follow this word, looked for from `index` on. `limit`: keys are one in so many of those.
    `unknown`: rows do not tell where they are; the key follows the last such word, and is none where the word
    is empty.
    """

    __slots__ = ("counted", "flags", "index", "keyword", "last", "limit", "note", "step", "unknown")

    def __init__(
        self,
        flags: str,
        index: int = 1,
        last: int = 0,
        step: int = 1,
        note: str | None = None,
        counted: bool = False,
        keyword: str | None = None,
        limit: int = 0,
        unknown: str | None = None,
    ) -> None:
        self.flags = flags
        self.index = index
        self.last = last
        self.step = step
        self.note = note
        self.counted = counted
        self.keyword = keyword
        self.limit = limit
        self.unknown = unknown

    def positions(self, words: list[bytes]) -> range:
        """The positions of its keys in a command; none when it does not say how many there are."""
        if self.unknown is not None:
            named = [at for at in range(2, len(words) - 1) if words[at].upper() == self.unknown.encode()]
            return range(named[-1] + 1, named[-1] + 2) if named else range(0)
        if self.counted:
            text = words[self.index]
            count = int(text) if text.isdigit() and len(text) < 10 else 0
            if self.index + count >= len(words):
                count = 0
            return range(self.index + 1, self.index + 1 + count)
        first = self.index
        if self.keyword is not None:
            named = [at for at in range(first, len(words) - 1) if words[at].upper() == self.keyword.encode()]
            if not named:
                return range(0)
            first = named[0] + 1
        last = len(words) + self.last if self.last < 0 else first + self.last
        if self.limit:
            last = first + (len(words) - first) // self.limit - 1
        return range(first, min(last, len(words) - 1) + 1, self.step)


class Command:
    """A row. `arity` counts the name: exactly so many words, or at least -arity when negative.

    `keys` is (first, last, step) as COMMAND INFO prints it; (0, 0, 0): none. `acl` names the categories that
    do not follow from the flags. `handler` is the name of a compiled handler, or a function.
    """

    __slots__ = (
        "acl", "args", "arity", "complexity", "deprecated", "doc_flags", "flags", "group", "handler",
        "history",
        "key_specs", "keys", "name", "parent", "since", "subcommands", "summary", "tips",
    )  # fmt: skip

    def __init__(
        self,
        name: str,
        group: str,
        since: str,
        *,
        arity: int,
        handler: Handler,
        summary: str,
        flags: str = "",
        keys: tuple[int, int, int] = (0, 0, 0),
        acl: str = "",
        complexity: str | None = "O(1)",
        key_specs: tuple[Keys, ...] = (),
        args: tuple[Arg, ...] = (),
        tips: tuple[str, ...] = (),
        history: tuple[tuple[str, str], ...] = (),
        deprecated: tuple[str, str] | None = None,
        doc_flags: str = "",
        subcommands: tuple[Command, ...] = (),
    ) -> None:
        self.name = name
        self.group = group
        self.since = since
        self.arity = arity
        self.handler = handler
        self.summary = summary
        self.flags = frozenset(flags.split())
        self.keys = keys
        self.acl = frozenset(acl.split())
        self.complexity = complexity
        self.key_specs = key_specs
        self.args = args
        self.tips = tips
        self.history = history
        self.deprecated = deprecated
        self.doc_flags = doc_flags
        self.subcommands = subcommands
        self.parent: str | None = None
        for row in subcommands:
            row.parent = name

    @property
    def full_name(self) -> str:
        """`client|list` for a subcommand."""
        return f"{self.parent}|{self.name}" if self.parent else self.name

    @property
    def ordered_flags(self) -> list[str]:
        """The flags in the order of COMMAND INFO."""
        return [flag for flag in FLAG_ORDER if flag in self.flags]

    @property
    def categories(self) -> list[str]:
        """All categories of ACL, those that follow from the flags included, in Redis's order."""
        found = set(self.acl)
        flags = self.flags
        if "write" in flags:
            found.add("write")
        if "readonly" in flags and "scripting" not in found:
            found.add("read")
        if "admin" in flags:
            found |= {"admin", "dangerous"}
        if "pubsub" in flags:
            found.add("pubsub")
        if "blocking" in flags:
            found.add("blocking")
        found.add("fast" if "fast" in flags else "slow")
        return [category for category in CATEGORIES if category in found]

    @property
    def element(self) -> int:
        """Where the first field or member is that it looks for in the key's hash or set; 0: none."""
        at = 1
        for arg in self.args if self.group in ("hash", "set", "sorted-set", "geo") else ():
            if "optional" in arg.flags:
                continue
            at += arg.token is not None
            for part in arg.args if arg.type == "block" else (arg,):
                if part.name in ("field", "member"):
                    return at
                at += 1
        return 0

    @property
    def waits_if_asked(self) -> bool:
        """Whether it may make its client wait only where the word BLOCK is among its arguments."""
        return any(arg.token == "BLOCK" for arg in self.args)

    def takes(self, count: int) -> bool:
        """Whether a command of `count` words fits its arity."""
        return count == self.arity if self.arity >= 0 else count >= -self.arity
