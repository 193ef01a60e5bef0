"""Group generic: what needs no other type than strings."""

from __future__ import annotations

from hypothesis import strategies as st

from tests.differential.dump_payload import seal
from tests.differential.grammar.vocabulary import (
    Words,
    command,
    databases,
    keys,
    live_keys,
    milliseconds,
    option,
    options,
    seconds,
    several,
    unix_milliseconds,
    unix_seconds,
    words,
)

patterns = st.sampled_from(
    [
        b"*",
        b"?",
        b"[a-c]",
        b"[^a]",
        b"a*",
        b"\\a",
        b"[",
        b"[a",
        b"",
        b"*:{1}",
        b"[c-a]",
        b"**a**",
        b"[\\a]",
        b"\\",
        b"key:*",
        b"A",
        b"[]",
        b"[^]",
    ]
)
conditions = options(option("NX"), option("XX"), option("GT"), option("LT"), option("OTHER"), most=2)
counts = st.sampled_from(
    [b"1", b"10", b"1000", b"0", b"-1", b"abc", b"9223372036854775807", b"9223372036854775808"]
)
cursors = st.sampled_from(
    [
        b"0",
        b"0",
        b"0",
        b"7",
        b"18446744073709551615",
        b"18446744073709551616",
        b"-1",
        b"abc",
        b"",
        b" 0",
        b"0x0",
    ]
)
types = st.sampled_from([b"string", b"STRING", b"hash", b"set", b"zset", b"nonsense", b""])
access = [
    option("IDLETIME", st.sampled_from([b"0", b"1000", b"-1", b"abc"])),
    option("FREQ", st.sampled_from([b"0", b"255", b"256", b"-1", b"abc"])),
]

good_payloads = [
    seal(b"\x00\x05hello"),
    seal(b"\x00\xc0\x7b"),
    seal(b"\x00\xc0\x80"),
    seal(b"\x00\xc1\x39\x30"),
    seal(b"\x00\xc2\xff\xff\xff\x7f"),
    seal(b"\x00\x00"),
    seal(b"\x00\x40\x64" + b"x" * 100),
    seal(b"\x00\x80\x00\x00\x00\x03abc"),
    seal(b"\x00\x81\x00\x00\x00\x00\x00\x00\x00\x03abc"),
    seal(b"\x00\xc3\x09\x40\x64\x01aa\xe0\x56\x00\x01aa"),
    seal(b"\x00\x05hello", version=1),
    seal(b"\x00\x05hello", 11),
]
bad_payloads = [
    b"",
    b"short",
    b"x" * 10,
    good_payloads[0][:-1] + b"\x00",
    good_payloads[0][:-1],
    seal(b"\x00\x05hello", version=99),
    seal(b"\x00\x05hell"),
    seal(b"\x00\x05hellooo"),
    seal(b"\x00"),
    seal(b""),
    seal(b"\xff\x05hello"),
    seal(b"\x00\xc4ab"),
    seal(b"\x00\xc3\x09\x40\x63\x01aa\xe0\x56\x00\x01aa"),
    seal(b"\x00\xc3\x02\x05\xff\xff"),
    seal(b"\x00\x82abcd"),
    seal(b"\x00\xc1\x39"),
    seal(b"\x00\x81\xff\xff\xff\xff\xff\xff\xff\xff"),
    seal(b"\x09\x05hello"),
]
payloads = st.one_of(
    st.sampled_from(good_payloads), st.sampled_from(good_payloads), st.sampled_from(bad_payloads)
)
restore_times = st.one_of(st.just(b"0"), milliseconds)

COMMANDS: dict[str, Words] = {
    "COPY": command(
        "COPY", live_keys, keys, options(option("DB", databases), option("REPLACE"), option("OTHER"))
    ),
    "DEL": command("DEL", several(keys, 1)),
    "DUMP": command("DUMP", live_keys),
    "EXISTS": command("EXISTS", several(keys, 1)),
    "EXPIRE": command("EXPIRE", keys, seconds, conditions),
    "EXPIREAT": command("EXPIREAT", keys, unix_seconds, conditions),
    "EXPIRETIME": command("EXPIRETIME", keys),
    "KEYS": command("KEYS", patterns),
    "MOVE": command("MOVE", keys, databases),
    "OBJECT ENCODING": command("OBJECT ENCODING", keys),
    "OBJECT FREQ": command("OBJECT FREQ", keys),
    "OBJECT IDLETIME": command("OBJECT IDLETIME", keys),
    "OBJECT REFCOUNT": command("OBJECT REFCOUNT", keys),
    "OBJECT HELP": command("OBJECT HELP"),
    "PERSIST": command("PERSIST", keys),
    "PEXPIRE": command("PEXPIRE", keys, milliseconds, conditions),
    "PEXPIREAT": command("PEXPIREAT", keys, unix_milliseconds, conditions),
    "PEXPIRETIME": command("PEXPIRETIME", keys),
    "PTTL": command("PTTL", keys),
    "RANDOMKEY": command("RANDOMKEY"),
    "RENAME": command("RENAME", keys, keys),
    "RENAMENX": command("RENAMENX", keys, keys),
    "RESTORE": command(
        "RESTORE", keys, restore_times, payloads, options(option("REPLACE"), option("REPLACE"), *access)
    ),
    "RESTORE ABSTTL": command(
        "RESTORE", keys, unix_milliseconds, payloads, option("ABSTTL"), options(option("REPLACE"), *access)
    ),
    "SCAN": command(
        "SCAN", cursors, options(option("MATCH", patterns), option("COUNT", counts), option("TYPE", types))
    ),
    "TOUCH": command("TOUCH", several(keys, 1)),
    "TTL": command("TTL", keys),
    "TYPE": command("TYPE", keys),
    "UNLINK": command("UNLINK", several(keys, 1)),
    "WAIT": words(
        b"WAIT", st.sampled_from([b"0", b"-1", b"abc"]), st.sampled_from([b"0", b"1", b"-1", b"abc"])
    ),
    "WAITAOF": words(
        b"WAITAOF",
        st.sampled_from([b"0", b"1", b"2", b"-1", b"abc"]),
        st.sampled_from([b"0", b"-1", b"abc"]),
        st.sampled_from([b"0", b"1", b"-1", b"abc"]),
    ),
}
