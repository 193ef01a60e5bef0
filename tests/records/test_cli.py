"""`gapless records`: output, exit codes, errors."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

import gapless

PEOPLE = '{"id":7,"name":"Ada"}\n{"id":8,"name":"Grace"}\n{"id":"9","name":"Ada"}\n'


def run(*arguments: object, given: str = "", **environment: str) -> tuple[int, str, str]:
    inherited = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "FORCE_COLOR")}
    ended = subprocess.run(
        [sys.executable, "-m", "gapless", "records", *map(str, arguments)],
        input=given,
        capture_output=True,
        text=True,
        timeout=60,
        env={**inherited, "COLUMNS": "160", **environment},
    )
    assert "Traceback" not in ended.stderr
    return ended.returncode, ended.stdout, ended.stderr


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "people.jsonl"
    path.write_text(PEOPLE)
    return path


def test_get(file: Path) -> None:
    assert run(file, "--key", "id", "get", "7") == (0, '{"id":7,"name":"Ada"}\n', "")
    assert run(file, "get", "9") == (0, '{"id":"9","name":"Ada"}\n', "")
    assert run(file, "get", '"9"', "--json") == (0, '{"id":"9","name":"Ada"}\n', "")
    assert run(file, "get", '"7"') == (1, "", 'no record with id "7"\n')
    assert run(file, "get", "-7") == (1, "", "no record with id -7\n")
    assert file.read_text() == PEOPLE


def test_find(file: Path) -> None:
    lines = PEOPLE.splitlines(keepends=True)
    assert run(file, "find", "name", "Ada") == (0, lines[0] + lines[2], "")
    assert run(file, "find", "id", "8") == (0, lines[1], "")
    assert run(file, "find", "name", "Bob") == (1, "", "no record with name Bob\n")
    assert run(file, "find", "city", "null") == (1, "", "no record with city null\n")


def test_the_index_is_kept_for_the_next(file: Path) -> None:
    assert run(file, "find", "name", "Ada")[0] == 0
    hint = Path(f"{file}.hint").read_bytes()
    assert run(file, "get", "7")[0] == 0
    assert run(file, "append", '{"id":10}')[0] == 0
    assert run(file, "find", "name", "Grace")[0] == 0
    assert Path(f"{file}.hint").read_bytes()[:64] == hint[:64]
    assert run(file, "--key", "name", "get", "Grace")[1] == '{"id":8,"name":"Grace"}\n'
    assert run(file, "get", "Grace")[0] == 0, "the key is the one that was indexed last"


def test_a_file_in_a_directory_that_can_not_be_written(file: Path) -> None:
    mode = file.parent.stat().st_mode
    file.parent.chmod(0o500)
    try:
        assert run(file, "get", "7")[0] == 0
    finally:
        file.parent.chmod(mode)


def test_append(file: Path) -> None:
    assert run(file, "append", '{"id":7,"name":"Ada L."}', '{"id":1}') == (0, "", "2 appended\n")
    assert run(file, "get", "7")[1] == '{"id":7,"name":"Ada L."}\n'
    assert run(file, "append", "--json", given='{"id":2}\n\n{"id":3}\n') == (0, '{"appended":2}\n', "")
    code, out, said = run(file, "append", given='{"id":4}\n{"id":\n{"id":5}\n')
    assert (code, out) == (2, "")
    assert said.startswith("error: standard input, line 2: it is not JSON: ")
    assert said.endswith("; 1 appended before it\n")
    assert run(file, "append", "[1]")[2] == "error: argument 1: it is no JSON object; 0 appended before it\n"
    code, _, said = run(file, "append", '{"name":"x"}')
    assert code == 2
    assert "argument 1: it needs 'id'" in said
    with gapless.records(file, readonly=True) as records:
        assert 4 in records
        assert 5 not in records
    made = file.parent / "made.jsonl"
    assert run(made, "append", '{"id":1}')[0] == 0
    assert made.read_text() == '{"id":1}\n'


def test_delete_and_compact(file: Path) -> None:
    assert run(file, "delete", "7") == (0, "", "deleted id 7\n")
    assert run(file, "delete", "9", "--json") == (0, '{"deleted":"9"}\n', "")
    assert run(file, "delete", "7") == (1, "", "no record with id 7\n")
    before = file.stat().st_size
    code, out, _ = run(file, "compact", "--json")
    assert (code, json.loads(out)) == (0, {"bytes_before": before, "bytes_after": 24})
    assert file.read_text() == '{"id":8,"name":"Grace"}\n'


def test_stats(file: Path) -> None:
    with file.open("a") as data:
        data.write('nonsense\n{"id":7}\n')
    code, out, said = run(file, "stats")
    assert code == 0
    assert out.split()[:4] == ["records", "3", "superseded", "1"]
    assert "line 4 is skipped: it is not JSON" in said
    assert said.startswith(f"warning: {file}: 1 line is no record")
    stats = json.loads(run(file, "stats", "--json")[1])
    assert (stats["records"], stats["superseded"], stats["skipped"], stats["lines"]) == (3, 1, 1, 5)
    assert stats["skipped_lines"][0][0] == 4
    assert set(stats["index_bytes"]) == {"id"}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("get",), "get takes VALUE; got none"),
        (("get", "1", "2"), "get takes VALUE; got 2: 1 2"),
        (("find", "name"), "find takes FIELD VALUE; got 1: name"),
        (("stats", "x"), "stats takes no arguments"),
        (("nonsense",), "nonsense"),
        (("get", "1", "--jsno"), "no such option: --jsno"),
        ((), "action"),
    ],
)
def test_wrong_use(file: Path, arguments: tuple[str, ...], said: str) -> None:
    code, out, error = run(file, *arguments)
    assert (code, out) == (2, "")
    assert said in error.replace("\n", " ")


def test_files_that_are_not_there(tmp_path: Path) -> None:
    for action in (("get", "1"), ("stats",), ("delete", "1"), ("compact",)):
        code, out, said = run(tmp_path / "none.jsonl", *action)
        assert (code, out) == (2, "")
        assert said == f"error: {tmp_path}/none.jsonl: No such file or directory\n"
    assert list(tmp_path.iterdir()) == []


def test_another_writer_is_named(file: Path) -> None:
    with gapless.records(file):
        code, _, said = run(file, "append", '{"id":1}')
        assert code == 2
        assert f"process {os.getpid()} has it open for writing" in said
        assert run(file, "get", "7")[0] == 0


def test_colours_and_the_bar_are_for_terminals(file: Path) -> None:
    def on_a_terminal(**environment: str) -> str:
        inherited = {
            name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "FORCE_COLOR")
        }
        main, terminal = pty.openpty()
        command = [sys.executable, "-m", "gapless", "records", str(file), "get", "7"]
        ended = subprocess.Popen(
            command,
            stdout=terminal,
            stderr=subprocess.DEVNULL,
            env={**inherited, "TERM": "xterm", **environment},
        )
        os.close(terminal)
        said = b""
        try:
            while data := os.read(main, 4096):
                said += data
        except OSError:
            pass
        os.close(main)
        assert ended.wait() == 0
        return said.decode()

    assert "\x1b[" in on_a_terminal()
    assert json.loads(on_a_terminal(NO_COLOR="1")) == {"id": 7, "name": "Ada"}
    assert "\x1b[" not in run(file, "get", "7")[1]


def test_help() -> None:
    code, out, _ = run("--help")
    assert code == 0
    for word in (
        "get VALUE",
        "find FIELD VALUE",
        "append",
        "delete",
        "stats",
        "compact",
        "--key",
        "--also",
        "--json",
    ):
        assert word in out
