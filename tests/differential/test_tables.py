"""What a server tells of itself: the command table, the settings, INFO."""

from __future__ import annotations

import re

import pytest

from tests.differential.comparers import ONLY_IN_GAPLESS, difference
from tests.differential.grammar import (
    bitmaps,
    blocking,
    connection,
    generic,
    geo,
    hashes,
    hyperloglogs,
    lists,
    server,
    sets,
    sort,
    sorted_sets,
    streams,
    strings,
    transactions,
)
from tests.differential.pair import Pair
from tests.support.raw import RawConnection
from tests.support.replies import Reply, parse

NOTHING_WRONG = b"rejected_calls=0,failed_calls=0"
SCRIPTED_ONLY = frozenset(b"quit monitor shutdown info latency role save bgsave lastsave bgrewriteaof acl".split())
"""Commands that end, silence or do something once: only in scenarios and in tests of their own."""

CLIENTS_READ: dict[str, str] = {
    "server": """
        redis_version redis_mode os arch_bits process_id run_id tcp_port server_time_usec
        uptime_in_seconds uptime_in_days hz configured_hz executable config_file io_threads_active
    """,
    "clients": """
        connected_clients cluster_connections maxclients client_recent_max_input_buffer
        client_recent_max_output_buffer blocked_clients tracking_clients pubsub_clients
        watching_clients clients_in_timeout_table total_watched_keys total_blocking_keys
    """,
    "memory": """
        used_memory used_memory_human used_memory_rss used_memory_rss_human used_memory_peak
        used_memory_peak_human used_memory_peak_perc used_memory_overhead used_memory_startup
        used_memory_dataset used_memory_dataset_perc allocator_allocated allocator_active
        allocator_resident total_system_memory total_system_memory_human used_memory_lua maxmemory
        maxmemory_human maxmemory_policy allocator_frag_ratio allocator_frag_bytes
        allocator_rss_ratio allocator_rss_bytes rss_overhead_ratio rss_overhead_bytes
        mem_fragmentation_ratio mem_fragmentation_bytes mem_not_counted_for_evict mem_clients_normal
        mem_clients_slaves mem_aof_buffer mem_allocator active_defrag_running
        lazyfree_pending_objects
    """,
    "persistence": """
        loading rdb_changes_since_last_save rdb_bgsave_in_progress rdb_last_save_time
        rdb_last_bgsave_status aof_enabled aof_rewrite_in_progress aof_last_write_status
    """,
    "stats": """
        total_connections_received total_commands_processed instantaneous_ops_per_sec
        total_net_input_bytes total_net_output_bytes instantaneous_input_kbps
        instantaneous_output_kbps rejected_connections expired_keys expired_stale_perc
        expired_time_cap_reached_count evicted_keys evicted_clients keyspace_hits keyspace_misses
        pubsub_channels pubsub_patterns latest_fork_usec total_error_replies active_defrag_hits
        active_defrag_misses active_defrag_key_hits active_defrag_key_misses
        total_active_defrag_time current_active_defrag_time unexpected_error_replies
        total_reads_processed total_writes_processed
    """,
    "replication": """
        role connected_slaves master_replid master_repl_offset second_repl_offset
        repl_backlog_active repl_backlog_size
    """,
    "cpu": """
        used_cpu_sys used_cpu_user used_cpu_sys_children used_cpu_user_children
    """,
    "cluster": """
        cluster_enabled
    """,
}


def table(connection: RawConnection) -> dict[bytes, Reply]:
    """COMMAND's rows by name."""
    return {row.children[0].payload: row for row in parse(connection.call("COMMAND")).children}


def subject_commands(pair: Pair) -> list[bytes]:
    """The names of the subject's commands that Redis has as well."""
    return sorted(table(pair.controls[1]).keys() - ONLY_IN_GAPLESS)


@pytest.mark.parametrize("protocol", [2, 3])
@pytest.mark.parametrize("question", ["INFO", "DOCS"])
def test_each_command_is_described_alike(pair: Pair, protocol: int, question: str) -> None:
    wrong = []
    with pair.session(protocol) as session:
        duplex = session.connection(0)
        for name in subject_commands(pair):
            left, right = (c.call("COMMAND", question, name) for c in (duplex.left, duplex.right))
            reason = difference((b"COMMAND", question.encode(), name), left, right)
            if reason:
                wrong.append(f"{name.decode()}: {reason}\n  {left!r}\n  {right!r}")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("protocol", [2, 3])
def test_whole_table(pair: Pair, protocol: int) -> None:
    with pair.session(protocol) as session:
        for line in ((b"COMMAND",), (b"COMMAND", b"INFO"), (b"COMMAND", b"DOCS"), (b"COMMAND", b"LIST")):
            session.run(0, *line)


def test_every_command_is_in_the_grammar(pair: Pair) -> None:
    tables = (
        *(strings, bitmaps, blocking, geo, hashes, hyperloglogs, lists, sets, sort, sorted_sets, streams),
        *(generic, connection, server, transactions),
    )
    generated = {name.split()[0].lower().encode() for module in tables for name in module.COMMANDS}
    ours = {name for name in subject_commands(pair) if pair.subject_checks}
    assert ours <= generated | SCRIPTED_ONLY, sorted(ours - generated - SCRIPTED_ONLY)


def test_every_command_is_there(pair: Pair) -> None:
    """All of the groups this version promises: what Redis has in them, gapless has."""
    promised = {
        *("string", "bitmap", "geo", "hash", "hyperloglog", "list", "set", "sorted-set", "stream"),
        *("connection", "transactions"),
    }
    left, right = pair.controls
    docs = parse(left.call("COMMAND", "DOCS")).pairs()
    groups = {name: entry.pairs()[b"group"].payload.decode() for name, entry in docs.items()}
    wanted = {name for name, group in groups.items() if group in promised}
    assert wanted <= set(table(right)), sorted(wanted - set(table(right)))


@pytest.mark.parametrize("section", CLIENTS_READ)
def test_info_has_what_clients_read(pair: Pair, section: str) -> None:
    left, right = (parse(control.call("INFO", section)).payload for control in pair.controls)
    heading = left.split(b"\r\n", 1)[0]
    assert right.startswith(heading + b"\r\n")
    fields = {line.partition(b":")[0].decode() for line in right.split(b"\r\n")[1:]}
    wanted = set(CLIENTS_READ[section].split())
    assert wanted <= {line.partition(b":")[0].decode() for line in left.split(b"\r\n")}, (
        "not even Redis has them"
    )
    assert wanted <= fields, sorted(wanted - fields)


def test_info_has_every_field_in_order(pair: Pair) -> None:
    """But for the module that is built into Redis, and the distribution of sizes, which gapless does not keep."""
    with pair.session(2) as session:
        for line in ((b"SET", b"a", b"1"), (b"SET", b"t", b"1", b"EX", b"1000"), (b"NONSENSE",)):
            session.run(0, *line)
    known = {b"module", b"db0_distrib_strings_sizes"}
    names = []
    for control in pair.controls:
        lines = parse(control.call("INFO", "everything")).payload.split(b"\r\n")
        found = [line.partition(b":")[0] for line in lines]
        names.append(
            [name for name in found if name and not name.startswith((b"cmdstat_", b"latency_perc", b"#"))]
        )
    assert [name for name in names[1] if name in names[0]] == [name for name in names[0] if name not in known]


def test_info_sections_can_be_chosen(pair: Pair) -> None:
    def headings(control: RawConnection, *sections: str) -> list[bytes]:
        return re.findall(rb"^# (\w+)", parse(control.call("INFO", *sections)).payload, re.MULTILINE)

    for sections in ((), ("server",), ("SERVER", "cpu"), ("nonsense",), ("cpu", "cpu"), ("default",)):
        ours = [heading for heading in headings(pair.controls[1], *sections) if heading != b"Gapless"]
        theirs = [heading for heading in headings(pair.controls[0], *sections) if heading in ours or sections]
        if sections not in ((), ("default",)):
            assert ours == theirs, sections
        else:
            assert [h for h in theirs if h in ours] == ours, sections


def test_info_counts(pair: Pair) -> None:
    """Statistics after the same commands are the same."""
    with pair.session(2) as session:
        session.run(0, b"CONFIG", b"RESETSTAT")
        for line in (
            (b"SET", b"a", b"1"),
            (b"GET", b"a"),
            (b"GET", b"missing"),
            (b"NONSENSE",),
            (b"GET",),
            (b"INCR", b"a"),
            (b"SET", b"a", b"x"),
            (b"INCR", b"a"),
            (b"SET", b"t", b"1", b"EX", b"1000"),
        ):
            session.run(0, *line)
    names = (
        rb"keyspace_hits",
        rb"keyspace_misses",
        rb"expired_keys",
        rb"evicted_keys",
        rb"total_error_replies",
    )
    infos = [parse(control.call("INFO", "everything")).payload for control in pair.controls]
    for name in names:
        left, right = (re.search(rb"^" + name + rb":(.*)\r$", info, re.MULTILINE) for info in infos)
        assert left
        assert right, name
        assert left[1] == right[1], name
    for pattern in (
        rb"^(errorstat_.*)\r$",
        rb"^(cmdstat_(?:get|set|incr):calls=\d+)",
        rb"^(db0:keys=\d+,expires=\d+)",
    ):
        left_found, right_found = (re.findall(pattern, info, re.MULTILINE) for info in infos)
        assert sorted(left_found) == sorted(right_found)
    wrong = [
        {line for line in re.findall(rb"rejected_calls=\d+,failed_calls=\d+", info) if line != NOTHING_WRONG}
        for info in infos
    ]
    assert wrong[0] == wrong[1]
