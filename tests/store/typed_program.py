"""What a program that uses a store may say of its types: checked by test_typing.py, never run."""

from __future__ import annotations

from collections.abc import MutableMapping, MutableSequence, MutableSet

import gapless

with gapless.open() as store:
    mapping: MutableMapping[str, bytes] = store.hash("h")
    sequence: MutableSequence[bytes] = store.list("l")
    members: MutableSet[bytes] = store.set("s")
    is_set: bool | bytes | None = store.set("k", 1, ex=5)
    value: bytes | None = store.hget("h", "a")
    created: int = store.hset("h", mapping={"a": 1, "b": "x"})
    everything: dict[bytes, bytes] = store.hgetall("h")
    both: set[bytes] = store.sinter("s", "t")
    one: bytes = store.list("l")[0]
    some: list[bytes] = store.list("l")[1:3]
    popped: bytes | None = store.lpop("l")
    several: list[bytes] | None = store.lpop("l", 2)
    waited: tuple[bytes, bytes] | None = store.blpop("l", 1)
    for member, score in store.sorted_set("z").between(1, 2):
        print(member.decode(), score + 1)
    for entry, fields in store.stream("x"):
        print(entry.decode(), fields[b"a"].decode())
    store.zadd("z", {"a": 1.5})
    store.hash("h").update(a=1)
    store.pipeline().hset("h", "a", 1).zadd("z", {"a": 1}).execute()
    store.hash("h")["a"] = None  # type: ignore[assignment]
    store.hget("h")  # type: ignore[call-arg]
    text: str = store.get("k")  # type: ignore[assignment]
