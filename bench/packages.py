"""The machine's Debian package index as commands: hashes, sets, sorted sets, a list and streams.

    pkg:NAME                hash         all fields of the record (another version of it: pkg:NAME=VERSION)
    section:S, tag:T        set          the names of the packages in it
    maintainer:M, needs:P   set          ... of this maintainer, ... that depend on package P
    size, size:S            sorted set   names by installed size in KiB: all, and those of a section
    download                sorted set   names by the size of their file in bytes
    index                   list         names in the order of the index
    news:S                  stream       an entry a record of the section: its name, version and size
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator

Record = dict[str, str]
Command = tuple[str, ...]

_NAME = re.compile(r"\s*([^\s|,(:]+)")


class NoIndexError(Exception):
    """There is no package index here; the message says what is missing."""


def records() -> list[Record]:
    """All records of `apt-cache dumpavail`, some seconds. Raises NoIndexError."""
    if shutil.which("apt-cache") is None:
        raise NoIndexError("no apt-cache: the package index is that of Debian or Ubuntu (package apt)")
    run = subprocess.run(["apt-cache", "dumpavail"], capture_output=True, check=False)
    found = [_record(text) for text in run.stdout.decode(errors="replace").split("\n\n") if text.strip()]
    if not found:
        raise NoIndexError("`apt-cache dumpavail` knows no packages: run `apt-get update` first")
    return found


def _record(text: str) -> Record:
    fields: Record = {}
    name = ""
    for line in text.splitlines():
        if line[:1] in (" ", "\t"):
            fields[name] += "\n" + line
        else:
            name, _, value = line.partition(":")
            fields[name] = value.strip()
    return fields


def commands(found: list[Record]) -> Iterator[Command]:
    """What loads the records, in their order."""
    seen: set[str] = set()
    for number, record in enumerate(found, 1):
        name, version, section = record["Package"], record["Version"], record["Section"]
        size = record.get("Installed-Size", "0")
        key = f"pkg:{name}" if name not in seen else f"pkg:{name}={version}"
        seen.add(name)
        yield ("HSET", key, *(part for pair in record.items() for part in pair))
        yield "SADD", f"section:{section}", name
        yield "SADD", f"maintainer:{record['Maintainer']}", name
        for needed in {match[1] for part in _alternatives(record) if (match := _NAME.match(part))}:
            yield "SADD", f"needs:{needed}", name
        for tag in record.get("Tag", "").replace("\n", "").split(","):
            if tag.strip():
                yield "SADD", f"tag:{tag.strip()}", name
        yield "ZADD", "size", size, name
        yield "ZADD", f"size:{section}", size, name
        yield "ZADD", "download", record.get("Size", "0"), name
        yield "RPUSH", "index", name
        yield "XADD", f"news:{section}", f"{number}-0", "package", name, "version", version, "size", size


def _alternatives(record: Record) -> Iterator[str]:
    for field in ("Depends", "Pre-Depends"):
        for clause in record.get(field, "").split(","):
            yield from clause.split("|")


def queries(found: list[Record]) -> dict[str, list[Command]]:
    """What both servers are asked, by what it is."""
    names = [record["Package"] for record in found[:: max(1, len(found) // 1000)]]
    sections = sorted({record["Section"] for record in found})
    sets, zsets = [[f"{kind}:{section}" for section in sections] for kind in ("section", "size")]
    return {
        "1,000 records, HGETALL": [("HGETALL", f"pkg:{name}") for name in names],
        "two fields of 1,000 records, HMGET": [("HMGET", f"pkg:{name}", "Version", "Size") for name in names],
        "sizes of all sections, SCARD": [("SCARD", f"section:{section}") for section in sections],
        "who needs libc6, SMEMBERS": [("SMEMBERS", "needs:libc6")],
        "libraries that need libc6, SINTER": [("SINTER", "section:libs", "needs:libc6")],
        "games in Python for X11, SINTER of 3": [
            ("SINTER", "section:games", "needs:python3", "tag:interface::x11")
        ],
        "what needs libc6 and is no library, SDIFF": [("SDIFF", "needs:libc6", "section:libs")],
        "all packages by their sections, SUNION": [("SUNION", *sets)],
        "whether 1,000 need libc6, SISMEMBER": [("SISMEMBER", "needs:libc6", name) for name in names],
        "the 1,000 largest, ZREVRANGE": [("ZREVRANGE", "size", "0", "999", "WITHSCORES")],
        "of 1 to 2 MiB, ZRANGEBYSCORE": [("ZRANGEBYSCORE", "size", "1024", "2048", "WITHSCORES")],
        "ranks of 1,000 packages, ZRANK": [("ZRANK", "size", name) for name in names],
        "all sections together, ZUNIONSTORE": [("ZUNIONSTORE", "all", str(len(zsets)), *zsets)],
        "sizes of what needs libc6, ZINTER": [("ZINTER", "2", "needs:libc6", "size", "WITHSCORES")],
        "the index from 20,000 to 30,000, LRANGE": [("LRANGE", "index", "20000", "30000")],
        "200 places in the index, LINDEX": [("LINDEX", "index", str(place * 300)) for place in range(200)],
        "news of all sections, XRANGE": [("XRANGE", f"news:{section}", "-", "+") for section in sections],
        "the last 100 games, XREVRANGE": [("XREVRANGE", "news:games", "+", "-", "COUNT", "100")],
        "the 50 largest games, SORT BY": [
            ("SORT", "section:games", "BY", "pkg:*->Installed-Size", "LIMIT", "0", "50", "DESC", "GET", "#")
        ],
    }  # fmt: skip


UNORDERED = {"SMEMBERS", "SINTER", "SDIFF", "SUNION", "HGETALL"}
"""Commands whose replies are equal in any order."""
