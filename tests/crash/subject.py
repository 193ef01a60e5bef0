"""The servers that are killed: how each is started on a directory, and one that runs."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import hiredis

from tests.crash.client import Client
from tests.support.server import redis_binary

READY_SECONDS_MAX = 60.0
LOG_TAIL_BYTES = 3000
_LOOK_SECONDS = 0.002


class NotReadyError(AssertionError):
    """The server did not come up; the message has the end of its log."""


class DiedError(AssertionError):
    """The server ended, and nobody had told it to; the message has the end of its log."""


@dataclass(frozen=True)
class Subject:
    name: str
    program: tuple[str, ...]
    durable: tuple[str, ...]
    """Options with which it keeps what it acknowledges."""
    audits: bool = False
    """It has DEBUG CHECK."""
    exact: bool = False
    """After a restart encodings are the same, and consumers of streams that had nothing pending are there."""

    def command(self, directory: Path, policy: str) -> list[str]:
        return [*self._common(directory), "--appendonly", "yes", "--appendfsync", policy, *self.durable]

    def model_command(self, directory: Path) -> list[str]:
        """The same program, keeping nothing."""
        return [*self._common(directory), "--appendonly", "no"]

    def _common(self, directory: Path) -> list[str]:
        return [
            *self.program,
            *("--port", "0", "--unixsocket", str(directory / "socket"), "--dir", str(directory / "data")),
            *("--save", "", "--enable-debug-command", "yes"),
        ]


SUBJECTS = {
    subject.name: subject
    for subject in (
        # For proving the loop. It fails now and then: when a short read falls into a transaction, 8.2.3 cuts its file behind
        # the MULTI instead of before it, and what is appended then is lost at the start after that.
        Subject("redis", (redis_binary(),), ("--auto-aof-rewrite-percentage", "0")),
        # Small files, so that old ones are freed all the time.
        Subject(
            "gapless",
            (sys.executable, "-m", "gapless", "serve"),
            ("--journal-file-size", "1mb"),
            audits=True,
            exact=True,
        ),
    )
}


class Running:
    """A server process on `directory`: its socket and log there, its files in `data` below."""

    def __init__(self, command: list[str], directory: Path) -> None:
        self.socket = str(directory / "socket")
        self._log = directory / "log"
        (directory / "data").mkdir(exist_ok=True)
        Path(self.socket).unlink(missing_ok=True)
        with self._log.open("ab") as log:
            # A group of its own: a server that forks is killed with its children.
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=directory,
                start_new_session=True,
            )

    def wait_until_ready(self) -> Client:
        """A connection to it, once it has loaded everything. Raises NotReadyError."""
        deadline = time.monotonic() + READY_SECONDS_MAX
        while True:
            if (status := self._process.poll()) is not None:
                raise NotReadyError(f"it ended with status {status} instead of starting\n{self.log_tail()}")
            with contextlib.suppress(OSError):
                client = Client(self.socket)
                reply = client.call(b"PING")
                if not isinstance(reply, hiredis.ReplyError):
                    return client
                client.close()
            if time.monotonic() > deadline:
                self.kill()
                raise NotReadyError(f"not ready within {READY_SECONDS_MAX:g} s\n{self.log_tail()}")
            time.sleep(_LOOK_SECONDS)

    def kill(self) -> None:
        """SIGKILL, whatever it is doing."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def terminate(self) -> None:
        """SIGTERM: it may close its files."""
        self._process.terminate()

    def require_ended(self, status: int) -> None:
        """Wait for its end. Raises DiedError when it ended in another way, NotReadyError when it does not."""
        try:
            ended = self._process.wait(READY_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            self.kill()
            raise NotReadyError(f"it does not end\n{self.log_tail()}") from None
        if ended != status:
            raise DiedError(f"it ended with status {ended}, not {status}, under load\n{self.log_tail()}")

    def log_tail(self) -> str:
        return self._log.read_bytes()[-LOG_TAIL_BYTES:].decode(errors="replace")
