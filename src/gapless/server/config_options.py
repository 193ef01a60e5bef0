"""The options of redis.conf: one row each, with what Redis 8.2 takes and what the option does here."""

from __future__ import annotations

from gapless.server.config_kinds import (
    INT_MAX,
    LLONG_MAX,
    Bool,
    BufferLimits,
    Clamped,
    Enum,
    Events,
    Flags,
    Int,
    Kind,
    Memory,
    MemoryOrPercent,
    Numbers,
    Octal,
    Percentiles,
    SavePoints,
    Text,
    Words,
)

# What an option does here.
WORKS = 0
# It may be set and nothing depends on it: what it would tune does not exist or is always so.
QUIET = 1
# It may be set, and whoever sets it hears that it means nothing here.
INERT = 2
# Only its default is taken: to go on without what it asks for would risk data or access.
REFUSED = 3


class Option:
    """A row. `mutable`: by CONFIG SET. `protected`: by CONFIG SET only with enable-protected-configs."""

    __slots__ = ("alias", "default", "does", "kind", "mutable", "name", "protected")

    def __init__(
        self,
        name: str,
        kind: Kind,
        default: object,
        does: int = WORKS,
        *,
        mutable: bool = True,
        protected: bool = False,
        alias: str = "",
    ) -> None:
        self.name = name
        self.kind = kind
        self.default = default
        self.does = does
        self.mutable = mutable
        self.protected = protected
        self.alias = alias


YES_NO = Bool()
TEXT = Text()
COUNT = Int(0, INT_MAX)
LONG = Int(0, LLONG_MAX)
PORT = Int(0, 65535)
SIZE = Memory(0, LLONG_MAX)
SIZE_MIN_1MB = Memory(1 << 20, LLONG_MAX)
SHARE = Int(0, 1000)
SHUTDOWN = Flags("default", "save", "nosave", "now", "force")
POLICIES = (
    "volatile-lru", "volatile-lfu", "volatile-random", "volatile-ttl",
    "allkeys-lru", "allkeys-lfu", "allkeys-random", "noeviction",
)  # fmt: skip
LOCAL = Enum("no", "yes", "local")
OUTPUT_LIMITS = ((0, 0, 0), (256 << 20, 64 << 20, 60), (32 << 20, 8 << 20, 60))

OPTIONS = (
    # network
    Option("bind", Words(), "* -::*"),
    Option("port", PORT, 6379),
    Option("unixsocket", TEXT, "", mutable=False),
    Option("unixsocketperm", Octal(0, 0o777), 0, mutable=False),
    Option("tcp-backlog", COUNT, 511, mutable=False),
    Option("tcp-keepalive", COUNT, 300),
    Option("timeout", COUNT, 0),
    Option("protected-mode", YES_NO, True),
    Option("requirepass", TEXT, ""),
    Option("maxclients", Int(1, 2**32 - 1), 10000),
    Option("max-new-connections-per-cycle", Int(1, 1000), 10, QUIET),
    Option("max-new-tls-connections-per-cycle", Int(1, 1000), 1, QUIET),
    Option("bind-source-addr", TEXT, "", QUIET),
    Option("socket-mark-id", LONG, 0, INERT),
    Option("client-query-buffer-limit", SIZE_MIN_1MB, 1 << 30),
    Option("client-output-buffer-limit", BufferLimits(), OUTPUT_LIMITS),
    Option("proto-max-bulk-len", SIZE_MIN_1MB, 512 << 20),
    # process
    Option("daemonize", YES_NO, False, mutable=False),
    Option("supervised", Enum("upstart", "systemd", "auto", "no"), "no", INERT, mutable=False),
    Option("pidfile", TEXT, "", mutable=False),
    Option("dir", TEXT, "", protected=True),
    Option("loglevel", Enum("debug", "verbose", "notice", "warning", "nothing"), "notice"),
    Option("logfile", TEXT, "", mutable=False),
    Option("syslog-enabled", YES_NO, False, INERT, mutable=False),
    Option("syslog-ident", TEXT, "redis", QUIET, mutable=False),
    Option("syslog-facility", TEXT, "local0", QUIET, mutable=False),
    Option("always-show-logo", YES_NO, False, QUIET, mutable=False),
    Option("set-proc-title", YES_NO, True, QUIET, mutable=False),
    Option("proc-title-template", TEXT, "{title} {listen-addr} {server-mode}", QUIET),
    Option("hide-user-data-from-log", YES_NO, False, QUIET),
    Option("locale-collate", TEXT, "", QUIET),
    Option("ignore-warnings", TEXT, "", QUIET),
    Option("crash-log-enabled", YES_NO, True, QUIET),
    Option("crash-memcheck-enabled", YES_NO, True, QUIET),
    Option("disable-thp", YES_NO, True, QUIET, mutable=False),
    Option("oom-score-adj", Enum("no", "yes", "relative", "absolute"), "no", INERT),
    Option("oom-score-adj-values", Numbers(3), "0 200 800", QUIET),
    Option("io-threads", Int(1, 128), 1, INERT, mutable=False),
    Option("server-cpulist", TEXT, "", INERT, mutable=False, alias="server_cpulist"),
    Option("bio-cpulist", TEXT, "", INERT, mutable=False, alias="bio_cpulist"),
    Option("aof-rewrite-cpulist", TEXT, "", INERT, mutable=False, alias="aof_rewrite_cpulist"),
    Option("bgsave-cpulist", TEXT, "", INERT, mutable=False, alias="bgsave_cpulist"),
    Option("shutdown-timeout", COUNT, 10, QUIET),
    Option("shutdown-on-sigint", SHUTDOWN, "default", QUIET),
    Option("shutdown-on-sigterm", SHUTDOWN, "default", QUIET),
    Option("enable-debug-command", LOCAL, "no", mutable=False),
    Option("enable-module-command", LOCAL, "no", QUIET, mutable=False),
    Option("enable-protected-configs", LOCAL, "no", mutable=False),
    Option("hz", Clamped(1, 500), 10, QUIET),
    Option("dynamic-hz", YES_NO, True, QUIET),
    Option("databases", Int(1, 16), 16, mutable=False),
    # memory
    Option("maxmemory", SIZE, 0),
    Option("maxmemory-policy", Enum(*POLICIES), "noeviction"),
    Option("ordered-keys", YES_NO, False),
    Option("maxmemory-samples", Int(1, 64), 5, QUIET),
    Option("maxmemory-eviction-tenacity", Int(0, 100), 10, QUIET),
    Option("maxmemory-clients", MemoryOrPercent(0, LLONG_MAX), 0),
    Option("lfu-log-factor", COUNT, 10),
    Option("lfu-decay-time", COUNT, 1),
    Option("activedefrag", YES_NO, True),
    Option("active-defrag-threshold-lower", SHARE, 10),
    Option("active-defrag-threshold-upper", SHARE, 100),
    Option("active-defrag-ignore-bytes", Memory(1, LLONG_MAX), 100 << 20),
    Option("active-defrag-cycle-min", Int(1, 99), 1, QUIET),
    Option("active-defrag-cycle-max", Int(1, 99), 25),
    Option("active-defrag-max-scan-fields", Int(1, LLONG_MAX), 1000, QUIET),
    Option("active-expire-effort", Int(1, 10), 1, QUIET),
    Option("activerehashing", YES_NO, True, QUIET),
    Option("jemalloc-bg-thread", YES_NO, True, QUIET),
    Option("lazyfree-lazy-eviction", YES_NO, False, QUIET),
    Option("lazyfree-lazy-expire", YES_NO, False, QUIET),
    Option("lazyfree-lazy-server-del", YES_NO, False, QUIET),
    Option("lazyfree-lazy-user-del", YES_NO, False, QUIET),
    Option("lazyfree-lazy-user-flush", YES_NO, False, QUIET),
    # watching
    Option("slowlog-log-slower-than", Int(-1, LLONG_MAX), 10000),
    Option("slowlog-max-len", LONG, 128),
    Option("latency-monitor-threshold", LONG, 0),
    Option("latency-tracking", YES_NO, True),
    Option("latency-tracking-info-percentiles", Percentiles(), "50 99 99.9"),
    Option("notify-keyspace-events", Events(), "", INERT),
    Option("tracking-table-max-keys", LONG, 1000000, QUIET),
    Option("acllog-max-len", LONG, 128, QUIET),
    Option("acl-pubsub-default", Enum("allchannels", "resetchannels"), "resetchannels", QUIET),
    Option("busy-reply-threshold", LONG, 5000, QUIET, alias="lua-time-limit"),
    # DUMP
    Option("rdbcompression", YES_NO, True),
    Option("sanitize-dump-payload", Enum("no", "yes", "clients"), "no", QUIET),
    # files
    Option("save", SavePoints(), "", INERT),
    Option("dbfilename", TEXT, "dump.rdb", QUIET, protected=True),
    Option("rdbchecksum", YES_NO, True, QUIET, mutable=False),
    Option("rdb-save-incremental-fsync", YES_NO, True, QUIET),
    Option("rdb-del-sync-files", YES_NO, False, QUIET),
    Option("stop-writes-on-bgsave-error", YES_NO, True, QUIET),
    Option("appendonly", YES_NO, False),
    Option("appendfilename", TEXT, "appendonly.aof", QUIET, mutable=False),
    Option("appenddirname", TEXT, "appendonlydir", QUIET, mutable=False),
    Option("appendfsync", Enum("everysec", "always", "no"), "everysec"),
    Option("journal-file-size", SIZE_MIN_1MB, 64 << 20),
    Option("no-appendfsync-on-rewrite", YES_NO, False, QUIET),
    Option("auto-aof-rewrite-percentage", COUNT, 100, QUIET),
    Option("auto-aof-rewrite-min-size", SIZE, 64 << 20, QUIET),
    Option("aof-load-truncated", YES_NO, True, QUIET),
    Option("aof-use-rdb-preamble", YES_NO, True, QUIET),
    Option("aof-timestamp-enabled", YES_NO, False, QUIET),
    Option("aof-rewrite-incremental-fsync", YES_NO, True, QUIET),
    # other types' encodings
    Option("hash-max-listpack-entries", LONG, 512, alias="hash-max-ziplist-entries"),
    Option("hash-max-listpack-value", SIZE, 64, alias="hash-max-ziplist-value"),
    Option("list-max-listpack-size", Int(-(2**31), INT_MAX), -2, alias="list-max-ziplist-size"),
    Option("list-compress-depth", COUNT, 0, QUIET),
    Option("set-max-intset-entries", LONG, 512),
    Option("set-max-listpack-entries", LONG, 128),
    Option("set-max-listpack-value", SIZE, 64),
    Option("zset-max-listpack-entries", LONG, 128, alias="zset-max-ziplist-entries"),
    Option("zset-max-listpack-value", SIZE, 64, alias="zset-max-ziplist-value"),
    Option("hll-sparse-max-bytes", SIZE, 3000),
    Option("stream-node-max-bytes", SIZE, 4096),
    Option("stream-node-max-entries", LONG, 100),
    Option("vset-force-single-threaded-execution", YES_NO, False, QUIET),
    # replication, clusters, TLS, access lists
    Option("replicaof", Words(2), "", REFUSED, mutable=False, alias="slaveof"),
    Option("masterauth", TEXT, "", QUIET),
    Option("masteruser", TEXT, "", QUIET),
    Option("replica-serve-stale-data", YES_NO, True, QUIET, alias="slave-serve-stale-data"),
    Option("replica-read-only", YES_NO, True, QUIET, alias="slave-read-only"),
    Option("replica-priority", COUNT, 100, QUIET, alias="slave-priority"),
    Option("replica-announced", YES_NO, True, QUIET),
    Option("replica-announce-ip", TEXT, "", QUIET, alias="slave-announce-ip"),
    Option("replica-announce-port", PORT, 0, QUIET, alias="slave-announce-port"),
    Option("replica-ignore-maxmemory", YES_NO, True, QUIET, alias="slave-ignore-maxmemory"),
    Option("replica-ignore-disk-write-errors", YES_NO, False, QUIET),
    Option("replica-lazy-flush", YES_NO, False, QUIET, alias="slave-lazy-flush"),
    Option("replica-full-sync-buffer-limit", SIZE, 0, QUIET),
    Option("propagation-error-behavior", Enum("ignore", "panic", "panic-on-replicas"), "ignore", QUIET),
    Option("repl-ping-replica-period", Int(1, INT_MAX), 10, QUIET, alias="repl-ping-slave-period"),
    Option("repl-timeout", Int(1, INT_MAX), 60, QUIET),
    Option("repl-backlog-size", Memory(1, LLONG_MAX), 1 << 20, QUIET),
    Option("repl-backlog-ttl", LONG, 3600, QUIET),
    Option(
        "repl-diskless-load",
        Enum("disabled", "on-empty-db", "swapdb", "flush-before-load"),
        "disabled",
        QUIET,
    ),
    Option("repl-diskless-sync", YES_NO, True, QUIET),
    Option("repl-diskless-sync-delay", COUNT, 5, QUIET),
    Option("repl-diskless-sync-max-replicas", COUNT, 0, QUIET),
    Option("repl-disable-tcp-nodelay", YES_NO, False, QUIET),
    Option("min-replicas-to-write", COUNT, 0, INERT, alias="min-slaves-to-write"),
    Option("min-replicas-max-lag", COUNT, 10, QUIET, alias="min-slaves-max-lag"),
    Option("cluster-enabled", YES_NO, False, REFUSED, mutable=False),
    Option("cluster-config-file", TEXT, "nodes.conf", QUIET, mutable=False),
    Option("cluster-node-timeout", LONG, 15000, QUIET),
    Option("cluster-port", PORT, 0, QUIET, mutable=False),
    Option("cluster-announce-ip", TEXT, "", QUIET),
    Option("cluster-announce-hostname", TEXT, "", QUIET),
    Option("cluster-announce-human-nodename", TEXT, "", QUIET),
    Option("cluster-announce-port", PORT, 0, QUIET),
    Option("cluster-announce-bus-port", PORT, 0, QUIET),
    Option("cluster-announce-tls-port", PORT, 0, QUIET),
    Option("cluster-migration-barrier", COUNT, 1, QUIET),
    Option("cluster-replica-validity-factor", COUNT, 10, QUIET, alias="cluster-slave-validity-factor"),
    Option("cluster-replica-no-failover", YES_NO, False, QUIET, alias="cluster-slave-no-failover"),
    Option("cluster-allow-replica-migration", YES_NO, True, QUIET),
    Option("cluster-allow-reads-when-down", YES_NO, False, QUIET),
    Option("cluster-allow-pubsubshard-when-down", YES_NO, True, QUIET),
    Option("cluster-require-full-coverage", YES_NO, True, QUIET),
    Option("cluster-link-sendbuf-limit", SIZE, 0, QUIET),
    Option("cluster-preferred-endpoint-type", Enum("ip", "hostname", "unknown-endpoint"), "ip", QUIET),
    Option("cluster-compatibility-sample-ratio", Int(0, 100), 0, QUIET),
    Option("cluster-slot-stats-enabled", YES_NO, False, QUIET),
    Option("tls-port", PORT, 0, REFUSED),
    Option("tls-replication", YES_NO, False, QUIET),
    Option("tls-cluster", YES_NO, False, QUIET),
    Option("tls-auth-clients", Enum("no", "yes", "optional"), "yes", QUIET),
    Option("tls-prefer-server-ciphers", YES_NO, False, QUIET),
    Option("tls-session-caching", YES_NO, True, QUIET),
    Option("tls-session-cache-size", COUNT, 20480, QUIET),
    Option("tls-session-cache-timeout", COUNT, 300, QUIET),
    *(
        Option(f"tls-{name}", TEXT, "", QUIET)
        for name in (
            "cert-file", "key-file", "key-file-pass", "client-cert-file", "client-key-file",
            "client-key-file-pass", "dh-params-file", "ca-cert-file", "ca-cert-dir",
            "protocols", "ciphers", "ciphersuites",
        )
    ),
    Option("aclfile", TEXT, "", REFUSED, mutable=False),
)  # fmt: skip

# Lines of redis.conf that are no options with a value.
REFUSED_LINES = ("user", "rename-command", "loadmodule")
# What older versions had, and Redis 8.2 takes without a word.
OBSOLETE_LINES = (
    "io-threads-do-reads", "list-max-ziplist-entries", "list-max-ziplist-value", "lua-enable-deprecated-api",
    "lua-replicate-commands",
)  # fmt: skip

BY_NAME: dict[str, Option] = {option.name: option for option in OPTIONS}
BY_NAME.update({option.alias: option for option in OPTIONS if option.alias})
