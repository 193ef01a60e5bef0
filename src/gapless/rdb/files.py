"""A dump.rdb as a file.

It is written under another name and put in its place when it is whole, and read where the system maps it.
"""

from __future__ import annotations

import mmap
import os

from gapless.engine.rdb_load import Loader
from gapless.engine.snapshot import Snapshot
from gapless.errors import RdbError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from gapless.engine.engine import Engine

# A file that was read so far is not kept in memory.
KEPT_BYTES = 32 << 20
READ_US = 10_000
LEAVING_US = 200


def read(
    engine: Engine, path: str, merge: bool = False, progress: Callable[[Loader], None] | None = None
) -> Loader:
    """Read a file into the store; what there was of it: keys, functions, facts about the file.

    merge: keys may be there already, and are replaced. progress: told every 10 ms; between two steps
    others get at the store. OSError, or RdbError that says what is wrong and where: what was read before
    that is in the store. O(bytes).
    """
    with open(path, "rb") as file:
        size = os.fstat(file.fileno()).st_size
        if size == 0:
            raise RdbError("the file is empty", 0)
        with mmap.mmap(file.fileno(), size, access=mmap.ACCESS_READ) as view:
            view.madvise(mmap.MADV_SEQUENTIAL)
            loader = Loader(engine, view, merge)
            try:
                dropped = 0
                while not loader.step(READ_US):
                    behind = loader.offset // mmap.PAGESIZE * mmap.PAGESIZE
                    if behind - dropped >= KEPT_BYTES:
                        view.madvise(mmap.MADV_DONTNEED, dropped, behind - dropped)
                        dropped = behind
                    if progress is not None:
                        progress(loader)
            finally:
                loader.close()
            return loader


class Writing:
    """One file being written.

    It is of what the store holds when this is made; in the background whatever becomes of it meanwhile.
    open(), step() until it is True, finish(). All raise OSError; then, or to have no file after all,
    give_up() is REQUIRED.
    """

    def __init__(
        self,
        engine: Engine,
        path: str,
        aux: dict[bytes, bytes],
        functions: Sequence[bytes] = (),
        *,
        checksum: bool = True,
        background: bool = False,
    ) -> None:
        # By its directory, which may be renamed, or no longer the working directory, before the end.
        directory, self._name = os.path.split(path)
        self._directory = os.open(directory or ".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        self._temporary = f"temp-{os.getpid()}-{'background' if background else 'save'}.rdb"
        self._file = -1
        self.snapshot = Snapshot(engine, aux, functions, checksum, background)

    def open(self) -> None:
        """Make the file, under a name of its own."""
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC
        self._file = os.open(self._temporary, flags, 0o644, dir_fd=self._directory)

    def step(self, budget_us: int) -> bool:
        """Write some more, taking the store for about so long; True when all keys are written."""
        self._write(self.snapshot.step(budget_us))
        return self.snapshot.done

    def finish(self) -> None:
        """Write the end, bring all to the disk and put the file in its place."""
        self._write(self.snapshot.tail())
        os.pwrite(self._file, self.snapshot.head(), 0)
        os.fsync(self._file)
        os.close(self._file)
        self._file = -1
        os.replace(self._temporary, self._name, src_dir_fd=self._directory, dst_dir_fd=self._directory)
        os.fsync(self._directory)
        self._close()

    def give_up(self) -> None:
        """Leave no file, and let go of the store."""
        self.snapshot.abandon()
        while not self.snapshot.done:
            self.snapshot.step(LEAVING_US)
        if self._directory >= 0:
            try:
                os.unlink(self._temporary, dir_fd=self._directory)
            except OSError:
                pass
        self._close()

    def _close(self) -> None:
        for descriptor in (self._file, self._directory):
            if descriptor >= 0:
                os.close(descriptor)
        self._file = self._directory = -1

    def _write(self, data: bytes) -> None:
        rest = memoryview(data)
        while rest:
            rest = rest[os.write(self._file, rest) :]
