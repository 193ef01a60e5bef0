"""The embedded API: a mapping with redis-py's methods, on an engine in this process."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable, Iterator, Mapping, MutableMapping
from typing import TYPE_CHECKING, Any, cast

from gapless.engine.engine import Engine
from gapless.engine.store_core import StoreCore
from gapless.errors import JournalError, ResponseError
from gapless.resp import encode, read_reply

if TYPE_CHECKING:
    from types import TracebackType

    import redis
    from redis.asyncio import Redis as AsyncRedis

    from gapless.server.server import Server

Text = bytes | str


class Methods:
    """redis-py's methods for the commands that are not compiled into StoreCore."""

    def execute(self, *args: object) -> Any:
        """Run any command; what it replies, as bytes, int, list or None. ResponseError when it is refused."""
        raise NotImplementedError

    def incrbyfloat(self, name: Text, amount: float = 1.0) -> Any:
        return self.execute("INCRBYFLOAT", name, amount)

    def getrange(self, key: Text, start: int, end: int) -> Any:
        return self.execute("GETRANGE", key, start, end)

    def getset(self, name: Text, value: object) -> Any:
        return self.execute("GETSET", name, value)

    def getdel(self, name: Text) -> Any:
        return self.execute("GETDEL", name)

    def getex(
        self,
        name: Text,
        ex: int | None = None,
        px: int | None = None,
        exat: int | None = None,
        pxat: int | None = None,
        persist: bool = False,
    ) -> Any:
        times = [("EX", ex), ("PX", px), ("EXAT", exat), ("PXAT", pxat)]
        options = [part for word, time in times if time is not None for part in (word, time)]
        return self.execute("GETEX", name, *options, *(["PERSIST"] if persist else []))

    def msetnx(self, mapping: Mapping[Any, Any]) -> Any:
        return self.execute("MSETNX", *(part for pair in mapping.items() for part in pair))

    def setbit(self, name: Text, offset: int, value: int) -> Any:
        return self.execute("SETBIT", name, offset, value)

    def getbit(self, name: Text, offset: int) -> Any:
        return self.execute("GETBIT", name, offset)

    def bitcount(
        self, key: Text, start: int | None = None, end: int | None = None, mode: str | None = None
    ) -> Any:
        bounds = [part for part in (start, end, mode) if part is not None]
        return self.execute("BITCOUNT", key, *bounds)

    def bitop(self, operation: str, dest: Text, *keys: Text) -> Any:
        return self.execute("BITOP", operation, dest, *keys)

    def bitpos(
        self, key: Text, bit: int, start: int | None = None, end: int | None = None, mode: str | None = None
    ) -> Any:
        bounds = [part for part in (start, end, mode) if part is not None]
        return self.execute("BITPOS", key, bit, *bounds)

    def touch(self, *args: Text) -> Any:
        return self.execute("TOUCH", *args)

    def dump(self, name: Text) -> Any:
        return self.execute("DUMP", name)

    def restore(self, name: Text, ttl: int, value: bytes, replace: bool = False, absttl: bool = False) -> Any:
        options = [word for word, on in (("REPLACE", replace), ("ABSTTL", absttl)) if on]
        return self.execute("RESTORE", name, ttl, value, *options)

    def move(self, name: Text, db: int) -> Any:
        return self.execute("MOVE", name, db)

    def type(self, name: Text) -> Any:
        return self.execute("TYPE", name)


class Store(StoreCore, Methods, MutableMapping[Any, bytes]):
    """Keys and values in this process. See `gapless.open`. Safe from several threads."""

    def __init__(self, engine: Engine, options: dict[str, str]) -> None:
        super().__init__(engine)
        self._engine = engine
        self._options = options
        self._server: Server | None = None
        self._session: Any = None
        self._thread: threading.Thread | None = None

    # ---- the mapping

    def __iter__(self) -> Iterator[bytes]:
        return self.scan_iter()

    def __eq__(self, other: object) -> bool:
        return self is other

    def __hash__(self) -> int:
        return id(self)

    def __repr__(self) -> str:
        return f"<gapless.Store, {len(self)} keys>"

    def scan(
        self,
        cursor: int = 0,
        match: Text | None = None,
        count: int | None = None,
        _type: str | None = None,
    ) -> tuple[int, list[bytes]]:
        """One step over the keys: the next cursor, 0 at the end, and some keys."""
        options: list[object] = []
        for word, value in (("MATCH", match), ("COUNT", count), ("TYPE", _type)):
            if value is not None:
                options += [word, value]
        following, keys = self.execute("SCAN", cursor, *options)
        return int(following), keys

    def scan_iter(
        self, match: Text | None = None, count: int | None = None, _type: str | None = None
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

    def keys(self, pattern: Text = "*") -> list[bytes]:  # type: ignore[override]
        """The keys that match a pattern; O(keys)."""
        return cast("list[bytes]", self.execute("KEYS", pattern))

    # ---- commands

    def execute(self, *args: object) -> Any:
        """Run any command; what it replies, as bytes, int, list or None. ResponseError when it is refused."""
        reply = self.exclusively(lambda: self._reply([encode(arg) for arg in args]))
        result, _ = read_reply(reply) if reply else (None, 0)
        if isinstance(result, ResponseError):
            raise result
        return result

    def _reply(self, args: list[bytes]) -> bytes:
        if self._session is None:
            self._prepare()
            self._session = self._engine.new_session()
        self._session.db = self.db
        reply = self._engine.execute(self._session, args)
        self.db = self._session.db
        return reply

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

    def _connect(self) -> Callable[[list[bytes]], bytes]:
        self.exclusively(self._prepare)
        session = self._engine.new_session()
        return lambda command: self._engine.execute(session, command)

    def redis(self, **options: Any) -> redis.Redis:
        """A redis.Redis on this store, without a socket; takes its options, as `decode_responses`."""
        from gapless.bridge import client

        return client(self._connect, **options)

    def aioredis(self, **options: Any) -> AsyncRedis:
        """A redis.asyncio.Redis on this store, without a socket."""
        from gapless.bridge import async_client

        return async_client(self._connect, **options)

    # ---- server

    def _prepare(self) -> None:
        """Load the command table, at the first use of a command: the compiled methods do without."""
        if self._server is not None:
            return
        from gapless.commands.table import COMMANDS
        from gapless.server.config import Config
        from gapless.server.server import Server

        config = Config()
        config.load([part for name, value in self._options.items() for part in (f"--{name}", value)])
        server = Server(self._engine, config)
        self._engine.server = server
        self._engine.load_commands(COMMANDS)
        self._server = server

    def serve(self, port: int = 6379, host: str = "127.0.0.1") -> int:
        """Let Redis clients in, from a thread in the background, until `close()`; the port, chosen when 0.

        OSError when the address is taken, RuntimeError when it serves already.
        """
        import socket

        if self._thread is not None:
            raise RuntimeError("the store serves already")
        self.exclusively(self._prepare)
        listener = socket.create_server((host, port), backlog=511)
        bound = int(listener.getsockname()[1])
        self._engine.listen([listener.detach()])
        self._thread = threading.Thread(target=self._engine.run, name="gapless", daemon=True)
        self._thread.start()
        return bound

    def close(self) -> None:
        """Stop serving; every later call raises ClosedError. Closing twice is no error."""
        thread, self._thread = self._thread, None
        if thread is not None:
            self._engine.stop()
            thread.join()
            self._engine.close()
        super().close()

    def __enter__(self) -> Store:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


class Pipeline(Methods):
    """Commands queued by the methods of a store; `execute()` runs them and returns their results."""

    def __init__(self, store: Store, transaction: bool) -> None:
        self._store = store
        self._transaction = transaction
        self._queue: list[tuple[str, tuple[Any, ...], dict[str, Any]]] = []

    def __len__(self) -> int:
        return len(self._queue)

    def __enter__(self) -> Pipeline:
        return self

    def __exit__(self, *error: object) -> None:
        self.reset()

    def reset(self) -> None:
        """Forget what was queued."""
        self._queue.clear()

    def __getattribute__(self, name: str) -> Any:
        if name.startswith("_") or name in ("execute", "reset") or not hasattr(Store, name):
            return super().__getattribute__(name)

        def queue(*args: Any, **options: Any) -> Pipeline:
            self._queue.append((name, args, options))
            return self

        return queue

    def execute(self, raise_on_error: bool = True) -> list[Any]:  # type: ignore[override]
        """Run what was queued, in order; the results, errors among them unless they are to be raised."""
        queue, self._queue = self._queue, []
        results: list[Any] = []

        def run() -> None:
            for name, args, options in queue:
                try:
                    results.append(getattr(self._store, name)(*args, **options))
                except ResponseError as error:
                    results.append(error)

        if self._transaction:
            self._store.exclusively(run)
        else:
            run()
        for result in results:
            if raise_on_error and isinstance(result, ResponseError):
                raise result
        return results


def open(  # noqa: A001
    path: str | None = None,
    *,
    maxmemory: int = 0,
    policy: str = "noeviction",
    databases: int = 16,
) -> Store:
    """A new store in memory.

    `maxmemory` bounds, in bytes, what keys and values take, holes and index included (0: no limit); at the
    limit `policy`, named as in redis.conf, says what is evicted. JournalError for a `path`: stores that last
    are yet to come.
    """
    if path is not None:
        raise JournalError("this version keeps keys in memory only: call gapless.open() without a path")
    engine = Engine(databases=databases, seed=secrets.randbits(64))
    engine.configure(maxmemory=maxmemory)
    engine.set_policy(policy)
    options = {
        "maxmemory": str(maxmemory),
        "maxmemory-policy": policy,
        "databases": str(databases),
        "port": "0",
    }
    return Store(engine, options)
