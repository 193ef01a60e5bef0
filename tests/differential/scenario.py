r"""Scripted conversations, kept as text: files of scenarios, each a heading and its lines.

## the heading names the scenario         (test.txt::the heading ...)
# a comment
SET k "a value\x00"                       a command, in the quoting of Redis's inline commands
1> GET k                                  on connection 1; without a number, on connection 0
SET k %{x*1000}                           a thousand x's
CLIENT KILL ID {id:1}                     the id, `addr` or `laddr` of connection 1, each side's own
!sleep 30                                 milliseconds
!raw "*1\r\n$4\r\nPING\r\n"                bytes as they are; whatever comes back, and the connection's fate
!half "*1\r\n$4\r\nPI"                     the same, and the end of input
!send BLPOP k 0                           a command without reading its reply
!read                                     one reply that is still to come (or a push)
!scan MATCH a*                            SCAN to its end
!close                                    close the connection from this side
!batch                                    the lines up to `!end`, in one piece
"""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from pathlib import Path

from tests.differential.pair import Session

Args = tuple[bytes, ...]

LINE = re.compile(r"(?:(\d+)> *)?(?:!(\w+) *)?(.*)")
REPEATED = re.compile(rb"%\{(.+?)\*(\d+)\}", re.DOTALL)
ESCAPES = {"n": b"\n", "r": b"\r", "t": b"\t", "a": b"\a", "b": b"\b"}
WORD = re.compile(r'"((?:[^"\\]|\\.)*)"|\'([^\']*)\'|(\S+)', re.DOTALL)
ESCAPE = re.compile(r"\\(x[0-9a-fA-F]{2}|.)", re.DOTALL)


@dataclass(frozen=True)
class Line:
    """One step: a command, or a directive with its words."""

    connection: int
    directive: str
    words: Args


@dataclass(frozen=True)
class Scenario:
    """A heading and its steps; `name` is unique in all files."""

    name: str
    lines: tuple[Line, ...]

    def play(self, session: Session) -> None:
        """Say every line on both sides; `DivergenceError` where the answers differ."""
        batch: list[Args] | None = None
        for line in self.lines:
            if line.directive == "batch":
                batch = []
            elif line.directive == "end":
                session.batch(line.connection, batch or [])
                batch = None
            elif batch is not None:
                batch.append(line.words)
            else:
                _play(session, line)
        session.compare_state()


def load(directory: Path) -> list[Scenario]:
    """Every scenario of every file, in order."""
    found = []
    for path in sorted(directory.glob("*.txt")):
        for chunk in re.split(r"^## ", path.read_text(), flags=re.MULTILINE)[1:]:
            heading, *rest = chunk.splitlines()
            lines = tuple(parsed(line) for line in rest if line.strip() and not line.startswith("#"))
            found.append(Scenario(f"{path.stem}: {heading}", lines))
    return found


def parsed(line: str) -> Line:
    """One line of a file."""
    match = LINE.fullmatch(line)
    assert match
    return Line(int(match[1] or 0), match[2] or "", tuple(split(match[3])))


def split(text: str) -> list[bytes]:
    """Words, quoted or not, with repetitions written out."""
    return [REPEATED.sub(lambda m: m[1] * int(m[2]), _word(match)) for match in WORD.finditer(text)]


def _word(match: re.Match[str]) -> bytes:
    if match[1] is None:
        return (match[2] if match[2] is not None else match[3]).encode()
    out = bytearray()
    at = 0
    for escape in ESCAPE.finditer(match[1]):
        out += match[1][at : escape.start()].encode()
        code = escape[1]
        out += bytes.fromhex(code[1:]) if len(code) == 3 else ESCAPES.get(code, code.encode())
        at = escape.end()
    return bytes(out + match[1][at:].encode())


def _play(session: Session, line: Line) -> None:
    match line.directive:
        case "":
            session.run(line.connection, *line.words)
        case "sleep":
            time.sleep(int(line.words[0]) / 1000)
        case "raw":
            session.exchange(line.connection, b"".join(line.words))
        case "half":
            session.exchange(line.connection, b"".join(line.words), half_close=True)
        case "send":
            session.send(line.connection, *line.words)
        case "read":
            session.read(line.connection, *line.words)
        case "scan":
            session.scan_all(line.connection, *line.words)
        case "close":
            session.disconnect(line.connection)
        case _:
            raise ValueError(f"no directive: {line}")
