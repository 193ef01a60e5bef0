"""Rounds of load, SIGKILL, restart and comparison."""

from __future__ import annotations

import shutil
import signal
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random

import hiredis

from tests.crash.client import Client
from tests.crash.explain import explain
from tests.crash.load import Outcome, StalledError, run_until_killed
from tests.crash.model import LostError, Model
from tests.crash.subject import DiedError, NotReadyError, Running, Subject
from tests.crash.workload import Workload

POLICIES = ("always", "everysec", "no")
MIX = "mix"
OWNERS = 4
DATABASES_EACH = 3
_LOAD_SECONDS = 0.05
_LOAD_SECONDS_MAX = 0.4
_LAST_UNITS = 400
_TRANSACTION = (b"MULTI",)


@dataclass(frozen=True)
class Options:
    subject: Subject
    rounds: int
    seed: int
    policy: str
    seconds: float | None = None
    """No new round after that."""
    spoil_bytes: int = 0
    """Cut that much from the newest file after each kill: the loop has to find it."""
    directory: Path | None = None
    """Where the servers' files go; None: where temporary files do."""


@dataclass
class Totals:
    rounds: int = 0
    kills: int = 0
    kills_while_starting: int = 0
    clean_ends: int = 0
    compactions: int = 0
    acknowledged: int = 0
    """Commands."""
    refused: int = 0
    """Of these, answered with an error."""
    transactions: int = 0
    unacknowledged: int = 0
    """Units in flight when the server was killed..."""
    survived: int = 0
    """... and those of them that were there afterwards."""
    seconds: float = 0.0

    def __str__(self) -> str:
        return (
            f"{self.rounds:,} rounds, {self.kills:,} kills ({self.kills_while_starting:,} while starting), "
            f"{self.acknowledged:,} commands acknowledged, {self.transactions:,} transactions, "
            f"{self.unacknowledged:,} units in flight ({self.survived:,} survived), {self.compactions:,} compactions"
        )


class FoundError(Exception):
    """The loop has found a fault; the message says what, and where everything about it is kept."""


Report = Callable[[Totals], None]


def crash_loop(options: Options, report: Report) -> Totals:
    """Run the rounds. Raises FoundError at the first fault."""
    directory = Path(tempfile.mkdtemp(prefix="gapless-crash-", dir=options.directory))
    (directory / "model").mkdir()
    rounds = _Rounds(options, directory)
    try:
        with _model(options.subject, directory / "model") as model:
            rounds.run(model, report)
    except (LostError, NotReadyError, DiedError, StalledError, OSError) as error:
        raise FoundError(rounds.evidence(error)) from error
    except BaseException:
        shutil.rmtree(directory)
        raise
    shutil.rmtree(directory)
    return rounds.totals


class _Rounds:
    def __init__(self, options: Options, directory: Path) -> None:
        self.totals = Totals()
        self._options = options
        self._directory = directory
        self._rng = Random(options.seed)
        self._policy = options.policy if options.policy != MIX else POLICIES[0]
        databases = range(OWNERS * DATABASES_EACH)
        self._all = tuple(databases)
        groups = [tuple(databases[at : at + DATABASES_EACH]) for at in databases[::DATABASES_EACH]]
        self._together = [Workload(self._part(f"owner {at}"), group) for at, group in enumerate(groups)]
        self._alone = Workload(self._part("alone"), self._all, alone=True)
        self._sent: list[tuple[Workload, Outcome]] = []
        self._start_seconds = 0.2
        self._running: Running | None = None

    def run(self, model: Model, report: Report) -> None:
        began = time.monotonic()
        try:
            control = self._start().wait_until_ready()
            while self.totals.rounds < self._options.rounds:
                self._load(control)
                self._spoil()
                self._keep_as_killed()
                self._kill_while_starting()
                control = self._start_timed()
                self._audit(control)
                for workload, outcome in self._sent:
                    self.totals.survived += model.settle(workload.databases, outcome, control)
                self.totals.rounds += 1
                self.totals.seconds = time.monotonic() - began
                report(self.totals)
                if self._options.seconds is not None and self.totals.seconds >= self._options.seconds:
                    break
        finally:
            if self._running is not None:
                self._running.kill()

    def evidence(self, error: Exception) -> str:
        """Keep what tells about the fault in the directory. Returns what a reader has to know."""
        text = [f"{type(error).__name__}: {error}", ""]
        if isinstance(error, LostError):
            for (database, name), (expected, found) in error.wrong.items():
                text += [f"database {database}, key {name!r}"]
                text += [f"  {line}" for line in explain(expected, found)]
        for workload, outcome in self._sent:
            text += [
                "",
                f"databases {workload.databases}: the last of {len(outcome.acknowledged)} acknowledged",
            ]
            text += [f"  {unit}" for unit in outcome.acknowledged[-_LAST_UNITS:]]
            text += [f"databases {workload.databases}: {len(outcome.unacknowledged)} in flight"]
            text += [f"  {unit}" for unit in outcome.unacknowledged]
        (self._directory / "round.txt").write_text("\n".join(text) + "\n")
        options = self._options
        return (
            f"round {self.totals.rounds + 1}: {error}\n"
            f"{self._directory} has: round.txt (expected, found, the last commands), as-killed (the files after the kill), "
            f"data (the files now), log\n"
            f"Again: python -m tests.crash --subject {options.subject.name} --seed {options.seed} "
            f"--policy {options.policy} --rounds {options.rounds} (the same commands; the moments of the kills differ)"
        )

    def _start(self) -> Running:
        self._running = Running(self._options.subject.command(self._directory, self._policy), self._directory)
        return self._running

    def _start_timed(self) -> Client:
        began = time.monotonic()
        control = self._start().wait_until_ready()
        self._start_seconds = time.monotonic() - began
        return control

    def _load(self, control: Client) -> None:
        """Until the server is killed, or now and then told to end."""
        rng, running = self._rng, self._running
        assert running is not None
        workloads = [self._alone] if rng.randrange(20) == 0 else self._together
        end_at = min(rng.expovariate(1 / _LOAD_SECONDS), _LOAD_SECONDS_MAX)
        calls: list[tuple[float, Callable[[], None]]] = []
        if rng.randrange(4) == 0:
            calls.append((rng.uniform(0, end_at), lambda: control.send(b"BGREWRITEAOF")))
            self.totals.compactions += 1
        if self._options.policy == MIX and rng.randrange(3) == 0:
            self._policy = policy = rng.choice(POLICIES)
            calls.append(
                (
                    rng.uniform(0, end_at),
                    lambda: control.send(b"CONFIG", b"SET", b"appendfsync", policy.encode()),
                )
            )
        clean = rng.randrange(25) == 0
        calls.append((end_at, running.terminate if clean else running.kill))
        self.totals.clean_ends += clean
        self.totals.kills += not clean
        outcomes = run_until_killed(running.socket, workloads, calls)
        control.close()
        self._sent = list(zip(workloads, outcomes, strict=True))
        for outcome in outcomes:
            self.totals.acknowledged += outcome.commands
            self.totals.refused += outcome.refused
            self.totals.unacknowledged += len(outcome.unacknowledged)
            self.totals.transactions += sum(_TRANSACTION in unit.commands for unit in outcome.acknowledged)
        running.require_ended(0 if clean else -signal.SIGKILL)

    def _kill_while_starting(self) -> None:
        """Now and then, and then at any moment, more often late, when it reads its files."""
        while self._rng.randrange(5) == 0:
            running = self._start()
            late = self._rng.random() ** 0.3
            time.sleep(self._start_seconds * late)
            running.kill()
            self.totals.kills += 1
            self.totals.kills_while_starting += 1

    def _audit(self, control: Client) -> None:
        if self._options.subject.audits:
            reply = control.call(b"DEBUG", b"CHECK")
            if isinstance(reply, hiredis.ReplyError):
                raise LostError(f"DEBUG CHECK: {reply}", {})

    def _spoil(self) -> None:
        """Only for showing that it is found."""
        if self._options.spoil_bytes:
            files = [
                path
                for path in (self._directory / "data").rglob("*")
                if path.is_file() and path.stat().st_size
            ]
            newest = max(files, key=lambda path: path.stat().st_mtime_ns)
            with newest.open("r+b") as file:
                file.truncate(max(0, newest.stat().st_size - self._options.spoil_bytes))

    def _keep_as_killed(self) -> None:
        kept = self._directory / "as-killed"
        shutil.rmtree(kept, ignore_errors=True)
        shutil.copytree(self._directory / "data", kept, ignore_dangling_symlinks=True)

    def _part(self, name: str) -> Random:
        return Random(f"{self._options.seed} {name}")


@contextmanager
def _model(subject: Subject, directory: Path) -> Iterator[Model]:
    running = Running(subject.model_command(directory), directory)
    try:
        running.wait_until_ready().close()
        yield Model(running.socket, subject.exact)
    finally:
        running.kill()
