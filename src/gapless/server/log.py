"""The log of a server, through `logging`, in the format operators of Redis know.

4711:M 23 Nov 2026 11:43:14.591 * Ready to accept connections tcp
"""

from __future__ import annotations

import logging
import os
import time

logger = logging.getLogger("gapless")

VERBOSE = 15
NOTICE = 25
LEVELS = {
    "debug": logging.DEBUG,
    "verbose": VERBOSE,
    "notice": NOTICE,
    "warning": logging.WARNING,
    "nothing": logging.CRITICAL + 1,
}


class _Formatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        level = record.levelno
        mark = "." if level < VERBOSE else "-" if level < NOTICE else "*" if level < logging.WARNING else "#"
        when = time.strftime("%d %b %Y %H:%M:%S", time.localtime(record.created))
        text = record.getMessage()
        if record.exc_info:
            text += "\n" + self.formatException(record.exc_info)
        return f"{os.getpid()}:M {when}.{int(record.msecs):03d} {mark} {text}"


def start_log(path: str, level: str) -> None:
    """Log to a file, or to standard output when `path` is empty. OSError when the file can't be written."""
    handler: logging.Handler
    if path:
        # Opened anew when it was moved away, so that logrotate needs no signal.
        from logging.handlers import WatchedFileHandler

        handler = WatchedFileHandler(path)
    else:
        import sys

        handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(_Formatter())
    for old in logger.handlers[:]:
        logger.removeHandler(old)
    logger.addHandler(handler)
    logger.propagate = False
    set_level(level)


def set_level(level: str) -> None:
    """The least important messages that are logged, by loglevel's names."""
    logger.setLevel(LEVELS[level])


def notice(text: str, *args: object) -> None:
    """What an operator should see in a quiet log."""
    logger.log(NOTICE, text, *args)


def warning(text: str, *args: object) -> None:
    """What an operator should act on."""
    logger.warning(text, *args)
