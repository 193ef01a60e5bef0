from typing import Any

from gapless.engine.engine import Engine

class Loader:
    version: int
    keys_loaded: int
    keys_expired: int
    done: bool
    aux: dict[str, bytes]
    functions: list[bytes]
    def __init__(self, engine: Engine, data: Any, merge: bool = ...) -> None: ...
    @property
    def offset(self) -> int: ...
    @property
    def total(self) -> int: ...
    def step(self, budget_us: int) -> bool: ...
    def close(self) -> None: ...
