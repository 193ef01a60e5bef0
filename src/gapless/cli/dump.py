"""`gapless dump`: a store's journal as lines, an effect each."""

from __future__ import annotations

import fnmatch
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import orjson
import typer

from gapless.cli.check import (
    AsJson,
    Directory,
    failing_plainly,
    require_journal,
    say_damaged,
    time_text,
)
from gapless.cli.output import FAILED, WRONG_USE, fail, progress_bar
from gapless.engine.frames import CLEANED, CLOSED, EFFECTS, IMAGES, SEALED
from gapless.errors import DamagedError
from gapless.journal.effects import Effect, EffectError, effects
from gapless.journal.format import number_of, numbers_in
from gapless.journal.salvage import Batch, Found, batches, search

_ENDS = {SEALED: "sealed", CLOSED: "closed", CLEANED: "cleaned"}
_KEYLESS = ("flush", "flush all", "swap")


def dump(
    directory: Directory,
    key: Annotated[
        str | None,
        typer.Option(
            metavar="GLOB", help="Only what may have to do with keys like this: *, ? and \\[abc] are wild."
        ),
    ] = None,
    first: Annotated[
        str | None, typer.Option("--from", metavar="FILE", help="Begin with this file, by name or number.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Print what became of a store's keys, as its journal has it: a line an effect, in order.

    In front are file and offset of the batch, which lasts or is lost as a whole, and its time. What is
    damaged is named on standard error and passed over.

    Exit codes: 0 all was printed, 1 some is damaged, 2 wrong use, or it can't be read.
    """
    require_journal(directory)
    number = _file_number(directory, first)
    with failing_plainly():
        with progress_bar("reading") as progress:
            found = search(str(directory), progress)
        say_damaged(found.damages)
        wrong = _print(found, number, None if key is None else key.encode(), as_json)
    if found.damages or wrong:
        raise typer.Exit(FAILED)


def _file_number(directory: Path, first: str | None) -> int:
    if first is None:
        return 0
    name = os.path.basename(first)
    number = int(name) if name.isascii() and name.isdigit() else number_of(name)
    if number is None or number not in numbers_in(str(directory)):
        fail(f"--from {first}: there is no such file in {directory}", WRONG_USE)
    return number


def _print(found: Found, number: int, glob: bytes | None, as_json: bool) -> int:
    """How many batches could not be read."""
    wrong = 0
    line_of = _json_line if as_json else _text_line
    try:
        for batch in batches(found, number):
            try:
                for effect in _shown(batch, glob):
                    print(line_of(batch, effect))
            except EffectError as error:
                sys.stdout.flush()
                say_damaged([DamagedError(batch.path, batch.offset, f"its effects can't be read: {error}")])
                wrong += 1
        sys.stdout.flush()
    except BrokenPipeError:
        # Who reads has seen enough; the interpreter's own flush at the end would fail again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return wrong


def _shown(batch: Batch, glob: bytes | None) -> Iterator[Effect | None]:
    """The effects of a batch that are asked for; None for one that ends a file or says what is cleaned."""
    if batch.kind not in (EFFECTS, IMAGES):
        if glob is None:
            yield None
        return
    for effect in effects(batch.body):
        if glob is None or effect.kind in _KEYLESS or _is_like(effect, glob):
            yield effect


def _is_like(effect: Effect, glob: bytes) -> bool:
    return fnmatch.fnmatchcase(effect.key, glob) or (
        effect.kind == "rename" and fnmatch.fnmatchcase(effect.to_key, glob)
    )


def _text_line(batch: Batch, effect: Effect | None) -> str:
    what = str(effect) if effect is not None else _end(batch)
    return f"{os.path.basename(batch.path)}:{batch.offset} {time_text(batch.time_ms)} {what}"


def _json_line(batch: Batch, effect: Effect | None) -> str:
    told: dict[str, Any] = {
        "file": os.path.basename(batch.path),
        "offset": batch.offset,
        "time_ms": batch.time_ms,
    }
    told |= effect.as_json() if effect is not None else {"kind": _end(batch)}
    return orjson.dumps(told).decode()


def _end(batch: Batch) -> str:
    name = _ENDS.get(batch.kind, f"unknown ({batch.kind})")
    if batch.kind == CLEANED and len(batch.body) == 4:
        return f"{name} up to file {int.from_bytes(batch.body, 'little')}"
    return name
