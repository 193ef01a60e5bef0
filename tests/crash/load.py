"""Several connections with pipelines at once, until the server is killed; then who was told what."""

from __future__ import annotations

import contextlib
import selectors
import socket
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import hiredis

from tests.crash.client import RECEIVE_BYTES, connected, packed
from tests.crash.unit import Unit
from tests.crash.workload import Workload

STALL_SECONDS_MAX = 30.0


class StalledError(AssertionError):
    """The server is there and does not answer."""


@dataclass
class Outcome:
    """What one owner sent. Whoever is not acknowledged may have happened all the same: a first part of them."""

    acknowledged: list[Unit] = field(default_factory=list)
    popped: dict[int, list[bytes]] = field(default_factory=dict)
    """By number of the acknowledged unit: what its SPOP answered."""
    unacknowledged: list[Unit] = field(default_factory=list)
    commands: int = 0
    refused: int = 0


class _Link:
    """One owner's connection: a batch is sent when all replies to the last have come."""

    def __init__(self, path: str, workload: Workload) -> None:
        self.socket: socket.socket = connected(path, STALL_SECONDS_MAX)
        self.outcome = Outcome()
        self._workload = workload
        self._reader = hiredis.Reader()
        self._replies: list[Any] = []
        workload.reconnected()

    def send(self) -> bool:
        """The next batch; whether the server took it in."""
        units = self.outcome.unacknowledged = self._workload.batch()
        try:
            self.socket.sendall(packed([args for unit in units for args in unit.commands]))
        except TimeoutError:
            raise StalledError("it takes in no more commands") from None
        except OSError:
            return False
        return True

    def receive(self) -> bool:
        """Take in what has come. False at the end of the connection."""
        try:
            data = self.socket.recv(RECEIVE_BYTES)
        except OSError:
            return False
        if not data:
            return False
        self._reader.feed(data)
        waiting, done = self.outcome.unacknowledged, 0
        while done < len(waiting):
            if (reply := self._reader.gets()) is False:
                break
            self._replies.append(reply)
            if len(self._replies) == len(waiting[done].commands):
                self._acknowledge(waiting[done])
                done += 1
        del waiting[:done]
        return bool(waiting) or self.send()

    def _acknowledge(self, unit: Unit) -> None:
        outcome = self.outcome
        if unit.pops and isinstance(self._replies[-1], list):
            outcome.popped[len(outcome.acknowledged)] = self._replies[-1]
        outcome.acknowledged.append(unit)
        outcome.commands += len(unit.commands)
        outcome.refused += sum(isinstance(reply, hiredis.ReplyError) for reply in self._replies)
        self._replies.clear()


def run_until_killed(
    path: str,
    workloads: Sequence[Workload],
    control: Sequence[tuple[float, Callable[[], None]]],
) -> list[Outcome]:
    """Each workload on a connection of its own; outcomes in the same order.

    `control` are calls and when, in seconds from now, made from another thread; one of them has to end the server.
    Raises StalledError.
    """
    links = [_Link(path, workload) for workload in workloads]
    caller = threading.Thread(
        target=_call, args=(time.monotonic(), sorted(control, key=lambda each: each[0]))
    )
    caller.start()
    try:
        with selectors.DefaultSelector() as selector:
            for link in links:
                if link.send():
                    selector.register(link.socket, selectors.EVENT_READ, link)
            while selector.get_map():
                ready = selector.select(STALL_SECONDS_MAX)
                if not ready:
                    raise StalledError(f"no reply within {STALL_SECONDS_MAX:g} s")
                for key, _ in ready:
                    if not key.data.receive():
                        selector.unregister(key.fileobj)
    finally:
        caller.join()
        for link in links:
            link.socket.close()
    return [link.outcome for link in links]


def _call(began: float, calls: Sequence[tuple[float, Callable[[], None]]]) -> None:
    for at, call in calls:
        time.sleep(max(0.0, began + at - time.monotonic()))
        with contextlib.suppress(OSError):
            call()
