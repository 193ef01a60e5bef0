"""dump.rdb of a server: loaded at the start, written by SAVE, BGSAVE, save points and the end.

A BGSAVE is a thread that takes the engine for slices and writes in between. The store it writes is that of
the moment when it began: see "Snapshots" in docs/design-notes.md.
"""

from __future__ import annotations

import os
import threading
import time
import weakref

from gapless.errors import RdbError
from gapless.server import log, measures

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from gapless.engine.rdb_load import Loader
    from gapless.rdb.files import Writing
    from gapless.server.server import Server

MISCONF = (
    "MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist to disk. "
    "Commands that may modify the data set are disabled, because this instance is configured to report "
    "errors during writes if RDB snapshotting fails (stop-writes-on-bgsave-error option). "
    "Please check the Redis logs for details about the RDB error."
)
# After a BGSAVE that failed the next one by a save point waits so long.
RETRY_SECONDS = 5
# Of the engine: of a save in the background; of one that everybody waits for.
SLICE_US = 200
STEP_US = 100_000
# While commands come a save in the background rests so many times as long as it has worked.
REST_FACTOR = 2
# And so long in any case: who waits for the engine gets it only while nobody has it.
YIELD_SECONDS = 50e-6


class Persistence:
    """What a server knows of its dump.rdb. All but the threads' own part is used under the engine's lock."""

    def __init__(self, server: Server) -> None:
        # The server holds this: memory goes with its last reference, not when the collector next runs.
        self._server: Server = weakref.proxy(server)
        self._engine = server.engine
        # Libraries of functions that were in the file: written again as they were.
        self.functions: list[bytes] = []
        self.saved_at = int(time.time())
        self.saves = 0
        self.ok = True
        self.last_seconds = -1
        self.scheduled = False
        self.loading: Loading | None = None
        self.keys_loaded = 0
        self.keys_expired = 0
        self._dirty_saved = 0
        self._tried_at = 0.0
        self._running: _BackgroundSave | None = None
        self._leaving: threading.Thread | None = None
        self._points: list[tuple[int, int]] = []

    # ---- what INFO tells

    @property
    def running(self) -> _BackgroundSave | None:
        """The BGSAVE that is under way."""
        return self._running

    @property
    def changes(self) -> int:
        """Changes since what was saved last."""
        return self._engine.dirty - self._dirty_saved

    @property
    def path(self) -> str:
        """Of the file, in the working directory."""
        return self._server.config.text("dbfilename")

    @property
    def has_save_points(self) -> bool:
        """Whether it saves by itself."""
        return bool(self._points)

    # ---- settings

    def apply(self) -> None:
        """Take the save points and whether a failure refuses writes from the configuration."""
        words = [int(word) for word in self._server.config.text("save").split()]
        self._points = list(zip(words[::2], words[1::2], strict=True))
        self._refuse_writes()

    def _refuse_writes(self) -> None:
        wanted = self._server.config.flag("stop-writes-on-bgsave-error") and self.has_save_points
        self._engine.refuse_writes(MISCONF if wanted and not self.ok else None)

    # ---- saving

    def _writing(self, background: bool) -> Writing:
        # Imported here: a server that never saves does without.
        from gapless.rdb.files import Writing

        return Writing(
            self._engine,
            self.path,
            self._aux(),
            self.functions,
            checksum=self._server.config.flag("rdbchecksum"),
            background=background,
        )

    def _aux(self) -> dict[bytes, bytes]:
        from gapless.server.info import REDIS_VERSION
        from gapless.version import VERSION

        return {
            b"redis-ver": REDIS_VERSION.encode(),
            b"redis-bits": b"64",
            b"ctime": b"%d" % int(time.time()),
            b"used-mem": b"%d" % measures.resident_bytes(),
            b"aof-base": b"0",
            b"gapless-ver": VERSION.encode(),
        }

    def save(self) -> bool:
        """SAVE: everybody waits. False when it failed; the log says why. O(keys)."""
        dirty, writing = self._engine.dirty, self._writing(False)
        try:
            writing.open()
            while not writing.step(STEP_US):
                pass
            writing.finish()
        except OSError as error:
            writing.give_up()
            log.warning("Write error while saving DB to the disk: %s", error.strerror)
            self.ok = False
            self._refuse_writes()
            return False
        log.notice("DB saved on disk")
        self._saved(dirty)
        return True

    def _saved(self, dirty: int) -> None:
        self._dirty_saved = dirty
        self.saved_at = int(time.time())
        self.saves += 1
        self.ok = True
        self._refuse_writes()

    def save_in_background(self) -> None:
        """BGSAVE. REQUIRED: none is under way."""
        assert self._running is None
        self._tried_at = time.time()
        self.scheduled = False
        self._running = _BackgroundSave(self._server, self._writing(True))
        log.notice("Background saving started")

    def abandon(self) -> None:
        """End a BGSAVE without a result: its data are gone, or another save takes its place."""
        if self._running is not None:
            self._running.abandon()
            self._leaving = self._running.thread
            self._running = None

    def close(self) -> None:
        """End a BGSAVE and wait until its file is gone. REQUIRED: the engine is not held."""
        self.abandon()
        if self._leaving is not None:
            self._leaving.join()

    def _look_after_background(self) -> None:
        save = self._running
        if save is None or save.thread.is_alive():
            return
        self._running = None
        self.last_seconds = int(time.time() - save.started)
        if save.error is None:
            log.notice("Background saving terminated with success")
            self._saved(save.dirty)
        else:
            log.warning("Background saving error: %s", save.error)
            self.ok = False
            self._refuse_writes()

    def cron(self) -> None:
        """10 times a second: the end of a BGSAVE, and save points that are due."""
        self._look_after_background()
        if self._running is not None or self.loading is not None:
            return
        now = time.time()
        may_try = self.ok or now - self._tried_at > RETRY_SECONDS
        if self.scheduled and may_try:
            self.save_in_background()
            return
        for seconds, changes in self._points:
            if self.changes >= changes and now - self.saved_at > seconds and may_try:
                log.notice("%d changes in %d seconds. Saving...", changes, seconds)
                self.save_in_background()
                return

    def end(self, save: bool | None) -> bool:
        """Before the server ends; False: it could not be saved. save: as SHUTDOWN says, None: it does not."""
        if self.loading is not None:
            return True
        self.abandon()
        if save is False or (save is None and not self.has_save_points):
            return True
        log.notice("Saving the final RDB snapshot before exiting.")
        return self.save()

    def flushed(self) -> None:
        """After FLUSHALL: a BGSAVE of what was there is worth nothing, and the file is not left with it."""
        self.abandon()
        if self.has_save_points:
            dirty = self._dirty_saved
            if self.save():
                # Still a change that nobody has saved.
                self._dirty_saved = dirty

    # ---- loading

    def load(self) -> None:
        """Begin to load the file, if there is one: the server answers meanwhile, as it does when it loads."""
        if os.path.exists(self.path):
            self.loading = Loading(self._server)
            self.loading.thread.start()

    def reload(self, merge: bool) -> Loader:
        """Read the file at once, over what is there or into an empty store. OSError, RdbError."""
        from gapless.rdb import files

        loader = files.read(self._engine, self.path, merge)
        self.loaded(loader)
        return loader

    def loaded(self, loader: Loader) -> None:
        """Take over what a file had besides keys."""
        self.keys_loaded, self.keys_expired = loader.keys_loaded, loader.keys_expired
        self._dirty_saved = self._engine.dirty
        if loader.functions:
            self.functions = loader.functions
            count = len(loader.functions)
            log.warning(
                "%d librar%s of functions kept aside, not loaded: there are no functions yet; %s saved again",
                count, "y" if count == 1 else "ies", "it is" if count == 1 else "they are",
            )  # fmt: skip


class _BackgroundSave:
    """The thread of a BGSAVE. `error`: why it failed; to be read when it has ended."""

    def __init__(self, server: Server, writing: Writing) -> None:
        self.started = time.time()
        self.dirty = server.engine.dirty
        self.error: str | None = None
        self.writing = writing
        self._engine = server.engine
        self._abandoned = False
        self.thread = threading.Thread(target=self._run, name="bgsave", daemon=True)
        self.thread.start()

    def abandon(self) -> None:
        """Have it end soon; it leaves no file."""
        self._abandoned = True
        self.writing.snapshot.abandon()

    def _run(self) -> None:
        try:
            self.writing.open()
            while not self._abandoned:
                before, start = self._engine.calls, time.perf_counter()
                if self.writing.step(SLICE_US):
                    break
                worked = time.perf_counter() - start
                time.sleep(worked * REST_FACTOR if self._engine.calls != before else YIELD_SECONDS)
            if not self._abandoned:
                self.writing.finish()
                return
        except OSError as error:
            self.error = error.strerror or str(error)
        except Exception as error:
            log.warning("Background saving failed: %r", error)
            self.error = str(error)
        self.writing.give_up()


class Loading:
    """The thread that loads the file at the start; who makes it starts it.

    Until its end commands are refused that may not see half of it.
    """

    def __init__(self, server: Server) -> None:
        self._server = server
        self._engine = server.engine
        self.started = time.time()
        self.loader: Loader | None = None
        self._engine.configure(loading=True)
        self.thread = threading.Thread(target=self._run, name="loading", daemon=True)

    def lines(self, now: float) -> Iterator[str]:
        """What INFO tells of it."""
        done, total = (0, 0) if self.loader is None else (self.loader.offset, self.loader.total)
        seconds = now - self.started
        yield f"loading_start_time:{int(self.started)}"
        yield f"loading_total_bytes:{total}"
        used = b"0" if self.loader is None else self.loader.aux.get("used-mem", b"0")
        yield f"loading_rdb_used_mem:{used.decode()}"
        yield f"loading_loaded_bytes:{done}"
        yield f"loading_loaded_perc:{100 * done / total if total else 0:.2f}"
        yield f"loading_eta_seconds:{int(seconds * (total - done) / done) if done else 1}"

    def _progress(self, loader: Loader) -> None:
        self.loader = loader
        time.sleep(YIELD_SECONDS)

    def _run(self) -> None:
        from gapless.rdb import files

        persistence = self._server.persistence
        try:
            loader = files.read(self._engine, persistence.path, False, self._progress)
        except Exception as error:
            reason = error if isinstance(error, (OSError, RdbError)) else repr(error)
            log.warning("Fatal error loading the DB, exiting. %s: %s", persistence.path, reason)
            self._server.fail()
        else:
            self._done(loader)

    def _done(self, loader: Loader) -> None:
        persistence = self._server.persistence
        persistence.loaded(loader)
        persistence.loading = None
        self._engine.configure(loading=False)
        log.notice(
            "Done loading RDB, keys loaded: %d, keys expired: %d.", loader.keys_loaded, loader.keys_expired
        )
        log.notice("DB loaded from disk: %.3f seconds", time.time() - self.started)
