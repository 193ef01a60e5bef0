"""The `gapless` command."""

from __future__ import annotations

import os
import sys


def main() -> None:
    """Run the command line in `sys.argv`.

    `gapless serve` goes straight to the server: what it imports stays resident as long as it runs, and what
    the command line needs (typer, rich) would be a third of an idle server.
    """
    if sys.argv[1:2] == ["serve"]:
        from gapless.server.serve import main as serve

        sys.exit(serve(sys.argv[2:]))
    _settle_colour(sys.argv)
    from gapless.cli.app import app

    app(prog_name="gapless")


def _settle_colour(argv: list[str]) -> None:
    # Taken out wherever they stand, and settled in the environment before rich and typer look at it when
    # imported.
    for option, sets, unsets in (
        ("--no-color", "NO_COLOR", "FORCE_COLOR"),
        ("--color", "FORCE_COLOR", "NO_COLOR"),
    ):
        if option in argv[1:]:
            argv[1:] = [argument for argument in argv[1:] if argument != option]
            os.environ[sets] = "1"
            os.environ.pop(unsets, None)


if __name__ == "__main__":
    main()
