"""The progress of a server that loads its journal, where a person looks on."""

from __future__ import annotations

import time

from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

from gapless.cli.output import remarks

TYPE_CHECKING = False
if TYPE_CHECKING:
    from gapless.server.persistence import Loading

_REFRESH_SECONDS = 0.2


def draw(loading: Loading) -> None:
    """A bar on standard error until it is loaded."""
    columns = (TextColumn("loading"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    with Progress(*columns, console=remarks(), transient=True, auto_refresh=False) as progress:
        task = progress.add_task("loading", total=None)
        while loading.running:
            progress.update(task, completed=loading.done, total=loading.total or None)
            progress.refresh()
            time.sleep(_REFRESH_SECONDS)
