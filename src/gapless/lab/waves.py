"""The workload of the crisis: waves of keys with close TTLs, and exactly what of it is live.

Here the values are strings; gapless.lab.collections has others.

Nothing here reads a clock or a socket: times come in as milliseconds since the start of the load, commands go
out as RESP bytes. The live payload is therefore the generator's own knowledge, never the server's word.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from random import Random

KEY_BYTES = 16
NEVER = -1
"""Deadline of a key that is not live because it expired, was deleted, or was never written."""
FOREVER = 0
"""Deadline of a key without a TTL."""

_SURVIVORS_STEP = 200
_KEY_FORMAT = b"session:%08d"
_SET = b"*5\r\n$3\r\nSET\r\n$16\r\n"
_SET_FOREVER = b"*3\r\n$3\r\nSET\r\n$16\r\n"
_DEL = b"*2\r\n$3\r\nDEL\r\n$16\r\n"


@dataclass(frozen=True, slots=True)
class WavePlan:
    """The shape of a run. Every target gets the same plan, so the same commands in the same order."""

    keys: int = 3_000_000
    waves: int = 6
    ttl_ms_min: int = 12_000
    ttl_ms_max: int = 13_000
    long_lived: float = 0.05
    """Share of the keys written without a TTL."""
    value_bytes: tuple[int, ...] = (80, 160, 320, 120, 240, 480)
    """Centre of the value sizes, wave by wave; taken round and round when there are more waves."""
    spread: float = 0.1
    """Sizes in a wave are uniform between centre x (1 - spread) and centre x (1 + spread)."""
    rewrite: float = 0.1
    """Rewrites of a recent key, per new key, in the size of the wave that writes."""
    delete: float = 0.1
    """Deletions of a recent short-lived key, per new key."""
    seed: int = 1
    types: tuple[str, ...] = ()
    """What the keys hold in turn, of gapless.lab.collections; none: strings."""

    def __post_init__(self) -> None:
        if self.waves < 1 or self.keys < self.waves:
            raise ValueError("at least one wave, and one key a wave")
        if self.keys > 99_999_999:
            raise ValueError("at most 99,999,999 keys")
        if not 0 < self.ttl_ms_min <= self.ttl_ms_max:
            raise ValueError("TTLs must be positive, the smaller first")
        if not 0 <= self.long_lived <= 1:
            raise ValueError("the long-lived share lies between 0 and 1")
        if not 0 <= self.spread < 1 or not self.value_bytes or min(self.value_bytes) < 1:
            raise ValueError("value sizes must be positive, and their spread below 1")
        if self.rewrite < 0 or self.delete < 0:
            raise ValueError("shares of rewrites and deletions can't be negative")

    def first_key(self, wave: int) -> int:
        """Number of the first key of `wave` (from 0); of `wave == waves`, the number of all keys."""
        return self.keys * wave // self.waves

    def sizes(self, wave: int) -> range:
        """The value sizes of `wave`, in bytes."""
        centre = self.value_bytes[wave % len(self.value_bytes)]
        return range(max(1, round(centre * (1 - self.spread))), round(centre * (1 + self.spread)) + 1)

    @property
    def operations(self) -> int:
        """How many commands the plan sends, on average: a few in a thousand more or less."""
        if not self.types:
            return round(self.keys * (1 + self.rewrite + self.delete))
        # A collection takes one to write, one to expire, and one to delete what it replaces.
        expiring = 1 - self.long_lived
        return round(self.keys * (1 + expiring + self.rewrite * (2 + expiring) + self.delete))


class LiveSet:
    """Payload (key bytes + value bytes) of the keys that were set, not deleted, and not expired by the
    client's clock.

    O(1) a change; the memory is 8 bytes a key and 16 a millisecond of the run.
    """

    def __init__(self, keys: int) -> None:
        self.bytes = 0
        self.keys = 0
        self.keys_with_ttl = 0
        self._payload = array("I", bytes(4 * keys))
        self._deadline = array("i", [NEVER]) * keys
        self._bytes_due = array("q", [0])
        self._keys_due = array("q", [0])
        self._now_ms = 0

    @property
    def last_deadline_ms(self) -> int:
        """No key has a deadline after this moment."""
        return len(self._keys_due) - 1

    def is_live(self, key: int) -> bool:
        deadline = self._deadline[key]
        return deadline == FOREVER or deadline > self._now_ms

    def has_ttl(self, key: int) -> bool:
        """Whether `key` was last written with a TTL; true too for a key never written or deleted."""
        return self._deadline[key] != FOREVER

    def payload(self, key: int) -> int:
        """The payload of a live key."""
        return self._payload[key]

    def live_keys(self) -> list[int]:
        """The live keys. O(keys)."""
        return [key for key in range(len(self._deadline)) if self.is_live(key)]

    def put(self, key: int, payload_bytes: int, deadline_ms: int) -> None:
        """`key` now holds `payload_bytes` until `deadline_ms` (FOREVER: no TTL), whatever it held before.

        REQUIRED: the deadline lies after the last `advance`.
        """
        self.drop(key)
        self._payload[key] = payload_bytes
        self._deadline[key] = deadline_ms
        self.bytes += payload_bytes
        self.keys += 1
        if deadline_ms != FOREVER:
            self.keys_with_ttl += 1
            missing = deadline_ms + 1 - len(self._keys_due)
            if missing > 0:
                self._bytes_due.frombytes(bytes(8 * missing))
                self._keys_due.frombytes(bytes(8 * missing))
            self._bytes_due[deadline_ms] += payload_bytes
            self._keys_due[deadline_ms] += 1

    def drop(self, key: int) -> None:
        """`key` is deleted; nothing happens when it is not live."""
        deadline = self._deadline[key]
        if deadline == FOREVER:
            pass
        elif deadline > self._now_ms:
            self.keys_with_ttl -= 1
            self._bytes_due[deadline] -= self._payload[key]
            self._keys_due[deadline] -= 1
        else:
            return
        self._deadline[key] = NEVER
        self.bytes -= self._payload[key]
        self.keys -= 1

    def advance(self, now_ms: int) -> None:
        """Expire every key whose deadline is `now_ms` or earlier."""
        first = self._now_ms + 1
        last = min(now_ms, self.last_deadline_ms)
        if first <= last:
            keys = sum(self._keys_due[first : last + 1])
            self.keys -= keys
            self.keys_with_ttl -= keys
            self.bytes -= sum(self._bytes_due[first : last + 1])
        self._now_ms = max(self._now_ms, now_ms)


class Workload:
    """The commands of a plan, in order, batch by batch; `live` follows them."""

    def __init__(self, plan: WavePlan) -> None:
        self.plan = plan
        self.live = LiveSet(plan.keys)
        self.keys_written = 0
        """New keys so far; a wave is fully loaded when its last one is written."""
        self._random = Random(plan.seed)
        ttls = [b"%d" % ttl for ttl in range(plan.ttl_ms_min, plan.ttl_ms_max + 1)]
        self._ttls = [b"$%d\r\n%b\r\n" % (len(ttl), ttl) for ttl in ttls]
        self._wave = -1
        self._recent = 0
        self._wave_end = 0
        self._payloads = range(0)
        """What a key of the wave may come to, its own bytes included."""
        self._tails: list[bytes] = []
        self._tails_forever: list[bytes] = []
        self._filler = self._random.randbytes(round(max(plan.value_bytes) * (1 + plan.spread)))

    @property
    def done(self) -> bool:
        return self.keys_written >= self.plan.keys

    @property
    def waves_loaded(self) -> int:
        """How many waves are written completely."""
        return self.plan.waves if self.done else max(0, self._wave)

    def _next_wave(self) -> None:
        self._wave += 1
        self._recent = self.plan.first_key(max(0, self._wave - 1))
        self._wave_end = self.plan.first_key(self._wave + 1)
        self._lay_out(self.plan.sizes(self._wave))

    def _lay_out(self, sizes: range) -> None:
        """Prepare to write values of these sizes."""
        self._payloads = range(KEY_BYTES + sizes.start, KEY_BYTES + sizes.stop)
        self._tails = [b"\r\n$%d\r\n%b\r\n$2\r\nPX\r\n" % (size, self._filler[:size]) for size in sizes]
        self._tails_forever = [b"\r\n$%d\r\n%b\r\n" % (size, self._filler[:size]) for size in sizes]

    def batch(self, count: int, now_ms: int) -> tuple[bytes, int]:
        """RESP of the next commands, `count` of them or what is left, sent at `now_ms`; and how many they
        are.

        About 1.5 us a command. Rewrites and deletions pick a key of this wave or the one before.
        """
        live = self.live
        live.advance(now_ms)
        random = self._random.random
        new_share = 1 / (1 + self.plan.rewrite + self.plan.delete)
        rewrite_share = new_share * (1 + self.plan.rewrite)
        ttl_first = now_ms + self.plan.ttl_ms_min
        parts: list[bytes] = []
        commands = 0
        while commands < count and not self.done:
            if self.keys_written >= self._wave_end:
                self._next_wave()
            what = random()
            if what < new_share or self.keys_written == self._recent:
                key = self.keys_written
                self.keys_written += 1
                forever = random() < self.plan.long_lived
            else:
                key = self._recent + int(random() * (self.keys_written - self._recent))
                forever = not live.has_ttl(key)
                if what >= rewrite_share:
                    if forever:
                        continue
                    live.drop(key)
                    parts += (_DEL, _KEY_FORMAT % key, b"\r\n")
                    commands += 1
                    continue
            size = int(random() * len(self._payloads))
            ttl = -1 if forever else int(random() * len(self._ttls))
            live.put(key, self._payloads[size], FOREVER if forever else ttl_first + ttl)
            commands += self._write(parts, key, size, ttl, what >= new_share)
        return b"".join(parts), commands

    def _write(self, parts: list[bytes], key: int, size: int, ttl: int, again: bool) -> int:
        """Append what writes a key: the size and the TTL (-1: none) by their place in the wave's. How many
        commands."""
        if ttl < 0:
            parts += (_SET_FOREVER, _KEY_FORMAT % key, self._tails_forever[size])
        else:
            parts += (_SET, _KEY_FORMAT % key, self._tails[size], self._ttls[ttl])
        return 1

    def survivors(self) -> Iterator[tuple[bytes, int]]:
        """Goes through the whole plan at once; then RESP that writes what is left of it afresh, in parts, and
        how many commands each part has. REQUIRED: no batch was taken."""
        while not self.done:
            self.batch(_SURVIVORS_STEP, 0)
        keys = [key for key in self.live.live_keys() if not self.live.has_ttl(key)]
        for first in range(0, len(keys), _SURVIVORS_STEP):
            parts: list[bytes] = []
            for key in keys[first : first + _SURVIVORS_STEP]:
                size = self.live.payload(key) - KEY_BYTES
                self._lay_out(range(size, size + 1))
                self._write(parts, key, 0, -1, False)
            yield b"".join(parts), len(keys[first : first + _SURVIVORS_STEP])


def unlink(keys: list[int]) -> bytes:
    """RESP of one UNLINK of `keys`."""
    head = b"*%d\r\n$6\r\nUNLINK\r\n" % (len(keys) + 1)
    return head + b"".join(b"$16\r\n%b\r\n" % (_KEY_FORMAT % key) for key in keys)
