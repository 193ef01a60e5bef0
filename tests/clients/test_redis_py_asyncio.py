"""redis-py's asyncio client: both protocols, its own parser and hiredis's."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import redis.asyncio as redis
from redis._parsers import _AsyncHiredisParser, _AsyncRESP2Parser, _AsyncRESP3Parser
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import AuthenticationError, ResponseError, WatchError
from redis.exceptions import TimeoutError as RedisTimeoutError

from tests.support.server import Server

PARSERS: dict[str, dict[int, Any]] = {
    "python": {2: _AsyncRESP2Parser, 3: _AsyncRESP3Parser},
    "hiredis": {2: _AsyncHiredisParser, 3: _AsyncHiredisParser},
}

ONCE = Retry(NoBackoff(), 0)

Client = Any
"""A redis.asyncio.Redis, whose own annotations describe the sync client as well."""

Talk = Callable[[Callable[[Client], Awaitable[None]]], None]


@pytest.fixture(params=["python", "hiredis"])
def parser(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture(params=[2, 3], ids=["RESP2", "RESP3"])
def talk(request: pytest.FixtureRequest, parser: str, server: Server) -> Talk:
    """Runs a coroutine function on a client of its own, in a loop of its own."""

    def run(conversation: Callable[[Client], Awaitable[None]]) -> None:
        async def connected() -> None:
            pool = redis.ConnectionPool(
                host="127.0.0.1",
                port=server.port,
                protocol=request.param,
                parser_class=PARSERS[parser][request.param],
                socket_timeout=5,
            )
            async with redis.Redis(connection_pool=pool) as client:
                await conversation(client)
            await pool.disconnect()

        asyncio.run(connected())

    return run


def test_values(talk: Talk) -> None:
    async def conversation(client: Client) -> None:
        assert await client.set("k", b"\x00\xff\r\n", ex=100) is True
        assert await client.get("k") == b"\x00\xff\r\n"
        assert await client.get("missing") is None
        assert 0 < await client.ttl("k") <= 100
        assert await client.incr("n") == 1
        assert await client.mget("n", "missing") == [b"1", None]
        assert (await client.info())["db0"]["keys"] == 2
        assert (await client.config_get("timeout")) == {"timeout": "0"}
        assert (await client.client_info())["lib-name"].startswith("redis-py")
        with pytest.raises(ResponseError, match="not an integer"):
            await client.incr("k")
        await client.set("big", b"x" * 3_000_000)
        assert await client.get("big") == b"x" * 3_000_000

    talk(conversation)


def test_many_at_once(talk: Talk) -> None:
    async def conversation(client: Client) -> None:
        results = await asyncio.gather(*(client.incr("n") for _ in range(60)))
        assert sorted(results) == list(range(1, 61))

    talk(conversation)


@pytest.mark.parametrize("transaction", [True, False])
def test_pipeline(talk: Talk, transaction: bool) -> None:
    async def conversation(client: Client) -> None:
        async with client.pipeline(transaction=transaction) as pipe:
            assert await pipe.set("a", 1).incr("a").get("a").execute() == [True, 2, b"2"]
            for i in range(3000):
                pipe.set(f"k{i}", i)
            assert await pipe.execute() == [True] * 3000

    talk(conversation)


def test_watch(talk: Talk) -> None:
    async def conversation(client: Client) -> None:
        async with client.pipeline() as pipe:
            await pipe.watch("a")
            await client.set("a", 2)
            pipe.multi()
            pipe.set("a", 3)
            with pytest.raises(WatchError):
                await pipe.execute()
        assert await client.get("a") == b"2"

    talk(conversation)


def test_scan_iter(talk: Talk) -> None:
    async def conversation(client: Client) -> None:
        wanted = {f"key:{i}".encode() for i in range(500)}
        await client.mset(dict.fromkeys(wanted, 1))
        assert {key async for key in client.scan_iter("key:*", count=20)} == wanted

    talk(conversation)


def test_timeout(talk: Talk) -> None:
    async def conversation(client: Client) -> None:
        client.connection_pool.connection_kwargs["socket_timeout"] = 0.2
        with pytest.raises(RedisTimeoutError):
            await client.execute_command("DEBUG", "SLEEP", "0.6")
        await asyncio.sleep(0.6)
        assert await client.ping()

    talk(conversation)


@pytest.mark.parametrize("protocol", [2, 3])
def test_password_and_unix_socket(locked: Server, protocol: int) -> None:
    async def conversation() -> None:
        async with redis.Redis(
            unix_socket_path=locked.unix_socket, protocol=protocol, password="secret"
        ) as client:
            assert await client.ping()
        async with redis.Redis(port=locked.port, protocol=protocol, password="wrong", retry=ONCE) as client:
            with pytest.raises(AuthenticationError):
                await client.ping()

    asyncio.run(conversation())


def test_commands_that_wait(talk: Talk) -> None:
    async def conversation(client: Client) -> None:
        waiting = [asyncio.create_task(client.blpop("queue", timeout=4)) for _ in range(5)]
        await asyncio.sleep(0.05)
        await client.rpush("queue", *range(5))
        found = await asyncio.gather(*waiting)
        assert sorted(element for _, element in found) == [b"0", b"1", b"2", b"3", b"4"]
        assert await client.blmove("queue", "done", 0.02) is None
        cancelled = asyncio.create_task(client.brpop("queue", timeout=4))
        await asyncio.sleep(0.05)
        cancelled.cancel()
        await asyncio.gather(cancelled, return_exceptions=True)
        await asyncio.sleep(0.05)
        await client.rpush("queue", "x")
        assert await client.lrange("queue", 0, -1) == [b"x"]

    talk(conversation)
