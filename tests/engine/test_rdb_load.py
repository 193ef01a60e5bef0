"""Reading a dump.rdb: every opcode, every version, and what is wrong with a wrong one and where."""

from __future__ import annotations

import pytest

from gapless.engine.rdb_load import Loader
from gapless.errors import RdbError
from tests.engine.commands import Client, new_client_of_all
from tests.engine.history import START_MS
from tests.support import rdb_writer as w
from tests.support.rdb_forms import HASH_ZIPLIST, HASH_ZIPMAP, length, old_hash, string, ziplist

LATER = START_MS + 1_000_000


@pytest.fixture
def client() -> Client:
    return new_client_of_all(now_ms=START_MS)


def load(client: Client, data: bytes, merge: bool = False) -> Loader:
    loader = Loader(client.engine, data, merge)
    while not loader.step(0):
        pass
    assert client.engine.check() is None
    assert loader.offset == loader.total
    return loader


def refused(client: Client, data: bytes) -> RdbError:
    with pytest.raises(RdbError) as caught:
        load(client, data)
    assert client.engine.check() is None
    return caught.value


def test_every_opcode(client: Client) -> None:
    loader = load(
        client,
        w.dump(
            w.aux(b"redis-ver", b"7.2.0") + w.aux(b"ctime", b"17"),
            bytes([w.FUNCTION2]) + string(b"#!lua name=mylib\nredis.register_function('f', f)"),
            bytes([w.FUNCTION_PRE_GA]) + string(b"old") + string(b"LUA") + length(1) + string(b"what") + string(b"code"),
            bytes([w.FUNCTION_PRE_GA]) + string(b"older") + string(b"LUA") + length(0) + string(b"code"),
            w.select(0) + bytes([w.RESIZEDB]) + length(100) + length(3),
            bytes([w.SLOT_INFO]) + length(7) + length(1000) + length(0),
            w.text(b"plain", b"1"),
            w.expire_ms(LATER) + w.text(b"ms", b"2"),
            w.expire_seconds(LATER // 1000) + w.text(b"seconds", b"3"),
            bytes([w.IDLE]) + length(50) + w.text(b"idle", b"4"),
            w.expire_ms(LATER) + bytes([w.FREQ, 9]) + w.text(b"often", b"5"),
            w.expire_ms(START_MS - 1) + w.text(b"gone", b"6"),
            w.select(15) + w.text(b"plain", b"7"),
        ),
    )
    assert (loader.keys_loaded, loader.keys_expired) == (6, 1)
    assert loader.aux == {"redis-ver": b"7.2.0", "ctime": b"17"}
    assert [code.split(b"\n")[0] for code in loader.functions] == [
        b"#!lua name=mylib",
        b"#!lua name=old",
        b"#!lua name=older",
    ]
    assert sorted(client.bulks("KEYS", "*")) == [b"idle", b"ms", b"often", b"plain", b"seconds"]
    assert client("PEXPIRETIME", "ms") == b":%d\r\n" % LATER
    assert client("PEXPIRETIME", "seconds") == b":%d\r\n" % (LATER // 1000 * 1000)
    assert client("PEXPIRETIME", "idle") == b":-1\r\n"
    client("SELECT", 15)
    assert client.bulk("GET", "plain") == b"7"


@pytest.mark.parametrize("policy", ["allkeys-lfu", "allkeys-lru"])
def test_use_is_taken_over(client: Client, policy: str) -> None:
    client.engine.set_policy(policy)
    load(client, w.dump(bytes([w.IDLE]) + length(50) + w.text(b"a", b""), bytes([w.FREQ, 9]) + w.text(b"b", b"")))
    if policy == "allkeys-lfu":
        assert client("OBJECT", "FREQ", "b") == b":9\r\n"
    else:
        assert client("OBJECT", "IDLETIME", "a") == b":50\r\n"


@pytest.mark.parametrize("version", range(1, 13))
def test_versions_of_redis(client: Client, version: int) -> None:
    fields = [(b"a", b"1"), (b"b", b"2")]
    entries = [
        w.select(0),
        w.text(b"s", b"x" * 100),
        w.key(b"map", HASH_ZIPMAP, old_hash(HASH_ZIPMAP, fields)[1:]),
        w.key(b"zip", HASH_ZIPLIST, old_hash(HASH_ZIPLIST, fields)[1:]),
        w.key(b"l", 1, length(2) + string(b"a") + string(b"b")),
        w.key(b"lz", 10, string(ziplist([b"a", 7]))),
        w.key(b"set", 2, length(2) + string(b"a") + string(b"b")),
        w.key(b"z", 3, length(2) + string(b"a") + b"\x031.5" + string(b"b") + b"\xfe"),
        w.key(b"zz", 12, string(ziplist([b"a", b"1.5", b"b", 3]))),
        w.key(b"ints", 11, string(b"\x02\0\0\0\x02\0\0\0\x01\0\x02\0")),
        w.key(b"quick", 14, length(1) + string(ziplist([b"a", 7]))),
    ]
    loader = load(client, w.dump(*entries, version=version))
    assert loader.version == version
    assert loader.keys_loaded == len(entries) - 1
    for name in ("map", "zip"):
        assert client.bulks("HGETALL", name) == [b"a", b"1", b"b", b"2"]
    for name in ("lz", "quick"):
        assert client.bulks("LRANGE", name, 0, -1) == [b"a", b"7"]
    assert client.bulks("ZRANGE", "z", 0, -1, "WITHSCORES") == [b"a", b"1.5", b"b", b"inf"]
    assert client.bulks("ZRANGE", "zz", 0, -1, "WITHSCORES") == [b"a", b"1.5", b"b", b"3"]
    assert sorted(client.bulks("SMEMBERS", "ints")) == [b"1", b"2"]


def test_valkey(client: Client) -> None:
    fields = string(b"a") + string(b"1") + LATER.to_bytes(8, "little")
    fields += string(b"b") + string(b"2") + b"\xff" * 8
    data = w.dump(w.text(b"s", b"1"), w.key(b"h", 22, length(2) + fields), version=80, magic=b"VALKEY")
    load(client, data)
    assert sorted(client.bulks("HGETALL", "h")) == [b"1", b"2", b"a", b"b"]
    assert client("HPEXPIRETIME", "h", "FIELDS", 2, "a", "b") == b"*2\r\n:%d\r\n:-1\r\n" % LATER
    load(client, w.dump(w.text(b"of 8", b"1"), version=11))


def test_without_a_checksum(client: Client) -> None:
    load(client, w.dump(w.text(b"a", b"1"), checksum=False))
    assert client.bulk("GET", "a") == b"1"


@pytest.mark.parametrize(
    ("data", "reason", "offset"),
    [
        (b"", "not a dump.rdb", 0),
        (b"REDIS001", "not a dump.rdb", 0),
        (b"RUBIS0011" + b"\xff" * 9, "not a dump.rdb", 0),
        (b"REDIS00x1\xff", "not a dump.rdb", 0),
        (w.dump(version=13), "RDB version 13 of Redis is unknown", 0),
        (w.dump(version=0), "RDB version 0 of Redis is unknown", 0),
        (w.dump(version=81, magic=b"VALKEY"), "RDB version 81 of Valkey is unknown", 0),
        (b"REDIS0011", "ends before its end was marked", 9),
        (b"REDIS0011" + w.text(b"a", b"1"), "ends before its end was marked", 14),
        (w.dump(w.text(b"a", b"1"))[:-1], "the checksum is cut off", 14),
        (w.dump(w.text(b"a", b"1"))[:-1] + b"\0", "the checksum is wrong", 14),
        (w.dump(w.text(b"a", b"1"), b"\x08\x01b\x01x"), "unknown type", 14),
        (w.dump(w.text(b"a", b"1"), w.key(b"b", 16, string(b"no listpack"))), "damaged, cut off or of", 14),
        (w.dump(w.select(16)), "a higher number than there are databases", 9),
        (w.dump(w.text(b"a", b"1"), w.text(b"a", b"2")), "a key that was there already", 14),
        (b"REDIS0011" + w.aux(b"a", b"1")[:-1], "damaged or cut off", 9),
        (b"REDIS0011\xfd\0", "an entry that is damaged or cut off", 9),
    ],
)
def test_what_is_wrong_and_where(client: Client, data: bytes, reason: str, offset: int) -> None:
    error = refused(client, data)
    assert reason in error.reason
    assert error.offset == offset
    assert f"(offset {offset})" in str(error)


def module_id(name: str, version: int = 1) -> bytes:
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    number = 0
    for character in name:
        number = number << 6 | alphabet.index(character)
    return b"\x81" + (number << 10 | version).to_bytes(8, "big")


@pytest.mark.parametrize("kind", [6, 7])
def test_modules_are_refused_by_name(client: Client, kind: int) -> None:
    data = w.dump(w.text(b"a", b"1"), w.key(b"doc", kind, module_id("ReJSON-RL") + b"\x05\x01x\0"))
    error = refused(client, data)
    assert "'ReJSON-RL'" in str(error)
    assert error.offset == 14
    assert client.bulk("GET", "a") == b"1"
    error = refused(client, w.dump(bytes([w.MODULE_AUX]) + module_id("graphdata") + b"\x02\x01\0"))
    assert "'graphdata'" in str(error)


def test_merging_replaces(client: Client) -> None:
    client("RPUSH", "a", "old")
    client("SET", "b", "stays")
    load(client, w.dump(w.text(b"a", b"new")), merge=True)
    assert client.bulk("GET", "a") == b"new"
    assert client.bulk("GET", "b") == b"stays"


def test_maxmemory_holds_again_after_loading(client: Client) -> None:
    client.engine.configure(maxmemory=1)
    load(client, w.dump(*(w.text(b"%d" % n, b"x" * 1000) for n in range(200))))
    assert client("DBSIZE") == b":200\r\n"
    assert client.engine.maxmemory == 1
    assert client("SET", "more", "1").startswith(b"-OOM")


def test_payloads_are_what_restore_takes(client: Client) -> None:
    data = w.dump(
        w.expire_ms(LATER) + w.text(b"a", b"1"),
        w.expire_ms(START_MS - 1) + w.text(b"gone", b"1"),
        w.select(3) + w.key(b"l", 10, string(ziplist([b"a", 7]))),
        version=6,
    )
    loader = Loader(client.engine, data)
    found = loader.payloads(100, 1 << 20)
    assert [entry[:3] for entry in found] == [(0, b"a", LATER), (3, b"l", -1)]
    assert loader.payloads(100, 1 << 20) == []
    assert loader.keys_expired == 1
    assert client("DBSIZE") == b":0\r\n"
    assert client("RESTORE", "l", 0, found[1][3]) == b"+OK\r\n"
    assert client.bulks("LRANGE", "l", 0, -1) == [b"a", b"7"]
