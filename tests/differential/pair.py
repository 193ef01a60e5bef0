"""Two servers side by side: what one is told, the other is told; what one answers, the other must answer.

Pair             the reference (left, a real Redis) and the subject (right), with a control connection to each
Session          numbered connections, each opened on both sides; every step is written to a transcript
DivergenceError  the transcript up to the step where the answers differ
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import NoReturn

from tests.differential.comparers import Args, difference, name_of
from tests.support.raw import ClosedError, MalformedError, RawConnection, command
from tests.support.replies import parse
from tests.support.server import Server

SHOWN_BYTES = 400
QUIET_SECONDS = 0.12
CLOSE_SECONDS = 5.0
SECOND_LOOK_SECONDS = 0.5
CLOSING_COMMANDS = frozenset({b"QUIT", b"CLIENT KILL", b"SHUTDOWN"})
PLACEHOLDER = re.compile(rb"\{(id|addr|laddr):(\d+)\}")


class DivergenceError(AssertionError):
    """The subject did not answer as the reference did."""


def shown(data: bytes) -> str:
    """Bytes for a reader: escaped, and cut when there are too many."""
    if len(data) <= SHOWN_BYTES:
        return repr(data)[1:]
    return f"{data[:SHOWN_BYTES]!r}... ({len(data)} bytes, ends {data[-40:]!r})"


def shown_command(args: Args) -> str:
    words = [
        a.decode() if re.fullmatch(rb"[!-~]+", a) and not re.search(rb"[\"'\\]", a) else shown(a)
        for a in args
    ]
    return " ".join(words)


@dataclass
class Duplex:
    """One numbered connection, on both sides."""

    left: RawConnection
    right: RawConnection
    identity: tuple[dict[bytes, bytes], dict[bytes, bytes]]
    queued: list[Args] = field(default_factory=list)

    def close(self) -> None:
        self.left.close()
        self.right.close()


class Pair:
    """The reference and the subject. `subject_checks`: the subject knows DEBUG CHECK and is asked after
    every test.
    """

    def __init__(self, reference: Server, subject: Server, subject_checks: bool) -> None:
        self.reference = reference
        self.subject = subject
        self.subject_checks = subject_checks
        self._changed: tuple[dict[bytes, bytes], dict[bytes, bytes]] = ({}, {})
        self._controls: tuple[RawConnection, RawConnection] | None = None

    @property
    def controls(self) -> tuple[RawConnection, RawConnection]:
        if self._controls is None:
            self._controls = self.reference.connect(), self.subject.connect()
        return self._controls

    def forget_controls(self) -> None:
        """A server has been started anew."""
        self._controls = None

    def reset(self) -> None:
        """Both empty, with the settings they were started with. Starts anew a server that ended or hangs."""
        for server in (self.reference, self.subject):
            if not server.alive():
                server.start()
                self.forget_controls()
        for server, control, changed in zip(
            (self.reference, self.subject), self.controls, self._changed, strict=True
        ):
            try:
                usable = _empty(control, changed)
            except TimeoutError:
                server.kill()  # and what hangs for one test does not fail all that follow
                raise AssertionError(f"{server.name} does not answer\n{server.log_tail()}") from None
            except ClosedError:
                usable = False
            if not usable:
                # A test that failed has left it so that nobody gets in: it starts anew.
                server.stop()
                server.start()
                changed.clear()
                self.forget_controls()

    def check(self) -> None:
        """Ask the subject to audit itself, when it can."""
        self.subject.check_alive()
        if self.subject_checks:
            reply = self.controls[1].call("DEBUG", "CHECK")
            assert reply == b"+OK\r\n", f"DEBUG CHECK: {reply.decode(errors='replace')}"

    def remember_settings(self, names: tuple[bytes, ...]) -> None:
        """Keep what CONFIG SET is about to change, for `reset`."""
        for control, changed in zip(self.controls, self._changed, strict=True):
            for name in {n.lower() for n in names} - set(changed):
                found = parse(control.call("CONFIG", "GET", name))
                if not found.is_error and len(found.children) == 2:
                    changed[name] = found.children[1].payload

    def session(self, protocol: int) -> Session:
        return Session(self, protocol)


class Session:
    """Connections that all speak RESP `protocol` from their first command on."""

    def __init__(self, pair: Pair, protocol: int) -> None:
        self.pair = pair
        self.protocol = protocol
        self.transcript: list[str] = [f"(RESP{protocol})"]
        self._duplexes: dict[int, Duplex] = {}

    def __enter__(self) -> Session:
        return self

    def __exit__(self, *exception: object) -> None:
        for duplex in self._duplexes.values():
            duplex.close()

    def run(self, number: int, *args: bytes) -> None:
        """One command on connection `number`; `DivergenceError` unless the replies agree."""
        name = name_of(args)
        if name == b"CONFIG SET":
            self.pair.remember_settings(args[2::2])
        duplex = self.connection(number)
        sent = [self._filled(args, side) for side in (0, 1)]
        _send(duplex.left, command(*sent[0]))
        _send(duplex.right, command(*sent[1]))
        left = self._answers(number, args)
        self._after(number, duplex, name, args, left)

    def batch(self, number: int, commands: list[Args]) -> None:
        """Commands sent in one piece, then their replies."""
        settings = [args[2::2] for args in commands if name_of(args) == b"CONFIG SET"]
        self.pair.remember_settings(tuple(name for names in settings for name in names))
        duplex = self.connection(number)
        for side, connection in enumerate((duplex.left, duplex.right)):
            _send(connection, b"".join(command(*self._filled(args, side)) for args in commands))
        for args in commands:
            left = self._answers(number, args)
            self._after(number, duplex, name_of(args), args, left)
            if left is None:
                return

    def send(self, number: int, *args: bytes) -> None:
        """A command whose reply comes later, or never; `read` reads it."""
        duplex = self.connection(number)
        self.transcript.append(f"{number}> {shown_command(args)}   (sent)")
        _send(duplex.left, command(*self._filled(args, 0)))
        _send(duplex.right, command(*self._filled(args, 1)))

    def read(self, number: int, *args: bytes) -> None:
        """One reply that a command before has left to come; `args` says which command, for the comparer."""
        self._answers(number, args or (b"(read)",))

    def exchange(self, number: int, data: bytes, half_close: bool = False) -> None:
        """Bytes as they are: the same bytes must come back, and the connection meet the same fate."""
        duplex = self.connection(number)
        for connection in (duplex.left, duplex.right):
            _send(connection, data)
            if half_close:
                connection.shutdown_write()
        left, left_closed = duplex.left.read_quiet(QUIET_SECONDS)
        right, right_closed = duplex.right.read_quiet(
            CLOSE_SECONDS if left_closed else 0.02, at_least=len(left)
        )
        if (left, left_closed) != (right, right_closed):
            more_left = duplex.left.read_quiet(SECOND_LOOK_SECONDS)
            more_right = duplex.right.read_quiet(SECOND_LOOK_SECONDS)
            left, left_closed = left + more_left[0], left_closed or more_left[1]
            right, right_closed = right + more_right[0], right_closed or more_right[1]
        self.transcript.append(f"{number}> raw {shown(data)}{' and end of input' if half_close else ''}")
        if left != right:
            self._diverge("other bytes", left, right)
        if left_closed != right_closed:
            self._diverge(
                "another fate of the connection",
                b"closed" if left_closed else b"open",
                b"closed" if right_closed else b"open",
            )
        self.transcript.append(f"      {shown(left)}{' closed' if left_closed else ''}")
        if left_closed:
            self.disconnect(number)

    def disconnect(self, number: int) -> None:
        """Close connection `number` from this end; the next command on it opens a new one."""
        duplex = self._duplexes.pop(number, None)
        if duplex:
            duplex.close()

    def scan_all(self, number: int, *args: bytes) -> None:
        """SCAN from 0 to 0 with the options `args`: every key once or more, and no other."""
        duplex = self.connection(number)
        self.transcript.append(f"{number}> SCAN ... {shown_command(args)}   (to the end)")
        left, right = (_scan(connection, args) for connection in (duplex.left, duplex.right))
        if left != right:
            self._diverge("other keys", repr(sorted(left)).encode(), repr(sorted(right)).encode())

    def compare_state(self) -> None:
        """Every key of every database: its type, value, encoding and expiry."""
        live = [set(_live_databases(control)) for control in self.pair.controls]
        for database in sorted(live[0] | live[1]):
            states = [_state(control, database) for control in self.pair.controls]
            if states[0].keys() != states[1].keys():
                self.transcript.append(f"(keys of database {database})")
                self._diverge(
                    "other keys", repr(sorted(states[0])).encode(), repr(sorted(states[1])).encode()
                )
            for key, replies in states[0].items():
                for args, left, right in zip(STATE_COMMANDS, replies, states[1][key], strict=True):
                    reason = difference(args, left, right)
                    if reason:
                        self.transcript.append(f"(database {database}) {shown_command((*args, key))}")
                        self._diverge(reason, left, right)

    def connection(self, number: int) -> Duplex:
        """Connection `number`, opened on both sides when it is not open."""
        if number not in self._duplexes:
            left, right = self.pair.reference.connect(), self.pair.subject.connect()
            identities = _identity(left), _identity(right)
            if self.protocol == 3:
                for connection in (left, right):
                    connection.call("HELLO", "3")
            self._duplexes[number] = Duplex(left, right, identities)
        return self._duplexes[number]

    def _filled(self, args: Args, side: int) -> Args:
        def value(match: re.Match[bytes]) -> bytes:
            return self.connection(int(match[2])).identity[side][match[1]]

        return tuple(PLACEHOLDER.sub(value, a) if b"{" in a else a for a in args)

    def _answers(self, number: int, args: Args) -> bytes | None:
        """Read and compare one reply of each; the reference's, or None when both closed the connection
        instead.
        """
        duplex = self.connection(number)
        self.transcript.append(f"{number}> {shown_command(args)}")
        replies: list[bytes | None] = []
        for side, connection in enumerate((duplex.left, duplex.right)):
            try:
                replies.append(_reply(connection))
            except (TimeoutError, MalformedError) as error:
                both = (
                    [replies[0] or b"closed", repr(error).encode()]
                    if side
                    else [repr(error).encode(), b"(not read)"]
                )
                self._diverge("no answer", *both)
        left, right = replies
        self._judge(number, args, left, right)
        return left

    def _judge(self, number: int, args: Args, left: bytes | None, right: bytes | None) -> None:
        if left is None or right is None:
            if left is not right:
                self._diverge("another fate of the connection", left or b"closed", right or b"closed")
            self.transcript.append("      closed")
            return
        reason = difference(args, left, right, self.connection(number).queued)
        if reason:
            self._diverge(reason, left, right)
        self.transcript.append(f"      {shown(left)}")

    def _after(self, number: int, duplex: Duplex, name: bytes, args: Args, left: bytes | None) -> None:
        if left is None:
            self.disconnect(number)
        elif left == b"+QUEUED\r\n":
            duplex.queued.append(args)
        elif name in (b"EXEC", b"DISCARD", b"RESET", b"MULTI"):
            duplex.queued.clear()
        if left is not None and name in CLOSING_COMMANDS and not left.startswith((b"+QUEUED", b"-", b":0")):
            for open_number in list(self._duplexes):
                self._same_fate(open_number)

    def _same_fate(self, number: int) -> None:
        duplex = self._duplexes[number]
        left, left_closed = duplex.left.read_quiet(QUIET_SECONDS)
        right, right_closed = duplex.right.read_quiet(
            CLOSE_SECONDS if left_closed else 0.02, at_least=len(left)
        )
        if (left, left_closed) != (right, right_closed):
            self.transcript.append(f"(connection {number})")
            self._diverge(
                "another fate of the connection",
                left + (b"closed" if left_closed else b"open"),
                right + (b"closed" if right_closed else b"open"),
            )
        if left_closed:
            self.disconnect(number)

    def _diverge(self, reason: str, left: bytes, right: bytes) -> NoReturn:
        self.pair.subject.check_alive()
        self.transcript.append(f"   {self.pair.reference.name}: {shown(left)}")
        self.transcript.append(f"   {self.pair.subject.name}: {shown(right)}")
        raise DivergenceError(reason + "\n" + "\n".join(self.transcript))


STATE_COMMANDS: tuple[Args, ...] = (
    (b"TYPE",),
    (b"GET",),
    (b"DEBUG", b"DIGEST-VALUE"),
    (b"OBJECT", b"ENCODING"),
    (b"PTTL",),
)


def _empty(control: RawConnection, changed: dict[bytes, bytes]) -> bool:
    """Delete every key, take the password away and put back the settings of `changed`; whether that went well."""
    calls: list[Args] = [(b"SELECT", b"0"), (b"CLIENT", b"UNPAUSE"), (b"CONFIG", b"SET", b"requirepass", b"")]
    calls += [(b"CONFIG", b"SET", name, value) for name, value in changed.items()]
    calls += [(b"FLUSHALL",)]
    done = not any(reply.startswith(b"-") for reply in control.pipeline(calls))
    changed.clear()
    return done


def _send(connection: RawConnection, data: bytes) -> None:
    try:
        connection.send(data)
    except ClosedError:
        pass  # reading finds the same, after what the server has said before


def _reply(connection: RawConnection) -> bytes | None:
    try:
        return connection.read_reply()
    except ClosedError:
        return None


def _identity(connection: RawConnection) -> dict[bytes, bytes]:
    number = connection.call("CLIENT", "ID")
    local = connection.local_address().encode()
    return {b"id": number[1:-2], b"addr": local, b"laddr": connection.remote_address().encode()}


def _scan(connection: RawConnection, args: Args) -> set[bytes]:
    cursor, found = b"0", set()
    while True:
        reply = parse(connection.call("SCAN", cursor, *args))
        assert not reply.is_error, reply
        found |= {key.payload for key in reply.children[1].children}
        cursor = reply.children[0].payload
        if cursor == b"0":
            return found


def _live_databases(control: RawConnection) -> list[int]:
    """The numbers of the databases that have keys, as INFO tells."""
    return [
        int(n)
        for n in re.findall(rb"^db(\d+):", parse(control.call("INFO", "keyspace")).payload, re.MULTILINE)
    ]


def _state(control: RawConnection, database: int) -> dict[bytes, list[bytes]]:
    _, found = control.pipeline([(b"SELECT", b"%d" % database), (b"KEYS", b"*")])
    keys = [key.payload for key in parse(found).children]
    replies = control.pipeline((*args, key) for key in keys for args in STATE_COMMANDS)
    width = len(STATE_COMMANDS)
    return {key: replies[i * width : (i + 1) * width] for i, key in enumerate(keys)}
