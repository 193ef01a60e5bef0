"""When are two replies the same? When their bytes are. Here is who is excused, and from what exactly.

A comparer gets the command and both replies as trees and returns what is wrong, or None. It is asked only
when the bytes differ and neither side answered with an error: errors are compared byte for byte, always.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from tests.differential import dump_payload
from tests.support.replies import Reply, parse

Args = tuple[bytes, ...]
Comparer = Callable[[Args, Reply, Reply], str | None]

SECONDS_TOLERANCE = 3
MILLISECONDS_TOLERANCE = 3000
MILLISECONDS_OF_2020 = 1_577_836_800_000

CONTAINERS = frozenset(
    b"ACL CLIENT COMMAND CONFIG DEBUG FUNCTION LATENCY MEMORY MODULE OBJECT PUBSUB SCRIPT SLOWLOG"
    b" XGROUP XINFO".split()
)

TIMES_OF_STREAMS = frozenset({b"idle", b"inactive", b"seen-time", b"active-time", b"radix-tree-nodes"})

MONITOR_LINE = re.compile(rb"\+(\d+\.\d{6}) \[(\d+) ([^]]+)\] (.*)\r\n", re.DOTALL)


def name_of(args: Args) -> bytes:
    """`GET`, or `CLIENT INFO` for a command with subcommands."""
    if not args:
        return b""
    first = args[0].upper()
    return first + b" " + args[1].upper() if first in CONTAINERS and len(args) > 1 else first


def difference(args: Args, left: bytes, right: bytes, queued: Sequence[Args] = ()) -> str | None:
    """What makes `right` a wrong answer to `args` when `left` is the right one; None when nothing does.

    `queued` are the commands an EXEC answers.
    """
    if left == right:
        return None
    monitored = MONITOR_LINE.fullmatch(left), MONITOR_LINE.fullmatch(right)
    if monitored[0] and monitored[1]:
        return (
            None
            if monitored[0][2] == monitored[1][2] and monitored[0][4] == monitored[1][4]
            else "other command"
        )
    return tree_difference(args, parse(left), parse(right), queued)


def tree_difference(args: Args, left: Reply, right: Reply, queued: Sequence[Args] = ()) -> str | None:
    """`difference` of two parsed replies."""
    if left == right:
        return None
    if left.is_error or right.is_error:
        return "errors must be the same"
    name = name_of(args)
    if name == b"EXEC" and queued and len(left.children) == len(right.children) == len(queued):
        found = (tree_difference(*row) for row in zip(queued, left.children, right.children, strict=True))
        return next((f"in EXEC, {reason}" for reason in found if reason), None)
    comparer = COMPARERS.get(name)
    return comparer(args, left, right) if comparer else "replies must be the same"


def near(tolerance: int) -> Comparer:
    """Integers at most `tolerance` apart. Negative ones have a meaning of their own and must be equal."""

    def compare(args: Args, left: Reply, right: Reply) -> str | None:
        if left.kind != ":" or right.kind != ":":
            return "integers are expected"
        if min(left.integer, right.integer) < 0 or abs(left.integer - right.integer) > tolerance:
            return f"{left.integer} and {right.integer} are too far apart"
        return None

    return compare


def same_shape(args: Args, left: Reply, right: Reply) -> str | None:
    """The same type, both null or neither; what it holds is each server's own."""
    if left.kind != right.kind or left.null != right.null:
        return f"{left.kind} and {right.kind} are different types"
    return None


def same_members(args: Args, left: Reply, right: Reply) -> str | None:
    """The same elements in any order."""
    if left.kind != right.kind:
        return f"{left.kind} and {right.kind} are different types"
    if sorted(map(repr, left.children)) != sorted(map(repr, right.children)):
        return "not the same elements"
    return None


def same_pairs(args: Args, left: Reply, right: Reply) -> str | None:
    """The same pairs in any order, whether as a map or one after another."""
    if left.kind != right.kind or len(left.children) != len(right.children):
        return "other type or number of elements"
    ours, theirs = (
        sorted(zip(map(repr, reply.children[::2]), map(repr, reply.children[1::2]), strict=True))
        for reply in (left, right)
    )
    return None if ours == theirs else "not the same pairs"


def same_count(args: Args, left: Reply, right: Reply) -> str | None:
    """The same type and as many elements: which ones is left to chance."""
    if left.kind != right.kind or left.null != right.null or len(left.children) != len(right.children):
        return "other type or number of elements"
    return None


def one_collection_step(args: Args, left: Reply, right: Reply) -> str | None:
    """A cursor and elements: the same ones where the step is the whole walk."""
    reason = one_scan_step(args, left, right)
    if reason or any(reply.children[0].payload != b"0" for reply in (left, right)) or args[2] != b"0":
        return reason
    if args[0].upper() == b"SSCAN" or b"NOVALUES" in (word.upper() for word in args):
        return same_members(args, left.children[1], right.children[1])
    return same_pairs(args, left.children[1], right.children[1])


def near_each(tolerance: int) -> Comparer:
    """Arrays of integers, each `near`."""
    each = near(tolerance)

    def compare(args: Args, left: Reply, right: Reply) -> str | None:
        if left.kind != right.kind or len(left.children) != len(right.children):
            return "other type or number of elements"
        pairs = zip(left.children, right.children, strict=True)
        return next((reason for pair in pairs if pair[0] != pair[1] and (reason := each(args, *pair))), None)

    return compare


def one_scan_step(args: Args, left: Reply, right: Reply) -> str | None:
    """A cursor and some keys: which ones is each server's own, and tested by iterating to the end."""
    for reply in (left, right):
        if reply.kind != "*" or len(reply.children) != 2 or reply.children[1].kind != "*":
            return "no cursor and keys"
        if not reply.children[0].is_bulk or not reply.children[0].payload.isdigit():
            return "no cursor"
        if not all(key.is_bulk for key in reply.children[1].children):
            return "a key is no bulk string"
    return None


def another_hash(left: bytes, right: bytes) -> str | None:
    """Field by field; expiries that were relative are some milliseconds apart."""
    (ours_type, ours), (theirs_type, theirs) = dump_payload.hash_of(left), dump_payload.hash_of(right)
    if ours_type != theirs_type or left[-10:-8] != right[-10:-8]:
        return "another type or RDB version"
    if [row[:2] for row in ours] != [row[:2] for row in theirs]:
        return "another hash"
    times = [(a[2], b[2]) for a, b in zip(ours, theirs, strict=True)]
    if any((a == 0) != (b == 0) or abs(a - b) > MILLISECONDS_TOLERANCE for a, b in times):
        return "another expiry"
    return None


def another_stream(left: bytes, right: bytes) -> str | None:
    """Entries node by node, groups and their consumers; what was delivered or seen at some moment is some milliseconds apart."""
    ours, theirs = dump_payload.stream_of(left), dump_payload.stream_of(right)
    if ours.shape() != theirs.shape():
        return "another stream"
    times = zip(ours.times, theirs.times, strict=True)
    return "other times" if any(abs(a - b) > MILLISECONDS_TOLERANCE for a, b in times) else None


def near_times(args: Args, left: Reply, right: Reply) -> str | None:
    """The same but for milliseconds, of the epoch or since something happened; and for nodes of the tree, each server's own."""
    if left.kind == right.kind == ":" and min(left.integer, right.integer) >= 0:
        far = abs(left.integer - right.integer) > MILLISECONDS_TOLERANCE
        return f"{left.integer} and {right.integer} are too far apart" if far else None
    if left.kind != right.kind or left.text != right.text or len(left.children) != len(right.children):
        return "replies must be the same but for times"
    before = None
    for ours, theirs in zip(left.children, right.children, strict=True):
        if before in TIMES_OF_STREAMS or (not ours.text and ours.children) or _are_of_the_epoch(ours, theirs):
            reason = near_times(args, ours, theirs)
        else:
            reason = None if ours == theirs else "replies must be the same but for times"
        if reason:
            return reason
        before = ours.text
    return None


def _are_of_the_epoch(ours: Reply, theirs: Reply) -> bool:
    """Milliseconds that no name goes before: when an entry that is pending was delivered, in XINFO STREAM FULL."""
    return ours.kind == theirs.kind == ":" and min(ours.integer, theirs.integer) > MILLISECONDS_OF_2020


def near_pending(args: Args, left: Reply, right: Reply) -> str | None:
    """XPENDING: each with the milliseconds since its delivery."""
    if left.kind != right.kind or len(left.children) != len(right.children):
        return "other type or number of entries"
    for ours, theirs in zip(left.children, right.children, strict=True):
        if len(ours.children) != 4 or len(theirs.children) != 4:
            return "no entries that are pending"
        if any(ours.children[i] != theirs.children[i] for i in (0, 1, 3)):
            return "another entry is pending"
        reason = near(MILLISECONDS_TOLERANCE)(args, ours.children[2], theirs.children[2])
        if ours.children[2] != theirs.children[2] and reason:
            return reason
    return None


def same_dump(args: Args, left: Reply, right: Reply) -> str | None:
    """Byte for byte, but for fields of hashes and members of sets, which each server has in an order of its own; for the nodes of a
    list, which gapless tells exactly only of what is pushed and popped; and for what was deleted in a node of a stream, which only Redis
    remembers.
    """
    if not left.is_bulk or not right.is_bulk:
        return "one of them is null"
    if dump_payload.is_hash(left.payload) and dump_payload.is_hash(right.payload):
        return another_hash(left.payload, right.payload)
    if dump_payload.is_set(left.payload) and dump_payload.is_set(right.payload):
        same = dump_payload.set_of(left.payload) == dump_payload.set_of(right.payload)
        return None if same else "another type or other members"
    if dump_payload.is_list(left.payload) and dump_payload.is_list(right.payload):
        same = dump_payload.list_of(left.payload) == dump_payload.list_of(right.payload)
        return None if same else "other elements"
    if dump_payload.is_stream(left.payload) and dump_payload.is_stream(right.payload):
        return another_stream(left.payload, right.payload)
    return "payloads must be the same"


CLIENT_FIELDS_EQUAL = (
    b"name",
    b"flags",
    b"db",
    b"sub",
    b"psub",
    b"ssub",
    b"multi",
    b"watch",
    b"cmd",
    b"user",
    b"redir",
    b"resp",
    b"lib-name",
    b"lib-ver",
)


def same_client_lines(args: Args, left: Reply, right: Reply) -> str | None:
    """The same fields in the same order; the same values where they don't depend on time, memory or
    address.
    """
    lines = left.payload.splitlines(), right.payload.splitlines()
    if left.kind != right.kind or len(lines[0]) != len(lines[1]):
        return "other type or number of lines"
    for ours, theirs in zip(*lines, strict=True):
        left_fields, right_fields = (
            dict(f.partition(b"=")[::2] for f in line.split(b" ")) for line in (ours, theirs)
        )
        if list(left_fields) != list(right_fields):
            return "other fields"
        for field in CLIENT_FIELDS_EQUAL:
            if left_fields.get(field) != right_fields.get(field):
                return f"other {field.decode()}"
    return None


def same_hello(args: Args, left: Reply, right: Reply) -> str | None:
    """The same keys in the same order with the same values, but for the connection's id, and the modules: the
    reference has one built in, a server without any says so by an empty array.
    """
    if left.kind != right.kind:
        return f"{left.kind} and {right.kind} are different types"
    ours, theirs = left.pairs(), right.pairs()
    if list(ours) != list(theirs):
        return "other keys"
    for key, value in ours.items():
        if key == b"id":
            same = value.kind == theirs[key].kind == ":"
        elif key == b"modules":
            same = theirs[key] in (value, Reply("*"))
        else:
            same = value == theirs[key]
        if not same:
            return f"other {key.decode(errors='replace')}"
    return None


EACH_SERVERS_OWN = frozenset({b"dir", b"port", b"unixsocket", b"logfile", b"pidfile"})


def same_settings(args: Args, left: Reply, right: Reply) -> str | None:
    """The same settings with the same values, in any order; of paths and ports only that they are there."""
    if left.kind != right.kind:
        return f"{left.kind} and {right.kind} are different types"
    ours, theirs = left.pairs(), right.pairs()
    wrong = ours.keys() ^ theirs.keys()
    wrong |= {name for name in ours.keys() & theirs.keys() - EACH_SERVERS_OWN if ours[name] != theirs[name]}
    return f"other {b', '.join(sorted(wrong)).decode(errors='replace')}" if wrong else None


def help_text(args: Args, left: Reply, right: Reply) -> str | None:
    """Status lines with the same heading and the same end; the words between are each server's own."""
    if left.kind != "*" or right.kind != "*" or any(line.kind != "+" for line in right.children):
        return "no array of status lines"
    if left.children[:1] != right.children[:1] or left.children[-2:] != right.children[-2:]:
        return "other heading or end"
    return None


ONLY_IN_GAPLESS = frozenset({b"keyrange"})
"""Commands that Redis does not have."""


def subset(args: Args, left: Reply, right: Reply) -> str | None:
    """Every element is one of Redis's; there may be fewer."""
    if left.kind != right.kind:
        return f"{left.kind} and {right.kind} are different types"
    added = {repr(name) for name in ONLY_IN_GAPLESS}
    unknown = {repr(c.text) for c in right.children} - {repr(c.text) for c in left.children} - added
    return f"Redis has no {', '.join(sorted(unknown))}" if unknown else None


SUBCOMMANDS_AT = 9


def without_prose(reply: Reply) -> Reply:
    """A tree whose remarks on keys are empty, for their words are each server's own: that there is one, is not."""
    children = [without_prose(child) for child in reply.children]
    for at in range(len(children) - 1):
        if children[at].is_bulk and children[at].text == b"notes":
            children[at + 1] = Reply(children[at + 1].kind)
    return Reply(reply.kind, reply.text, tuple(children), reply.null)


def same_command_row(left: Reply, right: Reply) -> str | None:
    """One command's row of COMMAND INFO; sets in any order, and of subcommands those the subject has."""
    if left.null or right.null or len(left.children) != len(right.children):
        return None if left == right else "other row"
    name = left.children[0].payload.decode()
    left, right = without_prose(left), without_prose(right)
    for at, (ours, theirs) in enumerate(zip(left.children, right.children, strict=True)):
        if at == SUBCOMMANDS_AT:
            reason = same_command_rows_by_name(ours, theirs)
            if reason:
                return reason
        elif (
            ours.kind != theirs.kind
            or sorted(map(repr, ours.children)) != sorted(map(repr, theirs.children))
            or ours.text != theirs.text
        ):
            return f"{name}: other element {at} of the row"
    return None


def same_command_rows_by_name(left: Reply, right: Reply) -> str | None:
    """The rows the subject has, each as the reference's of that name."""
    if left.kind != right.kind:
        return f"{left.kind} and {right.kind} are different types"
    rows = {row.children[0].payload: row for row in left.children}
    for row in right.children:
        name = row.children[0].payload
        if name in ONLY_IN_GAPLESS:
            continue
        reason = same_command_row(rows[name], row) if name in rows else f"Redis has no {name.decode()}"
        if reason:
            return reason
    return None


def same_command_table(args: Args, left: Reply, right: Reply) -> str | None:
    """COMMAND: rows in any order."""
    return same_command_rows_by_name(left, right)


def same_command_info(args: Args, left: Reply, right: Reply) -> str | None:
    """COMMAND INFO: one row or null for each name, in the order asked for."""
    if len(args) == 2:
        return same_command_rows_by_name(left, right)
    if left.kind != right.kind or len(left.children) != len(right.children):
        return "other type or number of rows"
    found = (same_command_row(*rows) for rows in zip(left.children, right.children, strict=True))
    return next((reason for reason in found if reason), None)


IN_OWN_WORDS = (b"summary", b"complexity", b"replaced_by")


def same_doc_field(field: bytes, left: Reply, right: Reply) -> bool:
    """Prose is each server's own: that there is some, of the same type, and of a history the versions, are not."""
    if field in IN_OWN_WORDS:
        return left.kind == right.kind and bool(right.text)
    if field == b"history":
        versions = [[change.children[0] for change in reply.children] for reply in (left, right)]
        return left.kind == right.kind and versions[0] == versions[1]
    return left == right


def same_command_docs(args: Args, left: Reply, right: Reply) -> str | None:
    """COMMAND DOCS: what it tells of each command and subcommand the subject has."""
    if left.kind != right.kind:
        return f"{left.kind} and {right.kind} are different types"
    ours, theirs = left.pairs(), right.pairs()
    for name, entry in theirs.items():
        if name in ONLY_IN_GAPLESS:
            continue
        if name not in ours:
            return f"Redis has no {name.decode()}"
        wanted, given = ours[name].pairs(), entry.pairs()
        if list(wanted) != list(given):
            return f"{name.decode()}: other fields {[*wanted]} {[*given]}"
        for field, value in wanted.items():
            if field == b"subcommands":
                reason = same_command_docs(args, value, given[field])
                if reason:
                    return reason
            elif not same_doc_field(field, value, given[field]):
                return f"{name.decode()}: other {field.decode()}"
    return None


COMPARERS: dict[bytes, Comparer] = {
    b"TTL": near(SECONDS_TOLERANCE),
    b"PTTL": near(MILLISECONDS_TOLERANCE),
    b"EXPIRETIME": near(SECONDS_TOLERANCE),
    b"PEXPIRETIME": near(MILLISECONDS_TOLERANCE),
    b"OBJECT IDLETIME": near(SECONDS_TOLERANCE),
    b"OBJECT FREQ": near(3),
    b"DUMP": same_dump,
    b"HGETALL": same_pairs,
    b"HKEYS": same_members,
    b"HVALS": same_members,
    b"HSCAN": one_collection_step,
    b"HRANDFIELD": same_count,
    b"SMEMBERS": same_members,
    b"SINTER": same_members,
    b"SUNION": same_members,
    b"SDIFF": same_members,
    b"SSCAN": one_collection_step,
    b"SPOP": same_count,
    b"SRANDMEMBER": same_count,
    b"ZSCAN": one_collection_step,
    b"ZRANDMEMBER": same_count,
    b"HTTL": near_each(SECONDS_TOLERANCE),
    b"HPTTL": near_each(MILLISECONDS_TOLERANCE),
    b"HEXPIRETIME": near_each(SECONDS_TOLERANCE),
    b"HPEXPIRETIME": near_each(MILLISECONDS_TOLERANCE),
    b"XPENDING": near_pending,
    b"XINFO CONSUMERS": near_times,
    b"XINFO STREAM": near_times,
    b"XGROUP HELP": same_count,
    b"XINFO HELP": same_count,
    b"RANDOMKEY": same_shape,
    b"KEYS": same_members,
    b"SCAN": one_scan_step,
    b"TIME": same_shape,
    b"CLIENT ID": same_shape,
    b"CLIENT INFO": same_client_lines,
    b"CLIENT LIST": same_client_lines,
    b"HELLO": same_hello,
    b"CONFIG GET": same_settings,
    b"LASTSAVE": same_shape,
    b"INFO": same_shape,
    b"LOLWUT": same_shape,
    b"COMMAND": same_command_table,
    b"COMMAND INFO": same_command_info,
    b"COMMAND DOCS": same_command_docs,
    b"COMMAND COUNT": same_shape,
    b"COMMAND LIST": subset,
    b"MEMORY USAGE": same_shape,
    b"MEMORY DOCTOR": same_shape,
    b"MEMORY STATS": same_shape,
    b"MEMORY MALLOC-STATS": same_shape,
    b"LATENCY DOCTOR": same_shape,
    b"LATENCY HISTOGRAM": same_shape,
    b"LATENCY LATEST": same_shape,
    b"SLOWLOG GET": same_shape,
    b"SLOWLOG LEN": same_shape,
    b"DEBUG OBJECT": same_shape,
    b"DEBUG SDSLEN": same_shape,
    b"DEBUG HTSTATS": same_shape,
    **{name + b" HELP": help_text for name in CONTAINERS},
}
