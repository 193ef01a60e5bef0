"""`gapless serve`: start, run and end of a server."""

from __future__ import annotations

import os
import signal
import sys

from gapless.errors import JournalError
from gapless.server import listeners, log, persistence
from gapless.server.config import Config, ConfigError, OptionError
from gapless.server.server import Server
from gapless.version import VERSION

TYPE_CHECKING = False
if TYPE_CHECKING:
    import socket
    from types import FrameType

USAGE = """\
Usage: gapless serve [/path/to/redis.conf] [--option value ...] [-]

  -                    read the configuration from standard input
  -v, --version        print the version
  -h, --help           print this help

Options are those of redis.conf, given as redis-server takes them; they win over the file.

Examples:
  gapless serve
  gapless serve --port 7777 --maxmemory 2gb --maxmemory-policy allkeys-lfu
  gapless serve /etc/redis/redis.conf --loglevel verbose
  echo 'maxmemory 128mb' | gapless serve -
"""
PIDFILE_DEFAULT = "/var/run/redis.pid"


def main(argv: list[str]) -> int:
    """Run a server until it is told to end; returns the exit status: 0, or 1 when it can't start."""
    if argv in (["-v"], ["--version"]):
        print(f"gapless {VERSION}")
        return 0
    if argv in (["-h"], ["--help"]):
        print(USAGE, end="")
        return 0
    config = Config()
    try:
        config.load(argv)
    except ConfigError as error:
        print(f"\n*** FATAL CONFIG FILE ERROR (gapless {VERSION}) ***\n{error}", file=sys.stderr)
        return 1
    try:
        return _serve(config)
    except (listeners.ListenError, OptionError) as error:
        log.warning("%s", error)
        return 1


def _serve(config: Config) -> int:
    directory = config.text("dir")
    if directory:
        try:
            if config.flag("appendonly"):
                os.makedirs(directory, exist_ok=True)
            os.chdir(directory)
        except OSError as error:
            print(f"Can't chdir to '{directory}': {error.strerror}", file=sys.stderr)
            return 1
    config.values["dir"] = os.getcwd()
    try:
        log.start_log(config.text("logfile"), config.text("loglevel"))
    except OSError as error:
        print(f"Can't open the log file '{config.text('logfile')}': {error.strerror}", file=sys.stderr)
        return 1
    if config.flag("daemonize"):
        _daemonize()
    log.notice("gapless version=%s, pid=%d, just started", VERSION, os.getpid())
    for text in config.warnings:
        log.warning("%s", text)
    if config.path:
        log.notice("Configuration loaded from %s", config.path)
    return _run(config)


def _run(config: Config) -> int:
    # Imported here: a wrong option is told before anything is reserved.
    from gapless.commands.table import COMMANDS
    from gapless.engine.engine import Engine, own_process

    tcp, unix = _listen(config)
    own_process()
    engine = Engine(databases=config.number("databases"))
    server = Server(engine, config)
    server.apply()
    engine.server = server
    engine.load_commands(COMMANDS)
    engine.on_cron = server.cron
    server.tcp = [each.detach() for each in tcp]
    engine.listen([*server.tcp, *(each.detach() for each in unix)])
    pidfile = _write_pidfile(config)

    def end(number: int, frame: FrameType | None) -> None:
        log.warning("Received %s, shutting down...", signal.Signals(number).name)
        server.shut_down()

    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGINT, end)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    if tcp:
        log.notice("Running mode=standalone, port=%d.", config.number("port"))
    log.notice("Server initialized")
    loading = persistence.load(server)
    if tcp:
        log.notice("Ready to accept connections tcp")
    if unix:
        log.notice("Ready to accept connections unix")
    try:
        engine.run()
    finally:
        engine.close()
        failure = _end_journal(server, loading)
        for path in (pidfile, config.text("unixsocket")):
            if path:
                try:
                    os.unlink(path)
                except FileNotFoundError:
                    pass
    if failure:
        log.warning("%s", failure)
        return 1
    log.warning("gapless is now ready to exit, bye bye...")
    return 0


def _end_journal(server: Server, loading: persistence.Loading | None) -> str:
    """What went wrong with the journal, in a sentence; "": nothing."""
    if loading is not None:
        loading.join()
        if loading.failure is not None and not isinstance(loading.failure, InterruptedError):
            return f"The journal can't be loaded, exiting: {loading.failure}"
    try:
        persistence.close(server)
    except (JournalError, OSError) as error:
        return str(error)
    return ""


def _listen(config: Config) -> tuple[list[socket.socket], list[socket.socket]]:
    backlog = config.number("tcp-backlog")
    tcp: list[socket.socket] = []
    unix: list[socket.socket] = []
    if config.number("port"):
        tcp = listeners.listen_tcp(config.text("bind"), config.number("port"), backlog)
    path = config.text("unixsocket")
    if path:
        try:
            unix.append(listeners.listen_unix(path, config.number("unixsocketperm"), backlog))
        except listeners.ListenError:
            listeners.close_all(tcp)
            raise
    if not tcp and not unix:
        raise listeners.ListenError("Configured to not listen anywhere, exiting.")
    return tcp, unix


def _write_pidfile(config: Config) -> str:
    """The path written, "" when none was asked for or it can't be."""
    path = config.text("pidfile") or (PIDFILE_DEFAULT if config.flag("daemonize") else "")
    if not path:
        return ""
    try:
        with open(path, "w", encoding="ascii") as file:
            file.write(f"{os.getpid()}\n")
    except OSError as error:
        log.warning("Failed to write PID file: %s", error)
        return ""
    return os.path.abspath(path)


def _daemonize() -> None:
    # Before anything is reserved or started: afterwards nothing ever forks.
    if os.fork():
        os._exit(0)
    os.setsid()
    null = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(null, descriptor)
    if null > 2:
        os.close(null)
