"""Every compiled module is listed in the build, imports, and is typed."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

import pytest

ENGINE = Path(__file__).parents[2] / "src" / "gapless" / "engine"
SOURCES = {path.stem for path in ENGINE.glob("*.pyx")}
LISTED = set(re.findall(r"^  '(\w+)',$", (ENGINE / "meson.build").read_text(), re.MULTILINE))


def test_every_source_is_listed_in_the_build() -> None:
    assert SOURCES <= LISTED


@pytest.mark.parametrize("name", sorted(SOURCES))
def test_module_imports_compiled(name: str) -> None:
    module = importlib.import_module(f"gapless.engine.{name}")
    assert module.__file__ is not None
    assert module.__file__.endswith(".so")


def test_every_module_with_public_names_has_a_stub() -> None:
    for name in SOURCES:
        module = importlib.import_module(f"gapless.engine.{name}")
        public = [
            each
            for each, value in vars(module).items()
            if not each.startswith("_") and getattr(value, "__module__", None) == module.__name__
        ]
        assert not public or (ENGINE / f"{name}.pyi").exists(), f"{name}.pyi is missing: {public}"
