"""The words that generated commands are made of.

Times need care: two servers execute the same command some milliseconds apart. A relative expiry is
therefore long, and written as `SECONDS` or `MILLISECONDS`, which `sequences` replaces with a number used
only once: then GT and LT give the same answer on both sides. Absolute times lie in 1970 or after 2100. No
number between 1 and 100 is ever drawn where it could become an expiry.
"""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import strategies as st

Args = tuple[bytes, ...]
Words = st.SearchStrategy[Args]
Part = bytes | st.SearchStrategy[bytes] | Words

SECONDS = b"<seconds>"
MILLISECONDS = b"<milliseconds>"

LIMIT_BYTES = 1 << 20
"""proto-max-bulk-len of both servers: the smallest Redis takes, so that its edges cost little."""

BEYOND_BYTES = [
    b"4294967296",
    b"9223372036854775807",
    b"-9223372036854775808",
    b"9223372036854775808",
    b"18446744073709551616",
    b"-1",
    b"-2",
]
NO_INTEGERS = [
    b"",
    b"abc",
    b"1.5",
    b" 1",
    b"1 ",
    b"+1",
    b"01",
    b"0x10",
    b"-",
    b"--1",
    b"1e3",
    b"\x00",
    b"1\x00",
    b"-0",
]

keys = st.sampled_from(
    [
        b"a",
        b"a",
        b"a",
        b"b",
        b"b",
        b"c",
        b"c",
        b"d",
        b"missing",
        b"",
        b"\x00\xff\r\n ",
        b"key:{1}",
        b"k" * 300,
    ]
)
live_keys = st.sampled_from([b"a", b"a", b"b"])
"""Keys that most commands share: what reads a value should often find one."""

small_integers = st.integers(-5, 5).map(lambda n: b"%d" % n)
edge_integers = st.sampled_from(
    [b"0", b"1", b"-1", b"2147483647", b"2147483648", b"-2147483649", *BEYOND_BYTES]
)
wrong_integers = st.sampled_from(NO_INTEGERS)
integers = st.one_of(small_integers, small_integers, edge_integers, wrong_integers)
positions = st.one_of(
    st.integers(-12, 12).map(lambda n: b"%d" % n), small_integers, edge_integers, wrong_integers
)

floats = st.one_of(
    st.sampled_from(
        [
            b"0",
            b"-0",
            b"0.1",
            b"1",
            b"-1.5",
            b"3.0e3",
            b"5e-324",
            b"1e308",
            b"1.7e308",
            b"1e4932",
            b"nan",
            b"-nan",
            b"inf",
            b"-inf",
            b"+inf",
            b"infinity",
            b"1e",
            b".5",
            b"5.",
            b"0x1p3",
            b"1_0",
            b"",
            b"10.50",
            b"1.123456789012345678",
            b"99999999999999999999",
            b"1e-10",
            b"1e17",
            b"123456789.125",
        ]
    ),
    st.decimals(-1000, 1000, places=3).map(lambda d: str(d).encode()),
    integers,
)

texts = st.one_of(
    st.sampled_from(
        [
            b"",
            b"0",
            b"1",
            b"-1",
            b"10",
            b"12345",
            b"10000",
            b"9999",
            b"hello",
            b"foobar",
            b"3.14",
            b"1e2",
            b"nan",
            b"9223372036854775807",
            b"-9223372036854775808",
            b"9223372036854775808",
            b" 7",
            b"007",
            b"x" * 32,
            b"x" * 33,
            b"x" * 40,
            b"x" * 41,
            b"x" * 44,
            b"x" * 45,
            b"x" * 64,
            b"ab" * 500,
            b"\x00",
            b"\xff\xff\xff\xff",
            b"\r\n",
            b"ohmytext",
            b"mynewtext",
            b"-0",
            b"+3",
            b"12345678901234567890",
            b"1" * 20,
            b"1" * 21,
        ]
    ),
    st.binary(max_size=24),
    st.text("abc", max_size=12).map(str.encode),
)

seconds = st.one_of(
    st.just(SECONDS),
    st.just(SECONDS),
    st.just(SECONDS),
    st.sampled_from([b"0", *BEYOND_BYTES, *(n for n in NO_INTEGERS if n not in (b" 1", b"01", b"+1"))]),
)
milliseconds = st.one_of(
    st.just(MILLISECONDS),
    st.just(MILLISECONDS),
    st.just(MILLISECONDS),
    st.sampled_from([b"0", *BEYOND_BYTES, b"abc", b"", b"1.5", b"9223372036854770000"]),
)
unix_seconds = st.one_of(
    st.sampled_from([b"4102444800", b"4102531200", b"4133980800", b"4102444801"]),
    st.sampled_from(
        [
            b"1",
            b"0",
            b"1000000000",
            b"-1",
            b"9223372036854775807",
            b"9223372036854775",
            b"9223372036854776",
            b"abc",
            b"",
        ]
    ),
)
unix_milliseconds = st.one_of(
    st.sampled_from([b"4102444800000", b"4102444800001", b"4133980800000"]),
    st.sampled_from(
        [b"1000000000000", b"0", b"-1", b"9223372036854775807", b"9223372036854775808", b"abc", b""]
    ),
)
"""Of the epoch. What is long ago is a long time too, for a RESTORE that has lost its ABSTTL."""

databases = st.one_of(
    st.sampled_from([b"0", b"0", b"1", b"2", b"15"]),
    st.sampled_from([b"16", b"-1", b"abc", b"", b"4294967296", b"9223372036854775808", b"1.0"]),
)

garbage = st.sampled_from(
    [
        b"",
        b"garbage",
        b"-1",
        b"9223372036854775808",
        b"\x00",
        b"NX",
        b"XX",
        b"GET",
        b"COUNT",
        b"*",
        b"(",
        b"[1",
        b"[1a",
        b"$1",
        b"nan",
        b"4294967296",
    ]
)


def word(text: str) -> st.SearchStrategy[bytes]:
    """A keyword: as documented, mostly; now and then in another case."""
    exact = text.encode()
    return st.sampled_from([exact, exact, exact.lower(), exact.capitalize()])


def words(*parts: Part) -> Words:
    """Parts one after another, each a fixed word, a strategy of one word, or of several."""
    strategies = [st.just(p) if isinstance(p, bytes) else p for p in parts]
    return st.tuples(*strategies).map(_flattened)


def option(name: str, *parts: Part) -> Words:
    """A keyword with what follows it."""
    return words(word(name), *parts)


def options(*choices: Words, most: int = 3) -> Words:
    """None, some or all, in any order, repeated and in conflict."""
    return st.lists(st.one_of(*choices), max_size=most).map(_flattened)


def maybe(part: Part) -> Words:
    """There or not."""
    return st.one_of(st.just(()), words(part))


def several(part: Part, least: int = 0, most: int = 4) -> Words:
    """Between `least` and `most` times."""
    return st.lists(words(part), min_size=least, max_size=most).map(_flattened)


def command(name: str, *parts: Part) -> Words:
    """A command line, in one of twelve cases with a word too many, too few, or out of place.

    Not for commands that wait as long as they are told: those are made of `words`.
    """
    first, *more = name.split()
    line = words(word(first), *(word(m) for m in more), *parts)
    return st.tuples(line, st.integers(0, 11)).flatmap(
        lambda pair: _bent(pair[0]) if pair[1] == 11 else st.just(pair[0])
    )


def _bent(line: Args) -> Words:
    """A line with one mistake. A repeated word is a key or a keyword, never a number that could become a
    short expiry.
    """
    at = st.integers(1, len(line))
    return st.one_of(
        at.map(lambda i: line[:i] + line[i + 1 :]),
        st.tuples(at, garbage).map(lambda p: (*line[: p[0]], p[1], *line[p[0] :])),
        st.tuples(at, garbage).map(lambda p: (*line[: p[0]], p[1], *line[p[0] + 1 :])),
        st.just((*line, *line[1:2])),
    )


def _flattened(parts: Sequence[bytes | Args]) -> Args:
    flat: list[bytes] = []
    for part in parts:
        flat.extend([part] if isinstance(part, bytes) else part)
    return tuple(flat)
