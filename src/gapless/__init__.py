"""gapless: a key-value store whose memory does not fragment."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from gapless.pipeline import Pipeline as Pipeline
    from gapless.record_file.records import Records as Records
    from gapless.record_file.records import records as records
    from gapless.store import Store as Store
    from gapless.store import open as open  # noqa: A004

_STORE = {"Pipeline", "Store", "open"}
_RECORDS = {"Records", "records"}
_ERRORS = {
    "ClosedError",
    "DamagedError",
    "FormatError",
    "GaplessError",
    "JournalError",
    "JournalWarning",
    "LockedError",
    "OutOfMemoryError",
    "ReadOnlyError",
    "RecordsWarning",
    "ResponseError",
    "WrongTypeError",
}


def __getattr__(name: str) -> object:
    # At first use: the server and the command line don't hold what only an embedding program needs.
    if name in _STORE:
        from gapless import store

        return getattr(store, name)
    if name in _RECORDS:
        from gapless.record_file import records

        return getattr(records, name)
    if name in _ERRORS:
        from gapless import errors

        return getattr(errors, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
