"""Arguments that commands of several types have alike."""

from __future__ import annotations

from gapless.commands.row import Arg


def limit(since: str | None = None) -> Arg:
    """How many to pass over, and how many to reply. `since`: of an argument that came after its command."""
    return Arg(
        "limit",
        "block",
        Arg("offset", "integer"),
        Arg("count", "integer"),
        token="LIMIT",
        flags="optional",
        since=since,
    )


LIMIT = limit()
