"""What a handler in Python is given: the engine, the server when there is one, and the session that asks."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from gapless.engine.engine import Engine
    from gapless.engine.session import Session
    from gapless.server.server import Server


class Context:
    """One call of a command. `server` is None inside a program that opened a store without serving it."""

    __slots__ = ("engine", "server", "session")

    def __init__(self, engine: Engine, server: Server | None, session: Session) -> None:
        self.engine = engine
        self.server = server
        self.session = session
