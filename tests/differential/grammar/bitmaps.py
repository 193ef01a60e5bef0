"""Group bitmap. Values are few bytes and often of equal length, so that BITOP and BITPOS meet their edges."""

from __future__ import annotations

from hypothesis import strategies as st

from tests.differential.grammar.vocabulary import (
    LIMIT_BYTES,
    Words,
    command,
    edge_integers,
    integers,
    keys,
    live_keys,
    option,
    options,
    positions,
    several,
    word,
    words,
    wrong_integers,
)

bits = st.sampled_from([b"0", b"1", b"1", b"2", b"-1", b"", b"1.0"])
bit_values = st.sampled_from([b"0", b"1", b"1"])
safe_edges = edge_integers.filter(lambda n: n not in (b"2147483647", b"2147483648"))
bit_offsets = st.one_of(
    st.integers(0, 70).map(lambda n: b"%d" % n),
    st.sampled_from([b"8191", b"%d" % (8 * LIMIT_BYTES - 1), b"%d" % (8 * LIMIT_BYTES), b"4294967295"]),
    safe_edges,
    wrong_integers,
)
field_types = st.one_of(
    st.tuples(st.sampled_from("iu"), st.sampled_from([1, 2, 3, 5, 7, 8, 9, 13, 16, 31, 32, 33, 48, 63])).map(
        lambda p: f"{p[0]}{p[1]}".encode()
    ),
    st.sampled_from(
        [b"i64", b"u64", b"u0", b"i0", b"i65", b"x8", b"", b"i", b"u-1", b"I8", b"U8", b"u8 ", b"u08"]
    ),
)
field_offsets = st.one_of(
    st.integers(0, 40).map(lambda n: b"%d" % n),
    st.integers(0, 9).map(lambda n: b"#%d" % n),
    st.sampled_from(
        [b"#", b"#-1", b"#4294967296", b"#9223372036854775807", b"#a", b"%d" % (8 * LIMIT_BYTES - 5)]
    ),
    safe_edges,
    wrong_integers,
)
field_values = st.one_of(
    st.sampled_from([b"127", b"128", b"255", b"256", b"-128", b"-129", b"65535"]), integers
)
overflows = option("OVERFLOW", st.sampled_from([b"WRAP", b"SAT", b"FAIL", b"sat", b"other"]))
field_get = option("GET", field_types, field_offsets)
field_set = option("SET", field_types, field_offsets, field_values)
field_increment = option("INCRBY", field_types, field_offsets, field_values)
bit_ranges = st.one_of(
    st.just(()),
    words(positions),
    words(positions, positions),
    words(positions, positions, word("BIT")),
    words(positions, positions, word("BYTE")),
    words(positions, positions, st.sampled_from([b"BITS", b""])),
)
byte_values = st.sampled_from(
    [
        b"\x00",
        b"\xff",
        b"\xff\xff",
        b"\x00\x00\x00",
        b"\xf0\x0f\xaa\x55",
        b"foobar",
        b"",
        b"\xff" * 40,
        b"\x00" * 33 + b"\x01",
        b"\x01" + b"\x00" * 300,
    ]
)
operations = st.sampled_from(
    [
        b"AND",
        b"OR",
        b"XOR",
        b"NOT",
        b"DIFF",
        b"DIFF1",
        b"ANDOR",
        b"ONE",
        b"and",
        b"diff1",
        b"Not",
        b"NAND",
        b"",
    ]
)

COMMANDS: dict[str, Words] = {
    "SET": command("SET", keys, byte_values),
    "SETBIT": command("SETBIT", keys, bit_offsets, bits),
    "GETBIT": command("GETBIT", keys, bit_offsets),
    "BITCOUNT": command("BITCOUNT", live_keys, bit_ranges),
    "BITPOS": command("BITPOS", live_keys, bits, bit_ranges),
    "BITOP": command("BITOP", operations, keys, several(keys, 1)),
    "BITFIELD": command(
        "BITFIELD",
        keys,
        options(field_get, field_set, field_set, field_increment, field_increment, overflows, most=5),
    ),
    "BITFIELD_RO": command(
        "BITFIELD_RO", live_keys, options(field_get, field_get, field_get, field_set, overflows)
    ),
}
