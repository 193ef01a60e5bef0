from gapless.engine.engine import Engine

class StoreAccess:
    def __init__(
        self,
        engine: Engine | None = ...,
        *,
        segment_bytes: int = ...,
        address_bytes: int = ...,
        databases: int = ...,
        seed: int = ...,
    ) -> None: ...
