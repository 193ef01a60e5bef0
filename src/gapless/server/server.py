"""The server around an engine: what commands in Python may know and change of it."""

from __future__ import annotations

import os
import resource
import socket
import time

from gapless.server import latency, listeners, log, measures, persistence, slowlog
from gapless.server.config import Config, OptionError
from gapless.server.config_options import BY_NAME

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from gapless.engine.engine import Engine
    from gapless.journal.journal import Journal
    from gapless.server.persistence import Loading

# Descriptors that are not clients: listeners, logs, the interpreter's own.
DESCRIPTORS_KEPT = 32
# The longest slice of background work by default.
SLICE_US = 200


class Server:
    """One server: its configuration, its identity, its listening sockets. Used under the engine's lock."""

    def __init__(self, engine: Engine, config: Config, journal: Journal | None = None) -> None:
        self.config = config
        # None: appendonly no.
        self.journal = journal
        # While a journal is replayed.
        self.loading: Loading | None = None
        self.engine = engine
        self.started = time.time()
        self.pid = os.getpid()
        self.stopping = False
        # Descriptors of the TCP sockets it listens on.
        self.tcp: list[int] = []
        # Of holes, in thousandths of the log: where the cleaner starts, where it gives its all, where it ends
        # when there is nothing else to do; and the bytes below which it does nothing.
        stats = engine.stats()
        self._holes = tuple(stats[f"cleaner_holes_{name}"] for name in ("start", "full", "idle", "bytes_min"))

    # ---- configuration

    def apply(self, changed: set[str] | None = None) -> None:
        """Make options effective, all or the named ones. OptionError when one can't be."""
        config, engine = self.config, self.engine

        def has(*names: str) -> bool:
            return changed is None or any(name in changed for name in names)

        if has("maxclients"):
            self._apply_maxclients(changed is None)
        for name in (
            "maxmemory", "lfu-log-factor", "lfu-decay-time", "timeout", "tcp-keepalive", "proto-max-bulk-len",
            "client-query-buffer-limit", "slowlog-log-slower-than", "latency-monitor-threshold",
            "hash-max-listpack-entries", "hash-max-listpack-value", "list-max-listpack-size",
            "set-max-intset-entries", "set-max-listpack-entries", "set-max-listpack-value",
            "zset-max-listpack-entries", "zset-max-listpack-value",
            "hll-sparse-max-bytes",
            "stream-node-max-bytes", "stream-node-max-entries",
        ):  # fmt: skip
            if has(name):
                engine.configure(**{name.replace("-", "_"): config.number(name)})
        if has("maxmemory", "maxmemory-clients"):
            wanted = config.number("maxmemory-clients")
            if wanted < 0:  # percent of maxmemory
                wanted = config.number("maxmemory") * -wanted // 100
            engine.configure(maxmemory_clients=wanted)
        if has("maxmemory-policy"):
            engine.set_policy(config.text("maxmemory-policy"))
        if has("protected-mode"):
            engine.configure(protected_mode=config.flag("protected-mode"))
        if has("enable-debug-command"):
            engine.configure(debug_command=config.text("enable-debug-command"))
        if has("requirepass"):
            engine.configure(password_required=bool(config.text("requirepass")))
        if has("client-output-buffer-limit"):
            for kind, (hard, soft, seconds) in config.output_limits().items():
                engine.set_output_limit(kind, hard, soft, seconds)
        if has("rdbcompression"):
            from gapless.engine.rdb import set_compression

            set_compression(config.flag("rdbcompression"))
        if has("ordered-keys"):
            engine.configure(ordered_keys=config.flag("ordered-keys"))
        if has("activedefrag"):
            engine.configure(active_defrag=config.flag("activedefrag"))
        self._apply_cleaning(has)
        if changed is not None:
            self._apply_now(changed)

    def _apply_cleaning(self, has: Callable[..., bool]) -> None:
        """The knobs of Redis's defragmentation, on the cleaner's terms.

        Thresholds are percent of the log that is holes, where cleaning starts and where it gives its all;
        cycle-max in percent is the longest slice, 25 being its usual 200 us; below ignore-bytes of holes
        nothing is cleaned at all. At their defaults the cleaner's own settings hold: it starts earlier than
        Redis would, since what it costs is bounded anyway. cycle-min has no counterpart.
        """
        if not has(
            "active-defrag-threshold-lower", "active-defrag-threshold-upper", "active-defrag-cycle-max",
            "active-defrag-ignore-bytes",
        ):  # fmt: skip
            return
        start = self._knob("active-defrag-threshold-lower", 10, self._holes[0])
        full = self._knob("active-defrag-threshold-upper", 10, self._holes[1])
        slice_us = self._knob("active-defrag-cycle-max", 8, SLICE_US)
        idle = min(self._holes[2], start) if start == self._holes[0] else start
        self.engine.configure(
            holes_start=start,
            holes_full=max(full, start + 10),
            holes_idle=idle,
            holes_bytes_min=self._knob("active-defrag-ignore-bytes", 1, self._holes[3]),
            slice_us=slice_us,
        )

    def _knob(self, name: str, factor: int, own: int) -> int:
        value = self.config.number(name)
        return own if value == BY_NAME[name].default else value * factor

    def _apply_now(self, changed: set[str]) -> None:
        """What happens only when an option changes while the server runs."""
        config = self.config
        if "loglevel" in changed:
            log.set_level(config.text("loglevel"))
        if "dir" in changed:
            try:
                os.chdir(config.text("dir"))
            except OSError as error:
                raise OptionError("dir", f"Can't chdir to '{config.text('dir')}': {error.strerror}") from None
        if changed & {"appendonly", "appendfsync", "journal-file-size"}:
            persistence.apply(self, changed)
        if changed & {"bind", "port"}:
            self._listen_again(changed)

    def _apply_maxclients(self, starting: bool) -> None:
        wanted = self.config.number("maxclients")
        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        needed = wanted + DESCRIPTORS_KEPT
        possible = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (possible, max(possible, hard)))
        except (OSError, ValueError):
            possible = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
        if possible < needed:
            most = possible - DESCRIPTORS_KEPT
            if not starting or most < 1:
                raise OptionError(
                    "maxclients",
                    "The operating system is not able to handle the specified number of clients, "
                    f"try with {most}",
                )
            log.warning("maxclients is %d, not %d: the limit of open files is %d", most, wanted, possible)
            self.config.values["maxclients"] = wanted = most
        self.engine.configure(maxclients=wanted)

    def _listen_again(self, changed: set[str]) -> None:
        config = self.config
        port = config.number("port")
        sockets: list[socket.socket] = []
        # First, for the new sockets may have the old ones' addresses.
        self.engine.unlisten(self.tcp)
        self.tcp = []
        if port:
            try:
                sockets = listeners.listen_tcp(config.text("bind"), port, config.number("tcp-backlog"))
            except listeners.ListenError:
                if "port" in changed:
                    raise OptionError("port", "Unable to listen on this port. Check server logs.") from None
                raise OptionError("bind", "Failed to bind to specified addresses.") from None
        self.tcp = [each.detach() for each in sockets]
        self.engine.listen(self.tcp)

    # ---- life

    def cron(self) -> None:
        """10 times a second: what has to be noted as time goes by."""
        measures.sample(self.engine)
        slowlog.collect(self.engine, self)
        latency.collect(self.engine)

    def reset_stats(self) -> None:
        """CONFIG RESETSTAT."""
        self.engine.reset_stats()

    def shut_down(self) -> None:
        """End after this turn of the loop."""
        self.stopping = True
        self.engine.stop()

    @property
    def uptime(self) -> int:
        """Seconds since the start."""
        return int(time.time() - self.started)
