"""The root of the command line."""

from __future__ import annotations

import sys
from importlib.metadata import PackageNotFoundError, version
from typing import Annotated

import typer

from gapless.cli import check, dump, lab, records, transfer

app = typer.Typer(
    name="gapless",
    help="A key-value store for Python programs and for every Redis client, whose memory does not fragment.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.add_typer(lab.app, name="lab")
app.command()(check.check)
app.command()(dump.dump)
app.command(context_settings={"ignore_unknown_options": True})(records.records)
app.command("import")(transfer.import_)
app.command("export")(transfer.export_)


def _print_version(wanted: bool) -> None:
    if wanted:
        try:
            typer.echo(f"gapless {version('gapless')}")
        except PackageNotFoundError:
            typer.echo("gapless (run from its sources)")
        raise typer.Exit


@app.callback()
def root(
    show_version: Annotated[
        bool,
        typer.Option("--version", "-V", help="Print the version.", callback=_print_version, is_eager=True),
    ] = False,
    color: Annotated[
        bool | None,
        typer.Option(
            "--color/--no-color", help="Colours always or never. Else: on a terminal without NO_COLOR."
        ),
    ] = None,
) -> None:
    """Exit codes: 0 done, 1 tried and failed, 2 wrong use, 130 interrupted."""


@app.command(
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []},
    options_metavar="[redis.conf] [--option value ...]",
)
def serve(context: typer.Context) -> None:
    """Start a server, with the configuration and the options of redis-server."""
    from gapless.server.serve import main

    sys.exit(main(context.args))
