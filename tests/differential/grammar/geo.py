"""Group geo. Every member has places of its own, so that no two are equally far from anything: their order would be each server's own."""

from __future__ import annotations

from hypothesis import strategies as st

from tests.differential.grammar.vocabulary import (
    Args,
    Words,
    command,
    keys,
    live_keys,
    option,
    options,
    several,
    word,
    words,
)

NAMES = [b"Palermo", b"Catania", b"pole", b"edge", b"x" * 65, b"", b"a", b"b"]
members = st.sampled_from(NAMES)
longitudes = st.floats(-180, 180)
latitudes = st.floats(-85, 85)
numbers = st.one_of(
    longitudes.map(lambda x: repr(x).encode()),
    st.sampled_from(
        [b"0", b"180", b"-180", b"181", b"85.06", b"nan", b"inf", b"abc", b"", b"-90", b"1e400", b"13.5"]
    ),
)
units = st.sampled_from([b"m", b"km", b"KM", b"ft", b"mi", b"km", b"km", b"yd", b""])
distances = st.one_of(
    st.sampled_from(
        [b"0", b"1", b"100", b"1000", b"5000", b"20000", b"-1", b"abc", b"nan", b"inf", b"0.5", b"1e7"]
    ),
    st.floats(0, 12_000).map(lambda x: repr(x).encode()),
)


def _text(number: float) -> bytes:
    return f"{number:.6f}".encode()


def place(name: bytes) -> Words:
    """Near one of three points, a little aside that no other member shares."""
    aside = (NAMES.index(name) + 1) * 0.0137
    return st.sampled_from([(13.361389, 38.115556), (-179.9, 84.8), (0.0, 0.0), (120.5, -66.2)]).map(
        lambda p: (_text(p[0] + aside), _text(p[1] + aside * aside), name)
    )


places = members.flatmap(place)
anywhere = st.tuples(longitudes, latitudes).map(lambda p: (_text(p[0]), _text(p[1])))
points = st.one_of(anywhere, anywhere, anywhere, words(numbers, numbers))
circles = words(distances, units)
boxes = words(distances, distances, units)
order = words(st.sampled_from([b"ASC", b"DESC", b"asc"]))
count = option("COUNT", st.sampled_from([b"1", b"2", b"5", b"0", b"-1", b"abc"]))
shown = [option("WITHDIST"), option("WITHHASH"), option("WITHCOORD")]
store = words(st.sampled_from([b"STORE", b"STOREDIST"]), keys)
centers = st.one_of(option("FROMMEMBER", members), option("FROMLONLAT", points))
shapes = st.one_of(option("BYRADIUS", circles), option("BYBOX", boxes))


def many(low: int, high: int) -> Words:
    """Between `low` and `high` places, spread over the sphere in a spiral."""

    def spiral(n: int) -> Args:
        return tuple(
            text
            for i in range(n)
            for text in (_text((i * 137.507 % 360) - 180), _text((i * 0.271 % 170) - 85), b"place-%d" % i)
        )

    return st.integers(low, high).map(spiral)


COMMANDS: dict[str, Words] = {
    "GEOADD": command("GEOADD", live_keys, several(places, 1)),
    "GEOADD options": command(
        "GEOADD",
        keys,
        options(option("NX"), option("XX"), option("CH")),
        several(words(points, members), 1, 2),
    ),
    "GEOADD many": command("GEOADD", live_keys, many(1, 300)),
    "GEODIST": command("GEODIST", keys, members, members, options(words(units), most=1)),
    "GEOHASH": command("GEOHASH", keys, several(words(members), 0)),
    "GEOPOS": command("GEOPOS", keys, several(words(members), 0)),
    "GEORADIUS": command(
        "GEORADIUS", keys, points, circles, options(*shown, order, count, option("ANY"), store)
    ),
    "GEORADIUS_RO": command("GEORADIUS_RO", keys, points, circles, options(*shown, order, count, store)),
    "GEORADIUSBYMEMBER": command(
        "GEORADIUSBYMEMBER", keys, members, circles, options(*shown, order, count, option("ANY"), store)
    ),
    "GEORADIUSBYMEMBER_RO": command(
        "GEORADIUSBYMEMBER_RO", keys, members, circles, options(*shown, order, count, option("ANY"))
    ),
    "GEOSEARCH": command(
        "GEOSEARCH",
        keys,
        centers,
        shapes,
        options(*shown, order, count, words(word("COUNT"), word("3"), word("ANY"))),
    ),
    "GEOSEARCH wrong": command("GEOSEARCH", keys, options(centers, shapes, centers, shapes, count, most=4)),
    "GEOSEARCHSTORE": command(
        "GEOSEARCHSTORE",
        keys,
        keys,
        centers,
        shapes,
        options(*shown, order, count, option("STOREDIST"), most=2),
    ),
}
