"""The pair of servers every differential test talks to.

GAPLESS_SUBJECT=redis puts a second Redis in gapless's place: whatever fails then is a fault of these tests.
GAPLESS_EXAMPLES=n asks hypothesis for n conversations a test instead of a few dozen.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

from tests.differential.grammar.vocabulary import LIMIT_BYTES
from tests.differential.pair import Pair
from tests.support.server import gapless_server, redis_server

EXAMPLES = int(os.environ.get("GAPLESS_EXAMPLES", "60"))
SUBJECT_IS_REDIS = os.environ.get("GAPLESS_SUBJECT", "gapless") == "redis"

settings.register_profile("differential", max_examples=EXAMPLES, derandomize="GAPLESS_EXAMPLES" not in os.environ,
                          deadline=None, print_blob=True, suppress_health_check=list(HealthCheck))
settings.load_profile("differential")


@pytest.fixture(scope="session")
def servers() -> Iterator[Pair]:
    """One reference and one subject for the whole run."""
    options = {"proto_max_bulk_len": str(LIMIT_BYTES)}
    with redis_server(**options) as reference:
        with (redis_server if SUBJECT_IS_REDIS else gapless_server)(**options) as subject:
            yield Pair(reference, subject, subject_checks=not SUBJECT_IS_REDIS)


@pytest.fixture
def pair(servers: Pair) -> Iterator[Pair]:
    """The pair, empty, with the settings it was started with; the subject audits itself afterwards."""
    servers.reset()
    yield servers
    servers.check()
