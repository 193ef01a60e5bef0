"""Random histories against a plain dict: every operation, foreign appends, torn lines, bad hints, reopening, readers."""

from __future__ import annotations

import json
import os
import random
import warnings
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import gapless

KEYS = [*range(30), "a", "b", "ä", True, 0.5, "1"]
VALUES = ["x", "y", "z", 1, True, None]


def canonical(key: object) -> tuple[str, object]:
    return (type(key).__name__ if isinstance(key, (str, bool)) else "number", key)


class Model:
    """What the file must hold: the newest record of each key, in the order in which they were appended."""

    def __init__(self) -> None:
        self.records: dict[tuple[str, object], dict[str, Any]] = {}

    def append(self, record: dict[str, Any]) -> None:
        self.records.pop(canonical(record["id"]), None)
        self.records[canonical(record["id"])] = record

    def compare(self, records: gapless.Records, rng: random.Random) -> None:
        expected = list(self.records.values())
        assert len(records) == len(expected)
        assert list(records) == expected
        for key in rng.sample(KEYS, 5):
            assert records.get(key) == self.records.get(canonical(key))
        value = rng.choice(VALUES)
        assert list(records.find("v", value)) == [
            each for each in expected if "v" in each and canonical(each["v"]) == canonical(value)
        ]


def some_record(rng: random.Random) -> dict[str, Any]:
    record = {"id": rng.choice(KEYS), "v": rng.choice(VALUES), "pad": "\n" * rng.choice((0, 1, 5, 300))}
    if rng.random() < 0.1:
        del record["v"]
    return record


def as_others_see(path: Path, model: Model) -> None:
    seen = Model()
    for line in path.read_text(errors="replace").splitlines():
        if line.strip() and (record := parsed(line)) is not None:
            seen.append(record)
    assert seen.records == model.records


def parsed(line: str) -> dict[str, Any] | None:
    try:
        record = json.loads(line)
    except ValueError:
        return None
    return record if isinstance(record, dict) and isinstance(record.get("id"), (str, int, float)) else None


@pytest.mark.filterwarnings("ignore::gapless.RecordsWarning")
@pytest.mark.parametrize("seed", range(12))
def test_a_history(seed: int, tmp_path: Path) -> None:
    rng = random.Random(seed)
    path = tmp_path / "data.jsonl"
    model = Model()

    def open_writer() -> gapless.Records:
        return gapless.records(path, also=("v",))

    writer = open_writer()
    reader = gapless.records(path, also=("v",), readonly=True)
    for _ in range(400):
        action = rng.random()
        if action < 0.35:
            record = some_record(rng)
            writer.append(record)
            model.append(record)
        elif action < 0.4:
            batch = [some_record(rng) for _ in range(rng.randrange(20))]
            writer.extend(batch)
            for record in batch:
                model.append(record)
        elif action < 0.6:
            key = rng.choice(KEYS)
            assert writer.delete(key) == (model.records.pop(canonical(key), None) is not None)
        elif action < 0.75:
            record = some_record(rng)
            spaced = json.dumps(record, indent=None, separators=rng.choice([(",", ":"), (", ", " : ")]))
            with path.open("a", newline="") as file:
                file.write(rng.choice(("", "  ")) + spaced + rng.choice(("\n", "\r\n", " \n", "\n\n")))
            model.append(record)
        elif action < 0.8:
            with path.open("ab") as file:
                file.write(rng.choice((b"nonsense\n", b"[]\n", b"\xff\n", b"{}\n")))
        elif action < 0.85:
            writer.close()
            spoil(rng, tmp_path / "data.jsonl.hint", path)
            writer = open_writer()
        elif action < 0.87:
            writer.compact()
        elif action < 0.9:
            reader.close()
            reader = gapless.records(path, also=("v",), readonly=True)
        if rng.random() < 0.2:
            model.compare(writer, rng)
            model.compare(reader, rng)
            as_others_see(path, model)
    for records in (writer, reader):
        model.compare(records, rng)
        assert records.check() is None
        records.close()


def spoil(rng: random.Random, hint: Path, data: Path) -> None:
    """What may happen between two writers."""
    what = rng.randrange(6)
    if what == 0:
        hint.unlink()
    elif what == 1:
        content = bytearray(hint.read_bytes())
        content[rng.randrange(len(content))] ^= 1 << rng.randrange(8)
        hint.write_bytes(content)
    elif what == 2:
        os.truncate(hint, rng.randrange(hint.stat().st_size))
    elif what == 3:
        with data.open("ab") as file:
            file.write(b'{"id":"torn","v"')
    elif what == 4:
        content = data.read_bytes()
        other = data.with_suffix(".other")
        other.write_bytes(content)
        os.replace(other, data)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3) | st.just("id"), inner, max_size=4)
    ),
    max_leaves=12,
)


@given(
    st.lists(
        st.builds(
            lambda value, plain: json.dumps(value, ensure_ascii=plain),
            st.dictionaries(st.just("id") | st.just("v") | st.text(), JSON),
            st.booleans(),
        ).map(lambda text: text.encode("utf-8", "surrogatepass"))
        | st.binary(max_size=20).map(lambda line: line.replace(b"\n", b"")),
        max_size=8,
    ),
    st.randoms(use_true_random=False),
)
def test_lines_are_records_exactly_if_a_parser_says_so(
    tmp_path_factory: pytest.TempPathFactory, made: list[bytes], rng: random.Random
) -> None:
    """The scanner, which makes no objects, against orjson: also with a byte changed, left out or put in."""
    import orjson

    lines = []
    for line in made:
        if line and rng.random() < 0.5:
            at = rng.randrange(len(line))
            new = rng.choice(
                (
                    b"",
                    b'"',
                    b"{",
                    b"}",
                    b"[",
                    b"]",
                    b",",
                    b":",
                    b"\\",
                    b"0",
                    b"e",
                    b"-",
                    b" ",
                    b"\x80",
                    b"\x01",
                )
            )
            line = line[:at] + new + line[at + rng.randrange(2) :]
        lines.append(line)
    model = Model()
    for line in lines:
        try:
            record = orjson.loads(line)
        except ValueError:
            continue
        if isinstance(record, dict) and isinstance(record.get("id"), (str, int, float)):
            model.append(record)
    path = tmp_path_factory.mktemp("lines") / "data.jsonl"
    path.write_bytes(b"\n".join(lines) + b"\n")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with gapless.records(path, also=("v",), readonly=True) as records:
            assert list(records) == list(model.records.values())
            for record in records:
                assert records.get(record["id"]) == record
                if isinstance(record.get("v"), (str, int, float)):
                    assert record in list(records.find("v", record["v"]))
            assert records.check() is None
