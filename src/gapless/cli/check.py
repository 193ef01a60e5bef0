"""`gapless check`: a store's journal verified, and what can be read of a damaged one written elsewhere."""

from __future__ import annotations

import contextlib
import datetime
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated, Any

import orjson
import typer
from rich.table import Table

from gapless.cli.output import FAILED, WRONG_USE, fail, progress_bar, remarks, results
from gapless.errors import GaplessError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from gapless.journal.salvage import Report

Directory = Annotated[Path, typer.Argument(metavar="DIR", help="The directory of a store.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def check(
    directory: Directory,
    repair: Annotated[
        Path | None,
        typer.Option(
            metavar="TO",
            help="Write all that can be read to this directory, new or empty. DIR stays as it is.",
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Verify a store's journal: its files, every checksum, and that it can be replayed.

    It is replayed into memory, so it needs as much as the store itself. What a crash has torn off the end is
    reported, and no damage: the next start cuts it.

    Exit codes: 0 sound, 1 damaged (--repair or not), 2 wrong use, or it can't be read.
    """
    from gapless.journal.salvage import examine, write

    require_journal(directory)
    if repair is not None and repair.exists() and (not repair.is_dir() or any(repair.iterdir())):
        fail(f"--repair {repair}: it is there already, and no empty directory", WRONG_USE)
    with failing_plainly():
        with progress_bar("checking") as progress:
            report = examine(str(directory), progress)
        if repair is not None:
            write(report.engine, str(repair))
    told = _told(report)
    if as_json:
        typer.echo(orjson.dumps(told))
    else:
        _show(told)
    say_damaged(report.found.damages)
    if repair is not None:
        remarks().print(f"written to {repair}: {told['keys']:,} keys", markup=False)
    elif report.found.damages:
        remarks().print("--repair TO writes what can be read to another directory", markup=False)
    if report.found.damages:
        raise typer.Exit(FAILED)


def require_journal(directory: Path) -> None:
    """Ends the program unless there is a journal."""
    from gapless.journal.format import numbers_in

    try:
        numbers = numbers_in(str(directory))
    except OSError as error:
        fail(f"{directory}: {error.strerror}", WRONG_USE)
    if not numbers:
        fail(f"{directory}: there is no journal in it", WRONG_USE)


@contextlib.contextmanager
def failing_plainly() -> Iterator[None]:
    """What a journal can't be read for ends the program with a sentence."""
    try:
        yield
    except GaplessError as error:
        fail(str(error), WRONG_USE)
    except OSError as error:
        if error.filename is None:
            raise
        fail(f"{error.filename}: {error.strerror}", WRONG_USE)


def say_damaged(damages: Iterable[Exception]) -> None:
    """Each in a line on standard error."""
    console = remarks()
    for damage in damages:
        console.print("[bold red]damaged:[/]", end=" ")
        console.print(str(damage), markup=False)


def _told(report: Report) -> dict[str, Any]:
    found, engine = report.found, report.engine
    sizes = {number: engine.size(number) for number in range(engine.database_count)}
    return {
        "sound": not found.damages,
        "files": len({stretch.path for stretch in found.stretches}),
        "bytes": sum(stretch.end - stretch.start for stretch in found.stretches),
        "frames": sum(stretch.frame_count for stretch in found.stretches),
        "last_write_ms": report.last_ms,
        "closed": report.closed,
        "torn_bytes": found.torn_bytes,
        "keys": sum(sizes.values()),
        "databases": {str(number): size for number, size in sizes.items() if size},
        "damages": [
            {"file": damage.path, "offset": damage.offset, "what": str(damage)} for damage in found.damages
        ],
    }


def _show(told: dict[str, Any]) -> None:
    table = Table(show_header=False, box=None)
    table.add_column(style="bold")
    table.add_column(justify="right")
    for name in ("files", "bytes", "frames", "keys"):
        table.add_row(name, f"{told[name]:,}")
    table.add_row("last write", time_text(told["last_write_ms"]) if told["last_write_ms"] else "never")
    torn = f", {told['torn_bytes']:,} bytes torn off by a crash" if told["torn_bytes"] else ""
    table.add_row("end", ("closed" if told["closed"] else "not closed") + torn)
    table.add_row("journal", "[green]sound[/]" if told["sound"] else "[red]damaged[/]")
    results().print(table)


def time_text(ms: int) -> str:
    """Milliseconds since the epoch, for a reader; UTC."""
    moment = datetime.datetime.fromtimestamp(ms / 1000, datetime.UTC)
    return moment.isoformat(sep=" ", timespec="milliseconds").removesuffix("+00:00") + " UTC"
