"""The command line as a person meets it: output, colours, exit codes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from gapless.lab.servers import find_auto


def gapless(
    *arguments: str, cwd: Path | None = None, environment: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    inherited = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "FORCE_COLOR")}
    return subprocess.run(
        [sys.executable, "-m", "gapless", *arguments],
        capture_output=True,
        text=True,
        timeout=120,
        cwd=cwd,
        env={**inherited, "COLUMNS": "160", **(environment or {})},
    )


def test_version() -> None:
    ended = gapless("--version")
    assert ended.returncode == 0
    assert ended.stdout.startswith("gapless ")


def test_help_lists_everything() -> None:
    ended = gapless("--help")
    assert ended.returncode == 0
    assert "serve" in ended.stdout
    assert "lab" in ended.stdout
    ended = gapless("lab", "--help")
    assert ended.returncode == 0
    assert "crisis" in ended.stdout


def test_help_of_the_crisis_names_its_options() -> None:
    ended = gapless("lab", "crisis", "--help")
    assert ended.returncode == 0
    for option in ("--target", "--peer", "--keys", "--ttl", "--rate", "--report", "--json", "--quick"):
        assert option in ended.stdout


@pytest.mark.parametrize(
    "wrong",
    [
        ("nonsense",),
        ("lab", "nonsense"),
        ("lab", "crisis", "--nonsense"),
        ("lab", "crisis", "--ttl", "soon"),
        ("lab", "crisis", "--ttl", "13-12"),
        ("lab", "crisis", "--value-sizes", "1,x"),
        ("lab", "crisis", "--keys", "0"),
        ("lab", "crisis", "--rate", "0"),
        ("lab", "crisis", "--settle", "-1"),
        ("lab", "crisis", "--probe-interval", "0"),
        ("lab", "crisis", "--peer", "/no/such/server"),
        ("lab", "crisis", "--target", "http://somewhere"),
        ("lab", "crisis", "--no-gapless"),
        ("lab", "crisis", "--report", "/no/such/folder/report.html"),
        ("lab", "crisis", "--json", "/no/such/folder/results.json"),
        ("lab", "crisis", "--json", "/tmp"),
    ],
)
def test_wrong_use(wrong: tuple[str, ...]) -> None:
    ended = gapless(*wrong)
    assert ended.returncode == 2
    assert ended.stdout == ""
    assert ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_failed_run_is_told_in_the_table(tmp_path: Path) -> None:
    ended = gapless("lab", "crisis", "--no-gapless", "--peer", "/bin/false", "--no-report", cwd=tmp_path)
    assert ended.returncode == 1
    assert "failed" in ended.stdout
    assert "/bin/false" in ended.stdout
    assert "Traceback" not in ended.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_target_that_is_not_there_is_told_before_anything_is_measured(tmp_path: Path) -> None:
    ended = gapless("lab", "crisis", "--target", "redis://127.0.0.1:1", cwd=tmp_path)
    assert ended.returncode == 1
    assert ended.stdout == ""
    assert "can't connect to 127.0.0.1:1: Connection refused" in ended.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "environment", "coloured"),
    [
        ((), {}, False),
        (("--color",), {}, True),
        ((), {"FORCE_COLOR": "1"}, True),
        (("--no-color",), {"FORCE_COLOR": "1"}, False),
        ((), {"FORCE_COLOR": "1", "NO_COLOR": "1"}, False),
        (("--color",), {"NO_COLOR": "1"}, True),
    ],
)
def test_colours(arguments: tuple[str, ...], environment: dict[str, str], coloured: bool) -> None:
    helped = gapless(*arguments, "--help", environment=environment)
    failed = gapless("lab", "crisis", "--no-gapless", *arguments, environment=environment)
    assert failed.returncode == 2
    for text in (helped.stdout, failed.stderr):
        assert ("\x1b[3" in text or "\x1b[1;3" in text) == coloured


def test_the_whole_of_it(tmp_path: Path) -> None:
    binary = find_auto()
    assert binary is not None
    tiny = ("--no-gapless", "--keys", "6000", "--ttl", "0.2-0.3", "--rate", "20000", "--settle", "0.3")
    files = ("--report", "r.html", "--json", "r.json")
    ended = gapless("lab", "crisis", "--peer", binary, *tiny, *files, cwd=tmp_path)
    assert ended.returncode == 0, ended.stderr
    assert "RSS / live payload" in ended.stdout
    assert "2/2" in ended.stderr
    results = json.loads((tmp_path / "r.json").read_text())
    assert [run["variant"] for run in results["runs"]] == ["activedefrag no", "activedefrag yes"]
    for run in results["runs"]:
        assert run["failure"] is None
        assert run["rss_over_payload"]["after"]["plain"] > 1
        assert run["probe_ms"]["under_load"]["p50"] > 0
    assert (tmp_path / "r.html").stat().st_size > 100_000
