"""The results as a table for people, as Markdown for docs/MEASUREMENTS.md, and as JSON for programs."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from bench.results import Bar, Row, Verdict, count_met
from bench.servers import GAPLESS

GREEN, RED, YELLOW, BOLD, DIM, PLAIN = "\x1b[32m", "\x1b[31m", "\x1b[33m", "\x1b[1m", "\x1b[2m", "\x1b[0m"


@dataclass(frozen=True)
class Circumstances:
    """What the numbers depend on."""

    date: str
    commit: str
    machine: dict[str, str]
    command: str
    rounds: int
    versions: dict[str, str]
    missing: dict[str, str]
    failures: list[str]


def now() -> str:
    return datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d %H:%M UTC")


def number(value: float | None) -> str:
    if value is None:
        return "-"
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    if abs(value) >= 100:
        return f"{value:.0f}"
    return f"{value:.1f}" if abs(value) >= 20 else f"{value:.2f}"


def bar_text(bar: Bar) -> str:
    text = f"{'>=' if bar.direction == 'at least' else '<='} {bar.limit:.3g}"
    return f"{text} x" if bar.against else text


def verdict_text(verdict: Verdict) -> str:
    if not verdict.peer:
        return number(verdict.value)
    near_one = 0.9 < verdict.value < 1.1
    return (
        f"{verdict.value:.3f} x {verdict.peer}" if near_one else f"{number(verdict.value)} x {verdict.peer}"
    )


def subjects(rows: Sequence[Row]) -> list[str]:
    """Columns: everybody measured, gapless last."""
    seen = list(dict.fromkeys(name for row in rows for name in row.samples))
    return [name for name in seen if name != GAPLESS] + [name for name in seen if name == GAPLESS]


def _cells(row: Row, columns: Sequence[str]) -> list[tuple[list[str], str]]:
    """Lines of a row, each with its outcome (met, missed, open or nothing): one for each bar."""
    verdicts = {verdict.bar: verdict for verdict in row.verdicts()}
    values = [number(row.median(name)) for name in columns]
    lines: list[tuple[list[str], str]] = []
    for bar in row.bars or (None,):
        head = [row.what, row.unit, *values] if not lines else ["", "", *("" for _ in columns)]
        if bar is None:
            lines.append(([*head, "", "", ""], ""))
        elif (verdict := verdicts.get(bar)) is None:
            lines.append(([*head, "", bar_text(bar), "open"], "open"))
        else:
            outcome = "met" if verdict.met else "missed"
            lines.append(([*head, verdict_text(verdict), bar_text(bar), outcome], outcome))
    return lines


def _by_scenario(rows: Sequence[Row]) -> dict[str, list[Row]]:
    grouped: dict[str, list[Row]] = {}
    for row in rows:
        grouped.setdefault(row.scenario, []).append(row)
    return grouped


def table(rows: Sequence[Row], colour: bool) -> str:
    """Text, one block a scenario, columns aligned."""
    paint = {"met": GREEN, "missed": RED, "open": YELLOW} if colour else {}
    blocks: list[str] = []
    for scenario, group in _by_scenario(rows).items():
        columns = subjects(group)
        head = ["", "", *columns, "ratio", "bar", ""]
        lines = [(head, "head"), *(line for row in group for line in _cells(row, columns))]
        widths = [max(len(cells[i]) for cells, _ in lines) for i in range(len(head))]
        text = [f"{BOLD}{scenario}{PLAIN}" if colour else scenario]
        for cells, outcome in lines:
            padded = [c.ljust(w) for c, w in zip(cells[:2], widths[:2], strict=True)]
            padded += [c.rjust(w) for c, w in zip(cells[2:], widths[2:], strict=True)]
            padded[-1] = f"{paint[outcome]}{padded[-1]}{PLAIN}" if outcome in paint else padded[-1]
            text.append("  " + "  ".join(padded).rstrip())
        notes = sorted({f"{row.what}: {note}" for row in group for note in row.notes})
        text += [f"  {DIM}{note}{PLAIN}" if colour else f"  {note}" for note in notes]
        blocks.append("\n".join(text))
    return "\n\n".join(blocks)


def summary(rows: Sequence[Row]) -> str:
    met, missed, unjudged = count_met(rows)
    text = f"{met} of {met + missed} bars met"
    return text + (f", {unjudged} not judged" if unjudged else "")


def markdown(rows: Sequence[Row], around: Circumstances) -> str:
    """A block ready for docs/MEASUREMENTS.md."""
    machine = around.machine
    text = [
        f"## {around.date}, commit {around.commit}",
        "",
        f"- Command: `{around.command}`; medians of {around.rounds} alternated runs",
        f"- Machine: {machine['cpu']}, {machine['cores']} cores, {machine['memory']}, "
        f"Linux {machine['kernel']}, Python {machine['python']}",
        "- Servers: " + ", ".join(f"{name} ({version})" for name, version in around.versions.items()),
    ]
    text += [f"- Not measured: {name}: {why}" for name, why in around.missing.items()]
    text += [f"- Failed: {failure}" for failure in around.failures]
    text += [f"- {summary(rows)}"]
    for scenario, group in _by_scenario(rows).items():
        columns = subjects(group)
        head = [scenario, "unit", *columns, "ratio", "bar", ""]
        text += ["", f"| {' | '.join(head)} |", "| --- | --- |" + " ---: |" * (len(head) - 3) + " --- |"]
        for row in group:
            for cells, outcome in _cells(row, columns):
                if outcome == "missed":
                    cells[-1] = "**missed**"
                text.append(f"| {' | '.join(cells)} |")
        notes = sorted({f"- {row.what}: {note}" for row in group for note in row.notes})
        text += ["", *notes] if notes else []
    return "\n".join(text) + "\n"


def data(rows: Sequence[Row], around: Circumstances) -> dict[str, Any]:
    """Everything, every sample included."""
    return {
        **asdict(around),
        "rows": [
            {
                "scenario": row.scenario,
                "what": row.what,
                "unit": row.unit,
                "samples": row.samples,
                "medians": {name: row.median(name) for name in row.samples},
                "verdicts": [asdict(verdict) for verdict in row.verdicts()],
                "not_judged": [asdict(bar) for bar in row.unjudged()],
                "notes": sorted(row.notes),
            }
            for row in rows
        ],
    }
