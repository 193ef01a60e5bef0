"""The configuration: the value of every option, where it came from, how it changes."""

from __future__ import annotations

import os

from gapless.server.config_file import ConfigError, Line, read_arguments, read_lines, rewritten, split_words
from gapless.server.config_kinds import WRONG_NUMBER
from gapless.server.config_options import (
    BY_NAME,
    INERT,
    OBSOLETE_LINES,
    OPTIONS,
    REFUSED,
    REFUSED_LINES,
    Option,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from re import Pattern

REASON_REFUSED = "gapless does not have this, and to go on without it could cost data or safety"


class SetError(Exception):
    """CONFIG SET can't; the text is the whole error reply."""


class Config:
    """The values of all options.

    `warnings`: what the operator should hear. `path`: the configuration file, "" for none.
    """

    def __init__(self) -> None:
        self.values: dict[str, object] = {option.name: option.default for option in OPTIONS}
        self.warnings: list[str] = []
        self.path = ""
        self._save_given = False

    # ---- reading

    def load(self, argv: list[str]) -> None:
        """Take a command line and the file it names. ConfigError says what is wrong and where."""
        path, lines = read_arguments(argv)
        if path:
            self.path = path if path == "-" else os.path.abspath(path)
            lines = read_lines(self.path) + lines
        for line in lines:
            self._take(line)

    def _take(self, line: Line) -> None:
        name, words = line.words[0].lower(), line.words[1:]
        option = BY_NAME.get(name)
        if name in OBSOLETE_LINES and len(words) == 1:
            self._ignored(line)
            return
        if option is None:
            refused = name in REFUSED_LINES
            raise line.error(REASON_REFUSED if refused else "Bad directive or wrong number of arguments")
        if name in ("save", "bind") and not words:
            words = [""]
        if option.kind.multiple and len(words) == 1:
            # Several words may come as one, quoted.
            words = words[0].split() or words
        if not words or (len(words) > 1 and not option.kind.multiple):
            raise line.error(WRONG_NUMBER)
        try:
            value = option.kind.parse(words, self.values[option.name])
        except ValueError as error:
            raise line.error(str(error)) from None
        if name == "save":
            # Lines add up; the first takes the place of the default.
            if value and self._save_given and self.values["save"]:
                value = f"{self.values['save']} {value}"
            self._save_given = True
        if name == "replicaof" and value == "no one":
            value = ""
        if value != option.default and option.does == REFUSED:
            raise line.error(REASON_REFUSED)
        if value != option.default and option.does == INERT:
            self._ignored(line)
        self.values[option.name] = value

    def _ignored(self, line: Line) -> None:
        self.warnings.append(f"'{line.text}' ({line.source}) means nothing here and is ignored")

    # ---- values

    def number(self, name: str) -> int:
        """The value of an option that is a number: bytes, seconds... as redis.conf has it."""
        value = self.values[name]
        assert isinstance(value, int)
        return value

    def text(self, name: str) -> str:
        """The value of an option that is a word or text."""
        value = self.values[name]
        assert isinstance(value, str)
        return value

    def flag(self, name: str) -> bool:
        """The value of an option that is yes or no."""
        value = self.values[name]
        assert isinstance(value, bool)
        return value

    def output_limits(self) -> dict[str, tuple[int, int, int]]:
        """Hard bytes, soft bytes and seconds of each class of clients."""
        value = self.values["client-output-buffer-limit"]
        assert isinstance(value, tuple)
        return dict(zip(("normal", "replica", "pubsub"), value, strict=True))

    # ---- CONFIG GET, SET, REWRITE

    def get(self, name: str) -> str | None:
        """What CONFIG GET answers for one option, in any case; None for an unknown one."""
        option = BY_NAME.get(name.lower())
        return None if option is None else option.kind.show(self.values[option.name])

    def matching(self, pattern: Pattern[str]) -> dict[str, str]:
        """All options whose name matches, aliases included."""
        return {
            name: option.kind.show(self.values[option.name])
            for name, option in BY_NAME.items()
            if pattern.fullmatch(name)
        }

    def set(
        self, pairs: list[tuple[str, str]], apply: Callable[[set[str]], None], local: bool = True
    ) -> None:
        """Set options, all or none. `apply` makes those effective that changed; OptionError for one it can't.

        `local`: whether it is asked from this machine. SetError has the reply.
        """
        allowed = self.text("enable-protected-configs")
        new: dict[str, object] = {}
        options: list[tuple[Option, str, str]] = []
        seen: set[str] = set()
        for name, text in pairs:
            option = BY_NAME.get(name.lower())
            if option is None:
                shown = name.partition("\0")[0]
                raise SetError(f"ERR Unknown option or number of arguments for CONFIG SET - '{shown}'")
            if not option.mutable:
                raise _failed(name, "can't set immutable config")
            if option.protected and not (allowed == "yes" or (allowed == "local" and local)):
                raise _failed(name, "can't set protected config")
            if option.name in seen:
                raise _failed(name, "duplicate parameter")
            seen.add(option.name)
            # From here on Redis calls an option by its name in the table.
            options.append((option, name.lower(), text))
        for option, name, text in options:
            words = text.split() if option.kind.multiple else [text]
            try:
                value = option.kind.parse(words, self.values[option.name])
            except ValueError as error:
                raise _failed(name, str(error)) from None
            if option.does == REFUSED and value != option.default:
                raise _failed(name, REASON_REFUSED)
            if value != self.values[option.name]:
                new[option.name] = value
        old = {name: self.values[name] for name in new}
        self.values.update(new)
        try:
            apply(set(new))
        except OptionError as error:
            self.values.update(old)
            apply(set(old))
            raise _failed(error.name, str(error)) from None

    def rewrite(self) -> None:
        """Write the values back to the file they came from, in one step. OSError when that fails."""
        with open(self.path, encoding="utf-8", errors="surrogateescape") as file:
            text = file.read()
        options: dict[str, list[str]] = {}
        present = {(split_words(raw) or [""])[0].lower() for raw in text.split("\n")} - {""}
        for option in OPTIONS:
            value = self.values[option.name]
            if value != option.default or option.name in present or option.alias in present:
                options[option.name] = [f"{option.name} {line}" for line in option.kind.lines(value)]
        text = rewritten(text, options, {name: option.name for name, option in BY_NAME.items()})
        # Not by tempfile: its imports alone are a megabyte.
        temporary = f"{self.path}.{os.urandom(8).hex()}"
        handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with open(handle, "w", encoding="utf-8", errors="surrogateescape") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            os.chmod(temporary, os.stat(self.path).st_mode & 0o777)
            os.replace(temporary, self.path)
        except BaseException:
            os.unlink(temporary)
            raise


class OptionError(Exception):
    """A value that is well-formed but can't be had; `name` is the option."""

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(reason)
        self.name = name


def _failed(name: str, reason: str) -> SetError:
    return SetError(f"ERR CONFIG SET failed (possibly related to argument '{name}') - {reason}")


__all__ = ["Config", "ConfigError", "OptionError", "SetError"]
