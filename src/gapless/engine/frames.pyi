import mmap
from typing import NamedTuple

EFFECTS: int
IMAGES: int
SEALED: int
CLOSED: int
CLEANED: int
GOES_ON: int
AFTER_SYNC: int

class Extent(NamedTuple):
    end: int
    good_end: int
    frames: int
    last_kind: int
    last_ms: int
    cleaned: int
    cleaned_end: int
    after_sync: bool

class FrameAt(NamedTuple):
    offset: int
    kind: int
    flags: int
    time_ms: int
    start: int
    end: int

class Frames:
    size: int
    number: int
    def __init__(
        self, data: bytes | bytearray | memoryview | mmap.mmap, store_id: bytes, number: int
    ) -> None: ...
    def survey(self, start: int) -> Extent: ...
    def find(self, start: int) -> int: ...
    def at(self, offset: int) -> FrameAt | None: ...

def frame(
    kind: int, flags: int, time_ms: int, body: bytes, store_id: bytes, number: int, offset: int
) -> bytes: ...
