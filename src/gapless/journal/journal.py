"""A store's journal while it lasts: opened, looked after by a thread of its own, closed."""

from __future__ import annotations

import contextlib
import os
import threading
import time

from gapless.engine import journal_core as core
from gapless.engine.journal_core import JournalCore
from gapless.errors import JournalError
from gapless.file_lock import WriterLock
from gapless.journal.files import SYSTEM, Files
from gapless.journal.format import (
    HEADER_BYTES,
    LOCK_NAME,
    STORE_ID_BYTES,
    Header,
    header_bytes,
    name_of,
    numbers_in,
)
from gapless.journal.recovery import recover

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from gapless.engine.engine import Engine
    from gapless.journal.survey import Progress, Survey

POLICIES = {"no": core.NO, "never": core.NO, "everysec": core.EVERY_SECOND, "always": core.ALWAYS}
FILE_BYTES = 64 << 20
ATTEND_US = 1_000_000
RETRY_US = 100_000
IMAGES_US = 200
FILES_MOST = 60
FILES_AT_ALL = 120
"""A record's base tells 127 files apart: with so many the last one goes on, however long it gets."""
GARBAGE_BYTES = 16 << 20
"""A journal of so many bytes is left alone, whatever they are."""
LOOK_BYTES = 1 << 20
AHEAD_US = 10_000


class Pace:
    """How fast a file is emptied: done when half of what is left to the limit has been written."""

    def __init__(self, room: int, buckets: int, written: int) -> None:
        self.room = room
        self._buckets = buckets
        self._written = written

    def is_ahead(self, left: int, written: int) -> bool:
        """Whether to wait. `left`: buckets to walk; `written`: bytes that went to files."""
        if self.room == 0:
            return False
        return left / self._buckets <= 1 - (written - self._written) / (self.room / 2)


class Journal:
    """The journal of one engine, in one directory. Its methods may be called from any thread.

    `file_bytes`: after so many a file is followed by another; of small stores and of very large ones earlier
    or later. `garbage_ratio`: what the files may take, as a multiple of what is live in them.
    `say` is told, in a sentence, what an operator should hear. OSError when the directory can't be used.
    """

    def __init__(
        self,
        engine: Engine,
        path: str,
        *,
        policy: str = "everysec",
        file_bytes: int = FILE_BYTES,
        garbage_ratio: float = 2.0,
        files: Files = SYSTEM,
        say: Callable[[str], object] = lambda text: None,
    ) -> None:
        self.path = os.path.abspath(path)
        self.core = JournalCore(engine, None if files is SYSTEM else files)
        self.core.policy = POLICIES[policy]
        self.core.file_bytes = file_bytes
        self.file_bytes = file_bytes
        self.garbage_ratio = garbage_ratio
        # Of what was there when it was opened: bytes that were read, bytes that were cut off.
        self.bytes_loaded = 0
        self.bytes_torn = 0
        self._files = files
        self._say = say
        self._lock: WriterLock | None = None
        self._thread: threading.Thread | None = None
        self._stopping = threading.Event()
        self._trouble = ""
        self._engine = engine
        self._wanted = False
        self._images_first = 0
        self._rest_us = 0
        self._pace: Pace | None = None
        self.live_bytes = 0
        self.cleaned_files = 0
        self.rewrite_started = 0.0
        self.rewrite_seconds = -1.0
        self.rewrites = 0
        self.rewrite_failed = False

    # ---- opening

    def open(self, progress: Progress | None = None) -> None:
        """Replay what is there, cut what a crash has torn, and journal from now on.

        LockedError names the process that has the directory; DamagedError and FormatError file and offset.
        """
        os.makedirs(self.path, exist_ok=True)
        self.lock()
        self._recover(progress)

    def _recover(self, progress: Progress | None) -> None:
        try:
            found = recover(self.core, self.path, progress)
            self.bytes_loaded, self.bytes_torn = found.size, found.torn_bytes
            fd, number, store_id, position = self._continue(found)
        except BaseException:
            self.unlock()
            raise
        self.core.begin(fd, number, store_id, position)
        self._start()

    def lock(self) -> None:
        """Keep every other process from the directory. LockedError."""
        self._lock = WriterLock(os.path.join(self.path, LOCK_NAME), self.path)

    def unlock(self) -> None:
        """Let others have the directory."""
        if self._lock is not None:
            self._lock.release()
            self._lock = None

    def _continue(self, found: Survey) -> tuple[int, int, bytes, int]:
        """Make the directory what the survey says it should be; the file to go on with."""
        if found.torn_bytes:
            self._say(f"the journal's end was torn by a crash: {found.torn_bytes} bytes were cut off")
        # The last first: what is left when this is cut short is what is to be found.
        for number in sorted(found.beyond, reverse=True) + sorted(found.cleaned):
            self._files.unlink(self.file(number))
        if not found.files:
            store_id = os.urandom(STORE_ID_BYTES)
            number = max(found.cleaned, default=0) + 1
            return self.make(number, store_id), number, store_id, HEADER_BYTES
        last = found.files[-1]
        for each in found.files[-2:]:
            # Who was killed may have left in the system's hands what later frames say is on disk.
            fd = self._files.open(each.path, os.O_RDWR)
            if each is last and each.size != each.extent.end:
                self._files.truncate(fd, each.extent.end)
            self._files.sync(fd)
            if each is not last:
                self._files.close(fd)
        self._files.sync_directory(self.path)
        return fd, last.number, last.header.store_id, last.extent.end

    def file(self, number: int) -> str:
        """The path of the file with this number."""
        return os.path.join(self.path, name_of(number))

    def make(self, number: int, store_id: bytes, begins: bool = False) -> int:
        """A new file with its header, on disk, and its name in the directory; its descriptor. OSError."""
        path = self.file(number)
        fd = self._files.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL)
        try:
            header = header_bytes(Header(store_id, number, time.time_ns() // 1_000_000, begins))
            done = 0
            while done < HEADER_BYTES:
                done += self._files.write(fd, header[done:], done)
            self._files.sync(fd)
            self._files.sync_directory(self.path)
        except BaseException:
            self._files.close(fd)
            with contextlib.suppress(OSError):
                self._files.unlink(path)
            raise
        return fd

    # ---- beginning with what is in memory, and beginning anew

    def begin(self) -> None:
        """Journal from now on; what is in memory is written by the keeper, and until then what was in the
        directory stays. LockedError, OSError."""
        self.lock()
        try:
            number = max(numbers_in(self.path), default=0) + 1
            store_id = os.urandom(STORE_ID_BYTES)
            fd = self.make(number, store_id, begins=True)
        except BaseException:
            self.unlock()
            raise
        self.core.forget_bases()
        self.core.begin(fd, number, store_id, HEADER_BYTES)
        self._begin_images(number)
        self._start()

    def rewrite(self) -> bool:
        """Write all there is again, in slices, and drop the files before; False: it is being done already."""
        if self.rewriting:
            return False
        self._wanted = True
        self.core.wake()
        return True

    @property
    def rewriting(self) -> bool:
        """Whether images of everything are being written."""
        return self._wanted or (self._images_first > 0 and self._pace is None)

    def reload(self) -> None:
        """Empty the store and replay the journal. REQUIRED: nobody else uses the engine meanwhile.

        DamagedError, OSError: the store is empty then, or has a part of it, and is journaled no more.
        """
        self._stop(wait=False)
        files, failed = self.core.end(closed=False)
        for fd, size in files:
            self._close(fd, size)
        if failed:
            self.unlock()
            raise JournalError(f"what was written last is not on disk: {os.strerror(failed)}")
        self._engine.flush()
        self._recover(None)

    def _begin_images(self, number: int, room: int | None = None) -> None:
        """Of all whose base is in an earlier file. `room`: bytes that are left; None: as fast as may be."""
        self.core.images_begin(number)
        if room is None:
            self.rewrite_started = time.monotonic()
        self._pace = None if room is None else Pace(room, *self.core.progress())
        self._images_first = number
        self._rest_us = 0

    def _look(self) -> None:
        """Whether there is too much garbage: then the oldest files are emptied."""
        live = self.live_bytes = self.core.live_bytes()
        self.core.look_after(max(LOOK_BYTES, live // 32))
        # So that there are some, and not so many that each takes a walk for little.
        least, most = live // (FILES_MOST // 3), max(live // 8, LOOK_BYTES)
        self.core.file_bytes = max(min(self.file_bytes, most), least)
        if self._images_first or self._wanted:
            return
        numbers = numbers_in(self.path)
        count, size = len(numbers), self._size_of(numbers)
        limit = max(int(live * self.garbage_ratio), GARBAGE_BYTES)
        # From half of the garbage that may be: while the end of a walk is synced others write on, at full
        # speed a fifth of what is live.
        bound = live + (limit - live) // 2
        crowded = count > FILES_MOST
        if not crowded and (size <= GARBAGE_BYTES or size < bound):
            return
        if numbers[0] < self.core.number:
            # As many as are too much: each walk ends with a sync.
            too_many = count // 4 if crowded else int(count * (size - bound) / size)
            self._begin_images(min(numbers[0] + 1 + too_many, self.core.number), max(limit - size, 0))
        elif size >= limit and size > GARBAGE_BYTES:
            self._wanted = True

    # ---- the keeper's thread

    def _start(self) -> None:
        # Of each thread its own: one that is not waited for still has to hear that it is over.
        self._stopping = threading.Event()
        self._thread = threading.Thread(
            target=self._keep, args=(self._stopping,), name="gapless-journal", daemon=True
        )
        self._thread.start()

    def _keep(self, stopping: threading.Event) -> None:
        ignored = 0
        while not stopping.is_set():
            if self._images_first:
                # Rests are spent where others are attended to: who waits for a sync doesn't wait for images.
                timeout, ignored = self._rest_us, ignored | core.LOOK
            else:
                timeout = RETRY_US if ignored or self._wanted else ATTEND_US
                self._look()
            why = self.core.attend(timeout, ignored)
            if not stopping.is_set():
                ignored = self._look_after(why)

    def _look_after(self, why: int) -> int:
        """What attend() said there is to do; bits of what can't be done now."""
        ignored = 0
        if why & core.FILE_FINISHED:
            self._finish()
        if why & core.FILE_WANTED and not self._give():
            ignored |= core.FILE_WANTED
        if why & core.IN_TROUBLE:
            ignored |= core.IN_TROUBLE * (not self.core.retry())
            self._tell()
        if why & core.BROKEN and not self._images_first and not self._begin_anew():
            ignored |= core.BROKEN
        if self._wanted:
            self._begin_rewrite()
        if self._images_first:
            ignored |= core.BROKEN
            self._write_images()
        return ignored

    def _begin_rewrite(self) -> None:
        number = self.core.change_files()
        if number:
            self._begin_images(number)
            self._wanted = False
        elif not self.core.has_successor and not self._give():
            self._wanted = False
            self.rewrite_failed = True

    def _begin_anew(self) -> bool:
        """After a failed sync: all of it again, in another file."""
        self._tell()
        number = max([*numbers_in(self.path), self.core.number]) + 1
        try:
            fd = self.make(number, self.core.store_id)
        except OSError:
            return False
        for old, _ in self.core.abandon_broken(fd, number, HEADER_BYTES):
            self._files.close(old)
        self._begin_images(number)
        return True

    def _write_images(self) -> None:
        first = self._images_first
        try:
            if self._pace is not None and self._pace.is_ahead(*self.core.progress()):
                self._rest_us = AHEAD_US
                return
            if not self.core.images_go_on(IMAGES_US):
                # A third of the time at most; half of it when the files are too large already.
                self._rest_us = (1 if self._pace is not None and self._pace.room == 0 else 2) * IMAGES_US
                return
            self.core.cleaned(first - 1)
        except JournalError as error:
            # It goes on with what is there; or begins anew, where that may have lost something.
            self._images_first = 0
            self.rewrite_failed = True
            self._say(str(error))
            return
        for number in numbers_in(self.path):
            if number < first:
                # One that stays is removed when the store is next opened.
                with contextlib.suppress(OSError):
                    self._files.unlink(self.file(number))
                    self.cleaned_files += 1
        self._images_first = 0
        if self._pace is None:
            self.rewrites += 1
            self.rewrite_failed = False
            self.rewrite_seconds = time.monotonic() - self.rewrite_started
        self._tell()

    def _finish(self) -> None:
        taken = self.core.take_finished()
        if taken is not None:
            fd, size = taken
            # What was reserved behind its end goes back to the system.
            self._close(fd, size)

    def _close(self, fd: int, size: int) -> None:
        try:
            self._files.truncate(fd, size)
        except OSError as error:
            self._say(f"a file's end can't be cut to {size} bytes: {error.strerror}")
        with contextlib.suppress(OSError):
            # What is in it was synced before.
            self._files.close(fd)

    def _give(self) -> bool:
        number = self.core.number + 1
        if number - numbers_in(self.path)[0] >= FILES_AT_ALL:
            return False
        try:
            fd = self.make(number, self.core.store_id)
        except OSError as error:
            self._trouble_is(f"no new journal file can be made: {error.strerror}")
            return False
        if not self.core.give(fd, number, HEADER_BYTES):
            self._files.close(fd)
            self._files.unlink(self.file(number))
        return True

    def _tell(self) -> None:
        counts = self.core.counters()
        why = counts["sync_errno"] or counts["write_errno"] or counts["reserve_errno"]
        refusing = f"commands that write are refused: {os.strerror(why)}" if why else ""
        if not refusing and self._trouble:
            self._say("the journal can be written to again")
        self._trouble_is(refusing)

    def _trouble_is(self, text: str) -> None:
        if text and text != self._trouble:
            self._say(text)
        self._trouble = text

    # ---- for others

    def sizes(self) -> tuple[int, int]:
        """How many files there are, and their bytes."""
        numbers = numbers_in(self.path)
        return len(numbers), self._size_of(numbers)

    def _size_of(self, numbers: list[int]) -> int:
        found = 0
        for number in numbers:
            with contextlib.suppress(FileNotFoundError):
                found += os.path.getsize(self.file(number))
        return found

    @property
    def policy(self) -> int:
        """NO, EVERY_SECOND or ALWAYS of gapless.engine.journal_core."""
        return self.core.policy

    @policy.setter
    def policy(self, policy: str) -> None:
        self.core.policy = POLICIES[policy]

    def sync(self) -> None:
        """What was written is on disk when it returns. JournalError."""
        self.core.sync()

    def close(self, wait: bool = True) -> None:
        """End journaling: all is written, synced, and marked as closed. JournalError when that failed.

        `wait` for the keeper's thread; it must not be waited for by who has the engine.
        """
        self._stop(wait)
        files, failed = self.core.end()
        try:
            for fd, size in files:
                self._close(fd, size)
            for number in numbers_in(self.path):
                if number > self.core.number:
                    # It was made ready, and nothing was written to it.
                    self._files.unlink(self.file(number))
        finally:
            self.unlock()
        if failed:
            raise JournalError(f"{self.path}: what was written last is lost: {os.strerror(failed)}")

    def _stop(self, wait: bool = True) -> None:
        self._stopping.set()
        self._images_first = 0
        thread, self._thread = self._thread, None
        if thread is not None:
            self.core.wake()
            if wait:
                thread.join()

    def disown(self) -> None:
        """In the child of a fork: close its copies of the files, and touch nothing else."""
        self._thread = None
        if self._lock is not None:
            self._lock.disown()
            self._lock = None
        for fd, _ in self.core.abandon():
            os.close(fd)
