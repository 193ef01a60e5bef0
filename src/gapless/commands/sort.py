"""SORT and SORT_RO."""

from __future__ import annotations

from gapless.commands.arguments import LIMIT
from gapless.commands.row import Arg, Command, Keys

PATTERN_KEYS = "The keys of BY and GET follow from what is sorted."
STORE_KEY = "The key of STORE may stand anywhere among the arguments."

COMMANDS: tuple[Command, ...] = (
    Command(
        "sort",
        "generic",
        "1.0.0",
        arity=-2,
        handler="sort.sort",
        summary="Sorts the elements of a list, set or sorted set, or stores them sorted.",
        flags="write denyoom movablekeys",
        keys=(1, 1, 1),
        acl="list set sortedset dangerous",
        complexity="O(N log N + M) in the elements and those replied",
        key_specs=(
            Keys("RO access", index=1),
            Keys("RO access", unknown="", note=PATTERN_KEYS),
            Keys("OW update", unknown="STORE", note=STORE_KEY),
        ),
        args=(
            Arg("key", "key", key_spec=0),
            Arg("by-pattern", "pattern", token="BY", flags="optional", key_spec=1, text="pattern"),
            LIMIT,
            Arg(
                "get-pattern",
                "pattern",
                token="GET",
                flags="optional multiple multiple_token",
                key_spec=1,
                text="pattern",
            ),
            Arg(
                "order",
                "oneof",
                Arg("asc", "pure-token", token="ASC"),
                Arg("desc", "pure-token", token="DESC"),
                flags="optional",
            ),
            Arg("sorting", "pure-token", token="ALPHA", flags="optional"),
            Arg("destination", "key", token="STORE", flags="optional", key_spec=2),
        ),
    ),
    Command(
        "sort_ro",
        "generic",
        "7.0.0",
        arity=-2,
        handler="sort.sort",
        summary="Sorts the elements of a list, set or sorted set.",
        flags="readonly movablekeys",
        keys=(1, 1, 1),
        acl="list set sortedset dangerous",
        complexity="O(N log N + M) in the elements and those replied",
        key_specs=(Keys("RO access", index=1), Keys("RO access", unknown="", note=PATTERN_KEYS)),
        args=(
            Arg("key", "key", key_spec=0),
            Arg("by-pattern", "pattern", token="BY", flags="optional", key_spec=1, text="pattern"),
            LIMIT,
            Arg(
                "get-pattern",
                "pattern",
                token="GET",
                flags="optional multiple multiple_token",
                key_spec=1,
                text="pattern",
            ),
            Arg(
                "order",
                "oneof",
                Arg("asc", "pure-token", token="ASC"),
                Arg("desc", "pure-token", token="DESC"),
                flags="optional",
            ),
            Arg("sorting", "pure-token", token="ALPHA", flags="optional"),
        ),
    ),
)
