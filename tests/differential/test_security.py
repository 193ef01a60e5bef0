"""Who may do what, and what nobody is shown: the same on both sides, on servers set up for it."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.differential.conftest import SUBJECT_IS_REDIS
from tests.support.raw import RawConnection
from tests.support.replies import parse
from tests.support.server import Server, gapless_server, redis_server

start_subject = redis_server if SUBJECT_IS_REDIS else gapless_server
PASSWORD = "open sesame"
SECRETS = (b"sesame", b"topsecret")

TELL_SECRETS: tuple[tuple[str, ...], ...] = (
    ("AUTH", PASSWORD),
    ("auth", "default", PASSWORD),
    ("AUTH", "topsecret"),
    ("AUTH", "topsecret", "topsecret"),
    ("HELLO", "3", "AUTH", "default", PASSWORD, "SETNAME", "x"),
    ("HELLO", "2", "SETNAME", "AUTH", "AUTH", "default", PASSWORD),
    ("HELLO", "2", "auth", "default", "topsecret"),
    ("CONFIG", "SET", "requirepass", PASSWORD),
    ("config", "set", "REQUIREPASS", PASSWORD, "timeout", "0", "masterauth", "topsecret"),
    ("CONFIG", "SET", "masteruser", "topsecret", "tls-key-file-pass", "topsecret"),
    ("CONFIG", "SET", "tls-client-key-file-pass", "topsecret"),
    ("SET", "k", "v"),
    ("MULTI",),
    ("AUTH", PASSWORD),
    ("CONFIG", "SET", "masterauth", "topsecret"),
    ("GET", "k"),
    ("EXEC",),
)


@contextmanager
def both(**options: str) -> Iterator[tuple[Server, Server]]:
    with redis_server(**options) as reference, start_subject(**options) as subject:
        yield reference, subject


def own_addresses() -> list[str]:
    """Addresses of this machine that others see; no packet is sent to find out."""
    found = []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("203.0.113.1", 9))
            found.append(probe.getsockname()[0])
        except OSError:
            pass  # there is loopback only
    return [address for address in found if not address.startswith("127.")]


def said(server: Server, lines: tuple[tuple[str, ...], ...]) -> list[bytes]:
    with server.connect() as connection:
        return [re.sub(rb"\r\nid\r\n:\d+", b"", connection.call(*line)) for line in lines]


def without_modules(reply: bytes) -> bytes:
    return reply.partition(b"modules")[0]


def test_monitor_shows_no_secrets() -> None:
    lines = []
    with both(requirepass=PASSWORD) as servers:
        for server in servers:
            with server.connect() as watcher, server.connect() as speaker:
                watcher.call("AUTH", PASSWORD)
                assert watcher.call("MONITOR") == b"+OK\r\n"
                for line in TELL_SECRETS:
                    speaker.call(*line)
                seen = watcher.read_quiet(0.3)[0]
                assert not any(secret in seen for secret in SECRETS), seen
                lines.append(re.findall(rb"\] (.*)\r\n", seen))
    assert lines[0] == lines[1]
    assert rb'"HELLO" "3" "AUTH" "(redacted)" "(redacted)" "SETNAME" "x"' in lines[1]


def test_slowlog_keeps_no_secrets() -> None:
    entries = []
    with both(requirepass=PASSWORD, slowlog_log_slower_than="0") as servers:
        for server in servers:
            with server.connect() as connection:
                connection.call("AUTH", PASSWORD)
                connection.call("SLOWLOG", "RESET")
                for line in TELL_SECRETS:
                    connection.call(*line)
                kept = connection.call("SLOWLOG", "GET", "-1")
                assert not any(secret in kept for secret in SECRETS), kept
                entries.append(
                    [[a.payload for a in entry.children[3].children] for entry in parse(kept).children]
                )
    assert entries[0] == entries[1]
    assert [b"CONFIG", b"SET", b"masterauth", b"(redacted)"] in entries[1]


def test_what_is_refused_shows_no_secrets_either() -> None:
    """Redis shows these: an AUTH or HELLO that goes wrong before it comes to the password."""
    with (
        gapless_server(slowlog_log_slower_than="0") as server,
        server.connect() as watcher,
        server.connect() as speaker,
    ):
        watcher.call("MONITOR")
        speaker.call("AUTH", "a", "topsecret", "c")
        speaker.call("HELLO", "9", "AUTH", "default", "topsecret")
        speaker.call("ACL", "SETUSER", "bob", ">topsecret")
        assert b"topsecret" not in watcher.read_quiet(0.3)[0]
        assert b"topsecret" not in speaker.call("SLOWLOG", "GET", "-1")


def test_a_password_is_asked_for() -> None:
    lines = (
        ("PING",),
        ("GET", "k"),
        ("NONSENSE", "a"),
        ("GET",),
        ("HELLO", "3"),
        ("MULTI",),
        ("EXEC",),
        ("CLIENT", "SETNAME", "x"),
        ("AUTH", "wrong"),
        ("AUTH", "nobody", PASSWORD),
        ("AUTH", "default", "wrong"),
        ("HELLO", "2", "AUTH", "default", "wrong"),
        ("GET", "k"),
        ("RESET",),
        ("AUTH", "default", PASSWORD),
        ("GET", "k"),
        ("AUTH", "default", "wrong"),
        ("GET", "k"),
        ("RESET",),
        ("GET", "k"),
        ("AUTH", PASSWORD),
        ("GET", "k"),
        ("RESET",),
        ("HELLO", "2", "AUTH", "default", PASSWORD),
        ("GET", "k"),
        ("ACL", "WHOAMI"),
        ("ACL", "LIST"),
    )
    with both(requirepass=PASSWORD) as servers:
        left, right = (list(map(without_modules, said(server, lines))) for server in servers)
    assert left == right


def test_no_password_no_auth() -> None:
    lines = (
        ("AUTH", "x"),
        ("AUTH", "default", "x"),
        ("AUTH", "default", ""),
        ("AUTH", "nobody", "x"),
        ("PING",),
    )
    with both() as servers:
        left, right = (said(server, lines) for server in servers)
    assert left == right


DEBUGGING = (
    ("DEBUG", "SLEEP", "0"),
    ("DEBUG", "NONSENSE"),
    ("DEBUG",),
    ("MULTI",),
    ("DEBUG", "SLEEP", "0"),
    ("GET", "k"),
    ("EXEC",),
)


@pytest.mark.parametrize("address", ["127.0.0.1", "unix", *own_addresses()])
@pytest.mark.parametrize("allowed", ["no", "local", "yes"])
def test_who_may_debug(allowed: str, address: str) -> None:
    options = {"enable_debug_command": allowed, "bind": "*", "protected_mode": "no"}
    answers = []
    with both(**options) as servers:
        for server in servers:
            where = server.unix_socket if address == "unix" else (address, server.port)
            with RawConnection(where) as connection:
                answers.append([connection.call(*line) for line in DEBUGGING])
    assert answers[0] == answers[1]
    may = allowed == "yes" or (allowed == "local" and address in ("127.0.0.1", "unix"))
    assert (answers[1][0] == b"+OK\r\n") == may


@pytest.mark.parametrize("address", ["127.0.0.1", "unix", *own_addresses()])
@pytest.mark.parametrize("allowed", ["no", "local", "yes"])
def test_who_may_set_protected_options(allowed: str, address: str) -> None:
    options = {"enable_protected_configs": allowed, "bind": "*", "protected_mode": "no"}
    answers = []
    with both(**options) as servers:
        for server in servers:
            where = server.unix_socket if address == "unix" else (address, server.port)
            with RawConnection(where) as connection:
                answers.append(connection.call("CONFIG", "SET", "dbfilename", "other.rdb"))
    assert answers[0] == answers[1]


@pytest.mark.parametrize("address", ["127.0.0.1", "unix", *own_addresses()])
@pytest.mark.parametrize("password", ["", PASSWORD])
def test_protected_mode(password: str, address: str) -> None:
    """Without a password nobody from elsewhere gets in. The words are each server's own, the code is not."""
    answers = []
    with both(bind="*", requirepass=password) as servers:
        for server in servers:
            where = server.unix_socket if address == "unix" else (address, server.port)
            with RawConnection(where) as connection:
                refusal, closed = connection.read_quiet(0.3)
                if closed:
                    answers.append((refusal.split(b" ")[0], refusal.endswith(b"\r\n"), b""))
                else:
                    answers.append((b"", True, connection.call("PING")))
    assert answers[0] == answers[1]
    assert (answers[1][0] == b"-DENIED") == (address not in ("127.0.0.1", "unix") and not password)
