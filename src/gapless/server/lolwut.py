"""LOLWUT: a wall of records laid without a gap, and the version."""

from __future__ import annotations

from gapless.commands.replies import CommandError, Verbatim
from gapless.server.info import REDIS_VERSION
from gapless.version import VERSION

TYPE_CHECKING = False
if TYPE_CHECKING:
    from random import Random

    from gapless.commands.context import Context

COLUMNS, ROWS = 66, 8
COLUMNS_MAX, ROWS_MAX = 1000, 1000
STONES = "░▒▓█"
STONE_MAX = 12


def wall(columns: int, rows: int, random: Random) -> str:
    """Stones of random length fill every row; neighbours differ in shade."""
    lines = []
    for _ in range(rows):
        row = ""
        last = ""
        while len(row) < columns:
            last = random.choice(STONES.replace(last, "") if last else STONES)
            row += last * min(random.randint(1, STONE_MAX), columns - len(row))
        lines.append(row)
    return "\n".join(lines)


def lolwut(ctx: Context, args: list[bytes]) -> object:
    """LOLWUT [VERSION version] [columns [rows]]"""
    numbers = args[1:]
    if len(numbers) > 1 and numbers[0].upper() == b"VERSION":
        _number(numbers[1])
        numbers = numbers[2:]
    elif numbers and not numbers[0].lstrip(b"-").isdigit():
        numbers = []
    columns, rows = COLUMNS, ROWS
    if numbers:
        columns = min(max(_number(numbers[0]), 1), COLUMNS_MAX)
    if len(numbers) > 1:
        rows = min(max(_number(numbers[1]), 1), ROWS_MAX)
    from random import Random

    text = wall(columns, rows, Random())
    return Verbatim(f"{text}\n\nNo gaps. gapless {VERSION}, Redis ver. {REDIS_VERSION}\n")


def _number(word: bytes) -> int:
    try:
        return int(word)
    except ValueError:
        raise CommandError("ERR value is not an integer or out of range") from None
