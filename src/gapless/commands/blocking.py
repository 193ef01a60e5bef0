"""Commands that wait for an element of a list or a member of a sorted set."""

from __future__ import annotations

from gapless.commands.row import Arg, Command, Keys

_TIMEOUT = Arg("timeout", "double")
_TIMEOUT_HISTORY = (("6.0.0", "`timeout` is interpreted as a double instead of an integer."),)
_KEY = Arg("key", "key", flags="multiple", key_spec=0)
_COUNT = Arg("count", "integer", token="COUNT", flags="optional")
_MOVE_ACCESS = (Keys("RW access delete", index=1), Keys("RW insert", index=2))


def _either(name: str, *tokens: str) -> Arg:
    return Arg(name, "oneof", *(Arg(token.lower(), "pure-token", token=token) for token in tokens))


COMMANDS: tuple[Command, ...] = (
    Command(
        "blmove",
        "list",
        "6.2.0",
        arity=6,
        handler="lists.blmove",
        summary="Moves an element from an end of a list to an end of another, and waits for one.",
        flags="write denyoom blocking",
        keys=(1, 2, 1),
        acl="list",
        key_specs=_MOVE_ACCESS,
        args=(
            Arg("source", "key", key_spec=0),
            Arg("destination", "key", key_spec=1),
            _either("wherefrom", "LEFT", "RIGHT"),
            _either("whereto", "LEFT", "RIGHT"),
            _TIMEOUT,
        ),
    ),
    Command(
        "blmpop",
        "list",
        "7.0.0",
        arity=-5,
        handler="lists.blmpop",
        summary="Pops elements of the first list that has any, and waits for one.",
        flags="write blocking movablekeys",
        acl="list",
        complexity="O(N + M) in the number of keys and of elements popped",
        key_specs=(Keys("RW access delete", index=2, counted=True),),
        args=(
            _TIMEOUT,
            Arg("numkeys", "integer"),
            _KEY,
            _either("where", "LEFT", "RIGHT"),
            _COUNT,
        ),
    ),
    Command(
        "blpop",
        "list",
        "2.0.0",
        arity=-3,
        handler="lists.blpop",
        summary="Pops the first element of the first list that has any, and waits for one.",
        flags="write blocking",
        keys=(1, -2, 1),
        acl="list",
        complexity="O(N) in the number of keys",
        key_specs=(Keys("RW access delete", index=1, last=-2),),
        args=(_KEY, _TIMEOUT),
        history=_TIMEOUT_HISTORY,
    ),
    Command(
        "brpop",
        "list",
        "2.0.0",
        arity=-3,
        handler="lists.brpop",
        summary="Pops the last element of the first list that has any, and waits for one.",
        flags="write blocking",
        keys=(1, -2, 1),
        acl="list",
        complexity="O(N) in the number of keys",
        key_specs=(Keys("RW access delete", index=1, last=-2),),
        args=(_KEY, _TIMEOUT),
        history=_TIMEOUT_HISTORY,
    ),
    Command(
        "brpoplpush",
        "list",
        "2.2.0",
        arity=4,
        handler="lists.brpoplpush",
        summary="Moves the last element of a list to the front of another, and waits for one.",
        flags="write denyoom blocking",
        keys=(1, 2, 1),
        acl="list",
        key_specs=_MOVE_ACCESS,
        args=(Arg("source", "key", key_spec=0), Arg("destination", "key", key_spec=1), _TIMEOUT),
        history=_TIMEOUT_HISTORY,
        deprecated=("6.2.0", "`BLMOVE` with the `RIGHT` and `LEFT` arguments"),
    ),
    Command(
        "bzmpop",
        "sorted-set",
        "7.0.0",
        arity=-5,
        handler="sorted_sets.bzmpop",
        summary="Pops members of the first sorted set that has any, and waits for one.",
        flags="write blocking movablekeys",
        acl="sortedset",
        complexity="O(K + M * log(N)) in the number of keys, of members popped and of members",
        key_specs=(Keys("RW access delete", index=2, counted=True),),
        args=(
            _TIMEOUT,
            Arg("numkeys", "integer"),
            _KEY,
            _either("where", "MIN", "MAX"),
            _COUNT,
        ),
    ),
    Command(
        "bzpopmax",
        "sorted-set",
        "5.0.0",
        arity=-3,
        handler="sorted_sets.bzpopmax",
        summary="Pops the highest member of the first sorted set that has any, and waits for one.",
        flags="write blocking fast",
        keys=(1, -2, 1),
        acl="sortedset",
        complexity="O(log(N)) in the number of members",
        key_specs=(Keys("RW access delete", index=1, last=-2),),
        args=(_KEY, _TIMEOUT),
        history=_TIMEOUT_HISTORY,
    ),
    Command(
        "bzpopmin",
        "sorted-set",
        "5.0.0",
        arity=-3,
        handler="sorted_sets.bzpopmin",
        summary="Pops the lowest member of the first sorted set that has any, and waits for one.",
        flags="write blocking fast",
        keys=(1, -2, 1),
        acl="sortedset",
        complexity="O(log(N)) in the number of members",
        key_specs=(Keys("RW access delete", index=1, last=-2),),
        args=(_KEY, _TIMEOUT),
        history=_TIMEOUT_HISTORY,
    ),
)
