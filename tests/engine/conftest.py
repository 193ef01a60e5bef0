"""A client of a compiled engine whose self-check ends every test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.engine.commands import Client, new_client


@pytest.fixture
def client() -> Iterator[Client]:
    client = new_client()
    yield client
    assert client.engine.check() is None
    client.engine.close()
