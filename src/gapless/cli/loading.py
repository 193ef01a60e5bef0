"""The progress of a server that loads its journal, where a person looks on."""

from __future__ import annotations

import time

from gapless.cli.output import progress_bar

TYPE_CHECKING = False
if TYPE_CHECKING:
    from gapless.server.journaling import Loading

_REFRESH_SECONDS = 0.2


def draw(loading: Loading) -> None:
    """A bar on standard error until it is loaded."""
    with progress_bar("loading") as report:
        while report is not None and loading.running:
            if loading.total:
                report(loading.done, loading.total)
            time.sleep(_REFRESH_SECONDS)
