"""Type checkers know a store: a program that uses it passes mypy --strict, and what is wrong in it is found."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

PROGRAM = Path(__file__).parent / "typed_program.py"


def test_a_program_passes_mypy(tmp_path: Path) -> None:
    # Outside the repository: it is the installed package that is asked, and no setting of ours.
    program = tmp_path / "program.py"
    program.write_text(PROGRAM.read_text())
    options = ["--strict", "--warn-unused-ignores", f"--cache-dir={tmp_path / 'cache'}", "--config-file="]
    run = [sys.executable, "-m", "mypy", *options, str(program)]
    done = subprocess.run(run, capture_output=True, text=True, cwd=tmp_path, timeout=250, check=False)
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
