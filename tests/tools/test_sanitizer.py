"""`tools/asan-run` ends a program that writes past its memory: a sanitizer that can't fail proves nothing."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

WRITE_PAST_THE_END = """
import ctypes
libc = ctypes.CDLL(None)
libc.malloc.restype = ctypes.c_void_p
libc.memset.argtypes = [ctypes.c_void_p, ctypes.c_int, ctypes.c_size_t]
room = libc.malloc(64)
libc.memset(room, 0, {length})
print("survived")
"""


def run_sanitized(program: str) -> subprocess.CompletedProcess[str]:
    environment = {key: value for key, value in os.environ.items() if key != "LD_PRELOAD"}
    return subprocess.run(
        [str(ROOT / "tools" / "asan-run"), sys.executable, "-c", program],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(("length", "survives"), [(64, True), (65, False)])
def test_overflow_ends_the_program(length: int, survives: bool) -> None:
    result = run_sanitized(WRITE_PAST_THE_END.format(length=length))
    assert (result.returncode == 0) == survives, result.stderr
    assert ("survived" in result.stdout) == survives
    assert ("heap-buffer-overflow" in result.stderr) != survives
