"""INFO and MEMORY DOCTOR tell the truth: their numbers are the system's, and add up."""

from __future__ import annotations

import re
import time

from tests.server.test_memory_bound import MEGABYTE, fill, resident, send_what_fits, unread
from tests.support.raw import RawConnection, command
from tests.support.replies import parse
from tests.support.server import Server, gapless_server

LARGE_BYTES = 5_000_000
# Each part is rounded to a tenth of a megabyte.
ROUNDING_MB = 1.0


def report(connection: RawConnection) -> tuple[float, dict[str, float]]:
    """What MEMORY DOCTOR says is resident, and its parts, in MB."""
    text = parse(connection.call("MEMORY", "DOCTOR")).payload.decode()
    assert text.count("\n") == 1, "one paragraph"
    total = re.search(r"has ([\d.]+) MB resident: (.*?)\. ", text)
    assert total
    parts = re.findall(r"([^;]+?) ([\d.]+) MB", total[2])
    return float(total[1]), {name.strip("; "): float(size) for name, size in parts}


def check(server: Server, connection: RawConnection) -> dict[str, float]:
    # Memory goes back to the system while it is asked: the truth lies between what it says before and after.
    before = resident(server) / MEGABYTE
    total, parts = report(connection)
    after = resident(server) / MEGABYTE
    assert len(parts) == 10
    assert min(before, after) - ROUNDING_MB <= total <= max(before, after) + ROUNDING_MB
    assert abs(total - sum(parts.values())) <= ROUNDING_MB, parts
    return parts


def memory(connection: RawConnection) -> dict[str, float]:
    text = parse(connection.call("INFO", "memory", "gapless", "stats")).payload.decode()
    fields = (line.split(":", 1) for line in text.split("\r\n") if ":" in line)
    return {name: float(value) for name, value in fields if re.fullmatch(r"-?[\d.]+", value)}


def test_every_resident_megabyte_is_explained() -> None:
    with gapless_server() as server, server.connect(30.0) as connection, unread(server, 3) as readers:
        check(server, connection)
        fill(connection, 100_000)
        assert check(server, connection)["live records"] > 90
        for i in range(20):
            connection.call("SET", f"large{i}", b"y" * LARGE_BYTES)
        assert check(server, connection)["large values of their own pages"] > 90
        for start in range(0, 100_000, 1000):
            connection.call("DEL", *(b"k%d" % i for i in range(start, start + 1000) if i % 3))
        check(server, connection)
        for one in readers:
            send_what_fits(one, command("GET", "large15") * 4)
        deadline = time.monotonic() + 20
        while report(connection)[1]["clients' buffers"] <= 30:
            assert time.monotonic() < deadline, report(connection)
            time.sleep(0.05)
        check(server, connection)
        connection.call("MEMORY", "PURGE")
        assert check(server, connection)["empty segments and pages kept for the next writes"] == 0
        connection.call("FLUSHALL")
        check(server, connection)


def test_fragmentation_is_told_as_it_is() -> None:
    with gapless_server(activedefrag="no") as server, server.connect(30.0) as connection:
        fill(connection, 50_000)
        full = memory(connection)
        assert full["allocator_frag_ratio"] <= 1.02
        for start in range(0, 50_000, 1000):
            connection.call("DEL", *(b"k%d" % i for i in range(start, start + 1000) if i % 2))
        told = memory(connection)
        assert abs(told["used_memory_rss"] - resident(server)) <= MEGABYTE
        assert told["mem_fragmentation_bytes"] == told["used_memory_rss"] - told["used_memory"]
        assert told["allocator_frag_bytes"] == told["bytes_dead"] + told["extents_bytes_dead"]
        assert told["allocator_frag_bytes"] == told["allocator_active"] - told["allocator_allocated"]
        assert told["rss_overhead_bytes"] == told["used_memory_rss"] - told["allocator_resident"]
        # Half of the records are dead, and nobody cleans.
        assert 1.8 <= told["allocator_frag_ratio"] <= 2.1
        assert told["mem_fragmentation_ratio"] > 1.3
        assert connection.call("CONFIG", "SET", "activedefrag", "yes") == b"+OK\r\n"
        deadline = time.monotonic() + 20
        while memory(connection)["allocator_frag_ratio"] > 1.1:
            assert time.monotonic() < deadline, memory(connection)
            time.sleep(0.05)
        cleaned = memory(connection)
        assert cleaned["active_defrag_hits"] > 0
        assert cleaned["total_active_defrag_time"] > 0
        assert cleaned["cleaner_bytes_freed"] > 20 * MEGABYTE
        assert cleaned["mem_fragmentation_ratio"] < 1.3
