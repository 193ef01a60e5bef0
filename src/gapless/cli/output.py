"""How the command line talks: results, remarks, and errors that end it."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator
from typing import NoReturn

import typer
from rich.console import Console

FAILED = 1
"""Exit code: it was tried and did not work."""
WRONG_USE = 2
"""Exit code: the command line itself is wrong; nothing was tried."""
_WIDTH_WITHOUT_TERMINAL = 120


def results() -> Console:
    """Where results go. Without a terminal lines are 120 wide, as nobody's window limits them."""
    return Console(width=None if sys.stdout.isatty() else _WIDTH_WITHOUT_TERMINAL, highlight=False)


def remarks() -> Console:
    """Where progress, warnings and errors go."""
    return Console(stderr=True, highlight=False, soft_wrap=True)


def fail(message: str, code: int = FAILED) -> NoReturn:
    """Say what went wrong and end with `code`."""
    console = remarks()
    console.print("[bold red]error:[/]", end=" ")
    console.print(message, markup=False)
    raise typer.Exit(code)


@contextlib.contextmanager
def progress_bar(what: str) -> Iterator[Callable[[int, int], object] | None]:
    """A bar of bytes on standard error, where a person looks on."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    with Progress(*columns, console=remarks(), transient=True) as progress:
        task = progress.add_task(what)

        def report(done: int, total: int) -> None:
            progress.update(task, completed=done, total=total)

        yield report
