"""The kinds of values options have: from words to a value, from a value to text.

A kind's `parse` takes the words after the option's name and raises ValueError with Redis's own text.
"""

from __future__ import annotations

LLONG_MAX = 2**63 - 1
INT_MAX = 2**31 - 1
WRONG_NUMBER = "wrong number of arguments"
UNITS = {
    "": 1, "b": 1, "k": 1000, "kb": 1 << 10, "m": 1000**2, "mb": 1 << 20, "g": 1000**3, "gb": 1 << 30,
}  # fmt: skip


def parse_memory(text: str) -> int | None:
    """Bytes of `100`, `64kb` (1024), `1g` (10^9)...; None when it is no memory value."""
    digits = text.rstrip("bBkKmMgG")
    factor = UNITS.get(text[len(digits) :].lower())
    if factor is None or not ((digits.isascii() and digits.isdigit()) or text == ""):
        return None
    value = int(digits or 0) * factor
    return value if value < 2**64 else None


def show_memory(value: int) -> str:
    """As CONFIG REWRITE writes it: in the largest unit that divides it."""
    for unit in ("gb", "mb", "kb"):
        if value and value % UNITS[unit] == 0:
            return f"{value // UNITS[unit]}{unit}"
    return str(value)


def quoted(text: str) -> str:
    """Between double quotes, so that the parser of redis.conf reads it back."""
    out = []
    for byte in text.encode("utf-8", "surrogateescape"):
        char = chr(byte)
        if char in '\\"':
            out.append("\\" + char)
        elif 32 <= byte < 127:
            out.append(char)
        else:
            out.append(
                {"\n": "\\n", "\r": "\\r", "\t": "\\t", "\a": "\\a", "\b": "\\b"}.get(char, f"\\x{byte:02x}")
            )
    return '"' + "".join(out) + '"'


class Kind:
    """`multiple`: takes several words, which CONFIG SET gives as one argument with spaces."""

    multiple = False

    def parse(self, words: list[str], old: object) -> object:
        """The value these words stand for; `old` is the present one. ValueError says what is wrong."""
        raise NotImplementedError

    def show(self, value: object) -> str:
        """As CONFIG GET answers it."""
        return str(value)

    def lines(self, value: object) -> list[str]:
        """As CONFIG REWRITE writes it, a line each, without the option's name."""
        return [self.show(value)]


class Bool(Kind):
    def parse(self, words: list[str], old: object) -> object:
        word = words[0].lower()
        if word not in ("yes", "no"):
            raise ValueError("argument must be 'yes' or 'no'")
        return word == "yes"

    def show(self, value: object) -> str:
        return "yes" if value else "no"


class Enum(Kind):
    def __init__(self, *names: str) -> None:
        self.names = names

    def parse(self, words: list[str], old: object) -> object:
        word = words[0].lower()
        if word not in self.names:
            raise ValueError("argument(s) must be one of the following: " + ", ".join(self.names))
        return word


class Flags(Enum):
    """Several names at once, shown in the order of the table; the first stands for none of the others."""

    multiple = True

    def parse(self, words: list[str], old: object) -> object:
        found = {str(super(Flags, self).parse([word], old)) for word in words}
        return " ".join(name for name in self.names if name in found) or self.names[0]


class Int(Kind):
    def __init__(self, low: int, high: int) -> None:
        self.low = low
        self.high = high

    def parse(self, words: list[str], old: object) -> object:
        return self.checked(self.number(words[0]))

    def number(self, word: str) -> int:
        """The number a word is."""
        digits = word[1:] if word.startswith("-") else word
        if (
            not (digits.isascii() and digits.isdigit())
            or str(int(word)) != word
            or abs(int(word)) > LLONG_MAX
        ):
            raise ValueError("argument couldn't be parsed into an integer")
        return int(word)

    def checked(self, value: int) -> int:
        """The number itself when it is in range."""
        if not self.low <= value <= self.high:
            raise ValueError(f"argument must be between {self.low} and {self.high} inclusive")
        return value


class Clamped(Int):
    """Out of range becomes the nearest that is in range."""

    def checked(self, value: int) -> int:
        """The nearest number in range."""
        return min(max(value, self.low), self.high)


class Octal(Int):
    def number(self, word: str) -> int:
        """The number a word is in base 8."""
        try:
            return int(word, 8)
        except ValueError:
            raise ValueError("argument couldn't be parsed as an octal number") from None

    def show(self, value: object) -> str:
        assert isinstance(value, int)
        return f"{value:o}"


class Memory(Int):
    def number(self, word: str) -> int:
        """Bytes."""
        value = parse_memory(word)
        if value is None:
            raise ValueError("argument must be a memory value")
        if value > LLONG_MAX:
            raise ValueError(f"argument must be greater or equal to {self.low}")
        return value

    def lines(self, value: object) -> list[str]:
        assert isinstance(value, int)
        return [show_memory(value)]


class MemoryOrPercent(Memory):
    """A share of maxmemory is kept as a negative number."""

    def number(self, word: str) -> int:
        """Bytes, or a percentage negated."""
        if word.endswith("%") and word[:-1].isascii() and word[:-1].isdigit():
            if int(word[:-1]) > 100:
                raise ValueError("percentage argument must be less or equal to 100")
            return -int(word[:-1])
        if parse_memory(word) is None:
            raise ValueError("argument must be a memory or percent value")
        return super().number(word)

    def checked(self, value: int) -> int:
        """The number itself: `number` has judged it."""
        return value

    def show(self, value: object) -> str:
        assert isinstance(value, int)
        return f"{-value}%" if value < 0 else str(value)

    def lines(self, value: object) -> list[str]:
        assert isinstance(value, int)
        return [self.show(value) if value < 0 else show_memory(value)]


class Text(Kind):
    def parse(self, words: list[str], old: object) -> object:
        return words[0]

    def lines(self, value: object) -> list[str]:
        return [quoted(str(value))]


class FileName(Text):
    """The name of a file in the working directory, not a path to one."""

    def __init__(self, option: str) -> None:
        self.option = option

    def parse(self, words: list[str], old: object) -> object:
        if "/" in words[0]:
            raise ValueError(f"{self.option} can't be a path, just a filename")
        return words[0]


class Words(Kind):
    """Any number of words, up to `most`."""

    multiple = True

    def __init__(self, most: int = INT_MAX) -> None:
        self.most = most

    def parse(self, words: list[str], old: object) -> object:
        words = [word for word in words if word]
        if len(words) > self.most:
            raise ValueError(WRONG_NUMBER)
        return " ".join(words)


class Numbers(Kind):
    """Exactly `count` whole numbers."""

    multiple = True

    def __init__(self, count: int) -> None:
        self.count = count

    def parse(self, words: list[str], old: object) -> object:
        if len(words) != self.count:
            raise ValueError(WRONG_NUMBER)
        number = Int(-2000, 2000)
        return " ".join(str(number.parse([word], old)) for word in words)


class SavePoints(Kind):
    """Pairs of seconds and changes; a line of redis.conf adds to those before it, `""` takes all away."""

    multiple = True

    def parse(self, words: list[str], old: object) -> object:
        words = [word for word in words if word]
        if len(words) % 2 or not all(word.isascii() and word.isdigit() for word in words) or not all(map(int, words[::2])):
            raise ValueError("Invalid save parameters")
        return " ".join(words)

    def lines(self, value: object) -> list[str]:
        words = str(value).split()
        return [f"{words[i]} {words[i + 1]}" for i in range(0, len(words), 2)] or ['""']


class Percentiles(Kind):
    multiple = True

    def parse(self, words: list[str], old: object) -> object:
        values = []
        for word in words:
            if not word:
                continue
            try:
                values.append(float(word))
            except ValueError:
                raise ValueError("Invalid latency-tracking-info-percentiles parameters") from None
            if not 0.0 <= values[-1] <= 100.0:
                raise ValueError(
                    "latency-tracking-info-percentiles parameters should sit between [0.0,100.0]"
                )
        return " ".join(f"{value:.17g}" if f"{value:g}" != repr(value).removesuffix(".0") else f"{value:g}"
                        for value in values)  # fmt: skip


class BufferLimits(Kind):
    """Hard limit, soft limit and its seconds of each class of clients: classes not named keep theirs."""

    multiple = True
    CLASSES = ("normal", "slave", "pubsub")

    def parse(self, words: list[str], old: object) -> object:
        assert isinstance(old, tuple)
        limits = list(old)
        if not words or len(words) % 4:
            raise ValueError("Wrong number of arguments in buffer limit configuration.")
        for at in range(0, len(words), 4):
            name = words[at].lower()
            name = "slave" if name == "replica" else name
            if name not in self.CLASSES:
                raise ValueError("Invalid client class specified in buffer limit configuration.")
            hard, soft = parse_memory(words[at + 1]), parse_memory(words[at + 2])
            seconds = words[at + 3]
            if hard is None or soft is None or not (seconds.isascii() and seconds.isdigit()):
                raise ValueError("Error in hard, soft or soft_seconds setting in buffer limit configuration.")
            limits[self.CLASSES.index(name)] = (hard, soft, int(seconds))
        return tuple(limits)

    def show(self, value: object) -> str:
        assert isinstance(value, tuple)
        return " ".join(f"{name} {h} {s} {t}" for name, (h, s, t) in zip(self.CLASSES, value, strict=True))

    def lines(self, value: object) -> list[str]:
        assert isinstance(value, tuple)
        return [
            f"{name} {show_memory(h)} {show_memory(s)} {t}"
            for name, (h, s, t) in zip(self.CLASSES, value, strict=True)
        ]


class Events(Kind):
    """Classes of keyspace events, in Redis's letters."""

    _ALL = "g$lshzxetd"
    _BESIDE_ALL = "noc"  # not in "A", nor shown beside it
    _ORDER = _ALL + _BESIDE_ALL + "KEm"

    def parse(self, words: list[str], old: object) -> object:
        if any(char not in self._ORDER + "A" for char in words[0]):
            raise ValueError("Invalid event class character. Use 'Ag$lshzxeKEtmdn'.")
        chars = set(words[0])
        every = "A" in chars or set(self._ALL) <= chars
        if every:
            chars -= set(self._ALL + self._BESIDE_ALL)
        return ("A" if every else "") + "".join(char for char in self._ORDER if char in chars)

    def lines(self, value: object) -> list[str]:
        return [quoted(str(value))]
