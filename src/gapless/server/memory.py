"""MEMORY: where the memory is. USAGE is compiled (generic.memory_usage)."""

from __future__ import annotations

from gapless.commands.replies import OK, Verbatim
from gapless.server import measures
from gapless.server.helping import help_lines
from gapless.server.measures import ratio

TYPE_CHECKING = False
if TYPE_CHECKING:
    from gapless.commands.context import Context

MEGABYTE = 1 << 20


def _megabytes(size: int) -> str:
    return f"{size / MEGABYTE:.1f} MB"


def doctor(ctx: Context, args: list[bytes]) -> object:
    """MEMORY DOCTOR: one paragraph that adds up to the resident bytes, then what to make of it."""
    stats = ctx.engine.stats()
    memory = measures.Memory(stats, measures.resident_bytes())
    buffers = min(memory.clients, memory.base)
    given_back = memory.extents_dead + memory.pages_dead
    parts = [
        f"live records {_megabytes(memory.live)} ({stats['log_records_live']} keys)",
        f"large values of their own pages {_megabytes(memory.extents)} ({stats['extents_count']} values)",
        f"large collections on pages {_megabytes(memory.pages)}",
        f"the index {_megabytes(memory.index)}",
        f"dead records the cleaner has not come to {_megabytes(memory.dead)}",
        f"empty segments and pages kept for the next writes {_megabytes(memory.cached)}",
        f"dead large values and collections being given back {_megabytes(given_back)}",
        f"the indexes of flushed databases {_megabytes(memory.flushed)}",
        f"clients' buffers {_megabytes(buffers)}",
        f"the interpreter, its modules and the engine's tables {_megabytes(memory.base - buffers)}",
    ]
    text = f"The process has {_megabytes(memory.resident)} resident: {'; '.join(parts)}."
    over = memory.committed - memory.resident
    if over > 0:
        text += f" {_megabytes(over)} of these were never touched or are swapped out, and are not resident."
    wasted = memory.dead + given_back
    share = wasted / memory.resident if memory.resident else 0
    text += f" Fragmentation, what is dead among all that is resident, is {100 * share:.1f} %"
    if stats["cleaner_victim"]:
        text += ", and the cleaner is at work on it."
    elif wasted > memory.allocated // 4 and wasted > 4 * MEGABYTE:
        text += "; the cleaner takes it down when 'activedefrag' is on."
    else:
        text += ": nothing to do."
    if stats["maxmemory"]:
        room = stats["maxmemory"] - memory.resident
        limit = _megabytes(stats["maxmemory"])
        if room >= 0:
            text += f" maxmemory is {limit} and bounds the process: {_megabytes(room)} are left."
        else:
            text += f" The process is {_megabytes(-room)} over its maxmemory of {limit}."
    else:
        text += " There is no limit: maxmemory is not set."
    return Verbatim(text + "\n")


def stats(ctx: Context, args: list[bytes]) -> object:
    """MEMORY STATS, with Redis's names."""
    engine = ctx.engine
    counters = engine.stats()
    memory = measures.Memory(counters, measures.resident_bytes())
    used = memory.used
    peak = measures.history(engine).peak(used)
    keys = counters["keys"]
    dataset = max(used - memory.overhead, 0)
    beyond_startup = used - measures.STARTUP_BYTES
    reply: dict[str, object] = {
        "peak.allocated": peak,
        "total.allocated": used,
        "startup.allocated": measures.STARTUP_BYTES,
        "replication.backlog": 0,
        "replica.fullsync.buffer": 0,
        "clients.slaves": 0,
        "clients.normal": memory.clients,
        "cluster.links": 0,
        "aof.buffer": 0,
        "lua.caches": 0,
        "functions.caches": 0,
        "script.VMs": 0,
    }
    for db, size, _, _ in engine.databases():
        reply[f"db.{db}"] = {
            "overhead.hashtable.main": memory.index * size // keys if keys else 0,
            "overhead.hashtable.expires": 0,
        }
    reply |= {
        "overhead.db.hashtable.lut": memory.index,
        "overhead.db.hashtable.rehashing": 0,
        "overhead.total": memory.overhead,
        "db.dict.rehashing.count": 0,
        "keys.count": keys,
        "keys.bytes-per-key": max(beyond_startup, 0) // keys if keys else 0,
        "dataset.bytes": dataset,
        "dataset.percentage": min(100 * dataset / beyond_startup, 100.0) if beyond_startup > 0 else 0.0,
        "peak.percentage": 100 * ratio(used, peak),
        "allocator.allocated": memory.allocated,
        "allocator.active": memory.active,
        "allocator.resident": memory.committed,
        "allocator.muzzy": 0,
        "allocator-fragmentation.ratio": ratio(memory.active, memory.allocated),
        "allocator-fragmentation.bytes": memory.active - memory.allocated,
        "allocator-rss.ratio": ratio(memory.committed, memory.active),
        "allocator-rss.bytes": memory.committed - memory.active,
        "rss-overhead.ratio": ratio(memory.resident, memory.committed),
        "rss-overhead.bytes": memory.resident - memory.committed,
        "fragmentation": ratio(memory.resident, used),
        "fragmentation.bytes": memory.resident - used,
    }
    return reply


def malloc_stats(ctx: Context, args: list[bytes]) -> object:
    """MEMORY MALLOC-STATS: what the parts of the engine count themselves."""
    counters = ctx.engine.stats()
    groups = (
        ("Arena", "arena_"),
        ("Log", "log_"),
        ("Extents", "extents_"),
        ("Pages", "pages_"),
        ("Index", "index_"),
        ("Cleaner", "cleaner_"),
    )
    lines = []
    for title, prefix in groups:
        lines.append(f"{title}:")
        lines += [
            f"  {name.removeprefix(prefix).replace('_', ' ')}: {value}"
            for name, value in counters.items()
            if name.startswith(prefix)
        ]
    return Verbatim("\n".join(lines) + "\n")


def purge(ctx: Context, args: list[bytes]) -> object:
    """MEMORY PURGE: gives back what is kept without need."""
    ctx.engine.purge()
    return OK


def help_text(ctx: Context, args: list[bytes]) -> object:
    """MEMORY HELP"""
    return help_lines(
        "MEMORY",
        (
            ("DOCTOR", "Where every resident megabyte is, in words."),
            ("MALLOC-STATS", "The counters of the arena, the log, the extents, the pages and the index."),
            ("PURGE", "Give memory that is kept for the next writes back to the system."),
            ("STATS", "Where the memory is, in numbers."),
            ("USAGE <key> [SAMPLES <count>]", "The bytes that a key takes, all told."),
        ),
    )
