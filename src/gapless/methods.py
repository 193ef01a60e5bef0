"""redis-py's methods for the commands that are not compiled: the same names, arguments and results."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from redis.commands.core import BitFieldOperation

Text = bytes | str
Value = bytes | str | int | float | bytearray | memoryview


class Methods(ABC):
    """A call is a command: one look-up for each key and what the command costs. Errors: see `execute`."""

    @abstractmethod
    def execute(self, *args: Any) -> Any:
        """Run a command. ResponseError when it is refused, TypeError for what is no argument."""

    # ---- strings

    def incrbyfloat(self, name: Text, amount: float = 1.0) -> float:
        """Add to the number that the value is (0 when missing); the sum."""
        return float(self.execute("INCRBYFLOAT", name, amount))

    def getrange(self, key: Text, start: int, end: int) -> bytes:
        """A part of the value, both ends included; negative positions count from the end."""
        return cast("bytes", self.execute("GETRANGE", key, start, end))

    def substr(self, name: Text, start: int, end: int = -1) -> bytes:
        """The older name of `getrange`."""
        return cast("bytes", self.execute("SUBSTR", name, start, end))

    def getset(self, name: Text, value: Value) -> bytes | None:
        """Set the key, its TTL gone; the old value."""
        return cast("bytes | None", self.execute("GETSET", name, value))

    def getdel(self, name: Text) -> bytes | None:
        """Delete the key; the value it had."""
        return cast("bytes | None", self.execute("GETDEL", name))

    def getex(
        self,
        name: Text,
        ex: int | timedelta | None = None,
        px: int | timedelta | None = None,
        exat: int | datetime | None = None,
        pxat: int | datetime | None = None,
        persist: bool = False,
    ) -> bytes | None:
        """The value; the key gets another TTL, or none with `persist`."""
        times = (("EX", "PX", ex), ("PX", "PX", px), ("EXAT", "PXAT", exat), ("PXAT", "PXAT", pxat))
        options: list[Any] = []
        for word, word_ms, time in times:
            if isinstance(time, timedelta):
                options += [word_ms, round(time.total_seconds() * 1000)]
            elif isinstance(time, datetime):
                options += [word_ms, round(time.timestamp() * 1000)]
            elif time is not None:
                options += [word, time]
        return cast("bytes | None", self.execute("GETEX", name, *options, *_words(PERSIST=persist)))

    def msetnx(self, mapping: Mapping[Any, Value]) -> bool:
        """Set all keys of a mapping, or none when one of them is there; whether it did."""
        return bool(self.execute("MSETNX", *(part for pair in mapping.items() for part in pair)))

    def lcs(
        self,
        key1: Text,
        key2: Text,
        len: bool | None = False,
        idx: bool | None = False,
        minmatchlen: int | None = 0,
        withmatchlen: bool | None = False,
    ) -> Any:
        """What two values have in common, in order: the bytes, or their number, or where they lie."""
        options: list[Any] = _words(LEN=len, IDX=idx)
        if minmatchlen:
            options += ["MINMATCHLEN", minmatchlen]
        return self.execute("LCS", key1, key2, *options, *_words(WITHMATCHLEN=withmatchlen))

    # ---- bitmaps

    def setbit(self, name: Text, offset: int, value: int) -> int:
        """Set a bit; what it was."""
        return cast("int", self.execute("SETBIT", name, offset, int(value)))

    def getbit(self, name: Text, offset: int) -> int:
        """A bit; 0 beyond the end."""
        return cast("int", self.execute("GETBIT", name, offset))

    def bitcount(
        self, key: Text, start: int | None = None, end: int | None = None, mode: str | None = None
    ) -> int:
        """How many bits are set, between two bytes or (mode "BIT") bits."""
        return cast("int", self.execute("BITCOUNT", key, *_given(start, end, mode)))

    def bitop(self, operation: str, dest: Text, *keys: Text) -> int:
        """Combine values bit by bit (AND, OR, XOR, NOT, DIFF...) into `dest`; its length in bytes."""
        return cast("int", self.execute("BITOP", operation, dest, *keys))

    def bitpos(
        self, key: Text, bit: int, start: int | None = None, end: int | None = None, mode: str | None = None
    ) -> int:
        """Where the first such bit is; -1 when there is none."""
        return cast("int", self.execute("BITPOS", key, bit, *_given(start, end, mode)))

    def bitfield(self, key: Text, default_overflow: str | None = None) -> BitFieldOperation:
        """redis-py's builder: `bitfield(key).incrby("u8", 0, 1).get("u4", 8).execute()`."""
        return bit_field(self.execute, key, default_overflow)

    def bitfield_ro(
        self, key: Text, encoding: str, offset: int | str, items: list[tuple[str, int | str]] | None = None
    ) -> list[int]:
        """Integers of any width at any bit."""
        parts = [part for item in [(encoding, offset), *(items or [])] for part in ("GET", *item)]
        return cast("list[int]", self.execute("BITFIELD_RO", key, *parts))

    # ---- keys

    def keys(self, pattern: Text = "*") -> list[bytes]:
        """The keys that match a pattern; O(keys)."""
        return cast("list[bytes]", self.execute("KEYS", pattern))

    def scan(
        self,
        cursor: int = 0,
        match: Text | None = None,
        count: int | None = None,
        _type: str | None = None,
    ) -> tuple[int, list[bytes]]:
        """One step over the keys: the next cursor, 0 at the end, and some keys."""
        options: list[Any] = []
        for word, value in (("MATCH", match), ("COUNT", count), ("TYPE", _type)):
            if value is not None:
                options += [word, value]
        following, keys = self.execute("SCAN", cursor, *options)
        return int(following), keys

    def touch(self, *args: Text) -> int:
        """How many of the keys are there; they count as used."""
        return cast("int", self.execute("TOUCH", *args))

    def type(self, name: Text) -> bytes:
        """The type of the value; b"none" when missing."""
        return cast("bytes", self.execute("TYPE", name))

    def move(self, name: Text, db: int) -> bool:
        """Take the key to another database unless it is there; whether it did."""
        return bool(self.execute("MOVE", name, db))

    def dump(self, name: Text) -> bytes | None:
        """The value in RDB's format, for `restore` here or in a Redis."""
        return cast("bytes | None", self.execute("DUMP", name))

    def restore(
        self,
        name: Text,
        ttl: float,
        value: bytes,
        replace: bool = False,
        absttl: bool = False,
        idletime: int | None = None,
        frequency: int | None = None,
    ) -> bytes:
        """Make a key from a `dump`; `ttl` in ms, 0 for none, with `absttl` the time it expires."""
        options: list[Any] = _words(REPLACE=replace, ABSTTL=absttl)
        if idletime is not None:
            options += ["IDLETIME", idletime]
        if frequency is not None:
            options += ["FREQ", frequency]
        return cast("bytes", self.execute("RESTORE", name, ttl, value, *options))

    def object(self, infotype: str, key: Text) -> Any:
        """OBJECT ENCODING, FREQ, IDLETIME or REFCOUNT of a key."""
        return self.execute("OBJECT", infotype, key)

    def wait(self, num_replicas: int, timeout: int) -> int:
        """0 at once: there are no replicas yet."""
        return cast("int", self.execute("WAIT", num_replicas, timeout))

    def waitaof(self, num_local: int, num_replicas: int, timeout: int) -> list[int]:
        """[0, 0] at once: there are neither a journal nor replicas yet."""
        return cast("list[int]", self.execute("WAITAOF", num_local, num_replicas, timeout))


def bit_field(run: Callable[..., Any], key: Text, default_overflow: str | None) -> BitFieldOperation:
    """redis-py's builder of BITFIELD; what it has built goes to `run`."""
    from redis.commands.core import BitFieldOperation

    class Runner:
        execute_command = staticmethod(run)

    return BitFieldOperation(cast("Any", Runner), cast("Any", key), default_overflow)


def _words(**options: bool | None) -> list[Any]:
    return [word for word, on in options.items() if on]


def _given(*args: Any) -> list[Any]:
    return [arg for arg in args if arg is not None]
