"""Waiting inside the process: a thread waits without the GIL and without the engine, a task without its event loop."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import redis

import gapless
from tests.support.raw import RawConnection

SOON = 5.0


@contextmanager
def opened() -> Iterator[gapless.Store]:
    with gapless.open() as store:
        yield store
        assert store.check() is None


class Waiting:
    """A call in a thread of its own."""

    def __init__(self, call: Callable[[], Any]) -> None:
        self._call = call
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.result: Any = None
        self.error: BaseException | None = None
        self._thread.start()

    def _run(self) -> None:
        try:
            self.result = self._call()
        except BaseException as error:
            self.error = error

    def waits(self) -> bool:
        return self._thread.is_alive()

    def join(self) -> Any:
        self._thread.join(SOON)
        assert not self._thread.is_alive(), "it still waits"
        return self.result


def blocked(store: gapless.Store) -> int:
    """How many sessions wait."""
    text = store.execute("INFO", "clients").decode()
    return int(text.partition("blocked_clients:")[2].split()[0])


def until_blocked(store: gapless.Store, count: int = 1) -> None:
    deadline = time.monotonic() + SOON
    while blocked(store) != count:
        assert time.monotonic() < deadline, "nobody waits"
        time.sleep(0.001)


@pytest.mark.parametrize(
    "push",
    [
        lambda store: store.rpush("k", "a"),
        lambda store: store.execute("RPUSH", "k", "a"),
        lambda store: (store.rpush("other", "a"), store.rename("other", "k")),
        lambda store: (store.rpush("other", "a"), store.copy("other", "k")),
        lambda store: store.pipeline().rpush("k", "x").rpush("k", "a").lpop("k").execute(),
        lambda store: store.redis().rpush("k", "a"),
        lambda store: store.redis().pipeline(transaction=True).rpush("k", "a").execute(),
        lambda store: store.exclusively(lambda: store.rpush("k", "a")),
    ],
)
def test_woken_by_whatever_makes_the_key(push: Callable[[gapless.Store], Any]) -> None:
    with opened() as store:
        waiting = Waiting(lambda: store.blpop("k", timeout=SOON))
        until_blocked(store)
        push(store)
        assert waiting.join() == (b"k", b"a")
        assert not store.exists("k")


def test_the_time_is_up() -> None:
    with opened() as store:
        start = time.monotonic()
        assert store.blpop("k", timeout=0.05) is None
        assert store.blmove("k", "d", 0.05) is None
        assert 0.1 <= time.monotonic() - start < SOON
        assert blocked(store) == 0


def test_others_go_on_meanwhile() -> None:
    with opened() as store:
        waiting = [Waiting(lambda: store.brpop(["k", "other"], timeout=SOON)) for _ in range(8)]
        until_blocked(store, 8)
        store.set("s", "x")
        assert store.get("s") == b"x"
        assert store.execute("PING") == b"PONG"
        for n in range(8):
            store.rpush("k", n)
        assert sorted(each.join()[1] for each in waiting) == [b"%d" % n for n in range(8)]


def test_what_is_there_is_popped_at_once() -> None:
    with opened() as store:
        store.rpush("k", "a", "b", "c")
        assert store.blpop("k", timeout=0) == (b"k", b"a")
        assert store.blmove("k", "d", 0, "RIGHT", "LEFT") == b"c"
        assert store.blmpop(0, 1, "k", direction="LEFT") == [b"k", [b"b"]]


def test_in_a_call_that_keeps_others_out_the_time_is_up_at_once() -> None:
    with opened() as store:
        assert store.exclusively(lambda: store.blpop("k", timeout=0)) is None
        assert store.pipeline().blpop("k", timeout=0).set("s", "x").execute() == [None, True]
        assert store.redis().pipeline(transaction=True).blpop("k", timeout=0).execute() == [None]
        waiting = Waiting(lambda: store.pipeline(transaction=False).blpop("k", timeout=SOON).execute())
        until_blocked(store)
        store.rpush("k", "a")
        assert waiting.join() == [(b"k", b"a")]


def test_the_session_that_waits_is_not_everybodys() -> None:
    with opened() as store:
        waiting = Waiting(lambda: store.blpop("k", timeout=SOON))
        until_blocked(store)
        store.execute("SELECT", 1)
        store.rpush("k", "one")
        store.execute("SELECT", 0)
        assert waiting.waits()
        store.rpush("k", "zero")
        assert waiting.join() == (b"k", b"zero")
        assert store.db == 0


def test_close_ends_the_waiting() -> None:
    store = gapless.open()
    connection = store.redis(socket_timeout=None)
    waiting = [
        Waiting(lambda: store.blpop("k", timeout=0)),
        Waiting(lambda: connection.blpop("k", timeout=0)),
    ]
    until_blocked(store, 2)
    store.close()
    for each in waiting:
        each.join()
        assert isinstance(each.error, gapless.ClosedError)


def test_client_unblock() -> None:
    with opened() as store:
        connection = store.redis()
        number = connection.client_id()
        waiting = Waiting(lambda: connection.blpop("k", timeout=0))
        until_blocked(store)
        assert store.redis().client_unblock(number, error=True)
        waiting.join()
        assert isinstance(waiting.error, redis.ResponseError)
        assert str(waiting.error).startswith("UNBLOCKED")


def test_a_socket_timeout_is_one_and_forgets_who_waited() -> None:
    with opened() as store:
        connection = store.redis(socket_timeout=0.05, retry=None)
        with pytest.raises(redis.TimeoutError):
            connection.blpop("k", timeout=0)
        assert blocked(store) == 0
        store.rpush("k", "a")
        assert store.lrange("k", 0, -1) == [b"a"]
        assert connection.blpop("k", timeout=0) == (b"k", b"a")


def test_commands_behind_one_that_waits() -> None:
    with opened() as store:
        pipeline = store.redis().pipeline(transaction=False)
        pipeline.rpush("j", 1).blpop("k", timeout=SOON).rpush("j", 2).blpop("none", timeout=0.01).llen("j")
        waiting = Waiting(pipeline.execute)
        until_blocked(store)
        assert store.lrange("j", 0, -1) == [b"1"]
        store.rpush("k", "a")
        assert waiting.join() == [1, (b"k", b"a"), 2, None, 2]


def test_a_client_of_the_server_and_a_thread() -> None:
    with opened() as store, RawConnection(("127.0.0.1", store.serve(0))) as client:
        waiting = Waiting(lambda: store.blpop("k", timeout=SOON))
        until_blocked(store)
        client.call("RPUSH", "k", "from the client")
        assert waiting.join() == (b"k", b"from the client")
        client.send(b"BLPOP k 5\r\nPING\r\n")
        until_blocked(store)
        store.rpush("k", "from the thread")
        assert client.read_reply() == b"*2\r\n$1\r\nk\r\n$15\r\nfrom the thread\r\n"
        assert client.read_reply() == b"+PONG\r\n"
        assert store.blpop("k", timeout=0.02) is None
        assert client.call("BLPOP", "k", "0.02") == b"*-1\r\n"


def test_a_queue_between_threads() -> None:
    """Each element is taken once."""
    count, workers = 3000, 6
    with opened() as store:
        taken: list[list[bytes]] = [[] for _ in range(workers)]

        def work(mine: list[bytes]) -> None:
            while (found := store.blpop("jobs", timeout=SOON)) is not None and found[1] != b"end":
                mine.append(found[1])

        threads = [threading.Thread(target=work, args=(mine,)) for mine in taken]
        for thread in threads:
            thread.start()
        for n in range(count):
            store.rpush("jobs", n)
        store.rpush("jobs", *["end"] * workers)
        for thread in threads:
            thread.join()
        assert sorted(int(each) for mine in taken for each in mine) == list(range(count))
        assert blocked(store) == 0
        assert not store.exists("jobs")


def test_asyncio() -> None:
    async def talk(store: gapless.Store) -> None:
        client = store.aioredis()
        ticks = 0

        async def tick() -> None:
            nonlocal ticks
            while True:
                await asyncio.sleep(0.001)
                ticks += 1

        ticking = asyncio.create_task(tick())
        tasks = [asyncio.create_task(client.blpop("k", timeout=SOON)) for _ in range(5)]
        while blocked(store) < 5:
            await asyncio.sleep(0.001)
        before = ticks
        await asyncio.sleep(0.05)
        assert ticks > before + 5, "the event loop is blocked"
        await client.rpush("k", 1, 2)
        await asyncio.to_thread(lambda: store.rpush("k", 3, 4, 5))
        assert sorted(pair[1] for pair in await asyncio.gather(*tasks)) == [b"1", b"2", b"3", b"4", b"5"]
        assert await client.blpop("k", timeout=0.02) is None
        ticking.cancel()
        await client.aclose()

    with opened() as store:
        asyncio.run(talk(store))


def test_asyncio_task_that_is_cancelled_gets_nothing() -> None:
    async def talk(store: gapless.Store) -> None:
        client = store.aioredis()
        task = asyncio.create_task(client.blpop("k", timeout=0))
        while blocked(store) < 1:
            await asyncio.sleep(0.001)
        await asyncio.sleep(0.02)  # it reads now: asyncio.wait_for() around the sending may lose a cancellation
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await client.aclose()
        assert blocked(store) == 0
        store.rpush("k", "a")
        assert store.lrange("k", 0, -1) == [b"a"]

    with opened() as store:
        asyncio.run(talk(store))


def test_asyncio_close_ends_the_waiting() -> None:
    async def talk(store: gapless.Store) -> None:
        client = store.aioredis(retry=None)
        task = asyncio.create_task(client.blpop("k", timeout=0))
        while blocked(store) < 1:
            await asyncio.sleep(0.001)
        store.close()
        with pytest.raises((gapless.ClosedError, redis.RedisError)):
            await asyncio.wait_for(task, SOON)

    asyncio.run(talk(gapless.open()))
