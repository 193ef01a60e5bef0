"""Group hyperloglog, on values of both forms, and on strings that are nearly one."""

from __future__ import annotations

from hypothesis import strategies as st

from tests.differential.grammar.vocabulary import Words, command, keys, live_keys, several, word, words

EMPTY = b"HYLL\x01" + bytes(10) + b"\x80\x7f\xff"

elements = st.one_of(
    st.sampled_from([b"a", b"b", b"c", b"", b"\x00", b"long" * 40, b"12345678", b"123456789"]),
    st.integers(0, 10_000).map(lambda n: b"%d" % n),
)


@st.composite
def runs(draw: st.DrawFn) -> bytes:
    """A sparse value, most often a sound one: runs of all kinds, not as short as they could be."""
    left = 16384
    body = bytearray()
    while left:
        kind = draw(st.sampled_from("zZZZv"))
        if kind == "v":
            count = min(draw(st.integers(1, 4)), left)
            body.append(0x80 | draw(st.integers(0, 31)) << 2 | count - 1)
        elif kind == "z":
            count = min(draw(st.integers(1, 64)), left)
            body.append(count - 1)
        else:
            count = min(draw(st.integers(1, 16384)), left)
            body += (0x4000 | count - 1).to_bytes(2, "big")
        left -= count
    body += draw(st.sampled_from([b""] * 6 + [b"\x00", b"\x80"]))
    cardinality = draw(st.sampled_from([bytes(7) + b"\x80", b"\x05" + bytes(7)]))
    return b"HYLL\x01" + bytes(3) + cardinality + bytes(body)


not_quite = st.sampled_from(
    [
        b"HYLL",
        b"HYLL\x01" + bytes(11),
        b"HYLL\x02" + bytes(11) + b"\x7f\xff",
        b"HYLL\x00" + bytes(11) + b"\x7f\xff",
        b"HYLL\x00" + bytes(11 + 12288),
        b"HYLL\x00" + bytes(11) + bytes(range(256)) * 48,
        b"HYLL\x00" + bytes(10) + b"\x80" + b"\xff" * 12288,
        b"hyll\x01" + bytes(11) + b"\x7f\xff",
        b"HYLL\x01" + bytes(11) + b"\x7f\xfe",
        EMPTY,
    ]
)

COMMANDS: dict[str, Words] = {
    "PFADD": command("PFADD", keys, several(words(elements))),
    "PFADD one": command("PFADD", live_keys, elements),
    "PFADD many": command(
        "PFADD", live_keys, st.integers(100, 2500).map(lambda n: tuple(b"element-%d" % i for i in range(n)))
    ),
    "PFCOUNT": command("PFCOUNT", keys),
    "PFCOUNT several": command("PFCOUNT", several(words(keys), 2)),
    "PFMERGE": command("PFMERGE", keys, several(words(keys))),
    "PFDEBUG": command(
        "PFDEBUG", st.sampled_from([b"GETREG", b"decode", b"ENCODING", b"TODENSE", b"help"]), live_keys
    ),
    "PFSELFTEST wrong": words(word("PFSELFTEST"), keys),
    "SET": command("SET", live_keys, st.one_of(runs(), not_quite)),
    "GET": command("GET", keys),
    "DUMP": command("DUMP", live_keys),
    "OBJECT ENCODING": command("OBJECT ENCODING", live_keys),
    "CONFIG SET": words(
        word("CONFIG"),
        word("SET"),
        b"hll-sparse-max-bytes",
        st.sampled_from([b"0", b"18", b"100", b"3000", b"3000", b"16000", b"100000", b"-1", b"x"]),
    ),
}
