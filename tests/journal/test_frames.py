"""Frames, their checksum, and what a file is worth whose bytes have changed."""

from __future__ import annotations

import random

import pytest

from gapless.engine.crc32c import checksum, checksum_by_tables
from gapless.engine.frames import AFTER_SYNC, CLEANED, EFFECTS, GOES_ON, SEALED, Frames, frame

ID = bytes(range(16))
START = 64


def file_of(*bodies: tuple[int, int, bytes], number: int = 1) -> bytes:
    """A file whose header nobody looks at, and its frames."""
    data = bytes(START)
    for kind, flags, body in bodies:
        data += frame(kind, flags, 1000, body, ID, number, len(data))
    return data


@pytest.mark.parametrize("function", [checksum, checksum_by_tables])
def test_checksum_of_known_texts(function) -> None:
    # RFC 3720, B.4, and the check value of the catalogues.
    assert function(b"") == 0
    assert function(b"123456789") == 0xE3069283
    assert function(bytes(32)) == 0x8A9136AA
    assert function(b"\xff" * 32) == 0x62A8AB43
    assert function(bytes(range(32))) == 0x46DD794E
    assert function(bytes(range(31, -1, -1))) == 0x113FDB5C


def test_both_checksums_agree_on_any_length() -> None:
    rng = random.Random(4)
    for _ in range(300):
        data = rng.randbytes(rng.randrange(200))
        cut = rng.randrange(len(data) + 1)
        assert checksum(data) == checksum_by_tables(data) == checksum(data[cut:], checksum(data[:cut]))


def test_a_survey_counts_what_is_good() -> None:
    data = file_of(
        (EFFECTS, 0, b"one"), (EFFECTS, AFTER_SYNC, b""), (CLEANED, 0, b"\7\0\0\0"), (SEALED, 0, b"")
    )
    found = Frames(data, ID, 1).survey(START)
    assert (found.end, found.frames, found.last_kind, found.last_ms) == (len(data), 4, SEALED, 1000)
    assert (found.cleaned, found.cleaned_end, found.after_sync) == (7, len(data) - 24, True)


def test_a_batch_of_several_frames_is_whole_or_not_there() -> None:
    data = file_of((EFFECTS, 0, b"one"), (EFFECTS, GOES_ON, b"two"), (EFFECTS, GOES_ON, b"three"))
    found = Frames(data, ID, 1).survey(START)
    assert (found.end, found.good_end, found.frames) == (START + 27, len(data), 1)
    whole = data + frame(EFFECTS, 0, 1000, b"four", ID, 1, len(data))
    assert Frames(whole, ID, 1).survey(START).end == len(whole)


def test_a_frame_is_one_only_where_it_was_written() -> None:
    one = frame(EFFECTS, 0, 1000, b"body", ID, 1, START)
    for store, number, offset in ((ID, 2, START), (ID[::-1], 1, START), (ID, 1, START + 1)):
        frames = Frames(bytes(offset) + one, store, number)
        assert frames.at(offset) is None
        assert frames.find(0) == -1
    assert Frames(bytes(START) + one, ID, 1).find(0) == START


def test_a_value_that_holds_frames_is_not_taken_for_any() -> None:
    inside = file_of((EFFECTS, 0, b"inner"))
    torn = file_of((EFFECTS, 0, inside * 3))[:-1]
    frames = Frames(torn, ID, 1)
    assert frames.survey(START).end == START
    assert frames.find(START + 1) == -1


def test_every_flipped_bit_is_noticed() -> None:
    data = file_of((EFFECTS, 0, b"one"), (EFFECTS, 0, b"two"), (SEALED, 0, b""))
    whole = Frames(data, ID, 1).survey(START)
    for at in range(START, len(data)):
        for bit in range(8):
            flipped = bytearray(data)
            flipped[at] ^= 1 << bit
            assert Frames(bytes(flipped), ID, 1).survey(START).end < whole.end, (at, bit)
