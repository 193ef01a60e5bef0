"""Addresses."""

from __future__ import annotations

import pytest

from gapless.lab.wire import Address, command


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("redis://example.org", Address("example.org", 6379)),
        ("redis://127.0.0.1:7000/3", Address("127.0.0.1", 7000, db=3)),
        ("redis://:p%40ss@h:1", Address("h", 1, password="p@ss")),
        ("redis://user:pass@h:1/", Address("h", 1, username="user", password="pass")),
        ("unix:///run/s.sock?db=2", Address("", 0, "/run/s.sock", db=2)),
    ],
)
def test_urls(url: str, address: Address) -> None:
    assert Address.parse(url) == address


@pytest.mark.parametrize(
    "url", ["localhost:6379", "http://h:1", "redis://", "redis://h/x", "unix:///s?x=1", "redis://h:port"]
)
def test_wrong_urls(url: str) -> None:
    with pytest.raises(ValueError):
        Address.parse(url)


def test_local() -> None:
    assert Address.parse("redis://127.0.0.1").is_local
    assert Address.parse("unix:///s").is_local
    assert not Address.parse("redis://10.0.0.1").is_local


def test_command() -> None:
    assert command("SET", b"\xff", 12) == b"*3\r\n$3\r\nSET\r\n$1\r\n\xff\r\n$2\r\n12\r\n"
