"""The numbers of the compiled part, by name. See settings.pxd."""
from libc.stdint cimport int64_t, uint64_t
from gapless.engine.call cimport ALLOWED_ALL, ALLOWED_LOCAL, ALLOWED_NOBODY
from gapless.engine.client cimport CLASS_NORMAL, CLASS_PUBSUB, CLASS_REPLICA, OutputLimit
from gapless.engine.keyspace cimport Keyspace
from gapless.engine.keyspace_access cimport keyspace_set_policy
from gapless.engine.loop cimport Loop
from gapless.engine.ordered cimport ordered_switch
from gapless.engine.slow_commands cimport SlowCommands

POLICIES = {
    "noeviction": 0,
    "allkeys-lru": 16 | 1,
    "allkeys-lfu": 16 | 2,
    "allkeys-random": 16 | 4,
    "volatile-lru": 1,
    "volatile-lfu": 2,
    "volatile-random": 4,
    "volatile-ttl": 8,
}


cdef int settings_policy(Keyspace* ks, str name) except -1:
    keyspace_set_policy(ks, POLICIES[name])
    return 0


cdef int settings_output_limit(
        Loop* loop, str kind, uint64_t hard_bytes, uint64_t soft_bytes, int64_t soft_seconds) except -1:
    cdef int which = {"normal": CLASS_NORMAL, "replica": CLASS_REPLICA, "slave": CLASS_REPLICA,
                      "pubsub": CLASS_PUBSUB}[kind]
    loop.clients.output_limits[which] = OutputLimit(hard_bytes, soft_bytes, soft_seconds * 1000)
    return 0


cdef int settings_set(Loop* loop, SlowCommands slow, str name, object value) except -1:
    cdef Keyspace* ks = loop.dispatch.keys
    if name == "maxmemory":
        ks.maxmemory = value
    elif name == "maxmemory_policy":
        settings_policy(ks, value)
    elif name == "lfu_log_factor":
        ks.lfu_log_factor = value
    elif name == "lfu_decay_time":
        ks.lfu_decay_minutes = value
    elif name == "active_expire":
        ks.active_expire = value
    elif name == "active_defrag":
        ks.active_defrag = value
    elif name == "holes_start":
        ks.cleaner.holes_start = value
    elif name == "holes_full":
        ks.cleaner.holes_full = value
    elif name == "holes_idle":
        ks.cleaner.holes_idle = value
    elif name == "holes_bytes_min":
        ks.cleaner.holes_bytes_min = value
    elif name == "slice_us":
        loop.slice_ns = value * 1000
    elif name == "slowlog_log_slower_than":
        slow.set_slow_us(value)
    elif name == "latency_monitor_threshold":
        slow.set_late_us(value * 1000.0)
    elif name == "maxclients":
        loop.clients.count_max = value
    elif name == "timeout":
        loop.clients.timeout_ms = value * 1000
    elif name == "tcp_keepalive":
        loop.clients.keepalive_seconds = value
    elif name == "proto_max_bulk_len":
        loop.limits.bulk_bytes_max = value
        loop.dispatch.bulk_bytes_max = value
    elif name == "hash_max_listpack_entries":
        loop.dispatch.hash_listpack_fields = value
    elif name == "hash_max_listpack_value":
        loop.dispatch.hash_listpack_bytes = value
    elif name == "set_max_intset_entries":
        loop.dispatch.set_intset_members = value
    elif name == "set_max_listpack_entries":
        loop.dispatch.set_listpack_members = value
    elif name == "set_max_listpack_value":
        loop.dispatch.set_listpack_bytes = value
    elif name == "hll_sparse_max_bytes":
        loop.dispatch.hll_sparse_bytes = value
    elif name == "list_max_listpack_size":
        loop.dispatch.list_listpack_size = value
    elif name == "stream_node_max_bytes":
        loop.dispatch.stream_node_bytes = value
    elif name == "stream_node_max_entries":
        loop.dispatch.stream_node_entries = value
    elif name == "zset_max_listpack_entries":
        loop.dispatch.zset_listpack_members = value
    elif name == "zset_max_listpack_value":
        loop.dispatch.zset_listpack_bytes = value
    elif name == "client_query_buffer_limit":
        loop.query_bytes_max = value
    elif name == "protected_mode":
        loop.clients.protected_mode = value
    elif name == "loading":
        loop.dispatch.loading = value
    elif name == "password_required":
        loop.dispatch.password_required = value
    elif name == "maxmemory_clients":
        loop.clients.bytes_max = value
    elif name == "debug_command":
        loop.dispatch.protected_allowed = {"no": ALLOWED_NOBODY, "local": ALLOWED_LOCAL, "yes": ALLOWED_ALL}[value]
    elif name == "ordered_keys":
        ordered_switch(ks, value)
    elif name == "clock_ms":
        ks.clock_override_ms = value
    else:
        raise ValueError(f"no such setting: {name}")
    return 0
