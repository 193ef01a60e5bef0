"""What the loop derives from rows: where a request names an element, and whether it waits only when asked."""

from __future__ import annotations

import pytest

from gapless.commands.table import BY_NAME, COMMANDS


@pytest.mark.parametrize(
    ("name", "position"),
    [
        ("hget", 2), ("hset", 2), ("hdel", 2), ("hincrby", 2), ("hexpire", 5), ("sadd", 2), ("sismember", 2), ("smove", 3),
        ("zadd", 3), ("zincrby", 3), ("zscore", 2), ("zrank", 2), ("geoadd", 4), ("get", 0), ("hgetall", 0), ("xadd", 0),
        ("lpush", 0), ("zrange", 0),
    ],
)  # fmt: skip
def test_where_an_element_is_named(name: str, position: int) -> None:
    assert BY_NAME[name].element == position


def test_who_waits_only_when_asked() -> None:
    assert {row.name for row in COMMANDS if row.waits_if_asked} == {"xread", "xreadgroup"}
    assert all("blocking" in row.flags for row in COMMANDS if row.waits_if_asked)
