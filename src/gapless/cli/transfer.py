"""`gapless import` and `gapless export`: keys between dump.rdb files and servers."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Iterator
from typing import Annotated

import redis
import typer
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from gapless.cli.output import FAILED, WRONG_USE, fail, remarks, results
from gapless.errors import RdbError
from gapless.rdb.transfer import File, Server, Tally, compare, copy, export

LINE_SECONDS = 10.0
SHOWN = 5
URL = "redis://127.0.0.1:6379"


def import_(
    source: Annotated[str, typer.Argument(metavar="FILE|URL", help="A dump.rdb, or redis://host:port[/db].")],
    to: Annotated[str, typer.Option(metavar="URL", help="The server that takes the keys.")] = URL,
    match: Annotated[str, typer.Option(metavar="GLOB", help="Only keys that match; of a server.")] = "*",
    replace: Annotated[bool, typer.Option("--replace", help="Replace keys that are there already.")] = False,
    check: Annotated[bool, typer.Option("--compare/--no-compare", help="Compare all keys then.")] = True,
) -> None:
    """Copy all keys of a dump.rdb, or of a server, into a server, each with its expiry.

    A server is read with SCAN and DUMP while it goes on working; what is written to it meanwhile may be
    missing. At the end each key is compared by its digest.

    Exit codes: 0 all is there, 1 something is missing or differs, 2 wrong use.
    """
    with _failures():
        is_url = "://" in source
        if match != "*" and not is_url:
            fail("--match is for servers: a file is taken as a whole", WRONG_USE)
        origin = Server(source, match) if is_url else File(source)
        target = Server(to)
        with _progress("copying") as progress:
            tally = copy(origin, target, replace=replace, progress=progress)
        if check:
            with _progress("comparing") as progress:
                compare(origin, target, tally, progress)
        origin.close()
        target.close()
    _report(tally, check)
    if not tally.ok or (tally.there_already and not check):
        raise typer.Exit(FAILED)


def export_(
    file: Annotated[str, typer.Argument(metavar="FILE", help="The dump.rdb to write.")],
    source: Annotated[str, typer.Option("--from", metavar="URL", help="The server.")] = URL,
    match: Annotated[str, typer.Option(metavar="GLOB", help="Only keys that match.")] = "*",
) -> None:
    """Write the keys of a server to a dump.rdb, read with SCAN and DUMP while it goes on working.

    For a file of one moment use BGSAVE on the server.

    Exit codes: 0 done, 1 it failed, 2 wrong use.
    """
    with _failures():
        origin = Server(source, match)
        with _progress("exporting") as progress:
            tally = export(origin, file, progress)
        origin.close()
    results().print(f"{tally.written} keys", markup=False)


@contextlib.contextmanager
def _failures() -> Iterator[None]:
    try:
        yield
    except ValueError as error:
        fail(str(error), WRONG_USE)
    except RdbError as error:
        fail(str(error))
    except redis.RedisError as error:
        fail(f"{type(error).__name__}: {error}")
    except OSError as error:
        if error.filename is None:
            raise
        fail(f"{error.filename}: {error.strerror}")


def _report(tally: Tally, compared: bool) -> None:
    console = results()
    console.print(f"{tally.read} keys read, {tally.written} written", markup=False)
    if tally.there_already:
        console.print(f"{tally.there_already} were there already and were left (--replace)", markup=False)
    if tally.functions:
        console.print(f"{tally.functions} libraries of functions were not copied", markup=False)
    for reason, count in tally.failed.items():
        first = tally.first_failed[reason]
        console.print(f"{count} failed: {reason} (first: {first!r})", markup=False)
    if compared:
        same = tally.compared - len(tally.different)
        console.print(f"{same} of {tally.compared} keys are the same on both sides", markup=False)
        for db, key in tally.different[:SHOWN]:
            console.print(f"  differs: database {db}, {key!r}", markup=False)


@contextlib.contextmanager
def _progress(what: str) -> Iterator[Callable[[int, int], None]]:
    """A bar on a terminal, a line every ten seconds elsewhere; on standard error."""
    if not sys.stderr.isatty():
        said = time.monotonic()

        def line(done: int, total: int) -> None:
            nonlocal said
            if time.monotonic() - said >= LINE_SECONDS:
                said = time.monotonic()
                remarks().print(f"{what}: {done}{f' of {total}' if total else ''} keys", markup=False)

        yield line
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=30),
        TextColumn("{task.completed:.0f} keys"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=remarks()) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=max(done, total) or None)
