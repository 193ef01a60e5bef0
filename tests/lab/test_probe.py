"""The probe against servers that stall or lie."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable

from gapless.lab.probe import VALUE, ProbeOrders, Samples
from gapless.lab.wire import Address

REQUEST_BYTES = len(b"*2\r\n$3\r\nGET\r\n$9\r\nlab:probe\r\n")
REPLY = b"$16\r\n" + VALUE + b"\r\n"


def probe_against(
    answer: Callable[[socket.socket], None], seconds: float
) -> subprocess.CompletedProcess[bytes]:
    """Probe a server made of `answer` every 5 ms for some time."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                answer(connection)

        thread = threading.Thread(target=serve)
        thread.start()
        orders = ProbeOrders(Address(port=listener.getsockname()[1]), 0.005).to_json()
        process = subprocess.Popen(
            [sys.executable, "-m", "gapless.lab.probe"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        assert process.stdin is not None
        process.stdin.write(orders.encode() + b"\n")
        process.stdin.flush()
        time.sleep(seconds)
        out, err = process.communicate(timeout=20)
        thread.join()
    return subprocess.CompletedProcess(process.args, process.returncode, out, err)


def test_a_stall_is_charged_to_every_request_it_delays() -> None:
    def answer(connection: socket.socket) -> None:
        pending = stalled = 0
        while data := connection.recv(4096):
            pending += len(data)
            if not stalled and pending:
                stalled = 1
                time.sleep(0.3)
            connection.sendall(REPLY * (pending // REQUEST_BYTES))
            pending %= REQUEST_BYTES

    ended = probe_against(answer, 1.5)
    assert ended.returncode == 0, ended.stderr
    samples = Samples.from_bytes(ended.stdout)
    delayed = [latency for latency in samples.latency if latency > 0.05]
    assert 35 <= len(delayed) <= 60
    assert 0.28 < max(delayed) < 1
    assert all(late <= latency for late, latency in zip(samples.lateness, samples.latency, strict=True))
    gaps = [later - sooner for sooner, later in zip(samples.at, samples.at[1:], strict=False)]
    assert max(gaps) < 0.0051


def test_a_wrong_answer_ends_it() -> None:
    def answer(connection: socket.socket) -> None:
        connection.recv(4096)
        connection.sendall(b"-LOADING not yet\r\n")
        connection.recv(4096)

    ended = probe_against(answer, 0.5)
    assert ended.returncode == 1
    assert b"-LOADING not yet" in ended.stderr
    assert b"Traceback" not in ended.stderr


def test_samples_survive_the_pipe() -> None:
    samples = Samples()
    samples.at.extend([1.0, 2.0])
    samples.latency.extend([0.1, 0.2])
    samples.lateness.extend([0.01, 0.02])
    again = Samples.from_bytes(samples.to_bytes())
    assert (again.at, again.latency, again.lateness) == (samples.at, samples.latency, samples.lateness)
