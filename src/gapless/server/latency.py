"""LATENCY: what took longer than latency-monitor-threshold, and how long every command takes.

An event keeps one sample a second, the worst, and at most 160 of them. The engine notices two events:
`command`, and `fast-command` for those flagged fast. Samples are taken over when somebody looks, or 10 times
a second.
"""

from __future__ import annotations

import time
from collections import deque
from weakref import WeakKeyDictionary

from gapless.commands.handlers.container import shown_in_error
from gapless.commands.replies import CommandError, Verbatim
from gapless.server import settings
from gapless.server.helping import help_lines

TYPE_CHECKING = False
if TYPE_CHECKING:
    from gapless.commands.context import Context
    from gapless.engine.engine import Engine

HISTORY_MAX = 160
GRAPH_COLUMNS = 80
GRAPH_ROWS = 4
PATIENCE_MS = 100


class Event:
    """The samples of one event, oldest first: [Unix time, ms]."""

    __slots__ = ("highest", "samples")

    def __init__(self) -> None:
        self.samples: deque[list[int]] = deque(maxlen=HISTORY_MAX)
        self.highest = 0

    def add(self, at: int, ms: int) -> None:
        """One spike."""
        self.highest = max(self.highest, ms)
        if self.samples and self.samples[-1][0] == at:
            self.samples[-1][1] = max(self.samples[-1][1], ms)
        else:
            self.samples.append([at, ms])


_events: WeakKeyDictionary[Engine, dict[str, Event]] = WeakKeyDictionary()


def collect(engine: Engine) -> dict[str, Event]:
    """The engine's events by name, up to date; for the server's periodic task too."""
    events = _events.setdefault(engine, {})
    for at, ms, fast in engine.latency_take():
        events.setdefault("fast-command" if fast else "command", Event()).add(int(at), int(ms))
    return events


def _event(ctx: Context, name: bytes) -> Event | None:
    return collect(ctx.engine).get(name.decode("latin-1"))


def latest(ctx: Context, args: list[bytes]) -> object:
    """LATENCY LATEST: name, time of the newest sample, its ms, the highest ever."""
    return [[name, *event.samples[-1], event.highest] for name, event in collect(ctx.engine).items()]


def history(ctx: Context, args: list[bytes]) -> object:
    """LATENCY HISTORY event"""
    event = _event(ctx, args[2])
    return [] if event is None else [list(sample) for sample in event.samples]


def reset(ctx: Context, args: list[bytes]) -> object:
    """LATENCY RESET [event ...]: how many were reset."""
    events = collect(ctx.engine)
    names = [name.decode("latin-1") for name in args[2:]] or list(events)
    return sum(events.pop(name, None) is not None for name in names)


def histogram(ctx: Context, args: list[bytes]) -> object:
    """LATENCY HISTOGRAM [command ...]: calls that took at most so many microseconds, cumulative."""
    engine = ctx.engine
    called = engine.command_stats()
    if len(args) == 2:
        names = list(called)
    else:
        wanted = [name.decode("latin-1").lower() for name in args[2:]]
        names = [name for want in wanted for name in called if name == want or name.startswith(want + "|")]
    reply = {}
    for name in names:
        calls, cumulative = engine.latency_histogram(name)
        if calls:
            reply[name] = {"calls": calls, "histogram_usec": cumulative}
    return reply


def _span(seconds: int) -> str:
    for size, unit in ((86400, "d"), (3600, "h"), (60, "m")):
        if seconds >= size:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"


def graph(ctx: Context, args: list[bytes]) -> object:
    """LATENCY GRAPH event: a column a sample, its age written below it from top to bottom."""
    event = _event(ctx, args[2])
    if event is None:
        raise CommandError(f"ERR No samples available for event '{shown_in_error(args[2])}'")
    samples = list(event.samples)[-GRAPH_COLUMNS:]
    values = [ms for _, ms in samples]
    low, high = min(values), max(values)
    now = int(time.time())
    ages = [_span(now - at) for at, _ in samples]
    levels = [round((ms - low) * (GRAPH_ROWS * 2 - 1) / (high - low)) if high > low else 0 for ms in values]
    lines = [
        f"{args[2].decode()} - high {high} ms, low {low} ms (all time high {event.highest} ms)",
        "-" * GRAPH_COLUMNS,
    ]
    for row in range(GRAPH_ROWS - 1, -1, -1):
        tips = {row * 2: "_", row * 2 + 1: "#"}
        lines.append("".join(tips.get(level, "|" if level > row * 2 else " ") for level in levels))
    lines.append("")
    lines.extend(
        "".join(age[row] if row < len(age) else " " for age in ages) for row in range(max(map(len, ages)))
    )
    return Verbatim("\n".join(lines) + "\n")


def _advice(ctx: Context, worst: int) -> list[str]:
    threshold_us = settings.number(ctx.server, "latency-monitor-threshold", 0) * 1000
    slower_than = settings.number(ctx.server, "slowlog-log-slower-than", 10000)
    advice = []
    if slower_than < 0 or slower_than > threshold_us:
        advice.append(
            "The slow log does not see all that this monitor sees: "
            f"'CONFIG SET slowlog-log-slower-than {threshold_us}' makes it."
        )
    advice.append("SLOWLOG GET names the commands; KEYS and BITOP over large values are the usual ones.")
    if worst >= PATIENCE_MS:
        advice.append(
            "Spikes of this length are seldom one command's own work: look for swapping, for neighbours on "
            "the same cores, and for power management that slows idle cores down."
        )
    slice_us = ctx.engine.stats()["cleaner_longest_slice_ns"] // 1000
    advice.append(f"The cleaner is not the reason beyond its longest slice, {slice_us} microseconds.")
    return advice


def doctor(ctx: Context, args: list[bytes]) -> object:
    """LATENCY DOCTOR: spikes in words, and what may help."""
    events = collect(ctx.engine)
    if not settings.number(ctx.server, "latency-monitor-threshold", 0):
        return Verbatim(
            "Latency monitoring is off. 'CONFIG SET latency-monitor-threshold <milliseconds>' turns it on: "
            "commands that take as long are then remembered.\n"
        )
    if not events:
        return Verbatim("No latency spike was observed since monitoring began or was reset.\n")
    lines = ["Latency spikes were observed:", ""]
    for number, (name, event) in enumerate(events.items(), 1):
        values = [ms for _, ms in event.samples]
        count = len(values)
        average = sum(values) // count
        deviation = sum(abs(ms - average) for ms in values) // count
        period = (time.time() - event.samples[0][0]) / count
        lines.append(
            f"{number}. {name}: {count} latency spikes (average {average}ms, mean deviation {deviation}ms, "
            f"period {period:.2f} sec). Worst all time event {event.highest}ms."
        )
    lines += ["", "What may help:", ""]
    lines += [f"- {line}" for line in _advice(ctx, max(event.highest for event in events.values()))]
    return Verbatim("\n".join(lines) + "\n")


def help_text(ctx: Context, args: list[bytes]) -> object:
    """LATENCY HELP"""
    return help_lines(
        "LATENCY",
        (
            ("DOCTOR", "Spikes in words, and what may help."),
            ("GRAPH <event>", "The samples of an event, drawn."),
            ("HISTORY <event>", "The samples of an event: Unix time and milliseconds."),
            ("LATEST", "The newest sample of every event, and its highest."),
            ("RESET [<event> ...]", "Forget the samples of these events (default: all)."),
            (
                "HISTOGRAM [<command> ...]",
                "How many calls of these commands (default: all) took at most so many microseconds.",
            ),
        ),
    )
