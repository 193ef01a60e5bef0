"""A server with `appendonly yes`: killed, started again, switched off and on, its disk full."""

from __future__ import annotations

import threading
import time

import pytest

from gapless.engine.frames import CLOSED
from gapless.journal.survey import survey
from tests.journal.harness import wait_for
from tests.support.raw import command
from tests.support.server import DiedError, Server, gapless_server


def info(server: Server, name: str) -> str:
    with server.connect() as connection:
        text = connection.call("INFO", "persistence").decode()
    return text.partition(f"\n{name}:")[2].partition("\r")[0]


def until_loaded(server: Server) -> None:
    wait_for(lambda: info(server, "loading") == "0")


def survives_sigkill(server: Server, digest: bytes) -> None:
    """The server is killed and started again, and has what it had."""
    server.kill()
    server.start()
    until_loaded(server)
    with server.connect() as connection:
        assert connection.call("DEBUG", "DIGEST") == digest
        assert connection.call("DEBUG", "CHECK") == b"+OK\r\n"


@pytest.mark.parametrize("policy", ["always", "everysec", "no"])
def test_what_was_acknowledged_survives_sigkill(policy: str) -> None:
    with gapless_server(appendonly="yes", appendfsync=policy) as server:
        for round_ in range(3):
            until_loaded(server)
            with server.connect() as connection:
                for i in range(round_ * 100):
                    assert connection.call("GET", f"k{i}") == b"$%d\r\nv%d\r\n" % (len(str(i)) + 1, i)
                for i in range(round_ * 100, round_ * 100 + 100):
                    assert connection.call("SET", f"k{i}", f"v{i}") == b"+OK\r\n"
                digest = connection.call("DEBUG", "DIGEST")
            survives_sigkill(server, digest)


def test_shutdown_closes_the_journal() -> None:
    with gapless_server(appendonly="yes") as server:
        until_loaded(server)
        with server.connect() as connection:
            connection.call("SET", "a", "1")
            connection.send(command("SHUTDOWN"))
        assert server.wait() == 0
        found = survey(str(server.directory))
        assert found.files[-1].extent.last_kind == CLOSED
        assert not (server.directory / "journal.lock").exists()
        server.start()
        until_loaded(server)
        with server.connect() as connection:
            assert connection.call("GET", "a") == b"$1\r\n1\r\n"


def test_a_second_server_does_not_start() -> None:
    with gapless_server(appendonly="yes") as server:
        until_loaded(server)
        other = Server("gapless", server.argv[:4], server.directory, {"appendonly": "yes"})
        other.log = server.directory / "other-log"
        other.argv = [
            *server.argv,
            "--port",
            str(other.port),
            "--unixsocket",
            str(server.directory / "other"),
        ]
        with pytest.raises(DiedError, match=f"process {server.pid} has it open for writing"):
            other.start()
            for _ in range(100):
                other.check_alive()
                time.sleep(0.1)


def test_many_clients_with_always_share_syncs_and_all_are_answered() -> None:
    with gapless_server(appendonly="yes", appendfsync="always") as server:
        until_loaded(server)
        failures: list[BaseException] = []

        def write(number: int) -> None:
            try:
                with server.connect() as connection:
                    for i in range(20):
                        # A pipeline of which a part only reads: replies come in order, after the sync.
                        sent = [
                            ("SET", f"{number}:{i}", "v"),
                            ("GET", f"{number}:{i}"),
                            ("INCR", f"n{number}"),
                        ] * 3
                        for words in sent:
                            connection.send(command(*words))
                        for words in sent:
                            reply = connection.read_reply()
                            assert reply.startswith({"SET": b"+OK", "GET": b"$1", "INCR": b":"}[words[0]])
            except BaseException as error:
                failures.append(error)

        threads = [threading.Thread(target=write, args=(number,)) for number in range(30)]
        for each in threads:
            each.start()
        for each in threads:
            each.join()
        assert not failures
        assert 0 < int(info(server, "journal_syncs")) < 30 * 20 * 9
        with server.connect() as connection:
            digest = connection.call("DEBUG", "DIGEST")
        survives_sigkill(server, digest)


def test_appendonly_is_switched_on_and_off_while_it_runs() -> None:
    with gapless_server() as server, server.connect() as connection:
        for i in range(3000):
            connection.call("SET", f"k{i}", "v" * (i % 50))
        assert info(server, "aof_enabled") == "0"
        assert connection.call("CONFIG", "SET", "appendonly", "yes") == b"+OK\r\n"
        connection.call("SET", "after", "1")
        wait_for(lambda: info(server, "aof_rewrite_in_progress") == "0")
        assert info(server, "aof_enabled") == "1"
        digest = connection.call("DEBUG", "DIGEST")
        server.argv += ["--appendonly", "yes"]
        survives_sigkill(server, digest)
        with server.connect() as connection:
            assert connection.call("CONFIG", "SET", "appendonly", "no") == b"+OK\r\n"
            connection.call("SET", "not-kept", "1")
            assert connection.call("CONFIG", "SET", "appendonly", "yes") == b"+OK\r\n"
            wait_for(lambda: info(server, "aof_rewrite_in_progress") == "0")
            assert info(server, "journal_files") == "1"
            digest = connection.call("DEBUG", "DIGEST")
        survives_sigkill(server, digest)
        with server.connect() as connection:
            assert connection.call("EXISTS", "not-kept") == b":1\r\n"


def test_bgrewriteaof_drops_what_is_dead() -> None:
    with gapless_server(appendonly="yes", journal_file_size="1mb") as server:
        until_loaded(server)
        with server.connect() as connection:
            for i in range(300):
                connection.call("SET", f"k{i % 10}", "v" * 50_000)
            before = int(info(server, "journal_bytes"))
            assert connection.call("BGREWRITEAOF") == b"+Background append only file rewriting started\r\n"
            connection.call("SET", "meanwhile", "1")
            wait_for(lambda: info(server, "aof_rewrites") == "1")
            assert int(info(server, "journal_bytes")) < before / 5
            assert info(server, "aof_last_bgrewrite_status") == "ok"
            digest = connection.call("DEBUG", "DIGEST")
            assert connection.call("DEBUG", "LOADAOF") == b"+OK\r\n"
            assert connection.call("DEBUG", "DIGEST") == digest
            connection.call("SET", "last", "1")
            digest = connection.call("DEBUG", "DIGEST")
        survives_sigkill(server, digest)


def test_without_a_journal_there_is_nothing_to_rewrite_or_load() -> None:
    with gapless_server() as server, server.connect() as connection:
        assert connection.call("BGREWRITEAOF").startswith(b"-ERR there is no journal")
        assert connection.call("DEBUG", "LOADAOF").startswith(b"-ERR there is no journal")


def test_damage_is_refused_with_file_and_offset() -> None:
    with gapless_server(appendonly="yes") as server:
        until_loaded(server)
        with server.connect() as connection:
            for i in range(100):
                connection.call("SET", f"k{i}", "v")
        server.stop()
        file = server.directory / "journal-0000000001.gpj"
        data = bytearray(file.read_bytes())
        data[1000] ^= 1
        file.write_bytes(data)
        with pytest.raises(
            DiedError, match=r"journal-0000000001.gpj, offset \d+: no good frame, but one follows"
        ):
            server.start()
            for _ in range(100):
                server.check_alive()
                time.sleep(0.1)
        assert file.read_bytes() == data


def test_clients_hear_that_it_loads() -> None:
    with gapless_server(appendonly="yes") as server:
        with server.connect() as connection:
            connection.call("DEBUG", "POPULATE", "600000", "key", "100")
        server.stop()
        # It is waited for until it answers PING, which it does when it has loaded.
        starting = threading.Thread(target=server.start)
        starting.start()
        said = told = b""
        while starting.is_alive():
            try:
                with server.connect() as connection:
                    while (reply := connection.call("GET", "key:1")).startswith(b"-"):
                        said = reply
                        told = told or connection.call("INFO", "persistence")
            except ConnectionRefusedError:
                time.sleep(0.001)
        starting.join()
        assert said == b"-LOADING Redis is loading the dataset in memory\r\n"
        assert b"\nloading:1\r" in told
        assert b"\nloading_total_bytes:" in told
        with server.connect() as connection:
            assert connection.call("STRLEN", "key:1") == b":100\r\n"
