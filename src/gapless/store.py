"""The embedded API: a mapping with redis-py's methods, on an engine in this process."""

from __future__ import annotations

import atexit
import os
import secrets
import threading
from collections.abc import ItemsView, Iterator, MutableMapping, ValuesView
from typing import TYPE_CHECKING, Any, NoReturn
from weakref import WeakSet

from gapless.engine.engine import Engine
from gapless.engine.settings import POLICIES
from gapless.engine.store_core import StoreCore
from gapless.errors import JournalError
from gapless.methods import Methods
from gapless.pipeline import Pipeline
from gapless.views import Views

if TYPE_CHECKING:
    from types import TracebackType

    import redis
    from redis.asyncio import Redis as AsyncRedis

    from gapless.bridge import Peer
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

    def __init__(self, engine: Engine, options: dict[str, str]) -> None:
        super().__init__(engine)
        self._engine = engine
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
        # A program's store is saved when the program says so.
        config.values["save"] = self._options.get("save", "")
        server = Server(self._engine, config)
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
            if self._server is not None:
                self._server.persistence.close()
            super().close()
            # They refer to each other: so the memory goes at once, not when the collector next runs.
            self._server = None
            self._engine.server = self._engine.on_cron = None

    def disown(self) -> None:
        """In the child of a fork: closes its copies of the sockets; every later call raises ClosedError."""
        self._serving = threading.Lock()
        self._thread = None
        super().disown()

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
_open_stores: WeakSet[Store] = WeakSet()
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


def open(  # noqa: A001
    path: str | None = None,
    *,
    maxmemory: int = 0,
    policy: str = "noeviction",
    databases: int = 16,
    ordered_keys: bool = False,
) -> Store:
    """A new store in memory.

    `maxmemory` bounds, in bytes, what keys and values take, holes and index included (0: no limit); at the
    limit `policy`, named as in redis.conf, says what is evicted. `ordered_keys`: keep the keys in order as
    well, for `range` and `prefix`. JournalError for a `path`: stores that last
    are yet to come. TypeError and ValueError name the argument that is wrong.
    """
    if path is not None:
        raise JournalError("this version keeps keys in memory only: call gapless.open() without a path")
    for name, number in (("maxmemory", maxmemory), ("databases", databases)):
        if not isinstance(number, int):
            raise TypeError(f"{name} must be an int, not {type(number).__name__}: {number!r}")
    if not 0 <= maxmemory < 1 << 63:
        raise ValueError(f"maxmemory must be a number of bytes, 0 for no limit, not {maxmemory}")
    if not 1 <= databases <= 16:
        raise ValueError(f"databases must be from 1 to 16, not {databases}")
    if policy not in POLICIES:
        raise ValueError(f"policy must be one of {', '.join(POLICIES)}, not {policy!r}")
    engine = Engine(databases=databases, seed=secrets.randbits(64))
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
    return Store(engine, options)
