"""Group connection, as far as the reply comes and the connection stays: what silences or ends one is
scripted.
"""

from __future__ import annotations

from hypothesis import strategies as st

from tests.differential.grammar.vocabulary import (
    Words,
    command,
    databases,
    integers,
    maybe,
    option,
    options,
    several,
    texts,
    word,
    words,
)

names = st.sampled_from([b"alice", b"", b"with space", b"new\nline", b"\xc3\xa9", b"x" * 100, b"~", b"tab\t"])
passwords = st.sampled_from([b"secret", b"", b"default"])
users = st.sampled_from([b"default", b"nobody", b""])
versions = st.sampled_from([b"2", b"3", b"3", b"1", b"4", b"abc", b"", b"-1", b"9223372036854775808"])
switches = st.sampled_from([b"ON", b"OFF", b"on", b"off", b"MAYBE", b""])
client_types = st.sampled_from([b"normal", b"NORMAL", b"master", b"replica", b"slave", b"pubsub", b"other"])
foreign_ids = st.sampled_from([b"999999", b"-1", b"0", b"abc", b"9223372036854775807"])

COMMANDS: dict[str, Words] = {
    "PING": command("PING", maybe(texts)),
    "ECHO": command("ECHO", texts),
    "SELECT": command("SELECT", databases),
    "AUTH": command("AUTH", st.one_of(words(passwords), words(users, passwords))),
    "HELLO": command(
        "HELLO",
        st.one_of(
            st.just(()),
            words(versions, options(option("AUTH", users, passwords), option("SETNAME", names), option("X"))),
        ),
    ),
    "RESET": command("RESET"),
    "CLIENT ID": command("CLIENT ID"),
    "CLIENT GETNAME": command("CLIENT GETNAME"),
    "CLIENT SETNAME": command("CLIENT SETNAME", names),
    "CLIENT SETINFO": command(
        "CLIENT SETINFO", st.one_of(word("LIB-NAME"), word("LIB-VER"), word("OTHER")), names
    ),
    "CLIENT INFO": command("CLIENT INFO"),
    "CLIENT LIST": command("CLIENT LIST ID", several(foreign_ids, 0, 3)),
    "CLIENT LIST TYPE": command(
        "CLIENT LIST TYPE", st.sampled_from([b"master", b"replica", b"pubsub", b"other", b""])
    ),
    "CLIENT NO-EVICT": command("CLIENT NO-EVICT", switches),
    "CLIENT NO-TOUCH": command("CLIENT NO-TOUCH", switches),
    "CLIENT GETREDIR": command("CLIENT GETREDIR"),
    "CLIENT UNPAUSE": command("CLIENT UNPAUSE"),
    "CLIENT PAUSE": words(
        b"CLIENT",
        b"PAUSE",
        st.sampled_from([b"0", b"-1", b"abc", b"9223372036854775808"]),
        maybe(st.sampled_from([b"WRITE", b"ALL", b"write", b"other"])),
    ),
    "CLIENT UNBLOCK": command(
        "CLIENT UNBLOCK", foreign_ids, maybe(st.sampled_from([b"TIMEOUT", b"ERROR", b"other"]))
    ),
    "CLIENT REPLY": command("CLIENT REPLY", st.sampled_from([b"ON", b"on", b"other", b""])),
    "CLIENT KILL": command(
        "CLIENT KILL",
        st.one_of(
            words(b"ID", foreign_ids),
            words(b"ADDR", b"1.2.3.4:5"),
            words(b"LADDR", b"1.2.3.4:5"),
            words(b"USER", users),
            words(b"TYPE", st.sampled_from([b"master", b"pubsub", b"other"])),
            words(b"1.2.3.4:5"),
            words(b"ID", foreign_ids, b"SKIPME", st.sampled_from([b"yes", b"no", b"other"])),
            words(b"MAXAGE", st.sampled_from([b"999999", b"0", b"-1", b"abc"])),
            words(b"OTHER", integers),
        ),
    ).filter(lambda line: line[2:3] != (b"USER",) or b"default" not in line),
    "CLIENT HELP": command("CLIENT HELP"),
    "CLIENT": command("CLIENT", maybe(st.sampled_from([b"OTHER", b"", b"KILL", b"ID"]))),
}
