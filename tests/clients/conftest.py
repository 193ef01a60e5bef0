"""The server that client tests talk to. GAPLESS_SUBJECT=redis: a real Redis, to test the tests."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.support.server import Server, gapless_server, redis_server

start_server = redis_server if os.environ.get("GAPLESS_SUBJECT") == "redis" else gapless_server


@pytest.fixture(scope="session")
def running() -> Iterator[Server]:
    """One server for all client tests."""
    with start_server() as server:
        yield server


@pytest.fixture
def server(running: Server) -> Iterator[Server]:
    """The server, empty; it audits itself afterwards."""
    with running.connect() as control:
        assert control.call("FLUSHALL") == b"+OK\r\n"
        yield running
        if start_server is gapless_server:
            assert control.call("DEBUG", "CHECK") == b"+OK\r\n"


@pytest.fixture(scope="session")
def locked() -> Iterator[Server]:
    """A server that wants a password."""
    with start_server(requirepass="secret") as server:
        yield server
