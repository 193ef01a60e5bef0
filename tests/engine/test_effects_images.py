"""Images in parts: while one is written its key goes on changing, and who begins to read at its first part has the key in the end all the same."""

from __future__ import annotations

import random

import pytest

from gapless.commands.table import COMMANDS
from gapless.engine import effects_core
from gapless.engine.engine import Engine
from tests.engine.commands import Client
from tests.engine.history import START_MS

COUNT = 2000


class Journal:
    """An engine, and what it has recorded since a point from which somebody begins to read."""

    def __init__(self, seed: int) -> None:
        self.engine = Engine(segment_bytes=1 << (12 + seed % 3 * 4), address_bytes=1 << 34, seed=seed)
        self.engine.load_commands(COMMANDS)
        self.engine.configure(clock_ms=START_MS)
        self.client = Client(self.engine)
        effects_core.record(self.engine, True, 1)
        self.bodies: list[tuple[bytes, int, int]] = []
        self.file = 1

    def take(self) -> None:
        body, time_ms = effects_core.take(self.engine)
        self.bodies.append((body, time_ms, self.file))

    def next_file(self) -> None:
        self.take()
        self.file += 1
        effects_core.change_file(self.engine, self.file)

    def replayed(self, first_file: int) -> Engine:
        """A store of what lies in the files from this one on."""
        engine = Engine(segment_bytes=1 << 16, address_bytes=1 << 34, seed=77)
        engine.load_commands(COMMANDS)
        for body, time_ms, file in self.bodies:
            if file >= first_file:
                effects_core.apply(engine, body, time_ms, file, first_file > 1)
        engine.configure(clock_ms=effects_core.now_ms(self.engine))
        return engine

    def same(self, first_file: int) -> None:
        self.take()
        engine = self.replayed(first_file)
        assert effects_core.held(engine) == effects_core.held(self.engine)
        assert engine.check() is None
        engine.close()


def populate(journal: Journal) -> None:
    client = journal.client
    elements = [f"e{i}" for i in range(COUNT)]
    client("HSET", "hash", *(word for element in elements for word in (element, "v" * 12)))
    client("RPUSH", "list", *elements)
    client("SADD", "set", *elements)
    client("ZADD", "zset", *(word for i, element in enumerate(elements) for word in (str(i), element)))
    client("XGROUP", "CREATE", "stream", "g", 0, "MKSTREAM")
    for i in range(COUNT):
        client("XADD", "stream", f"{i + 1}-1", "f", f"value-{i}")
    client("XREADGROUP", "GROUP", "g", "c", "COUNT", COUNT // 2, "STREAMS", "stream", ">")


def change(client: Client, key: str, rng: random.Random, next_id: int) -> None:
    """Something here and there; a collection never becomes empty by it."""
    element = f"e{rng.randrange(COUNT * 2)}"
    kind = rng.randrange(4)
    if key == "hash":
        client("HDEL", key, element) if kind == 0 else client(
            "HSET", key, element, "w" * rng.randrange(2000 if kind == 1 else 20)
        )
    elif key == "set":
        client("SREM", key, element) if kind < 2 else client("SADD", key, element)
    elif key == "zset":
        client("ZREM", key, element) if kind == 0 else client("ZADD", key, rng.randrange(1000), element)
    elif key == "list":
        length = int(client("LLEN", key)[1:])
        at = rng.randrange(length)
        if kind == 0 and length > 50:
            count = rng.choice([1, 1, 1, 40])
            client("LTRIM", key, *((count, -1) if rng.random() < 0.5 else (0, -1 - count)))
        elif kind == 1 and length > 50:
            client("LREM", key, 1, client.bulk("LINDEX", key, at) or b"")
        elif kind == 2:
            client("LSET", key, at, element)
        else:
            client(rng.choice(["LPUSH", "RPUSH"]), key, *[element] * rng.choice([1, 1, 50]))
            client("LINSERT", key, "BEFORE", client.bulk("LINDEX", key, at) or b"", element + "i")
    elif kind == 0:
        client("XDEL", key, f"{rng.randrange(COUNT)}-1")
    elif kind == 1:
        client("XREADGROUP", "GROUP", "g", rng.choice("cd"), "COUNT", 5, "STREAMS", key, ">")
    elif kind == 2:
        client("XACK", key, "g", f"{rng.randrange(COUNT)}-1", f"{rng.randrange(COUNT)}-1")
    else:
        client("XADD", key, "MAXLEN", COUNT, f"{next_id}-1", "f", "v" * rng.randrange(50))


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("key", ["hash", "list", "set", "stream", "zset"])
def test_an_image_in_parts_of_a_key_that_changes(key: str, seed: int) -> None:
    rng = random.Random(f"{key}{seed}")
    journal = Journal(seed)
    populate(journal)
    for name in {"hash", "list", "set", "stream", "zset"} - {key}:
        journal.client("DEL", name)
    journal.next_file()
    next_id = COUNT + 1
    for _ in range(10):
        change(journal.client, key, rng, next_id)
        next_id += 1
    journal.next_file()
    assert effects_core.begin_image(journal.engine, key.encode())
    done = False
    parts = 0
    while not done:
        for _ in range(rng.randrange(4)):
            change(journal.client, key, rng, next_id)
            next_id += 1
            while rng.random() < 0.5 and journal.engine.background(100):
                pass
        if rng.random() < 0.3:
            journal.take()
        if rng.random() < 0.1:
            journal.next_file()
        done = effects_core.image_go_on(journal.engine, rng.choice([1, 200, 1000]))
        parts += 1
    assert parts > 2
    for _ in range(10):
        change(journal.client, key, rng, next_id)
        next_id += 1
    # Its base is the file in which the image began, whoever reads: from there, from before, or from the start.
    for first_file in (3, 2, 1):
        journal.same(first_file)
    journal.engine.close()


@pytest.mark.parametrize(
    "command",
    ["DEL key", "SET key v", "RENAME key other", "RENAME big key", "FLUSHALL", "SUNIONSTORE key big big"],
)
def test_an_image_is_not_gone_on_with_when_its_key_is_another_values(command: str) -> None:
    journal = Journal(1)
    journal.client("SADD", "key", *range(COUNT))
    journal.client("SADD", "big", *range(COUNT, 2 * COUNT))
    journal.next_file()
    assert effects_core.begin_image(journal.engine, b"key")
    assert not effects_core.image_go_on(journal.engine, 100)
    journal.client(*command.split())
    assert effects_core.image_go_on(journal.engine, 100)
    assert effects_core.image_go_on(journal.engine, 100)
    journal.same(1)
    journal.engine.close()


def test_an_image_that_was_not_ended_is_begun_again() -> None:
    journal = Journal(1)
    journal.client("RPUSH", "key", *range(COUNT))
    journal.next_file()
    assert effects_core.begin_image(journal.engine, b"key")
    assert not effects_core.image_go_on(journal.engine, 100)
    journal.next_file()
    assert effects_core.begin_image(journal.engine, b"key")
    while not effects_core.image_go_on(journal.engine, 1000):
        pass
    for first_file in (2, 1):
        journal.same(first_file)
    journal.engine.close()


def test_swapped_databases_keep_an_image_going() -> None:
    journal = Journal(1)
    journal.client("SADD", "key", *range(COUNT))
    journal.next_file()
    assert effects_core.begin_image(journal.engine, b"key")
    journal.client("SWAPDB", 0, 3)
    while not effects_core.image_go_on(journal.engine, 1000):
        pass
    journal.client("SWAPDB", 0, 3)
    for first_file in (2, 1):
        journal.same(first_file)
    journal.engine.close()
