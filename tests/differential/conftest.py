"""The pair of servers every differential test talks to.

GAPLESS_SUBJECT=redis puts a second Redis in gapless's place: whatever fails then is a fault of these tests.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.differential.grammar.vocabulary import LIMIT_BYTES
from tests.differential.pair import Pair
from tests.support.server import gapless_server, redis_server

SUBJECT_IS_REDIS = os.environ.get("GAPLESS_SUBJECT", "gapless") == "redis"


@pytest.fixture(scope="session")
def servers() -> Iterator[Pair]:
    """One reference and one subject for the whole run."""
    # gapless always cleans, Redis has to be told: so that CONFIG GET can be the same, it is.
    options = {"proto_max_bulk_len": str(LIMIT_BYTES), "activedefrag": "yes"}
    start_subject = redis_server if SUBJECT_IS_REDIS else gapless_server
    with redis_server(**options) as reference, start_subject(**options) as subject:
        yield Pair(reference, subject, subject_checks=not SUBJECT_IS_REDIS)


@pytest.fixture
def pair(servers: Pair) -> Iterator[Pair]:
    """The pair, empty, with the settings it was started with; the subject audits itself afterwards."""
    servers.reset()
    yield servers
    servers.check()
