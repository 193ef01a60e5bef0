"""The second client: a GET of one small key every couple of milliseconds, as a process of its own.

Open loop: every GET leaves at its intended moment, whether or not the ones before it are answered, and its
latency counts from that intended moment. A server that stalls is charged for every request that would have
come meanwhile.

`python -m gapless.lab.probe` reads its orders as one line of JSON, probes until its standard input ends, and
writes what it saw to standard output: see `Samples`.
"""

from __future__ import annotations

import gc
import json
import select
import sys
import time
from array import array
from collections import deque
from dataclasses import asdict, dataclass

from gapless.lab.process import take_priority
from gapless.lab.wire import Address, Connection

KEY = b"lab:probe"
VALUE = b"x" * 16
_REPLY = b"$16\r\n" + VALUE + b"\r\n"


@dataclass(frozen=True, slots=True)
class ProbeOrders:
    """What a probe process is told."""

    address: Address
    interval_seconds: float

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> ProbeOrders:
        fields = json.loads(text)
        return cls(Address(**fields["address"]), fields["interval_seconds"])


class Samples:
    """What a probe saw, request by request: when (seconds, CLOCK_MONOTONIC), latency and own lateness
    (seconds).

    Lateness is how long after the intended moment the request really left: the share of the latency that is
    the probe's own fault (or its machine's). It is part of the latency all the same.
    """

    def __init__(self) -> None:
        self.at = array("d")
        self.latency = array("d")
        self.lateness = array("d")

    def __len__(self) -> int:
        return len(self.at)

    def to_bytes(self) -> bytes:
        return self.at.tobytes() + self.latency.tobytes() + self.lateness.tobytes()

    @classmethod
    def from_bytes(cls, data: bytes) -> Samples:
        samples = cls()
        third = len(data) // 3
        samples.at.frombytes(data[:third])
        samples.latency.frombytes(data[third : 2 * third])
        samples.lateness.frombytes(data[2 * third :])
        return samples


def probe(orders: ProbeOrders) -> Samples:
    """Probe until standard input ends. Raises ConnectionError when the reply is not the value."""
    connection = Connection(orders.address)
    sock = connection.socket
    fd = sock.fileno()
    request = b"*2\r\n$3\r\nGET\r\n$%d\r\n%b\r\n" % (len(KEY), KEY)
    sock.setblocking(False)
    samples = Samples()
    waiting: deque[tuple[float, float]] = deque()
    received = b""
    clock = time.monotonic
    intended = clock() + orders.interval_seconds
    ending = 0.0
    while not ending or (waiting and clock() < ending):
        pause = max(0.0, intended - clock()) if not ending else 0.1
        readable, _, _ = select.select([fd] if ending else [fd, 0], [], [], pause)
        if fd in readable:
            data = sock.recv(65536)
            now = clock()
            if not data:
                raise ConnectionResetError("the server closed the probe's connection")
            received += data
            while len(received) >= len(_REPLY) or (received and not _REPLY.startswith(received)):
                if not received.startswith(_REPLY):
                    raise ConnectionError(f"the probe's GET was answered with {received[:60]!r}")
                received = received[len(_REPLY) :]
                meant, left = waiting.popleft()
                samples.at.append(meant)
                samples.latency.append(now - meant)
                samples.lateness.append(left - meant)
        if 0 in readable:
            ending = clock() + 5.0
            continue
        now = clock()
        while not ending and intended <= now:
            sock.send(request)
            waiting.append((intended, clock()))
            intended += orders.interval_seconds
    for meant, left in waiting:
        samples.at.append(meant)
        samples.latency.append(clock() - meant)
        samples.lateness.append(left - meant)
    connection.close()
    return samples


def _first_line_of_input() -> str:
    # Unbuffered: what follows must stay in the pipe, where select sees it end.
    with open(0, "rb", buffering=0, closefd=False) as stream:
        return stream.readline().decode()


def main() -> None:
    orders = ProbeOrders.from_json(_first_line_of_input())
    take_priority()
    gc.disable()
    try:
        samples = probe(orders)
    except (OSError, ConnectionError) as error:
        sys.exit(f"probe: {error}")
    sys.stdout.buffer.write(samples.to_bytes())


if __name__ == "__main__":
    main()
