"""All commands, one row each."""

from __future__ import annotations

from gapless.commands import (
    bitmap,
    blocking,
    connection,
    diagnostics,
    generic,
    geo,
    hashes,
    hyperloglog,
    lists,
    persistence,
    server,
    sets,
    sort,
    sorted_sets,
    streams,
    string,
    transactions,
)
from gapless.commands.row import Command

COMMANDS: tuple[Command, ...] = (
    *string.COMMANDS,
    *bitmap.COMMANDS,
    *hashes.COMMANDS,
    *lists.COMMANDS,
    *blocking.COMMANDS,
    *sets.COMMANDS,
    *hyperloglog.COMMANDS,
    *sort.COMMANDS,
    *streams.COMMANDS,
    *sorted_sets.COMMANDS,
    *geo.COMMANDS,
    *generic.COMMANDS,
    *connection.COMMANDS,
    *server.COMMANDS,
    *persistence.COMMANDS,
    *diagnostics.COMMANDS,
    *transactions.COMMANDS,
)

BY_NAME: dict[str, Command] = {row.name: row for row in COMMANDS}


def look_up(name: bytes) -> Command | None:
    """The row of `get` or `client|list`, in any case; None when there is none."""
    text = name.decode("latin-1").lower()
    head, bar, tail = text.partition("|")
    row = BY_NAME.get(head)
    if row is None or not bar:
        return row
    return next((sub for sub in row.subcommands if sub.name == tail), None)
