"""SORT and SORT_RO: numbers, texts, and keys that weigh them."""

from __future__ import annotations

from hypothesis import strategies as st

from tests.differential.grammar.vocabulary import (
    Words,
    command,
    integers,
    keys,
    live_keys,
    option,
    options,
    several,
    words,
)

elements = st.sampled_from([b"1", b"2", b"3", b"10", b"-5", b"2.5", b"1e2", b"1", b"inf", b"007"])
others = st.sampled_from([b"a", b"b", b"", b"x y", b"nan", b"0x10", b"1\x002"])
weights = st.one_of(
    elements, elements, st.sampled_from([b"", b"abc", b" 1", b"+1", b"1e400", b"-inf", b".5", b"4.", b"1e"])
)
patterns = st.sampled_from(
    [
        b"w:*",
        b"w:*",
        b"h:*->f",
        b"*",
        b"w*",
        b"nosort",
        b"",
        b"w:*x",
        b"h:*->",
        b"h:*->nope",
        b"#",
        b"w:1",
        b"**",
    ]
)
weighed = st.sampled_from([b"w:1", b"w:2", b"w:3", b"w:10", b"w:-5", b"w:a", b"w:b"])
held = st.sampled_from([b"h:1", b"h:2", b"h:3", b"h:10", b"h:a"])
how = [
    option("BY", patterns),
    option("LIMIT", integers, integers),
    option("GET", patterns),
    option("GET", st.just(b"#")),
    option("ASC"),
    option("DESC"),
    option("ALPHA"),
    option("TEXT"),
]
# A set that BY leaves as it is is in each server's own order, which LIMIT shows.
lists = st.sampled_from([b"a", b"a", b"b", b"missing"])

COMMANDS: dict[str, Words] = {
    "RPUSH": command("RPUSH", st.sampled_from([b"a", b"a", b"b"]), several(words(elements), 1)),
    "RPUSH others": command("RPUSH", st.sampled_from([b"a", b"b"]), several(words(others), 1)),
    "RPUSH many": command(
        "RPUSH",
        st.just(b"a"),
        st.integers(1, 300).map(lambda n: tuple(b"%d" % (i * 37 % 1009) for i in range(n))),
    ),
    "SADD": command("SADD", st.sampled_from([b"c", b"c", b"d"]), several(words(elements), 1)),
    "SADD others": command("SADD", st.sampled_from([b"c", b"d"]), several(words(others), 1)),
    "ZADD": command("ZADD", st.just(b"e"), several(words(weights, elements), 1)),
    "SORT sorted set": command("SORT", st.just(b"e"), options(*how, most=4)),
    "SET": command("SET", weighed, weights),
    "HSET": command("HSET", held, st.just(b"f"), weights),
    "SORT": command("SORT", lists, options(*how, most=4)),
    "SORT numbers": command(
        "SORT", lists, options(option("LIMIT", integers, integers), option("DESC"), most=2)
    ),
    "SORT set": command(
        "SORT", st.sampled_from([b"c", b"d"]), options(option("DESC"), option("ALPHA"), most=2)
    ),
    "SORT wrong": command("SORT", keys, options(option("ALPHA"), option("DESC"), most=2)),
    "SORT store": command("SORT", live_keys, options(*how, most=3), words(st.just(b"STORE"), keys)),
    "SORT_RO": command("SORT_RO", lists, options(*how, option("STORE", keys), most=3)),
    "LRANGE": command("LRANGE", keys, st.just(b"0"), st.just(b"-1")),
}
