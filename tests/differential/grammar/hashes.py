"""Group hash."""

from __future__ import annotations

from hypothesis import strategies as st

from tests.differential.dump_payload import seal
from tests.differential.grammar.vocabulary import (
    MILLISECONDS,
    SECONDS,
    Words,
    command,
    floats,
    integers,
    keys,
    live_keys,
    option,
    options,
    several,
    texts,
    unix_milliseconds,
    unix_seconds,
    words,
)
from tests.support.rdb_forms import HASH_EXPIRIES_OLD, HASH_ZIPLIST, HASH_ZIPMAP, old_hash

names = st.sampled_from(
    [b"f", b"f", b"g", b"g", b"h", b"1", b"-17", b"", b"\x00\xff", b"long" * 20, b"x" * 64, b"x" * 65]
)
numbers = st.one_of(
    st.integers(-3, 3).map(lambda n: b"%d" % n),
    st.sampled_from([b"9223372036854775807", b"-9223372036854775808", b"9223372036854775808", b"abc", b""]),
)
conditions = options(option("NX"), option("XX"), option("GT"), option("LT"), most=1)
later = st.sampled_from([SECONDS])
later_ms = st.sampled_from([MILLISECONDS])
wrong_times = st.sampled_from([b"-1", b"abc", b"", b"9223372036854775807", b"70368744177664", b"0"])
seconds = st.one_of(later, later, wrong_times)
milliseconds = st.one_of(later_ms, later_ms, wrong_times)
times = st.one_of(unix_seconds, unix_seconds, wrong_times)
times_ms = st.one_of(unix_milliseconds, unix_milliseconds, wrong_times)
lifetimes: list[Words] = [
    option("EX", seconds),
    option("PX", milliseconds),
    option("EXAT", times),
    option("PXAT", times_ms),
]


@st.composite
def some_fields(draw: st.DrawFn, each: Words | st.SearchStrategy[bytes] = names) -> tuple[bytes, ...]:
    """FIELDS, their number (now and then a wrong one) and the fields."""
    found = draw(st.lists(each, min_size=1, max_size=4))
    count = draw(st.sampled_from([b"%d" % len(found)] * 8 + [b"0", b"-1", b"abc", b"%d" % (len(found) + 1)]))
    word = draw(st.sampled_from([b"FIELDS"] * 8 + [b"fields", b"FIELD"]))
    flat = [part for one in found for part in (one if isinstance(one, tuple) else (one,))]
    return (word, count, *flat)


fields_of_old = st.lists(st.tuples(names, st.binary(max_size=70)), max_size=8)
old_payloads = st.builds(
    lambda form, more: seal(old_hash(*form) + more),
    st.one_of(
        st.tuples(st.sampled_from([HASH_ZIPMAP, HASH_ZIPLIST]), fields_of_old),
        # Redis takes a field twice here, and has then one that HLEN counts and HDEL can't take away; gapless refuses it.
        st.tuples(st.just(HASH_EXPIRIES_OLD), fields_of_old.map(lambda fields: list(dict(fields).items()))),
        st.tuples(
            st.sampled_from([HASH_ZIPMAP, HASH_ZIPLIST, HASH_EXPIRIES_OLD]),
            st.integers(1, 600).map(lambda n: [(b"%d" % i, b"x") for i in range(n)]),
        ),
    ),
    st.sampled_from([b"", b"", b"x"]),
)
"""Hashes as Redis wrote them before; some have a field twice, or none."""

COMMANDS: dict[str, Words] = {
    "HSET": command("HSET", keys, several(words(names, texts), 1)),
    "HSET many": command(
        "HSET",
        live_keys,
        st.integers(1, 120).map(lambda n: tuple(b"%d" % (i * 7) for i in range(2 * n))),
    ),
    "HMSET": command("HMSET", keys, several(words(names, texts), 1)),
    "HSETNX": command("HSETNX", keys, names, texts),
    "HGET": command("HGET", keys, names),
    "HMGET": command("HMGET", keys, several(names, 1)),
    "HGETALL": command("HGETALL", keys),
    "HKEYS": command("HKEYS", keys),
    "HVALS": command("HVALS", keys),
    "HDEL": command("HDEL", keys, several(names, 1)),
    "HLEN": command("HLEN", keys),
    "HSTRLEN": command("HSTRLEN", keys, names),
    "HEXISTS": command("HEXISTS", keys, names),
    "HINCRBY": command("HINCRBY", keys, names, numbers),
    "HINCRBYFLOAT": command("HINCRBYFLOAT", keys, names, floats),
    "HRANDFIELD": command(
        "HRANDFIELD", keys, options(words(integers), most=1), options(option("WITHVALUES"))
    ),
    "HSCAN": command(
        "HSCAN",
        live_keys,
        st.sampled_from([b"0", b"0", b"0", b"abc", b"-1"]),
        options(option("COUNT", integers), option("MATCH", texts), option("NOVALUES"), option("TYPE", texts)),
    ),
    "HEXPIRE": command("HEXPIRE", keys, seconds, conditions, some_fields()),
    "HPEXPIRE": command("HPEXPIRE", keys, milliseconds, conditions, some_fields()),
    "HEXPIREAT": command("HEXPIREAT", keys, times, conditions, some_fields()),
    "HPEXPIREAT": command("HPEXPIREAT", keys, times_ms, conditions, some_fields()),
    "HTTL": command("HTTL", keys, some_fields()),
    "HPTTL": command("HPTTL", keys, some_fields()),
    "HEXPIRETIME": command("HEXPIRETIME", keys, some_fields()),
    "HPEXPIRETIME": command("HPEXPIRETIME", keys, some_fields()),
    "HPERSIST": command("HPERSIST", keys, some_fields()),
    "HGETDEL": command("HGETDEL", keys, some_fields()),
    "HGETEX": command("HGETEX", keys, options(option("PERSIST"), *lifetimes, most=1), some_fields()),
    "HSETEX": command(
        "HSETEX",
        keys,
        options(option("FNX"), option("FXX"), option("KEEPTTL"), *lifetimes, most=2),
        some_fields(words(names, texts)),
    ),
    "RESTORE old": command("RESTORE", keys, b"0", old_payloads, options(option("REPLACE"))),
    "RESTORE": command("RESTORE", live_keys, b"0", old_payloads, option("REPLACE")),
}
