"""Commands on one collection of 1 M elements and on 1 M collections of 8: requests per second, pipeline 16,
and CPU.

Elements are 16 bytes, a field's value as many, scores 12 digits. Elements and collections are drawn at
random, so HSET and ZADD mostly write over what is there; a quarter of the members of SADD are new. What adds
or takes away (SADD, RPUSH, LPOP, XADD) runs for a fixed number of requests. A command that gapless has not
leaves a note.
"""

from __future__ import annotations

from dataclasses import dataclass

from bench.client import run_load
from bench.context import Context
from bench.results import Bar
from bench.servers import PEERS, Server

ELEMENT = "elem{p}"
VALUE = "valu000000000000"
SMALL = 8
"""Elements of a small collection."""
PIPELINE = 16
LIMIT = 1.2
MIDDLE_LIMIT = 50.0


@dataclass(frozen=True)
class Step:
    """A command with the placeholders of the load generator; {key} is the collection's key."""

    what: str
    command: str
    limit: float = LIMIT
    steady: bool = True
    """It may run as long as it likes: the collection stays as large as it is."""


@dataclass(frozen=True)
class Kind:
    """A type: how a collection is filled, and what is measured on it."""

    name: str
    fill_one: str
    """Adds one element to {key}; the placeholder {p} makes it another each time."""
    fill_many: str
    """Adds SMALL elements at once: {elements} stands for them, each from `each`."""
    each: str
    steps: tuple[Step, ...]


KINDS = (
    Kind(
        "hash",
        f"HSET {{key}} {ELEMENT} {VALUE}",
        "HSET {key} {elements}",
        f"elem{{number}} {VALUE}",
        (Step("HSET", f"HSET {{key}} elem{{e}} {VALUE}"), Step("HGET", "HGET {key} elem{e}")),
    ),
    Kind(
        "set",
        f"SADD {{key}} {ELEMENT}",
        "SADD {key} {elements}",
        "elem{number}",
        (Step("SADD", "SADD {key} elem{e}", steady=False), Step("SISMEMBER", "SISMEMBER {key} elem{e}")),
    ),
    Kind(
        "sorted set",
        f"ZADD {{key}} {{p}} {ELEMENT}",
        "ZADD {key} {elements}",
        "{number} elem{number}",
        (
            Step("ZADD", "ZADD {key} {r} elem{e}"),
            Step("ZSCORE", "ZSCORE {key} elem{e}"),
            Step("ZRANK", "ZRANK {key} elem{e}"),
        ),
    ),
    Kind(
        "list",
        f"RPUSH {{key}} {ELEMENT}",
        "RPUSH {key} {elements}",
        "elem{number}",
        (
            Step("RPUSH", "RPUSH {key} elem{e}", steady=False),
            Step("LPOP", "LPOP {key}", steady=False),
            Step("LINDEX middle", "LINDEX {key} {middle}", MIDDLE_LIMIT),
        ),
    ),
    Kind(
        "stream",
        f"XADD {{key}} * f {ELEMENT}",
        "XADD {key} * {elements}",
        "f elem{number}",
        (Step("XADD", "XADD {key} * f elem{e}", steady=False),),
    ),
)


def knows(server: Server, command: str) -> bool:
    """Whether the server has a command."""
    reply = server.control.call("COMMAND", "INFO", command.split(maxsplit=1)[0])
    return isinstance(reply, list) and reply[0] is not None


def fill_large(server: Server, kind: Kind, elements: int, key: str = "large", first: int = 0) -> None:
    """One collection of so many elements, in no order."""
    command = kind.fill_one.replace("{key}", key)
    run_load(
        server, "raw", command=command, keys=elements, key_start=first, requests=elements, pipeline=64
    )


def fill_small(server: Server, kind: Kind, collections: int) -> None:
    """So many collections of SMALL elements."""
    one = kind.each.replace("{number}", "{number:012d}")
    many = " ".join(one.format(number=number) for number in range(SMALL))
    if kind.name == "stream":
        for _ in range(SMALL):
            run_load(
                server,
                "raw",
                command=kind.fill_many.replace("{key}", "c{p}").replace("{elements}", one.format(number=0)),
                keys=collections,
                requests=collections,
                pipeline=64,
            )
        return
    command = kind.fill_many.replace("{key}", "c{p}").replace("{elements}", many)
    run_load(server, "raw", command=command, keys=collections, requests=collections, pipeline=64)


def large(context: Context) -> None:
    elements = context.size(1_000_000, 100_000)
    _run(context, f"one of {elements // 1000:,} k elements", "large", elements, 1, elements)


def small(context: Context) -> None:
    collections = context.size(1_000_000, 100_000)
    _run(context, f"{collections // 1000:,} k of {SMALL} elements", "c{k}", SMALL, collections, collections)


def _run(context: Context, where: str, key: str, elements: int, collections: int, requests: int) -> None:
    with context.together() as servers:
        for kind in KINDS:
            if not _all_know(context, servers, kind):
                continue
            for server in servers:
                context.progress(f"{kind.name}: filling {server.name}")
                server.control.call("FLUSHALL")
                if collections > 1:
                    fill_small(server, kind, collections)
                else:
                    fill_large(server, kind, elements)
            for step in kind.steps:
                if step.limit == MIDDLE_LIMIT and collections > 1:
                    step = Step(step.what, step.command)
                _measure(context, servers, step, where, key, elements, collections, requests)
        for server in servers:
            server.control.call("FLUSHALL")


def _all_know(context: Context, servers: list[Server], kind: Kind) -> bool:
    """Whether all have what the type takes; else a note says who has not."""
    for server in servers:
        for step in kind.steps:
            if not knows(server, step.command):
                row = context.row(f"{step.what}", "k req/s", Bar("at least", step.limit, PEERS))
                row.notes.add(f"{server.name} has no {step.command.split()[0]}")
                return False
    return True


def _measure(
    context: Context,
    servers: list[Server],
    step: Step,
    where: str,
    key: str,
    elements: int,
    collections: int,
    requests: int,
) -> None:
    speed = context.row(f"{step.what}, {where}", "k req/s", Bar("at least", step.limit, PEERS))
    cpu = context.row(f"{step.what}, {where}", "us CPU/req")
    command = step.command.replace("{key}", key).replace("{middle}", str(elements // 2))
    drawn = elements * 5 // 4 if step.what == "SADD" else elements
    for number, server in context.alternate(servers):
        context.progress(f"{step.what}, {where}, round {number + 1}: {server.name}")
        span: dict[str, float] = {"seconds": context.size(2, 1) / (1 if not context.quick else 2)}
        if not step.steady:
            span = {"requests": requests // 2}
        load = context.measure(
            speed,
            server,
            "raw",
            command=command,
            keys=collections,
            elements=drawn,
            pipeline=PIPELINE,
            seed=number + 2,
            **span,
        )
        speed.add(server.name, load.requests_per_second / 1e3)
        cpu.add(server.name, load.cpu_us_per_request)

