"""`python -m bench [SCENARIO ...]`: measure, compare, print. `--help` lists scenarios and options."""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path

from bench import proc, report
from bench.client import LoadError
from bench.context import Context, available
from bench.results import Row, count_met
from bench.scenarios import SCENARIOS
from bench.servers import GAPLESS, PEERS, REGISTRY, NotAvailableError

SERVERLESS = {"embedded", "floor", "journal-embedded", "records"}


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description="Measure gapless and its peers.")
    parser.add_argument("scenario", nargs="*", help=f"which (default: all): {', '.join(SCENARIOS)}")
    parser.add_argument("--quick", action="store_true", help="small and short: shows that it works")
    parser.add_argument("--rounds", type=int, help="alternated runs, whose median counts (3; with --quick 1)")
    parser.add_argument("--servers", help=f"of {', '.join(REGISTRY)}; default {','.join((*PEERS, GAPLESS))}")
    parser.add_argument(
        "--wait", type=float, default=0.0, metavar="S", help="wait so long for a quiet machine"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all samples, - for standard output")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="append to it, as docs/MEASUREMENTS.md")
    parser.add_argument("--check", action="store_true", help="end with status 1 when a bar is missed")
    options = parser.parse_args()
    if unknown := [name for name in options.scenario if name not in SCENARIOS]:
        parser.error(f"no such scenario: {', '.join(unknown)}; there are {', '.join(SCENARIOS)}")
    options.servers = options.servers.split(",") if options.servers else [*PEERS, GAPLESS]
    if unknown := [name for name in options.servers if name not in REGISTRY]:
        parser.error(f"no such server: {', '.join(unknown)}; there are {', '.join(REGISTRY)}")
    options.scenario = [name for name in SCENARIOS if name in options.scenario or not options.scenario]
    options.rounds = options.rounds or (1 if options.quick else 3)
    return options


class Line:
    """Progress on standard error: one line that overwrites itself on a terminal, else a line per scenario."""

    def __init__(self) -> None:
        self.scenario = ""
        self.tty = sys.stderr.isatty()

    def __call__(self, text: str) -> None:
        if self.tty:
            width = os.get_terminal_size(sys.stderr.fileno()).columns - 1
            sys.stderr.write(f"\r\x1b[K{f'{self.scenario}: {text}'[:width]}")
            sys.stderr.flush()

    def start(self, scenario: str) -> None:
        self.scenario = scenario
        if not self.tty:
            print(f"{scenario} ...", file=sys.stderr, flush=True)

    def clear(self) -> None:
        if self.tty:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()


def main() -> int:
    options = arguments()
    colour = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
    line = Line()
    line("looking for servers")
    versions, missing = (
        ({}, {}) if set(options.scenario) <= {"floor", "records"} else available(options.servers)
    )
    line.clear()
    for name, why in missing.items():
        print(f"{name} is not measured: {why}", file=sys.stderr)
    context = Context(tuple(versions), options.rounds, options.quick, options.wait, line)
    to_stdout = str(options.json) == "-"
    for name in options.scenario:
        rows = _run(context, line, name)
        if rows and not to_stdout:
            print(report.table(rows, colour) + "\n", flush=True)
    around = report.Circumstances(
        date=report.now(),
        commit=proc.commit(),
        machine=proc.machine(),
        command=" ".join(["python -m bench", *sys.argv[1:]]),
        rounds=options.rounds,
        versions=versions,
        missing=missing,
        failures=context.failures,
    )
    _write(options, context.rows, around)
    if not to_stdout:
        print(report.summary(context.rows))
    missed = count_met(context.rows)[1]
    return 2 if context.failures else 1 if options.check and missed else 0


def _run(context: Context, line: Line, name: str) -> list[Row]:
    """One scenario. A failure is reported and does not stop the others; what came before it counts."""
    first = len(context.rows)
    context.scenario = name
    line.start(name)
    try:
        if context.servers or name in SERVERLESS:
            SCENARIOS[name](context)
    except (LoadError, NotAvailableError, OSError) as error:
        context.failures.append(f"{name}: {error}")
    finally:
        line.clear()
    for failure in context.failures:
        if failure.startswith(f"{name}:"):
            print(failure, file=sys.stderr)
    context.rows[first:] = [row for row in context.rows[first:] if row.samples or row.notes]
    return context.rows[first:]


def _write(options: argparse.Namespace, rows: list[Row], around: report.Circumstances) -> None:
    if options.json:
        text = json.dumps(report.data(rows, around), indent=1)
        if str(options.json) == "-":
            print(text)
        else:
            options.json.write_text(text + "\n")
    if options.markdown:
        with options.markdown.open("a") as file:
            file.write("\n" + report.markdown(rows, around))


if __name__ == "__main__":
    sys.exit(main())
