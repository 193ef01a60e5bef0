"""The load: a workload offered at a fixed rate from a process of its own, and its knowledge of the live
payload.

Commands leave in small batches every millisecond, so that what the probe sees are the server's pauses and not
our bursts. When the server (or this process) falls behind, at most twice the offered rate is sent until it
has caught up.

`python -m gapless.lab.generator` reads its orders as one line of JSON and writes a `Tick` as a line of JSON
twenty times a second, until every TTL has passed and the settle time is over; it ends when its standard input
does.
"""

from __future__ import annotations

import gc
import json
import select
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass

from gapless.lab.collections import workload
from gapless.lab.waves import WavePlan, unlink
from gapless.lab.wire import Address, Connection, TargetError

LOADING, EXPIRING, SETTLING = "loading", "expiring", "settling"
_IN_FLIGHT_MAX = 20_000
_UNLINK_KEYS = 1_000


@dataclass(frozen=True, slots=True)
class GeneratorOrders:
    """What a generator process is told."""

    address: Address
    plan: WavePlan
    rate: float
    """Commands a second."""
    settle_seconds: float
    clean_up: bool
    """Delete at the end what is still live."""
    batch_seconds: float = 0.001
    tick_seconds: float = 0.05

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> GeneratorOrders:
        fields = json.loads(text)
        plan = fields.pop("plan")
        plan["value_bytes"], plan["types"] = tuple(plan["value_bytes"]), tuple(plan["types"])
        return cls(Address(**fields.pop("address")), WavePlan(**plan), **fields)


@dataclass(frozen=True, slots=True)
class Tick:
    """The state of the load at one moment."""

    at: float
    """Seconds, CLOCK_MONOTONIC."""
    phase: str
    waves_loaded: int
    live_bytes: int
    live_keys: int
    live_keys_with_ttl: int
    sent: int
    answered: int
    errors: int
    first_error: str
    finished: bool
    """The last tick: the server may be looked at, then standard input must end."""

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Tick:
        return cls(**json.loads(text))


class Generator:
    """One run of a plan against one server."""

    def __init__(
        self, orders: GeneratorOrders, report: Callable[[Tick], None], released: Callable[[], object]
    ) -> None:
        """`released` returns when the server may be changed again after the last tick."""
        self._orders = orders
        self._report = report
        self._released = released
        self._workload = workload(orders.plan)
        self._connection = Connection(orders.address)
        self._socket = self._connection.socket
        self._socket.setblocking(False)
        self._backlog = memoryview(b"")
        self._sent = 0
        self._answered = 0
        self._errors = 0
        self._first_error = ""
        self._line_start = b"\n"
        self._start = 0.0
        self._next_tick = 0.0

    def run(self) -> None:
        """Load, wait for the expiry, settle. Raises OSError when the connection breaks."""
        clock = time.monotonic
        self._start = self._next_tick = clock()
        self._load()
        live = self._workload.live
        expired = self._start + live.last_deadline_ms / 1000
        self._idle_until(expired, EXPIRING)
        self._idle_until(max(clock(), expired) + self._orders.settle_seconds, SETTLING)
        self._report(self._state(clock(), SETTLING, finished=True))
        self._released()
        if self._orders.clean_up:
            self._clean_up()

    def _load(self) -> None:
        orders, workload, clock = self._orders, self._workload, time.monotonic
        batch_max = max(1, round(2 * orders.rate * orders.batch_seconds))
        next_batch = self._start
        while not workload.done or self._backlog or self._answered < self._sent:
            now = clock()
            self._tick(now, LOADING)
            if now >= next_batch:
                next_batch = max(next_batch + orders.batch_seconds, now)
                behind = int((now - self._start) * orders.rate) - self._sent
                count = min(behind, batch_max, _IN_FLIGHT_MAX - (self._sent - self._answered))
                if count > 0 and not self._backlog and not workload.done:
                    data, commands = workload.batch(count, self._now_ms())
                    self._sent += commands
                    self._send(memoryview(data))
            pause = max(0.0, next_batch - clock())
            readable, writable, _ = select.select(
                [self._socket], [self._socket] if self._backlog else [], [], pause
            )
            if readable:
                self._receive()
            if writable:
                self._send(self._backlog)

    def _now_ms(self) -> int:
        return int((time.monotonic() - self._start) * 1000)

    def _send(self, data: memoryview) -> None:
        try:
            sent = self._socket.send(data)
        except BlockingIOError:
            sent = 0
        self._backlog = data[sent:]

    def _receive(self) -> None:
        # Replies are lines: +OK, :0, :1 or an error.
        data = self._socket.recv(1 << 18)
        if not data:
            raise ConnectionResetError("the server closed the connection")
        self._answered += data.count(b"\n")
        if b"-" in data:
            lines = self._line_start + data
            self._errors += lines.count(b"\n-")
            if not self._first_error:
                self._first_error = lines.partition(b"\n-")[2].partition(b"\r")[0].decode(errors="replace")
        self._line_start = data[-1:]

    def _tick(self, now: float, phase: str) -> None:
        if now < self._next_tick:
            return
        self._next_tick = max(self._next_tick + self._orders.tick_seconds, now)
        self._report(self._state(now, phase, finished=False))

    def _state(self, now: float, phase: str, finished: bool) -> Tick:
        workload, live = self._workload, self._workload.live
        live.advance(self._now_ms())
        return Tick(
            now,
            phase,
            workload.waves_loaded,
            live.bytes,
            live.keys,
            live.keys_with_ttl,
            self._sent,
            self._answered,
            self._errors,
            self._first_error,
            finished,
        )

    def _idle_until(self, end: float, phase: str) -> None:
        while (now := time.monotonic()) < end:
            self._tick(now, phase)
            time.sleep(max(0.0, min(self._next_tick, end) - time.monotonic()))

    def _clean_up(self) -> None:
        self._socket.settimeout(30)
        keys = self._workload.live.live_keys()
        for first in range(0, len(keys), _UNLINK_KEYS):
            self._socket.sendall(unlink(keys[first : first + _UNLINK_KEYS]))
            if not self._socket.recv(64):
                raise ConnectionResetError("the server closed the connection")


def main() -> None:
    orders = GeneratorOrders.from_json(sys.stdin.readline())
    gc.disable()

    def report(tick: Tick) -> None:
        sys.stdout.write(tick.to_json() + "\n")
        sys.stdout.flush()

    try:
        Generator(orders, report, sys.stdin.read).run()
    except (OSError, TargetError) as error:
        sys.exit(f"generator: {error}")


if __name__ == "__main__":
    main()
