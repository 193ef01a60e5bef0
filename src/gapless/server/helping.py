"""HELP of a container command: its subcommands, one line, and what each is for, indented."""

from __future__ import annotations

from gapless.commands.replies import Status


def help_lines(command: str, entries: tuple[tuple[str, str], ...]) -> list[object]:
    """The reply: a heading, (usage, explanation) entries, HELP itself."""
    lines = [f"{command} <subcommand> [<arg> [value] [opt] ...]. Subcommands are:"]
    for usage, explanation in (*entries, ("HELP", "Print this help.")):
        lines.append(usage)
        lines.extend(f"    {line}" for line in explanation.split("\n"))
    return [Status(line) for line in lines]
