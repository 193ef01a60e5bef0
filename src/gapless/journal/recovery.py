"""Recovery: a directory's journal, replayed into an empty store in order."""

from __future__ import annotations

from gapless.errors import DamagedError
from gapless.journal.format import HEADER_BYTES
from gapless.journal.survey import Survey, survey

TYPE_CHECKING = False
if TYPE_CHECKING:
    from gapless.engine.journal_core import JournalCore
    from gapless.journal.survey import Progress

SLICE_BYTES = 1 << 20
"""Of a file, what is replayed before others get their turn: some milliseconds."""


def recover(core: JournalCore, path: str, progress: Progress | None = None) -> Survey:
    """Verify a directory's journal and replay it; what the survey found. Changes no file. O(bytes).

    DamagedError, FormatError, OSError: nothing was replayed, but for an effect that makes no sense in a frame
    whose checksum is right. `progress` is called with bytes done and bytes in all, verifying and replaying.
    """

    def verifying(done: int, total: int) -> None:
        if progress is not None:
            progress(done, 2 * total)

    found = survey(path, verifying)
    done = size = found.size
    core.begin_replay()
    for each in found.files:
        at, end = HEADER_BYTES, each.extent.end
        gathering_number, gathering_end = found.gathering
        until = end if each.number < gathering_number else gathering_end * (each.number == gathering_number)
        while at < end:
            before = at
            at, wrong = core.replay(each.frames, at, end, until, SLICE_BYTES)
            if wrong is not None:
                raise DamagedError(each.path, at, wrong)
            done += at - before
            if progress is not None:
                progress(done, 2 * size)
    return found
