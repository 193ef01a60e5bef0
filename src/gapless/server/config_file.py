"""Where options come from: lines of a redis.conf, with quotes and includes, and words of a command line."""

from __future__ import annotations

import sys

INCLUDES_DEEP_MAX = 16
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", "b": "\b", "a": "\a"}


class ConfigError(Exception):
    """A configuration that can't be used; the text names file and line."""


class Line:
    """An option with its words, and where it stands."""

    __slots__ = ("source", "text", "words")

    def __init__(self, source: str, text: str, words: list[str]) -> None:
        self.source = source
        self.text = text
        self.words = words

    def error(self, reason: str) -> ConfigError:
        """What is wrong with it, for the operator."""
        return ConfigError(f"Reading {self.source}\n>>> '{self.text}'\n{reason}")


def split_words(text: str) -> list[str] | None:
    """The words of a line, quotes taken off; None when a quote is not closed or something sticks to it.

    Between double quotes \\xHH, \\n, \\r, \\t, \\b, \\a are understood, between single ones \\'.
    """
    words: list[str] = []
    at, end = 0, len(text)
    while True:
        while at < end and text[at].isspace():
            at += 1
        if at == end:
            return words
        word = bytearray()
        while at < end and not text[at].isspace():
            quote = text[at]
            if quote not in "\"'":
                word += quote.encode("utf-8", "surrogateescape")
                at += 1
                continue
            closed = _quoted(text, at + 1, quote, word)
            if closed is None or (closed < end and not text[closed].isspace()):
                return None
            at = closed
        words.append(word.decode("utf-8", "surrogateescape"))


def _quoted(text: str, at: int, quote: str, word: bytearray) -> int | None:
    """Reads on to the closing quote; the position after it, or None."""
    end = len(text)
    while at < end:
        char = text[at]
        if char == quote:
            return at + 1
        if char == "\\" and at + 1 < end and (quote == '"' or text[at + 1] == "'"):
            char = text[at + 1]
            at += 2
            if quote == '"' and char == "x" and _is_hex(text[at : at + 2]):
                word.append(int(text[at : at + 2], 16))
                at += 2
                continue
            if quote == '"':
                char = _ESCAPES.get(char, char)
        else:
            at += 1
        word += char.encode("utf-8", "surrogateescape")
    return None


def _is_hex(text: str) -> bool:
    return len(text) == 2 and all(char in "0123456789abcdefABCDEF" for char in text)


def read_lines(path: str, deep: int = 0) -> list[Line]:
    """The lines of a file that say something, included files in their places; `-`: standard input."""
    try:
        if path == "-":
            text = sys.stdin.read()
        else:
            with open(path, encoding="utf-8", errors="surrogateescape") as file:
                text = file.read()
    except OSError as error:
        raise ConfigError(f"Fatal error, can't open config file '{path}': {error.strerror}") from None
    lines: list[Line] = []
    name = "standard input" if path == "-" else path
    for number, raw in enumerate(text.split("\n"), 1):
        stripped = raw.strip()
        if not stripped or stripped.startswith("#"):
            continue
        words = split_words(stripped)
        line = Line(f"the configuration file {name}, at line {number}", stripped, words or [])
        if words is None:
            raise line.error("Unbalanced quotes in configuration line")
        if words[0].lower() != "include":
            lines.append(line)
            continue
        if len(words) != 2:
            raise line.error("wrong number of arguments")
        if deep == INCLUDES_DEEP_MAX:
            raise line.error("files include each other")
        for included in _matching(words[1]):
            lines.extend(read_lines(included, deep + 1))
    return lines


def _matching(path: str) -> list[str]:
    import glob

    return sorted(glob.glob(path)) if glob.has_magic(path) else [path]


def read_arguments(argv: list[str]) -> tuple[str, list[Line]]:
    """The configuration file of a command line ("": none) and its options: `[file] [--option value ...] [-]`.

    Options of the command line come after those of the file, and win.
    """
    path = ""
    argv = list(argv)
    if argv and not argv[0].startswith("--"):
        path = argv.pop(0)
    elif argv and argv[-1] == "-":
        path = argv.pop()
    lines: list[Line] = []
    for word in argv:
        if word.startswith("--"):
            lines.append(Line("the command line", word, [word[2:]]))
        elif lines:
            lines[-1].words.append(word)
            lines[-1].text += f' "{word}"'
        else:
            raise Line("the command line", word, [word]).error("Bad directive or wrong number of arguments")
    return path, lines


def rewritten(text: str, options: dict[str, list[str]], names: dict[str, str]) -> str:
    """A file's text with options put into it: `options` has the lines of each.

    An option's lines stand where its first stood, the rest of them go; options that the file does not have
    yet come at its end. `names` leads from every name of an option to the one in `options`. All else stays.
    """
    mark = "# Generated by CONFIG REWRITE"
    out: list[str] = []
    done: set[str] = set()
    for raw in text.removesuffix("\n").split("\n") if text else []:
        words = split_words(raw.strip()) or [""]
        name = names.get(words[0].lower(), "")
        if raw.startswith("#") or name not in options:
            out.append(raw)
        elif name not in done:
            done.add(name)
            out.extend(options[name])
    missing = [line for name, lines in options.items() if name not in done for line in lines]
    if missing and mark not in out:
        out.append(mark)
    return "\n".join(out + missing) + "\n"
