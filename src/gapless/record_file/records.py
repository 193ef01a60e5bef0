"""`gapless.records()`: a file of JSON lines that every other tool reads, with an index of byte offsets."""

from __future__ import annotations

import contextlib
import itertools
import os
import secrets
import threading
import time
import warnings
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import orjson

from gapless.errors import ClosedError, GaplessError, RecordsWarning
from gapless.file_lock import WriterLock
from gapless.record_file.compaction import copy_live
from gapless.record_file.hint import Delete, Hint, HintError, Stamp, identity, write_hint
from gapless.record_file.offset_index import OffsetIndex, StaleIndexError, can_be_found, checksum, same
from gapless.record_file.source import Source

if TYPE_CHECKING:
    from types import TracebackType

Record = dict[str, Any]
Progress = Callable[[int, int], object]
Sync = Literal["always", "close", "never"]

SKIPPED_MAX = 1000
_BLOCK_BYTES = 1 << 19
_BATCH_BYTES = 1 << 20
_TAIL_BYTES = 64
_READ_AHEAD_RECORDS = 1024
_SETTLED_NS = 20_000_000
_GRACE_SECONDS = 0.002
_GRACE_TIMES = 5


class Skipped(NamedTuple):
    """A line that is no record."""

    line: int
    """Its number, counted from 1, when it was read."""
    offset: int
    why: str


class _Seen(NamedTuple):
    """The file as it was when it was last looked at."""

    device: int
    inode: int
    size: int
    mtime_ns: int

    @classmethod
    def of(cls, stat: os.stat_result) -> _Seen:
        return cls(stat.st_dev, stat.st_ino, stat.st_size, stat.st_mtime_ns)


def records(
    path: str | os.PathLike[str],
    key: str = "id",
    also: Iterable[str] = (),
    *,
    readonly: bool = False,
    sync: Sync = "close",
    progress: Progress | None = None,
) -> Records:
    """Open a JSON Lines file as records, one a line, found by `key` and by the fields in `also`.

    A writer makes the file if it is not there, cuts a torn last line, and is the only one; readers may be
    many. `sync` says when what was written is on the disk: after each call ("always"), at `sync()` and
    `close()` ("close"), or when the system likes ("never"). `progress(bytes_done, bytes_total)` is called
    while the index is built.

    O(1) with a hint file that is good, plus reading that; else one pass over the data. Raises LockedError
    when there is another writer, OSError as `open()` does, ValueError for wrong arguments.
    """
    return Records(path, key, also, readonly=readonly, sync=sync, progress=progress)


def hinted_fields(path: str | os.PathLike[str]) -> tuple[str, tuple[str, ...]] | None:
    """The key and the other fields that the hint file of `path` is for; None without one."""
    try:
        return Hint(f"{os.path.realpath(path)}.hint").fields
    except (OSError, HintError):
        return None


class Records:
    """See `gapless.records`. Safe from several threads; iterators see the file as it was when they began."""

    def __init__(
        self,
        path: str | os.PathLike[str],
        key: str,
        also: Iterable[str],
        *,
        readonly: bool,
        sync: Sync,
        progress: Progress | None,
    ) -> None:
        if isinstance(also, str):
            raise ValueError(f"also={also!r}: expected names of fields, as also=({also!r},)")
        if sync not in ("always", "close", "never"):
            raise ValueError(f"sync={sync!r}: expected 'always', 'close' or 'never'")
        self._path = os.path.realpath(path)
        self.name = os.fspath(path)
        self.key = key
        self.also = tuple(name for name in dict.fromkeys(also) if name != key)
        self.readonly = readonly
        self.skipped: list[Skipped] = []
        """The first SKIPPED_MAX lines that are no records."""
        self.skipped_count = 0
        self._skipped_before = 0
        self._sync = sync
        self._progress = progress
        self._hint_path = f"{self._path}.hint"
        self._thread = threading.RLock()
        self._pid = os.getpid()
        self._hint: Hint | None = None
        self._hint_seen: tuple[int, int] | None = None
        self._lock: WriterLock | None = None
        self._closed = False
        if not readonly:
            self._lock = WriterLock(f"{self._path}.lock", self.name)
            try:
                os.close(os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666))
                for left_over in (f"{self._path}.compact", f"{self._hint_path}.new"):
                    with contextlib.suppress(FileNotFoundError):
                        os.unlink(left_over)
                self._load()
            except BaseException:
                self._lock.release()
                raise
        else:
            self._load()

    # ---- opening

    def _load(self, trust_hint: bool = True, warn: bool = True) -> None:
        """Open what the path names now, and index it: with its hint where that is good, else from its first
        line."""
        self._source = Source(self._path, not self.readonly)
        self._open_hint()
        index = self._hinted() if trust_hint else None
        rebuilt = index is None or self._hint is None
        if index is not None:
            self._index, indexed = index, index.end
            try:
                self._scan(self._progress, warn)
            except StaleIndexError:
                index = None
        if index is None:
            rebuilt, indexed = True, 0
            self.skipped, self.skipped_count, self._skipped_before = [], 0, 0
            self._index = OffsetIndex(self.key, self.also, secrets.randbits(64))
            self._scan(self._progress, warn)
        end = self._index.end
        self._wants_hint = rebuilt or end - indexed > end // 8
        if not self.readonly:
            if self._seen.size > end:
                self._cut_torn_line()
            if self._wants_hint:
                self._write_hint()

    def _open_hint(self) -> None:
        self._hint, self._hint_seen = None, None
        try:
            self._hint = Hint(self._hint_path, not self.readonly)
            self._hint_seen = self._hint.identity
        except FileNotFoundError:
            return
        except HintError:
            self._hint_seen = identity(os.stat(self._hint_path))
            return
        self._hint.news()
        if self.readonly:
            return
        if self._hint.stamp[:2] == identity(self._source.stat()):
            for delete in self._hint.unsettled:
                self._finish(delete)
        if self._hint.torn:
            self._hint = None

    def _hinted(self) -> OffsetIndex | None:
        hint = self._hint
        if hint is None or hint.fields[0] != self.key or not set(self.also) <= set(hint.fields[1]):
            return None
        if not self.readonly and hint.fields[1] != self.also:
            return None
        if hint.disagreement(self._source):
            return None
        try:
            loaded = hint.load()
        except HintError:
            return None
        self.skipped = [Skipped(*each) for each in loaded.skipped]
        self.skipped_count = self._skipped_before = loaded.skipped_count
        # All of the log, from its first entry: the index in the file is older than what is settled.
        again = Hint(self._hint_path)
        if again.identity == hint.identity:
            for delete in again.news():
                _apply(loaded.index, delete)
        return loaded.index

    def _finish(self, delete: Delete) -> None:
        """Do what a writer that was killed had decided: make a deleted line blank, unless another is there
        now."""
        end = self._source.newline_after(delete.offset)
        if end < delete.offset + delete.size:
            return
        line = self._source.read(delete.offset, delete.size)
        if line.isspace() or checksum(line) == delete.checksum or not _is_record(line):
            self._blank(delete)

    def _scan(self, progress: Progress | None = None, warn: bool = True) -> None:
        """Index what lies behind the index's end."""
        index, source = self._index, self._source
        seen = _Seen.of(source.stat())
        if index.unterminated and source.read(index.end, 1).strip(b" \t\r\n"):
            raise StaleIndexError
        start, block, rest = index.end, _BLOCK_BYTES, b""
        while (position := index.end + len(rest)) < seen.size:
            data = source.read(position, min(block, seen.size - position))
            if not data:
                break  # cut short meanwhile: the next look tells
            data = rest + data if rest else data
            final = index.end + len(data) >= seen.size
            done = index.scan(data, final, source, self._skip)
            rest = data[done:] if done else data
            if not done:
                block *= 2
            if progress is not None:
                progress(index.end - start, seen.size - start)
            if final:
                break
        self._saw(seen)
        if warn:
            self._warn_of_skipped()
        self._skipped_before = self.skipped_count

    def _saw(self, seen: _Seen) -> None:
        self._seen = seen
        # A file changed twice within a tick of the kernel's clock has the same time: look again until it is
        # over.
        self._settled = time.time_ns() - seen.mtime_ns > _SETTLED_NS
        self._tail = self._last_bytes()

    def _last_bytes(self) -> bytes:
        start = max(0, self._index.end - _TAIL_BYTES)
        return self._source.read(start, self._index.end - start)

    def _skip(self, line: int, offset: int, why: str) -> None:
        self.skipped_count += 1
        if len(self.skipped) < SKIPPED_MAX:
            self.skipped.append(Skipped(line, offset, why))

    def _warn_of_skipped(self) -> None:
        new = self.skipped_count - self._skipped_before
        if not new:
            return
        named = self.skipped[self._skipped_before :][:3]
        told = "; ".join(f"line {each.line}: {each.why}" for each in named)
        more = f"; and {new - len(named)} more" if new > len(named) else ""
        lines = "1 line is no record and is" if new == 1 else f"{new} lines are no records and are"
        self._warn(f"{lines} skipped: {told}{more}")

    def _warn(self, text: str) -> None:
        warnings.warn(f"{self.name}: {text}", RecordsWarning, stacklevel=2)

    def _cut_torn_line(self) -> None:
        end, size = self._index.end, self._seen.size
        begin = self._source.read(end, 60).decode(errors="replace")
        self._source.cut(end)
        self._saw(_Seen.of(self._source.stat()))
        self._warn(
            f"the last line, {self._index.lines + 1}, was torn: {size - end} bytes are cut, "
            f"beginning with {begin!r}"
        )

    def _stamp(self) -> Stamp:
        # The time is of when it was looked at: what was changed in place since is not in the index.
        fingerprint = self._source.fingerprint(self._index.end)
        return Stamp(self._seen.device, self._seen.inode, self._index.end, self._seen.mtime_ns, fingerprint)

    def _write_hint(self) -> None:
        write_hint(self._hint_path, self._index, self._stamp(), self.skipped, self.skipped_count)
        self._wants_hint = False
        self._hint = Hint(self._hint_path, writable=not self.readonly)
        self._hint_seen = self._hint.identity

    # ---- following what others do

    def _refresh(self) -> None:
        """See what others did to the file since it was last looked at."""
        if self._closed:
            raise ClosedError(f"{self.name} was closed")
        stat, seen = os.stat(self._path), self._seen
        unchanged = (
            stat.st_mtime_ns == seen.mtime_ns
            and stat.st_size == seen.size
            and stat.st_ino == seen.inode
            and stat.st_dev == seen.device
        )
        if unchanged and (self._settled or not self.readonly):
            return
        if (stat.st_dev, stat.st_ino) != seen[:2] or stat.st_size < self._index.end:
            self._load()
            return
        try:
            self._follow(stat, unchanged)
        except StaleIndexError:
            self._load(trust_hint=False)

    def _follow(self, stat: os.stat_result, unchanged: bool) -> None:
        if self._hint_was_replaced():
            self._load()
            return
        explained = self._deletes_of_the_writer()
        if unchanged:
            self._settled = time.time_ns() - stat.st_mtime_ns > _SETTLED_NS
            return
        for _ in range(_GRACE_TIMES):
            if explained or stat.st_size != self._seen.size:
                break
            # The kernel sets the time before the size. And a writer logs a delete before it does it.
            time.sleep(_GRACE_SECONDS)
            stat = os.stat(self._path)
            explained = self._deletes_of_the_writer()
        if stat.st_size == self._seen.size and not explained:
            raise StaleIndexError
        if not explained and self._last_bytes() != self._tail:
            raise StaleIndexError
        self._scan()

    def _hint_was_replaced(self) -> bool:
        if not self.readonly:
            return False
        try:
            return identity(os.stat(self._hint_path)) != self._hint_seen
        except FileNotFoundError:
            return False

    def _deletes_of_the_writer(self) -> bool:
        """Take over what the writer logged; whether that was anything."""
        if not self.readonly or self._hint is None:
            return False
        news = self._hint.news()
        for delete in news:
            _apply(self._index, delete)
        return bool(news)

    # ---- reading

    def get(self, key: object, default: Any = None) -> Any:
        """The newest record of `key`, or `default`. O(1): a line read.

        Keys are equal by kind and worth: 1 and 1.0 are one key, "1" and True are others.
        """
        with self._thread:
            self._refresh()
            try:
                record = self._index.get(_as_stored(key), self._source)
            except StaleIndexError:
                self._load(trust_hint=False)
                record = self._index.get(_as_stored(key), self._source)
        return default if record is None else record

    def __contains__(self, key: object) -> bool:
        return self.get(key) is not None

    def find(self, field: str, value: object) -> Iterator[Record]:
        """The records whose `field` is `value`, in the order of the file. O(their number).

        Raises ValueError for a field without an index, TypeError for a value that is no string, number,
        boolean or None.
        """
        if field != self.key and field not in self.also:
            raise ValueError(f"{field!r} has no index: open the file with also=({field!r},)")
        value = _as_stored(value)
        if not can_be_found(value):
            raise TypeError(f"can't look for {type(value).__name__}: expected str, int, float, bool or None")
        if field == self.key:
            record = self.get(value)
            return iter(() if record is None else (record,))
        with self._thread:
            self._refresh()
            index, source = self._index, self._source
            offsets = [index.offset(number) for number in index.numbers_with(field, value)]
        return (
            record
            for record in _parsed(source.lines_at(offsets))
            if field in record and same(record[field], value)
        )

    def __iter__(self) -> Iterator[Record]:
        """All records, in the order of the file: what `append()` wrote last comes last."""
        with self._thread:
            self._refresh()
            index, source, stop = self._index, self._source, self._index.count

        def offsets() -> Iterator[int]:
            number = 0
            while number < stop:
                found, number = index.live_offsets(number, stop, _READ_AHEAD_RECORDS)
                yield from found

        return _parsed(source.lines_at(offsets()))

    def __len__(self) -> int:
        """How many keys there are. O(1)."""
        with self._thread:
            self._refresh()
            return self._index.live_count

    def stats(self) -> dict[str, Any]:
        """Counts and sizes: records, lines, bytes of the data and of the index."""
        with self._thread:
            self._refresh()
            index = self._index
            return {
                "records": index.live_count,
                "superseded": index.count - index.live_count,
                "skipped": self.skipped_count,
                "lines": index.lines + index.unterminated,
                "bytes": self._seen.size,
                "bytes_live": index.live_bytes,
                "index_bytes": index.memory(),
            }

    def check(self) -> str | None:
        """Walk the index and the lines it names; None, or what is wrong. O(n)."""
        with self._thread:
            self._refresh()
            if wrong := self._index.check():
                return wrong
            for record in self:
                if self.get(record.get(self.key)) != record:
                    return f"the record of {self.key} {record.get(self.key)!r} is not found by it"
            return None

    # ---- writing

    def append(self, record: Record) -> None:
        """Append a record; the newest of its key from now on. O(1).

        Raises ValueError when it has no usable key, TypeError when it is no dict or can't be written as JSON.
        When the disk is full it raises OSError and nothing is appended.
        """
        self.extend((record,))

    def extend(self, records: Iterable[Record]) -> int:
        """Append records, in writes of about 1 MiB, each followed by a sync if `sync` says so. Returns how
        many."""
        count = 0
        with self._thread:
            self._require_writer()
            batch: list[tuple[bytes, Record]] = []
            size = 0
            try:
                for record in records:
                    batch.append(self._line(record))
                    size += len(batch[-1][0])
                    count += 1
                    if size >= _BATCH_BYTES:
                        full, batch, size = batch, [], 0
                        self._append(full)
            finally:
                # What came before a record that is none is appended all the same, as with single calls.
                if batch:
                    self._append(batch)
        return count

    @staticmethod
    def can_hold(record: Record, key: str) -> bool:
        """Whether a record, as JSON has it, has a usable key: a string, number or boolean."""
        return record.get(key) is not None and can_be_found(record[key])

    def _line(self, record: Record) -> tuple[bytes, Record]:
        if not isinstance(record, dict):
            raise TypeError(f"a record is a dict, not {type(record).__name__}")
        try:
            line = orjson.dumps(record, option=orjson.OPT_APPEND_NEWLINE)
        except orjson.JSONEncodeError as error:
            raise TypeError(f"the record can't be written as JSON: {error}") from error
        # As every reader will see it: what JSON makes of dates, enums and NaN is what is indexed.
        stored: Record = orjson.loads(line)
        if self.key not in stored:
            raise ValueError(f"the record has no {self.key!r}")
        if not self.can_hold(stored, self.key):
            raise ValueError(f"the record's {self.key!r} is neither string, number nor boolean")
        return line, stored

    def _append(self, batch: list[tuple[bytes, Record]]) -> None:
        self._refresh()
        index, source = self._index, self._source
        # After a last line without a newline, whole or torn by somebody, comes one; the torn line is then
        # skipped.
        first = b"\n" if index.unterminated or self._seen.size > index.end else b""
        data = first + b"".join([line for line, _ in batch])
        try:
            start = source.append(data)
        except OSError:
            if (seen := _Seen.of(source.stat())).size == self._seen.size:
                self._saw(seen)  # nothing is left of it but the time of the change
            raise
        if start == index.end and not first:
            for line, record in batch:
                index.add(start, len(line), record, source)
                start += len(line)
            index.lines += len(batch)
            index.appended(start)
            stat = source.stat()
            self._saw(_Seen(stat.st_dev, stat.st_ino, start, stat.st_mtime_ns))
        else:
            self._scan()
        if self._sync == "always":
            source.sync()

    def delete(self, key: object) -> bool:
        """Delete a key: its lines become blanks, in place, for every reader. Returns whether it was there.

        O(its lines). Killed in the middle, the next writer finishes what was begun.
        """
        with self._thread:
            self._require_writer()
            self._refresh()
            key = _as_stored(key)
            numbers = self._index.numbers_of(key, self._source)
            # The newest last: killed in between, the key has the value that it had.
            for number in numbers:
                self._delete(number)
            return bool(numbers)

    def _delete(self, number: int) -> None:
        source, hint = self._source, self._hint
        assert hint is not None
        offset = self._index.offset(number)
        line = source.line_at(offset)
        end = source.newline_after(offset)
        # The line's own newline goes too, so that no blank line is left: the blanks lead the next record's
        # line. The last line joins the one before it.
        newline = end if end + 1 < source.stat().st_size else source.newline_before(offset)
        delete = Delete(offset, len(line), checksum(line), newline + 1)
        hint.log_delete(delete)
        if self._sync == "always":
            hint.sync()
        self._blank(delete)
        if self._sync == "always":
            source.sync()
        _apply(self._index, delete)
        stat = source.stat()
        self._saw(_Seen(stat.st_dev, stat.st_ino, self._seen.size, stat.st_mtime_ns))

    def _blank(self, delete: Delete) -> None:
        self._source.blank(delete.offset, delete.size)
        # Only now: a newline gone before its line is blank would make two records one line.
        if delete.newline:
            start = max(0, delete.newline - 2)
            ending = self._source.read(start, delete.newline - start)
            if ending.endswith(b"\n"):
                # With a carriage return alone it would still be a line's end to some.
                size = 2 if ending == b"\r\n" else 1
                self._source.blank(delete.newline - size, size)

    def compact(self) -> int:
        """Rewrite the file without superseded records and blanks; returns how many bytes that gave back.
        O(n).

        A new file, with the old one's mode and owner, takes its place when all of it is on the disk: killed
        at any moment, one or the other is there, whole. Lines that are no records are kept. A program that
        keeps the file open and appends to it goes on appending to the old one, as after a rotation of logs.
        """
        with self._thread:
            self._require_writer()
            self._refresh()
            before = self._source.stat().st_size
            copy_live(self._source, self._index, self._path, f"{self._path}.compact", self._progress)
            self._load(warn=False)
            return before - self._seen.size

    def sync(self) -> None:
        """Return when all that was written is on the disk."""
        with self._thread:
            self._require_writer()
            assert self._hint is not None
            self._hint.sync()
            self._source.sync()

    def _require_writer(self) -> None:
        if self._closed:
            raise ClosedError(f"{self.name} was closed")
        if self.readonly:
            raise ValueError(f"{self.name} was opened with readonly=True")
        if self._pid != os.getpid():
            raise ValueError(
                f"{self.name} was opened by process {self._pid}, before a fork: open it again in this "
                "process, after the other has closed it, or with readonly=True"
            )

    # ---- the end

    def leave_hint(self) -> bool:
        """Leave a hint for the next although this one only reads; returns whether a good one is there.

        Not while somebody writes, who leaves one himself, nor where nothing can be written.
        """
        with self._thread:
            self._refresh()
            if self._wants_hint:
                try:
                    lock = WriterLock(f"{self._path}.lock", self.name)
                except (GaplessError, OSError):
                    return False
                try:
                    self._write_hint()
                except OSError:
                    return False
                finally:
                    lock.release()
            return True

    def close(self) -> None:
        """Close it: sync as `sync` says, and leave a hint for the next. May be called again."""
        with self._thread:
            if self._closed:
                return
            try:
                if self._lock is not None and self._pid == os.getpid():
                    self._leave()
            finally:
                self._closed = True
                if self._lock is not None and self._pid == os.getpid():
                    self._lock.release()
                # Iterators keep what they read from; else files and memory go now.
                del self._source, self._index
                self._hint = None

    def _leave(self) -> None:
        with contextlib.suppress(FileNotFoundError):
            self._refresh()
        if self._sync != "never":
            self._source.sync()
        assert self._hint is not None
        if self._hint.torn:
            self._write_hint()
        elif self._hint.unsettled or self._hint.stamp.size != self._index.end:
            self._hint.log_stamp(self._stamp())

    def __enter__(self) -> Records:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        state = "closed" if self._closed else f"{self._index.live_count} records"
        return f"<gapless.Records {self.name!r}, {state}>"


def _apply(index: OffsetIndex, delete: Delete) -> None:
    number = index.number_at(delete.offset)
    if number >= 0:
        index.kill(number, delete.size + 1)
    if delete.newline and delete.newline <= index.end:
        index.lines -= 1


def _parsed(lines: Iterator[bytes]) -> Iterator[Record]:
    for line in lines:
        # A line deleted since the iteration began is blank.
        if line:
            with contextlib.suppress(orjson.JSONDecodeError):
                record = orjson.loads(line)
                if isinstance(record, dict):
                    yield record


def _is_record(line: bytes) -> bool:
    return next(_parsed(itertools.repeat(line, 1)), None) is not None


def _as_stored(value: object) -> object:
    # What JSON readers make of an integer of more than 64 bits.
    if type(value) is int and not -(1 << 63) <= value < 1 << 64:
        with contextlib.suppress(OverflowError):
            return float(value)
    return value
