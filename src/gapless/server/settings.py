"""Options of the configuration as INFO and the logs read them, with what holds when nobody configured any."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from gapless.server.server import Server


def number(server: Server | None, name: str, default: int) -> int:
    """An option that is a number."""
    value = default if server is None else server.config.values.get(name, default)
    return value if isinstance(value, int) else default


def text(server: Server | None, name: str, default: str) -> str:
    """An option that is a text."""
    value = default if server is None else server.config.values.get(name, default)
    return str(value)
