"""Arguments that commands of several types have alike."""

from __future__ import annotations

from gapless.commands.row import Arg

LIMIT = Arg(
    "limit",
    "block",
    Arg("offset", "integer"),
    Arg("count", "integer"),
    token="LIMIT",
    flags="optional",
)
"""How many to pass over, and how many to reply."""
