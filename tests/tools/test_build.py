"""The build: requirements are found, and a machine that cannot build is told what it lacks."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tools.requirements import requirements

ROOT = Path(__file__).parents[2]


def test_requirements_of_all_kinds() -> None:
    everything = requirements(["build", "run", "dev", "bench"])
    assert everything == sorted(set(everything))
    assert any(each.startswith("Cython") for each in everything)
    assert any(each.startswith("redis>") for each in everything)


def test_requirements_of_an_unknown_extra() -> None:
    with pytest.raises(KeyError):
        requirements(["no such extra"])


def check_machine(python: str, path: str, *options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["/bin/sh", str(ROOT / "tools" / "check-machine.sh"), python, *options],
        env={"PATH": path},
        capture_output=True,
        text=True,
        check=False,
    )


def test_machine_that_can_build_is_accepted() -> None:
    result = check_machine(sys.executable, os.environ["PATH"])
    assert (result.returncode, result.stderr) == (0, "")


def test_machine_without_python_and_compiler_is_told_the_packages(tmp_path: Path) -> None:
    (tmp_path / "id").symlink_to("/usr/bin/id")
    result = check_machine("python3", str(tmp_path))
    assert result.returncode == 1
    assert "apt-get install python3 python3-dev python3-venv gcc libc6-dev" in result.stderr


def test_python_that_is_too_old_is_told_so(tmp_path: Path) -> None:
    old = tmp_path / "python3"
    old.write_text('#!/bin/sh\ncase "$2" in *platform*) echo 3.9.2 ;; *) exit 1 ;; esac\n')
    old.chmod(0o755)
    result = check_machine(str(old), os.environ["PATH"])
    assert result.returncode == 1
    assert "3.9.2; gapless needs Python 3.11" in result.stderr


def test_root_gets_missing_packages_installed(tmp_path: Path) -> None:
    log = tmp_path / "apt.log"
    compiler = shutil.which("cc")
    assert compiler is not None
    commands = {
        "id": "echo 0",
        # Like the real one, it makes a compiler appear; it must never be left waiting for an answer.
        "apt-get": f'echo "$@" >> {log}; if [ "$1" = install ]; then /bin/ln -s {compiler} {tmp_path}/cc; fi',
    }
    for name, body in commands.items():
        (tmp_path / name).write_text(f"#!/bin/sh\n{body}\n")
        (tmp_path / name).chmod(0o755)
    result = check_machine(sys.executable, str(tmp_path), "--install")
    assert result.returncode == 0, result.stderr
    assert log.read_text().splitlines() == [
        "update -qq",
        "install -y -qq --no-install-recommends gcc libc6-dev",
    ]
