#!/usr/bin/env python3
"""Print what pyproject.toml requires, one requirement a line: `build`, `run` or the name of an extra."""

from __future__ import annotations

import sys
import tomllib
from pathlib import Path


def requirements(kinds: list[str]) -> list[str]:
    """The requirements of all `kinds`, sorted, each once. Raises KeyError for an unknown extra."""
    settings = tomllib.loads((Path(__file__).parent.parent / "pyproject.toml").read_text())
    lists = {
        **settings["project"]["optional-dependencies"],
        "build": settings["build-system"]["requires"],
        "run": settings["project"]["dependencies"],
    }
    return sorted({requirement for kind in kinds for requirement in lists[kind]})


if __name__ == "__main__":
    print("\n".join(requirements(sys.argv[1:])))
