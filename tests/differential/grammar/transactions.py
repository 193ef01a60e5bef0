"""Group transactions: MULTI and its companions, said often enough to meet, on connections that touch the
same keys.
"""

from __future__ import annotations

from tests.differential.grammar.vocabulary import Words, command, keys, several

COMMANDS: dict[str, Words] = {
    "MULTI": command("MULTI"),
    "EXEC": command("EXEC"),
    "DISCARD": command("DISCARD"),
    "WATCH": command("WATCH", several(keys, 1, 3)),
    "UNWATCH": command("UNWATCH"),
}
