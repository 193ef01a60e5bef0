"""Group set. What a server draws at random must not part the two: SPOP takes all or nothing, or the one member of a key of its own."""

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
    texts,
    word,
    words,
    wrong_integers,
)

members = st.one_of(
    st.sampled_from([b"a", b"a", b"b", b"c", b"1", b"2", b"-17", b"007", b"", b"\x00\xff", b"70000"]),
    st.sampled_from([b"9223372036854775807", b"9223372036854775808", b"long" * 20, b"x" * 64, b"x" * 65]),
)
numbers = st.integers(-3, 40).map(lambda n: b"%d" % n)
counts = st.one_of(
    st.integers(-5, 9).map(lambda n: b"%d" % n), wrong_integers, st.just(b"9223372036854775808")
)
pops = st.sampled_from([b"0", b"100000", b"9223372036854775807", b"-1", b"abc", b""])


@st.composite
def counted_keys(draw: st.DrawFn) -> tuple[bytes, ...]:
    """Their number (now and then a wrong one) and some keys."""
    found = draw(st.lists(keys, min_size=1, max_size=4))
    count = draw(st.sampled_from([b"%d" % len(found)] * 8 + [b"0", b"-1", b"abc", b"%d" % (len(found) + 1)]))
    return (count, *found)


COMMANDS: dict[str, Words] = {
    "SADD": command("SADD", keys, several(words(members), 1)),
    "SADD numbers": command("SADD", keys, several(words(numbers), 1)),
    "SADD many": command(
        "SADD", live_keys, st.integers(100, 600).map(lambda n: tuple(b"%d" % (i * 7) for i in range(n)))
    ),
    "SADD more": command(
        "SADD", live_keys, st.integers(1, 200).map(lambda n: tuple(b"member-%d" % i for i in range(n)))
    ),
    "SADD single": words(word("SADD"), st.just(b"single"), st.just(b"one")),
    "SREM": command("SREM", keys, several(words(members), 1)),
    "SREM many": command(
        "SREM", live_keys, st.integers(1, 600).map(lambda n: tuple(b"%d" % (i * 7) for i in range(n)))
    ),
    "SISMEMBER": command("SISMEMBER", keys, members),
    "SMISMEMBER": command("SMISMEMBER", keys, several(words(members), 1)),
    "SCARD": command("SCARD", keys),
    "SMEMBERS": command("SMEMBERS", keys),
    "SPOP": words(word("SPOP"), keys, pops),
    "SPOP single": words(word("SPOP"), st.just(b"single"), options(words(st.just(b"1")), most=1)),
    "SPOP wrong": words(word("SPOP"), keys, counts, texts),
    "SRANDMEMBER": command("SRANDMEMBER", keys, options(words(counts), most=1)),
    "SRANDMEMBER wrong": command("SRANDMEMBER", keys, counts, texts),
    "SMOVE": command("SMOVE", keys, keys, members),
    "SINTER": command("SINTER", several(words(keys), 1)),
    "SINTERSTORE": command("SINTERSTORE", keys, several(words(keys), 1)),
    "SINTERCARD": command("SINTERCARD", counted_keys(), options(option("LIMIT", integers))),
    "SUNION": command("SUNION", several(words(keys), 1)),
    "SUNIONSTORE": command("SUNIONSTORE", keys, several(words(keys), 1)),
    "SDIFF": command("SDIFF", several(words(keys), 1)),
    "SDIFFSTORE": command("SDIFFSTORE", keys, several(words(keys), 1)),
    "SSCAN": command(
        "SSCAN",
        live_keys,
        st.sampled_from([b"0", b"0", b"0", b"abc", b"-1"]),
        options(option("COUNT", integers), option("MATCH", texts), option("NOVALUES"), option("TYPE", texts)),
    ),
}
