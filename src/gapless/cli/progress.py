"""Progress of an experiment: a bar on a terminal, a line a phase and every ten seconds elsewhere."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator

from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from gapless.cli.output import remarks
from gapless.lab.crisis import CrisisOptions
from gapless.lab.crisis import Progress as Report
from gapless.lab.measure import Moment, Run

_REFRESH_SECONDS = 0.25
_LINE_SECONDS = 10.0


@contextlib.contextmanager
def progress_of(step: str, options: CrisisOptions) -> Iterator[Report]:
    """The progress of one run, on standard error."""
    if sys.stderr.isatty():
        with _bar(step, options) as report:
            yield report
    else:
        yield _lines(step)


def _state(moment: Moment) -> str:
    live, resident = moment.live_bytes / 1e6, moment.resident_bytes / 1e6
    ratio = f", x {resident / live:.2f}" if live >= 1 else ""
    return f"{moment.phase}: live {live:.0f} MB, RSS {resident:.0f} MB{ratio}"


@contextlib.contextmanager
def _bar(step: str, options: CrisisOptions) -> Iterator[Report]:
    # Refreshed by hand: a thread that draws would compete with the sampling.
    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=30),
        TimeRemainingColumn(),
        TextColumn("{task.fields[state]}"),
    )
    with Progress(*columns, console=remarks(), auto_refresh=False) as progress:
        expected = options.seconds - options.idle_seconds
        task = progress.add_task(step, total=expected, state="starting")
        drawn = 0.0

        def report(run: Run, moment: Moment | None) -> None:
            nonlocal drawn
            progress.update(task, description=f"{step} {run.title}")
            if run.failure:
                progress.update(task, state="failed")
            elif moment is None:
                ended = bool(run.moments)
                progress.update(task, state="done" if ended else "idle", completed=expected if ended else 0)
            else:
                if moment.seconds - drawn < _REFRESH_SECONDS:
                    return
                drawn = moment.seconds
                progress.update(task, state=_state(moment), completed=min(expected, moment.seconds))
            progress.refresh()

        yield report


def _lines(step: str) -> Report:
    console = remarks()
    phase = ""
    said = 0.0

    def report(run: Run, moment: Moment | None) -> None:
        nonlocal phase, said
        if run.failure:
            console.print(f"{step} {run.title}: failed: {run.failure}", markup=False)
        elif moment is None:
            console.print(f"{step} {run.title}: {'done' if run.moments else 'idle'}", markup=False)
        elif moment.phase != phase or moment.seconds - said >= _LINE_SECONDS:
            phase, said = moment.phase, moment.seconds
            console.print(f"{step} {run.title}: {moment.seconds:.0f} s, {_state(moment)}", markup=False)

    return report
