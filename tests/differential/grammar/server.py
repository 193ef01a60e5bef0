"""Group server: the part whose answers do not depend on the server's own insides."""

from __future__ import annotations

from hypothesis import strategies as st

from tests.differential.grammar.vocabulary import (
    Words,
    command,
    databases,
    integers,
    keys,
    maybe,
    several,
    texts,
    words,
)

flush_modes = maybe(st.sampled_from([b"ASYNC", b"SYNC", b"async", b"other"]))
command_names = st.sampled_from(
    [
        b"get",
        b"SET",
        b"mset",
        b"bitop",
        b"client|id",
        b"config|get",
        b"nonsense",
        b"",
        b"object",
        b"eval",
        b"restore",
        b"copy",
        b"expire",
        b"lcs",
        b"client|nonsense",
    ]
)
whole_commands = st.sampled_from(
    [
        (b"GET", b"a"),
        (b"MSET", b"a", b"1", b"b", b"2"),
        (b"BITOP", b"AND", b"d", b"a", b"b"),
        (b"SET", b"a", b"1", b"GET"),
        (b"DEL", b"a", b"b"),
        (b"PING",),
        (b"GET",),
        (b"nonsense",),
        (b"MSET", b"a"),
        (b"OBJECT", b"ENCODING", b"a"),
        (),
        (b"RENAME", b"a", b"b"),
        (b"COPY", b"a", b"b", b"DB", b"1"),
        (b"CONFIG", b"GET", b"a"),
        (b"LCS", b"a", b"b"),
        (b"MEMORY", b"USAGE", b"a"),
        (b"BITFIELD", b"a", b"GET", b"u8", b"0"),
        (b"SET", b"a", b"1"),
        (b"RENAME", b"a"),
    ]
)
settings = st.sampled_from(
    [
        b"maxmemory-policy",
        b"timeout",
        b"proto-max-bulk-len",
        b"MAXMEMORY-SAMPLES",
        b"nonsense",
        b"",
        b"slowlog-log-slower-than",
        b"slowlog-max-len",
        b"activedefrag",
        b"notify-keyspace-events",
        b"lfu-decay-time",
        b"lfu-log-factor",
        b"tcp-keepalive",
        b"latency-monitor-threshold",
    ]
)
values = st.sampled_from(
    [
        b"abc",
        b"",
        b"-5",
        b"1.5",
        b"999999999999999999999",
        b"noeviction",
        b"allkeys-lru",
        b"yes",
        b"no",
        b"10k",
        b"1tb2",
        b"KEA",
        b"mcon",
    ]
)

COMMANDS: dict[str, Words] = {
    "DBSIZE": command("DBSIZE"),
    "FLUSHALL": command("FLUSHALL", flush_modes),
    "FLUSHDB": command("FLUSHDB", flush_modes),
    "SWAPDB": command("SWAPDB", databases, databases),
    "TIME": command("TIME"),
    "COMMAND COUNT": command("COMMAND COUNT"),
    "COMMAND GETKEYS": command("COMMAND GETKEYS", whole_commands),
    "COMMAND GETKEYSANDFLAGS": command("COMMAND GETKEYSANDFLAGS", whole_commands),
    "COMMAND HELP": command("COMMAND HELP"),
    "COMMAND": command("COMMAND", st.sampled_from([b"OTHER", b"", b"GETKEYS", b"LIST x", b"COUNT"])),
    "COMMAND LIST FILTERBY": command(
        "COMMAND LIST",
        st.sampled_from([b"FILTERBY", b"filterby", b"x"]),
        st.one_of(
            words(b"PATTERN", st.sampled_from([b"get*", b"nonsense", b"*bit*"])),
            words(b"ACLCAT", st.sampled_from([b"bitmap", b"nonsense"])),
            words(b"MODULE", b"nonsense"),
            words(b"OTHER", b"x"),
        ),
    ),
    "CONFIG": command("CONFIG", maybe(st.sampled_from([b"OTHER", b"", b"GET", b"SET", b"RESETSTAT"]))),
    "CONFIG GET": command(
        "CONFIG GET", st.one_of(words(settings), words(b"maxmemory-policy", b"timeout", b"nonsense"))
    ),
    "CONFIG SET": command(
        "CONFIG SET",
        settings.filter(lambda s: s != b"proto-max-bulk-len"),
        values,
        maybe(words(settings, values)),
    ),
    "CONFIG HELP": command("CONFIG HELP"),
    "DEBUG": words(b"DEBUG", st.sampled_from([b"OTHER", b"", b"SLEEP", b"OBJECT"])),
    "DEBUG SLEEP": words(b"DEBUG", b"SLEEP", b"0"),
    "DEBUG STRINGMATCH-LEN": command("DEBUG STRINGMATCH-LEN", integers, texts),
    "DEBUG DIGEST-VALUE": command("DEBUG DIGEST-VALUE", several(keys)),
    "DEBUG DIGEST": command("DEBUG DIGEST"),
    "DEBUG ERROR": command("DEBUG ERROR", st.sampled_from([b"ERR some", b"", b"CODE", b"x y z"])),
    "DEBUG PROTOCOL": command(
        "DEBUG PROTOCOL",
        st.sampled_from(
            [
                b"string",
                b"integer",
                b"double",
                b"bignum",
                b"null",
                b"array",
                b"set",
                b"map",
                b"attrib",
                b"verbatim",
                b"true",
                b"false",
                b"other",
            ]
        ),
    ),
    "MEMORY": command("MEMORY", maybe(st.sampled_from([b"OTHER", b"", b"USAGE"]))),
    "MEMORY USAGE": command(
        "MEMORY USAGE", keys, maybe(words(st.sampled_from([b"SAMPLES", b"other"]), integers))
    ),
    "LATENCY": command(
        "LATENCY", st.sampled_from([b"OTHER", b"HISTORY", b"HELP", b"RESET", b"GRAPH"]), maybe(texts)
    ),
    "LOLWUT": command("LOLWUT", maybe(words(b"VERSION", st.sampled_from([b"5", b"abc", b"x"])))),
    "SLOWLOG": command("SLOWLOG", st.sampled_from([b"OTHER", b"HELP", b"RESET", b"LEN"])),
    "SLOWLOG GET": command("SLOWLOG GET", maybe(integers)),
    "OBJECT": command("OBJECT", maybe(st.sampled_from([b"OTHER", b"", b"ENCODING"]))),
    "unknown": command("NONSENSE", several(texts)),
}
