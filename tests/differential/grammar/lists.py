"""Group list: small lists, and such as Redis holds in several nodes."""

from __future__ import annotations

from hypothesis import strategies as st

from tests.differential.grammar.vocabulary import (
    Args,
    Words,
    command,
    integers,
    keys,
    live_keys,
    option,
    options,
    several,
    words,
    wrong_integers,
)

elements = st.one_of(
    st.sampled_from([b"a", b"a", b"b", b"c", b"1", b"2", b"-17", b"007", b"", b"\x00\xff", b"70000"]),
    st.sampled_from([b"9223372036854775807", b"9223372036854775808", b"long" * 20, b"x" * 64, b"x" * 300]),
    st.sampled_from([b"y" * 4000, b"z" * 9000]),
)
ends = st.sampled_from([b"LEFT", b"RIGHT", b"left", b"right", b"LEFT", b"RIGHT", b"UP"])
indexes = st.one_of(
    st.integers(-12, 12).map(lambda n: b"%d" % n),
    st.integers(-1200, 1200).map(lambda n: b"%d" % n),
    wrong_integers,
)
counts = st.one_of(
    st.integers(-2, 9).map(lambda n: b"%d" % n),
    st.integers(1, 1200).map(lambda n: b"%d" % n),
    wrong_integers,
    st.just(b"9223372036854775808"),
)


def numbered(form: bytes, most: int) -> st.SearchStrategy[Args]:
    """That many different elements of one form."""
    return st.integers(1, most).map(lambda n: tuple(form % (i * 7) for i in range(n)))


@st.composite
def counted_keys(draw: st.DrawFn) -> Args:
    """Their number (now and then a wrong one) and some keys."""
    found = draw(st.lists(keys, min_size=1, max_size=3))
    count = draw(st.sampled_from([b"%d" % len(found)] * 8 + [b"0", b"-1", b"abc", b"%d" % (len(found) + 1)]))
    return (count, *found)


COMMANDS: dict[str, Words] = {
    "LPUSH": command("LPUSH", keys, several(words(elements), 1)),
    "LPUSH many": command("LPUSH", live_keys, numbered(b"%d", 700)),
    "LPUSH long": command("LPUSH", live_keys, numbered(b"an element of some length %d", 400)),
    "RPUSH": command("RPUSH", keys, several(words(elements), 1)),
    "RPUSH many": command("RPUSH", live_keys, numbered(b"%d", 700)),
    "RPUSH long": command("RPUSH", live_keys, numbered(b"an element of some length %d", 400)),
    "LPUSHX": command("LPUSHX", keys, several(words(elements), 1)),
    "RPUSHX": command("RPUSHX", keys, several(words(elements), 1)),
    "LPOP": command("LPOP", keys, options(words(counts), most=2)),
    "RPOP": command("RPOP", keys, options(words(counts), most=2)),
    "LPOP most": command("LPOP", live_keys, st.integers(100, 800).map(lambda n: b"%d" % n)),
    "RPOP most": command("RPOP", live_keys, st.integers(100, 800).map(lambda n: b"%d" % n)),
    "LLEN": command("LLEN", keys),
    "LINDEX": command("LINDEX", keys, indexes),
    "LRANGE": command("LRANGE", keys, indexes, indexes),
    "LINSERT": command(
        "LINSERT", keys, st.sampled_from([b"BEFORE", b"AFTER", b"before", b"NEAR"]), elements, elements
    ),
    "LSET": command("LSET", keys, indexes, elements),
    "LREM": command("LREM", keys, st.one_of(integers, st.sampled_from([b"0", b"1", b"-1"])), elements),
    "LTRIM": command("LTRIM", keys, indexes, indexes),
    "LPOS": command(
        "LPOS",
        keys,
        elements,
        options(
            option("RANK", integers), option("COUNT", integers), option("MAXLEN", integers), option("TEXT")
        ),
    ),
    "LMPOP": command("LMPOP", counted_keys(), ends, options(option("COUNT", counts), option("TEXT"), most=2)),
    "LMOVE": command("LMOVE", keys, keys, ends, ends),
    "RPOPLPUSH": command("RPOPLPUSH", keys, keys),
}
