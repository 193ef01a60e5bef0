"""Group string."""

from __future__ import annotations

from hypothesis import strategies as st

from tests.differential.grammar.vocabulary import (
    LIMIT_BYTES,
    Words,
    command,
    floats,
    integers,
    keys,
    live_keys,
    milliseconds,
    option,
    options,
    positions,
    seconds,
    several,
    texts,
    unix_milliseconds,
    unix_seconds,
    words,
)

lifetimes: list[Words] = [
    option("EX", seconds),
    option("PX", milliseconds),
    option("EXAT", unix_seconds),
    option("PXAT", unix_milliseconds),
]
offsets = st.one_of(
    st.sampled_from([b"0", b"1", b"3", b"10", b"60", b"%d" % (LIMIT_BYTES - 1), b"%d" % LIMIT_BYTES]),
    integers.filter(lambda n: n not in (b"2147483647", b"2147483648")),
)

COMMANDS: dict[str, Words] = {
    "SET": command(
        "SET",
        keys,
        texts,
        options(
            option("NX"),
            option("XX"),
            option("GET"),
            option("KEEPTTL"),
            *lifetimes,
            option("IFEQ", texts),
            option("PERSIST"),
        ),
    ),
    "GET": command("GET", keys),
    "GETDEL": command("GETDEL", keys),
    "GETEX": command("GETEX", keys, options(option("PERSIST"), *lifetimes, option("KEEPTTL"), most=2)),
    "GETSET": command("GETSET", keys, texts),
    "GETRANGE": command("GETRANGE", live_keys, positions, positions),
    "SUBSTR": command("SUBSTR", live_keys, positions, positions),
    "SETRANGE": command("SETRANGE", keys, offsets, texts),
    "STRLEN": command("STRLEN", keys),
    "APPEND": command("APPEND", keys, texts),
    "INCR": command("INCR", keys),
    "DECR": command("DECR", keys),
    "INCRBY": command("INCRBY", keys, integers),
    "DECRBY": command("DECRBY", keys, integers),
    "INCRBYFLOAT": command("INCRBYFLOAT", keys, floats),
    "MGET": command("MGET", several(keys, 1)),
    "MSET": command("MSET", several(words(keys, texts), 1)),
    "MSETNX": command("MSETNX", several(words(keys, texts), 1)),
    "SETNX": command("SETNX", keys, texts),
    "SETEX": command("SETEX", keys, seconds, texts),
    "PSETEX": command("PSETEX", keys, milliseconds, texts),
    "LCS": command(
        "LCS",
        live_keys,
        keys,
        options(
            option("LEN"), option("IDX"), option("MINMATCHLEN", integers), option("WITHMATCHLEN"), most=4
        ),
    ),
}
