"""Listening sockets: TCP on all addresses of `bind`, and a Unix socket."""

from __future__ import annotations

import errno
import os
import socket
import stat

from gapless.server.log import warning

# An address that may be missing, when it has this mark in front.
OPTIONAL = "-"


class ListenError(Exception):
    """Nothing to listen on, or an address that can't be had; the text is for the operator."""


def listen_tcp(addresses: str, port: int, backlog: int) -> list[socket.socket]:
    """Sockets for the addresses of `bind`: `*` and `::*` are all there are; `-` in front: if it is there.

    A port of another server is an error, an optional address the machine does not have is not.
    """
    sockets: list[socket.socket] = []
    try:
        for word in addresses.split() or ["*"]:
            optional = word.startswith(OPTIONAL)
            try:
                sockets.append(_bound(word.removeprefix(OPTIONAL), port, backlog))
            except OSError as error:
                if optional and error.errno in (
                    errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT, errno.EPROTONOSUPPORT, errno.ENOENT,
                ):  # fmt: skip
                    continue
                warning(
                    "Could not create server TCP listening socket %s:%d: %s",
                    word,
                    port,
                    error.strerror or error,
                )
                raise ListenError(f"Failed listening on port {port} (tcp), aborting.") from None
    except ListenError:
        close_all(sockets)
        raise
    return sockets


def _bound(address: str, port: int, backlog: int) -> socket.socket:
    host = {"*": "0.0.0.0", "::*": "::"}.get(address, address)
    if host[:1].isdigit() and ":" not in host:
        # Without a resolver: the import of its encodings alone takes a megabyte.
        family = socket.AF_INET
    elif ":" in host:
        family = socket.AF_INET6
    else:
        family, _, _, _, sockaddr = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        host = str(sockaddr[0])
    found = socket.socket(family, socket.SOCK_STREAM)
    try:
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            found.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        found.bind((host, port))
        found.listen(backlog)
    except BaseException:
        found.close()
        raise
    return found


def listen_unix(path: str, permissions: int, backlog: int) -> socket.socket:
    """A Unix socket at a path; one that a dead server left there is replaced. 0: the umask's permissions."""
    try:
        if stat.S_ISSOCK(os.stat(path).st_mode):
            os.unlink(path)
    except FileNotFoundError:
        pass
    found = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        found.bind(path)
        if permissions:
            os.chmod(path, permissions)
        found.listen(backlog)
    except OSError as error:
        found.close()
        warning("Failed opening Unix socket: bind: %s", error.strerror or error)
        raise ListenError(f"Failed listening on {path} (unix), aborting.") from None
    return found


def close_all(sockets: list[socket.socket]) -> None:
    """Close them."""
    for each in sockets:
        each.close()
