"""Group sorted-set. What a server draws at random must not part the two, and of what LIMIT and LEX say of sets with several scores only the
small ones have one meaning: those that grow large have a key and one score of their own, `even`.
"""

from __future__ import annotations

from hypothesis import strategies as st

from tests.differential.grammar.sets import counted_keys, counts
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
    st.sampled_from(
        [b"a", b"a", b"b", b"c", b"1", b"2", b"-17", b"", b"\x00\xff", b"member-3", b"member-70"]
    ),
    st.sampled_from([b"9223372036854775807", b"007", b"long" * 20, b"x" * 64, b"x" * 65]),
)
numbers = st.integers(-6, 12).map(lambda n: b"%d" % n)
scores = st.one_of(
    numbers,
    numbers,
    st.sampled_from([b"0.1", b"-0.1", b"1.5", b"3.14159265358979", b"1e20", b"-1e-7", b"1e17", b"1e300"]),
    st.sampled_from(
        [b"inf", b"-inf", b"+inf", b"-0", b"0x10", b".5", b"5.", b"1e5", b"5e-324", b"123456789012345678"]
    ),
    st.floats(allow_nan=False).map(lambda x: repr(x).encode()),
)
wrong_scores = st.sampled_from(
    [b"nan", b"", b" 1", b"1 ", b"abc", b"1e400", b"1e-400", b"0x", b"1\x00", b"--1"]
)
any_score = st.one_of(scores, scores, scores, scores, scores, wrong_scores)
pairs = words(any_score, members)
good_pairs = words(scores, members)
ends = st.one_of(
    scores.map(lambda text: b"(" + text),
    scores,
    scores,
    st.sampled_from(
        [b"-inf", b"+inf", b"(inf", b"(-inf", b"", b"(", b"nan", b" 1", b"1\x00a", b"1e400", b"0x2", b"((1"]
    ),
)
member_ends = st.one_of(
    st.sampled_from([b"-", b"+", b"-", b"+", b"", b"a", b"(", b"[", b"+x", b"-\x00"]),
    members.map(lambda text: b"[" + text),
    members.map(lambda text: b"(" + text),
)
ranks = st.one_of(st.integers(-12, 12).map(lambda n: b"%d" % n), integers)
limit = option(
    "LIMIT", st.integers(-2, 6).map(lambda n: b"%d" % n), st.integers(-2, 9).map(lambda n: b"%d" % n)
)
by_limit = [option("WITHSCORES"), limit]
add_options = options(*(option(name) for name in ("NX", "XX", "GT", "LT", "CH", "INCR")), most=3)
both_orders = st.sampled_from([b"MIN", b"MAX", b"min", b"none"])
pops = st.one_of(st.integers(0, 9).map(lambda n: b"%d" % n), wrong_integers, st.just(b"-1"))


def many(low: int, high: int, score: int = 3) -> Words:
    """Between `low` and `high` pairs, the n-th with score n * score."""
    return st.integers(low, high).map(
        lambda n: tuple(x for i in range(n) for x in (b"%d" % (i * score), b"member-%d" % i))
    )


def weights(count: int) -> Words:
    """A weight for each of so many keys, now and then one for another number of them."""
    return st.lists(any_score, min_size=count, max_size=count).map(lambda found: (b"WEIGHTS", *found))


@st.composite
def combined(draw: st.DrawFn) -> tuple[bytes, ...]:
    """Some keys, and how their scores are put together."""
    found = draw(counted_keys())
    count = len(found) - 1 if draw(st.integers(0, 9)) else draw(st.integers(1, 4))
    more = [
        weights(count),
        option("AGGREGATE", st.sampled_from([b"SUM", b"MIN", b"max", b"AVG"])),
        option("WITHSCORES"),
    ]
    return (*found, *draw(options(*more, most=3)))


@st.composite
def ranged(draw: st.DrawFn) -> tuple[bytes, ...]:
    """The two ends of a range and their options, mostly of a kind."""
    by = draw(st.sampled_from([b"", b"BYSCORE", b"BYLEX"]))
    end = {b"": ranks, b"BYSCORE": ends, b"BYLEX": member_ends}[by]
    more = draw(
        options(option("REV"), option("WITHSCORES"), limit, option("BYLEX"), option("BYSCORE"), most=2)
    )
    return (draw(end), draw(end), *((by,) if by else ()), *more)


COMMANDS: dict[str, Words] = {
    "ZADD": command("ZADD", keys, several(good_pairs, 1)),
    "ZADD options": command("ZADD", keys, add_options, several(pairs, 1, 2)),
    "ZADD one": command("ZADD", keys, add_options, good_pairs),
    "ZADD many": command("ZADD", live_keys, many(1, 200)),
    "ZADD more": command("ZADD", live_keys, many(100, 600, 1)),
    "ZADD even": words(word("ZADD"), st.just(b"even"), many(1, 200, 0)),
    "ZREM": command("ZREM", keys, several(words(members), 1)),
    "ZREM many": command(
        "ZREM", live_keys, st.integers(1, 600).map(lambda n: tuple(b"member-%d" % i for i in range(n)))
    ),
    "ZINCRBY": command("ZINCRBY", keys, any_score, members),
    "ZCARD": command("ZCARD", keys),
    "ZSCORE": command("ZSCORE", keys, members),
    "ZMSCORE": command("ZMSCORE", keys, several(words(members), 1)),
    "ZRANK": command("ZRANK", keys, members, options(option("WITHSCORE"), most=1)),
    "ZREVRANK": command("ZREVRANK", keys, members, options(option("WITHSCORE"), most=1)),
    "ZCOUNT": command("ZCOUNT", keys, ends, ends),
    "ZLEXCOUNT": command("ZLEXCOUNT", st.just(b"even"), member_ends, member_ends),
    "ZRANGE": command("ZRANGE", st.sampled_from([b"even", b"missing"]), ranged()),
    "ZRANGE rank": command("ZRANGE", keys, ranks, ranks, options(option("REV"), option("WITHSCORES"))),
    "ZRANGE score": command("ZRANGE", keys, ends, ends, option("BYSCORE"), options(*by_limit, option("REV"))),
    "ZREVRANGE": command(
        "ZREVRANGE", keys, ranks, ranks, options(option("WITHSCORES"), limit, option("REV"))
    ),
    "ZRANGEBYSCORE": command("ZRANGEBYSCORE", keys, ends, ends, options(*by_limit)),
    "ZREVRANGEBYSCORE": command("ZREVRANGEBYSCORE", keys, ends, ends, options(*by_limit)),
    "ZRANGEBYLEX": command("ZRANGEBYLEX", st.just(b"even"), member_ends, member_ends, options(*by_limit)),
    "ZREVRANGEBYLEX": command(
        "ZREVRANGEBYLEX", st.just(b"even"), member_ends, member_ends, options(*by_limit)
    ),
    "ZRANGESTORE": command("ZRANGESTORE", keys, st.sampled_from([b"even", b"missing"]), ranged()),
    "ZRANGESTORE rank": command("ZRANGESTORE", keys, keys, ranks, ranks, options(option("REV"))),
    "ZRANGESTORE score": command(
        "ZRANGESTORE", keys, keys, ends, ends, option("BYSCORE"), options(limit, option("REV"))
    ),
    "ZREMRANGEBYRANK": command("ZREMRANGEBYRANK", keys, ranks, ranks),
    "ZREMRANGEBYSCORE": command("ZREMRANGEBYSCORE", keys, ends, ends),
    "ZREMRANGEBYLEX": command("ZREMRANGEBYLEX", st.just(b"even"), member_ends, member_ends),
    "ZPOPMIN": command("ZPOPMIN", keys, options(words(pops), most=1)),
    "ZPOPMAX": command("ZPOPMAX", keys, options(words(pops), most=1)),
    "ZMPOP": command("ZMPOP", counted_keys(), both_orders, options(option("COUNT", pops), most=2)),
    "ZRANDMEMBER": command("ZRANDMEMBER", keys, options(words(counts), most=1)),
    "ZRANDMEMBER scores": command(
        "ZRANDMEMBER", keys, counts, st.sampled_from([b"WITHSCORES", b"withscores", b"x"])
    ),
    "ZUNION": command("ZUNION", combined()),
    "ZINTER": command("ZINTER", combined()),
    "ZDIFF": command("ZDIFF", combined()),
    "ZUNIONSTORE": command("ZUNIONSTORE", keys, combined()),
    "ZINTERSTORE": command("ZINTERSTORE", keys, combined()),
    "ZDIFFSTORE": command("ZDIFFSTORE", keys, counted_keys()),
    "ZINTERCARD": command("ZINTERCARD", counted_keys(), options(option("LIMIT", integers))),
    "ZSCAN": command(
        "ZSCAN",
        live_keys,
        st.sampled_from([b"0", b"0", b"0", b"abc", b"-1"]),
        options(option("COUNT", integers), option("MATCH", texts), option("NOVALUES"), option("TYPE", texts)),
    ),
}
