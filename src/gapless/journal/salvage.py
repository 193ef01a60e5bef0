"""A journal examined and salvaged: what is good in it, replayed and written as a new one elsewhere.

Recovery refuses what no crash explains. Here what is bad is passed over and named, and the rest is taken for
what it is: keys whose last image is in what was lost are missing or have an older value.
"""

from __future__ import annotations

import errno
import os
import time
from typing import NamedTuple

from gapless.engine.engine import Engine
from gapless.engine.frames import CLOSED, GOES_ON, Frames
from gapless.engine.journal_core import JournalCore
from gapless.errors import DamagedError, JournalError
from gapless.journal.format import HEADER_BYTES, name_of, numbers_in
from gapless.journal.journal import Journal
from gapless.journal.recovery import SLICE_BYTES, recover
from gapless.journal.survey import open_file

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from gapless.journal.survey import Progress

DATABASES = 16
_LOOK_SECONDS = 0.02


class Stretch(NamedTuple):
    """A part of a file in which every frame is good."""

    path: str
    frames: Frames
    start: int
    end: int
    frame_count: int
    last_kind: int
    last_ms: int


class Found(NamedTuple):
    """What of a journal is good, in order, what is not, and bytes behind the last that is."""

    stretches: list[Stretch]
    damages: list[DamagedError]
    torn_bytes: int


class Report(NamedTuple):
    """A journal, examined. It is sound if there are no damages."""

    found: Found
    engine: Engine
    """With all that could be replayed."""

    @property
    def last_ms(self) -> int:
        """When it was last written to, ms since the epoch; 0: never."""
        return max((stretch.last_ms for stretch in self.found.stretches), default=0)

    @property
    def closed(self) -> bool:
        """Whether it was closed after the last write, so that nothing can be torn."""
        return bool(self.found.stretches) and self.found.stretches[-1].last_kind == CLOSED


def examine(path: str, progress: Progress | None = None) -> Report:
    """Verify and replay a directory's journal; where it is damaged, pass over that. Changes nothing.

    FormatError names a newer version. OSError. O(bytes).
    """
    engine = Engine(databases=DATABASES)
    try:
        survey = recover(JournalCore(engine), path, progress)
    except DamagedError as error:
        # Else it would keep the first engine, with all that was replayed.
        error.__traceback__ = None
        del engine
        found = search(path, progress)
        if all((error.path, error.offset) != (each.path, each.offset) for each in found.damages):
            found.damages.append(error)
        engine = Engine(databases=DATABASES)
        found.damages.extend(replay(found, JournalCore(engine), progress))
    else:
        stretches = [
            Stretch(
                each.path, each.frames, HEADER_BYTES, each.extent.end,
                each.extent.frames, each.extent.last_kind, each.extent.last_ms,
            )
            for each in survey.files
        ]  # fmt: skip
        found = Found(stretches, [], survey.torn_bytes)
    if (unsound := engine.check()) is not None:
        found.damages.append(DamagedError(path, 0, f"what was replayed is not sound: {unsound}"))
    return Report(found, engine)


def search(path: str, progress: Progress | None = None) -> Found:
    """Every stretch of good frames in every file that is needed, and what is wrong between them. O(bytes).

    FormatError names a newer version. OSError.
    """
    numbers = numbers_in(path)
    stretches: list[Stretch] = []
    damages: list[DamagedError] = []
    total = sum(os.path.getsize(os.path.join(path, name_of(number))) for number in numbers)
    done = cleaned = torn = 0
    for before, number in zip([None, *numbers], numbers, strict=False):
        name = os.path.join(path, name_of(number))
        if before is not None and number != before + 1:
            missing = os.path.join(path, name_of(before + 1))
            damages.append(DamagedError(missing, 0, "the file is missing, and later ones are there"))
        try:
            _, frames, size = open_file(name, number)
        except DamagedError as error:
            damages.append(error)
            continue
        start = HEADER_BYTES
        while 0 <= start < size:
            extent = frames.survey(start)
            cleaned = max(cleaned, extent.cleaned)
            if extent.end > start:
                counted = extent.frames, extent.last_kind, extent.last_ms
                stretches.append(Stretch(name, frames, start, extent.end, *counted))
            if extent.good_end == size:
                break
            start = frames.find(extent.good_end + 1)
            if start >= 0:
                lost = f"{start - extent.good_end} bytes are no good frame"
                damages.append(DamagedError(name, extent.good_end, lost))
            elif number != numbers[-1]:
                damages.append(DamagedError(name, extent.good_end, "no good frame follows"))
            else:
                torn = size - extent.end
        done += size
        if progress is not None:
            progress(done, total)
    needed = [stretch for stretch in stretches if stretch.frames.number > cleaned]
    return Found(needed, damages, torn)


def replay(found: Found, core: JournalCore, progress: Progress | None = None) -> list[DamagedError]:
    """Apply every good stretch to an empty store. REQUIRED: nothing is journaled. O(bytes).

    Returns what was passed over: effects that make no sense where they are.
    """
    wrong: list[DamagedError] = []
    total = sum(stretch.end - stretch.start for stretch in found.stretches)
    done = 0
    core.begin_replay()
    for stretch in found.stretches:
        at = stretch.start
        while at < stretch.end:
            before = at
            # Keys may be missing anywhere, with what was lost.
            at, what = core.replay(stretch.frames, at, stretch.end, stretch.end, SLICE_BYTES)
            if what is not None:
                wrong.append(DamagedError(stretch.path, at, what))
                at = _behind_batch(stretch.frames, at)
            done += at - before
            if progress is not None:
                progress(done, total)
    return wrong


def write(engine: Engine, target: str) -> None:
    """Write all that a store holds to the directory `target`, new or empty, as a journal. O(bytes).

    FileExistsError, OSError, JournalError.
    """
    os.makedirs(target, exist_ok=True)
    if os.listdir(target):
        raise FileExistsError(errno.EEXIST, "the directory is not empty", target)
    said: list[str] = []
    journal = Journal(engine, target, policy="no", say=said.append)
    journal.begin()
    try:
        while journal.rewriting:
            time.sleep(_LOOK_SECONDS)
        failed = journal.rewrite_failed
    finally:
        journal.close()
    if failed:
        raise JournalError(f"{target}: {'; '.join(said)}")


def _behind_batch(frames: Frames, at: int) -> int:
    while (frame := frames.at(at)) is not None:
        at = frame.end
        if not frame.flags & GOES_ON:
            break
    return at


class Batch(NamedTuple):
    """Effects that happened together."""

    path: str
    offset: int
    kind: int
    time_ms: int
    body: bytes


def batches(found: Found, first_file: int = 0) -> Iterator[Batch]:
    """What every good stretch says, in order, from a file on. OSError."""
    for stretch in found.stretches:
        if stretch.frames.number < first_file:
            continue
        with open(stretch.path, "rb", buffering=0) as file:
            at = stretch.start
            parts: list[bytes] = []
            first = at
            while at < stretch.end and (frame := stretch.frames.at(at)) is not None:
                parts.append(os.pread(file.fileno(), frame.end - frame.start, frame.start))
                at = frame.end
                if not frame.flags & GOES_ON:
                    yield Batch(stretch.path, first, frame.kind, frame.time_ms, b"".join(parts))
                    parts, first = [], at
