"""The survey: which files of a directory are there, what of them is good, what the journal says of the rest.

What a crash leaves is told apart from what a disk damages: see "What a power cut leaves" in design-notes.
"""

from __future__ import annotations

import mmap
import os
from itertools import pairwise
from typing import NamedTuple

from gapless.engine.frames import SEALED, Extent, Frames
from gapless.errors import DamagedError
from gapless.journal.format import HEADER_BYTES, Header, name_of, numbers_in, read_header

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    Progress = Callable[[int, int], object]


_NONE = (0, 0)


class Surveyed(NamedTuple):
    """A file, and how far it is good."""

    number: int
    path: str
    size: int
    header: Header
    frames: Frames
    extent: Extent


class Survey(NamedTuple):
    """A journal. `files`: those that count, in order; nothing behind `extent.end` of the last one does."""

    files: list[Surveyed]
    # Numbers of files that are there and don't count: those that were cleaned, and what is behind the end.
    cleaned: list[int]
    beyond: list[int]
    # Bytes behind the end, in all files.
    torn_bytes: int
    # The file and the offset up to which effects of keys that are not there are ignored; 0: none are.
    gathering: tuple[int, int]

    @property
    def size(self) -> int:
        """Bytes that count."""
        return sum(each.extent.end for each in self.files)


def open_file(path: str, number: int) -> tuple[Header, Frames, int]:
    """A file's header, its frames and its size. It is mapped, and read as it is used.

    FormatError, DamagedError, OSError.
    """
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        size = os.fstat(fd).st_size
        header = read_header(path, os.pread(fd, HEADER_BYTES, 0), number)
        data = mmap.mmap(fd, size, prot=mmap.PROT_READ)
        data.madvise(mmap.MADV_SEQUENTIAL)
    finally:
        os.close(fd)
    return header, Frames(data, header.store_id, number), size


def survey(path: str, progress: Progress | None = None) -> Survey:
    """Verify all files in a directory, in order. O(bytes).

    FormatError names a newer version; DamagedError file and offset of what no crash explains. `progress` is
    called with bytes done and bytes in all.
    """
    numbers = numbers_in(path)
    total = sum(os.path.getsize(os.path.join(path, name_of(number))) for number in numbers)
    looked: list[Surveyed] = []
    unreadable: dict[int, DamagedError] = {}
    done = 0
    for number in numbers:
        name = os.path.join(path, name_of(number))
        try:
            header, frames, size = open_file(name, number)
        except DamagedError as error:
            unreadable[number] = error
            continue
        looked.append(Surveyed(number, name, size, header, frames, frames.survey(HEADER_BYTES)))
        done += size
        if progress is not None:
            progress(done, total)
    unfinished = _drop_unfinished(looked)
    cleaned = max((each.extent.cleaned for each in looked), default=0)
    needed = [each for each in looked if each.number > cleaned]
    _require_headers(needed, unreadable, cleaned)
    _require_all(path, needed)
    end = _find_end(needed)
    files, beyond = needed[: end + 1], needed[end + 1 :]
    torn = sum(each.size - HEADER_BYTES for each in beyond)
    if files:
        torn += files[-1].size - files[-1].extent.end
    return Survey(
        files,
        [number for number in numbers if number <= cleaned],
        sorted([each.number for each in beyond + unfinished] + [n for n in unreadable if n > cleaned]),
        torn,
        max(
            ((each.number, each.extent.cleaned_end) for each in files if each.extent.cleaned_end),
            default=_NONE,
        ),
    )


def _drop_unfinished(looked: list[Surveyed]) -> list[Surveyed]:
    """Takes away the files of a journal whose beginning was cut short."""
    for at in reversed(range(len(looked))):
        if looked[at].header.begins:
            if any(each.extent.cleaned_end for each in looked[at:]):
                break
            unfinished = looked[at:]
            del looked[at:]
            return unfinished + _drop_unfinished(looked)
    return []


def _require_headers(needed: list[Surveyed], unreadable: dict[int, DamagedError], cleaned: int) -> None:
    last = needed[-1].number if needed else 0
    for number, error in unreadable.items():
        # A file is written to only when its header is on disk: behind the last one it may be torn.
        if cleaned < number < last or (number > last and needed and needed[-1].extent.last_kind == SEALED):
            raise error
    if unreadable and not needed and min(unreadable) > cleaned:
        # Of a store whose making was cut short there is one file, and nothing was written to it.
        for number, error in unreadable.items():
            if number > 1 or os.path.getsize(error.path) > HEADER_BYTES:
                raise error
    for each in needed[1:]:
        if each.header.store_id != needed[0].header.store_id:
            first = os.path.basename(needed[0].path)
            raise DamagedError(each.path, 16, f"it is of another store than {first}")


def _require_all(path: str, needed: list[Surveyed]) -> None:
    for before, each in pairwise(needed):
        if each.number != before.number + 1:
            missing = os.path.join(path, name_of(before.number + 1))
            raise DamagedError(missing, 0, "the file is missing, and later ones are there")


def _find_end(needed: list[Surveyed]) -> int:
    """The index of the file in which the journal ends."""
    for at, each in enumerate(needed):
        extent, later = each.extent, needed[at + 1 :]
        whole = extent.end == each.size
        if not whole:
            bad = extent.good_end
            found = each.frames.find(bad + 1)
            if found >= 0:
                raise DamagedError(each.path, bad, f"no good frame, but one follows at {found}")
        if whole and extent.last_kind == SEALED:
            if not later:
                raise DamagedError(each.path, each.size, "its successor is missing")
            continue
        for other in later:
            if other.extent.after_sync:
                what = f"it ends before it is sealed, and {name_of(other.number)} is based on it"
                raise DamagedError(each.path, extent.end, what)
        return at
    return len(needed) - 1
