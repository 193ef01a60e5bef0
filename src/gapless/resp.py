"""RESP as it is written by client libraries inside the process."""

from __future__ import annotations


class RequestReader:
    """Cuts a stream of requests, written by a client library, into commands."""

    def __init__(self) -> None:
        self._pending = b""

    def feed(self, data: bytes) -> list[list[bytes]]:
        """The commands that are complete now; O(len(data)) when they are."""
        data = self._pending + data
        commands, at = [], 0
        while at < len(data):
            try:
                command, at = self._command(data, at)
            except (IndexError, ValueError):
                break
            commands.append(command)
        self._pending = data[at:]
        return commands

    @staticmethod
    def _command(data: bytes, at: int) -> tuple[list[bytes], int]:
        end = data.index(b"\r\n", at)
        count, at = int(data[at + 1 : end]), end + 2
        command = []
        for _ in range(count):
            end = data.index(b"\r\n", at)
            start = end + 2
            at = start + int(data[at + 1 : end]) + 2
            if at > len(data):
                raise IndexError
            command.append(data[start : at - 2])
        return command, at
