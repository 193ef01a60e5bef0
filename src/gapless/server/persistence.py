"""The journal of a server: loading it at the start, switching it on and off, what INFO tells of it."""

from __future__ import annotations

import os
import sys
import threading
import time

from gapless.commands.replies import OK, CommandError, Status
from gapless.errors import GaplessError
from gapless.server import log

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from gapless.commands.context import Context
    from gapless.journal.journal import Journal
    from gapless.server.server import Server

PROGRESS_SECONDS = 5.0


def journal_of(server: Server) -> Journal:
    """The journal that the configuration asks for, not yet opened."""
    from gapless.journal.journal import Journal

    config = server.config
    return Journal(
        server.engine,
        config.text("dir") or os.getcwd(),
        policy=config.text("appendfsync"),
        file_bytes=config.number("journal-file-size"),
        say=lambda text: log.warning("%s", text),
    )


class Loading:
    """A journal that is replayed by a thread of its own, while the loop tells clients to wait."""

    def __init__(self, server: Server) -> None:
        self.started = time.time()
        self.done = 0
        self.total = 0
        self.failure: BaseException | None = None
        self._server = server
        self._journal = journal_of(server)
        self._said = time.monotonic()
        self._thread = threading.Thread(target=self._load, name="gapless-load")

    def start(self) -> None:
        """Begin. The server's `loading` is this until it is over; `failure` says why it stopped."""
        # Here, so that a directory that another process has is told before anything else.
        self._server.loading = self
        self._server.engine.configure(loading=True)
        self._thread.start()

    def join(self) -> None:
        """Wait for its end."""
        self._thread.join()

    def _load(self) -> None:
        server = self._server
        try:
            self._journal.open(self._progress)
        except BaseException as error:
            self.failure = error
            server.shut_down()
            return
        found = self._journal.found
        assert found is not None
        seconds = time.time() - self.started
        log.notice("DB loaded from the journal, %d bytes: %.3f seconds", found.size, seconds)
        server.journal = self._journal
        server.loading = None
        server.engine.configure(loading=False)

    def _progress(self, done: int, total: int) -> None:
        if self._server.stopping:
            raise InterruptedError("the server was told to end")
        self.done, self.total = done, total
        if time.monotonic() - self._said >= PROGRESS_SECONDS:
            self._said = time.monotonic()
            log.notice("Loading the journal: %d %%", 100 * done // max(total, 1))

    @property
    def running(self) -> bool:
        """Whether it goes on."""
        return self._thread.is_alive()

    @property
    def eta(self) -> int:
        """Seconds it will still take, at the speed so far."""
        passed = time.time() - self.started
        return round(passed * (self.total - self.done) / self.done) if self.done else 1


def load(server: Server) -> Loading | None:
    """At the start: replay the journal, if there is to be one."""
    if not server.config.flag("appendonly"):
        return None
    loading = Loading(server)
    loading.start()
    if sys.stderr.isatty():
        _draw(loading)
    return loading


def _draw(loading: Loading) -> None:
    from gapless.cli.loading import draw

    threading.Thread(target=draw, args=(loading,), name="gapless-progress", daemon=True).start()


def close(server: Server, wait: bool = True) -> None:
    """At the end, or when appendonly is no from now on. JournalError when what was written last is lost."""
    journal, server.journal = server.journal, None
    if journal is not None:
        journal.close(wait)
        log.notice("The journal is closed")


# ---- configuration


def apply(server: Server, changed: set[str]) -> None:
    """What happens when an option changes while the server runs. OptionError."""
    from gapless.server.config import OptionError

    config = server.config
    if "appendonly" in changed:
        wanted = config.flag("appendonly")
        try:
            if wanted and server.journal is None:
                journal = journal_of(server)
                journal.begin()
                server.journal = journal
            elif not wanted:
                # In the loop's turn: its keeper may be waiting for the engine.
                close(server, wait=False)
        except (GaplessError, OSError) as error:
            raise OptionError("appendonly", str(error)) from None
    if server.journal is not None:
        server.journal.policy = config.text("appendfsync")
        server.journal.core.file_bytes = config.number("journal-file-size")


# ---- commands


def bgrewriteaof(ctx: Context, args: list[bytes]) -> object:
    """BGREWRITEAOF: write all that is live anew, and drop what is not."""
    server = ctx.server
    if server is None or server.journal is None:
        raise CommandError("ERR there is no journal to rewrite: appendonly is no")
    if not server.journal.rewrite():
        raise CommandError("ERR Background append only file rewriting already in progress")
    return Status("Background append only file rewriting started")


def loadaof(ctx: Context, args: list[bytes]) -> object:
    """DEBUG LOADAOF: empty the store, and replay its journal."""
    server = ctx.server
    if server is None or server.journal is None:
        raise CommandError("ERR there is no journal to load: appendonly is no")
    try:
        server.journal.reload()
    except (GaplessError, OSError) as error:
        raise CommandError(f"ERR Error trying to load the journal: {error}") from None
    return OK


# ---- INFO


def journal_lines(server: Server | None) -> Iterator[str]:
    """INFO persistence: the journal in Redis's fields."""
    journal = None if server is None else server.journal
    rewriting = journal is not None and journal.rewriting
    last = -1 if journal is None else int(journal.rewrite_seconds)
    now = int(time.monotonic() - journal.rewrite_started) if journal is not None and rewriting else -1
    failed = journal is not None and journal.rewrite_failed
    counts = {} if journal is None else journal.core.counters()
    yield f"aof_enabled:{int(journal is not None)}"
    yield f"aof_rewrite_in_progress:{int(rewriting)}"
    yield "aof_rewrite_scheduled:0"
    yield f"aof_last_rewrite_time_sec:{last}"
    yield f"aof_current_rewrite_time_sec:{now}"
    yield f"aof_last_bgrewrite_status:{'err' if failed else 'ok'}"
    yield f"aof_rewrites:{0 if journal is None else journal.rewrites}"
    yield f"aof_rewrites_consecutive_failures:{int(failed)}"
    broken = counts.get("write_errno") or counts.get("sync_errno") or counts.get("reserve_errno")
    yield f"aof_last_write_status:{'err' if broken else 'ok'}"
    yield "aof_last_cow_size:0"


def journal_detail(server: Server | None) -> Iterator[str]:
    """INFO persistence, at its end: the journal's files."""
    journal = None if server is None else server.journal
    if journal is None:
        return
    counts = journal.core.counters()
    files, size = journal.sizes()
    yield f"aof_current_size:{size}"
    yield "aof_base_size:0"
    yield "aof_pending_rewrite:0"
    yield f"aof_buffer_length:{counts['gathered']}"
    yield f"aof_pending_bio_fsync:{int(counts['pending'] > 0)}"
    yield "aof_delayed_fsync:0"
    yield f"journal_directory:{journal.path}"
    yield f"journal_files:{files}"
    yield f"journal_bytes:{size}"
    yield f"journal_file:{counts['number']}"
    yield f"journal_frames_written:{counts['frames']}"
    yield f"journal_bytes_written:{counts['bytes_written']}"
    yield f"journal_batches_unsynced:{counts['pending']}"
    yield f"journal_syncs:{counts['syncs']}"
    yield f"journal_last_sync_us:{counts['sync_ns_last'] // 1000}"
    yield f"journal_longest_sync_us:{counts['sync_ns_longest'] // 1000}"
    yield f"journal_writes_failed:{counts['writes_failed']}"
    yield f"journal_syncs_failed:{counts['syncs_failed']}"
    yield f"journal_torn_bytes:{journal.found.torn_bytes if journal.found else 0}"


def loading_lines(server: Server | None) -> Iterator[str]:
    """INFO persistence: what is being loaded."""
    loading = None if server is None else server.loading
    yield f"loading:{int(loading is not None)}"
    yield "async_loading:0"


def loading_detail(server: Server | None) -> Iterator[str]:
    """INFO persistence, at its end: how far loading is."""
    loading = None if server is None else server.loading
    if loading is not None:
        share = 100 * loading.done / loading.total if loading.total else 0.0
        yield f"loading_start_time:{int(loading.started)}"
        yield f"loading_total_bytes:{loading.total}"
        yield f"loading_loaded_bytes:{loading.done}"
        yield f"loading_loaded_perc:{share:.2f}"
        yield f"loading_eta_seconds:{loading.eta}"
