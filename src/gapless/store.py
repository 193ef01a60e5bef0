"""The embedded API: a mapping with redis-py's methods, on an engine in this process."""

from __future__ import annotations

import atexit
import contextlib
import os
import secrets
import threading
import warnings
import weakref
from collections.abc import ItemsView, Iterator, MutableMapping, ValuesView
from typing import TYPE_CHECKING, Any, NoReturn

from gapless.engine.engine import Engine
from gapless.engine.settings import POLICIES
from gapless.engine.store_core import StoreCore
from gapless.errors import JournalError, JournalWarning
from gapless.methods import Methods
from gapless.pipeline import Pipeline
from gapless.views import Views

if TYPE_CHECKING:
    from types import TracebackType

    import redis
    from redis.asyncio import Redis as AsyncRedis

    from gapless.bridge import Peer
    from gapless.journal.journal import Journal
    from gapless.journal.survey import Progress
    from gapless.server.server import Server


RANGE_KEYS = 256
"""Keys that `Store.range` reads at a time."""


def _bytes(key: bytes | str) -> bytes:
    return key.encode() if isinstance(key, str) else bytes(key)


class _Items(ItemsView[Any, bytes]):
    """Pairs, without those that expire or are deleted on the way."""

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self._store = store

    def __iter__(self) -> Iterator[tuple[bytes, bytes]]:
        for key in self._store:
            value = self._store.get(key)
            if value is not None:
                yield key, value


class _Values(ValuesView[bytes]):
    """Values, without those that expire or are deleted on the way."""

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self._store = store

    def __iter__(self) -> Iterator[bytes]:
        return (value for _, value in self._store.items())


class Store(StoreCore, Methods, Views, MutableMapping[Any, bytes]):  # type: ignore[misc]  # keys() is redis-py's
    """Keys and values in this process. See `gapless.open`. Safe from several threads."""

    def __init__(self, engine: Engine, options: dict[str, str], journal: Journal | None = None) -> None:
        super().__init__(engine)
        self._engine = engine
        self._journal = journal
        # What was not closed is closed when the store goes, or the program ends.
        self._finalizer = weakref.finalize(self, journal.close) if journal is not None else None
        self._options = options
        self._server: Server | None = None
        self._serving = threading.Lock()
        self._thread: threading.Thread | None = None
        _open_stores.add(self)

    # ---- the mapping

    def __iter__(self) -> Iterator[bytes]:
        return self.scan_iter()

    def __eq__(self, other: object) -> bool:
        return self is other

    def __hash__(self) -> int:
        return id(self)

    def __repr__(self) -> str:
        return f"<gapless.Store, {len(self)} keys>" if self.opened else "<gapless.Store, closed>"

    def __reduce__(self) -> NoReturn:
        raise TypeError(
            "a store is memory of this process and can't be pickled or copied: give another process the port "
            "that store.serve() returns"
        )

    def items(self) -> ItemsView[Any, bytes]:
        """The pairs; what expires or is deleted on the way is left out."""
        return _Items(self)

    def values(self) -> ValuesView[bytes]:
        """The values; what expires or is deleted on the way is left out."""
        return _Values(self)

    def pop(self, key: Any, *default: Any) -> Any:
        """Delete a key; its value, else `default`, else KeyError. Of several threads one gets the value."""
        return self.exclusively(lambda: super(Store, self).pop(key, *default))

    def popitem(self) -> tuple[Any, bytes]:
        """Delete some key; the key and its value. KeyError when there is none."""
        return self.exclusively(super().popitem)

    def setdefault(self, key: Any, default: Any = b"") -> bytes:
        """The value, `default` after it was set when there was none."""
        return self.exclusively(lambda: super(Store, self).setdefault(key, default))

    def scan_iter(
        self, match: bytes | str | None = None, count: int | None = None, _type: str | None = None
    ) -> Iterator[bytes]:
        """All keys. One that is there all the while is met; one that comes or goes meanwhile may be."""
        cursor = 0
        while True:
            if match is None and _type is None:
                cursor, keys = self.scan_step(cursor, count or 100)
            else:
                cursor, keys = self.scan(cursor, match, count, _type)
            yield from keys
            if cursor == 0:
                return

    # ---- keys in order

    def range(
        self, start: bytes | str | None = None, stop: bytes | str | None = None, reverse: bool = False
    ) -> Iterator[bytes]:
        """Keys from `start` up to but without `stop`, in the order of their bytes; `reverse`: the last first.

        None: from the first, to the last. Some hundred keys are read at a time, so keys may come and go
        meanwhile: one that is there all the while is met once. ResponseError while `ordered_keys` is False.
        """
        low = b"-" if start is None else b"[" + _bytes(start)
        high = b"+" if stop is None else b"(" + _bytes(stop)
        words = ("BYLEX", "REV") if reverse else ("BYLEX",)
        while True:
            keys: list[bytes] = self.execute("KEYRANGE", low, high, *words, "LIMIT", 0, RANGE_KEYS)
            yield from keys
            if len(keys) < RANGE_KEYS:
                return
            if reverse:
                high = b"(" + keys[-1]
            else:
                low = b"(" + keys[-1]

    def prefix(self, prefix: bytes | str, reverse: bool = False) -> Iterator[bytes]:
        """Keys that begin with `prefix`, as `range` gives them."""
        start = _bytes(prefix)
        # The first string behind all of them: nothing is behind those of 0xff only.
        stop = start.rstrip(b"\xff")
        return self.range(start, stop[:-1] + bytes([stop[-1] + 1]) if stop else None, reverse)

    # ---- commands

    def clear(self) -> None:
        """Delete all keys of the database: O(1) now, their memory in slices with the writes that follow."""
        self.flushdb()

    def pipeline(self, transaction: bool = True) -> Pipeline:
        """Commands to be run together; with `transaction`, none of anybody else's runs in between."""
        return Pipeline(self, transaction)

    # ---- what lasts

    @contextlib.contextmanager
    def transaction(self) -> Iterator[Store]:
        """What is done in the block is seen by others, and comes back after a crash, whole or not at all.

        Other threads wait meanwhile. An exception ends the block; what was done before it stays done, as in
        Redis.
        """
        # Not by exclusively(): the block is the caller's.
        self.enter_exclusively()
        try:
            yield self
        finally:
            self.leave_exclusively()

    def sync(self) -> None:
        """All that was written is on disk when it returns; nothing to do without a path. JournalError."""
        self.exclusively(lambda: None)
        if self._journal is not None:
            self._journal.sync()

    def backup(self, path: str | os.PathLike[str]) -> None:
        """Write a copy of the store, as it is now, to a directory that is new or empty.

        Others go on meanwhile. `open(path)` opens it. Files that nothing is written to any more are hard
        links where that is possible. JournalError for a store in memory only, FileExistsError, OSError.
        """
        if self._journal is None:
            raise JournalError("the store is in memory only: open it with a path")
        self.exclusively(lambda: None)
        from gapless.journal.backup import backup

        backup(self._journal, os.fspath(path))

    def stats(self) -> dict[str, int | float]:
        """What the engine counts: bytes, keys, hits, the cleaner's work, the longest background slice."""
        return self.counters()

    def memory(self) -> dict[str, int | float]:
        """Where the bytes are, in bytes; `fragmentation` is holes over bytes in segments, exactly."""
        counted = self.counters()
        names = ("bytes_live", "bytes_dead", "bytes_in_extents", "bytes_committed")
        found = {name: counted[name] for name in names}
        written = counted["bytes_live"] + counted["bytes_dead"]
        found["fragmentation"] = counted["bytes_dead"] / written if written else 0.0
        return found

    # ---- redis-py

    def _connect(self) -> Peer:
        from gapless.bridge import Peer

        self.exclusively(self.prepare)
        return Peer(self._engine, self.exclusively)

    def redis(self, **options: Any) -> redis.Redis:
        """A redis.Redis on this store, without a socket; takes its options, as `decode_responses`."""
        from gapless.bridge import client

        return client(self._connect, **options)

    def aioredis(self, **options: Any) -> AsyncRedis:
        """A redis.asyncio.Redis on this store, without a socket."""
        from gapless.bridge import async_client

        return async_client(self._connect, **options)

    # ---- server

    def prepare(self) -> None:
        """Load the command table, at the first use of a command: the compiled methods do without."""
        if self._server is not None:
            return
        from gapless.commands.table import COMMANDS
        from gapless.server.config import Config
        from gapless.server.server import Server

        config = Config()
        config.load([part for name, value in self._options.items() for part in (f"--{name}", value)])
        server = Server(self._engine, config, self._journal)
        self._engine.server = server
        self._engine.load_commands(COMMANDS)
        self._server = server

    def serve(self, port: int = 6379, host: str = "127.0.0.1") -> int:
        """Let Redis clients in, from a thread in the background, until `close()`; the port, chosen when 0.

        OSError when the address is taken, RuntimeError when it serves already.
        """
        import socket

        with self._serving:
            if self._thread is not None:
                raise RuntimeError("the store serves already")
            self.exclusively(self.prepare)
            listener = socket.create_server((host, port), backlog=511)
            bound = int(listener.getsockname()[1])
            assert self._server is not None
            self._server.config.values["port"] = bound
            self._engine.on_cron = self._server.cron
            self._engine.listen([listener.detach()])
            self._thread = threading.Thread(target=self._engine.run, name="gapless", daemon=True)
            self._thread.start()
        return bound

    def close(self) -> None:
        """Stop serving; every later call raises ClosedError. Closing twice is no error.

        A call that another thread is in ends first. The memory goes with the last reference.
        """
        with self._serving:
            thread, self._thread = self._thread, None
            if thread is not None:
                self._engine.stop()
                thread.join()
                self._engine.close()
            super().close()
            # They refer to each other: so the memory goes at once, not when the collector next runs.
            self._server = None
            self._engine.server = self._engine.on_cron = None
            if self._finalizer is not None:
                self._finalizer()

    def disown(self) -> None:
        """In the child of a fork: closes its copies of the sockets; every later call raises ClosedError."""
        self._serving = threading.Lock()
        self._thread = None
        super().disown()
        if self._journal is not None:
            assert self._finalizer is not None
            self._finalizer.detach()
            self._journal.disown()

    def __enter__(self) -> Store:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


# A child of os.fork() has a copy of the store and none of its threads: it is told so when it uses the copy.
# The fork waits until nobody is in a store, so that the copies are whole and can be freed.
_open_stores: weakref.WeakSet[Store] = weakref.WeakSet()
_held = threading.local()


def _close_all() -> None:
    # Before the interpreter ends: a thread that serves could not take the GIL then, and would keep the lock.
    for store in list(_open_stores):
        store.close()


def _before_fork() -> None:
    _held.stores = list(_open_stores)
    for store in _held.stores:
        store.hold()


def _after_fork_in_parent() -> None:
    for store in _held.stores:
        store.release()
    del _held.stores


def _after_fork_in_child() -> None:
    for store in _held.stores:
        store.release()
        store.disown()
    del _held.stores


atexit.register(_close_all)
os.register_at_fork(
    before=_before_fork, after_in_parent=_after_fork_in_parent, after_in_child=_after_fork_in_child
)


SYNC = ("everysec", "always", "never")


def open(  # noqa: A001
    path: str | os.PathLike[str] | None = None,
    *,
    maxmemory: int = 0,
    policy: str = "noeviction",
    databases: int = 16,
    ordered_keys: bool = False,
    sync: str = "everysec",
    readonly: bool = False,
    progress: Progress | None = None,
) -> Store:
    """A store in memory, new; or with a `path`, a directory, one that lasts: what it held is there again.

    `maxmemory` bounds, in bytes, what keys and values take, holes and index included (0: no limit); at the
    limit `policy`, named as in redis.conf, says what is evicted. `ordered_keys`: keep the keys in order as
    well, for `range` and `prefix`.

    With a path every change is with the system when a method returns, so that the end of the process loses
    nothing; `sync` says when it is on disk, which the end of the machine asks for: "always" before the method
    returns, "everysec" a second later at most, "never" when the system likes. `readonly`: nothing is
    written, not even a lock, and changes raise ReadOnlyError. `progress` is called with bytes read and bytes
    in all while the store is read; O(bytes).

    TypeError and ValueError name the argument that is wrong. LockedError names the process that has the
    directory open; DamagedError and FormatError file and offset of what can't be read; OSError.
    JournalWarning when a crash had torn the end.
    """
    for name, number in (("maxmemory", maxmemory), ("databases", databases)):
        if not isinstance(number, int):
            raise TypeError(f"{name} must be an int, not {type(number).__name__}: {number!r}")
    if not 0 <= maxmemory < 1 << 63:
        raise ValueError(f"maxmemory must be a number of bytes, 0 for no limit, not {maxmemory}")
    if not 1 <= databases <= 16:
        raise ValueError(f"databases must be from 1 to 16, not {databases}")
    if policy not in POLICIES:
        raise ValueError(f"policy must be one of {', '.join(POLICIES)}, not {policy!r}")
    if sync not in SYNC:
        raise ValueError(f"sync must be one of {', '.join(SYNC)}, not {sync!r}")
    if readonly and path is None:
        raise ValueError("readonly needs a path: a store in memory would be empty for ever")
    engine = Engine(databases=databases, seed=secrets.randbits(64))
    journal = None if path is None else _open_journal(engine, os.fspath(path), sync, readonly, progress)
    engine.configure(maxmemory=maxmemory)
    engine.set_policy(policy)
    engine.configure(ordered_keys=ordered_keys)
    options = {
        "maxmemory": str(maxmemory),
        "maxmemory-policy": policy,
        "databases": str(databases),
        "ordered-keys": "yes" if ordered_keys else "no",
        "port": "0",
    }
    if journal is not None:
        fsync = "no" if sync == "never" else sync
        options |= {"appendonly": "yes", "appendfsync": fsync, "dir": journal.path}
    return Store(engine, options, journal)


def _open_journal(
    engine: Engine, path: str, sync: str, readonly: bool, progress: Progress | None
) -> Journal | None:
    from gapless.engine.journal_core import JournalCore
    from gapless.journal.journal import Journal
    from gapless.journal.recovery import recover

    if readonly:
        core = JournalCore(engine)
        recover(core, path, progress)
        core.refuse("READONLY the store was opened with readonly=True")
        return None

    def say(text: str) -> None:
        warnings.warn(f"{path}: {text}", JournalWarning, stacklevel=1)

    journal = Journal(engine, path, policy=sync, say=say)
    journal.open(progress)
    return journal
