"""Commands about keys: moved, copied, deleted, looked at, walked."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest

from gapless.engine.engine import Engine
from tests.engine.commands import Client, rows

LARGE = 200_000  # more than a segment of the tests holds


def test_del_and_unlink_count_what_was_there(client: Client) -> None:
    for command in ("DEL", "UNLINK"):
        client("SET", "a", "1")
        client("SET", "b", "2")
        assert client(command, "a", "b", "a", "none") == b":2\r\n"
        assert client("DBSIZE") == b":0\r\n"


def test_exists_and_touch_count_every_mention(client: Client) -> None:
    client("SET", "a", "1")
    assert client("EXISTS", "a", "a", "b") == b":2\r\n"
    assert client("TOUCH", "a", "b", "a") == b":2\r\n"


def test_type(client: Client) -> None:
    client("SET", "a", "1")
    assert client("TYPE", "a") == b"+string\r\n"
    assert client("TYPE", "b") == b"+none\r\n"


@pytest.fixture
def full() -> Iterator[Client]:
    """A client of an engine whose reserved range is full to the last byte but for the keys `large` and `target`."""
    engine = Engine(segment_bytes=1024, address_bytes=32 << 10, databases=2, seed=7)
    engine.load_commands(rows())
    client = Client(engine)
    client("SET", "target", "precious")
    client("SET", "large", "x" * LARGE)
    for size in (100, 20, 1):
        number = 0
        while client("SET", f"{size}:{number}", "v" * size) == b"+OK\r\n":
            number += 1
    yield client
    assert engine.check() is None
    engine.close()


@pytest.mark.parametrize(
    "command",
    ["RENAME large target", "COPY large target REPLACE", "MOVE large 1", "COPY large target DB 1", "RENAME large new"],
)
def test_what_does_not_fit_changes_nothing(full: Client, command: str) -> None:
    assert full(*command.split()).startswith(b"-OOM")
    assert full.bulk("GET", "target") == b"precious"
    assert full.bulk("GET", "large") == b"x" * LARGE
    full("SELECT", 1)
    assert full("DBSIZE") == b":0\r\n"
    full("SELECT", 0)
    full("DEL", *(f"100:{number}" for number in range(100)))
    while full.engine.execute(full.session, [b"EXISTS", b"none"]) and full.engine.stats()["arena_free"] < 4:
        pass
    assert not full(*command.split()).startswith(b"-")


@pytest.mark.parametrize("size", [0, 10, 5_000, LARGE])
def test_rename_moves_value_and_ttl(client: Client, size: int) -> None:
    client("SET", "from", "x" * size, "PX", 50_000)
    client("SET", "to", "old")
    expiry = client("PEXPIRETIME", "from")
    assert client("RENAME", "from", "to") == b"+OK\r\n"
    assert client.bulk("GET", "to") == b"x" * size
    assert client("PEXPIRETIME", "to") == expiry
    assert client("EXISTS", "from") == b":0\r\n"
    assert client("RENAMENX", "to", "new") == b":1\r\n"
    assert client.bulk("GET", "new") == b"x" * size


def test_rename_of_nothing_to_itself_and_onto_another(client: Client) -> None:
    assert client("RENAME", "a", "b") == b"-ERR no such key\r\n"
    assert client("RENAMENX", "a", "a") == b"-ERR no such key\r\n"
    client("SET", "a", "1")
    client("SET", "b", "2")
    assert client("RENAME", "a", "a") == b"+OK\r\n"
    assert client("RENAMENX", "a", "a") == b":0\r\n"
    assert client("RENAMENX", "a", "b") == b":0\r\n"
    assert client.bulk("GET", "b") == b"2"


@pytest.mark.parametrize("size", [0, 10, LARGE])
def test_copy_leaves_two_values_that_live_apart(client: Client, size: int) -> None:
    client("SET", "a", "x" * size)
    assert client("COPY", "a", "b") == b":1\r\n"
    client("APPEND", "b", "y")
    client("DEL", "a")
    assert client.bulk("GET", "b") == b"x" * size + b"y"


def test_copy_refuses_what_it_must(client: Client) -> None:
    client("SET", "a", "1")
    assert client("COPY", "a", "a") == b"-ERR source and destination objects are the same\r\n"
    assert client("COPY", "a", "b", "DB", "99") == b"-ERR DB index is out of range\r\n"
    assert client("COPY", "a", "b", "DB") == b"-ERR syntax error\r\n"
    assert client("COPY", "none", "b") == b":0\r\n"
    client("SET", "b", "2")
    assert client("COPY", "a", "b") == b":0\r\n"
    assert client("COPY", "a", "b", "REPLACE") == b":1\r\n"
    assert client("COPY", "a", "a", "DB", "2") == b":1\r\n"


@pytest.mark.parametrize("size", [3, LARGE])
def test_move_between_databases(client: Client, size: int) -> None:
    client("SET", "a", "x" * size, "EX", 100)
    assert client("MOVE", "a", 5) == b":1\r\n"
    assert client("MOVE", "a", 5) == b":0\r\n"
    client("SET", "a", "mine")
    assert client("MOVE", "a", 5) == b":0\r\n"
    assert client("MOVE", "a", 0) == b"-ERR source and destination objects are the same\r\n"
    client.session.db = 5
    assert client.bulk("GET", "a") == b"x" * size
    assert client("TTL", "a") == b":100\r\n"


def test_an_expired_target_is_no_target(client: Client) -> None:
    client.engine.configure(clock_ms=1_000_000)
    client("SET", "a", "1")
    client("SET", "b", "2", "PX", 10)
    client.engine.configure(clock_ms=1_000_010)
    assert client("COPY", "a", "b") == b":1\r\n"
    client("PEXPIRE", "b", 10)
    client.engine.configure(clock_ms=1_000_020)
    assert client("RENAMENX", "a", "b") == b":1\r\n"


def test_swapdb_and_flush(client: Client) -> None:
    client("SET", "a", "1")
    assert client("SWAPDB", 0, 3) == b"+OK\r\n"
    assert client("DBSIZE") == b":0\r\n"
    client("SET", "b", "1")
    assert client("FLUSHDB", "async") == b"+OK\r\n"
    client.session.db = 3
    assert client("DBSIZE") == b":1\r\n"
    assert client("FLUSHALL", "nonsense") == b"-ERR syntax error\r\n"
    assert client("FLUSHALL") == b"+OK\r\n"
    assert client("DBSIZE") == b":0\r\n"
    assert client("SWAPDB", "x", 0) == b"-ERR invalid first DB index\r\n"
    assert client("SWAPDB", 0, 16) == b"-ERR DB index is out of range\r\n"


@pytest.mark.parametrize("command", [("FLUSHDB",), ("FLUSHALL",), ("SWAPDB", 0, 1)])
def test_flushing_a_watched_key_spoils_the_transaction(
    client: Client, command: tuple[str | int, ...]
) -> None:
    client("SET", "a", "1")
    client("WATCH", "a")
    client(*command)
    client("MULTI")
    client("DBSIZE")
    assert client("EXEC") == b"*-1\r\n"


# ---- OBJECT, MEMORY


@pytest.mark.parametrize(
    ("key", "value", "encoding"),
    [
        ("k", "1", b"int"),
        ("k", "-9223372036854775808", b"int"),
        ("k", "9223372036854775808", b"embstr"),
        ("k", "01", b"embstr"),
        ("k", "x" * 40, b"embstr"),
        ("k", "x" * 41, b"raw"),
        ("k" * 20, "x" * 21, b"embstr"),
        ("k" * 20, "x" * 22, b"raw"),
        ("k" * 300, "1", b"int"),
    ],
)
def test_encoding_is_what_redis_8_2_says(client: Client, key: str, value: str, encoding: bytes) -> None:
    client("SET", key, value)
    assert client.bulk("OBJECT", "ENCODING", key) == encoding


def test_a_ttl_takes_room_from_embstr(client: Client) -> None:
    client("SET", "k", "x" * 33, "EX", 100)
    assert client.bulk("OBJECT", "ENCODING", "k") == b"raw"
    client("SET", "k", "x" * 32, "EX", 100)
    assert client.bulk("OBJECT", "ENCODING", "k") == b"embstr"


def test_object_by_policy(client: Client) -> None:
    client("SET", "a", "1")
    assert client("OBJECT", "IDLETIME", "a") == b":0\r\n"
    assert client("OBJECT", "FREQ", "a").startswith(b"-ERR An LFU maxmemory policy is not selected")
    assert client("OBJECT", "FREQ", "none") == b"$-1\r\n"
    assert client("OBJECT", "REFCOUNT", "a") == b":1\r\n"
    client.engine.set_policy("allkeys-lfu")
    client("SET", "b", "1")
    assert client("OBJECT", "FREQ", "b") == b":5\r\n"
    assert client("OBJECT", "IDLETIME", "b").startswith(b"-ERR An LFU maxmemory policy is selected")


def test_idle_time_grows_and_object_leaves_it_alone(client: Client) -> None:
    client.engine.configure(clock_ms=1_000_000_000)
    client("SET", "a", "1")
    client.engine.configure(clock_ms=1_000_060_000)
    assert client("OBJECT", "IDLETIME", "a") == b":60\r\n"
    client("TTL", "a")
    client("TYPE", "a")
    client("EXISTS", "a")
    assert client("OBJECT", "IDLETIME", "a") == b":60\r\n"
    client("TOUCH", "a")
    assert client("OBJECT", "IDLETIME", "a") == b":0\r\n"


def test_memory_usage_counts_the_record_and_the_pages(client: Client) -> None:
    client("SET", "k" * 16, "v" * 64)
    assert client("MEMORY", "USAGE", "k" * 16) == b":93\r\n"
    client("SET", "large", "v" * LARGE)
    assert int(client("MEMORY", "USAGE", "large")[1:]) >= LARGE
    assert client("MEMORY", "USAGE", "none") == b"$-1\r\n"
    assert client("MEMORY", "USAGE", "large", "SAMPLES", "-1") == b"-ERR syntax error\r\n"


# ---- walking


@pytest.mark.parametrize(
    ("pattern", "text", "matches"),
    [
        ("*", "abc", True),
        ("a?c", "abc", True),
        ("a?c", "ac", False),
        ("a*c*e", "abcde", True),
        ("a*c*e", "abcdef", False),
        ("[a-c]x", "bx", True),
        ("[c-a]x", "bx", True),
        ("[^a-c]x", "bx", False),
        ("[abc", "c", True),
        ("[", "[", False),
        ("[^", "x", True),
        ("[]", "]", False),
        ("[\\]]", "]", True),
        ("[a-]", "]", True),
        ("\\*", "*", True),
        ("\\*", "x", False),
        ("\\", "\\", True),
        ("", "", True),
        ("*", "", False),
        ("?", "", False),
        ("**b", "ab", True),
    ],
)
def test_glob(client: Client, pattern: str, text: str, matches: bool) -> None:
    assert client("DEBUG", "GLOB", pattern, text) == (b":1\r\n" if matches else b":0\r\n")


def test_a_glob_of_many_stars_takes_no_time(client: Client) -> None:
    # Trying every star again would take longer than the universe.
    assert client("DEBUG", "GLOB", "a*" * 500 + "b", "a" * 5000) == b":0\r\n"


def test_keys_and_randomkey(client: Client) -> None:
    assert client.bulks("KEYS", "*") == []
    assert client("RANDOMKEY") == b"$-1\r\n"
    names = {b"key:%d" % i for i in range(300)}
    for name in names:
        client("SET", name, "v")
    client("SET", "", "the empty key")
    assert set(client.bulks("KEYS", "*")) == names | {b""}
    assert set(client.bulks("KEYS", "key:1?")) == {b"key:%d" % i for i in range(10, 20)}
    assert {client.bulk("RANDOMKEY") for _ in range(100)} <= names | {b""}


def scan(client: Client, *options: str | int) -> list[bytes]:
    cursor, found = b"0", []
    while True:
        words = client("SCAN", cursor, *options).split(b"\r\n")
        cursor = words[2]
        found += words[5::2]
        if cursor == b"0":
            return found


def test_scan_returns_all_that_stays_while_the_index_grows_and_shrinks(client: Client) -> None:
    stays = {b"stays:%d" % i for i in range(500)}
    for name in stays:
        client("SET", name, "v")
    choice = random.Random(3)
    cursor, found, turn = b"0", set(), 0
    while True:
        words = client("SCAN", cursor, "COUNT", 5).split(b"\r\n")
        cursor = words[2]
        found.update(words[5::2])
        for _ in range(60):
            name = b"goes:%d" % choice.randrange(3000)
            client(*(("SET", name, "v") if turn % 20 < 10 else ("DEL", name)))
        client.engine.background(idle=True)
        turn += 1
        if cursor == b"0":
            break
    assert found >= stays


def test_scan_options(client: Client) -> None:
    for i in range(50):
        client("SET", f"a:{i}", "v")
        client("SET", f"b:{i}", "v")
    assert sorted(scan(client, "MATCH", "a:*")) == sorted(b"a:%d" % i for i in range(50))
    assert len(scan(client, "TYPE", "string", "COUNT", 1000)) == 100
    assert scan(client, "TYPE", "hash") == []
    assert scan(client, "TYPE", "nonsense") == []
    assert client("SCAN", "x") == b"-ERR invalid cursor\r\n"
    assert client("SCAN", "-1") == b"-ERR invalid cursor\r\n"
    assert client("SCAN", 0, "COUNT", 0) == b"-ERR syntax error\r\n"
    assert client("SCAN", 0, "MATCH") == b"-ERR syntax error\r\n"
    assert client("SCAN", 0, "NOVALUES") == b"-ERR NOVALUES option can only be used in HSCAN\r\n"


def test_walks_leave_out_what_has_expired(client: Client) -> None:
    client.engine.configure(clock_ms=1_000_000)
    client("SET", "a", "1")
    client("SET", "b", "1", "PX", 10)
    client.engine.configure(clock_ms=1_000_010)
    assert client.bulks("KEYS", "*") == [b"a"]
    assert scan(client) == [b"a"]
    assert client.bulk("RANDOMKEY") == b"a"


# ---- DEBUG


def test_digest_agrees_with_redis(client: Client) -> None:
    # Both numbers are what redis-server 8.2.3 says of the same data.
    client("SET", "a", "b")
    client("SET", "k", "12345")
    client("SET", "t", "x", "EX", 1000)
    client.session.db = 3
    client("SET", "", "z" * 100)
    assert client("DEBUG", "DIGEST") == b"+feabb9890a8c54cc388e44d8abb279b3d0181997\r\n"
    client.session.db = 0
    assert client("DEBUG", "DIGEST-VALUE", "a", "k", "t", "none").split(b"\r\n")[1:-1] == [
        b"+b78559cd22bce6e6df712eb99ce7f3b08e8f8f1f",
        b"+e1cf90774e995ae03de66e8109dc5cb9d9c2dc83",
        b"+0745672cb1bf060476eedeb8a28f5ffe1ff5a2be",
        b"+0000000000000000000000000000000000000000",
    ]


def test_populate(client: Client) -> None:
    client("SET", "p:1", "mine")
    assert client("DEBUG", "POPULATE", 3, "p", 10) == b"+OK\r\n"
    assert client.bulk("GET", "p:0") == b"value:0\0\0\0"
    assert client.bulk("GET", "p:1") == b"mine"
    assert client("DEBUG", "POPULATE", 2, "q", 3) == b"+OK\r\n"
    assert client.bulk("GET", "q:1") == b"val"
    assert client("DEBUG", "POPULATE", "x") == b"-ERR value is out of range, must be positive\r\n"


def test_debug_object_and_check(client: Client) -> None:
    client("SET", "a", "1")
    assert b" refcount:1 encoding:int serializedlength:2 lru:" in client("DEBUG", "OBJECT", "a")
    assert client("DEBUG", "OBJECT", "none") == b"-ERR no such key\r\n"
    assert client("DEBUG", "CHECK") == b"+OK\r\n"


def test_wait_for_replicas_that_are_not_there(client: Client) -> None:
    assert client("WAIT", 0, 0) == b":0\r\n"
    assert client("WAIT", 1, -1) == b"-ERR timeout is negative\r\n"
    assert client("WAITAOF", 0, 0, 0) == b"*2\r\n:0\r\n:0\r\n"
    assert client("WAIT", 1, 20) == b""
    assert client.session.wait(0) is None
    assert client.session.wait() == b":0\r\n"
    assert client("WAITAOF", 0, 1, 0) == b""
    with pytest.raises(RuntimeError):
        client("GET", "k")
    assert client.engine.unblock(client.session.id)
    assert client.session.wait(0) == b"*2\r\n:0\r\n:0\r\n"
    assert client("WAIT", 1, 0) == b""
    client.session.abandon()
    assert not client.session.blocked
    assert client("WAITAOF", 1, 1, 0).startswith(b"-ERR WAITAOF cannot be used")
