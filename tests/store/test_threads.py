"""Several threads, a server beside them, the end in the middle of it, and children of a fork."""

from __future__ import annotations

import contextlib
import gc
import os
import pickle
import random
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator

import pytest
import redis

import gapless


@pytest.fixture
def store() -> Iterator[gapless.Store]:
    with gapless.open() as opened:
        yield opened
        assert opened.check() is None


def run_all(*jobs: Callable[[], object]) -> None:
    """Runs each in a thread of its own; raises what one of them raised."""
    failures: list[BaseException] = []

    def guarded(job: Callable[[], object]) -> None:
        try:
            job()
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=guarded, args=(job,)) for job in jobs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive()
    if failures:
        raise failures[0]


def mix(store: gapless.Store, seed: int, steps: int = 3000) -> None:
    """Everything that changes or reads a store, on few keys."""
    rng = random.Random(seed)
    client = store.redis()
    for step in range(steps):
        key, other = f"k{rng.randrange(50)}", f"k{rng.randrange(50)}"
        what = rng.randrange(16)
        with contextlib.suppress(gapless.ResponseError, redis.ResponseError, KeyError):
            if what == 0:
                store[key] = rng.randbytes(rng.randrange(3000))
            elif what == 1:
                store.set(key, "x" * rng.randrange(400), px=rng.randrange(1, 20))
            elif what == 2:
                store.get(key)
            elif what == 3:
                store.append(key, "tail")
            elif what == 4:
                store.delete(key, other)
            elif what == 5:
                store.mget([key, other, "missing"])
            elif what == 6:
                store.expire(key, rng.randrange(1, 5))
            elif what == 7:
                store.rename(key, other)
            elif what == 8:
                store.copy(key, other, replace=True)
            elif what == 9:
                store.setrange(key, rng.randrange(200_000), "x")
            elif what == 10:
                store.execute("SETBIT", key, rng.randrange(2000), 1)
            elif what == 11:
                store.pipeline().incr("counter").incr("counter").execute()
            elif what == 12:
                client.pipeline().set(key, "y").get(key).execute()
            elif what == 13:
                list(store.scan_iter())
            elif what == 14:
                dict(store.items())
            elif step % 50 == 0:
                store.flushdb() if seed % 2 else store.background()
            else:
                store.pop(key)
    client.close()


def test_threads_with_everything(store: gapless.Store) -> None:
    run_all(*(lambda seed=seed: mix(store, seed, 1500) for seed in range(5)))


def test_threads_while_it_serves(store: gapless.Store) -> None:
    ready = threading.Event()
    ports: list[int] = []

    def write() -> None:
        for number in range(4000):
            store.set(b"%d" % number, b"x" * 50, ex=5)
            store.incr("direct")
            if number == 500:
                ready.set()

    def serve() -> None:
        ready.wait(30)
        ports.append(store.serve(0))
        client = redis.Redis(port=ports[0])
        for _ in range(300):
            client.incr("direct")
            store.execute("INCR", "direct")
        assert client.info("server")["tcp_port"] == ports[0]
        client.close()

    run_all(write, write, serve)
    assert store["direct"] == b"%d" % (2 * 4000 + 600)


def test_it_serves_from_the_start_to_the_end(store: gapless.Store) -> None:
    """Not ended by a SHUTDOWN before; and a close that overtakes the thread's start is not lost."""
    with pytest.raises(gapless.ResponseError, match="belongs to a program"):
        store.execute("SHUTDOWN")
    with redis.Redis(port=store.serve(0), socket_timeout=30) as client:
        assert client.ping()
    for _ in range(100):
        with gapless.open() as brief:
            brief.serve(0)


def test_only_one_of_several_serves(store: gapless.Store) -> None:
    results: list[object] = []

    def serve() -> None:
        try:
            results.append(store.serve(0))
        except RuntimeError as error:
            results.append(error)

    run_all(*[serve] * 5)
    assert sum(isinstance(each, int) for each in results) == 1


def test_only_one_thread_gets_what_is_popped(store: gapless.Store) -> None:
    popped: list[bytes] = []

    def pop() -> None:
        for number in range(500):
            value = store.pop(str(number), None)
            if value is not None:
                popped.append(value)

    store.mset({str(number): str(number) for number in range(500)})
    run_all(*[pop] * 4)
    assert sorted(popped, key=int) == [b"%d" % number for number in range(500)]


@pytest.mark.parametrize("served", [False, True])
def test_close_while_others_are_inside(served: bool) -> None:
    store = gapless.open()
    if served:
        client = redis.Redis(port=store.serve(0))
        client.ping()
    started = threading.Barrier(5)

    def use(seed: int) -> None:
        started.wait(30)
        with pytest.raises(gapless.ClosedError):
            while True:
                mix(store, seed, 100)

    def close() -> None:
        started.wait(30)
        time.sleep(0.1)
        store.close()

    run_all(*(lambda seed=seed: use(seed) for seed in range(4)), close)
    if served:
        with pytest.raises(redis.ConnectionError):
            client.ping()


def test_after_close_all_doors_are_shut() -> None:
    store = gapless.open()
    client, pipe, keys = store.redis(), store.pipeline().get("k"), iter(store)
    client.set("k", "v")
    store.close()
    for use in (
        lambda: client.get("k"), pipe.execute, lambda: next(keys), store.redis().ping, lambda: store.serve(0),
        store.check, store.memory, lambda: "k" in store, lambda: store.set("k", "v", ex=5), store.background,
    ):  # fmt: skip
        with pytest.raises(gapless.ClosedError, match="closed"):
            use()
    assert repr(store) == "<gapless.Store, closed>"


def test_watched_keys_notice_whole_databases(store: gapless.Store) -> None:
    client = store.redis()
    for change in (store.flushdb, store.flushall, lambda: store.swapdb(0, 1), store.clear):
        client.flushall()
        client.set("k", "v")
        with client.pipeline() as pipe:
            pipe.watch("k")
            change()
            pipe.multi()
            pipe.get("k")
            with pytest.raises(redis.WatchError):
                pipe.execute()


def test_many_stores_in_one_process() -> None:
    stores = [gapless.open() for _ in range(25)]
    for number, store in enumerate(stores):
        store["k"] = str(number)
    assert [store["k"] for store in stores] == [b"%d" % number for number in range(25)]


def test_memory_goes_with_close() -> None:
    # Without the collector: a thousand that stayed would need more addresses than there are.
    gc.collect()
    gc.disable()
    try:
        for _ in range(1000):
            with gapless.open() as store:
                store.execute("SET", "k", "v")
                store["large"] = bytes(70_000)
    finally:
        gc.enable()


def test_it_is_not_pickled(store: gapless.Store) -> None:
    with pytest.raises(TypeError, match=r"serve\(\)"):
        pickle.dumps(store)


FORKED = """
    import os, sys, threading, time
    import gapless, redis

    store = gapless.open()
    store["k"] = "v"
    if "serve" in sys.argv:
        client = redis.Redis(port=store.serve(0))
        client.ping()
    busy = "busy" in sys.argv
    def write():
        while busy:
            store.set("other", "x" * 100)
    threading.Thread(target=write, daemon=True).start()
    session = store.redis()
    session.ping()
    for _ in range(20):
        child = os.fork()
        if child == 0:
            wrong = 0
            for use in (lambda: store["k"], lambda: store.set("k", "w"), session.ping, lambda: store.serve(0)):
                try:
                    use()
                    wrong += 1
                except gapless.ClosedError as error:
                    wrong += "fork" not in str(error)
            store.close()
            with gapless.open() as own:
                own["k"] = "mine"
                wrong += own["k"] != b"mine" or own.check() is not None
            del store, session
            os._exit(wrong)
        assert os.waitpid(child, 0)[1] == 0
        assert store["k"] == b"v"
        if "serve" in sys.argv:
            assert client.get("k") == b"v"
    busy = False
    assert store.check() is None
"""


@pytest.mark.parametrize("how", ["alone", "serve", "busy", "serve busy"])
def test_a_child_of_a_fork_is_told(how: str) -> None:
    program = [sys.executable, "-W", "ignore", "-c", textwrap.dedent(FORKED), *how.split()]
    done = subprocess.run(program, capture_output=True, text=True, timeout=60, env=dict(os.environ))
    assert (done.returncode, done.stderr) == (0, "")
