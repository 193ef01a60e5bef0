"""INFO: sections of name:value lines. Also LASTSAVE and ROLE.

A section is a function from Snapshot to lines. Which are shown by default is Redis's choice.
"""

from __future__ import annotations

import os
import resource
import sys
import time

from gapless.commands.replies import Verbatim
from gapless.server import measures, persistence, settings
from gapless.server.measures import human, ratio
from gapless.version import VERSION

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from gapless.commands.context import Context

REDIS_VERSION = "8.2.3"
LRU_CLOCK_MASK = 0xFFFFFF
MEGABYTE = 1 << 20


def policy_name(policy: int) -> str:
    """The name of a maxmemory-policy by the engine's number."""
    from gapless.engine.settings import POLICIES

    return next(name for name, number in POLICIES.items() if number == policy)


class Snapshot:
    """All that one INFO tells, taken at one moment."""

    __slots__ = ("engine", "history", "memory", "now", "server", "stats")

    def __init__(self, ctx: Context) -> None:
        self.engine = ctx.engine
        self.server = ctx.server
        self.stats: dict[str, int] = ctx.engine.stats()
        self.memory = measures.Memory(self.stats, measures.resident_bytes())
        self.history = measures.history(ctx.engine)
        self.history.peak(self.memory.used)
        self.now = time.time()


def _server(at: Snapshot) -> Iterator[str]:
    uptime = int(at.now - measures.STARTED)
    system = os.uname()
    hz = settings.number(at.server, "hz", 10)
    port = settings.number(at.server, "port", 0)
    bind = settings.text(at.server, "bind", "127.0.0.1")
    yield f"redis_version:{REDIS_VERSION}"
    yield f"gapless_version:{VERSION}"
    yield "redis_git_sha1:00000000"
    yield "redis_git_dirty:0"
    yield "redis_build_id:0000000000000000"
    yield "redis_mode:standalone"
    yield f"os:{system.sysname} {system.release} {system.machine}"
    yield "arch_bits:64"
    yield "monotonic_clock:POSIX clock_gettime"
    yield "multiplexing_api:epoll"
    yield "atomicvar_api:c11-builtin"
    yield f"gcc_version:{sys.version.rpartition('[GCC ')[2].rstrip(']')}"
    yield f"python_version:{sys.version.split()[0]}"
    yield f"process_id:{os.getpid()}"
    yield "process_supervised:no"
    yield f"run_id:{at.history.identity}"
    yield f"tcp_port:{port}"
    yield f"server_time_usec:{int(at.now * 1e6)}"
    yield f"uptime_in_seconds:{uptime}"
    yield f"uptime_in_days:{uptime // 86400}"
    yield f"hz:{hz}"
    yield f"configured_hz:{hz}"
    yield f"lru_clock:{int(at.now) & LRU_CLOCK_MASK}"
    yield f"executable:{sys.executable}"
    yield f"config_file:{'' if at.server is None else at.server.config.path}"
    yield "io_threads_active:0"
    if port:
        yield f"listener0:name=tcp,bind={',bind='.join(bind.split())},port={port}"
    path = settings.text(at.server, "unixsocket", "")
    if path:
        yield f"listener{1 if port else 0}:name=unix,bind={path}"


def _clients(at: Snapshot) -> Iterator[str]:
    yield f"connected_clients:{at.stats['clients']}"
    yield "cluster_connections:0"
    yield f"maxclients:{settings.number(at.server, 'maxclients', 10000)}"
    yield f"client_recent_max_input_buffer:{at.stats.get('client_input_bytes_max', 0)}"
    yield f"client_recent_max_output_buffer:{at.stats.get('client_output_bytes_max', 0)}"
    yield f"blocked_clients:{at.stats['blocked_sessions'] + at.stats.get('clients_paused', 0)}"
    yield "tracking_clients:0"
    yield "pubsub_clients:0"
    yield f"watching_clients:{at.stats.get('clients_watching', 0)}"
    yield f"monitoring_clients:{at.stats['monitors']}"
    yield f"clients_in_timeout_table:{at.stats['blocked_deadlines']}"
    yield f"total_watched_keys:{at.stats['watchers']}"
    yield f"total_blocking_keys:{at.stats['blocked_keys']}"
    yield f"total_blocking_keys_on_nokey:{at.stats['blocked_keys_on_missing']}"


def _memory(at: Snapshot) -> Iterator[str]:
    memory = at.memory
    used = memory.used
    peak = at.history.peak_bytes
    dataset = max(used - memory.overhead, 0)
    beyond_startup = used - measures.STARTUP_BYTES
    total = os.sysconf("SC_PHYS_PAGES") * measures.PAGE_BYTES
    maxmemory = at.stats["maxmemory"]
    yield f"used_memory:{used}"
    yield f"used_memory_human:{human(used)}"
    yield f"used_memory_rss:{memory.resident}"
    yield f"used_memory_rss_human:{human(memory.resident)}"
    yield f"used_memory_peak:{peak}"
    yield f"used_memory_peak_human:{human(peak)}"
    yield f"used_memory_peak_time:{int(at.history.peak_time)}"
    yield f"used_memory_peak_perc:{100 * ratio(used, peak):.2f}%"
    yield f"used_memory_overhead:{memory.overhead}"
    yield f"used_memory_startup:{measures.STARTUP_BYTES}"
    yield f"used_memory_dataset:{dataset}"
    share = min(100 * dataset / beyond_startup, 100) if beyond_startup > 0 else 0
    yield f"used_memory_dataset_perc:{share:.2f}%"
    yield f"allocator_allocated:{memory.allocated}"
    yield f"allocator_active:{memory.active}"
    yield f"allocator_resident:{memory.committed}"
    yield "allocator_muzzy:0"
    yield f"total_system_memory:{total}"
    yield f"total_system_memory_human:{human(total)}"
    for name in ("lua", "vm_eval"):
        yield f"used_memory_{name}:0"
    yield "used_memory_lua_human:0B"
    yield "used_memory_scripts_eval:0"
    yield "number_of_cached_scripts:0"
    yield "number_of_functions:0"
    yield "number_of_libraries:0"
    yield "used_memory_vm_functions:0"
    yield "used_memory_vm_total:0"
    yield "used_memory_vm_total_human:0B"
    yield "used_memory_functions:0"
    yield "used_memory_scripts:0"
    yield "used_memory_scripts_human:0B"
    yield f"maxmemory:{maxmemory}"
    yield f"maxmemory_human:{human(maxmemory)}"
    yield f"maxmemory_policy:{policy_name(at.stats['policy'])}"
    yield f"allocator_frag_ratio:{ratio(memory.active, memory.allocated):.2f}"
    yield f"allocator_frag_bytes:{memory.active - memory.allocated}"
    yield f"allocator_rss_ratio:{ratio(memory.committed, memory.active):.2f}"
    yield f"allocator_rss_bytes:{memory.committed - memory.active}"
    yield f"rss_overhead_ratio:{ratio(memory.resident, memory.committed):.2f}"
    yield f"rss_overhead_bytes:{memory.resident - memory.committed}"
    yield f"mem_fragmentation_ratio:{ratio(memory.resident, used):.2f}"
    yield f"mem_fragmentation_bytes:{memory.resident - used}"
    yield "mem_not_counted_for_evict:0"
    yield "mem_replication_backlog:0"
    yield "mem_total_replication_buffers:0"
    yield "mem_replica_full_sync_buffer:0"
    yield "mem_clients_slaves:0"
    yield f"mem_clients_normal:{memory.clients}"
    yield "mem_cluster_links:0"
    yield "mem_aof_buffer:0"
    yield "mem_allocator:gapless"
    yield "mem_overhead_db_hashtable_rehashing:0"
    yield f"active_defrag_running:{1 if at.stats['cleaner_victim'] else 0}"
    yield f"lazyfree_pending_objects:{at.stats['retired']}"
    yield "lazyfreed_objects:0"


def _persistence(at: Snapshot) -> Iterator[str]:
    yield from persistence.loading_lines(at.server)
    yield "current_cow_peak:0"
    yield "current_cow_size:0"
    yield "current_cow_size_age:0"
    yield "current_fork_perc:0.00"
    yield "current_save_keys_processed:0"
    yield "current_save_keys_total:0"
    yield f"rdb_changes_since_last_save:{at.stats['dirty']}"
    yield "rdb_bgsave_in_progress:0"
    yield f"rdb_last_save_time:{int(measures.STARTED)}"
    yield "rdb_last_bgsave_status:ok"
    yield "rdb_last_bgsave_time_sec:-1"
    yield "rdb_current_bgsave_time_sec:-1"
    yield "rdb_saves:0"
    yield "rdb_last_cow_size:0"
    yield "rdb_last_load_keys_expired:0"
    yield "rdb_last_load_keys_loaded:0"
    yield from persistence.journal_lines(at.server)
    yield "module_fork_in_progress:0"
    yield "module_fork_last_cow_size:0"
    yield from persistence.journal_detail(at.server)
    yield from persistence.loading_detail(at.server)


def _threads(at: Snapshot) -> Iterator[str]:
    stats = at.stats
    yield f"io_thread_0:clients={stats['clients']},reads={stats['loop_reads']},writes={stats['loop_writes']}"


def _stats(at: Snapshot) -> Iterator[str]:
    stats = at.stats
    commands, bytes_in, bytes_out, turns, turn_ns = at.history.rates()
    yield f"total_connections_received:{stats['loop_connections']}"
    yield f"total_commands_processed:{stats['commands']}"
    yield f"instantaneous_ops_per_sec:{round(commands)}"
    yield f"total_net_input_bytes:{stats['loop_bytes_in']}"
    yield f"total_net_output_bytes:{stats['loop_bytes_out']}"
    yield "total_net_repl_input_bytes:0"
    yield "total_net_repl_output_bytes:0"
    yield f"instantaneous_input_kbps:{bytes_in / 1024:.2f}"
    yield f"instantaneous_output_kbps:{bytes_out / 1024:.2f}"
    yield "instantaneous_input_repl_kbps:0.00"
    yield "instantaneous_output_repl_kbps:0.00"
    yield f"rejected_connections:{stats['loop_connections_rejected']}"
    yield "sync_full:0"
    yield "sync_partial_ok:0"
    yield "sync_partial_err:0"
    yield f"expired_subkeys:{stats['fields_expired']}"
    yield f"expired_keys:{stats['expired']}"
    yield "expired_stale_perc:0.00"
    yield "expired_time_cap_reached_count:0"
    yield f"expire_cycle_cpu_milliseconds:{stats['expire_cycle_us'] // 1000}"
    yield f"evicted_keys:{stats['evicted']}"
    yield f"evicted_clients:{stats['loop_clients_evicted']}"
    yield "evicted_scripts:0"
    yield "total_eviction_exceeded_time:0"
    yield "current_eviction_exceeded_time:0"
    yield f"keyspace_hits:{stats['hits']}"
    yield f"keyspace_misses:{stats['misses']}"
    yield "pubsub_channels:0"
    yield "pubsub_patterns:0"
    yield "pubsubshard_channels:0"
    yield "latest_fork_usec:0"
    yield "total_forks:0"
    yield "migrate_cached_sockets:0"
    yield "slave_expires_tracked_keys:0"
    yield f"active_defrag_hits:{stats['cleaner_records_moved']}"
    yield "active_defrag_misses:0"
    yield f"active_defrag_key_hits:{stats['cleaner_records_moved']}"
    yield "active_defrag_key_misses:0"
    yield f"total_active_defrag_time:{stats['cleaner_busy_ns'] // 1_000_000}"
    yield "current_active_defrag_time:0"
    yield "tracking_total_keys:0"
    yield "tracking_total_items:0"
    yield "tracking_total_prefixes:0"
    yield "unexpected_error_replies:0"
    yield f"total_error_replies:{stats['errors']}"
    yield "dump_payload_sanitizations:0"
    yield f"total_reads_processed:{stats['loop_reads']}"
    yield f"total_writes_processed:{stats['loop_writes']}"
    yield "io_threaded_reads_processed:0"
    yield "io_threaded_writes_processed:0"
    yield f"io_threaded_total_prefetch_batches:{stats['loop_batches']}"
    yield "io_threaded_total_prefetch_entries:0"
    yield f"client_query_buffer_limit_disconnections:{stats['loop_query_limit_disconnections']}"
    yield f"client_output_buffer_limit_disconnections:{stats['loop_output_limit_disconnections']}"
    yield "reply_buffer_shrinks:0"
    yield "reply_buffer_expands:0"
    yield f"eventloop_cycles:{stats['loop_turns']}"
    yield f"eventloop_duration_sum:{time.thread_time_ns() // 1000}"
    yield f"eventloop_duration_cmd_sum:{int(sum(row[1] for row in at.engine.command_stats().values()))}"
    yield f"instantaneous_eventloop_cycles_per_sec:{round(turns)}"
    yield f"instantaneous_eventloop_duration_usec:{round(turn_ns / 1000)}"
    yield "acl_access_denied_auth:0"
    yield "acl_access_denied_cmd:0"
    yield "acl_access_denied_key:0"
    yield "acl_access_denied_channel:0"


def _replication(at: Snapshot) -> Iterator[str]:
    yield "role:master"
    yield "connected_slaves:0"
    yield "master_failover_state:no-failover"
    yield f"master_replid:{at.history.replication}"
    yield f"master_replid2:{'0' * 40}"
    yield "master_repl_offset:0"
    yield "second_repl_offset:-1"
    yield "repl_backlog_active:0"
    yield f"repl_backlog_size:{MEGABYTE}"
    yield "repl_backlog_first_byte_offset:0"
    yield "repl_backlog_histlen:0"


def _cpu(at: Snapshot) -> Iterator[str]:
    own = resource.getrusage(resource.RUSAGE_SELF)
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    thread = resource.getrusage(resource.RUSAGE_THREAD)
    yield f"used_cpu_sys:{own.ru_stime:.6f}"
    yield f"used_cpu_user:{own.ru_utime:.6f}"
    yield f"used_cpu_sys_children:{children.ru_stime:.6f}"
    yield f"used_cpu_user_children:{children.ru_utime:.6f}"
    yield f"used_cpu_sys_main_thread:{thread.ru_stime:.6f}"
    yield f"used_cpu_user_main_thread:{thread.ru_utime:.6f}"


def _modules(at: Snapshot) -> Iterator[str]:
    yield from ()


def _commandstats(at: Snapshot) -> Iterator[str]:
    for name, (calls, usec, rejected, failed) in at.engine.command_stats().items():
        yield (
            f"cmdstat_{name}:calls={calls},usec={int(usec)},usec_per_call={usec / calls if calls else 0:.2f},"
            f"rejected_calls={rejected},failed_calls={failed}"
        )


def _errorstats(at: Snapshot) -> Iterator[str]:
    for kind, count in sorted(at.engine.error_stats().items()):
        yield f"errorstat_{kind}:count={count}"


def percentile(cumulative: dict[int, int], total: int, share: float) -> int:
    """The bucket, by its upper end in microseconds, that `share` percent of the calls stay within."""
    wanted = max(total * share / 100, 1)
    for upper, count in cumulative.items():
        if count >= wanted:
            return upper
    return 0


def _latencystats(at: Snapshot) -> Iterator[str]:
    wanted = settings.text(at.server, "latency-tracking-info-percentiles", "50 99 99.9")
    shares = [float(word) for word in wanted.split()]
    if not shares:
        return
    for name in at.engine.command_stats():
        total, cumulative = at.engine.latency_histogram(name)
        if total:
            values = ",".join(f"p{share:g}={percentile(cumulative, total, share):.3f}" for share in shares)
            yield f"latency_percentiles_usec_{name}:{values}"


def _cluster(at: Snapshot) -> Iterator[str]:
    yield "cluster_enabled:0"


def _keyspace(at: Snapshot) -> Iterator[str]:
    average = at.stats.get("ttl_ms_average", 0)
    for db, keys, expires, hashes in at.engine.databases():
        shown = average if expires else 0
        yield f"db{db}:keys={keys},expires={expires},avg_ttl={shown},subexpiry={hashes}"


def _gapless(at: Snapshot) -> Iterator[str]:
    stats, memory = at.stats, at.memory
    expired = stats.get("log_segments_expired", 0)
    cleaning = 1 if stats["cleaner_victim"] else 0
    sealed = stats["log_segments_used"] - stats["log_segments_open"] - expired - cleaning
    slots = (stats["index_buckets"] + stats["index_overflow_buckets"]) * 8
    yield f"segment_bytes:{stats['log_segment_bytes']}"
    yield f"segments_open:{stats['log_segments_open']}"
    yield f"segments_sealed:{max(sealed, 0)}"
    yield f"segments_expired:{expired}"
    yield f"segments_cleaning:{cleaning}"
    yield f"segments_free:{stats['arena_free']}"
    yield f"segments_free_resident:{stats['arena_cached']}"
    yield f"segments_reserve:{stats['log_reserve']}"
    yield f"records_live:{stats['log_records_live']}"
    yield f"bytes_live:{memory.live}"
    yield f"bytes_dead:{memory.dead}"
    yield f"bytes_free:{stats['arena_free'] * stats['arena_unit_bytes']}"
    yield f"fragmentation:{ratio(memory.active, memory.allocated):.4f}"
    yield f"extents:{stats['extents_count']}"
    yield f"extents_bytes:{memory.extents}"
    yield f"extents_bytes_dead:{memory.extents_dead}"
    yield f"pages:{stats['pages_used']}"
    yield f"pages_retired:{stats['pages_retired']}"
    yield f"pages_free:{stats['pages_free']}"
    yield f"pages_free_resident:{stats['pages_cached']}"
    yield f"pages_bytes:{stats['pages_used'] * stats['pages_page_bytes']}"
    yield f"bytes_appended:{stats['log_bytes_appended']}"
    yield f"bytes_given_back:{stats['arena_bytes_given_back']}"
    yield f"cleaner_bytes_moved:{stats['log_bytes_moved']}"
    yield f"cleaner_bytes_freed:{stats['cleaner_bytes_freed']}"
    yield f"cleaner_records_moved:{stats['cleaner_records_moved']}"
    yield f"cleaner_segments_cleaned:{stats['cleaner_segments_cleaned']}"
    amplification = 1 + stats["log_bytes_moved"] / max(stats["log_bytes_appended"], 1)
    yield f"cleaner_write_amplification:{amplification:.3f}"
    yield f"cleaner_slices:{stats['cleaner_slices']}"
    yield f"cleaner_busy_us:{stats['cleaner_busy_ns'] // 1000}"
    yield f"slices_over_500us:{stats['cleaner_slices_late']}"
    yield f"longest_slice_us:{stats['cleaner_longest_slice_ns'] // 1000}"
    yield f"longest_slice_wall_us:{stats['cleaner_longest_slice_wall_ns'] // 1000}"
    yield f"longest_turn_us:{stats['loop_longest_turn_ns'] // 1000}"
    yield f"index_keys:{stats['keys']}"
    yield f"index_buckets:{stats['index_buckets']}"
    yield f"index_overflow_buckets:{stats['index_overflow_buckets']}"
    yield f"index_bytes:{memory.index}"
    yield f"index_load:{stats['keys'] / slots if slots else 0:.3f}"
    building = "building" if stats["ordered_state"] == 1 else "yes"
    off = "failed" if stats["ordered_failed"] else "no"
    yield f"ordered_keys:{building if stats['ordered_state'] else off}"
    yield f"ordered_keys_count:{stats['ordered_keys']}"
    yield f"ordered_keys_bytes:{stats['ordered_bytes']}"
    yield f"ordered_keys_bytes_per_key:{stats['ordered_bytes'] / max(stats['ordered_keys'], 1):.1f}"
    yield f"databases_being_flushed:{stats['retired']}"
    yield f"pages_resident:{memory.resident // measures.PAGE_BYTES}"
    yield f"pages_engine:{memory.committed // measures.PAGE_BYTES}"
    yield f"page_bytes:{measures.PAGE_BYTES}"


def _keysizes(at: Snapshot) -> Iterator[str]:
    yield from ()


# In the order in which they are shown; the flag: by default.
SECTIONS: dict[str, tuple[Callable[[Snapshot], Iterator[str]], bool]] = {
    "server": (_server, True),
    "clients": (_clients, True),
    "memory": (_memory, True),
    "persistence": (_persistence, True),
    "threads": (_threads, True),
    "stats": (_stats, True),
    "replication": (_replication, True),
    "cpu": (_cpu, True),
    "modules": (_modules, True),
    "commandstats": (_commandstats, False),
    "errorstats": (_errorstats, True),
    "latencystats": (_latencystats, False),
    "cluster": (_cluster, True),
    "keyspace": (_keyspace, True),
    "keysizes": (_keysizes, True),
    "gapless": (_gapless, True),
}


def render(ctx: Context, wanted: set[str]) -> str:
    """The text of the sections of these names; `default`, `all` and `everything` name several."""
    everything = not wanted.isdisjoint(("all", "everything"))
    default = not wanted or "default" in wanted
    at = Snapshot(ctx)
    parts = []
    for name, (lines, by_default) in SECTIONS.items():
        if everything or name in wanted or (default and by_default):
            title = "CPU" if name == "cpu" else name.capitalize()
            parts.append("".join(f"{line}\r\n" for line in (f"# {title}", *lines(at))))
    return "\r\n".join(parts)


def info(ctx: Context, args: list[bytes]) -> object:
    """INFO [section ...]"""
    return Verbatim(render(ctx, {arg.decode("latin-1").lower() for arg in args[1:]}))


def lastsave(ctx: Context, args: list[bytes]) -> object:
    """LASTSAVE: nothing was saved since the start."""
    return int(measures.STARTED)


def role(ctx: Context, args: list[bytes]) -> object:
    """ROLE: a master without replicas."""
    return [b"master", 0, []]
