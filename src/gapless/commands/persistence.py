"""The commands that bring the store to the disk."""

from __future__ import annotations

from gapless.commands.handlers import persistence
from gapless.commands.row import Arg, Command
from gapless.server import journaling

COMMANDS: tuple[Command, ...] = (
    Command(
        "save",
        "server",
        "1.0.0",
        arity=1,
        handler=persistence.save,
        summary="Saves all databases to dump.rdb; everybody waits.",
        flags="admin noscript no_async_loading no_multi",
        complexity="O(N) where N is the total number of keys in all databases",
    ),
    Command(
        "bgsave",
        "server",
        "1.0.0",
        arity=-1,
        handler=persistence.bgsave,
        summary="Saves all databases to dump.rdb, as they are now, in the background.",
        flags="admin noscript no_async_loading",
        args=(Arg("schedule", "pure-token", token="SCHEDULE", flags="optional", since="3.2.2"),),
        history=(("3.2.2", "SCHEDULE"),),
    ),
    Command(
        "lastsave",
        "server",
        "1.0.0",
        arity=1,
        handler=persistence.lastsave,
        summary="The Unix time of the last save to disk.",
        flags="loading stale fast",
        acl="admin dangerous",
        tips=("nondeterministic_output",),
    ),
    Command(
        "bgrewriteaof",
        "server",
        "1.0.0",
        arity=1,
        handler=journaling.bgrewriteaof,
        summary="Writes all that is live to the journal again, and drops what was before it.",
        flags="admin noscript no_async_loading",
    ),
)
