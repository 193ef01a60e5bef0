"""redis-py's methods on a store: its own functions, which end in `execute_command`, and its own callbacks.

They come at the first use of one that is not compiled: redis-py takes a third of a second and 20 MB.
"""

from __future__ import annotations

import functools
import inspect
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from typing import Any, cast

from gapless.errors import ResponseError

GROUPS = frozenset(
    ("string", "bitmap", "generic", "hash", "set", "list", "sorted-set", "stream", "hyperloglog", "geo")
)
_NOT_FOR_CALLBACKS = ("EMPTY_RESPONSE", "NEVER_DECODE", "keys")
# redis-py's names that are not made of the command's.
_COMMANDS = {"delete": "del", "xpending_range": "xpending"}


def command_of(name: str) -> str:
    """The command that a method of redis-py's runs, as the table writes it."""
    if name.endswith("_ro"):
        return name
    return _COMMANDS.get(name) or name.removesuffix("_iter").replace("_", "|")


def _functions() -> list[tuple[str, Callable[..., Any]]]:
    import redis

    return inspect.getmembers(redis.Redis, inspect.isfunction)


@functools.cache
def redis_py_methods() -> dict[str, Callable[..., Any]]:
    """redis-py's methods for the commands of keys and values that there are, by name."""
    from gapless.commands.table import BY_NAME, look_up

    return {
        name: function
        for name, function in _functions()
        if look_up(command_of(name).encode()) and BY_NAME[command_of(name).partition("|")[0]].group in GROUPS
    }


@functools.cache
def _callbacks() -> dict[str, Callable[..., Any]]:
    import redis

    return dict(redis.Redis(protocol=2).response_callbacks)


class _Later:
    """Stands where a method of redis-py's will be; the first that is used brings them all.

    Not a `__getattr__`: a class that has one makes every look-up of an attribute 60 ns slower.
    """

    def __init__(self, name: str) -> None:
        self.name = name

    def __get__(self, store: Methods | None, owner: type[Methods]) -> Any:
        _bring_methods()
        return getattr(owner if store is None else store, self.name)


class Methods(ABC):
    """What is not compiled: one look-up for each key, what the command costs, and a microsecond of Python."""

    @abstractmethod
    def execute(self, *args: Any) -> Any:
        """Run a command. ResponseError when it is refused, TypeError for what is no argument."""

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *redis_py_methods()})

    def execute_command(self, *args: Any, **options: Any) -> Any:
        """Run a command as redis-py does: what its callback for the command makes of the reply."""
        try:
            reply = self.execute(*args[0].split(), *args[1:])
        except ResponseError:
            # What redis-py has instead of an error: options its own functions pass are in capitals.
            if "EMPTY_RESPONSE" in options:
                return options["EMPTY_RESPONSE"]
            raise
        callback = _callbacks().get(args[0])
        if callback is None:
            return reply
        for word in _NOT_FOR_CALLBACKS:
            options.pop(word, None)
        return callback(reply, **options)

    def keys(self, pattern: bytes | str = "*", **kwargs: Any) -> list[bytes]:
        """The keys that match a pattern, a list; O(keys)."""
        # Here because it is a mapping's method too, which would be found first.
        return cast("list[bytes]", self.execute("KEYS", pattern))


def _method_names() -> Iterator[str]:
    """What redis-py may call its methods for the commands there are."""
    from gapless.commands.table import COMMANDS

    for row in COMMANDS:
        if row.group in GROUPS:
            yield from (row.name, f"{row.name}_iter")
            yield from (each.name.replace("|", "_") for each in row.subcommands)
    yield from _COMMANDS


def _bring_methods() -> None:
    for name in _method_names():
        if isinstance(vars(Methods).get(name), _Later):
            delattr(Methods, name)
    for name, function in _functions():
        shared = re.match(r"_[a-z]", name) and function.__module__.startswith("redis.commands")
        if (shared or name in redis_py_methods()) and name not in vars(Methods):
            setattr(Methods, name, function)


for _name in _method_names():
    if _name not in vars(Methods):
        setattr(Methods, _name, _Later(_name))
