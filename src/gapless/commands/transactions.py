"""MULTI, EXEC and WATCH."""

from __future__ import annotations

from gapless.commands.row import Arg, Command, Keys

COMMANDS: tuple[Command, ...] = (
    Command(
        "discard",
        "transactions",
        "2.0.0",
        arity=1,
        handler="transactions.discard",
        summary="Forgets the queued commands.",
        flags="noscript loading stale fast allow_busy",
        acl="transaction",
        complexity="O(N), when N is the number of queued commands",
    ),
    Command(
        "exec",
        "transactions",
        "1.2.0",
        arity=1,
        handler="transactions.exec",
        summary="Executes the queued commands.",
        flags="noscript loading stale skip_slowlog",
        acl="transaction",
        complexity="Depends on commands in the transaction",
    ),
    Command(
        "multi",
        "transactions",
        "1.2.0",
        arity=1,
        handler="transactions.multi",
        summary="Starts to queue commands.",
        flags="noscript loading stale fast allow_busy",
        acl="transaction",
    ),
    Command(
        "unwatch",
        "transactions",
        "2.2.0",
        arity=1,
        handler="transactions.unwatch",
        summary="Watches no keys any more.",
        flags="noscript loading stale fast allow_busy",
        acl="transaction",
    ),
    Command(
        "watch",
        "transactions",
        "2.2.0",
        arity=-2,
        handler="transactions.watch",
        summary="Lets EXEC fail when one of the keys changes before.",
        flags="noscript loading stale fast allow_busy",
        keys=(1, -1, 1),
        acl="transaction",
        complexity="O(1) for every key",
        key_specs=(Keys("RO", index=1, last=-1),),
        args=(Arg("key", "key", flags="multiple", key_spec=0),),
    ),
)
