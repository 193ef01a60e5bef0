"""INFO, MEMORY, SLOWLOG, LATENCY, DEBUG, LOLWUT, MONITOR, SHUTDOWN on an engine in this process."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator

import pytest

from gapless.commands.table import COMMANDS
from gapless.engine.engine import Engine
from gapless.engine.session import Session
from gapless.server import latency, measures, slowlog
from tests.server.wire import decode

VALUES = 2000


class Store:
    """An engine and one session on it; replies decoded, errors as strings that start with "-"."""

    def __init__(self) -> None:
        self.engine = Engine(segment_bytes=1 << 14, address_bytes=1 << 28)
        self.engine.load_commands(COMMANDS)
        self.session: Session = self.engine.new_session()

    def __call__(self, *words: str | bytes | int) -> object:
        args = [word if isinstance(word, bytes) else str(word).encode() for word in words]
        return decode(self.engine.execute(self.session, args))

    def text(self, *words: str) -> str:
        reply = self(*words)
        assert isinstance(reply, bytes)
        return reply.decode()

    def info(self, *sections: str) -> dict[str, str]:
        lines = (line for line in self.text("INFO", *sections).split("\r\n") if line and line[0] != "#")
        return dict(line.split(":", 1) for line in lines)


@pytest.fixture
def store() -> Iterator[Store]:
    one = Store()
    yield one
    assert one.engine.check() is None


def fill(store: Store) -> None:
    for i in range(VALUES):
        store("SET", f"key:{i}", "v" * 100)


# ---- INFO


def test_sections_come_in_redis_order_with_blank_lines_between(store: Store) -> None:
    text = store.text("INFO")
    titles = re.findall(r"^# (\w+)\r$", text, re.MULTILINE)
    assert titles == [
        "Server", "Clients", "Memory", "Persistence", "Threads", "Stats", "Replication", "CPU", "Modules",
        "Errorstats", "Cluster", "Keyspace", "Keysizes", "Gapless",
    ]  # fmt: skip
    assert text.startswith("# Server\r\n")
    assert "\r\n\r\n# Clients\r\n" in text
    assert "Commandstats" in store.text("INFO", "everything")


def test_sections_by_name(store: Store) -> None:
    assert store.text("INFO", "KEYSPACE", "nonsense", "cpu").startswith("# CPU\r\nused_cpu_sys:")
    assert store("INFO", "nonsense") == b""


def test_no_field_comes_twice(store: Store) -> None:
    fill(store)
    names = re.findall(r"^([^#:\r]+):", store.text("INFO", "everything"), re.MULTILINE)
    assert len(names) == len(set(names))


def test_identity(store: Store) -> None:
    info = store.info("server")
    assert info["redis_version"] == "8.2.3"
    assert info["process_id"] == str(os.getpid())
    assert info["run_id"] == store.info("server")["run_id"]
    assert len(info["run_id"]) == 40


def test_keyspace_counts_keys_with_a_ttl(store: Store) -> None:
    store("SET", "a", "1")
    store("SET", "b", "2", "EX", "100")
    assert re.fullmatch(r"keys=2,expires=1,avg_ttl=\d+,subexpiry=0", store.info("keyspace")["db0"])
    average = int(store.info("keyspace")["db0"].split("avg_ttl=")[1].split(",")[0])
    assert 100_000 <= average <= 110_000


def test_keyspace_counts_hashes_whose_fields_expire(store: Store) -> None:
    store.engine.configure(clock_ms=1_800_000_000_000)
    for key in ("forever", "long", "short"):
        store("HSET", key, "a", "1", "b", "2")
    store("HPEXPIRE", "long", "100000", "FIELDS", "1", "a")
    store("HPEXPIRE", "short", "50", "FIELDS", "2", "a", "b")
    assert store.info("keyspace")["db0"].endswith("keys=3,expires=0,avg_ttl=0,subexpiry=2")
    store.engine.configure(clock_ms=1_800_000_000_050)
    while store.engine.background():
        pass
    assert store.info("keyspace")["db0"].endswith("keys=2,expires=0,avg_ttl=0,subexpiry=1")
    assert store.info("stats")["expired_subkeys"] == "2"
    store("CONFIG", "RESETSTAT")
    assert store.info("stats")["expired_subkeys"] == "0"


def test_memory_adds_up(store: Store) -> None:
    fill(store)
    info = store.info("memory")
    resident, used = int(info["used_memory_rss"]), int(info["used_memory"])
    assert int(info["mem_fragmentation_bytes"]) == resident - used
    assert int(info["used_memory_overhead"]) + int(info["used_memory_dataset"]) == used
    assert int(info["allocator_allocated"]) >= VALUES * 100
    active, allocated = int(info["allocator_active"]), int(info["allocator_allocated"])
    assert int(info["allocator_frag_bytes"]) == active - allocated


@pytest.mark.parametrize("policy", ["noeviction", "allkeys-lfu", "volatile-ttl"])
def test_policy_by_name(store: Store, policy: str) -> None:
    store.engine.set_policy(policy)
    assert store.info("memory")["maxmemory_policy"] == policy


def test_dead_records_are_fragmentation(store: Store) -> None:
    store.engine.configure(active_defrag=False)
    fill(store)
    before = int(store.info("memory")["allocator_frag_bytes"])
    for i in range(0, VALUES, 2):
        store("DEL", f"key:{i}")
    after = int(store.info("memory")["allocator_frag_bytes"])
    assert after - before > VALUES / 4 * 100
    assert float(store.info("gapless")["fragmentation"]) > 1.1


def test_segments_by_state_are_all_segments(store: Store) -> None:
    fill(store)
    info = store.info("gapless")
    states = sum(int(info[f"segments_{state}"]) for state in ("open", "sealed", "expired", "cleaning"))
    assert states == store.engine.stats()["log_segments_used"]
    assert 0 < float(info["index_load"]) <= 1


def test_command_error_and_latency_statistics(store: Store) -> None:
    store("SET", "text", "x")
    store("INCR", "text")
    info = store.info("commandstats", "errorstats", "latencystats")
    assert re.fullmatch(
        r"calls=1,usec=\d+,usec_per_call=\d+\.\d\d,rejected_calls=0,failed_calls=1", info["cmdstat_incr"]
    )
    assert info["errorstat_ERR"] == "count=1"
    number = r"\d+\.\d{3}"
    percentiles = info["latency_percentiles_usec_set"]
    assert re.fullmatch(rf"p50={number},p99={number},p99\.9={number}", percentiles)


def test_rates_are_taken_from_samples(store: Store) -> None:
    measures.sample(store.engine)
    fill(store)
    time.sleep(0.05)
    measures.sample(store.engine)
    assert int(store.info("stats")["instantaneous_ops_per_sec"]) > 100


def test_role_and_lastsave(store: Store) -> None:
    assert store("ROLE") == [b"master", 0, []]
    assert store("LASTSAVE") == int(measures.STARTED)


# ---- MEMORY


def test_memory_doctor_accounts_for_every_resident_megabyte(store: Store) -> None:
    fill(store)
    text = store.text("MEMORY", "DOCTOR")
    resident = float(re.search(r"has ([\d.]+) MB resident", text)[1])  # type: ignore[index]
    sentence = text.split("resident: ")[1].split(". ")[0]
    parts = [float(size) for size in re.findall(r"([\d.]+) MB", sentence)]
    assert len(parts) == 10
    assert sum(parts) == pytest.approx(resident, abs=1)
    assert "\n" not in text.rstrip("\n")


def test_memory_stats_has_pairs(store: Store) -> None:
    fill(store)
    reply = store("MEMORY", "STATS")
    assert isinstance(reply, list)
    found = dict(zip(reply[::2], reply[1::2], strict=True))
    assert found[b"keys.count"] == VALUES
    assert found[b"total.allocated"] <= found[b"peak.allocated"]
    assert found[b"db.0"][0] == b"overhead.hashtable.main"


def test_memory_purge_keeps_nothing_cached(store: Store) -> None:
    fill(store)
    store("FLUSHALL")
    assert store("MEMORY", "PURGE") == "+OK"
    assert store.engine.stats()["arena_cached"] == 0
    assert "Arena:" in store.text("MEMORY", "MALLOC-STATS")


# ---- SLOWLOG, LATENCY


def test_slowlog(store: Store) -> None:
    store.engine.configure(slowlog_log_slower_than=1000)
    store("DEBUG", "SLEEP", "0.002")
    assert store("SLOWLOG", "LEN") == 1
    reply = store("SLOWLOG", "GET")
    assert isinstance(reply, list)
    entry = reply[0]
    assert entry[0] == 0
    assert abs(entry[1] - time.time()) < 10
    assert entry[2] >= 2000
    assert entry[3] == [b"DEBUG", b"SLEEP", b"0.002"]
    assert store("SLOWLOG", "GET", "0") == []
    assert store("SLOWLOG", "RESET") == "+OK"
    assert store("SLOWLOG", "LEN") == 0


def test_slowlog_keeps_the_newest(store: Store) -> None:
    store.engine.configure(slowlog_log_slower_than=0)
    log = slowlog.Slowlog()
    for i in range(10):
        store("ECHO", str(i))
    log.collect(store.engine, 3)
    assert [entry[3] for entry in log.entries] == [[b"ECHO", str(i).encode()] for i in (9, 8, 7)]


@pytest.mark.parametrize("count", ["x", "-2"])
def test_slowlog_count_out_of_range(store: Store, count: str) -> None:
    assert store("SLOWLOG", "GET", count) == "-ERR count should be greater than or equal to -1"


def test_latency_events(store: Store) -> None:
    store.engine.configure(latency_monitor_threshold=1)
    store("DEBUG", "SLEEP", "0.003")
    latest = store("LATENCY", "LATEST")
    assert isinstance(latest, list)
    assert latest[0][0] == b"command"
    assert latest[0][2] == latest[0][3] >= 3
    assert store("LATENCY", "HISTORY", "command") == [[latest[0][1], latest[0][2]]]
    graph = store.text("LATENCY", "GRAPH", "command")
    assert graph.startswith(f"command - high {latest[0][2]} ms, low {latest[0][2]} ms")
    assert store("LATENCY", "RESET", "nothing", "command") == 1
    assert store("LATENCY", "LATEST") == []
    assert store("LATENCY", "GRAPH", "command") == "-ERR No samples available for event 'command'"


def test_a_second_keeps_its_worst_sample() -> None:
    event = latency.Event()
    for ms in (3, 9, 4):
        event.add(100, ms)
    event.add(101, 2)
    assert list(event.samples) == [[100, 9], [101, 2]]
    assert event.highest == 9


def test_latency_histogram_is_cumulative(store: Store) -> None:
    fill(store)
    reply = store("LATENCY", "HISTOGRAM", "set", "nosuch")
    assert isinstance(reply, list)
    name, (calls, total, usec, buckets) = reply
    assert (name, calls, total, usec) == (b"set", b"calls", VALUES, b"histogram_usec")
    counts = buckets[1::2]
    assert counts == sorted(counts)
    assert counts[-1] == VALUES


def test_latency_doctor_without_monitoring(store: Store) -> None:
    assert "latency-monitor-threshold" in store.text("LATENCY", "DOCTOR")


# ---- DEBUG


@pytest.mark.parametrize(
    ("kind", "reply"),
    [
        ("string", b"Hello World"),
        ("integer", 12345),
        ("null", None),
        ("array", [0, 1, 2]),
        ("map", [0, 0, 1, 1, 2, 0]),
        ("verbatim", b"This is a verbatim\nstring"),
        ("true", 1),
    ],
)
def test_debug_protocol(store: Store, kind: str, reply: object) -> None:
    assert store("DEBUG", "PROTOCOL", kind) == reply


def test_debug_wrong_number_of_words(store: Store) -> None:
    expected = "-ERR unknown subcommand or wrong number of arguments for 'sleep'. Try DEBUG HELP."
    assert store("DEBUG", "sleep") == expected


def test_debug_error_and_check(store: Store) -> None:
    assert store("DEBUG", "ERROR", "FOO bar") == "-FOO bar"
    assert store("DEBUG", "CHECK") == "+OK"


def test_debug_set_active_expire(store: Store) -> None:
    assert store("DEBUG", "SET-ACTIVE-EXPIRE", "0") == "+OK"
    store("SET", "key", "value", "PX", "1")
    time.sleep(0.2)
    for _ in range(200):
        store("ECHO", "a slice of background work every so often")
    assert store.engine.size(0) == 1
    assert store("DEBUG", "SET-ACTIVE-EXPIRE", "1") == "+OK"
    for _ in range(200):
        store("ECHO", "again")
    assert store.engine.size(0) == 0


def test_debug_change_repl_id(store: Store) -> None:
    before = store.info("replication")["master_replid"]
    assert store("DEBUG", "CHANGE-REPL-ID") == "+OK"
    assert store.info("replication")["master_replid"] != before


def test_debug_reload_is_for_servers(store: Store) -> None:
    assert "only supports" in str(store("DEBUG", "RELOAD", "foo"))
    assert store("DEBUG", "RELOAD") == "-ERR the store belongs to a program, and to no server"


# ---- the rest


def test_lolwut_leaves_no_gap(store: Store) -> None:
    lines = store.text("LOLWUT", "VERSION", "5", "20", "3").split("\n")
    assert [len(line) for line in lines[:3]] == [20, 20, 20]
    assert " " not in "".join(lines[:3])
    assert "Redis ver. 8.2.3" in store.text("LOLWUT")
    assert store("LOLWUT", "VERSION", "x") == "-ERR value is not an integer or out of range"


def test_monitor_is_refused_in_a_transaction(store: Store) -> None:
    store("MULTI")
    assert store("MONITOR") == "+QUEUED"
    assert store("EXEC") == ["-ERR MONITOR isn't allowed for DENY BLOCKING client"]


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (["foo"], "-ERR syntax error"),
        (["save", "nosave"], "-ERR syntax error"),
        (["abort"], "-ERR No shutdown in progress."),
    ],
)
def test_shutdown_arguments(store: Store, words: list[str], error: str) -> None:
    assert store("SHUTDOWN", *words) == error


@pytest.mark.parametrize("command", ["DEBUG", "LATENCY", "MEMORY", "SLOWLOG"])
def test_help_lists_subcommands(store: Store, command: str) -> None:
    reply = store(command, "HELP")
    assert isinstance(reply, list)
    assert reply[0] == f"+{command} <subcommand> [<arg> [value] [opt] ...]. Subcommands are:"
    assert reply[-2:] == ["+HELP", "+    Print this help."]
