"""What every test shares: how many examples generated tests take, and which build they run on."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

import gapless

# No deadline: a server under AddressSanitizer, on a busy machine, answers when it answers. A failing example
# is printed as a blob that replays it.
settings.register_profile(
    "default", deadline=None, print_blob=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile("soak", settings.get_profile("default"), max_examples=10_000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))


def pytest_report_header(config: pytest.Config) -> str:
    sanitized = " (AddressSanitizer)" if os.environ.get("GAPLESS_SANITIZED") else ""
    return f"gapless from: {Path(gapless.__file__).parent}{sanitized}"


@pytest.fixture(scope="session")
def sanitized() -> bool:
    """Whether the tests run under AddressSanitizer: resident memory and time then mean nothing."""
    return bool(os.environ.get("GAPLESS_SANITIZED"))
