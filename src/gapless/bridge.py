"""redis-py on a store in the same process: its connection classes, the engine where the socket would be."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Iterable
from typing import Any

import redis
import redis.asyncio
from redis.asyncio.connection import AbstractConnection as AsyncAbstractConnection
from redis.asyncio.connection import ConnectionPool as AsyncConnectionPool
from redis.connection import AbstractConnection, ConnectionPool

from gapless.resp import RequestReader

# Runs one command in a session of its own; returns the reply as it would go over the wire.
Execute = Callable[[list[bytes]], bytes]
# Makes a session and returns its Execute.
Connect = Callable[[], Execute]


class EngineSocket:
    """As much of a socket as redis-py uses. What is sent is executed at once; replies wait to be received."""

    def __init__(self, execute: Execute) -> None:
        self._execute = execute
        self._requests = RequestReader()
        self._replies = bytearray()

    def sendall(self, data: bytes) -> None:
        for command in self._requests.feed(bytes(data)):
            self._replies += self._execute(command)

    def recv(self, size: int, flags: int = 0) -> bytes:
        if not self._replies:
            # No reply will come: nothing is under way in another thread.
            raise BlockingIOError("there is no reply")
        data = bytes(self._replies[:size])
        if not flags & socket.MSG_PEEK:
            del self._replies[:size]
        return data

    def recv_into(self, buffer: bytearray) -> int:
        data = self.recv(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def pending(self) -> bool:
        return bool(self._replies)

    def settimeout(self, seconds: float | None) -> None:
        """Nothing here waits."""

    def gettimeout(self) -> float | None:
        return None

    def shutdown(self, how: int) -> None:
        """Nothing is buffered in between."""

    def close(self) -> None:
        self._replies.clear()


class StoreConnection(AbstractConnection):
    """A connection of redis-py to a store."""

    def __init__(self, store_connect: Connect, **options: Any) -> None:
        self._store_connect = store_connect
        super().__init__(**options)

    def repr_pieces(self) -> list[tuple[str, object]]:
        return [("store", "in this process"), ("db", self.db)]

    def _connect(self) -> EngineSocket:
        return EngineSocket(self._store_connect())

    def _host_error(self) -> str:
        return "the store in this process"

    def can_read(self, timeout: float = 0) -> bool:
        return self._sock is not None and self._sock.pending()


class EngineWriter:
    """As much of an asyncio.StreamWriter as redis-py uses; replies go to the reader beside it."""

    def __init__(self, execute: Execute, reader: asyncio.StreamReader) -> None:
        self._execute = execute
        self._requests = RequestReader()
        self._reader = reader

    def write(self, data: bytes) -> None:
        for command in self._requests.feed(bytes(data)):
            reply = self._execute(command)
            if reply:
                self._reader.feed_data(reply)

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
