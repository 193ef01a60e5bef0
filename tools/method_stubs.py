"""Writes src/gapless/methods.pyi: what type checkers know of the methods that a store has from redis-py.

    python tools/method_stubs.py > src/gapless/methods.pyi

Signatures are redis-py's, read from its source; types are narrowed to what a store takes and returns: bytes,
never str, and no awaitables.
"""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterator

import redis
from redis.commands import core

from gapless.engine.store_core import StoreCore
from gapless.store import Store

CLASSES = {
    *("BasicKeyCommands", "ScanCommands", "HashCommands", "SetCommands", "SortedSetCommands", "ListCommands"),
    *("StreamCommands", "HyperlogCommands", "GeoCommands"),
}
FURTHER = {"object", "wait", "waitaof"}
# Of Redis 8.4 and later; of transactions; Store's own.
LEFT_OUT = re.compile(
    r"digest|delex|increx|.*movem|msetex|stralgo|himport|(sdiff|sunion)card|xcfgset|xnack|(un)?watch|keys$|scan_iter"
)
WIDTH = 110

TEXT, VALUE = "_Text", "_Value"
ARGUMENTS = {
    **dict.fromkeys(("KeyT", "PatternT", "GroupT", "ConsumerT", "AnyKeyT"), TEXT),
    **dict.fromkeys(("EncodableT", "FieldT"), VALUE),
    "StreamIdT": "_StreamId",
    "ExpiryT": "int | timedelta",
    "AbsExpiryT": "int | datetime",
    "BitfieldOffsetT": "int | str",
    "ZScoreBoundT": "float | str",
    **dict.fromkeys(("Number", "TimeoutSecT"), "float"),
    "KeysT": f"{TEXT} | Iterable[{TEXT}]",
    "HashDataPersistOptions": "Any",
    "type": "Callable[[Any], Any]",
    "str": TEXT,
}
RESULTS = {
    "bytes | str": "bytes",
    "str | bytes": "bytes",
    "Literal[0] | Literal[1]": "int",
    "ScanResponse": "tuple[int, list[bytes]]",
    "HScanResponse": "tuple[int, dict[bytes, bytes]]",
    "ZScanResponse": "tuple[int, list[tuple[bytes, float]]]",
    "StreamRangeResponse": "list[tuple[bytes, dict[bytes, bytes]]]",
    "GeoCoordinate": "tuple[float, float]",
    "BlockingListPopResponse": "tuple[bytes, bytes] | None",
    "BlockingZSetPopResponse": "tuple[bytes, bytes, float] | None",
    "ZSetRangeResponse": "list[Any]",
    "XPendingRangeResponse": "list[dict[str, Any]]",
}
ITERATORS = {"hscan_iter": "tuple[bytes, bytes]", "sscan_iter": "bytes", "zscan_iter": "tuple[bytes, float]"}

HEAD = f'''\
# Made by tools/method_stubs.py from redis-py {redis.__version__}.
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any, Literal

from redis.commands.core import BitFieldOperation

_Text = bytes | str
_Value = bytes | str | int | float | bytearray | memoryview
_StreamId = int | bytes | str

GROUPS: frozenset[str]

def command_of(name: str) -> str: ...
def redis_py_methods() -> dict[str, Callable[..., Any]]: ...

class Methods(ABC):
    @abstractmethod
    def execute(self, *args: Any) -> Any: ...
    def execute_command(self, *args: Any, **options: Any) -> Any: ...
    def keys(self, pattern: bytes | str = ..., **kwargs: Any) -> list[bytes]: ...'''


class Narrow(ast.NodeTransformer):
    """An argument's type as a store has it."""

    def visit_Name(self, node: ast.Name) -> ast.expr:
        return ast.parse(ARGUMENTS.get(node.id, node.id), mode="eval").body

    def visit_Subscript(self, node: ast.Subscript) -> ast.expr:
        if ast.unparse(node.value) == "Literal":
            return node
        parts = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
        inner = [ast.unparse(self.visit(part)) for part in parts]
        name = ast.unparse(node.value)
        if name in ("Union", "Optional"):
            text = " | ".join(inner) + (" | None" if name == "Optional" else "")
        elif name in ("Dict", "Mapping"):
            text = f"Mapping[Any, {inner[1]}]"
        elif name in ("List", "Sequence", "Tuple", "list"):
            text = f"Iterable[{inner[0]}]"
        else:
            text = f"{name}[{', '.join(inner)}]"
        return ast.parse(text, mode="eval").body


def argument(arg: ast.arg, default: ast.expr | None, stars: str = "") -> str:
    kind = "Any" if arg.annotation is None else ast.unparse(Narrow().visit(arg.annotation))
    kind = {"list": "Iterable[Any]", "List": "Iterable[Any]", "Iterable": "Iterable[Any]"}.get(kind, kind)
    kind = re.sub(r"\bCallable\b(?!\[)", "Callable[..., Any]", kind)
    return f"{stars}{arg.arg}: {kind}{' = ...' if default is not None else ''}"


def result(function: ast.FunctionDef) -> str:
    if function.name in ITERATORS:
        return f"Iterator[{ITERATORS[function.name]}]"
    text = "Any" if function.returns is None else ast.unparse(function.returns)
    text = re.sub(r" \| Awaitable\[.*\]$", "", text)
    for theirs, ours in RESULTS.items():
        text = re.sub(rf"(?<!\w){re.escape(theirs)}(?!\w)", ours, text)
    return "Any" if "Response" in text else text


def stub(function: ast.FunctionDef) -> str:
    args = function.args
    named = args.args[1:]
    defaults: list[ast.expr | None] = [None] * (len(named) - len(args.defaults)) + list(args.defaults)
    parts = [argument(arg, default) for arg, default in zip(named, defaults, strict=True)]
    if args.vararg:
        parts.append(argument(args.vararg, None, "*"))
    elif args.kwonlyargs:
        parts.append("*")
    parts += [argument(arg, default) for arg, default in zip(args.kwonlyargs, args.kw_defaults, strict=True)]
    if args.kwarg:
        parts.append(f"**{args.kwarg.arg}: Any")
    line = f"    def {function.name}(self, {', '.join(parts)}) -> {result(function)}: ..."
    if len(line) <= WIDTH:
        return line
    lines = "".join(f"        {part},\n" for part in ["self", *parts])
    return f"    def {function.name}(\n{lines}    ) -> {result(function)}: ..."


def wanted(function: ast.FunctionDef, owner: str) -> bool:
    return (
        (owner in CLASSES or function.name in FURTHER)
        and not function.name.startswith("_")
        and not LEFT_OUT.match(function.name)
        and not hasattr(StoreCore, function.name)
        and function.name not in vars(Store)
    )


def functions() -> Iterator[ast.FunctionDef]:
    """One of each name: the overload for synchronous clients, else what there is."""
    found: dict[str, ast.FunctionDef] = {}
    for owner in ast.parse(inspect.getsource(core)).body:
        if not isinstance(owner, ast.ClassDef) or owner.name.startswith("Async"):
            continue
        for function in owner.body:
            if isinstance(function, ast.FunctionDef) and wanted(function, owner.name):
                first = function.args.args[0].annotation
                if first is not None and ast.unparse(first) == "SyncClientProtocol":
                    found[function.name] = function
                elif first is None or "Async" not in ast.unparse(first):
                    found.setdefault(function.name, function)
    yield from found.values()


def main() -> None:
    print(HEAD)
    for function in functions():
        print(stub(function))


if __name__ == "__main__":
    main()
