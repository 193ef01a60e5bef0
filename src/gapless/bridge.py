"""redis-py on a store in the same process: its connection classes, the engine where the socket would be."""

from __future__ import annotations

import asyncio
import errno
import socket
from collections import deque
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

import redis
import redis.asyncio
from redis.asyncio.connection import AbstractConnection as AsyncAbstractConnection
from redis.asyncio.connection import ConnectionPool as AsyncConnectionPool
from redis.connection import AbstractConnection, ConnectionPool

from gapless.resp import RequestReader

if TYPE_CHECKING:
    from gapless.engine.engine import Engine

Run = Callable[[Callable[[], Any]], Any]


class Peer:
    """A session of the engine, where the other end of a socket would be.

    Commands are executed as they come, in the caller's thread; one that waits keeps back those behind it.
    `run` enters the store to do something there, and raises when it is closed.
    """

    def __init__(self, engine: Engine, run: Run) -> None:
        self._engine = engine
        self._run = run
        self._session = engine.new_session()
        self._requests = RequestReader()
        self._commands: deque[list[bytes]] = deque()
        self._waits = False

    @property
    def waits(self) -> bool:
        """Whether a command waits, and with it those behind it."""
        return self._waits

    @property
    def wake_fd(self) -> int:
        """A descriptor that can be read from when `replies` will have some."""
        return self._session.wake_fd

    @property
    def time_left(self) -> float | None:
        """Seconds until the command that waits has timed out; None: it waits for ever."""
        return self._session.time_left

    def take(self, data: bytes) -> None:
        """What a client sends, in pieces of any size; the rest is up to `replies`."""
        self._commands.extend(self._requests.feed(data))

    def replies(self, seconds: float | None = 0) -> bytes:
        """Execute what is there; the replies. A command that waits may do so for `seconds` (None: any)."""
        replies = bytearray()
        while self._waits or self._commands:
            if self._waits:
                reply = self._session.wait(0 if replies else seconds)
                self._run(lambda: None)
                if reply is None:
                    break
                self._waits = False
            else:
                reply = self._run(lambda: self._engine.execute(self._session, self._commands.popleft()))
                self._waits = self._session.blocked
            replies += reply
        return bytes(replies)

    def close(self) -> None:
        """Wait no more."""
        self._session.abandon()
        self._commands.clear()
        self._waits = False


Connect = Callable[[], Peer]


class EngineSocket:
    """As much of a socket as redis-py uses. What is sent is executed at once; replies wait to be received."""

    def __init__(self, peer: Peer) -> None:
        self._peer = peer
        self._replies = bytearray()
        self._timeout: float | None = None

    def sendall(self, data: bytes) -> None:
        self._peer.take(bytes(data))
        self._replies += self._peer.replies()

    def recv(self, size: int, flags: int = 0) -> bytes:
        if not self._replies:
            self._replies += self._peer.replies(self._timeout)
        if not self._replies:
            if self._peer.waits and self._timeout != 0:
                raise TimeoutError("timed out")
            # None will come: nothing is under way.
            raise BlockingIOError(errno.EWOULDBLOCK, "there is no reply")
        data = bytes(self._replies[:size])
        if not flags & socket.MSG_PEEK:
            del self._replies[:size]
        return data

    def recv_into(self, buffer: bytearray) -> int:
        data = self.recv(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def pending(self, seconds: float | None) -> bool:
        if not self._replies:
            self._replies += self._peer.replies(seconds)
        return bool(self._replies)

    def settimeout(self, seconds: float | None) -> None:
        self._timeout = seconds

    def gettimeout(self) -> float | None:
        return self._timeout

    def shutdown(self, how: int) -> None:
        """Nothing is buffered in between."""

    def close(self) -> None:
        self._replies.clear()
        self._peer.close()


class StoreConnection(AbstractConnection):
    """A connection of redis-py to a store."""

    def __init__(self, store_connect: Connect, **options: Any) -> None:
        self._store_connect = store_connect
        super().__init__(**options)

    def repr_pieces(self) -> list[tuple[str, object]]:
        return [("store", "in this process"), ("db", self.db)]

    def _connect(self) -> EngineSocket:
        engine_socket = EngineSocket(self._store_connect())
        engine_socket.settimeout(self.socket_timeout)
        return engine_socket

    def _host_error(self) -> str:
        return "the store in this process"

    def can_read(self, timeout: float = 0) -> bool:
        return self._sock is not None and self._sock.pending(timeout)


class EngineWriter:
    """As much of an asyncio.StreamWriter as redis-py uses; replies go to the reader beside it.

    Nothing blocks the event loop: it watches the descriptor of a session that waits.
    """

    def __init__(self, peer: Peer, reader: asyncio.StreamReader) -> None:
        self._peer = peer
        self._reader = reader
        self._loop = asyncio.get_running_loop()
        self._watched: int | None = None
        self._timer: asyncio.TimerHandle | None = None

    def write(self, data: bytes) -> None:
        self._peer.take(bytes(data))
        if self._watched is None:
            self._go_on()

    def _go_on(self) -> None:
        self._watch(False)
        replies = self._peer.replies()
        if replies:
            self._reader.feed_data(replies)
        self._watch(self._peer.waits)

    def _woken(self) -> None:
        try:
            self._go_on()
        except Exception as error:
            # The store has been closed: who waits for the reply is told.
            self._reader.set_exception(error)

    def _watch(self, on: bool) -> None:
        if self._watched is not None:
            self._loop.remove_reader(self._watched)
            self._watched = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if on:
            self._watched = self._peer.wake_fd
            self._loop.add_reader(self._watched, self._woken)
            seconds = self._peer.time_left
            if seconds is not None:
                self._timer = self._loop.call_later(seconds, self._woken)

    def writelines(self, parts: Iterable[bytes]) -> None:
        self.write(b"".join(parts))

    async def drain(self) -> None:
        """Gives other tasks a turn, as a real connection would."""
        await asyncio.sleep(0)

    def is_closing(self) -> bool:
        return False

    def get_extra_info(self, name: str, default: object = None) -> object:
        return default

    def close(self) -> None:
        """The session ends with its last reference."""
        self._watch(False)
        self._peer.close()

    async def wait_closed(self) -> None:
        """It is closed at once."""


class AsyncStoreConnection(AsyncAbstractConnection):
    """A connection of redis.asyncio to a store."""

    def __init__(self, store_connect: Connect, **options: Any) -> None:
        self._store_connect = store_connect
        super().__init__(**options)

    def repr_pieces(self) -> list[tuple[str, object]]:
        return [("store", "in this process"), ("db", self.db)]

    async def _connect(self) -> None:
        self._reader = asyncio.StreamReader()
        self._writer = EngineWriter(self._store_connect(), self._reader)  # type: ignore[assignment]

    def _host_error(self) -> str:
        return "the store in this process"


def client(connect: Connect, **options: Any) -> redis.Redis:
    """A redis.Redis; options are those of redis.Redis that concern neither host nor socket."""
    pool = ConnectionPool(connection_class=StoreConnection, store_connect=connect, **options)
    return redis.Redis(connection_pool=pool)


def async_client(connect: Connect, **options: Any) -> redis.asyncio.Redis:
    """A redis.asyncio.Redis, likewise."""
    pool = AsyncConnectionPool(connection_class=AsyncStoreConnection, store_connect=connect, **options)
    return redis.asyncio.Redis(connection_pool=pool)
