"""Group stream. IDs are given, never made of the time: but where the last one lies ahead of it, `*` only counts on."""

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

AHEAD = b"9999999999999"
"""Milliseconds that no clock shows yet."""

times = st.one_of(
    st.integers(0, 12).map(lambda n: b"%d" % n), st.integers(1000, 1012).map(lambda n: b"%d" % n)
)
sequences = st.sampled_from([b"0", b"1", b"1", b"2", b"300", b"18446744073709551615"])
ids = st.one_of(
    st.tuples(times, sequences).map(b"-".join),
    st.tuples(times, sequences).map(b"-".join),
    times,
    st.sampled_from([b"0-0", b"0", AHEAD, AHEAD + b"-5", b"18446744073709551615-18446744073709551615"]),
)
wrong_ids = st.one_of(
    wrong_integers,
    st.sampled_from([b"1-", b"-1", b"1-1-1", b"1--1", b"007-01", b"1-x", b"5-1\x00", b"18446744073709551616", b"(1", b"$", b">"]),
)  # fmt: skip
any_ids = st.one_of(ids, ids, ids, ids, ids, wrong_ids)
new_ids = st.one_of(
    ids,
    times.map(lambda ms: ms + b"-*"),
    st.integers(10**6, 10**7).map(lambda n: b"%d-1" % n),
    wrong_ids,
)
bounds = st.one_of(
    st.sampled_from([b"-", b"+", b"-", b"+", b"(", b"(-", b"(18446744073709551615-18446744073709551615", b"(0-0"]),
    any_ids,
    ids.map(b"(".__add__),
)  # fmt: skip
counts = st.one_of(st.integers(0, 6).map(lambda n: b"%d" % n), integers)
idle = st.sampled_from([b"0", b"0", b"10000000", b"-5", b"abc", b""])

names = st.sampled_from([b"a", b"a", b"a", b"b", b"field", b"", b"12", b"x" * 70])
pairs = several(words(names, texts), 1, 3)
groups = st.sampled_from([b"g", b"g", b"g", b"h", b"", b"g\x00g", b"n" * 300])
consumers = st.sampled_from([b"c", b"c", b"d", b"e", b"", b"\x00", b"\x00\xff", b"n" * 2000])

references = st.sampled_from([(), (), (b"KEEPREF",), (b"delref",), (b"ACKED",), (b"ACKED", b"KEEPREF")])
limits = options(option("LIMIT", counts), most=1)
trims = st.one_of(
    words(word("MAXLEN"), options(words(st.sampled_from([b"=", b"~"])), most=1), counts, limits),
    words(word("MINID"), options(words(st.sampled_from([b"=", b"~"])), most=1), any_ids, limits),
    words(word("MAXLEN"), st.sampled_from([b"0", b"3", b"90", b"150"])),
    words(word("MAXLEN"), st.just(b"~"), st.sampled_from([b"0", b"3", b"90", b"150"])),
)


@st.composite
def counted_ids(draw: st.DrawFn) -> tuple[bytes, ...]:
    """IDS, how many (now and then a wrong number), and the IDs."""
    found = draw(st.lists(any_ids, min_size=1, max_size=4))
    count = draw(st.sampled_from([b"%d" % len(found)] * 8 + [b"0", b"-1", b"abc", b"%d" % (len(found) + 1)]))
    return (b"IDS", count, *found)


@st.composite
def streams(draw: st.DrawFn, last: st.SearchStrategy[bytes]) -> tuple[bytes, ...]:
    """STREAMS, keys and as many IDs (now and then one more)."""
    found = draw(st.lists(live_keys, min_size=1, max_size=3))
    behind = [draw(last) for _ in found]
    more = draw(st.sampled_from([()] * 9 + [(b"0",)]))
    return (b"STREAMS", *found, *behind, *more)


entries_read = options(option("ENTRIESREAD", integers), most=1)

COMMANDS: dict[str, Words] = {
    "XADD": command("XADD", live_keys, new_ids, pairs),
    "XADD on": command("XADD", live_keys, times.map(lambda ms: ms + b"-*"), pairs),
    "XADD one": command(
        "XADD", live_keys, times.map(lambda ms: ms + b"-*"), words(st.just(b"a")), words(texts)
    ),
    "XADD ahead": command("XADD", live_keys, st.sampled_from([AHEAD + b"-*", AHEAD + b"-7"]), pairs),
    "XADD options": command(
        "XADD", keys, options(option("NOMKSTREAM"), most=1), references, options(trims, most=1), new_ids, pairs
    ),
    "XADD wrong": command("XADD", keys, new_ids, several(words(texts), 0, 3)),
    "XLEN": command("XLEN", keys),
    "XRANGE": command("XRANGE", live_keys, bounds, bounds, options(option("COUNT", counts), most=1)),
    "XRANGE all": words(word("XRANGE"), live_keys, st.just(b"-"), st.just(b"+")),
    "XREVRANGE": command("XREVRANGE", live_keys, bounds, bounds, options(option("COUNT", counts), most=1)),
    "XREAD": command(
        "XREAD",
        options(option("COUNT", counts), option("NOACK"), most=1),
        streams(st.one_of(any_ids, st.sampled_from([b"$", b"+", b"0"]))),
    ),
    "XDEL": command("XDEL", keys, several(words(any_ids), 1, 4)),
    "XDELEX": command("XDELEX", keys, references, counted_ids()),
    "XACKDEL": command("XACKDEL", keys, groups, references, counted_ids()),
    "XTRIM": command("XTRIM", keys, references, trims, references),
    "XSETID": command(
        "XSETID", live_keys, any_ids, options(option("ENTRIESADDED", integers), option("MAXDELETEDID", any_ids))
    ),
    "XGROUP CREATE": command(
        "XGROUP", words(word("CREATE")), live_keys, groups, st.one_of(any_ids, st.just(b"$")),
        options(option("MKSTREAM"), option("ENTRIESREAD", integers)),
    ),
    "XGROUP CREATE from": command(
        "XGROUP", words(word("CREATE")), live_keys, groups, st.sampled_from([b"0", b"$", b"5-1"]),
        words(word("MKSTREAM")),
    ),
    "XGROUP SETID": command(
        "XGROUP", words(word("SETID")), live_keys, groups, st.one_of(any_ids, st.sampled_from([b"$", b"-", b"+"])),
        entries_read,
    ),
    # Of groups that are there in scenarios only: Redis 8.2.3 goes on refusing ACKED for what was before one that is gone.
    "XGROUP DESTROY": command("XGROUP", words(word("DESTROY")), live_keys, st.just(b"gone")),
    "XGROUP CREATECONSUMER": command("XGROUP", words(word("CREATECONSUMER")), live_keys, groups, consumers),
    "XGROUP DELCONSUMER": command("XGROUP", words(word("DELCONSUMER")), live_keys, groups, consumers),
    "XGROUP other": command("XGROUP", several(words(texts), 1, 3)),
    "XREADGROUP": command(
        "XREADGROUP", words(word("GROUP")), groups, consumers,
        options(option("COUNT", counts), option("NOACK")), streams(st.one_of(st.just(b">"), any_ids)),
    ),
    "XREADGROUP new": command(
        "XREADGROUP", words(word("GROUP")), st.just(b"g"), consumers, words(word("STREAMS")), live_keys,
        words(st.just(b">")),
    ),
    "XREADGROUP some": command(
        "XREADGROUP", words(word("GROUP")), st.just(b"g"), consumers, option("COUNT", st.sampled_from([b"1", b"3"])),
        words(word("STREAMS")), live_keys, st.sampled_from([b">", b">", b"0"]),
    ),
    "XACK": command("XACK", keys, groups, several(words(any_ids), 1, 4)),
    "XPENDING": command("XPENDING", live_keys, groups),
    "XPENDING range": command(
        "XPENDING", live_keys, groups, options(option("IDLE", idle), most=1), bounds, bounds, counts,
        options(words(consumers), most=2),
    ),
    "XPENDING all": words(word("XPENDING"), live_keys, st.just(b"g"), st.just(b"-"), st.just(b"+"), st.just(b"10")),
    "XCLAIM": command(
        "XCLAIM", live_keys, groups, consumers, idle, several(words(any_ids), 1, 3),
        options(
            option("IDLE", idle), option("TIME", idle), option("RETRYCOUNT", integers), option("FORCE"),
            option("JUSTID"), option("LASTID", any_ids),
        ),
    ),
    "XAUTOCLAIM": command(
        "XAUTOCLAIM", live_keys, groups, consumers, idle, bounds, options(option("COUNT", counts), option("JUSTID"))
    ),
    "XINFO STREAM": command(
        "XINFO", words(word("STREAM")), live_keys, options(words(word("FULL"), options(option("COUNT", counts), most=1)), most=1)
    ),
    "XINFO GROUPS": command("XINFO", words(word("GROUPS")), live_keys),
    "XINFO CONSUMERS": command("XINFO", words(word("CONSUMERS")), live_keys, groups),
    "XINFO other": command("XINFO", several(words(texts), 1, 3)),
}  # fmt: skip
