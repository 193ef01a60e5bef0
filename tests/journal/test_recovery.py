"""Which files count: what a crash leaves is cut, what it can't have left is refused with file and offset."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from gapless.engine.frames import CLEANED, EFFECTS, SEALED, frame
from gapless.errors import DamagedError, FormatError
from gapless.journal.format import HEADER_BYTES, Header, header_bytes, name_of
from gapless.journal.survey import survey
from tests.journal.harness import Journaled, digest_of, recovered

ID = bytes(range(16))
AFTER_SYNC = 2
ONE = (EFFECTS, AFTER_SYNC, b"")
EARLY = (EFFECTS, 0, b"")
END = (SEALED, AFTER_SYNC, b"")


def write(path: Path, number: int, *bodies: tuple[int, int, bytes], begins: bool = False, store: bytes = ID) -> Path:
    data = header_bytes(Header(store, number, 1, begins))
    for kind, flags, body in bodies:
        data += frame(kind, flags, 1000, body, store, number, len(data))
    file = path / name_of(number)
    file.write_bytes(data)
    return file


def cleaned(number: int) -> tuple[int, int, bytes]:
    return CLEANED, AFTER_SYNC, number.to_bytes(4, "little")


def counted(path: Path) -> list[int]:
    return [each.number for each in survey(str(path)).files]


def test_nothing_there(tmp_path: Path) -> None:
    assert counted(tmp_path) == []


def test_a_sealed_file_needs_its_successor(tmp_path: Path) -> None:
    write(tmp_path, 1, ONE, END)
    with pytest.raises(DamagedError, match=r"0000000001.gpj, offset 112: its successor is missing"):
        survey(str(tmp_path))
    write(tmp_path, 2)
    assert counted(tmp_path) == [1, 2]


def test_a_gap_in_the_numbers(tmp_path: Path) -> None:
    for number in (3, 4, 6):
        write(tmp_path, number, ONE, END)
    with pytest.raises(DamagedError, match=r"journal-0000000005.gpj, offset 0: the file is missing"):
        survey(str(tmp_path))


def test_a_file_that_is_not_sealed_may_be_the_last_that_counts(tmp_path: Path) -> None:
    write(tmp_path, 1, ONE)
    write(tmp_path, 2, EARLY)
    found = survey(str(tmp_path))
    assert [each.number for each in found.files] == [1]
    assert found.beyond == [2]
    write(tmp_path, 2, EARLY, ONE)
    with pytest.raises(DamagedError, match=r"0000000001.gpj, offset 88: it ends before it is sealed"):
        survey(str(tmp_path))


def test_a_bad_frame_before_a_good_one(tmp_path: Path) -> None:
    file = write(tmp_path, 1, ONE, ONE, ONE)
    data = bytearray(file.read_bytes())
    data[HEADER_BYTES + 24 + 20] ^= 1
    file.write_bytes(data)
    with pytest.raises(DamagedError, match=r"offset 88: no good frame, but one follows at 112"):
        survey(str(tmp_path))
    file.write_bytes(data[:-1])
    found = survey(str(tmp_path))
    assert (found.files[0].extent.end, found.torn_bytes) == (88, 47)


def test_a_newer_format_is_named(tmp_path: Path) -> None:
    file = write(tmp_path, 1, ONE)
    data = bytearray(file.read_bytes())
    data[8] = 2
    file.write_bytes(data)
    with pytest.raises(FormatError, match=r"newer gapless, in format 2 of the journal; this one reads format 1"):
        survey(str(tmp_path))


def test_files_of_two_stores(tmp_path: Path) -> None:
    write(tmp_path, 1, ONE, END)
    write(tmp_path, 2, ONE, store=ID[::-1])
    with pytest.raises(DamagedError, match=r"0000000002.gpj, offset 16: it is of another store"):
        survey(str(tmp_path))


def test_what_was_cleaned_does_not_count_however_damaged(tmp_path: Path) -> None:
    write(tmp_path, 1, ONE, END).write_bytes(b"rubbish")
    write(tmp_path, 2, ONE, END)
    write(tmp_path, 3, ONE, cleaned(1), ONE)
    found = survey(str(tmp_path))
    assert [each.number for each in found.files] == [2, 3]
    assert found.cleaned == [1]
    assert found.gathering == (3, HEADER_BYTES + 24 + 28)


def test_a_beginning_counts_when_it_is_complete(tmp_path: Path) -> None:
    write(tmp_path, 1, ONE)
    write(tmp_path, 2, ONE, END, begins=True, store=ID[::-1])
    write(tmp_path, 3, ONE, store=ID[::-1])
    found = survey(str(tmp_path))
    assert ([each.number for each in found.files], found.beyond) == ([1], [2, 3])
    write(tmp_path, 3, ONE, cleaned(1), store=ID[::-1])
    found = survey(str(tmp_path))
    assert ([each.number for each in found.files], found.cleaned) == ([2, 3], [1])


@pytest.mark.parametrize("content", [b"", b"GAPLJRNL", bytes(64)])
def test_a_file_whose_making_was_cut_short(tmp_path: Path, content: bytes) -> None:
    (tmp_path / name_of(1)).write_bytes(content)
    assert survey(str(tmp_path)).beyond == [1]
    write(tmp_path, 1, ONE)
    (tmp_path / name_of(2)).write_bytes(content)
    found = survey(str(tmp_path))
    assert ([each.number for each in found.files], found.beyond) == ([1], [2])
    write(tmp_path, 1, ONE, END)
    with pytest.raises(DamagedError, match=r"journal-0000000002.gpj, offset 0"):
        survey(str(tmp_path))


def test_no_flipped_bit_goes_unnoticed(tmp_path: Path) -> None:
    path = tmp_path / "data"
    rng = random.Random(3)
    states = []
    with Journaled(path, policy="no") as store:
        for step in range(8):
            store.client("SET", f"k{step}", rng.randbytes(10))
            states.append(store.digest)
    file = path / name_of(1)
    data = file.read_bytes()
    refused = torn = 0
    for at in range(len(data)):
        flipped = bytearray(data)
        flipped[at] ^= 1 << rng.randrange(8)
        file.write_bytes(flipped)
        try:
            found = survey(str(path))
        except (DamagedError, FormatError):
            refused += 1
            continue
        # In the last frame it looks as if a crash had torn it.
        assert found.torn_bytes > 0, at
        assert recovered(path) == states[-1]
        torn += 1
    assert torn == 24
    assert refused == len(data) - 24


def test_an_effect_that_makes_no_sense_is_refused(tmp_path: Path) -> None:
    write(tmp_path, 1, (EFFECTS, AFTER_SYNC, b"\xff\xff\xff"))
    with pytest.raises(DamagedError, match=r"offset 64: effect at \d+ of the frame"):
        recovered(tmp_path)


def test_the_frame_is_told_where_an_effect_makes_no_sense(tmp_path: Path) -> None:
    # Small batches of one time are replayed together.
    flush_all = (EFFECTS, AFTER_SYNC, b"\x09\0\0\0")
    write(tmp_path, 1, flush_all, ONE, flush_all, (EFFECTS, AFTER_SYNC, b"\x09\0\0\0\xff"), flush_all)
    with pytest.raises(DamagedError, match=r"offset 144: effect at 4 of the frame"):
        recovered(tmp_path)


def test_a_batch_of_several_frames(tmp_path: Path) -> None:
    with Journaled(tmp_path, policy="no") as store:
        store.journal.core.body_bytes_max = 100
        store.client("SET", "large", bytes(range(256)) * 8)
        store.client("MSET", *(word for i in range(20) for word in (f"k{i}", "v" * i)))
        digest = store.digest
    found = survey(str(tmp_path))
    assert found.files[0].extent.frames > 20
    assert recovered(tmp_path) == digest
    assert digest_of(store.engine) == digest
