"""Commands that only hold subcommands, their HELP, and what all handlers in Python share."""

from __future__ import annotations

from gapless.commands.replies import CommandError, Status

TYPE_CHECKING = False
if TYPE_CHECKING:
    from gapless.commands.context import Context
    from gapless.commands.row import Arg
    from gapless.server.server import Server


def server_of(ctx: Context) -> Server:
    """The server around the engine; a store that is not served gets one with the default configuration."""
    server = ctx.server
    if server is None:
        from gapless.server.config import Config
        from gapless.server.server import Server

        server = ctx.engine.server = Server(ctx.engine, Config())
    return server


def integer(text: bytes, error: str = "ERR value is not an integer or out of range") -> int:
    """The number, read as strictly as Redis does, within 64 bits; else the error."""
    try:
        n = int(text)
    except ValueError:
        raise CommandError(error) from None
    if str(n).encode() != text or not -(2**63) <= n < 2**63:
        raise CommandError(error)
    return n


def too_many_words(args: list[bytes]) -> CommandError:
    """What a subcommand answers that takes fewer words than it was given."""
    name, subcommand = text_of(args[0]).upper(), shown_in_error(args[1][:128])
    return CommandError(
        f"ERR unknown subcommand or wrong number of arguments for '{subcommand}'. Try {name} HELP."
    )


def text_of(data: bytes) -> str:
    """Bytes from a client as text that goes back to the same bytes."""
    return data.decode("utf-8", "surrogateescape")


def shown_in_error(data: bytes) -> str:
    """What an error shows of bytes from a client: as C prints a string, nothing from a NUL byte on."""
    return text_of(data.partition(b"\0")[0])


def clean_name(data: bytes) -> bool:
    """Whether the name has only printable characters and no blank."""
    return all(33 <= byte <= 126 for byte in data)


def container(ctx: Context, args: list[bytes]) -> object:
    """A container without a subcommand; with one, dispatch never comes here."""
    name = text_of(args[0]).lower()
    if len(args) < 2:
        raise CommandError(f"ERR wrong number of arguments for '{name}' command")
    raise CommandError(f"ERR unknown subcommand '{shown_in_error(args[1][:128])}'. Try {name.upper()} HELP.")


def _usage(arg: Arg) -> str:
    inner = [_usage(one) for one in arg.args]
    if arg.type == "oneof":
        text = "|".join(inner)
    elif arg.type == "block":
        text = " ".join(inner)
    elif arg.type == "pure-token":
        text = arg.token or arg.name
    else:
        text = f"<{arg.text}>"
    if arg.token and arg.type != "pure-token":
        text = f"{arg.token} {text}"
    if "multiple" in arg.flags:
        text += " [...]"
    return f"[{text}]" if "optional" in arg.flags else text


def help_text(ctx: Context, args: list[bytes]) -> object:
    """HELP of a container, from its rows."""
    from gapless.commands.table import BY_NAME

    row = BY_NAME[text_of(args[0]).lower()]
    lines = [f"{row.name.upper()} <subcommand> [<arg> [value] [opt] ...]. Subcommands are:"]
    for sub in row.subcommands:
        if sub.name == "help":
            continue
        lines.append(" ".join([sub.name.upper(), *(_usage(arg) for arg in sub.args)]))
        lines.append(f"    {sub.summary}")
    lines += ["HELP", "    Print this help."]
    return [Status(line) for line in lines]
