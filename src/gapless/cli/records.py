"""`gapless records`: a file of JSON lines, looked up by key and by fields."""

from __future__ import annotations

import contextlib
import errno
import os
import sys
import warnings
from collections.abc import Callable, Iterator
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import orjson
import typer
from rich.table import Table

from gapless.cli.output import WRONG_USE, fail, progress_bar, remarks, results
from gapless.errors import GaplessError, RecordsWarning
from gapless.record_file.records import Records, hinted_fields

NOT_FOUND = 1
"""Exit code: there is no such record."""
_READING = ("get", "find", "stats")


class Action(StrEnum):
    GET = "get"
    FIND = "find"
    APPEND = "append"
    DELETE = "delete"
    STATS = "stats"
    COMPACT = "compact"


_ARGUMENTS = {
    Action.GET: "VALUE",
    Action.FIND: "FIELD VALUE",
    Action.APPEND: "[JSON ...]",
    Action.DELETE: "VALUE",
    Action.STATS: "",
    Action.COMPACT: "",
}


def records(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The JSON Lines file.")],
    action: Annotated[Action, typer.Argument(help="What to do.")],
    arguments: Annotated[
        list[str] | None, typer.Argument(metavar="ARGUMENT", help="What the action asks for.")
    ] = None,
    key: Annotated[
        str | None,
        typer.Option(metavar="FIELD", help="The key field.", show_default="as indexed before, else id"),
    ] = None,
    also: Annotated[
        list[str] | None,
        typer.Option(
            metavar="FIELD", help="Index this field too; may be repeated. `find` does it of itself."
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, a value a line.")] = False,
) -> None:
    """A file of JSON lines as records, found by key and by fields without reading all of it.

    get VALUE: the newest record of a key.

    find FIELD VALUE: all records with that value, in the order of the file.

    append [JSON ...]: records, from standard input where none are given, a line each.

    delete VALUE: a key; its lines become blanks.

    stats: counts, sizes, and the lines that are no records.

    compact: rewrite the file without what is superseded or deleted.

    A VALUE is a JSON number, true, false, null or quoted string; else, or if no record has it, plain text.

    Exit codes: 0 found or done, 1 no such record, 2 wrong use, bad input, or it failed.
    """
    words = arguments or []
    _require_words(action, words)
    path = str(file)
    before = hinted_fields(path)
    key = key or (before[0] if before else "id")
    fields = [*(also or []), *(words[:1] if action is Action.FIND else [])]
    if before and before[0] == key:
        fields = [*before[1], *(name for name in fields if name not in before[1])]
    reading = action.value in _READING
    try:
        if not reading and action is not Action.APPEND and not file.exists():
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)
        step = "indexing and compacting" if action is Action.COMPACT else "indexing"
        with _warnings(), progress_bar(step) as progress:
            opened = Records(path, key, fields, readonly=reading, sync="close", progress=progress)
        with opened:
            if reading:
                opened.leave_hint()
            found = _ACTIONS[action](opened, words, as_json)
    except (ValueError, GaplessError) as error:
        fail(str(error), WRONG_USE)
    except OSError as error:
        if error.filename is None:
            raise
        fail(f"{error.filename}: {error.strerror}", WRONG_USE)
    if not found:
        raise typer.Exit(NOT_FOUND)


def _require_words(action: Action, words: list[str]) -> None:
    expected = _ARGUMENTS[action]
    for word in words:
        if word.startswith("--"):
            fail(f"no such option: {word}; see gapless records --help", WRONG_USE)
    if action is not Action.APPEND and len(words) != len(expected.split()):
        got = f"got {len(words)}: {' '.join(words)}" if words else "got none"
        wanted = f"{action.value} takes {expected}" if expected else f"{action.value} takes no arguments"
        fail(f"{wanted}; {got}", WRONG_USE)


# ---- actions: each returns whether there was such a record


def _get(opened: Records, words: list[str], as_json: bool) -> bool:
    for value in _meanings(words[0]):
        if (record := opened.get(value)) is not None:
            _show(record, as_json)
            return True
    _nothing(f"no record with {opened.key} {words[0]}")
    return False


def _find(opened: Records, words: list[str], as_json: bool) -> bool:
    for value in _meanings(words[1]):
        count = 0
        for record in opened.find(words[0], value):
            _show(record, as_json)
            count += 1
        if count:
            return True
    _nothing(f"no record with {words[0]} {words[1]}")
    return False


def _append(opened: Records, words: list[str], as_json: bool) -> bool:
    count = 0

    def given() -> Iterator[dict[str, Any]]:
        nonlocal count
        lines: Any = (word.encode() for word in words) if words else sys.stdin.buffer
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            where = f"argument {number}" if words else f"standard input, line {number}"
            try:
                record = orjson.loads(line)
            except orjson.JSONDecodeError as error:
                raise ValueError(
                    f"{where}: it is not JSON: {error.msg}; {count} appended before it"
                ) from None
            if not isinstance(record, dict):
                raise ValueError(f"{where}: it is no JSON object; {count} appended before it")
            if not Records.can_hold(record, opened.key):
                raise ValueError(
                    f"{where}: it needs {opened.key!r}, a string, number or boolean; "
                    f"{count} appended before it"
                )
            yield record
            count += 1

    opened.extend(given())
    _done({"appended": count}, f"{count:,} appended", as_json)
    return True


def _delete(opened: Records, words: list[str], as_json: bool) -> bool:
    for value in _meanings(words[0]):
        if opened.delete(value):
            _done({"deleted": value}, f"deleted {opened.key} {orjson.dumps(value).decode()}", as_json)
            return True
    _nothing(f"no record with {opened.key} {words[0]}")
    return False


def _stats(opened: Records, words: list[str], as_json: bool) -> bool:
    stats = {"key": opened.key, **opened.stats(), "skipped_lines": [list(each) for each in opened.skipped]}
    if as_json:
        typer.echo(orjson.dumps(stats))
        return True
    table = Table(show_header=False, box=None)
    table.add_column(style="bold")
    table.add_column(justify="right")
    for name in ("records", "superseded", "skipped", "lines", "bytes", "bytes_live"):
        table.add_row(name.replace("_", " "), f"{stats[name]:,}")
    for field, size in stats["index_bytes"].items():
        each = f" ({size / stats['records']:.1f} a record)" if stats["records"] else ""
        table.add_row(f"index of {field}, bytes", f"{size:,}{each}")
    results().print(table)
    for skipped in opened.skipped:
        remarks().print(f"line {skipped.line} is skipped: {skipped.why}", markup=False)
    return True


def _compact(opened: Records, words: list[str], as_json: bool) -> bool:
    before = opened.stats()["bytes"]
    saved = opened.compact()
    told = {"bytes_before": before, "bytes_after": before - saved}
    _done(told, f"{before:,} bytes became {before - saved:,}", as_json)
    return True


_ACTIONS: dict[Action, Callable[[Records, list[str], bool], bool]] = {
    Action.GET: _get,
    Action.FIND: _find,
    Action.APPEND: _append,
    Action.DELETE: _delete,
    Action.STATS: _stats,
    Action.COMPACT: _compact,
}


# ---- words in and out


def _meanings(word: str) -> list[object]:
    """What a VALUE may mean: a JSON scalar first, plain text else."""
    try:
        value = orjson.loads(word)
    except orjson.JSONDecodeError:
        return [word]
    if isinstance(value, str):
        return [value]
    return [word] if isinstance(value, (list, dict)) else [value, word]


def _show(record: dict[str, Any], as_json: bool) -> None:
    line = orjson.dumps(record).decode()
    console = results()
    if as_json or console.no_color or not console.is_terminal:
        typer.echo(line)
    else:
        console.print_json(line)


def _done(told: dict[str, Any], text: str, as_json: bool) -> None:
    if as_json:
        typer.echo(orjson.dumps(told))
    else:
        remarks().print(text, markup=False)


def _nothing(text: str) -> None:
    remarks().print(text, markup=False)


@contextlib.contextmanager
def _warnings() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("always", RecordsWarning)
        warnings.showwarning = _print_warning
        yield


def _print_warning(message: Warning | str, *_: object, **__: object) -> None:
    console = remarks()
    console.print("[bold yellow]warning:[/]", end=" ")
    console.print(str(message), markup=False)
