"""The views of collections against Python's own: random histories on both, and what users of dict, list and set expect."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, MutableMapping, MutableSequence, MutableSet
from typing import Any

import pytest
import redis
from hypothesis import given
from hypothesis import strategies as st

import gapless

ELEMENTS = st.sampled_from([b"", b"a", b"b", b"c", b"\x00\xff", b"12", b"x" * 70, b"y" * 1500, *(b"%d" % n for n in range(30))])
PLACES = st.integers(-12, 12)
SLICES = st.builds(slice, *[st.none() | PLACES] * 2, st.none() | st.sampled_from([1, 2, -1, -3]))


@pytest.fixture(scope="module")
def store() -> Iterator[gapless.Store]:
    with gapless.open() as opened:
        yield opened
        assert opened.check() is None


def outcome(action: Callable[[Any], Any], on: Any) -> Any:
    """What it returns, or the class of what it raises."""
    try:
        return action(on)
    except (KeyError, IndexError, ValueError, TypeError) as error:
        return type(error)


def act(name: str, *args: Any) -> Callable[[Any], Any]:
    def action(on: Any) -> Any:
        result = getattr(on, name)(*args)
        return None if name.startswith("__i") else result

    action.__qualname__ = f"{name}{args}"
    return action


def actions(*calls: tuple[Any, ...]) -> st.SearchStrategy[list[Callable[[Any], Any]]]:
    """Histories of these calls: each a name and a strategy for every argument."""
    return st.lists(st.one_of([st.builds(act, st.just(name), *args) for name, *args in calls]), max_size=60)


# ---- hashes

PAIRS = st.dictionaries(ELEMENTS, ELEMENTS, max_size=8)


@given(
    history=actions(
        ("__getitem__", ELEMENTS), ("__setitem__", ELEMENTS, ELEMENTS), ("__delitem__", ELEMENTS),
        ("__contains__", ELEMENTS | st.just(None)), ("__len__",), ("get", ELEMENTS), ("get", ELEMENTS, ELEMENTS),
        ("pop", ELEMENTS), ("pop", ELEMENTS, ELEMENTS), ("setdefault", ELEMENTS, ELEMENTS), ("update", PAIRS),
        ("clear",),
    )
)  # fmt: skip
def test_a_hash_is_a_dict(store: gapless.Store, history: list[Callable[[Any], Any]]) -> None:
    view, model = store.hash("hash"), dict[bytes, bytes]()
    assert isinstance(view, MutableMapping)
    view.clear()
    for action in history:
        assert outcome(action, view) == outcome(action, model)
        assert view == model
        assert sorted(view) == sorted(model)
        assert sorted(view.values()) == sorted(model.values())
        assert dict(view.items()) == model
        assert view.keys() == model.keys()
        assert bool(view) is bool(model)
    while model:
        field, value = view.popitem()
        assert model.pop(field) == value
    with pytest.raises(KeyError):
        view.popitem()


# ---- sets

MEMBERS = st.sets(ELEMENTS, max_size=12)


@given(
    history=actions(
        ("add", ELEMENTS), ("discard", ELEMENTS), ("remove", ELEMENTS), ("__contains__", ELEMENTS | st.just(None)),
        ("__len__",), ("clear",), ("update", MEMBERS), ("update",), ("update", MEMBERS, MEMBERS), ("__ior__", MEMBERS),
        ("__iand__", MEMBERS), ("__isub__", MEMBERS), ("__ixor__", MEMBERS), ("__and__", MEMBERS),
        ("__or__", MEMBERS), ("__sub__", MEMBERS), ("__xor__", MEMBERS), ("__rsub__", MEMBERS), ("__le__", MEMBERS),
        ("__lt__", MEMBERS), ("__ge__", MEMBERS), ("__gt__", MEMBERS), ("__eq__", MEMBERS), ("isdisjoint", MEMBERS),
    )
)  # fmt: skip
def test_a_set_is_a_set(store: gapless.Store, history: list[Callable[[Any], Any]]) -> None:
    view, model = store.set("set"), set[bytes]()
    assert isinstance(view, MutableSet)
    view.clear()
    for action in history:
        assert outcome(action, view) == outcome(action, model)
        assert view == model
        assert model == view
        assert sorted(view) == sorted(model)
        assert bool(view) is bool(model)
    other = store.set("other set")
    other.clear()
    other.update(sorted(model)[::2], [b"a", b"b"])
    mine, theirs = set(model), set(other)
    assert (view & other, view | other, view - other, view ^ other) == (
        mine & theirs, mine | theirs, mine - theirs, mine ^ theirs,
    )  # fmt: skip
    assert (view <= other, view >= other, view == other) == (mine <= theirs, mine >= theirs, mine == theirs)
    while model:
        model.remove(view.pop())
    with pytest.raises(KeyError):
        view.pop()


# ---- lists

VALUES = st.lists(ELEMENTS, max_size=8)


def assign(at: slice, values: list[bytes]) -> Callable[[Any], Any]:
    """A slice assignment; of the number of values where its step wants that."""
    return lambda on: on.__setitem__(at, values[: len(range(*at.indices(len(on))))] if at.step not in (None, 1) else values)


@given(
    history=st.lists(
        st.one_of(
            actions(
                ("__getitem__", PLACES | SLICES), ("__setitem__", PLACES, ELEMENTS), ("__delitem__", PLACES | SLICES),
                ("append", ELEMENTS), ("extend", VALUES), ("__iadd__", VALUES), ("insert", PLACES, ELEMENTS), ("pop",),
                ("pop", PLACES), ("remove", ELEMENTS | st.none()), ("index", ELEMENTS | st.none()),
                ("index", ELEMENTS, PLACES, PLACES), ("count", ELEMENTS | st.none()), ("reverse",),
                ("__contains__", ELEMENTS | st.none()), ("__len__",), ("__eq__", VALUES), ("__lt__", VALUES),
                ("__ge__", VALUES), ("__getitem__", st.sampled_from(["a", 1.5, None])),
            ),
            st.lists(st.builds(assign, SLICES, VALUES), max_size=3),
        ),
        max_size=12,
    )
)  # fmt: skip
def test_a_list_is_a_list(store: gapless.Store, history: list[list[Callable[[Any], Any]]]) -> None:
    view, model = store.list("list"), list[bytes]()
    assert isinstance(view, MutableSequence)
    view.clear()
    for action in (action for some in history for action in some):
        assert outcome(action, view) == outcome(action, model)
        assert list(view) == model
        assert view == model
        assert list(reversed(view)) == model[::-1]
        assert bool(view) is bool(model)
    while model:
        assert view.popleft() == model.pop(0)
    with pytest.raises(IndexError):
        view.popleft()


def test_a_list_as_a_queue_and_as_what_it_is_compared_with(store: gapless.Store) -> None:
    view, other = store.list("queue"), store.list("other list")
    view.clear()
    view.appendleft("b")
    view.appendleft("a")
    view += [b"c"]
    other.extend(view)
    assert view == other == [b"a", b"b", b"c"]
    view.extend(view)
    assert view == [b"a", b"b", b"c"] * 2
    assert view != (b"a",)
    assert view > other
    store.expire("queue", 100)
    view[1:3] = ["x"]
    assert view == [b"a", b"x", b"a", b"b", b"c"]
    assert store.ttl("queue") == 100
    with pytest.raises(TypeError, match="must be bytes"):
        view[0:2] = [b"ok", None]
    with pytest.raises(TypeError, match="must be bytes"):
        view.insert(1, None)
    assert view == [b"a", b"x", b"a", b"b", b"c"]
    with pytest.raises(TypeError, match="list indices must be integers or slices, not str"):
        view["x"]  # type: ignore[call-overload]
    del view[:]
    assert not store.exists("queue")
    other.clear()


def test_who_waits_or_watches_sees_what_a_view_does_at_a_position(store: gapless.Store) -> None:
    from tests.store.test_threads import run_all

    got: list[object] = []

    def wait() -> None:
        got.append(store.blpop("awaited", 20))

    def put() -> None:
        while not store.execute("INFO", "clients").count(b"blocked_clients:1"):
            time.sleep(0.01)
        store.list("awaited").insert(5, "x")

    run_all(wait, put)
    assert got == [(b"awaited", b"x")]
    client = store.redis()
    for change in (lambda view: view.insert(1, "w"), lambda view: view.pop(1)):
        with client.pipeline() as pipe:
            store.list("watched").extend("abc")
            pipe.watch("watched")
            change(store.list("watched"))
            pipe.multi()
            pipe.llen("watched")
            with pytest.raises(redis.WatchError):
                pipe.execute()
    with pytest.raises(gapless.ResponseError, match=r"unknown command 'list\.insert'"):
        store.execute("list.insert", "watched", 0, "v")
    store.list("watched").clear()


def test_places_in_a_long_list(store: gapless.Store) -> None:
    view = store.list("long")
    model = [b"%d" % (n % 1000) for n in range(20_000)]
    view.extend(model)
    for at in (0, 1, 9_999, 10_000, -10_000, -2, -1, 19_999):
        view.insert(at, b"new")
        model.insert(at, b"new")
        del view[at]
        del model[at]
        view.insert(at, b"newer")
        model.insert(at, b"newer")
        assert view.pop(at) == model.pop(at)
    assert view[5_000:15_000:7] == model[5_000:15_000:7]
    assert list(view) == model
    assert view.index("999", 1_500, 2_500) == 1_999
    view.clear()


# ---- all of them

VIEWS: list[tuple[str, Callable[[Any], Any], Callable[[Any, int], Any]]] = [
    ("hash", lambda s: s.hash("many"), lambda view, n: view.__setitem__(f"e{n}", n)),
    ("set", lambda s: s.set("many"), lambda view, n: view.add(f"e{n}")),
]


@pytest.mark.parametrize(("kind", "make", "add"), VIEWS, ids=[name for name, *_ in VIEWS])
def test_what_is_there_all_the_while_is_met_once(
    store: gapless.Store, kind: str, make: Callable[[Any], Any], add: Callable[[Any, int], Any]
) -> None:
    view = make(store)
    view.clear()
    for n in range(20_000):
        add(view, n)
    met: list[bytes] = []
    for count, element in enumerate(view):
        met.append(element)
        if count % 50 == 0:
            add(view, 100_000 + count)
            with contextlib.suppress(KeyError):
                view.remove(f"e{count * 7 % 1000}") if kind == "set" else view.pop(f"e{count * 7 % 1000}")
    stayed = {b"e%d" % n for n in range(1000, 20_000)}
    assert stayed <= set(met)
    assert len(met) == len(set(met))
    view.clear()


def test_they_are_shown_short(store: gapless.Store) -> None:
    store.hset("h", "field", "value")
    store.sadd("s", *range(100))
    assert repr(store.hash("h")) == "HashView('h', {b'field': b'value'})"
    assert repr(store.set("s")) == "SetView('s', {b'0', b'1', b'2', b'3', b'4', b'5', ...})"
    assert repr(store.set("none")) == "SetView('none', {})"
    store.rpush("l", *range(100))
    assert repr(store.list("l")) == "ListView('l', [b'0', b'1', b'2', b'3', b'4', b'5', ...])"
    store.delete("h", "s", "l")


def test_another_type_under_the_key(store: gapless.Store) -> None:
    store["text"] = "v"
    for use in (
        lambda: store.hash("text")["f"], lambda: store.hash("text").update(f="v"), lambda: len(store.set("text")),
        lambda: list(store.set("text")), lambda: "m" in store.set("text"), lambda: store.hash("text") == {},
        lambda: repr(store.hash("text")), lambda: store.list("text")[0], lambda: list(store.list("text")),
        lambda: store.list("text").pop(), lambda: store.list("text").insert(0, "v"),
    ):  # fmt: skip
        with pytest.raises(TypeError, match="WRONGTYPE"):
            use()
    with pytest.raises(gapless.WrongTypeError):
        store.set("text").add("m")
    store.sadd("members", "m")
    with pytest.raises(gapless.WrongTypeError):
        store.get("members")
    store.delete("text", "members")


def test_what_is_no_value_is_no_element(store: gapless.Store) -> None:
    for wrong in (None, True, ("a",), ["a"]):
        assert wrong not in store.hash("h")
        assert wrong not in store.set("s")
        with pytest.raises(TypeError, match="must be bytes, str, int or float"):
            store.hash("h")["f"] = wrong
        with pytest.raises(TypeError, match="must be bytes, str, int or float"):
            store.set("s").add(wrong)
    assert not store.exists("h", "s")
    with pytest.raises(TypeError, match="unhashable"):
        {store.hash("h"): 1}


def test_each_element_is_popped_once(store: gapless.Store) -> None:
    from tests.store.test_threads import run_all

    store.set("s").update(range(2000))
    store.hash("h").update((n, n) for n in range(2000))
    popped: list[bytes] = []

    def pop() -> None:
        with contextlib.suppress(KeyError):
            while True:
                popped.append(store.set("s").pop())

    def pop_items() -> None:
        with contextlib.suppress(KeyError):
            while True:
                popped.append(store.hash("h").popitem()[0])

    run_all(pop, pop, pop_items, pop_items)
    assert sorted(popped, key=int) == [b"%d" % (n // 2) for n in range(4000)]
