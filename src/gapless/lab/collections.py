"""The workload of the crisis with collections: hashes, sorted sets and lists in turn, of many small elements.

An element is 32 bytes of payload: a field of 16 and a value of 16, a member of 24 and its score as 8, or a
value of 32. A collection is written by one command, after a DEL of what it replaces, and before a PEXPIRE.
"""

from __future__ import annotations

from random import Random

from gapless.lab.waves import KEY_BYTES, WavePlan, Workload

ELEMENT_BYTES = 32
TYPES = ("hash", "sorted-set", "list")

_KEY = b"$16\r\nsession:%08d\r\n"
_DEL = b"*2\r\n$3\r\nDEL\r\n"
_PEXPIRE = b"*3\r\n$7\r\nPEXPIRE\r\n"
_COMMANDS = {"hash": b"HSET", "sorted-set": b"ZADD", "list": b"RPUSH"}


def workload(plan: WavePlan) -> Workload:
    """The workload of a plan, whatever its keys hold."""
    return CollectionWorkload(plan) if plan.types else Workload(plan)


class CollectionWorkload(Workload):
    """Collections of as many elements as come to the plan's value sizes."""

    def __init__(self, plan: WavePlan) -> None:
        super().__init__(plan)
        most = max(plan.value_bytes) * (1 + plan.spread)
        rng = Random(plan.seed)
        count = round(most) // ELEMENT_BYTES + 1
        elements = [rng.randbytes(ELEMENT_BYTES // 2).hex().encode() for _ in range(count)]
        self._elements = {kind: [_element(kind, text) for text in elements] for kind in plan.types}
        self._heads: list[list[bytes]] = []
        self._bodies: list[list[bytes]] = []

    def _lay_out(self, sizes: range) -> None:
        counts = range(max(1, sizes.start // ELEMENT_BYTES), max(1, (sizes.stop - 1) // ELEMENT_BYTES) + 1)
        self._payloads = range(
            KEY_BYTES + counts.start * ELEMENT_BYTES, KEY_BYTES + counts.stop * ELEMENT_BYTES, ELEMENT_BYTES
        )
        self._heads, self._bodies = [], []
        for kind in self.plan.types:
            command = _COMMANDS[kind]
            words = 1 if kind == "list" else 2
            self._heads.append(
                [b"*%d\r\n$%d\r\n%b\r\n" % (2 + words * n, len(command), command) for n in counts]
            )
            self._bodies.append([b"".join(self._elements[kind][:n]) for n in counts])

    def _write(self, parts: list[bytes], key: int, size: int, ttl: int, again: bool) -> int:
        kind = key % len(self.plan.types)
        name = _KEY % key
        if again:
            parts += (_DEL, name)
        parts += (self._heads[kind][size], name, self._bodies[kind][size])
        if ttl >= 0:
            parts += (_PEXPIRE, name, self._ttls[ttl])
        return 1 + again + (ttl >= 0)


def _element(kind: str, text: bytes) -> bytes:
    """An element of 32 hexadecimal digits, as words of its command."""
    if kind == "hash":
        return b"$16\r\n%b\r\n$16\r\n%b\r\n" % (text[:16], text[16:])
    if kind == "sorted-set":
        return b"$8\r\n%08d\r\n$24\r\n%b\r\n" % (int(text[24:], 16) % 100_000_000, text[:24])
    return b"$32\r\n%b\r\n" % text
