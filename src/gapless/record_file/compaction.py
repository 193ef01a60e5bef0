"""Compaction: what is live of a file, copied to a new one that takes its place."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable

from gapless.record_file.offset_index import OffsetIndex
from gapless.record_file.source import Source

_BLOCK_BYTES = 1 << 22
_BOM = b"\xef\xbb\xbf"


def copy_live(
    source: Source,
    index: OffsetIndex,
    path: str,
    temporary: str,
    progress: Callable[[int, int], object] | None,
) -> None:
    """Write the live lines of `source` to `temporary`, sync it, and rename it to `path`. O(n).

    What other programs append meanwhile comes along; what they append in the moment of the renaming is
    appended after it.
    """
    with open(temporary, "wb") as file:
        stat = source.stat()
        os.fchmod(file.fileno(), stat.st_mode & 0o7777)
        with contextlib.suppress(PermissionError):
            os.fchown(file.fileno(), stat.st_uid, stat.st_gid)
        if source.read(0, len(_BOM)) == _BOM:
            file.write(_BOM)
        position, number, block, rest = 0, 0, _BLOCK_BYTES, b""
        while position < index.end:
            start = position + len(rest)
            more = source.read(start, min(block, index.end - start))
            if not more and start < index.end:
                raise OSError(f"{path} was cut short while it was compacted; it is left as it is")
            # The last line, without a newline, is written with one.
            data = rest + (more or b"\n")
            stretches, done, number = index.kept(data, position, number)
            file.writelines(data[begin:end] for begin, end in stretches)
            position, rest = position + done, data[done:]
            if not done:
                block *= 2
            if progress is not None:
                progress(min(position, index.end), index.end)
        position = _copy(source, index.end, file.write)
        file.flush()
        os.fsync(file.fileno())
    os.rename(temporary, path)
    directory = os.open(os.path.dirname(path), os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
    if source.stat().st_size > position:
        late = Source(path, writable=True)
        _copy(source, position, late.append)
        late.sync()


def _copy(source: Source, position: int, write: Callable[[bytes], object]) -> int:
    while data := source.read(position, _BLOCK_BYTES):
        write(data)
        position += len(data)
    return position
