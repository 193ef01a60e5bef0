"""Commands that walk 100,000 elements of 16 bytes: requests per second, one client, no pipeline, and CPU.

The two sets and the two sorted sets have half of their members in common. Replies are taken in without being
looked at; their length is compared with that of the first, which is.
"""

from __future__ import annotations

import time

from bench import proc
from bench.context import Context
from bench.results import Bar
from bench.scenarios.collections import KINDS, fill_large, knows
from bench.servers import PEERS, Server
from bench.wire import request

COMMANDS = (
    "HGETALL hash",
    "SMEMBERS set",
    "SINTER set set2",
    "LRANGE list 0 -1",
    "ZRANGEBYSCORE sorted-set -inf +inf",
    "ZUNIONSTORE to 2 sorted-set sorted-set2",
)


def run(context: Context) -> None:
    elements = context.size(100_000, 20_000)
    repeats = context.size(100, 10)
    with context.together() as servers:
        for kind in KINDS:
            key = kind.name.replace(" ", "-")
            for server in servers:
                context.progress(f"{kind.name}: filling {server.name}")
                if knows(server, kind.fill_one):
                    fill_large(server, kind, elements, key)
                    fill_large(server, kind, elements, f"{key}2", elements // 2)
        for command in COMMANDS:
            name = command.split()[0]
            bar = Bar("at least", 1.0, PEERS)
            speed = context.row(f"{name} of {elements // 1000} k", "req/s", bar)
            cpu = context.row(f"{name} of {elements // 1000} k", "us CPU/req")
            for number, server in context.alternate(servers):
                context.progress(f"{name}, round {number + 1}: {server.name}")
                if not knows(server, command):
                    speed.notes.add(f"{server.name} has no {name}")
                    continue
                seconds, cpu_seconds = _repeat(server, command, repeats)
                speed.add(server.name, repeats / seconds)
                cpu.add(server.name, cpu_seconds * 1e6 / repeats)


def _repeat(server: Server, command: str, repeats: int) -> tuple[float, float]:
    words = command.split()
    reply_bytes = server.control.reply_bytes(*words)
    sent = request(*words)
    with proc.on_core(proc.load_core()):
        before, began = server.cpu_seconds(), time.monotonic()
        for _ in range(repeats):
            server.control.exchange(sent, reply_bytes)
        return time.monotonic() - began, server.cpu_seconds() - before
