"""Commands queued by the methods of a store, to be run together."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, cast

from gapless.engine.store_commands import StoreCommands
from gapless.errors import ResponseError
from gapless.methods import redis_py_methods

if TYPE_CHECKING:
    from redis.commands.core import BitFieldOperation

    from gapless.store import Store

_NOT_QUEUED = {"execute", "scan_step"}


@functools.cache
def _can_be_queued(name: str) -> bool:
    if name.startswith("_") or name in _NOT_QUEUED or name.endswith("_iter"):
        return False
    return hasattr(StoreCommands, name) or name in redis_py_methods()


class Pipeline:
    """Every method of a store that is a command queues it; `execute()` runs them and returns their results.

    A context manager: what is queued and was not run is forgotten at its end. For one thread at a time.
    """

    def __init__(self, store: Store, transaction: bool) -> None:
        self._store = store
        self._transaction = transaction
        self._queue: list[tuple[str, tuple[Any, ...], dict[str, Any]]] = []

    def __len__(self) -> int:
        return len(self._queue)

    def __bool__(self) -> bool:
        return True

    def __enter__(self) -> Pipeline:
        return self

    def __exit__(self, *error: object) -> None:
        self.reset()

    def reset(self) -> None:
        """Forget what was queued."""
        self._queue.clear()

    def __getattr__(self, name: str) -> Callable[..., Pipeline]:
        if not _can_be_queued(name):
            raise AttributeError(f"a pipeline can't queue {name!r}: use execute_command(*args) for a command")

        def queue(*args: Any, **options: Any) -> Pipeline:
            self._queue.append((name, args, options))
            return self

        return queue

    def execute_command(self, *args: Any) -> Pipeline:
        """Queue any command, as `Store.execute` takes it."""
        self._queue.append(("execute", args, {}))
        return self

    def bitfield(self, key: bytes | str, default_overflow: str | None = None) -> BitFieldOperation:
        """redis-py's builder; its `execute()` queues."""
        from redis.commands.core import BitFieldOperation

        return BitFieldOperation(cast("Any", self), cast("Any", key), default_overflow)

    def execute(self, raise_on_error: bool = True) -> list[Any]:
        """Run what was queued, in order; the results.

        A command that is refused does not keep those after it from running. The first such error is raised at
        the end, or all stand among the results.
        """
        queue, self._queue = self._queue, []
        results: list[Any] = []

        def run() -> None:
            for number, (name, args, options) in enumerate(queue, 1):
                try:
                    results.append(getattr(self._store, name)(*args, **options))
                except ResponseError as error:
                    error.add_note(f"command {number} of the pipeline: {name}{args!r}")
                    results.append(error)

        if self._transaction:
            self._store.exclusively(run)
        else:
            run()
        if raise_on_error:
            for result in results:
                if isinstance(result, ResponseError):
                    raise result
        return results
