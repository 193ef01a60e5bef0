"""What a program is told when it uses the embedded API wrongly: what, where, and what would be right."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest

import gapless

WRONG: list[tuple[Callable[[Any], object], type[Exception], str]] = [
    (
        lambda s: s.set("k", None),
        TypeError,
        r"keys and values must be bytes, str, int or float, not NoneType",
    ),
    (lambda s: s.get(["k"]), TypeError, r"keys and values must be .* not list: \['k'\]"),
    (lambda s: s.set("k", True), TypeError, r"not bool: True"),
    (lambda s: s.execute("SET", "k", None), TypeError, r"keys and values must be .* not NoneType"),
    (lambda s: s.execute(), TypeError, r"takes a command and its arguments"),
    (lambda s: s.execute("NOSUCH", "k"), gapless.ResponseError, r"unknown command 'NOSUCH'"),
    (lambda s: s.execute("GET"), gapless.ResponseError, r"wrong number of arguments for 'get' command"),
    (
        lambda s: s.set("k", "v", ex="5"),
        TypeError,
        r"time of 'set' must be an int or a timedelta, not str: '5'",
    ),
    (lambda s: s.set("k", "v", ex=1.5), TypeError, r"time of 'set' must be an int or a timedelta, not float"),
    (lambda s: s.setex("k", datetime.now(), "v"), TypeError, r"'setex' must be an int or a timedelta"),
    (lambda s: s.set("k", "v", exat=timedelta(1)), TypeError, r"'set' must be an int or a datetime"),
    (lambda s: s.expire("k", None), TypeError, r"'expire' must be an int or a timedelta, not NoneType"),
    (lambda s: s.expireat("k", timedelta(1)), TypeError, r"'expireat' must be an int or a datetime"),
    (lambda s: s.set("k", "v", px=0), gapless.ResponseError, r"invalid expire time in 'set' command"),
    (lambda s: s.incr("k", 1.5), TypeError, r"amount must be an int, not float: 1.5; see incrbyfloat"),
    (lambda s: s.incr("k", 1 << 64), gapless.ResponseError, r"not an integer or out of range"),
    (lambda s: s.nosuch, AttributeError, r"nosuch"),
    (lambda s: s["missing"], KeyError, r"missing"),
    (lambda s: s.serve(70_000), OverflowError, r"port must be 0-65535"),
    (lambda s: gapless.open(maxmemory="1gb"), TypeError, r"maxmemory must be an int, not str: '1gb'"),
    (
        lambda s: gapless.open(maxmemory=-1),
        ValueError,
        r"maxmemory must be a number of bytes, 0 for no limit",
    ),
    (lambda s: gapless.open(policy="lru"), ValueError, r"policy must be one of noeviction, .* not 'lru'"),
    (lambda s: gapless.open(databases=17), ValueError, r"databases must be from 1 to 16, not 17"),
    (lambda s: gapless.open("/dev/null/data"), NotADirectoryError, r"/dev/null/data"),
    (lambda s: gapless.open("d", sync="often"), ValueError, r"sync must be one of everysec, .* not 'often'"),
    (lambda s: gapless.open(readonly=True), ValueError, r"readonly needs a path"),
    (lambda s: gapless.open("nosuch", readonly=True), FileNotFoundError, r"nosuch"),
    (lambda s: s.backup("copy"), gapless.JournalError, r"in memory only: open it with a path"),
]


@pytest.mark.parametrize(("use", "kind", "text"), WRONG, ids=[text for _, _, text in WRONG])
def test_says_what_is_wrong(use: Callable[[Any], object], kind: type[Exception], text: str) -> None:
    with gapless.open() as store:
        store["k"] = "1"
        with pytest.raises(kind, match=text):
            use(store)
        assert store["k"] == b"1"
        assert store.check() is None


def test_an_address_that_is_taken() -> None:
    with gapless.open() as one, gapless.open() as other:
        with pytest.raises(OSError, match="in use"):
            other.serve(one.serve(0))
        assert other.serve(0)
