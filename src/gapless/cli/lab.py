"""`gapless lab`: the experiments."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from gapless.cli.output import FAILED, WRONG_USE, fail, remarks, results
from gapless.cli.progress import progress_of
from gapless.lab.collections import TYPES
from gapless.lab.crisis import CrisisOptions, run_crisis
from gapless.lab.measure import Run
from gapless.lab.report import MissingChartsError, require_charts, write_report
from gapless.lab.servers import Target, gapless_target, peer_targets, require_ready
from gapless.lab.summary import CAPTION, describe, notes, rows, to_data
from gapless.lab.waves import WavePlan
from gapless.lab.wire import Address, TargetError

app = typer.Typer(
    no_args_is_help=True, help="Experiments that measure gapless, Redis and Valkey side by side."
)
_PLAN = WavePlan()
_RATE = 100_000.0
_RATE_TYPES = 6_000.0
_QUICK_PLAN = WavePlan(
    keys=_PLAN.keys // 10, ttl_ms_min=_PLAN.ttl_ms_min // 10, ttl_ms_max=_PLAN.ttl_ms_max // 10
)
# The same payload a second, with a collection where twenty keys were.
_COLLECTIONS = 20
_SETTLE_SECONDS = 10.0
_SETTLE_SECONDS_QUICK = 3.0


@app.callback()
def experiments() -> None:
    """Experiments that measure gapless, Redis and Valkey side by side."""


@app.command()
def crisis(
    target: Annotated[
        list[str] | None,
        typer.Option(metavar="URL", help="A running server, redis://host:port/db, empty. May be repeated."),
    ] = None,
    peer: Annotated[
        list[str] | None,
        typer.Option(
            metavar="BINARY",
            help="A redis-server or valkey-server, started with activedefrag off and on; `auto` finds one. "
            "May be repeated.",
        ),
    ] = None,
    gapless: Annotated[bool, typer.Option("--gapless/--no-gapless", help="Measure gapless.")] = True,
    keys: Annotated[
        int | None, typer.Option(help="Keys in all waves together.", show_default=f"{_PLAN.keys}")
    ] = None,
    waves: Annotated[int, typer.Option(help="How many waves.")] = _PLAN.waves,
    ttl: Annotated[
        str | None, typer.Option(metavar="SECONDS[-SECONDS]", help="Range of the TTLs.", show_default="12-13")
    ] = None,
    long_lived: Annotated[float, typer.Option(help="Share of the keys without a TTL.")] = _PLAN.long_lived,
    value_sizes: Annotated[
        str | None,
        typer.Option(
            metavar="BYTES[,BYTES...]",
            help="Sizes of the values, wave by wave, give or take 10 %.",
            show_default=",".join(map(str, _PLAN.value_bytes)),
        ),
    ] = None,
    types: Annotated[
        bool,
        typer.Option(
            "--types",
            help="Hashes, sorted sets and lists for strings, a twentieth as many, twenty times as large.",
        ),
    ] = False,
    rate: Annotated[
        float | None,
        typer.Option(help="Commands a second, offered to all alike.", show_default=f"{_RATE:,.0f}"),
    ] = None,
    seed: Annotated[int, typer.Option(help="Another seed, other keys.")] = _PLAN.seed,
    settle: Annotated[
        float | None,
        typer.Option(help="Seconds from the last expiry to the end.", show_default=f"{_SETTLE_SECONDS:g}"),
    ] = None,
    probe_interval: Annotated[
        float, typer.Option(help="Milliseconds from one GET of the probe to the next.")
    ] = 2.0,
    pin: Annotated[
        bool, typer.Option("--pin/--no-pin", help="Bind server and clients to a core each.")
    ] = True,
    report: Annotated[Path, typer.Option(metavar="FILE", help="Where the HTML report goes.")] = Path(
        "crisis.html"
    ),
    no_report: Annotated[bool, typer.Option("--no-report", help="Write no HTML report.")] = False,
    json_file: Annotated[
        Path | None, typer.Option("--json", metavar="FILE", help="Write all results there.")
    ] = None,
    quick: Annotated[bool, typer.Option("--quick", help="A tenth of the keys and of the time.")] = False,
) -> None:
    """Waves of keys with close TTLs: who keeps their memory, and at what price?

    Starts gapless, and each --peer twice, one after the other on a spare port of loopback. A minute a server.
    """
    defaults = _QUICK_PLAN if quick else _PLAN
    try:
        ttl_range = (defaults.ttl_ms_min, defaults.ttl_ms_max) if ttl is None else _ttl_range(ttl)
        plan = WavePlan(
            keys=defaults.keys // (_COLLECTIONS if types else 1) if keys is None else keys,
            waves=waves,
            ttl_ms_min=ttl_range[0],
            ttl_ms_max=ttl_range[1],
            long_lived=long_lived,
            value_bytes=_sizes(value_sizes) if value_sizes else _default_sizes(types),
            seed=seed,
            types=TYPES if types else (),
        )
        if settle is None:
            settle = _SETTLE_SECONDS_QUICK if quick else _SETTLE_SECONDS
        if rate is None:
            rate = _RATE_TYPES if types else _RATE
        options = CrisisOptions(plan, rate, settle, probe_interval / 1000, pin=pin)
        targets = _targets(target or [], peer or [], gapless)
        if not no_report:
            require_charts()
            _require_writable(report)
        if json_file:
            _require_writable(json_file)
    except (ValueError, TargetError, MissingChartsError) as error:
        fail(str(error), WRONG_USE)
    try:
        for each in targets:
            require_ready(each)
    except (TargetError, OSError) as error:
        fail(str(error))
    runs = _run_all(targets, options)
    _print_table(runs, options)
    try:
        if not no_report:
            write_report(report, runs, options)
            remarks().print(f"Report: {report}", markup=False)
        if json_file:
            json_file.write_text(json.dumps(to_data(runs, options), indent=1) + "\n", encoding="utf-8")
    except OSError as error:
        fail(f"{error.filename}: {error.strerror}")
    if any(run.failure for run in runs):
        raise typer.Exit(FAILED)


def _ttl_range(text: str) -> tuple[int, int]:
    match = re.fullmatch(r"(\d*\.?\d+)(?:-(\d*\.?\d+))?", text)
    if not match:
        raise ValueError(f"--ttl {text}: expected seconds, or two with a dash between, as 12-13")
    least = round(float(match[1]) * 1000)
    return least, round(float(match[2]) * 1000) if match[2] else least


def _sizes(text: str) -> tuple[int, ...]:
    if not re.fullmatch(r"\d+(,\d+)*", text):
        raise ValueError(f"--value-sizes {text}: expected bytes with commas between, as 80,160,320")
    return tuple(map(int, text.split(",")))


def _default_sizes(types: bool) -> tuple[int, ...]:
    return tuple(size * (_COLLECTIONS if types else 1) for size in _PLAN.value_bytes)


def _targets(urls: list[str], peers: list[str], gapless: bool) -> list[Target]:
    targets = [gapless_target()] if gapless else []
    targets += [Target(address=Address.parse(url)) for url in urls]
    for binary in peers:
        targets += peer_targets(binary)
    if not targets:
        raise ValueError("nothing to measure: --no-gapless needs a --target or a --peer")
    return targets


def _require_writable(path: Path) -> None:
    if not path.parent.is_dir():
        raise ValueError(f"{path}: there is no such folder to write to")
    if path.is_dir() or not os.access(path if path.exists() else path.parent, os.W_OK):
        raise ValueError(f"{path}: can't be written")


def _run_all(targets: list[Target], options: CrisisOptions) -> list[Run]:
    runs: list[Run] = []
    for number, target in enumerate(targets, 1):
        with progress_of(f"{number}/{len(targets)}", options) as progress:
            run = run_crisis(target, options, progress)
        if run is not None:
            runs.append(run)
    return runs


def _print_table(runs: list[Run], options: CrisisOptions) -> None:
    console = results()
    table = Table(title=describe(options), caption=CAPTION, title_justify="left", caption_justify="left")
    table.add_column("", no_wrap=True)
    for run in runs:
        table.add_column(run.title, justify="right", no_wrap=False)
    for row in rows(runs):
        if row.cells:
            table.add_row(f"  {row.label}", *row.cells)
        else:
            table.add_row(f"[bold]{row.label}[/]")
    console.print(table)
    for note in notes(runs):
        console.print(f"- {note}", markup=False)
