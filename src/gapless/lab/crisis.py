"""The crisis: very many keys with close TTLs, written, deleted and rewritten in waves whose value sizes
shift.

An allocator that can't move what lives fills its memory with holes. One server after the other meets the same
commands at the same offered rate, a second client probes its latency, and its resident memory is compared
with the live payload that the generator knows of.

The server runs on one core; the generator, the probe and the sampler (this process) share another.
"""

from __future__ import annotations

import contextlib
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from gapless.lab.floor import floor_resident_bytes
from gapless.lab.generator import GeneratorOrders, Tick
from gapless.lab.measure import STARTING, Moment, Run, phase_of, requests_of
from gapless.lab.probe import KEY, VALUE, ProbeOrders, Samples
from gapless.lab.process import on_cores, split_cores
from gapless.lab.servers import Server, Target, running, set_activedefrag
from gapless.lab.waves import WavePlan
from gapless.lab.wire import ServerError, TargetError

_GRACE_SECONDS = 60.0
_RATE_KEPT = 0.95


@dataclass(frozen=True, slots=True)
class CrisisOptions:
    """One experiment; the same for every server."""

    plan: WavePlan = field(default_factory=WavePlan)
    rate: float = 100_000.0
    """Commands a second, offered."""
    settle_seconds: float = 10.0
    """From the last expiry to the end."""
    probe_interval_seconds: float = 0.002
    idle_seconds: float = 2.0
    """How long the idle server is probed before the load: the floor of this machine."""
    pin: bool = True
    """Bind the server and its clients to a core each."""

    def __post_init__(self) -> None:
        if not self.rate > 0 or not self.probe_interval_seconds > 0:
            raise ValueError("the rate and the probe's interval must be positive")
        if self.settle_seconds < 0 or self.idle_seconds < 0:
            raise ValueError("times can't be negative")

    @property
    def seconds(self) -> float:
        """How long a run takes when the server keeps up."""
        load = self.plan.operations / self.rate
        return self.idle_seconds + load + self.plan.ttl_ms_max / 1000 + self.settle_seconds


Progress = Callable[[Run, Moment | None], None]
"""Called with the run so far: without a moment when it begins and when it ends, and at every sample."""


def run_crisis(target: Target, options: CrisisOptions, progress: Progress) -> Run | None:
    """Measure one target. What goes wrong is in `Run.failure`; None when the target refuses its variant."""
    run = Run(name=" ".join(target.argv) or str(target.address))
    server_cores, client_cores = split_cores() if options.pin else (set[int](), set[int]())
    try:
        with running(target, server_cores) as server:
            run.name = server.name
            run.pid = server.pid
            if objection := set_activedefrag(server, target.activedefrag):
                if target.activedefrag == "yes":
                    return None
                run.notes.append(f"activedefrag refused: {objection}")
            run.variant = f"activedefrag {target.activedefrag}" if target.activedefrag else ""
            if not target.argv:
                run.variant = str(target.address)
            if not server.pid:
                run.notes.append("RSS and CPU time are the server's own word: its process is out of sight")
            _measure(run, server, options, not target.argv, client_cores, progress)
        if options.plan.types and target.argv:
            run.floor_resident_bytes = floor_resident_bytes(target, options.plan, server_cores)
    except (OSError, ServerError, TargetError, _BrokenError) as error:
        run.failure = str(error)
    progress(run, None)
    return run


class _BrokenError(Exception):
    """A process of ours ended early; the message is its last word."""


def _measure(
    run: Run, server: Server, options: CrisisOptions, clean_up: bool, cores: set[int], progress: Progress
) -> None:
    server.control.call("SET", KEY, VALUE)
    progress(run, None)
    with _worker(
        "probe", ProbeOrders(server.address, options.probe_interval_seconds).to_json(), cores
    ) as probe:
        time.sleep(options.idle_seconds)
        run.base_resident_bytes = server.resident_bytes()
        starting = time.monotonic()
        orders = GeneratorOrders(server.address, options.plan, options.rate, options.settle_seconds, clean_up)
        with _worker("generator", orders.to_json(), cores) as generator:
            start = _follow(run, server, generator, progress)
        data = _end(probe)
    run.phase_starts[STARTING] = starting - start
    if run.achieved_rate() < options.rate * _RATE_KEPT:
        run.notes.append(
            f"fell behind: {run.achieved_rate():,.0f} commands a second of {options.rate:,.0f} offered"
        )
    run.requests = requests_of(Samples.from_bytes(data), start)
    server.control.call("DEL", KEY)


def _follow(run: Run, server: Server, generator: subprocess.Popen[bytes], progress: Progress) -> float:
    """Sample the server at every tick of the generator, to its end. Returns when the load began."""
    assert generator.stdout is not None
    start = 0.0
    for line in generator.stdout:
        tick = Tick.from_json(line.decode())
        start = start or tick.at
        phase = phase_of(tick)
        moment = Moment(
            tick.at - start,
            phase,
            tick.live_bytes,
            tick.live_keys,
            tick.live_keys_with_ttl,
            server.resident_bytes(),
            server.cpu_seconds(),
            tick.sent,
        )
        run.phase_starts.setdefault(phase, moment.seconds)
        run.moments.append(moment)
        progress(run, moment)
        if tick.finished:
            _compare_keys(run, tick, server.control.call("DBSIZE"))
            if slice_us := server.control.info("gapless").get("longest_slice_us"):
                run.longest_slice_us = float(slice_us)
            break
    _end(generator)
    return start


def _compare_keys(run: Run, tick: Tick, held: object) -> None:
    run.refused = tick.errors
    if tick.errors:
        run.notes.append(f"{tick.errors} commands were refused, the first with: {tick.first_error}")
    missing = tick.live_keys + 1 - int(str(held))  # 1: the probe's own key.
    if missing > 0:
        run.notes.append(f"{missing} keys that should be live are gone")
    elif missing < 0:
        run.notes.append(f"{-missing} keys are still held although expired")


@contextlib.contextmanager
def _worker(module: str, orders: str, cores: set[int]) -> Iterator[subprocess.Popen[bytes]]:
    """A process of the lab that has its orders; gone afterwards."""
    with on_cores(cores):
        process = subprocess.Popen(
            [sys.executable, "-m", f"gapless.lab.{module}"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
    try:
        assert process.stdin is not None
        process.stdin.write(orders.encode() + b"\n")
        process.stdin.flush()
        yield process
    finally:
        if process.poll() is None:
            process.kill()
            process.communicate()


def _end(process: subprocess.Popen[bytes]) -> bytes:
    """End a worker's input and return the rest of its output. Raises _BrokenError with its last word."""
    output, said = process.communicate(timeout=_GRACE_SECONDS)
    if process.returncode:
        lines = said.decode(errors="replace").strip().splitlines()
        raise _BrokenError(lines[-1] if lines else f"a client ended with status {process.returncode}")
    return output
