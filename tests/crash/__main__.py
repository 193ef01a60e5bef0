"""`make crashloop`: kill a server under load, start it again, compare; again and again.

Exit codes: 0 nothing found, 1 a fault was found, 2 wrong use, 130 interrupted.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from tests.crash.loop import MIX, POLICIES, FoundError, Options, Report, Totals, crash_loop
from tests.crash.subject import SUBJECTS
from tests.fuzz.registry import new_seed

LINE_SECONDS = 10.0


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.crash", description=__doc__)
    parser.add_argument("--rounds", type=int, default=10_000)
    parser.add_argument("--seconds", type=float, help="end after that many, whatever --rounds says")
    parser.add_argument(
        "--seed", type=int, help="of the commands; the moments of the kills are chance anyhow"
    )
    parser.add_argument(
        "--policy", choices=(*POLICIES, MIX), default=MIX, help="appendfsync; mix: changed while running"
    )
    parser.add_argument("--subject", choices=SUBJECTS, default=next(reversed(SUBJECTS)))
    parser.add_argument("--dir", type=Path, help="where the files go, for a certain disk")
    parser.add_argument(
        "--spoil",
        type=int,
        default=0,
        metavar="BYTES",
        help="cut so many bytes from the newest file after each kill: shows that the loop finds it",
    )
    return parser.parse_args()


def main() -> int:
    given = arguments()
    options = Options(
        SUBJECTS[given.subject],
        given.rounds,
        new_seed() if given.seed is None else given.seed,
        given.policy,
        given.seconds,
        given.spoil,
        given.dir,
    )
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    console.print(f"{options.subject.name}, seed {options.seed}, appendfsync {options.policy}")
    columns = (
        BarColumn(bar_width=20), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn(), TextColumn("{task.fields[state]}"),
    )  # fmt: skip
    try:
        if sys.stderr.isatty():
            with Progress(*columns, console=console, auto_refresh=False) as progress:
                task = progress.add_task("", total=options.rounds, state="")

                def drawn(totals: Totals) -> None:
                    progress.update(task, completed=totals.rounds, state=_state(totals))
                    progress.refresh()

                totals = crash_loop(options, drawn)
        else:
            totals = crash_loop(options, _lines(console))
    except FoundError as error:
        console.print("[bold red]found:[/]", end=" ")
        console.print(str(error), markup=False)
        return 1
    except KeyboardInterrupt:
        console.print("interrupted")
        return 130
    print(f"{totals}: nothing acknowledged is missing, no transaction is half there")
    return 0


def _state(totals: Totals) -> str:
    return f"{totals.acknowledged:,} commands acknowledged, {totals.kills:,} kills"


def _lines(console: Console) -> Report:
    said = time.monotonic()

    def report(totals: Totals) -> None:
        nonlocal said
        if time.monotonic() - said >= LINE_SECONDS:
            said = time.monotonic()
            console.print(f"round {totals.rounds:,} ({totals.seconds:.0f} s): {_state(totals)}", markup=False)

    return report


if __name__ == "__main__":
    raise SystemExit(main())
